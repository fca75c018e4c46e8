/** atomic_t, refcounts and atomic bit operations: every one is a single step. */
import { localName, step } from "../access.ts";
import { aliveCheck, type Cell, cell, type FieldType, type Location, load, store } from "../cell.ts";
import { computed } from "../control.ts";
import type { Expr, Site, Stmt } from "../program.ts";
import { callSite, recording } from "../recording.ts";
import { type Bound, bound } from "../types.ts";
import { Bool, binary, constant, Int, toInt } from "../value.ts";

/** atomic_t. With `counts`, a reference count: going below zero is `refcount-underflow`. */
export class Atomic {
  declare readonly access: "atomic";
  readonly location: Location;
  readonly lo: Bound;
  readonly hi: Bound;
  readonly initial: number;
  readonly counts: boolean;

  constructor(location: Location, lo: Bound, hi: Bound, initial: number, counts: boolean) {
    this.location = location;
    this.lo = lo;
    this.hi = hi;
    this.initial = initial;
    this.counts = counts;
  }
  get domain() {
    return { d: "int", lo: bound(this.lo), hi: bound(this.hi) } as const;
  }
  /** For `initially`. */
  get type() {
    return { coerce: toInt, domain: () => this.domain, wrap: (e: Expr) => new Int(e), zero: 0 };
  }
  cell(): Cell {
    return cell(this.location, "", this.domain, { init: this.initial });
  }
  get now(): Int {
    return new Int(load(this.cell()));
  }
}

/** atomic_t holding lo..hi. */
export function atomic(lo: Bound, hi: Bound, options: { init?: number } = {}): FieldType<Atomic> {
  return { place: (location) => new Atomic(location, lo, hi, options.init ?? 0, false) };
}

/** A reference count 0..hi. */
export function refcount(hi: Bound, options: { init?: number } = {}): FieldType<Atomic> {
  return { place: (location) => new Atomic(location, 0, hi, options.init ?? 0, true) };
}

/** One step: checks, then the new value, then a result in a local. */
function operate(
  a: Atomic,
  call: string,
  site: Site,
  next: Expr | undefined,
  result?: (value: Expr) => Expr,
  boolean = false,
): string {
  const r = recording();
  const c = a.cell();
  const name = result ? r.local(localName(a.location.name), boolean ? { d: "bool" } : a.domain) : "";
  const body: Stmt[] = [];
  if (next && a.counts) {
    body.push({
      s: "if",
      c: binary("<", next, constant(0)),
      then: [{ s: "error", kind: "refcount-underflow", message: `${call} below zero`, site }],
      else: [],
      site,
    });
  }
  if (next) body.push(store(c, next, site));
  if (result) body.push({ s: "set", to: { p: "local", name }, value: result(load(c)), site });
  step({ call, site, checks: aliveCheck(a.location, site), body });
  return name;
}

const local = (name: string): Expr => ({ e: "local", name });

export function atomic_read(a: Atomic): Int {
  return new Int(local(operate(a, `atomic_read(&${a.location.text})`, callSite(), undefined, (v) => v)));
}

export function atomic_set(a: Atomic, value: Int | number): void {
  const site = callSite();
  const expr = computed(toInt(value), site);
  operate(a, `atomic_set(&${a.location.text}, …)`, site, expr);
}

export function atomic_inc(a: Atomic): void {
  operate(a, `atomic_inc(&${a.location.text})`, callSite(), binary("+", load(a.cell()), constant(1)));
}

export function atomic_dec(a: Atomic): void {
  operate(a, `atomic_dec(&${a.location.text})`, callSite(), binary("-", load(a.cell()), constant(1)));
}

export function atomic_inc_return(a: Atomic): Int {
  const next = binary("+", load(a.cell()), constant(1));
  return new Int(local(operate(a, `atomic_inc_return(&${a.location.text})`, callSite(), next, (v) => v)));
}

export function atomic_dec_return(a: Atomic): Int {
  const next = binary("-", load(a.cell()), constant(1));
  return new Int(local(operate(a, `atomic_dec_return(&${a.location.text})`, callSite(), next, (v) => v)));
}

/** True when the new value is zero. */
export function atomic_dec_and_test(a: Atomic): Bool {
  const next = binary("-", load(a.cell()), constant(1));
  const zero = (v: Expr) => binary("==", v, constant(0));
  return new Bool(local(operate(a, `atomic_dec_and_test(&${a.location.text})`, callSite(), next, zero, true)));
}

/** An atomic flag bit, as in `unsigned long flags` used with set_bit and friends. */
export class Bit {
  declare readonly access: "bit";
  readonly location: Location;
  readonly initial: number;

  constructor(location: Location, initial: number) {
    this.location = location;
    this.initial = initial;
  }
  /** For `initially`. */
  get type() {
    return {
      coerce: (v: Bool | boolean): Expr => (typeof v === "boolean" ? constant(v ? 1 : 0) : v.use()),
      domain: () => ({ d: "bool" }) as const,
      wrap: (e: Expr) => new Bool(e),
      zero: 0,
    };
  }
  cell(): Cell {
    return cell(this.location, "", { d: "bool" }, { init: this.initial });
  }
  get now(): Bool {
    return new Bool(load(this.cell()));
  }
}

export function bit(options: { init?: boolean } = {}): FieldType<Bit> {
  return { place: (location) => new Bit(location, options.init ? 1 : 0) };
}

function bitStep(b: Bit, call: string, site: Site, next: number | undefined, result: boolean): Bool {
  const r = recording();
  const c = b.cell();
  const name = result ? r.local(localName(b.location.name), { d: "bool" }) : "";
  const body: Stmt[] = [];
  if (result) body.push({ s: "set", to: { p: "local", name }, value: load(c), site });
  if (next !== undefined) body.push(store(c, constant(next), site));
  step({ call, site, checks: aliveCheck(b.location, site), body });
  return new Bool(result ? local(name) : constant(0));
}

export function set_bit(b: Bit): void {
  bitStep(b, `set_bit(${b.location.text})`, callSite(), 1, false);
}
export function clear_bit(b: Bit): void {
  bitStep(b, `clear_bit(${b.location.text})`, callSite(), 0, false);
}
export function test_bit(b: Bit): Bool {
  return bitStep(b, `test_bit(${b.location.text})`, callSite(), undefined, true);
}
/** Sets the bit; the result is what it was. */
export function test_and_set_bit(b: Bit): Bool {
  return bitStep(b, `test_and_set_bit(${b.location.text})`, callSite(), 1, true);
}
/** Clears the bit; the result is what it was. */
export function test_and_clear_bit(b: Bit): Bool {
  return bitStep(b, `test_and_clear_bit(${b.location.text})`, callSite(), 0, true);
}
