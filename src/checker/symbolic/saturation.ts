/**
 * Saturation (Ciardo, Luettgen and Siminiceanu 2001): reachability that brings each node to its fixed point under all
 * edges that start at its level or below before anything above is looked at. The edges are learned as it goes: before a
 * level fires, whatever can begin at it has been looked at in the states at hand. So a set that is closed stays closed,
 * and what is cached about it stays right, when more edges become known.
 *
 * `forward` closes a set under a relation. `backward` closes it under the inverse inside a constraint (Zhao and Ciardo
 * 2009): the states of the constraint from which the set can be reached by edges between states of the constraint. It
 * knows three relations, since questions are about all edges, about live ones, or about those that may lie on a cycle.
 *
 * Each level has one frame, since a recursion goes down one level a call; what the frames hold is what a garbage
 * collection in the midst of it must keep.
 */
import type { LearnedEdges } from "./learned-edges.ts";
import { EMPTY, type ListDecisionDiagrams, OPERATION_BITS } from "./list-decision-diagram.ts";
import type { RelationId, Relations } from "./relation.ts";

const SATURATE = 8;
const FIRE = 9;

/** A relation that `backward` may be asked about. */
export interface Inverse {
  /** Per level, the relation that starts there; -1 for none. */
  readonly byLevel: Int32Array;
  /** Codes of the operations cached, different for each. */
  readonly saturate: number;
  readonly fire: number;
}
const CODES = [
  { saturate: 10, fire: 11 },
  { saturate: 12, fire: 13 },
  { saturate: 14, fire: 15 },
] as const;

/** Who is asked in the midst of a long search whether it is to go on. */
export interface Watch {
  /** How many nodes must have been made; `ask` sets it anew. */
  at: number;
  /** Throws to end the search. @param set Some of the states reached. */
  ask(set: number): void;
}

/** A node under construction: its values in ascending order with what is below them. */
class Frame {
  /** The arguments of the call that uses the frame; kept because the result is cached under them. */
  node = EMPTY;
  other = EMPTY;
  size = 0;
  /** The value below which the recursion is. */
  at = 0;
  values = new Int32Array(8);
  below = new Int32Array(8);
  /** Backward only: the constraint below the value. */
  within = new Int32Array(8);
  dirty = new Uint8Array(8);

  /** Where `v` is, or `-1 - p` where it belongs. */
  find(v: number): number {
    let lo = 0;
    let hi = this.size - 1;
    while (lo <= hi) {
      const mid = (lo + hi) >> 1;
      const x = this.values[mid]!;
      if (x === v) return mid;
      if (x < v) lo = mid + 1;
      else hi = mid - 1;
    }
    return -1 - lo;
  }

  insert(at: number, v: number, below: number, within: number): void {
    if (this.size === this.values.length) {
      const n = this.size * 2;
      const widen = (a: Int32Array) => {
        const wide = new Int32Array(n);
        wide.set(a);
        return wide;
      };
      this.values = widen(this.values);
      this.below = widen(this.below);
      this.within = widen(this.within);
      const dirty = new Uint8Array(n);
      dirty.set(this.dirty);
      this.dirty = dirty;
    }
    if (at < this.size) {
      this.values.copyWithin(at + 1, at, this.size);
      this.below.copyWithin(at + 1, at, this.size);
      this.within.copyWithin(at + 1, at, this.size);
      this.dirty.copyWithin(at + 1, at, this.size);
    }
    this.values[at] = v;
    this.below[at] = below;
    this.within[at] = within;
    this.dirty[at] = 1;
    this.size++;
  }

  clear(): void {
    this.node = EMPTY;
    this.other = EMPTY;
    this.size = 0;
  }
}

export class Saturation {
  readonly #store: ListDecisionDiagrams;
  readonly #relations: Relations;
  readonly #levels: number;
  readonly #learned: LearnedEdges;
  /** The inverse that `backward` has been asked about. */
  #inverse: Inverse | undefined;
  readonly #frames: Frame[];
  #inverses = 0;
  #watch: Watch | undefined;

  constructor(store: ListDecisionDiagrams, relations: Relations, learned: LearnedEdges) {
    this.#store = store;
    this.#relations = relations;
    this.#levels = relations.levels;
    this.#learned = learned;
    this.#frames = Array.from({ length: relations.levels + 1 }, () => new Frame());
    store.frames = (mark) => {
      for (const f of this.#frames) {
        mark(f.node);
        mark(f.other);
        for (let i = 0; i < f.size; i++) {
          mark(f.below[i]!);
          mark(f.within[i]!);
        }
      }
    };
  }

