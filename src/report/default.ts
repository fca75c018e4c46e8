/**
 * The report for people: a table that is taken in at a glance, then what needs attention, then counterexamples.
 */
import { ONLY_CUT_EDGES } from "../checker/expectation.ts";
import type { Checked, CheckReport, CheckResult } from "../checker/result.ts";
import { counterexampleText, wrap } from "./counterexample.ts";
import type { ReportContext, Reporter } from "./reporter.ts";
import {
  cellName,
  groupBy,
  interruptedSentence,
  isOpen,
  isWrong,
  problemText,
  settingsOf,
  verdictSentence,
} from "./result-text.ts";

/** Counterexamples printed unless all are asked for; the others are in their files. */
const PRINTED = 5;

const RED = 31;
const GREEN = 32;
const YELLOW = 33;

export const defaultReporter: Reporter = (report, context) => {
  const sections: string[] = [];
  for (const protocol of new Set(report.checked.map((c) => c.result.protocol))) {
    sections.push(
      table(
        protocol,
        report.checked.filter((c) => c.result.protocol === protocol),
        context,
      ),
    );
  }
  if (report.checked.length > 0) sections.push(legend(report.checked));
  const rescued = onlyCutEdges(report.checked);
  if (rescued.length > 0) sections.push(rescued.join("\n"));
  const notes = attention(report);
  if (notes.length > 0) sections.push(notes.join("\n"));
  const unreduced = reductionsOff(report.checked);
  if (unreduced.length > 0) sections.push(unreduced.join("\n"));
  const certified = certificates(report.checked, context);
  if (certified.length > 0) sections.push(certified.join("\n"));
  const compared = crossChecks(report.checked);
  if (compared.length > 0) sections.push(compared.join("\n"));
  sections.push(...counterexamples(report, context));
  sections.push(summary(report, context));
  return `${sections.join("\n\n")}\n`;
};

function symbol(result: CheckResult): string {
  if (result.finding?.kind === "model-error") return "E!";
  const mark = { holds: "ok", violated: "x", vacuous: "~", inconclusive: "?" }[result.verdict];
  return isWrong(result) || isOpen(result) ? `${mark}!` : mark;
}

function paint(text: string, color: number, context: ReportContext): string {
  return context.color ? `\u001b[${color}m${text}\u001b[0m` : text;
}

function colorOf(result: CheckResult): number {
  return isWrong(result) ? RED : isOpen(result) ? YELLOW : GREEN;
}

interface Row {
  readonly variant: string;
  readonly scenario: string;
  readonly cells: Map<string, CheckResult>;
}

function table(protocol: string, checked: readonly Checked[], context: ReportContext): string {
  const properties = [...new Set(checked.map((c) => c.result.property))];
  const common = commonSettings(checked.map((c) => c.result));
  const rows = new Map<string, Row>();
  for (const { result } of checked) {
    const key = `${result.variant}\n${result.scenario}\n${settingsOf(result)}`;
    const own = difference(result, common);
    const scenario = own === "" ? result.scenario : `${result.scenario} ${own}`;
    const row = rows.get(key) ?? { variant: result.variant, scenario, cells: new Map() };
    row.cells.set(result.property, result);
    rows.set(key, row);
  }
  // Property names stand above their narrow columns, broken at hyphens.
  const heads = properties.map((id) => id.split("-").map((part, i, all) => (i < all.length - 1 ? `${part}-` : part)));
  const height = Math.max(...heads.map((head) => head.length));
  const widths = heads.map((head) => Math.max(3, ...head.map((part) => part.length)));
  const variantWidth = Math.max("variant".length, ...[...rows.values()].map((row) => row.variant.length));
  const scenarioWidth = Math.max("scenario".length, ...[...rows.values()].map((row) => row.scenario.length));
  const lines = [protocol, ""];
  for (let i = 0; i < height; i++) {
    const last = i === height - 1;
    const parts = heads.map((head, c) => (head[i - (height - head.length)] ?? "").padEnd(widths[c] ?? 0));
    const left = `${(last ? "variant" : "").padEnd(variantWidth)}  ${(last ? "scenario" : "").padEnd(scenarioWidth)}`;
    lines.push(`  ${left}  ${parts.join("  ")}`.trimEnd());
  }
  let previous = "";
  for (const row of rows.values()) {
    const cells = properties.map((id, c) => {
      const result = row.cells.get(id);
      if (result === undefined) return " ".repeat(widths[c] ?? 0);
      const text = symbol(result);
      return paint(text, colorOf(result), context) + " ".repeat((widths[c] ?? 0) - text.length);
    });
    const variant = row.variant === previous ? "" : row.variant;
    previous = row.variant;
    lines.push(
      `  ${variant.padEnd(variantWidth)}  ${row.scenario.padEnd(scenarioWidth)}  ${cells.join("  ")}`.trimEnd(),
    );
  }
  return lines.join("\n");
}

