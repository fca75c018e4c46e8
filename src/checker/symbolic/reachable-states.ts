/**
 * The reachable states of a transition system as one decision diagram, and the questions about them that properties are
 * made of: where an edge is enabled, from where a set stays reachable, what comes one step before or after it.
 *
 * Idle edges are enabled only where no urgent edge (neither idle nor optional) is. That is no condition on a few
 * variables, so it is a set, `quiet`, and idle edges take part by turns with saturation under all others.
 */
import type { TransitionSystem } from "../../spec/transition-system.ts";
import { type Firing, firings } from "../evaluate.ts";
import { initialState } from "../state-values.ts";
import { type Edge, LearnedEdges } from "./learned-edges.ts";
import { EMPTY, ListDecisionDiagrams, type StoreBudget } from "./list-decision-diagram.ts";
import { recurringEdges } from "./recurring-edges.ts";
import { type RelationId, Relations } from "./relation.ts";
import { RelationalProduct } from "./relational-product.ts";
import { type Inverse, Saturation, type Watch } from "./saturation.ts";
import { StateVector } from "./state-vector.ts";
import { type TermId, Terms } from "./term.ts";
import type { VariableOrder } from "./variable-order.ts";

const isLive = (edge: Edge) => !edge.optional;
const isBusy = (edge: Edge) => !edge.idle;
const isIdle = (edge: Edge) => edge.idle;

/** A transition of a state, with the state it leads to as a vector. */
export interface Successor extends Firing {
  /** Undefined: the error state. */
  readonly to: readonly number[] | undefined;
}

/** Edges as relations; the idle ones count only in quiet states. */
export interface Moves {
  readonly busy: readonly RelationId[];
  readonly idle: readonly RelationId[];
}

/** Moves with what is needed to go back along them any number of times. */
export interface Walk extends Moves {
  readonly inverse: Inverse;
}

export class ReachableStates {
  readonly order: VariableOrder;
  readonly vector: StateVector;
  readonly terms: Terms;
  readonly store: ListDecisionDiagrams;
  /** All reachable states, once `explore` has returned. */
  all = EMPTY;
  /** Those in which idle edges are enabled; empty where the system has none. */
  quiet = EMPTY;

  readonly #learned: LearnedEdges;
  readonly #relations: Relations;
  readonly #product: RelationalProduct;
  readonly #saturation: Saturation;
  readonly #mayIdle: boolean;
  /** Set by `explore`, when all edges are known. */
  #walks: { readonly any: Walk; readonly live: Walk; recurring?: Walk } | undefined;
  #recurringEdges: readonly Edge[] | undefined;
  /** Sizes of sets by node id: of use until the next collection. */
  readonly #sizes = new Map<number, bigint>();
  #sizesAt = 0;

  #explored = false;
  #failure: unknown;

  constructor(system: TransitionSystem, order: VariableOrder, budget: StoreBudget) {
    this.order = order;
    this.vector = new StateVector(system, order.order);
    this.store = new ListDecisionDiagrams(budget);
    const checkTime = () => this.store.checkTime();
    this.terms = new Terms(this.vector);
    const relations = new Relations(this.vector, checkTime);
    this.#relations = relations;
    this.#product = new RelationalProduct(this.store, relations);
    this.#learned = new LearnedEdges(this.vector, this.store, relations);
    this.#saturation = new Saturation(this.store, relations, this.#learned);
    this.#mayIdle = system.programs.some((p) => p.locations.some((l) => l.actions.some((a) => a.idle)));
  }

  /** All edges that are enabled in some reachable state, once `explore` has returned. */
  get edges(): readonly Edge[] {
    return this.#learned.edges;
  }

