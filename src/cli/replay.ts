import { existsSync } from "node:fs";
import { join } from "node:path";
import { Interpreter, replay as replaySchedule, runSchedule } from "../checker/reference/index.ts";
import { readTraceFile } from "../checker/trace/itf-reader.ts";
import { replayedTrace, scheduleOf } from "../checker/trace/replayed-trace.ts";
import type { Trace } from "../checker/trace/trace.ts";
import { TraceError } from "../checker/trace/trace-error.ts";
import { discoverModels, repositoryRoot } from "../load/discover.ts";
import { loadModel } from "../load/load-model.ts";
import { counterexampleText } from "../report/counterexample.ts";
import { ModelError } from "../spec/model-error.ts";
import type { Program } from "../spec/program.ts";
import type { Command } from "./command.ts";

export const replay: Command = {
  usage: "replay TRACE",
  what: "run it again on the reference interpreter: 0 still a violation, 1 no longer",
  options: { quiet: { type: "boolean", what: "only the verdict, not the schedule" } },
  async run(args) {
    const [file = ""] = args.require(["TRACE"], "exactly", replay.usage);
    const trace = readTraceFile(file);
    const path = modelOf(trace, file);
    const { protocol } = await loadModel(path);
    const program = record(protocol, trace, file);
    const schedule = scheduleOf(trace, program);
    const no = (why: string): number => {
      process.stdout.write(`no longer a violation of ${trace.property}: ${why}\n`);
      return 1;
    };
    if (schedule === null) return no("the scenario no longer has all threads of the trace");

    const heading = {
      root: repositoryRoot(path),
      model: trace.model,
      property: trace.property,
      verdict: trace.verdict,
      label: trace.label,
      depthExact: trace.depthExact,
      assumptions: trace.assumptions,
    };
    if (trace.verdict === "inconclusive") {
      const run = runSchedule(new Interpreter(program), schedule);
      const error = run.error?.result.k === "error" ? run.error.result.error : undefined;
      if (error?.kind !== trace.finding.kind) return no(run.misfit?.message ?? "the model no longer errs at its end");
      const thread = schedule.steps.at(-1)?.thread;
      const finding = { kind: error.kind, message: error.message, ...(thread === undefined ? {} : { thread }) };
      const now = replayedTrace(program, schedule, run, { ...heading, finding });
      process.stdout.write(args.flag("quiet") ? "" : `${counterexampleText(now, { file: null })}\n`);
      process.stdout.write(`still an error of the model: ${error.kind}: ${error.message}\n`);
      return 0;
    }
    const result = replaySchedule(program, schedule, trace.property);
    if (!result.fits) return no(result.message);
    if (!result.violates || result.finding === undefined) return no(result.message);
    const now = replayedTrace(program, schedule, result, { ...heading, finding: result.finding });
    process.stdout.write(args.flag("quiet") ? "" : `${counterexampleText(now, { file: null })}\n`);
    const changed =
      result.finding.kind === trace.finding.kind ? "" : ` (the trace was recorded as ${trace.finding.kind})`;
    const bound = result.replayed === "prefix" ? "; that it never recovers was not explored to the end" : "";
    process.stdout.write(`still a violation of ${trace.property}: ${result.finding.kind}${changed}${bound}\n`);
    return 0;
  },
};

/** The model a trace names: in the trace's own repository, in the current directory, or among the models found here. */
function modelOf(trace: Trace, file: string): string {
  const candidates = [join(repositoryRoot(file), trace.model), trace.model];
  const found =
    candidates.find((path) => existsSync(path)) ?? discoverModels().find((m) => m.name === trace.protocol)?.file;
  if (found !== undefined) return found;
  throw new TraceError(
    `${file}: its model ${trace.model} is not here; run the command in the repository that the trace belongs to`,
  );
}

function record(protocol: Awaited<ReturnType<typeof loadModel>>["protocol"], trace: Trace, file: string): Program {
  const { variant, scenario, sizes, switches } = trace;
  let program: Program | null;
  if (protocol.id !== trace.protocol) {
    throw new TraceError(
      `${file}: it is a trace of ${trace.protocol}, but ${trace.model} is the protocol ${protocol.id}`,
    );
  }
  try {
    program = protocol.record({ variant, scenario, sizes, switches });
  } catch (error) {
    if (!(error instanceof ModelError)) throw error;
    throw new TraceError(`${file}: the model cannot run this trace: ${error.message}`);
  }
  if (program === null)
    throw new TraceError(`${file}: the scenario ${scenario} no longer exists for the variant ${variant}`);
  if (program.properties.some((p) => p.id === trace.property)) return program;
  const ids = program.properties.map((p) => p.id).join(", ");
  throw new TraceError(`${file}: ${variant} ${scenario} has no property ${trace.property} any more, only ${ids}`);
}
