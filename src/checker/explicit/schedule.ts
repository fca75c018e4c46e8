import type { TransitionSystem } from "../../spec/transition-system.ts";
import type { ScheduleStep } from "../verdict.ts";
import type { Search } from "./codegen.ts";
import { type Firing, firings } from "./evaluate.ts";
import { type Layout, pack, type StateValues, unpack } from "./layout.ts";
import type { Store } from "./store.ts";
import { type Permutations, permuteState } from "./symmetry.ts";

export function stepOf(firing: Firing, names: readonly number[]): ScheduleStep {
  return { thread: names[firing.thread]!, action: firing.action, ways: firing.ways };
}

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
 * The transitions from the initial state to a stored state, recomputed from the states on the way. Shortest, because a
 * breadth-first search finds each state first over a shortest path.
 *
 * With symmetry the stored states are representatives: each was renamed when it was found. The renamings along the way
 * are undone, so that the schedule is one of the system itself and ends in a state that a renaming makes the stored one.
 */
export function scheduleTo(
  system: TransitionSystem,
  layout: Layout,
  store: Store,
  search: Search,
  permutations: Permutations,
  internal: readonly (readonly boolean[])[],
  state: number,
): Way {
  const steps: ScheduleStep[] = [];
  const words = new Int32Array(layout.words);
  const path = pathTo(store, search.count(), state);
  let names: readonly number[] = permutations.map(-1);
  for (let k = 1; k < path.length; k++) {
    const [parent, at] = [path[k - 1]!, path[k]!];
    let permutation = -1;
    let taken: readonly Firing[] | undefined;
    for (const sequence of transactions(system, internal, unpack(layout, store.states, parent * layout.words))) {
      const { target } = sequence.at(-1)!;
      if (target === undefined) continue;
      pack(layout, target, words, 0);
      permutation = search.canonical(words);
      if (!words.every((word, w) => word === store.states[at * layout.words + w])) continue;
      taken = sequence;
      break;
    }
    if (taken === undefined) throw new Error(`state ${at} is no successor of state ${parent}`);
    for (const firing of taken) steps.push(stepOf(firing, names));
    const renamed: number[] = [];
    permutations.map(permutation).forEach((to, from) => {
      renamed[to] = names[from]!;
    });
    names = renamed;
  }
  const stored = unpack(layout, store.states, state * layout.words);
  return { steps, state: permuteState(system, stored, names), names };
}

/** The states on the way from the initial state to `state`, of `count`. */
function pathTo(store: Store, count: number, state: number): number[] {
  const path = [state];
  let children = count;
  for (let parent = count - 1; path[0] !== 0; parent--) {
    children -= store.links[parent]! >> 1;
    if (path[0]! >= children) path.unshift(parent);
  }
  return path;
}
