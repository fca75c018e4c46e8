/** What `check` and `compare` share: a run with progress, interrupts, traces and evidence of internal errors. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type CheckOptions, type CheckRun, checkAll, type Plan } from "../checker/check.ts";
import { startProgress } from "./progress.ts";

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
        dump: writeEvidence,
      },
    );
  } finally {
    progress.stop();
    process.off("SIGINT", interrupt);
    process.off("SIGTERM", interrupt);
  }
}

function writeEvidence(where: string, evidence: unknown): string {
  const file = join(".lockstep", `internal-error-${where.replaceAll(/[^\w.=-]+/g, "_")}.json`);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(evidence, null, 2)}\n`);
  return file;
}

/** Writes the trace of every counterexample below a directory. */
export async function writeTraces(run: CheckRun, directory: string): Promise<void> {
  const { writeItf } = await import("../checker/trace/itf.ts");
  for (const { result, counterexample } of run.checked) {
    if (result.trace === null || counterexample === null) continue;
    const file = join(directory, result.trace);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, writeItf(counterexample));
  }
}
