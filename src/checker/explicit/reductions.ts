/**
 * Which reductions a search may use for what it is asked.
 *
 * Temporal properties keep symmetry if every condition in them, by itself, and every fairness assumption is unchanged by
 * the exchange of threads: a thread that one names is thereby tracked beside the orbits of the others. Of the members of a
 * class that a property is asked of, one for each orbit is asked.
 *
 * They keep transactions if every thread is weakly fair, so that one that has begun a transaction ends it. Then every run
 * can be put in an order in which transactions are not interrupted, each beginning where its first step was. Conditions
 * of the property are seen in first steps only, which keep their order. That the run is fair again needs that a thread
 * which waits for ever is disabled again and again in it, too: by a lock that somebody holds, then it is so after the
 * step that takes the lock, boundary or not (fair-components.ts looks inside edges); or by anything else, which therefore
 * must change in first steps only. A strongly fair thread must not be enabled more often: one that waits for nothing but
 * one lock is enabled when it is given back, in any order; otherwise all it waits for must change in first steps only.
 * docs/reductions.md has the argument.
 */
import type {
  SysCheck,
  SysExpr,
  SysFairness,
  SysProperty,
  SysTemporal,
  TransitionSystem,
} from "../../spec/transition-system.ts";
import { GROUP } from "../liveness/fair-graph.ts";
import { type Apart, type Orbit, orbits, renamedText } from "../symmetry.ts";
import type { ReductionOff } from "../verdict.ts";
import { conditionsOfFairness, internalLocations } from "./transactions.ts";

type TemporalCheck = Extract<SysCheck, { c: "temporal" }>;
type Case = Pick<TemporalCheck, "formula" | "moving">;

export interface Reductions {
  /** Threads that are exchanged freely; none: no symmetry. */
  readonly orbits: readonly Orbit[];
  /** Per thread and location: its step runs at once after the one before it; none: no transactions. */
  readonly internal: readonly (readonly boolean[])[];
  /** What was wished for and is off, in whole or in part, although there is something to reduce. */
  readonly off: readonly ReductionOff[];
}

/** What the verdict calls them. */
export function namesOf({ orbits, internal }: Reductions): string[] {
  return [...(orbits.length > 0 ? ["symmetry"] : []), ...(internal.length > 0 ? ["transactions"] : [])];
}

/** Those of the reductions wished for that keep the verdicts of all these properties. */
export function reductionsFor(
  system: TransitionSystem,
  properties: readonly SysProperty[],
  wished: { readonly symmetry: boolean; readonly transactions: boolean },
): Reductions {
  const asked = properties.flatMap((p) => asInvariants(p.check).map((check) => ({ check, id: p.id })));
  const checks = asked.map(({ check }) => check);
  const off: ReductionOff[] = [];
  const fairness = properties.flatMap((p) => (p.check.c === "temporal" ? [p.check] : []));
  const nameOf = (t: number): string => system.threads[t]!.name;
  const notExchanged = ({ threads: [a, b], by }: Apart): ReductionOff => {
    const who = `${nameOf(a)} and ${nameOf(b)} are not exchanged: `;
    const why =
      "fact" in by
        ? by.fact
        : "site" in by
          ? `${by.site.file}:${by.site.line} tells them apart`
          : `${asked[by.property]!.id} tells them apart`;
    return { reduction: "symmetry", reason: who + why };
  };
  const alikeInAll = (a: number, b: number) => fairness.every((check) => alike(check, a, b));
  const found = wished.symmetry ? orbits(system, checks, alikeInAll, (apart) => off.push(notExchanged(apart))) : [];
  // Who can still move is kept in words of so many threads, and renamed within each.
  const lookedBack = properties.some((p) => p.check.c === "deadlock" || p.check.c === "stays-possible");
  const classes = lookedBack ? withinGroups(found) : found;
  if (classes.flat().length < found.flat().length || classes.length > found.length) {
    const reason = `threads are exchanged within each ${GROUP} of the ${system.threads.length} only, since deadlock or "stays possible" is asked`;
    off.push({ reduction: "symmetry", reason });
  }
  if (!wished.transactions) return { orbits: classes, internal: [], off };
  const internal = internalFor(system, checks, fairness, classes);
  if (typeof internal !== "string") return { orbits: classes, internal, off };
  return { orbits: classes, internal: [], off: [...off, { reduction: "transactions", reason: internal }] };
}

/** Orbits without members in two groups of the masks that say who can still move. */
function withinGroups(classes: readonly Orbit[]): Orbit[] {
  return classes.flatMap((orbit) => {
    const groups = new Map<number, number[]>();
    for (const t of orbit) {
      const g = Math.floor(t / GROUP);
      groups.set(g, [...(groups.get(g) ?? []), t]);
    }
    return [...groups.values()].filter((members) => members.length > 1);
  });
}

