/** A call that may go either way. */
import { ModelError } from "../model-error.ts";
import type { Stmt } from "../program.ts";
import { callSite, recording } from "../recording.ts";
import { Bool, constant } from "../value.ts";

export interface OutcomeOptions {
  /**
   * Failing is bad luck that nobody owes: an optional move, never the rescuer in a deadlock question. Default: false,
   * both outcomes are ordinary.
   */
  readonly optional?: boolean;
}

/** A step, `call` in C, that succeeds or fails. True when it succeeded. */
export function outcome(call: string, options: OutcomeOptions = {}): Bool {
  const site = callSite();
  const r = recording();
  if (r.frame("outcome").atomic) {
    throw new ModelError(`${call} may succeed or fail: take it out of atomically(…)`, site);
  }
  const name = r.local("succeeded", { d: "bool" });
  const set = (v: number): Stmt => ({ s: "set", to: { p: "local", name }, value: constant(v), site });
  r.emit({
    s: "step",
    call,
    site,
    checks: [],
    alternatives: [
      { body: [set(1)], name: "succeeds" },
      { body: [set(0)], name: "fails", ...(options.optional ? { optional: true } : {}) },
    ],
  });
  return new Bool({ e: "local", name }, [], `whether ${call} succeeds is ignored: test it`);
}
