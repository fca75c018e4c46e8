/**
 * Transition relations as decision diagrams that unfold on demand.
 *
 * A relation node stands for a set of edges of which the levels above have been fixed: what is left of each guard and of
 * each assignment. Its level is the first that any of this depends on or writes; levels between are left as they are.
 * For a value `v` of that level, `next` yields what the level may become (`w`) and the relation that goes on below.
 * Where the new value depends on deeper levels, each possible `w` is tried, with "the value is w" as one more condition.
 *
 * Nodes are hash-consed, so edges that differ only above share what is below, and only values that occur in some
 * reachable state are ever unfolded. A result is complete the moment it is made; caches of operations stay valid.
 */
import { conjoin } from "./edge.ts";
import { DomainTooLarge, type TermId, type Terms } from "./term.ts";

export type RelationId = number;

interface Alternative {
  readonly guard: readonly TermId[];
  readonly writes: readonly (readonly [number, TermId])[];
  /** The first level it depends on or writes; the number of levels if nothing is left. */
  readonly top: number;
  /** Per value of that level: what the level becomes, alternative left, what the level becomes … */
  readonly fixed: Map<number, readonly number[]>;
}

interface Node {
  readonly level: number;
  readonly alternatives: readonly number[];
  /** How many edges have become the same alternative: transitions are counted with it. */
  readonly edges: readonly number[];
  /** Positions in `alternatives` of those that want one of a few values of the level, by value. */
  byValue?: Map<number, number[]>;
  /** Positions of all others. */
  others?: number[];
  /** Per value of the level: w, relation, w, relation … */
  readonly next: Map<number, Int32Array>;
}

const NONE = new Int32Array(0);

export class Relations {
  readonly terms: Terms;
  readonly levels: number;
  /** Per relation, its level; `levels` where nothing is left to do. */
  readonly level: number[] = [];
  readonly #alternatives: Alternative[] = [];
  readonly #alternativeIds = new Map<string, number>();
  readonly #nodes: Node[] = [];
  readonly #nodeIds = new Map<string, RelationId>();

  readonly #checkTime: () => void;

  /** @param checkTime Called now and then; throws when time is up. */
  constructor(terms: Terms, checkTime: () => void) {
    this.#checkTime = checkTime;
    this.terms = terms;
    this.levels = terms.lo.length;
  }

  get size(): number {
    return this.#nodes.length;
  }

  /** One relation for each level at which some of these edges start. */
  of(
    edges: readonly {
      readonly guard: readonly TermId[];
      readonly writes: readonly (readonly [number, TermId])[];
    }[],
  ): RelationId[] {
    const groups = new Map<number, Map<number, number>>();
    for (const edge of edges) {
      const id = this.#alternative(edge.guard, edge.writes);
      const top = this.#alternatives[id]!.top;
      let group = groups.get(top);
      if (group === undefined) {
        group = new Map();
        groups.set(top, group);
      }
      group.set(id, (group.get(id) ?? 0) + 1);
    }
    return [...groups].sort((x, y) => x[0] - y[0]).map(([top, group]) => this.#node(top, group));
  }

  /** How many edges end in this relation, of which nothing is left. */
  multiplicity(relation: RelationId): number {
    return this.#nodes[relation]!.edges[0]!;
  }

  /** For value `v` of the relation's level: new value, relation below, new value, … */
  next(relation: RelationId, v: number): Int32Array {
    const node = this.#nodes[relation]!;
    return node.next.get(v) ?? this.#unfold(node, v);
  }

  #unfold(node: Node, v: number): Int32Array {
    this.#checkTime();
    if (node.byValue === undefined) this.#index(node);
    const found = new Map<number, Map<number, Map<number, number>>>();
    const visit = (position: number) => {
      const edges = node.edges[position]!;
      const fixed = this.#fixed(this.#alternatives[node.alternatives[position]!]!, v);
      for (let i = 0; i < fixed.length; i += 2) {
        const w = fixed[i]!;
        const id = fixed[i + 1]!;
        const top = this.#alternatives[id]!.top;
        let byTop = found.get(w);
        if (byTop === undefined) {
          byTop = new Map();
          found.set(w, byTop);
        }
        let group = byTop.get(top);
        if (group === undefined) {
          group = new Map();
          byTop.set(top, group);
        }
        group.set(id, (group.get(id) ?? 0) + edges);
      }
    };
    for (const position of node.byValue!.get(v) ?? []) visit(position);
    for (const position of node.others!) visit(position);
    const flat: number[] = [];
    for (const w of [...found.keys()].sort((a, b) => a - b)) {
      const byTop = found.get(w)!;
      for (const top of [...byTop.keys()].sort((a, b) => b - a)) flat.push(w, this.#node(top, byTop.get(top)!));
    }
    const result = flat.length === 0 ? NONE : Int32Array.from(flat);
    node.next.set(v, result);
    return result;
  }

  #index(node: Node): void {
    const byValue = new Map<number, number[]>();
    const others: number[] = [];
    node.alternatives.forEach((id, position) => {
      for (const t of this.#alternatives[id]!.guard) {
        const s = this.terms.shape(t);
        if (s.k !== "in" || s.level !== node.level) continue;
        for (const v of s.set) {
          const list = byValue.get(v);
          if (list === undefined) byValue.set(v, [position]);
          else list.push(position);
        }
        return;
      }
      others.push(position);
    });
    node.byValue = byValue;
    node.others = others;
  }

