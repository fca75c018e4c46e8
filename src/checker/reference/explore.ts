/**
 * Exhaustive exploration by the reference interpreter. Everything is decided on the explicit graph by the plainest
 * algorithm there is, so that the answers can be trusted where those of a faster engine are in doubt.
 */
import type { Check, Program, PropertyDecl, Site } from "../../spec/program.ts";
import { ONLY_CUT_EDGES } from "../expectation.ts";
import { vacuousReason } from "../liveness/question.ts";
import type { Exploration, Finding, Outcome, ScheduleStep, SearchOptions } from "../verdict.ts";
import { describeDeadlock } from "./deadlock.ts";
import { fairRunAgainst } from "./fair-runs.ts";
import { buildGraph, canReach, type Graph, pathTo, siteKey } from "./graph.ts";
import { Interpreter } from "./interpreter.ts";

export interface ReferenceOptions extends Partial<Pick<SearchOptions, "properties" | "timeout" | "progress">> {
  /** Stop when this many states are known. Default: no bound. */
  readonly maxStates?: number;
}

/** An exploration with what only the reference interpreter tells. */
export interface ReferenceExploration extends Exploration {
  readonly engine: "reference";
  /** Marks reached, sorted. */
  readonly marks: readonly string[];
  /** Statements of functions that some thread can call and that never ran, in the order of the program. */
  readonly unreached: readonly Site[];
}

/** A violation that shows on an edge or in a state: the first one found is a nearest one. */
interface Witness {
  readonly node: number;
  /** The edge, where it is one. */
  readonly step?: ScheduleStep;
  readonly finding: Finding;
}

/**
 * Explores every interleaving, or as many as the bounds allow, and decides the properties (default: all).
 *
 * @throws ModelError when the program cannot be run (see Interpreter).
 */
export function explore(program: Program, options: ReferenceOptions = {}): ReferenceExploration {
  const started = performance.now();
  const interpreter = new Interpreter(program);
  const properties = program.properties.filter((p) => options.properties?.includes(p.id) ?? !p.implied);
  const witnesses = new Map<string, Witness>();
  let modelError: Witness | undefined;

  const graph = buildGraph(interpreter, interpreter.initial(), {
    maxStates: options.maxStates ?? Number.POSITIVE_INFINITY,
    deadline: started + 1000 * (options.timeout ?? Number.POSITIVE_INFINITY),
    liveOnly: false,
    keepEdges: properties.some((p) => p.check.c === "temporal"),
    ...(options.progress === undefined ? {} : { progress: reporter(options.progress) }),
    visit: (node, _state, transitions) => {
      for (const { step, findings, result } of transitions) {
        const notices = result.k === "error" ? [...findings, result.error] : findings;
        for (const { kind, message } of notices) {
          const witness = { node, step, finding: { kind, message, thread: step.thread } };
          if (kind === "model-error") modelError ??= witness;
          for (const { id, check } of properties) {
            if (check.c === "findings" && check.kinds.includes(kind) && !witnesses.has(id)) witnesses.set(id, witness);
          }
        }
      }
    },
  });

  const outcomes = properties.map((property): Outcome => {
    if (modelError !== undefined) {
      const { finding } = modelError;
      const schedule = { steps: scheduleOf(graph, modelError) };
      return { property: property.id, verdict: "inconclusive", reason: finding.message, finding, schedule };
    }
    return decide(interpreter, graph, property, witnesses.get(property.id));
  });
  const cuts = cutCount(graph);
  return {
    engine: "reference",
    method: "bfs",
    complete: graph.stopped === undefined,
    states: graph.nodes.length + (cuts > 0 ? 1 : 0),
    transitions: graph.transitions,
    depth: Math.max(graph.nodes.at(-1)!.depth, graph.errorDepth ?? 0),
    seconds: (performance.now() - started) / 1000,
    reductions: [],
    cut: graph.cut,
    outcomes,
    marks: [...graph.marks].sort(),
    unreached: unreachedOf(interpreter, graph),
  };
}

function reporter(progress: NonNullable<ReferenceOptions["progress"]>) {
  return (nodes: Graph["nodes"], expanded: number, transitions: number) =>
    progress({
      states: nodes.length,
      transitions,
      depth: nodes[expanded]!.depth,
      frontier: nodes.length - expanded,
    });
}

function unreachedOf(interpreter: Interpreter, graph: Graph): Site[] {
  const missing = new Map<string, Site>();
  for (const site of interpreter.statements()) {
    if (!graph.executed.has(siteKey(site))) missing.set(siteKey(site), site);
  }
  return [...missing.values()];
}

function scheduleOf(graph: Graph, witness: Witness): ScheduleStep[] {
  const path = pathTo(graph, witness.node);
  return witness.step === undefined ? path : [...path, witness.step];
}

function decide(interpreter: Interpreter, graph: Graph, property: PropertyDecl, onEdge: Witness | undefined): Outcome {
  const { check } = property;
  switch (check.c) {
    case "findings":
      return onEdge === undefined ? passed(graph, property) : violated(graph, property, onEdge);
    case "invariant": {
      const node = graph.nodes.findIndex((n) => interpreter.evaluate(check.expr, n.state) === 0);
      return node < 0 ? passed(graph, property) : violated(graph, property, { node, finding: ownFinding(property) });
    }
    case "at-rest": {
      const node = graph.nodes.findIndex(
        (n) =>
          n.expanded &&
          n.live.length === 0 &&
          n.blocked.length === 0 &&
          interpreter.evaluate(check.expr, n.state) === 0,
      );
      return node < 0 ? passed(graph, property) : violated(graph, property, { node, finding: ownFinding(property) });
    }
    case "deadlock":
      return decideDeadlock(interpreter, graph, property);
    case "stays-possible": {
      const possible = canReach(graph, (n) => interpreter.evaluate(check.expr, n.state) !== 0);
      const lost = graph.nodes.flatMap((_, id) => (possible[id] ? [] : [id]));
      return decideNever(graph, property, lost, () => ownFinding(property));
    }
    case "temporal":
      return decideOnRuns(interpreter, graph, property, check);
  }
}

