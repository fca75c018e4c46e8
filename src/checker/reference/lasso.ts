/** Judges a lasso: is its loop a loop, is the run fair, and does the formula fail on it? */
import type { Check, Fairness, Temporal } from "../../spec/program.ts";
import type { Schedule } from "../verdict.ts";
import type { Interpreter, ThreadStatus, Transition } from "./interpreter.ts";
import { type State, stateKey } from "./state.ts";

type TemporalCheck = Extract<Check, { c: "temporal" }>;

/** A state of the run with what was taken to get there; see Visit in replay.ts. */
interface Position {
  readonly state: State;
  readonly status: readonly ThreadStatus[];
  readonly transition?: Transition;
}

/** What is asked of one run: a property may ask it of every member of a class. */
type Case = Pick<TemporalCheck, "formula" | "moving" | "fairness">;

/** Undefined: the lasso is a fair run on which the formula fails. Otherwise why not. */
export function objection(
  interpreter: Interpreter,
  check: TemporalCheck,
  visits: readonly Position[],
  schedule: Schedule,
): string | undefined {
  const cases: Case[] = [check, ...(check.also ?? []).map((c) => ({ ...c, fairness: check.fairness }))];
  const objections = cases.map((c) => objectionTo(interpreter, c, visits, schedule));
  return objections.includes(undefined) ? undefined : objections[0];
}

function objectionTo(
  interpreter: Interpreter,
  check: Case,
  visits: readonly Position[],
  schedule: Schedule,
): string | undefined {
  const { loop } = schedule;
  const last = visits.at(-1)!;
  if (loop === undefined) return "the schedule has no loop, and the property speaks of runs that go on for ever";
  if (loop < 0 || loop > schedule.steps.length) {
    return `the loop begins at step ${loop + 1}, but the schedule has ${schedule.steps.length} steps`;
  }
  if (loop === schedule.steps.length) {
    const ready = last.status.find((s) => s.status === "ready");
    if (ready !== undefined) return `the run does not end here: ${ready.why}`;
    if (check.moving) return "the run ends, so nobody takes steps for ever";
  } else {
    if (stateKey(last.state) !== stateKey(visits[loop]!.state)) {
      return `the loop does not lead back to the state it begins in (after step ${loop})`;
    }
    const unfair = unfairness(interpreter, check.fairness, visits.slice(loop));
    if (unfair !== undefined) return unfair;
    const movers = new Set(visits.slice(loop + 1).map((v) => v.transition!.step.thread));
    const names = interpreter.program.threads;
    if (check.moving && !check.moving.some((name) => movers.has(names.findIndex((t) => t.name === name)))) {
      return `none of ${check.moving.join(", ")} takes a step in the loop`;
    }
  }
  const end = loop === schedule.steps.length ? visits.length : visits.length - 1;
  const states = visits.slice(0, end).map((v) => v.state);
  const holds = truth(check.formula, states, loop, (expr, state) => interpreter.evaluate(expr, state) !== 0);
  return holds[0] ? "the formula holds on this run" : undefined;
}

/** Why the loop (its first state repeated at its end) is not a fair one. */
function unfairness(interpreter: Interpreter, fairness: Fairness, loop: readonly Position[]): string | undefined {
  const states = loop.slice(0, -1);
  const steps = loop.slice(1).map((v, i) => ({ thread: v.transition!.step.thread, from: i }));
  for (const [t, { name }] of interpreter.program.threads.entries()) {
    const ready = states.map((v) => v.status[t]!.status === "ready");
    const moves = steps.some((s) => s.thread === t);
    if (fairness.threads !== "none" && !moves && ready.every((r) => r)) {
      return `the loop is not fair: ${name} can move all the time and never does`;
    }
    const strong = fairness.threads === "strong" || fairness.strongThreads.includes(name);
    if (strong && !moves && ready.includes(true)) {
      return `the loop is not fair: ${name}, which is strongly fair, can move again and again and never does`;
    }
    if (strong) continue;
    const served = states.map((v, i) => {
      const kind = interpreter.waitKind(v.state, t);
      return ready[i] === true && kind !== undefined && fairness.strongWaits.includes(kind);
    });
    if (served.includes(true) && !steps.some((s) => s.thread === t && served[s.from])) {
      const kind = interpreter.waitKind(states[served.indexOf(true)]!.state, t)!;
      return `the loop is not fair: ${name} waits for a ${kind}, which serves its waiters, and gets it again and again`;
    }
  }
  return undefined;
}

/** The truth of a formula at every position of a lasso whose position after the last is `loop`. */
function truth(
  formula: Temporal,
  states: readonly State[],
  loop: number,
  holds: (expr: Extract<Temporal, { t: "state" }>["expr"], state: State) => boolean,
): readonly boolean[] {
  const of = (f: Temporal) => truth(f, states, loop, holds);
  // What is true at some position from i on: of the prefix from i, or of the loop.
  const eventually = (a: readonly boolean[]): boolean[] => {
    const inLoop = a.slice(loop).some((v) => v);
    return a.map((_, i) => inLoop || a.slice(i).some((v) => v));
  };
  switch (formula.t) {
    case "state":
      return states.map((state) => holds(formula.expr, state));
    case "not":
      return of(formula.a).map((v) => !v);
    case "eventually":
      return eventually(of(formula.a));
    case "always":
      return eventually(of(formula.a).map((v) => !v)).map((v) => !v);
    case "and": {
      const b = of(formula.b);
      return of(formula.a).map((v, i) => v && b[i]!);
    }
    case "or": {
      const b = of(formula.b);
      return of(formula.a).map((v, i) => v || b[i]!);
    }
    case "implies": {
      const b = of(formula.b);
      return of(formula.a).map((v, i) => !v || b[i]!);
    }
    case "leads-to":
      return of({ t: "always", a: { t: "implies", a: formula.a, b: { t: "eventually", a: formula.b } } });
  }
}
