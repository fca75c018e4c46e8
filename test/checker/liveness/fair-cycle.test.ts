import { automaton, type Formula } from "../../../src/checker/liveness/buchi.ts";
import { fairLasso } from "../../../src/checker/liveness/fair-cycle.ts";
import { type FairGraph, type FairnessConditions, isEnabled } from "../../../src/checker/liveness/fair-graph.ts";
import { generator } from "../../random.ts";

const p: Formula = { t: "state", predicate: 0 };
const q: Formula = { t: "state", predicate: 1 };
const not = (a: Formula): Formula => ({ t: "not", a });
const always = (a: Formula): Formula => ({ t: "always", a });
const eventually = (a: Formula): Formula => ({ t: "eventually", a });
const none: FairnessConditions = { weak: [], strong: [], moving: [] };

/** A graph from a list of [from, to, thread]; predicates and enabled threads by state. */
function graph(
  edges: readonly (readonly [number, number, number])[],
  predicates: readonly number[],
  strong: readonly number[] = [],
): FairGraph {
  const states = predicates.length;
  const sorted = [...edges].sort((a, b) => a[0] - b[0]);
  const first = new Int32Array(states + 1);
  for (const [from] of sorted) first[from + 1]!++;
  for (let s = 0; s < states; s++) first[s + 1]! += first[s]!;
  const enabled = new Int32Array(states);
  for (const [from, , t] of edges) enabled[from]! |= 1 << t;
  return {
    states,
    first,
    target: Int32Array.from(sorted.map((e) => e[1])),
    thread: Uint8Array.from(sorted.map((e) => e[2])),
    threads: 2,
    enabled: [enabled],
    truths: Int32Array.from(predicates),
    asksStrong: (_, t) => strong.includes(t),
  };
}

/** A run that breaks the formula. */
const breaks = (g: FairGraph, f: Formula, fairness = none) => fairLasso(g, automaton(f, true), fairness);

describe("accepted runs", () => {
  // 0 -> 1 -> 2 -> 1, p in 1
  const g = graph(
    [
      [0, 1, 0],
      [1, 2, 0],
      [2, 1, 0],
    ],
    [0, 1, 0],
  );

  test("always, eventually and their nestings on a single run", () => {
    expect(breaks(g, eventually(p))).toBeUndefined();
    expect(breaks(g, always(eventually(p)))).toBeUndefined();
    expect(breaks(g, always(eventually(not(p))))).toBeUndefined();
    expect(breaks(g, eventually(always(p)))).toEqual({ prefix: [0], loop: [1, 2], at: 1 });
    expect(breaks(g, always(not(p)))).toBeDefined();
    expect(breaks(g, { t: "leads-to", a: p, b: not(p) })).toBeUndefined();
  });

  test("a run that ends repeats its last state", () => {
    const end = graph([[0, 1, 0]], [0, 0]);
    expect(breaks(end, eventually(p))).toEqual({ prefix: [0], loop: [], at: 1 });
    expect(breaks(graph([[0, 1, 0]], [0, 1]), eventually(always(p)), { ...none, weak: [0] })).toBeUndefined();
  });

  test("leads-to needs the request", () => {
    const branching = graph(
      [
        [0, 1, 0],
        [0, 2, 0],
        [1, 1, 0],
        [2, 2, 0],
      ],
      [0, 1, 2],
    );
    expect(breaks(branching, { t: "leads-to", a: p, b: q })).toEqual({ prefix: [0], loop: [2], at: 1 });
    expect(breaks(branching, { t: "leads-to", a: q, b: q })).toBeUndefined();
  });
});

