/** Two variants of a protocol side by side. */
import type { CheckResult } from "../checker/result.ts";
import { settingsOf } from "./result-text.ts";

/**
 * `vacuous` on either side is neither better nor worse: the question no longer, or only now, makes sense; but a
 * violation is `gone` where what it speaks of does not happen any more.
 * `changed`: violated on both sides, by findings of different kinds. `undecided`: inconclusive on one side.
 * `only-base`, `only-candidate`: the scenario or property does not exist on the other side.
 */
export type Change =
  | "fixed"
  | "gone"
  | "broken"
  | "holds"
  | "still-violated"
  | "changed"
  | "vacuous"
  | "undecided"
  | "only-base"
  | "only-candidate";

export interface ComparisonRow {
  readonly scenario: string;
  readonly settings: string;
  readonly property: string;
  readonly base: string | null;
  readonly candidate: string | null;
  readonly change: Change;
}

export interface Comparison {
  readonly base: string;
  readonly candidate: string;
  readonly rows: readonly ComparisonRow[];
}

/** A violation that the base does not have is worse; so is none known of a property that used to hold. */
export function isWorse(change: Change): boolean {
  return change === "broken";
}

export function comparisonOf(results: readonly CheckResult[], base: string, candidate: string): Comparison {
  const key = (r: CheckResult): string => [r.scenario, settingsOf(r), r.property].join("\n");
  const before = new Map(results.filter((r) => r.variant === base).map((r) => [key(r), r]));
  const after = new Map(results.filter((r) => r.variant === candidate).map((r) => [key(r), r]));
  const rows = [...new Set([...before.keys(), ...after.keys()])].map((k): ComparisonRow => {
    const b = before.get(k);
    const c = after.get(k);
    const [scenario = "", settings = "", property = ""] = k.split("\n");
    return { scenario, settings, property, base: verdict(b), candidate: verdict(c), change: changeOf(b, c) };
  });
  return { base, candidate, rows };
}

function verdict(result: CheckResult | undefined): string | null {
  if (result === undefined) return null;
  return result.verdict === "violated" ? `violated (${result.finding?.kind ?? ""})` : result.verdict;
}

function changeOf(base: CheckResult | undefined, candidate: CheckResult | undefined): Change {
  if (base === undefined) return "only-candidate";
  if (candidate === undefined) return "only-base";
  const before = base.verdict;
  const after = candidate.verdict;
  if (before === "inconclusive" || after === "inconclusive") return "undecided";
  if (after === "violated") {
    if (before !== "violated") return "broken";
    return base.finding?.kind === candidate.finding?.kind ? "still-violated" : "changed";
  }
  if (before === "violated") return after === "holds" ? "fixed" : "gone";
  return before === "holds" && after === "holds" ? "holds" : "vacuous";
}

const WORDS: Readonly<Record<Change, string>> = {
  fixed: "FIXED",
  gone: "GONE",
  broken: "BROKEN",
  holds: ".",
  "still-violated": "x",
  changed: "x*",
  vacuous: "~",
  undecided: "?",
  "only-base": "-",
  "only-candidate": "new",
};

const MEANINGS: Readonly<Record<Change, string>> = {
  fixed: "was violated, holds now",
  gone: "was violated; what it speaks of does not happen any more",
  broken: "is violated now",
  holds: "holds in both",
  "still-violated": "violated in both",
  changed: "violated in both, differently",
  vacuous: "vacuous in one or both",
  undecided: "inconclusive in one or both",
  "only-base": "only in the base",
  "only-candidate": "only in the candidate",
};

export function comparisonText(protocol: string, comparison: Comparison): string {
  const { rows } = comparison;
  const properties = [...new Set(rows.map((r) => r.property))];
  const scenarios = [...new Set(rows.map((r) => r.scenario))];
  const heads = properties.map((id) => id.split("-").map((part, i, all) => (i < all.length - 1 ? `${part}-` : part)));
  const height = Math.max(...heads.map((h) => h.length));
  const widths = heads.map((h) => Math.max("BROKEN".length, ...h.map((part) => part.length)));
  const left = Math.max("scenario".length, ...scenarios.map((s) => s.length));
  const lines = [`${protocol}: ${comparison.base} -> ${comparison.candidate}`, ""];
  for (let i = 0; i < height; i++) {
    const parts = heads.map((h, c) => (h[i - (height - h.length)] ?? "").padEnd(widths[c] ?? 0));
    lines.push(`  ${(i === height - 1 ? "scenario" : "").padEnd(left)}  ${parts.join("  ")}`.trimEnd());
  }
  for (const scenario of scenarios) {
    const cells = properties.map((property, c) => {
      const row = rows.find((r) => r.scenario === scenario && r.property === property);
      return (row === undefined ? "" : WORDS[row.change]).padEnd(widths[c] ?? 0);
    });
    lines.push(`  ${scenario.padEnd(left)}  ${cells.join("  ")}`.trimEnd());
  }
  const used = new Set(rows.map((r) => r.change));
  const legend = (Object.keys(WORDS) as Change[]).filter((c) => used.has(c)).map((c) => `${WORDS[c]} ${MEANINGS[c]}`);
  lines.push("", legend.join("   "));
  const told = rows.filter((r) => ["fixed", "gone", "broken", "changed", "undecided"].includes(r.change));
  if (told.length > 0) lines.push("");
  for (const row of told) {
    lines.push(`${WORDS[row.change]} ${row.scenario}, ${row.property}: ${row.base} -> ${row.candidate}`);
  }
  lines.push("", counts(rows));
  return lines.join("\n");
}

/** How many of what, nothing left out; what nothing happened to is one number. */
function counts(rows: readonly ComparisonRow[]): string {
  const count = (...changes: Change[]): number => rows.filter((r) => changes.includes(r.change)).length;
  const all: readonly (readonly [number, string])[] = [
    [count("gone"), "gone"],
    [count("changed"), "violated differently"],
    [count("undecided"), "undecided"],
    [count("only-base", "only-candidate"), "in one only"],
  ];
  const some = all.filter(([n]) => n > 0).map(([n, what]) => `${n} ${what}, `);
  const same = count("holds", "still-violated", "vacuous");
  return `${count("fixed")} fixed, ${count("broken")} broken, ${some.join("")}${same} unchanged`;
}
