import { explore, replay } from "../../../src/checker/reference/index.ts";
import { check, declared, variableOrder } from "../../../src/checker/symbolic/check.ts";
import type { Exploration, SearchOptions } from "../../../src/checker/verdict.ts";
import { lower } from "../../../src/spec/lowering/lower.ts";
import type { SysExpr, SysThread, TransitionSystem } from "../../../src/spec/transition-system.ts";
import { randomProgram } from "../../random-program.ts";
import { follow, PlainSearch } from "../explicit/plain-search.ts";
import { randomSystem } from "../explicit/random-system.ts";
import {
  action,
  bin,
  eq,
  load,
  location,
  loopProtocol,
  num,
  philosophers,
  property,
  SITE,
  self,
  setVar,
  step,
  system,
  thread,
  variable,
} from "./systems.ts";

function options(of: TransitionSystem, more: Partial<SearchOptions> = {}): SearchOptions {
  return {
    properties: of.properties.map((p) => p.id),
    reduction: false,
    timeout: Number.POSITIVE_INFINITY,
    memory: Number.POSITIVE_INFINITY,
    workers: 1,
    ...more,
  };
}

describe("known state spaces", () => {
  test.each([
    ["S5", 2, 2, 2, 171_081, 380_596],
    ["S6", 3, 2, 2, 1_176_649, 2_709_600],
    ["S7", 3, 2, 3, 7_498_696, 17_456_232],
    ["S8", 5, 2, 2, 45_062_265, 107_075_928],
    ["ten openers", 10, 2, 2, 262_548_823_305, 640_468_729_748],
  ])("the loop protocol %s", (_, openers, ioctls, rounds, states, transitions) => {
    const loop = loopProtocol(openers, ioctls, rounds);
    const found = check(loop, options(loop));
    expect(found).toMatchObject({ engine: "symbolic", complete: true, states, transitions, cut: {} });
  });

  test.each([
    [10, 154_450, 1_116_130],
    [13, 5_564_522, 52_275_613],
  ])("%i philosophers, whatever the order of the variables", (n, states, transitions) => {
    const table = philosophers(n);
    expect(check(table, options(table))).toMatchObject({ states, transitions });
    expect(check(table, options(table), declared(table))).toMatchObject({ states, transitions });
  });

  test("more states than a number can count are told in words", () => {
    const table = philosophers(40);
    const found = check(table, options(table));
    expect(found).toMatchObject({ complete: true, states: null, transitions: null });
    // The trace of the n-th power of a philosopher's transfer matrix, whose recurrence this is; less 1.
    let [before, count] = [2n, 3n];
    for (let n = 1; n < 40; n++) [before, count] = [count, 3n * count + before];
    expect(found.method).toContain(`, ${count - 1n} states, `);
  });

  test("the order keeps each philosopher beside a fork of his", () => {
    const table = philosophers(8);
    const order = variableOrder(table).order.flat();
    expect(order).toHaveLength(17);
    const at = (k: number) => order[(k + order.length) % order.length]!;
    const beside = order.filter((c, k) => {
      if (c.of !== "pc") return false;
      const near = [at(k - 2), at(k - 1), at(k + 1), at(k + 2)];
      return near.some((x) => x.of === "element" && [c.thread, (c.thread + 1) % 8].includes(x.index));
    });
    expect(beside.length).toBeGreaterThanOrEqual(7);
  });
});

test("a variable of 2^31 values costs no more than those that occur, wherever they are assigned", () => {
  const huge = (v: number) => ({ ...variable(`v${v}`, 0, 2 ** 31 - 1), init: [v * 1_000_000_007] });
  const copy = (from: number, to: number) => ({
    cls: `copy${to}`,
    locals: [],
    locations: [location([step(0, [setVar(to, load(from))])])],
  });
  const parts = { vars: [huge(0), huge(1)], threads: [thread("up", 0), thread("down", 1)] };
  const both = system({ ...parts, programs: [copy(0, 1), copy(1, 0)] });
  expect(check(both, options(both))).toMatchObject({ complete: true, states: 3, transitions: 6 });
});

