import { applyPatches } from "immer";
import {
  explore,
  Interpreter,
  type ReferenceExploration,
  replay,
  simulate,
  type Transition,
} from "../../../src/checker/reference/index.ts";
import type { Outcome } from "../../../src/checker/verdict.ts";
import { ModelError } from "../../../src/spec/model-error.ts";
import type { Program } from "../../../src/spec/program.ts";
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
  self,
  set,
  site,
  step,
  thread,
  unlock,
  variable,
  waitFor,
  while_,
} from "./small-program.ts";

const deadlock = { deadlock: { c: "deadlock" } } as const;
const always = c(1);
const ticker = fn("ticker", [while_(always, [step("tick")])]);

function size(e: ReferenceExploration): readonly (number | null)[] {
  return [e.states, e.transitions];
}

function outcomeOf(e: ReferenceExploration, property: string): Outcome {
  const outcome = e.outcomes.find((o) => o.property === property);
  if (outcome === undefined) throw new Error(`no outcome of ${property}`);
  return outcome;
}

/** The violation of a property, after a check that its schedule replays. */
function violation(p: Program, property: string) {
  const outcome = outcomeOf(explore(p), property);
  if (outcome.verdict !== "violated") throw new Error(`${property}: ${JSON.stringify(outcome)}`);
  const again = replay(p, outcome.schedule, property);
  expect(again).toMatchObject({ fits: true, violates: true, replayed: "full", finding: outcome.finding });
  const steps = outcome.schedule.steps.map((s) => s.thread);
  return { ...outcome.finding, depth: steps.length, threads: steps, depthExact: outcome.depthExact };
}

function only(transitions: readonly Transition[]): Transition {
  expect(transitions).toHaveLength(1);
  return transitions[0]!;
}

function next(transition: Transition) {
  if (transition.result.k === "error") throw new Error(transition.result.error.message);
  return transition.result.state;
}

/** Runs a program with one enabled transition in every state to its end. */
function runToEnd(p: Program) {
  const interpreter = new Interpreter(p);
  let state = interpreter.initial();
  for (let all = interpreter.transitions(state); all.length > 0; all = interpreter.transitions(state)) {
    state = next(only(all));
  }
  return state;
}

const abba = [
  fn("one", [lock("a"), lock("b"), unlock("b"), unlock("a")]),
  fn("two", [lock("b"), lock("a"), unlock("a"), unlock("b")]),
];
const locks = [variable("a", thread), variable("b", thread)];

