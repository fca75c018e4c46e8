/** Hand-written transition systems with known answers, and random ones. */
import { bin, load, local, num, self, set } from "../../../bench/loop-system.ts";
import type {
  SysAction,
  SysCode,
  SysExpr,
  SysLocation,
  SysOp,
  SysProgram,
  SysProperty,
  SysThread,
  SysVar,
  TransitionSystem,
} from "../../../src/spec/transition-system.ts";

export { bin, load, local, num, self, set };

export const site = { file: "model.ts", line: 1, column: 1 };
export const goto = (location: number, ...ops: SysOp[]): SysCode => ({ ops, end: { k: "goto", location } });
export const error = (f: number, ...ops: SysOp[]): SysCode => ({ ops, end: { k: "error", f } });
export const branch = (c: SysExpr, yes: SysCode, no: SysCode): SysCode => ({
  ops: [],
  end: { k: "if", c, then: yes, else: no },
});
export const pick = (...ways: { code: SysCode; optional?: boolean }[]): SysCode => ({
  ops: [],
  end: { k: "choose", ways: ways.map((w, i) => ({ code: w.code, optional: w.optional ?? false, name: `way ${i}` })) },
});

export function act(guard: SysExpr | undefined, code: SysCode, more: Partial<SysAction> = {}): SysAction {
  return {
    code,
    optional: false,
    idle: false,
    name: "",
    reads: [],
    writes: [],
    ...(guard && { guard }),
    ...more,
  };
}

export function loc(actions: SysAction[], wait?: SysLocation["wait"]): SysLocation {
  return {
    call: "step",
    fn: "f",
    at: "f.c",
    site,
    path: ["f"],
    labels: [],
    ended: false,
    actions,
    live: [],
    plain: [],
    ...(wait && { wait }),
  };
}

export const end: SysLocation = { ...loc([]), call: "", ended: true };

export function variable(name: string, lo: number, hi: number, init: number | number[] = 0): SysVar {
  const values = Array.isArray(init) ? init : [init];
  return {
    name,
    title: name,
    lo,
    hi,
    length: values.length,
    init: values,
    observer: false,
    values: { of: "int" },
    index: "none",
  };
}

export function program(cls: string, locations: SysLocation[], locals: SysProgram["locals"] = []): SysProgram {
  return { cls, locals, locations };
}

export function thread(name: string, index: number, more: Partial<SysThread> = {}, locals: number[] = []): SysThread {
  return { name, program: index, kind: "task", cpu: -1, initialLocation: 0, initialLocals: locals, ...more };
}

export function property(id: string, check: SysProperty["check"], more: Partial<SysProperty> = {}): SysProperty {
  return { id, kind: "invariant", message: `${id} fails`, check, trigger: { marks: [], what: "" }, site, ...more };
}

export function systemOf(parts: Partial<TransitionSystem>): TransitionSystem {
  return {
    protocol: "small",
    variant: "base",
    scenario: "s",
    sizes: {},
    switches: {},
    vars: [],
    pools: [],
    programs: [],
    threads: [],
    marks: [],
    findings: [],
    properties: [],
    initialMarks: [],
    ...parts,
  };
}

/** Locks held in order by n philosophers; with `asymmetric` the last takes them the other way round. */
export function philosophers(n: number, asymmetric: boolean): TransitionSystem {
  const vars = Array.from({ length: n }, (_, i) => variable(`fork${i}`, 0, n));
  const programs = Array.from({ length: n }, (_, i) => {
    const order = [i, (i + 1) % n];
    if (asymmetric && i === n - 1) order.reverse();
    const [a, b] = order as [number, number];
    const take = (v: number, next: number): SysLocation =>
      loc([act(bin("==", load(v), num(0)), goto(next, set(v, self)))], { on: `fork${v}`, holder: load(v) });
    return program(`p${i}`, [
      take(a, 1),
      take(b, 2),
      loc([act(undefined, goto(3, set(b, num(0)), { o: "mark", m: 0 }))]),
      loc([act(undefined, goto(4, set(a, num(0))))]),
      end,
    ]);
  });
  return systemOf({
    vars,
    programs,
    threads: programs.map((p, i) => thread(p.cls, i)),
    marks: ["ate"],
    properties: [
      property("deadlock", { c: "deadlock" }, { kind: "deadlock" }),
      property("all-eat", {
        c: "stays-possible",
        expr: programs.map((_, t): SysExpr => ({ e: "pc", t, locations: [4] })).reduce((a, b) => bin("&&", a, b)),
      }),
      property(
        "one-each",
        { c: "invariant", expr: bin("<=", load(0), num(n)) },
        { trigger: { marks: [0], what: "a meal" } },
      ),
    ],
  });
}

/** A generator of small numbers: the linear congruence of Numerical Recipes. */
export function random(seed: number): (n: number) => number {
  let x = seed >>> 0;
  return (n) => {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    return Math.floor((x / 2 ** 32) * n);
  };
}

