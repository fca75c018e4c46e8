/** "Does anything still point to this object?" as an expression over every variable and local that could. */
import type { SysExpr, SysLocal, ValueSort } from "../transition-system.ts";
import { and, binary, constant, FALSE, load, or } from "./fold.ts";
import { isArray, type Symbols } from "./symbols.ts";

/** The threads whose locals may hold pointers; known once liveness is. */
export interface PointerHolders {
  readonly threads: readonly { readonly program: number }[];
  readonly localsOf: (program: number) => readonly SysLocal[];
}

/** The thread that asks: its locals are looked at as they are now, those of the others as stored. */
export interface Asker {
  readonly program: number;
  /** Its locals that exist here and may not be 0. */
  readonly locals: readonly number[];
}

function pointsInto(values: ValueSort, pool: number): boolean {
  return values.of === "pool" && values.pool === pool;
}

/**
 * True when `ptr` is an object of the pool (neither NULL nor wild) and some variable or local of the pool's pointer
 * type equals it. Without an asker (in properties) all threads are looked at alike.
 */
export function referenced(
  pool: number,
  ptr: SysExpr,
  symbols: Symbols,
  holders: PointerHolders,
  asker: Asker | undefined,
): SysExpr {
  const { slots } = symbols.pools[pool]!;
  const isObject = and(binary(">=", ptr, constant(1)), binary("<=", ptr, constant(slots)));
  const terms: SysExpr[] = [];
  const equals = (holder: SysExpr) => binary("==", holder, ptr);
  symbols.vars.forEach((variable, v) => {
    if (!pointsInto(variable.values, pool)) return;
    for (let i = 0; i < variable.length; i++)
      terms.push(equals(load(v, isArray(symbols.program, v) ? constant(i) : undefined)));
  });
  if (asker !== undefined) {
    const own = holders.localsOf(asker.program);
    for (const l of asker.locals) if (pointsInto(own[l]!.values, pool)) terms.push(equals({ e: "local", l }));
  }
  const members = holders.threads.filter(({ program }) => program === asker?.program).length;
  holders.threads.forEach(({ program }, t) => {
    if (program === asker?.program && members === 1) return;
    holders.localsOf(program).forEach((local, l) => {
      if (!local.stored || !pointsInto(local.values, pool)) return;
      const held = equals({ e: "local", l, t });
      terms.push(program === asker?.program ? and(binary("!=", { e: "self" }, constant(t + 1)), held) : held);
    });
  });
  return terms.length === 0 ? FALSE : and(isObject, or(...terms));
}
