/**
 * Single states in the open: to replay what a solver claims, and to search forward from the few states a solver
 * proposes.
 *
 * Shares nothing with the encoding but the transition system itself, so that a wrong encoding shows as a schedule that
 * does not replay.
 */
import type { TransitionSystem } from "../../spec/transition-system.ts";
import { type Firing, firings } from "../evaluate.ts";
import { initialState, type StateValues } from "../state-values.ts";
import type { ScheduleStep } from "../verdict.ts";

export function stateKey(s: StateValues): string {
  return `${s.pcs.join()};${s.vars.join(" ")};${s.locals.join(" ")}`;
}

/** The values in the order of the state vector of the encoding. */
export function stateVector(system: TransitionSystem, s: StateValues): number[] {
  const stored = system.threads.flatMap((t, i) =>
    (system.programs[t.program]?.locals ?? []).flatMap((l, n) => (l.stored ? [s.locals[i]?.[n] ?? 0] : [])),
  );
  return [...s.vars.flat(), ...s.pcs, ...stored];
}

/** Follows a schedule; undefined where a step is not enabled. The last edge may lead to the error state. */
export function replay(
  system: TransitionSystem,
  steps: readonly ScheduleStep[],
): { readonly state: StateValues; readonly last: Firing | undefined } | undefined {
  let state = initialState(system);
  let last: Firing | undefined;
  for (const step of steps) {
    if (last !== undefined && last.target === undefined) return undefined;
    last = firings(system, state).find(
      (e) =>
        e.thread === step.thread &&
        e.action === step.action &&
        e.ways.length === step.ways.length &&
        e.ways.every((w, i) => w === step.ways[i]),
    );
    if (last === undefined) return undefined;
    state = last.target ?? state;
  }
  return { state, last };
}

export type Reach =
  /** A state that satisfies the goal is reachable. */
  | { readonly found: true }
  | {
      readonly found: false;
      /** An error edge is reachable: what lies behind it is unknown. */
      readonly cut: boolean;
      /** The search was finished. */
      readonly complete: boolean;
    };

/**
 * Searches forward over live edges for a state that satisfies `goal` (which is given the state's firings). States in
 * `good` are known to reach it; those on a path found are added. Gives up after `bound` states.
 */
export function reaches(
  system: TransitionSystem,
  from: StateValues,
  goal: (s: StateValues, out: readonly Firing[]) => boolean,
  good: Set<string>,
  bound: number,
): Reach {
  const parent = new Map<string, string>([[stateKey(from), ""]]);
  const queue: StateValues[] = [from];
  let cut = false;
  for (let next = 0; next < queue.length; next++) {
    const s = queue[next] as StateValues;
    const key = stateKey(s);
    const out = firings(system, s);
    if (good.has(key) || goal(s, out)) {
      for (let k = key; k !== ""; k = parent.get(k) ?? "") good.add(k);
      return { found: true };
    }
    for (const e of out) {
      if (e.optional) continue;
      if (e.target === undefined) {
        cut = true;
        continue;
      }
      const k = stateKey(e.target);
      if (parent.has(k)) continue;
      if (queue.length >= bound) return { found: false, cut, complete: false };
      parent.set(k, key);
      queue.push(e.target);
    }
  }
  return { found: false, cut, complete: true };
}
