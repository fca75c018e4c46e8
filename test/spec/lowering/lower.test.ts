import { Interpreter } from "../../../src/checker/reference/index.ts";
import { stateKey } from "../../../src/checker/reference/state.ts";
import { codeText, dump } from "../../../src/spec/lowering/dump.ts";
import { lower } from "../../../src/spec/lowering/lower.ts";
import { ModelError } from "../../../src/spec/model-error.ts";
import type { Program, Stmt } from "../../../src/spec/program.ts";
import type { TransitionSystem } from "../../../src/spec/transition-system.ts";
import {
  bin,
  bool,
  c,
  call,
  choose,
  eq,
  error,
  finding,
  fn,
  goto_,
  if_,
  int,
  label,
  let_,
  load,
  local,
  lock,
  mark,
  not,
  pool,
  program,
  ptr,
  return_,
  type Small,
  self,
  set,
  site,
  step,
  thread,
  unlock,
  variable,
  while_,
} from "../../checker/reference/small-program.ts";
import { initialState, moves, search } from "./breadth-first.ts";
import { randomProgram } from "./random-program.ts";

/** States and transitions. */
function size(p: Program): [number, number] {
  const { states, transitions } = search(lower(p));
  return [states, transitions];
}

/** A program of one thread that runs `body`. */
function single(body: readonly Stmt[], more: Partial<Small> & { locals?: Parameters<typeof fn>[2] } = {}): Program {
  return program({ functions: [fn("f", body, more.locals ?? [])], threads: [{ name: "f" }], ...more });
}

/** The code of an action of the first program. */
function code(p: Program, location = 0, action = 0): string {
  const system = lower(p);
  const own = system.programs[0]!;
  return codeText(own.locations[location]!.actions[action]!.code, system, own);
}

/** The dump without lines, which depend on the tests before. */
function text(system: TransitionSystem): string {
  return dump(system).replace(/small\.ts:\d+/g, "small.ts");
}

interface Graph {
  readonly states: number;
  /** All that is known of each transition, sorted. */
  readonly transitions: readonly string[];
}

/** No states where the program cannot be run. */
function graphOf(make: () => Graph): Graph {
  try {
    return make();
  } catch (e) {
    if (!(e instanceof ModelError)) throw e;
    return { states: 0, transitions: [] };
  }
}

function lowerAndWalk(p: Program): Graph {
  const system = lower(p);
  const { reached } = search(system);
  const transitions = reached.flatMap((state) =>
    moves(system, state).map(({ thread: t, action, ways, optional, idle, marks, findings }) => {
      const kinds = findings.map((f) => system.findings[f]!.kind);
      return JSON.stringify([t, action, ways, optional, idle, marks.map((m) => system.marks[m]), kinds]);
    }),
  );
  return { states: reached.length, transitions: transitions.sort() };
}

function interpret(p: Program): Graph {
  const interpreter = new Interpreter(p);
  const reached = [interpreter.initial()];
  const seen = new Set(reached.map(stateKey));
  const transitions: string[] = [];
  for (const state of reached)
    for (const { step: move, optional, idle, marks, findings, result } of interpreter.transitions(state, {
      patches: false,
    })) {
      const kinds: string[] = findings.map(({ kind }) => kind);
      if (result.k === "error") kinds.push(result.error.kind);
      else if (!seen.has(stateKey(result.state))) {
        seen.add(stateKey(result.state));
        reached.push(result.state);
      }
      transitions.push(JSON.stringify([move.thread, move.action, move.ways, optional, idle, marks, kinds]));
    }
  return { states: reached.length, transitions: transitions.sort() };
}

const alloc = (into: string, name = "P"): Stmt => ({
  s: "alloc",
  pool: name,
  into: { p: "var", v: into },
  site: site(),
});
const allocLocal = (into: string): Stmt => ({ s: "alloc", pool: "P", into: { p: "local", name: into }, site: site() });
const free = (e: Parameters<typeof not>[0]): Stmt => ({ s: "free", pool: "P", ptr: e, what: "obj", site: site() });
const deref = (e: Parameters<typeof not>[0]): Stmt => ({
  s: "deref",
  pool: "P",
  ptr: e,
  what: "obj->field",
  site: site(),
});

