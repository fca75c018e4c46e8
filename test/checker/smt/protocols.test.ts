import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { check as explicit } from "../../../src/checker/explicit/check.ts";
import { certify } from "../../../src/checker/smt/certificate.ts";
import { check, type SmtOptions } from "../../../src/checker/smt/check.ts";
import { nativeSolver } from "../../../src/checker/smt/solver.ts";
import { readTraceFile } from "../../../src/checker/trace/itf-reader.ts";
import type { Outcome } from "../../../src/checker/verdict.ts";
import { loadModel } from "../../../src/load/load-model.ts";
import { lower } from "../../../src/spec/lowering/lower.ts";
import type { SysCode, TransitionSystem } from "../../../src/spec/transition-system.ts";
import {
  act,
  bin,
  end,
  error,
  goto,
  load,
  loc,
  num,
  program,
  property,
  set,
  systemOf,
  thread,
  variable,
} from "./systems.ts";

const fast: SmtOptions = nativeSolver("z3") === undefined ? { solver: "wasm" } : { solver: "native", command: "z3" };

const { protocol } = await loadModel(resolve("models/loop-partscan/protocol.ts"));

function system(variant: string, scenario: string, sizes: Readonly<Record<string, number>> = {}): TransitionSystem {
  const recorded = protocol.record({ variant, scenario, sizes });
  if (recorded === null) throw new Error(`no ${variant} ${scenario}`);
  return lower(recorded);
}

/** Everything docs/smt.md tells of the protocols is done again: an hour. */
const large = process.env.LOCKSTEP_SWEEP !== undefined;

const short = (o: Outcome): string =>
  `${o.property} ${o.verdict}${o.verdict === "violated" ? ` ${o.schedule.steps.length} ${o.depthExact}` : ""}`;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "smt-protocols-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test.each([
  ["v4.0", "set-status-vs-open"],
  ["v4.2", "set-status-vs-open"],
  ["v4.2", "set-status-vs-open-vs-remove"],
])(
  "loop-partscan %s %s: the same verdicts and depths as the explicit engine",
  async (variant, scenario) => {
    const s = system(variant, scenario);
    const properties = s.properties.filter((p) => p.check.c !== "temporal").map((p) => p.id);
    const asked = { properties, timeout: 60 };
    const mine = await check(s, { ...asked, ...fast, certificates: folder });
    const other = await explicit(s, { ...asked, reduction: true, memory: 2 ** 28, workers: 1 });
    expect(mine.outcomes.map(short).sort()).toEqual(other.outcomes.map(short).sort());
  },
  120_000,
);

// Pools, queues and interrupts; one of the deadlocks is partial: its candidates are judged by an exact search forward.
test.each([
  ["dm-lockfs", "hellwig-2004", "suspend-vs-swap-table", "deadlock"],
  ["dm-noflush", "endio-lock", "sync-vs-suspend", "deadlock"],
  ["md-lifetime", "brown-2008", "one-open", "memory-safety"],
])(
  "%s %s %s: %s is violated at the depth of the explicit engine",
  async (name, variant, scenario, id) => {
    const model = await loadModel(resolve(`models/${name}/protocol.ts`));
    const recorded = model.protocol.record({ variant, scenario });
    if (recorded === null) throw new Error("no such scenario");
    const s = lower(recorded);
    const asked = { properties: [id], timeout: 100 };
    const mine = await check(s, { ...asked, ...fast, method: "bmc" });
    const other = await explicit(s, { ...asked, reduction: true, memory: 2 ** 28, workers: 1 });
    expect(mine.outcomes.map(short)).toEqual(other.outcomes.map(short));
    expect(mine.outcomes[0]?.verdict).toBe("violated");
  },
  240_000,
);

test("identical threads: with and without symmetry the same verdicts and depths, and fewer orders to search", async () => {
  const s = system("v4.0", "set-status-vs-open", { openers: 2 });
  const asked = { properties: ["no-ebusy"], timeout: 60, depth: 11, method: "bmc", ...fast } as const;
  const reduced = await check(s, asked);
  const plain = await check(s, { ...asked, reduction: false });
  expect([reduced.reductions, plain.reductions]).toEqual([["partial-order", "symmetry"], []]);
  const violated = (e: typeof plain): string[] => e.outcomes.filter((o) => o.verdict === "violated").map(short);
  expect(violated(reduced)).toEqual(["no-ebusy violated 11 true"]);
  expect(violated(plain)).toEqual(violated(reduced));
}, 120_000);

const second = nativeSolver("cvc5") === undefined ? undefined : ({ solver: "native", command: "cvc5" } as const);
(second === undefined ? test.skip : test)(
  "the proofs of loop-partscan are accepted by a second solver",
  async () => {
    const beside = join(folder, "loop-partscan", "v4.2", "set-status-vs-open");
    const files = readdirSync(beside);
    expect(files.length).toBeGreaterThan(0);
    for (const file of files) expect([file, (await certify(join(beside, file), second)).valid]).toEqual([file, true]);
  },
  120_000,
);

