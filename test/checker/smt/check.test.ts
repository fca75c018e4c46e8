import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { jest } from "@jest/globals";
import { firings, stepOf } from "../../../src/checker/evaluate.ts";
import { explore } from "../../../src/checker/reference/index.ts";
import { certify } from "../../../src/checker/smt/certificate.ts";
import { check, type SmtOptions } from "../../../src/checker/smt/check.ts";
import { replay } from "../../../src/checker/smt/concrete.ts";
import { nativeSolver } from "../../../src/checker/smt/solver.ts";
import type { Exploration, Outcome } from "../../../src/checker/verdict.ts";
import { lower } from "../../../src/spec/lowering/lower.ts";
import { ModelError } from "../../../src/spec/model-error.ts";
import type { TransitionSystem } from "../../../src/spec/transition-system.ts";
import { randomProgram } from "../../random-program.ts";
import { bruteForce } from "./brute-force.ts";
import {
  act,
  bin,
  branch,
  end,
  error,
  goto,
  load,
  loc,
  num,
  philosophers,
  program,
  property,
  randomSystem,
  self,
  set,
  systemOf,
  thread,
  variable,
} from "./systems.ts";

const hasZ3 = nativeSolver("z3") !== undefined;
const hasCvc5 = nativeSolver("cvc5") !== undefined;
/** What tests of the methods run on: the native z3 is faster, the built-in one is always there. */
const fast: SmtOptions = hasZ3 ? { solver: "native", command: "z3" } : { solver: "wasm" };

jest.setTimeout(120_000);

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "smt-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function run(system: TransitionSystem, options: SmtOptions & { timeout?: number; reduction?: boolean } = {}) {
  return check(system, { properties: system.properties.map((p) => p.id), timeout: 60, ...fast, ...options });
}

function outcome(e: Exploration, id: string): Outcome {
  const found = e.outcomes.find((o) => o.property === id);
  if (found === undefined) throw new Error(`no outcome for ${id}`);
  return found;
}

function short(o: Outcome): string {
  if (o.verdict === "violated") return `violated ${o.schedule.steps.length}${o.depthExact ? "" : "?"}`;
  return o.verdict;
}

