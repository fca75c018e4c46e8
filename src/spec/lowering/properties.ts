/** Properties with their names resolved. */
import { ModelError } from "../model-error.ts";
import { nearestNames } from "../nearest.ts";
import {
  type Check,
  type Expr,
  type Fairness,
  type PropertyDecl,
  type Site,
  type Temporal,
  WAIT_KINDS,
} from "../program.ts";
import type {
  SysCheck,
  SysExpr,
  SysFairness,
  SysFinding,
  SysProgram,
  SysProperty,
  SysTemporal,
  SysThread,
} from "../transition-system.ts";
import { FALSE } from "./fold.ts";
import { calledAgain, type InlinedGraph } from "./inline.ts";
import { referenced } from "./references.ts";
import { resolve, type Scope } from "./resolve.ts";
import type { Symbols } from "./symbols.ts";
import type { MarkTable } from "./tables.ts";

export interface PropertyContext {
  readonly symbols: Symbols;
  readonly programs: readonly SysProgram[];
  readonly graphs: readonly InlinedGraph[];
  readonly threads: readonly SysThread[];
  readonly findings: readonly SysFinding[];
  readonly marks: MarkTable;
}

function threadNamed(name: string, context: PropertyContext, site: Site): number {
  const t = context.symbols.threadIndex.get(name);
  if (t === undefined)
    throw new ModelError(
      `There is no thread named "${name}".${nearestNames(name, context.symbols.threadIndex.keys())}`,
      site,
    );
  return t;
}

function locationTest(t: number, context: PropertyContext, holds: (l: SysProgram["locations"][number]) => boolean) {
  const { locations } = context.programs[context.threads[t]!.program]!;
  const found = locations.flatMap((location, l) => (holds(location) ? [l] : []));
  const test: SysExpr = { e: "pc", t, locations: found };
  return found.length === 0 ? FALSE : test;
}

/** `runs`: what is asked is about runs, in which two calls must not look like one. */
function propertyScope(site: Site, context: PropertyContext, runs: boolean): Scope {
  const refuse = (what: string): never => {
    throw new ModelError(`${what} in a property: it can look at shared variables and locations only.`, site);
  };
  const holders = {
    threads: context.threads,
    localsOf: (program: number) => context.programs[program]!.locals,
  };
  return {
    symbols: context.symbols,
    site,
    local: (name) => refuse(`The local "${name}"`),
    self: () => refuse("`self`"),
    referenced: (pool, ptr) => referenced(pool, ptr, context.symbols, holders, undefined),
    ended: (thread) => locationTest(threadNamed(thread, context, site), context, (location) => location.ended),
    at: (thread, label) => {
      const t = threadNamed(thread, context, site);
      const { labels } = context.graphs[context.threads[t]!.program]!;
      const followed = labels.get(label);
      if (followed === undefined)
        throw new ModelError(
          `The thread ${thread} runs no function with a label "${label}".${nearestNames(label, labels.keys())}`,
          site,
        );
      if (!followed)
        throw new ModelError(
          `No step directly follows the label "${label}" of the thread ${thread}: put it right before one.`,
          site,
        );
      return locationTest(t, context, (location) => location.labels.includes(label));
    },
    inside: (thread, fn) => {
      const t = threadNamed(thread, context, site);
      const { locations } = context.programs[context.threads[t]!.program]!;
      const inside = locations.flatMap((location) => (location.ended ? [] : location.path));
      if (!inside.includes(fn))
        throw new ModelError(
          `The thread ${thread} takes no step in a function "${fn}".${nearestNames(fn, new Set(inside))}`,
          site,
        );
      const again = runs ? calledAgain(context.graphs[context.threads[t]!.program]!, fn) : undefined;
      if (again !== undefined)
        throw new ModelError(
          `The thread ${thread} can call ${fn} here right after another call of it, and a property of runs would take both ` +
            "for one: put a step between, such as pause('between two calls').",
          again,
        );
      return locationTest(t, context, (location) => !location.ended && location.path.includes(fn));
    },
  };
}

