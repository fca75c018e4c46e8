/** What is measured side by side: a tool with its model, from the source to the verdict. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import type { CellReport, CellsRequest } from "./cells.ts";
import { type Command, type Cost, measure } from "./measured-process.ts";
import type { SearchReport, SearchRequest } from "./search.ts";

export interface Result {
  readonly states: bigint;
  /** As the tool counts them; SPIN counts the initial state as one more, which is taken off. */
  readonly transitions: bigint;
  readonly verdict: string;
  /** CPU seconds of the search alone. */
  readonly cpu: number;
  /** Wall seconds of the search alone. */
  readonly searchWall: number;
  /** Bytes of resident memory that the search took at most. */
  readonly memory: number;
  /** Wall seconds from the source to the verdict: translation, compilation, search. */
  readonly wall: number;
}

export interface Contender {
  readonly name: string;
  /** The commands, as one would type them. */
  readonly commands: readonly string[];
  run(): Result;
}

/** Where things are. */
export interface Place {
  readonly root: string;
  /** Of the bundles; models and programs are made in directories below. */
  readonly directory: string;
}

const shown = (commands: readonly Command[]): string[] => commands.map((c) => c.join(" "));

function number(pattern: RegExp, text: string): bigint {
  const found = pattern.exec(text)?.[1];
  if (found === undefined) throw new Error(`no ${pattern} in:\n${text}`);
  return BigInt(found);
}

