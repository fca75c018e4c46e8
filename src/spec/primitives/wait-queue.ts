/**
 * Wait queues (kernel/wait.c, kernel/sched.c): a task state per task and membership in queues, in the kernel's own
 * separate steps, so that a wake-up that comes between a test and a change of state is lost where the code loses it.
 */
import { step, type WaitOptions } from "../access.ts";
import { aliveCheck, type Cell, cell, type FieldType, type Location, load, store } from "../cell.ts";
import { Break, Forever, If } from "../control.ts";
import { ERRNO_LABELS, errnoIndex } from "../errno.ts";
import { ModelError } from "../model-error.ts";
import type { Expr, Site, Stmt } from "../program.ts";
import { callSite, recording } from "../recording.ts";
import { Bool, binary, constant, Errno } from "../value.ts";
import { yieldingStep } from "./blocking.ts";
import { TASK_STATE } from "./held.ts";
import { signalPending } from "./signal.ts";

const SELF: Expr = { e: "self" };
const STATES = ["TASK_RUNNING", "TASK_INTERRUPTIBLE", "TASK_UNINTERRUPTIBLE"] as const;
export type TaskState = (typeof STATES)[number];
const RUNNING = 0;
const INTERRUPTIBLE = 1;
const UNINTERRUPTIBLE = 2;

/** How a task is on a queue: not, by add_wait_queue, or by prepare_to_wait, which wake_up takes off again. */
const OFF = 0;
const ADDED = 1;
const PREPARED = 2;

const builtIn = { file: "lockstep", line: 1, column: 1 };
const taskState: Location = { name: TASK_STATE, text: "current->state", site: builtIn };

function stateOf(thread: Expr): Cell {
  const domain = { d: "enum", name: "task_state", labels: STATES } as const;
  return cell(taskState, "", domain, { perThread: true }, binary("-", thread, constant(1)));
}

function indexOf(state: TaskState, site: Site): number {
  const index = STATES.indexOf(state);
  if (index < 0) throw new ModelError(`${state} is none of ${STATES.join(", ")}`, site);
  return index;
}

export class WaitQueue {
  declare readonly queue: "wait";
  readonly location: Location;

  constructor(location: Location) {
    this.location = location;
  }
  get text(): string {
    return this.location.text;
  }
  /** Membership of a thread. */
  entry(thread: Expr): Cell {
    const domain = { d: "int", lo: OFF, hi: PREPARED } as const;
    return cell(this.location, "", domain, { perThread: true }, binary("-", thread, constant(1)));
  }
  /** Somebody is on it, as of now: for properties and guards. */
  get active(): Bool {
    return new Bool(anyEntry(this));
  }
}

/** A wait_queue_head_t, empty in the initial state. */
export function wait_queue(): FieldType<WaitQueue> {
  return { place: (location) => new WaitQueue(location) };
}

function threads(): Expr[] {
  return Array.from({ length: recording().threadCount }, (_, i) => constant(i + 1));
}

function anyEntry(q: WaitQueue): Expr {
  return threads()
    .map((t): Expr => binary("!=", load(q.entry(t)), constant(OFF)))
    .reduce((a, b) => binary("||", a, b));
}

/** `set_current_state`, `__set_current_state`: one step. */
export function set_current_state(state: TaskState): void {
  const site = callSite();
  const value = constant(indexOf(state, site));
  step({
    call: `set_current_state(${state})`,
    site,
    checks: [],
    body: [store(stateOf(SELF), value, site)],
  });
}

/** Puts the executing task on the queue; its state stays as it is. On it already: `bug-on`. */
export function add_wait_queue(q: WaitQueue): void {
  const site = callSite();
  const call = `add_wait_queue(&${q.text}, &wait)`;
  step({
    call,
    site,
    checks: aliveCheck(q.location, site),
    body: [
      onlyIf(
        binary("==", load(q.entry(SELF)), constant(OFF)),
        `${call} of an entry that is on the queue already`,
        site,
      ),
      store(q.entry(SELF), constant(ADDED), site),
    ],
  });
}

