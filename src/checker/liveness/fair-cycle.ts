/**
 * Fair cycles: is there a fair run of the graph that the automaton accepts?
 *
 * The product of graph and automaton is explored breadth-first; its strongly connected components (Tarjan 1972) are
 * judged against all acceptance sets and fairness conditions at once, on the union of what lies inside, so fairness
 * costs no copies of the graph. Weak conditions only ask that something lies inside. A strong condition that a
 * component enables and never serves is mended by taking the enabling states out and looking again (Streett
 * emptiness; Emerson and Lei, "Modalities for model checking", 1987).
 */
import type { Automaton } from "./buchi.ts";

/** The reachable graph of a system, error edges left out. Edges of state s are first[s] … first[s+1]-1. */
export interface FairGraph {
  readonly states: number;
  readonly first: Int32Array;
  readonly target: Int32Array;
  /** The thread that steps, by edge. */
  readonly thread: Uint8Array;
  /** Bit t: thread t has a live move in the state. At most 31 threads. */
  readonly enabled: Int32Array;
  /** Bit p: predicate p of the formula holds in the state. */
  readonly predicates: Int32Array;
  /** Bit k: strong condition k is enabled in the state. */
  readonly strongEnabled: Int32Array;
}

export interface FairnessConditions {
  /** Threads that are weakly fair (bits). */
  readonly weak: number;
  /** The thread of each strong condition. */
  readonly strong: readonly number[];
  /** Threads one of which must move infinitely often (bits); 0: no such demand. */
  readonly moving: number;
}

/** A lasso as edges of the graph. An empty loop means that the run ends: nobody has a move that is owed. */
export interface Lasso {
  readonly prefix: readonly number[];
  readonly loop: readonly number[];
  /** The state in which the loop begins. */
  readonly at: number;
}

/** Thrown when the product does not fit the budget. */
export class ProductTooLarge extends Error {}

const STUTTER = -1;

// Under a test runner every look at a global is slow.
const { floor } = Math;

/** A fair accepted run, its prefix as short as possible and its loop short; undefined if there is none. */
export function fairLasso(
  graph: FairGraph,
  automaton: Automaton,
  fairness: FairnessConditions,
  maxNodes = 200_000_000,
): Lasso | undefined {
  return new Product(graph, automaton, fairness, maxNodes).search();
}

/** Growable list of integers. */
class Ints {
  data = new Int32Array(1024);
  length = 0;
  push(v: number): void {
    if (this.length === this.data.length) {
      const larger = new Int32Array(this.length * 2);
      larger.set(this.data);
      this.data = larger;
    }
    this.data[this.length++] = v;
  }
}

class Product {
  readonly #graph: FairGraph;
  readonly #automaton: Automaton;
  readonly #fairness: FairnessConditions;
  readonly #size: number;
  /** Product node (state * size + automaton node) to its number in breadth-first order, plus 1; 0: not reached. */
  readonly #number: Int32Array;
  readonly #node = new Ints();
  readonly #parent = new Ints();
  /** The edge taken from the parent, or STUTTER. */
  readonly #via = new Ints();
  readonly #successors: readonly Int32Array[];

  constructor(graph: FairGraph, automaton: Automaton, fairness: FairnessConditions, maxNodes: number) {
    this.#graph = graph;
    this.#automaton = automaton;
    this.#fairness = fairness;
    this.#size = Math.max(1, automaton.nodes.length);
    if (graph.states * this.#size > maxNodes) {
      throw new ProductTooLarge(`the product of ${graph.states} states and ${this.#size} automaton nodes is too large`);
    }
    this.#number = new Int32Array(graph.states * this.#size);
    this.#successors = automaton.nodes.map((n) => Int32Array.from(n.successors));
  }