function decideOnRuns(
  interpreter: Interpreter,
  graph: Graph,
  property: PropertyDecl,
  check: Extract<Check, { c: "temporal" }>,
): Outcome {
  const { id, kind, message, trigger } = property;
  // Of runs that leave what is known nothing can be said.
  if (graph.stopped !== undefined) return passed(graph, property);
  const { schedule, request, requested } = fairRunAgainst(interpreter, graph, check);
  if (schedule !== undefined) {
    return { property: id, verdict: "violated", finding: { kind, message }, schedule, depthExact: false };
  }
  if (requested) return passed(graph, property);
  return { property: id, verdict: "vacuous", reason: vacuousReason(request, trigger.what, graph.cut) };
}

function decideDeadlock(interpreter: Interpreter, graph: Graph, property: PropertyDecl): Outcome {
  const doomed = doomedThreads(interpreter.program, graph);
  const deadlocks = new Map(
    doomed.flatMap((threads, id) => {
      if (threads.length === 0) return [];
      const statuses = interpreter.status(graph.nodes[id]!.state);
      return [[id, describeDeadlock(interpreter.program, statuses, threads)] as const];
    }),
  );
  const all = [...deadlocks.keys()];
  const settled = all.filter((id) => deadlocks.get(id)!.settled);
  const findingOf = (id: number): Finding => deadlocks.get(id)!.finding;
  // States in which the holder still moves count only where no other state is a violation.
  const outcome = decideNever(graph, property, settled, findingOf);
  return outcome.verdict === "violated" ? outcome : decideNever(graph, property, all, findingOf);
}

/**
 * For each node the threads that are blocked there and, in every known state after it, neither have a live move nor
 * have come to a resting wait.
 */
export function doomedThreads(program: Program, graph: Graph): number[][] {
  const doomed: number[][] = graph.nodes.map(() => []);
  for (const thread of program.threads.keys()) {
    if (!graph.nodes.some((node) => node.blocked.includes(thread))) continue;
    const moves = canReach(graph, (node) => node.live.includes(thread) || node.resting.includes(thread));
    for (const [id, node] of graph.nodes.entries()) {
      if (node.blocked.includes(thread) && !moves[id]) doomed[id]!.push(thread);
    }
  }
  return doomed;
}

/**
 * Decides a "never again" question.
 *
 * @param candidates The nodes from which, as far as the graph is known, it never happens again; nearest first.
 */
function decideNever(
  graph: Graph,
  property: PropertyDecl,
  candidates: readonly number[],
  findingOf: (node: number) => Finding,
): Outcome {
  const toError = canReach(graph, (node) => node.liveError);
  const toUnknown = canReach(graph, (node) => !node.expanded);
  const sure = candidates.find((id) => !toError[id] && !toUnknown[id]);
  if (sure !== undefined) {
    const { depth } = graph.nodes[sure]!;
    const depthExact = !candidates.some((id) => toUnknown[id] && graph.nodes[id]!.depth < depth);
    return { ...violated(graph, property, { node: sure, finding: findingOf(sure) }), depthExact };
  }
  const outcome = passed(graph, property);
  if (outcome.verdict === "inconclusive" || candidates.length === 0) return outcome;
  const node = candidates[0]!;
  return {
    property: property.id,
    verdict: "inconclusive",
    reason: `${ONLY_CUT_EDGES}: ${cutsByKind(graph)} (${findingOf(node).message})`,
  };
}

function violated(graph: Graph, property: PropertyDecl, witness: Witness): Extract<Outcome, { verdict: "violated" }> {
  return {
    property: property.id,
    verdict: "violated",
    finding: witness.finding,
    schedule: { steps: scheduleOf(graph, witness) },
    depthExact: true,
  };
}

/** The outcome of a property of which no violation was found. */
function passed(graph: Graph, property: PropertyDecl): Outcome {
  const { id, trigger } = property;
  if (graph.stopped !== undefined) {
    const bound = graph.stopped === "states" ? "the bound on states was reached" : "time ran out";
    const depth = graph.nodes.find((node) => !node.expanded)!.depth;
    const states = graph.nodes.length;
    const reason = `${bound} after ${states} states; every schedule of up to ${depth} steps was explored`;
    return { property: id, verdict: "inconclusive", reason };
  }
  if (trigger.marks.length > 0 && !trigger.marks.some((mark) => graph.marks.has(mark))) {
    const cuts = cutCount(graph);
    const beyond = cuts > 0 ? `, unless beyond one of the cuts: ${cutsByKind(graph)}` : "";
    return { property: id, verdict: "vacuous", reason: `never reached: ${trigger.what}${beyond}` };
  }
  return { property: id, verdict: "holds" };
}

function ownFinding(property: PropertyDecl): Finding {
  return { kind: property.kind, message: property.message };
}

function cutCount(graph: Graph): number {
  return Object.values(graph.cut).reduce((sum, n) => sum + n, 0);
}

function cutsByKind(graph: Graph): string {
  return Object.entries(graph.cut)
    .map(([kind, n]) => `${n} ${n === 1 ? "edge ends" : "edges end"} in ${kind}`)
    .join(", ");
}