describe("known answers", () => {
  const methods = ["bmc", "k-induction", "spacer", "auto"] as const;

  test.each(methods)("philosophers, by %s", async (method) => {
    const bad = await run(philosophers(3, false), { method });
    expect(bad.outcomes.map(short)).toEqual(["violated 3", "violated 3", "holds"]);
    expect(outcome(bad, "deadlock")).toMatchObject({ finding: { kind: "deadlock", thread: 0 } });
    const good = await run(philosophers(3, true), { method });
    expect(good.outcomes.map(short)).toEqual(["holds", "holds", "holds"]);
    expect(good.complete).toBe(true);
  });

  test("the built-in solver answers the same", async () => {
    const bad = await run(philosophers(3, false), { solver: "wasm", method: "auto" });
    expect(bad.outcomes.map(short)).toEqual(["violated 3", "violated 3", "holds"]);
  });

  /** A counter that runs round for ever below a bound it never reaches: no depth of search proves that. */
  const counter = (guard: number): TransitionSystem =>
    systemOf({
      vars: [variable("n", 0, 1000)],
      programs: [
        program("p", [
          loc([
            act(bin("<", load(0), num(guard)), goto(0, set(0, bin("+", load(0), num(1))))),
            act(bin("==", load(0), num(guard)), goto(0, set(0, num(0)))),
          ]),
        ]),
      ],
      threads: [thread("t", 0)],
      properties: [property("low", { c: "invariant", expr: bin("<", load(0), num(700)) })],
    });

  test("bounded search alone says how far it got", async () => {
    const e = await run(counter(500), { method: "bmc", depth: 7 });
    expect(e).toMatchObject({ depth: 7, complete: false });
    expect(outcome(e, "low")).toMatchObject({
      verdict: "inconclusive",
      reason: "no counterexample of up to 7 steps exists; the bound on the depth was reached",
    });
  });

  test("Spacer proves what bounded search cannot", async () => {
    const e = await run(counter(500), { method: "spacer", depth: 3 });
    expect(e.outcomes.map(short)).toEqual(["holds"]);
    expect(e.method).toBe("spacer");
  });

  test("k-induction proves what follows from the last step", async () => {
    const e = await run(counter(500), { method: "k-induction", depth: 3 });
    // From any value below 700 the counter reaches 700 only through a step that is not enabled above 500.
    expect(e.outcomes.map(short)).toEqual(["holds"]);
    expect(e.method).toBe("k-induction");
  });

  test("Spacer on a program of two locations, whose place is a truth value", async () => {
    const system = systemOf({
      vars: [variable("n", 0, 50)],
      programs: [
        program("p", [
          loc([act(undefined, goto(1, set(0, num(3))))]),
          loc([act(bin("==", load(0), num(3)), goto(0, set(0, num(7))))]),
        ]),
      ],
      threads: [thread("t", 0)],
      properties: [property("p", { c: "invariant", expr: bin("!=", load(0), num(5)) })],
    });
    const e = await run(system, { method: "spacer", depth: 1 });
    expect(e).toMatchObject({ method: "spacer", outcomes: [{ verdict: "holds" }] });
  });

  test("integers without bounds", async () => {
    const system = (limit: number) =>
      systemOf({
        vars: [variable("n", 0, Number.POSITIVE_INFINITY)],
        programs: [program("p", [loc([act(undefined, goto(0, set(0, bin("+", load(0), num(3)))))])])],
        threads: [thread("t", 0)],
        properties: [property("p", { c: "invariant", expr: bin("!=", load(0), num(limit)) })],
      });
    expect((await run(system(-1))).outcomes.map(short)).toEqual(["holds"]);
    expect((await run(system(12))).outcomes.map(short)).toEqual(["violated 4"]);
  });

  test("an idle action waits until nothing else can move", async () => {
    const sleeper = program("sleeper", [
      loc([act(undefined, goto(1, set(0, num(1))), { idle: true })], { on: "sleep" }),
      end,
    ]);
    const worker = program("worker", [
      loc([act(undefined, goto(1))]),
      loc([act(undefined, goto(2, { o: "mark", m: 0 }))]),
      end,
    ]);
    const early = bin("&&", bin("==", load(0), num(1)), { e: "not", a: { e: "pc", t: 1, locations: [2] } });
    const e = await run(
      systemOf({
        vars: [variable("woken", 0, 1)],
        programs: [sleeper, worker],
        threads: [thread("s", 0), thread("w", 1)],
        marks: ["worked"],
        properties: [
          property("not-early", { c: "invariant", expr: { e: "not", a: early } }),
          property("asleep", { c: "invariant", expr: bin("==", load(0), num(0)) }),
          property("deadlock", { c: "deadlock" }, { trigger: { marks: [0], what: "work" } }),
        ],
      }),
    );
    expect(e.outcomes.map(short)).toEqual(["holds", "violated 3", "holds"]);
  });

  test("a thread kept off its CPU is not blocked, a handler that spins on its task's lock is", async () => {
    const midRun = { e: "pc", t: 1, locations: [1] } as const;
    const task = program("task", [
      loc([act(bin("&&", { e: "not", a: midRun }, bin("==", load(0), num(0))), goto(1, set(0, self)))], {
        on: "lock",
        holder: load(0),
      }),
      loc([act({ e: "not", a: midRun }, goto(2, set(0, num(0))))]),
      end,
    ]);
    const handler = program("irq", [
      loc([act(undefined, goto(1))]),
      loc([act(bin("==", load(0), num(0)), goto(2))], { on: "lock", holder: load(0) }),
      end,
    ]);
    const e = await run(
      systemOf({
        vars: [variable("lock", 0, 2)],
        programs: [task, handler],
        threads: [thread("task", 0, { cpu: 0, keptOff: midRun }), thread("irq", 1, { cpu: 0, kind: "hardirq" })],
        properties: [property("deadlock", { c: "deadlock" })],
      }),
    );
    expect(outcome(e, "deadlock")).toMatchObject({
      verdict: "violated",
      depthExact: true,
      finding: { kind: "irq-deadlock", thread: 1, message: "irq waits for lock held by task" },
    });
  });

  /** One thread spins for ever, the other waits for it, or for itself; `f` is where it may fail. */
  const waiting = (holder: number, fails: boolean): TransitionSystem =>
    systemOf({
      vars: [variable("x", 0, 1)],
      programs: [
        program("waiter", [
          loc([act(undefined, goto(1))]),
          loc([act(bin("==", load(0), num(1)), goto(2))], { on: "x", holder: num(holder) }),
          end,
        ]),
        program("spinner", [loc([act(undefined, goto(0)), ...(fails ? [act(undefined, error(0))] : [])])]),
      ],
      threads: [thread("w", 0), thread("s", 1)],
      findings: [{ kind: "bug-on", message: "BUG", error: true, site: { file: "m.ts", line: 1, column: 1 }, fn: "f" }],
      properties: [
        property("deadlock", { c: "deadlock" }),
        property("possible", { c: "stays-possible", expr: { e: "pc", t: 0, locations: [2] } }),
      ],
    });

  test("partial deadlocks: strong, weak, and those that only a cut edge could rescue", async () => {
    const own = await run(waiting(1, false));
    expect(own.outcomes.map(short)).toEqual(["violated 1", "violated 0"]);
    expect(outcome(own, "deadlock")).toMatchObject({ finding: { kind: "self-deadlock" } });
    const other = await run(waiting(2, false));
    expect(outcome(other, "deadlock")).toMatchObject({ verdict: "violated", finding: { kind: "partial-deadlock" } });
    const cut = await run(waiting(2, true));
    expect(outcome(cut, "deadlock")).toMatchObject({
      verdict: "inconclusive",
      reason: expect.stringContaining("only cut edges could rescue"),
    });
    expect(outcome(cut, "possible")).toMatchObject({ verdict: "inconclusive" });
  });

  test("a mistake of the model itself spoils every verdict", async () => {
    const e = await run(
      systemOf({
        vars: [variable("x", 0, 3)],
        programs: [
          program("p", [
            loc([
              act(undefined, branch(bin("<", load(0), num(2)), goto(0, set(0, bin("+", load(0), num(1)))), error(0))),
            ]),
          ]),
        ],
        threads: [thread("t", 0)],
        findings: [
          {
            kind: "model-error",
            message: "x leaves 0..2",
            error: true,
            site: { file: "m.ts", line: 1, column: 1 },
            fn: "f",
          },
        ],
        properties: [
          property("any", { c: "invariant", expr: num(1) }),
          property("live", {
            c: "temporal",
            formula: { t: "state", expr: num(1) },
            fairness: { weak: [], strong: [] },
          }),
        ],
      }),
    );
    expect(outcome(e, "any")).toMatchObject({
      verdict: "inconclusive",
      reason: "x leaves 0..2",
      finding: { kind: "model-error", thread: 0 },
      schedule: { steps: [{}, {}, {}] },
    });
  });
});

