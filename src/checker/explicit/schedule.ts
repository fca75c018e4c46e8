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
export function scheduleTo(system: TransitionSystem, layout: Layout, store: Store, state: number): ScheduleStep[] {
  const steps: ScheduleStep[] = [];
  const words = new Int32Array(layout.words);
  for (let at = state; at > 0; ) {
    const link = store.parents[at]!;
    const parent = link < 0 ? ~link : link;
    const firing = firings(system, unpack(layout, store.states, parent * layout.words)).find((f) => {
      if (f.target === undefined) return false;
      pack(layout, f.target, words, 0);
      return words.every((word, k) => word === store.states[at * layout.words + k]);
    });
    if (firing === undefined) throw new Error(`state ${at} is no successor of state ${parent}`);
    steps.push(stepOf(firing));
    at = parent;
  }
  return steps.reverse();
}
