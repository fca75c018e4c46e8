/**
 * The order of the levels. A thread's location and locals stay together; each variable element is placed near the
 * threads that use it, so that few edges reach over many levels.
 *
 * Starting orders are improved by FORCE (Aloul, Markov and Sakallah 2003: every object moves to the centre of gravity of
 * the edges it is part of) and then by moving single objects, both judged by the normalised weighted event span
 * (Siminiceanu and Ciardo 2006): long edges cost, and those that start high cost more.
 */
import type { TransitionSystem } from "../../spec/transition-system.ts";
import { type Edge, Unfolding } from "./edge.ts";
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
/** Moving single blocks is quadratic in their number and more. */
const MANY_BLOCKS = 120;
const MOVE_PASSES = 6;

/** The order of declaration: threads with their locals, then the variables. */
export function declared(system: TransitionSystem): VariableOrder {
  return { order: components(system), method: "as declared" };
}

export function variableOrder(system: TransitionSystem): VariableOrder {
  const all = components(system);
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
  const unfolding = new Unfolding(vector);
  const spans = collectSpans(unfolding, unfolding.edges, blockOf);
  const width = blocks.map((b) => b.length);

  const declaredOrder = blocks.map((_, b) => b);
  const threads = declaredOrder.filter((b) => blocks[b]![0]!.of === "pc");
  const elements = declaredOrder.filter((b) => blocks[b]![0]!.of !== "pc");
  let best: number[] = declaredOrder;
  let bestCost = Number.POSITIVE_INFINITY;
  for (const start of [declaredOrder, [...elements, ...threads]]) {
    for (let order of [start, force(start, spans)]) {
      if (order.length <= MANY_BLOCKS) order = moveBlocks(order, spans, width);
      const cost = eventSpan(order, spans, width);
      if (cost < bestCost) {
        best = order;
        bestCost = cost;
      }
    }
  }
  return { order: best.flatMap((b) => blocks[b]!), method: "FORCE and event span" };
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

/** The sum over all edges of (levels spanned) x (height of the first level), divided by the number of levels squared. */
function eventSpan(order: readonly number[], spans: readonly Span[], width: readonly number[]): number {
  const first: number[] = [];
  let levels = 0;
  for (const b of order) {
    first[b] = levels;
    levels += width[b]!;
  }
  let cost = 0;
  for (const span of spans) {
    let lo = levels;
    let hi = 0;
    for (const b of span.blocks) {
      const at = first[b]!;
      if (at < lo) lo = at;
      if (at + width[b]! > hi) hi = at + width[b]!;
    }
    cost += span.weight * (hi - lo) * (levels - lo);
  }
  return cost / (levels * levels);
}

function moveBlocks(start: readonly number[], spans: readonly Span[], width: readonly number[]): number[] {
  let order = [...start];
  let cost = eventSpan(order, spans, width);
  for (let pass = 0; pass < MOVE_PASSES; pass++) {
    const before = cost;
    for (const block of [...order]) {
      const rest = order.filter((b) => b !== block);
      for (let i = 0; i <= rest.length; i++) {
        const moved = [...rest.slice(0, i), block, ...rest.slice(i)];
        const c = eventSpan(moved, spans, width);
        if (c < cost) {
          cost = c;
          order = moved;
        }
      }
    }
    if (cost === before) break;
  }
  return order;
}
