/** msleep: keeps every mutex held. The switch `msleep` says when it may wake. */
import { type WaitOptions, waitFor } from "../access.ts";
import { callSite, recording } from "../recording.ts";
import type { Bool } from "../value.ts";
import { yieldingStep } from "./blocking.ts";

/** The switch a protocol declares when it uses msleep. */
export const MSLEEP_SWITCH = {
  values: ["any", "quiescent"],
  default: "any",
  what: "any: a sleeper may wake at once; quiescent: only when nobody who is not asleep can move (labels findings structural or timing)",
} as const;

/** `msleep(ms)` */
export function msleep(ms: number): void {
  const site = callSite();
  const quiescent = recording().switches.msleep === "quiescent";
  yieldingStep({
    call: `msleep(${ms})`,
    site,
    checks: [],
    alternatives: [{ body: [{ s: "mark", name: "msleep", site }], ...(quiescent ? { idle: true } : {}) }],
    wait: { kind: "msleep", on: "its timer" },
  });
}

/**
 * A sleep until a condition holds that somebody else brings about: wait_on_page_locked(), wait_on_buffer(). The task
 * gives up its CPU in any case.
 */
export function sleep_until(call: string, condition: () => Bool, options: WaitOptions = {}): void {
  const site = callSite();
  yieldingStep({
    call,
    site,
    checks: [],
    alternatives: [{ when: condition().use(), body: [{ s: "mark", name: "wait", site }] }],
    wait: { ...waitFor(call, options), kind: "event" },
  });
}
