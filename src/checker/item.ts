/**
 * One item of a run: a (protocol, variant, scenario, sizes, switches) with the properties to decide on its graph.
 * Plain data in and out, so that it can run in any thread.
 */
import { relative, resolve, sep } from "node:path";
import { ModelError } from "../spec/model-error.ts";
import type { Program, Site } from "../spec/program.ts";
import type { Coverage } from "./coverage.ts";
import { type Comparison, compareSides, graphsDiffer } from "./cross-check.ts";
import { type EngineName, runEngine } from "./engine.ts";
import { exploreWithBest } from "./engine-choice.ts";
import { compareWithExpectation } from "./expectation.ts";
import { CheckpointError } from "./explicit/checkpoint-error.ts";
import type { Checked, CheckResult, CrossCheck, Problem } from "./result.ts";
import type { Assumptions, Trace } from "./trace/trace.ts";
import { type Deviations, tracePath } from "./trace/trace-path.ts";
import type {
  CheckpointOptions,
  Enough,
  Exploration,
  Finding,
  Outcome,
  Progress,
  Schedule,
  SearchOptions,
  SolverOptions,
} from "./verdict.ts";

export interface Item {
  readonly program: Program;
  /** The same with `msleep` waking only when nobody else can move; null where the protocol does not have both modes. */
  readonly quiescent: Program | null;
  /** The sizes are the declared defaults and the switches are settings the model asks its properties under. */
  readonly atDefaults: boolean;
  /** What is not at its default, for the trace's path. */
  readonly deviations: Deviations;
  /** Absolute path of the model's file, and of the root of its repository. */
  readonly file: string;
  readonly root: string;
  /** Ids of the properties to decide. */
  readonly properties: readonly string[];
}

export interface ItemOptions {
  readonly engine: EngineName | "auto";
  /** Engines that decide everything once more, for comparison. */
  readonly crossCheck: readonly EngineName[];
  /** Explore the whole graph as well, and compare it with the reduced one. */
  readonly verifyReductions?: boolean;
  readonly reduction: boolean;
  /** Milliseconds since the epoch (every thread has the same clock); Infinity for none. */
  readonly deadline: number;
  /** Bytes; Infinity for none. */
  readonly memory: number;
  readonly workers: number;
  /** See `SearchOptions`. */
  readonly spare?: Int32Array | undefined;
  readonly interrupt?: Int32Array | undefined;
  readonly storage?: "exact" | "fingerprints" | undefined;
  readonly coverage: boolean;
  /** For the search that decides the verdicts; absent: none. */
  readonly checkpoint?: CheckpointOptions | undefined;
  readonly smt?: SolverOptions | undefined;
}

export interface ItemOutcome {
  readonly checked: readonly Checked[];
  readonly problems: readonly ItemProblem[];
  readonly coverage: Coverage | null;
}

export interface ItemProblem extends Problem {
  /** Of an internal error, to be written to files. */
  readonly evidence?: Evidence;
}

export interface Evidence {
  /** Everything there is to know, as JSON. */
  readonly data: unknown;
  /** Counterexamples that belong to it, by a name for the file. */
  readonly traces: Readonly<Record<string, Trace>>;
}

/** The engine that an item begins with. */
export function engineFor(engine: EngineName | "auto"): EngineName {
  return engine === "auto" ? "explicit" : engine;
}

export function itemName(program: Program, deviations: Deviations): string {
  const settings = Object.entries(deviations).map(([name, value]) => ` ${name}=${value}`);
  return `${program.protocol} ${program.variant} ${program.scenario}${settings.join("")}`;
}

/**
 * Decides the properties of an item, replays every counterexample, and compares with what other engines say where that
 * is asked for. Throws nothing: what goes wrong is among the problems.
 *
 * @param run The engines; tests put broken ones in their place.
 */
