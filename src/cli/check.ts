import { existsSync } from "node:fs";
import { availableParallelism, totalmem } from "node:os";
import { join, resolve } from "node:path";
import { type CheckOptions, type CheckRun, type Plan, planItems, type Selection } from "../checker/check.ts";
import { ENGINE_OPTIONS, ENGINES, type EngineName } from "../checker/engine.ts";
import { assertWritable } from "../checker/explicit/checkpoint.ts";
import { CheckpointError } from "../checker/explicit/checkpoint-error.ts";
import { itemName } from "../checker/item.ts";
import { exitStatus } from "../checker/result.ts";
import { type CheckpointOptions, SMT_METHODS } from "../checker/verdict.ts";
import { displayPath } from "../load/source-position.ts";
import { coverageText } from "../report/coverage.ts";
import type { ReportContext, Reporter } from "../report/reporter.ts";
import { REPORTERS } from "../report/reporters.ts";
import { problemText } from "../report/result-text.ts";
import { nearestNames } from "../spec/nearest.ts";
import { runPlan, writeTraces } from "./check-run.ts";
import type { Arguments, Command, OptionSpecs } from "./command.ts";
import { loadModels, modelFiles, selectionOf } from "./models.ts";
import { assertCanBe, writeOutput } from "./output-file.ts";
import { packageVersion } from "./package-version.ts";
import { SMT_OPTION, solverOptions } from "./solver.ts";
import { UsageError } from "./usage-error.ts";

/** Share of the machine's memory that a run takes for its tables unless told otherwise. */
const MEMORY_SHARE = 0.75;

/** Where certificates go unless told otherwise: nothing that a run without being asked to should leave in a source tree. */
export const PROOFS = join(".lockstep", "proofs");

/** Seconds between two checkpoints unless told otherwise. */
const CHECKPOINT_INTERVAL = 300;

/** Options of every command that searches. */
export const SEARCH_OPTIONS: OptionSpecs = {
  engine: { type: "string", value: "NAME", what: `auto (default), ${ENGINES.join(", ")}` },
  param: { type: "string", multiple: true, value: "NAME=VALUE", what: "a size or a switch other than its default" },
  workers: {
    type: "string",
    value: "N",
    what: "threads: for scenarios side by side, and for one large search; default: one per core",
  },
  timeout: { type: "string", value: "SECONDS", what: "for the run as a whole" },
  memory: { type: "string", value: "MIB", what: "for the run as a whole; default: three quarters of the machine's" },
  storage: {
    type: "string",
    value: "NAME",
    what: "exact (default) or fingerprints: 64 bits a state, for graphs that do not fit; nothing is proved then",
  },
  "no-reduction": { type: "boolean", what: "build and count the exact graph, even after a violation" },
  smt: { ...SMT_OPTION, what: `engine smt: ${SMT_OPTION.what}` },
  depth: { type: "string", value: "N", what: "engine smt: steps of bounded search at most; default: 100" },
  method: { type: "string", value: "NAME", what: `engine smt: ${SMT_METHODS.join(", ")}` },
  rlimit: { type: "string", value: "N", what: "engine smt: resource units of the solver for each query, not time" },
  "keep-smt": { type: "string", value: "DIR", what: "engine smt: keep every query there, as an SMT-LIB file" },
};

