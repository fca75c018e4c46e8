/**
 * The explicit-state engine: breadth-first search over the compiled transition system.
 *
 * Exact: every reachable state is stored in full, so `holds` is never the luck of a hash. Where fingerprints are stored
 * instead, on request, nothing holds.
 */
import type { TransitionSystem } from "../../spec/transition-system.ts";
import type { Exploration, Outcome, SearchOptions } from "../verdict.ts";
import { Clock } from "./clock.ts";
import { BROKEN } from "./decide.ts";
import { explore } from "./explore.ts";
import type { Plan } from "./plan.ts";
import { searches } from "./searches.ts";

/** A search that looks for shorter schedules may find so many states, or so many times as many as the first found. */
const STATES_AGAIN = 200_000;
const TIMES_AGAIN = 10;

/**
 * Explores the system breadth-first and decides the properties asked for.
 *
 * Yields to the event loop several times a second. A budget that runs out makes undecided properties inconclusive;
 * all it throws is a CheckpointError, for a checkpoint it cannot go on from. With `reduction` off the whole graph is counted even after violations.
 *
 * Properties that no reduction tells apart are decided in one search. The counts are those of the first one.
 */
export async function check(system: TransitionSystem, options: SearchOptions): Promise<Exploration> {
  const clock = new Clock(options);
  const remaining = (properties: readonly string[]): SearchOptions => ({
    ...options,
    properties,
    timeout: Math.max(0, options.timeout - clock.seconds),
    checkpoint: undefined,
  });
  const explorations: Exploration[] = [];
  for (const { properties, reductions } of searches(system, options)) {
    const own = explorations.length === 0 ? { ...options, properties } : remaining(properties);
    explorations.push(await explore(system, own, { transactions: options.reduction, reductions }));
  }
  const first = explorations[0]!;
  const found = explorations.flatMap((e) => e.outcomes.map((o) => withReductions(o, e, first)));
  const lookAgain = async (which: readonly Outcome[], reduction: boolean, plan: Plan): Promise<readonly Outcome[]> => {
    if (which.length === 0) return [];
    return (await explore(system, { ...remaining(which.map((o) => o.property)), reduction }, plan)).outcomes;
  };
  // Transactions count as one step, so a shorter schedule may exist: look again without them, within reason.
  const longer = found.filter(
    (o) => o.verdict === "violated" && (o.reductions ?? first.reductions).includes("transactions"),
  );
  const states = Math.max(STATES_AGAIN, TIMES_AGAIN * (first.states ?? 0));
  const shorter = await lookAgain(longer, options.reduction, { transactions: false, states });
  const broken = found.filter((o) => o.verdict === "inconclusive" && o.reason === BROKEN);
  const lassos = await lookAgain(broken, false, { transactions: false });
  const again = (seen: readonly Outcome[], { property }: Outcome) => seen.find((o) => o.property === property);
  const outcomes = found.map((o): Outcome => {
    if (broken.includes(o)) return withLasso(o, again(lassos, o)!);
    return longer.includes(o) ? withShorter(o, again(shorter, o)) : o;
  });
  const inOrder = (o: Outcome) => {
    const place = system.properties.findIndex((p) => p.id === o.property);
    return place < 0 ? system.properties.length : place;
  };
  return { ...first, outcomes: outcomes.sort((a, b) => inOrder(a) - inOrder(b)), seconds: clock.seconds };
}

/** An outcome with the reductions of its search, where they are not those of the first one. */
function withReductions(outcome: Outcome, its: Exploration, first: Exploration): Outcome {
  const { reductions, reductionsOff = [] } = its;
  const differ = (a: unknown, b: unknown) => JSON.stringify(a) !== JSON.stringify(b);
  return {
    ...outcome,
    ...(differ(reductions, first.reductions) && { reductions }),
    ...(differ(reductionsOff, first.reductionsOff ?? []) && { reductionsOff }),
  };
}

/** What is said of its reductions is said of the search that decided, not of the one that looked again. */
function keepReductions({ reductions, reductionsOff }: Outcome): Pick<Outcome, "reductions" | "reductionsOff"> {
  return { ...(reductions && { reductions }), ...(reductionsOff && { reductionsOff }) };
}

/** A violation found with transactions, in its shortest form if the search without them found one. */
function withShorter(found: Outcome, again: Outcome | undefined): Outcome {
  if (found.verdict !== "violated") return found;
  if (again?.verdict !== "violated" || !again.depthExact) return { ...found, depthExact: false };
  return { ...again, ...keepReductions(found) };
}

/** A temporal property that some run breaks, with the run, which only the search without reductions shows. */
function withLasso(found: Outcome, again: Outcome): Outcome {
  const kept = keepReductions(found);
  if (again.verdict === "violated") return { ...again, ...kept };
  if (again.verdict === "inconclusive") {
    const reason = `${BROKEN}: ${again.reason}`;
    return { property: again.property, verdict: "inconclusive", reason, ...kept };
  }
  throw new Error(`a fair run breaks ${found.property} with reductions, and without them it ${again.verdict}`);
}