export async function runItem(
  item: Item,
  options: ItemOptions,
  progress: (progress: Progress) => void,
  run: typeof runEngine = runEngine,
): Promise<ItemOutcome> {
  const { program } = item;
  const where = itemName(program, item.deviations);
  const problems: ItemProblem[] = [];
  const checked: Checked[] = [];
  const internal = (place: string, message: string, data: unknown, traces: Evidence["traces"] = {}): void => {
    problems.push({ kind: "internal", where: place, message, evidence: { data, traces } });
  };
  try {
    const explorations = await explore(item.program, item.properties, options, progress, run);
    const outcomes = explorations.flatMap((e) => e.outcomes);
    const others = [...(await exploreAgain(item, options, progress, run))];
    if (options.verifyReductions === true) {
      const { whole, differences } = await exploreWhole(item, options, progress);
      others.push(whole);
      for (const what of differences) {
        internal(where, `a reduced graph is not the whole one: ${what}`, { sides: [explorations, whole], program });
      }
    }
    const labels = await labelsOf(item, outcomes, options, progress, run);
    if (!options.reduction) {
      for (const other of others) {
        const what = explorations.map((e) => graphsDiffer(e, other)).find((difference) => difference !== undefined);
        if (what !== undefined) internal(where, `engines disagree: ${what}`, { sides: [explorations, other], program });
      }
    }
    for (const outcome of outcomes) {
      const exploration = explorations.find((e) => e.outcomes.includes(outcome))!;
      const place = `${where}, ${outcome.property}`;
      const shown = await replayOutcome(item, outcome, labels);
      if (shown.disagreement !== null) {
        internal(place, shown.disagreement, { engine: exploration, outcome, reference: shown.reference, program });
        continue;
      }
      const crossChecks: CrossCheck[] = [];
      let believed = true;
      for (const other of others) {
        const second = other.outcomes.find((o) => o.property === outcome.property);
        if (second === undefined) {
          internal(place, `${other.engine} gave no verdict`, { engine: other, program });
          continue;
        }
        const seen = await replayOutcome(item, second, new Map());
        const comparison = compareSides({ exploration, outcome }, { exploration: other, outcome: second });
        if (seen.disagreement !== null) {
          believed = false;
          internal(place, seen.disagreement, { engine: other, outcome: second, reference: seen.reference, program });
        } else if (comparison.is === "disagree") {
          believed = false;
          const sides = [
            { engine: exploration, outcome },
            { engine: other, outcome: second },
          ];
          internal(
            place,
            `engines disagree: ${comparison.what}`,
            { sides, program },
            {
              ...(shown.trace && { [exploration.engine]: shown.trace }),
              ...(seen.trace && { [other.engine]: seen.trace }),
            },
          );
        } else {
          crossChecks.push(crossCheckOf(other, second, comparison));
        }
      }
      if (believed) checked.push(resultOf(item, exploration, outcome, shown, crossChecks));
    }
    const silent = item.properties.filter((id) => !outcomes.some((o) => o.property === id));
    if (silent.length > 0) {
      const engines = explorations.map((e) => e.engine).join(" and ");
      internal(where, `${engines} gave no verdict on ${silent.join(", ")}`, { explorations, program });
    }
    return { checked, problems, coverage: options.coverage ? await coverage(program, options, progress) : null };
  } catch (error) {
    const data = { error: error instanceof Error ? error.stack : String(error) };
    const problem = problemOf(error, where);
    problems.push(problem.kind === "internal" ? { ...problem, evidence: { data, traces: {} } } : problem);
    return { checked, problems, coverage: null };
  }
}

/** Anything but a model's own mistake that ends an item is a mistake of ours. */
export function problemOf(error: unknown, where: string): Problem {
  if (error instanceof ModelError) {
    const place = error.site === undefined ? "" : `${error.site.file}:${error.site.line}:${error.site.column}: `;
    return { kind: "model", where, message: `${place}${error.message}` };
  }
  if (error instanceof RangeError && error.message.includes("call stack")) {
    const message = "the model nests too deeply to be worked on: it needs fewer slots, elements or threads";
    return { kind: "model", where, message };
  }
  if (error instanceof CheckpointError) return { kind: "checkpoint", where, message: error.message };
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return { kind: "internal", where, message };
}

function secondsLeft(options: ItemOptions): number {
  return Math.max(0, (options.deadline - Date.now()) / 1000);
}

