import { type CheckOptions, checkAll, EVERYTHING, planItems, type Selection } from "../../src/checker/check.ts";
import { compareWithExpectation } from "../../src/checker/expectation.ts";
import { replay } from "../../src/checker/reference/index.ts";
import { type CheckReport, type CheckResult, exitStatus } from "../../src/checker/result.ts";
import { scheduleOf } from "../../src/checker/trace/replayed-trace.ts";
import { loadModel } from "../../src/load/load-model.ts";
import type { Expectation } from "../../src/spec/program.ts";

// Loaded as the command line does it, so that positions are those of the .ts file.
const { protocol: abba } = await loadModel("test/cli/models/abba.ts");
const MODEL = { protocol: abba, file: `${process.cwd()}/test/cli/models/abba.ts`, root: process.cwd() };
const OPTIONS: CheckOptions = {
  engine: "auto",
  reduction: true,
  timeout: Number.POSITIVE_INFINITY,
  memory: 2 ** 28,
  workers: 1,
  coverage: false,
  shard: { index: 1, of: 1 },
  inProcess: true,
};

const select = (part: Partial<Selection>): Selection => ({ ...EVERYTHING, ...part });

test("verdicts, expectations and counterexamples of a whole protocol, in order", async () => {
  const run = await checkAll(planItems([MODEL], EVERYTHING), OPTIONS);
  expect(run).toMatchObject({ problems: [], interrupted: false, unfinished: [] });
  const rows = run.checked.map(
    ({ result: r }) => `${r.variant} ${r.scenario} ${r.property}: ${r.verdict} ${r.asExpected}`,
  );
  expect(rows).toEqual([
    "crossed one-each deadlock: violated true",
    "crossed one-each lock-discipline: holds true",
    "crossed one-each memory-safety: vacuous true",
    "crossed one-each no-ebusy: vacuous true",
    "crossed one-each count-bounded: holds true",
    "crossed forward-only deadlock: holds true",
    "crossed forward-only lock-discipline: holds true",
    "ordered one-each deadlock: holds true",
    "ordered one-each lock-discipline: holds true",
    "ordered one-each memory-safety: vacuous true",
    "ordered one-each no-ebusy: vacuous true",
    "ordered one-each count-bounded: holds true",
  ]);
  expect(exitStatus(run)).toBe(0);
  const [first] = run.checked;
  expect(first?.result).toMatchObject({
    depth: 2,
    depthExact: true,
    replayed: "full",
    label: null,
    trace: "abba/crossed/one-each/deadlock.itf.json",
    finding: { kind: "deadlock", at: "take_forward, drivers/block/abba.c (test/cli/models/abba.ts:30)" },
  });
  expect(first?.expectation).toBe("each task holds what the other one wants");
});

test("the schedule of a trace replays on the program recorded again", async () => {
  const plan = planItems([MODEL], select({ variants: ["crossed"], properties: ["deadlock"] }));
  const run = await checkAll(plan, OPTIONS);
  const trace = run.checked[0]?.counterexample;
  const program = plan.items[0]!.program;
  const schedule = scheduleOf(trace!, program);
  expect(replay(program, schedule!, "deadlock")).toMatchObject({ fits: true, violates: true });
});

test("other than default sizes: no expectation, a violation counts, and the trace says the size", async () => {
  const plan = planItems([MODEL], select({ variants: ["crossed"], scenarios: ["one-each"], sizes: { writers: 2 } }));
  const run = await checkAll(plan, { ...OPTIONS, reduction: false });
  const deadlock = run.checked[0]?.result;
  expect(deadlock).toMatchObject({ property: "deadlock", verdict: "violated", expected: null, asExpected: false });
  expect(deadlock?.states).toBeGreaterThan(23);
  expect(deadlock?.trace).toBe("abba/crossed/one-each@writers=2/deadlock.itf.json");
  expect(exitStatus(run)).toBe(1);
});

