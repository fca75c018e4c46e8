/**
 * Images, preimages and preconditions of relations on sets, and the states of a set that meet a condition. All are exact
 * and cached; none collects garbage.
 */
import { EMPTY, type ListDecisionDiagrams, OPERATION_BITS } from "./list-decision-diagram.ts";
import type { RelationId, Relations } from "./relation.ts";
import type { TermId, Terms } from "./term.ts";

const FILTER = 3;
const IMAGE = 4;
const PREIMAGE = 5;
const ENABLED = 6;

export class RelationalProduct {
  readonly store: ListDecisionDiagrams;
  readonly relations: Relations;

  constructor(store: ListDecisionDiagrams, relations: Relations) {
    this.store = store;
    this.relations = relations;
  }

  /** The states reached from `set` by one edge of one of these relations. */
  image(set: number, relations: readonly RelationId[]): number {
    let all = EMPTY;
    for (const r of relations) all = this.store.union(all, this.#image(set, r, 0));
    return all;
  }

  /** The states of `within` from which one edge leads into `target`. */
  preimage(within: number, target: number, relations: readonly RelationId[]): number {
    let all = EMPTY;
    for (const r of relations) all = this.store.union(all, this.#preimage(within, target, r, 0));
    return all;
  }

  /** The states of `set` in which some edge is enabled. */
  enabled(set: number, relations: readonly RelationId[]): number {
    let all = EMPTY;
    for (const r of relations) all = this.store.union(all, this.#enabled(set, r, 0));
    return all;
  }

  /** The states of `set` in which a condition holds. */
  filter(set: number, terms: Terms, condition: TermId): number {
    return this.#filter(set, terms, terms.truth(condition), 0);
  }

  #filter(set: number, terms: Terms, condition: TermId, level: number): number {
    const { store } = this;
    const value = terms.constantValue(condition);
    if (value !== undefined) return value === 0 ? EMPTY : set;
    if (set === EMPTY) return EMPTY;
    const code = (condition << OPERATION_BITS) | FILTER;
    const known = store.cached(set, 0, code);
    if (known >= 0) return known;
    const at = terms.top(condition);
    const found: number[] = [];
    for (let n = set; n !== 0; n = store.right[n]!) {
      const v = store.value[n]!;
      const rest = at > level ? condition : terms.fix(condition, level, v);
      const below = this.#filter(store.down[n]!, terms, rest, level + 1);
      if (below !== EMPTY) found.push(v, below);
    }
    let result = EMPTY;
    for (let i = found.length - 2; i >= 0; i -= 2) result = store.node(found[i]!, found[i + 1]!, result);
    store.cache(set, 0, code, result);
    return result;
  }

  /** How many pairs (state of `set`, edge enabled there) there are. */
  countEdges(set: number, relations: readonly RelationId[], sizes: Map<number, bigint>): bigint {
    let total = 0n;
    for (const r of relations) total += this.#count(set, r, 0, sizes, new Map());
    return total;
  }

  #image(set: number, r: RelationId, level: number): number {
    const { store, relations } = this;
    if (set === EMPTY) return EMPTY;
    const at = relations.level[r]!;
    if (at === relations.levels) return set;
    const code = (r << OPERATION_BITS) | IMAGE;
    const known = store.cached(set, 0, code);
    if (known >= 0) return known;
    let result = EMPTY;
    if (at > level) {
      const mapped: number[] = [];
      for (let n = set; n !== 0; n = store.right[n]!) {
        mapped.push(store.value[n]!, this.#image(store.down[n]!, r, level + 1));
      }
      for (let i = mapped.length - 2; i >= 0; i -= 2) result = store.node(mapped[i]!, mapped[i + 1]!, result);
    } else {
      for (let n = set; n !== 0; n = store.right[n]!) {
        const next = relations.next(r, store.value[n]!);
        for (let i = 0; i < next.length; i += 2) {
          const below = this.#image(store.down[n]!, next[i + 1]!, level + 1);
          if (below !== EMPTY) result = store.union(result, store.node(next[i]!, below, EMPTY));
        }
      }
    }
    store.cache(set, 0, code, result);
    return result;
  }

  #preimage(within: number, target: number, r: RelationId, level: number): number {
    const { store, relations } = this;
    if (within === EMPTY || target === EMPTY) return EMPTY;
    const at = relations.level[r]!;
    if (at === relations.levels) return store.intersect(within, target);
    const code = (r << OPERATION_BITS) | PREIMAGE;
    const known = store.cached(within, target, code);
    if (known >= 0) return known;
    const found: number[] = [];
    let p = target;
    for (let n = within; n !== 0; n = store.right[n]!) {
      const v = store.value[n]!;
      let below = EMPTY;
      if (at > level) {
        while (p !== 0 && store.value[p]! < v) p = store.right[p]!;
        if (p === 0) break;
        if (store.value[p] === v) below = this.#preimage(store.down[n]!, store.down[p]!, r, level + 1);
      } else {
        const next = relations.next(r, v);
        // New values ascend, so one walk along the target's list finds them all.
        let q = target;
        for (let i = 0; i < next.length && q !== 0; i += 2) {
          while (q !== 0 && store.value[q]! < next[i]!) q = store.right[q]!;
          if (q !== 0 && store.value[q] === next[i]) {
            below = store.union(below, this.#preimage(store.down[n]!, store.down[q]!, next[i + 1]!, level + 1));
          }
        }
      }
      if (below !== EMPTY) found.push(v, below);
    }
    let result = EMPTY;
    for (let i = found.length - 2; i >= 0; i -= 2) result = store.node(found[i]!, found[i + 1]!, result);
    store.cache(within, target, code, result);
    return result;
  }

  #enabled(set: number, r: RelationId, level: number): number {
    const { store, relations } = this;
    if (set === EMPTY) return EMPTY;
    const at = relations.level[r]!;
    if (at === relations.levels) return set;
    const code = (r << OPERATION_BITS) | ENABLED;
    const known = store.cached(set, 0, code);
    if (known >= 0) return known;
    const found: number[] = [];
    for (let n = set; n !== 0; n = store.right[n]!) {
      const down = store.down[n]!;
      let below = EMPTY;
      if (at > level) below = this.#enabled(down, r, level + 1);
      else {
        const next = relations.next(r, store.value[n]!);
        for (let i = 1; i < next.length && below !== down; i += 2) {
          below = store.union(below, this.#enabled(down, next[i]!, level + 1));
        }
      }
      if (below !== EMPTY) found.push(store.value[n]!, below);
    }
    let result = EMPTY;
    for (let i = found.length - 2; i >= 0; i -= 2) result = store.node(found[i]!, found[i + 1]!, result);
    store.cache(set, 0, code, result);
    return result;
  }

  #count(
    set: number,
    r: RelationId,
    level: number,
    sizes: Map<number, bigint>,
    memo: Map<RelationId, Map<number, bigint>>,
  ): bigint {
    const { store, relations } = this;
    const at = relations.level[r]!;
    if (at === relations.levels) return BigInt(relations.multiplicity(r)) * store.count(set, sizes);
    let counts = memo.get(r);
    if (counts === undefined) {
      counts = new Map();
      memo.set(r, counts);
    }
    const known = counts.get(set);
    if (known !== undefined) return known;
    let total = 0n;
    for (let n = set; n !== 0; n = store.right[n]!) {
      const down = store.down[n]!;
      if (at > level) total += this.#count(down, r, level + 1, sizes, memo);
      else {
        const next = relations.next(r, store.value[n]!);
        for (let i = 1; i < next.length; i += 2) total += this.#count(down, next[i]!, level + 1, sizes, memo);
      }
    }
    counts.set(set, total);
    return total;
  }
}
