/**
 * Fair runs of a graph that an automaton accepts: whether there is one, and a short one.
 *
 * The components that hold one are found first (fair-components.ts). Only if there are any is the product of graph and
 * automaton explored, breadth-first, to see which of them are reached, and by what shortest prefix.
 */
import { IntList } from "../int-list.ts";
import type { Automaton } from "./buchi.ts";
import { type FairComponent, fairComponents } from "./fair-components.ts";
import { type FairGraph, type FairnessConditions, isEnabled, isStill, sourceOf } from "./fair-graph.ts";

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
/** States between two looks at the clock, less 1. */
const PATIENCE = (1 << 16) - 1;
/** Components whose loops are looked at, nearest first, for the shortest lasso. */
const CANDIDATES = 16;

// Under a test runner every look at a global is slow.
const { floor } = Math;

/** Whether some fair run from the initial state is accepted. */
export function hasFairRun(
  graph: FairGraph,
  automaton: Automaton,
  fairness: FairnessConditions,
  maxNodes?: number,
): boolean {
  const fair = [...fairComponents(graph, automaton, fairness)];
  return fair.length > 0 && !new Product(graph, automaton, fairness, fair, maxNodes).entries().next().done;
}

/**
 * A fair accepted run of a graph that is not reduced, its prefix as short as possible and its loop short; undefined if
 * there is none.
 */
export function fairLasso(
  graph: FairGraph,
  automaton: Automaton,
  fairness: FairnessConditions,
  maxNodes?: number,
): Lasso | undefined {
  if (graph.reduced !== undefined) throw new Error("a run of a reduced graph is not one of the system");
  const fair = [...fairComponents(graph, automaton, fairness)];
  if (fair.length === 0) return undefined;
  const product = new Product(graph, automaton, fairness, fair, maxNodes);
  let best: Lasso | undefined;
  let tried = 0;
  for (const { number, depth, component } of product.entries()) {
    // The nearest come first.
    if (tried++ === CANDIDATES || (best !== undefined && depth >= length(best))) break;
    const lasso = product.lasso(number, component);
    if (best === undefined || length(lasso) < length(best)) best = lasso;
  }
  return best;
}

function length(lasso: Lasso): number {
  return lasso.prefix.length + lasso.loop.length;
}

/** One step within the product. */
interface Hop {
  readonly from: number;
  readonly edge: number;
  readonly to: number;
}

class Product {
  readonly #graph: FairGraph;
  readonly #automaton: Automaton;
  readonly #fairness: FairnessConditions;
  readonly #size: number;
  /** Product node (state * size + automaton node) to its number in breadth-first order, plus 1; 0: not reached. */
  readonly #number: Int32Array;
  /** Product node to the number of its fair component, plus 1. */
  readonly #component: Int32Array;
  readonly #components: readonly FairComponent[];
  readonly #node = new IntList();
  readonly #parent = new IntList();
  /** The edge taken from the parent, or STUTTER. */
  readonly #via = new IntList();
  readonly #successors: readonly Int32Array[];

  constructor(
    graph: FairGraph,
    automaton: Automaton,
    fairness: FairnessConditions,
    components: readonly FairComponent[],
    maxNodes = 200_000_000,
  ) {
    this.#graph = graph;
    this.#automaton = automaton;
    this.#fairness = fairness;
    this.#components = components;
    this.#size = automaton.nodes.length;
    const nodes = graph.states * this.#size;
    if (nodes > maxNodes) {
      throw new ProductTooLarge(`the product of ${graph.states} states and ${this.#size} automaton nodes is too large`);
    }
    this.#number = new Int32Array(nodes);
    this.#component = new Int32Array(nodes);
    components.forEach(({ states, nodes: read }, c) => {
      for (let i = 0; i < states.length; i++) this.#component[states[i]! * this.#size + read[i]!] = c + 1;
    });
    this.#successors = automaton.nodes.map((n) => Int32Array.from(n.successors));
  }

