/** The graph in which fair runs are looked for: of all states, or reduced. */

/** Threads in one word of a mask. */
export const GROUP = 30;

/** The reachable graph of a system, error edges left out. Edges of state s are first[s] … first[s+1]-1; state 0 is initial. */
export interface FairGraph {
  readonly states: number;
  readonly threads: number;
  readonly first: Int32Array;
  readonly target: Int32Array;
  /** The thread that steps, by edge. At most 256 threads. */
  readonly thread: Uint8Array;
  /** Per `GROUP` threads, per state: bit t of group g says that thread g * GROUP + t has a live move. */
  readonly enabled: readonly Words[];
  /** Per state, bit p: predicate p of the question holds. */
  readonly truths: Words;
  /** Whether strong fairness, where it is asked of the thread, is asked of it where it stands in this state. */
  asksStrong(state: number, thread: number): boolean;
  /** Called now and then; throws when time is up. */
  readonly checkTime?: () => void;
  /** Present where the graph is reduced. */
  readonly reduced?: ReducedEdges;
}

/** Integers, as few bytes each as do. */
export type Words = Int32Array | Uint16Array | Uint8Array;

/**
 * What the edges of a reduced graph stand for. Where symmetric states are one, a thread may have another place after an
 * edge than before it. Where an edge is several steps, there are states inside it.
 */
export interface ReducedEdges {
  /** Has a look at the edges out of a state, for what follows. */
  look(state: number): void;
  /** Of the k-th of them: thread -> thread; undefined: nobody is renamed. */
  renaming(k: number): readonly number[] | undefined;
  /** Of the k-th of them: who has a live move in each of the states inside, in the groups of `enabled`. */
  inside(k: number): readonly (readonly number[])[];
  /** Some edge has states inside. */
  readonly fused: boolean;
}

/** What is assumed of the scheduler, and asked of the run beside the formula. */
export interface FairnessConditions {
  /** Threads that move if they can move all the time. */
  readonly weak: readonly number[];
  /** Threads that move if they can move again and again, where `asksStrong` says so. */
  readonly strong: readonly number[];
  /** One of these must move again and again; empty: no such demand. */
  readonly moving: readonly number[];
}

export function isEnabled(graph: FairGraph, state: number, thread: number): boolean {
  return ((graph.enabled[(thread / GROUP) | 0]![state]! >>> (thread % GROUP)) & 1) === 1;
}

/** No move is owed: a run may stay there for ever. */
export function isStill(graph: FairGraph, state: number): boolean {
  for (const masks of graph.enabled) if (masks[state] !== 0) return false;
  return true;
}

/** The state an edge leaves. */
export function sourceOf(graph: FairGraph, edge: number): number {
  let low = 0;
  let high = graph.states - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (graph.first[middle]! <= edge) low = middle;
    else high = middle - 1;
  }
  return low;
}