  /**
   * A relation that `backward` can be asked about, one of three at most.
   *
   * @param relations At most one for each level.
   */
  inverse(relations: readonly RelationId[]): Inverse {
    const codes = CODES[this.#inverses++];
    if (codes === undefined) throw new Error("there are no codes for one more inverse");
    const byLevel = new Int32Array(this.#levels + 1).fill(-1);
    for (const r of relations) byLevel[this.#relations.level[r]!] = r;
    return { byLevel, ...codes };
  }

  /** Forgets what was under way when an operation was broken off. */
  recover(): void {
    for (const frame of this.#frames) frame.clear();
  }

  /** All states reachable from `set`; the edges are learned on the way. */
  forward(set: number, watch?: Watch): number {
    this.#watch = watch;
    return this.#saturate(set, 0);
  }

  /** What has been reached in the midst of `forward`: on each level the node under construction, below what is above it. */
  #reached(): number {
    const store = this.#store;
    let set = EMPTY;
    for (let level = this.#levels - 1; level >= 0; level--) {
      const frame = this.#frames[level]!;
      set = store.union(this.#build(frame), store.node(frame.at, set, EMPTY));
    }
    return set;
  }

  /**
   * The states of `within` from which `set` (a subset) is reachable inside `within` by edges that begin at level `from` or
   * below. `within` must be held.
   */
  backward(set: number, within: number, inverse: Inverse, from = 0): number {
    this.#inverse = inverse;
    return this.#backwardFrom(set, within, 0, from);
  }

  /** Closes what is at level `from`. */
  #backwardFrom(set: number, within: number, level: number, from: number): number {
    if (level === from) return this.#saturateBack(set, within, level);
    const store = this.#store;
    if (set === EMPTY) return EMPTY;
    const code = (from << OPERATION_BITS) | this.#inverse!.saturate;
    const known = store.cached(set, within, code);
    if (known >= 0) return known;
    const frame = this.#frames[level]!;
    frame.node = set;
    frame.other = within;
    for (let n = set; n !== 0; n = store.right[n]!) {
      const v = store.value[n]!;
      frame.insert(frame.size, v, store.down[n]!, this.#continuation(within, v));
    }
    for (let i = 0; i < frame.size; i++) {
      frame.below[i] = this.#backwardFrom(frame.below[i]!, frame.within[i]!, level + 1, from);
    }
    const result = this.#build(frame);
    store.cache(set, within, code, result);
    frame.clear();
    return result;
  }

  #saturate(set: number, level: number): number {
    const store = this.#store;
    if (level === this.#levels) return set;
    const known = store.cached(set, 0, SATURATE);
    if (known >= 0) return known;
    const frame = this.#frames[level]!;
    frame.node = set;
    for (let n = set; n !== 0; n = store.right[n]!) frame.insert(frame.size, store.value[n]!, store.down[n]!, 0);
    for (let i = 0; i < frame.size; i++) {
      frame.at = frame.values[i]!;
      frame.below[i] = this.#saturate(frame.below[i]!, level + 1);
    }
    this.#fire(frame, level);
    const result = this.#build(frame);
    store.cache(set, 0, SATURATE, result);
    store.cache(result, 0, SATURATE, result);
    frame.clear();
    return result;
  }

  /** Closes the frame, whose parts below are closed, under the relation of its level. */
  #fire(frame: Frame, level: number): void {
    const learned = this.#learned;
    if (!learned.beginAt(level)) return;
    const store = this.#store;
    for (let again = true; again; ) {
      again = false;
      for (let i = 0; i < frame.size; i++) {
        if (frame.dirty[i] === 0) continue;
        frame.dirty[i] = 0;
        again = true;
        const v = frame.values[i]!;
        if (store.full) store.collect();
        if (this.#watch !== undefined && store.made >= this.#watch.at) this.#watch.ask(this.#reached());
        const fresh = store.minus(frame.below[i]!, frame.within[i]!);
        frame.within[i] = frame.below[i]!;
        frame.other = fresh;
        learned.learn(level, v, fresh);
        const next = learned.next(level, v);
        let at = i;
        for (let e = 0; e < next.length; e += 2) {
          if (store.full) store.collect();
          const w = next[e]!;
          frame.at = w;
          const reached = this.#fireInto(fresh, next[e + 1]!, level + 1);
          if (reached === EMPTY) continue;
          const to = frame.find(w);
          if (to < 0) {
            frame.insert(-1 - to, w, reached, 0);
            if (-1 - to <= at) at++;
          } else {
            const all = store.union(frame.below[to]!, reached);
            if (all !== frame.below[to]) {
              frame.below[to] = all;
              frame.dirty[to] = 1;
            }
          }
        }
        i = at;
      }
    }
  }

  /** What `set` reaches by one edge of `r`, closed. */
  #fireInto(set: number, r: RelationId, level: number): number {
    const store = this.#store;
    const relations = this.#relations;
    if (set === EMPTY) return EMPTY;
    const at = relations.level[r]!;
    if (at === this.#levels) return this.#saturate(set, level);
    const code = (r << OPERATION_BITS) | FIRE;
    const known = store.cached(set, 0, code);
    if (known >= 0) return known;
    const frame = this.#frames[level]!;
    frame.node = set;
    for (let n = set; n !== 0; n = store.right[n]!) {
      if (at > level) {
        frame.at = store.value[n]!;
        const reached = this.#fireInto(store.down[n]!, r, level + 1);
        if (reached !== EMPTY) frame.insert(frame.size, store.value[n]!, reached, 0);
        continue;
      }
      const next = relations.next(r, store.value[n]!);
      for (let e = 0; e < next.length; e += 2) {
        frame.at = next[e]!;
        const reached = this.#fireInto(store.down[n]!, next[e + 1]!, level + 1);
        if (reached === EMPTY) continue;
        const to = frame.find(next[e]!);
        if (to < 0) frame.insert(-1 - to, next[e]!, reached, 0);
        else frame.below[to] = store.union(frame.below[to]!, reached);
      }
    }
    this.#fire(frame, level);
    const result = this.#build(frame);
    store.cache(set, 0, code, result);
    frame.clear();
    return result;
  }

  #build(frame: Frame): number {
    let list = EMPTY;
    for (let i = frame.size - 1; i >= 0; i--) list = this.#store.node(frame.values[i]!, frame.below[i]!, list);
    return list;
  }

  #saturateBack(set: number, within: number, level: number): number {
    const store = this.#store;
    if (set === EMPTY || set === within || level === this.#levels) return set;
    const inverse = this.#inverse!;
    const known = store.cached(set, within, inverse.saturate);
    if (known >= 0) return known;
    const frame = this.#frames[level]!;
    frame.node = set;
    frame.other = within;
    let p = set;
    for (let n = within; n !== 0; n = store.right[n]!) {
      const v = store.value[n]!;
      let below = EMPTY;
      if (p !== 0 && store.value[p] === v) {
        below = store.down[p]!;
        p = store.right[p]!;
      }
      frame.insert(frame.size, v, below, store.down[n]!);
    }
    for (let i = 0; i < frame.size; i++) {
      frame.below[i] = this.#saturateBack(frame.below[i]!, frame.within[i]!, level + 1);
    }
    this.#fireBack(frame, level);
    const result = this.#build(frame);
    store.cache(set, within, inverse.saturate, result);
    frame.clear();
    return result;
  }

  #fireBack(frame: Frame, level: number): void {
    const r = this.#inverse!.byLevel[level]!;
    if (r < 0) return;
    const store = this.#store;
    const relations = this.#relations;
    // A value is looked at again when one that it leads to has grown.
    for (let again = true; again; ) {
      again = false;
      const grown = frame.dirty.slice(0, frame.size);
      frame.dirty.fill(0, 0, frame.size);
      for (let i = frame.size - 1; i >= 0; i--) {
        if (frame.below[i] === frame.within[i]) continue;
        const next = relations.next(r, frame.values[i]!);
        for (let e = 0; e < next.length; e += 2) {
          const to = frame.find(next[e]!);
          if (to < 0 || (grown[to] === 0 && frame.dirty[to] === 0) || frame.below[to] === EMPTY) continue;
          if (store.full) store.collect();
          const found = this.#fireBackFrom(frame.within[i]!, frame.below[to]!, next[e + 1]!, level + 1);
          if (found === EMPTY) continue;
          const all = store.union(frame.below[i]!, found);
          if (all !== frame.below[i]) {
            frame.below[i] = all;
            frame.dirty[i] = 1;
            again = true;
          }
        }
      }
    }
  }

  /** The states of `within` from which an edge of `r` leads into `target` (closed), closed. */
  #fireBackFrom(within: number, target: number, r: RelationId, level: number): number {
    const store = this.#store;
    const relations = this.#relations;
    if (within === EMPTY || target === EMPTY) return EMPTY;
    const at = relations.level[r]!;
    // `target` was closed inside another constraint than this one.
    if (at === this.#levels) return this.#saturateBack(store.intersect(within, target), within, level);
    const code = (r << OPERATION_BITS) | this.#inverse!.fire;
    const known = store.cached(target, within, code);
    if (known >= 0) return known;
    const frame = this.#frames[level]!;
    frame.node = target;
    frame.other = within;
    for (let n = within; n !== 0; n = store.right[n]!) frame.insert(frame.size, store.value[n]!, 0, store.down[n]!);
    let any = false;
    for (let i = 0; i < frame.size; i++) {
      const v = frame.values[i]!;
      if (at > level) {
        const below = this.#continuation(target, v);
        frame.below[i] = this.#fireBackFrom(frame.within[i]!, below, r, level + 1);
      } else {
        const next = relations.next(r, v);
        for (let e = 0; e < next.length; e += 2) {
          const below = this.#continuation(target, next[e]!);
          const found = this.#fireBackFrom(frame.within[i]!, below, next[e + 1]!, level + 1);
          frame.below[i] = store.union(frame.below[i]!, found);
        }
      }
      if (frame.below[i] !== EMPTY) any = true;
    }
    if (any) this.#fireBack(frame, level);
    const result = this.#build(frame);
    store.cache(target, within, code, result);
    frame.clear();
    return result;
  }

  /** What follows value `v` in the list `set`. */
  #continuation(set: number, v: number): number {
    const store = this.#store;
    let n = set;
    while (n !== 0 && store.value[n]! < v) n = store.right[n]!;
    return n !== 0 && store.value[n] === v ? store.down[n]! : EMPTY;
  }
}