describe("agreement with plain enumeration", () => {
  const seeds = hasZ3 ? 60 : 6;

  test(`${seeds} random systems: verdicts, depths, schedules that replay`, async () => {
    const wrong: string[] = [];
    const count = { violated: 0, holds: 0, vacuous: 0, inconclusive: 0, undecided: 0 };
    let compared = 0;
    for (let seed = 1; compared < seeds; seed++) {
      const system = randomSystem(seed);
      const expected = bruteForce(system, 40);
      if (expected === undefined || expected.states < 4) continue;
      const method = (["auto", "k-induction", "spacer", "bmc"] as const)[compared % 4] ?? "auto";
      compared++;
      const e = await run(system, { method, depth: 15, timeout: 4, reduction: compared % 3 !== 0 });
      for (const o of e.outcomes) {
        const want = expected.answers.get(o.property);
        const got = short(o);
        if (o.verdict === "inconclusive" && !o.reason.startsWith("only cut edges") && want !== "inconclusive") {
          count.undecided++;
          continue;
        }
        count[o.verdict]++;
        // A question whose candidates were too many may have a shorter answer, and says so.
        const agrees = got === want || (got.endsWith("?") && want?.startsWith("violated"));
        if (!agrees) wrong.push(`seed ${seed}, ${method}, ${o.property}: ${got}, expected ${want}`);
        if (o.verdict !== "violated") continue;
        const end = replay(system, o.schedule.steps);
        const check = system.properties.find((p) => p.id === o.property)?.check;
        const carried = end?.last?.findings ?? [];
        if (end === undefined) wrong.push(`seed ${seed}, ${o.property}: the schedule does not replay`);
        if (check?.c === "findings" && !carried.some((f) => check.findings.includes(f))) {
          wrong.push(`seed ${seed}, ${o.property}: the last step does not carry the finding`);
        }
      }
    }
    expect(wrong).toEqual([]);
    // Enough of each kind, and little left open: only bounded search by itself leaves what loops.
    expect(count.violated).toBeGreaterThan(seeds);
    expect(count.holds).toBeGreaterThan(seeds);
    expect(count.vacuous).toBeGreaterThan(seeds / 4);
    expect(count.undecided).toBeLessThan(seeds);
  });
});

