import type { TransitionSystem } from "../../spec/transition-system.ts";
import { type Firing, firings, stepOf } from "../evaluate.ts";
import type { StateValues } from "../state-values.ts";
import { permuteState } from "../symmetry.ts";
import type { ScheduleStep } from "../verdict.ts";
import type { Discovery, Path } from "./discovery.ts";
import { type Layout, pack } from "./layout.ts";

/**
 * The firings that make up each transition the search took out of a state: one, or several of the same thread where
 * internal steps follow.
 */
export function* transactions(
  system: TransitionSystem,
  internal: readonly (readonly boolean[])[],
  state: StateValues,
): Generator<readonly Firing[]> {
  for (const first of firings(system, state)) {
    const steps = [first];
    yield [...steps];
    for (let at = first.target; at !== undefined && internal[first.thread]?.[at.pcs[first.thread]!]; ) {
      const next = firings(system, at).filter((f) => f.thread === first.thread);
      for (const firing of next) yield [...steps, firing];
      if (next.length !== 1) break;
      steps.push(next[0]!);
      at = next[0]!.target;
    }
  }
}

/** A schedule and where it ends. */
export interface Way {
  readonly steps: ScheduleStep[];
  /** The state really reached. */
  readonly state: StateValues;
  /** Thread of the stored state -> thread of the state really reached. */
  readonly names: readonly number[];
}

/**
 * The transitions from the initial state to a stored state, recomputed from the states on the way.
 *
 * With symmetry the stored states are representatives: each was renamed when it was found. The renamings along the way
 * are undone, so that the schedule is one of the system itself and ends in a state that a renaming makes the stored one.
 */
export function scheduleTo(
  system: TransitionSystem,
  layout: Layout,
  found: Pick<Discovery, "words" | "values" | "canonical">,
  internal: readonly (readonly boolean[])[],
  path: Path,
): Way {
  const steps: ScheduleStep[] = [];
  const words = new Int32Array(layout.words);
  let names: readonly number[] = system.threads.map((_, t) => t);
  for (let k = 1; k < path.length; k++) {
    const [parent, at] = [path[k - 1]!, path[k]!];
    const wanted = found.words(at);
    let renaming: readonly number[] | undefined;
    let taken: readonly Firing[] | undefined;
    for (const sequence of transactions(system, internal, found.values(parent))) {
      const { target } = sequence.at(-1)!;
      if (target === undefined) continue;
      pack(layout, target, words, 0);
      renaming = found.canonical(words);
      if (!words.every((word, w) => word === wanted[w])) continue;
      taken = sequence;
      break;
    }
    if (taken === undefined) throw new Error(`state ${at} is no successor of state ${parent}`);
    for (const firing of taken) steps.push(stepOf(firing, names));
    const renamed: number[] = [];
    renaming?.forEach((to, from) => {
      renamed[to] = names[from]!;
    });
    if (renaming !== undefined) names = renamed;
  }
  return { steps, state: permuteState(system, found.values(path.at(-1)!), names), names };
}
