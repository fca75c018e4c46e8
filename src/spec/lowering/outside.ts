/** Expressions of the executing thread, made into expressions about a thread that is looked at from outside. */
import type { SysExpr } from "../transition-system.ts";
import { constant } from "./fold.ts";

/** The expression as thread t (an index) would evaluate it. */
export function asSeenFromOutside(expr: SysExpr, t: number): SysExpr {
  const of = (e: SysExpr) => asSeenFromOutside(e, t);
  switch (expr.e) {
    case "self":
      return constant(t + 1);
    case "local":
      return expr.t === undefined ? { ...expr, t } : expr;
    case "load":
      return expr.i === undefined ? expr : { ...expr, i: of(expr.i) };
    case "not":
    case "neg":
      return { ...expr, a: of(expr.a) };
    case "bin":
      return { ...expr, a: of(expr.a), b: of(expr.b) };
    case "ite":
      return { ...expr, c: of(expr.c), a: of(expr.a), b: of(expr.b) };
    case "const":
    case "pc":
      return expr;
  }
}
