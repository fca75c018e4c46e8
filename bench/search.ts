/**
 * One search in a process of its own: `node search.mjs '{"system": …}'` prints what it found and what it cost as JSON.
 */
import { explore } from "../src/checker/explicit/explore.ts";
import { check as checkSymbolically } from "../src/checker/symbolic/check.ts";
import type { Exploration, SearchOptions } from "../src/checker/verdict.ts";
import type { TransitionSystem } from "../src/spec/transition-system.ts";
import { asymmetricPhilosophers, endlessLoop, ioctlFinishes, releasedAgain } from "./endless-systems.ts";
import { loopSystem, philosophers } from "./loop-system.ts";

const SYSTEMS = {
  loop: loopSystem,
  philosophers,
  endlessLoop,
  releasedAgain,
  ioctlFinishes,
  asymmetricPhilosophers,
} satisfies Record<string, (...sizes: [number, number, number]) => TransitionSystem>;

export interface SearchRequest {
  readonly system: keyof typeof SYSTEMS;
  readonly sizes: readonly number[];
  /** `explicit`: the exact graph; `symmetry`: its orbits; `reduced`: with all reductions. */
  readonly engine: "explicit" | "symmetry" | "reduced" | "symbolic";
  /** Threads of the search; default: 1. */
  readonly workers?: number;
  /** Ids of properties; absent: all the system has. */
  readonly properties?: readonly string[];
}

export interface SearchReport {
  readonly states: string;
  readonly transitions: string;
  readonly complete: boolean;
  readonly verdicts: Readonly<Record<string, string>>;
  readonly reductions: readonly string[];
  /** CPU seconds of the process during the search, compilation of the generated code included. */
  readonly cpu: number;
  readonly wall: number;
  /** Bytes of resident memory the search added at most. */
  readonly memory: number;
}

function search(
  system: TransitionSystem,
  { engine, properties, workers = 1 }: SearchRequest,
): Promise<Exploration> | Exploration {
  const options: SearchOptions = {
    properties: properties ?? system.properties.map((p) => p.id),
    reduction: engine === "symmetry" || engine === "reduced",
    timeout: Number.POSITIVE_INFINITY,
    memory: Number.POSITIVE_INFINITY,
    workers,
  };
  if (engine === "symbolic") return checkSymbolically(system, options);
  return explore(system, options, { transactions: engine === "reduced" });
}

/** Beyond 2^53 the exact number is only in the words of the method. */
function exact(n: number | null, what: string, method: string): string {
  return n === null ? (new RegExp(`(\\d+) ${what}`).exec(method)?.[1] ?? "?") : String(n);
}

const request: SearchRequest = JSON.parse(process.argv[2] ?? "{}");
const [a = 0, b = 0, c = 0] = request.sizes;
const system = SYSTEMS[request.system](a, b, c);
const before = process.memoryUsage.rss();
const cpuBefore = process.cpuUsage();
const started = performance.now();
const found = await search(system, request);
const wall = (performance.now() - started) / 1000;
const cpu = process.cpuUsage(cpuBefore);
const report: SearchReport = {
  states: exact(found.states, "states", found.method),
  transitions: exact(found.transitions, "transitions", found.method),
  complete: found.complete,
  verdicts: Object.fromEntries(found.outcomes.map((o) => [o.property, o.verdict])),
  reductions: found.reductions,
  cpu: (cpu.user + cpu.system) / 1e6,
  wall,
  memory: process.resourceUsage().maxRSS * 1024 - before,
};
process.stdout.write(`${JSON.stringify(report)}\n`);