describe("random systems agree with plain enumeration", () => {
  const LIMIT = 400;
  const CHUNK = 100;
  const seen = { violated: 0, holds: 0, vacuous: 0, inconclusive: 0 };

  test.each([0, 1, 2, 3, 4, 5])("part %i", (part) => {
    for (let seed = part * CHUNK; seed < (part + 1) * CHUNK; seed++) {
      const random = withHandlersOnTop(randomSystem(seed));
      const plain = new PlainSearch(random, LIMIT);
      if (!plain.complete) continue;
      const orders = seed % 2 === 0 ? [undefined] : [declared(random), reversed(random)];
      for (const order of orders) {
        const found = check(random, options(random), order);
        expect({ seed, states: found.states, transitions: found.transitions, cut: found.cut }).toEqual({
          seed,
          states: plain.states,
          transitions: plain.transitions,
          cut: plain.cut,
        });
        random.properties.forEach((p, i) => {
          const outcome = found.outcomes[i]!;
          const truth = plain.truth(p);
          expect({ seed, property: p.id, verdict: outcome.verdict }).toEqual({
            seed,
            property: p.id,
            verdict: truth.verdict,
          });
          seen[outcome.verdict]++;
          if (outcome.verdict !== "violated") return;
          const { steps } = outcome.schedule;
          expect({ seed, property: p.id, depth: steps.length }).toEqual({ seed, property: p.id, depth: truth.depth });
          expect(truth.kinds).toContain(outcome.finding.kind);
          expect(follow(random, steps)).toBeDefined();
        });
      }
    }
  });

  afterAll(() => {
    for (const n of Object.values(seen)) expect(n).toBeGreaterThan(20);
  });
});

/** With the random systems above these are a thousand. */
const SEEDS = Number(process.env.LOCKSTEP_SEEDS ?? 400);

test("random protocols, lowered, agree with the reference interpreter, and every schedule replays", () => {
  let compared = 0;
  for (let seed = 1000; seed < 1000 + SEEDS; seed++) {
    const program = randomProgram(seed);
    const properties = program.properties.map((p) => p.id);
    const expected = explore(program, { properties, maxStates: 1500 });
    if (!expected.complete) continue;
    compared++;
    const lowered = lower(program);
    const found = check(lowered, options(lowered, { properties }));
    const summary = (e: Exploration) => ({
      seed,
      states: e.states,
      transitions: e.transitions,
      cut: e.cut,
      verdicts: e.outcomes.map((o) => [o.property, o.verdict, "schedule" in o ? o.schedule?.steps.length : 0]),
    });
    expect(summary(found)).toEqual(summary(expected));
    for (const o of found.outcomes) {
      if (o.verdict === "violated") expect(replay(program, o.schedule, o.property)).toMatchObject({ violates: true });
    }
  }
  expect(compared).toBeGreaterThan(SEEDS * 0.6);
}, 120_000);

