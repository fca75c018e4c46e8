/**
 * List decision diagrams (Blom and van de Pol 2008): canonical, shared representations of finite sets of integer
 * vectors of one length.
 *
 * A node is one cell of an ordered list: a value of this level, the set of the vectors that continue it (`down`) and
 * the cell of the next larger value (`right`). Node 0 is the empty set, node 1 the set of the empty vector. As all
 * vectors of a set have the same length, a node's distance from node 1 determines its level.
 *
 * Nodes live in typed arrays and are hash-consed. Ids never move: a collection marks what hangs off the roots and puts
 * the rest on a free list. Collections happen only in `collect`, never inside an operation, so a caller may hold ids in
 * plain variables between two calls of it.
 */

import { totalmem } from "node:os";

/** A constant, since looking up a global is slow where tests run modules in a context of their own. */
const { imul } = Math;

export const EMPTY = 0;
export const EPSILON = 1;

/** Thrown from inside an operation when a budget is exhausted. The store stays consistent; see `recover`. */
export class BudgetExhausted extends Error {
  readonly resource: "memory" | "time";

  constructor(resource: "memory" | "time") {
    super(resource === "memory" ? "no memory left for decision-diagram nodes" : "no time left");
    this.name = "BudgetExhausted";
    this.resource = resource;
  }
}

export interface StoreBudget {
  /** Bytes for nodes and operation cache; Infinity for half of what the machine has. */
  readonly memory: number;
  /** `performance.now()` after which operations throw; Infinity for never. */
  readonly deadline: number;
}

/** A place that keeps a set alive. */
export interface Root {
  node: number;
}

/** Codes of cached operations; those above are the callers' and are passed on in the third key with a relation's id. */
const UNION = 0;
const MINUS = 1;
const INTERSECT = 2;
/** Operation codes take this many low bits of a cache key. */
export const OPERATION_BITS = 4;

/** The cache may lose what it likes, but what it has lost is computed again: it has room for more than there are nodes. */
const CACHE_ENTRIES_PER_NODE = 4;
/** Five words a node (value, down, right, hash chain, chain head) and four a cache entry. */
export const BYTES_PER_NODE = 20 + 16 * CACHE_ENTRIES_PER_NODE;
const FIRST_CAPACITY = 1 << 16;
const LAST_CAPACITY = 1 << 26;
/**
 * Up to this capacity the table grows and nothing is collected. A collection takes the cached results whose nodes nobody
 * holds, and saturation without them computes the same again and again, exponentially often in the worst case.
 */
const WITHOUT_COLLECTION = 1 << 21;
/** Collections at one capacity before the table grows whatever they free, for the same reason. */
const PATIENCE = 2;

export class ListDecisionDiagrams {
  value: Int32Array;
  down: Int32Array;
  right: Int32Array;
  /** Nodes in use, garbage not yet collected included. */
  live = 2;
  /** The most nodes ever in use. */
  peak = 2;
  collections = 0;
  #freed = 0;
  readonly #roots = new Set<Root>();
  /** Called by a collection for the nodes held in unfinished recursions. */
  frames: (mark: (node: number) => void) => void = () => {};

  #capacity: number;
  readonly #limit: number;
  #deadline: number;
  #chain: Int32Array;
  #head: Int32Array;
  #cache: Int32Array;
  /** Head of the free list, linked by `right`; 0 if empty. */
  #free = 0;
  /** First id never used. */
  #fresh = 2;
  #collectAt = 0;
  /** Collections at the present capacity. */
  #patience = PATIENCE;
  #ticks = 0;
  #stackValue = new Int32Array(1 << 12);
  #stackNode = new Int32Array(1 << 12);
  #top = 0;

