/** The explicit graph of states, built breadth first, and reachability on it. */
import type { Site } from "../../spec/program.ts";
import type { ScheduleStep } from "../verdict.ts";
import type { Interpreter, Transition } from "./interpreter.ts";
import { type State, stateKey } from "./state.ts";

export interface Node {
  readonly state: State;
  /** Least number of steps from the start. */
  readonly depth: number;
  /** The node it was first reached from, and how; absent for the start. */
  readonly parent?: { readonly node: number; readonly step: ScheduleStep };
  /** False where a bound stopped the search: nothing is known of what follows. */
  expanded: boolean;
  /** Threads with an enabled live move. */
  live: readonly number[];
  /** Threads that are blocked. */
  blocked: readonly number[];
  /** Threads at a resting wait. */
  resting: readonly number[];
  /** A live move from here ends in the error state. */
  liveError: boolean;
}

/** An edge that is no optional move, between two nodes. */
export interface LiveEdge {
  readonly from: number;
  readonly to: number;
}

/** An edge between two nodes, optional or not. */
export interface Edge {
  readonly to: number;
  readonly step: ScheduleStep;
}

export interface Graph {
  readonly nodes: readonly Node[];
  /** Per node that was expanded its edges, those into the error state left out; none unless asked for. */
  readonly edges: readonly (readonly Edge[])[];
  readonly liveEdges: readonly LiveEdge[];
  /** Edges, those into the error state included. */
  readonly transitions: number;
  /** Edges into the error state, by kind. */
  readonly cut: Readonly<Record<string, number>>;
  /** Least number of steps to the error state; absent where it is not reached. */
  readonly errorDepth?: number;
  readonly marks: ReadonlySet<string>;
  /** Statements that ran, as `siteKey`s. */
  readonly executed: ReadonlySet<string>;
  /** What stopped the search early, if anything did. */
  readonly stopped?: "states" | "time";
}

export interface GraphOptions {
  /** Stop when this many states are known. */
  readonly maxStates: number;
  /** Stop at this time (milliseconds, as `performance.now()`). */
  readonly deadline: number;
  /** Leave optional moves out. */
  readonly liveOnly: boolean;
  /** Keep all edges. */
  readonly keepEdges?: boolean;
  /** Called for each node with its transitions, in breadth-first order. */
  readonly visit?: (node: number, state: State, transitions: readonly Transition[]) => void;
  /** Called now and then. */
  readonly progress?: (nodes: readonly Node[], expanded: number, transitions: number) => void;
}

export function siteKey(site: Site): string {
  return `${site.file}:${site.line}:${site.column}`;
}

export function buildGraph(interpreter: Interpreter, start: State, options: GraphOptions): Graph {
  const nodes: Node[] = [];
  const ids = new Map<string, number>();
  const liveEdges: LiveEdge[] = [];
  const edges: Edge[][] = [];
  const cut: Record<string, number> = {};
  const marks = new Set(interpreter.initialMarks);
  const executed = new Set(interpreter.initialExecuted.map(siteKey));
  let count = 0;
  let errorDepth: number | undefined;
  let stopped: "states" | "time" | undefined;

  const idOf = (state: State, depth: number, parent?: { node: number; step: ScheduleStep }): number => {
    const key = stateKey(state);
    const known = ids.get(key);
    if (known !== undefined) return known;
    const node: Node = { state, depth, expanded: false, live: [], blocked: [], resting: [], liveError: false };
    nodes.push(parent === undefined ? node : { ...node, parent });
    ids.set(key, nodes.length - 1);
    return nodes.length - 1;
  };

  idOf(start, 0);
  for (let id = 0; id < nodes.length; id++) {
    // The start is always expanded, or nothing could be said of it.
    if (id > 0 && nodes.length >= options.maxStates) stopped = "states";
    else if (id > 0 && performance.now() >= options.deadline) stopped = "time";
    if (stopped !== undefined) break;
    if (id % 1000 === 999) options.progress?.(nodes, id, count);

    const node = nodes[id]!;
    edges.push([]);
    const transitions = interpreter
      .transitions(node.state, { patches: false })
      .filter((t) => !options.liveOnly || !t.optional);
    node.expanded = true;
    node.live = [...new Set(transitions.filter((t) => !t.optional).map((t) => t.step.thread))];
    node.blocked = interpreter.standing(node.state, node.live, "blocked");
    node.resting = interpreter.standing(node.state, node.live, "resting");
    for (const transition of transitions) {
      count++;
      for (const mark of transition.marks) marks.add(mark);
      for (const site of transition.executed) executed.add(siteKey(site));
      if (transition.result.k === "error") {
        const { kind } = transition.result.error;
        cut[kind] = (cut[kind] ?? 0) + 1;
        errorDepth ??= node.depth + 1;
        if (!transition.optional) node.liveError = true;
      } else {
        const to = idOf(transition.result.state, node.depth + 1, { node: id, step: transition.step });
        if (!transition.optional) liveEdges.push({ from: id, to });
        if (options.keepEdges) edges[id]!.push({ to, step: transition.step });
      }
    }
    options.visit?.(id, node.state, transitions);
  }
  return {
    nodes,
    edges,
    liveEdges,
    transitions: count,
    cut,
    ...(errorDepth === undefined ? {} : { errorDepth }),
    marks,
    executed,
    ...(stopped === undefined ? {} : { stopped }),
  };
}

/** The steps that lead from the start to a node, as few as possible. */
export function pathTo(graph: Pick<Graph, "nodes">, node: number): ScheduleStep[] {
  const steps: ScheduleStep[] = [];
  for (let parent = graph.nodes[node]!.parent; parent !== undefined; parent = graph.nodes[parent.node]!.parent) {
    steps.push(parent.step);
  }
  return steps.reverse();
}

/** For each node: is a node with the property reachable from it over live edges (itself included)? */
export function canReach(graph: Graph, wanted: (node: Node) => boolean): boolean[] {
  const predecessors: number[][] = graph.nodes.map(() => []);
  for (const edge of graph.liveEdges) predecessors[edge.to]!.push(edge.from);
  const reaches = graph.nodes.map(wanted);
  const work = reaches.flatMap((yes, id) => (yes ? [id] : []));
  for (let id = work.pop(); id !== undefined; id = work.pop()) {
    for (const from of predecessors[id]!) {
      if (reaches[from]) continue;
      reaches[from] = true;
      work.push(from);
    }
  }
  return reaches;
}
