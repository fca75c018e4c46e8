/** Random questions about the runs of random protocols. */
import type {
  Alternative,
  Expr,
  Fairness,
  FunctionDecl,
  Program,
  PropertyDecl,
  Step,
  Stmt,
  Temporal,
  ThreadDecl,
  VarDecl,
} from "../src/spec/program.ts";
import { generator } from "./random.ts";

/** The program with temporal properties made up for it, of all shapes and under all kinds of fairness. */
export function withTemporal(program: Program, seed: number, labels: readonly string[] = []): Program {
  const random = generator(seed * 7919 + 1);
  const below = (n: number) => Math.floor(random() * n);
  const ints = program.vars.map((v) => v.name).filter((v) => v === "x" || v === "y");
  const state = (): Temporal => {
    const v = ints[below(ints.length)]!;
    const thread = program.threads[below(program.threads.length)]!.name;
    const compared: Expr = { e: "bin", op: below(2) === 0 ? "==" : "<", a: { e: "load", v }, b: number(below(3)) };
    if (labels.length > 0 && below(3) > 0) {
      const free: Expr = { e: "bin", op: "==", a: { e: "load", v: "A" }, b: number(0) };
      const at: Expr = { e: "at", thread, label: labels[below(labels.length)]! };
      return { t: "state", expr: below(4) === 0 ? free : at };
    }
    return { t: "state", expr: below(3) === 0 ? { e: "ended", thread } : compared };
  };
  const formula = (depth: number): Temporal => {
    const r = below(7);
    if (depth === 0) return state();
    if (r < 3) return { t: (["not", "always", "eventually"] as const)[r]!, a: formula(depth - 1) };
    const t = (["and", "or", "implies", "leads-to"] as const)[r - 3]!;
    return { t, a: formula(depth - 1), b: formula(depth - 1) };
  };
  const properties = Array.from({ length: 4 }, (_, i): PropertyDecl => {
    const fairness: Fairness = {
      threads: (["none", "weak", "weak", "strong"] as const)[below(4)]!,
      strongThreads: below(4) === 0 ? [program.threads[0]!.name] : [],
      strongWaits: below(3) === 0 ? ["mutex"] : [],
    };
    const [from, to] = labels;
    if (i < 3 && from !== undefined && to !== undefined) {
      // What is asked of a lock: whoever waits for it gets it, and it is free again and again.
      const thread = program.threads[below(program.threads.length)]!.name;
      const at = (label: string): Temporal => ({ t: "state", expr: { e: "at", thread, label } });
      const free: Expr = { e: "bin", op: "==", a: { e: "load", v: "A" }, b: number(0) };
      const freed: Temporal = { t: "always", a: { t: "eventually", a: { t: "state", expr: free } } };
      return {
        id: `temporal-${i}`,
        check: {
          c: "temporal",
          formula: i === 2 ? freed : { t: "leads-to", a: at(from), b: at(to) },
          fairness: {
            threads: i === 2 ? "none" : "weak",
            strongThreads: [],
            strongWaits: i === 1 ? ["mutex"] : [],
          },
        },
        kind: "starvation",
        message: "m",
        trigger: { marks: [], what: "-" },
        site: program.properties[0]!.site,
      };
    }
    const moving = below(4) === 0 ? { moving: [program.threads[below(program.threads.length)]!.name] } : {};
    return {
      id: `temporal-${i}`,
      check: { c: "temporal", formula: formula(1 + below(3)), fairness, ...moving },
      kind: "temporal",
      message: "m",
      trigger: { marks: [], what: "-" },
      site: program.properties[0]!.site,
    };
  });
  return { ...program, properties };
}

const number = (v: number): Expr => ({ e: "const", v });

/**
 * Threads that go round for ever, taking locks in some order, trying them, waiting for them with a way out, and changing
 * what they protect: where fairness matters. Labels `wait` and `in` are in each thread; the questions know them.
 */
