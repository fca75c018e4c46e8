/**
 * The edges of a transition system, learned while the reachable states are found, as LTSmin learns its relations (Blom,
 * van de Pol and Weber 2010; Meijer, Kant, Blom and van de Pol 2014): where states turn up in which nobody has looked yet
 * what a thread can do, one of them is looked at, and what is seen there holds for all that look the same. So nothing is
 * made of code paths, pointers and values that no reachable state combines.
 *
 * An edge belongs to a *group*: the actions of one thread that mention the same first level. Saturation asks each group
 * about the states at that level before it fires, so a set that is closed has been looked at whole. Which elements an
 * action mentions depends on where the locals point that are indices, so an action may be of several groups, one for some
 * values of these locals and one for others: what a thread does with an object begins at the level of that object.
 */
import type { SysExpr } from "../../spec/transition-system.ts";
import { evaluateLocally } from "../evaluate.ts";
import { EMPTY, type ListDecisionDiagrams, OPERATION_BITS } from "./list-decision-diagram.ts";
import { type Conditions, type Leaf, ObservedState } from "./observed-state.ts";
import { END, GrowingRelation, type PathId, type RelationId, type Relations, type Write } from "./relation.ts";
import type { StateVector } from "./state-vector.ts";
import { pointersIn, type Support, supports, topOf } from "./support.ts";

const UNSEEN = 7;

export interface Edge {
  readonly thread: number;
  readonly location: number;
  readonly action: number;
  readonly optional: boolean;
  readonly idle: boolean;
  readonly marks: readonly number[];
  /** Findings met on the way; the error it ends in is the last. */
  readonly findings: readonly number[];
  readonly error: boolean;
  /** Where it is enabled. */
  readonly guard: PathId;
  /** The guard with the changes; the guard alone for an edge that ends in an error. */
  readonly path: PathId;
}

interface Group {
  readonly thread: number;
  /** The states that have been looked at. */
  readonly seen: GrowingRelation;
}

/** What can be done at a location. */
interface Doings {
  /** Locals that point to what some of it is about. */
  readonly pointers: readonly number[];
  /** By the values of the pointers, for each action the level at which its edges begin. */
  readonly tops: ReadonlyMap<string, readonly number[]>;
}

/** So many ways to point somewhere are told apart at a location. */
const MANY_WAYS = 64;

export class LearnedEdges {
  /** All that has been learned. An edge is enabled where its guard holds and, if idle, nobody urgent can move. */
  readonly edges: Edge[] = [];
  readonly #vector: StateVector;
  readonly #store: ListDecisionDiagrams;
  readonly #relations: Relations;
  readonly #observed: ObservedState;
  readonly #groups: readonly (readonly Group[])[];
  /** Per thread and location. */
  readonly #doings: readonly (readonly Doings[])[];
  /** Per level, the edges of its groups that lead to a state and are not idle. */
  readonly #moves: readonly GrowingRelation[];
  readonly #known = new Set<string>();

  constructor(vector: StateVector, store: ListDecisionDiagrams, relations: Relations) {
    this.#vector = vector;
    this.#store = store;
    this.#relations = relations;
    this.#observed = new ObservedState(vector, relations);
    this.#doings = vector.system.threads.map(({ program }, thread) =>
      vector.system.programs[program]!.locations.map((_, location) => this.#doingsAt(thread, location)),
    );
    this.#groups = this.#collectGroups();
    this.#moves = vector.order.map((_, level) => new GrowingRelation(relations, level));
  }

