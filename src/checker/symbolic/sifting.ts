/**
 * Sifting on a diagram (Rudell 1993): each level in turn is moved through all places, by exchanging neighbours, and left
 * where the diagram of the given set is smallest. Unlike an order judged by what the text of the actions mentions, this
 * sees what the states are like: a component that others determine costs next to nothing below them.
 */
import { EMPTY, EPSILON, type ListDecisionDiagrams } from "./list-decision-diagram.ts";

/** A level is moved on while the diagram is at most so many times as large as the smallest one found. */
const MOST_GROWTH = 1.3;
const PASSES = 4;
/** A pass that leaves more than this part of the size is the last. */
const ENOUGH = 0.98;
const imul = Math.imul;

/** The nodes of one level: node `n` has the edges from `start[n]` to `start[n + 1]`, by ascending values. */
interface Nodes {
  readonly start: Int32Array;
  readonly value: Int32Array;
  /** Numbers of nodes of the next level. */
  readonly child: Int32Array;
}

export interface Sifted {
  /** Old levels in their new order. */
  readonly order: readonly number[];
  /** Edges of the diagram, as it was and as it is in the new order. */
  readonly before: number;
  readonly after: number;
}

/**
 * Levels that hold the same in all vectors of the set come last. To the diagram it is all one where they stand, but above
 * others they would be where the edges begin that mention them.
 *
 * @param effort Edges looked at, at most; about so many.
 */
export function sifted(store: ListDecisionDiagrams, set: number, levels: number, effort: number): Sifted {
  const diagram = new Diagram(nodesOf(store, set, levels), effort, () => store.checkTime());
  const before = diagram.size;
  diagram.sinkSingle();
  for (let pass = 0; pass < PASSES; pass++) {
    const start = diagram.size;
    for (const level of diagram.largestFirst()) diagram.sift(level);
    if (diagram.size > start * ENOUGH) break;
  }
  return { order: diagram.order, before, after: diagram.size };
}

/** The nodes of a set by level; lists that are only the rest of another one are no nodes. */
function nodesOf(store: ListDecisionDiagrams, set: number, levels: number): Nodes[] {
  const result: Nodes[] = [];
  let lists = set === EMPTY ? [] : [set];
  for (let level = 0; level < levels; level++) {
    const start = [0];
    const value: number[] = [];
    const child: number[] = [];
    const numbers = new Map<number, number>();
    const below: number[] = [];
    for (const list of lists) {
      for (let n = list; n > EPSILON; n = store.right[n]!) {
        const down = store.down[n]!;
        let number = numbers.get(down);
        if (number === undefined) {
          number = below.push(down) - 1;
          numbers.set(down, number);
        }
        value.push(store.value[n]!);
        child.push(number);
      }
      start.push(value.length);
    }
    result.push({ start: Int32Array.from(start), value: Int32Array.from(value), child: Int32Array.from(child) });
    lists = below;
  }
  return result;
}

class Diagram {
  /** The old level at each place. */
  readonly order: number[];
  size = 0;
  readonly #nodes: Nodes[];
  readonly #checkTime: () => void;
  #effort: number;
  #single: ReadonlySet<number> = new Set();

  /** @param checkTime Throws when time is up. */
  constructor(nodes: Nodes[], effort: number, checkTime: () => void) {
    this.#checkTime = checkTime;
    this.#nodes = nodes;
    this.#effort = effort;
    this.order = nodes.map((_, level) => level);
    for (const { value } of nodes) this.size += value.length;
  }

