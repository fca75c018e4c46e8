/**
 * Random protocols for comparing engines with each other: small, and full of what engines get wrong (calls, gotos,
 * dead locals, choices, allocation, failing checks, idle and optional moves, resting waits, handlers).
 */
import type {
  Alternative,
  Domain,
  Expr,
  FunctionDecl,
  LocalDecl,
  Program,
  PropertyDecl,
  Stmt,
  ThreadDecl,
} from "../src/spec/program.ts";
import { generator } from "./random.ts";

export interface RandomOptions {
  /** Handlers on the CPU of a task. */
  readonly handlers?: boolean;
  /** Identical threads, for symmetry. */
  readonly identical?: boolean;
}

const site = { file: "random.ts", line: 1, column: 1 };
const constant = (v: number): Expr => ({ e: "const", v });
const SELF: Expr = { e: "self" };

export function randomProgram(seed: number, options: RandomOptions = {}): Program {
  const random = generator(seed);
  const below = (n: number) => Math.floor(random() * n);
  const chance = (p: number) => random() < p;
  const pick = <T>(xs: readonly T[]): T => xs[below(xs.length)]!;
  const bin = (op: Extract<Expr, { e: "bin" }>["op"], a: Expr, b: Expr): Expr => ({ e: "bin", op, a, b });

  const threadCount = 2 + below(2);
  const mutexes = ["A", "B"].slice(0, 1 + below(2));
  const ints = ["x", "y"].slice(0, 1 + below(2));
  const pooled = chance(0.5);
  const perThread = chance(0.3);
  const load = (v: string, i?: Expr): Expr => (i ? { e: "load", v, i } : { e: "load", v });
  const mine = (): Expr => load("mine", bin("-", SELF, constant(1)));
  let marks = 0;

  const sharedExpr = (): Expr => {
    const v = load(pick(ints));
    if (perThread && chance(0.3)) return mine();
    return chance(0.2) ? bin("+", v, constant(1)) : v;
  };
  const comparison = (a: Expr, hi: number): Expr => bin(pick(["==", "!=", "<", ">="]), a, constant(below(hi + 1)));

  /** Straight-line code inside a step. */
  const stepBody = (locals: readonly LocalDecl[]): Stmt[] => {
    const body: Stmt[] = [];
    const count = 1 + below(2);
    for (let i = 0; i < count; i++) {
      const number = locals.find((l) => l.domain.d === "int");
      const pointer = locals.find((l) => l.domain.d === "ptr");
      const r = random();
      if (r < 0.3) {
        const v = pick(ints);
        const value = chance(0.5) ? constant(below(3)) : bin("&", bin("+", load(v), constant(1)), constant(1));
        body.push({ s: "set", to: { p: "var", v }, value, site });
      } else if (r < 0.5 && number) {
        body.push({ s: "set", to: { p: "local", name: number.name }, value: sharedExpr(), site });
      } else if (r < 0.58 && perThread) {
        body.push({
          s: "set",
          to: { p: "var", v: "mine", i: bin("-", SELF, constant(1)) },
          value: constant(below(2)),
          site,
        });
      } else if (r < 0.68) {
        body.push({
          s: "if",
          c: comparison(sharedExpr(), 2),
          then: stepBody(locals),
          else: chance(0.4) ? stepBody(locals) : [],
          site,
        });
      } else if (r < 0.74) {
        body.push({ s: "mark", name: `mark${marks++ % 3}`, site });
      } else if (r < 0.78) {
        body.push({
          s: "if",
          c: comparison(sharedExpr(), 2),
          then: [{ s: "finding", kind: "ebusy", message: "found", site }],
          else: [],
          site,
        });
      } else if (r < 0.83) {
        body.push({
          s: "choose",
          ways: [
            { body: stepBody(locals), name: "one" },
            { body: [], name: "two", ...(chance(0.3) ? { optional: true } : {}) },
          ],
          site,
        });
      } else if (r < 0.9 && pooled && pointer) {
        const place = { p: "local", name: pointer.name } as const;
        const it: Expr = { e: "local", name: pointer.name };
        const use = random();
        if (use < 0.4) {
          // Allocate only what is certainly there: running out is an error of the model, tested elsewhere.
          const anyFree = bin("||", freeSlot(1), freeSlot(2));
          body.push({ s: "if", c: anyFree, then: [{ s: "alloc", pool: "obj", into: place, site }], else: [], site });
        } else if (use < 0.7) {
          body.push({ s: "set", to: place, value: load("ptr"), site });
        } else if (use < 0.85) {
          body.push({ s: "set", to: { p: "var", v: "ptr" }, value: it, site });
        } else {
          body.push({ s: "free", pool: "obj", ptr: it, what: "p", site });
        }
      } else if (r < 0.93 && pooled && pointer) {
        const it: Expr = { e: "local", name: pointer.name };
        body.push({ s: "deref", pool: "obj", ptr: it, what: "p->n", site });
        body.push({
          s: "set",
          to: { p: "var", v: "obj.n", i: bin("-", it, constant(1)) },
          value: constant(below(2)),
          site,
        });
      } else if (r < 0.95) {
        body.push({
          s: "if",
          c: comparison(sharedExpr(), 2),
          then: [{ s: "error", kind: "bug-on", message: "BUG", site }],
          else: [],
          site,
        });
      }
    }
    return body;
  };
  const freeSlot = (slot: number): Expr =>
    bin(
      "&&",
      { e: "not", a: { e: "alive", pool: "obj", ptr: constant(slot) } },
      { e: "not", a: { e: "referenced", pool: "obj", ptr: constant(slot) } },
    );

  const randomStep = (locals: readonly LocalDecl[]): Stmt => {
    const r = random();
    const alternatives: Alternative[] = [];
    const mutex = pick(mutexes);
    let wait: Extract<Stmt, { s: "step" }>["wait"];
    const checks: Stmt[] = [];
    const pointer = locals.find((l) => l.domain.d === "ptr");
    if (pooled && pointer && chance(0.2)) {
      checks.push({ s: "deref", pool: "obj", ptr: { e: "local", name: pointer.name }, what: "p->lock", site });
    }
    if (r < 0.3) {
      alternatives.push({
        when: bin("==", load(mutex), constant(0)),
        body: [{ s: "set", to: { p: "var", v: mutex }, value: SELF, site }, ...(chance(0.3) ? stepBody(locals) : [])],
      });
      wait = { on: mutex, holder: load(mutex), ...(chance(0.15) ? { resting: comparison(load(pick(ints)), 2) } : {}) };
      if (chance(0.15)) alternatives.push({ body: stepBody(locals), optional: true, name: "gives up" });
    } else if (r < 0.55) {
      alternatives.push({
        body: [
          {
            s: "if",
            c: bin("==", load(mutex), SELF),
            then: [{ s: "set", to: { p: "var", v: mutex }, value: constant(0), site }],
            else: chance(0.3) ? [{ s: "error", kind: "unlock-not-owner", message: "not held", site }] : [],
            site,
          },
        ],
      });
    } else if (r < 0.65) {
      alternatives.push({ when: comparison(sharedExpr(), 2), body: stepBody(locals) });
      wait = { on: "a condition", ...(chance(0.3) ? { resting: comparison(load(pick(ints)), 2) } : {}) };
    } else if (r < 0.7) {
      alternatives.push({ body: [], idle: true });
      return { s: "step", call: "msleep", site, checks: [], alternatives, yields: true };
    } else {
      alternatives.push({ body: stepBody(locals), ...(chance(0.05) ? { optional: true } : {}) });
      if (chance(0.15)) alternatives.push({ when: comparison(sharedExpr(), 2), body: stepBody(locals), name: "other" });
    }
    // Plain accesses never block.
    const plain =
      !wait && chance(0.3)
        ? [
            perThread && chance(0.3)
              ? { v: "mine", i: constant(below(2)), write: true }
              : { v: pick(ints), write: chance(0.5) },
          ]
        : [];
    return {
      s: "step",
      call: `call${below(100)}`,
      site,
      checks,
      alternatives,
      ...(wait ? { wait } : {}),
      ...(plain.length > 0 ? { plain } : {}),
    };
  };

  let labels = 0;
  const code = (
    locals: readonly LocalDecl[],
    depth: number,
    callable: readonly FunctionDecl[],
    inLoop: boolean,
  ): Stmt[] => {
    const out: Stmt[] = [];
    const count = 1 + below(depth > 0 ? 3 : 2);
    for (let i = 0; i < count; i++) {
      const number = locals.find((l) => l.domain.d === "int");
      const cond = (): Expr => (number ? comparison({ e: "local", name: number.name }, 3) : constant(1));
      const r = random();
      if (r < 0.5 || depth === 0) {
        out.push(randomStep(locals));
      } else if (r < 0.6) {
        out.push({
          s: "if",
          c: cond(),
          then: code(locals, depth - 1, callable, inLoop),
          else: chance(0.5) ? code(locals, depth - 1, callable, inLoop) : [],
          site,
        });
      } else if (r < 0.68) {
        out.push({
          s: "while",
          head: [randomStep(locals)],
          c: cond(),
          body: code(locals, depth - 1, callable, true),
          site,
        });
      } else if (r < 0.72 && inLoop) {
        out.push({ s: "if", c: cond(), then: [{ s: chance(0.5) ? "break" : "continue", site }], else: [], site });
      } else if (r < 0.78) {
        const name = `L${labels++}`;
        out.push({ s: "label", name, site }, randomStep(locals));
        if (chance(0.6)) out.push({ s: "if", c: cond(), then: [{ s: "goto", name, site }], else: [], site });
      } else if (r < 0.84 && number) {
        out.push(randomStep(locals));
        out.push({ s: "set", to: { p: "local", name: number.name }, value: constant(below(4)), site });
      } else if (r < 0.94 && callable.length > 0) {
        const f = pick(callable);
        const args = Array.from({ length: f.params }, () =>
          number && chance(0.5) ? ({ e: "local", name: number.name } as Expr) : constant(below(3)),
        );
        // A loop of local code only is no model: a step precedes every call.
        out.push(randomStep(locals));
        out.push({ s: "call", fn: f.name, args, ...(f.returns && number ? { into: number.name } : {}), site });
      } else {
        out.push(randomStep(locals));
        if (chance(0.3)) {
          out.push({
            s: "choose",
            ways: [
              {
                body: number
                  ? [{ s: "set", to: { p: "local", name: number.name }, value: constant(below(4)), site }]
                  : [],
                name: "l",
              },
              { body: [{ s: "mark", name: "mark0", site }], name: "r" },
            ],
            site,
          });
        }
      }
    }
    return out;
  };

  const number: Domain = { d: "int", lo: 0, hi: 3 };
  const localDecls = (): LocalDecl[] => {
    const out: LocalDecl[] = [{ name: "n", domain: number, ...(chance(0.1) ? { kept: true } : {}) }];
    if (pooled && chance(0.7)) out.push({ name: "p", domain: { d: "ptr", pool: "obj", wild: chance(0.1) } });
    return out;
  };
  const declare = (
    name: string,
    params: LocalDecl[],
    returns: boolean,
    callable: readonly FunctionDecl[],
    depth: number,
  ): FunctionDecl => {
    const locals = [...params, ...localDecls()];
    const body = code(locals, depth, callable, false);
    // A function starts with a step, so that a loop around a call always contains one.
    const start = randomStep(locals);
    return {
      name,
      at: "random.c",
      params: params.length,
      locals,
      ...(returns ? { returns: number } : {}),
      body: [start, ...body, ...(returns ? [{ s: "return", value: { e: "local", name: "n" }, site } as Stmt] : [])],
      site,
    };
  };

  const functions: Record<string, FunctionDecl> = {};
  const callee = declare("callee", [{ name: "a", domain: number }], true, [], 1);
  functions.callee = callee;
  const threads: ThreadDecl[] = [];
  const identical = options.identical ?? chance(0.3);
  for (let t = 0; t < threadCount; t++) {
    const first = identical ? 0 : t;
    const fn = `main${first}`;
    functions[fn] ??= declare(fn, [], false, [callee], 1 + below(2));
    threads.push({
      name: identical ? `T#${t + 1}` : `T${t}`,
      cls: identical ? "T" : `T${t}`,
      fn,
      args: [],
      kind: "task",
      cpu: identical ? 0 : t,
    });
  }
  if (options.handlers ?? chance(0.15)) {
    functions.handler = declare("handler", [], false, [], 0);
    const first: Stmt = {
      s: "step",
      call: "interrupt",
      site,
      checks: [],
      alternatives: [{ when: comparison(load(pick(ints)), 2), body: [] }],
    };
    functions.handler = { ...functions.handler, body: [first, ...functions.handler.body] };
    threads.push({
      name: "irq",
      cls: "irq",
      fn: "handler",
      args: [],
      kind: chance(0.7) ? "hardirq" : "softirq",
      cpu: 0,
    });
  }
  // Threads of one class on one CPU without handlers: the CPU does not matter, but must be the same for the class.
  const properties: PropertyDecl[] = [
    {
      id: "deadlock",
      check: { c: "deadlock" },
      kind: "deadlock",
      message: "stuck",
      trigger: { marks: [], what: "-" },
      site,
    },
    {
      id: "no-ebusy",
      check: { c: "findings", kinds: ["ebusy"] },
      kind: "ebusy",
      message: "busy",
      trigger: { marks: ["mark1"], what: "mark1" },
      site,
    },
    {
      id: "no-bug",
      check: { c: "findings", kinds: ["bug-on", "unlock-not-owner"] },
      kind: "bug-on",
      message: "bug",
      trigger: { marks: [], what: "-" },
      site,
    },
    {
      id: "memory-safety",
      check: { c: "findings", kinds: ["use-after-free", "double-free", "null-dereference", "wild-access"] },
      kind: "use-after-free",
      message: "memory",
      trigger: { marks: ["mark0"], what: "mark0" },
      site,
    },
    {
      id: "inv",
      check: {
        c: "invariant",
        expr: { e: "not", a: bin("&&", comparison(sharedVar(ints, 0), 2), comparison(sharedVar(ints, 1), 2)) },
      },
      kind: "invariant",
      message: "inv",
      trigger: { marks: ["mark2"], what: "mark2" },
      site,
    },
    {
      id: "rest",
      check: { c: "at-rest", expr: comparison(sharedVar(ints, 0), 2) },
      kind: "invariant",
      message: "rest",
      trigger: { marks: [], what: "-" },
      site,
    },
    {
      id: "ag-ef",
      check: { c: "stays-possible", expr: comparison(sharedVar(ints, 1), 2) },
      kind: "invariant",
      message: "agef",
      trigger: { marks: [], what: "-" },
      site,
    },
    {
      id: "data-race",
      check: { c: "findings", kinds: chance(0.5) ? ["data-race"] : [] },
      kind: "data-race",
      message: "race",
      trigger: { marks: [], what: "-" },
      site,
    },
    {
      id: "ended",
      check: { c: "stays-possible", expr: { e: "ended", thread: threads[0]!.name } },
      kind: "invariant",
      message: "never ends",
      trigger: { marks: [], what: "-" },
      site,
    },
  ];
  return {
    protocol: "random",
    variant: `seed-${seed}`,
    scenario: "s",
    sizes: {},
    switches: {},
    ...(chance(0.12) ? { scheduler: "one-cpu" as const } : {}),
    vars: [
      ...mutexes.map((name) => ({ name, domain: { d: "thread" } as const, init: [0], lock: "mutex" as const, site })),
      ...ints.map((name) => ({ name, domain: number, init: [below(2)], site })),
      ...(perThread
        ? [
            {
              name: "mine",
              domain: { d: "bool" } as const,
              length: threads.length,
              index: "thread" as const,
              init: threads.map(() => 0),
              site,
            },
          ]
        : []),
      ...(pooled
        ? [
            { name: "ptr", domain: { d: "ptr", pool: "obj", wild: true } as const, init: [below(2)], site },
            { name: "obj.n", domain: { d: "bool" } as const, length: 2, index: { pool: "obj" }, init: [0, 0], site },
          ]
        : []),
    ],
    pools: pooled ? [{ name: "obj", slots: 2, reuse: chance(0.3), alive: [1, 0], site }] : [],
    functions,
    threads,
    properties,
    expectations: [],
  };
}

function sharedVar(ints: readonly string[], i: number): Expr {
  return { e: "load", v: ints[i % ints.length]! };
}