  constructor(budget: StoreBudget) {
    const bytes = Number.isFinite(budget.memory) ? budget.memory : totalmem() / 2;
    this.#limit = Math.max(64, Math.min(LAST_CAPACITY, Math.floor(bytes / BYTES_PER_NODE)));
    this.#deadline = budget.deadline;
    this.#capacity = FIRST_CAPACITY;
    while (this.#capacity > this.#limit) this.#capacity >>= 1;
    const n = this.#capacity;
    this.value = new Int32Array(n);
    this.down = new Int32Array(n);
    this.right = new Int32Array(n);
    this.#chain = new Int32Array(n);
    this.#head = new Int32Array(n);
    this.#cache = new Int32Array(n * 4 * CACHE_ENTRIES_PER_NODE);
    this.#schedule();
    this.value[0] = -1;
    this.value[1] = -1;
  }

  get capacity(): number {
    return this.#capacity;
  }

  /** The list that starts with `value`, whose continuations are `down`, and goes on as `right` (larger values only). */
  node(value: number, down: number, right: number): number {
    if (down === EMPTY) return right;
    if ((++this.#ticks & 0xffff) === 0) this.checkTime();
    let slot = this.#slot(value, down, right);
    for (let n = this.#head[slot]!; n !== 0; n = this.#chain[n]!) {
      if (this.value[n] === value && this.down[n] === down && this.right[n] === right) return n;
    }
    let id = this.#free;
    if (id !== 0) this.#free = this.right[id]!;
    else {
      if (this.#fresh === this.#capacity) {
        this.#grow();
        slot = this.#slot(value, down, right);
      }
      id = this.#fresh++;
    }
    this.value[id] = value;
    this.down[id] = down;
    this.right[id] = right;
    this.#chain[id] = this.#head[slot]!;
    this.#head[slot] = id;
    this.live++;
    if (this.live > this.peak) this.peak = this.live;
    return id;
  }

  /** Keeps a set over collections until it is released; the root may be pointed at other sets. */
  hold(node: number): Root {
    const root = { node };
    this.#roots.add(root);
    return root;
  }

  release(root: Root): void {
    this.#roots.delete(root);
  }

  checkTime(): void {
    if (performance.now() > this.#deadline) throw new BudgetExhausted("time");
  }

  /** Does some work with no more than this part of the time that is left. */
  inTime<T>(part: number, work: () => T): T {
    const deadline = this.#deadline;
    const now = performance.now();
    if (deadline < Number.POSITIVE_INFINITY) this.#deadline = now + part * (deadline - now);
    try {
      return work();
    } finally {
      this.#deadline = deadline;
    }
  }

  /** The set of this one vector. */
  vector(values: ArrayLike<number>): number {
    let n = EPSILON;
    for (let i = values.length - 1; i >= 0; i--) n = this.node(values[i]!, n, EMPTY);
    return n;
  }

  /** The smallest vector of a set that is not empty, in lexicographic order. */
  first(set: number): number[] {
    const out: number[] = [];
    for (let n = set; n !== EPSILON; n = this.down[n]!) out.push(this.value[n]!);
    return out;
  }

  contains(set: number, vector: ArrayLike<number>): boolean {
    let n = set;
    for (let i = 0; i < vector.length; i++) {
      const v = vector[i]!;
      while (n !== 0 && this.value[n]! < v) n = this.right[n]!;
      if (n === 0 || this.value[n] !== v) return false;
      n = this.down[n]!;
    }
    return n === EPSILON;
  }

  union(a: number, b: number): number {
    if (a === b || b === EMPTY) return a;
    if (a === EMPTY) return b;
    if (a > b) {
      const t = a;
      a = b;
      b = t;
    }
    const known = this.cached(a, b, UNION);
    if (known >= 0) return known;
    const base = this.#top;
    let p = a;
    let q = b;
    while (p !== 0 && q !== 0 && p !== q) {
      const vp = this.value[p]!;
      const vq = this.value[q]!;
      if (vp < vq) {
        this.#push(vp, this.down[p]!);
        p = this.right[p]!;
      } else if (vp > vq) {
        this.#push(vq, this.down[q]!);
        q = this.right[q]!;
      } else {
        this.#push(vp, this.union(this.down[p]!, this.down[q]!));
        p = this.right[p]!;
        q = this.right[q]!;
      }
    }
    const result = this.#pop(base, p !== 0 ? p : q);
    this.cache(a, b, UNION, result);
    return result;
  }

  minus(a: number, b: number): number {
    if (a === b || a === EMPTY) return EMPTY;
    if (b === EMPTY) return a;
    const known = this.cached(a, b, MINUS);
    if (known >= 0) return known;
    const base = this.#top;
    let p = a;
    let q = b;
    while (p !== 0 && q !== 0 && p !== q) {
      const vp = this.value[p]!;
      const vq = this.value[q]!;
      if (vp < vq) {
        this.#push(vp, this.down[p]!);
        p = this.right[p]!;
      } else if (vp > vq) q = this.right[q]!;
      else {
        this.#push(vp, this.minus(this.down[p]!, this.down[q]!));
        p = this.right[p]!;
        q = this.right[q]!;
      }
    }
    const result = this.#pop(base, p === q ? EMPTY : p);
    this.cache(a, b, MINUS, result);
    return result;
  }

  intersect(a: number, b: number): number {
    if (a === b) return a;
    if (a === EMPTY || b === EMPTY) return EMPTY;
    if (a > b) {
      const t = a;
      a = b;
      b = t;
    }
    const known = this.cached(a, b, INTERSECT);
    if (known >= 0) return known;
    const base = this.#top;
    let p = a;
    let q = b;
    while (p !== 0 && q !== 0 && p !== q) {
      const vp = this.value[p]!;
      const vq = this.value[q]!;
      if (vp < vq) p = this.right[p]!;
      else if (vp > vq) q = this.right[q]!;
      else {
        this.#push(vp, this.intersect(this.down[p]!, this.down[q]!));
        p = this.right[p]!;
        q = this.right[q]!;
      }
    }
    const result = this.#pop(base, p === q ? p : EMPTY);
    this.cache(a, b, INTERSECT, result);
    return result;
  }

  /** How many vectors the set has: exact. */
  count(set: number, memo: Map<number, bigint> = new Map()): bigint {
    if (set === EMPTY) return 0n;
    if (set === EPSILON) return 1n;
    const known = memo.get(set);
    if (known !== undefined) return known;
    let total = 0n;
    for (let n = set; n !== 0; n = this.right[n]!) total += this.count(this.down[n]!, memo);
    memo.set(set, total);
    return total;
  }

  /** How many nodes the set is made of. */
  size(set: number): number {
    const seen = new Set<number>();
    const visit = (list: number): void => {
      for (let n = list; n > EPSILON && !seen.has(n); n = this.right[n]!) {
        seen.add(n);
        visit(this.down[n]!);
      }
    };
    visit(set);
    return seen.size;
  }

  /** The values that each level has in the set. */
  valuesPerLevel(set: number, levels: number): number[][] {
    const values = Array.from({ length: levels }, () => new Set<number>());
    const seen = new Set<number>();
    const visit = (list: number, level: number): void => {
      for (let n = list; n > EPSILON && !seen.has(n); n = this.right[n]!) {
        seen.add(n);
        values[level]!.add(this.value[n]!);
        visit(this.down[n]!, level + 1);
      }
    };
    visit(set, 0);
    return values.map((found) => [...found]);
  }

  /** How many nodes the set is made of, per level, first level first. */
  nodesPerLevel(sets: readonly number[], levels: number): number[] {
    const counts = new Array<number>(levels).fill(0);
    const seen = new Uint8Array(this.#fresh);
    const visit = (list: number, level: number): void => {
      for (let n = list; n > EPSILON && seen[n] === 0; n = this.right[n]!) {
        seen[n] = 1;
        counts[level]!++;
        visit(this.down[n]!, level + 1);
      }
    };
    for (const set of sets) visit(set, 0);
    return counts;
  }

  /** All nodes of the table per level, garbage included: where an exhausted store put its nodes. */
  allNodesPerLevel(levels: number): number[] {
    const counts = new Array<number>(levels).fill(0);
    const height = new Int16Array(this.#fresh);
    for (let slot = 0; slot < this.#head.length; slot++) {
      for (let start = this.#head[slot]!; start !== 0; start = this.#chain[start]!) {
        let known = start;
        let steps = 0;
        while (known > EPSILON && height[known] === 0) {
          known = this.down[known]!;
          steps++;
        }
        let h = (known > EPSILON ? height[known]! : 0) + steps;
        for (let n = start; n > EPSILON && height[n] === 0; n = this.down[n]!) height[n] = h--;
        const level = levels - height[start]!;
        if (level >= 0 && level < levels) counts[level]!++;
      }
    }
    return counts;
  }

  /** A cached result of an operation, or -1. `a` is a node other than 0, `b` a node; `c` is a code with a tag above it. */
  cached(a: number, b: number, c: number): number {
    const cache = this.#cache;
    const at = this.#place(a, b, c);
    return cache[at] === a && cache[at + 1] === b && cache[at + 2] === c ? cache[at + 3]! : -1;
  }

  /** Remembers a result, which is a node. */
  cache(a: number, b: number, c: number, result: number): void {
    const cache = this.#cache;
    const at = this.#place(a, b, c);
    cache[at] = a;
    cache[at + 1] = b;
    cache[at + 2] = c;
    cache[at + 3] = result;
  }

  /** How many nodes have ever been made. */
  get made(): number {
    return this.live + this.#freed;
  }

  /** True when a collection is due: the caller should reach a point where every set it needs is marked, and collect. */
  get full(): boolean {
    return this.live >= this.#collectAt;
  }

  /** Frees what hangs off neither the roots nor the frames; grows the table if that was not enough. */
  collect(): void {
    this.checkTime();
    this.collections++;
    const marked = new Uint8Array(this.#fresh);
    marked[0] = 1;
    marked[1] = 1;
    const mark = (list: number): void => {
      for (let n = list; marked[n] === 0; n = this.right[n]!) {
        marked[n] = 1;
        mark(this.down[n]!);
      }
    };
    for (const root of this.#roots) mark(root.node);
    this.frames(mark);
    this.#head.fill(0);
    this.#free = 0;
    let live = 2;
    for (let n = this.#fresh - 1; n > EPSILON; n--) {
      if (marked[n] === 0) {
        this.right[n] = this.#free;
        this.#free = n;
        continue;
      }
      live++;
      const slot = this.#slot(this.value[n]!, this.down[n]!, this.right[n]!);
      this.#chain[n] = this.#head[slot]!;
      this.#head[slot] = n;
    }
    this.#freed += this.live - live;
    this.live = live;
    const cache = this.#cache;
    for (let at = 0; at < cache.length; at += 4) {
      if (marked[cache[at]!] === 0 || marked[cache[at + 1]!] === 0 || marked[cache[at + 3]!] === 0) cache[at] = 0;
    }
    if (this.#capacity < this.#limit) {
      if (live > this.#capacity >> 2 || --this.#patience <= 0) this.#grow();
      return;
    }
    // With most of the last table in use, collecting again and again would be all that happens.
    if (live > this.#capacity * 0.9) throw new BudgetExhausted("memory");
    this.#collectAt = live + ((this.#capacity - live) >> 1);
  }

  #schedule(): void {
    const early = this.#capacity < Math.min(WITHOUT_COLLECTION, this.#limit);
    this.#collectAt = early ? Number.POSITIVE_INFINITY : Math.floor(this.#capacity * 0.75);
    this.#patience = PATIENCE;
  }

  /** Makes the store usable again after an operation was broken off; the frames must have been emptied. */
  recover(): void {
    this.#top = 0;
  }

  #grow(): void {
    const n = Math.min(this.#capacity * 2, this.#limit);
    if (n <= this.#capacity) throw new BudgetExhausted("memory");
    try {
      this.value = widened(this.value, n);
      this.down = widened(this.down, n);
      this.right = widened(this.right, n);
      const chain = new Int32Array(n);
      // Both are addressed by a mask, so they keep a power of two.
      const slots = 2 ** Math.floor(Math.log2(n));
      this.#head = new Int32Array(slots);
      const old = this.#cache;
      this.#cache = new Int32Array(slots * 4 * CACHE_ENTRIES_PER_NODE);
      this.#chain = chain;
      for (let at = 0; at < old.length; at += 4) {
        if (old[at] !== 0) this.cache(old[at]!, old[at + 1]!, old[at + 2]!, old[at + 3]!);
      }
    } catch (e) {
      if (e instanceof RangeError) throw new BudgetExhausted("memory");
      throw e;
    }
    const dead = new Uint8Array(this.#fresh);
    for (let f = this.#free; f !== 0; f = this.right[f]!) dead[f] = 1;
    for (let id = 2; id < this.#fresh; id++) {
      if (dead[id] === 1) continue;
      const slot = this.#slot(this.value[id]!, this.down[id]!, this.right[id]!);
      this.#chain[id] = this.#head[slot]!;
      this.#head[slot] = id;
    }
    this.#capacity = n;
    this.#schedule();
  }

  #slot(value: number, down: number, right: number): number {
    let h = imul(value, 0x2c1b3c6d) ^ imul(down, 0x297a2d39) ^ imul(right, 0x5bd1e995);
    h ^= h >>> 15;
    h = imul(h, 0x2c1b3c6d);
    return (h ^ (h >>> 13)) & (this.#head.length - 1);
  }

  #place(a: number, b: number, c: number): number {
    let h = imul(a, 0x2c1b3c6d) ^ imul(b, 0x297a2d39) ^ imul(c, 0x5bd1e995);
    h ^= h >>> 15;
    h = imul(h, 0x297a2d39);
    return ((h ^ (h >>> 13)) & ((this.#cache.length >> 2) - 1)) << 2;
  }

  #push(value: number, node: number): void {
    if (node === EMPTY) return;
    if (this.#top === this.#stackNode.length) {
      this.#stackValue = widened(this.#stackValue, this.#top * 2);
      this.#stackNode = widened(this.#stackNode, this.#top * 2);
    }
    this.#stackValue[this.#top] = value;
    this.#stackNode[this.#top++] = node;
  }

  #pop(base: number, tail: number): number {
    let list = tail;
    for (let i = this.#top - 1; i >= base; i--) list = this.node(this.#stackValue[i]!, this.#stackNode[i]!, list);
    this.#top = base;
    return list;
  }
}

function widened(array: Int32Array, length: number): Int32Array<ArrayBuffer> {
  const wide = new Int32Array(length);
  wide.set(array);
  return wide;
}