test("identical threads: the verdicts and depths of the reference interpreter on random protocols", async () => {
  const wrong: string[] = [];
  let compared = 0;
  let violated = 0;
  for (let seed = 1; compared < (hasZ3 ? 12 : 2); seed++) {
    const program = randomProgram(seed, { identical: true });
    const properties = program.properties.map((p) => p.id);
    let expected: Exploration;
    try {
      expected = explore(program, { properties, maxStates: 3000 });
    } catch (error) {
      if (error instanceof ModelError) continue;
      throw error;
    }
    if (!expected.complete) continue;
    const e = await run(lower(program), { method: "bmc", depth: 8, timeout: 4 });
    if (!e.reductions.includes("symmetry")) continue;
    compared++;
    for (const o of e.outcomes) {
      const want = expected.outcomes.find((other) => other.property === o.property);
      const depth = want?.verdict === "violated" ? want.schedule.steps.length : Number.POSITIVE_INFINITY;
      if (o.verdict === "inconclusive") {
        // What is left open must not have been within the depth searched.
        const searched = e.outcomes.every((x) => x.verdict !== "inconclusive" || !x.reason.includes("in time"));
        const candidates = ["deadlock", "stays-possible"].includes(
          program.properties.find((p) => p.id === o.property)?.check.c ?? "",
        );
        if (want?.verdict === "violated" && searched && !candidates && depth <= (e.depth ?? -1)) {
          wrong.push(`seed ${seed}, ${o.property}: open, but violated in ${depth}`);
        }
        continue;
      }
      if (o.verdict !== want?.verdict)
        wrong.push(`seed ${seed}, ${o.property}: ${short(o)}, expected ${want?.verdict}`);
      if (o.verdict !== "violated") continue;
      violated++;
      if (o.depthExact ? o.schedule.steps.length !== depth : o.schedule.steps.length < depth) {
        wrong.push(`seed ${seed}, ${o.property}: ${short(o)}, expected ${depth}`);
      }
    }
  }
  expect(wrong).toEqual([]);
  expect(violated).toBeGreaterThan(compared / 2);
});