describe("verdicts", () => {
  const held = (v: number) => ({ wait: { on: "lock", holder: load(v) } });
  const free = (v: number) => eq(load(v), 0);
  const end = location([], { ended: true });
  const deadlock = property("deadlock", { c: "deadlock" });
  const take = (v: number, to: number) => step(to, [setVar(v, self)], free(v));

  /** Each program takes two locks, gives both back and ends. */
  const locker = (cls: string, first: number, second: number) => ({
    cls,
    locals: [],
    locations: [
      location([take(first, 1)], held(first)),
      location([take(second, 2)], held(second)),
      location([step(3, [setVar(first, num(0)), setVar(second, num(0))])]),
      end,
    ],
  });

  test("two locks in opposite order deadlock in two steps, in the same order never", () => {
    const parts = { vars: [variable("a", 0, 2), variable("b", 0, 2)], properties: [deadlock] };
    const threads = [thread("one", 0), thread("two", 1)];
    const abba = system({ ...parts, threads, programs: [locker("one", 0, 1), locker("two", 1, 0)] });
    const [outcome] = check(abba, options(abba)).outcomes;
    expect(outcome).toMatchObject({ verdict: "violated", depthExact: true, finding: { kind: "deadlock", thread: 0 } });
    expect(outcome).toMatchObject({ schedule: { steps: [{ action: 0 }, { action: 0 }] } });
    expect(outcome).toHaveProperty("finding.message", "one waits for lock held by two; two waits for lock held by one");
    const ordered = system({ ...parts, threads, programs: [locker("one", 0, 1), locker("two", 0, 1)] });
    expect(check(ordered, options(ordered)).outcomes).toEqual([{ property: "deadlock", verdict: "holds" }]);
  });

  test("who waits for himself is told from who waits while others go on", () => {
    const clock = {
      cls: "clock",
      locals: [],
      locations: [location([step(0, [setVar(1, bin("-", num(1), load(1)))])])],
    };
    const vars = [variable("a", 0, 2), variable("tick", 0, 1)];
    const again = {
      cls: "again",
      locals: [],
      locations: [location([take(0, 1)]), location([take(0, 2)], held(0)), end],
    };
    const own = system({
      vars,
      programs: [again, clock],
      threads: [thread("x", 0), thread("c", 1)],
      properties: [deadlock],
    });
    expect(check(own, options(own)).outcomes[0]).toMatchObject({ finding: { kind: "self-deadlock", thread: 0 } });
    const gone = {
      cls: "gone",
      locals: [],
      locations: [location([step(1, [], eq(load(0), 1))], { wait: { on: "a wake-up" } }), end],
    };
    const lost = system({
      vars,
      programs: [gone, clock],
      threads: [thread("x", 0), thread("c", 1)],
      properties: [deadlock],
    });
    expect(check(lost, options(lost)).outcomes[0]).toMatchObject({ finding: { kind: "partial-deadlock", thread: 0 } });
  });

  test("the thread to blame is one whose whole chain of waiting is closed", () => {
    // The first waits for the second, who waits for the third, who goes round for ever; the last waits for nobody.
    const tick = setVar(2, bin("-", num(1), load(2)));
    const programs = [
      { cls: "first", locals: [], locations: [location([take(0, 1)], held(0)), end] },
      { cls: "second", locals: [], locations: [location([take(1, 1)], held(1)), end] },
      { cls: "third", locals: [], locations: [location([step(0, [tick])])] },
      {
        cls: "last",
        locals: [],
        locations: [location([step(1, [], eq(load(2), 2))], { wait: { on: "a wake-up" } }), end],
      },
    ];
    const threads = programs.map((p, i) => thread(p.cls, i));
    const vars = [variable("a", 0, 4, [2]), variable("b", 0, 4, [3]), variable("tick", 0, 2)];
    const all = system({ vars, programs, threads, properties: [deadlock] });
    const finding = { kind: "partial-deadlock", thread: 3 };
    expect(check(all, options(all)).outcomes[0]).toMatchObject({
      verdict: "violated",
      finding,
      schedule: { steps: [] },
    });
  });

  test("an idle action waits until nobody else can move", () => {
    const sleeper = {
      cls: "sleeper",
      locals: [],
      locations: [location([action({ ops: [], end: { k: "goto", location: 1 } }, undefined, { idle: true })]), end],
    };
    const counter = {
      cls: "counter",
      locals: [],
      locations: [
        location([step(0, [setVar(0, bin("+", load(0), num(1)))], bin("<", load(0), num(3)))], {
          wait: { on: "", resting: num(1) },
        }),
      ],
    };
    const patient = property("patient", {
      c: "invariant",
      expr: bin("||", eq(load(0), 3), { e: "pc", t: 0, locations: [0] }),
    });
    const threads = [thread("sleeper", 0), thread("counter", 1)];
    const both = system({ vars: [variable("n", 0, 3)], programs: [sleeper, counter], threads, properties: [patient] });
    expect(check(both, options(both))).toMatchObject({ states: 5, transitions: 4, outcomes: [{ verdict: "holds" }] });
  });

  test("a model error makes everything inconclusive and shows where", () => {
    const fault = { kind: "model-error", message: "the pool is too small", error: true, site: SITE, fn: "f" } as const;
    const program = {
      cls: "p",
      locals: [],
      locations: [location([step(1)]), location([action({ ops: [], end: { k: "error", f: 0 } })])],
    };
    const bad = system({ programs: [program], threads: [thread("t", 0)], findings: [fault], properties: [deadlock] });
    expect(check(bad, options(bad))).toMatchObject({
      states: 3,
      transitions: 2,
      cut: { "model-error": 1 },
      outcomes: [
        {
          verdict: "inconclusive",
          reason: "the model is at fault: the pool is too small",
          finding: { kind: "model-error" },
          schedule: { steps: [{ thread: 0 }, { thread: 0 }] },
        },
      ],
    });
  });
});