describe("deadlock", () => {
  test("two locks in opposite order", () => {
    const p = program({
      vars: locks,
      functions: abba,
      threads: [{ name: "one" }, { name: "two" }],
      properties: deadlock,
    });
    const e = explore(p);
    // By places 0..4 of the two: 10 + 6 with one outside its locks, and (1,1), (1,3), (3,1). Each thread has 4+2+2+3 moves.
    expect(size(e)).toEqual([19, 22]);
    expect(e).toMatchObject({ complete: true, depth: 8, cut: {}, unreached: [] });
    expect(violation(p, "deadlock")).toMatchObject({
      kind: "deadlock",
      thread: 0,
      depth: 2,
      depthExact: true,
      message: "one waits in mutex_lock(b) for b, held by two; two waits in mutex_lock(a) for a, held by one: for ever",
    });
  });

  test("it is partial while another thread goes on", () => {
    const threads = [{ name: "one" }, { name: "two" }, { name: "ticker" }];
    const p = program({ vars: locks, functions: [...abba, ticker], threads, properties: deadlock });
    expect(size(explore(p))).toEqual([19, 22 + 19]);
    expect(violation(p, "deadlock")).toMatchObject({ kind: "partial-deadlock", depth: 2 });
  });

  test("a mutex locked again by its owner", () => {
    const p = program({
      vars: locks,
      functions: [fn("one", [lock("a"), lock("a")])],
      threads: [{ name: "one" }],
      properties: deadlock,
    });
    expect(size(explore(p))).toEqual([2, 1]);
    expect(violation(p, "deadlock")).toMatchObject({ kind: "self-deadlock", thread: 0, depth: 1 });
  });

  test("a holder that goes on without ever letting go", () => {
    const p = program({
      vars: locks,
      functions: [fn("one", [lock("a"), while_(always, [step("tick")])]), fn("two", [lock("a"), unlock("a")])],
      threads: [{ name: "one" }, { name: "two" }],
      properties: deadlock,
    });
    expect(size(explore(p))).toEqual([5, 6]);
    expect(violation(p, "deadlock")).toMatchObject({ kind: "partial-deadlock", thread: 1, depth: 1 });
  });

  test("a state where the holder is stuck too is preferred to a nearer one where it still moves", () => {
    // One holds a and never lets go, but becomes stuck itself only two steps later.
    const p = program({
      vars: [...locks, variable("flag", bool)],
      functions: [fn("one", [lock("a"), step("tick"), waitFor("flag")]), fn("two", [lock("a"), unlock("a")])],
      threads: [{ name: "one" }, { name: "two" }],
      properties: deadlock,
    });
    expect(violation(p, "deadlock")).toMatchObject({ depth: 2, threads: [0, 0], kind: "deadlock", thread: 0 });
  });

  test("an optional move rescues nobody", () => {
    const p = program({
      vars: [variable("flag", bool)],
      functions: [fn("one", [waitFor("flag")]), fn("env", [step("signal", [set("flag", c(1))], { optional: true })])],
      threads: [{ name: "one" }, { name: "env", kind: "environment" }],
      properties: deadlock,
    });
    expect(size(explore(p))).toEqual([3, 2]);
    expect(violation(p, "deadlock")).toMatchObject({ kind: "deadlock", depth: 0 });
  });

  test("an owed move of a device rescues, and neither it nor a resting wait is blocked", () => {
    const rest = step("wait_event(queue)", [], { when: c(0), wait: { on: "queue", resting: eq(load("flag"), c(1)) } });
    const p = program({
      vars: [variable("flag", bool)],
      functions: [
        fn("one", [waitFor("flag"), rest]),
        fn("disk", [step("complete", [set("flag", c(1))]), step("submitted", [], { when: c(0) })]),
      ],
      threads: [{ name: "one" }, { name: "disk", kind: "device" }],
      properties: {
        ...deadlock,
        "flag-at-rest": { c: "at-rest", expr: eq(load("flag"), c(1)) },
        "no-flag-at-rest": { c: "at-rest", expr: eq(load("flag"), c(0)) },
      },
    });
    const e = explore(p);
    expect(outcomeOf(e, "deadlock").verdict).toBe("holds");
    expect(outcomeOf(e, "flag-at-rest").verdict).toBe("holds");
    expect(violation(p, "no-flag-at-rest")).toMatchObject({ depth: 2, kind: "no-flag-at-rest" });
    const interpreter = new Interpreter(p);
    const end = next(only(interpreter.transitions(next(only(interpreter.transitions(interpreter.initial()))))));
    expect(interpreter.status(interpreter.initial()).map((s) => s.status)).toEqual(["blocked", "ready"]);
    expect(interpreter.status(end).map((s) => s.status)).toEqual(["resting", "environment"]);
    expect(interpreter.status(end)[0]!.why).toBe("one rests at wait_event(queue), waiting for queue");
  });

  test("where only a cut edge could rescue it is inconclusive", () => {
    const p = program({
      vars: [variable("flag", bool)],
      functions: [
        fn("one", [waitFor("flag")]),
        fn("two", [while_(always, [step("try", [choose([], [error("bug-on")])])])]),
      ],
      threads: [{ name: "one" }, { name: "two" }],
      properties: { ...deadlock, possible: { c: "stays-possible", expr: eq(load("flag"), c(1)) } },
    });
    const e = explore(p);
    expect(size(e)).toEqual([2, 2]);
    expect(e.cut).toEqual({ "bug-on": 1 });
    for (const property of ["deadlock", "possible"]) {
      const outcome = outcomeOf(e, property);
      expect(outcome).toMatchObject({
        verdict: "inconclusive",
        reason: expect.stringContaining("only cut edges could rescue: 1 edge ends in bug-on"),
      });
      expect(replay(p, { steps: [] }, property)).toMatchObject({ fits: true, violates: false, replayed: "full" });
    }
  });
});

