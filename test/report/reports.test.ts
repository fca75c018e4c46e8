import { readFileSync } from "node:fs";
import { Script } from "node:vm";
import { Ajv } from "ajv";
import type { Checked, CheckReport, CheckResult } from "../../src/checker/result.ts";
import { comparisonOf, comparisonText, isWorse } from "../../src/report/comparison.ts";
import { counterexampleText, wrap } from "../../src/report/counterexample.ts";
import { coverageText } from "../../src/report/coverage.ts";
import type { ReportContext } from "../../src/report/reporter.ts";
import { REPORTERS } from "../../src/report/reporters.ts";
import { TRACE_FORMATS } from "../../src/report/trace-formats.ts";
import { ENDED, LASSO, TRACE } from "../checker/trace/example-trace.ts";

const CONTEXT: ReportContext = {
  version: "0.1.0",
  directory: "counterexamples",
  proofs: ".lockstep/proofs",
  all: false,
  color: false,
};

function checked(part: Partial<CheckResult>, rest: Partial<Checked> = {}): Checked {
  const result: CheckResult = {
    protocol: "example",
    variant: "broken",
    scenario: "two-tasks",
    property: "deadlock",
    verdict: "holds",
    expected: "holds",
    asExpected: true,
    finding: null,
    reason: null,
    engine: "explicit",
    method: "bfs",
    complete: true,
    reductions: [],
    states: 10,
    transitions: 20,
    depth: null,
    depthExact: null,
    seconds: 0.25,
    sizes: { udev: 1 },
    switches: { msleep: "any" },
    label: null,
    assumptions: { memory: "SC", fairness: "none" },
    cut: {},
    replayed: null,
    trace: null,
    ...part,
  };
  const declared = { file: "models/example/protocol.ts", line: 7, column: 3 };
  return { result, counterexample: null, expectation: null, declared, ...rest };
}

const VIOLATED: Partial<CheckResult> = {
  verdict: "violated",
  finding: TRACE.finding,
  depth: 2,
  depthExact: true,
  replayed: "full",
  label: "structural",
  trace: "example/broken/two-tasks/deadlock.itf.json",
};

/** One of everything: expected, unexpected, vacuous, open, and a model that does not load. */
const REPORT: CheckReport = {
  checked: [
    checked({ ...VIOLATED, expected: "violated" }, { counterexample: TRACE, expectation: "the lock is missing" }),
    checked({ property: "lock-discipline" }),
    checked(
      { property: "memory-safety", verdict: "vacuous", expected: "vacuous", reason: "no object is freed" },
      { expectation: "nothing is freed" },
    ),
    checked({
      property: "no-ebusy",
      verdict: "inconclusive",
      reason: "the time ran out",
      asExpected: false,
      complete: false,
    }),
    checked({ ...VIOLATED, variant: "fixed", asExpected: false }, { counterexample: TRACE }),
    checked(
      { variant: "fixed", property: "lock-discipline", expected: "violated", asExpected: false },
      { expectation: "udev unlocks what t1 holds" },
    ),
    checked({
      variant: "fixed",
      property: "memory-safety",
      verdict: "vacuous",
      reason: "no object is freed",
      asExpected: false,
    }),
  ],
  problems: [
    { kind: "model", where: "models/odd.ts", message: 'models/odd.ts:3:1: Unexpected "}" & <more>\nsecond line' },
  ],
  interrupted: false,
  unfinished: [],
  seconds: 1.25,
};

test.each(["default", "junit", "github", "ktap"])("reporter %s", (name) => {
  expect(REPORTERS[name]?.(REPORT, CONTEXT)).toMatchSnapshot();
});

