/**
 * Blocked and doomed threads, as sets of reachable states.
 *
 * A thread is blocked where it waits without a right to; it is doomed where it is blocked and in no state reachable
 * over live edges can move or waits with a right to. A doomed thread is settled if it waits for nobody in particular or for a thread that has no
 * live move there.
 */
import type { SysThread, TransitionSystem } from "../../spec/transition-system.ts";
import { EMPTY } from "./list-decision-diagram.ts";
import type { ReachableStates } from "./reachable-states.ts";

export function isHandler(thread: SysThread): boolean {
  return thread.kind === "hardirq" || thread.kind === "softirq";
}

export function locationOf(system: TransitionSystem, t: number, location: number) {
  return system.programs[system.threads[t]!.program]!.locations[location]!;
}

export class StuckThreads {
  readonly #reached: ReachableStates;
  readonly #system: TransitionSystem;
  /** Per thread, where it has a live move, where it is blocked, where it is doomed. */
  readonly #live: readonly number[];
  readonly #blocked: readonly number[];
  #doomed: readonly number[] | undefined;

  constructor(reached: ReachableStates) {
    this.#reached = reached;
    this.#system = reached.vector.system;
    const edges = this.#system.threads.map((_, t) => reached.edges.filter((e) => e.thread === t && !e.optional));
    this.#live = edges.map((own) => reached.keep(reached.enabled(own)));
    this.#blocked = this.#system.threads.map((thread, t) => reached.keep(this.#blockedStates(thread, t)));
  }

  /** No thread has a live move and none is blocked. */
  atRest(): number {
    const { store, all } = this.#reached;
    return [...this.#live, ...this.#blocked].reduce((rest, set) => store.minus(rest, set), all);
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
    const live = store.union(this.#live[t]!, this.#restingStates(t));
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
    const waiting = store.minus(reached.all, this.#live[t]!);
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
    const waiting = store.minus(reached.all, this.#live[t]!);
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

  #settledStates(doomed: number, t: number): number {
    const reached = this.#reached;
    const { store, terms, vector } = reached;
    const { threads, programs } = this.#system;
    const unheld: number[] = [];
    let settled = EMPTY;
    programs[threads[t]!.program]!.locations.forEach((location, l) => {
      const holder = location.wait?.holder;
      if (holder === undefined) {
        unheld.push(l);
        return;
      }
      const here = terms.isOneOf(vector.pc(t), [l]);
      const waiting = reached.filter(doomed, here);
      if (waiting === EMPTY) return;
      const id = reached.predicate(holder, t);
      settled = store.union(settled, waiting);
      threads.forEach((_, h) => {
        const held = reached.filter(waiting, terms.binary("==", id, terms.constant(h + 1)));
        settled = store.minus(settled, store.intersect(held, this.#live[h]!));
      });
    });
    return store.union(settled, reached.filter(doomed, terms.isOneOf(vector.pc(t), unheld)));
  }
}
