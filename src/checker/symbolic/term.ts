/**
 * Terms over the components of a state: hash-consed, simplified as they are built, and specialised by fixing one level of
 * the state vector after the other. They are what is left of a condition once the levels above are known.
 *
 * Numbers are 32-bit signed integers as in the protocol syntax tree; truth is "not 0", conditions yield 0 or 1.
 */
import { applyBinary } from "../../spec/evaluate.ts";
import type { BinaryOperator } from "../../spec/program.ts";
import type { SysExpr } from "../../spec/transition-system.ts";
import type { StateVector } from "./state-vector.ts";

export type TermId = number;

type Shape =
  | { readonly k: "const"; readonly v: number }
  | { readonly k: "component"; readonly c: number }
  /** 1 if the component has one of these values (ascending). */
  | { readonly k: "in"; readonly c: number; readonly set: readonly number[] }
  | { readonly k: "not" | "neg"; readonly a: TermId }
  | { readonly k: "bin"; readonly op: BinaryOperator; readonly a: TermId; readonly b: TermId }
  | { readonly k: "ite"; readonly c: TermId; readonly a: TermId; readonly b: TermId };

/** Conditions on a component of at most so many values are kept as the set of those that satisfy them. */
const SMALL_DOMAIN = 1024;
/** In place of the one component a term depends on. */
const NO_COMPONENT = -1;
const MANY_COMPONENTS = -2;

const TRUTHS: ReadonlySet<BinaryOperator> = new Set(["==", "!=", "<", "<=", ">", ">=", "&&", "||"]);

/** The only component two terms depend on, from those of each. */
function onlyOf(a: number, b: number): number {
  if (a === NO_COMPONENT || a === b) return b;
  return b === NO_COMPONENT ? a : MANY_COMPONENTS;
}

export class Terms {
  readonly #vector: StateVector;
  readonly #shapes: Shape[] = [];
  /** The first level a term depends on; the number of levels for a constant. */
  readonly #top: number[] = [];
  /** The only component a term depends on. */
  readonly #only: number[] = [];
  readonly #ids = new Map<string, TermId>();
  /** Per term, what it becomes for each value of its first level. */
  readonly #fixed: (Map<number, TermId> | undefined)[] = [];
  readonly #translated = new WeakMap<SysExpr, Map<number, TermId>>();
  readonly zero: TermId;
  readonly one: TermId;

  constructor(vector: StateVector) {
    this.#vector = vector;
    this.zero = this.constant(0);
    this.one = this.constant(1);
  }

  /** An expression about a state: of a property, or of a wait of thread `self`. */
  of(expr: SysExpr, self?: number): TermId {
    if (expr.e !== "bin" && expr.e !== "not") return this.#translate(expr, self);
    const bySelf = this.#translated.get(expr) ?? new Map<number, TermId>();
    this.#translated.set(expr, bySelf);
    let term = bySelf.get(self ?? -1);
    if (term === undefined) {
      term = this.#translate(expr, self);
      bySelf.set(self ?? -1, term);
    }
    return term;
  }