/** The settings most results of each scenario share; rows name only what differs from them. */
function commonSettings(results: readonly CheckResult[]): Map<string, string> {
  const counts = new Map<string, Map<string, number>>();
  for (const result of results) {
    for (const [name, value] of Object.entries({ ...result.sizes, ...result.switches })) {
      const key = `${result.scenario} ${name}`;
      const values = counts.get(key) ?? new Map<string, number>();
      values.set(String(value), (values.get(String(value)) ?? 0) + 1);
      counts.set(key, values);
    }
  }
  return new Map(
    [...counts].map(([key, values]) => [key, [...values].reduce((a, b) => (b[1] > a[1] ? b : a))[0]] as const),
  );
}

function difference(result: CheckResult, common: ReadonlyMap<string, string>): string {
  return Object.entries({ ...result.sizes, ...result.switches })
    .filter(([name, value]) => common.get(`${result.scenario} ${name}`) !== String(value))
    .map(([name, value]) => `${name}=${value}`)
    .join(" ");
}

function legend(checked: readonly Checked[]): string {
  const used = new Set(checked.map((c) => symbol(c.result)));
  const meanings: readonly (readonly [string, string])[] = [
    ["ok", "holds"],
    ["x", "violated, as expected"],
    ["~", "vacuous, as expected"],
    ["?", "inconclusive, as expected"],
    ["ok!", "holds, not as expected"],
    ["x!", "VIOLATED, not as expected"],
    ["~!", "VACUOUS, not as expected"],
    ["?!", "NOT DECIDED"],
    ["E!", "the model errs"],
  ];
  const entries = meanings.filter(([mark]) => used.has(mark)).map(([mark, meaning]) => `${mark} ${meaning}`);
  const lines: string[] = [];
  for (const entry of entries) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + entry.length + 3 <= 100) lines[lines.length - 1] = `${last}   ${entry}`;
    else lines.push(entry);
  }
  return lines.join("\n");
}

/** Why what the model expects to be inconclusive is: each of its reasons once, with the verdicts it is given for. */
function onlyCutEdges(checked: readonly Checked[]): string[] {
  const expected = checked.filter(({ result }) => result.verdict === "inconclusive" && !isOpen(result));
  const groups = groupBy(expected, ({ result, expectation }) => `${result.protocol} ${expectation ?? ""}`);
  const lines = groups.flatMap((group) => {
    const [{ result, expectation }] = group;
    const more = group.length === 1 ? "" : ` and ${group.length - 1} more`;
    const name = `${result.protocol} ${result.variant} ${result.scenario}, ${result.property}${more}`;
    return wrap(`${name}: ${expectation ?? ""}`, 98, "  ").map((line) => `  ${line}`);
  });
  return lines.length === 0 ? [] : [`inconclusive, as expected: ${ONLY_CUT_EDGES}`, ...lines];
}

/** Results left open for one and the same reason that are listed one by one; of more only the number is told. */
const LISTED = 5;