test("shards partition the items; one with nothing in it is a success", async () => {
  const plan = planItems([MODEL], EVERYTHING);
  const parts = await Promise.all([1, 2, 3, 4].map((index) => checkAll(plan, { ...OPTIONS, shard: { index, of: 4 } })));
  expect(parts.map((p) => new Set(p.checked.map((c) => `${c.result.variant} ${c.result.scenario}`)).size)).toEqual([
    1, 1, 1, 0,
  ]);
  expect(exitStatus(parts[3]!)).toBe(0);
});

test("when the time is over the rest is inconclusive, and says so", async () => {
  const run = await checkAll(planItems([MODEL], EVERYTHING), { ...OPTIONS, timeout: 0 });
  expect(run.checked).toHaveLength(12);
  expect(run.checked.every((c) => c.result.verdict === "inconclusive")).toBe(true);
  expect(run.checked[0]?.result.reason).toMatch(/time/);
  expect(exitStatus(run)).toBe(3);
});

test("an interrupted run reports what had finished", async () => {
  const controller = new AbortController();
  const run = await checkAll(planItems([MODEL], EVERYTHING), OPTIONS, {
    signal: controller.signal,
    progress: (finished) => {
      if (finished === 1) controller.abort();
    },
  });
  expect(run.interrupted).toBe(true);
  expect(run.checked.map((c) => c.result.scenario)).toEqual(Array(5).fill("one-each"));
  expect(run.unfinished).toEqual(["abba crossed forward-only", "abba ordered one-each"]);
  expect(exitStatus(run)).toBe(130);
});

test("a model that errs while it is recorded is a problem of its cell alone", async () => {
  const broken = {
    ...MODEL,
    protocol: {
      id: abba.id,
      variants: abba.variants,
      scenarios: abba.scenarios,
      switches: abba.switches,
      applies: (v: string, s: string) => abba.applies(v, s),
      settings: (v: string, s: string) => abba.settings(v, s),
      record: (request: Parameters<typeof abba.record>[0]) => {
        if (request.variant === "crossed") throw new TypeError("boom");
        return abba.record(request);
      },
    },
  };
  const run = await checkAll(planItems([broken], EVERYTHING), OPTIONS);
  expect(run.problems.map((p) => p.where)).toEqual(["abba crossed one-each", "abba crossed forward-only"]);
  expect(run.checked).toHaveLength(5);
});

test("every engine that enumerates counts the same graph", async () => {
  const plan = planItems([MODEL], EVERYTHING);
  const counts = [];
  for (const engine of ["explicit", "reference"] as const) {
    const run = await checkAll(plan, { ...OPTIONS, engine, reduction: false });
    counts.push(run.checked.map(({ result }) => [result.states, result.transitions]));
  }
  expect(counts[0]).toEqual(counts[1]);
});

test("coverage names statements that no run of a scenario reaches", async () => {
  const run = await checkAll(planItems([MODEL], EVERYTHING), { ...OPTIONS, coverage: true });
  expect(run.coverage).toHaveLength(3);
  expect(run.coverage.every((c) => c.complete && c.statements.length > 0 && c.unreached.length === 0)).toBe(true);
});

describe("expectations", () => {
  const site = { file: "m.ts", line: 1, column: 1 };
  const violated: Expectation = { property: "p", verdict: "violated", kinds: ["ebusy"], reason: "r", site };
  const cut: Expectation = { property: "p", verdict: "inconclusive", reason: "r", site };
  test.each([
    ["holds", null, null, undefined, true, "holds", true],
    ["violated", "ebusy", null, undefined, true, "holds", false],
    ["vacuous", null, "x", undefined, true, "holds", false],
    ["violated", "ebusy", null, violated, true, "violated", true],
    ["violated", "deadlock", null, violated, true, "violated", false],
    ["holds", null, null, violated, true, "violated", false],
    ["inconclusive", null, "only cut edges could rescue: x", cut, true, "inconclusive", true],
    ["inconclusive", null, "the time ran out", cut, true, "inconclusive", false],
    ["violated", "ebusy", null, violated, false, null, false],
    ["vacuous", null, "x", undefined, false, null, false],
    ["holds", null, null, violated, false, null, true],
    ["inconclusive", null, "x", undefined, false, null, true],
  ] as const)("%s (%s, %s)", (verdict, kind, reason, expected, atDefaults, shown, asExpected) => {
    expect(compareWithExpectation(verdict, kind, reason, expected, atDefaults)).toEqual({
      expected: shown,
      asExpected,
    });
  });
});

