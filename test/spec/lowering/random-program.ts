/** Random small programs from a seed: every statement there is, terminating or not, right or wrong. */
import type { Domain, Expr, FunctionDecl, LocalDecl, Place, Program, Stmt } from "../../../src/spec/program.ts";
import {
  bin,
  bool,
  c,
  call,
  error,
  finding,
  fn,
  if_,
  int,
  label,
  load,
  local,
  mark,
  not,
  pool,
  program,
  return_,
  self,
  site,
  step,
  variable,
} from "../../checker/reference/small-program.ts";

/** Marsaglia's xorshift32. */
function random(seed: number) {
  let x = (seed * 2654435761) | 1;
  return (n: number): number => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % n;
  };
}

const P: Domain = { d: "ptr", pool: "P", wild: true };

export function randomProgram(seed: number): Program {
  const below = random(seed);
  const pick = <T>(...of: readonly T[]): T => of[below(of.length)]!;
  const several = <T>(max: number, make: () => T): T[] => Array.from({ length: below(max + 1) }, make);

  const locals: LocalDecl[] = [
    { name: "a", domain: int(0, 3) },
    { name: "b", domain: int(-1, 2), ...(below(4) === 0 ? { kept: true } : {}) },
    { name: "p", domain: P },
    { name: "q", domain: { d: "ptr", pool: "P", wild: false } },
  ];
  const simpleExpr = (): Expr =>
    pick<() => Expr>(
      () => c(below(3)),
      () => local(pick("a", "b")),
      () => local(pick("a", "b")),
      () => bin(local(pick("a", "b")), "&", c(1 + below(2))),
      () => bin(local(pick("a", "b")), below(6) === 0 ? pick("+", "-") : "&", c(1)),
    )();
  const sharedExpr = (): Expr =>
    pick<() => Expr>(
      simpleExpr,
      () => load("x"),
      () => load("y"),
      () => load("arr", simpleExpr()),
      () => self,
    )();
  const condition = (expr: () => Expr): Expr =>
    pick<() => Expr>(
      () => bin(expr(), pick("==", "!=", "<", ">="), expr()),
      () => bin(expr(), pick("==", "!=", "<", ">="), c(below(3))),
      () => not(bin(expr(), "==", c(1))),
      () => bin(bin(expr(), "!=", c(0)), pick("&&", "||"), bin(expr(), "<", c(2))),
    )();
  const pointer = (): Expr =>
    pick<() => Expr>(
      () => local("p"),
      () => local("q"),
      () => load("head"),
      () => c(below(3)),
    )();
  const place = (): Place =>
    pick<Place>(
      { p: "local", name: "a" },
      { p: "local", name: "b" },
      { p: "var", v: "x" },
      { p: "var", v: "y" },
      { p: "var", v: "arr", i: simpleExpr() },
    );
  const pointerPlace = (): Place =>
    pick<Place>({ p: "local", name: "p" }, { p: "local", name: "q" }, { p: "var", v: "head" });
  const setLocal = (expr: () => Expr): Stmt => ({
    s: "set",
    to: { p: "local", name: pick("a", "b") },
    value: expr(),
    site: site(),
  });

  /** Mostly touches objects that are alive. */
  const valid = (stmt: Stmt & { s: "free" | "deref" }): Stmt =>
    below(5) === 0
      ? stmt
      : if_(bin({ e: "referenced", pool: "P", ptr: stmt.ptr }, "&&", bin(stmt.ptr, "==", c(1))), [stmt]);

  const bodyStmt = (depth: number): Stmt =>
    pick<() => Stmt>(
      () => ({ s: "set", to: place(), value: sharedExpr(), site: site() }),
      () => ({ s: "set", to: place(), value: sharedExpr(), site: site() }),
      () => ({ s: "set", to: pointerPlace(), value: pointer(), site: site() }),
      () => ({ s: "alloc", pool: "P", into: pointerPlace(), site: site() }),
      () => valid({ s: "free", pool: "P", ptr: pointer(), what: "object", site: site() }),
      () => valid({ s: "deref", pool: "P", ptr: pointer(), what: "object", site: site() }),
      () => mark("m"),
      () => finding("odd"),
      () => ({ s: "set", to: place(), value: c(below(2)), site: site() }),
      () => ({ s: "set", to: { p: "var", v: "x" }, value: bin(bin(load("x"), "+", c(1)), "&", c(1)), site: site() }),
      () => (depth > 0 ? if_(condition(sharedExpr), body(depth - 1), body(depth - 1)) : mark("n")),
      () =>
        depth > 0
          ? { s: "choose", ways: [{ body: body(depth - 1) }, { body: body(depth - 1), optional: true }], site: site() }
          : mark("n"),
    )();
  const body = (depth: number): Stmt[] => several(2, () => bodyStmt(depth));
  const check = (depth: number): Stmt =>
    pick<() => Stmt>(
      () => ({ s: "deref", pool: "P", ptr: pointer(), what: "object", site: site() }),
      () => if_(condition(sharedExpr), [error("bug-on")]),
      () => finding("late"),
      () =>
        depth > 0
          ? if_(
              condition(sharedExpr),
              several(2, () => check(depth - 1)),
              several(1, () => check(depth - 1)),
            )
          : mark("k"),
    )();
  const aStep = (): Stmt =>
    step("step", [], {
      checks: below(8) === 0 ? several(2, () => check(1)) : [],
      alternatives: Array.from({ length: 1 + below(2) }, () => ({
        body: body(1),
        ...(below(4) === 0 ? { when: condition(sharedExpr) } : {}),
        ...(below(6) === 0 ? { optional: true } : {}),
        ...(below(8) === 0 ? { idle: true } : {}),
      })),
      ...(below(3) === 0 ? { wait: { on: "it", holder: local("a") } } : {}),
    });
  let labels = 0;
  const code = (depth: number, callees: readonly string[]): Stmt[] =>
    Array.from({ length: 2 + below(4) }, () =>
      pick<() => Stmt[]>(
        () => [aStep()],
        () => [aStep()],
        () => [aStep()],
        () => [setLocal(simpleExpr)],
        () => (depth > 0 ? [if_(condition(simpleExpr), code(depth - 1, callees), code(depth - 1, callees))] : []),
        () => (depth > 0 ? [loop(depth, callees)] : []),
        () => (callees.length > 0 ? [call(pick(...callees), [bin(local("a"), "&", c(3))], pick("a", "b"))] : []),
        () => (callees.length > 0 ? [call(pick(...callees), [c(below(3))])] : []),
        () => [label(`l${labels++}`), aStep()],
        () => [if_(condition(simpleExpr), [return_(simpleExpr())])],
      )(),
    ).flat();
  const loop = (depth: number, callees: readonly string[]): Stmt => ({
    s: "while",
    head: below(2) === 0 ? [aStep()] : [],
    c: pick(c(1), condition(simpleExpr)),
    body: [
      aStep(),
      ...code(depth - 1, callees),
      ...(below(2) === 0 ? [if_(condition(simpleExpr), [{ s: pick("break", "continue"), site: site() }])] : []),
    ],
    site: site(),
  });
  const int03 = int(0, 3);
  const aFunction = (name: string, callees: readonly string[]): FunctionDecl => ({
    ...fn(name, code(1, callees), locals, 1),
    returns: int03,
  });
  const handler = below(3) === 0;
  return program({
    vars: [
      variable("x", int(0, 2)),
      variable("y", bool),
      { ...variable("arr", int(0, 2)), length: 2, init: [0, 1] },
      variable("head", P, below(2)),
    ],
    pools: [pool("P", 2, [1, 0], below(3) === 0)],
    functions: [aFunction("leaf", []), aFunction("main", ["leaf"]), aFunction("other", ["leaf"])],
    threads: [
      { name: "t1", cls: "t", fn: "main", args: [1], cpu: 0 },
      handler
        ? { name: "irq", cls: "irq", fn: "other", args: [0], cpu: 0, kind: pick("hardirq", "softirq") }
        : { name: "t2", cls: "t", fn: pick("main", "other"), args: [1], cpu: 0 },
    ],
  });
}