describe("interrupts", () => {
  const task = fn("task", [step("a"), step("b")]);

  test("a handler runs on top of its CPU's task, and beside the task of another", () => {
    const irq = fn("irq", [step("h1"), step("h2")]);
    const on = (cpu: number) =>
      program({
        functions: [task, irq],
        threads: [
          { name: "task", cpu: 0 },
          { name: "irq", kind: "hardirq", cpu },
        ],
      });
    // 3 x 3 places either way; on its own CPU the task takes no step while the handler is between h1 and h2.
    expect(size(explore(on(0)))).toEqual([9, 4 + 6]);
    expect(size(explore(on(1)))).toEqual([9, 6 + 6]);
    const interpreter = new Interpreter(on(0));
    const inside = next(interpreter.transitions(interpreter.initial())[1]!);
    expect(interpreter.status(inside)).toMatchObject([{ status: "preempted", by: 1 }, { status: "ready" }]);
    expect(interpreter.apply(inside, { thread: 0, action: 0, ways: [] })).toEqual({
      k: "misfit",
      message: "task cannot go on before irq has left CPU 0",
    });
  });

  test("a hardirq keeps softirqs of its CPU from stepping, and not the other way round", () => {
    const p = program({
      functions: [fn("soft", [step("s1"), step("s2")]), fn("hard", [step("h1"), step("h2")])],
      threads: [
        { name: "soft", kind: "softirq", cpu: 0 },
        { name: "hard", kind: "hardirq", cpu: 0 },
      ],
    });
    expect(size(explore(p))).toEqual([9, 4 + 6]);
  });

  test("irq-deadlock: a handler spins on the lock of the task it interrupted", () => {
    const p = program({
      vars: locks,
      functions: [fn("task", [lock("a"), unlock("a")]), fn("irq", [step("enter"), lock("a"), unlock("a")])],
      threads: [
        { name: "task", cpu: 0 },
        { name: "irq", kind: "hardirq", cpu: 0 },
      ],
      properties: deadlock,
    });
    expect(violation(p, "deadlock")).toMatchObject({ kind: "irq-deadlock", thread: 1, depth: 2, threads: [0, 1] });
  });

  test("a handler that loops is idle whenever nothing is to be handled", () => {
    const irq = fn("irq", [
      while_(always, [step("irq", [set("pending", c(0))], { when: eq(load("pending"), c(1)) }), step("ack")]),
    ]);
    const p = program({
      vars: [variable("pending", bool)],
      functions: [fn("task", [step("raise", [set("pending", c(1))]), step("b")]), irq],
      threads: [
        { name: "task", cpu: 0 },
        { name: "irq", kind: "hardirq", cpu: 0 },
      ],
      properties: { ...deadlock, rested: { c: "at-rest", expr: { e: "ended", thread: "task" } } },
    });
    const e = explore(p);
    // Task, pending, handler: 000 100 (pending) 101 (inside) 1.0 2 (pending) 2 (inside) 2.0, so 7 states.
    expect(size(e)).toEqual([7, 1 + 2 + 1 + 1 + 1 + 1 + 0]);
    expect(e.outcomes.map((o) => o.verdict)).toEqual(["holds", "holds"]);
    const interpreter = new Interpreter(p);
    expect(interpreter.status(interpreter.initial())[1]).toMatchObject({ status: "idle" });
  });
});

