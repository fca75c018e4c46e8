import type { Reporter } from "./reporter.ts";
import { cellName, groupByCell, isOpen, isWrong, settingsOf, verdictSentence } from "./result-text.ts";

/** KTAP version 1 (the kernel's Documentation/dev-tools/ktap.rst): a subtest per scenario, a case per property. */
export const ktapReporter: Reporter = (report) => {
  const groups = groupByCell(report);
  const lines = ["KTAP version 1", `1..${groups.length + report.problems.length}`];
  for (const [index, group] of groups.entries()) {
    const first = group[0]?.result;
    if (first === undefined) continue;
    const name = description(cellName(first, settingsOf(first)));
    lines.push("  KTAP version 1", `  # Subtest: ${name}`, `  1..${group.length}`);
    for (const [i, checked] of group.entries()) {
      const { result } = checked;
      const sentence = line(verdictSentence(checked));
      const state = isWrong(result) ? "not ok" : "ok";
      // A case that did not decide anything must not pass silently; SKIP is KTAP's word for it.
      const directive = !isWrong(result) && isOpen(result) ? ` # SKIP ${sentence}` : "";
      if (directive === "" && result.verdict !== "holds") lines.push(`  # ${sentence}`);
      lines.push(`  ${state} ${i + 1} ${description(result.property)}${directive}`);
    }
    lines.push(`${group.some((c) => isWrong(c.result)) ? "not ok" : "ok"} ${index + 1} ${name}`);
  }
  for (const [index, problem] of report.problems.entries()) {
    lines.push(`# ${line(problem.message)}`, `not ok ${groups.length + index + 1} ${description(problem.where)}`);
  }
  if (report.interrupted) lines.push("Bail out! interrupted");
  return `${lines.join("\n")}\n`;
};

function line(text: string): string {
  return text.replaceAll(/\s*\n\s*/g, "; ");
}

/** A `#` in a description would start a directive. */
function description(text: string): string {
  return line(text).replaceAll("#", "");
}
