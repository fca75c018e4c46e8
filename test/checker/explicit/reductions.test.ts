/**
 * Each reduction by itself, and both, on a thousand random systems where it has something to reduce: verdicts are those
 * of plain enumeration, schedules are real, and the stored states are those that they should be.
 */
import { bin, load, loopSystem, num, self, site } from "../../../bench/loop-system.ts";
import { check } from "../../../src/checker/explicit/check.ts";
import { explore } from "../../../src/checker/explicit/explore.ts";
import { layOut, pack, unpack } from "../../../src/checker/explicit/layout.ts";
import type { Inspected } from "../../../src/checker/explicit/plan.ts";
import { reductionsFor } from "../../../src/checker/explicit/reductions.ts";
import { compareStates, verifyReductions } from "../../../src/checker/explicit/verify-reductions.ts";
import type { SysExpr, SysProgram, SysProperty, TransitionSystem } from "../../../src/spec/transition-system.ts";
import { everything } from "../search-options.ts";
import { compareOutcomes } from "./compare-outcomes.ts";
import { PlainSearch } from "./plain-search.ts";
import { randomLocking, randomProtocol } from "./random-locking.ts";
import { randomSystem } from "./random-system.ts";

/** Systems compared for each reduction. */
const ENOUGH = Number(process.env.LOCKSTEP_SEEDS ?? 1000);
const FIRST = Number(process.env.LOCKSTEP_FIRST ?? 1);
/** States of a system at most. */
const MOST_STATES = 200;

const WAYS = {
  symmetry: { symmetry: true, transactions: false },
  transactions: { symmetry: false, transactions: true },
  both: { symmetry: true, transactions: true },
};

function make(seed: number): TransitionSystem {
  if (seed % 6 === 0) return randomProtocol(seed);
  if (seed % 6 === 1) return randomSystem(seed, true);
  return randomLocking(seed, seed % 6 !== 2);
}

/** The whole graph as plain enumeration finds it. */
function wholeGraph(system: TransitionSystem, plain: PlainSearch): Inspected {
  const layout = layOut(system);
  const words = (k: number): Int32Array => {
    const packed = new Int32Array(layout.words);
    pack(layout, plain.nodes[k]!.state, packed, 0);
    return packed;
  };
  const has = (packed: Int32Array): boolean => plain.find(unpack(layout, packed, 0)) !== undefined;
  return {
    search: { count: plain.nodes.length, words, has },
    layout,
    reductions: { orbits: [], internal: [], off: [] },
  };
}

