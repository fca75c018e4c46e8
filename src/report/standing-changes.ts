import type { Trace } from "../checker/trace/trace.ts";

/** What becomes of a thread with a step, its own or another's. */
export interface StandingChange {
  /** The thread's place in the trace's list. */
  readonly thread: number;
  readonly what: "blocked" | "resting" | "may go on" | "ends";
  /** The whole as a reader wants it, e.g. `blocked: lo->lo_ctl_mutex, held by udev`. */
  readonly text: string;
}

/**
 * Who begins or ends to wait in state `index`, compared with the one before it.
 *
 * A thread that stepped has come to a new wait even if it was at one before.
 */
export function standingChanges(trace: Trace, index: number): StandingChange[] {
  const changes: StandingChange[] = [];
  for (const [t, thread] of trace.threads.entries()) {
    const now = trace.states[index]?.threads[t];
    const before = trace.states[index - 1]?.threads[t];
    if (now === undefined) continue;
    const moved = trace.steps[index - 1]?.thread === thread.name;
    const note = (what: StandingChange["what"], text: string) => changes.push({ thread: t, what, text });
    if (now.status === "blocked" && (moved || before?.status !== "blocked")) {
      const holder = now.holder === null ? "" : `, held by ${now.holder}`;
      note("blocked", `blocked: ${now.on ?? now.call}${holder}`);
    } else if (now.status === "resting" && moved) note("resting", `at rest: ${now.on ?? now.call}`);
    else if (before?.status === "blocked" && now.status === "ready" && !moved) note("may go on", "may go on");
    else if (now.status === "ended" && before?.status !== "ended") note("ends", "ends");
  }
  return changes;
}