function internalFor(
  system: TransitionSystem,
  checks: readonly SysCheck[],
  temporal: readonly TemporalCheck[],
  classes: readonly Orbit[],
): boolean[][] | string {
  if (!temporal.every((check) => allFinish(system, check.fairness))) {
    return "fairness is not assumed of every thread, so that one may stop inside a transaction";
  }
  const strong = temporal.flatMap((check) => check.fairness.strong);
  const isStrong = (program: number, l: number) =>
    strong.some((s) => system.threads[s.thread]!.program === program && (s.locations?.includes(l) ?? true));
  const seen = temporal.length === 0 ? [] : conditionsOfFairness(system, isStrong);
  const all = [...checks, ...seen.map((expr): SysCheck => ({ c: "invariant", expr }))];
  const internal = internalLocations(system, all, temporal.length > 0);
  // Threads that are exchanged must be treated alike.
  for (const orbit of classes) {
    const alike = internal[orbit[0]!]!.map((_, l) => orbit.every((t) => internal[t]![l]));
    for (const t of orbit) internal[t] = alike;
  }
  const some = (flags: readonly (readonly boolean[])[]) => flags.some((locations) => locations.includes(true));
  if (some(internal)) return internal;
  if (all.length === 0 || !some(internalLocations(system, [], temporal.length > 0))) return [];
  const what = temporal.length > 0 ? "what is asked of runs, or fairness, would see" : "what is asked would see";
  return `${what} every step that could be joined to the one before it`;
}

/** Every thread ends a transaction that it has begun, and no strongly fair one waits until nobody else can move. */
function allFinish(system: TransitionSystem, { weak, strong }: SysFairness): boolean {
  if (weak.length < system.threads.length) return false;
  return strong.every(({ thread, locations }) => {
    const all = system.programs[system.threads[thread]!.program]!.locations;
    return all.every((l, k) => locations?.includes(k) === false || l.actions.every((a) => !a.idle));
  });
}

/** The conditions of a temporal property as properties of states, which is how reductions see them. */
function asInvariants(check: SysCheck): SysCheck[] {
  if (check.c !== "temporal") return [check];
  return [check, ...(check.also ?? [])].flatMap((c) => statesOf(c.formula)).map((expr) => ({ c: "invariant", expr }));
}

function statesOf(f: SysTemporal): SysExpr[] {
  if (f.t === "state") return [f.expr];
  return "b" in f ? [...statesOf(f.a), ...statesOf(f.b)] : statesOf(f.a);
}

/** The property makes no difference between the threads, but for what its formula says. */
function alike(check: TemporalCheck, a: number, b: number): boolean {
  const { weak, strong } = check.fairness;
  const strongAt = (t: number) =>
    JSON.stringify(strong.filter((s) => s.thread === t).map((s) => s.locations ?? "everywhere"));
  const moves = [check, ...(check.also ?? [])].every(
    ({ moving }) => moving === undefined || moving.includes(a) === moving.includes(b),
  );
  return weak.includes(a) === weak.includes(b) && strongAt(a) === strongAt(b) && moves;
}

/** The property asked of one member of each orbit only, where it is asked of several: what holds of one holds of all. */
export function askedOncePerOrbit(system: TransitionSystem, property: SysProperty): SysProperty {
  const { check } = property;
  if (check.c !== "temporal" || check.also === undefined) return property;
  const { formula, moving: _, also, ...rest } = check;
  const free: TemporalCheck = { ...rest, formula };
  const classes = orbits(system, [], (a, b) => alike(free, a, b));
  const kept: Case[] = [check];
  for (const other of also) if (!kept.some((k) => isExchanged(system, classes, k, other))) kept.push(other);
  const [first, ...more] = kept.map((c) => ({ formula: c.formula, ...(c.moving ? { moving: c.moving } : {}) }));
  return { ...property, check: { ...rest, ...first!, ...(more.length > 0 ? { also: more } : {}) } };
}

/** Exchanging two threads of one orbit makes one question the other. */
function isExchanged(system: TransitionSystem, classes: readonly Orbit[], a: Case, b: Case): boolean {
  const identity = system.threads.map((_, t) => t);
  const text = ({ formula, moving }: Case, map: readonly number[]): string | undefined => {
    const write = (f: SysTemporal): string | undefined => {
      if (f.t === "state") return renamedText(system, f.expr, map);
      const parts = ("b" in f ? [f.a, f.b] : [f.a]).map(write);
      return parts.includes(undefined) ? undefined : `${f.t}(${parts.join(", ")})`;
    };
    const formulaText = write(formula);
    const movers = moving?.map((t) => map[t]!).sort((x, y) => x - y);
    return formulaText === undefined ? undefined : `${formulaText}; ${movers?.join() ?? "all"}`;
  };
  const wanted = text(b, identity);
  if (wanted === undefined) return false;
  return classes.some((orbit) =>
    orbit.some((x, i) =>
      orbit.slice(i + 1).some(
        (y) =>
          text(
            a,
            identity.map((t) => (t === x ? y : t === y ? x : t)),
          ) === wanted,
      ),
    ),
  );
}
