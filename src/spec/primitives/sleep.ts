/** msleep: keeps every mutex held. The switch `msleep` says when it may wake. */
import { callSite, recording } from "../recording.ts";
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
