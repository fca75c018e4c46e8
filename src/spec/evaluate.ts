/** The value of a lowered expression in a state. */
import type { BinaryOperator } from "./program.ts";
import type { SysExpr } from "./transition-system.ts";

/** What an expression can look at. During a firing `vars` and `locals` are those of the moment. */
export interface Valuation {
  /** Per variable its elements. */
  readonly vars: readonly ArrayLike<number>[];
  /** Per thread its locals; those not stored count only during a firing. */
  readonly locals: readonly ArrayLike<number>[];
  /** Id (index plus 1) of the executing thread; 0 where there is none, as in properties. */
  readonly self: number;
  /** Per thread its location. */
  readonly pcs: ArrayLike<number>;
}

/** Arithmetic on 32-bit signed integers that wraps, as in C with -fwrapv; shift counts are taken modulo 32. */
export function applyBinary(op: BinaryOperator, a: number, b: number): number {
  switch (op) {
    case "+":
      return (a + b) | 0;
    case "-":
      return (a - b) | 0;
    case "*":
      return Math.imul(a, b);
    case "&":
      return a & b;
    case "|":
      return a | b;
    case "^":
      return a ^ b;
    case "<<":
      return a << b;
    case ">>":
      return a >> b;
    case "==":
      return a === b ? 1 : 0;
    case "!=":
      return a !== b ? 1 : 0;
    case "<":
      return a < b ? 1 : 0;
    case "<=":
      return a <= b ? 1 : 0;
    case ">":
      return a > b ? 1 : 0;
    case ">=":
      return a >= b ? 1 : 0;
    case "&&":
      return a !== 0 && b !== 0 ? 1 : 0;
    case "||":
      return a !== 0 || b !== 0 ? 1 : 0;
  }
}

/** Comparisons and Booleans yield 0 or 1; an index out of its array reads 0. Never throws on a lowered expression. */
export function evaluate(expr: SysExpr, at: Valuation): number {
  switch (expr.e) {
    case "const":
      return expr.v;
    case "local":
      return at.locals[expr.t ?? at.self - 1]?.[expr.l] ?? 0;
    case "self":
      return at.self;
    case "load":
      return at.vars[expr.v]?.[expr.i === undefined ? 0 : evaluate(expr.i, at)] ?? 0;
    case "not":
      return evaluate(expr.a, at) === 0 ? 1 : 0;
    case "neg":
      return -evaluate(expr.a, at) | 0;
    case "bin":
      if (expr.op === "&&") return evaluate(expr.a, at) !== 0 && evaluate(expr.b, at) !== 0 ? 1 : 0;
      if (expr.op === "||") return evaluate(expr.a, at) !== 0 || evaluate(expr.b, at) !== 0 ? 1 : 0;
      return applyBinary(expr.op, evaluate(expr.a, at), evaluate(expr.b, at));
    case "ite":
      return evaluate(evaluate(expr.c, at) !== 0 ? expr.a : expr.b, at);
    case "pc":
      return expr.locations.includes(at.pcs[expr.t] ?? -1) ? 1 : 0;
  }
}