/** Nine threads that each pick one of sixteen values, and one that errs for a single one of the combinations. */
function manyChoices(): TransitionSystem {
  const pick = (v: number): SysCode => ({
    ops: [],
    end: {
      k: "choose",
      ways: Array.from({ length: 16 }, (_, n) => ({ code: goto(1, set(v, num(n))), optional: false, name: `${n}` })),
    },
  });
  const count = 9;
  const matches = Array.from({ length: count }, (_, v) => bin("==", load(v), num((v * 7 + 3) % 16)));
  const all = matches.reduce((a, b) => bin("&&", a, b));
  const pickers = Array.from({ length: count }, (_, v) => program(`p${v}`, [loc([act(undefined, pick(v))]), end]));
  return systemOf({
    vars: pickers.map((_, v) => variable(`v${v}`, 0, 15)),
    programs: [...pickers, program("watch", [loc([act(all, error(0)), act({ e: "not", a: all }, goto(0))]), end])],
    threads: [...pickers, { cls: "watch" }].map((p, i) => thread(p.cls, i)),
    findings: [{ kind: "bug-on", message: "BUG", error: true, site: { file: "m.ts", line: 1, column: 1 }, fn: "f" }],
    properties: [property("memory-safety", { c: "findings", findings: [0] })],
  });
}

test("bounded search finds a bug where the explicit engine has too many states to come near it", async () => {
  const s = manyChoices();
  const budget = { properties: ["memory-safety"], reduction: true, timeout: 3, memory: 2 ** 28, workers: 1 };
  expect((await explicit(s, budget)).outcomes[0]).toMatchObject({ verdict: "inconclusive" });
  const found = await check(s, { properties: ["memory-safety"], timeout: 60, method: "bmc", ...fast });
  // Eight picks (one of the values is there from the start), and the step that errs.
  const steps = 9 - Array.from({ length: 9 }, (_, v) => (v * 7 + 3) % 16).filter((n) => n === 0).length + 1;
  expect(found.outcomes[0]).toMatchObject({
    verdict: "violated",
    depthExact: true,
    schedule: { steps: { length: steps } },
  });
}, 120_000);

// What docs/smt.md tells of sixteen pages takes the explicit engine 2 GiB and the solver minutes: LOCKSTEP_SWEEP=1 does it.
test.each(large ? [3, 16] : [3])(
  "loop-partscan v4.0, %i pages in flight while the device is cleared: the worker meets NULL after 19 steps",
  async (pages) => {
    const s = system("v4.0", "clr-fd-vs-io", { pages });
    const asked = { properties: ["memory-safety"], timeout: large ? 900 : 60 };
    const found = await check(s, { ...asked, ...fast, method: "bmc" });
    expect(found.outcomes).toMatchObject([{ verdict: "violated", finding: { kind: "null-dereference" } }]);
    expect(found.outcomes.map(short)).toEqual(["memory-safety violated 19 true"]);
    const other = await explicit(s, { ...asked, reduction: true, memory: 2 ** 31, workers: 1 });
    expect(other.outcomes.map(short)).toEqual(
      pages === 16 ? ["memory-safety inconclusive"] : found.outcomes.map(short),
    );
  },
  large ? 1_900_000 : 130_000,
);

/** The committed violations of loop-partscan that need at most so many steps; lassos are none of bounded search's. */
function shallow(most: number): { trace: ReturnType<typeof readTraceFile>; steps: number; title: string }[] {
  const folder = "counterexamples/loop-partscan";
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".itf.json"))
    .sort()
    .map((file) => ({ trace: readTraceFile(join(folder, file)), title: file.replace(".itf.json", "") }))
    .map(({ trace, title }) => ({ trace, title, steps: trace.steps.length }))
    .filter(({ trace, steps }) => steps <= most && trace.loop === null);
}

const rows = shallow(40);

test("loop-partscan has 26 violations of at most 20 steps", () => {
  expect(rows.filter(({ steps }) => steps <= 20)).toHaveLength(26);
});

test.each(large ? rows : rows.filter((r) => r.title === "v4.0/set-status-vs-open/no-ebusy"))(
  "the built-in solver finds $title after $steps steps, as the explicit engine does, in ten minutes",
  async ({ trace, steps }) => {
    const { variant, scenario, sizes, switches, property: id } = trace;
    const recorded = protocol.record({ variant, scenario, sizes, switches });
    if (recorded === null) throw new Error("no such scenario");
    const s = lower(recorded);
    const asked = { properties: [id], timeout: 600 };
    const mine = await check(s, { ...asked, solver: "wasm" });
    const other = await explicit(s, { ...asked, reduction: true, memory: 2 ** 28, workers: 1 });
    expect([mine, other].map((e) => e.outcomes.map(short))).toEqual([
      [`${id} violated ${steps} true`],
      [`${id} violated ${steps} true`],
    ]);
  },
  700_000,
);
