import { loopSystem, philosophers } from "../../../bench/loop-system.ts";
import { check } from "../../../src/checker/explicit/check.ts";
import { generate } from "../../../src/checker/explicit/codegen.ts";
import { explore } from "../../../src/checker/explicit/explore.ts";
import { layOut, pack } from "../../../src/checker/explicit/layout.ts";
import type { Plan } from "../../../src/checker/explicit/plan.ts";
import { hashCode } from "../../../src/checker/explicit/table-code.ts";
import { initialState } from "../../../src/checker/state-values.ts";
import { Random } from "../../random.ts";
import { everything } from "../search-options.ts";
import { follow } from "./plain-search.ts";
import { randomProtocol } from "./random-locking.ts";
import { randomSystem } from "./random-system.ts";

const LOSSY = /64-bit fingerprints of states were stored/;

test("finds the states and the violations that exact storage finds, with schedules, and proves nothing", async () => {
  let violated = 0;
  for (let seed = 1; seed <= 150; seed++) {
    const r = new Random(seed);
    const system = seed % 3 === 0 ? randomProtocol(seed) : randomSystem(seed, seed % 3 === 1);
    const options = everything(system, { reduction: r.chance(60) });
    const plan: Plan = { transactions: options.reduction && r.chance(50), states: 2000, slice: r.between(1, 30) };
    const exact = await explore(system, options, plan);
    const lossy = await explore(system, { ...options, storage: "fingerprints" }, plan);
    expect(lossy).toMatchObject({ complete: false, method: "bfs, 64-bit fingerprints", reductions: exact.reductions });
    for (const [k, outcome] of lossy.outcomes.entries()) {
      const truth = exact.outcomes.find((o) => o.property === outcome.property)!;
      const where = [seed, k, outcome.property];
      if (outcome.verdict === "violated") {
        violated++;
        expect([...where, truth.verdict]).toEqual([...where, "violated"]);
        expect(follow(system, outcome.schedule.steps)).toBeDefined();
        // Which states deadlock is not worked out in full.
        if (outcome.depthExact) expect(outcome).toEqual(truth);
        continue;
      }
      expect([...where, outcome.verdict]).toEqual([...where, "inconclusive"]);
      const { check } = system.properties.find((p) => p.id === outcome.property)!;
      if (truth.verdict === "violated") expect(["deadlock", "stays-possible", "temporal"]).toContain(check.c);
      else if (truth.verdict !== "inconclusive") expect(outcome).toHaveProperty("reason", expect.stringMatching(LOSSY));
    }
    const { states, transitions, depth, cut } = lossy;
    // With all violated a reduced search ends early, which it does not where deadlocks are not worked out.
    expect([seed, states, transitions, depth, cut]).toEqual([
      seed,
      exact.states,
      exact.transitions,
      exact.depth,
      exact.cut,
    ]);
  }
  expect(violated).toBeGreaterThan(110);
}, 60_000);

test("the probability of a missed state is said, and a deadlock is found", async () => {
  const loop = loopSystem(2, 2, 2);
  const result = await check(loop, everything(loop, { storage: "fingerprints" }));
  expect(result).toMatchObject({ states: 171_081, transitions: 380_596, complete: false });
  // 171081 * 171080 / 2 / 2^64
  expect(result.outcomes).toContainEqual({
    property: "assertions",
    verdict: "inconclusive",
    reason:
      "no violation found among 171081 states, but only 64-bit fingerprints of states were stored: " +
      "some state was missed with a probability of at most 7.9e-10",
  });
  const table = philosophers(8);
  const [deadlock] = (await check(table, everything(table, { storage: "fingerprints" }))).outcomes;
  const [exact] = (await check(table, everything(table))).outcomes;
  expect(deadlock).toEqual({ ...exact, depthExact: false });
}, 60_000);

test("memory that runs out ends it in order", async () => {
  const loop = loopSystem(3, 2, 2);
  const result = await explore(loop, everything(loop, { storage: "fingerprints", memory: 3_000_000 }), {
    transactions: false,
  });
  expect(result.outcomes[0]).toMatchObject({
    verdict: "inconclusive",
    reason: expect.stringMatching(/^memory ran out/),
  });
  expect(result.states).toBeGreaterThan(40_000);
}, 60_000);

test("the two halves of a fingerprint collide as often as random numbers do, and not together", () => {
  // All states of a real graph, as close to each other as states are.
  const system = loopSystem(2, 2, 2);
  const layout = layOut(system);
  const { words } = layout;
  const search = generate(system, layout, { invariants: [], atRest: [], goals: [], masks: false, orbits: [] }).create({
    found: () => {},
    broken: () => {},
    restBroken: () => {},
    stuck: () => {},
    grow: () => false,
  });
  const states = new Int32Array(180_000 * words);
  search.bind({
    room: 180_000,
    states,
    links: new Uint8Array(180_000),
    table: new Int32Array(1 << 18),
    masks: [],
  });
  const root = new Int32Array(words);
  pack(layout, initialState(system), root, 0);
  search.root(root);
  while (search.next() < search.count()) {
    search.setLevelEnd(search.count());
    expect(search.run(1e9)).toBe(true);
  }
  const count = search.count();
  const hash = new Function("b", "q", `const {imul}=Math;${hashCode(words)}return [h>>>0,g>>>0];`);
  const [first, second, both, low] = [new Set(), new Set(), new Set(), new Set()];
  for (let i = 0; i < count; i++) {
    const [h, g] = hash(states, i * words);
    first.add(h);
    second.add(g);
    both.add(h * 2 ** 20 + (g >>> 12));
    // Of 28 bits taken from both halves, 54 pairs of 171,081 numbers are expected to collide.
    low.add(((h & 0x3fff) << 14) | (g & 0x3fff));
  }
  expect(count).toBe(171_081);
  // 3.4 are expected of 32 bits; 12 or more come up once in four thousand times.
  expect(count - first.size).toBeLessThan(12);
  expect(count - second.size).toBeLessThan(12);
  expect(both.size).toBe(count);
  expect(count - low.size).toBeGreaterThan(25);
  expect(count - low.size).toBeLessThan(90);
}, 30_000);