export const check: Command = {
  usage: "check [PROTOCOL | FILE.ts]...",
  what: "check; default: all of models/",
  options: {
    variant: { type: "string", multiple: true, value: "V", what: "only this variant (repeatable)" },
    scenario: { type: "string", multiple: true, value: "S", what: "only this scenario (repeatable)" },
    property: { type: "string", multiple: true, value: "P", what: "only this property (repeatable)" },
    ...SEARCH_OPTIONS,
    reporter: {
      type: "string",
      multiple: true,
      value: "NAME[=FILE]",
      what: `${Object.keys(REPORTERS).join(", ")} (repeatable)`,
    },
    out: { type: "string", value: "DIR", what: "where traces go; default: counterexamples" },
    proofs: { type: "string", value: "DIR", what: `engine smt: where certificates of proofs go; default: ${PROOFS}` },
    "cross-check": {
      type: "string",
      multiple: true,
      value: "ENGINE",
      what: "let this engine decide everything too; where both finish they must agree (repeatable)",
    },
    "verify-reductions": {
      type: "boolean",
      what: "explore the whole graph too, and compare it with the reduced one state by state",
    },
    shard: { type: "string", value: "I/N", what: "check part I of N" },
    checkpoint: { type: "string", value: "FILE", what: "keep a long search there, so that it can be resumed" },
    "checkpoint-interval": {
      type: "string",
      value: "SECONDS",
      what: `between two checkpoints; default: ${CHECKPOINT_INTERVAL}`,
    },
    resume: { type: "string", value: "FILE", what: "go on from a checkpoint, and keep the search in the same file" },
    all: { type: "boolean", what: "print the counterexamples of expected violations too" },
    coverage: { type: "boolean", what: "list the statements that no scenario of a variant reaches" },
    typecheck: { type: "boolean", what: "type-check the models with tsc first" },
  },
  run: runCheck,
};

async function runCheck(args: Arguments): Promise<number> {
  // Everything that can be wrong with the command line is said before anything takes time.
  const directory = args.text("out") ?? "counterexamples";
  if (directory === "") throw new UsageError("--out needs the name of a directory");
  assertCanBe("directory", directory, `--out ${directory}`);
  const proofs = args.text("proofs") ?? PROOFS;
  if (proofs === "") throw new UsageError("--proofs needs the name of a directory");
  assertCanBe("directory", proofs, `--proofs ${proofs}`);
  const crossCheck = crossCheckOf(args);
  const search = searchOptions(args, crossCheck);
  const options: CheckOptions = {
    ...search,
    crossCheck,
    verifyReductions: verifyReductionsOf(args, search.engine, search.reduction),
    ...(search.smt && { smt: { ...search.smt, certificates: proofs } }),
    coverage: args.flag("coverage"),
    shard: shardOf(args.text("shard")),
    checkpoint: checkpointOf(args),
  };
  const outputs = outputsOf(args.list("reporter"));

  if (args.flag("typecheck")) {
    const { typecheckModels } = await import("../load/typecheck.ts");
    const errors = typecheckModels(modelFiles(args.positionals));
    if (errors.length > 0) {
      process.stderr.write(`${errors.join("\n")}\n`);
      return 2;
    }
  }

  const loaded = await loadModels(args.positionals);
  const params = args.list("param");
  const filters = {
    variants: args.list("variant"),
    scenarios: args.list("scenario"),
    properties: args.list("property"),
    params,
  };
  const filtered = Object.values(filters).some((f) => f.length > 0);
  let selection: Selection;
  try {
    selection = selectionOf(loaded.models, filters);
  } catch (error) {
    // The name may be one of a model that did not load; then that is what went wrong.
    for (const { message } of loaded.problems) process.stderr.write(`lockstep: ${message}\n`);
    throw error;
  }
  const plan = planItems(loaded.models, selection);
  if (plan.items.length === 0 && plan.problems.length === 0 && loaded.problems.length === 0) {
    const why = filtered ? "each name exists, but no scenario has all of them" : "the models have no scenarios";
    throw new UsageError(`nothing is left to check: ${why}; see \`lockstep list\``);
  }
  if (options.checkpoint !== undefined) {
    const items = plan.items.filter((_, i) => i % options.shard.of === options.shard.index - 1);
    if (items.length > 1) {
      const names = items.slice(0, 3).map((item) => itemName(item.program, item.deviations));
      throw new UsageError(
        `a checkpoint holds one search, and ${items.length} are selected (${names.join("; ")}${items.length > 3 ? "; …" : ""}); ` +
          "narrow them down with --variant, --scenario, --param and --property",
      );
    }
  }
  if (options.engine === "smt") refuseTemporal(plan, options.engine, filters.properties);
  const run = await runPlan({ items: plan.items, problems: [...loaded.problems, ...plan.problems] }, options);
  const problem = writeTraces(run, directory);
  report(run, outputs, {
    version: packageVersion(),
    directory: displayPath(directory).replace(/\/$/, ""),
    proofs: displayPath(proofs).replace(/\/$/, ""),
    all: args.flag("all"),
    color: process.stdout.isTTY === true && !process.env.NO_COLOR,
  });
  if (options.coverage) {
    // A machine-readable report must stay what it is.
    const readable = outputs.some((o) => o.file === undefined && o.reporter === REPORTERS.default);
    (readable ? process.stdout : process.stderr).write(coverageText(run.coverage));
  }
  // What was found is reported all the same.
  if (problem !== undefined) throw problem;
  return exitStatus(run);
}

