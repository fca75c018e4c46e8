import type { TransitionSystem } from "../../spec/transition-system.ts";
import type { ScheduleStep } from "../verdict.ts";
import { type Firing, firings } from "./evaluate.ts";
import { type Layout, pack, unpack } from "./layout.ts";
import type { Store } from "./store.ts";

export function stepOf(firing: Firing): ScheduleStep {
  return { thread: firing.thread, action: firing.action, ways: firing.ways };
}

/**
 * The transitions from the initial state to a state, recomputed from the states on the way. Shortest, because a
 * breadth-first search finds each state first over a shortest path.
 */
export function scheduleTo(
  system: TransitionSystem,
  layout: Layout,
  store: Store,
  count: number,
  state: number,
): ScheduleStep[] {
  const steps: ScheduleStep[] = [];
  const words = new Int32Array(layout.words);
  const path = pathTo(store, count, state);
  for (let k = 1; k < path.length; k++) {
    const [parent, at] = [path[k - 1]!, path[k]!];
    const firing = firings(system, unpack(layout, store.states, parent * layout.words)).find((f) => {
      if (f.target === undefined) return false;
      pack(layout, f.target, words, 0);
      return words.every((word, k) => word === store.states[at * layout.words + k]);
    });
    if (firing === undefined) throw new Error(`state ${at} is no successor of state ${parent}`);
    steps.push(stepOf(firing));
  }
  return steps;
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
