import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { loopSystem, philosophers } from "../../../bench/loop-system.ts";
import { explore } from "../../../src/checker/explicit/explore.ts";
import type { Plan } from "../../../src/checker/explicit/plan.ts";
import type { Exploration, SearchOptions } from "../../../src/checker/verdict.ts";
import { Random } from "../../random.ts";
import { everything } from "../search-options.ts";
import { randomProtocol } from "./random-locking.ts";
import { randomSystem } from "./random-system.ts";

const worker = pathToFileURL(join(process.cwd(), "dist", "checker", "explicit", "part-worker.js"));

/** Threads take over after so few states, and exchange after so few, that everything happens in small graphs. */
function early(plan: Plan, divide: number, round: number): Plan {
  return { ...plan, slice: 8, division: { start: 1, divide, frontier: 1, patient: true, round, worker } };
}

function timeless({ seconds: _, ...rest }: Exploration): Omit<Exploration, "seconds"> {
  return rest;
}

test("several threads find what one finds: counts, verdicts, findings, schedules", async () => {
  const verdicts: Record<string, number> = {};
  const reductions: Record<string, number> = {};
  for (let seed = 1; seed <= 300; seed++) {
    const r = new Random(seed);
    const system = seed % 3 === 0 ? randomProtocol(seed) : randomSystem(seed, seed % 3 === 1);
    const options = everything(system, { reduction: r.chance(60) });
    if (r.chance(30)) Object.assign(options, { properties: [r.pick(system.properties).id] });
    const plan: Plan = { transactions: options.reduction && r.chance(50), states: 2000 };
    const one = await explore(system, options, plan);
    const workers = r.between(2, 4);
    const several = await explore(system, { ...options, workers }, early(plan, r.between(1, 30), r.between(1, 20)));
    expect([seed, timeless(several)]).toEqual([seed, timeless(one)]);
    for (const { property, verdict } of one.outcomes) {
      verdicts[`${property} ${verdict}`] = (verdicts[`${property} ${verdict}`] ?? 0) + 1;
    }
    for (const name of one.reductions) reductions[name] = (reductions[name] ?? 0) + 1;
  }
  for (const id of ["errors", "ebusy", "invariant", "rest", "again", "there", "deadlock"]) {
    for (const verdict of ["holds", "violated"]) {
      expect([`${id} ${verdict}`, verdicts[`${id} ${verdict}`]! > 5]).toEqual([`${id} ${verdict}`, true]);
    }
  }
  expect(reductions).toEqual({ symmetry: expect.any(Number), transactions: expect.any(Number) });
}, 120_000);

test("counts what one thread and the peers count", async () => {
  const loop = loopSystem(2, 2, 2);
  const plan = early({ transactions: false }, 5000, 4096);
  const counted = await explore(loop, everything(loop, { workers: 2 }), plan);
  expect(counted).toMatchObject({ states: 171_081, transitions: 380_596, complete: true });
  expect(counted.outcomes.map((o) => o.verdict)).toEqual(["holds", "holds"]);
  const orbits = await explore(loop, everything(loop, { workers: 3, reduction: true }), plan);
  expect(orbits).toMatchObject({ states: 45_636, complete: true, reductions: ["symmetry"] });
  const table = philosophers(9);
  const dinner = await explore(table, everything(table, { workers: 2 }), plan);
  const alone = await explore(table, everything(table), { transactions: false });
  expect(timeless(dinner)).toEqual(timeless(alone));
  expect(dinner.outcomes[0]).toMatchObject({ verdict: "violated", finding: { kind: "deadlock" }, depthExact: true });
}, 60_000);

test("says how far it got when time or memory runs out", async () => {
  const plan = early({ transactions: false }, 5000, 4096);
  const large = loopSystem(5, 2, 2);
  const late = await explore(large, everything(large, { workers: 2, timeout: 1 }), plan);
  expect(late).toMatchObject({ complete: false });
  expect(late.states).toBeGreaterThan(5000);
  expect(late.outcomes).toContainEqual(
    expect.objectContaining({ verdict: "inconclusive", reason: expect.stringMatching(/^time ran out: \d+ states/) }),
  );
  const memory = 10_000_000;
  const full = await explore(large, everything(large, { workers: 2, memory }), plan);
  expect(full).toMatchObject({ complete: false });
  // Some states fit, and no more than that.
  expect(full.states! * 8).toBeGreaterThan(memory / 5);
  expect(full.states! * 8).toBeLessThan(memory);
  expect(full.outcomes).toContainEqual(
    expect.objectContaining({ verdict: "inconclusive", reason: expect.stringMatching(/^memory ran out: \d+ states/) }),
  );
}, 60_000);

test("what is kept on disk can be gone on from by any number of threads", async () => {
  const directory = mkdtempSync(join(tmpdir(), "lockstep-parallel-"));
  try {
    const file = join(directory, "search.checkpoint");
    const system = loopSystem(3, 2, 2);
    const plan = early({ transactions: false }, 5000, 4096);
    const leg = async (workers: number, options: Partial<SearchOptions>): Promise<Exploration> => {
      const checkpoint = { write: file, resume: existsSync(file) ? file : undefined, every: 1e6, version: "1" };
      return await explore(system, everything(system, { workers, checkpoint, ...options }), plan);
    };
    let states = (await leg(2, { memory: 5_000_000 })).states!;
    let stopped = 0;
    for (const workers of [1, 3, 2, 2]) {
      const further = await leg(workers, { timeout: 0 });
      if (further.complete) break;
      stopped++;
      expect(further.states).toBeGreaterThan(states);
      states = further.states!;
    }
    expect(stopped).toBeGreaterThan(0);
    await expect(leg(2, { memory: 1_000_000 })).rejects.toThrow(/not enough memory; raise --memory/);
    const result = await leg(2, {});
    expect(result).toMatchObject({ states: 1_176_649, transitions: 2_709_600, depth: 103, complete: true });
    expect(result.outcomes.map((o) => o.verdict)).toEqual(["holds", "holds"]);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}, 60_000);

test("a thread that cannot be started is done without, and one that dies ends the search with an error", async () => {
  const system = loopSystem(1, 2, 2);
  const options = everything(system, { workers: 2 });
  const plan = (program: URL): Plan => {
    const { division, ...rest } = early({ transactions: false }, 50, 64);
    return { ...rest, division: { ...division, worker: program } };
  };
  const one = await explore(system, everything(system), { transactions: false });
  const missing = await explore(system, options, plan(new URL("file:///nowhere/part-worker.js")));
  expect(timeless(missing)).toEqual(timeless(one));
  const dying = (when: string): URL =>
    new URL(
      `data:text/javascript,${encodeURIComponent(`
        import { parentPort } from "node:worker_threads";
        const on = parentPort.on.bind(parentPort);
        let own;
        parentPort.on = (event, listener) => on(event, (request) => {
          own = request.own ?? own;
          if (own === 1 && request.do === "${when}") process.exit(3);
          listener(request);
        });
        await import("${worker.href}");
      `)}`,
    );
  const begun = await explore(system, options, plan(dying("begin")));
  expect(timeless(begun)).toEqual(timeless(one));
  for (const when of ["settle", "explore", "lookBack"]) {
    await expect(explore(system, options, plan(dying(when)))).rejects.toThrow(
      "a thread of the search failed: it ended with status 3",
    );
  }
}, 60_000);
