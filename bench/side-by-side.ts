/**
 * The same protocols in Lockstep, SPIN, rumur and C++, measured side by side: tools take turns, figures are medians, and
 * a ratio is the median of the ratios within each round. Counts that must agree and do not are an error.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { promela } from "../src/export/promela.ts";
import { loadModel } from "../src/load/load-model.ts";
import { lower } from "../src/spec/lowering/lower.ts";
import {
  type Contender,
  ceiling,
  cellsOf,
  commandLine,
  lockstep,
  type Place,
  type Result,
  rumur,
  type SpinModel,
  spin,
} from "./contender.ts";
import { growthChart, type Series } from "./growth-chart.ts";
import { canMeasure, installed } from "./measured-process.ts";
import type { SearchRequest } from "./search.ts";

const USAGE = `npm run bench -- [--large] [--runs N] [--only SECTION]... [--write]
  --large   also S8, 12 and 13 philosophers, more threads, 8 openers in the models, and all cells of the models (hours)
  --runs N  rounds in which every tool runs once; default: 3
  --only S  one of: search, search-large, parallel, reductions, verdict, liveness, growth, models, cells (repeatable)
  --write   put the tables into bench/README.md and the chart into bench/growth.svg
`;
const SECTIONS = [
  "search",
  "search-large",
  "parallel",
  "reductions",
  "verdict",
  "liveness",
  "growth",
  "models",
  "cells",
] as const;
type Section = (typeof SECTIONS)[number];

/** Openers, ioctls, rounds. The states are for the sizes of the peers' tables, and are checked. */
const LOOPS = [
  { name: "S5", sizes: [2, 2, 2], states: 171_081, large: false },
  { name: "S6", sizes: [3, 2, 2], states: 1_176_649, large: false },
  { name: "S7", sizes: [3, 2, 3], states: 7_498_696, large: false },
  { name: "S8", sizes: [5, 2, 2], states: 45_062_265, large: true },
] as const;
const PHILOSOPHERS = [
  { n: 10, states: 154_450, large: false },
  { n: 12, states: 1_684_801, large: true },
  { n: 13, states: 5_564_522, large: true },
] as const;
const OPENERS = [1, 2, 4, 6, 8, 10];
const MORE_OPENERS = [12, 14, 18, 24];
const GROWTH_IOCTLS = 2;
/** A search that stored more states than this is not asked for more threads. */
const MOST_STORED = 2_000_000n;
const SECONDS_FOR_A_MODEL = 60;
const PROTOCOLS = ["wait-scan", "loop-partscan", "dm-lockfs", "dm-noflush", "md-lifetime"];
/** For each engine on each cell. */
const LIMITS_FOR_A_CELL = { seconds: SECONDS_FOR_A_MODEL, memory: 2 ** 31 };

const EXACT = { cc: ["-O2", "-DSAFETY", "-DNOREDUCE"] };
const TWO_CORES = { cc: ["-O2", "-DSAFETY", "-DNOREDUCE", "-DNCORE=2"] };
const PARTIAL_ORDER = { cc: ["-O2", "-DSAFETY"] };
const FAIR = ["-a", "-f"];

interface Shown {
  readonly tool: string;
  readonly on: string;
  readonly commands: readonly string[];
}

type Rounds = ReadonlyMap<Contender, readonly Result[]>;

export async function main({ root, directory, args }: Place & { args: string[] }): Promise<number> {
  const values = readArguments(args);
  const runs = Number(values?.runs);
  if (values === undefined || values.help || !Number.isInteger(runs) || runs < 1) {
    process.stderr.write(USAGE);
    return values?.help ? 0 : 2;
  }
  if (!canMeasure()) {
    process.stderr.write("GNU time is needed at /usr/bin/time (apt-get install time)\n");
    return 2;
  }
  const bench = new Bench({ root, directory }, values.large, runs);
  const asked = values.only ?? SECTIONS.filter((s) => values.large || (s !== "search-large" && s !== "cells"));
  for (const name of SECTIONS.filter((s) => asked.includes(s))) {
    const text = await bench.section(name);
    process.stdout.write(`${text}\n`);
    if (values.write) writeSection(root, name, text);
  }
  if (values.write && bench.chart !== undefined) writeFileSync(join(root, "bench", "growth.svg"), bench.chart);
  return 0;
}

