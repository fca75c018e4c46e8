/** Runs a schedule again, state by state, and says whether it still violates a property. */
import { ModelError } from "../../spec/model-error.ts";
import type { Program, PropertyDecl } from "../../spec/program.ts";
import type { Finding, Schedule } from "../verdict.ts";
import { describeDeadlock } from "./deadlock.ts";
import { doomedThreads } from "./explore.ts";
import { buildGraph, canReach, type Graph } from "./graph.ts";
import { Interpreter, type ThreadStatus, type Transition } from "./interpreter.ts";
import { objection } from "./lasso.ts";
import type { State } from "./state.ts";

/** A state on the way. */
export interface Visit {
  readonly state: State;
  readonly status: readonly ThreadStatus[];
  /** The transition that led here, with the patches; absent for the initial state. */
  readonly transition?: Transition;
}

/** A schedule run as far as it goes. */
export interface Run {
  /** The initial state first; an error has no state of its own. */
  readonly visits: readonly Visit[];
  /** The transition into the error state, where the schedule ends in one. */
  readonly error?: Transition;
  /** Why the schedule does not fit, and at which of its steps (from 0). */
  readonly misfit?: { readonly at: number; readonly message: string };
}

export type ReplayResult =
  | {
      readonly fits: true;
      readonly violates: boolean;
      /** `prefix`: that something never happens again could not be re-explored within the bound. */
      readonly replayed: "full" | "prefix";
      readonly message: string;
      /** What is violated, as it shows now; its kind may differ from the one recorded. */
      readonly finding?: Finding;
      readonly visits: readonly Visit[];
      readonly error?: Transition;
    }
  | {
      /** The schedule is none of this program (any more). */
      readonly fits: false;
      readonly at: number;
      readonly message: string;
      readonly visits: readonly Visit[];
    };

export interface ReplayOptions {
  /** Bound on the states of a re-exploration. Default 20,000. */
  readonly maxStates?: number;
  /** The kind of finding that was recorded: preferred where the last step carries several of the property. */
  readonly kind?: string;
}

/** Runs a schedule as far as it fits. */
export function runSchedule(interpreter: Interpreter, schedule: Schedule): Run {
  let state = interpreter.initial();
  const visits: Visit[] = [{ state, status: interpreter.status(state) }];
  for (const [at, step] of schedule.steps.entries()) {
    const transition = interpreter.apply(state, step);
    if ("k" in transition) {
      return { visits, misfit: { at, message: `step ${at + 1} does not fit: ${transition.message}` } };
    }
    if (transition.result.k === "error") {
      if (at === schedule.steps.length - 1) return { visits, error: transition };
      const message = `step ${at + 2} does not fit: step ${at + 1} ended in ${transition.result.error.kind}`;
      return { visits, misfit: { at: at + 1, message } };
    }
    state = transition.result.state;
    visits.push({ state, status: interpreter.status(state), transition });
  }
  return { visits };
}

/**
 * Replays a schedule and judges it. Findings and errors must be carried by the last edge; an invariant, or what holds
 * at rest, must fail in the last state; of a deadlock or a lost possibility, "never again" is explored anew from the
 * last state; of a lasso the loop must close, be fair, and break the formula.
 *
 * @throws ModelError when the program cannot be run or has no such property.
 */
export function replay(
  program: Program,
  schedule: Schedule,
  propertyId: string,
  options: ReplayOptions = {},
): ReplayResult {
  const property = program.properties.find((p) => p.id === propertyId);
  if (property === undefined) {
    const known = program.properties.map((p) => p.id).join(", ");
    throw new ModelError(`there is no property ${propertyId} here, only ${known}`);
  }
  const interpreter = new Interpreter(program);
  const run = runSchedule(interpreter, schedule);
  const { visits, misfit } = run;
  if (misfit !== undefined) return { fits: false, ...misfit, visits };
  const verdict = judge(interpreter, property, run, schedule, options);
  return { fits: true, ...verdict, visits, ...(run.error === undefined ? {} : { error: run.error }) };
}

type Judgement = Pick<Extract<ReplayResult, { fits: true }>, "violates" | "replayed" | "message" | "finding">;

function no(message: string): Judgement {
  return { violates: false, replayed: "full", message };
}

function yes(finding: Finding): Judgement {
  return { violates: true, replayed: "full", message: finding.message, finding };
}

function judge(
  interpreter: Interpreter,
  property: PropertyDecl,
  run: Run,
  schedule: Schedule,
  options: ReplayOptions,
): Judgement {
  const { check } = property;
  const maxStates = options.maxStates ?? 20_000;
  const last = run.visits.at(-1)!;
  const own: Finding = { kind: property.kind, message: property.message };

  if (check.c === "findings") {
    const edge = run.error ?? last.transition;
    const notices = edge === undefined ? [] : [...edge.findings];
    if (edge?.result.k === "error") notices.push(edge.result.error);
    const of = notices.filter(({ kind }) => check.kinds.includes(kind));
    const notice = of.find(({ kind }) => kind === options.kind) ?? of[0];
    if (notice === undefined) return no(`the last step has no finding of ${property.id}`);
    return yes({ kind: notice.kind, message: notice.message, thread: edge!.step.thread });
  }
  if (run.error?.result.k === "error") {
    return no(`the schedule ends in an error (${run.error.result.error.kind}), which ${property.id} does not speak of`);
  }

  switch (check.c) {
    case "invariant":
      return interpreter.evaluate(check.expr, last.state) === 0
        ? yes(own)
        : no("the invariant holds in the last state");
    case "at-rest": {
      const busy = last.status.find((s) => s.status === "ready" || s.status === "blocked");
      if (busy !== undefined) return no(`the last state is not at rest: ${busy.why}`);
      return interpreter.evaluate(check.expr, last.state) === 0
        ? yes(own)
        : no("what must hold at rest holds in the last state");
    }
    case "deadlock": {
      if (!last.status.some((s) => s.status === "blocked")) return no("no thread is blocked in the last state");
      const graph = liveGraph(interpreter, last.state, maxStates);
      const doomed = doomedThreads(interpreter.program, graph)[0]!;
      if (doomed.length === 0) return no("every thread that waits in the last state can move again");
      return never(graph, describeDeadlock(interpreter.program, last.status, doomed).finding);
    }
    case "stays-possible": {
      const graph = liveGraph(interpreter, last.state, maxStates);
      const possible = canReach(graph, (node) => interpreter.evaluate(check.expr, node.state) !== 0)[0]!;
      return possible ? no("a state with the condition can still be reached from the last state") : never(graph, own);
    }
    case "temporal": {
      const objected = objection(interpreter, check, run.visits, schedule);
      return objected === undefined ? yes(own) : no(objected);
    }
  }
}

/** What can follow without optional moves. */
function liveGraph(interpreter: Interpreter, start: State, maxStates: number): Graph {
  return buildGraph(interpreter, start, { maxStates, deadline: Number.POSITIVE_INFINITY, liveOnly: true });
}

/** The judgement where, as far as the graph from the last state is known, something never happens again. */
function never(graph: Graph, finding: Finding): Judgement {
  if (graph.nodes.some((node) => node.liveError)) {
    const kinds = Object.keys(graph.cut).join(", ");
    return no(`only cut edges could rescue (${kinds}): ${finding.message}`);
  }
  if (graph.stopped === undefined) return yes(finding);
  return { ...yes(finding), replayed: "prefix" };
}