  search(): Lasso | undefined {
    this.#explore();
    const fair = this.#fairComponents();
    if (fair.length === 0) return undefined;
    let best: Lasso | undefined;
    // The shortest prefix decides; among the components it can end in, the shortest loop.
    for (const component of fair.sort((a, b) => a[0]! - b[0]!).slice(0, 16)) {
      const lasso = this.#lasso(component);
      if (!best || length(lasso) < length(best)) best = lasso;
    }
    return best;
  }

  /** Whether a state may be read at an automaton node. */
  #reads(state: number, q: number): boolean {
    const { holds, fails } = this.#automaton.nodes[q]!;
    const p = this.#graph.predicates[state]!;
    return (p & holds) === holds && (p & fails) === 0;
  }

  /** Number of edges out of a state, the stutter of a state in which nothing is owed included. */
  #degree(state: number): number {
    const { first, enabled } = this.#graph;
    return first[state + 1]! - first[state]! + (enabled[state] === 0 ? 1 : 0);
  }

  #explore(): void {
    const { first, target } = this.#graph;
    const reach = (state: number, q: number, parent: number, via: number) => {
      const node = state * this.#size + q;
      if (this.#number[node] !== 0) return;
      this.#node.push(node);
      this.#parent.push(parent);
      this.#via.push(via);
      this.#number[node] = this.#node.length;
    };
    for (const q of this.#automaton.initial) if (this.#reads(0, q)) reach(0, q, -1, STUTTER);
    for (let u = 0; u < this.#node.length; u++) {
      const state = floor(this.#node.data[u]! / this.#size);
      const successors = this.#successors[this.#node.data[u]! % this.#size]!;
      for (let e = first[state]!; e < first[state + 1]!; e++) {
        const next = target[e]!;
        for (const q of successors) if (this.#reads(next, q)) reach(next, q, u, e);
      }
      if (this.#graph.enabled[state] === 0) {
        for (const q of successors) if (this.#reads(state, q)) reach(state, q, u, STUTTER);
      }
    }
  }

  /** The p-th product edge out of node number u: its target's number or -1, the graph edge in `this.edge`. */
  edge = STUTTER;
  #next(u: number, p: number): number {
    const node = this.#node.data[u]!;
    const state = floor(node / this.#size);
    const successors = this.#successors[node % this.#size]!;
    const n = successors.length;
    const k = floor(p / n);
    const e = this.#graph.first[state]! + k;
    const stutter = e >= this.#graph.first[state + 1]!;
    this.edge = stutter ? STUTTER : e;
    const next = stutter ? state : this.#graph.target[e]!;
    return this.#number[next * this.#size + successors[p % n]!]! - 1;
  }
  #outDegree(u: number): number {
    const node = this.#node.data[u]!;
    return this.#degree(floor(node / this.#size)) * this.#successors[node % this.#size]!.length;
  }

  /** Components that hold a fair accepted run, after refinement; each as its node numbers in increasing order. */
  #fairComponents(): Int32Array[] {
    const fair: Int32Array[] = [];
    const count = this.#node.length;
    // 0: not to be visited in the current round; otherwise the round a node belongs to.
    const round = new Int32Array(count).fill(1);
    let rounds = 1;
    const work: { round: number; nodes: Int32Array | undefined }[] = [{ round: 1, nodes: undefined }];
    const component = new Int32Array(count).fill(-1);
    let components = 0;
    const index = new Int32Array(count);
    const low = new Int32Array(count);
    const position = new Int32Array(count);
    for (let task = work.pop(); task; task = work.pop()) {
      const { round: current, nodes } = task;
      const total = nodes?.length ?? count;
      let counter = 0;
      for (let i = 0; i < total; i++) index[nodes ? nodes[i]! : i] = 0;
      const stack = new Ints();
      const path = new Ints();
      for (let i = 0; i < total; i++) {
        const start = nodes ? nodes[i]! : i;
        if (index[start] !== 0 || round[start] !== current) continue;
        path.push(start);
        index[start] = low[start] = ++counter;
        position[start] = 0;
        component[start] = -1;
        stack.push(start);
        while (path.length > 0) {
          const u = path.data[path.length - 1]!;
          if (position[u]! < this.#outDegree(u)) {
            const v = this.#next(u, position[u]!++);
            if (v < 0 || round[v] !== current) continue;
            if (index[v] === 0) {
              index[v] = low[v] = ++counter;
              position[v] = 0;
              component[v] = -1;
              stack.push(v);
              path.push(v);
            } else if (component[v] === -1 && index[v]! < low[u]!) {
              low[u] = index[v]!;
            }
            continue;
          }
          path.length--;
          if (path.length > 0) {
            const up = path.data[path.length - 1]!;
            if (low[u]! < low[up]!) low[up] = low[u]!;
          }
          if (low[u] !== index[u]) continue;
          const id = components++;
          let from = stack.length;
          do {
            from--;
            component[stack.data[from]!] = id;
          } while (stack.data[from] !== u);
          const members = stack.data.slice(from, stack.length).sort();
          stack.length = from;
          const judgement = this.#judge(members, component, id);
          if (judgement === "fair") {
            fair.push(members);
          } else if (judgement !== "empty") {
            const kept = members.filter((m) => (this.#strongEnabledAt(m) & judgement) === 0);
            if (kept.length > 0) {
              rounds++;
              for (const m of kept) round[m] = rounds;
              work.push({ round: rounds, nodes: kept });
            }
          }
        }
      }
    }
    return fair;
  }

  #stateOf(u: number): number {
    return floor(this.#node.data[u]! / this.#size);
  }
  #strongEnabledAt(u: number): number {
    return this.#graph.strongEnabled[this.#stateOf(u)]! & ((1 << this.#fairness.strong.length) - 1);
  }

  /** What lies inside a component: acceptance sets, threads disabled somewhere, threads that move, strong conditions. */
  #judge(members: Int32Array, component: Int32Array, id: number): "fair" | "empty" | number {
    const { enabled, thread } = this.#graph;
    const { weak, strong, moving } = this.#fairness;
    let accepting = 0;
    let disabled = 0;
    let moves = 0;
    let wanted = 0;
    let served = 0;
    let edges = 0;
    for (const u of members) {
      const state = this.#stateOf(u);
      accepting |= this.#automaton.nodes[this.#node.data[u]! % this.#size]!.accepting;
      disabled |= ~enabled[state]!;
      const strongHere = this.#strongEnabledAt(u);
      wanted |= strongHere;
      const degree = this.#outDegree(u);
      for (let p = 0; p < degree; p++) {
        const v = this.#next(u, p);
        if (v < 0 || component[v] !== id) continue;
        edges++;
        if (this.edge === STUTTER) continue;
        const t = thread[this.edge]!;
        moves |= 1 << t;
        for (let k = 0; k < strong.length; k++) {
          if (strong[k] === t && (strongHere & (1 << k)) !== 0) served |= 1 << k;
        }
      }
    }
    const sets = (1 << this.#automaton.sets) - 1;
    if (edges === 0 || (accepting & sets) !== sets) return "empty";
    if ((weak & ~(disabled | moves)) !== 0) return "empty";
    if (moving !== 0 && (moves & moving) === 0) return "empty";
    const starved = wanted & ~served;
    return starved === 0 ? "fair" : starved;
  }

  /** The lasso that enters a fair component at its first node and goes round everything that must recur in it. */
  #lasso(members: Int32Array): Lasso {
    const inside = new Set(members);
    const entry = members[0]!;
    const prefix: number[] = [];
    for (let u = entry; this.#parent.data[u]! >= 0; u = this.#parent.data[u]!) {
      if (this.#via.data[u] !== STUTTER) prefix.push(this.#via.data[u]!);
    }
    prefix.reverse();
    const { enabled, thread } = this.#graph;
    const { weak, strong, moving } = this.#fairness;

    // Strong conditions enabled anywhere in the refined component are served: simplest, and legal.
    let wanted = 0;
    for (const u of members) wanted |= this.#strongEnabledAt(u);
    let sets = (1 << this.#automaton.sets) - 1;
    let weakOpen = weak;
    let movingOpen = moving !== 0;
    const note = (u: number) => {
      sets &= ~this.#automaton.nodes[this.#node.data[u]! % this.#size]!.accepting;
      weakOpen &= enabled[this.#stateOf(u)]!;
    };
    const noteEdge = (u: number, edge: number) => {
      if (edge === STUTTER) return;
      const t = thread[edge]!;
      weakOpen &= ~(1 << t);
      if ((moving & (1 << t)) !== 0) movingOpen = false;
      const here = this.#strongEnabledAt(u);
      for (let k = 0; k < strong.length; k++) if (strong[k] === t && (here & (1 << k)) !== 0) wanted &= ~(1 << k);
    };
    const helps = (u: number, edge: number, v: number): boolean => {
      if ((sets & this.#automaton.nodes[this.#node.data[v]! % this.#size]!.accepting) !== 0) return true;
      if ((weakOpen & ~enabled[this.#stateOf(v)]!) !== 0) return true;
      if (edge === STUTTER) return false;
      const t = thread[edge]!;
      if ((weakOpen & (1 << t)) !== 0) return true;
      if (movingOpen && (moving & (1 << t)) !== 0) return true;
      const here = this.#strongEnabledAt(u);
      return strong.some((s, k) => s === t && (here & wanted & (1 << k)) !== 0);
    };

    const loop: number[] = [];
    let at = entry;
    note(at);
    const walk = (goal: (u: number, edge: number, v: number) => boolean) => {
      const path = this.#shortest(at, inside, goal);
      for (const { from, edge, to } of path) {
        noteEdge(from, edge);
        note(to);
        if (edge !== STUTTER) loop.push(edge);
        at = to;
      }
    };
    while (sets !== 0 || weakOpen !== 0 || movingOpen || wanted !== 0) walk(helps);
    if (at !== entry || loop.length === 0) walk((_u, _edge, v) => v === entry);
    // The automaton may need a round before it settles; the run itself is in the loop as soon as its steps repeat.
    let state = this.#stateOf(entry);
    while (loop.length > 0 && prefix.at(-1) === loop.at(-1)) {
      const edge = prefix.pop()!;
      loop.unshift(loop.pop()!);
      state = this.#source(edge);
    }
    return { prefix, loop, at: state };
  }

  #source(edge: number): number {
    const { first } = this.#graph;
    let lo = 0;
    let hi = this.#graph.states - 1;
    while (lo < hi) {
      const middle = (lo + hi + 1) >> 1;
      if (first[middle]! <= edge) lo = middle;
      else hi = middle - 1;
    }
    return lo;
  }

  /** The shortest path inside a component from `start` whose last edge satisfies the goal. */
  #shortest(
    start: number,
    inside: ReadonlySet<number>,
    goal: (u: number, edge: number, v: number) => boolean,
  ): { from: number; edge: number; to: number }[] {
    const came = new Map<number, { from: number; edge: number; to: number } | undefined>([[start, undefined]]);
    const queue = [start];
    for (let i = 0; i < queue.length; i++) {
      const u = queue[i]!;
      const degree = this.#outDegree(u);
      for (let p = 0; p < degree; p++) {
        const v = this.#next(u, p);
        if (v < 0 || !inside.has(v)) continue;
        const step = { from: u, edge: this.edge, to: v };
        if (goal(u, this.edge, v)) {
          const path = [step];
          for (let back = came.get(u); back; back = came.get(back.from)) path.push(back);
          return path.reverse();
        }
        if (came.has(v)) continue;
        came.set(v, step);
        queue.push(v);
      }
    }
    throw new Error("a fair component does not hold what it was judged to hold");
  }
}

function length(lasso: Lasso): number {
  return lasso.prefix.length + lasso.loop.length;
}
