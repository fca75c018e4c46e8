/** Steps that may sleep, and what the big kernel lock does around them. */
import { type Cell, cell, type Location, load, store } from "../cell.ts";
import type { Alternative, Expr, Site, Stmt, Wait } from "../program.ts";
import { type Recording, recording } from "../recording.ts";
import { binary, constant } from "../value.ts";
import { mightSleep, runningTask } from "./held.ts";

/** The big kernel lock: recursive per task, dropped over every sleep and taken again before the sleeper goes on. */
export class Big {
  readonly location: Location;
  constructor(location: Location) {
    this.location = location;
  }
  readonly text = "the BKL";
  owner(): Cell {
    return cell(this.location, "", { d: "thread" }, { lock: "bkl" });
  }
  /** How often the executing thread has taken it. */
  depth(): Cell {
    return cell(
      this.location,
      ".depth",
      { d: "int", lo: 0, hi: 3 },
      { perThread: true },
      binary("-", { e: "self" }, constant(1)),
    );
  }
  heldBySelf(): Expr {
    return binary("==", load(this.owner()), { e: "self" });
  }
}

export const bklFact = Symbol("bkl");

export function bigKernelLock(r: Recording): Big | undefined {
  return r.facts.get(bklFact) as Big | undefined;
}

export interface Blocking {
  readonly call: string;
  readonly site: Site;
  readonly checks: readonly Stmt[];
  readonly alternatives: readonly Alternative[];
  readonly wait: Wait;
}

/**
 * Records a step that may sleep: `might_sleep` first; then the step, blocked while none of its alternatives is
 * enabled.
 *
 * A task that holds the big kernel lock and has to sleep drops it in the moment it goes to sleep. As in the kernel's
 * schedule(), it has the lock again before it looks a second time at what it waited for: the sleeper wakes when one of
 * the alternatives is possible, takes the big kernel lock, and only then tries again, perhaps in vain.
 */
export function sleepingStep(s: Blocking): void {
  mightSleep(s.call, s.site);
  runningTask(s.call, s.site);
  blockingStep(s);
}

/** As `sleepingStep`, where `might_sleep` has been called already. */
export function blockingStep(s: Blocking): void {
  const r = recording();
  const bkl = bigKernelLock(r);
  const step = { s: "step", call: s.call, site: s.site, checks: s.checks, wait: s.wait } as const;
  if (!bkl) {
    r.emit({ ...step, alternatives: s.alternatives });
    return;
  }
  const slept = r.local("slept", { d: "bool" });
  const set = (v: number): Stmt => ({ s: "set", to: { p: "local", name: slept }, value: constant(v), site: s.site });
  const possible = s.alternatives.map((a): Expr => a.when ?? constant(1)).reduce((a, b) => binary("||", a, b));
  const body = r.block(() => {
    r.emit({
      ...step,
      alternatives: [
        ...s.alternatives.map((a) => ({ ...a, body: [...a.body, set(0)] })),
        {
          when: binary("&&", { e: "not", a: possible }, bkl.heldBySelf()),
          body: [store(bkl.owner(), constant(0), s.site), set(1)],
          name: "sleeps, drops the BKL",
        },
      ],
    });
    const again = r.block(() => {
      r.emit({ ...step, call: `${s.call}: woken`, alternatives: [{ when: possible, body: [] }] });
      retake(bkl, s.site);
    }, s.site);
    r.emit({
      s: "if",
      c: { e: "local", name: slept },
      then: again,
      else: [{ s: "break", site: s.site }],
      site: s.site,
    });
  }, s.site);
  r.emit({ s: "while", head: [], c: constant(1), body, site: s.site });
}

/** Takes the big kernel lock again after a sleep; the depth was kept. */
export function retake(bkl: Big, site: Site): void {
  recording().emit({
    s: "step",
    call: "reacquire_kernel_lock()",
    site,
    checks: [],
    alternatives: [
      { when: binary("==", load(bkl.owner()), constant(0)), body: [store(bkl.owner(), { e: "self" }, site)] },
    ],
    wait: { kind: "bkl", on: "the BKL", holder: load(bkl.owner()) },
  });
}

/**
 * A step that always gives up the CPU (schedule(), msleep()): drops the big kernel lock first if it is held, and takes
 * it again afterwards. Whether the task itself holds it, nobody else can change, so that is looked at without a step.
 */
export function yieldingStep(s: Blocking): void {
  mightSleep(s.call, s.site);
  const r = recording();
  const bkl = bigKernelLock(r);
  const { site } = s;
  const { call, checks, alternatives, wait } = s;
  const step = { s: "step", call, site, checks, alternatives, wait, yields: true } as const;
  if (!bkl) {
    r.emit(step);
    return;
  }
  const held = r.local("held_bkl", { d: "bool" });
  const isHeld: Expr = { e: "local", name: held };
  const release = r.block(() => {
    r.emit({
      s: "step",
      call: `${s.call}: release_kernel_lock()`,
      site,
      checks: [],
      alternatives: [{ body: [store(bkl.owner(), constant(0), site)] }],
    });
  }, site);
  r.emit({ s: "set", to: { p: "local", name: held }, value: bkl.heldBySelf(), site });
  r.emit({ s: "if", c: isHeld, then: release, else: [], site });
  r.emit(step);
  const again = r.block(() => retake(bkl, site), site);
  r.emit({ s: "if", c: isHeld, then: again, else: [], site });
}
