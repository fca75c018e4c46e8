/**
 * `auto`: which engines a run goes through, and for which properties.
 *
 * The explicit search is fastest on what fits a small table, and its schedules are shortest; most protocols end there.
 * What it leaves undecided because its table was full, or its share of the time was over, goes to the symbolic engine,
 * which is not bound to the number of states. Where that runs out of its budgets too, the explicit search gets all the
 * memory there is. Each verdict says which engine it is of and what was tried before.
 */
import type { Program } from "../spec/program.ts";
import { runEngine } from "./engine.ts";
import { ONLY_CUT_EDGES } from "./expectation.ts";
import type { Exploration, Outcome, SearchOptions } from "./verdict.ts";

/** Bytes of the first explicit search: some tens of millions of states, some tens of seconds. */
export const FIRST_SEARCH = 2 ** 29;

/** Seconds of the symbolic engine where the run has no limit; the explicit search may still follow. */
const SYMBOLIC_SECONDS = 600;

/**
 * Decides the properties asked for, each of which is among the outcomes of exactly one of the explorations. A run with
 * a checkpoint, or one that stores fingerprints, is one explicit search, since that is what these are of.
 *
 * @param firstSearch Bytes of the first explicit search.
 */
export async function exploreWithBest(
  program: Program,
  options: SearchOptions,
  firstSearch: number = FIRST_SEARCH,
): Promise<Exploration[]> {
  if (options.checkpoint !== undefined || options.storage === "fingerprints")
    return [await runEngine("explicit", program, options)];
  const started = performance.now();
  const left = () => Math.max(0, options.timeout - (performance.now() - started) / 1000);
  const first = await runEngine("explicit", program, {
    ...options,
    memory: Math.min(options.memory, firstSearch),
    timeout: left() / 2,
  });
  const open = first.outcomes.filter(isOutOfBudget);
  if (open.length === 0) return [first];

  const why = new Map(open.map((o) => [o.property, `explicit search: ${o.reason}`]));
  // Half the time was not enough, so what is left is not either; a larger table may be.
  const more = options.memory > firstSearch && open.some((o) => o.reason.includes("memory ran out"));
  const share = more ? left() / 2 : left();
  const second = await runEngine("symbolic", program, {
    ...options,
    properties: open.map((o) => o.property),
    timeout: Math.min(share, SYMBOLIC_SECONDS),
  });
  const isOpen = new Set(second.outcomes.filter(isOutOfBudget).map((o) => o.property));
  const decided = second.outcomes.filter((o) => !isOpen.has(o.property));
  const explorations = [
    { ...first, outcomes: first.outcomes.filter((o) => !why.has(o.property)) },
    { ...second, method: after(second.method, [...why.values()]), outcomes: decided },
  ];
  if (isOpen.size > 0) {
    for (const o of second.outcomes) {
      if (isOutOfBudget(o)) why.set(o.property, `${why.get(o.property)}; symbolic engine: ${o.reason}`);
    }
    const last = more
      ? await runEngine("explicit", program, { ...options, properties: [...isOpen], timeout: left() })
      : { ...first, outcomes: open.filter((o) => isOpen.has(o.property)) };
    const outcomes = last.outcomes.map((o): Outcome => {
      if (!isOutOfBudget(o)) return o;
      const before = why.get(o.property)!;
      return { ...o, reason: more ? `${o.reason}; before, ${before}` : before };
    });
    const tried = [...isOpen].map((property) => why.get(property)!);
    explorations.push({ ...last, method: more ? after(last.method, tried) : last.method, outcomes });
  }
  return explorations.filter((e) => e.outcomes.length > 0);
}

type Undecided = Extract<Outcome, { verdict: "inconclusive" }>;

/** Undecided, but not because of the model or of cut edges: another engine, or a larger budget, might know. */
function isOutOfBudget(o: Outcome): o is Undecided {
  return o.verdict === "inconclusive" && o.finding === undefined && !o.reason.startsWith(ONLY_CUT_EDGES);
}

function after(method: string, tried: readonly string[]): string {
  return `${method}, after ${[...new Set(tried)].join("; ")}`;
}
