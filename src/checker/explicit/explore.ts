/** One search, from the question to the outcomes. */
import type { TransitionSystem } from "../../spec/transition-system.ts";
import type { Exploration, SearchOptions } from "../verdict.ts";
import { ask } from "./asked.ts";
import { BreadthFirst } from "./breadth-first.ts";
import { Clock } from "./clock.ts";
import { decide } from "./decide.ts";
import { cutEdges, type Discovery } from "./discovery.ts";
import type { Plan } from "./plan.ts";
import { namesOf } from "./reductions.ts";
import { FINGERPRINT_BITS } from "./table-code.ts";

/** What it finds with transactions is true, but a shorter schedule may exist whatever it says. */
export async function explore(system: TransitionSystem, options: SearchOptions, plan: Plan): Promise<Exploration> {
  const clock = new Clock(options);
  const asked = ask(system, options, plan);
  const search = new BreadthFirst(asked, options, plan, clock);
  try {
    const stop = await search.run();
    const { found } = search;
    const depth = depthOf(system, found);
    const cut = cutEdges(system, found);
    const errors = Object.values(cut).reduce((a, b) => a + b, 0);
    const states = found.count + (errors > 0 ? 1 : 0);
    const transitions = found.transitions + errors;
    const outcomes = await decide(asked, search, stop, options, clock);
    const { layout, reductions, lossy } = asked;
    if (stop === undefined && found === search.sequential) {
      plan.inspect?.({ search: search.sequential, layout, reductions });
    }
    return {
      engine: "explicit",
      method: lossy ? `bfs, ${FINGERPRINT_BITS}-bit fingerprints` : "bfs",
      // A state may have been taken for another one.
      complete: stop === undefined && !lossy,
      states,
      transitions,
      depth,
      seconds: clock.seconds,
      reductions: namesOf(reductions),
      ...(reductions.off.length > 0 && { reductionsOff: reductions.off }),
      cut,
      outcomes,
    };
  } finally {
    await search.close();
  }
}

/** Greatest distance from the initial state, that of the error state included. */
function depthOf(system: TransitionSystem, found: Discovery): number {
  const errors = system.findings.flatMap((finding, f) => {
    const level = found.levelOfFinding(f);
    return finding.error && level !== undefined && found.errors(f) > 0 ? [level + 1] : [];
  });
  return errors.length === 0 ? found.depth : Math.max(found.depth, Math.min(...errors));
}