  largestFirst(): number[] {
    const size = new Map(this.order.map((level, at) => [level, this.#nodes[at]!.value.length]));
    return [...this.order].sort((a, b) => size.get(b)! - size.get(a)! || a - b);
  }

  sinkSingle(): void {
    const single = this.#nodes.flatMap(({ value }, level) => (value.every((v) => v === value[0]) ? [level] : []));
    for (const level of single) {
      for (let at = this.order.indexOf(level); at < this.order.length - 1; at++) this.#swap(at);
    }
    this.#single = new Set(single);
  }

  sift(level: number): void {
    if (this.#effort <= 0 || this.#single.has(level)) return;
    const last = this.order.length - 1 - this.#single.size;
    let at = this.order.indexOf(level);
    let best = at;
    let least = this.size;
    const look = (): boolean => {
      if (this.size < least) {
        least = this.size;
        best = at;
      }
      return this.size <= least * MOST_GROWTH && this.#effort > 0;
    };
    const up = (): void => {
      while (at > 0) {
        this.#swap(--at);
        if (!look()) break;
      }
    };
    const down = (): void => {
      while (at < last) {
        this.#swap(at++);
        if (!look()) break;
      }
    };
    if (at < this.order.length >> 1) {
      up();
      down();
    } else {
      down();
      up();
    }
    while (at > best) this.#swap(--at);
    while (at < best) this.#swap(at++);
  }

  /** The levels at `k` and `k + 1` change places: the nodes of `k` keep their numbers, those of `k + 1` are made anew. */
  #swap(k: number): void {
    this.#checkTime();
    const upper = this.#nodes[k]!;
    const lower = this.#nodes[k + 1]!;
    this.size -= upper.value.length + lower.value.length;
    const above = new Growing();
    const below = new Growing();
    const numbers = new Table(below);
    const count = upper.start.length - 1;
    for (let n = 0; n < count; n++) {
      // By values of the lower level what the upper one and the rest may be; values of the upper one ascend.
      const byLower = new Map<number, number[]>();
      for (let e = upper.start[n]!; e < upper.start[n + 1]!; e++) {
        const child = upper.child[e]!;
        for (let f = lower.start[child]!; f < lower.start[child + 1]!; f++) {
          const pairs = byLower.get(lower.value[f]!);
          if (pairs === undefined) byLower.set(lower.value[f]!, [upper.value[e]!, lower.child[f]!]);
          else pairs.push(upper.value[e]!, lower.child[f]!);
          this.#effort--;
        }
      }
      for (const v of [...byLower.keys()].sort((a, b) => a - b)) above.add(v, numbers.of(byLower.get(v)!));
      above.end();
    }
    this.#nodes[k] = above.nodes();
    this.#nodes[k + 1] = below.nodes();
    this.size += above.edges + below.edges;
    const level = this.order[k]!;
    this.order[k] = this.order[k + 1]!;
    this.order[k + 1] = level;
  }
}

/** Nodes under construction. */
class Growing {
  edges = 0;
  /** How many nodes have ended. */
  count = 0;
  start = new Int32Array(1 << 8);
  value = new Int32Array(1 << 10);
  child = new Int32Array(1 << 10);

  add(value: number, child: number): void {
    if (this.edges === this.value.length) {
      this.value = widened(this.value);
      this.child = widened(this.child);
    }
    this.value[this.edges] = value;
    this.child[this.edges++] = child;
  }

  end(): void {
    if (++this.count === this.start.length) this.start = widened(this.start);
    this.start[this.count] = this.edges;
  }

  nodes(): Nodes {
    const { edges, count } = this;
    return {
      start: this.start.slice(0, count + 1),
      value: this.value.slice(0, edges),
      child: this.child.slice(0, edges),
    };
  }
}

/** Numbers nodes by what they are. */
class Table {
  readonly #nodes: Growing;
  /** Numbers of nodes plus 1, by hash. */
  #slots = new Int32Array(1 << 10);

  constructor(nodes: Growing) {
    this.#nodes = nodes;
  }

  /** @param pairs Value, child, value, child … */
  of(pairs: readonly number[]): number {
    const nodes = this.#nodes;
    let slot = this.#slot(pairs);
    for (; this.#slots[slot] !== 0; slot = (slot + 1) & (this.#slots.length - 1)) {
      const n = this.#slots[slot]! - 1;
      if (this.#is(n, pairs)) return n;
    }
    const n = nodes.count;
    for (let i = 0; i < pairs.length; i += 2) nodes.add(pairs[i]!, pairs[i + 1]!);
    nodes.end();
    this.#slots[slot] = n + 1;
    if (nodes.count * 2 > this.#slots.length) this.#rehash();
    return n;
  }

  #is(n: number, pairs: readonly number[]): boolean {
    const { start, value, child } = this.#nodes;
    const from = start[n]!;
    if ((start[n + 1]! - from) * 2 !== pairs.length) return false;
    for (let i = 0; i < pairs.length; i += 2) {
      const e = from + (i >> 1);
      if (value[e] !== pairs[i] || child[e] !== pairs[i + 1]) return false;
    }
    return true;
  }

  #rehash(): void {
    const { start, value, child, count } = this.#nodes;
    this.#slots = new Int32Array(this.#slots.length * 2);
    for (let n = 0; n < count; n++) {
      const pairs: number[] = [];
      for (let e = start[n]!; e < start[n + 1]!; e++) pairs.push(value[e]!, child[e]!);
      let slot = this.#slot(pairs);
      while (this.#slots[slot] !== 0) slot = (slot + 1) & (this.#slots.length - 1);
      this.#slots[slot] = n + 1;
    }
  }

  #slot(pairs: readonly number[]): number {
    let h = pairs.length;
    for (const x of pairs) h = imul(h ^ x, 0x2c1b3c6d) ^ (h >>> 13);
    return (h ^ (h >>> 16)) & (this.#slots.length - 1);
  }
}

function widened(array: Int32Array): Int32Array<ArrayBuffer> {
  const wide = new Int32Array(array.length * 2);
  wide.set(array);
  return wide;
}
