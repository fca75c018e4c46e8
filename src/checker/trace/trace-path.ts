import type { Trace } from "./trace.ts";

/** The sizes and switches that differ from the declared defaults, by name. */
export type Deviations = Readonly<Record<string, number | string>>;

/**
 * Where a trace lies below the directory of traces. The path is the identity of the result, so that a trace of other
 * than the default sizes and switches never overwrites a committed one.
 */
export function tracePath(
  trace: Pick<Trace, "protocol" | "variant" | "scenario" | "property">,
  deviations: Deviations,
): string {
  const settings = Object.entries(deviations)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`);
  const scenario = settings.length === 0 ? trace.scenario : `${trace.scenario}@${settings.join(",")}`;
  return `${trace.protocol}/${trace.variant}/${scenario}/${trace.property}.itf.json`;
}

/** What of `sizes` and `switches` is not at its default. */
export function deviationsFrom(
  settings: { readonly sizes: Readonly<Record<string, number>>; readonly switches: Readonly<Record<string, string>> },
  defaults: { readonly sizes: Readonly<Record<string, number>>; readonly switches: Readonly<Record<string, string>> },
): Deviations {
  const deviations: Record<string, number | string> = {};
  for (const [name, value] of Object.entries(settings.sizes)) {
    if (defaults.sizes[name] !== value) deviations[name] = value;
  }
  for (const [name, value] of Object.entries(settings.switches)) {
    if (defaults.switches[name] !== value) deviations[name] = value;
  }
  return deviations;
}
