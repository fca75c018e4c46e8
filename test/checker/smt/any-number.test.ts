import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { ENOUGH, proveForAnyNumber, withMembers } from "../../../src/checker/smt/any-number.ts";
import { certify } from "../../../src/checker/smt/certificate.ts";
import { encode } from "../../../src/checker/smt/encode.ts";
import { nativeSolver, type SolverChoice } from "../../../src/checker/smt/solver.ts";
import { threadModular } from "../../../src/checker/smt/thread-modular.ts";
import { loadModel } from "../../../src/load/load-model.ts";
import { lower } from "../../../src/spec/lowering/lower.ts";
import type { Program } from "../../../src/spec/program.ts";

const { protocol } = await loadModel(resolve("models/loop-partscan/protocol.ts"));
const waitScan = (await loadModel(resolve("models/wait-scan/protocol.ts"))).protocol;

function scenario(variant: string): Program {
  const program = protocol.record({ variant, scenario: "set-status-vs-open" });
  if (program === null) throw new Error(`no scenario for ${variant}`);
  return program;
}

const holds = (variant: string): string[] =>
  proveForAnyNumber(scenario(variant), "udev", [
    "lock-discipline",
    "atomic-sleep",
    "no-ebusy",
    "deadlock",
  ]).answers.flatMap((a) => (a.verdict === "holds" ? [a.property] : []));

test("loop-partscan, any number of udevs: nobody unlocks what he does not hold once lo_release returns early", () => {
  expect(holds("lei-2015")).toEqual(["atomic-sleep"]);
  expect(holds("lei-2015-return")).toEqual(["lock-discipline", "atomic-sleep"]);
});

test.each([
  ["v4.0", ["lock-discipline", "data-race"]],
  ["wilson-2015", ["lock-discipline", "data-race"]],
  ["v4.2", ["lock-discipline", "no-ebusy"]],
  ["v4.14", ["lock-discipline", "no-ebusy"]],
  ["v5.0", ["lock-discipline", "data-race", "no-ebusy"]],
  ["v5.1", ["lock-discipline", "data-race", "no-ebusy"]],
  ["v5.13", ["lock-discipline", "data-race", "no-ebusy"]],
  ["v5.19", ["no-ebusy"]],
])("loop-partscan %s, any number of udevs: what docs/smt.md says holds", (variant, properties) => {
  const { answers } = proveForAnyNumber(scenario(variant), "udev", ["lock-discipline", "data-race", "no-ebusy"]);
  expect(answers.filter((a) => a.verdict === "holds").map((a) => a.property)).toEqual(properties);
});

test("the invariant says who has which lock where", () => {
  const { answers } = proveForAnyNumber(scenario("v4.2"), "udev", ["lock-discipline"]);
  const [answer] = answers;
  if (answer?.verdict !== "holds") throw new Error("not proved");
  expect(answer.because.some((line) => /^each udev has .*bd_mutex at .*mutex_unlock/.test(line))).toBe(true);
});

test("the proof for any number is a file that solvers check", async () => {
  const folder = mkdtempSync(join(tmpdir(), "any-number-"));
  try {
    const { certificate } = proveForAnyNumber(scenario("v4.2"), "udev", ["lock-discipline", "no-ebusy"], folder);
    const file = join(folder, certificate ?? "none");
    const proved = { initial: "unsat", inductive: "unsat", "interference-free": "unsat", safe: "unsat" };
    const fast: SolverChoice = nativeSolver("z3") === undefined ? {} : { solver: "native", command: "z3" };
    expect(await certify(file, fast)).toMatchObject({ valid: true, answers: proved });
    if (nativeSolver("cvc5") !== undefined) {
      expect(await certify(file, { solver: "native", command: "cvc5" })).toMatchObject({
        valid: true,
        answers: proved,
      });
    }
    // The same claims without what is known of the second member, and with nothing known at all.
    const text = readFileSync(file, "utf8");
    const alone = join(folder, "alone.smt2");
    writeFileSync(
      alone,
      text.replace(/\(define-fun Inv (\([\s\S]*?\)) Bool\n[\s\S]*?\n(?=\(define-fun Mover)/, (_, p) => {
        const names = [...String(p).matchAll(/\|[^|]*\|/g)].map((m) => m[0]).join(" ");
        return `(define-fun Inv ${p} Bool (Own ${names}))\n`;
      }),
    );
    expect(await certify(alone, fast)).toMatchObject({ valid: false, answers: { "interference-free": "sat" } });
    const nothing = join(folder, "nothing.smt2");
    writeFileSync(nothing, text.replace(/(\(define-fun (?:Own|Inv) \([\s\S]*?\) Bool\n )\(and /g, "$1(or "));
    expect(await certify(nothing, fast)).toMatchObject({ valid: false, answers: { safe: "sat" } });
  } finally {
    rmSync(folder, { recursive: true });
  }
}, 120_000);

/** The findings that the invariant with so many members leaves possible. */
function possible(program: Program, members: number): string[] {
  const system = lower(withMembers(program, "udev", members));
  const whole = encode(system);
  const facts = threadModular(whole);
  if (facts === undefined) throw new Error("too large");
  const left = encode(system, facts).leaves.flatMap((leaf) => leaf.findings.map((f) => system.findings[f]));
  return [...new Set(left.map((f) => `${f?.kind} ${f?.message}`))].sort();
}

test.each(["lei-2015", "v5.19"])("%s: more members change nothing, fewer are no worse", (variant) => {
  const program = scenario(variant);
  const three = possible(program, ENOUGH);
  expect(three.length).toBeGreaterThan(0);
  expect(possible(program, ENOUGH + 1)).toEqual(three);
  expect(possible(program, ENOUGH + 2)).toEqual(three);
  for (const fewer of [1, 2]) {
    for (const finding of possible(program, fewer)) expect(three).toContain(finding);
  }
});

test("a thread that is not like any other is refused", () => {
  const program = waitScan.record({ variant: "before", scenario: "probe-vs-wait" });
  if (program === null) throw new Error("no scenario");
  expect(proveForAnyNumber(program, "driver1", ["lock-discipline"]).answers).toEqual([
    {
      property: "lock-discipline",
      verdict: "inconclusive",
      reason: "threads of class driver1 cannot stand for any number of them: one of them is singled out",
    },
  ]);
});
