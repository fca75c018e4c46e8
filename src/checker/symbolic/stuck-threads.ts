/**
 * Blocked and doomed threads, as sets of reachable states.
 *
 * A thread is blocked where it waits without a right to; it is doomed where it is blocked and in no state reachable
 * over live edges can move or waits with a right to. A doomed thread is settled if nobody on the chain of who waits for
 * whom, from it on, has a live move there.
 */
import type { SysThread, TransitionSystem } from "../../spec/transition-system.ts";
import { isHandler } from "../waiting.ts";
import { EMPTY } from "./list-decision-diagram.ts";
import type { ReachableStates } from "./reachable-states.ts";

export function locationOf(system: TransitionSystem, t: number, location: number) {
  return system.programs[system.threads[t]!.program]!.locations[location]!;
}

export class StuckThreads {
  readonly #reached: ReachableStates;
  readonly #system: TransitionSystem;
  /** Per thread, where it has a live move. */
  readonly live: readonly number[];
  /** Per thread, where it is blocked, where it is doomed. */
  readonly #blocked: readonly number[];
  #doomed: readonly number[] | undefined;
  #unsettled: readonly number[] | undefined;

  constructor(reached: ReachableStates) {
    this.#reached = reached;
    this.#system = reached.vector.system;
    const edges = this.#system.threads.map((_, t) => reached.edges.filter((e) => e.thread === t && !e.optional));
    this.live = edges.map((own) => reached.keep(reached.enabled(own)));
    this.#blocked = this.#system.threads.map((thread, t) => reached.keep(this.#blockedStates(thread, t)));
  }

  /** No thread has a live move and none is blocked. */
  atRest(): number {
    const { store, all } = this.#reached;
    return [...this.live, ...this.#blocked].reduce((rest, set) => store.minus(rest, set), all);
  }

  /** Some thread is doomed. */
  doomed(): number {
    const { store } = this.#reached;
    return this.#doomedSets().reduce((a, b) => store.union(a, b), EMPTY);
  }

  /** Some thread is doomed and settled. */
  settled(): number {
    const { store } = this.#reached;
    let all = EMPTY;
    this.#doomedSets().forEach((doomed, t) => {
      if (doomed !== EMPTY) all = store.union(all, this.#settledStates(doomed, t));
    });
    return all;
  }

  /** The threads that are doomed in a reachable state. */
  doomedIn(state: readonly number[]): number[] {
    return this.#doomedSets().flatMap((set, t) => (this.#reached.store.contains(set, state) ? [t] : []));
  }

  #doomedSets(): readonly number[] {
    this.#doomed ??= this.#blocked.map((blocked, t) => (blocked === EMPTY ? EMPTY : this.#doomedStates(blocked, t)));
    return this.#doomed;
  }

  /**
   * As long as the thread has no live move it stays where it is, so only the states with it there and without a live
   * move matter, and the first one in which it has one or has come to rest.
   */
  #doomedStates(blocked: number, t: number): number {
    const reached = this.#reached;
    const { store, terms, vector } = reached;
    const live = store.union(this.live[t]!, this.#restingStates(t));
    const locations = this.#locations(t).flatMap((_, l) =>
      reached.filter(blocked, terms.isOneOf(vector.pc(t), [l])) === EMPTY ? [] : [l],
    );
    const stays = reached.filter(store.minus(reached.all, live), terms.isOneOf(vector.pc(t), locations));
    return reached.keep(store.minus(blocked, reached.canLeave(stays, live)));
  }

  /** Where the thread waits with a right to. */
  #restingStates(t: number): number {
    const reached = this.#reached;
    const { store, terms, vector } = reached;
    const thread = this.#system.threads[t]!;
    const waiting = store.minus(reached.all, this.live[t]!);
    const runs = thread.keptOff === undefined ? terms.one : terms.not(reached.predicate(thread.keptOff));
    let resting = EMPTY;
    this.#locations(t).forEach((location, l) => {
      if (location.wait?.resting === undefined || (isHandler(thread) && l === thread.initialLocation)) return;
      const here = terms.isOneOf(vector.pc(t), [l]);
      resting = store.union(resting, reached.filter(waiting, here, reached.predicate(location.wait.resting, t), runs));
    });
    return reached.keep(resting);
  }

  #locations(t: number) {
    return this.#system.programs[this.#system.threads[t]!.program]!.locations;
  }

  #blockedStates(thread: SysThread, t: number): number {
    const reached = this.#reached;
    const { store, terms, vector } = reached;
    if (thread.kind === "environment" || thread.kind === "device") return EMPTY;
    const program = this.#system.programs[thread.program]!;
    const waiting = store.minus(reached.all, this.live[t]!);
    const runs = thread.keptOff === undefined ? terms.one : terms.not(reached.predicate(thread.keptOff));
    const plain: number[] = [];
    let blocked = EMPTY;
    program.locations.forEach((location, l) => {
      if (location.ended || (isHandler(thread) && l === thread.initialLocation)) return;
      const resting = location.wait?.resting;
      if (resting === undefined) plain.push(l);
      else {
        const here = terms.isOneOf(vector.pc(t), [l]);
        const owed = terms.not(reached.predicate(resting, t));
        blocked = store.union(blocked, reached.filter(waiting, here, owed, runs));
      }
    });
    return store.union(blocked, reached.filter(waiting, terms.isOneOf(vector.pc(t), plain), runs));
  }

  /** Doomed states of t in which nobody on the chain of waiting from t on has a live move. */
  #settledStates(doomed: number, t: number): number {
    const { store } = this.#reached;
    return store.minus(doomed, this.#leadsToMover(t));
  }

  /**
   * Per thread, the states (among those with a doomed thread) in which it waits for a thread that has a live move, or
   * for one of which this can be said: a least fixed point, because a chain that closes leads to nobody.
   */
  #leadsToMover(t: number): number {
    this.#unsettled ??= this.#unsettledSets();
    return this.#unsettled[t]!;
  }

  #unsettledSets(): readonly number[] {
    const { store } = this.#reached;
    const { threads } = this.#system;
    const doomed = this.doomed();
    const links = threads.map((_, t) => this.#links(doomed, t));
    const sets: number[] = threads.map(() => EMPTY);
    for (let changed = true; changed; ) {
      changed = false;
      links.forEach((held, t) => {
        const next = held.reduce((set, states, h) => {
          const onward = store.intersect(states, store.union(this.live[h]!, sets[h]!));
          return store.union(set, onward);
        }, EMPTY);
        if (next === sets[t]) return;
        sets[t] = this.#reached.keep(next);
        changed = true;
      });
    }
    return sets;
  }

  /** By holder, the states of `among` in which thread t, unless kept off its CPU, waits for that thread. */
  #links(among: number, t: number): number[] {
    const reached = this.#reached;
    const { store, terms, vector } = reached;
    const { threads } = this.#system;
    const thread = threads[t]!;
    const runs = thread.keptOff === undefined ? terms.one : terms.not(reached.predicate(thread.keptOff));
    const held: number[] = threads.map(() => EMPTY);
    this.#locations(t).forEach((location, l) => {
      const holder = location.wait?.holder;
      if (holder === undefined) return;
      const waiting = reached.filter(among, terms.isOneOf(vector.pc(t), [l]), runs);
      if (waiting === EMPTY) return;
      const id = reached.predicate(holder, t);
      threads.forEach((_, h) => {
        if (h === t) return;
        held[h] = store.union(held[h]!, reached.filter(waiting, terms.binary("==", id, terms.constant(h + 1))));
      });
    });
    return held.map((set) => reached.keep(set));
  }
}