  #translate(expr: SysExpr, self: number | undefined): TermId {
    const vector = this.#vector;
    switch (expr.e) {
      case "const":
        return this.constant(expr.v);
      case "self":
        return this.constant(self === undefined ? 0 : self + 1);
      case "local": {
        const t = expr.t ?? self;
        const component = t === undefined ? undefined : vector.local(t, expr.l);
        return component === undefined ? this.zero : this.component(component);
      }
      case "load": {
        const { length } = vector.system.vars[expr.v]!;
        const element = (i: number) => this.component(vector.element(expr.v, i));
        if (expr.i === undefined) return element(0);
        const index = this.of(expr.i, self);
        const position = this.constantValue(index);
        if (position !== undefined) return position >= 0 && position < length ? element(position) : this.zero;
        let chain = this.zero;
        for (let i = length - 1; i >= 0; i--) {
          chain = this.ite(this.binary("==", index, this.constant(i)), element(i), chain);
        }
        return chain;
      }
      case "not":
        return this.not(this.of(expr.a, self));
      case "neg":
        return this.neg(this.of(expr.a, self));
      case "bin":
        return this.binary(expr.op, this.of(expr.a, self), this.of(expr.b, self));
      case "ite":
        return this.ite(this.of(expr.c, self), this.of(expr.a, self), this.of(expr.b, self));
      case "pc":
        return this.isOneOf(vector.pc(expr.t), expr.locations);
    }
  }

  /** The first level `t` depends on; the number of levels for a constant. */
  top(t: TermId): number {
    return this.#top[t]!;
  }

  constant(v: number): TermId {
    return this.#intern(`c${v}`, { k: "const", v: v | 0 }, this.#vector.length, NO_COMPONENT);
  }

  component(c: number): TermId {
    const { lo, hi, level } = this.#vector;
    if (lo[c] === hi[c]) return this.constant(lo[c]!);
    return this.#intern(`l${c}`, { k: "component", c }, level[c]!, c);
  }

  isOneOf(c: number, values: readonly number[]): TermId {
    const lo = this.#vector.lo[c]!;
    const hi = this.#vector.hi[c]!;
    const set = [...new Set(values)].filter((v) => v >= lo && v <= hi).sort((a, b) => a - b);
    if (set.length === 0) return this.zero;
    if (set.length === hi - lo + 1) return this.one;
    return this.#intern(`e${c}:${set.join()}`, { k: "in", c, set }, this.#vector.level[c]!, c);
  }

  not(a: TermId): TermId {
    const s = this.#shapes[a]!;
    if (s.k === "const") return s.v === 0 ? this.one : this.zero;
    if (s.k === "not" && this.#isTruth(s.a)) return s.a;
    const only = this.#only[a]!;
    const set = this.#valuesWhere(only, (v) => this.#at(a, v) === 0);
    if (set !== undefined) return this.isOneOf(only, set);
    return this.#intern(`n${a}`, { k: "not", a }, this.top(a), only);
  }

  neg(a: TermId): TermId {
    const s = this.#shapes[a]!;
    if (s.k === "const") return this.constant(-s.v | 0);
    return this.#intern(`m${a}`, { k: "neg", a }, this.top(a), this.#only[a]!);
  }

  ite(c: TermId, a: TermId, b: TermId): TermId {
    const s = this.#shapes[c]!;
    if (s.k === "const") return s.v !== 0 ? a : b;
    if (a === b) return a;
    if (a === this.one && b === this.zero && this.#isTruth(c)) return c;
    const top = Math.min(this.top(c), this.top(a), this.top(b));
    const only = onlyOf(this.#only[c]!, onlyOf(this.#only[a]!, this.#only[b]!));
    return this.#intern(`i${c},${a},${b}`, { k: "ite", c, a, b }, top, only);
  }

  binary(op: BinaryOperator, a: TermId, b: TermId): TermId {
    const sa = this.#shapes[a]!;
    const sb = this.#shapes[b]!;
    if (sa.k === "const" && sb.k === "const") return this.constant(applyBinary(op, sa.v, sb.v));
    if (op === "&&") {
      if (sa.k === "const") return sa.v === 0 ? this.zero : this.truth(b);
      if (sb.k === "const") return sb.v === 0 ? this.zero : this.truth(a);
      if (a === b) return this.truth(a);
    } else if (op === "||") {
      if (sa.k === "const") return sa.v !== 0 ? this.one : this.truth(b);
      if (sb.k === "const") return sb.v !== 0 ? this.one : this.truth(a);
      if (a === b) return this.truth(a);
    } else if (op === "==" || op === "!=") {
      if (a === b) return op === "==" ? this.one : this.zero;
      if (sa.k === "component" && sb.k === "const") return this.#equals(op, sa.c, sb.v);
      if (sb.k === "component" && sa.k === "const") return this.#equals(op, sb.c, sa.v);
    }
    const only = onlyOf(this.#only[a]!, this.#only[b]!);
    if (TRUTHS.has(op)) {
      const set = this.#valuesWhere(only, (v) => applyBinary(op, this.#at(a, v), this.#at(b, v)) !== 0);
      if (set !== undefined) return this.isOneOf(only, set);
    }
    return this.#intern(`${op}${a},${b}`, { k: "bin", op, a, b }, Math.min(this.top(a), this.top(b)), only);
  }

  /** The values of a component that satisfy a condition; undefined where that is no one component, or has too many. */
  #valuesWhere(c: number, holds: (v: number) => boolean): number[] | undefined {
    if (c < 0) return undefined;
    const lo = this.#vector.lo[c]!;
    const hi = this.#vector.hi[c]!;
    if (hi - lo >= SMALL_DOMAIN) return undefined;
    const set: number[] = [];
    for (let v = lo; v <= hi; v++) if (holds(v)) set.push(v);
    return set;
  }

  /** The value of a term that depends on nothing but one component, where that is `v`. */
  #at(t: TermId, v: number): number {
    const s = this.#shapes[t]!;
    switch (s.k) {
      case "const":
        return s.v;
      case "component":
        return v;
      case "in":
        return s.set.includes(v) ? 1 : 0;
      case "not":
        return this.#at(s.a, v) === 0 ? 1 : 0;
      case "neg":
        return -this.#at(s.a, v) | 0;
      case "bin":
        return applyBinary(s.op, this.#at(s.a, v), this.#at(s.b, v));
      case "ite":
        return this.#at(this.#at(s.c, v) !== 0 ? s.a : s.b, v);
    }
  }

  #equals(op: "==" | "!=", c: number, v: number): TermId {
    const is = this.isOneOf(c, [v]);
    return op === "==" ? is : this.not(is);
  }

  /** 1 where `a` is not 0. */
  truth(a: TermId): TermId {
    return this.#isTruth(a) ? a : this.binary("!=", a, this.zero);
  }

  /** Whether `a` is known to be 0 or 1. */
  #isTruth(a: TermId): boolean {
    const s = this.#shapes[a]!;
    switch (s.k) {
      case "const":
        return s.v === 0 || s.v === 1;
      case "component":
        return this.#vector.lo[s.c]! >= 0 && this.#vector.hi[s.c]! <= 1;
      case "in":
      case "not":
        return true;
      case "neg":
        return false;
      case "ite":
        return this.#isTruth(s.a) && this.#isTruth(s.b);
      case "bin":
        return TRUTHS.has(s.op);
    }
  }

  /** The value of a constant term, undefined for any other. */
  constantValue(t: TermId): number | undefined {
    const s = this.#shapes[t]!;
    return s.k === "const" ? s.v : undefined;
  }

  /** `t` where `level` holds `v`. Levels are fixed in ascending order, so `level` is at most the first level of `t`. */
  fix(t: TermId, level: number, v: number): TermId {
    if (this.top(t) !== level) return t;
    let memo = this.#fixed[t];
    if (memo === undefined) {
      memo = new Map();
      this.#fixed[t] = memo;
    }
    const known = memo.get(v);
    if (known !== undefined) return known;
    const s = this.#shapes[t]!;
    let result = t;
    switch (s.k) {
      case "component":
        result = this.constant(this.#valueOf(s.c, v));
        break;
      case "in":
        result = s.set.includes(this.#valueOf(s.c, v)) ? this.one : this.zero;
        break;
      case "not":
        result = this.not(this.fix(s.a, level, v));
        break;
      case "neg":
        result = this.neg(this.fix(s.a, level, v));
        break;
      case "bin":
        result = this.binary(s.op, this.fix(s.a, level, v), this.fix(s.b, level, v));
        break;
      case "ite":
        result = this.ite(this.fix(s.c, level, v), this.fix(s.a, level, v), this.fix(s.b, level, v));
    }
    memo.set(v, result);
    return result;
  }

  #valueOf(c: number, v: number): number {
    return this.#vector.tuples[this.#vector.level[c]!]!.value(v, this.#vector.slot[c]!);
  }

  #intern(key: string, shape: Shape, top: number, only: number): TermId {
    const known = this.#ids.get(key);
    if (known !== undefined) return known;
    const id = this.#shapes.length;
    this.#shapes.push(shape);
    this.#top.push(top);
    this.#only.push(only);
    this.#ids.set(key, id);
    return id;
  }
}