function lowerTemporal(formula: Temporal, state: (expr: Expr) => SysExpr): SysTemporal {
  switch (formula.t) {
    case "state":
      return { t: "state", expr: state(formula.expr) };
    case "not":
    case "always":
    case "eventually":
      return { t: formula.t, a: lowerTemporal(formula.a, state) };
    default:
      return { t: formula.t, a: lowerTemporal(formula.a, state), b: lowerTemporal(formula.b, state) };
  }
}

/** Handlers and devices owe their moves like tasks; an environment owes nothing, because its moves are optional. */
function lowerFairness(fairness: Fairness, site: Site, context: PropertyContext): SysFairness {
  const all = context.threads.map((_, t) => t);
  const named = fairness.strongThreads.map((name) => threadNamed(name, context, site));
  const strong: { thread: number; locations?: readonly number[] }[] = [];
  const kinds = new Set<string>(WAIT_KINDS);
  for (const { locations } of context.programs) {
    for (const { wait } of locations) if (wait?.kind !== undefined) kinds.add(wait.kind);
  }
  for (const kind of fairness.strongWaits) {
    if (!kinds.has(kind))
      throw new ModelError(
        `Strong fairness is asked for waits of kind "${kind}", which is no kind of wait.${nearestNames(
          kind,
          [...kinds].filter((k) => k !== ""),
        )}`,
        site,
      );
  }
  for (const t of all) {
    if (fairness.threads === "strong" || named.includes(t)) {
      strong.push({ thread: t });
      continue;
    }
    const locations = context.programs[context.threads[t]!.program]!.locations.flatMap((location, l) =>
      location.wait?.kind !== undefined && fairness.strongWaits.includes(location.wait.kind) ? [l] : [],
    );
    if (locations.length > 0) strong.push({ thread: t, locations });
  }
  return { weak: fairness.threads === "none" ? [] : all, strong };
}

function lowerMoving(moving: readonly string[] | undefined, site: Site, context: PropertyContext) {
  return moving === undefined ? {} : { moving: moving.map((name) => threadNamed(name, context, site)) };
}

/** `implied`: races proper are left out, because nobody asked for them. */
function lowerCheck(check: Check, site: Site, context: PropertyContext, implied: boolean): SysCheck {
  const state = (expr: Expr) => resolve(expr, propertyScope(site, context, check.c === "temporal"));
  switch (check.c) {
    case "findings": {
      const kinds = new Set(check.kinds);
      return {
        c: "findings",
        findings: context.findings.flatMap((finding, f) =>
          kinds.has(finding.kind) && !(implied && finding.race) ? [f] : [],
        ),
      };
    }
    case "deadlock":
      return { c: "deadlock" };
    case "temporal":
      return {
        c: "temporal",
        formula: lowerTemporal(check.formula, state),
        fairness: lowerFairness(check.fairness, site, context),
        ...lowerMoving(check.moving, site, context),
        ...(check.also
          ? {
              also: check.also.map(({ formula, moving }) => ({
                formula: lowerTemporal(formula, state),
                ...lowerMoving(moving, site, context),
              })),
            }
          : {}),
      };
    default:
      return { c: check.c, expr: state(check.expr) };
  }
}

/**
 * The findings table must be complete.
 *
 * @throws ModelError on unknown variables, threads and labels, and on locals.
 */
export function lowerProperty(property: PropertyDecl, context: PropertyContext): SysProperty {
  const { id, kind, message, trigger, site } = property;
  return {
    id,
    kind,
    message,
    check: lowerCheck(property.check, site, context, property.implied ?? false),
    ...(property.implied ? { implied: true } : {}),
    trigger: { marks: trigger.marks.map((name) => context.marks.intern(name)), what: trigger.what },
    site,
  };
}