/**
 * Two or three threads over two to four small variables and an array, with locks, choices, optional and idle actions,
 * errors, findings, marks, a stored local and resting waits; every store is within range by a mask or a test.
 */
export function randomSystem(seed: number): TransitionSystem {
  const rnd = random(seed * 7919 + 17);
  const threads = 2 + rnd(2);
  const vars = [
    variable("a", 0, 3, rnd(4)),
    variable("lock", 0, threads),
    variable("s", -2, 2, 0),
    variable("arr", 0, 2, [0, rnd(3), 1]),
    variable("flag", 0, 1),
  ];
  const expr = (depth: number): SysExpr => {
    if (depth === 0) {
      return [num(rnd(4) - 1), load(0), load(2), load(3, load(0)), load(4), local(0), self][rnd(7)] as SysExpr;
    }
    const ops = ["+", "-", "*", "&", "|", "^", "<<", ">>", "==", "!=", "<", "<=", ">", ">=", "&&", "||"] as const;
    if (rnd(6) === 0) return { e: "not", a: expr(depth - 1) };
    if (rnd(6) === 0) return { e: "neg", a: expr(depth - 1) };
    if (rnd(5) === 0) return { e: "ite", c: expr(depth - 1), a: expr(depth - 1), b: expr(depth - 1) };
    return bin(ops[rnd(ops.length)] as "+", expr(depth - 1), expr(depth - 1));
  };
  const op = (): SysOp => {
    switch (rnd(6)) {
      case 0:
        return set(0, bin("&", expr(1), num(3)));
      case 1:
        return set(2, bin("-", bin("&", expr(1), num(3)), num(1)));
      case 2:
        return set(3, bin("&", expr(1), num(1)), expr(1));
      case 3:
        return set(4, bin("&", expr(1), num(1)));
      case 4:
        return { o: "local", l: 0, value: bin("&", expr(1), num(3)) };
      default:
        return { o: "mark", m: rnd(2) };
    }
  };
  const locations = 3 + rnd(2);
  const code = (depth: number): SysCode => {
    const ops = Array.from({ length: rnd(3) }, op);
    const what = rnd(12);
    if (depth > 0 && what < 3)
      return { ops, end: { k: "if", c: expr(1), then: code(depth - 1), else: code(depth - 1) } };
    if (depth > 0 && what < 5) {
      const ways = [code(depth - 1), code(depth - 1)].map((c, i) => ({
        code: c,
        optional: rnd(4) === 0,
        name: `w${i}`,
      }));
      return { ops, end: { k: "choose", ways } };
    }
    if (what === 5) return { ops, end: { k: "error", f: 0 } };
    if (what === 6) ops.push({ o: "finding", f: 1 });
    return { ops, end: { k: "goto", location: rnd(locations + 1) } };
  };
  const programs = Array.from({ length: threads }, (_, p) => {
    const body = Array.from({ length: locations }, (): SysLocation => {
      const kind = rnd(4);
      if (kind === 0) {
        return loc([act(bin("==", load(1), num(0)), goto(rnd(locations + 1), set(1, self)))], {
          on: "lock",
          holder: load(1),
        });
      }
      if (kind === 1)
        return loc([act(bin("==", load(1), self), goto(rnd(locations + 1), set(1, num(0))))], { on: "x" });
      return loc(
        Array.from({ length: 1 + rnd(2) }, () =>
          act(rnd(3) === 0 ? undefined : expr(2), code(2), { optional: rnd(6) === 0, idle: rnd(8) === 0 }),
        ),
        rnd(2) === 0 ? { on: "w", resting: expr(1) } : { on: "w", holder: bin("&", load(0), num(1)) },
      );
    });
    return program(
      `p${p}`,
      [...body, end],
      [{ name: "l", fn: "f", lo: 0, hi: 3, values: { of: "int" }, stored: true }],
    );
  });
  return systemOf({
    vars,
    programs,
    threads: programs.map((p, i) => thread(p.cls, i, i === 2 && rnd(3) === 0 ? { kind: "environment" } : {}, [rnd(2)])),
    marks: ["m0", "m1"],
    findings: [
      { kind: "bug-on", message: "BUG", error: true, site, fn: "f" },
      { kind: "ebusy", message: "busy", error: false, site, fn: "f" },
    ],
    properties: [
      property("lock-discipline", { c: "findings", findings: [0] }),
      property("no-ebusy", { c: "findings", findings: [1] }),
      property("deadlock", { c: "deadlock" }),
      property("inv", { c: "invariant", expr: bin("!=", expr(1), expr(1)) }),
      property("rest", { c: "at-rest", expr: expr(1) }),
      property("possible", { c: "stays-possible", expr: expr(1) }),
      property("marked", { c: "invariant", expr: num(1) }, { trigger: { marks: [0], what: "m0" } }),
    ],
  });
}
