/** struct kref (lib/kref.c): a reference count with a release function; and atomic_dec_and_lock (lib/dec_and_lock.c). */
import { localName, step } from "../access.ts";
import { aliveCheck, type Cell, cell, type FieldType, type Location, load, store } from "../cell.ts";
import { If } from "../control.ts";
import type { ErrorKind, Expr, Site, Stmt } from "../program.ts";
import { callSite, recording } from "../recording.ts";
import { type Bound, int, type Type } from "../types.ts";
import { Bool, binary, constant, Int } from "../value.ts";
import type { Atomic } from "./atomic.ts";
import { type Spinlock, spin_lock, spin_unlock } from "./spinlock.ts";

export class Kref {
  declare readonly access: "kref";
  readonly location: Location;
  readonly max: Bound;
  readonly initial: number;

  constructor(location: Location, max: Bound, initial: number) {
    this.location = location;
    this.max = max;
    this.initial = initial;
  }
  get text(): string {
    return this.location.text;
  }
  /** For `initially`. */
  get type(): Type<Int, Int | number> {
    return int(0, this.max);
  }
  cell(): Cell {
    return cell(this.location, "", this.type.domain(), { init: this.initial });
  }
  get now(): Int {
    return new Int(load(this.cell()));
  }
}

/** A reference count of at most `max`; 0 in the initial state, which means not yet initialised, unless said. */
export function kref(max: Bound, options: { init?: number } = {}): FieldType<Kref> {
  return { place: (location) => new Kref(location, max, options.init ?? 0) };
}

function error(kind: ErrorKind, message: string, site: Site): Stmt {
  return { s: "error", kind, message, site };
}

function isZero(k: Kref): Expr {
  return binary("==", load(k.cell()), constant(0));
}

function add(k: Kref, by: number, site: Site): Stmt {
  return store(k.cell(), binary("+", load(k.cell()), constant(by)), site);
}

/** One reference, the caller's. */
export function kref_init(k: Kref): void {
  const site = callSite();
  step({
    call: `kref_init(&${k.text})`,
    site,
    checks: aliveCheck(k.location, site),
    body: [store(k.cell(), constant(1), site)],
  });
}

/** One more. Of a count that is 0 it is `use-after-free`: the object is being released, or never was initialised. */
export function kref_get(k: Kref): void {
  const site = callSite();
  const call = `kref_get(&${k.text})`;
  step({
    call,
    site,
    checks: aliveCheck(k.location, site),
    body: [
      {
        s: "if",
        c: isZero(k),
        then: [error("use-after-free", `${call} of a count that is 0: the last reference is gone`, site)],
        else: [add(k, 1, site)],
        site,
      },
    ],
  });
}

/** One more unless the count is 0. True when it was taken. */
export function kref_get_unless_zero(k: Kref): Bool {
  const site = callSite();
  const taken = recording().local("taken", { d: "bool" });
  const set = (v: number): Stmt => ({ s: "set", to: { p: "local", name: taken }, value: constant(v), site });
  step({
    call: `kref_get_unless_zero(&${k.text})`,
    site,
    checks: aliveCheck(k.location, site),
    body: [{ s: "if", c: isZero(k), then: [set(0)], else: [add(k, 1, site), set(1)], site }],
  });
  return new Bool(
    { e: "local", name: taken },
    [],
    "the result of kref_get_unless_zero is ignored: the reference may or may not be held now",
  );
}

/**
 * One less; the caller of the last one runs `release`. Of a count that is 0 it is `refcount-underflow`. The result is
 * true when it was the last.
 */
export function kref_put(k: Kref, release: () => void): Bool {
  const site = callSite();
  const call = `kref_put(&${k.text})`;
  const last = recording().local("last", { d: "bool" });
  step({
    call,
    site,
    checks: aliveCheck(k.location, site),
    body: [
      {
        s: "if",
        c: isZero(k),
        then: [error("refcount-underflow", `${call} of a count that is 0`, site)],
        else: [add(k, -1, site)],
        site,
      },
      { s: "set", to: { p: "local", name: last }, value: isZero(k), site },
    ],
  });
  If(new Bool({ e: "local", name: last }), release);
  return new Bool({ e: "local", name: last });
}

/**
 * `atomic_dec_and_lock(&v, &lock)`: decrements without the lock while v is not 1; otherwise takes the lock first and
 * decrements then, by which time v may have risen again. True, with the lock held, when v has become 0; otherwise the
 * lock is not held. Below zero is `refcount-underflow`, whatever v was declared as.
 */
export function atomic_dec_and_lock(v: Atomic, lock: Spinlock): Bool {
  const site = callSite();
  const r = recording();
  const call = `atomic_dec_and_lock(&${v.location.text}, &${lock.text})`;
  const fast = r.local("fast", { d: "bool" });
  const zero = r.local(`${localName(v.location.name)}_is_zero`, { d: "bool" });
  const value = load(v.cell());
  const isOne = binary("==", value, constant(1));
  const set = (name: string, to: Expr): Stmt => ({ s: "set", to: { p: "local", name }, value: to, site });
  const decrement: Stmt[] = [
    {
      s: "if",
      c: binary("<=", value, constant(0)),
      then: [error("refcount-underflow", `${call} below zero`, site)],
      else: [],
      site,
    },
    store(v.cell(), binary("-", value, constant(1)), site),
  ];
  const checks = aliveCheck(v.location, site);
  step({
    call: `${call}: cmpxchg`,
    site,
    checks,
    body: [
      { s: "if", c: isOne, then: [set(fast, constant(0))], else: [...decrement, set(fast, constant(1))], site },
      set(zero, constant(0)),
    ],
  });
  If(new Bool({ e: "local", name: fast }).not(), () => {
    spin_lock(lock);
    step({ call, site, checks, body: [...decrement, set(zero, binary("==", value, constant(0)))] });
    If(new Bool({ e: "local", name: zero }).not(), () => spin_unlock(lock));
  });
  return new Bool(
    { e: "local", name: zero },
    [],
    "the result of atomic_dec_and_lock is ignored: the lock may or may not be held now",
  );
}