describe("fairness", () => {
  // Thread 0 spins at 0; thread 1 could go to 1 (where p holds) all the time.
  const spin = graph(
    [
      [0, 0, 0],
      [0, 1, 1],
      [1, 1, 0],
    ],
    [0, 1],
  );
  // Thread 0 goes round 0, 1; thread 1 can leave at 0 only.
  const intermittent = [
    [0, 1, 0],
    [1, 0, 0],
    [0, 2, 1],
    [2, 2, 0],
  ] as const;

  test("weak fairness moves a thread that can always move", () => {
    expect(breaks(spin, eventually(p))).toBeDefined();
    expect(breaks(spin, eventually(p), { ...none, weak: [0, 1] })).toBeUndefined();
  });

  test("only strong fairness moves one that can move again and again", () => {
    const g = graph(intermittent, [0, 0, 1], [1]);
    expect(breaks(g, eventually(p), { ...none, weak: [0, 1] })).toEqual({ prefix: [], loop: expect.any(Array), at: 0 });
    expect(breaks(g, eventually(p), { weak: [0, 1], strong: [1], moving: [] })).toBeUndefined();
  });

  test("a component is refined: the unfair part of it is taken out", () => {
    // Besides the rounds above, thread 0 can stay at 1 for ever, where thread 1 cannot move.
    const g = graph([...intermittent, [1, 1, 0]], [0, 0, 1], [1]);
    expect(breaks(g, eventually(p), { weak: [0, 1], strong: [1], moving: [] })).toMatchObject({
      at: 1,
      loop: [expect.any(Number)],
    });
  });

  test("a livelock needs the thread to move", () => {
    const g = graph(
      [
        [0, 0, 0],
        [0, 1, 1],
        [1, 1, 0],
      ],
      [0, 0],
    );
    expect(breaks(g, eventually(p), { ...none, moving: [0] })).toBeDefined();
    expect(breaks(graph([[0, 1, 1]], [0, 0]), eventually(p), { ...none, moving: [0] })).toBeUndefined();
  });
});

test("a search of many states looks at the clock", () => {
  const states = 1 << 18;
  const edges = Array.from({ length: states }, (_, s) => [s, (s + 1) % states, 0] as const);
  const g = graph(edges, new Array<number>(states).fill(0));
  expect(breaks(g, eventually(p))?.loop).toHaveLength(states);
  let looks = 0;
  const late = () => {
    if (++looks === 2) throw new Error("late");
  };
  expect(() => breaks({ ...g, checkTime: late }, eventually(p))).toThrow("late");
});

/** Does the formula hold on the lasso? By unrolling the definition over the positions of prefix and loop. */
function holdsOn(f: Formula, word: readonly number[], loop: number): boolean {
  const n = word.length;
  const next = (i: number) => (i + 1 < n ? i + 1 : loop);
  const value = (g: Formula): boolean[] => {
    switch (g.t) {
      case "true":
        return word.map(() => true);
      case "state":
        return word.map((mask) => (mask & (1 << g.predicate)) !== 0);
      case "not":
        return value(g.a).map((v) => !v);
      case "and":
        return value(g.a).map((v, i) => v && value(g.b)[i]!);
      case "or":
        return value(g.a).map((v, i) => v || value(g.b)[i]!);
      case "implies":
        return value(g.a).map((v, i) => !v || value(g.b)[i]!);
      case "leads-to":
        return value({ t: "always", a: { t: "implies", a: g.a, b: { t: "eventually", a: g.b } } });
      case "eventually":
      case "always": {
        const a = value(g.a);
        const any = g.t === "eventually";
        return a.map((_, start) => {
          let i = start;
          let found = false;
          for (let k = 0; k < 2 * n; k++) {
            if (a[i] === any) found = true;
            i = next(i);
          }
          return any ? found : !found;
        });
      }
    }
  };
  return value(f)[0]!;
}

test("random graphs: an answer is a legal run that breaks the formula, and no lasso is missed", () => {
  const formulas: Formula[] = [
    eventually(p),
    always(eventually(p)),
    eventually(always(p)),
    { t: "leads-to", a: p, b: q },
    { t: "implies", a: always(eventually(p)), b: always(eventually(q)) },
    { t: "or", a: always(p), b: eventually(q) },
    always({ t: "implies", a: p, b: eventually(always(q)) }),
  ];
  let found = 0;
  let absent = 0;
  for (let seed = 1; seed <= 1500; seed++) {
    const random = generator(seed);
    const below = (n: number) => Math.floor(random() * n);
    const states = 2 + below(4);
    const edges = Array.from({ length: states + below(5) }, () => [below(states), below(states), below(2)] as const);
    const g = graph(
      edges,
      Array.from({ length: states }, () => below(4)),
      [1],
    );
    const fairness = [
      none,
      { ...none, weak: [0, 1] },
      { weak: [0, 1], strong: [1], moving: [] },
      { weak: [0, 1], strong: [], moving: [0] },
    ][below(4)]!;
    const f = formulas[below(formulas.length)]!;
    const lasso = breaks(g, f, fairness);
    const other = someLasso(g, f, fairness);
    expect({ seed, found: lasso !== undefined }).toEqual({ seed, found: other });
    if (!lasso) {
      absent++;
      continue;
    }
    found++;
    expect({
      seed,
      legal: legal(g, lasso.prefix, lasso.loop, fairness) && !holdsOn(f, wordOf(g, lasso), lasso.prefix.length),
    }).toEqual({
      seed,
      legal: true,
    });
  }
  expect(Math.min(found, absent)).toBeGreaterThan(300);
});

