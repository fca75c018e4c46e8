/** Signals: one sticky bit per task. A signal arrives by an optional move of the environment, where a scenario names it. */
import { cell, type Location, store } from "../cell.ts";
import { ModelError } from "../model-error.ts";
import { nearest } from "../nearest.ts";
import type { Expr, ThreadDecl } from "../program.ts";
import { callSite, type Recording, recording } from "../recording.ts";
import { Bool, binary, constant } from "../value.ts";

const NAME = "signal_pending";
const location: Location = { name: NAME, text: NAME, site: { file: "lockstep", line: 1, column: 1 } };

function pending(index: Expr): ReturnType<typeof cell> {
  return cell(location, "", { d: "bool" }, { perThread: true }, index);
}

/** Whether the executing task has a signal pending; false throughout where the scenario delivers none. */
export function signalPending(r: Recording): Expr {
  return r.defer(() =>
    r.vars.has(NAME) ? { e: "load", v: NAME, i: binary("-", { e: "self" }, constant(1)) } : constant(0),
  );
}

/** `signal_pending(current)` */
export function signal_pending(): Bool {
  const site = callSite();
  const r = recording();
  const name = r.local("pending", { d: "bool" });
  r.emit({
    s: "step",
    call: "signal_pending(current)",
    site,
    checks: [],
    alternatives: [{ body: [{ s: "set", to: { p: "local", name }, value: signalPending(r), site }] }],
  });
  return new Bool({ e: "local", name });
}

/**
 * The body of an environment thread that may send the named thread a signal, at any moment, once. It never has to.
 * `also` runs in the same step: waking a task that sleeps interruptibly.
 */
export function may_signal(thread: string, also?: (index: number) => void): void {
  const site = callSite();
  const r = recording();
  const threads = r.facts.get("threads") as readonly ThreadDecl[];
  const index = threads.findIndex((t) => t.name === thread);
  if (index < 0) {
    throw new ModelError(
      `no thread is called ${thread}; did you mean ${nearest(
        thread,
        threads.map((t) => t.name),
      ).join(" or ")}?`,
      site,
    );
  }
  const frame = r.frame("may_signal");
  frame.atomic = true;
  let woken: ReturnType<typeof r.block>;
  try {
    woken = r.block(() => also?.(index + 1), site);
  } finally {
    frame.atomic = false;
  }
  r.emit({
    s: "step",
    call: `a signal for ${thread}`,
    site,
    checks: [],
    alternatives: [
      {
        body: [store(pending(constant(index)), constant(1), site), { s: "mark", name: "signal", site }, ...woken],
        optional: true,
      },
    ],
    wait: { on: "nothing", resting: constant(1) },
  });
}