describe("steps and local code", () => {
  test("one transition per combination of ways, in the step and in the local code after it", () => {
    const p = program({
      vars: [variable("x", int(0, 1)), variable("y", int(0, 2))],
      functions: [
        fn(
          "one",
          [
            step("first", [
              {
                s: "choose",
                ways: [{ body: [set("x", c(0))] }, { body: [set("x", c(1))], optional: true, name: "fails" }],
                site: site(),
              },
            ]),
            choose([let_("k", c(0))], [let_("k", c(1))], [let_("k", c(2))]),
            step("second", [set("y", local("k"))]),
          ],
          [{ name: "k", domain: int(0, 2) }],
        ),
      ],
      threads: [{ name: "one" }],
    });
    expect(size(explore(p))).toEqual([1 + 6 + 6, 6 + 6]);
    const interpreter = new Interpreter(p);
    const transitions = interpreter.transitions(interpreter.initial());
    expect(transitions.map((t) => t.step.ways)).toEqual([
      [0, 0],
      [0, 1],
      [0, 2],
      [1, 0],
      [1, 1],
      [1, 2],
    ]);
    expect(transitions.map((t) => t.optional)).toEqual([false, false, false, true, true, true]);
    expect(transitions.map((t) => t.name)).toEqual(["", "", "", "fails", "fails", "fails"]);
    expect(interpreter.apply(interpreter.initial(), { thread: 0, action: 0, ways: [0, 3] })).toMatchObject({
      k: "misfit",
      message: expect.stringContaining("not with [0, 3]"),
    });
  });

  test("calls have frames of their own and return values", () => {
    const p = program({
      vars: [variable("out", int(0, 9))],
      functions: [
        fn("succ", [step("probe"), return_(bin(local("n"), "+", c(1)))], [{ name: "n", domain: int(0, 9) }], 1),
        fn(
          "main",
          [call("succ", [c(1)], "r"), call("succ", [local("r")], "s"), step("store", [set("out", local("s"))])],
          [
            { name: "r", domain: int(0, 9) },
            { name: "s", domain: int(0, 9) },
          ],
        ),
      ],
      threads: [{ name: "main" }],
    });
    expect(size(explore(p))).toEqual([4, 3]);
    const interpreter = new Interpreter(p);
    const first = only(interpreter.transitions(interpreter.initial()));
    expect(first.path).toEqual(["main", "succ"]);
    // r was read by the second call's argument and is dead while it runs.
    expect(next(first).threads[0]!.frames.map((f) => f.locals)).toEqual([{ r: 0, s: 0 }, { n: 2 }]);
    expect(runToEnd(p)).toMatchObject({ vars: { out: 3 }, threads: [{ frames: [] }] });
  });

  test("falling off the end returns 0; an early return skips the rest", () => {
    const p = program({
      vars: [variable("out", int(0, 9), 9)],
      functions: [
        fn("f", [step("probe"), if_(local("n"), [return_(c(7))])], [{ name: "n", domain: bool }], 1),
        fn(
          "main",
          [
            call("f", [c(1)], "r"),
            call("f", [c(0)], "s"),
            step("store", [set("out", bin(local("r"), "+", local("s")))]),
          ],
          [
            { name: "r", domain: int(0, 9) },
            { name: "s", domain: int(0, 9), kept: true },
          ],
        ),
      ],
      threads: [{ name: "main" }],
    });
    expect(runToEnd(p).vars).toEqual({ out: 7 });
  });

  test("while, break, continue and goto", () => {
    const i: readonly { name: string; domain: ReturnType<typeof int> }[] = [{ name: "i", domain: int(0, 9) }];
    const inc = () => let_("i", bin(local("i"), "+", c(1)));
    const viaGoto = [
      while_(bin(local("i"), "<", c(3)), [step("tick"), inc(), if_(eq(local("i"), c(2)), [goto_("out")])]),
      label("out"),
      step("done"),
    ];
    const via = (kind: "break" | "continue") => [
      while_(bin(local("i"), "<", c(3)), [
        step("tick"),
        inc(),
        if_(eq(local("i"), c(2)), [{ s: kind, site: site() }]),
        step("tock"),
      ]),
      step("done"),
    ];
    const graph = (body: readonly Parameters<typeof fn>[1][number][]) =>
      size(explore(program({ functions: [fn("main", body, i)], threads: [{ name: "main" }] })));
    // tick(0) tick(1) done end
    expect(graph(viaGoto)).toEqual([4, 3]);
    // tick(0) tock(1) tick(1) done end
    expect(graph(via("break"))).toEqual([5, 4]);
    // tick(0) tock(1) tick(1) tick(2) tock(3) done end
    expect(graph(via("continue"))).toEqual([7, 6]);
  });

  test("the head of a loop runs before each test", () => {
    const spin = while_(eq(local("x"), c(0)), [], [step("read", [let_("x", load("flag"))])]);
    const p = program({
      vars: [variable("flag", bool)],
      functions: [fn("one", [spin], [{ name: "x", domain: bool }]), fn("two", [step("set", [set("flag", c(1))])])],
      threads: [{ name: "one" }, { name: "two" }],
    });
    expect(size(explore(p))).toEqual([3, 3]);
  });

  test("dead locals are no part of the state, kept ones are while their call lasts", () => {
    const graph = (kept: boolean) => {
      const body = [step("pick", [choose([let_("k", c(0))], [let_("k", c(1))])]), step("b")];
      const locals = [{ name: "k", domain: bool, kept }];
      return size(explore(program({ functions: [fn("main", body, locals)], threads: [{ name: "main" }] })));
    };
    expect(graph(false)).toEqual([3, 3]);
    expect(graph(true)).toEqual([4, 4]);
  });

  test("a caller's locals are dead in a call that never returns", () => {
    const graph = (die: Parameters<typeof fn>[1]) => {
      const main = fn(
        "main",
        [
          step("pick", [choose([let_("k", c(0))], [let_("k", c(1))])]),
          call("die"),
          step("use", [set("x", local("k"))]),
        ],
        [{ name: "k", domain: bool }],
      );
      const vars = [variable("x", bool)];
      return size(explore(program({ vars, functions: [main, fn("die", die)], threads: [{ name: "main" }] })));
    };
    expect(graph([step("last words"), error("bug-on")])).toEqual([2 + 1, 2 + 1]);
    // Where it may return they are live: 1 + 2 at `last words` + 2 at `use` + 2 at the end.
    expect(graph([step("last words")])).toEqual([7, 2 + 2 + 2]);
  });

  test("idle steps wait until nothing but idle and optional moves is left", () => {
    const p = program({
      functions: [
        fn("sleeper", [step("msleep(10)", [], { idle: true })]),
        fn("two", [step("a"), step("b")]),
        fn("env", [step("arrive", [], { optional: true })]),
      ],
      threads: [{ name: "sleeper" }, { name: "two" }, { name: "env", kind: "environment" }],
      properties: deadlock,
    });
    const e = explore(p);
    expect(size(e)).toEqual([4 * 2, 3 * 2 + 4]);
    expect(outcomeOf(e, "deadlock").verdict).toBe("holds");
    const interpreter = new Interpreter(p);
    expect(interpreter.apply(interpreter.initial(), { thread: 0, action: 0, ways: [] })).toEqual({
      k: "misfit",
      message: "sleeper sleeps in msleep(10) until no other thread can move",
    });
  });

  test("`at` sees the step that directly follows a label, `ended` the end", () => {
    const critical = [lock("a"), label("critical"), unlock("a")];
    const at = (name: string) => ({ e: "at", thread: name, label: "critical" }) as const;
    const p = program({
      vars: locks,
      functions: [fn("enter", critical), fn("one", [call("enter")]), fn("two", critical)],
      threads: [{ name: "one" }, { name: "two" }],
      properties: {
        exclusion: { c: "invariant", expr: not(bin(at("one"), "&&", at("two"))) },
        "one-never": { c: "invariant", expr: not(at("one")) },
        "two-never-ends": { c: "invariant", expr: not({ e: "ended", thread: "two" }) },
      },
    });
    expect(outcomeOf(explore(p), "exclusion").verdict).toBe("holds");
    expect(violation(p, "one-never")).toMatchObject({ depth: 1, threads: [0] });
    expect(violation(p, "two-never-ends")).toMatchObject({ depth: 2, threads: [1, 1] });
  });

  test("arithmetic is on 32-bit signed integers", () => {
    const interpreter = new Interpreter(program({ functions: [ticker], threads: [{ name: "ticker" }] }));
    const value = (a: number, op: Parameters<typeof bin>[1], b: number) =>
      interpreter.evaluate(bin(c(a), op, c(b)), interpreter.initial());
    expect(value(0x7fffffff, "+", 1)).toBe(-0x80000000);
    expect(value(0x10001, "*", 0x10001)).toBe(0x20001);
    expect(value(-8, ">>", 1)).toBe(-4);
    expect(value(1, "<<", 31)).toBe(-0x80000000);
    expect(value(6, "&", 3)).toBe(2);
    expect(value(2, "&&", 4)).toBe(1);
    expect(value(0, "||", 0)).toBe(0);
  });
});

