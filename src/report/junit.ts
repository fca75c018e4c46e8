import { counterexampleText } from "./counterexample.ts";
import type { Reporter } from "./reporter.ts";
import { cellName, groupByCell, isOpen, isWrong, settingsOf, verdictSentence } from "./result-text.ts";

/** JUnit XML: a suite per scenario, a case per property; what was not decided counts as skipped. */
export const junitReporter: Reporter = (report, context) => {
  const lines = [`<?xml version="1.0" encoding="UTF-8"?>`];
  const results = report.checked.map((c) => c.result);
  lines.push(
    `<testsuites name="lockstep" ${counts(results, report.problems.length)} time="${report.seconds.toFixed(3)}">`,
  );
  for (const group of groupByCell(report)) {
    const first = group[0]?.result;
    if (first === undefined) continue;
    const name = cellName(first, settingsOf(first));
    const rows = group.map((c) => c.result);
    const seconds = Math.max(...rows.map((r) => r.seconds));
    lines.push(`  <testsuite name="${xml(name)}" ${counts(rows, 0)} time="${seconds.toFixed(3)}">`);
    for (const checked of group) {
      const { result, counterexample } = checked;
      const file = result.trace === null ? null : `${context.directory}/${result.trace}`;
      const sentence = xml(verdictSentence(checked));
      const head = `    <testcase classname="${xml(name)}" name="${xml(result.property)}" file="${xml(checked.declared.file)}" line="${checked.declared.line}" time="${result.seconds.toFixed(3)}"`;
      const body: string[] = [];
      const text = counterexample === null ? "" : xml(counterexampleText(counterexample, { file }));
      if (result.finding?.kind === "model-error") {
        body.push(`      <error message="${sentence}" type="model-error">${text}</error>`);
      } else if (isWrong(result)) {
        body.push(
          `      <failure message="${sentence}" type="${xml(result.finding?.kind ?? result.verdict)}">${text}</failure>`,
        );
      } else if (isOpen(result)) {
        body.push(`      <skipped message="${sentence}"/>`);
      } else if (result.verdict !== "holds") {
        body.push(`      <system-out>${sentence}</system-out>`);
      }
      if (file !== null) body.push(`      <system-out>[[ATTACHMENT|${xml(file)}]]</system-out>`);
      if (body.length === 0) lines.push(`${head}/>`);
      else lines.push(`${head}>`, ...body, "    </testcase>");
    }
    lines.push("  </testsuite>");
  }
  for (const problem of report.problems) {
    lines.push(
      `  <testsuite name="${xml(problem.where)}" tests="1" failures="0" errors="1" skipped="0">`,
      `    <testcase classname="${xml(problem.where)}" name="loads">`,
      `      <error message="${xml(problem.message)}" type="${problem.kind}-error"/>`,
      "    </testcase>",
      "  </testsuite>",
    );
  }
  lines.push("</testsuites>");
  return `${lines.join("\n")}\n`;
};

function counts(results: readonly Parameters<typeof isWrong>[0][], problems: number): string {
  const errors = results.filter((r) => r.finding?.kind === "model-error").length;
  const failures = results.filter((r) => isWrong(r)).length - errors;
  const skipped = results.filter((r) => isOpen(r) && !isWrong(r)).length;
  return `tests="${results.length + problems}" failures="${failures}" errors="${errors + problems}" skipped="${skipped}"`;
}

/** Escapes text for XML and drops the control characters XML 1.0 has no way to write. */
export function xml(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll(/[^\t\n\r\x20-\ud7ff\ue000-\ufffd]/g, "");
}
