import type { SearchOptions } from "../../src/checker/verdict.ts";
import type { TransitionSystem } from "../../src/spec/transition-system.ts";

/** All that a system asks, by one thread, over the whole graph and without a limit, but for what is said otherwise. */
export function everything(system: TransitionSystem, otherwise: Partial<SearchOptions> = {}): SearchOptions {
  return {
    properties: system.properties.map((p) => p.id),
    reduction: false,
    timeout: Number.POSITIVE_INFINITY,
    memory: Number.POSITIVE_INFINITY,
    workers: 1,
    ...otherwise,
  };
}