/** Undefined where there is an option or a section that does not exist. */
function readArguments(args: string[]) {
  try {
    const { values } = parseArgs({
      args,
      options: {
        large: { type: "boolean", default: false },
        runs: { type: "string", default: "3" },
        only: { type: "string", multiple: true },
        write: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    });
    return (values.only ?? []).every((s) => SECTIONS.includes(s as Section)) ? values : undefined;
  } catch {
    return undefined;
  }
}

/** Puts a table where the last one of its kind was. */
function writeSection(root: string, name: Section, text: string): void {
  const readme = join(root, "bench", "README.md");
  const [begin, end] = [`<!-- ${name} -->\n`, `<!-- end of ${name} -->`];
  const [before, rest] = readFileSync(readme, "utf8").split(begin);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined) throw new Error(`${readme} has no place for ${begin}`);
  writeFileSync(readme, `${before}${begin}\n${text}\n${end}${after}`);
}

class Bench {
  chart: string | undefined;
  readonly #place: Place;
  readonly #large: boolean;
  readonly #runs: number;
  readonly #spin = installed("spin", "-V") && installed("cc", "--version");
  readonly #rumur = installed("rumur", "--version") && installed("cc", "--version");
  readonly #compiler = installed("c++", "--version");

  constructor(place: Place, large: boolean, runs: number) {
    this.#place = place;
    this.#large = large;
    this.#runs = runs;
  }

  /** A table as Markdown, with what it was measured on and the commands. */
  async section(name: Section): Promise<string> {
    const machine = this.#machine(name, loadavg()[0] ?? 0);
    return (await this.#table(name)).replace("\n", `\n\n${machine}\n`);
  }

  #table(name: Section): string | Promise<string> {
    switch (name) {
      case "search":
        return this.#searches("All states, no reductions", false);
      case "search-large":
        return this.#searches("All states, no reductions, large", true);
      case "parallel":
        return this.#parallel();
      case "reductions":
        return this.#reductions();
      case "verdict":
        return this.#sourceToVerdict();
      case "liveness":
        return this.#liveness();
      case "growth":
        return this.#growth();
      case "models":
        return this.#models();
      case "cells":
        return this.#cells();
    }
  }

