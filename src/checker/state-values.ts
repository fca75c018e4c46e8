/** States in the open, one integer for everything in them: what schedules and verdicts are judged by, whatever found them. */
import type { TransitionSystem } from "../spec/transition-system.ts";

/** Per variable its elements; per thread its location and all its locals, those not stored being 0. */
export interface StateValues {
  readonly vars: number[][];
  readonly pcs: number[];
  readonly locals: number[][];
}

export function initialState(system: TransitionSystem): StateValues {
  return {
    vars: system.vars.map((v) => [...v.init]),
    pcs: system.threads.map((t) => t.initialLocation),
    locals: system.threads.map((t) =>
      system.programs[t.program]!.locals.map((local, l) => (local.stored ? t.initialLocals[l]! : 0)),
    ),
  };
}
