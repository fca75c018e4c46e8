import type { Coverage } from "../checker/item.ts";
import type { Site } from "../spec/program.ts";

/** The statements of the models that no scenario of a variant reaches, by variant. */
export function coverageText(coverage: readonly Coverage[]): string {
  const variants = new Map<string, Coverage[]>();
  for (const c of coverage) {
    const key = `${c.protocol} ${c.variant}`;
    variants.set(key, [...(variants.get(key) ?? []), c]);
  }
  const lines: string[] = [];
  for (const [variant, parts] of variants) {
    const statements = new Map(parts.flatMap((p) => p.statements.map((site) => [place(site), site] as const)));
    const reached = new Set<string>();
    for (const part of parts) {
      const unreached = new Set(part.unreached.map(place));
      for (const site of part.statements) if (!unreached.has(place(site))) reached.add(place(site));
    }
    const missed = [...statements.values()].filter((site) => !reached.has(place(site))).sort(byPlace);
    const partial = parts.some((p) => !p.complete) ? " so far (some graph was too large to finish)" : "";
    lines.push(`${variant}: ${reached.size} of ${statements.size} statements reached${partial}`);
    lines.push(...[...new Set(missed.map((site) => `  ${site.file}:${site.line} is not reached`))]);
  }
  return `\nCoverage, by the reference interpreter\n\n${lines.join("\n")}\n`;
}

function place(site: Site): string {
  return `${site.file}:${site.line}:${site.column}`;
}

function byPlace(a: Site, b: Site): number {
  if (a.file !== b.file) return a.file < b.file ? -1 : 1;
  return a.line - b.line || a.column - b.column;
}