describe("solvers", () => {
  const slow = philosophers(7, true);

  test("a timeout is inconclusive, with the depth reached", async () => {
    const started = Date.now();
    const e = await run(slow, { method: "bmc", timeout: 1 });
    expect(Date.now() - started).toBeLessThan(15_000);
    expect(outcome(e, "deadlock")).toMatchObject({
      verdict: "inconclusive",
      reason: expect.stringContaining("the solver did not answer in time"),
    });
  });

  test("a resource limit is inconclusive too", async () => {
    const e = await run(slow, { method: "bmc", rlimit: 2000, solver: "wasm" });
    expect(outcome(e, "deadlock")).toMatchObject({
      verdict: "inconclusive",
      reason: expect.stringMatching(/unknown|resource|cancel/),
    });
  });

  test("with a resource limit a run ends at the same place every time, whatever else the machine does", async () => {
    const limited = () => run(slow, { method: "bmc", rlimit: 5_000, timeout: Number.POSITIVE_INFINITY });
    const first = await limited();
    expect(first.outcomes.some((o) => o.verdict === "inconclusive")).toBe(true);
    const again = await limited();
    expect({ ...again, seconds: 0 }).toEqual({ ...first, seconds: 0 });
  });

  test("the built-in solver out of memory is inconclusive, with the reason and the depth reached", async () => {
    // Products of wide numbers, which bounded search turns into gates, more and more of them.
    const most = 2 ** 31 - 1;
    const square = bin("+", bin("*", load(0), load(1)), num(7));
    const e = await check(
      systemOf({
        vars: [variable("x", -most, most, [3]), variable("y", -most, most, [5])],
        programs: [
          program("p", [loc([act(undefined, goto(0, set(0, square))), act(undefined, goto(0, set(1, square)))])]),
        ],
        threads: [thread("t", 0)],
        properties: [property("p", { c: "invariant", expr: bin("!=", load(0), num(123_456_789)) })],
      }),
      { properties: ["p"], timeout: 60, method: "bmc", solver: "wasm", memory: 20 * 2 ** 20 },
    );
    expect(e.depth).toBeGreaterThanOrEqual(0);
    expect(outcome(e, "p")).toMatchObject({
      verdict: "inconclusive",
      reason: `no counterexample of up to ${e.depth} steps exists; bounded model checking: z3-solver ran out of the 20 MiB of memory it was given`,
    });
  });

  test("a native solver that is not there names what to do", async () => {
    const e = await run(slow, { solver: "native", command: "no-such-solver" });
    expect(outcome(e, "deadlock")).toMatchObject({
      verdict: "inconclusive",
      reason: expect.stringContaining("the SMT solver no-such-solver cannot be run: install it"),
    });
  });

  test("a program that is no solver is a failure of the solver, not of the engine", async () => {
    const broken = join(folder, "z3-broken");
    writeFileSync(broken, "#!/bin/sh\necho sorry >&2\nexit 3\n", { mode: 0o755 });
    const e = await run(slow, { solver: "native", command: broken });
    expect(outcome(e, "deadlock")).toMatchObject({
      verdict: "inconclusive",
      reason: expect.stringContaining("z3-broken ended (code 3) sorry"),
    });
  });

  test("every query is kept as a file that runs by itself", async () => {
    const keep = join(folder, "kept");
    await run(philosophers(2, false), { method: "bmc", keep });
    const files = readdirSync(keep).sort();
    expect(files.map((f) => f.replace(/^\d+-/, ""))).toEqual(["bmc.smt2", "candidates.smt2"]);
    expect(readFileSync(join(keep, files[0] ?? ""), "utf8")).toMatch(/^\(set-option[\s\S]*\(check-sat-assuming \(/);
  });

  (hasCvc5 ? test : test.skip)("cvc5 searches as well", async () => {
    const e = await run(philosophers(3, false), { solver: "native", command: "cvc5", method: "bmc" });
    expect(e.outcomes.map(short)).toEqual(["violated 3", "violated 3", "holds"]);
  });
});

describe("certificates", () => {
  let file: string;

  beforeAll(async () => {
    const certificates = join(folder, "certificates");
    const system = systemOf({
      protocol: "two-locks",
      vars: [variable("owner", 0, 2), variable("inside", 0, 2)],
      programs: [
        program("p", [
          loc([act(bin("==", load(0), num(0)), goto(1, set(0, self)))], { on: "owner", holder: load(0) }),
          loc([act(undefined, goto(2, set(1, bin("+", load(1), num(1)))))]),
          loc([act(undefined, goto(3, set(1, bin("-", load(1), num(1)))))]),
          loc([act(undefined, goto(0, set(0, num(0))))]),
        ]),
      ],
      threads: [thread("a", 0), thread("b", 0)],
      properties: [property("exclusion", { c: "invariant", expr: bin("<=", load(1), num(1)) })],
    });
    const e = await run(system, { method: "spacer", depth: 2, certificates });
    expect(e).toMatchObject({ method: "spacer", outcomes: [{ verdict: "holds" }] });
    const beside = join(certificates, "two-locks", "base", "s");
    expect(outcome(e, "exclusion")).toMatchObject({
      certificates: ["two-locks/base/s/exclusion.smt2", "two-locks/base/s/model-error.smt2"],
    });
    expect(readdirSync(beside).sort()).toEqual(["exclusion.smt2", "model-error.smt2"]);
    file = join(beside, "exclusion.smt2");
  });

  const solvers: [string, SmtOptions, boolean][] = [
    ["the built-in z3", { solver: "wasm" }, true],
    ["a native z3", { solver: "native", command: "z3" }, hasZ3],
    ["cvc5", { solver: "native", command: "cvc5" }, hasCvc5],
  ];
  for (const [name, solver, present] of solvers) {
    (present ? test : test.skip)(`${name} accepts it`, async () => {
      expect(await certify(file, solver)).toMatchObject({
        valid: true,
        answers: { initial: "unsat", inductive: "unsat", safe: "unsat" },
        about: ["Lockstep certificate: two-locks / base / s", "unreachable: exclusion"],
      });
    });
  }

  test("a weaker invariant, a stronger one and a file without one are not accepted", async () => {
    const text = readFileSync(file, "utf8");
    const start = text.indexOf("(define-fun Inv");
    const close = text.indexOf("; initial:");
    const head = /\(define-fun Inv \((?:\([^()]*\)\s*)*\) Bool/.exec(text)?.[0];
    const variant = (name: string, body: string): string => {
      const copy = join(folder, name);
      writeFileSync(copy, `${text.slice(0, start)}${head} ${body})\n${text.slice(close)}`);
      return copy;
    };
    const weak = await certify(variant("weak.smt2", "true"), fast);
    expect(weak).toMatchObject({ valid: false, answers: { initial: "unsat", inductive: "unsat", safe: "sat" } });
    const strong = await certify(variant("strong.smt2", "false"), fast);
    expect(strong).toMatchObject({ valid: false, answers: { initial: "sat", inductive: "unsat", safe: "unsat" } });
    const none = join(folder, "none.smt2");
    writeFileSync(none, text.slice(0, start));
    await expect(certify(none, fast)).rejects.toThrow("it does not define Inv");
  });

  test("an induction over several steps leaves its questions as a file", async () => {
    // Round and round up to 50; 700 to 703 are not reachable, and only four steps back does a path to 703 end.
    const arc = (from: number, to: number) => act(bin("==", load(0), num(from)), goto(0, set(0, num(to))));
    const up = act(bin("<", load(0), num(50)), goto(0, set(0, bin("+", load(0), num(1)))));
    const system = systemOf({
      vars: [variable("n", 0, 1000)],
      programs: [program("p", [loc([up, arc(50, 0), arc(700, 701), arc(701, 702), arc(702, 703)])])],
      threads: [thread("t", 0)],
      properties: [property("never", { c: "invariant", expr: bin("!=", load(0), num(703)) })],
    });
    const certificates = join(folder, "induction");
    const e = await run({ ...system, protocol: "arcs" }, { method: "k-induction", certificates });
    const [found] = e.outcomes;
    if (found?.verdict !== "holds" || found.certificates === undefined) throw new Error("no certificate");
    const proofs = found.certificates.map((name) => join(certificates, name));
    const induction = proofs.find((proof) => readFileSync(proof, "utf8").includes("(define-fun Length () Int 4)"));
    if (induction === undefined) throw new Error("no induction over four steps");
    for (const [, solver, present] of solvers) {
      if (!present) continue;
      expect(await certify(induction, solver)).toMatchObject({
        valid: true,
        answers: { initial: "unsat", inductive: "unsat", base: "unsat", step: "unsat" },
      });
    }
    const short = join(folder, "short.smt2");
    writeFileSync(short, readFileSync(induction, "utf8").replace("Length () Int 4", "Length () Int 3"));
    expect(await certify(short, fast)).toMatchObject({ valid: false, answers: { base: "unsat", step: "sat" } });
    const early = join(folder, "early.smt2");
    const two = "(define-fun Bad () Bool (= |n| 2))";
    writeFileSync(early, readFileSync(induction, "utf8").replace(/\(define-fun Bad \(\) Bool\n[^\n]*/, two));
    expect(await certify(early, fast)).toMatchObject({ valid: false, answers: { base: "sat" } });
  });

  test("queries in the file itself are not believed", async () => {
    const lying = join(folder, "lying.smt2");
    writeFileSync(lying, readFileSync(file, "utf8").replace("(set-logic ALL)", "(set-logic ALL)\n(assert false)"));
    // The assertion would make every query unsat; the definitions alone decide, and they are a proof here.
    const broken = join(folder, "broken.smt2");
    writeFileSync(
      broken,
      readFileSync(lying, "utf8").replace(/\(define-fun Bad \(\) Bool\n[^\n]*/, "(define-fun Bad () Bool true)"),
    );
    expect(await certify(lying, fast)).toMatchObject({ valid: true });
    expect(await certify(broken, fast)).toMatchObject({ valid: false });
  });
});

test("edges of a state are those of the encoding", () => {
  const system = philosophers(2, false);
  const start = replay(system, []);
  expect(start && firings(system, start.state).map((e) => stepOf(e))).toEqual([
    { thread: 0, action: 0, ways: [] },
    { thread: 1, action: 0, ways: [] },
  ]);
});