/**
 * A temporal property asked for by name needs an engine that decides it. Where it is only one of many, it is
 * inconclusive, with the reason.
 */
function refuseTemporal(plan: Plan, engine: EngineName, named: readonly string[]): void {
  const temporal = plan.items
    .flatMap((item) => item.program.properties)
    .find((p) => p.check.c === "temporal" && named.includes(p.id));
  if (temporal === undefined || temporal.check.c !== "temporal") return;
  const { threads, strongThreads, strongWaits } = temporal.check.fairness;
  const strong = threads === "strong" || strongThreads.length > 0 || strongWaits.length > 0;
  throw new UsageError(
    `the engine ${engine} decides no temporal property, and ${temporal.id} is one${strong ? ", under strong fairness" : ""}: ` +
      "leave --engine out, or use --engine explicit or symbolic",
  );
}

/** Whether the reduced graph is compared with the whole one: for that the explicit engine must have reduced it. */
function verifyReductionsOf(args: Arguments, engine: EngineName | "auto", reduction: boolean): boolean {
  if (!args.flag("verify-reductions")) return false;
  if (!reduction) throw new UsageError("--verify-reductions has nothing to verify with --no-reduction; leave one out");
  if (engine !== "auto" && engine !== "explicit") {
    throw new UsageError(
      `--verify-reductions has no effect on the engine ${engine}; it has one on explicit, and under auto`,
    );
  }
  return true;
}

/** The engines that `--cross-check` names. */
function crossCheckOf(args: Arguments): EngineName[] {
  const engine = args.text("engine") ?? "auto";
  const named = args.list("cross-check");
  return named.map((name, i) => {
    const found = ENGINES.find((e) => e === name);
    if (found === undefined) {
      throw new UsageError(`--cross-check ${name}: there are ${ENGINES.join(", ")}.${nearestNames(name, ENGINES)}`);
    }
    if (found === engine) {
      throw new UsageError(`--cross-check ${name}: the same engine decides already (--engine ${name}); name another`);
    }
    if (named.indexOf(name) !== i) throw new UsageError(`--cross-check ${name} is given twice; once is enough`);
    return found;
  });
}

export function searchOptions(
  args: Arguments,
  crossCheck: readonly EngineName[] = [],
): Omit<CheckOptions, "coverage" | "shard"> {
  const engine: EngineName | "auto" = args.choice("engine", ["auto", ...ENGINES]) ?? "auto";
  if (engine !== "auto") {
    for (const option of ["workers", "memory", "no-reduction", "checkpoint", "resume", "storage"] as const) {
      // A checkpoint is kept of the search that gives the verdicts, the other options are for every engine.
      const engines = option === "checkpoint" || option === "resume" ? [engine] : [engine, ...crossCheck];
      if (args.has(option) && !engines.some((e) => ENGINE_OPTIONS[e].has(option))) {
        const able = ENGINES.filter((e) => ENGINE_OPTIONS[e].has(option)).join(", ");
        throw new UsageError(
          `--${option} has no effect on the engine ${engine}; it has one on ${able}, and under auto`,
        );
      }
    }
  }
  const smt = solverOptions(args, [engine, ...crossCheck]);
  const storage = args.choice("storage", ["exact", "fingerprints"]);
  if (storage === "fingerprints" && (args.has("checkpoint") || args.has("resume"))) {
    throw new UsageError(
      "--storage fingerprints cannot be combined with --checkpoint or --resume: leave one of them out",
    );
  }
  const memory = args.number("memory", "a number of MiB above 0", false);
  return {
    engine,
    reduction: !args.flag("no-reduction"),
    timeout: args.number("timeout", "a number of seconds above 0", false) ?? Number.POSITIVE_INFINITY,
    memory: memory === undefined ? Math.floor(totalmem() * MEMORY_SHARE) : memory * 2 ** 20,
    ...(smt && { smt }),
    storage,
    workers: args.number("workers", "a whole number above 0", true) ?? availableParallelism(),
  };
}

