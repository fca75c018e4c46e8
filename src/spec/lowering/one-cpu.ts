/**
 * One CPU without preemption, as a change of the guards: a task or worker steps only if it is the one that runs, or the
 * one that runs has ended, has no move that is owed, or stands at a step that yields. Stepping makes it the one that
 * runs. Handlers and devices are not affected. What spins for ever then keeps everybody else from the CPU: the soft
 * lock-up that a fair scheduler on several CPUs does not show.
 */
import type {
  SysAction,
  SysCode,
  SysExpr,
  SysLocation,
  SysProgram,
  SysVar,
  TransitionSystem,
} from "../transition-system.ts";
import { and, binary, constant, FALSE, load, not, or, TRUE } from "./fold.ts";
import { asSeenFromOutside } from "./outside.ts";

export function onOneCpu(system: TransitionSystem): TransitionSystem {
  const running: SysVar = {
    name: "running",
    title: "the CPU",
    lo: 0,
    hi: system.threads.length,
    length: 1,
    init: [0],
    observer: false,
    values: { of: "thread" },
    index: "none",
  };
  const v = system.vars.length;
  const shares = (kind: string) => kind === "task" || kind === "worker";
  const now = load(v, undefined);
  const is = (thread: SysExpr) => binary("==", now, thread);
  // With `running` 0, or a thread that does not go on, anybody may run.
  const free = not(
    or(
      ...system.threads.flatMap((thread, t) =>
        shares(thread.kind) ? [and(is(constant(t + 1)), goesOn(system, t))] : [],
      ),
    ),
  );
  const hasCpu = or(is({ e: "self" }), free);
  const threads = system.threads.map((thread, t) => {
    if (!shares(thread.kind)) return thread;
    const waits = not(asSeenFromOutside(hasCpu, t));
    return { ...thread, keptOff: thread.keptOff ? or(thread.keptOff, waits) : waits };
  });
  const extraReads = new Set([v]);
  for (const p of system.programs)
    for (const l of p.locations) for (const a of l.actions) for (const r of a.reads) extraReads.add(r);
  const programs = system.programs.map((program, p): SysProgram => {
    if (!system.threads.some((t) => t.program === p && shares(t.kind))) return program;
    return {
      ...program,
      locations: program.locations.map(
        (location): SysLocation => ({
          ...location,
          actions: location.actions.map((action): SysAction => {
            const guard = and(action.guard ?? TRUE, hasCpu);
            return {
              ...action,
              guard,
              code: takesCpu(action.code, v),
              reads: [...extraReads].sort((a, b) => a - b),
              writes: [...action.writes, v],
            };
          }),
        }),
      ),
    };
  });
  return { ...system, vars: [...system.vars, running], programs, threads };
}

function takesCpu(code: SysCode, v: number): SysCode {
  return { ...code, ops: [{ o: "var", v, value: { e: "self" } }, ...code.ops] };
}

/** The thread (an index) has a move that is owed and does not stand at a step that yields. */
function goesOn(system: TransitionSystem, t: number): SysExpr {
  const { locations } = system.programs[system.threads[t]!.program]!;
  const always: number[] = [];
  const sometimes: SysExpr[] = [];
  locations.forEach((location, l) => {
    if (location.ended || location.yields) return;
    const owed = location.actions.filter((a) => !a.optional && !a.idle);
    if (owed.some((a) => a.guard === undefined)) always.push(l);
    else {
      const enabled = or(FALSE, ...owed.map((a) => asSeenFromOutside(a.guard!, t)));
      sometimes.push(and({ e: "pc", t, locations: [l] }, enabled));
    }
  });
  return or(always.length > 0 ? { e: "pc", t, locations: always } : FALSE, ...sometimes);
}
