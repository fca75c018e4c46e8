import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { certify } from "../../../src/checker/smt/certificate.ts";
import { check } from "../../../src/checker/smt/check.ts";
import { type CountingAnswer, checkAnyNumber } from "../../../src/checker/smt/counting.ts";
import { nativeSolver } from "../../../src/checker/smt/solver.ts";
import type { SysExpr, SysLocation, TransitionSystem } from "../../../src/spec/transition-system.ts";
import {
  act,
  bin,
  error,
  goto,
  load,
  loc,
  local,
  num,
  program,
  property,
  self,
  set,
  systemOf,
  thread,
  variable,
} from "./systems.ts";

const fast =
  nativeSolver("z3") === undefined ? ({ solver: "wasm" } as const) : ({ solver: "native", command: "z3" } as const);

const owner = { ...variable("owner", 0, 9), values: { of: "thread" } as const };
const inside = variable("inside", 0, 9);
const bothInside: SysExpr = {
  e: "not",
  a: bin("&&", { e: "pc", t: 0, locations: [2] }, { e: "pc", t: 1, locations: [2] }),
};

/** Threads that enter a section under a lock; `broken` ones test the lock in one step and take it in the next. */
function section(count: number, broken: boolean, more: Partial<TransitionSystem> = {}): TransitionSystem {
  const free = bin("==", load(broken ? 1 : 0), num(0));
  const wait = { on: "owner", holder: load(0) };
  const enter: SysLocation[] = broken
    ? [loc([act(free, goto(1))], wait), loc([act(undefined, goto(2, set(1, num(1))))])]
    : [loc([act(free, goto(1, set(0, self)))], wait), loc([act(undefined, goto(2))])];
  const mine = bin("==", load(0), self);
  const leave = broken
    ? loc([act(undefined, goto(0, set(1, num(0))))])
    : loc([act(mine, goto(0, set(0, num(0)))), act({ e: "not", a: mine }, error(0))]);
  return systemOf({
    vars: [owner, variable("taken", 0, 1)],
    programs: [program("udev", [...enter, leave])],
    threads: Array.from({ length: count }, (_, i) => thread(`udev#${i + 1}`, 0)),
    findings: [
      {
        kind: "unlock-not-owner",
        message: "not mine",
        error: true,
        site: { file: "m.ts", line: 1, column: 1 },
        fn: "f",
      },
    ],
    properties: [
      property("exclusion", { c: "invariant", expr: bothInside }),
      property("lock-discipline", { c: "findings", findings: [0] }),
      property("deadlock", { c: "deadlock" }),
      property("possible", { c: "stays-possible", expr: free }),
    ],
    ...more,
  });
}

const all = ["exclusion", "lock-discipline", "deadlock", "possible"];
const short = (a: CountingAnswer): string =>
  a.verdict === "violated" ? `violated by ${a.members} in ${a.steps}` : a.verdict;

test("a lock excludes any number of threads, and never blocks them all", async () => {
  const answers = await checkAnyNumber(section(2, false), "udev", all, { ...fast, timeout: 60 });
  expect(answers.map(short)).toEqual(["holds", "holds", "holds", "inconclusive"]);
  expect(answers[2]).toMatchObject({ only: "global deadlock" });
  expect(answers[3]).toMatchObject({ reason: "possible is not a safety property: counting decides those alone" });
}, 120_000);

