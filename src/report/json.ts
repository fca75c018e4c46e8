import type { Reporter } from "./reporter.ts";

/** One object; its schema is schema/check.schema.json of the package. */
export const jsonReporter: Reporter = (report, context) => {
  const { interrupted, unfinished } = report;
  const whole = {
    lockstep: context.version,
    interrupted,
    ...(interrupted && { unfinished }),
    problems: report.problems.map(({ kind, where, message }) => ({ kind, where, message })),
    results: report.checked.map((c) => c.result),
  };
  return `${JSON.stringify(whole, null, 2)}\n`;
};
