/** What a state of a program is for the reference interpreter: plain, frozen data. */
import type { Domain, Program } from "../../spec/program.ts";

/** A call that has not returned. */
export interface Frame {
  readonly fn: string;
  /** Index into the function's code: the step that is next, or the call that has not returned yet. */
  readonly pc: number;
  /** Every local of the function; the dead ones are 0. */
  readonly locals: Readonly<Record<string, number>>;
}

export interface ThreadState {
  /** Outermost call first. None: the thread has ended. */
  readonly frames: readonly Frame[];
}

export interface State {
  /** A number for a scalar, one number per element for an array. */
  readonly vars: Readonly<Record<string, number | readonly number[]>>;
  /** Per pool one 0 or 1 per slot: the object is alive. */
  readonly alive: Readonly<Record<string, readonly number[]>>;
  readonly threads: readonly ThreadState[];
}

export interface Range {
  readonly lo: number;
  readonly hi: number;
}

/** The numbers that stand for the values of a domain. */
export function rangeOf(domain: Domain, program: Program): Range {
  switch (domain.d) {
    case "int":
      return { lo: domain.lo, hi: domain.hi };
    case "bool":
      return { lo: 0, hi: 1 };
    case "enum":
      return { lo: 0, hi: domain.labels.length - 1 };
    case "thread":
      return { lo: 0, hi: program.threads.length };
    case "ptr": {
      const slots = program.pools.find((pool) => pool.name === domain.pool)?.slots ?? 0;
      return { lo: 0, hi: domain.wild ? slots + 1 : slots };
    }
  }
}

/** Where a thread is: its calls and the step that is next. Equal for two states exactly if it is the same place. */
export function locationKey(thread: ThreadState): string {
  return thread.frames.map((frame) => `${frame.fn}:${frame.pc}`).join("/");
}

/** Equal for two states of one program exactly if the states are equal. */
export function stateKey(state: State): string {
  // The interpreter never adds or removes a name, so the order of the names is that of the declarations everywhere.
  return JSON.stringify([
    Object.values(state.vars),
    Object.values(state.alive),
    state.threads.map((thread) => thread.frames.map((frame) => [frame.fn, frame.pc, Object.values(frame.locals)])),
  ]);
}
