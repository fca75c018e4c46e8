/**
 * Pools whose objects nobody but their allocator can reach: pointers to them stand in locals alone, never in a shared
 * variable, and none exists at the start (those that code can name do). Each thread may then be given a pool of its own (an escape analysis as of Choi
 * et al. 1999): which of the slots it gets is all that others could tell, and nobody asks that. With any number of
 * threads it takes any number of slots otherwise.
 */
import type { SysExpr, SysTemporal, TransitionSystem } from "../../spec/transition-system.ts";

/** Indices of such pools. */
export function privatePools(system: TransitionSystem): ReadonlySet<number> {
  const found = new Set<number>();
  for (const [n, pool] of system.pools.entries()) {
    const holds = (values: { readonly of: string; readonly pool?: number }): boolean =>
      values.of === "pool" && values.pool === n;
    const fields = new Set(
      system.vars.flatMap((v, i) => (typeof v.index === "object" && v.index.pool === n ? [i] : [])),
    );
    const shared = system.vars.some((v) => holds(v.values));
    const atStart =
      (system.vars[pool.alive]?.init ?? []).some((alive) => alive !== 0) ||
      system.threads.some((t) => t.initialLocals.some((v, l) => v !== 0 && isPointer(t.program, l)));
    function isPointer(p: number, l: number): boolean {
      const local = system.programs[p]?.locals[l];
      return local !== undefined && holds(local.values);
    }
    const asked = system.properties.some(({ check }) => {
      const about = (e: SysExpr): boolean =>
        mentions(e, (x) => (x.e === "load" && fields.has(x.v)) || (x.e === "local" && x.t !== undefined));
      if (check.c === "findings" || check.c === "deadlock") return false;
      return check.c === "temporal" ? statesOf(check.formula).some(about) : about(check.expr);
    });
    if (!shared && !atStart && !asked) found.add(n);
  }
  return found;
}

function mentions(e: SysExpr, what: (e: SysExpr) => boolean): boolean {
  if (what(e)) return true;
  switch (e.e) {
    case "load":
      return e.i !== undefined && mentions(e.i, what);
    case "not":
    case "neg":
      return mentions(e.a, what);
    case "bin":
      return mentions(e.a, what) || mentions(e.b, what);
    case "ite":
      return mentions(e.c, what) || mentions(e.a, what) || mentions(e.b, what);
    default:
      return false;
  }
}

function statesOf(f: SysTemporal): SysExpr[] {
  if (f.t === "state") return [f.expr];
  return "b" in f ? [...statesOf(f.a), ...statesOf(f.b)] : statesOf(f.a);
}