describe("memory and errors", () => {
  const free = (p: ReturnType<typeof load>) =>
    step("kfree(p)", [{ s: "free", pool: "obj", ptr: p, what: "kfree(p)", site: site() }]);
  const deref = () => ({ s: "deref", pool: "obj", ptr: load("p"), what: "p->flag", site: site() }) as const;

  test("a use after free is an error even where the thread would wait", () => {
    const p = program({
      vars: [variable("p", ptr("obj"), 1), variable("flag", bool)],
      pools: [pool("obj", 1, [1])],
      functions: [
        fn("one", [step("wait(p->flag)", [], { checks: [deref()], when: load("flag"), wait: { on: "p->flag" } })]),
        fn("two", [free(load("p"))]),
      ],
      threads: [{ name: "one" }, { name: "two" }],
      properties: { ...deadlock, "memory-safety": { c: "findings", kinds: ["use-after-free", "double-free"] } },
    });
    const e = explore(p);
    expect(size(e)).toEqual([2 + 1, 2]);
    expect(e.cut).toEqual({ "use-after-free": 1 });
    expect(outcomeOf(e, "deadlock").verdict).toBe("holds");
    expect(violation(p, "memory-safety")).toMatchObject({ kind: "use-after-free", thread: 0, depth: 2 });
    const outcome = outcomeOf(e, "memory-safety");
    // The number of alternatives stands for "the checks fail".
    expect(outcome).toMatchObject({ schedule: { steps: [{ thread: 1 }, { thread: 0, action: 1, ways: [] }] } });
  });

  test.each([
    [1, 0, "double-free"],
    [0, 1, "null-dereference"],
    [2, 1, "wild-access"],
  ])("free(%d) with alive = %d is %s", (value, alive, kind) => {
    const p = program({
      vars: [{ ...variable("p", { d: "ptr", pool: "obj", wild: true }), init: [value] }],
      pools: [pool("obj", 1, [alive])],
      functions: [fn("one", [free(load("p"))])],
      threads: [{ name: "one" }],
    });
    expect(explore(p)).toMatchObject({ states: 2, transitions: 1, cut: { [kind]: 1 } });
  });

  const reallocating = (slots: number, reuse: boolean) =>
    program({
      vars: [variable("g", ptr("obj")), variable("h", ptr("obj"))],
      pools: [pool("obj", slots, new Array(slots).fill(0), reuse)],
      functions: [
        fn(
          "one",
          [
            step("p = kmalloc()", [{ s: "alloc", pool: "obj", into: { p: "local", name: "p" }, site: site() }]),
            step("g = p", [set("g", local("p"))]),
            free(local("p")),
            step("h = kmalloc()", [{ s: "alloc", pool: "obj", into: { p: "var", v: "h" }, site: site() }]),
          ],
          [{ name: "p", domain: ptr("obj") }],
        ),
      ],
      threads: [{ name: "one" }],
      properties: {
        ...deadlock,
        late: {
          c: "temporal",
          formula: { t: "state", expr: c(1) },
          fairness: { threads: "weak", strongThreads: [], strongWaits: [] },
        },
      },
    });

  test("a freed slot that is still pointed to is handed out again only with reuse", () => {
    expect(runToEnd(reallocating(2, false))).toMatchObject({ vars: { g: 1, h: 2 }, alive: { obj: [0, 1] } });
    expect(runToEnd(reallocating(1, true))).toMatchObject({ vars: { g: 1, h: 1 }, alive: { obj: [1] } });
  });

  test("a pool used up is a model error, and leaves every property inconclusive", () => {
    const e = explore(reallocating(1, false));
    // The error state is a state too, a step away from the last of the others.
    expect(e).toMatchObject({ states: 5, transitions: 4, depth: 4, cut: { "model-error": 1 } });
    const message = "pool obj is used up: all 1 objects are alive or still pointed to; raise its size above 1";
    expect(e.outcomes).toHaveLength(2);
    for (const outcome of e.outcomes) {
      expect(outcome).toMatchObject({
        verdict: "inconclusive",
        finding: { kind: "model-error", message, thread: 0 },
        schedule: { steps: [{}, {}, {}, {}] },
      });
    }
    expect(outcomeOf(explore(reallocating(2, false)), "late")).toMatchObject({ verdict: "holds" });
  });

  test("every store is checked against its range", () => {
    const storing = (stmt: ReturnType<typeof set>) =>
      explore(
        program({
          vars: [variable("x", int(0, 3)), { ...variable("y", bool), length: 2, init: [0, 0] }],
          functions: [
            fn("one", [step("store", [stmt]), call("f", [local("k")])], [{ name: "k", domain: int(0, 5) }]),
            fn("f", [], [{ name: "n", domain: int(0, 3) }], 1),
          ],
          threads: [{ name: "one" }],
          properties: deadlock,
        }),
      ).outcomes[0];
    const hint = "; widen its domain if the value is legitimate";
    const inconclusive = (message: string) => ({ verdict: "inconclusive", finding: { kind: "model-error", message } });
    expect(storing(set("x", c(4)))).toMatchObject(inconclusive(`x = 4 is out of its range 0..3${hint}`));
    expect(storing(let_("k", c(-1)))).toMatchObject(inconclusive(`k of one = -1 is out of its range 0..5${hint}`));
    expect(storing(let_("k", c(5)))).toMatchObject(inconclusive(`n of f = 5 is out of its range 0..3${hint}`));
    const to = { p: "var", v: "y", i: c(2) } as const;
    expect(storing({ s: "set", to, value: c(0), site: site() })).toMatchObject(
      inconclusive("y[2] is written, its indices are 0..1"),
    );
    expect(storing(let_("k", c(3)))).toMatchObject({ verdict: "holds" });
  });
});