  #machine(name: Section, load: number): string {
    const model = cpus()[0]?.model.trim() ?? "unknown processor";
    const busy = load > 0.5 * availableParallelism() ? ", loaded by other work" : "";
    const missing = [
      ...(this.#spin ? [] : ["spin"]),
      ...(this.#rumur ? [] : ["rumur"]),
      ...(this.#compiler ? [] : ["a C++ compiler"]),
    ];
    const absent = missing.length === 0 ? "" : ` Not installed, and left out: ${missing.join(", ")}.`;
    return (
      `\`npm run bench --${this.#large ? " --large" : ""} --runs ${this.#runs} --only ${name}\` on ${cpus().length} cores ` +
      `(${model})${busy} (load average ${load.toFixed(1)} at the start), Node ${process.versions.node}.${absent}`
    );
  }

  /** Everyone runs once a round. What a tool counts must not change between rounds. */
  #alternate(contenders: readonly Contender[]): Rounds {
    const results = new Map<Contender, Result[]>(contenders.map((c) => [c, []]));
    for (let round = 0; round < this.#runs; round++) {
      for (const [contender, list] of results) {
        const result = contender.run();
        process.stderr.write(`  ${contender.name}: ${result.states} states, ${result.cpu.toFixed(2)} s\n`);
        if (list[0] !== undefined && list[0].states !== result.states) {
          throw new Error(`${contender.name} counted ${list[0].states} states, then ${result.states}`);
        }
        list.push(result);
      }
    }
    return results;
  }

  #loops() {
    return LOOPS.filter((l) => this.#large || !l.large);
  }

  #philosophers() {
    return PHILOSOPHERS.filter((p) => this.#large || !p.large);
  }

  #searches(title: string, large: boolean): string {
    const place = this.#place;
    const rows: string[][] = [];
    const commands: Shown[] = [];
    const add = (name: string, states: number, contenders: readonly Contender[]) => {
      process.stderr.write(`${name}, all states\n`);
      const results = this.#alternate(contenders);
      mustAgree(name, results, BigInt(states));
      rows.push(...speeds(name, results));
      commands.push(...commandsOf(name, contenders));
    };
    for (const { name, sizes, states } of LOOPS.filter((l) => l.large === large)) {
      const [n, m, r] = sizes;
      const request = { system: "loop", sizes, engine: "explicit" } as const;
      add(name, states, [
        lockstep(place, "Lockstep", { ...request, properties: ["assertions"] }),
        ...(this.#compiler ? [ceiling(place, sizes, states)] : []),
        ...(this.#spin ? [spin(place, "SPIN", spinLoop(n, m, r, states), EXACT)] : []),
        // Minutes a run, and slower than SPIN on all smaller loops.
        ...(this.#rumur && !large ? [rumur(place, "rumur", "loop.m.in", { N: n, M: m, R: r }, false)] : []),
        ...(large
          ? []
          : [
              lockstep(place, "Lockstep, partial deadlocks too", {
                ...request,
                properties: ["assertions", "deadlock"],
              }),
            ]),
      ]);
    }
    for (const { n, states } of PHILOSOPHERS.filter((p) => p.large === large)) {
      const flags = { ...EXACT, pan: ["-E"] };
      add(`${n} philosophers`, states, [
        lockstep(place, "Lockstep", { system: "philosophers", sizes: [n], engine: "explicit", properties: [] }),
        ...(this.#spin ? [spin(place, "SPIN", spinPhilosophers(n, states), flags)] : []),
        ...(this.#rumur && !large ? [rumur(place, "rumur", "philosophers.m.in", { N: n }, false)] : []),
      ]);
    }
    const header = ["", "tool", "states/s", "of ours", "bytes/state", "of ours", "source to verdict, s", "of ours"];
    return section(title, header, rows, commands);
  }

  /** One thread and two, by wall time. */
  #parallel(): string {
    const place = this.#place;
    const rows: string[][] = [];
    const commands: Shown[] = [];
    for (const { name, sizes, states } of this.#loops().filter((l) => l.name !== "S5")) {
      process.stderr.write(`${name}, two threads\n`);
      const [n, m, r] = sizes;
      const request = { system: "loop", sizes, engine: "explicit" } as const;
      const model = spinLoop(n, m, r, states);
      const contenders = [
        lockstep(place, "Lockstep, 2 workers", { ...request, properties: ["assertions"], workers: 2 }),
        lockstep(place, "Lockstep, 1 worker", { ...request, properties: ["assertions"] }),
        lockstep(place, "Lockstep, 2 workers, and partial deadlocks", { ...request, workers: 2 }),
        lockstep(place, "Lockstep, 1 worker, and partial deadlocks", request),
        ...(this.#spin
          ? [spin(place, "SPIN, 2 cores", model, TWO_CORES), spin(place, "SPIN, 1 core", model, EXACT)]
          : []),
      ];
      const results = this.#alternate(contenders);
      mustAgree(name, results, BigInt(states));
      for (const [contender, list] of results) {
        rows.push([
          rows.length % contenders.length === 0 ? name : "",
          contender.name,
          seconds(median(list.map((x) => x.searchWall))),
          ratio(results, contender, (x) => x.searchWall),
          seconds(median(list.map((x) => x.cpu))),
          ratio(results, contender, (x) => x.cpu),
          median(list.map((x) => x.memory / states)).toFixed(0),
        ]);
      }
      commands.push(...commandsOf(name, contenders));
    }
    const header = ["", "tool", "wall s of the search", "of 2 workers", "CPU s", "of 2 workers", "bytes/state"];
    return section("Two threads", header, rows, commands);
  }

  #reductions(): string {
    const place = this.#place;
    const rows: string[][] = [];
    const commands: Shown[] = [];
    const add = (name: string, contenders: readonly Contender[]) => {
      process.stderr.write(`${name}, reductions\n`);
      const results = this.#alternate(contenders);
      mustHaveOneVerdict(name, results);
      rows.push(...times(name, results));
      commands.push(...commandsOf(name, contenders));
    };
    for (const { name, sizes, states, large } of this.#loops()) {
      const [n, m, r] = sizes;
      const request = { system: "loop", sizes } as const;
      add(name, [
        lockstep(place, "Lockstep, symmetry and transactions", { ...request, engine: "reduced" }),
        lockstep(place, "Lockstep, symmetry", { ...request, engine: "symmetry" }),
        lockstep(place, "Lockstep, symbolic", { ...request, engine: "symbolic" }),
        ...(this.#rumur ? [rumur(place, "rumur, symmetry", "loop.m.in", { N: n, M: m, R: r }, true)] : []),
        // Stores half of all states.
        ...(this.#spin && !large ? [spin(place, "SPIN, partial order", spinLoop(n, m, r, states), PARTIAL_ORDER)] : []),
      ]);
    }
    for (const { n, states, large } of this.#philosophers()) {
      const request = { system: "philosophers", sizes: [n], properties: [] } as const;
      const flags = { ...PARTIAL_ORDER, pan: ["-E"] };
      add(`${n} philosophers`, [
        lockstep(place, "Lockstep, symbolic", { ...request, engine: "symbolic" }),
        lockstep(place, "Lockstep, transactions", { ...request, engine: "reduced" }),
        // Stores all states, as there is nothing it can leave out.
        ...(this.#spin && !large ? [spin(place, "SPIN, partial order", spinPhilosophers(n, states), flags)] : []),
      ]);
    }
    const header = ["", "tool", "states", "CPU s of the search", "of the first", "MB", "source to verdict, s"];
    return section("With reductions", header, rows, commands);
  }

  /** A small scenario of a model: what a user waits for. */
  async #sourceToVerdict(): Promise<string> {
    const [variant, scenario] = ["v4.2", "set-status-vs-open"];
    const selected = ["loop-partscan", "--variant", variant, "--scenario", scenario];
    const name = `loop-partscan ${variant} ${scenario}`;
    process.stderr.write(`${name}, from source to verdict\n`);
    const { protocol } = await loadModel(join(this.#place.root, "models", "loop-partscan", "protocol.ts"));
    const program = protocol.record({ variant, scenario });
    if (program === null) throw new Error(`${name} is not applicable`);
    const text = promela(lower(program));
    const model: SpinModel = { model: "exported.pml", text, defines: [], states: 1000, depth: 10_000 };
    const contenders = [
      commandLine(this.#place, "Lockstep", [...selected, "--engine", "explicit", "--no-reduction"]),
      ...(this.#spin
        ? ["-O2", "-O0"].map((level) =>
            spin(this.#place, `SPIN, cc ${level}`, model, {
              spin: ["-o1", "-o2", "-o3"],
              cc: [level, "-DSAFETY", "-DNOREDUCE"],
              pan: ["-E"],
            }),
          )
        : []),
    ];
    const results = this.#alternate(contenders);
    // A process that fills the arrays is a state of its own in Promela.
    const filling = text.includes("\ninit {") ? 1n : 0n;
    const ours = results.get(contenders[0]!)?.[0];
    for (const contender of contenders.slice(1)) {
      const theirs = results.get(contender)?.[0];
      if (theirs?.states !== (ours?.states ?? 0n) + filling) {
        throw new Error(`${name}: ${contender.name} counts ${theirs?.states} states, Lockstep ${ours?.states}`);
      }
    }
    const rows = [...results].map(([contender, list]) => [
      contender.name,
      grouped(list[0]!.states),
      seconds(median(list.map((r) => r.wall))),
      ratio(results, contender, (r) => r.wall),
    ]);
    const header = [name, "states", "source to verdict, s", "of ours"];
    return section("A small scenario of a model", header, rows, commandsOf(name, contenders));
  }

  #liveness(): string {
    const place = this.#place;
    const rows: string[][] = [];
    const commands: Shown[] = [];
    const add = (name: string, system: SearchRequest["system"], sizes: readonly number[], model: SpinModel) => {
      process.stderr.write(`${name}\n`);
      // More processes than SPIN's fairness has room for unless told.
      const room = "-DNFAIR=4";
      const contenders = [
        lockstep(place, "Lockstep", { system, sizes, engine: "explicit" }),
        ...(this.#spin
          ? [spin(place, "SPIN, no partial order", model, { cc: ["-O2", "-DNOREDUCE", room], pan: FAIR })]
          : []),
        lockstep(place, "Lockstep, symmetry and transactions", { system, sizes, engine: "reduced" }),
        ...(this.#spin ? [spin(place, "SPIN, partial order", model, { cc: ["-O2", room], pan: FAIR })] : []),
      ];
      const results = this.#alternate(contenders);
      mustHaveOneVerdict(name, results);
      rows.push(...times(name, results));
      commands.push(...commandsOf(name, contenders));
    };
    add("endless (5,4): lo_ctl_mutex is released again and again", "releasedAgain", [5, 4], {
      model: "loop.pml",
      defines: ["N=5", "M=4", "ENDLESS", "RELEASED"],
      states: 200_000,
      depth: 1_000_000,
    });
    add("S6: the ioctl finishes", "ioctlFinishes", [3, 2, 2], {
      model: "loop.pml",
      defines: ["N=3", "M=2", "R=2", "FINISHES"],
      states: 1_200_000,
      depth: 10_000,
    });
    add("10 asymmetric philosophers: somebody eats again and again", "asymmetricPhilosophers", [10], {
      model: "philosophers.pml",
      defines: ["N=10", "ASYMMETRIC", "PROGRESS"],
      states: 200_000,
      depth: 1_000_000,
    });
    const header = ["", "tool", "states", "CPU s of the search", "of ours", "MB", "source to verdict, s"];
    return section("Liveness under weak fairness", header, rows, commands);
  }

  #growth(): string {
    const place = this.#place;
    const sizes = this.#large ? [...OPENERS, ...MORE_OPENERS] : OPENERS;
    const counted = new Set(["Lockstep, explicit", "Lockstep, symbolic", "SPIN"]);
    const dropped = new Set<string>();
    const series = new Map<string, [number, number][]>();
    const rows: string[][] = [];
    let shown: Shown[] = [];
    let names: string[] = [];
    for (const n of sizes) {
      const name = `${n} openers`;
      process.stderr.write(`${name}, growth\n`);
      const request = { system: "endlessLoop", sizes: [n, GROWTH_IOCTLS] } as const;
      const exact = (66 * n + 39) * 2 ** n;
      const model: SpinModel = {
        model: "loop.pml",
        defines: [`N=${n}`, `M=${GROWTH_IOCTLS}`, "ENDLESS"],
        states: exact,
        depth: exact + 1000,
      };
      const everybody = [
        lockstep(place, "Lockstep, explicit", { ...request, engine: "explicit" }),
        lockstep(place, "Lockstep, symmetry", { ...request, engine: "symmetry" }),
        lockstep(place, "Lockstep, symmetry and transactions", { ...request, engine: "reduced" }),
        lockstep(place, "Lockstep, symbolic", { ...request, engine: "symbolic" }),
        ...(this.#spin
          ? [spin(place, "SPIN", model, EXACT), spin(place, "SPIN, partial order", model, PARTIAL_ORDER)]
          : []),
      ];
      names = everybody.map((c) => c.name);
      const contenders = everybody.filter((c) => !dropped.has(c.name));
      const results = this.#alternate(contenders);
      mustHaveOneVerdict(name, results);
      mustAgree(name, new Map([...results].filter(([c]) => counted.has(c.name))), BigInt(exact));
      const row = [String(n + GROWTH_IOCTLS)];
      for (const c of everybody) {
        const list = results.get(c);
        if (list === undefined) {
          row.push("");
          continue;
        }
        const cpu = median(list.map((r) => r.cpu));
        if (c.name !== "Lockstep, symbolic" && list[0]!.states > MOST_STORED) dropped.add(c.name);
        row.push(`${grouped(list[0]!.states)} (${seconds(cpu)})`);
        // A hundredth is the least that is told of a process.
        series.set(c.name, [...(series.get(c.name) ?? []), [n + GROWTH_IOCTLS, Math.max(cpu, 0.01)]]);
      }
      rows.push(row);
      if (contenders.length === everybody.length) shown = commandsOf(name, contenders);
    }
    const lines = [...series].map(([name, points]): Series => ({ name: name.replace("Lockstep, ", ""), points }));
    this.chart = growthChart("Deadlocks of the endless loop protocol: CPU seconds of the search", lines);
    const title = `Growth with the number of threads: states (CPU s of the search), ${GROWTH_IOCTLS} of the threads are ioctls`;
    return section(title, ["threads", ...names], rows, shown);
  }

  /** Scenarios of the models at sizes that nobody enumerates. */
  #models(): string {
    const limit = ["--timeout", String(SECONDS_FOR_A_MODEL)];
    const rows: string[][] = [];
    const commands: Shown[] = [];
    const openers = this.#large ? 8 : 4;
    for (const variant of ["wilson-2015", "lei-2015-return", "v4.2"]) {
      const selected = [
        "loop-partscan",
        "--variant",
        variant,
        "--scenario",
        "set-status-vs-open",
        "--param",
        `openers=${openers}`,
      ];
      const name = `loop-partscan ${variant} set-status-vs-open, ${openers} openers`;
      process.stderr.write(`${name}\n`);
      const contenders = ["symbolic", "explicit"].map((engine) =>
        commandLine(this.#place, `Lockstep, ${engine}`, [...selected, "--engine", engine, ...limit]),
      );
      const results = this.#alternate(contenders);
      for (const [contender, list] of results) {
        rows.push([
          name,
          contender.name,
          grouped(list[0]!.states),
          list[0]!.verdict,
          seconds(median(list.map((r) => r.wall))),
        ]);
      }
      commands.push(...commandsOf(name, contenders));
    }
    const header = ["", "engine", "states of the first graph", "verdicts", "source to verdict, s"];
    return section("Large scenarios of the models", header, rows, commands);
  }

  /** Both engines, without reductions, on all cells of the models at default sizes. They must say the same. */
  #cells(): string {
    const rows: string[][] = [];
    const commands: Shown[] = [];
    for (const protocol of PROTOCOLS) {
      process.stderr.write(`${protocol}, all cells\n`);
      const { cells, commands: typed } = cellsOf(this.#place, protocol, this.#runs, LIMITS_FOR_A_CELL);
      const wrong = cells.flatMap(({ cell, different }) => different.map((d) => `${protocol} ${cell}: ${d}`));
      if (wrong.length > 0) throw new Error(`the engines differ:\n${wrong.join("\n")}`);
      const compared = cells
        .map((c) => ({ ...c, explicit: median(c.explicit), symbolic: median(c.symbolic) }))
        .map((c) => ({ ...c, ratio: c.symbolic / c.explicit }))
        .sort((x, y) => y.ratio - x.ratio);
      const undecided = compared.filter((c) => c.undecided.length > 0).length;
      const explicit = compared.reduce((sum, c) => sum + c.explicit, 0);
      const symbolic = compared.reduce((sum, c) => sum + c.symbolic, 0);
      // What was not decided counts with the time it was given.
      const atLeast = undecided > 0 ? "> " : "";
      const worst = compared[0]!;
      rows.push([
        protocol,
        String(cells.length),
        String(undecided),
        seconds(explicit),
        seconds(symbolic),
        `${atLeast}${(symbolic / explicit).toFixed(2)}`,
        median(compared.map((c) => c.ratio)).toFixed(2),
        String(compared.filter((c) => c.ratio > 3).length),
        `${worst.undecided.length > 0 ? "> " : ""}${worst.ratio.toFixed(1)}: ${worst.cell} (${seconds(worst.explicit)} s)`,
      ]);
      commands.push({ tool: "Both engines in turns", on: protocol, commands: typed });
    }
    const header = [
      "",
      "cells",
      "not decided",
      "explicit, CPU s",
      "symbolic, CPU s",
      "ratio of the sums",
      "median ratio",
      "above 3",
      "worst ratio (explicit)",
    ];
    return section("Symbolic and explicit on all cells of the models, no reductions", header, rows, commands);
  }
}

const spinLoop = (n: number, m: number, r: number, states: number): SpinModel => ({
  model: "loop.pml",
  defines: [`N=${n}`, `M=${m}`, `R=${r}`],
  states,
  depth: 10_000,
});

/** The search of the philosophers may go as deep as there are states. */
const spinPhilosophers = (n: number, states: number): SpinModel => ({
  model: "philosophers.pml",
  defines: [`N=${n}`],
  states,
  depth: states,
});

/** @throws Error unless all counted the same states and transitions, and as many states as expected. */
function mustAgree(name: string, results: Rounds, expected?: bigint): void {
  const counts = [...results].map(([contender, [first]]) => ({ tool: contender.name, ...first! }));
  const ours = counts[0];
  if (ours === undefined) return;
  const agree = counts.every((c) => c.states === ours.states && c.transitions === ours.transitions);
  if (agree && (expected === undefined || ours.states === expected)) return;
  const said = counts.map((c) => `${c.tool}: ${c.states} states, ${c.transitions} transitions`);
  throw new Error(`${name}: the counts differ: ${said.join("; ")}${expected ? `; expected: ${expected} states` : ""}`);
}

function mustHaveOneVerdict(name: string, results: Rounds): void {
  const verdicts = [...results].flatMap(([c, [first]]) =>
    // Where nothing was asked there is no verdict.
    first!.verdict === "" ? [] : [{ tool: c.name, verdict: first!.verdict }],
  );
  if (verdicts.every((v) => v.verdict === verdicts[0]?.verdict)) return;
  throw new Error(`${name}: ${verdicts.map((v) => `${v.tool} says ${v.verdict}`).join("; ")}`);
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The median, over the rounds, of a figure of this tool relative to the first tool's in the same round. */
function ratio(results: Rounds, contender: Contender, figure: (r: Result) => number): string {
  const first = [...results.values()][0]!;
  const list = results.get(contender)!;
  if (list === first) return "1";
  const value = median(list.map((r, round) => figure(r) / figure(first[round]!)));
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

const grouped = (n: bigint): string => n.toString().replace(/\B(?=(\d{3})+$)/g, ",");
const seconds = (s: number): string => (s >= 100 ? s.toFixed(0) : s >= 10 ? s.toFixed(1) : s.toFixed(2));

function speeds(name: string, results: Rounds): string[][] {
  return [...results].map(([contender, list], i) => {
    const states = Number(list[0]!.states);
    const speed = (r: Result) => states / Math.max(r.cpu, 0.005);
    const bytes = (r: Result) => r.memory / states;
    return [
      i === 0 ? `${name}: ${grouped(list[0]!.states)}` : "",
      contender.name,
      `${(median(list.map(speed)) / 1e6).toFixed(2)} M`,
      ratio(results, contender, speed),
      median(list.map(bytes)).toFixed(0),
      ratio(results, contender, bytes),
      seconds(median(list.map((r) => r.wall))),
      ratio(results, contender, (r) => r.wall),
    ];
  });
}

function times(name: string, results: Rounds): string[][] {
  return [...results].map(([contender, list], i) => [
    i === 0 ? name : "",
    contender.name,
    grouped(list[0]!.states),
    seconds(median(list.map((r) => r.cpu))),
    ratio(results, contender, (r) => Math.max(r.cpu, 0.005)),
    (median(list.map((r) => r.memory)) / 1e6).toFixed(0),
    seconds(median(list.map((r) => r.wall))),
  ]);
}

/** A contender with what it was run on: of each, the commands are shown once. */
const commandsOf = (name: string, contenders: readonly Contender[]): Shown[] =>
  contenders.map(({ name: tool, commands }) => ({ tool, on: name, commands }));

function section(
  title: string,
  header: readonly string[],
  rows: readonly string[][],
  commands: readonly Shown[],
): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const alignment = header.map((_, i) => (rows.every((r) => /^[\d.,()M ]*$/.test(r[i] ?? "")) ? "--:" : "---"));
  return [
    `### ${title}`,
    "",
    line(header),
    line(alignment),
    ...rows.map(line),
    "",
    "<details><summary>Commands</summary>",
    "",
    "```",
    ...commands
      .filter(({ tool }, i) => commands.findIndex((c) => c.tool === tool) === i)
      .flatMap(({ tool, on, commands: typed }) => [`# ${tool}, here on ${on}`, ...typed]),
    "```",
    "",
    "</details>",
  ].join("\n");
}
