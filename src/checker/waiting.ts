/**
 * Who waits in a state, and for whom: the same question for every engine that looks at single states. What can move in the
 * state is given as its firings.
 */
import type { SysThread, TransitionSystem } from "../spec/transition-system.ts";
import { evaluate, type Firing } from "./evaluate.ts";
import type { StateValues } from "./state-values.ts";

export function isHandler({ kind }: Pick<SysThread, "kind">): boolean {
  return kind === "hardirq" || kind === "softirq";
}

/** Threads with a live move. */
export function moversOf(out: readonly Firing[]): ReadonlySet<number> {
  return new Set(out.flatMap((f) => (f.optional ? [] : [f.thread])));
}

function locationOf(system: TransitionSystem, state: StateValues, t: number) {
  return system.programs[system.threads[t]!.program]!.locations[state.pcs[t]!]!;
}

/** What thread t waits for where it stands, unless it can move. */
export function waitOf(system: TransitionSystem, state: StateValues, t: number) {
  return locationOf(system, state, t).wait;
}

/** The thread that holds what thread t waits for; -1: nobody in particular. */
export function holderOf(system: TransitionSystem, state: StateValues, t: number): number {
  const holder = waitOf(system, state, t)?.holder;
  return holder === undefined ? -1 : evaluate(holder, state, t) - 1;
}

/** A handler that is between two runs waits for nothing. */
function isBetweenRuns(system: TransitionSystem, state: StateValues, t: number): boolean {
  const thread = system.threads[t]!;
  if (!isHandler(thread)) return false;
  return state.pcs[t] === thread.initialLocation || locationOf(system, state, t).ended;
}

function isKeptOff(system: TransitionSystem, state: StateValues, t: number): boolean {
  const { keptOff } = system.threads[t]!;
  return keptOff !== undefined && evaluate(keptOff, state, t) !== 0;
}

function hasRightToWait(system: TransitionSystem, state: StateValues, t: number): boolean {
  const resting = waitOf(system, state, t)?.resting;
  return resting !== undefined && evaluate(resting, state, t) !== 0;
}

/** Thread t, which has no live move, waits with a right to. */
export function isResting(system: TransitionSystem, state: StateValues, t: number): boolean {
  if (isBetweenRuns(system, state, t) || isKeptOff(system, state, t)) return false;
  return hasRightToWait(system, state, t);
}

/**
 * The threads that are blocked in a state.
 *
 * @param anyway Count also those that would be, were they not kept off their CPU.
 */
export function blockedThreads(
  system: TransitionSystem,
  state: StateValues,
  out: readonly Firing[],
  anyway = false,
): number[] {
  const movers = moversOf(out);
  return system.threads.flatMap(({ kind }, t) => {
    if (kind === "environment" || kind === "device" || movers.has(t)) return [];
    if (locationOf(system, state, t).ended || isBetweenRuns(system, state, t)) return [];
    if (hasRightToWait(system, state, t)) return [];
    return !anyway && isKeptOff(system, state, t) ? [] : [t];
  });
}

/** Nobody on the chain of who waits for whom, from a thread on, has a live move. */
export function isSettled(
  system: TransitionSystem,
  state: StateValues,
  first: number,
  movers: ReadonlySet<number>,
): boolean {
  const seen = new Set<number>();
  for (let t = first; t >= 0 && !seen.has(t); t = holderOf(system, state, t)) {
    if (movers.has(t)) return false;
    seen.add(t);
    // Who is kept off his CPU waits for that first.
    if (isKeptOff(system, state, t)) return true;
  }
  return true;
}
