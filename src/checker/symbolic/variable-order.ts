/**
 * The order of the levels. A thread's location and locals stay together; each variable element is placed near the
 * threads that use it, so that few edges reach over many levels.
 *
 * Starting orders are improved by FORCE (Aloul, Markov and Sakallah 2003: every object moves to the centre of gravity of
 * the edges it is part of) and then by sifting single objects (Rudell 1993), both judged by the squares of the levels
 * that edges span. On protocols of five to nine threads saturation then took about a quarter of the time it took
 * with the normalised weighted event span (Siminiceanu and Ciardo 2006) as the judge.
 */
import type { TransitionSystem } from "../../spec/transition-system.ts";
import { type Edge, Unfolding } from "./edge.ts";
import { sharedLocals } from "./shared-locals.ts";
import { type Component, components, StateVector } from "./state-vector.ts";

export interface VariableOrder {
  readonly order: readonly Component[];
  /** How it was found, for the report. */
  readonly method: string;
}

/** Levels that move as one. */
type Block = readonly Component[];

/** Edges over the same blocks: positions are averaged and spans are summed with their number as weight. */
interface Span {
  readonly blocks: readonly number[];
  readonly weight: number;
}

const FORCE_ROUNDS = 50;
const MOVE_PASSES = 6;
/** Edges over more blocks reach over most levels whatever the order: they do not take part in sifting. */
const WIDE = 24;
/** Blocks of edges looked at while sifting, for all starting orders together: some tens of milliseconds. */
const EFFORT = 6_000_000;
/** A pass that leaves more than this part of the cost is the last. */
const ENOUGH = 0.99;

/** The order of declaration: threads with their locals, then the variables. */
export function declared(system: TransitionSystem): VariableOrder {
  return { order: components(system), method: "as declared" };
}

/** @param checkTime Called now and then; throws when time is up. */
export function variableOrder(system: TransitionSystem, checkTime: () => void = () => {}): VariableOrder {
  const shared = sharedLocals(new Unfolding(new StateVector(system, components(system)), checkTime));
  const all = components(system, shared);
  const vector = new StateVector(system, all);
  const blocks: Block[] = [];
  const blockOf: number[] = [];
  const blockOfThread = new Map<number, number>();
  all.forEach((c, level) => {
    const known = c.of === "element" ? undefined : blockOfThread.get(c.thread);
    if (known === undefined) {
      blockOf[level] = blocks.length;
      if (c.of !== "element") blockOfThread.set(c.thread, blocks.length);
      blocks.push([c]);
    } else {
      blockOf[level] = known;
      blocks[known] = [...blocks[known]!, c];
    }
  });
  const unfolding = new Unfolding(vector, checkTime);
  const spans = collectSpans(unfolding, unfolding.edges, blockOf);
  const width = blocks.map((b) => b.length);

  const declaredOrder = blocks.map((_, b) => b);
  const threads = declaredOrder.filter((b) => blocks[b]![0]!.of === "pc");
  const elements = declaredOrder.filter((b) => blocks[b]![0]!.of !== "pc");
  const narrow = spans.filter((span) => span.blocks.length <= WIDE);
  const effort = { left: EFFORT };
  let best: number[] = declaredOrder;
  let bestCost = Number.POSITIVE_INFINITY;
  for (const start of [declaredOrder, [...elements, ...threads]]) {
    for (const candidate of [start, force(start, spans)]) {
      const { order, cost } = moveBlocks(candidate, narrow, width, effort);
      if (cost < bestCost) {
        best = order;
        bestCost = cost;
      }
    }
  }
  return { order: best.flatMap((b) => blocks[b]!), method: "FORCE and sifting" };
}

function collectSpans(unfolding: Unfolding, edges: readonly Edge[], blockOf: readonly number[]): Span[] {
  const weights = new Map<string, number>();
  for (const edge of edges) {
    const touched = new Set<number>();
    const touch = (level: number) => touched.add(blockOf[level]!);
    for (const t of edge.guard) unfolding.terms.support(t, touch);
    for (const [level, t] of edge.writes) {
      touch(level);
      unfolding.terms.support(t, touch);
    }
    const key = [...touched].sort((a, b) => a - b).join();
    weights.set(key, (weights.get(key) ?? 0) + 1);
  }
  return [...weights].map(([key, weight]) => ({ blocks: key.split(",").map(Number), weight }));
}

