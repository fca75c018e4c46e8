import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkAll, EVERYTHING, planItems } from "../../src/checker/check.ts";
import { compareSides } from "../../src/checker/cross-check.ts";
import { runEngine } from "../../src/checker/engine.ts";
import { type Item, type ItemOptions, type ItemOutcome, runItem } from "../../src/checker/item.ts";
import { exitStatus } from "../../src/checker/result.ts";
import { readTraceFile } from "../../src/checker/trace/itf-reader.ts";
import type { Exploration, Outcome } from "../../src/checker/verdict.ts";
import { writeEvidence } from "../../src/cli/check-run.ts";
import { loadModel } from "../../src/load/load-model.ts";

const { protocol: abba } = await loadModel("test/cli/models/abba.ts");
const MODEL = { protocol: abba, file: `${process.cwd()}/test/cli/models/abba.ts`, root: process.cwd() };
const [ITEM] = planItems([MODEL], EVERYTHING).items as [Item];

const OPTIONS: ItemOptions = {
  engine: "explicit",
  crossCheck: ["smt", "symbolic", "reference"],
  reduction: false,
  deadline: Number.POSITIVE_INFINITY,
  memory: 2 ** 28,
  workers: 1,
  coverage: false,
};

/** One of the engines gives something else instead of what it found. */
function broken(name: string, change: (e: Exploration) => Exploration, crossCheck = [name]): Promise<ItemOutcome> {
  const options = { ...OPTIONS, crossCheck } as ItemOptions;
  return runItem(
    ITEM,
    options,
    () => {},
    async (engine, program, search) => {
      const exploration = await runEngine(engine, program, search);
      return engine === name ? change(exploration) : exploration;
    },
  );
}

const replaced = (property: string, change: (o: Outcome) => Outcome) => (e: Exploration) => ({
  ...e,
  outcomes: e.outcomes.map((o) => (o.property === property ? change(o) : o)),
});

function status(outcome: ItemOutcome): number {
  return exitStatus({ ...outcome, interrupted: false, unfinished: [], seconds: 0 });
}

test("four engines agree, and the result says what each of them found", async () => {
  const run = await runItem(ITEM, OPTIONS, () => {});
  expect(run.problems).toEqual([]);
  const deadlock = run.checked.find((c) => c.result.property === "deadlock")?.result;
  expect(deadlock?.crossChecks?.map((c) => [c.engine, c.verdict, c.depth, c.agrees])).toEqual([
    ["smt", "violated", 2, true],
    ["symbolic", "violated", 2, true],
    ["reference", "violated", 2, true],
  ]);
  expect(run.checked.flatMap((c) => c.result.crossChecks ?? []).every((c) => c.agrees)).toBe(true);
  expect(status(run)).toBe(0);
}, 60_000);

test("an engine that proves what is violated: exit 4, and both sides in files that can be shown and replayed", async () => {
  const run = await broken(
    "smt",
    replaced("deadlock", ({ property }) => ({ property, verdict: "holds" })),
  );
  expect(run.problems).toMatchObject([{ kind: "internal", where: "abba crossed one-each, deadlock" }]);
  const [problem] = run.problems;
  expect(problem?.message).toMatch(
    /^engines disagree: explicit \(.*\): violated \(deadlock\) in 2 steps; smt \(.*\): holds$/,
  );
  // Neither side is believed, and what they agree on is reported.
  expect(run.checked.map((c) => c.result.property)).not.toContain("deadlock");
  expect(run.checked.map((c) => c.result.property)).toContain("lock-discipline");
  expect(status(run)).toBe(4);

  const folder = mkdtempSync(join(tmpdir(), "cross-check-"));
  try {
    const files = writeEvidence(problem?.where ?? "", problem?.evidence ?? { data: null, traces: {} }, folder);
    expect(files.map((f) => f.replace(/^.*one-each/, ""))).toEqual(["_deadlock.json", "_deadlock.explicit.itf.json"]);
    const [json = "", trace = ""] = files;
    expect(JSON.parse(readFileSync(json, "utf8")).sides.map((s: { outcome: Outcome }) => s.outcome.verdict)).toEqual([
      "violated",
      "holds",
    ]);
    expect(readTraceFile(trace).steps).toHaveLength(2);
  } finally {
    rmSync(folder, { recursive: true });
  }
}, 60_000);

test("an engine that misses a violation, or is too deep and says that nothing is shallower", async () => {
  const missed = await broken(
    "explicit",
    replaced("deadlock", ({ property }) => ({ property, verdict: "vacuous", reason: "" })),
    ["reference"],
  );
  expect(missed.problems[0]?.message).toMatch(/explicit .*: vacuous; reference .*: violated .* in 2 steps$/);
  expect(Object.keys(missed.problems[0]?.evidence?.traces ?? {})).toEqual(["reference"]);

  // On the graph of three writers there is a longer way into the deadlock.
  const [longer] = planItems([MODEL], { ...EVERYTHING, sizes: { writers: 2 } }).items as [Item];
  const detour = await runItem(
    longer,
    { ...OPTIONS, crossCheck: ["reference"] },
    () => {},
    async (engine, program, search) => {
      const e = await runEngine(engine, program, search);
      if (engine !== "reference") return e;
      return replaced("deadlock", (o) => {
        if (o.verdict !== "violated") return o;
        const start = program.threads.findIndex((_, t) => !o.schedule.steps.some((s) => s.thread === t));
        const steps = [{ thread: start, action: 0, ways: [] }, ...o.schedule.steps];
        return { ...o, schedule: { steps } };
      })(e);
    },
  );
  const wrong = detour.problems.map((p) => p.message);
  expect(wrong).toEqual([expect.stringMatching(/engines disagree: .* in 2 steps; .* in 3 steps|does not replay/)]);
  expect(status(detour)).toBe(4);
}, 60_000);