test("exit status: the first row that applies", () => {
  const result = (r: Partial<CheckResult>) => ({
    result: { verdict: "holds", asExpected: true, expected: "holds", finding: null, ...r },
  });
  const wrong = result({ verdict: "violated", asExpected: false });
  const open = result({ verdict: "inconclusive", asExpected: false });
  const errs = result({
    verdict: "inconclusive",
    asExpected: false,
    finding: { kind: "model-error", thread: null, message: "m", at: null },
  });
  const rescued = result({ verdict: "inconclusive", expected: "inconclusive" });
  const elsewhere = result({ verdict: "inconclusive", expected: null });
  const report = (rows: object[], problems: string[] = [], interrupted = false): CheckReport =>
    ({
      checked: rows,
      problems: problems.map((kind) => ({ kind })),
      interrupted,
      seconds: 0,
    }) as unknown as CheckReport;
  expect(exitStatus(report([]))).toBe(0);
  expect(exitStatus(report([rescued]))).toBe(0);
  expect(exitStatus(report([elsewhere]))).toBe(3);
  expect(exitStatus(report([open]))).toBe(3);
  expect(exitStatus(report([open, wrong]))).toBe(1);
  expect(exitStatus(report([errs, wrong]))).toBe(2);
  expect(exitStatus(report([wrong], ["model"]))).toBe(2);
  expect(exitStatus(report([wrong], ["model", "internal"]))).toBe(4);
  expect(exitStatus(report([wrong], ["internal"], true))).toBe(130);
});

test("msleep: a violation found without early wake-ups is structural, one that needs them is a matter of timing", async () => {
  const { protocol } = await loadModel("test/checker/models/sleepers.ts");
  const model = { protocol, file: `${process.cwd()}/test/checker/models/sleepers.ts`, root: process.cwd() };
  const run = await checkAll(planItems([model], EVERYTHING), OPTIONS);
  const labels = run.checked.map(({ result: r }) => [r.property, r.verdict, r.label]);
  expect(labels).toEqual([
    ["never-twice", "violated", "structural"],
    ["late", "violated", "timing"],
    ["bounded", "holds", null],
  ]);
  // Fewer wake-ups prove nothing.
  const quiet = await checkAll(planItems([model], select({ switches: { msleep: "quiescent" } })), OPTIONS);
  expect(quiet.checked.map(({ result: r }) => [r.property, r.verdict])).toEqual([
    ["never-twice", "violated"],
    ["late", "inconclusive"],
    ["bounded", "inconclusive"],
  ]);
  expect(quiet.checked[1]?.result.reason).toMatch(/msleep=quiescent/);
});

test("a mistake of ours is an internal error whose evidence is kept; other items are reported", async () => {
  const plan = planItems([MODEL], select({ scenarios: ["one-each"] }));
  const [first, second] = plan.items;
  // No recorder makes such a tree: the engine stumbles over it.
  const broken = { ...first!, program: { ...first!.program, vars: null as unknown as [] } };
  const kept: { where: string; evidence: unknown }[] = [];
  const run = await checkAll({ items: [broken, second!], problems: [] }, OPTIONS, {
    dump: (where, evidence) => {
      kept.push({ where, evidence });
      return ["evidence.json"];
    },
  });
  expect(run.problems).toEqual([
    {
      kind: "internal",
      where: "abba crossed one-each",
      message: expect.stringMatching(/TypeError.*is in evidence\.json/),
    },
  ]);
  const data = { error: expect.stringContaining("TypeError") };
  expect(kept).toEqual([{ where: "abba crossed one-each", evidence: { data, traces: {} } }]);
  expect(run.checked.map((c) => c.result.variant)).toEqual(Array(5).fill("ordered"));
  expect(exitStatus(run)).toBe(4);
});
