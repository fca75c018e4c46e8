/**
 * Terms of quantifier-free formulas over bounded and unbounded integers, shared as a graph.
 *
 * Every integer term carries the interval of values it can take. The interval decides the width of its bit-vector and
 * whether 32-bit arithmetic can wrap; it also folds comparisons whose answer it already gives. Equal terms are one
 * object, so that a printer can name what is used twice.
 */
import { applyBinary } from "../../spec/evaluate.ts";

export type TermOperator =
  | "number"
  | "true"
  | "false"
  | "symbol"
  | "not"
  | "and"
  | "or"
  | "ite"
  | "="
  | "<"
  | "<="
  | "+"
  | "-"
  | "*"
  | "neg"
  | "&"
  | "|"
  | "^"
  | "<<"
  | ">>"
  | "narrow";

/** A formula (`bool`) or an integer within [lo, hi]. */
export interface Term {
  readonly id: number;
  readonly op: TermOperator;
  readonly bool: boolean;
  readonly args: readonly Term[];
  /** For symbols. */
  readonly name: string;
  /** For numbers and formulas 0 and 1 at most; ±Infinity where unbounded. */
  readonly lo: number;
  readonly hi: number;
}

const INT_MIN = -(2 ** 31);
const INT_MAX = 2 ** 31 - 1;

/** A product of bounds in which 0 times infinity is 0. */
function times(a: number, b: number): number {
  return a === 0 || b === 0 ? 0 : a * b;
}

/** The least 2^n - 1 that is not below v (v not negative). */
function ones(v: number): number {
  return v === 0 ? 0 : 2 ** (Math.floor(Math.log2(v)) + 1) - 1;
}

/** Builds terms; terms of different builders must not be mixed. */
export class Terms {
  readonly true: Term;
  readonly false: Term;
  private readonly table = new Map<string, Term>();

  constructor() {
    this.true = this.intern("true", true, [], "", 1, 1);
    this.false = this.intern("false", true, [], "", 0, 0);
  }

  private intern(op: TermOperator, bool: boolean, args: readonly Term[], name: string, lo: number, hi: number): Term {
    const key = `${op} ${name} ${lo} ${hi} ${args.map((a) => a.id).join(" ")}`;
    let term = this.table.get(key);
    if (term === undefined) {
      term = { id: this.table.size, op, bool, args, name, lo, hi };
      this.table.set(key, term);
    }
    return term;
  }

  number(v: number): Term {
    return this.intern("number", false, [], "", v, v);
  }

  bool(v: boolean): Term {
    return v ? this.true : this.false;
  }

  /** A state element: a formula where its values are 0 and 1, else an integer. */
  symbol(name: string, lo: number, hi: number): Term {
    return this.intern("symbol", lo >= 0 && hi <= 1, [], name, lo, hi);
  }

  /** The term as a formula: not zero. */
  truth(a: Term): Term {
    if (a.bool) return a;
    if (a.lo > 0 || a.hi < 0) return this.true;
    if (a.op === "ite") {
      const [c, t, e] = a.args as [Term, Term, Term];
      if (t.op === "number" && e.op === "number") return this.ite(c, this.bool(t.lo !== 0), this.bool(e.lo !== 0));
    }
    return this.not(this.eq(a, this.number(0)));
  }

  /** The term as an integer: a formula is 0 or 1. */
  integer(a: Term): Term {
    if (!a.bool) return a;
    if (a.op === "true") return this.number(1);
    if (a.op === "false") return this.number(0);
    return this.intern("ite", false, [a, this.number(1), this.number(0)], "", 0, 1);
  }

  not(a: Term): Term {
    if (a.op === "true") return this.false;
    if (a.op === "false") return this.true;
    if (a.op === "not") return a.args[0] as Term;
    return this.intern("not", true, [a], "", 0, 1);
  }

  and(...parts: readonly Term[]): Term {
    return this.junction("and", parts);
  }

  or(...parts: readonly Term[]): Term {
    return this.junction("or", parts);
  }

