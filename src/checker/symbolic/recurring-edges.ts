/**
 * The edges that may lie on a cycle. On a cycle of the system every thread comes back to its location, so an edge that
 * leads a thread to where no way goes back, by its own edges, lies on none: a thread that does its work once cannot move
 * in a loop at all. Only the locations of one thread are looked at, so more edges may be left than need be.
 */
import type { SysCode, TransitionSystem } from "../../spec/transition-system.ts";
import type { Edge } from "./learned-edges.ts";

/** @param edges All that are enabled in some reachable state. */
export function recurringEdges(system: TransitionSystem, edges: readonly Edge[]): Edge[] {
  return system.threads.flatMap(({ program }, thread) => {
    const { locations } = system.programs[program]!;
    const own = edges.filter((e) => e.thread === thread && !e.error);
    const targets = new Map<Edge, readonly number[]>(
      own.map((e) => [e, targetsOf(locations[e.location]!.actions[e.action]!.code)]),
    );
    const successors = locations.map(() => new Set<number>());
    for (const [{ location }, list] of targets) for (const to of list) successors[location]!.add(to);
    const reached = new Map<number, ReadonlySet<number>>();
    const reachedFrom = (start: number): ReadonlySet<number> => {
      const known = reached.get(start);
      if (known !== undefined) return known;
      const all = new Set([start]);
      // A set goes on over what is added to it on the way.
      for (const at of all) for (const to of successors[at]!) all.add(to);
      reached.set(start, all);
      return all;
    };
    return own.filter((e) => targets.get(e)!.some((to) => reachedFrom(to).has(e.location)));
  });
}

/** The locations at which a step may end. */
function targetsOf({ end }: SysCode): number[] {
  switch (end.k) {
    case "goto":
      return [end.location];
    case "error":
      return [];
    case "if":
      return [...targetsOf(end.then), ...targetsOf(end.else)];
    case "choose":
      return end.ways.flatMap(({ code }) => targetsOf(code));
  }
}
