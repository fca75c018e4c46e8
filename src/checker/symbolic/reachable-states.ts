/**
 * The reachable states of a transition system as one decision diagram, and the questions about them that properties are
 * made of: where an edge is enabled, from where a set stays reachable, how far from the initial state it is.
 *
 * Idle edges are enabled only where no urgent edge (neither idle nor optional) is. That is no condition on a few
 * variables, so it is a set, `quiet`, and idle edges take part by turns with saturation under all others.
 */
import type { TransitionSystem } from "../../spec/transition-system.ts";
import type { ScheduleStep } from "../verdict.ts";
import { conjoin, type Edge, Unfolding } from "./edge.ts";
import { EMPTY, ListDecisionDiagrams, type Root, type StoreBudget } from "./list-decision-diagram.ts";
import { type RelationId, Relations } from "./relation.ts";
import { RelationalProduct } from "./relational-product.ts";
import { type Inverse, Saturation } from "./saturation.ts";
import { StateVector } from "./state-vector.ts";
import { Successors } from "./successors.ts";
import type { TermId, Terms } from "./term.ts";
import type { VariableOrder } from "./variable-order.ts";

const guardOnly = (edge: Edge) => ({ guard: edge.guard, writes: [] });
const isLive = (edge: Edge) => !edge.optional;

/** Edges as relations; the idle ones count only in quiet states. */
export interface Moves {
  readonly busy: readonly RelationId[];
  readonly idle: readonly RelationId[];
}

export class ReachableStates {
  readonly vector: StateVector;
  readonly terms: Terms;
  readonly edges: readonly Edge[];
  readonly store: ListDecisionDiagrams;
  readonly successors: Successors;
  /** All reachable states, once `explore` has returned. */
  all = EMPTY;
  /** Those in which idle edges are enabled; empty where the system has none. */
  quiet = EMPTY;

  readonly #unfolding: Unfolding;
  readonly #relations: Relations;
  readonly #product: RelationalProduct;
  readonly #saturation: Saturation;
  readonly #moves: readonly RelationId[];
  readonly #idleMoves: readonly RelationId[];
  readonly #liveMoves: readonly RelationId[];
  readonly #liveIdleMoves: readonly RelationId[];
  readonly #urgent: readonly RelationId[];
  /** Sizes of sets by node id: of use until the next collection. */
  readonly #sizes = new Map<number, bigint>();
  #sizesAt = 0;
  /** States by distance from the initial one, as far as they were asked for. */
  readonly #rings: number[] = [];
  #seen: Root | undefined;

  /** @throws BudgetExhausted when time is up before all edges are known. */
  constructor(system: TransitionSystem, order: VariableOrder, budget: StoreBudget) {
    this.vector = new StateVector(system, order.order);
    this.store = new ListDecisionDiagrams(budget);
    const checkTime = () => this.store.checkTime();
    this.#unfolding = new Unfolding(this.vector, checkTime);
    this.terms = this.#unfolding.terms;
    this.edges = this.#unfolding.edges;
    this.successors = new Successors(this.vector);
    const relations = new Relations(this.terms, checkTime);
    this.#relations = relations;
    this.#product = new RelationalProduct(this.store, relations);
    const moves = this.edges.filter((e) => !e.error);
    this.#moves = relations.of(moves.filter((e) => !e.idle));
    this.#idleMoves = relations.of(moves.filter((e) => e.idle));
    this.#liveIdleMoves = relations.of(moves.filter((e) => e.idle && isLive(e)));
    this.#urgent = relations.of(this.edges.filter((e) => !e.idle && isLive(e)).map(guardOnly));
    this.#liveMoves = relations.of(moves.filter((e) => !e.idle && isLive(e)));
    this.#saturation = new Saturation(this.store, relations, this.#moves, this.#liveMoves);
  }