test("the default report of one row shows expected counterexamples too; of several only unexpected ones", () => {
  const render = REPORTERS.default!;
  const [expected, ...others] = REPORT.checked;
  const few = render({ ...REPORT, checked: [expected!], problems: [] }, CONTEXT);
  expect(few).toContain("Who waits for whom:");
  expect(few).toContain("1 violated (all as expected); everything as expected");
  const many = render(
    {
      ...REPORT,
      checked: [expected!, ...others.filter((c) => c.result.variant === "broken"), checked({ scenario: "another" })],
    },
    CONTEXT,
  );
  expect(many).not.toContain("Who waits for whom:");
  expect(render({ ...REPORT, checked: [expected!] }, { ...CONTEXT, color: true })).toContain("\u001b[32mx\u001b[0m");
});

test("more than five counterexamples are named, not printed", () => {
  const wrong = Array.from({ length: 7 }, (_, i) =>
    checked(
      { ...VIOLATED, scenario: `s${i}`, asExpected: false, trace: `example/broken/s${i}/deadlock.itf.json` },
      { counterexample: TRACE },
    ),
  );
  const text = REPORTERS.default!({ ...REPORT, checked: wrong }, CONTEXT);
  expect(text.match(/Who waits for whom/g)).toHaveLength(5);
  expect(text).toContain("npx lockstep show counterexamples/example/broken/s6/deadlock.itf.json");
  const all = REPORTERS.default!({ ...REPORT, checked: wrong }, { ...CONTEXT, all: true });
  expect(all.match(/Who waits for whom/g)).toHaveLength(7);
});

test("many results left open for one reason are told once, with their number", () => {
  const part: Partial<CheckResult> = { verdict: "inconclusive", reason: "the time is over", asExpected: false };
  const open = Array.from({ length: 9 }, (_, i) => checked({ ...part, property: `p${i}` }));
  const text = REPORTERS.default!({ ...REPORT, checked: [...open, checked({ ...part, reason: "other" })] }, CONTEXT);
  expect(text.match(/not decided: 9 verdicts/g)).toHaveLength(1);
  expect(text).toContain("not decided: example broken two-tasks (udev=1 msleep=any), deadlock: inconclusive: other");
});

test("why an expected verdict is inconclusive is told once for each reason the model gives", () => {
  const part: Partial<CheckResult> = {
    verdict: "inconclusive",
    expected: "inconclusive",
    reason: "only cut edges could rescue: 2 edges end in bug-on (t1 waits)",
  };
  const held = { expectation: "the close holds bd_mutex when it comes to the unlock that only ends in an error" };
  const rows = [
    ...["a", "b", "c"].map((scenario) => checked({ ...part, scenario }, held)),
    checked({ ...part, property: "no-ebusy" }, { expectation: "another" }),
    checked({ property: "memory-safety" }),
  ];
  expect(REPORTERS.default!({ ...REPORT, checked: rows, problems: [] }, CONTEXT)).toMatchSnapshot();
});

test("where the model errs, that is told once for a scenario, with one schedule", () => {
  const finding = { ...TRACE.finding, kind: "model-error" };
  const part: Partial<CheckResult> = {
    verdict: "inconclusive",
    reason: "the model is at fault: n would get a value outside its range 0..1",
    asExpected: false,
    finding,
    depth: 2,
    depthExact: true,
    replayed: "full",
  };
  const rows = ["deadlock", "memory-safety", "no-ebusy"].map((property) =>
    checked({ ...part, property, trace: `example/broken/two-tasks/${property}.itf.json` }, { counterexample: TRACE }),
  );
  const text = REPORTERS.default!({ ...REPORT, checked: rows, problems: [] }, CONTEXT);
  expect(text.match(/^model error: /gm)).toHaveLength(1);
  expect(text.match(/Who waits for whom/g)).toHaveLength(1);
  expect(text).toContain("3 verdicts: 0 hold, 3 inconclusive; 3 not as expected");
});

