/**
 * Constructors of lowered expressions that fold what is constant as written. No values are propagated: what a variable
 * or a local may hold plays no part, so that neither states nor locations depend on it.
 */
import { applyBinary } from "../evaluate.ts";
import type { BinaryOperator } from "../program.ts";
import type { SysExpr } from "../transition-system.ts";

export const FALSE: SysExpr = { e: "const", v: 0 };
export const TRUE: SysExpr = { e: "const", v: 1 };

export function constant(v: number): SysExpr {
  return { e: "const", v };
}

export function isFalse(expr: SysExpr): boolean {
  return expr.e === "const" && expr.v === 0;
}

export function isTrue(expr: SysExpr): boolean {
  return expr.e === "const" && expr.v !== 0;
}

const TRUTH_OPERATORS: ReadonlySet<BinaryOperator> = new Set(["==", "!=", "<", "<=", ">", ">=", "&&", "||"]);

/** 0 or 1 whatever the state. */
function isTruthValue(expr: SysExpr): boolean {
  switch (expr.e) {
    case "const":
      return expr.v === 0 || expr.v === 1;
    case "not":
    case "pc":
      return true;
    case "bin":
      return TRUTH_OPERATORS.has(expr.op);
    case "ite":
      return isTruthValue(expr.a) && isTruthValue(expr.b);
    default:
      return false;
  }
}

function truth(expr: SysExpr): SysExpr {
  return isTruthValue(expr) ? expr : binary("!=", expr, FALSE);
}

export function not(a: SysExpr): SysExpr {
  if (a.e === "const") return a.v === 0 ? TRUE : FALSE;
  if (a.e === "not") return truth(a.a);
  return { e: "not", a };
}

export function negate(a: SysExpr): SysExpr {
  return a.e === "const" ? constant(-a.v | 0) : { e: "neg", a };
}

export function binary(op: BinaryOperator, a: SysExpr, b: SysExpr): SysExpr {
  if (a.e === "const" && b.e === "const") return constant(applyBinary(op, a.v, b.v));
  if (op === "&&") {
    if (isFalse(a) || isFalse(b)) return FALSE;
    if (isTrue(a)) return truth(b);
    if (isTrue(b)) return truth(a);
  }
  if (op === "||") {
    if (isTrue(a) || isTrue(b)) return TRUE;
    if (isFalse(a)) return truth(b);
    if (isFalse(b)) return truth(a);
  }
  return { e: "bin", op, a, b };
}

export function and(...terms: readonly SysExpr[]): SysExpr {
  return terms.reduce((a, b) => binary("&&", a, b), TRUE);
}

export function or(...terms: readonly SysExpr[]): SysExpr {
  return terms.reduce((a, b) => binary("||", a, b), FALSE);
}

export function ifThenElse(c: SysExpr, a: SysExpr, b: SysExpr): SysExpr {
  if (c.e === "const") return c.v !== 0 ? a : b;
  return { e: "ite", c, a, b };
}

/** Element `i` of an array, or the scalar. */
export function load(v: number, i?: SysExpr): SysExpr {
  return i === undefined ? { e: "load", v } : { e: "load", v, i };
}