  private junction(op: "and" | "or", parts: readonly Term[]): Term {
    const neutral = op === "and" ? this.true : this.false;
    const absorbing = op === "and" ? this.false : this.true;
    const set = new Set<Term>();
    const collect = (p: Term): void => {
      if (p.op === op) p.args.forEach(collect);
      else if (p !== neutral) set.add(p);
    };
    parts.forEach(collect);
    for (const p of set) if (p === absorbing || set.has(this.not(p))) return absorbing;
    if (set.size === 0) return neutral;
    if (set.size === 1) return [...set][0] as Term;
    return this.intern(op, true, [...set], "", 0, 1);
  }

  implies(a: Term, b: Term): Term {
    return this.or(this.not(a), b);
  }

  /** If-then-else of two formulas or of two integers (a mixture becomes integers). */
  ite(c: Term, a: Term, b: Term): Term {
    if (c.op === "true" || a === b) return a;
    if (c.op === "false") return b;
    if (a.bool && b.bool) {
      if (a.op === "true") return this.or(c, b);
      if (a.op === "false") return this.and(this.not(c), b);
      if (b.op === "true") return this.or(this.not(c), a);
      if (b.op === "false") return this.and(c, a);
      return this.intern("ite", true, [c, a, b], "", 0, 1);
    }
    const x = this.integer(a);
    const y = this.integer(b);
    if (x === y) return x;
    return this.intern("ite", false, [c, x, y], "", Math.min(x.lo, y.lo), Math.max(x.hi, y.hi));
  }

  eq(a: Term, b: Term): Term {
    if (a === b) return this.true;
    if (a.bool && b.bool) {
      if (a.op === "true") return b;
      if (b.op === "true") return a;
      if (a.op === "false") return this.not(b);
      if (b.op === "false") return this.not(a);
      return a.id < b.id ? this.intern("=", true, [a, b], "", 0, 1) : this.intern("=", true, [b, a], "", 0, 1);
    }
    // A formula against a number is the formula, its negation or false: no detour through integers.
    for (const [f, n] of [
      [a, b],
      [b, a],
    ] as const) {
      if (f.bool && n.op === "number") return n.lo === 1 ? f : n.lo === 0 ? this.not(f) : this.false;
      if (f.op === "ite" && n.op === "number") {
        const [c, t, e] = f.args as [Term, Term, Term];
        if (t.op === "number" && e.op === "number") return this.ite(c, this.eq(t, n), this.eq(e, n));
      }
    }
    const x = this.integer(a);
    const y = this.integer(b);
    if (x.hi < y.lo || y.hi < x.lo) return this.false;
    if (x.op === "number" && y.op === "number") return this.bool(x.lo === y.lo);
    return x.id < y.id ? this.intern("=", true, [x, y], "", 0, 1) : this.intern("=", true, [y, x], "", 0, 1);
  }

  lt(a: Term, b: Term): Term {
    const x = this.integer(a);
    const y = this.integer(b);
    if (x === y || x.lo >= y.hi) return this.false;
    if (x.hi < y.lo) return this.true;
    return this.intern("<", true, [x, y], "", 0, 1);
  }

  le(a: Term, b: Term): Term {
    const x = this.integer(a);
    const y = this.integer(b);
    if (x === y || x.hi <= y.lo) return this.true;
    if (x.lo > y.hi) return this.false;
    return this.intern("<=", true, [x, y], "", 0, 1);
  }

  /** Arithmetic as on 32-bit signed integers, except that unbounded operands stay unbounded. */
  arithmetic(op: "+" | "-" | "*" | "&" | "|" | "^" | "<<" | ">>", left: Term, right: Term): Term {
    const a = this.integer(left);
    const b = this.integer(right);
    if (a.op === "number" && b.op === "number") return this.number(applyBinary(op, a.lo, b.lo));
    if (b.op === "number" && b.lo === 0 && op !== "*" && op !== "&") return a;
    if (a.op === "number" && a.lo === 0 && (op === "+" || op === "|" || op === "^")) return b;
    if (op === "*" && a.op === "number" && a.lo === 1) return b;
    if (op === "*" && b.op === "number" && b.lo === 1) return a;
    const [lo, hi] = interval(op, a, b);
    if (lo === hi) return this.number(lo);
    return this.intern(op, false, [a, b], "", lo, hi);
  }