describe("counts made by hand", () => {
  test("a mutex: 3 x 3 places without both inside", () => {
    const body = [lock("m"), unlock("m")];
    const p = program({
      vars: [variable("m", thread)],
      functions: [fn("f", body)],
      threads: [
        { name: "f#1", cls: "f", fn: "f" },
        { name: "f#2", cls: "f", fn: "f" },
      ],
    });
    expect(size(p)).toEqual([8, 8]);
    // One program for both; it ends at its only ended location.
    const { programs, threads } = lower(p);
    expect(programs.map(({ locations }) => locations.map(({ ended }) => ended))).toEqual([[false, false, true]]);
    expect(threads.map((t) => t.program)).toEqual([0, 0]);
  });

  test("a retry loop: one state per attempt left, none of them after the end", () => {
    const attempt = step("try", [], {
      alternatives: [{ body: [let_("r", c(1))] }, { body: [let_("r", c(0))] }],
    });
    const body = [
      let_("n", c(3)),
      while_(bin(local("n"), ">", c(0)), [
        attempt,
        if_(local("r"), [{ s: "return", site: site() }]),
        let_("n", bin(local("n"), "-", c(1))),
      ]),
    ];
    const p = single(body, {
      locals: [
        { name: "n", domain: int(0, 3) },
        { name: "r", domain: bool },
      ],
    });
    expect(size(p)).toEqual([4, 6]);
    const system = lower(p);
    expect(system.threads[0]!.initialLocals).toEqual([3, 0]);
    expect(system.programs[0]!.locals.map((l) => [l.name, l.stored])).toEqual([
      ["f.n", true],
      ["f.r", false],
    ]);
  });

  test.each<[string, readonly Stmt[], boolean, [number, number]]>([
    ["read in the end", [step("use", [set("y", local("v"))])], false, [7, 6]],
    ["never read", [step("use")], false, [4, 4]],
    // It is part of the state up to the return.
    ["never read, but kept", [step("use")], true, [6, 6]],
  ])("a local that is %s", (_, last, kept, expected) => {
    const choice = step("choose", [choose([let_("v", c(0))], [let_("v", c(1))])]);
    const locals = [{ name: "v", domain: bool, ...(kept ? { kept } : {}) }];
    const p = single([choice, step("tick"), ...last], { vars: [variable("y", bool)], locals });
    expect(size(p)).toEqual(expected);
  });

  test("a choice in the local code after a step", () => {
    const body = [
      step("s"),
      choose([let_("l", c(0))], [let_("l", c(1))]),
      if_(local("l"), [step("one")], [step("zero")]),
    ];
    const p = single(body, { locals: [{ name: "l", domain: bool }] });
    expect(size(p)).toEqual([4, 4]);
    expect(code(p)).toBe("choose { if (f.l) { -> 1 } else { -> 2 } } or { f.l := 1; if (f.l) { -> 1 } else { -> 2 } }");
  });

  test("checks that fail are a transition although the guard is false", () => {
    const p = single([step("down", [], { when: c(0), checks: [deref(load("p"))] }), step("never")], {
      vars: [variable("p", ptr("P"), 1)],
      pools: [pool("P", 1, [0])],
    });
    expect(search(lower(p))).toMatchObject({ states: 2, transitions: 1, cut: { "use-after-free": 1 } });
    expect(moves(lower(p), initialState(lower(p)))).toMatchObject([{ thread: 0, action: 1, next: undefined }]);
  });

  test("a slot is free when it is dead and nothing points to it", () => {
    const body = [step("new", [alloc("head")]), step("kfree", [free(load("head"))]), step("again", [alloc("q")])];
    const of = (slots: number, reuse: boolean) =>
      search(
        lower(
          single(body, {
            vars: [variable("head", ptr("P")), variable("q", ptr("P"))],
            pools: [pool("P", slots, Array(slots).fill(0), reuse)],
          }),
        ),
      );
    expect(of(1, false)).toMatchObject({ states: 4, transitions: 3, cut: { "model-error": 1 } });
    const values = (size: ReturnType<typeof of>) => size.reached.at(-1)!.vars.map((elements) => elements.join(""));
    expect(values(of(2, false))).toEqual(["1", "2", "01"]);
    expect(values(of(1, true))).toEqual(["1", "1", "1"]);
  });

  test("locals of the other threads, also of its own class, keep a slot from being used again", () => {
    // Each takes an object, gives it back at once and keeps the pointer for a last look at its value.
    const body = [
      step("new", [allocLocal("p"), free(local("p"))]),
      step("look", [set("seen", bin(local("p"), "|", load("seen")))]),
    ];
    const p = program({
      vars: [variable("seen", int(0, 3))],
      pools: [pool("P", 2, [0, 0])],
      functions: [fn("f", body, [{ name: "p", domain: ptr("P") }])],
      threads: [1, 2].map((n) => ({ name: `f#${n}`, cls: "f", fn: "f" })),
    });
    // Nobody began (1); one holds slot 1 (2), or has ended (2); both hold, not the same one (2); one ended and the
    // other holds 1 after that (2), or what it held before, 1 or 2 (4); both ended with 1 or 3 seen (2). Those in which
    // both can go on are the first 1 + 2 + 2.
    expect(size(p)).toEqual([15, 2 * 5 + 8]);
  });

  test("a handler in the middle keeps the tasks of its CPU from stepping", () => {
    const on = (cpu: number, kind: "hardirq" | "softirq" | "task" = "hardirq") =>
      program({
        functions: [fn("task", [step("a"), step("b")]), fn("irq", [step("c"), step("d")])],
        threads: [
          { name: "task", cpu: 0 },
          { name: "irq", kind, cpu },
        ],
      });
    expect(size(on(0))).toEqual([9, 10]);
    expect(size(on(0, "softirq"))).toEqual([9, 10]);
    expect(size(on(1))).toEqual([9, 12]);
    expect(size(on(0, "task"))).toEqual([9, 12]);
  });

  test.each([0, 1, 2, 3])("random programs have the same graph on the reference interpreter (part %d)", (part) => {
    let compared = 0;
    for (let seed = part * 60; seed < part * 60 + 60; seed++) {
      const p = randomProgram(seed);
      const lowered = graphOf(() => lowerAndWalk(p));
      if (lowered.states > 200) continue;
      expect({ seed, ...lowered }).toEqual({ seed, ...graphOf(() => interpret(p)) });
      compared++;
    }
    expect(compared).toBeGreaterThan(45);
  });
});