test("an engine that invents a counterexample is caught by the replay", async () => {
  const run = await broken(
    "smt",
    replaced("count-bounded", ({ property }) => ({
      property,
      verdict: "violated",
      finding: { kind: "invariant", message: "made up" },
      schedule: { steps: [] },
      depthExact: true,
    })),
  );
  expect(run.problems[0]?.message).toMatch(/does not replay/);
  expect(run.checked.map((c) => c.result.property)).not.toContain("count-bounded");
}, 60_000);

test("an engine that counts another graph, and one that gives no verdict", async () => {
  const miscounted = await broken("symbolic", (e) => ({ ...e, states: (e.states ?? 0) + 1 }));
  expect(miscounted.problems.map((p) => p.message)).toEqual([
    expect.stringMatching(/^engines disagree: explicit counts (\d+) states.*; symbolic counts \d+ states/),
  ]);
  const silent = await broken("symbolic", (e) => ({ ...e, outcomes: e.outcomes.slice(1) }));
  expect(silent.problems.map((p) => p.message)).toEqual(["symbolic gave no verdict"]);
}, 60_000);

test("a side that did not finish is no disagreement, and is named", async () => {
  const run = await broken(
    "smt",
    replaced("deadlock", ({ property }) => ({ property, verdict: "inconclusive", reason: "too slow" })),
  );
  expect(run.problems).toEqual([]);
  const deadlock = run.checked.find((c) => c.result.property === "deadlock")?.result;
  expect(deadlock).toMatchObject({ verdict: "violated", crossChecks: [{ engine: "smt", agrees: false }] });
  expect(deadlock?.crossChecks?.[0]?.reason).toMatch(/^smt .*: inconclusive \(too slow\)$/);
}, 60_000);

describe("what counts as a disagreement", () => {
  const side = (engine: Exploration["engine"], outcome: Outcome) => ({
    exploration: { engine, method: "m" } as Exploration,
    outcome,
  });
  const violated = (steps: number, depthExact: boolean): Outcome => ({
    property: "p",
    verdict: "violated",
    finding: { kind: "deadlock", message: "" },
    schedule: { steps: Array.from({ length: steps }, () => ({ thread: 0, action: 0, ways: [] })) },
    depthExact,
  });
  const open = (reason: string, kind?: string): Outcome => ({
    property: "p",
    verdict: "inconclusive",
    reason,
    ...(kind !== undefined && { finding: { kind, message: "" } }),
  });
  const holds: Outcome = { property: "p", verdict: "holds" };
  test.each([
    ["equal depths", violated(3, true), violated(3, true), "agree"],
    ["a longer one that claims no more", violated(3, true), violated(4, false), "agree"],
    ["a longer one that claims to be shortest", violated(3, false), violated(4, true), "disagree"],
    ["both perhaps not shortest", violated(5, false), violated(4, false), "agree"],
    ["only cut edges, and a proof", open("only cut edges could rescue: x"), holds, "disagree"],
    ["only cut edges, twice", open("only cut edges could rescue: x"), open("only cut edges could rescue: y"), "agree"],
    ["an error of the model, and a proof", open("x", "model-error"), holds, "disagree"],
    ["an error of the model, and a violation before it", open("x", "model-error"), violated(2, true), "open"],
    ["out of time, and a proof", open("out of time"), holds, "open"],
  ])("%s", (_, a, b, is) => {
    expect(compareSides(side("explicit", a), side("smt", b)).is).toBe(is);
    expect(compareSides(side("explicit", b), side("smt", a)).is).toBe(is);
    expect(compareSides(side("smt", b), side("smt", a)).is).toBe("open");
  });
});

test("real rows: wait-scan by the explicit and the SMT engine", async () => {
  const { protocol } = await loadModel("models/wait-scan/protocol.ts");
  const model = { protocol, file: `${process.cwd()}/models/wait-scan/protocol.ts`, root: process.cwd() };
  const plan = planItems([model], { ...EVERYTHING, variants: ["before"], scenarios: ["probe-vs-wait"] });
  const run = await checkAll(plan, {
    ...OPTIONS,
    reduction: true,
    crossCheck: ["smt"],
    timeout: 60,
    shard: { index: 1, of: 1 },
    inProcess: true,
  });
  expect(run.problems).toEqual([]);
  const compared = run.checked.flatMap(({ result: r }) => (r.crossChecks ?? []).filter((c) => c.agrees));
  expect(compared.filter((c) => c.verdict === "violated").length).toBeGreaterThan(0);
  expect(compared.length).toBeGreaterThan(3);
}, 120_000);