/** What the SMT engine does about one item where there is no time limit: a proof may be sought for ever. */
const SMT_ENOUGH: Enough = { seconds: 60, depth: 20 };

/** Seconds of the SMT engine then, whatever it has reached. */
const SMT_SECONDS = 600;

/** Options for one engine. Of the time that is left, each engine still to come gets an equal part. */
function searchOf(
  engine: EngineName | "auto",
  properties: readonly string[],
  options: ItemOptions,
  toCome: number,
  progress: (progress: Progress) => void,
): SearchOptions {
  const { reduction, memory, workers, spare, interrupt, storage, checkpoint } = options;
  const left = secondsLeft(options) / toCome;
  // A resource limit ends each query, and with it the search, on every machine at the same place.
  const endless = engine === "smt" && left === Number.POSITIVE_INFINITY && options.smt?.rlimit === undefined;
  return {
    properties,
    reduction,
    timeout: endless ? SMT_SECONDS : left,
    memory,
    workers,
    spare,
    interrupt,
    storage,
    checkpoint,
    smt: endless ? { enough: SMT_ENOUGH, ...options.smt } : options.smt,
    progress,
  };
}

/** What was explored, by one engine or, under `auto`, by several; together they have an outcome for each property. */
async function explore(
  program: Program,
  properties: readonly string[],
  options: ItemOptions,
  progress: (progress: Progress) => void,
  run: typeof runEngine,
): Promise<readonly Exploration[]> {
  const others = options.crossCheck.length + (options.verifyReductions === true ? 1 : 0);
  const search = searchOf(options.engine, properties, options, 1 + others, progress);
  if (options.engine === "auto") return await exploreWithBest(program, search);
  return [await run(options.engine, program, search)];
}

/** What the engines find that are asked for comparison, one after the other. */
async function exploreAgain(
  item: Item,
  options: ItemOptions,
  progress: (progress: Progress) => void,
  run: typeof runEngine,
): Promise<readonly Exploration[]> {
  const explorations: Exploration[] = [];
  for (const [i, engine] of options.crossCheck.entries()) {
    const alone = { ...options, checkpoint: undefined };
    const toCome = options.crossCheck.length - i + (options.verifyReductions === true ? 1 : 0);
    const search = searchOf(engine, item.properties, alone, toCome, progress);
    explorations.push(await run(engine, item.program, search));
  }
  return explorations;
}

async function exploreWhole(item: Item, options: ItemOptions, progress: (progress: Progress) => void) {
  const { lower } = await import("../spec/lowering/lower.ts");
  const { verifyReductions } = await import("./explicit/verify-reductions.ts");
  const search = searchOf("explicit", item.properties, { ...options, checkpoint: undefined }, 1, progress);
  return await verifyReductions(lower(item.program), search);
}

function crossCheckOf(exploration: Exploration, outcome: Outcome, comparison: Comparison): CrossCheck {
  return {
    engine: exploration.engine,
    method: exploration.method,
    verdict: outcome.verdict,
    depth: outcome.verdict === "violated" ? outcome.schedule.steps.length : null,
    depthExact: outcome.verdict === "violated" ? outcome.depthExact : null,
    reason: comparison.is === "open" ? comparison.why : null,
    agrees: comparison.is === "agree",
    seconds: exploration.seconds,
  };
}

async function coverage(
  program: Program,
  options: ItemOptions,
  progress: (progress: Progress) => void,
): Promise<Coverage> {
  const { coverageOf } = await import("./coverage.ts");
  const { reduction, memory, workers } = options;
  return coverageOf(program, { reduction, memory, workers, timeout: secondsLeft(options), progress });
}

interface Shown {
  readonly finding: Finding | null;
  readonly trace: Trace | null;
  readonly replayed: "full" | "prefix" | null;
  readonly label: Trace["label"];
  /** Why the engine and the reference interpreter do not agree; null when they do. */
  readonly disagreement: string | null;
  readonly reference: unknown;
}

const NOTHING: Shown = {
  finding: null,
  trace: null,
  replayed: null,
  label: null,
  disagreement: null,
  reference: null,
};