describe("code", () => {
  test("a call at two places has two sets of locations and locals", () => {
    const get = {
      ...fn("get", [step("read", [let_("v", load("x"))]), return_(local("v"))], [{ name: "v", domain: bool }]),
      returns: bool,
    };
    const main = fn(
      "main",
      [call("get", [], "a"), call("get", [], "b"), step("sum", [set("x", bin(local("a"), "&", local("b")))])],
      [
        { name: "a", domain: bool },
        { name: "b", domain: bool },
      ],
    );
    const p = program({ vars: [variable("x", bool)], functions: [main, get], threads: [{ name: "main" }] });
    expect(text(lower(p))).toMatchInlineSnapshot(`
"small/base/only
var x 0..1 = 0
thread main: task, program 0 at 0
program 0 main: main.a 0..1, main.b 0..1, get.v 0..1 (temporary), get.v#2 0..1 (temporary)
  0 main/get: read
    0: get.v := x; main.a := get.v; -> 1
  1 main/get: read [live main.a]
    0: get.v#2 := x; main.b := get.v#2; -> 2
  2 main: sum [live main.a, main.b]
    0: x := main.a & main.b; main.a := 0; main.b := 0; -> 3
  3 ended
"
`);
  });

  test("a loop head, labels, a jump back, and what a step waits for", () => {
    const p = program({
      vars: [variable("m", thread), variable("stop", bool)],
      functions: [
        fn(
          "f",
          [
            label("again"),
            lock("m"),
            if_(local("s"), [goto_("out")]),
            step("poll", [let_("s", load("stop"))], { optional: true, name: "signal" }),
            unlock("m"),
            goto_("again"),
            label("out"),
            step("last", [mark("done")], { idle: true }),
          ],
          [{ name: "s", domain: bool }],
        ),
      ],
      threads: [{ name: "f", args: [] }],
      properties: {
        ended: { c: "stays-possible", expr: { e: "ended", thread: "f" } },
        out: { c: "invariant", expr: not({ e: "at", thread: "f", label: "out" }) },
        lock: {
          check: { c: "findings", kinds: ["unlock-not-owner"] },
          trigger: { marks: ["done", "never"], what: "the end" },
        },
        live: {
          c: "temporal",
          formula: { t: "eventually", a: { t: "state", expr: { e: "ended", thread: "f" } } },
          fairness: { threads: "weak", strongThreads: [], strongWaits: [] },
        },
      },
    });
    const system = lower(p);
    expect(text(system)).toMatchInlineSnapshot(`
"small/base/only
var m 0..1 = 0
var stop 0..1 = 0
thread f: task, program 0 at 0
program 0 f: f.s 0..1
  0 f: mutex_lock(m) [labels again; live f.s; waits on m held by m]
    0 when m == 0: m := self; if (f.s) { f.s := 0; -> 1 } else { f.s := 0; -> 2 }
  1 f: last [labels out]
    0 idle: mark done; -> 4
  2 f: poll
    0 'signal' optional: f.s := stop; -> 3
  3 f: mutex_unlock(m) [live f.s]
    0 when m == self: m := 0; -> 0
    1 when !(m == self): error unlock-not-owner
  4 ended
finding 0 (error) unlock-not-owner: an error of kind unlock-not-owner (f, small.ts)
property ended: stays-possible f@{4}
property out: invariant !f@{1}
property lock: none of findings 0
property live: eventually (f@{4})
"
`);
    expect(system.marks).toEqual(["done", "never"]);
    expect(system.properties[2]!.trigger).toEqual({ marks: [0, 1], what: "the end" });
    expect(system.programs[0]!.locations.map((l) => l.actions.map((a) => [a.reads, a.writes]))).toEqual([
      [[[0], [0]]],
      [[[], []]],
      [[[1], []]],
      [
        [[0], [0]],
        [[0], []],
      ],
      [],
    ]);
  });

  test("only stores that may leave the range are tested", () => {
    const vars = [variable("x", int(0, 2)), { ...variable("a", int(0, 1)), length: 2, init: [0, 0] }];
    const store = (value: Parameters<typeof set>[1], i?: Parameters<typeof set>[1]) =>
      code(
        single(
          [
            step("s", [
              i === undefined ? set("x", value) : { s: "set", to: { p: "var", v: "a", i }, value, site: site() },
            ]),
          ],
          { vars },
        ),
      );
    expect(store(bin(load("x"), "&", c(1)))).toBe("x := x & 1; -> 1");
    expect(store(bin(load("x"), "+", c(1)))).toBe("if (x + 1 <= 2) { x := x + 1; -> 1 } else { error model-error }");
    expect(store(bin(load("x"), "-", c(1)))).toBe("if (x - 1 >= 0) { x := x - 1; -> 1 } else { error model-error }");
    expect(store(c(3))).toBe("error model-error");
    expect(store(c(1), bin(self, "-", c(1)))).toBe("a[self - 1] := 1; -> 1");
    expect(store(load("x"), load("x"))).toBe(
      "if (x <= 1) { if (x <= 1) { a[x] := x; -> 1 } else { error model-error } } else { error model-error }",
    );
    const { findings } = lower(single([step("s", [set("x", bin(load("x"), "+", c(1)))])], { vars }));
    expect(findings).toMatchObject([{ kind: "model-error", error: true, fn: "f" }]);
    expect(findings[0]!.message).toBe(
      "x would get a value outside its range 0..2: widen the range, or bound the code that writes it.",
    );
  });

  test("touching an object: what cannot be is not tested", () => {
    const pools = [pool("P", 2, [1, 1])];
    const touch = (p: Parameters<typeof not>[0], wild = false) =>
      code(single([step("s", [deref(p)])], { pools, vars: [variable("p", { d: "ptr", pool: "P", wild })] }));
    expect(touch(c(2))).toBe("if (P.alive[1]) { -> 1 } else { error use-after-free }");
    expect(touch(c(0))).toBe("error null-dereference");
    expect(touch(c(3))).toBe("error wild-access");
    const rest = "if (p == 0) { error null-dereference } else";
    expect(touch(load("p"))).toBe(`if (P.alive[p - 1]) { -> 1 } else { ${rest} { error use-after-free } }`);
    expect(touch(load("p"), true)).toBe(
      `if (P.alive[p - 1]) { -> 1 } else { ${rest} { if (p > 2) { error wild-access } else { error use-after-free } } }`,
    );
  });

  test("marks and findings of checks go along with both the step and the failing checks", () => {
    const checks = [
      if_(load("atomic"), [finding("sleep-in-atomic")]),
      mark("slept"),
      if_(load("bad"), [error("bug-on")]),
    ];
    const p = single([step("sleep", [set("atomic", c(0))], { checks, when: load("atomic") })], {
      vars: [variable("atomic", bool), variable("bad", bool)],
    });
    const { actions } = lower(p).programs[0]!.locations[0]!;
    expect(actions).toHaveLength(2);
    expect(text(lower(p))).toMatchInlineSnapshot(`
"small/base/only
var atomic 0..1 = 0
var bad 0..1 = 0
thread f: task, program 0 at 0
program 0 f
  0 f: sleep
    0 when !(bad != 0) && atomic: if (atomic) { finding sleep-in-atomic; mark slept; atomic := 0; -> 1 } else { mark slept; atomic := 0; -> 1 }
    1 when bad != 0: if (atomic) { finding sleep-in-atomic; mark slept; error bug-on } else { mark slept; error bug-on }
  1 ended
finding 0 sleep-in-atomic: a finding sleep-in-atomic (f, small.ts)
finding 1 (error) bug-on: an error of kind bug-on (f, small.ts)
"
`);
  });

  test("a constant guard that is false leaves its number to the alternative", () => {
    const p = single([
      step("s", [], {
        alternatives: [
          { when: c(0), body: [mark("no")] },
          { body: [mark("yes")], name: "taken" },
        ],
      }),
    ]);
    const { actions } = lower(p).programs[0]!.locations[0]!;
    expect(actions.map(({ guard, name }) => [guard, name])).toEqual([
      [{ e: "const", v: 0 }, ""],
      [undefined, "taken"],
    ]);
    expect(size(p)).toEqual([2, 1]);
  });

  test("threads of a class with other arguments or another CPU have a program of their own", () => {
    const p = program({
      functions: [fn("f", [step("s", [set("x", local("n"))])], [{ name: "n", domain: int(0, 2) }], 1)],
      vars: [variable("x", int(0, 2))],
      threads: [
        [1, 0],
        [1, 0],
        [2, 0],
        [1, 1],
      ].map(([arg, cpu], t) => ({
        name: `f#${t + 1}`,
        cls: "f",
        fn: "f",
        args: [arg!],
        cpu: cpu!,
      })),
    });
    const { threads } = lower(p);
    expect(threads.map((t) => [t.program, t.cpu, t.initialLocals])).toEqual([
      [0, 0, [1]],
      [0, 0, [1]],
      [1, 0, [2]],
      [2, 1, [1]],
    ]);
  });

  test("threads of one class may start at different steps", () => {
    const p = program({
      functions: [fn("f", [if_(eq(self, c(2)), [mark("second"), step("late")]), step("common")])],
      threads: [1, 2].map((n) => ({ name: `f#${n}`, cls: "f", fn: "f" })),
    });
    const { threads, programs, marks, initialMarks } = lower(p);
    expect(threads.map((t) => programs[0]!.locations[t.initialLocation]!.call)).toEqual(["common", "late"]);
    expect(threads[0]!.initialLocation).toBe(0);
    expect(initialMarks.map((m) => marks[m])).toEqual(["second"]);
  });
});

