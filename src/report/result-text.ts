/** Sentences about one result that several formats print. */
import type { Checked, CheckReport, CheckResult, Problem } from "../checker/result.ts";

/** `loop-partscan lei-2015 set-status-vs-open` and, at other than default settings, those. */
export function cellName(result: CheckResult, settings: string): string {
  return `${result.protocol} ${result.variant} ${result.scenario}${settings === "" ? "" : ` (${settings})`}`;
}

/** What differs from the commonest settings of the scenario's results; traces carry it in their path. */
export function settingsOf(result: CheckResult): string {
  const all = { ...result.sizes, ...result.switches };
  return Object.entries(all)
    .map(([name, value]) => `${name}=${value}`)
    .join(" ");
}

/** One sentence: what the verdict is, and where it is not as expected, what was expected. */
export function verdictSentence(checked: Checked): string {
  const { result } = checked;
  const what = verdictText(result);
  if (result.asExpected) return checked.expectation === null ? what : `${what} (as expected: ${checked.expectation})`;
  if (result.expected === null || result.expected === "holds") return what;
  return `${what}, but the model expects it to be ${result.expected}: ${checked.expectation ?? ""}`;
}

function verdictText(result: CheckResult): string {
  switch (result.verdict) {
    case "holds":
      return "holds";
    case "violated": {
      const { kind = "", thread = null, message = "" } = result.finding ?? {};
      const who = thread === null || message.startsWith(thread) ? "" : `[${thread}] `;
      return `violated: ${kind}: ${who}${message}`;
    }
    case "vacuous":
      return `vacuous: ${result.reason ?? ""}`;
    case "inconclusive":
      return `inconclusive: ${result.reason ?? ""}`;
  }
}

/** Inconclusive where the model does not expect it: the run is not complete, though nothing is wrong. */
export function isOpen(result: CheckResult): boolean {
  return result.verdict === "inconclusive" && !(result.asExpected && result.expected === "inconclusive");
}

export function isWrong(result: CheckResult): boolean {
  return result.finding?.kind === "model-error" || (!result.asExpected && result.verdict !== "inconclusive");
}

/** What an interrupt left undecided, and what becomes of it. */
export function interruptedSentence({ checked, unfinished }: CheckReport): string {
  const [first, second, third, ...more] = unfinished;
  // What was kept on disk has a reason that names the file.
  if (first === undefined) {
    const open = checked.filter((c) => isOpen(c.result)).length;
    if (open === 0) return "interrupted when all was decided";
    return `interrupted: ${open === 1 ? "1 verdict is" : `${open} verdicts are`} open, of a search that was not finished`;
  }
  const names = [first, second, third].filter((name) => name !== undefined).join("; ");
  const which = `${names}${more.length > 0 ? `; and ${more.length} more` : ""}`;
  return (
    `interrupted: no verdict for ${which}. Nothing is kept of an unfinished search: the next run begins it anew. ` +
    "One that takes long can be kept with --checkpoint FILE, and gone on with by --resume FILE"
  );
}

/** What went wrong and where, once: the position in a model's file says the file. */
export function problemText({ where, message }: Problem): string {
  return message.startsWith(`${where}:`) ? message : `${where}: ${message}`;
}

/** Results in groups of equal protocol, variant, scenario and settings, in their order. */
export function groupByCell(report: CheckReport): Checked[][] {
  return groupBy(report.checked, ({ result }) => cellName(result, settingsOf(result)));
}

/** Those with equal keys together, groups in the order of their first member. */
export function groupBy(checked: readonly Checked[], keyOf: (checked: Checked) => string): [Checked, ...Checked[]][] {
  const groups = new Map<string, [Checked, ...Checked[]]>();
  for (const one of checked) {
    const group = groups.get(keyOf(one));
    if (group === undefined) groups.set(keyOf(one), [one]);
    else group.push(one);
  }
  return [...groups.values()];
}
