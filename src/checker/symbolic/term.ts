/**
 * Terms over the components ("levels") of a state vector: hash-consed, simplified as they are built, and specialised
 * by substituting a value for a level. They are what is left of a guard or of an assigned value once the levels above
 * have been fixed.
 *
 * Numbers are 32-bit signed integers as in the protocol syntax tree; truth is "not 0", conditions yield 0 or 1.
 */
import { applyBinary } from "../../spec/evaluate.ts";
import type { BinaryOperator } from "../../spec/program.ts";

export type TermId = number;

type Shape =
  | { readonly k: "const"; readonly v: number }
  | { readonly k: "level"; readonly level: number }
  /** 1 if the level holds one of these values (ascending). */
  | { readonly k: "in"; readonly level: number; readonly set: readonly number[] }
  | { readonly k: "not" | "neg"; readonly a: TermId }
  | { readonly k: "bin"; readonly op: BinaryOperator; readonly a: TermId; readonly b: TermId }
  | { readonly k: "ite"; readonly c: TermId; readonly a: TermId; readonly b: TermId };

/** How many different values a term is followed through before its target's whole domain is taken. */
const MANY = 64;

/** Conditions on a level of at most so many values are kept as the set of those that satisfy them. */
const SMALL_DOMAIN = 1024;
/** In place of the one level a term depends on. */
const NO_LEVEL = -1;
const MANY_LEVELS = -2;

/** How many values of a level are tried where a value stored there is known only further below. */
const LARGEST_DOMAIN = 1 << 16;

/** A value is stored in a variable of so many possible values that trying them all is hopeless. */
export class DomainTooLarge extends Error {
  /** The level written, once it is known. */
  level: number | undefined;

  constructor() {
    super("a variable has too many possible values");
    this.name = "DomainTooLarge";
  }
}

const TRUTHS: ReadonlySet<BinaryOperator> = new Set(["==", "!=", "<", "<=", ">", ">=", "&&", "||"]);

/** The only level two terms depend on, from those of each. */
function onlyOf(a: number, b: number): number {
  if (a === NO_LEVEL || a === b) return b;
  return b === NO_LEVEL ? a : MANY_LEVELS;
}

export class Terms {
  /** The domain of each level: smallest and largest value. */
  readonly lo: readonly number[];
  readonly hi: readonly number[];
  readonly #shapes: Shape[] = [];
  /** The smallest level a term depends on; the number of levels for a constant. */
  readonly #top: number[] = [];
  /** The only level a term depends on. */
  readonly #only: number[] = [];
  readonly #ids = new Map<string, TermId>();
  /** Per term, what it becomes for each value of its top level. */
  readonly #specialised: (Map<number, TermId> | undefined)[] = [];
  readonly zero: TermId;
  readonly one: TermId;

  constructor(lo: readonly number[], hi: readonly number[]) {
    this.lo = lo;
    this.hi = hi;
    this.zero = this.constant(0);
    this.one = this.constant(1);
  }

  shape(t: TermId): Shape {
    return this.#shapes[t]!;
  }

  /** The smallest level `t` depends on; the number of levels for a constant. */
  top(t: TermId): number {
    return this.#top[t]!;
  }

  constant(v: number): TermId {
    return this.#intern(`c${v}`, { k: "const", v: v | 0 }, this.lo.length, NO_LEVEL);
  }

  level(level: number): TermId {
    if (this.lo[level] === this.hi[level]) return this.constant(this.lo[level]!);
    return this.#intern(`l${level}`, { k: "level", level }, level, level);
  }

  isOneOf(level: number, values: readonly number[]): TermId {
    const lo = this.lo[level]!;
    const hi = this.hi[level]!;
    const set = [...new Set(values)].filter((v) => v >= lo && v <= hi).sort((a, b) => a - b);
    if (set.length === 0) return this.zero;
    if (set.length === hi - lo + 1) return this.one;
    return this.#intern(`e${level}:${set.join()}`, { k: "in", level, set }, level, level);
  }

  not(a: TermId): TermId {
    const s = this.shape(a);
    if (s.k === "const") return s.v === 0 ? this.one : this.zero;
    if (s.k === "not" && this.isTruth(s.a)) return s.a;
    const only = this.#only[a]!;
    const set = this.#valuesWhere(only, (v) => this.#at(a, only, v) === 0);
    if (set !== undefined) return this.isOneOf(only, set);
    return this.#intern(`n${a}`, { k: "not", a }, this.top(a), only);
  }

  neg(a: TermId): TermId {
    const s = this.shape(a);
    if (s.k === "const") return this.constant(-s.v | 0);
    return this.#intern(`m${a}`, { k: "neg", a }, this.top(a), this.#only[a]!);
  }

