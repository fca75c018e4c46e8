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
  state: number,
): Way {
  const steps: ScheduleStep[] = [];
  const words = new Int32Array(layout.words);
  const path = pathTo(store, search.count(), state);
  let names: readonly number[] = permutations.map(-1);
  for (let k = 1; k < path.length; k++) {
    const [parent, at] = [path[k - 1]!, path[k]!];
    let permutation = -1;
    const firing = firings(system, unpack(layout, store.states, parent * layout.words)).find((f) => {
      if (f.target === undefined) return false;
      pack(layout, f.target, words, 0);
      permutation = search.canonical(words);
      return words.every((word, w) => word === store.states[at * layout.words + w]);
    });
    if (firing === undefined) throw new Error(`state ${at} is no successor of state ${parent}`);
    steps.push(stepOf(firing, names));
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