describe("properties", () => {
  test("AG EF: violated at the nearest state without a way back", () => {
    const p = program({
      vars: [variable("ok", bool), variable("bad", bool)],
      functions: [fn("one", [step("a"), step("b", [choose([], [set("bad", c(1))])]), while_(always, [waitGood()])])],
      threads: [{ name: "one" }],
      properties: {
        possible: { c: "stays-possible", expr: load("ok") },
        either: { c: "stays-possible", expr: bin(load("ok"), "||", load("bad")) },
      },
    });
    function waitGood() {
      return step("flip", [set("ok", eq(load("bad"), c(0)))]);
    }
    expect(violation(p, "possible")).toMatchObject({ depth: 2, kind: "possible" });
    expect(outcomeOf(explore(p), "either").verdict).toBe("holds");
  });

  test("findings do not end the path; an invariant is judged in the initial state too", () => {
    const p = program({
      vars: [variable("x", int(0, 2))],
      functions: [fn("one", [step("a", [finding("ebusy"), set("x", c(1))]), step("b", [set("x", c(2))])])],
      threads: [{ name: "one" }],
      properties: {
        "no-ebusy": { c: "findings", kinds: ["ebusy"] },
        small: { c: "invariant", expr: bin(load("x"), "<", c(2)) },
        positive: { c: "invariant", expr: bin(load("x"), ">", c(0)) },
      },
    });
    expect(size(explore(p))).toEqual([3, 2]);
    expect(violation(p, "no-ebusy")).toMatchObject({ kind: "ebusy", message: "a finding ebusy", thread: 0, depth: 1 });
    expect(violation(p, "small")).toMatchObject({ depth: 2, message: "small does not hold" });
    expect(violation(p, "positive")).toMatchObject({ depth: 0 });
  });

  test("a pass whose trigger is never reached is vacuous; statements never run are told", () => {
    const never = step("never", [mark("far")]);
    const p = program({
      vars: [variable("x", bool)],
      functions: [
        fn("one", [step("a", [mark("near")]), if_(load("x"), [never]), step("b", [choose([], [error("bug-on")])])]),
      ],
      threads: [{ name: "one" }],
      properties: {
        near: { check: { c: "findings", kinds: ["leak"] }, trigger: { marks: ["far", "near"], what: "near" } },
        far: { check: { c: "findings", kinds: ["leak"] }, trigger: { marks: ["far"], what: "a far thing" } },
      },
    });
    const e = explore(p);
    expect(e.marks).toEqual(["near"]);
    expect(e.unreached).toEqual([never.site, never.alternatives[0]!.body[0]!.site]);
    expect(outcomeOf(e, "near").verdict).toBe("holds");
    expect(outcomeOf(e, "far")).toMatchObject({
      verdict: "vacuous",
      reason: "never reached: a far thing, unless beyond one of the cuts: 1 edge ends in bug-on",
    });
  });

  test("a bound leaves passes inconclusive, but a violation found within it stands", () => {
    const counting = program({
      vars: [variable("x", int(0, 1000))],
      functions: [fn("one", [while_(always, [step("inc", [set("x", bin(bin(load("x"), "+", c(1)), "&", c(511)))])])])],
      threads: [{ name: "one" }],
      properties: {
        ...deadlock,
        ten: { c: "invariant", expr: not(eq(load("x"), c(10))) },
        back: { c: "stays-possible", expr: eq(load("x"), c(0)) },
      },
    });
    expect(size(explore(counting))).toEqual([512, 512]);
    const bounded = explore(counting, { maxStates: 100 });
    expect(bounded).toMatchObject({ complete: false, states: 100 });
    expect(outcomeOf(bounded, "ten")).toMatchObject({ verdict: "violated", depthExact: true });
    const reason = "the bound on states was reached after 100 states; every schedule of up to 99 steps was explored";
    expect(outcomeOf(bounded, "deadlock")).toMatchObject({ verdict: "inconclusive", reason });
    expect(outcomeOf(bounded, "back")).toMatchObject({ verdict: "inconclusive", reason });
    expect(explore(counting, { properties: ["ten"] }).outcomes.map((o) => o.property)).toEqual(["ten"]);
  });
});

