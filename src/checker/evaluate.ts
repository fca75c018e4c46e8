/**
 * The meaning of code, evaluated one state at a time: to rebuild a schedule from the bare states a search keeps, to
 * replay what a solver claims, and to look closely at the few states a verdict is about.
 */
import { evaluate as evaluateAt } from "../spec/evaluate.ts";
import type { SysCode, SysExpr, TransitionSystem } from "../spec/transition-system.ts";
import type { StateValues } from "./state-values.ts";
import type { ScheduleStep } from "./verdict.ts";

/** One transition out of a state. */
export interface Firing {
  readonly thread: number;
  readonly action: number;
  readonly ways: readonly number[];
  readonly optional: boolean;
  readonly idle: boolean;
  /** Findings carried, the error it ends in (if any) last. */
  readonly findings: readonly number[];
  readonly marks: readonly number[];
  /** Undefined: the error state. */
  readonly target: StateValues | undefined;
}

/** The step that takes a transition; `names` says which thread each really is, where threads were renamed. */
export function stepOf({ thread, action, ways }: Firing, names?: readonly number[]): ScheduleStep {
  return { thread: names === undefined ? thread : names[thread]!, action, ways };
}

/** `thread` is the executing thread; -1 in a property, where every local names its thread. */
export function evaluate(expr: SysExpr, { vars, pcs, locals }: StateValues, thread: number): number {
  return evaluateAt(expr, { vars, pcs, locals, self: thread + 1 });
}

/** What an expression is worth that depends on nothing but the locals of `thread`. */
export function evaluateLocally(e: SysExpr, locals: readonly number[], thread: number): number {
  return evaluate(e, { vars: [], pcs: [], locals: Object.assign([], { [thread]: locals }) }, thread);
}

const NO_STATE: StateValues = { vars: [], pcs: [], locals: [] };

/** What an index is worth to `thread` in every state; undefined where that depends on the state. */
export function constantIndex(index: SysExpr, thread: number): number | undefined {
  return readsState(index) ? undefined : evaluate(index, NO_STATE, thread);
}

function readsState(e: SysExpr): boolean {
  switch (e.e) {
    case "const":
    case "self":
      return false;
    case "not":
    case "neg":
      return readsState(e.a);
    case "bin":
      return readsState(e.a) || readsState(e.b);
    case "ite":
      return readsState(e.c) || readsState(e.a) || readsState(e.b);
    default:
      return true;
  }
}

function copy(state: StateValues): StateValues {
  return {
    vars: state.vars.map((v) => [...v]),
    pcs: [...state.pcs],
    locals: state.locals.map((l) => [...l]),
  };
}

/** Every transition enabled in `state`, idle ones only where they are enabled, in the order of threads and actions. */
export function firings(system: TransitionSystem, state: StateValues): Firing[] {
  const found: Firing[] = [];
  system.threads.forEach((thread, t) => {
    const program = system.programs[thread.program]!;
    const location = program.locations[state.pcs[t]!]!;
    location.actions.forEach((action, a) => {
      if (action.guard !== undefined && evaluate(action.guard, state, t) === 0) return;
      const walk = (
        code: SysCode,
        at: StateValues,
        ways: readonly number[],
        optional: boolean,
        findings: readonly number[],
        marks: readonly number[],
      ): void => {
        const seen = [...findings];
        const reached = [...marks];
        for (const op of code.ops) {
          if (op.o === "var") {
            const index = op.i === undefined ? 0 : evaluate(op.i, at, t);
            const elements = at.vars[op.v]!;
            const value = evaluate(op.value, at, t);
            if (index >= 0 && index < elements.length) elements[index] = value;
          } else if (op.o === "local") at.locals[t]![op.l] = evaluate(op.value, at, t);
          else if (op.o === "mark") reached.push(op.m);
          else seen.push(op.f);
        }
        const end = code.end;
        const leaf = { thread: t, action: a, ways, optional, idle: action.idle, marks: reached };
        if (end.k === "error") found.push({ ...leaf, findings: [...seen, end.f], target: undefined });
        else if (end.k === "goto") {
          at.pcs[t] = end.location;
          program.locals.forEach((local, l) => {
            if (!local.stored) at.locals[t]![l] = 0;
          });
          found.push({ ...leaf, findings: seen, target: at });
        } else if (end.k === "if") {
          walk(evaluate(end.c, at, t) !== 0 ? end.then : end.else, at, ways, optional, seen, reached);
        } else {
          end.ways.forEach((way, w) => {
            walk(way.code, copy(at), [...ways, w], optional || way.optional, seen, reached);
          });
        }
      };
      walk(action.code, copy(state), [], action.optional, [], []);
    });
  });
  const busy = found.some((f) => !f.idle && !f.optional);
  return busy ? found.filter((f) => !f.idle) : found;
}