describe("an interrupted run", () => {
  const interrupted = { ...REPORT, problems: [], interrupted: true };
  const names = ["a", "b", "c", "d", "e"].map((scenario) => `example broken ${scenario}`);

  test("with nothing decided", () => {
    const report = { ...interrupted, checked: [], unfinished: names.slice(0, 1) };
    expect(REPORTERS.default!(report, CONTEXT)).toMatchSnapshot();
    expect(REPORTERS.github!(report, CONTEXT)).toMatchSnapshot();
  });

  test("with some things decided", () => {
    const report = { ...interrupted, checked: [checked({})], unfinished: names };
    expect(REPORTERS.default!(report, CONTEXT)).toMatchSnapshot();
    expect(JSON.parse(REPORTERS.json!(report, CONTEXT))).toMatchObject({ interrupted: true, unfinished: names });
  });

  test("with its search kept on disk", () => {
    const reason = "interrupted: 7 states found, 5 explored, depth 2; go on with --resume long.checkpoint";
    const open = checked({ verdict: "inconclusive", reason, asExpected: false, complete: false });
    expect(REPORTERS.default!({ ...interrupted, checked: [open], unfinished: [] }, CONTEXT)).toMatchSnapshot();
  });
});

describe("json", () => {
  const schema = JSON.parse(readFileSync("schema/check.schema.json", "utf8"));
  const validate = new Ajv({ strict: true, strictTypes: false, strictRequired: false, allErrors: true }).compile(
    schema,
  );
  const parse = (report: CheckReport): unknown => JSON.parse(REPORTERS.json!(report, CONTEXT));

  test("fits its schema", () => {
    validate(parse(REPORT));
    expect(validate.errors).toBeNull();
    validate(parse({ ...REPORT, interrupted: true, unfinished: ["example broken two-tasks"] }));
    expect(validate.errors).toBeNull();
  });

  test.each([
    ["a violation without a trace", { ...VIOLATED, trace: null }],
    ["a vacuous verdict without a reason", { verdict: "vacuous" as const }],
    ["a reason where none belongs", { reason: "x" }],
    ["an absolute path", { ...VIOLATED, trace: "/tmp/x.itf.json" }],
    ["an unknown verdict", { verdict: "maybe" as "holds" }],
  ])("the schema refuses %s", (_, part) => {
    expect(validate(parse({ ...REPORT, checked: [checked(part)] }))).toBe(false);
  });

  test("the schema refuses a row with a key missing", () => {
    const { replayed: _, ...row } = checked({}).result;
    expect(validate({ lockstep: "0.1.0", interrupted: false, problems: [], results: [row] })).toBe(false);
  });
});

test("sarif: one merged thread flow first, then one per thread, in the same order of execution", () => {
  const log = JSON.parse(REPORTERS.sarif!(REPORT, CONTEXT));
  const [run] = log.runs;
  expect(log.version).toBe("2.1.0");
  // What holds and what is vacuous as expected is no result.
  expect(run.results.map((r: { level: string }) => r.level)).toEqual(["note", "warning", "error", "error", "error"]);
  const [merged, perThread] = run.results[0].codeFlows;
  expect(merged.threadFlows).toHaveLength(1);
  const messages = merged.threadFlows[0].locations.map(
    (l: { location: { message: { text: string } } }) => l.location.message.text,
  );
  expect(messages[0]).toBe(
    "[t1] mutex_lock(&lo->lo_ctl_mutex) in lo_ioctl() drivers/block/loop.c: lo->lo_ctl_mutex nobody -> t1, lo->lo_state bound -> unbound",
  );
  expect(perThread.threadFlows.map((f: { id: string }) => f.id)).toEqual(["t1", "udev"]);
  expect(perThread.threadFlows[1].locations[0].executionOrder).toBe(2);
  expect(
    new Set(run.results.map((r: { partialFingerprints: unknown }) => JSON.stringify(r.partialFingerprints))).size,
  ).toBe(5);
  expect(run.results[0].locations[0].physicalLocation.artifactLocation.uri).toBe("models/example/protocol.ts");
  expect(run.invocations[0].executionSuccessful).toBe(false);
});