  /** Finds all reachable states, once: asked again, it does nothing or fails as it did. */
  explore(watch?: Watch): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#explored) return;
    try {
      this.#explore(watch);
    } catch (e) {
      this.#failure = e;
      throw e;
    }
    this.#explored = true;
  }

  #explore(watch: Watch | undefined): void {
    const { store } = this;
    const all = store.hold(store.vector(this.initial()));
    const quiet = store.hold(EMPTY);
    for (;;) {
      all.node = this.#saturation.forward(all.node, watch);
      if (!this.#mayIdle) break;
      const urgent = this.#guards(this.edges.filter((e) => isBusy(e) && isLive(e)));
      quiet.node = store.minus(all.node, this.#product.enabled(all.node, urgent));
      const idle = this.#paths(this.edges.filter((e) => isIdle(e) && !e.error));
      const more = store.union(all.node, this.#product.image(quiet.node, idle));
      if (more === all.node) break;
      all.node = more;
    }
    this.all = all.node;
    this.quiet = quiet.node;
    const any = this.#walk(this.edges);
    this.#walks = { any, live: this.#walk(this.edges.filter(isLive), any) };
  }

  #walk(edges: readonly Edge[], ...like: readonly Walk[]): Walk {
    const moves = this.#movesAlong(edges);
    // What has been computed for the same relations is of use again.
    const known = like.find(({ busy }) => busy.join() === moves.busy.join());
    return { ...moves, inverse: known?.inverse ?? this.#saturation.inverse(moves.busy) };
  }

  #movesAlong(edges: readonly Edge[]): Moves {
    const moves = edges.filter((e) => !e.error);
    return { busy: this.#paths(moves.filter(isBusy)), idle: this.#paths(moves.filter(isIdle)) };
  }

  /** All edges, optional ones too, error edges left out. */
  get any(): Walk {
    return this.#walks!.any;
  }

  /** All but the optional ones. */
  get live(): Walk {
    return this.#walks!.live;
  }

  /** Those that may lie on a cycle; all that do are among them. */
  get recurring(): Walk {
    const walks = this.#walks!;
    walks.recurring ??= this.#walk(this.recurringEdges, walks.any, walks.live);
    return walks.recurring;
  }

  get recurringEdges(): readonly Edge[] {
    const { store, vector } = this;
    this.#recurringEdges ??= recurringEdges(this.#relations, this.edges, store.valuesPerLevel(this.all, vector.length));
    return this.#recurringEdges;
  }

  #paths(edges: readonly Edge[]): RelationId[] {
    return this.#relations.of(edges.map((e) => e.path));
  }

  #guards(edges: readonly Edge[]): RelationId[] {
    return this.#relations.of(edges.map((e) => e.guard));
  }

  initial(): number[] {
    return this.vector.vector(initialState(this.vector.system));
  }

  /** The transitions of one state, found without the diagrams. */
  successors(state: readonly number[]): Successor[] {
    return firings(this.vector.system, this.vector.values(state)).map((firing) => ({
      ...firing,
      to: firing.target && this.vector.vector(firing.target),
    }));
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
    const busy = this.#guards(edges.filter(isBusy));
    const idle = this.#guards(edges.filter(isIdle));
    const sizes = this.#knownSizes();
    return this.#product.countEdges(this.all, busy, sizes) + this.#product.countEdges(this.quiet, idle, sizes);
  }

  /** The reachable states in which one of these edges is enabled. */
  enabled(edges: readonly Edge[]): number {
    const busy = this.#guards(edges.filter(isBusy));
    const idle = this.#guards(edges.filter(isIdle));
    return this.store.union(this.#product.enabled(this.all, busy), this.#product.enabled(this.quiet, idle));
  }

  /** The states of `set` in which all of these terms hold. */
  filter(set: number, ...terms: readonly TermId[]): number {
    return terms.reduce((left, t) => this.#product.filter(left, this.terms, t), set);
  }

  /** A condition on states; `self` is the executing thread where there is one. */
  predicate(...args: Parameters<Terms["of"]>): TermId {
    return this.terms.of(...args);
  }

  /** The reachable states from which one of `target` is reachable over live edges (itself included). */
  canReach(target: number): number {
    return this.#closeBackward(target, this.all, this.quiet, this.live);
  }

  /** The states of `within` from which `target` is reachable over live edges, all but the last inside `within`. */
  canLeave(within: number, target: number): number {
    const { store } = this;
    const inside = store.hold(within);
    const quiet = store.hold(store.intersect(within, this.quiet));
    const last = this.before(within, target, this.live);
    const found = this.#closeBackward(last, within, quiet.node, this.live);
    store.release(inside);
    store.release(quiet);
    return found;
  }

  /** The states of `within` from which its subset `target` is reachable inside it. */
  canReachInside(within: number, target: number, along: Walk): number {
    const { store } = this;
    const inside = store.hold(within);
    const quiet = store.hold(store.intersect(within, this.quiet));
    const found = this.#closeBackward(target, within, quiet.node, along);
    store.release(inside);
    store.release(quiet);
    return found;
  }

  /** The edges of these threads that may lie on a cycle. */
  recurringMovesOf(threads: readonly number[]): Moves {
    return this.#movesAlong(this.recurringEdges.filter((e) => threads.includes(e.thread)));
  }

  /** The states of `within` from which one of these moves leads into `target`. */
  before(within: number, target: number, along: Moves): number {
    const quiet = this.store.intersect(within, this.quiet);
    return this.store.union(
      this.#product.preimage(within, target, along.busy),
      this.#product.preimage(quiet, target, along.idle),
    );
  }

  /** The states to which one of these moves leads from one of `set`. */
  after(set: number, along: Moves): number {
    const quiet = this.store.intersect(set, this.quiet);
    return this.store.union(this.#product.image(set, along.busy), this.#product.image(quiet, along.idle));
  }

  #closeBackward(target: number, within: number, quiet: number, { inverse, idle }: Walk): number {
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

  /** The first level at which moves begin; -1 is that of idle moves, which depend on everything. */
  coarsest({ idle }: Walk): number {
    return idle.length > 0 ? -1 : 0;
  }

  /** Those of these moves that begin at this level. */
  movesAt({ busy, idle }: Walk, level: number): Moves {
    return { busy: busy.filter((r) => this.#relations.level[r] === level), idle: level < 0 ? idle : [] };
  }

  /** Those of these moves that begin at this level or below. */
  movesFrom({ busy, idle }: Walk, level: number): Moves {
    return { busy: busy.filter((r) => this.#relations.level[r]! >= level), idle: level < 0 ? idle : [] };
  }

  /**
   * The states of `within`, which is held, from which its subset `set` is reachable inside it by moves that begin at
   * `level`, not negative, or below.
   */
  leadingBelow(
    set: number,
    { within, along }: { readonly within: number; readonly along: Walk },
    level: number,
  ): number {
    return this.#saturation.backward(set, within, along.inverse, level);
  }
}