describe("a Program that is not well-formed", () => {
  const f = (body: readonly Stmt[]) =>
    single(body, { vars: [variable("counter", int(0, 1))], locals: [{ name: "index", domain: bool }] });
  const property = (expr: Parameters<typeof not>[0]) =>
    program({
      functions: [fn("f", [label("here"), step("s"), label("end")])],
      threads: [{ name: "f" }],
      properties: { p: { c: "invariant", expr } },
    });

  test.each<[string, () => Program, RegExp]>([
    [
      "an unknown variable",
      () => f([step("s", [set("conuter", c(0))])]),
      /shared variable named "conuter"\. Nearest: counter/,
    ],
    ["an unknown local", () => f([step("s", [let_("indx", c(0))])]), /no local named "indx"\. Nearest: index/],
    [
      "an unknown label",
      () => f([label("retry"), step("s"), goto_("rety")]),
      /no label "rety" to go to\. Nearest: retry/,
    ],
    ["an unknown function", () => f([call("g")]), /no function named "g" in variant "base"\. Nearest: f/],
    ["an unknown pool", () => f([step("s", [alloc("counter", "Q")])]), /no pool named "Q"\. There are none/],
    ["an index on a scalar", () => f([step("s", [set("counter", load("counter", c(0)))])]), /counter is not an array/],
    ["two labels of a name", () => f([label("a"), step("s"), label("a")]), /two labels named "a"/],
    ["a break outside of a loop", () => f([step("s"), { s: "break", site: site() }]), /A break outside of a loop/],
    ["a step in a choice", () => f([choose([step("s")])]), /A step cannot stand in the body of a step or a choice/],
    [
      "an assignment in checks",
      () => f([step("s", [], { checks: [set("counter", c(0))] })]),
      /cannot stand in the checks/,
    ],
    ["arguments", () => f([call("f", [c(1)])]), /f takes 0 arguments, not 1/],
    ["recursion", () => f([step("s"), call("f")]), /Recursion: f -> f/],
    [
      "a loop without a step",
      () => f([step("s"), while_(local("index"), [let_("index", c(0))])]),
      /loop without a step, reached from s/,
    ],
    [
      "a goto round without a step",
      () => f([label("a"), if_(local("index"), [goto_("a")]), step("s")]),
      /loop without a step/,
    ],
    ["a choice before the first step", () => f([choose([], [])]), /Before its first step the thread f chooses/],
    ["an error before the first step", () => f([error("bug-on")]), /Before its first step the thread f ends in bug-on/],
    [
      "a finding before the first step",
      () => f([finding("odd"), step("s")]),
      /Before its first step the thread f reports odd/,
    ],
    ["a store before the first step", () => f([set("counter", c(1)), step("s")]), /writes the shared variable counter/],
    [
      "an initial value",
      () => program({ vars: [variable("x", bool, 2)], functions: [fn("f", [])], threads: [{ name: "f" }] }),
      /initial value 2 of x is outside its range 0\.\.1/,
    ],
    [
      "a variable twice",
      () =>
        program({
          vars: [variable("x", bool), variable("x", bool)],
          functions: [fn("f", [])],
          threads: [{ name: "f" }],
        }),
      /Two shared variables are named "x"/,
    ],
    [
      "a thread twice",
      () => program({ functions: [fn("f", [])], threads: [{ name: "f" }, { name: "f" }] }),
      /Two threads are named "f"/,
    ],
    [
      "a thread's function",
      () => program({ functions: [fn("open", [])], threads: [{ name: "t", fn: "opne" }] }),
      /runs "opne".*Nearest: open/,
    ],
    [
      "a thread's argument",
      () =>
        program({ functions: [fn("f", [], [{ name: "a", domain: bool }], 1)], threads: [{ name: "f", args: [2] }] }),
      /a = 2, outside its range 0\.\.1/,
    ],
    [
      "a handler without CPU",
      () => program({ functions: [fn("f", [])], threads: [{ name: "f", kind: "hardirq" }] }),
      /needs a CPU/,
    ],
    ["a property's thread", () => property({ e: "ended", thread: "g" }), /no thread named "g"\. Nearest: f/],
    ["a property's label", () => property({ e: "at", thread: "f", label: "heer" }), /label "heer"\. Nearest: here/],
    [
      "a label without a step",
      () => property({ e: "at", thread: "f", label: "end" }),
      /No step directly follows the label "end"/,
    ],
    ["a property's local", () => property(local("x")), /The local "x" in a property/],
    [
      "ended in code",
      () => f([step("s", [], { when: { e: "ended", thread: "f" } })]),
      /`ended` can stand in properties only/,
    ],
    [
      "too many paths",
      () => f([step("s"), ...Array.from({ length: 15 }, () => if_(local("index"), [mark("m")])), step("t")]),
      /More than 20000 paths lead from s/,
    ],
  ])("%s", (_, make, message) => {
    const p = make();
    expect(() => lower(p)).toThrow(ModelError);
    expect(() => lower(p)).toThrow(message);
  });

  test("the site is that of the statement", () => {
    const bad = set("conuter", c(0)) as Stmt & { s: "set" };
    let caught: unknown;
    try {
      lower(f([step("s", [bad])]));
    } catch (e) {
      caught = e;
    }
    expect((caught as ModelError).site).toEqual(bad.site);
  });
});
