import type { Coverage, Statement } from "../checker/coverage.ts";
import type { Site } from "../spec/program.ts";

/** The statements of the models that no run of any scenario of a variant reaches, by variant. */
export function coverageText(coverage: readonly Coverage[]): string {
  const variants = new Map<string, Coverage[]>();
  for (const c of coverage) {
    const key = `${c.protocol} ${c.variant}`;
    variants.set(key, [...(variants.get(key) ?? []), c]);
  }
  const lines = [...variants].flatMap(([variant, parts]) => variantLines(variant, parts));
  return `\nCoverage: statements that no run of the scenarios checked reaches\n\n${lines.join("\n")}\n`;
}

function variantLines(variant: string, parts: readonly Coverage[]): string[] {
  const statements = new Map(parts.flatMap((p) => p.statements.map((s) => [place(s.site), s] as const)));
  const unfinished = parts.filter((p) => !p.complete);
  const reached = new Set<string>();
  for (const part of parts.filter((p) => p.complete)) {
    const unreached = new Set(part.unreached.map((s) => place(s.site)));
    for (const { site } of part.statements) if (!unreached.has(place(site))) reached.add(place(site));
  }
  const open = new Set(unfinished.flatMap((p) => p.statements.map((s) => place(s.site))));
  const others = [...statements.values()].filter((s) => !reached.has(place(s.site)));
  const missed = others.filter((s) => !open.has(place(s.site)));
  const undecided = others.length - missed.length;
  const names = [...new Set(unfinished.map((p) => p.scenario))].join(", ");
  const rest = undecided === 0 ? "" : `, ${undecided} undecided (not finished: ${names})`;
  return [
    `${variant}: ${reached.size} of ${statements.size} statements reached${rest}`,
    ...missedLines(missed, [...statements.values()]),
  ];
}

/** One line each; a function of which nothing is reached has one line in all. */
function missedLines(missed: readonly Statement[], all: readonly Statement[]): string[] {
  const count = (list: readonly Statement[], fn: string): number => list.filter((s) => s.fn === fn).length;
  const whole = new Set(missed.map((s) => s.fn).filter((fn) => count(missed, fn) === count(all, fn)));
  const told = new Set<string>();
  const lines: string[] = [];
  for (const { site, fn, text } of [...missed].sort((a, b) => byPlace(a.site, b.site))) {
    if (told.has(fn)) continue;
    if (whole.has(fn)) told.add(fn);
    const what = whole.has(fn) ? `nothing of ${fn}` : `${text}, in ${fn}`;
    lines.push(`  ${site.file}:${site.line}: ${what}`);
  }
  return [...new Set(lines)];
}

function place(site: Site): string {
  return `${site.file}:${site.line}:${site.column}`;
}

function byPlace(a: Site, b: Site): number {
  if (a.file !== b.file) return a.file < b.file ? -1 : 1;
  return a.line - b.line || a.column - b.column;
}
