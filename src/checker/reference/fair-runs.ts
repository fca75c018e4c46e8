/** Temporal properties on the explicit graph of the interpreter: every state and every edge of it, nothing reduced. */
import type { Check, Expr } from "../../spec/program.ts";
import { automaton, type Formula } from "../liveness/buchi.ts";
import { fairLasso, hasFairRun } from "../liveness/fair-cycle.ts";
import { type FairGraph, GROUP } from "../liveness/fair-graph.ts";
import { questionOf } from "../liveness/question.ts";
import type { Schedule } from "../verdict.ts";
import type { Graph } from "./graph.ts";
import type { Interpreter } from "./interpreter.ts";

type TemporalCheck = Extract<Check, { c: "temporal" }>;

export interface RunVerdict {
  /** A fair run that breaks the property; absent: there is none. */
  readonly schedule?: Schedule;
  /** What the property is about, and whether it happens on some fair run. */
  readonly request: Formula;
  readonly requested: boolean;
}

export function fairRunAgainst(interpreter: Interpreter, graph: Graph, check: TemporalCheck): RunVerdict {
  const { predicates, cases, request } = questionOf(check);
  const fair = fairGraph(interpreter, graph, check, predicates);
  const names = interpreter.program.threads.map((t) => t.name);
  const all = [...names.keys()];
  const { threads } = check.fairness;
  const conditions = (moving: readonly string[] | undefined) => ({
    weak: threads === "none" ? [] : all,
    strong: all,
    moving: (moving ?? []).map((name) => names.indexOf(name)),
  });
  const steps = graph.edges.flatMap((edges) => edges.map((e) => e.step));
  for (const { formula, moving } of cases) {
    const lasso = fairLasso(fair, automaton(formula, true), conditions(moving));
    if (lasso === undefined) continue;
    const run = [...lasso.prefix, ...lasso.loop].map((edge) => steps[edge]!);
    return { schedule: { steps: run, loop: lasso.prefix.length }, request, requested: true };
  }
  return { request, requested: hasFairRun(fair, automaton(request, false), conditions(undefined)) };
}

function fairGraph(
  interpreter: Interpreter,
  graph: Graph,
  { fairness }: TemporalCheck,
  predicates: readonly Expr[],
): FairGraph {
  const { nodes } = graph;
  const { threads } = interpreter.program;
  const { edges } = graph;
  const first = new Int32Array(nodes.length + 1);
  edges.forEach((list, id) => {
    first[id + 1] = first[id]! + list.length;
  });
  const enabled = Array.from({ length: Math.ceil(threads.length / GROUP) }, () => new Int32Array(nodes.length));
  const truths = new Int32Array(nodes.length);
  nodes.forEach(({ live, state }, id) => {
    for (const t of live) enabled[Math.floor(t / GROUP)]![id]! |= 1 << (t % GROUP);
    predicates.forEach((expr, p) => {
      if (interpreter.evaluate(expr, state) !== 0) truths[id]! |= 1 << p;
    });
  });
  return {
    states: nodes.length,
    threads: threads.length,
    first,
    target: Int32Array.from(edges.flatMap((list) => list.map((e) => e.to))),
    thread: Uint8Array.from(edges.flatMap((list) => list.map((e) => e.step.thread))),
    enabled,
    truths,
    asksStrong: (id, t) => {
      if (fairness.threads === "strong" || fairness.strongThreads.includes(threads[t]!.name)) return true;
      const kind = interpreter.waitKind(nodes[id]!.state, t);
      return kind !== undefined && fairness.strongWaits.includes(kind);
    },
  };
}