/** Runs the stages in a fresh directory; the last one is the search. */
function stages(place: Place, commands: readonly Command[], files: Readonly<Record<string, string>>) {
  const directory = join(place.directory, "stages");
  mkdirSync(directory, { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
  const costs = commands.map((command) => measure(directory, command));
  return { search: costs.at(-1) as Cost, wall: costs.reduce((sum, c) => sum + c.wall, 0) };
}

const peer = (place: Place, name: string): string => readFileSync(join(place.root, "bench", "peers", name), "utf8");

/** Slots of a hash table as a power of two: twice as many as states, which is fast and not wasteful. */
const log2Slots = (states: number): number => Math.ceil(Math.log2(2 * states));

/** pan writes numbers with eight digits: the sum is rounded sooner than what it is the sum of. */
function panTransitions(stdout: string): bigint {
  if (/^ *\d+ transitions/m.test(stdout)) return number(/^ *(\d+) transitions/m, stdout);
  return number(/^ *(\d+) states, stored$/m, stdout) + number(/^ *(\d+) states, matched/m, stdout);
}

export interface SpinModel {
  /** Text of the model, or the name of a file in peers/. */
  readonly model: string;
  readonly text?: string;
  readonly defines: readonly string[];
  /** As far as one knows beforehand: for the sizes of pan's tables. */
  readonly states: number;
  readonly depth: number;
}

/** SPIN: `flags` go to the compiler and to pan. */
export function spin(
  place: Place,
  name: string,
  { model, text, defines, states, depth }: SpinModel,
  flags: { spin?: readonly string[]; cc: readonly string[]; pan?: readonly string[] },
): Contender {
  const commands: Command[] = [
    ["spin", "-a", ...(flags.spin ?? ["-o3"]), ...defines.map((d) => `-D${d}`), model],
    ["cc", "-w", ...flags.cc, "-DMEMLIM=16000", "-o", "pan", "pan.c"],
    ["./pan", `-m${depth}`, `-w${log2Slots(states)}`, "-n", ...(flags.pan ?? [])],
  ];
  return {
    name,
    commands: shown(commands),
    run() {
      const { search, wall } = stages(place, commands, { [model]: text ?? peer(place, model) });
      const { stdout, cpu, memory, wall: searchWall } = search;
      if (/max search depth too small/.test(stdout)) throw new Error(`${name}: -m${depth} is too small`);
      return {
        states: number(/(\d+) states, stored/, stdout),
        transitions: panTransitions(stdout) - 1n,
        verdict: number(/errors: (\d+)/, stdout) === 0n ? "holds" : "violated",
        cpu,
        searchWall,
        memory,
        wall,
      };
    },
  };
}

/** rumur, which writes a C program as well. */
export function rumur(
  place: Place,
  name: string,
  model: string,
  constants: Readonly<Record<string, number>>,
  symmetry: boolean,
): Contender {
  const file = model.replace(/\.in$/, "");
  const reduction = symmetry ? "heuristic" : "off";
  const commands: Command[] = [
    [
      "rumur",
      "--threads=1",
      `--symmetry-reduction=${reduction}`,
      "--deadlock-detection=off",
      "--counterexample-trace=off",
      "--output=verifier.c",
      file,
    ],
    ["cc", "-w", "-O3", "-march=native", "-o", "verifier", "verifier.c", "-lpthread"],
    ["./verifier"],
  ];
  return {
    name,
    commands: shown(commands),
    run() {
      let text = peer(place, model);
      for (const [constant, value] of Object.entries(constants)) text = text.replaceAll(`@${constant}@`, String(value));
      const { search, wall } = stages(place, commands, { [file]: text });
      const { stdout, cpu, memory, wall: searchWall } = search;
      return {
        states: number(/(\d+) states, \d+ rules fired/, stdout),
        transitions: number(/states, (\d+) rules fired/, stdout),
        verdict: /No error found/.test(stdout) ? "holds" : "violated",
        cpu,
        searchWall,
        memory,
        wall,
      };
    },
  };
}

/** The hand-written C++ search of the loop protocol. */
export function ceiling(place: Place, [n, m, r]: readonly number[], states: number): Contender {
  const commands: Command[] = [
    ["c++", "-O3", "-march=native", `-DN=${n}`, `-DM=${m}`, `-DR=${r}`, "-o", "ceiling", "ceiling.cpp"],
    ["./ceiling", String(Math.ceil(Math.log2(1.25 * states)))],
  ];
  return {
    name: "hand-written C++",
    commands: shown(commands),
    run() {
      const { search, wall } = stages(place, commands, { "ceiling.cpp": peer(place, "ceiling.cpp") });
      const { stdout, cpu, memory, wall: searchWall } = search;
      return {
        states: number(/(\d+) states/, stdout),
        transitions: number(/(\d+) transitions/, stdout),
        verdict: "holds",
        cpu,
        searchWall,
        memory,
        wall,
      };
    },
  };
}

/** Lockstep's engines on a transition system written by hand. */
export function lockstep(place: Place, name: string, request: SearchRequest): Contender {
  const command: Command = [process.execPath, join(place.directory, "search.mjs"), JSON.stringify(request)];
  return {
    name,
    commands: [`node search.mjs '${JSON.stringify(request)}'`],
    run() {
      const { stdout, wall } = measure(place.directory, command);
      const found: SearchReport = JSON.parse(stdout);
      if (!found.complete) throw new Error(`${name} did not finish: ${stdout}`);
      const verdicts = Object.values(found.verdicts);
      return {
        states: BigInt(found.states),
        transitions: BigInt(found.transitions),
        verdict: verdicts.every((v) => v === verdicts[0]) ? (verdicts[0] ?? "") : JSON.stringify(found.verdicts),
        cpu: found.cpu,
        searchWall: found.wall,
        memory: found.memory,
        wall,
      };
    },
  };
}

/** A command of Lockstep on one of its models; only the time and the states in its report count. */
export function commandLine(place: Place, name: string, args: readonly string[]): Contender {
  const report = join(place.directory, "report.json");
  const typed = ["check", ...args];
  const command: Command = [
    process.execPath,
    join(place.root, "bin", "lockstep.js"),
    ...typed,
    "--out",
    join(place.directory, "traces"),
    "--reporter",
    `json=${report}`,
  ];
  return {
    name,
    commands: [`npx lockstep ${typed.join(" ")}`],
    run() {
      // Status 1: a verdict is not the one declared, as happens at sizes other than the default.
      const { cpu, wall, memory } = measure(place.directory, command, 1);
      // The search and all else there is to do are one process.
      const searchWall = wall;
      const { results } = JSON.parse(readFileSync(report, "utf8")) as {
        results: { states: number | null; transitions: number | null; verdict: string; property: string }[];
      };
      const tally = new Map<string, number>();
      for (const { verdict } of results) tally.set(verdict, (tally.get(verdict) ?? 0) + 1);
      return {
        states: BigInt(results[0]?.states ?? 0),
        transitions: BigInt(results[0]?.transitions ?? 0),
        verdict: [...tally].map(([verdict, n]) => `${n} ${verdict}`).join(", "),
        cpu,
        searchWall,
        memory,
        wall,
      };
    },
  };
}

/** Both engines on all cells of a protocol, in a process of its own. */
export function cellsOf(place: Place, protocol: string, runs: number, limits: { seconds: number; memory: number }) {
  const file = join(place.root, "models", protocol, "protocol.ts");
  const request: CellsRequest = { protocol: file, runs, ...limits };
  const { stdout } = measure(place.directory, [
    process.execPath,
    join(place.directory, "cells.mjs"),
    JSON.stringify(request),
  ]);
  const cells = stdout
    .trim()
    .split("\n")
    .map((line): CellReport => JSON.parse(line));
  const shown = JSON.stringify({ ...request, protocol: relative(place.root, file) });
  return { cells, commands: [`node cells.mjs '${shown}'`] };
}