describe("budgets", () => {
  const table = { ...philosophers(13), properties: [property("deadlock", { c: "deadlock" })] };

  test("a memory budget ends the search with the levels that hold the nodes", () => {
    const found = check(table, options(table, { memory: 84 * 300 }));
    expect(found).toMatchObject({ complete: false, states: null, transitions: null });
    expect(found.outcomes).toHaveLength(1);
    expect(found.outcomes[0]).toMatchObject({ verdict: "inconclusive" });
    expect(found.outcomes[0]).toHaveProperty(
      "reason",
      expect.stringMatching(
        /^memory ran out with \d+ nodes .* most of them for (philosopher#\d+|forks\[\d+\]|eating) \(\d+\), .*--engine explicit$/,
      ),
    );
  });

  test("a small table that is collected again and again gives the same answers", () => {
    const loop = loopProtocol(5, 2, 2);
    const poor = check(loop, options(loop, { memory: 84 * 3500 }));
    expect(poor).toMatchObject({ complete: true, states: 45_062_265, transitions: 107_075_928 });
  });

  test("no time at all ends it before it begins", () => {
    const found = check(table, options(table, { timeout: -1 }));
    expect(found).toMatchObject({ complete: false, states: null, outcomes: [{ verdict: "inconclusive" }] });
    expect(found.outcomes[0]).toHaveProperty("reason", expect.stringContaining("time ran out while the variables"));
  });

  test("a time budget ends the search", () => {
    const found = check(table, options(table, { timeout: 0.2 }), declared(table));
    expect(found.complete).toBe(false);
    expect(found.seconds).toBeLessThan(5);
    expect(found.outcomes[0]).toHaveProperty("reason", expect.stringContaining("time ran out"));
  });
});

/** Threads are kept off their CPU by the handlers that run on it, as the lowering puts it. */
function withHandlersOnTop(of: TransitionSystem): TransitionSystem {
  const midRun = (h: number): SysExpr => {
    const { program, initialLocation } = of.threads[h]!;
    const locations = of.programs[program]!.locations.flatMap((l, i) => (l.ended || i === initialLocation ? [] : [i]));
    return { e: "pc", t: h, locations };
  };
  const threads = of.threads.map((x, t): SysThread => {
    const above = of.threads.flatMap((o, h) => {
      const interrupts = o.kind === "hardirq" ? x.kind !== "hardirq" : o.kind === "softirq" && x.kind !== "softirq";
      return h !== t && o.cpu === x.cpu && interrupts && x.kind !== "hardirq" ? [midRun(h)] : [];
    });
    if (x.keptOff !== undefined || above.length === 0) return x;
    return { ...x, keptOff: above.reduce((a, b) => bin("||", a, b)) };
  });
  return { ...of, threads };
}

function reversed(of: TransitionSystem) {
  const order = [...declared(of).order].reverse();
  return { order, method: "reversed" };
}