/** Runs the counterexample of an outcome on the reference interpreter. Nobody sees one that has not been through here. */
async function replayOutcome(item: Item, outcome: Outcome, labels: Labels): Promise<Shown> {
  const { program } = item;
  const { Interpreter, replay, runSchedule } = await import("./reference/index.ts");
  if (outcome.verdict === "inconclusive" && outcome.finding !== undefined && outcome.schedule !== undefined) {
    const run = runSchedule(new Interpreter(program), outcome.schedule);
    const error = run.error?.result.k === "error" ? run.error.result.error : undefined;
    if (error?.kind !== outcome.finding.kind) {
      const message = run.misfit?.message ?? "it does not end in that error on the reference interpreter";
      return { ...NOTHING, disagreement: disagreement(outcome.finding, message), reference: run };
    }
    const finding: Finding = { ...outcome.finding, message: error.message };
    const trace = await traceOf(item, outcome.property, outcome.schedule, run, finding, "inconclusive", null, true);
    return { ...NOTHING, finding, trace, replayed: "full" };
  }
  if (outcome.verdict !== "violated") {
    const finding = outcome.verdict === "inconclusive" ? (outcome.finding ?? null) : null;
    return { ...NOTHING, finding };
  }
  const result = replay(program, outcome.schedule, outcome.property);
  if (!result.fits || !result.violates || result.finding === undefined) {
    return { ...NOTHING, disagreement: disagreement(outcome.finding, result.message), reference: result };
  }
  if (result.finding.kind !== outcome.finding.kind) {
    const message = `the reference interpreter finds ${result.finding.kind} (${result.message})`;
    return { ...NOTHING, disagreement: disagreement(outcome.finding, message), reference: result };
  }
  const label = labels.get(outcome.property) ?? null;
  const { finding } = result;
  const { property, schedule, depthExact } = outcome;
  const trace = await traceOf(item, property, schedule, result, finding, "violated", label, depthExact);
  return { finding, trace, replayed: result.replayed, label, disagreement: null, reference: null };
}

function disagreement(finding: Finding, message: string): string {
  return `a counterexample does not replay: the engine found ${finding.kind} (${finding.message}), but ${message}`;
}

async function traceOf(
  item: Item,
  property: string,
  schedule: Schedule,
  run: Parameters<typeof import("./trace/replayed-trace.ts").replayedTrace>[2],
  finding: Finding,
  verdict: Trace["verdict"],
  label: Trace["label"],
  depthExact: boolean,
): Promise<Trace> {
  const { replayedTrace } = await import("./trace/replayed-trace.ts");
  const { root } = item;
  const model = relative(root, resolve(item.file)).split(sep).join("/");
  const assumptions = assumptionsOf(item.program, property);
  return replayedTrace(item.program, schedule, run, {
    root,
    model,
    property,
    verdict,
    finding,
    label,
    depthExact,
    assumptions,
  });
}

type Labels = ReadonlyMap<string, Trace["label"]>;

/**
 * For each violated property whether it is violated although msleep never wakes early. Properties are missing where
 * msleep has no modes, or where the search was not finished: "only with an early return" must be known.
 */
async function labelsOf(
  item: Item,
  outcomes: readonly Outcome[],
  options: ItemOptions,
  progress: (progress: Progress) => void,
  run: typeof runEngine,
): Promise<Labels> {
  const twin = item.quiescent;
  const violated = outcomes.filter((o) => o.verdict === "violated").map((o) => o.property);
  const asked = violated.filter((id) => twin?.properties.some((p) => p.id === id) === true);
  if (twin === null || asked.length === 0) return new Map();
  const { certificates: _, ...withoutProofs } = options.smt ?? {};
  // One search answers for all of them.
  const alone = { ...options, crossCheck: [], checkpoint: undefined, smt: withoutProofs };
  const explorations = await explore(twin, asked, alone, progress, run);
  return new Map(
    explorations
      .flatMap((e) => e.outcomes)
      .filter((o) => o.verdict !== "inconclusive")
      .map((o) => [o.property, o.verdict === "violated" ? "structural" : "timing"] as const),
  );
}