test("the proof for any number is a certificate", async () => {
  const [answer] = await checkAnyNumber(section(2, false), "udev", ["exclusion"], { ...fast, timeout: 60 });
  if (answer?.verdict !== "holds") throw new Error("not proved");
  const folder = mkdtempSync(join(tmpdir(), "counting-"));
  try {
    const file = join(folder, "exclusion.smt2");
    writeFileSync(file, answer.certificate);
    expect(await certify(file, fast)).toMatchObject({ valid: true });
    if (nativeSolver("cvc5") !== undefined) {
      expect(await certify(file, { solver: "native", command: "cvc5" })).toMatchObject({ valid: true });
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}, 120_000);

test("a lock tested in one step and taken in the next does not exclude", async () => {
  const [answer] = await checkAnyNumber(section(2, true), "udev", ["exclusion"], { ...fast, timeout: 60 });
  expect(answer && short(answer)).toBe("violated by 2 in 4");
  // The same depth as with exactly two threads.
  const exact = await check(section(2, true), { properties: ["exclusion"], timeout: 60, ...fast, method: "bmc" });
  expect(exact.outcomes[0]).toMatchObject({ verdict: "violated", schedule: { steps: { length: 4 } } });
}, 120_000);

/** A semaphore that lets three in: wrong only from four threads on. */
function semaphore(limit: number): TransitionSystem {
  return systemOf({
    vars: [inside],
    programs: [
      program("udev", [
        loc([act(bin("<", load(0), num(3)), goto(1, set(0, bin("+", load(0), num(1)))))], { on: "semaphore" }),
        loc([act(undefined, goto(0, set(0, bin("-", load(0), num(1)))))]),
      ]),
    ],
    threads: [thread("udev#1", 0), thread("udev#2", 0)],
    properties: [property("few", { c: "invariant", expr: bin("<=", load(0), num(limit)) })],
  });
}

test("a violation that takes more threads than the scenario has is found, with their number", async () => {
  const [three] = await checkAnyNumber(semaphore(3), "udev", ["few"], { ...fast, timeout: 60 });
  expect(three && short(three)).toBe("holds");
  const [two] = await checkAnyNumber(semaphore(2), "udev", ["few"], { ...fast, timeout: 60 });
  expect(two).toMatchObject({ verdict: "violated", steps: 3 });
  expect(two?.verdict === "violated" && two.members >= 3).toBe(true);
  // Two threads alone do nothing wrong.
  const two2 = await check(semaphore(2), { properties: ["few"], timeout: 60, ...fast });
  expect(two2.outcomes[0]).toMatchObject({ verdict: "holds" });
}, 120_000);

test("all of them waiting for one that never comes is a deadlock for every number", async () => {
  const system = systemOf({
    vars: [owner],
    programs: [
      program("udev", [
        loc([act(bin("==", load(0), num(0)), goto(1, set(0, self)))], { on: "owner", holder: load(0) }),
        // Takes again what it has.
        loc([act(bin("==", load(0), num(0)), goto(0, set(0, self)))], { on: "owner", holder: load(0) }),
      ]),
    ],
    threads: [thread("udev#1", 0), thread("udev#2", 0)],
    properties: [property("deadlock", { c: "deadlock" })],
  });
  const [answer] = await checkAnyNumber(system, "udev", ["deadlock"], { ...fast, timeout: 60 });
  expect(answer && short(answer)).toBe("violated by 1 in 1");
}, 120_000);

test("stored locals and other threads stay exact", async () => {
  // Each thread doubles its local up to 2; a fixed thread waits until one has passed it on.
  const system = systemOf({
    vars: [variable("best", 0, 3)],
    programs: [
      program(
        "udev",
        [
          loc([
            act(bin("<", local(0), num(2)), goto(0, { o: "local", l: 0, value: bin("+", local(0), num(1)) })),
            act(bin("==", local(0), num(2)), goto(1)),
          ]),
          loc([act(undefined, goto(1, set(0, local(0))))]),
        ],
        [{ name: "n", fn: "f", lo: 0, hi: 3, values: { of: "int" }, stored: true }],
      ),
      program("reader", [
        loc([act(bin(">", load(0), num(0)), goto(1))], { on: "best" }),
        loc([act(undefined, goto(1))]),
      ]),
    ],
    threads: [thread("udev#1", 0, {}, [0]), thread("reader", 1)],
    properties: [
      property("two", { c: "invariant", expr: bin("<=", load(0), num(2)) }),
      property("one", { c: "invariant", expr: bin("<=", load(0), num(1)) }),
      property("asleep", { c: "invariant", expr: { e: "pc", t: 1, locations: [0] } }),
    ],
  });
  const answers = await checkAnyNumber(system, "udev", ["two", "one", "asleep"], { ...fast, timeout: 60 });
  expect(answers.map((a) => (a.verdict === "violated" ? `violated in ${a.steps}` : a.verdict))).toEqual([
    "holds",
    "violated in 4",
    "violated in 5",
  ]);
}, 120_000);

test.each([
  ["they compute with their own number", [loc([act(undefined, goto(0, set(0, bin("+", self, num(1)))))])]],
  ["they use their own number as a number", [loc([act(undefined, goto(0, set(1, self)))])]],
  ["one may overwrite owner while another has it", [loc([act(undefined, goto(0, set(0, self)))])]],
  ["a name of one of them is compared or computed with", [loc([act(bin("<", load(0), num(2)), goto(0))])]],
])("what cannot be counted is refused: %s", async (why, locations) => {
  const system = systemOf({
    vars: [owner, inside],
    programs: [program("udev", locations)],
    threads: [thread("udev#1", 0), thread("udev#2", 0)],
    properties: [property("p", { c: "invariant", expr: num(1) })],
  });
  const [answer] = await checkAnyNumber(system, "udev", ["p"], { ...fast, timeout: 10 });
  expect(answer).toMatchObject({ verdict: "inconclusive" });
  expect(answer?.verdict === "inconclusive" && answer.reason).toMatch(/cannot be counted: /);
  expect([why, answer?.verdict === "inconclusive" && answer.reason.includes(why)]).toEqual([why, true]);
});

test("an array with an element for each thread is refused", async () => {
  const system = section(2, false, { vars: [owner, { ...variable("mine", 0, 1, [0, 0]), index: "thread" }] });
  const [answer] = await checkAnyNumber(system, "udev", ["exclusion"], { ...fast, timeout: 10 });
  expect(answer).toMatchObject({
    verdict: "inconclusive",
    reason: "threads of class udev cannot be counted: mine has an element for each thread",
  });
});