  ite(c: TermId, a: TermId, b: TermId): TermId {
    const s = this.shape(c);
    if (s.k === "const") return s.v !== 0 ? a : b;
    if (a === b) return a;
    if (a === this.one && b === this.zero && this.isTruth(c)) return c;
    const top = Math.min(this.top(c), this.top(a), this.top(b));
    const only = onlyOf(this.#only[c]!, onlyOf(this.#only[a]!, this.#only[b]!));
    return this.#intern(`i${c},${a},${b}`, { k: "ite", c, a, b }, top, only);
  }

  binary(op: BinaryOperator, a: TermId, b: TermId): TermId {
    const sa = this.shape(a);
    const sb = this.shape(b);
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
      if (sa.k === "level" && sb.k === "const") return this.#equals(op, sa.level, sb.v);
      if (sb.k === "level" && sa.k === "const") return this.#equals(op, sb.level, sa.v);
    }
    const only = onlyOf(this.#only[a]!, this.#only[b]!);
    if (TRUTHS.has(op)) {
      const set = this.#valuesWhere(only, (v) => applyBinary(op, this.#at(a, only, v), this.#at(b, only, v)) !== 0);
      if (set !== undefined) return this.isOneOf(only, set);
    }
    return this.#intern(`${op}${a},${b}`, { k: "bin", op, a, b }, Math.min(this.top(a), this.top(b)), only);
  }

  /** The values of a level that satisfy a condition; undefined where that is no one level, or one of too many values. */
  #valuesWhere(level: number, holds: (v: number) => boolean): number[] | undefined {
    if (level < 0) return undefined;
    const lo = this.lo[level]!;
    const hi = this.hi[level]!;
    if (hi - lo >= SMALL_DOMAIN) return undefined;
    const set: number[] = [];
    for (let v = lo; v <= hi; v++) if (holds(v)) set.push(v);
    return set;
  }

  /** The value of a term that depends on nothing but `level`. */
  #at(t: TermId, level: number, v: number): number {
    return this.constantValue(this.fix(t, level, v))!;
  }

  #equals(op: "==" | "!=", level: number, v: number): TermId {
    const is = this.isOneOf(level, [v]);
    return op === "==" ? is : this.not(is);
  }

  /** 1 where `a` is not 0. */
  truth(a: TermId): TermId {
    return this.isTruth(a) ? a : this.binary("!=", a, this.zero);
  }

  /** Whether `a` is known to be 0 or 1. */
  isTruth(a: TermId): boolean {
    const s = this.shape(a);
    switch (s.k) {
      case "const":
        return s.v === 0 || s.v === 1;
      case "level":
        return this.lo[s.level]! >= 0 && this.hi[s.level]! <= 1;
      case "in":
      case "not":
        return true;
      case "neg":
        return false;
      case "ite":
        return this.isTruth(s.a) && this.isTruth(s.b);
      case "bin":
        return TRUTHS.has(s.op);
    }
  }

  /** The value of a constant term, undefined for any other. */
  constantValue(t: TermId): number | undefined {
    const s = this.shape(t);
    return s.k === "const" ? s.v : undefined;
  }

  /** `t` where `level` holds `v`. Levels are fixed in ascending order, so `level` is at most the top of `t`. */
  fix(t: TermId, level: number, v: number): TermId {
    if (this.top(t) !== level) return t;
    let memo = this.#specialised[t];
    if (memo === undefined) {
      memo = new Map();
      this.#specialised[t] = memo;
    }
    const known = memo.get(v);
    if (known !== undefined) return known;
    const s = this.shape(t);
    let result: TermId;
    switch (s.k) {
      case "const":
        result = t;
        break;
      case "level":
        result = this.constant(v);
        break;
      case "in":
        result = s.set.includes(v) ? this.one : this.zero;
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
        break;
    }
    memo.set(v, result);
    return result;
  }

  /** The values `t` may have, a superset within `lo..hi`, ascending. */
  possibleValues(t: TermId, lo: number, hi: number): number[] {
    const found = this.#values(t);
    if (found !== undefined) return [...found].filter((v) => v >= lo && v <= hi).sort((a, b) => a - b);
    if (hi - lo >= LARGEST_DOMAIN) throw new DomainTooLarge();
    return Array.from({ length: hi - lo + 1 }, (_, i) => lo + i);
  }

  /** Whether `t` might have a value outside `lo..hi`. */
  mayLeave(t: TermId, lo: number, hi: number): boolean {
    const found = this.#values(t);
    return found === undefined || [...found].some((v) => v < lo || v > hi);
  }

  #values(t: TermId): Set<number> | undefined {
    const s = this.shape(t);
    switch (s.k) {
      case "const":
        return new Set([s.v]);
      case "level": {
        const lo = this.lo[s.level]!;
        const n = this.hi[s.level]! - lo + 1;
        return n > MANY ? undefined : new Set(Array.from({ length: n }, (_, i) => lo + i));
      }
      case "in":
      case "not":
        return new Set([0, 1]);
      case "neg": {
        const a = this.#values(s.a);
        return a && new Set([...a].map((v) => -v | 0));
      }
      case "ite": {
        const a = this.#values(s.a);
        const b = this.#values(s.b);
        return a && b && new Set([...a, ...b]);
      }
      case "bin": {
        if (this.isTruth(t)) return new Set([0, 1]);
        const a = this.#values(s.a);
        const b = this.#values(s.b);
        if (a === undefined || b === undefined || a.size * b.size > MANY * MANY) return undefined;
        const out = new Set<number>();
        for (const x of a) for (const y of b) out.add(applyBinary(s.op, x, y));
        return out.size > MANY ? undefined : out;
      }
    }
  }

  /** Calls `visit` for every level `t` depends on (possibly more than once). */
  support(t: TermId, visit: (level: number) => void): void {
    const s = this.shape(t);
    switch (s.k) {
      case "const":
        return;
      case "level":
      case "in":
        visit(s.level);
        return;
      case "not":
      case "neg":
        this.support(s.a, visit);
        return;
      case "bin":
        this.support(s.a, visit);
        this.support(s.b, visit);
        return;
      case "ite":
        this.support(s.c, visit);
        this.support(s.a, visit);
        this.support(s.b, visit);
    }
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
