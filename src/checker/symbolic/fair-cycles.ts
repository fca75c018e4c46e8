/**
 * Fair runs that an automaton accepts, found on sets of states.
 *
 * A state of the product is a reachable state and the automaton node it is read at: one more level above all others,
 * kept as one set for each node. The fair states are a greatest fixed point: again and again, what cannot come to an
 * acceptance set, or to a state or step that weak fairness asks for, is taken out (Emerson and Lei 1986). For strong
 * fairness, states that enable a condition and cannot come to where it is served are taken out too (Kesten, Pnueli and
 * Raviv 1998): what is left then holds a fair cycle exactly if it is not empty, and everything left leads to one.
 *
 * Since a run settles in one component, only edges that may lie on a cycle count here (`recurring-edges.ts`), and only
 * automaton nodes of one strongly connected part that holds all acceptance sets. The first is what makes it cheap: a
 * thread that goes its way once moves in no cycle, so that fairness demands of it without any search that it has ended or
 * is blocked, and all its interleavings are gone.
 *
 * A lasso is put together as in Clarke, Grumberg, McMillan and Zhao 1995: from a state of the fixed point to each thing
 * that must recur, by a shortest way, and back; where there is no way back, it starts again from where it has come to,
 * which is in a component nearer to the end.
 */
import type { SysExpr, SysFairness } from "../../spec/transition-system.ts";
import type { Automaton } from "../liveness/buchi.ts";
import { acceptingParts } from "../liveness/fair-components.ts";
import type { ScheduleStep } from "../verdict.ts";
import { EMPTY, type Root } from "./list-decision-diagram.ts";
import type { Moves, ReachableStates, Walk } from "./reachable-states.ts";
import { Schedules, withRings } from "./schedules.ts";

/** Predicates and acceptance sets are bits of a word. */
const MOST_BITS = 30;

/** What is asked of runs, beside that an automaton accepts them. */
export interface AskedOfRuns {
  /** By the numbers that the automaton has for them. */
  readonly predicates: readonly SysExpr[];
  readonly fairness: SysFairness;
  /** Threads one of which must step again and again; absent: no such demand. */
  readonly moving: readonly number[] | undefined;
}

/** Why a formula cannot be decided. */
export class FormulaTooLarge extends Error {}

/** A state read at an automaton node. */
interface ProductState {
  readonly node: number;
  readonly state: readonly number[];
}

/** One step of the product; without `step` nobody moves, in a state where no move is owed. */
interface Hop {
  readonly from: ProductState;
  readonly to: ProductState;
  readonly step: ScheduleStep | undefined;
}

/** Something that must recur on a loop. */
interface Condition {
  /** The states of a product set at which it recurs, or from which a step by which it does stays inside. */
  goal(within: ProductSet): ProductSet;
  /** It recurs by being at this state. */
  isMetAt(at: ProductState): boolean;
  /** It recurs by these threads' steps from such states. */
  readonly threads: readonly number[];
  isMetFrom(at: ProductState): boolean;
  /** Only for runs that enable it again and again: the states that do. */
  readonly wanted?: number;
}

/** A set of product states, kept over collections until it is released. */
class ProductSet {
  readonly #reached: ReachableStates;
  readonly #roots: readonly Root[];

  readonly #held: Set<ProductSet>;

  /** @param held Those not released yet. */
  constructor(reached: ReachableStates, held: Set<ProductSet>, sets: readonly number[]) {
    this.#reached = reached;
    this.#held = held;
    this.#roots = sets.map((set) => reached.store.hold(set));
    held.add(this);
  }

  at(node: number): number {
    return this.#roots[node]!.node;
  }

  put(node: number, set: number): void {
    this.#roots[node]!.node = set;
  }

  get isEmpty(): boolean {
    return this.#roots.every((root) => root.node === EMPTY);
  }

  has({ node, state }: ProductState): boolean {
    return this.#reached.store.contains(this.at(node), state);
  }

  equals(other: ProductSet): boolean {
    return this.#roots.every((root, q) => root.node === other.at(q));
  }

