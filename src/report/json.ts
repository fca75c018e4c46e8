import type { Reporter } from "./reporter.ts";

/** One object; its schema is schema/check.schema.json of the package. */
export const jsonReporter: Reporter = (report, context) => {
  const problems = report.problems.map(({ kind, where, message }) => ({ kind, where, message }));
  const results = report.checked.map((c) => c.result);
  return `${JSON.stringify({ lockstep: context.version, interrupted: report.interrupted, problems, results }, null, 2)}\n`;
};
