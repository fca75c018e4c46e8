/**
 * struct semaphore: a counter without an owner. Anybody may `up`; who of several sleepers gets it is left open (the
 * kernel of 2.6 promises no order).
 */
import { step, type WaitOptions } from "../access.ts";
import { aliveCheck, type Cell, cell, type FieldType, type Location, load, store } from "../cell.ts";
import { computed } from "../control.ts";
import { ERRNO_LABELS, errnoIndex } from "../errno.ts";
import type { Alternative, Expr, Site, Stmt } from "../program.ts";
import { callSite, recording } from "../recording.ts";
import { type Bound, bound, int, type Type } from "../types.ts";
import { Bool, binary, constant, Errno, Int, toInt } from "../value.ts";
import { sleepingStep } from "./blocking.ts";
import { Initialised, type InitOptions } from "./initialised.ts";
import { signalPending } from "./signal.ts";

const SELF: Expr = { e: "self" };

export interface SemaphoreOptions extends InitOptions {
  /**
   * True: who took it last is remembered until somebody gives it back, as whom a finding names and blames. Anybody may
   * `up` all the same. For one that is used as a lock; default: false.
   */
  readonly taker?: boolean;
}

export class Semaphore {
  declare readonly lock: "semaphore";
  readonly location: Location;
  readonly max: Bound;
  readonly initial: Bound;
  readonly initialised: Initialised;
  readonly #taker: boolean;

  constructor(location: Location, initial: Bound, max: Bound, options: SemaphoreOptions) {
    this.location = location;
    this.initial = initial;
    this.max = max;
    this.initialised = new Initialised(location, options);
    this.#taker = options.taker ?? false;
  }
  get text(): string {
    return this.location.text;
  }
  /** For `initially`. */
  get type(): Type<Int, Int | number> {
    return int(0, this.max);
  }
  cell(): Cell {
    return cell(this.location, "", this.type.domain(), { init: bound(this.initial) });
  }
  /** Who took it last, 0 once it was given back. */
  taker(): Cell | undefined {
    if (!this.#taker) return undefined;
    const location = { ...this.location, name: `${this.location.name}.taker` };
    return cell(location, "", { d: "thread" }, { lock: "semaphore" });
  }
  /** Remembers who took it, or that nobody did. */
  takenBy(thread: Expr, site: Site): Stmt[] {
    const taker = this.taker();
    return taker === undefined ? [] : [store(taker, thread, site)];
  }
  /** How many `down` would succeed as of now: for properties and guards. */
  get count(): Int {
    return new Int(load(this.cell()));
  }
  /** What is checked before each use. */
  checks(call: string, site: Site): Stmt[] {
    return [...aliveCheck(this.location, site), ...this.initialised.check(call, site)];
  }
}

/** A semaphore that starts with `init`; an `up` that takes it above `max` is `semaphore-overflow`. */
export function semaphore(init: Bound = 1, max: Bound = 1, options: SemaphoreOptions = {}): FieldType<Semaphore> {
  return { place: (location) => new Semaphore(location, init, max, options) };
}

/** `sema_init`: gives it this count, whoever holds it or waits. */
export function sema_init(sem: Semaphore, count: Int | number): void {
  const site = callSite();
  const expr = computed(toInt(count), site);
  step({
    call: `sema_init(&${sem.text}, …)`,
    site,
    checks: aliveCheck(sem.location, site),
    body: [store(sem.cell(), expr, site), ...sem.takenBy(constant(0), site), ...sem.initialised.set(site)],
  });
}

function available(sem: Semaphore): Expr {
  return binary(">", load(sem.cell()), constant(0));
}

function take(sem: Semaphore, site: Site): Stmt[] {
  const next = binary("-", load(sem.cell()), constant(1));
  return [store(sem.cell(), next, site), ...sem.takenBy(SELF, site), { s: "mark", name: "wait", site }];
}

/** Sleeps, uninterruptibly, until the count is above zero, and takes one. */
export function down(sem: Semaphore, options: Pick<WaitOptions, "resting"> = {}): void {
  const site = callSite();
  sleep(sem, "down", options, site, [{ when: available(sem), body: take(sem, site) }]);
}

/** 0, or -EINTR when a signal is pending and the count is zero. */
export function down_interruptible(sem: Semaphore, options: Pick<WaitOptions, "resting"> = {}): Errno {
  const site = callSite();
  const r = recording();
  const rc = r.local("rc", { d: "enum", name: "errno", labels: ERRNO_LABELS });
  const set = (code: number): Stmt => ({
    s: "set",
    to: { p: "local", name: rc },
    value: constant(errnoIndex(code)!),
    site,
  });
  const interrupted = binary("&&", { e: "not", a: available(sem) }, signalPending(r));
  sleep(sem, "down_interruptible", options, site, [
    { when: available(sem), body: [...take(sem, site), set(0)] },
    { when: interrupted, body: [set(-4)], name: "-EINTR" },
  ]);
  return new Errno(
    { e: "local", name: rc },
    [],
    "the result of down_interruptible is ignored: test it with failed() or Return it",
  );
}

function sleep(sem: Semaphore, name: string, options: WaitOptions, site: Site, alternatives: Alternative[]): void {
  const call = `${name}(&${sem.text})`;
  const taker = sem.taker();
  sleepingStep({
    call,
    site,
    checks: sem.checks(call, site),
    alternatives,
    wait: {
      on: sem.text,
      kind: "semaphore",
      ...(taker ? { holder: load(taker) } : {}),
      ...(options.resting ? { resting: options.resting().use() } : {}),
    },
  });
}

/** Takes one if the count is above zero; never blocks. As in C the result is true when it was NOT taken. */
export function down_trylock(sem: Semaphore): Bool {
  const site = callSite();
  const busy = recording().local("busy", { d: "bool" });
  const set = (v: number): Stmt => ({ s: "set", to: { p: "local", name: busy }, value: constant(v), site });
  const call = `down_trylock(&${sem.text})`;
  const next = binary("-", load(sem.cell()), constant(1));
  step({
    call,
    site,
    checks: sem.checks(call, site),
    body: [
      { s: "mark", name: "trylock", site },
      {
        s: "if",
        c: available(sem),
        then: [store(sem.cell(), next, site), ...sem.takenBy(SELF, site), set(0)],
        else: [set(1)],
        site,
      },
    ],
  });
  return new Bool(
    { e: "local", name: busy },
    [],
    "the result of down_trylock is ignored: the semaphore may or may not be held now",
  );
}

/** Gives one back, whoever took it; never blocks. */
export function up(sem: Semaphore): void {
  const site = callSite();
  const call = `up(&${sem.text})`;
  const message = `${call} above ${bound(sem.max)}: nobody was inside`;
  step({
    call,
    site,
    checks: sem.checks(call, site),
    body: [
      { s: "mark", name: "unlock", site },
      {
        s: "if",
        c: binary(">=", load(sem.cell()), constant(bound(sem.max))),
        then: [{ s: "error", kind: "semaphore-overflow", message, site }],
        else: [store(sem.cell(), binary("+", load(sem.cell()), constant(1)), site), ...sem.takenBy(constant(0), site)],
        site,
      },
    ],
  });
}