test("symmetry, transactions and both agree with the unreduced graph on a thousand random systems each", async () => {
  const compared = { symmetry: 0, transactions: 0, both: 0 };
  const smaller = { symmetry: 0, transactions: 0, both: 0 };
  const verdicts: Record<string, number> = {};
  let shorter = 0;
  for (let seed = FIRST; Math.min(...Object.values(compared)) < ENOUGH; seed++) {
    const system = make(seed);
    const plain = new PlainSearch(system, MOST_STATES);
    if (!plain.complete) continue;
    // All properties in one search, or one for itself, whose reductions may be larger.
    const one = system.properties[seed % system.properties.length]!;
    const asked = seed % 3 === 0 ? [one] : system.properties;
    const options = { ...everything(system), properties: asked.map((p) => p.id) };
    try {
      for (const [name, wished] of Object.entries(WAYS) as [keyof typeof WAYS, (typeof WAYS)["both"]][]) {
        const { orbits, internal } = reductionsFor(system, asked, wished);
        if ((wished.symmetry && orbits.length === 0) || (wished.transactions && internal.length === 0)) continue;
        if (compared[name] >= ENOUGH) continue;
        let reduced: Inspected | undefined;
        const inspect = (found: Inspected): void => {
          reduced = found;
        };
        const how = { transactions: wished.transactions, inspect };
        const result = await explore(system, { ...options, reduction: wished.symmetry }, how);
        expect(result.complete).toBe(true);
        compareOutcomes(system, plain, result, wished.transactions);
        expect(compareStates(system, wholeGraph(system, plain), reduced!)).toBeUndefined();
        compared[name]++;
        if (result.states! < plain.states) smaller[name]++;
        for (const o of result.outcomes) {
          const key = `${name}: ${o.property} ${o.verdict}`;
          verdicts[key] = (verdicts[key] ?? 0) + 1;
        }
        if (!wished.transactions || seed % 4 !== 0) continue;
        // What the user sees has the shortest schedules again.
        const seen = await check(system, { ...options, reduction: true });
        compareOutcomes(system, plain, seen);
        for (const o of result.outcomes) {
          const again = seen.outcomes.find((x) => x.property === o.property)!;
          if (o.verdict !== "violated" || again.verdict !== "violated") continue;
          if (again.schedule.steps.length < o.schedule.steps.length) shorter++;
        }
      }
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}`);
    }
  }
  if (process.env.LOCKSTEP_SEEDS !== undefined) console.log({ compared, smaller, shorter, verdicts });
  expect(compared).toEqual({ symmetry: ENOUGH, transactions: ENOUGH, both: ENOUGH });
  for (const count of Object.values(smaller)) expect(count).toBeGreaterThan(ENOUGH * 0.6);
  expect(shorter).toBeGreaterThan(ENOUGH / 200);
  for (const name of Object.keys(WAYS)) {
    for (const id of ["errors", "ebusy", "invariant", "rest", "again", "deadlock"]) {
      for (const verdict of ["holds", "violated", "vacuous"]) {
        expect([`${name}: ${id} ${verdict}`, verdicts[`${name}: ${id} ${verdict}`]! > 0]).toEqual([
          `${name}: ${id} ${verdict}`,
          true,
        ]);
      }
    }
    for (const id of ["again", "deadlock"]) expect(verdicts[`${name}: ${id} inconclusive`]).toBeGreaterThan(0);
  }
}, 600_000);

describe("the checking mode", () => {
  const options = (system: TransitionSystem) => ({ ...everything(system), reduction: true });

  test("compares the states of the loop protocol", async () => {
    const system = loopSystem(2, 1, 2);
    const { whole, differences, compared } = await verifyReductions(system, options(system));
    expect(differences).toEqual([]);
    expect(whole).toMatchObject({ complete: true, reductions: [], method: "bfs without reductions" });
    expect(compared).toBeGreaterThan(whole.states!);
  });

  test("finds what a wrong reduction loses and what it makes up", async () => {
    const right = loopSystem(2, 1, 1);
    const inspected = async (system: TransitionSystem, reduction: boolean): Promise<Inspected> => {
      let found: Inspected | undefined;
      const inspect = (f: Inspected): void => {
        found = f;
      };
      await explore(system, { ...everything(system), reduction }, { transactions: reduction, inspect });
      return found!;
    };
    // An opener that never comes to its second round.
    const opener = right.programs[0]!;
    const locations = opener.locations.map((l, k) => (k === 5 ? { ...l, actions: [] } : l));
    const lazy = { ...right, programs: [{ ...opener, locations }, right.programs[1]!] };
    const whole = await inspected(right, false);
    expect(compareStates(right, whole, await inspected(right, true))).toBeUndefined();
    expect(compareStates(right, whole, await inspected(lazy, true))).toMatch(
      /^it lacks a state of the whole graph in which no thread is inside a transaction \(opener#1 at mutex_lock in f/,
    );
    expect(compareStates(right, await inspected(lazy, false), await inspected(right, true))).toMatch(
      /^it has a state that the whole graph has not/,
    );
  });
});

describe("what is not reduced, and why", () => {
  const both = { symmetry: true, transactions: true };
  const offIn = (system: TransitionSystem, properties: readonly SysProperty[] = system.properties) =>
    reductionsFor(system, properties, both).off;
  const about = { kind: "invariant" as const, message: "", trigger: { marks: [], what: "" }, site };

  test("nothing to say where all is used, or none was wished for", () => {
    const system = loopSystem(2, 1, 1);
    expect(offIn(system)).toEqual([]);
    const named = { ...about, id: "named", check: { c: "invariant" as const, expr: at0 } };
    expect(reductionsFor(system, [named], { symmetry: false, transactions: false }).off).toEqual([]);
  });

  test("a property that names a thread, a place in the model, a thread as a number", () => {
    const system = loopSystem(2, 1, 1);
    const named = { ...about, id: "opener-1-waits", check: { c: "invariant" as const, expr: at0 } };
    const tells = (what: string) => [
      { reduction: "symmetry", reason: `opener#1 and opener#2 are not exchanged: ${what} tells them apart` },
    ];
    expect(offIn(system, [named])).toEqual(tells("opener-1-waits"));
    const change = (guard: SysExpr): TransitionSystem => {
      const [opener, ioctl] = system.programs as [SysProgram, SysProgram];
      const first = { ...opener.locations[0]!, actions: [{ ...opener.locations[0]!.actions[0]!, guard }] };
      return { ...system, programs: [{ ...opener, locations: [first, ...opener.locations.slice(1)] }, ioctl] };
    };
    expect(offIn(change(at0), [])).toEqual(tells("bench/loop-system.ts:1"));
    expect(offIn(change(bin("<", self, num(2))), [])).toEqual(tells("bench/loop-system.ts:1"));
    const threads = system.threads.map((t, k) => (k === 1 ? { ...t, initialLocation: 5 } : t));
    expect(offIn({ ...system, threads }, [])).toEqual([
      { reduction: "symmetry", reason: "opener#1 and opener#2 are not exchanged: they start differently" },
    ]);
  });

  test("a property that sees every step, and more threads than a word has bits", () => {
    const system = loopSystem(1, 1, 1);
    const locations = system.programs.map((p) => p.locations.map((_, l) => l).filter((l) => l % 2 === 0));
    const odd = system.threads
      .map((thread, t): SysExpr => ({ e: "pc", t, locations: locations[thread.program]! }))
      .reduce((a, b) => bin("||", a, b));
    const count = bin("==", bin("+", load(0), bin("+", load(1), load(2))), num(0));
    const all = { ...about, id: "all", check: { c: "invariant" as const, expr: bin("||", odd, count) } };
    expect(offIn(system, [all])).toEqual([
      { reduction: "transactions", reason: expect.stringMatching(/^what is asked would see every step/) },
    ]);
    expect(offIn(loopSystem(40, 1, 1))).toEqual([
      {
        reduction: "symmetry",
        reason: 'threads are exchanged within each 30 of the 41 only, since deadlock or "stays possible" is asked',
      },
    ]);
    expect(offIn(loopSystem(40, 1, 1), [])).toEqual([]);
  });

  test("an exploration says it, and not of what it reduces", async () => {
    const system = loopSystem(40, 1, 1);
    const options = { ...everything(system), reduction: true };
    const short = await explore(system, options, { transactions: true, states: 1 });
    expect(short).toMatchObject({
      reductions: ["symmetry", "transactions"],
      reductionsOff: [{ reduction: "symmetry" }],
    });
    const fewer = await explore(loopSystem(2, 1, 1), options, { transactions: true });
    expect(fewer.reductionsOff).toBeUndefined();
  });
});

const at0: SysExpr = { e: "pc", t: 0, locations: [0, 5] };