describe("replay", () => {
  const p = program({
    vars: locks,
    functions: abba,
    threads: [{ name: "one" }, { name: "two" }],
    properties: deadlock,
  });
  const take = (...threads: readonly number[]) => ({ steps: threads.map((t) => ({ thread: t, action: 0, ways: [] })) });

  test("gives the states on the way, with patches there and back", () => {
    const result = replay(p, take(0, 1), "deadlock");
    expect(result.visits.map((v) => v.state.vars)).toEqual([
      { a: 0, b: 0 },
      { a: 1, b: 0 },
      { a: 1, b: 2 },
    ]);
    const [before, after] = [result.visits[1]!, result.visits[2]!];
    const made = after.transition!.result;
    if (made.k === "error") throw new Error("an error where a state was expected");
    expect(made.patches).toContainEqual({ op: "replace", path: ["vars", "b"], value: 2 });
    expect(applyPatches(before.state, made.patches)).toEqual(after.state);
    expect(applyPatches(after.state, made.inversePatches)).toEqual(before.state);
    expect(Object.isFrozen(after.state.threads[0])).toBe(true);
    expect(after.status.map((s) => [s.status, s.holder])).toEqual([
      ["blocked", 1],
      ["blocked", 0],
    ]);
  });

  test("says where a schedule no longer fits, and why", () => {
    expect(replay(p, take(0, 1, 0), "deadlock")).toMatchObject({
      fits: false,
      at: 2,
      message: "step 3 does not fit: one waits in mutex_lock(b) for b, held by two",
    });
    expect(replay(p, { steps: [{ thread: 0, action: 5, ways: [] }] }, "deadlock")).toMatchObject({
      fits: false,
      message: "step 1 does not fit: one is at mutex_lock(a), which has 1 alternatives; there is no number 5",
    });
    expect(replay(p, take(7), "deadlock")).toMatchObject({ fits: false, at: 0 });
    expect(replay(p, take(0, 0, 0, 0, 0), "deadlock")).toMatchObject({
      fits: false,
      at: 4,
      message: "step 5 does not fit: one has ended",
    });
    expect(() => replay(p, take(), "nonsense")).toThrow(ModelError);
  });

  test("says when it is no violation any more", () => {
    expect(replay(p, take(0), "deadlock")).toMatchObject({
      fits: true,
      violates: false,
      message: "no thread is blocked in the last state",
    });
    expect(replay(p, take(0, 0), "deadlock")).toMatchObject({
      fits: true,
      violates: false,
      message: "every thread that waits in the last state can move again",
    });
  });

  test("what cannot be re-explored within the bound is replayed as a prefix", () => {
    const counter = fn("counter", [
      while_(always, [step("inc", [set("x", bin(bin(load("x"), "+", c(1)), "&", c(511)))])]),
    ]);
    const partial = program({
      vars: [...locks, variable("x", int(0, 511))],
      functions: [...abba, counter],
      threads: [{ name: "one" }, { name: "two" }, { name: "counter" }],
      properties: deadlock,
    });
    const bounded = replay(partial, take(0, 1), "deadlock", { maxStates: 100 });
    expect(bounded).toMatchObject({ violates: true, replayed: "prefix", finding: { kind: "partial-deadlock" } });
    expect(replay(partial, take(0, 1), "deadlock")).toMatchObject({ violates: true, replayed: "full" });
  });

  test("of several findings the one recorded is preferred", () => {
    const two = program({
      functions: [fn("one", [step("a", [finding("leak"), finding("ebusy")])])],
      threads: [{ name: "one" }],
      properties: { any: { c: "findings", kinds: ["ebusy", "leak"] } },
    });
    expect(replay(two, take(0), "any")).toMatchObject({ violates: true, finding: { kind: "leak" } });
    expect(replay(two, take(0), "any", { kind: "ebusy" })).toMatchObject({ finding: { kind: "ebusy" } });
  });

  test("an error carries a finding of its property alone", () => {
    const bug = program({
      functions: [fn("one", [step("a"), error("bug-on"), step("b")])],
      threads: [{ name: "one" }],
      properties: { ...deadlock, bug: { c: "findings", kinds: ["bug-on"] } },
    });
    expect(violation(bug, "bug")).toMatchObject({ kind: "bug-on", depth: 1 });
    expect(replay(bug, take(0), "deadlock")).toMatchObject({ fits: true, violates: false });
    expect(replay(bug, take(0, 0), "bug")).toMatchObject({
      fits: false,
      at: 1,
      message: "step 2 does not fit: step 1 ended in bug-on",
    });
  });
});