/** Takes the executing task off the queue; its state stays as it is. Not on it: `bug-on`. */
export function remove_wait_queue(q: WaitQueue): void {
  const site = callSite();
  const call = `remove_wait_queue(&${q.text}, &wait)`;
  step({
    call,
    site,
    checks: aliveCheck(q.location, site),
    body: [
      onlyIf(binary("!=", load(q.entry(SELF)), constant(OFF)), `${call} of an entry that is not on the queue`, site),
      store(q.entry(SELF), constant(OFF), site),
    ],
  });
}

function onlyIf(c: Expr, message: string, site: Site): Stmt {
  return { s: "if", c, then: [], else: [{ s: "error", kind: "bug-on", message, site }], site };
}

/** On the queue (unless it is) and into the state, in one step, as both happen under the queue's lock. */
export function prepare_to_wait(q: WaitQueue, state: TaskState): void {
  const site = callSite();
  prepare(q, indexOf(state, site), site);
}

function prepare(q: WaitQueue, state: number, site: Site): void {
  step({
    call: `prepare_to_wait(&${q.text}, &wait, ${STATES[state]})`,
    site,
    checks: aliveCheck(q.location, site),
    body: [
      {
        s: "if",
        c: binary("==", load(q.entry(SELF)), constant(OFF)),
        then: [store(q.entry(SELF), constant(PREPARED), site)],
        else: [],
        site,
      },
      store(stateOf(SELF), constant(state), site),
    ],
  });
}

/** TASK_RUNNING, and off the queue if no wake_up has done that; only then is the queue touched. */
export function finish_wait(q: WaitQueue): void {
  finish(q, callSite());
}

function finish(q: WaitQueue, site: Site): void {
  const on = binary("!=", load(q.entry(SELF)), constant(OFF));
  step({
    call: `finish_wait(&${q.text}, &wait)`,
    site,
    checks: [],
    body: [
      store(stateOf(SELF), constant(RUNNING), site),
      {
        s: "if",
        c: on,
        then: [...aliveCheck(q.location, site), store(q.entry(SELF), constant(OFF), site)],
        else: [],
        site,
      },
    ],
  });
}

/** Wakes every task on the queue that is about to sleep or sleeps. May be called anywhere, handlers included. */
export function wake_up(q: WaitQueue): void {
  wake(q, "wake_up", true, callSite());
}

export function wake_up_all(q: WaitQueue): void {
  wake(q, "wake_up_all", true, callSite());
}

/** Wakes those in TASK_INTERRUPTIBLE only. */
export function wake_up_interruptible(q: WaitQueue): void {
  wake(q, "wake_up_interruptible", false, callSite());
}

function wake(q: WaitQueue, name: string, all: boolean, site: Site): void {
  step({
    call: `${name}(&${q.text})`,
    site,
    checks: aliveCheck(q.location, site),
    body: [
      { s: "mark", name: "wake-up", site },
      ...threads().map((t): Stmt => {
        const state = load(stateOf(t));
        const sleeps = all ? binary("!=", state, constant(RUNNING)) : binary("==", state, constant(INTERRUPTIBLE));
        const off: Stmt = {
          s: "if",
          c: binary("==", load(q.entry(t)), constant(PREPARED)),
          then: [store(q.entry(t), constant(OFF), site)],
          else: [],
          site,
        };
        return {
          s: "if",
          c: binary("&&", binary("!=", load(q.entry(t)), constant(OFF)), sleeps),
          then: [store(stateOf(t), constant(RUNNING), site), off],
          else: [],
          site,
        };
      }),
    ],
  });
}

/**
 * Gives up the CPU: sleeps while the task is not in TASK_RUNNING, unless it is in TASK_INTERRUPTIBLE with a signal
 * pending. Goes on in TASK_RUNNING.
 */
export function schedule(options: Pick<WaitOptions, "resting"> = {}): void {
  sleep("schedule()", options, callSite());
}

