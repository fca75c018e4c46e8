/**
 * What is true of a transition system, by the definitions and nothing clever: a graph with all its edges, sets, and
 * fixed points computed by repetition. The engine is compared with it.
 */
import { evaluate, type Firing, firings } from "../../../src/checker/evaluate.ts";
import { initialState, type StateValues } from "../../../src/checker/state-values.ts";
import type { SysProperty, TransitionSystem } from "../../../src/spec/transition-system.ts";

export interface Truth {
  verdict: "holds" | "violated" | "vacuous" | "inconclusive";
  depth?: number;
  /** Kinds of finding that the definitions allow. */
  kinds?: Set<string>;
}

interface Node {
  state: StateValues;
  depth: number;
  edges: { firing: Firing; to: number }[];
}

export class PlainSearch {
  readonly nodes: Node[] = [];
  readonly system: TransitionSystem;
  transitions = 0;
  errorDepth = Number.POSITIVE_INFINITY;
  readonly cut: Record<string, number> = {};
  readonly marks: Set<number>;
  readonly complete: boolean;
  readonly #number = new Map<string, number>();
  readonly #truths = new Map<SysProperty, Truth>();

  constructor(system: TransitionSystem, limit: number) {
    this.system = system;
    this.marks = new Set(system.initialMarks);
    this.#node(initialState(system), 0);
    for (let n = 0; n < this.nodes.length && n < limit; n++) {
      const node = this.nodes[n]!;
      for (const firing of firings(system, node.state)) {
        this.transitions++;
        for (const m of firing.marks) this.marks.add(m);
        if (firing.target === undefined) {
          const { kind } = system.findings[firing.findings.at(-1)!]!;
          this.cut[kind] = (this.cut[kind] ?? 0) + 1;
          this.errorDepth = Math.min(this.errorDepth, node.depth + 1);
          node.edges.push({ firing, to: -1 });
        } else node.edges.push({ firing, to: this.#node(firing.target, node.depth + 1) });
      }
    }
    this.complete = this.nodes.length <= limit;
  }

  static key(state: StateValues): string {
    return JSON.stringify([state.vars, state.pcs, state.locals]);
  }

  find(state: StateValues): number | undefined {
    return this.#number.get(PlainSearch.key(state));
  }

  #node(state: StateValues, depth: number): number {
    const key = PlainSearch.key(state);
    let n = this.#number.get(key);
    if (n === undefined) {
      n = this.nodes.push({ state, depth, edges: [] }) - 1;
      this.#number.set(key, n);
    }
    return n;
  }

  get states(): number {
    return this.nodes.length + (this.errorDepth < Number.POSITIVE_INFINITY ? 1 : 0);
  }

  get depth(): number {
    const deepest = Math.max(...this.nodes.map((n) => n.depth));
    return this.errorDepth < Number.POSITIVE_INFINITY ? Math.max(deepest, this.errorDepth) : deepest;
  }

  /** Nodes from which, over live edges, a node or edge with the property is reachable. */
  #canReach(node: (n: Node) => boolean, edge: (e: Node["edges"][number]) => boolean = () => false): Set<number> {
    const can = new Set<number>();
    const live = this.nodes.map((n) => n.edges.filter((e) => !e.firing.optional));
    for (let before = -1; can.size > before; ) {
      before = can.size;
      for (let i = this.nodes.length - 1; i >= 0; i--) {
        if (!can.has(i) && (node(this.nodes[i]!) || live[i]!.some((e) => edge(e) || can.has(e.to)))) can.add(i);
      }
    }
    return can;
  }