function assumptionsOf(program: Program, property: string): Assumptions {
  const check = program.properties.find((p) => p.id === property)?.check;
  if (check === undefined || !("fairness" in check)) return { memory: "SC", fairness: "none" };
  const { threads, strongThreads, strongWaits } = check.fairness;
  const stronger = [...strongThreads, ...strongWaits];
  return { memory: "SC", fairness: stronger.length === 0 ? threads : `${threads}, strong for ${stronger.join(", ")}` };
}

function resultOf(
  item: Item,
  exploration: Exploration,
  outcome: Outcome,
  shown: Shown,
  crossChecks: readonly CrossCheck[] = [],
): Checked {
  const { program } = item;
  const reasoned = underApproximated(program, outcome);
  const { verdict } = reasoned;
  const reason = verdict === "vacuous" || verdict === "inconclusive" ? reasoned.reason : null;
  const expected = program.expectations.find((e) => e.property === outcome.property);
  const kind = shown.finding?.kind ?? null;
  const trace = shown.trace === null ? null : tracePath(shown.trace, item.deviations);
  const reductionsOff = outcome.reductionsOff ?? exploration.reductionsOff ?? [];
  const result: CheckResult = {
    protocol: program.protocol,
    variant: program.variant,
    scenario: program.scenario,
    property: outcome.property,
    verdict,
    ...compareWithExpectation(verdict, kind, reason, expected, item.atDefaults),
    finding: shown.trace?.finding ?? namedFinding(program, shown.finding),
    reason,
    engine: exploration.engine,
    method: exploration.method,
    complete: exploration.complete,
    reductions: outcome.reductions ?? exploration.reductions,
    ...(reductionsOff.length > 0 && { reductionsOff }),
    states: exploration.states,
    transitions: exploration.transitions,
    depth: verdict === "violated" ? (shown.trace?.steps.length ?? null) : null,
    depthExact: outcome.verdict === "violated" ? outcome.depthExact : null,
    seconds: exploration.seconds,
    sizes: program.sizes,
    switches: program.switches,
    label: shown.label,
    assumptions: assumptionsOf(program, outcome.property),
    cut: exploration.cut,
    replayed: shown.replayed,
    trace,
    ...("certificates" in reasoned && { certificates: reasoned.certificates }),
    ...(crossChecks.length > 0 && { crossChecks }),
  };
  const expectation = item.atDefaults ? (expected?.reason ?? null) : null;
  return { result, counterexample: shown.trace, expectation, declared: declaredAt(item, outcome.property) };
}

/** The quiescent msleep explores too little for a proof; what holds in it is only not refuted. */
function underApproximated(program: Program, outcome: Outcome): Outcome {
  if (program.switches.msleep !== "quiescent" || (outcome.verdict !== "holds" && outcome.verdict !== "vacuous"))
    return outcome;
  const reason = "msleep=quiescent leaves out early wake-ups, so that finding nothing proves nothing";
  return { property: outcome.property, verdict: "inconclusive", reason };
}

function namedFinding(program: Program, finding: Finding | null): CheckResult["finding"] {
  if (finding === null) return null;
  const thread = finding.thread === undefined ? null : (program.threads[finding.thread]?.name ?? null);
  return { kind: finding.kind, thread, message: finding.message, at: null };
}

export function declaredAt(item: Item, property: string): Site {
  const site = item.program.properties.find((p) => p.id === property)?.site;
  // Ready-made properties are declared in this package; their place is the model that lists them.
  if (site?.file.endsWith(".ts") === true) return site;
  const file = relative(process.cwd(), item.file).split(sep).join("/");
  return { file, line: 1, column: 1 };
}

/** Results of an item that did not run or did not finish: every property is inconclusive for this reason. */
export function undecided(item: Item, engine: EngineName, reason: string): Checked[] {
  const exploration: Exploration = {
    engine,
    method: "none",
    complete: false,
    states: null,
    transitions: null,
    depth: null,
    seconds: 0,
    reductions: [],
    cut: {},
    outcomes: [],
  };
  return item.properties.map((property) =>
    resultOf(item, exploration, { property, verdict: "inconclusive", reason }, NOTHING),
  );
}