function force(start: readonly number[], spans: readonly Span[]): number[] {
  let order = [...start];
  let best = order;
  let bestSpan = Number.POSITIVE_INFINITY;
  for (let round = 0; round < FORCE_ROUNDS; round++) {
    const position: number[] = [];
    order.forEach((b, i) => {
      position[b] = i;
    });
    let total = 0;
    const pull = order.map(() => 0);
    const weight = order.map(() => 0);
    for (const span of spans) {
      let centre = 0;
      let lo = Number.POSITIVE_INFINITY;
      let hi = 0;
      for (const b of span.blocks) {
        centre += position[b]!;
        lo = Math.min(lo, position[b]!);
        hi = Math.max(hi, position[b]!);
      }
      centre /= span.blocks.length;
      total += (hi - lo) * span.weight;
      for (const b of span.blocks) {
        pull[b]! += centre * span.weight;
        weight[b]! += span.weight;
      }
    }
    if (total < bestSpan) {
      bestSpan = total;
      best = order;
    }
    const target = (b: number) => (weight[b]! > 0 ? pull[b]! / weight[b]! : position[b]!);
    const next = [...order].sort((a, b) => target(a) - target(b) || position[a]! - position[b]!);
    if (next.every((b, i) => b === order[i])) break;
    order = next;
  }
  return best;
}

/** An order whose cost is kept up to date while neighbours change places: the squared levels spanned, over all edges. */
class SpannedOrder {
  readonly order: number[];
  cost = 0;
  readonly #spans: readonly Span[];
  readonly #width: readonly number[];
  readonly #levels: number;
  /** Per block, its first level and the spans it is part of. */
  readonly #first: number[] = [];
  readonly #spansOf: number[][] = [];
  readonly #costs: number[];
  readonly #effort: { left: number };

  constructor(order: readonly number[], spans: readonly Span[], width: readonly number[], effort: { left: number }) {
    this.#effort = effort;
    this.order = [...order];
    this.#spans = spans;
    this.#width = width;
    let levels = 0;
    for (const b of order) {
      this.#first[b] = levels;
      this.#spansOf[b] = [];
      levels += width[b]!;
    }
    this.#levels = levels;
    spans.forEach((span, s) => {
      for (const b of span.blocks) this.#spansOf[b]!.push(s);
    });
    this.#costs = spans.map(() => 0);
    for (let s = 0; s < spans.length; s++) this.#measure(s);
  }

  #measure(s: number): void {
    const span = this.#spans[s]!;
    this.#effort.left -= span.blocks.length;
    let lo = this.#levels;
    let hi = 0;
    for (const b of span.blocks) {
      const at = this.#first[b]!;
      if (at < lo) lo = at;
      if (at + this.#width[b]! > hi) hi = at + this.#width[b]!;
    }
    const cost = span.weight * (hi - lo) ** 2;
    this.cost += cost - this.#costs[s]!;
    this.#costs[s] = cost;
  }

  /** The blocks at positions `i` and `i + 1` change places. */
  #swap(i: number): void {
    const a = this.order[i]!;
    const b = this.order[i + 1]!;
    this.order[i] = b;
    this.order[i + 1] = a;
    this.#first[b] = this.#first[a]!;
    this.#first[a] = this.#first[b]! + this.#width[b]!;
    for (const s of this.#spansOf[a]!) this.#measure(s);
    for (const s of this.#spansOf[b]!) this.#measure(s);
  }

  /** Moves one block to where the cost is least, as Rudell's sifting moves a variable. */
  sift(block: number): void {
    if (this.#spansOf[block]!.length === 0 || this.#effort.left <= 0) return;
    let at = this.order.indexOf(block);
    let best = at;
    let bestCost = this.cost;
    const look = (): void => {
      if (this.cost < bestCost) {
        bestCost = this.cost;
        best = at;
      }
    };
    for (; at > 0; look()) this.#swap(--at);
    for (; at < this.order.length - 1; look()) this.#swap(at++);
    while (at > best) this.#swap(--at);
  }
}

function moveBlocks(
  start: readonly number[],
  spans: readonly Span[],
  width: readonly number[],
  effort: { left: number },
): SpannedOrder {
  const order = new SpannedOrder(start, spans, width, effort);
  for (let pass = 0; pass < MOVE_PASSES; pass++) {
    const before = order.cost;
    for (const block of [...order.order]) order.sift(block);
    if (order.cost > before * ENOUGH) break;
  }
  return order;
}