  copy(): ProductSet {
    const sets = this.#roots.map((root) => root.node);
    return new ProductSet(this.#reached, this.#held, sets);
  }

  release(): void {
    this.#held.delete(this);
    for (const root of this.#roots) this.#reached.store.release(root);
  }
}

export interface SymbolicLasso {
  readonly steps: readonly ScheduleStep[];
  /** Where the loop begins in `steps`; their number where nobody moves any more. */
  readonly loop: number;
}

export class FairCycles {
  readonly #reached: ReachableStates;
  /** Sets kept over collections. */
  readonly #held = new Set<ProductSet>();
  readonly #automaton: Automaton;
  readonly #nodes: readonly number[];
  /** What may be read at each node. */
  readonly #readable: ProductSet;
  /** States in which no live move is enabled: a run may stay there for ever. */
  readonly #still: number;
  readonly #conditions: readonly Condition[];
  /** Product states from which a fair accepted run starts, once `exists` has said that there is one. */
  #fair: ProductSet | undefined;

  /**
   * @param live Per thread, the reachable states in which it has a live move; they are kept by the caller.
   * @throws FormulaTooLarge
   */
  constructor(reached: ReachableStates, automaton: Automaton, asked: AskedOfRuns, live: readonly number[]) {
    this.#reached = reached;
    const { store } = reached;
    const { predicates } = asked;
    if (predicates.length > MOST_BITS) {
      throw new FormulaTooLarge(`the property has more than ${MOST_BITS} state conditions`);
    }
    this.#automaton = automaton;
    this.#nodes = this.#automaton.nodes.map((_, q) => q);
    this.#still = reached.keep(live.reduce((rest, set) => store.minus(rest, set), reached.all));
    const terms = predicates.map((p) => reached.terms.truth(reached.predicate(p)));
    const readable = this.#automaton.nodes.map(({ holds, fails }) => {
      const labels = terms.flatMap((t, p) => [
        ...(holds & (1 << p) ? [t] : []),
        ...(fails & (1 << p) ? [reached.terms.not(t)] : []),
      ]);
      return reached.filter(reached.all, ...labels);
    });
    this.#readable = this.#each((q) => readable[q]!);
    this.#conditions = this.#conditionsOf(asked, live);
  }