  #locationOf(state: StateValues, t: number) {
    return this.system.programs[this.system.threads[t]!.program]!.locations[state.pcs[t]!]!;
  }

  #midRun(state: StateValues, t: number): boolean {
    return state.pcs[t] !== this.system.threads[t]!.initialLocation && !this.#locationOf(state, t).ended;
  }

  #holder(node: Node, t: number): number {
    const holder = this.#locationOf(node.state, t).wait?.holder;
    return holder === undefined ? -1 : evaluate(holder, node.state, t) - 1;
  }

  /** Nobody on the chain of who waits for whom has a live move. */
  #settled(node: Node, first: number): boolean {
    const seen: number[] = [];
    for (let t = first; t >= 0 && !seen.includes(t); t = this.#holder(node, t)) {
      if (node.edges.some((e) => e.firing.thread === t && !e.firing.optional)) return false;
      seen.push(t);
      const { keptOff } = this.system.threads[t]!;
      if (keptOff !== undefined && evaluate(keptOff, node.state, t) !== 0) return true;
    }
    return true;
  }

  /** Waits with a right to. */
  resting(node: Node, t: number): boolean {
    const thread = this.system.threads[t]!;
    const location = this.#locationOf(node.state, t);
    if (location.wait?.resting === undefined || node.edges.some((e) => e.firing.thread === t && !e.firing.optional)) {
      return false;
    }
    const handler = thread.kind === "hardirq" || thread.kind === "softirq";
    if (handler && node.state.pcs[t] === thread.initialLocation) return false;
    if (thread.keptOff !== undefined && evaluate(thread.keptOff, node.state, t) !== 0) return false;
    return evaluate(location.wait.resting, node.state, t) !== 0;
  }

  blocked(node: Node, t: number): boolean {
    const { threads } = this.system;
    const { kind } = threads[t]!;
    if (kind === "environment" || kind === "device") return false;
    const location = this.#locationOf(node.state, t);
    if (location.ended) return false;
    if (node.edges.some((e) => e.firing.thread === t && !e.firing.optional)) return false;
    if (location.wait?.resting !== undefined && evaluate(location.wait.resting, node.state, t) !== 0) return false;
    const handler = kind === "hardirq" || kind === "softirq";
    if (handler && node.state.pcs[t] === threads[t]!.initialLocation) return false;
    return threads[t]!.keptOff === undefined || evaluate(threads[t]!.keptOff, node.state, t) === 0;
  }

  truth(p: SysProperty): Truth {
    const known = this.#truths.get(p) ?? this.#decide(p);
    this.#truths.set(p, known);
    return known;
  }

  #decide(p: SysProperty): Truth {
    const found = this.#violation(p);
    if (found !== undefined) return found;
    const { marks } = p.trigger;
    return { verdict: marks.length === 0 || marks.some((m) => this.marks.has(m)) ? "holds" : "vacuous" };
  }

  #shallowest(nodes: Node[], kinds: Set<string>): Truth | undefined {
    if (nodes.length === 0) return undefined;
    return { verdict: "violated", depth: Math.min(...nodes.map((n) => n.depth)), kinds };
  }

  #violation(p: SysProperty): Truth | undefined {
    const { check } = p;
    const live = (n: Node) => n.edges.some((e) => !e.firing.optional);
    const cutReachable = () =>
      this.#canReach(
        () => false,
        (e) => e.to < 0,
      );
    if (check.c === "findings") {
      const edges = this.nodes.flatMap((n) =>
        n.edges.flatMap((e) => e.firing.findings.filter((f) => check.findings.includes(f)).map((f) => ({ n, f }))),
      );
      if (edges.length === 0) return undefined;
      const depth = Math.min(...edges.map((e) => e.n.depth)) + 1;
      const kinds = edges.filter((e) => e.n.depth + 1 === depth).map((e) => this.system.findings[e.f]!.kind as string);
      return { verdict: "violated", depth, kinds: new Set(kinds) };
    }
    const kinds = new Set([p.kind]);
    if (check.c === "invariant") {
      return this.#shallowest(
        this.nodes.filter((n) => evaluate(check.expr, n.state, -1) === 0),
        kinds,
      );
    }
    const threads = this.system.threads.map((_, t) => t);
    if (check.c === "at-rest") {
      const rest = this.nodes.filter((n) => !live(n) && !threads.some((t) => this.blocked(n, t)));
      return this.#shallowest(
        rest.filter((n) => evaluate(check.expr, n.state, -1) === 0),
        kinds,
      );
    }
    if (check.c === "stays-possible") {
      const can = this.#canReach((n) => evaluate(check.expr, n.state, -1) !== 0);
      const lost = this.nodes.filter((_, i) => !can.has(i));
      if (lost.length === 0) return undefined;
      const rescuable = cutReachable();
      const sure = lost.filter((n) => !rescuable.has(this.nodes.indexOf(n)));
      return this.#shallowest(sure, kinds) ?? { verdict: "inconclusive" };
    }
    if (check.c !== "deadlock") throw new Error("not decided here");
    const rescuable = cutReachable();
    const moving = threads.map((t) =>
      this.#canReach(
        (n) => this.resting(n, t),
        (e) => e.firing.thread === t,
      ),
    );
    const candidates = this.nodes.flatMap((n, i) =>
      threads
        .filter((t) => this.blocked(n, t) && !moving[t]!.has(i))
        .map((t) => {
          return { n, i, settled: this.#settled(n, t), kind: this.#deadlockKind(n, t, this.#holder(n, t), live(n)) };
        }),
    );
    if (candidates.length === 0) return undefined;
    const sure = candidates.filter((c) => !rescuable.has(c.i));
    if (sure.length === 0) return { verdict: "inconclusive" };
    const settled = sure.filter((c) => c.settled);
    const pool = settled.length > 0 ? settled : sure;
    const depth = Math.min(...pool.map((c) => c.n.depth));
    return { verdict: "violated", depth, kinds: new Set(pool.filter((c) => c.n.depth === depth).map((c) => c.kind)) };
  }

  #deadlockKind(node: Node, t: number, holder: number, live: boolean): string {
    if (holder === t) return "self-deadlock";
    const thread = this.system.threads[t]!;
    const other = this.system.threads[holder];
    const isHandler = (kind: string) => kind === "hardirq" || kind === "softirq";
    if (
      isHandler(thread.kind) &&
      this.#midRun(node.state, t) &&
      other &&
      !isHandler(other.kind) &&
      other.cpu === thread.cpu
    ) {
      return "irq-deadlock";
    }
    return live ? "partial-deadlock" : "deadlock";
  }
}

/** Follows a schedule; undefined when a step of it is not enabled. Null stands for the error state. */
export function follow(
  system: TransitionSystem,
  steps: readonly { thread: number; action: number; ways: readonly number[] }[],
) {
  let state: StateValues | null = initialState(system);
  let last: Firing | undefined;
  for (const step of steps) {
    if (state === null) return undefined;
    last = firings(system, state).find(
      (f) => f.thread === step.thread && f.action === step.action && f.ways.join() === step.ways.join(),
    );
    if (last === undefined) return undefined;
    state = last.target ?? null;
  }
  return { state, last };
}