/** One paragraph for each result that is wrong or open. */
function attention(report: CheckReport): string[] {
  const lines: string[] = [];
  const name = (result: CheckResult): string => `${cellName(result, settingsOf(result))}, ${result.property}`;
  // Where the model errs, that is all there is to say of every property.
  const errs = modelErrors(report.checked);
  for (const [{ result }] of errs) {
    lines.push(...wrap(`model error: ${cellName(result, settingsOf(result))}: ${result.reason}`, 100, "    "));
  }
  for (const checked of report.checked) {
    if (!isWrong(checked.result) || errs.flat().includes(checked)) continue;
    lines.push(...wrap(`not as expected: ${name(checked.result)}: ${verdictSentence(checked)}`, 100, "    "));
  }
  if (report.checked.some(({ result }) => result.verdict === "vacuous" && isWrong(result))) {
    lines.push("What is vacuous for a good reason is declared so in `expected` (docs/writing-a-model.md, 4).");
  }
  const open = report.checked.filter(({ result }) => isOpen(result) && !isWrong(result));
  for (const group of groupBy(open, ({ result }) => result.reason ?? "")) {
    const [{ result }] = group;
    if (group.length > LISTED) {
      const text = `not decided: ${group.length} verdicts, the first of ${name(result)}: ${result.reason ?? ""}`;
      lines.push(...wrap(text, 100, "    "));
      continue;
    }
    for (const checked of group) {
      lines.push(...wrap(`not decided: ${name(checked.result)}: ${verdictSentence(checked)}`, 100, "    "));
    }
  }
  if (report.interrupted) lines.push(...wrap(interruptedSentence(report), 100, "    "));
  for (const problem of report.problems) {
    const what = { internal: "INTERNAL ERROR", model: "model error", checkpoint: "no search" }[problem.kind];
    lines.push(`${what}: ${problemText(problem)}`);
  }
  return lines;
}

/** How many proofs can be checked by another solver, and how. */
function certificates(checked: readonly Checked[], context: ReportContext): string[] {
  const certified = checked.flatMap((c) => (c.result.certificates === undefined ? [] : [c.result.certificates]));
  const [first] = certified.flat();
  if (first === undefined) return [];
  const count = certified.length === 1 ? "1 verdict" : `${certified.length} verdicts`;
  const file = `npx lockstep certify ${context.proofs}/${first}`;
  return [`certificates: for ${count}, below ${context.proofs}; another solver checks one by`, `  ${file}`];
}

/** What was not reduced although it could be made smaller: each reason once for a protocol, with the number of verdicts. */
function reductionsOff(checked: readonly Checked[]): string[] {
  const found = new Map<string, { scenarios: Set<string>; verdicts: number }>();
  for (const { result } of checked) {
    for (const { reduction, reason } of result.reductionsOff ?? []) {
      const key = JSON.stringify([reduction, result.protocol, reason]);
      const entry = found.get(key) ?? { scenarios: new Set(), verdicts: 0 };
      entry.scenarios.add(result.scenario);
      found.set(key, { ...entry, verdicts: entry.verdicts + 1 });
    }
  }
  return [...found].flatMap(([key, { scenarios, verdicts }]) => {
    const [reduction, protocol, reason] = JSON.parse(key) as [string, string, string];
    const [first] = scenarios;
    const where = scenarios.size === 1 ? `${protocol} ${first}` : `${scenarios.size} scenarios of ${protocol}`;
    return wrap(`${reduction} off in ${where}: ${reason} (${verdicts} verdict${verdicts === 1 ? "" : "s"})`, 100, "  ");
  });
}

/** What other engines say about the verdicts: with how many each agrees, and where there was nothing to compare. */
function crossChecks(checked: readonly Checked[]): string[] {
  const lines: string[] = [];
  const all = checked.flatMap(({ result }) => (result.crossChecks ?? []).map((check) => ({ result, check })));
  const nameOf = ({ check }: (typeof all)[number]): string =>
    check.method.endsWith("without reductions") ? `${check.engine} without reductions` : check.engine;
  for (const engine of new Set(all.map(nameOf))) {
    const own = all.filter((c) => nameOf(c) === engine);
    const open = own.filter((c) => !c.check.agrees);
    lines.push(`cross-check: ${engine} agrees on ${own.length - open.length} of ${own.length} verdicts`);
    for (const reason of new Set(open.map((c) => c.check.reason))) {
      const group = open.filter((c) => c.check.reason === reason);
      const [first] = group as [(typeof open)[number]];
      const others = group.length === 1 ? "" : ` and ${group.length - 1} more`;
      const name = `${cellName(first.result, settingsOf(first.result))}, ${first.result.property}`;
      lines.push(...wrap(`  not compared: ${name}${others}: ${reason}`, 100, "    "));
    }
  }
  return lines;
}

