/**
 * The order of the levels. Each variable is placed near the threads that use it, so that few edges reach over many
 * levels.
 *
 * Starting orders are improved by FORCE (Aloul, Markov and Sakallah 2003: every object moves to the centre of gravity of
 * the edges it is part of) and then by sifting single objects (Rudell 1993), both judged by the squares of the levels
 * that edges span. On protocols of five to nine threads saturation then took about a quarter of the time it took
 * with the normalised weighted event span (Siminiceanu and Ciardo 2006) as the judge.
 */
import type { TransitionSystem } from "../../spec/transition-system.ts";
import { type Block, declaredBlocks, StateVector } from "./state-vector.ts";
import { type Support, supports } from "./support.ts";

export interface VariableOrder {
  readonly order: readonly Block[];
  /** How it was found, for the report. */
  readonly method: string;
}

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

/** The order of declaration: threads, then the variables. */
export function declared(system: TransitionSystem): VariableOrder {
  return { order: declaredBlocks(system), method: "as declared" };
}

/** @param checkTime Called now and then; throws when time is up. */
export function variableOrder(system: TransitionSystem, checkTime: () => void = () => {}): VariableOrder {
  const blocks = declaredBlocks(system);
  const spans = collectSpans(new StateVector(system, blocks), checkTime);
  const declaredOrder = blocks.map((_, b) => b);
  const threads = declaredOrder.filter((b) => blocks[b]![0]!.of === "pc");
  const elements = declaredOrder.filter((b) => blocks[b]![0]!.of !== "pc");
  const narrow = spans.filter((span) => span.blocks.length <= WIDE);
  const effort = { left: EFFORT };
  let best: number[] = declaredOrder;
  let bestCost = Number.POSITIVE_INFINITY;
  for (const start of [declaredOrder, [...elements, ...threads]]) {
    for (const candidate of [start, force(start, spans)]) {
      const { order, cost } = moveBlocks(candidate, narrow, effort);
      if (cost < bestCost) {
        best = order;
        bestCost = cost;
      }
    }
  }
  return { order: best.map((b) => blocks[b]!), method: "FORCE and sifting" };
}

/** One span for each path through an action and, where it goes through pointers, each object they may point to. */
function collectSpans(vector: StateVector, checkTime: () => void): Span[] {
  const weights = new Map<string, number>();
  const { vars, threads, programs } = vector.system;
  const count = ({ components, arrays }: Support) => {
    const fixed = new Set([...components].map((c) => vector.level[c]!));
    const targets = Math.max(1, ...[...arrays].map((v) => vars[v]!.length));
    for (let k = 0; k < targets; k++) {
      const touched = new Set(fixed);
      for (const v of arrays) if (k < vars[v]!.length) touched.add(vector.level[vector.element(v, k)]!);
      touched.delete(vector.length);
      const key = [...touched].sort((a, b) => a - b).join();
      weights.set(key, (weights.get(key) ?? 0) + 1);
    }
  };
  threads.forEach(({ program }, t) => {
    checkTime();
    programs[program]!.locations.forEach((_, l) => {
      supports(vector, t, l, (_, support) => count(support));
    });
  });
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
  /** Per block, its level and the spans it is part of. */
  readonly #level: number[] = [];
  readonly #spansOf: number[][] = [];
  readonly #costs: number[];
  readonly #effort: { left: number };

  constructor(order: readonly number[], spans: readonly Span[], effort: { left: number }) {
    this.#effort = effort;
    this.order = [...order];
    this.#spans = spans;
    order.forEach((b, level) => {
      this.#level[b] = level;
      this.#spansOf[b] = [];
    });
    spans.forEach((span, s) => {
      for (const b of span.blocks) this.#spansOf[b]!.push(s);
    });
    this.#costs = spans.map(() => 0);
    for (let s = 0; s < spans.length; s++) this.#measure(s);
  }

  #measure(s: number): void {
    const span = this.#spans[s]!;
    this.#effort.left -= span.blocks.length;
    let lo = this.order.length;
    let hi = 0;
    for (const b of span.blocks) {
      const at = this.#level[b]!;
      if (at < lo) lo = at;
      if (at > hi) hi = at;
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
    this.#level[b] = i;
    this.#level[a] = i + 1;
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

function moveBlocks(start: readonly number[], spans: readonly Span[], effort: { left: number }): SpannedOrder {
  const order = new SpannedOrder(start, spans, effort);
  for (let pass = 0; pass < MOVE_PASSES; pass++) {
    const before = order.cost;
    for (const block of [...order.order]) order.sift(block);
    if (order.cost > before * ENOUGH) break;
  }
  return order;
}
