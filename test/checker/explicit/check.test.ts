import { endlessLoop } from "../../../bench/endless-systems.ts";
import {
  act,
  at,
  bin,
  system as buildSystem,
  deadlock,
  ended,
  goTo,
  load,
  loopSystem,
  num,
  philosophers,
  self,
  set,
  variable,
} from "../../../bench/loop-system.ts";
import { check } from "../../../src/checker/explicit/check.ts";
import { explore } from "../../../src/checker/explicit/explore.ts";
import type { Exploration, SearchOptions } from "../../../src/checker/verdict.ts";
import type { SysLocation, SysProperty, TransitionSystem } from "../../../src/spec/transition-system.ts";
import { everything } from "../search-options.ts";
import { compareOutcomes } from "./compare-outcomes.ts";
import { follow, PlainSearch } from "./plain-search.ts";
import { randomSystem } from "./random-system.ts";

function run(system: TransitionSystem, options: Partial<SearchOptions> = {}): Promise<Exploration> {
  return check(system, { ...everything(system), ...options });
}

/** Compares an exploration of the full graph with what plain enumeration says. */
async function compare(system: TransitionSystem, plain: PlainSearch): Promise<void> {
  const result = await run(system);
  const { states, transitions, depth, cut, complete, reductions } = result;
  expect({ states, transitions, depth, cut, complete, reductions }).toEqual({
    states: plain.states,
    transitions: plain.transitions,
    depth: plain.depth,
    cut: plain.cut,
    complete: true,
    reductions: [],
  });
  compareOutcomes(system, plain, result);
}

