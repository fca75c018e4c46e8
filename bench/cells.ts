/**
 * The explicit engine without reductions and the symbolic one on the cells of a protocol, in turns, in a process of
 * their own: `node cells.mjs '{"protocol": …}'` prints a line of JSON a cell. What they say must be the same.
 */
import { check as checkExplicitly } from "../src/checker/explicit/check.ts";
import { check as checkSymbolically } from "../src/checker/symbolic/check.ts";
import type { Exploration, SearchOptions } from "../src/checker/verdict.ts";
import { loadModel } from "../src/load/load-model.ts";
import { lower } from "../src/spec/lowering/lower.ts";
import type { TransitionSystem } from "../src/spec/transition-system.ts";

export interface CellsRequest {
  /** A file. */
  readonly protocol: string;
  readonly runs: number;
  /** Of each search. */
  readonly seconds: number;
  /** Bytes for each search. */
  readonly memory: number;
}

export interface CellReport {
  readonly cell: string;
  readonly states: number | null;
  /** CPU seconds of each run. */
  readonly explicit: readonly number[];
  readonly symbolic: readonly number[];
  /** What the symbolic engine has not decided, with the reason. */
  readonly undecided: readonly string[];
  /** What the engines say differently, though both decide it. */
  readonly different: readonly string[];
}

async function measured(search: () => Exploration | Promise<Exploration>) {
  const before = process.cpuUsage();
  const found = await search();
  const { user, system } = process.cpuUsage(before);
  return { found, cpu: (user + system) / 1e6 };
}

/** A lasso need not be a shortest one; only-cuts verdicts are decided ones. */
function answers(system: TransitionSystem, { states, transitions, cut, outcomes }: Exploration): Map<string, string> {
  const all = new Map([["graph", `${states} states, ${transitions} transitions, cut ${JSON.stringify(cut)}`]]);
  for (const o of outcomes) {
    const lasso = system.properties.some((p) => p.id === o.property && p.check.c === "temporal");
    const steps = o.verdict === "violated" && !lasso ? ` in ${o.schedule.steps.length}` : "";
    all.set(o.property, o.verdict === "violated" ? `violated: ${o.finding.kind}${steps}` : o.verdict);
  }
  return all;
}

const isUndecided = (e: Exploration): string[] =>
  e.outcomes.flatMap((o) => (o.verdict === "inconclusive" && !/only cut edges/.test(o.reason) ? [o.property] : []));

const request: CellsRequest = JSON.parse(process.argv[2] ?? "{}");
const { protocol } = await loadModel(request.protocol);
let warm = false;
for (const { id: scenario } of protocol.scenarios) {
  for (const { id: variant } of protocol.variants) {
    if (!protocol.applies(variant, scenario)) continue;
    for (const switches of protocol.settings(variant, scenario)) {
      const program = protocol.record({ variant, scenario, switches });
      if (program === null) continue;
      const system = lower(program);
      const options: SearchOptions = {
        properties: program.properties.filter((p) => !p.implied).map((p) => p.id),
        reduction: false,
        timeout: request.seconds,
        memory: request.memory,
        workers: 1,
      };
      const explicit: number[] = [];
      const symbolic: number[] = [];
      let report: Omit<CellReport, "explicit" | "symbolic"> | undefined;
      // The engines themselves are compiled in the first cell, once more than measured.
      for (let run = warm ? 0 : -1; run < request.runs; run++) {
        const expected = await measured(() => checkExplicitly(system, options));
        const found = await measured(() => checkSymbolically(system, options));
        if (run < 0) continue;
        explicit.push(expected.cpu);
        symbolic.push(found.cpu);
        const undecided = isUndecided(found.found);
        const open = new Set([...undecided, ...isUndecided(expected.found)]);
        if (!found.found.complete || !expected.found.complete) open.add("graph");
        const theirs = answers(system, expected.found);
        const ours = answers(system, found.found);
        const different = [...theirs].flatMap(([what, said]) =>
          open.has(what) || ours.get(what) === said ? [] : [`${what}: ${said} / ${ours.get(what)}`],
        );
        const reasons = found.found.outcomes.flatMap((o) =>
          o.verdict === "inconclusive" && undecided.includes(o.property) ? [`${o.property}: ${o.reason}`] : [],
        );
        const set = Object.values(switches).length === 0 ? "" : ` ${JSON.stringify(switches)}`;
        report = {
          cell: `${variant} ${scenario}${set}`,
          states: expected.found.states,
          undecided: reasons,
          different,
        };
      }
      warm = true;
      process.stdout.write(`${JSON.stringify({ ...report, explicit, symbolic } satisfies Partial<CellReport>)}\n`);
    }
  }
}
