/** What `check` and `compare` share: a run with progress, interrupts, traces and evidence of internal errors. */
import { join } from "node:path";
import { type CheckOptions, type CheckRun, checkAll, type Plan } from "../checker/check.ts";
import type { Evidence } from "../checker/item.ts";
import { writeItf } from "../checker/trace/itf.ts";
import { writeOutput } from "./output-file.ts";
import { startProgress } from "./progress.ts";
import { UsageError } from "./usage-error.ts";

/** Runs a plan; the first interrupt ends it in order, the second at once. */
export async function runPlan(plan: Plan, options: CheckOptions): Promise<CheckRun> {
  const controller = new AbortController();
  const interrupt = (): void => {
    if (controller.signal.aborted) process.exit(130);
    controller.abort();
  };
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", interrupt);
  const progress = await startProgress();
  try {
    // The time limit is for the run as a whole: loading and recording the models have had their part of it.
    const timeout = Math.max(0, options.timeout - performance.now() / 1000);
    return await checkAll(
      plan,
      { ...options, timeout },
      {
        signal: controller.signal,
        progress: (finished, total, running) => progress.update(finished, total, running),
        dump: (where, evidence) => writeEvidence(where, evidence),
      },
    );
  } finally {
    progress.stop();
    process.off("SIGINT", interrupt);
    process.off("SIGTERM", interrupt);
  }
}

/** Keeps the evidence for an internal error below a directory. @returns the files, the one with everything first */
export function writeEvidence(where: string, { data, traces }: Evidence, directory = ".lockstep"): string[] {
  const stem = join(directory, `internal-error-${where.replaceAll(/[^\w.=-]+/g, "_")}`);
  const texts = [
    [`${stem}.json`, `${JSON.stringify(data, null, 2)}\n`] as const,
    ...Object.entries(traces).map(([name, trace]) => [`${stem}.${name}.itf.json`, writeItf(trace)] as const),
  ];
  for (const [file, text] of texts) writeOutput(file, text);
  return texts.map(([file]) => file);
}

/** Writes the trace of every counterexample below a directory, up to the first that cannot be written: why not. */
export function writeTraces(run: CheckRun, directory: string): UsageError | undefined {
  try {
    for (const { result, counterexample } of run.checked) {
      if (result.trace === null || counterexample === null) continue;
      writeOutput(join(directory, result.trace), writeItf(counterexample));
    }
    return undefined;
  } catch (error) {
    if (error instanceof UsageError) return new UsageError(`${error.message}; --out names another directory`);
    throw error;
  }
}