describe("simulate", () => {
  const p = program({
    vars: locks,
    functions: abba,
    threads: [{ name: "one" }, { name: "two" }],
    properties: deadlock,
  });

  test("the same seed gives the same walk, other seeds other walks", () => {
    const walk = (seed: number) => simulate(p, { seed, steps: 100 });
    expect(walk(1)).toEqual(walk(1));
    const walks = Array.from({ length: 40 }, (_, seed) => walk(seed));
    expect(new Set(walks.map((w) => JSON.stringify(w.schedule))).size).toBeGreaterThan(5);
    // Some end in the deadlock after two steps, some at the end of both threads after eight.
    expect(new Set(walks.map((w) => w.schedule.steps.length))).toEqual(new Set([2, 8]));
    for (const { schedule, end } of walks) {
      expect(end).toBe("stuck");
      expect(replay(p, schedule, "deadlock")).toMatchObject({ fits: true, violates: schedule.steps.length === 2 });
    }
  });

  test("stops after as many steps as asked for, or in an error", () => {
    const ticking = program({ functions: [ticker], threads: [{ name: "ticker" }] });
    expect(simulate(ticking, { seed: 3, steps: 17 })).toMatchObject({
      end: "steps",
      schedule: { steps: { length: 17 } },
    });
    const bug = program({ functions: [fn("one", [step("a", [error("bug-on")])])], threads: [{ name: "one" }] });
    expect(simulate(bug, { seed: 3, steps: 17 })).toMatchObject({ end: "error", error: { call: "a" } });
  });
});

describe("programs that cannot be run", () => {
  const main = (...body: Parameters<typeof fn>[1]) =>
    program({
      vars: [variable("x", bool)],
      functions: [fn("main", body), fn("f", [call("g")]), fn("g", [step("s"), call("f")])],
      threads: [{ name: "main" }],
    });
  test.each([
    ["recursion: f -> g -> f", main(call("f"))],
    ["main has no such label", main(step("s"), goto_("nowhere"))],
    ["label here stands twice", main(label("here"), step("s"), label("here"))],
    ["break outside a loop", main(step("s"), { s: "break", site: site() })],
    ["which is no function", main(call("nothing"))],
    ["takes 0 arguments, this call gives 1", main(call("f", [c(1)]))],
    ["call inside one step or choice of main", main(step("s", [call("f")]))],
    ["before its first step main chooses", main(choose([], []), step("s"))],
    ["before its first step main reports ebusy", main(finding("ebusy"), step("s"))],
    ["before its first step main ends in bug-on", main(error("bug-on"))],
    ["before its first step main changes shared state", main(set("x", c(1)))],
    ["runs for ever without a step", main(while_(always, []))],
  ])("%s", (message, p) => {
    expect(() => new Interpreter(p)).toThrow(ModelError);
    expect(() => new Interpreter(p)).toThrow(message);
  });

  test("an initial value out of its range", () => {
    const p = program({ vars: [variable("x", bool, 2)], functions: [ticker], threads: [{ name: "ticker" }] });
    expect(() => new Interpreter(p)).toThrow("x starts with 2, out of its range 0..1");
  });

  test("self is the thread's place in the list, from 1", () => {
    const p = program({
      vars: [variable("x", thread)],
      functions: [ticker, fn("one", [step("s", [set("x", self)])])],
      threads: [{ name: "ticker" }, { name: "one" }],
    });
    const interpreter = new Interpreter(p);
    expect(next(interpreter.transitions(interpreter.initial())[1]!).vars).toEqual({ x: 2 });
  });
});
