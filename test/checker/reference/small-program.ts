/** Small programs written by hand: the tree itself, without the recording language. */
import type {
  Alternative,
  Check,
  Domain,
  Expr,
  FunctionDecl,
  LocalDecl,
  Place,
  PoolDecl,
  Program,
  PropertyDecl,
  Site,
  Step,
  Stmt,
  ThreadDecl,
  VarDecl,
} from "../../../src/spec/program.ts";

let lines = 0;
/** Every statement gets a line of its own. */
export function site(): Site {
  lines++;
  return { file: "small.ts", line: lines, column: 1 };
}

export const int = (lo: number, hi: number): Domain => ({ d: "int", lo, hi });
export const bool: Domain = { d: "bool" };
export const thread: Domain = { d: "thread" };
export const ptr = (pool: string): Domain => ({ d: "ptr", pool, wild: false });

export const c = (v: number): Expr => ({ e: "const", v });
export const self: Expr = { e: "self" };
export const load = (v: string, i?: Expr): Expr => (i === undefined ? { e: "load", v } : { e: "load", v, i });
export const local = (name: string): Expr => ({ e: "local", name });
export const bin = (a: Expr, op: Extract<Expr, { e: "bin" }>["op"], b: Expr): Expr => ({ e: "bin", op, a, b });
export const eq = (a: Expr, b: Expr): Expr => bin(a, "==", b);
export const not = (a: Expr): Expr => ({ e: "not", a });

const toVar = (v: string): Place => ({ p: "var", v });
export const set = (v: string, value: Expr): Stmt => ({ s: "set", to: toVar(v), value, site: site() });
export const let_ = (name: string, value: Expr): Stmt => ({
  s: "set",
  to: { p: "local", name },
  value,
  site: site(),
});
export const error = (kind: Extract<Stmt, { s: "error" }>["kind"]): Stmt => ({
  s: "error",
  kind,
  message: `an error of kind ${kind}`,
  site: site(),
});
export const finding = (kind: string): Stmt => ({ s: "finding", kind, message: `a finding ${kind}`, site: site() });
export const mark = (name: string): Stmt => ({ s: "mark", name, site: site() });
export const if_ = (cond: Expr, then: readonly Stmt[], otherwise: readonly Stmt[] = []): Stmt => ({
  s: "if",
  c: cond,
  then,
  else: otherwise,
  site: site(),
});
export const while_ = (cond: Expr, body: readonly Stmt[], head: readonly Stmt[] = []): Stmt => ({
  s: "while",
  head,
  c: cond,
  body,
  site: site(),
});
export const choose = (...ways: readonly (readonly Stmt[])[]): Stmt => ({
  s: "choose",
  ways: ways.map((body) => ({ body })),
  site: site(),
});
export const call = (fn: string, args: readonly Expr[] = [], into?: string): Stmt => ({
  s: "call",
  fn,
  args,
  ...(into === undefined ? {} : { into }),
  site: site(),
});
export const return_ = (value: Expr): Stmt => ({ s: "return", value, site: site() });
export const label = (name: string): Stmt => ({ s: "label", name, site: site() });
export const goto_ = (name: string): Stmt => ({ s: "goto", name, site: site() });

export function step(name: string, body: readonly Stmt[] = [], more: Partial<Step & Alternative> = {}): Step {
  const {
    when,
    optional,
    idle,
    name: alternative,
    checks,
    wait,
    alternatives,
  } = more as Partial<Step> & Partial<Alternative>;
  const one: Alternative = {
    body,
    ...(when === undefined ? {} : { when }),
    ...(optional === undefined ? {} : { optional }),
    ...(idle === undefined ? {} : { idle }),
    ...(alternative === undefined ? {} : { name: alternative }),
  };
  return {
    s: "step",
    call: name,
    site: site(),
    checks: checks ?? [],
    alternatives: alternatives ?? [one],
    ...(wait === undefined ? {} : { wait }),
  };
}

export const lock = (v: string): Step =>
  step(`mutex_lock(${v})`, [set(v, self)], { when: eq(load(v), c(0)), wait: { on: v, holder: load(v) } });
export const unlock = (v: string): Step =>
  step(`mutex_unlock(${v})`, [set(v, c(0))], {
    checks: [if_(not(eq(load(v), self)), [error("unlock-not-owner")])],
  });
/** Waits until a variable is 1. */
export const waitFor = (v: string): Step => step(`wait_for(${v})`, [], { when: eq(load(v), c(1)), wait: { on: v } });

export const variable = (name: string, domain: Domain, init = 0): VarDecl => ({
  name,
  domain,
  init: [init],
  site: site(),
});

export const pool = (name: string, slots: number, alive: readonly number[], reuse = false): PoolDecl => ({
  name,
  slots,
  reuse,
  alive,
  site: site(),
});

export function fn(name: string, body: readonly Stmt[], locals: readonly LocalDecl[] = [], params = 0): FunctionDecl {
  return { name, at: "drivers/block/small.c", params, locals, body, site: site() };
}

export interface Small {
  readonly vars?: readonly VarDecl[];
  readonly pools?: readonly PoolDecl[];
  readonly functions: readonly FunctionDecl[];
  /** Without a kind a task. The function of a thread is the one of its name, where none is given. */
  readonly threads: readonly (Partial<ThreadDecl> & { readonly name: string })[];
  readonly properties?: Readonly<Record<string, Check | (Partial<PropertyDecl> & { readonly check: Check })>>;
}

export function program(small: Small): Program {
  return {
    protocol: "small",
    variant: "base",
    scenario: "only",
    sizes: {},
    switches: {},
    vars: small.vars ?? [],
    pools: small.pools ?? [],
    functions: Object.fromEntries(small.functions.map((f) => [f.name, f])),
    threads: small.threads.map((t) => ({ cls: t.name, fn: t.name, args: [], kind: "task", ...t })),
    properties: Object.entries(small.properties ?? {}).map(([id, given]) => ({
      id,
      kind: id,
      message: `${id} does not hold`,
      trigger: { marks: [], what: "anything" },
      site: site(),
      ...("check" in given ? given : { check: given }),
    })),
    expectations: [],
  };
}
