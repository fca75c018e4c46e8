/** The verdicts by plain enumeration of the whole graph: what every property means, word for word. */
import { evaluate, type Firing, firings } from "../../../src/checker/evaluate.ts";
import { stateKey } from "../../../src/checker/smt/concrete.ts";
import { initialState, type StateValues } from "../../../src/checker/state-values.ts";
import { blockedThreads, holderOf, isResting } from "../../../src/checker/waiting.ts";
import type { TransitionSystem } from "../../../src/spec/transition-system.ts";

export interface BruteForce {
  readonly states: number;
  /** By property id: the verdict, with the length of a shortest schedule where it is violated. */
  readonly answers: ReadonlyMap<string, string>;
}

interface Node {
  readonly state: StateValues;
  readonly depth: number;
  readonly out: readonly Firing[];
}

/** Undefined where the graph has more than `bound` states. */
export function bruteForce(system: TransitionSystem, bound: number): BruteForce | undefined {
  const nodes = new Map<string, Node>();
  const queue: [StateValues, number][] = [[initialState(system), 0]];
  const seen = new Set([stateKey(initialState(system))]);
  for (let next = 0; next < queue.length; next++) {
    const [state, depth] = queue[next] as [StateValues, number];
    const out = firings(system, state);
    nodes.set(stateKey(state), { state, depth, out });
    if (nodes.size > bound) return undefined;
    for (const e of out) {
      if (e.target === undefined || seen.has(stateKey(e.target))) continue;
      seen.add(stateKey(e.target));
      queue.push([e.target, depth + 1]);
    }
  }
  const live = (n: Node) => n.out.filter((e) => !e.optional);
  /** Nodes from which a node of the set is reachable over live edges (those of the set included). */
  const backward = (goal: (n: Node) => boolean): Set<string> => {
    const good = new Set([...nodes].filter(([, n]) => goal(n)).map(([k]) => k));
    for (let grown = true; grown; ) {
      grown = false;
      for (const [k, n] of nodes) {
        if (good.has(k) || !live(n).some((e) => e.target !== undefined && good.has(stateKey(e.target)))) continue;
        good.add(k);
        grown = true;
      }
    }
    return good;
  };
  const cutAhead = backward((n) => live(n).some((e) => e.target === undefined));
  const shallowest = (depths: readonly number[]): number | undefined =>
    depths.length === 0 ? undefined : Math.min(...depths);
  const marks = new Set([...system.initialMarks, ...[...nodes.values()].flatMap((n) => n.out.flatMap((e) => e.marks))]);
  const answers = new Map<string, string>();
  for (const p of system.properties) {
    const all = [...nodes];
    let depth: number | undefined;
    let cut = false;
    const { check } = p;
    if (check.c === "findings") {
      const bad = all.filter(([, n]) => n.out.some((e) => e.findings.some((f) => check.findings.includes(f))));
      depth = shallowest(bad.map(([, n]) => n.depth + 1));
    } else if (check.c === "invariant") {
      depth = shallowest(all.filter(([, n]) => evaluate(check.expr, n.state, -1) === 0).map(([, n]) => n.depth));
    } else if (check.c === "at-rest") {
      const bad = all.filter(
        ([, n]) =>
          live(n).length === 0 &&
          blockedThreads(system, n.state, n.out).length === 0 &&
          evaluate(check.expr, n.state, -1) === 0,
      );
      depth = shallowest(bad.map(([, n]) => n.depth));
    } else if (check.c === "stays-possible") {
      const good = backward((n) => evaluate(check.expr, n.state, -1) !== 0);
      const bad = all.filter(([k]) => !good.has(k));
      depth = shallowest(bad.filter(([k]) => !cutAhead.has(k)).map(([, n]) => n.depth));
      cut = bad.length > 0;
    } else if (check.c === "deadlock") {
      const strong: number[] = [];
      const weak: number[] = [];
      for (const t of system.threads.keys()) {
        // A thread that comes to a wait it has a right to is not doomed either.
        const moves = (n: Node): boolean => live(n).some((e) => e.thread === t) || isResting(system, n.state, t);
        const rescued = backward(moves);
        for (const [k, n] of all) {
          if (rescued.has(k) || !blockedThreads(system, n.state, n.out).includes(t)) continue;
          if (cutAhead.has(k)) {
            cut = true;
            continue;
          }
          weak.push(n.depth);
          const holder = holderOf(system, n.state, t);
          if (holder < 0 || !live(n).some((e) => e.thread === holder)) strong.push(n.depth);
        }
      }
      depth = shallowest(strong) ?? shallowest(weak);
    }
    if (depth !== undefined) answers.set(p.id, `violated ${depth}`);
    else if (cut) answers.set(p.id, "inconclusive");
    else {
      const met = p.trigger.marks.length === 0 || p.trigger.marks.some((m) => marks.has(m));
      answers.set(p.id, met ? "holds" : "vacuous");
    }
  }
  return { states: nodes.size, answers };
}
