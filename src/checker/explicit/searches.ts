/** Which searches decide the properties asked for: those that no reduction tells apart share one. */
import type { SysProperty, TransitionSystem } from "../../spec/transition-system.ts";
import type { SearchOptions } from "../verdict.ts";
import { askOfRuns, MOST_CONDITIONS } from "./fair-search.ts";
import { askedOncePerOrbit, type Reductions, reductionsFor } from "./reductions.ts";

interface OneSearch {
  readonly properties: readonly string[];
  readonly reductions: Reductions;
}

/** The properties, by the search that decides them. */
export function searches(system: TransitionSystem, options: SearchOptions): [OneSearch, ...OneSearch[]] {
  const asked = system.properties.filter((p) => options.properties.includes(p.id));
  const temporal = asked.filter((p) => p.check.c === "temporal");
  const others = asked.filter((p) => p.check.c !== "temporal");
  type Group = { properties: SysProperty[]; reductions: Reductions; key: string };
  const groups: Group[] = [];
  const wished = { symmetry: options.reduction, transactions: options.reduction };
  const groupOf = (properties: SysProperty[]): Group => {
    const reductions = reductionsFor(system, properties, wished);
    const { orbits, internal } = reductions;
    return { properties, reductions, key: JSON.stringify({ orbits, internal }) };
  };
  // A checkpoint is of a search that keeps no edges.
  const apart = options.checkpoint !== undefined;
  if (others.length > 0 || apart || temporal.length === 0) groups.push(groupOf(others));
  for (const property of temporal) {
    const one = options.reduction ? askedOncePerOrbit(system, property) : property;
    const alone = groupOf([one]);
    const fits = groups.find(
      (g, i) =>
        g.key === alone.key &&
        !(apart && i === 0) &&
        askOfRuns([...g.properties, one]).conditions.length <= MOST_CONDITIONS,
    );
    // What keeps the verdict of each keeps those of all.
    if (fits === undefined) groups.push(alone);
    else fits.properties.push(one);
  }
  const [first, ...more] = groups.map((g) => ({ properties: g.properties.map((p) => p.id), reductions: g.reductions }));
  return [first!, ...more];
}