  neg(operand: Term): Term {
    const a = this.integer(operand);
    if (a.op === "number") return this.number(applyBinary("-", 0, a.lo));
    const wraps = a.lo === INT_MIN;
    return this.intern("neg", false, [a], "", wraps ? INT_MIN : -a.hi, wraps ? INT_MAX : -a.lo);
  }

  /** The term, known by other means (a test before the store) to lie within [lo, hi]. */
  narrow(a: Term, lo: number, hi: number): Term {
    if (lo >= 0 && hi <= 1) return this.truth(a);
    const x = this.integer(a);
    if (x.lo >= lo && x.hi <= hi) return x;
    if (x.op === "number") return x;
    return this.intern("narrow", false, [x], "", Math.max(lo, Math.min(x.lo, hi)), Math.min(hi, Math.max(x.hi, lo)));
  }

  /** The term with symbols replaced. A symbol without a replacement stays. */
  substitute(term: Term, replacement: ReadonlyMap<Term, Term>, done = new Map<Term, Term>()): Term {
    const known = done.get(term);
    if (known !== undefined) return known;
    const args = term.args.map((a) => this.substitute(a, replacement, done));
    const result = term.op === "symbol" ? (replacement.get(term) ?? term) : this.rebuild(term, args);
    done.set(term, result);
    return result;
  }

  /** The term with other operands. */
  rebuild(term: Term, args: readonly Term[]): Term {
    if (args.every((a, i) => a === term.args[i])) return term;
    const [a, b, c] = args as [Term, Term, Term];
    switch (term.op) {
      case "not":
        return this.not(a);
      case "and":
      case "or":
        return this.junction(term.op, args);
      case "ite":
        return this.ite(a, b, c);
      case "=":
        return this.eq(a, b);
      case "<":
        return this.lt(a, b);
      case "<=":
        return this.le(a, b);
      case "neg":
        return this.neg(a);
      case "narrow":
        return this.narrow(a, term.lo, term.hi);
      case "number":
      case "true":
      case "false":
      case "symbol":
        return term;
      default:
        return this.arithmetic(term.op, a, b);
    }
  }
}

function interval(op: "+" | "-" | "*" | "&" | "|" | "^" | "<<" | ">>", a: Term, b: Term): readonly [number, number] {
  const whole = [INT_MIN, INT_MAX] as const;
  const unbounded = ![a.lo, a.hi, b.lo, b.hi].every(Number.isFinite);
  const within = (lo: number, hi: number): readonly [number, number] =>
    unbounded || (lo >= INT_MIN && hi <= INT_MAX) ? [lo, hi] : whole;
  switch (op) {
    case "+":
      return within(a.lo + b.lo, a.hi + b.hi);
    case "-":
      return within(a.lo - b.hi, a.hi - b.lo);
    case "*": {
      const corners = [times(a.lo, b.lo), times(a.lo, b.hi), times(a.hi, b.lo), times(a.hi, b.hi)];
      return within(Math.min(...corners), Math.max(...corners));
    }
    case "&":
      if (a.lo >= 0 && b.lo >= 0) return [0, Math.min(a.hi, b.hi)];
      if (a.lo >= 0) return [0, a.hi];
      if (b.lo >= 0) return [0, b.hi];
      return whole;
    case "|":
    case "^":
      return a.lo >= 0 && b.lo >= 0 ? [0, ones(Math.max(a.hi, b.hi))] : whole;
    case "<<":
      if (b.op === "number" && b.lo >= 0 && b.lo < 31) return within(a.lo * 2 ** b.lo, a.hi * 2 ** b.lo);
      return whole;
    case ">>":
      if (b.op === "number" && b.lo >= 0 && b.lo < 31) {
        return [Math.floor(a.lo / 2 ** b.lo), Math.floor(a.hi / 2 ** b.lo)];
      }
      return [Math.min(a.lo, 0), Math.max(a.hi, 0)];
  }
}
