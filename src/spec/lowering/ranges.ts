/**
 * Which values an expression can have, from the ranges of the variables and locals in it alone (interval arithmetic):
 * where it stays inside the range of what it is stored to, the store needs no test.
 */
import { applyBinary } from "../evaluate.ts";
import type { SysExpr } from "../transition-system.ts";

/** Inclusive bounds. */
export interface Interval {
  readonly lo: number;
  readonly hi: number;
}

/** The ranges of the leaves. */
export interface LeafRanges {
  variable(v: number): Interval & { readonly length: number };
  local(l: number): Interval;
  readonly self: Interval;
}

const INT: Interval = { lo: -(2 ** 31), hi: 2 ** 31 - 1 };
const TRUTH: Interval = { lo: 0, hi: 1 };

/** Results that leave 32 bits wrap, and may then be anything. */
function wrapped(...values: readonly number[]): Interval {
  const lo = Math.min(...values);
  const hi = Math.max(...values);
  // Of integers without bounds, which do not wrap either.
  if (!Number.isFinite(lo) || !Number.isFinite(hi))
    return { lo: Number.NEGATIVE_INFINITY, hi: Number.POSITIVE_INFINITY };
  return lo < INT.lo || hi > INT.hi ? INT : { lo, hi };
}

function join(a: Interval, b: Interval): Interval {
  return { lo: Math.min(a.lo, b.lo), hi: Math.max(a.hi, b.hi) };
}

/** The least 2^k - 1 that is at least `n`. */
function allOnes(n: number): number {
  return n <= 0 ? 0 : 2 ** (32 - Math.clz32(n)) - 1;
}

/** Bounds of the values of `expr`; not always the tightest. */
export function intervalOf(expr: SysExpr, leaves: LeafRanges): Interval {
  switch (expr.e) {
    case "const":
      return { lo: expr.v, hi: expr.v };
    case "local":
      return expr.t === undefined ? leaves.local(expr.l) : INT;
    case "self":
      return leaves.self;
    case "load": {
      const { lo, hi, length } = leaves.variable(expr.v);
      if (expr.i === undefined) return { lo, hi };
      const index = intervalOf(expr.i, leaves);
      return index.lo >= 0 && index.hi < length ? { lo, hi } : join({ lo, hi }, { lo: 0, hi: 0 });
    }
    case "not":
    case "pc":
      return TRUTH;
    case "neg": {
      const a = intervalOf(expr.a, leaves);
      return wrapped(-a.hi, -a.lo);
    }
    case "ite": {
      const c = intervalOf(expr.c, leaves);
      if (c.lo > 0 || c.hi < 0) return intervalOf(expr.a, leaves);
      if (c.lo === 0 && c.hi === 0) return intervalOf(expr.b, leaves);
      return join(intervalOf(expr.a, leaves), intervalOf(expr.b, leaves));
    }
    case "bin": {
      const a = intervalOf(expr.a, leaves);
      const b = intervalOf(expr.b, leaves);
      if (a.lo === a.hi && b.lo === b.hi) {
        const v = applyBinary(expr.op, a.lo, b.lo);
        return { lo: v, hi: v };
      }
      switch (expr.op) {
        case "+":
          return wrapped(a.lo + b.lo, a.hi + b.hi);
        case "-":
          return wrapped(a.lo - b.hi, a.hi - b.lo);
        case "*":
          return wrapped(a.lo * b.lo, a.lo * b.hi, a.hi * b.lo, a.hi * b.hi);
        case "&":
          if (a.lo >= 0 && b.lo >= 0) return { lo: 0, hi: Math.min(a.hi, b.hi) };
          if (a.lo >= 0) return { lo: 0, hi: a.hi };
          if (b.lo >= 0) return { lo: 0, hi: b.hi };
          return INT;
        case "|":
        case "^":
          return a.lo >= 0 && b.lo >= 0 ? { lo: 0, hi: allOnes(Math.max(a.hi, b.hi)) } : INT;
        case "<<":
          if (b.lo < 0 || b.hi > 31) return INT;
          return wrapped(a.lo * 2 ** b.lo, a.lo * 2 ** b.hi, a.hi * 2 ** b.lo, a.hi * 2 ** b.hi);
        case ">>":
          if (b.lo < 0 || b.hi > 31) return a.lo >= 0 ? { lo: 0, hi: a.hi } : INT;
          return wrapped(a.lo >> b.lo, a.lo >> b.hi, a.hi >> b.lo, a.hi >> b.hi);
        default:
          return TRUTH;
      }
    }
  }
}