test("a counterexample as text", () => {
  expect(counterexampleText(TRACE, { file: "counterexamples/x.itf.json", full: true })).toMatchSnapshot();
});

test("a lasso says what repeats", () => {
  const text = counterexampleText(LASSO, { file: null });
  expect(text).toMatchSnapshot();
  expect(text).not.toContain("Replay:");
});

test("three threads fit into 100 columns of ASCII", () => {
  const steps = [...TRACE.steps, { ...TRACE.steps[0]!, thread: "irq", call: "loop_irq()" }];
  const text = counterexampleText({ ...TRACE, steps, states: [...TRACE.states, TRACE.states[2]!] }, { file: "x" });
  expect(text).toMatch(/t1 .* udev, CPU0 .* irq \(hardirq, CPU0\)/);
  for (const line of text.split("\n")) expect(line.length).toBeLessThanOrEqual(100);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is the question
  expect(text).toMatch(/^[\x00-\x7f]*$/);
});

test("lines break at blanks, and in words that are too long", () => {
  expect(wrap("one two three", 7, "  ")).toEqual(["one two", "  three"]);
  expect(wrap("abcdefghij", 4, " ")).toEqual(["abcd", " efg", " hij"]);
  expect(wrap("atomic_dec_and_test(&io->io_count)", 24, "  ")).toEqual(["atomic_dec_and_test(", "  &io->io_count)"]);
  expect(wrap("", 4, " ")).toEqual([""]);
});

test("mermaid", () => {
  expect(TRACE_FORMATS.mermaid?.(TRACE, { version: "0.1.0", file: "x" })).toMatchSnapshot();
  expect(TRACE_FORMATS.mermaid?.(ENDED, { version: "0.1.0", file: "x" })).not.toMatch(/^ {2}(loop|end)/m);
  const lasso = TRACE_FORMATS.mermaid?.(LASSO, { version: "0.1.0", file: "x" }) ?? "";
  expect(lasso).toMatch(/ {2}loop for ever\n[\s\S]* {2}end\n$/);
});

describe("html", () => {
  const page = (trace: typeof TRACE) => TRACE_FORMATS.html?.(trace, { version: "0.1.0", file: "a<b>.itf.json" }) ?? "";

  test("a column per thread, a row per step, who waits, and the replay", () => {
    expect(page(TRACE)).toMatchSnapshot();
    expect(page(TRACE).match(/<tr data-step=/g)).toHaveLength(TRACE.steps.length);
    expect(page(ENDED)).toMatch(/the run ends here/);
    expect(page(ENDED)).not.toMatch(/for ever<|back to step/);
    expect(page(LASSO)).toMatch(/from here on for ever[\s\S]*class="loop"[\s\S]*back to step \d/);
  });

  test("what a model calls its things cannot become markup", () => {
    const call = "</script><script>alert(1)</script>";
    const hostile = page({
      ...TRACE,
      steps: TRACE.steps.map((step) => ({ ...step, call })),
      variables: TRACE.variables.map((variable) => ({ ...variable, title: call })),
    });
    expect(hostile).not.toContain("<script>alert");
    expect(hostile.match(/<\/script>/g)).toHaveLength(2);
  });

  test("its script and its data can be read", () => {
    const [, data = "", script = ""] =
      /id="values">(.*?)<\/script>\s*<script>([\s\S]*?)<\/script>/.exec(page(TRACE)) ?? [];
    expect(() => new Script(script)).not.toThrow();
    const elements = TRACE.states[0]!.values.reduce((sum, values) => sum + values.length, 0);
    expect(JSON.parse(data)).toHaveLength(elements);
  });
});

