/** Ways to states of a set: shortest where rings can be had from either end, real wherever. */
import { check, declared } from "../../../src/checker/symbolic/check.ts";
import { ReachableStates } from "../../../src/checker/symbolic/reachable-states.ts";
import { Schedules } from "../../../src/checker/symbolic/schedules.ts";
import type { Outcome, ScheduleStep, SearchOptions } from "../../../src/checker/verdict.ts";
import type { TransitionSystem } from "../../../src/spec/transition-system.ts";
import { follow, PlainSearch } from "../explicit/plain-search.ts";
import { randomSystem } from "../explicit/random-system.ts";
import { bin, eq, load, location, num, property, setVar, step, system, thread, variable } from "./systems.ts";

const OPTIONS: SearchOptions = {
  properties: ["never"],
  reduction: false,
  timeout: 60,
  memory: Number.POSITIVE_INFINITY,
  workers: 1,
};
const BYTES_PER_NODE = 84;

/** Counters that count up to their limits, in any order; a state with `values` is never to be. */
function counters(limits: readonly number[], values: readonly number[]): TransitionSystem {
  const never = values.map((v, i) => bin("!=", load(i), num(v))).reduce((a, b) => bin("||", a, b));
  return system({
    vars: limits.map((n, i) => variable(`n${i}`, 0, n)),
    programs: limits.map((n, i) => ({
      cls: `counter${i}`,
      locals: [],
      locations: [
        location([step(0, [setVar(i, bin("+", load(i), num(1)))], bin("<", load(i), num(n)))], {
          wait: { on: "", resting: eq(load(i), n) },
        }),
      ],
    })),
    threads: limits.map((_, i) => thread(`counter${i}`, i)),
    properties: [
      property("never", { c: "invariant", expr: never }),
      property("never, as a formula", {
        c: "temporal",
        formula: { t: "always", a: { t: "state", expr: never } },
        fairness: { weak: [], strong: [] },
      }),
    ],
  });
}

function stepsOf(outcome: Outcome | undefined): readonly ScheduleStep[] {
  return outcome?.verdict === "violated" ? outcome.schedule.steps : [];
}

describe("many counters, whose rings have no structure although all states together have", () => {
  const LIMITS = [300, 40, 40, 40, 40, 40, 40, 40];
  const memory = BYTES_PER_NODE * 40_000;
  test("a state that only few states lead to is found from behind, in the fewest steps", () => {
    const one = counters(LIMITS, [300, 0, 0, 0, 0, 0, 0, 0]);
    const [outcome] = check(one, { ...OPTIONS, memory }).outcomes;
    expect(outcome).toMatchObject({ verdict: "violated", depthExact: true });
    const steps = stepsOf(outcome);
    expect(steps).toHaveLength(300);
    expect(steps.every((s) => s.thread === 0)).toBe(true);
  });

  test("where rings are too much from both ends there is a schedule all the same", () => {
    const all = counters(LIMITS, LIMITS);
    const [outcome] = check(all, { ...OPTIONS, memory }).outcomes;
    expect(outcome).toMatchObject({ verdict: "violated", depthExact: false });
    const steps = stepsOf(outcome);
    expect(follow(all, steps)?.state?.vars.flat()).toEqual(LIMITS);
    // There are no detours here.
    expect(steps).toHaveLength(580);
  });
});

test("so it is with what leads to a loop", () => {
  const limits = [60, 20, 20, 20, 20, 20];
  const all = counters(limits, limits);
  const options = { ...OPTIONS, properties: ["never, as a formula"], memory: BYTES_PER_NODE * 12_000 };
  const [outcome] = check(all, options).outcomes;
  expect(outcome).toMatchObject({ verdict: "violated", depthExact: false, schedule: { loop: 160 } });
  const steps = stepsOf(outcome);
  expect(steps).toHaveLength(160);
  expect(follow(all, steps)?.state?.vars.flat()).toEqual(limits);
});

test("random systems: ways by levels lead where they should, whether rings of few nodes are of use or not", () => {
  const wrong: string[] = [];
  let ways = 0;
  let longer = 0;
  for (let seed = 0; seed < 200; seed++) {
    const random = randomSystem(seed);
    const plain = new PlainSearch(random, 150);
    if (!plain.complete) continue;
    const reached = new ReachableStates(random, declared(random), {
      memory: Number.POSITIVE_INFINITY,
      deadline: Number.POSITIVE_INFINITY,
    });
    reached.explore();
    for (const mostNodes of [0, 40]) {
      const schedules = new Schedules(reached, mostNodes);
      for (let n = 0; n < plain.nodes.length; n += 4) {
        const { state, depth } = plain.nodes[n]!;
        const vector = reached.vector.vector(state);
        const way = schedules.toByLevels(reached.store.vector(vector));
        ways++;
        if (way.steps.length > depth) longer++;
        const end = follow(random, way.steps)?.state ?? undefined;
        if (end === undefined || plain.find(end) !== n || way.steps.length < depth || way.shortest) {
          wrong.push(`seed ${seed}, state ${n}`);
        }
      }
    }
  }
  expect(wrong).toEqual([]);
  expect(ways).toBeGreaterThan(1000);
  expect(longer).toBeGreaterThan(0);
});