/** Results in which the model errs, those of one cell with one and the same error together. */
function modelErrors(checked: readonly Checked[]): [Checked, ...Checked[]][] {
  const errs = checked.filter(({ result }) => result.finding?.kind === "model-error");
  return groupBy(errs, ({ result }) => `${cellName(result, settingsOf(result))} ${result.reason}`);
}

function counterexamples(report: CheckReport, context: ReportContext): string[] {
  // One row has been asked for: its counterexamples are shown, expected or not.
  const rows = new Set(report.checked.map(({ result: r }) => `${r.protocol} ${r.variant} ${r.scenario}`));
  const few = context.all || rows.size <= 1;
  const again = modelErrors(report.checked).flatMap(([, ...others]) => others);
  const chosen = report.checked.flatMap((checked) => {
    const { result, counterexample } = checked;
    const shown = counterexample !== null && (few || isWrong(result)) && !again.includes(checked);
    return shown ? [{ result, counterexample }] : [];
  });
  const printed = context.all ? chosen : chosen.slice(0, PRINTED);
  const texts = printed.map(({ result, counterexample }) => {
    const text = counterexampleText(counterexample, { file: fileOf(result, context) }).trimEnd();
    return `${"=".repeat(100)}\n${text}`;
  });
  const others = chosen.slice(printed.length).map(({ result }) => `  npx lockstep show ${fileOf(result, context)}`);
  return others.length === 0 ? texts : [...texts, ["The other counterexamples:", ...others].join("\n")];
}

function fileOf(result: CheckResult, context: ReportContext): string | null {
  return result.trace === null ? null : `${context.directory}/${result.trace}`;
}

function summary(report: CheckReport, context: ReportContext): string {
  const results = report.checked.map((c) => c.result);
  const count = (verdict: string): number => results.filter((r) => r.verdict === verdict).length;
  const parts = [`${count("holds")} ${count("holds") === 1 ? "holds" : "hold"}`];
  const violated = results.filter((r) => r.verdict === "violated");
  if (violated.length > 0) {
    const expected = violated.filter((r) => r.asExpected).length;
    const share = expected === violated.length ? "all" : expected === 0 ? "none" : expected;
    parts.push(`${violated.length} violated (${share} as expected)`);
  }
  if (count("vacuous") > 0) parts.push(`${count("vacuous")} vacuous`);
  if (count("inconclusive") > 0) parts.push(`${count("inconclusive")} inconclusive`);
  const verdicts = results.length === 1 ? "1 verdict" : `${results.length} verdicts`;
  const wrong = results.filter((r) => isWrong(r)).length;
  const failures: string[] = [];
  if (wrong > 0) failures.push(`${wrong} not as expected`);
  if (report.problems.length > 0) failures.push(`${report.problems.length} not checked because of errors`);
  const open = report.unfinished.length > 0 || results.some((r) => isOpen(r));
  let judgement = paint("everything as expected", GREEN, context);
  if (failures.length > 0) judgement = paint(failures.join(", "), RED, context);
  else if (open) judgement = paint("nothing wrong, but not everything was decided", YELLOW, context);
  else if (results.length === 0) judgement = "nothing to do";
  const seconds = `${report.seconds.toFixed(1)} s`;
  if (results.length === 0 && (report.interrupted || failures.length > 0)) {
    const what = report.interrupted ? "INTERRUPTED before anything was decided" : "No verdicts";
    return `${what}${failures.length > 0 ? `; ${judgement}` : ""}. ${seconds}.`;
  }
  const { length } = report.unfinished;
  const left = `, ${length === 1 ? "1 scenario" : `${length} scenarios`} not finished. What had finished`;
  const interrupted = report.interrupted ? `INTERRUPTED${length === 0 ? "" : left}: ` : "";
  const memory = results.length > 0 ? " Sequential consistency throughout." : "";
  return `${interrupted}${verdicts}: ${parts.join(", ")}; ${judgement}. ${seconds}.${memory}`;
}