  #fixed(alternative: Alternative, v: number): readonly number[] {
    let fixed = alternative.fixed.get(v);
    if (fixed === undefined) {
      const list: number[] = [];
      this.#fix(alternative, alternative.top, v, (w, id) => list.push(w, id));
      alternative.fixed.set(v, list);
      fixed = list;
    }
    return fixed;
  }

  /** What is left of `alternative` where `level` holds `v`, for each value that the level may then take. */
  #fix(alternative: Alternative, level: number, v: number, found: (w: number, id: number) => void): void {
    const { terms } = this;
    let guard: readonly TermId[] = [];
    for (const t of alternative.guard) {
      const rest = conjoin(terms, guard, terms.fix(t, level, v));
      if (rest === undefined) return;
      guard = rest;
    }
    let written: TermId | undefined;
    const writes: [number, TermId][] = [];
    for (const [target, t] of alternative.writes) {
      const value = terms.fix(t, level, v);
      if (target === level) written = value;
      else writes.push([target, value]);
    }
    if (written === undefined) {
      found(v, this.#alternative(guard, writes));
      return;
    }
    const known = terms.constantValue(written);
    if (known !== undefined) {
      found(known, this.#alternative(guard, writes));
      return;
    }
    for (const w of this.#possibleValues(written, level)) {
      const rest = conjoin(terms, guard, terms.binary("==", written, terms.constant(w)));
      if (rest !== undefined) found(w, this.#alternative(rest, writes));
    }
  }

  #possibleValues(written: TermId, level: number): number[] {
    try {
      return this.terms.possibleValues(written, this.terms.lo[level]!, this.terms.hi[level]!);
    } catch (e) {
      if (e instanceof DomainTooLarge) e.level = level;
      throw e;
    }
  }

  #alternative(guard: readonly TermId[], writes: readonly (readonly [number, TermId])[]): number {
    const sorted = [...guard].sort((a, b) => a - b);
    // What stays as it is is not written: the level may then be skipped.
    const real = writes.filter(([level, t]) => t !== this.terms.level(level));
    const key = `${sorted.join()}|${real.join()}`;
    const known = this.#alternativeIds.get(key);
    if (known !== undefined) return known;
    let top = this.levels;
    for (const t of sorted) top = Math.min(top, this.terms.top(t));
    for (const [level, t] of real) top = Math.min(top, level, this.terms.top(t));
    const id = this.#alternatives.length;
    this.#alternatives.push({ guard: sorted, writes: real, top, fixed: new Map() });
    this.#alternativeIds.set(key, id);
    return id;
  }

  #node(level: number, group: ReadonlyMap<number, number>): RelationId {
    const alternatives = [...group.keys()].sort((a, b) => a - b);
    const edges = alternatives.map((id) => group.get(id)!);
    const key = `${alternatives.join()}|${edges.join()}`;
    const known = this.#nodeIds.get(key);
    if (known !== undefined) return known;
    const id = this.#nodes.length;
    this.#nodes.push({ level, alternatives, edges, next: new Map() });
    this.level.push(level);
    this.#nodeIds.set(key, id);
    return id;
  }
}
