/**
 * Properties that name a class of threads. `udev` with `count: 3` is udev#1, udev#2 and udev#3; a property that says
 * `udev` is asked of each of them, the name standing for the same member wherever it stands. `udev#1` names one member,
 * also where there is only one.
 */
import { ModelError } from "./model-error.ts";
import type { Check, Expr, Fairness, Site, Temporal, ThreadDecl } from "./program.ts";

type TemporalCheck = Extract<Check, { c: "temporal" }>;
type Rename = (thread: string) => string;

/** The check with the names of threads in place of those of classes. Names that do not exist are left for others to report. */
export function askedOfMembers(check: Check, id: string, threads: readonly ThreadDecl[], site: Site): Check {
  const classes = new Map<string, string[]>();
  for (const { cls, name } of threads) classes.set(cls, [...(classes.get(cls) ?? []), name]);
  const names = new Set(threads.map((t) => t.name));
  const several = (name: string) => !names.has(name) && (classes.get(name)?.length ?? 0) > 1;
  const membersOf = (name: string): readonly string[] => (several(name) ? classes.get(name)! : [alone(name)]);
  const alone = (name: string): string => {
    const cls = name.replace(/#1$/, "");
    return !names.has(name) && classes.get(cls)?.length === 1 ? classes.get(cls)![0]! : name;
  };
  /** Every way to put one member for each class with several. */
  const choices = (named: ReadonlySet<string>): Rename[] => {
    let all: ReadonlyMap<string, string>[] = [new Map()];
    for (const cls of named) {
      if (!several(cls)) continue;
      all = all.flatMap((chosen) => classes.get(cls)!.map((member) => new Map([...chosen, [cls, member]])));
    }
    return all.map((chosen) => (name) => chosen.get(name) ?? alone(name));
  };

  switch (check.c) {
    case "findings":
    case "deadlock":
      return check;
    case "invariant":
    case "at-rest": {
      const named = new Set<string>();
      collect(check.expr, named);
      const exprs = choices(named).map((rename) => renamed(check.expr, rename));
      return { ...check, expr: exprs.reduce((a, b) => ({ e: "bin", op: "&&", a, b })) };
    }
    case "stays-possible": {
      const named = new Set<string>();
      collect(check.expr, named);
      const cls = [...named].find(several);
      if (cls !== undefined) {
        const members = classes.get(cls)!;
        throw new ModelError(
          `The property ${id} asks what stays possible for "${cls}", of which there are ${members.length} threads: name one, as in "${members[0]}".`,
          site,
        );
      }
      return { ...check, expr: renamed(check.expr, alone) };
    }
    case "temporal": {
      const named = new Set<string>();
      collectTemporal(check.formula, named);
      const [first, ...also] = choices(named).map((rename): Pick<TemporalCheck, "formula" | "moving"> => {
        const moving = check.moving?.flatMap((name) => (named.has(name) ? [rename(name)] : membersOf(name)));
        return { formula: renamedTemporal(check.formula, rename), ...(moving === undefined ? {} : { moving }) };
      });
      const fairness: Fairness = { ...check.fairness, strongThreads: check.fairness.strongThreads.flatMap(membersOf) };
      return { c: "temporal", fairness, ...first!, ...(also.length === 0 ? {} : { also }) };
    }
  }
}

function collect(expr: Expr, named: Set<string>): void {
  renamed(expr, (name) => {
    named.add(name);
    return name;
  });
}

function collectTemporal(formula: Temporal, named: Set<string>): void {
  renamedTemporal(formula, (name) => {
    named.add(name);
    return name;
  });
}

function renamedTemporal(f: Temporal, rename: Rename): Temporal {
  switch (f.t) {
    case "state":
      return { t: "state", expr: renamed(f.expr, rename) };
    case "not":
    case "always":
    case "eventually":
      return { t: f.t, a: renamedTemporal(f.a, rename) };
    default:
      return { t: f.t, a: renamedTemporal(f.a, rename), b: renamedTemporal(f.b, rename) };
  }
}

function renamed(expr: Expr, rename: Rename): Expr {
  switch (expr.e) {
    case "ended":
    case "at":
    case "inside":
      return { ...expr, thread: rename(expr.thread) };
    case "load":
      return expr.i === undefined ? expr : { ...expr, i: renamed(expr.i, rename) };
    case "not":
    case "neg":
      return { ...expr, a: renamed(expr.a, rename) };
    case "bin":
      return { ...expr, a: renamed(expr.a, rename), b: renamed(expr.b, rename) };
    case "ite":
      return { ...expr, c: renamed(expr.c, rename), a: renamed(expr.a, rename), b: renamed(expr.b, rename) };
    case "referenced":
    case "alive":
      return { ...expr, ptr: renamed(expr.ptr, rename) };
    case "const":
    case "local":
    case "self":
      return expr;
  }
}
