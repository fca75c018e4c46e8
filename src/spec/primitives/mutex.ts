/** struct mutex (kernel/mutex.c, kernel/locking/mutex.c): sleeps, not recursive, released by its owner only. */
import { type Protection, step } from "../access.ts";
import { aliveCheck, type Cell, cell, type FieldType, type Location, load, store } from "../cell.ts";
import { ERRNO_LABELS, errnoIndex } from "../errno.ts";
import type { Alternative, Expr, Site, Stmt } from "../program.ts";
import { callSite, recording } from "../recording.ts";
import { Bool, binary, constant, Errno } from "../value.ts";
import { sleepingStep } from "./blocking.ts";
import { signalPending } from "./signal.ts";

const SELF: Expr = { e: "self" };

export class Mutex implements Protection {
  declare readonly lock: "mutex";
  readonly location: Location;

  constructor(location: Location) {
    this.location = location;
  }
  get text(): string {
    return this.location.text;
  }
  owner(): Cell {
    return cell(this.location, "", { d: "thread" }, { lock: "mutex" });
  }
  heldBySelf(): Expr {
    return binary("==", load(this.owner()), SELF);
  }
  /** Held by anyone, as of now: for properties and guards. */
  get held(): Bool {
    return new Bool(binary("!=", load(this.owner()), constant(0)));
  }
}

/** A mutex, unlocked in the initial state. */
export function mutex(): FieldType<Mutex> {
  return { place: (location) => new Mutex(location) };
}

function take(m: Mutex, site: Site): Stmt[] {
  return [store(m.owner(), SELF, site), { s: "mark", name: "wait", site }];
}

function free(m: Mutex): Expr {
  return binary("==", load(m.owner()), constant(0));
}

/** Sleeps, uninterruptibly, until the mutex is free. A mutex locked again by its owner blocks for ever. */
export function mutex_lock(m: Mutex): void {
  lock(m, "mutex_lock", callSite());
}

/** The subclass speaks to lockdep only. */
export function mutex_lock_nested(m: Mutex, _subclass: number): void {
  lock(m, "mutex_lock_nested", callSite());
}

function lock(m: Mutex, name: string, site: Site): void {
  sleepingStep({
    call: `${name}(&${m.text})`,
    site,
    checks: aliveCheck(m.location, site),
    alternatives: [{ when: free(m), body: take(m, site) }],
    wait: { kind: "mutex", on: m.text, holder: load(m.owner()) },
  });
}

/** 0, or -EINTR when a signal is pending and the mutex is not free. A free one is taken even with a signal pending. */
export function mutex_lock_interruptible(m: Mutex): Errno {
  return lockUnlessSignalled(m, "mutex_lock_interruptible", callSite());
}

/** As `mutex_lock_interruptible`, for fatal signals. */
export function mutex_lock_killable(m: Mutex): Errno {
  return lockUnlessSignalled(m, "mutex_lock_killable", callSite());
}

function lockUnlessSignalled(m: Mutex, name: string, site: Site): Errno {
  const r = recording();
  const rc = r.local("rc", { d: "enum", name: "errno", labels: ERRNO_LABELS });
  const set = (code: number): Stmt => ({
    s: "set",
    to: { p: "local", name: rc },
    value: constant(errnoIndex(code)!),
    site,
  });
  const alternatives: Alternative[] = [
    { when: free(m), body: [...take(m, site), set(0)] },
    { when: binary("&&", { e: "not", a: free(m) }, signalPending(r)), body: [set(-4)], name: "-EINTR" },
  ];
  sleepingStep({
    call: `${name}(&${m.text})`,
    site,
    checks: aliveCheck(m.location, site),
    alternatives,
    wait: { kind: "mutex", on: m.text, holder: load(m.owner()) },
  });
  return new Errno(
    { e: "local", name: rc },
    [],
    "the result of an interruptible lock is ignored: test it with failed() or Return it",
  );
}

/** Takes the mutex if nobody holds it, the caller included; never blocks. True when it was taken. */
export function mutex_trylock(m: Mutex): Bool {
  const site = callSite();
  const taken = recording().local("taken", { d: "bool" });
  const result = (v: number): Stmt => ({ s: "set", to: { p: "local", name: taken }, value: constant(v), site });
  step({
    call: `mutex_trylock(&${m.text})`,
    site,
    checks: aliveCheck(m.location, site),
    body: [
      { s: "mark", name: "trylock", site },
      { s: "if", c: free(m), then: [store(m.owner(), SELF, site), result(1)], else: [result(0)], site },
    ],
  });
  return new Bool(
    { e: "local", name: taken },
    [],
    "the result of mutex_trylock is ignored: the lock may or may not be held now",
  );
}

/** Releases the mutex; `unlock-not-owner` if the caller does not hold it. */
export function mutex_unlock(m: Mutex): void {
  const site = callSite();
  step({
    call: `mutex_unlock(&${m.text})`,
    site,
    checks: aliveCheck(m.location, site),
    body: [
      { s: "mark", name: "unlock", site },
      {
        s: "if",
        c: m.heldBySelf(),
        then: [store(m.owner(), constant(0), site)],
        else: [
          {
            s: "error",
            kind: "unlock-not-owner",
            message: `mutex_unlock(&${m.text}) by a thread that does not hold it`,
            site,
          },
        ],
        site,
      },
    ],
  });
}

/** Whether anyone holds it; says nothing about who, and is stale at once. */
export function mutex_is_locked(m: Mutex): Bool {
  const site = callSite();
  const locked = recording().local("locked", { d: "bool" });
  step({
    call: `mutex_is_locked(&${m.text})`,
    site,
    checks: aliveCheck(m.location, site),
    body: [{ s: "set", to: { p: "local", name: locked }, value: { e: "not", a: free(m) }, site }],
  });
  return new Bool({ e: "local", name: locked });
}