export function randomLocks(seed: number): Program {
  const random = generator(seed * 104_729 + 7);
  const below = (n: number) => Math.floor(random() * n);
  const chance = (p: number) => random() < p;
  const site = { file: "random.ts", line: 1, column: 1 };
  const load = (v: string, i?: Expr): Expr => ({ e: "load", v, ...(i === undefined ? {} : { i }) });
  const bin = (op: Extract<Expr, { e: "bin" }>["op"], a: Expr, b: Expr): Expr => ({ e: "bin", op, a, b });
  const self: Expr = { e: "self" };
  const mine = bin("-", self, number(1));
  const set = (v: string, value: Expr, i?: Expr): Stmt => ({
    s: "set",
    to: { p: "var", v, ...(i === undefined ? {} : { i }) },
    value,
    site,
  });
  const toggle = (v: string, i?: Expr) => set(v, bin("-", number(1), load(v, i)), i);
  const step = (alternatives: Alternative[], more: Partial<Step> = {}): Step => ({
    s: "step",
    call: "step",
    site,
    checks: [],
    alternatives,
    ...more,
  });
  const free = (m: string) => bin("==", load(m), number(0));
  const lock = (m: string): Stmt => {
    const guard = chance(0.08) ? bin("&&", free(m), bin("==", load("x"), number(below(2)))) : free(m);
    const both = chance(0.06) ? bin("&&", guard, free(m === "A" ? "B" : "A")) : guard;
    const ways: Alternative[] = [{ when: both, body: [set(m, self)] }];
    if (chance(0.25)) ways.push({ when: bin("==", load("y"), number(1)), body: [], name: "out" });
    if (chance(0.05)) ways.push({ body: [], optional: true, name: "gives up" });
    return step(ways, { wait: { on: m, kind: chance(0.8) ? "mutex" : "spinlock", holder: load(m) } });
  };
  const unlock = (m: string): Stmt =>
    step([{ body: [{ s: "if", c: bin("==", load(m), self), then: [set(m, number(0))], else: [], site }] }]);
  const quiet = (): Stmt => step([{ body: chance(0.7) ? [toggle("own", mine)] : [] }]);
  const data = (v: string): Stmt => step([{ body: [toggle(v)] }]);
  const waits = (): Stmt =>
    step(
      [{ when: bin("==", load(chance(0.5) ? "x" : "y"), number(below(2))), body: chance(0.3) ? [toggle("y")] : [] }],
      {
        wait: { on: "data", kind: "event" },
      },
    );
  const inside = (v: string): Stmt[] => {
    const body = [quiet(), data(v), quiet(), quiet(), waits(), step([{ body: [] }], { yields: true })];
    return Array.from({ length: below(3) }, () => body[chance(0.8) ? below(4) : below(body.length)]!);
  };
  const label = (name: string): Stmt => ({ s: "label", name, site });
  const other = (m: string) => (m === "A" ? "B" : "A");
  const section = (m: string): Stmt[] => {
    const n = below(6);
    if (n < 3) return [lock(m), ...inside(m === "A" ? "x" : "z"), unlock(m)];
    if (n === 3) return [lock(m), lock(other(m)), ...inside("x"), unlock(other(m)), unlock(m)];
    if (n === 4) {
      const got: Expr = { e: "local", name: "got" };
      const take: Stmt = {
        s: "if",
        c: free(m),
        then: [set(m, self), { s: "set", to: { p: "local", name: "got" }, value: number(1), site }],
        else: [{ s: "set", to: { p: "local", name: "got" }, value: number(0), site }],
        site,
      };
      return [step([{ body: [take] }]), { s: "if", c: got, then: [...inside("z"), unlock(m)], else: [quiet()], site }];
    }
    return [chance(0.5) ? waits() : data("y"), quiet()];
  };
  const functions: Record<string, FunctionDecl> = {};
  const count = 2 + below(2);
  const identical = below(3);
  const threads: ThreadDecl[] = [];
  for (let t = 0; t < count; t++) {
    const same = identical === 0 || (identical === 1 && t < 2);
    const name = same ? "main" : `main${t}`;
    if (functions[name] === undefined) {
      const body: Stmt[] = [
        label("wait"),
        ...(chance(0.85) ? [lock("A")] : [quiet()]),
        label("in"),
        quiet(),
        ...inside("x"),
        unlock("A"),
        ...(chance(0.4) ? section(chance(0.5) ? "A" : "B") : []),
        ...(chance(0.3) ? section("B") : []),
        ...(chance(0.06) ? [step([{ body: [], idle: true }])] : []),
      ];
      if (chance(0.05)) {
        body.push(step([{ body: [{ s: "if", c: bin("==", load("y"), number(1)), then: [bug], else: [], site }] }]));
      }
      functions[name] = {
        name,
        at: "random.c",
        params: 0,
        locals: [{ name: "got", domain: { d: "bool" } }],
        body: chance(0.85) ? [{ s: "while", head: [], c: number(1), body, site }] : body,
        site,
      };
    }
    threads.push({ name: `T${t}`, cls: name, fn: name, args: [], kind: chance(0.95) ? "task" : "device" });
  }
  // Threads of one class are of one kind.
  for (const thread of threads.slice(1)) {
    const first = threads.find((t) => t.cls === thread.cls)!;
    Object.assign(thread, { kind: first.kind });
  }
  const lockVar = (name: string): VarDecl => ({ name, domain: { d: "thread" }, init: [0], lock: "mutex", site });
  const bit = (name: string): VarDecl => ({ name, domain: { d: "bool" }, init: [0], site });
  const own: VarDecl = {
    name: "own",
    domain: { d: "bool" },
    length: count,
    index: "thread",
    init: threads.map(() => 0),
    site,
  };
  return {
    protocol: "locks",
    variant: `seed-${seed}`,
    scenario: "s",
    sizes: {},
    switches: {},
    ...(chance(0.1) ? { scheduler: "one-cpu" as const } : {}),
    vars: [lockVar("A"), lockVar("B"), ...["x", "y", "z"].map(bit), own],
    pools: [],
    functions,
    threads,
    properties: [
      { id: "p", check: { c: "deadlock" }, kind: "deadlock", message: "m", trigger: { marks: [], what: "-" }, site },
    ],
    expectations: [],
  };
}

const bug: Stmt = { s: "error", kind: "bug-on", message: "BUG", site: { file: "random.ts", line: 1, column: 1 } };
