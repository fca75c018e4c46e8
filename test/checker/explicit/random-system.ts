/** Random transition systems, small enough to be explored by hand, and full of what engines get wrong. */
import {
  act,
  at,
  bin,
  ended,
  error,
  goTo,
  load,
  local,
  num,
  self,
  set,
  setLocal,
  site,
} from "../../../bench/loop-system.ts";
import type {
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
import { Random } from "../../random.ts";

type Parts = Pick<TransitionSystem, "vars" | "programs" | "threads" | "marks" | "findings" | "properties">;

/** A system that is nothing but its parts; the seed that it was made from is its variant. */
export function random(
  protocol: string,
  seed: number,
  parts: Parts & Partial<Pick<TransitionSystem, "initialMarks">>,
): TransitionSystem {
  const nothing = { scenario: "", sizes: {}, switches: {}, pools: [], initialMarks: [] };
  return { protocol, variant: `seed ${seed}`, ...nothing, ...parts };
}

/** `scalar`: thread ids are mostly used as a symmetry reduction wants it, and most threads share a program. */
export function randomSystem(seed: number, scalar = false): TransitionSystem {
  const r = new Random(seed);
  const threadCount = scalar ? r.between(2, 4) : r.between(1, 4);
  const wide = r.chance(15);
  const vars: SysVar[] = Array.from({ length: r.between(1, 4) }, (_, v) => {
    const lo = r.chance(25) ? -r.between(1, 3) : r.chance(10) ? 2 : 0;
    const hi = lo + r.pick([0, 1, 1, 2, 3]);
    const length = r.chance(40) ? r.between(2, 4) : 1;
    return {
      name: `v${v}`,
      title: `v${v}`,
      lo,
      hi,
      length,
      init: Array.from({ length }, () => r.between(lo, hi)),
      observer: false,
      values: { of: "int" } as const,
      index: "none" as const,
    };
  });
  if (wide) {
    // Constants in effect, but their full range is laid out: states of many words.
    for (let k = 0; k < r.between(1, 10); k++) {
      const init = [r.between(-5, 5)];
      vars.push({ ...vars[0]!, name: `wide${k}`, lo: -(2 ** 31), hi: 2 ** 31 - 1, length: 1, init });
    }
  }
  const owner = vars.length;
  const thread = { of: "thread" } as const;
  vars.push({ ...vars[0]!, name: "owner", lo: 0, hi: threadCount, length: 2, init: [0, 0], values: thread });
  const numbers = vars.slice(0, owner).map((_, v) => v);
  const [own, next] = [owner + 1, owner + 2];
  if (scalar) {
    const perThread = { ...vars[0]!, length: threadCount, index: "thread" as const };
    vars.push({
      ...perThread,
      name: "own",
      lo: 0,
      hi: r.between(1, 2),
      init: Array.from({ length: threadCount }, () => 0),
    });
    const init = Array.from({ length: threadCount }, () => 0);
    vars.push({ ...perThread, name: "next", lo: 0, hi: threadCount, init, values: thread });
  }
  const threadIndex = (of: SysExpr): SysExpr => (r.chance(50) ? bin("-", of, num(1)) : bin("+", of, num(-1)));
  const someThread = (): SysExpr =>
    r.pick([self, self, num(0), load(owner, num(r.below(2))), load(next, threadIndex(self))]);

  const expr = (depth: number, locals: number): SysExpr => {
    const kind = r.below(depth <= 0 ? 4 : 10);
    if (kind === 0) return num(r.between(-1, 3));
    if (kind === 1 && locals > 0) return local(r.below(locals));
    if (kind === 1 && !scalar) return self;
    if (scalar && (kind === 1 || kind === 4)) {
      if (r.chance(40)) return load(own, threadIndex(someThread()));
      return bin(r.pick(["==", "!="]), someThread(), r.chance(5) ? num(r.between(1, threadCount)) : someThread());
    }
    if (kind <= 4) {
      const v = scalar && r.chance(98) ? r.pick(numbers) : r.below(vars.length);
      const { length } = vars[v]!;
      if (length === 1) return load(v);
      return load(v, r.chance(50) || depth <= 0 ? num(r.between(0, length)) : expr(depth - 1, locals));
    }
    const a = expr(depth - 1, locals);
    if (kind === 5) return { e: "not", a };
    if (kind === 6 && r.chance(40)) return { e: "neg", a };
    const b = expr(depth - 1, locals);
    if (kind === 7 && r.chance(50)) return { e: "ite", c: expr(depth - 1, locals), a, b };
    return bin(r.pick(["+", "-", "*", "&", "|", "^", "==", "!=", "<", "<=", ">", ">=", "&&", "||", "<<", ">>"]), a, b);
  };
  const clamp = (value: SysExpr, lo: number, hi: number): SysExpr =>
    value.e === "const" && value.v >= lo && value.v <= hi
      ? value
      : {
          e: "ite",
          c: bin("<", value, num(lo)),
          a: num(lo),
          b: { e: "ite", c: bin(">", value, num(hi)), a: num(hi), b: value },
        };

  const marks = ["m0", "m1", "m2"];
  const kinds = ["bug-on", "use-after-free", "ebusy", "leak"] as const;
  const findings = kinds.map((kind, f) => ({ kind, message: `finding ${f}`, error: f < 2, site, fn: "f" }));
  const programs: SysProgram[] = Array.from({ length: r.between(1, 2) }, (_, p) => {
    const count = r.between(2, 5);
    const end = r.chance(60) ? count : -1;
    const locals = Array.from({ length: r.below(3) }, (_, l) => {
      const lo = r.chance(20) ? -1 : r.chance(20) ? 1 : 0;
      const hi = lo + r.between(1, 2);
      return { name: `l${l}`, fn: "f", lo, hi, values: { of: "int" } as const, stored: r.chance(70) };
    });
    const operations = (): SysOp[] =>
      Array.from({ length: r.below(3) }, (): SysOp => {
        if (r.chance(12)) return { o: "mark", m: r.below(marks.length) };
        if (r.chance(6)) return { o: "finding", f: r.between(2, 3) };
        if (locals.length > 0 && r.chance(30)) {
          const l = r.below(locals.length);
          return setLocal(l, clamp(expr(1, locals.length), locals[l]!.lo, locals[l]!.hi));
        }
        if (scalar && r.chance(15)) return set(own, clamp(expr(1, locals.length), 0, vars[own]!.hi), threadIndex(self));
        if (scalar && r.chance(15)) return set(next, someThread(), threadIndex(self));
        if (r.chance(25)) return set(owner, r.chance(50) ? self : num(0), num(r.below(2)));
        const v = scalar ? r.pick(numbers) : r.below(vars.length);
        const { lo, hi, length } = vars[v]!;
        const value = clamp(expr(2, locals.length), lo, hi);
        if (length === 1) return set(v, value);
        return set(v, value, r.chance(50) ? num(r.below(length)) : expr(1, locals.length));
      });
    const code = (depth: number): SysCode => {
      const kind = r.below(depth <= 0 ? 8 : 12);
      if (kind === 0 && r.chance(30)) return { ...error(r.below(2)), ops: operations() };
      if (kind < 8) return goTo(end >= 0 && r.chance(30) ? end : r.below(count), ...operations());
      if (kind < 10) {
        const ways = Array.from({ length: r.between(1, 3) }, () => ({
          code: code(depth - 1),
          optional: r.chance(30),
          name: "",
        }));
        return { ops: operations(), end: { k: "choose", ways } };
      }
      const c = expr(1, locals.length);
      return { ops: operations(), end: { k: "if", c, then: code(depth - 1), else: code(depth - 1) } };
    };
    const guard = (): SysExpr | undefined => {
      if (r.chance(25)) return undefined;
      if (r.chance(50)) return bin("==", load(owner, num(r.below(2))), r.chance(75) ? num(0) : self);
      if (r.chance(scalar ? 3 : 20))
        return { e: "pc", t: r.below(threadCount), locations: [r.below(2), r.below(2) + 1] };
      return expr(2, locals.length);
    };
    const locations: SysLocation[] = Array.from({ length: count }, () => {
      const actions = Array.from({ length: r.chance(70) ? 1 : r.below(4) }, () =>
        act(guard(), code(2), { optional: r.chance(15), idle: r.chance(12) }),
      );
      const resting = r.chance(15) ? { resting: expr(1, locals.length) } : {};
      const holder = r.chance(60) ? { holder: load(owner, num(r.below(2))) } : {};
      return at("step", actions, [], { on: "it", ...holder, ...resting });
    });
    if (end >= 0) locations.push(ended);
    return { cls: `c${p}`, locals, locations };
  });
  const threads = Array.from({ length: threadCount }, (_, t): SysThread => {
    const program = scalar && r.chance(70) ? 0 : r.below(programs.length);
    const { locals } = programs[program]!;
    return {
      name: `t${t}`,
      program,
      kind:
        scalar && r.chance(85)
          ? "task"
          : r.pick(["task", "task", "task", "task", "hardirq", "softirq", "device", "environment", "worker"]),
      cpu: scalar ? 0 : r.below(2),
      initialLocation: 0,
      initialLocals: locals.map((l) => (l.lo <= 0 && l.hi >= 0 ? 0 : l.lo)),
    };
  });
  // Sometimes a thread is kept off its CPU while another is away from where it started.
  threads.forEach((thread, t) => {
    const other = r.below(threadCount);
    if (other === t || !r.chance(scalar ? 5 : 25)) return;
    const { locations } = programs[threads[other]!.program]!;
    const away = locations.flatMap((l, k) => (k === 0 || l.ended ? [] : [k]));
    threads[t] = { ...thread, keptOff: { e: "pc", t: other, locations: away } };
  });
  const trigger = () => ({ marks: r.chance(50) ? [] : [r.below(3)], what: "something" });
  const about = { message: "broken", site };
  const view = (): SysExpr =>
    bin(r.pick(["==", "!=", "<="]), load(r.pick(numbers)), r.chance(70) ? num(r.between(0, 2)) : load(r.pick(numbers)));
  const somewhere = (): SysExpr => {
    const here = (t: number): SysExpr => ({ e: "pc", t, locations: [1] });
    if (r.chance(30)) return here(r.below(threadCount));
    return threads.map((_, t) => here(t)).reduce((a, b) => bin("||", a, b));
  };
  const properties: SysProperty[] = [
    { ...about, id: "deadlock", kind: "deadlock", check: { c: "deadlock" }, trigger: trigger() },
    { ...about, id: "errors", kind: "bug-on", check: { c: "findings", findings: [0, 1] }, trigger: trigger() },
    { ...about, id: "ebusy", kind: "ebusy", check: { c: "findings", findings: [2, 3] }, trigger: trigger() },
    { ...about, id: "invariant", kind: "invariant", check: { c: "invariant", expr: view() }, trigger: trigger() },
    { ...about, id: "rest", kind: "leak", check: { c: "at-rest", expr: view() }, trigger: trigger() },
    { ...about, id: "again", kind: "x", check: { c: "stays-possible", expr: view() }, trigger: trigger() },
    {
      ...about,
      id: "there",
      kind: "x",
      check: { c: "stays-possible", expr: somewhere() },
      trigger: trigger(),
    },
  ];
  const initialMarks = r.chance(10) ? [0] : [];
  return random("random", seed, { vars, programs, threads, marks, findings, properties, initialMarks });
}