  /** Whether a state may be read at an automaton node. */
  #reads(state: number, q: number): boolean {
    const { holds, fails } = this.#automaton.nodes[q]!;
    const p = this.#graph.truths[state]!;
    return (p & holds) === holds && (p & fails) === 0;
  }

  /** The nodes, nearest first, by which fair components are entered; each component once. */
  *entries(): Generator<{ number: number; depth: number; component: number }> {
    const { first, target } = this.#graph;
    const entered = new Uint8Array(this.#components.length);
    const reach = (state: number, q: number, parent: number, via: number) => {
      const node = state * this.#size + q;
      if (this.#number[node] !== 0) return;
      this.#node.push(node);
      this.#parent.push(parent);
      this.#via.push(via);
      this.#number[node] = this.#node.length;
    };
    for (const q of this.#automaton.initial) if (this.#reads(0, q)) reach(0, q, -1, STUTTER);
    let levelEnd = this.#node.length;
    let depth = 0;
    let left = this.#components.length;
    for (let u = 0; u < this.#node.length && left > 0; u++) {
      if ((u & PATIENCE) === 0) this.#graph.checkTime?.();
      if (u === levelEnd) {
        levelEnd = this.#node.length;
        depth++;
      }
      const c = this.#component[this.#node.data[u]!]! - 1;
      if (c >= 0 && entered[c] === 0) {
        entered[c] = 1;
        left--;
        yield { number: u, depth, component: c };
      }
      const state = floor(this.#node.data[u]! / this.#size);
      const successors = this.#successors[this.#node.data[u]! % this.#size]!;
      for (let e = first[state]!; e < first[state + 1]!; e++) {
        const next = target[e]!;
        for (const q of successors) if (this.#reads(next, q)) reach(next, q, u, e);
      }
      if (isStill(this.#graph, state)) {
        for (const q of successors) if (this.#reads(state, q)) reach(state, q, u, STUTTER);
      }
    }
  }

  #stateOf(node: number): number {
    return floor(node / this.#size);
  }

  /** Strongly fair threads that could move in the state where fairness asks it. */
  #wanted(state: number): number[] {
    const graph = this.#graph;
    return this.#fairness.strong.filter((t) => isEnabled(graph, state, t) && graph.asksStrong(state, t));
  }

  /** The lasso that enters a fair component at one of its nodes and goes round everything that must recur in it. */
  lasso(number: number, component: number): Lasso {
    const size = this.#size;
    const entry = this.#node.data[number]!;
    const prefix: number[] = [];
    for (let u = number; this.#parent.data[u]! >= 0; u = this.#parent.data[u]!) {
      if (this.#via.data[u] !== STUTTER) prefix.push(this.#via.data[u]!);
    }
    prefix.reverse();
    const { thread } = this.#graph;
    const { weak, strong, moving } = this.#fairness;

    // What has still to happen. Strong conditions met anywhere in the component are served: simplest, and legal.
    let sets = (1 << this.#automaton.sets) - 1;
    const idle = new Set(weak);
    const wanted = new Set<number>();
    if (strong.length > 0) {
      for (const s of this.#components[component]!.states) for (const t of this.#wanted(s)) wanted.add(t);
    }
    let still = moving.length > 0;
    const note = (u: number) => {
      sets &= ~this.#automaton.nodes[u % size]!.accepting;
      for (const t of idle) if (!isEnabled(this.#graph, this.#stateOf(u), t)) idle.delete(t);
    };
    const noteEdge = ({ from, edge }: Hop) => {
      if (edge === STUTTER) return;
      const t = thread[edge]!;
      idle.delete(t);
      if (moving.includes(t)) still = false;
      if (strong.includes(t) && this.#wanted(this.#stateOf(from)).includes(t)) wanted.delete(t);
    };
    const helps = ({ from, edge, to }: Hop): boolean => {
      if ((sets & this.#automaton.nodes[to % size]!.accepting) !== 0) return true;
      for (const t of idle) if (!isEnabled(this.#graph, this.#stateOf(to), t)) return true;
      if (edge === STUTTER) return false;
      const t = thread[edge]!;
      if (idle.has(t) || (still && moving.includes(t))) return true;
      return wanted.has(t) && this.#wanted(this.#stateOf(from)).includes(t);
    };

    const loop: number[] = [];
    let at = entry;
    note(at);
    const walk = (goal: (hop: Hop) => boolean) => {
      for (const hop of this.#shortest(at, component, goal)) {
        noteEdge(hop);
        note(hop.to);
        if (hop.edge !== STUTTER) loop.push(hop.edge);
        at = hop.to;
      }
    };
    while (sets !== 0 || idle.size > 0 || still || wanted.size > 0) walk(helps);
    if (at !== entry || loop.length === 0) walk(({ to }) => to === entry);
    // The automaton may need a round before it settles; the run itself is in the loop as soon as its steps repeat.
    let state = this.#stateOf(entry);
    while (loop.length > 0 && prefix.at(-1) === loop.at(-1)) {
      const edge = prefix.pop()!;
      loop.unshift(loop.pop()!);
      state = sourceOf(this.#graph, edge);
    }
    return { prefix, loop, at: state };
  }

  /** The shortest path inside a component from `start` whose last edge satisfies the goal. */
  #shortest(start: number, component: number, goal: (hop: Hop) => boolean): Hop[] {
    const { first, target } = this.#graph;
    const size = this.#size;
    const came = new Map<number, Hop | undefined>([[start, undefined]]);
    const queue = [start];
    for (let i = 0; i < queue.length; i++) {
      const u = queue[i]!;
      const s = this.#stateOf(u);
      const end = first[s + 1]! + (isStill(this.#graph, s) ? 1 : 0);
      for (let e = first[s]!; e < end; e++) {
        const stutter = e === first[s + 1];
        const next = stutter ? s : target[e]!;
        for (const q of this.#successors[u % size]!) {
          const to = next * size + q;
          if (this.#component[to] !== component + 1) continue;
          const hop = { from: u, edge: stutter ? STUTTER : e, to };
          if (goal(hop)) {
            const path = [hop];
            for (let back = came.get(u); back; back = came.get(back.from)) path.push(back);
            return path.reverse();
          }
          if (came.has(to)) continue;
          came.set(to, hop);
          queue.push(to);
        }
      }
    }
    throw new Error("a fair component does not hold what it was judged to hold");
  }
}