function checkpointOf(args: Arguments): CheckpointOptions | undefined {
  const resume = args.text("resume");
  const write = args.text("checkpoint") ?? resume;
  const every = args.number("checkpoint-interval", "a number of seconds above 0", false);
  if (write === undefined) {
    if (every !== undefined)
      throw new UsageError("--checkpoint-interval has no effect without --checkpoint or --resume");
    return undefined;
  }
  for (const [option, file] of [
    ["checkpoint", write],
    ["resume", resume],
  ]) {
    if (file === "") throw new UsageError(`--${option} needs the name of a file`);
  }
  if (resume !== undefined && !existsSync(resume)) {
    throw new UsageError(`--resume ${resume}: there is no such file; start a search with --checkpoint ${resume}`);
  }
  try {
    assertWritable(write);
  } catch (error) {
    const option = args.has("checkpoint") ? "checkpoint" : "resume";
    if (error instanceof CheckpointError) throw new UsageError(`--${option} ${error.message}`);
    throw error;
  }
  return { write: resolve(write), resume, every: every ?? CHECKPOINT_INTERVAL, version: packageVersion() };
}

function shardOf(text: string | undefined): CheckOptions["shard"] {
  if (text === undefined) return { index: 1, of: 1 };
  const match = /^(\d+)\/(\d+)$/.exec(text);
  const index = Number(match?.[1]);
  const of = Number(match?.[2]);
  if (match === null || index < 1 || index > of) {
    throw new UsageError(`--shard ${text}: expected i/n with i from 1 to n, for example 1/4`);
  }
  return { index, of };
}

interface Output {
  readonly reporter: Reporter;
  /** Undefined: stdout. */
  readonly file: string | undefined;
}

function outputsOf(words: readonly string[]): Output[] {
  const outputs = (words.length === 0 ? ["default"] : words).map((word) => {
    const at = word.indexOf("=");
    const name = at < 0 ? word : word.slice(0, at);
    const file = at < 0 ? undefined : word.slice(at + 1);
    const reporter = Object.hasOwn(REPORTERS, name) ? REPORTERS[name] : undefined;
    if (reporter === undefined) {
      const names = Object.keys(REPORTERS);
      throw new UsageError(`no reporter is called ${name}; there are ${names.join(", ")}.${nearestNames(name, names)}`);
    }
    if (file === "") throw new UsageError(`--reporter ${word}: the file's name is missing`);
    if (file !== undefined) assertCanBe("file", file, `--reporter ${word}`);
    return { reporter, file, name };
  });
  const toScreen = outputs.filter((o) => o.file === undefined);
  if (toScreen.length > 1) {
    const names = toScreen.map((o) => o.name).join(" and ");
    throw new UsageError(
      `the reporters ${names} would both write to stdout; give all but one a file: --reporter NAME=FILE`,
    );
  }
  return outputs;
}

function report(run: CheckRun, outputs: readonly Output[], context: ReportContext): void {
  for (const { reporter, file } of outputs) {
    if (file === undefined) {
      process.stdout.write(reporter(run, context));
    } else {
      writeOutput(file, reporter(run, { ...context, color: false }));
    }
  }
  // A machine-readable report on stdout does not tell a person what went wrong.
  if (outputs.every((o) => o.reporter !== REPORTERS.default)) {
    for (const problem of run.problems) process.stderr.write(`lockstep: ${problemText(problem)}\n`);
  }
}