function source(g: FairGraph, edge: number): number {
  let s = 0;
  while (g.first[s + 1]! <= edge) s++;
  return s;
}

function wordOf(g: FairGraph, lasso: { prefix: readonly number[]; loop: readonly number[]; at: number }): number[] {
  const states = [...lasso.prefix, ...lasso.loop].map((e) => source(g, e));
  if (lasso.loop.length === 0) states.push(lasso.at);
  return states.map((s) => g.truths[s]!);
}

function legal(
  g: FairGraph,
  prefix: readonly number[],
  loop: readonly number[],
  fairness: FairnessConditions,
): boolean {
  let at = 0;
  for (const e of [...prefix, ...loop]) {
    if (source(g, e) !== at) return false;
    at = g.target[e]!;
  }
  if (loop.length === 0) return g.enabled[0]![at] === 0 && fairness.moving.length === 0;
  if (at !== source(g, loop[0]!)) return false;
  const moves = (t: number) => loop.some((e) => g.thread[e] === t);
  const able = (t: number) => loop.map((e) => isEnabled(g, source(g, e), t));
  if (fairness.weak.some((t) => !moves(t) && able(t).every((x) => x))) return false;
  if (fairness.moving.length > 0 && !fairness.moving.some(moves)) return false;
  return fairness.strong.every((t) => moves(t) || !able(t).includes(true));
}

/**
 * Brute force: for every subset of edges, the states reachable by them from a state that is reachable at all; a run
 * that takes exactly these edges infinitely often exists if they are strongly connected, and it is enough to try one
 * closed walk through all of them after one shortest prefix to each of its states, because the formulas tried speak
 * of what happens at all and of what happens for ever.
 */
function someLasso(g: FairGraph, f: Formula, fairness: FairnessConditions): boolean {
  const edges = g.target.length;
  const prefixes = allPrefixes(g);
  for (let s = 0; s < g.states; s++) {
    for (const prefix of prefixes[s]!) {
      if (
        g.enabled[0]![s] === 0 &&
        fairness.moving.length === 0 &&
        !holdsOn(f, [...prefix.map((e) => g.truths[source(g, e)]!), g.truths[s]!], prefix.length)
      )
        return true;
    }
  }
  for (let subset = 1; subset < 1 << edges; subset++) {
    const walk = closedWalk(g, subset);
    if (!walk) continue;
    for (const prefix of prefixes[source(g, walk[0]!)]!) {
      if (!legal(g, prefix, walk, fairness)) continue;
      const word = [...prefix, ...walk].map((e) => g.truths[source(g, e)]!);
      if (!holdsOn(f, word, prefix.length)) return true;
    }
  }
  return false;
}

/** Per state, one path from 0 for every set of states that a path can visit. */
function allPrefixes(g: FairGraph): number[][][] {
  const found: number[][][] = Array.from({ length: g.states }, () => []);
  const seen = new Set<string>();
  const queue: { at: number; visited: number; path: number[] }[] = [{ at: 0, visited: 1, path: [] }];
  seen.add("0,1");
  for (const { at, visited, path } of queue) {
    found[at]!.push(path);
    for (let e = g.first[at]!; e < g.first[at + 1]!; e++) {
      const next = { at: g.target[e]!, visited: visited | (1 << g.target[e]!), path: [...path, e] };
      const key = `${next.at},${next.visited}`;
      if (seen.has(key)) continue;
      seen.add(key);
      queue.push(next);
    }
  }
  return found;
}

/** A closed walk that takes exactly these edges, each at least once; undefined if they are not strongly connected. */
function closedWalk(g: FairGraph, subset: number): number[] | undefined {
  const edges = Array.from({ length: g.target.length }, (_, e) => e).filter((e) => (subset & (1 << e)) !== 0);
  const start = source(g, edges[0]!);
  const walk: number[] = [];
  let at = start;
  const go = (goal: (e: number) => boolean): boolean => {
    const came = new Map<number, number[]>([[at, []]]);
    const queue = [at];
    for (const u of queue) {
      for (const e of edges) {
        if (source(g, e) !== u) continue;
        const path = [...came.get(u)!, e];
        if (goal(e)) {
          walk.push(...path);
          at = g.target[e]!;
          return true;
        }
        if (came.has(g.target[e]!)) continue;
        came.set(g.target[e]!, path);
        queue.push(g.target[e]!);
      }
    }
    return false;
  };
  for (const edge of edges) if (!walk.includes(edge) && !go((e) => e === edge)) return undefined;
  if (at !== start && !go((e) => g.target[e] === start)) return undefined;
  return walk;
}