describe("the explicit engine", () => {
  test("agrees with plain enumeration on random systems", async () => {
    let explored = 0;
    const verdicts: Record<string, number> = {};
    for (let seed = 1; seed <= 700; seed++) {
      const system = randomSystem(seed);
      const plain = new PlainSearch(system, 250);
      if (!plain.complete) continue;
      explored++;
      try {
        await compare(system, plain);
      } catch (error) {
        throw new Error(`seed ${seed}: ${(error as Error).message}`);
      }
      for (const p of system.properties) {
        const key = `${p.id} ${plain.truth(p).verdict}`;
        verdicts[key] = (verdicts[key] ?? 0) + 1;
      }
    }
    // The comparison means something only if every verdict of every property comes up.
    expect(explored).toBeGreaterThan(450);
    for (const verdict of ["deadlock holds", "deadlock violated", "deadlock inconclusive", "again inconclusive"]) {
      expect([verdict, (verdicts[verdict] ?? 0) > 0]).toEqual([verdict, true]);
    }
    for (const id of ["errors", "ebusy", "invariant", "rest", "again", "there", "deadlock"]) {
      for (const verdict of ["holds", "violated", "vacuous"]) {
        expect([`${id} ${verdict}`, verdicts[`${id} ${verdict}`]! > 0]).toEqual([`${id} ${verdict}`, true]);
      }
    }
  }, 120_000);

  test("counts the orbits of identical threads", async () => {
    const system = loopSystem(2, 2, 2);
    const result = await explore(system, { ...everything(system), reduction: true }, { transactions: false });
    expect(result).toMatchObject({ states: 45_636, complete: true, reductions: ["symmetry"] });
  }, 60_000);

  test("grows with the number of identical threads as a straight line", async () => {
    for (const n of [5, 14, 28]) {
      const system = endlessLoop(n, 2);
      const options = { ...everything(system), reduction: true };
      const one = await explore(system, options, { transactions: false });
      expect(one).toMatchObject({ states: 99 * n + 21, reductions: ["symmetry"], complete: true });
      const both = await explore(system, options, { transactions: true });
      expect(both).toMatchObject({ states: 15 * n + 3, reductions: ["symmetry", "transactions"], complete: true });
      for (const { outcomes } of [one, both]) expect(outcomes.map((o) => o.verdict)).toEqual(["holds", "holds"]);
    }
    // Who can still move is not asked: then there is no limit.
    const many = endlessLoop(40, 2);
    const options = { ...everything(many), reduction: true, properties: ["assertions"] };
    expect(await explore(many, options, { transactions: true })).toMatchObject({ states: 603, complete: true });
  }, 60_000);

  test("exchanges threads whose bits are in different words", async () => {
    const [a, b] = [0, 1];
    const take = (lock: number, to: number): SysLocation =>
      at("lock", [act(bin("==", load(lock), num(0)), goTo(to, set(lock, self)))], [], { on: "it", holder: load(lock) });
    const give = (lock: number, to: number): SysLocation => at("unlock", [act(undefined, goTo(to, set(lock, num(0))))]);
    const order = (first: number, second: number) => [
      take(first, 1),
      take(second, 2),
      give(second, 3),
      give(first, 4),
      ended,
    ];
    const locks = ["a", "b"].map((name) => variable(name, 0, 40, { of: "thread" }));
    const again: SysProperty = {
      ...deadlock,
      id: "again",
      check: { c: "stays-possible", expr: { e: "not", a: load(a) } },
    };
    const programs = [order(a, b), order(b, a)].map((locations, p) => ({ cls: `c${p}`, locals: [], locations }));
    const make = (threads: number[], ...properties: SysProperty[]) =>
      buildSystem("many", { vars: locks, programs, threads, properties });
    // The first 19 and the last 19 take them one way, the two in the middle the other.
    const threads = Array.from({ length: 40 }, (_, t) => (t === 19 || t === 20 ? 1 : 0));
    const crossed = make(threads, deadlock, again);
    for (const transactions of [false, true]) {
      const result = await explore(crossed, { ...everything(crossed), reduction: true }, { transactions });
      expect(result).toMatchObject({ complete: true });
      expect(result.reductions).toContain("symmetry");
      for (const outcome of result.outcomes) {
        expect(outcome).toMatchObject({ verdict: "violated", schedule: { steps: { length: 2 } } });
        if (outcome.verdict !== "violated") continue;
        const reached = follow(crossed, outcome.schedule.steps)!;
        expect([reached.state!.vars[a]![0], reached.state!.vars[b]![0]]).not.toContain(0);
      }
    }
    const agreed = make(
      threads.map(() => 0),
      deadlock,
      again,
    );
    const result = await explore(agreed, { ...everything(agreed), reduction: true }, { transactions: false });
    expect(result.outcomes.map((o) => o.verdict)).toEqual(["holds", "holds"]);
    // Nobody holds a lock, or one thread is in one of three places; the others wait or have ended. The first thirty
    // threads are exchanged, and the other ten.
    expect(result.states).toBe(31 * 11 + 3 * 30 * 11 + 3 * 31 * 10);
  }, 60_000);

  test("counts what the peers count", async () => {
    expect(await run(loopSystem(2, 2, 2))).toMatchObject({ states: 171_081, transitions: 380_596, complete: true });
    const table = await run(philosophers(10));
    expect(table).toMatchObject({ states: 154_450, transitions: 1_116_130 });
    expect(table.outcomes[0]).toMatchObject({ verdict: "violated", finding: { kind: "deadlock" }, depthExact: true });
  }, 60_000);

  test("says how far it got when time or memory runs out", async () => {
    const system = loopSystem(3, 2, 2);
    const late = await run(system, { timeout: 0 });
    expect(late.complete).toBe(false);
    expect(late.outcomes).toContainEqual(
      expect.objectContaining({ verdict: "inconclusive", reason: expect.stringMatching(/^time ran out: \d+ states/) }),
    );
    const full = await run(system, { memory: 1_000_000 });
    expect(full.complete).toBe(false);
    expect(full.outcomes).toContainEqual(
      expect.objectContaining({ verdict: "inconclusive", reason: expect.stringMatching(/^memory ran out/) }),
    );
  }, 60_000);
});
