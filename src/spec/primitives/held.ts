/** What the executing thread holds: for atomic context, for the checks at a thread's end, for protection claims. */
import type { Expr, Site, ThreadDecl } from "../program.ts";
import { type Recording, recording } from "../recording.ts";
import { binary, constant } from "../value.ts";

const SELF: Expr = { e: "self" };

/** True when some lock of one of these kinds is owned by the executing thread. */
export function ownsAny(r: Recording, kinds: readonly string[]): Expr {
  let any: Expr = constant(0);
  for (const v of r.vars.values()) {
    if (v.lock === undefined || !kinds.includes(v.lock)) continue;
    for (let i = 0; i < v.init.length; i++) {
      const owner: Expr = v.length === undefined ? { e: "load", v: v.name } : { e: "load", v: v.name, i: constant(i) };
      any = or(any, binary("==", owner, SELF));
    }
  }
  return any;
}

export function or(a: Expr, b: Expr): Expr {
  if (a.e === "const" && a.v === 0) return b;
  if (b.e === "const" && b.v === 0) return a;
  return binary("||", a, b);
}

/** True for the threads that are handlers. */
export function isHandler(r: Recording): Expr {
  const threads = r.facts.get("threads") as readonly ThreadDecl[];
  let any: Expr = constant(0);
  threads.forEach((t, i) => {
    if (t.kind === "hardirq" || t.kind === "softirq") any = or(any, binary("==", SELF, constant(i + 1)));
  });
  return any;
}

/**
 * Atomic context: a spinlock held, interrupts or preemption disabled, or a handler. Nobody else can change it, so it
 * may be looked at outside of a step.
 */
export function inAtomicContext(): Expr {
  const r = recording();
  return r.defer(() => {
    let context = or(ownsAny(r, ["spinlock"]), isHandler(r));
    const off = r.vars.get(IRQS_OFF);
    if (off) context = or(context, { e: "load", v: IRQS_OFF, i: binary("-", SELF, constant(1)) });
    return context;
  });
}

/** Per thread: it runs with interrupts off. */
export const IRQS_OFF = "irqs_disabled";

/** `might_sleep()`: a finding when the executing thread is in atomic context. */
export function mightSleep(call: string, site: Site): void {
  recording().emit({
    s: "if",
    c: inAtomicContext(),
    then: [{ s: "finding", kind: "sleep-in-atomic", message: `${call} may sleep in atomic context`, site }],
    else: [],
    site,
  });
}

/** Per thread: the task state, where the model has wait queues. TASK_RUNNING is 0. */
export const TASK_STATE = "task_state";

/**
 * The kernel's `do not call blocking ops when !TASK_RUNNING`: a task that has announced that it is about to sleep must
 * not sleep for something else, or it loses what it announced.
 */
export function runningTask(call: string, site: Site): void {
  const r = recording();
  const state: Expr = { e: "load", v: TASK_STATE, i: binary("-", SELF, constant(1)) };
  const message = `${call} may sleep between set_current_state and schedule`;
  r.emit({
    s: "if",
    c: r.defer(() => (r.vars.has(TASK_STATE) ? binary("!=", state, constant(0)) : constant(0))),
    then: [{ s: "finding", kind: "sleep-in-atomic", message, site }],
    else: [],
    site,
  });
}

/** At a thread's end nothing may be held that has an owner. */
export function emitExitChecks(site: Site): void {
  const r = recording();
  r.emit({
    s: "if",
    c: r.defer(() => ownsAny(r, ["mutex", "spinlock", "bkl"])),
    then: [{ s: "finding", kind: "lock-held-at-exit", message: "the thread ends while it holds a lock", site }],
    else: [],
    site,
  });
}