  #collectGroups(): Group[][] {
    const vector = this.#vector;
    const relations = this.#relations;
    const groups: Group[][] = vector.order.map(() => []);
    this.#doings.forEach((doings, thread) => {
      const locationsOf = new Map<number, Set<number>>();
      doings.forEach(({ tops }, location) => {
        for (const top of new Set([...tops.values()].flat())) {
          const locations = locationsOf.get(top) ?? new Set();
          locationsOf.set(top, locations.add(location));
        }
      });
      for (const [top, locations] of locationsOf) {
        const seen = new GrowingRelation(relations, top);
        const pc = vector.pc(thread);
        const elsewhere = relations.testOf(vector.slot[pc]!, "not in", [...locations]);
        seen.add(relations.path(relations.step(vector.level[pc]!, [elsewhere], []), END));
        groups[top]!.push({ thread, seen });
      }
    });
    return groups;
  }

  #doingsAt(thread: number, location: number): Doings {
    const vector = this.#vector;
    const program = vector.system.programs[vector.system.threads[thread]!.program]!;
    const { actions } = program.locations[location]!;
    const perAction: Support[][] = actions.map(() => []);
    const locals = new Set<number>();
    supports(vector, thread, location, (a, support) => {
      perAction[a]!.push(support);
      for (const { index } of support.pointed) for (const l of pointersIn(index)!) locals.add(l);
    });
    const domains = [...locals].map((l) => {
      const component = vector.local(thread, l);
      if (component === undefined) return [0];
      const { [component]: lo = 0 } = vector.lo;
      const { [component]: hi = 0 } = vector.hi;
      return Array.from({ length: Math.min(hi - lo, MANY_WAYS) + 1 }, (_, i) => lo + i);
    });
    const topsWhere = (at?: (index: SysExpr) => number) =>
      perAction.map((all) => Math.min(...all.map((support) => topOf(vector, support, at))));
    if (domains.length === 0 || domains.reduce((n, d) => n * d.length, 1) > MANY_WAYS) {
      return { pointers: [], tops: new Map([["", topsWhere()]]) };
    }
    const pointers = [...locals];
    const ways = domains.reduce<number[][]>((all, d) => all.flatMap((way) => d.map((v) => [...way, v])), [[]]);
    const values: number[] = [];
    const tops = ways.map((way): [string, number[]] => {
      pointers.forEach((l, i) => {
        values[l] = way[i]!;
      });
      return [way.join(), topsWhere((index) => evaluateLocally(index, values, thread))];
    });
    return { pointers, tops: new Map(tops) };
  }

  /** Whether edges may begin at this level. */
  beginAt(level: number): boolean {
    return this.#groups[level]!.length > 0;
  }

  /** New value of the level, relation below, new value …: for states with value `v` that `learn` was told of. */
  next(level: number, v: number): Int32Array {
    return this.#moves[level]!.next(v);
  }

  /** Learns all edges of the groups of this level that are enabled where it holds `v` and the rest is in `below`. */
  learn(level: number, v: number, below: number): void {
    for (const group of this.#groups[level]!) {
      const next = group.seen.next(v);
      let unseen = below;
      for (let i = 1; i < next.length && unseen !== EMPTY; i += 2) unseen = this.#minus(unseen, next[i]!, level + 1);
      if (unseen !== EMPTY) this.#look(group, level, v, unseen);
    }
  }

  #look(group: Group, level: number, v: number, below: number): void {
    const store = this.#store;
    const relations = this.#relations;
    const state = new Array<number>(this.#vector.length).fill(0);
    state[level] = v;
    let unseen = below;
    while (unseen !== EMPTY) {
      store.checkTime();
      let at = level + 1;
      for (let n = unseen; at < state.length; n = store.down[n]!) state[at++] = store.value[n]!;
      const path = this.#lookAt(group, level, state);
      group.seen.add(path);
      const rest = relations.topOf(path) === level ? relations.restOf(path) : path;
      unseen = this.#minus(unseen, relations.node(relations.topOf(rest), new Map([[rest, 1]])), level + 1);
    }
  }

  /** Learns the edges of one state, and says of which states they are the edges. */
  #lookAt({ thread }: Group, level: number, state: readonly number[]): PathId {
    const observed = this.#observed;
    observed.look(state, level, thread);
    const { location } = observed;
    const program = this.#vector.system.programs[this.#vector.system.threads[thread]!.program]!;
    const { actions } = program.locations[location]!;
    const { pointers, tops } = this.#doings[thread]![location]!;
    const topOfAction = tops.get(pointers.map((l) => observed.local(l)).join())!;
    const together = new Map<number, number[]>();
    const mention = (conditions: Conditions) => {
      for (const [at, tests] of conditions) {
        const all = together.get(at) ?? [];
        together.set(at, all);
        for (const t of tests) if (!all.includes(t)) all.push(t);
      }
    };
    mention(observed.standing(pointers));
    for (const [action, top] of topOfAction.entries()) {
      if (top !== level) continue;
      const { idle } = actions[action]!;
      const { conditions, leaves } = observed.fire(actions[action]!, pointers);
      mention(conditions);
      if (leaves.length === 0) continue;
      const guard = this.#path(conditions);
      const key = `${thread},${location},${action},${guard}`;
      if (this.#known.has(key)) continue;
      this.#known.add(key);
      for (const leaf of leaves) {
        const path = leaf.error ? guard : this.#path(conditions, leaf);
        const { optional, marks, findings, error } = leaf;
        this.edges.push({ thread, location, action, optional, idle, marks, findings, error, guard, path });
        if (!error && !idle) this.#moves[level]!.add(path);
      }
    }
    return this.#path(together);
  }

  #path(conditions: Conditions, leaf?: Leaf): PathId {
    const relations = this.#relations;
    const { level, slot } = this.#vector;
    const writes = new Map<number, Write[]>();
    for (const [component, value] of leaf?.writes ?? []) {
      const at = level[component]!;
      const list = writes.get(at) ?? [];
      writes.set(at, list);
      list.push({ slot: slot[component]!, value });
    }
    const levels = [...new Set([...conditions.keys(), ...writes.keys()])].sort((a, b) => b - a);
    let path = END;
    for (const at of levels) {
      const tests = [...(conditions.get(at) ?? [])].sort((a, b) => a - b);
      const changes = (writes.get(at) ?? []).sort((a, b) => a.slot - b.slot);
      path = relations.path(relations.step(at, tests, changes), path);
    }
    return path;
  }

  /** The vectors of `set` in which no path of `r` is enabled. */
  #minus(set: number, r: RelationId, level: number): number {
    const store = this.#store;
    const relations = this.#relations;
    if (set === EMPTY) return EMPTY;
    const at = relations.level[r]!;
    if (at === relations.levels) return EMPTY;
    const code = (r << OPERATION_BITS) | UNSEEN;
    const known = store.cached(set, 0, code);
    if (known >= 0) return known;
    const left: number[] = [];
    for (let n = set; n !== 0; n = store.right[n]!) {
      const v = store.value[n]!;
      let below = store.down[n]!;
      if (at > level) below = this.#minus(below, r, level + 1);
      else {
        const next = relations.next(r, v);
        for (let i = 1; i < next.length; i += 2) below = this.#minus(below, next[i]!, level + 1);
      }
      if (below !== EMPTY) left.push(v, below);
    }
    let result = EMPTY;
    for (let i = left.length - 2; i >= 0; i -= 2) result = store.node(left[i]!, left[i + 1]!, result);
    store.cache(set, 0, code, result);
    return result;
  }
}