test("perfetto: a slice per step, per wait and per holding of a lock", () => {
  const { traceEvents } = JSON.parse(TRACE_FORMATS.perfetto?.(TRACE, { version: "0.1.0", file: "x" }) ?? "");
  const slices = traceEvents.filter((e: { ph: string }) => e.ph === "X");
  const of = (cat: string) => slices.filter((e: { cat: string }) => e.cat === cat);
  expect(of("step").map((e: { name: string; ts: number }) => [e.name.slice(0, 10), e.ts])).toEqual([
    ["mutex_lock", 0],
    ["lo->lo_ref", 1000],
  ]);
  expect(of("lock")).toMatchObject([{ name: "held by t1", ts: 1000, dur: 2000 }]);
  expect(of("wait").map((e: { name: string }) => e.name)).toEqual([
    "blocked: q_usage_counter",
    "blocked: lo->lo_ctl_mutex (held by t1)",
  ]);
});

test("a trace as SARIF and as JSON", () => {
  const sarif = JSON.parse(TRACE_FORMATS.sarif?.(TRACE, { version: "0.1.0", file: "x" }) ?? "");
  expect(sarif.runs[0].results[0]).toMatchObject({ ruleId: "deadlock", level: "error" });
  expect(JSON.parse(TRACE_FORMATS.json?.(TRACE, { version: "0.1.0", file: "x" }) ?? "")).toEqual(TRACE);
});

describe("comparison", () => {
  const row = (variant: string, property: string, part: Partial<CheckResult> = {}) =>
    checked({ variant, property, ...part }).result;
  const violated = (kind: string): Partial<CheckResult> => ({ ...VIOLATED, finding: { ...TRACE.finding, kind } });
  const rows = [
    row("old", "deadlock", violated("deadlock")),
    row("new", "deadlock"),
    row("old", "no-ebusy"),
    row("new", "no-ebusy", violated("ebusy")),
    row("old", "lock-discipline"),
    row("new", "lock-discipline"),
    row("old", "memory-safety", violated("double-free")),
    row("new", "memory-safety", violated("leak")),
    row("old", "atomic-sleep", { verdict: "vacuous", reason: "r" }),
    row("new", "atomic-sleep"),
    row("old", "lost-bio", { verdict: "inconclusive", reason: "r" }),
    row("new", "lost-bio"),
    row("old", "only-old"),
    row("new", "only-new", violated("invariant")),
  ];

  test("what was fixed, what broke, and what cannot be compared", () => {
    const comparison = comparisonOf(rows, "old", "new");
    expect(comparison.rows.map((r) => `${r.property} ${r.change}`)).toEqual([
      "deadlock fixed",
      "no-ebusy broken",
      "lock-discipline holds",
      "memory-safety changed",
      "atomic-sleep vacuous",
      "lost-bio undecided",
      "only-old only-base",
      "only-new only-candidate",
    ]);
    expect(comparison.rows.filter((r) => isWorse(r.change)).map((r) => r.property)).toEqual(["no-ebusy"]);
    expect(comparisonText("example", comparison)).toMatchSnapshot();
  });
});

test("coverage unites the scenarios of a variant", () => {
  const statement = (line: number) => ({
    site: { file: "m.ts", line, column: 1 },
    fn: line < 5 ? "f" : "g",
    text: `call ${line}`,
  });
  const part = (scenario: string, unreached: number[], complete = true) => ({
    protocol: "p",
    variant: "v",
    scenario,
    statements: [1, 2, 3, 4, 5, 6].map(statement),
    unreached: unreached.map(statement),
    complete,
  });
  expect(coverageText([part("a", [2, 3]), part("b", [3, 4])])).toContain(
    "p v: 5 of 6 statements reached\n  m.ts:3: call 3, in f\n",
  );
  expect(coverageText([part("a", [1, 5, 6]), part("b", [1, 5, 6])])).toContain(
    "p v: 3 of 6 statements reached\n  m.ts:1: call 1, in f\n  m.ts:5: nothing of g\n",
  );
  // A scenario that was not finished may come to any of its statements.
  expect(coverageText([part("a", [1, 2]), part("b", [], false)])).toContain(
    "p v: 4 of 6 statements reached, 2 undecided (not finished: b)\n",
  );
});