  /** Finds all reachable states. */
  explore(): void {
    const { store } = this;
    const all = store.hold(store.vector(this.vector.initial()));
    const quiet = store.hold(EMPTY);
    for (;;) {
      all.node = this.#saturation.forward(all.node);
      if (this.#idleMoves.length === 0) break;
      quiet.node = store.minus(all.node, this.#product.enabled(all.node, this.#urgent));
      const more = store.union(all.node, this.#product.image(quiet.node, this.#idleMoves));
      if (more === all.node) break;
      all.node = more;
    }
    this.all = all.node;
    this.quiet = quiet.node;
  }

  /** Keeps a set over collections. Sets that are not kept are lost when `collectIfFull` or a saturation runs. */
  keep(set: number): number {
    return this.store.hold(set).node;
  }

  collectIfFull(): void {
    if (this.store.full) this.store.collect();
  }

  recover(): void {
    this.#saturation.recover();
    this.store.recover();
  }

  get relationNodes(): number {
    return this.#relations.size;
  }

  count(set: number): bigint {
    return this.store.count(set, this.#knownSizes());
  }

  #knownSizes(): Map<number, bigint> {
    if (this.#sizesAt !== this.store.collections) this.#sizes.clear();
    this.#sizesAt = this.store.collections;
    return this.#sizes;
  }

  /** How many transitions there are along these edges. */
  countTransitions(edges: readonly Edge[]): bigint {
    const busy = this.#relations.of(edges.filter((e) => !e.idle).map(guardOnly));
    const idle = this.#relations.of(edges.filter((e) => e.idle).map(guardOnly));
    const sizes = this.#knownSizes();
    return this.#product.countEdges(this.all, busy, sizes) + this.#product.countEdges(this.quiet, idle, sizes);
  }

  /** The reachable states in which one of these edges is enabled. */
  enabled(edges: readonly Edge[]): number {
    const busy = this.#relations.of(edges.filter((e) => !e.idle).map(guardOnly));
    const idle = this.#relations.of(edges.filter((e) => e.idle).map(guardOnly));
    return this.store.union(this.#product.enabled(this.all, busy), this.#product.enabled(this.quiet, idle));
  }

  /** The states of `set` in which all of these terms hold. */
  filter(set: number, ...terms: readonly TermId[]): number {
    let guard: readonly TermId[] | undefined = [];
    for (const t of terms) {
      guard = conjoin(this.terms, guard, this.terms.truth(t));
      if (guard === undefined) return EMPTY;
    }
    return this.#product.enabled(set, this.#relations.of([{ guard, writes: [] }]));
  }

  /** A condition on states; `self` is the executing thread where there is one. */
  predicate(...args: Parameters<Unfolding["predicate"]>): TermId {
    return this.#unfolding.predicate(...args);
  }

  /** The reachable states from which one of `target` is reachable over live edges (itself included). */
  canReach(target: number): number {
    return this.#closeBackward(target, this.all, this.quiet, this.#saturation.live, this.#liveIdleMoves);
  }

  /** The states of `within` from which `target` is reachable over live edges, all but the last inside `within`. */
  canLeave(within: number, target: number): number {
    const { store } = this;
    const inside = store.hold(within);
    const quiet = store.hold(store.intersect(within, this.quiet));
    const last = store.union(
      this.#product.preimage(within, target, this.#liveMoves),
      this.#product.preimage(quiet.node, target, this.#liveIdleMoves),
    );
    const found = this.#closeBackward(last, within, quiet.node, this.#saturation.live, this.#liveIdleMoves);
    store.release(inside);
    store.release(quiet);
    return found;
  }

  /** The states of `within` from which its subset `target` is reachable inside it, over optional edges too. */
  canReachInside(within: number, target: number): number {
    const { store } = this;
    const inside = store.hold(within);
    const quiet = store.hold(store.intersect(within, this.quiet));
    const found = this.#closeBackward(target, within, quiet.node, this.#saturation.any, this.#idleMoves);
    store.release(inside);
    store.release(quiet);
    return found;
  }

  /** The edges of these threads, optional ones too, error edges left out. */
  movesOf(threads: readonly number[]): Moves {
    const own = this.edges.filter((e) => !e.error && threads.includes(e.thread));
    return {
      busy: this.#relations.of(own.filter((e) => !e.idle)),
      idle: this.#relations.of(own.filter((e) => e.idle)),
    };
  }

  /** All edges, optional ones too, error edges left out. */
  get moves(): Moves {
    return { busy: this.#moves, idle: this.#idleMoves };
  }

  /** The states of `within` from which one of these moves leads into `target`. */
  before(within: number, target: number, moves: Moves = this.moves): number {
    const quiet = this.store.intersect(within, this.quiet);
    return this.store.union(
      this.#product.preimage(within, target, moves.busy),
      this.#product.preimage(quiet, target, moves.idle),
    );
  }

  /** The states to which an edge leads from one of `set`. */
  after(set: number): number {
    const quiet = this.store.intersect(set, this.quiet);
    return this.store.union(this.#product.image(set, this.#moves), this.#product.image(quiet, this.#idleMoves));
  }

  #closeBackward(target: number, within: number, quiet: number, inverse: Inverse, idle: readonly RelationId[]): number {
    const { store } = this;
    let set = target;
    for (;;) {
      set = this.#saturation.backward(set, within, inverse);
      if (idle.length === 0) return set;
      const more = store.union(set, this.#product.preimage(quiet, set, idle));
      if (more === set) return set;
      set = more;
    }
  }

  /** A state of `set`, which is not empty, that is nearest to the initial one, and a shortest way there. */
  nearest(set: number): { readonly state: readonly number[]; readonly steps: readonly ScheduleStep[] } {
    const { store } = this;
    const target = store.intersect(set, this.all);
    if (target === EMPTY) throw new Error("no state of the set is reachable");
    const root = store.hold(target);
    let distance = 0;
    let hit = EMPTY;
    for (; ; distance++) {
      hit = store.intersect(this.#ring(distance), target);
      if (hit !== EMPTY) break;
    }
    store.release(root);
    const path: number[][] = [store.first(hit)];
    for (let d = distance - 1; d >= 0; d--) {
      const to = store.vector(path.at(-1)!);
      const ring = this.#rings[d]!;
      path.push(store.first(this.before(ring, to)));
    }
    path.reverse();
    const steps = path.slice(1).map((to, i): ScheduleStep => {
      const found = this.successors.of(path[i]!).find((s) => s.to?.every((v, level) => v === to[level]));
      if (found === undefined) throw new Error("a symbolic edge has no concrete counterpart");
      return { thread: found.thread, action: found.action, ways: found.ways };
    });
    return { state: path.at(-1)!, steps };
  }

  /** The states at this distance from the initial one. */
  #ring(distance: number): number {
    const { store } = this;
    if (this.#rings.length === 0) {
      const initial = store.vector(this.vector.initial());
      this.#rings.push(this.keep(initial));
      this.#seen = store.hold(initial);
    }
    const seen = this.#seen!;
    while (this.#rings.length <= distance) {
      this.collectIfFull();
      store.checkTime();
      const last = this.#rings.at(-1)!;
      const ring = store.minus(this.after(last), seen.node);
      seen.node = store.union(seen.node, ring);
      this.#rings.push(this.keep(ring));
    }
    return this.#rings[distance]!;
  }
}