/** As `schedule`, accounted as waiting for I/O. */
export function io_schedule(options: Pick<WaitOptions, "resting"> = {}): void {
  sleep("io_schedule()", options, callSite());
}

function sleep(call: string, options: WaitOptions, site: Site): void {
  const r = recording();
  const state = stateOf(SELF);
  const interrupted = binary("&&", binary("==", load(state), constant(INTERRUPTIBLE)), signalPending(r));
  yieldingStep({
    call,
    site,
    checks: [],
    alternatives: [
      {
        when: binary("||", binary("==", load(state), constant(RUNNING)), interrupted),
        body: [store(state, constant(RUNNING), site), { s: "mark", name: "wait", site }],
      },
    ],
    wait: {
      on: "a wake-up",
      kind: "wait-queue",
      ...(options.resting ? { resting: options.resting().use() } : {}),
    },
  });
}

/**
 * Sleeps, uninterruptibly, until the condition holds: tests it, and then again and again between prepare_to_wait and
 * schedule. The condition either looks at several things at once (`x.now.eq(0)`, one step a test) or reads them
 * (`atomic_read(x).eq(0)`, which are steps of their own).
 */
export function wait_event(q: WaitQueue, condition: () => Bool, options: Pick<WaitOptions, "resting"> = {}): void {
  const site = callSite();
  waitEvent(q, "wait_event", condition, UNINTERRUPTIBLE, options, site);
}

/** 0 once the condition holds, or -ERESTARTSYS when a signal is pending before it does. */
export function wait_event_interruptible(
  q: WaitQueue,
  condition: () => Bool,
  options: Pick<WaitOptions, "resting"> = {},
): Errno {
  const site = callSite();
  const rc = waitEvent(q, "wait_event_interruptible", condition, INTERRUPTIBLE, options, site)!;
  return new Errno(
    { e: "local", name: rc },
    [],
    "the result of wait_event_interruptible is ignored: test it with failed() or Return it",
  );
}

function waitEvent(
  q: WaitQueue,
  name: string,
  condition: () => Bool,
  state: number,
  options: WaitOptions,
  site: Site,
): string | undefined {
  const r = recording();
  const rc = state === INTERRUPTIBLE ? r.local("rc", { d: "enum", name: "errno", labels: ERRNO_LABELS }) : undefined;
  const setRc = (code: number): void => {
    if (rc === undefined) return;
    r.emit({ s: "set", to: { p: "local", name: rc }, value: constant(errnoIndex(code)!), site });
  };
  setRc(0);
  const first = test(q, name, condition, site);
  If(first.not(), () => {
    Forever(() => {
      prepare(q, state, site);
      If(test(q, name, condition, site), () => Break());
      if (rc !== undefined) {
        const pending = r.local("pending", { d: "bool" });
        step({
          call: "signal_pending(current)",
          site,
          checks: [],
          body: [{ s: "set", to: { p: "local", name: pending }, value: signalPending(r), site }],
        });
        If(new Bool({ e: "local", name: pending }), () => {
          setRc(-512);
          Break();
        });
      }
      sleep("schedule()", options, site);
    });
    finish(q, site);
  });
  return rc;
}

/** The condition as a value: a step of its own if it looks at shared data itself. */
function test(q: WaitQueue, name: string, condition: () => Bool, site: Site): Bool {
  const r = recording();
  const c = condition();
  const value = c.use();
  if (!readsShared(value)) return c;
  const local = r.local("condition", { d: "bool" });
  step({
    call: `${name}(${q.text}, …): test`,
    site,
    checks: [],
    body: [{ s: "set", to: { p: "local", name: local }, value, site }],
  });
  return new Bool({ e: "local", name: local });
}

function readsShared(e: Expr): boolean {
  switch (e.e) {
    case "load":
    case "referenced":
    case "ended":
    case "at":
    case "inside":
      return true;
    case "not":
    case "neg":
      return readsShared(e.a);
    case "bin":
      return readsShared(e.a) || readsShared(e.b);
    case "ite":
      return readsShared(e.c) || readsShared(e.a) || readsShared(e.b);
    default:
      return false;
  }
}