  /** The moves of loops. */
  get #along(): Walk {
    return this.#reached.recurring;
  }

  /** Lets go of all sets, wherever the search was broken off. */
  release(): void {
    for (const set of [...this.#held]) set.release();
  }

  /** Whether some fair run from the initial state is accepted. */
  exists(): boolean {
    for (const part of acceptingParts(this.#automaton)) {
      const fair = this.#hull(part.nodes);
      const found = !fair.isEmpty && this.#canStart(fair);
      this.#fair = fair;
      if (found) return true;
      fair.release();
    }
    return false;
  }

  /** Whether a run from the initial state comes to one of these. */
  #canStart(fair: ProductSet): boolean {
    const { store } = this.#reached;
    const { nodes, initial } = this.#automaton;
    // Every state is read at a node where a run may begin and stay as long as it likes, and all but the first at those
    // after it: how it came there need not be looked for.
    const anywhere = initial.filter(
      (q) => nodes[q]!.successors.includes(q) && this.#readable.at(q) === this.#reached.all,
    );
    const leading = fair.copy();
    const area = this.#each((q) => (anywhere.includes(q) ? EMPTY : this.#readable.at(q)));
    this.#close(leading, area, this.#reached.any);
    area.release();
    const entered = anywhere.flatMap((q) => nodes[q]!.successors.map((p) => leading.at(p))).filter((s) => s !== EMPTY);
    const first = store.vector(this.#reached.initial());
    let found = entered.some((set) => set !== first);
    if (!found) {
      // Whether the first state is ever come back to is another matter.
      if (entered.length > 0) this.#close(leading, this.#readable, this.#reached.any);
      found = this.#starts().some((start) => leading.has(start));
    }
    leading.release();
    return found;
  }

  /** A fair accepted run, of which `exists` has said that there is one. */
  lasso(): SymbolicLasso {
    const fair = this.#fair!;
    const starts = this.#starts().filter((start) => this.#readable.has(start));
    const prefix: Hop[] = [];
    let at = starts.find((start) => fair.has(start));
    if (at === undefined) {
      prefix.push(...this.#way(starts, this.#readable, fair, this.#reached.any));
      at = prefix.at(-1)!.to;
    }
    for (;;) {
      const anchor = at;
      const hops = this.#round(anchor, fair);
      at = hops.at(-1)!.to;
      if (same(at, anchor)) return schedule(prefix, hops);
      prefix.push(...hops);
    }
  }

  /** From a fair state to all that must recur and, if there is a way, back. */
  #round(anchor: ProductState, fair: ProductSet): Hop[] {
    const hops: Hop[] = [];
    const leading = this.#singleton(anchor);
    this.#close(leading, fair);
    const at = () => hops.at(-1)?.to ?? anchor;
    for (const condition of this.#conditions) {
      if (this.#isMet(condition, anchor, hops)) continue;
      const goal = condition.goal(fair);
      if (condition.wanted !== undefined) {
        const closed = goal.copy();
        this.#close(closed, fair);
        const comes = closed.has(at());
        closed.release();
        if (!comes) {
          goal.release();
          continue;
        }
      }
      if (!goal.has(at())) hops.push(...this.#way([at()], fair, goal, this.#reached.recurring));
      goal.release();
      if (!condition.isMetAt(at()) && !this.#isMet(condition, anchor, hops)) {
        hops.push(this.#hop(at(), fair, leading, condition.threads));
      }
    }
    if (hops.length === 0) hops.push(this.#hop(anchor, fair, leading));
    if (leading.has(at()) && !same(at(), anchor)) {
      const home = this.#singleton(anchor);
      hops.push(...this.#way([at()], fair, home, this.#reached.recurring));
      home.release();
    }
    leading.release();
    return hops;
  }

  #isMet(condition: Condition, anchor: ProductState, hops: readonly Hop[]): boolean {
    if (condition.isMetAt(anchor)) return true;
    return hops.some(
      ({ from, to, step }) =>
        condition.isMetAt(to) ||
        (step !== undefined && condition.threads.includes(step.thread) && condition.isMetFrom(from)),
    );
  }

  /** One step from a state that stays inside; one into `better` if there is, one of these threads if any are given. */
  #hop(from: ProductState, within: ProductSet, better: ProductSet, threads?: readonly number[]): Hop {
    const { store } = this.#reached;
    const next = this.#automaton.nodes[from.node]!.successors;
    const hops: Hop[] = [];
    if (threads === undefined && store.contains(this.#still, from.state)) {
      for (const node of next) hops.push({ from, to: { node, state: from.state }, step: undefined });
    }
    for (const { thread, action, ways, to: state } of this.#reached.successors(from.state)) {
      if (state === undefined || (threads !== undefined && !threads.includes(thread))) continue;
      for (const node of next) hops.push({ from, to: { node, state }, step: { thread, action, ways } });
    }
    const inside = hops.filter((hop) => within.has(hop.to));
    const hop = inside.find((h) => better.has(h.to)) ?? inside[0];
    if (hop === undefined) throw new Error("a fair state does not have the step it was judged to have");
    return hop;
  }

  /**
   * A way of one step or more inside a set, that all but its first state belong to, into `target`; a shortest one if time
   * and memory suffice for that.
   */
  #way(starts: readonly ProductState[], within: ProductSet, target: ProductSet, along: Walk): Hop[] {
    const rings: ProductSet[] = [];
    const give = () => {
      for (const set of rings.splice(0)) set.release();
    };
    const shortest = withRings(this.#reached, () => this.#shortestWay(starts, within, target, along, rings), give);
    give();
    return shortest ?? this.#wayByNodes(starts, within, target, along);
  }

  /** @param rings Takes the sets that are kept, which the caller releases. */
  #shortestWay(
    starts: readonly ProductState[],
    within: ProductSet,
    target: ProductSet,
    along: Walk,
    rings: ProductSet[],
  ): Hop[] {
    const reached = this.#reached;
    const { store } = reached;
    const seen = this.#empty();
    const first = this.#empty();
    // The last one is no ring.
    rings.push(first, seen);
    for (const { node, state } of starts) first.put(node, store.union(first.at(node), store.vector(state)));
    let hit: ProductState | undefined;
    while (hit === undefined) {
      reached.collectIfFull();
      store.checkTime();
      const last = rings.at(-2)!;
      const ring = this.#empty();
      rings.splice(-1, 0, ring);
      for (const q of this.#nodes) {
        if (last.at(q) === EMPTY) continue;
        const after = store.union(reached.after(last.at(q), along), store.intersect(last.at(q), this.#still));
        for (const p of this.#automaton.nodes[q]!.successors) ring.put(p, store.union(ring.at(p), after));
      }
      for (const q of this.#nodes) {
        ring.put(q, store.minus(store.intersect(ring.at(q), within.at(q)), seen.at(q)));
        seen.put(q, store.union(seen.at(q), ring.at(q)));
      }
      if (ring.isEmpty) throw new Error("a fair state is not reachable from where it was judged to be");
      hit = this.#some(this.#nodes.map((q) => store.intersect(ring.at(q), target.at(q))));
    }
    const hops: Hop[] = [];
    for (let to = hit, d = rings.length - 3; d >= 0; d--) {
      const one = store.vector(to.state);
      const before = this.#nodes.map((q) => {
        if (!this.#automaton.nodes[q]!.successors.includes(to.node)) return EMPTY;
        const ring = rings[d]!.at(q);
        return store.union(reached.before(ring, one, along), store.intersect(store.intersect(ring, this.#still), one));
      });
      const from = this.#some(before)!;
      hops.push({ from, to, step: this.#stepBetween(from, to) });
      to = from;
    }
    return hops.reverse();
  }

  /**
   * Any way into `target` inside a set, where rings are too much: in as few changes of the automaton node as possible,
   * and between them by levels.
   */
  #wayByNodes(starts: readonly ProductState[], within: ProductSet, target: ProductSet, along: Walk): Hop[] {
    const reached = this.#reached;
    const { store } = reached;
    const stays = (q: number) => this.#automaton.nodes[q]!.successors.includes(q);
    const seen = this.#empty();
    // From a layer moves that stay at a node lead to its exits, and one more from there to the next layer.
    const layers: { readonly exits: ProductSet; readonly all: ProductSet }[] = [];
    let start: ProductState | undefined;
    for (let exits = this.#each((q) => store.intersect(target.at(q), within.at(q))); ; ) {
      const all = this.#empty();
      layers.push({ exits, all });
      for (const q of this.#nodes) {
        reached.collectIfFull();
        const leading = stays(q) ? reached.canReachInside(within.at(q), exits.at(q), along) : exits.at(q);
        all.put(q, store.minus(leading, seen.at(q)));
        seen.put(q, store.union(seen.at(q), all.at(q)));
      }
      start = starts.find((s) => all.has(s));
      if (start !== undefined) break;
      exits = this.#each((q) => store.minus(this.#before(within.at(q), this.#next(all, q), along), seen.at(q)));
      if (exits.isEmpty) throw new Error("a fair state is not reachable from where it was judged to be");
    }
    seen.release();
    const hops: Hop[] = [];
    const schedules = new Schedules(reached);
    for (let at = start; ; ) {
      const { exits, all } = layers.pop()!;
      const { node } = at;
      const path = stays(node)
        ? schedules.between(at.state, exits.at(node), { within: within.at(node), along })
        : [at.state];
      for (const state of path.slice(1)) {
        const to = { node, state };
        hops.push({ from: at, to, step: this.#stepBetween(at, to) });
        at = to;
      }
      for (const set of [exits, all]) set.release();
      const next = layers.at(-1)?.all;
      if (next === undefined) return hops;
      const hop = this.#hop(at, next, next);
      hops.push(hop);
      at = hop.to;
    }
  }

  #stepBetween(from: ProductState, to: ProductState): ScheduleStep | undefined {
    const { store } = this.#reached;
    if (sameValues(from.state, to.state) && store.contains(this.#still, from.state)) return undefined;
    const found = this.#reached.successors(from.state).find((s) => s.to !== undefined && sameValues(s.to, to.state));
    if (found === undefined) throw new Error("a symbolic edge has no concrete counterpart");
    return { thread: found.thread, action: found.action, ways: found.ways };
  }

  /** What is left of what can be read at these nodes when nothing more can be taken out. */
  #hull(nodes: readonly number[]): ProductSet {
    const { store } = this.#reached;
    const fair = this.#each((q) => (nodes.includes(q) ? this.#readable.at(q) : EMPTY));
    const stuck = this.#each((q) =>
      store.minus(fair.at(q), this.#before(fair.at(q), this.#next(fair, q), this.#along)),
    );
    for (const q of this.#nodes) fair.put(q, store.minus(fair.at(q), stuck.at(q)));
    for (let gone = stuck; ; ) {
      this.#prune(fair, gone);
      gone.release();
      const before = fair.copy();
      for (const condition of this.#conditions) {
        const goal = condition.goal(fair);
        this.#close(goal, fair);
        const { wanted } = condition;
        for (const q of this.#nodes) {
          const unasked = wanted === undefined ? EMPTY : store.minus(fair.at(q), wanted);
          fair.put(q, store.union(goal.at(q), unasked));
        }
        goal.release();
      }
      gone = this.#each((q) => store.minus(before.at(q), fair.at(q)));
      before.release();
      if (gone.isEmpty || fair.isEmpty) {
        gone.release();
        return fair;
      }
    }
  }

  /** Takes out what has no successor inside, until all have one, once these were taken out of where all had one. */
  #prune(set: ProductSet, gone: ProductSet): void {
    const reached = this.#reached;
    const { store } = reached;
    while (!gone.isEmpty) {
      reached.collectIfFull();
      store.checkTime();
      const stuck = this.#each((q) => {
        const suspects = this.#before(set.at(q), this.#next(gone, q), this.#along);
        return store.minus(suspects, this.#before(suspects, this.#next(set, q), this.#along));
      });
      for (const q of this.#nodes) {
        set.put(q, store.minus(set.at(q), stuck.at(q)));
        gone.put(q, stuck.at(q));
      }
      stuck.release();
    }
  }

  /** Adds to `set`, a part of `within`, all from which it is reachable inside that. */
  #close(set: ProductSet, within: ProductSet, along: Walk = this.#reached.recurring): void {
    const reached = this.#reached;
    const { store } = reached;
    // Successors mostly have larger numbers.
    const order = [...this.#nodes].reverse();
    for (let changed = true; changed; ) {
      changed = false;
      for (const q of order) {
        if (within.at(q) === EMPTY) continue;
        reached.collectIfFull();
        let grown = store.union(set.at(q), this.#before(within.at(q), this.#next(set, q), along));
        if (this.#automaton.nodes[q]!.successors.includes(q))
          grown = reached.canReachInside(within.at(q), grown, along);
        if (grown === set.at(q)) continue;
        set.put(q, grown);
        changed = true;
      }
    }
  }

  /** The states of `within` that a step, or nobody's step where none is owed, leads into `target`. */
  #before(within: number, target: number, along: Walk): number {
    const { store } = this.#reached;
    const resting = store.intersect(store.intersect(within, this.#still), target);
    return store.union(this.#reached.before(within, target, along), resting);
  }

  /** The states of a set read at some successor of node q. */
  #next(set: ProductSet, q: number): number {
    return this.#automaton.nodes[q]!.successors.reduce((all, p) => this.#reached.store.union(all, set.at(p)), EMPTY);
  }

  #conditionsOf({ fairness, moving }: AskedOfRuns, live: readonly number[]): Condition[] {
    const reached = this.#reached;
    const { store } = reached;
    const { nodes, sets } = this.#automaton;
    const conditions: Condition[] = [];
    const never = () => false;
    for (let set = 0; set < sets; set++) {
      const accepts = (q: number) => (nodes[q]!.accepting & (1 << set)) !== 0;
      conditions.push({
        goal: (within) => this.#each((q) => (accepts(q) ? within.at(q) : EMPTY)),
        isMetAt: ({ node }) => accepts(node),
        threads: [],
        isMetFrom: never,
      });
    }
    const stepping = (threads: readonly number[], from: (states: number) => number) => {
      const moves: Moves = reached.recurringMovesOf(threads);
      return (within: ProductSet, q: number) => reached.before(from(within.at(q)), this.#next(within, q), moves);
    };
    for (const thread of fairness.weak) {
      const steps = stepping([thread], (states) => states);
      conditions.push({
        goal: (within) => this.#each((q) => store.union(store.minus(within.at(q), live[thread]!), steps(within, q))),
        isMetAt: ({ state }) => !store.contains(live[thread]!, state),
        threads: [thread],
        isMetFrom: () => true,
      });
    }
    if (moving !== undefined && moving.length > 0) {
      const steps = stepping(moving, (states) => states);
      conditions.push({
        goal: (within) => this.#each((q) => steps(within, q)),
        isMetAt: never,
        threads: moving,
        isMetFrom: () => true,
      });
    }
    for (const { thread, locations } of fairness.strong) {
      const here = locations === undefined ? [] : [reached.terms.isOneOf(reached.vector.pc(thread), locations)];
      const wanted = reached.keep(reached.filter(live[thread]!, ...here));
      const steps = stepping([thread], (states) => store.intersect(states, wanted));
      conditions.push({
        goal: (within) => this.#each((q) => steps(within, q)),
        isMetAt: never,
        threads: [thread],
        isMetFrom: ({ state }) => store.contains(wanted, state),
        wanted,
      });
    }
    return conditions;
  }

  #starts(): ProductState[] {
    const state = this.#reached.initial();
    return this.#automaton.initial.map((node) => ({ node, state }));
  }

  #each(set: (node: number) => number): ProductSet {
    return new ProductSet(this.#reached, this.#held, this.#nodes.map(set));
  }

  #empty(): ProductSet {
    return this.#each(() => EMPTY);
  }

  #singleton({ node, state }: ProductState): ProductSet {
    const one = this.#reached.store.vector(state);
    return this.#each((q) => (q === node ? one : EMPTY));
  }

  /** A state of one of these sets, given by node; undefined if all are empty. */
  #some(sets: readonly number[]): ProductState | undefined {
    const node = sets.findIndex((set) => set !== EMPTY);
    return node < 0 ? undefined : { node, state: this.#reached.store.first(sets[node]!) };
  }
}

function same(a: ProductState, b: ProductState): boolean {
  return a.node === b.node && sameValues(a.state, b.state);
}

function schedule(prefix: readonly Hop[], loop: readonly Hop[]): SymbolicLasso {
  const moves = (hops: readonly Hop[]) => hops.flatMap(({ from, step }) => (step === undefined ? [] : { from, step }));
  const before = moves(prefix);
  const round = moves(loop);
  const isSame = (a: (typeof before)[number] | undefined, b: typeof a) =>
    a !== undefined && b !== undefined && sameValues(a.from.state, b.from.state) && sameStep(a.step, b.step);
  // The automaton may need a round before it settles; the run is in the loop as soon as its steps repeat.
  while (isSame(before.at(-1), round.at(-1))) {
    round.unshift(round.pop()!);
    before.pop();
  }
  return { steps: [...before, ...round].map(({ step }) => step), loop: before.length };
}

function sameValues(a: readonly number[], b: readonly number[]): boolean {
  return a.every((v, level) => v === b[level]);
}

function sameStep(a: ScheduleStep, b: ScheduleStep): boolean {
  return a.thread === b.thread && a.action === b.action && a.ways.join() === b.ways.join();
}
