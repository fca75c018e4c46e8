import type { Reporter } from "./reporter.ts";
import { cellName, interruptedSentence, isOpen, isWrong, settingsOf, verdictSentence } from "./result-text.ts";

/** Workflow commands that GitHub Actions turns into annotations at the property's line in the model. */
export const githubReporter: Reporter = (report) => {
  const lines: string[] = [];
  for (const checked of report.checked) {
    const { result, declared } = checked;
    const level = isWrong(result) ? "error" : isOpen(result) ? "warning" : null;
    if (level === null) continue;
    const title = `${result.property}: ${cellName(result, settingsOf(result))}`;
    const place = `file=${property(declared.file)},line=${declared.line},col=${declared.column}`;
    lines.push(`::${level} ${place},title=${property(title)}::${data(verdictSentence(checked))}`);
  }
  for (const problem of report.problems)
    lines.push(`::error title=${property(problem.where)}::${data(problem.message)}`);
  if (report.interrupted) lines.push(`::warning title=lockstep::${data(interruptedSentence(report))}`);
  return lines.length === 0 ? "" : `${lines.join("\n")}\n`;
};

function data(text: string): string {
  return text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
}

function property(text: string): string {
  return data(text).replaceAll(":", "%3A").replaceAll(",", "%2C");
}
