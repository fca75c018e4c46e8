/** Edges that lie on a cycle are never left out; and what a thread does once is. */
import { check, declared } from "../../../src/checker/symbolic/check.ts";
import { ReachableStates } from "../../../src/checker/symbolic/reachable-states.ts";
import type { TransitionSystem } from "../../../src/spec/transition-system.ts";
import { PlainSearch } from "../explicit/plain-search.ts";
import { randomSystem } from "../explicit/random-system.ts";
import { bin, load, location, num, property, setVar, step, system, thread, variable } from "./systems.ts";

function learned(of: TransitionSystem): ReachableStates {
  const reached = new ReachableStates(of, declared(of), {
    memory: Number.POSITIVE_INFINITY,
    deadline: Number.POSITIVE_INFINITY,
  });
  reached.explore();
  return reached;
}

test("random systems: all edges on cycles are kept, and others are not", () => {
  const LIMIT = 300;
  const missing: string[] = [];
  let onCycles = 0;
  let leftOut = 0;
  for (let seed = 0; seed < 200; seed++) {
    const random = randomSystem(seed);
    const plain = new PlainSearch(random, LIMIT);
    if (!plain.complete) continue;
    const { edges, recurringEdges: kept } = learned(random);
    leftOut += edges.filter((e) => !e.error).length - kept.length;
    const back = plain.nodes.map((_, n) => reachableFrom(plain, n));
    plain.nodes.forEach(({ state, edges: out }, n) => {
      for (const { firing, to } of out) {
        if (to < 0 || !back[to]!.has(n)) continue;
        onCycles++;
        const { thread: t, action } = firing;
        const isKept = kept.some((e) => e.thread === t && e.location === state.pcs[t] && e.action === action);
        if (!isKept) missing.push(`seed ${seed}: action ${action} of thread ${t} at ${state.pcs[t]}`);
      }
    });
  }
  expect(missing).toEqual([]);
  expect(onCycles).toBeGreaterThan(1000);
  expect(leftOut).toBeGreaterThan(100);
});

function reachableFrom({ nodes }: PlainSearch, start: number): ReadonlySet<number> {
  const all = new Set([start]);
  for (const at of all) for (const { to } of nodes[at]!.edges) if (to >= 0) all.add(to);
  return all;
}

test("beside many threads that end, whether one goes on for ever is decided without their interleavings", () => {
  // Sixteen threads count up to three steps of their own, in any order: four billion states.
  const tick = { cls: "tick", locals: [], locations: [location([step(0, [setVar(0, bin("-", num(1), load(0)))])])] };
  const ends = {
    cls: "ends",
    locals: [],
    locations: [location([step(1)]), location([step(2)]), location([step(3)]), location([], { ended: true })],
  };
  const threads = [thread("tick", 0), ...Array.from({ length: 16 }, (_, i) => thread(`ends#${i + 1}`, 1))];
  const weak = threads.map((_, t) => t);
  const everybodyEnds = threads.slice(1).map((_, i) => ({ e: "pc", t: i + 1, locations: [3] }) as const);
  const all = everybodyEnds.reduce((a, b) => bin("&&", a, b) as never);
  const eventually = (expr: typeof all) => ({ t: "eventually", a: { t: "state", expr } }) as const;
  const of = system({
    vars: [variable("n", 0, 1)],
    programs: [tick, ends],
    threads,
    properties: [
      property("all end", { c: "temporal", formula: eventually(all), fairness: { weak, strong: [] } }),
      property("all end if they like", {
        c: "temporal",
        formula: eventually(all),
        fairness: { weak: [0], strong: [] },
      }),
    ],
  });
  const found = check(of, {
    properties: ["all end", "all end if they like"],
    reduction: false,
    timeout: 20,
    memory: Number.POSITIVE_INFINITY,
    workers: 1,
  });
  expect(found).toMatchObject({
    states: 2 * 4 ** 16,
    outcomes: [{ verdict: "holds" }, { verdict: "violated", schedule: { loop: 0 } }],
  });
});
