/** Random transition systems, small enough to be explored by hand, and what is true of them by plain enumeration. */
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
  when,
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

/** A small generator of pseudo-random numbers (mulberry32), so that a failing case can be named by its seed. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  below(n: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % n;
  }

  chance(percent: number): boolean {
    return this.below(100) < percent;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }

  between(lo: number, hi: number): number {
    return lo + this.below(hi - lo + 1);
  }
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
  return {
    protocol: "random",
    variant: `seed ${seed}`,
    scenario: "",
    sizes: {},
    switches: {},
    vars,
    pools: [],
    programs,
    threads,
    marks,
    findings,
    properties,
    initialMarks: r.chance(10) ? [0] : [],
  };
}

/**
 * Threads that take and give back locks around what they do, well or badly: with room for transactions, and with all
 * that may break them (trylocks, unlocks by others, data used without its lock, loops, errors, a look from outside).
 */
export function randomProtocol(seed: number): TransitionSystem {
  const r = new Random(seed);
  const threadCount = r.between(2, 3);
  const scalar = { length: 1, observer: false, index: "none" as const };
  const int = { of: "int" } as const;
  const [lockA, lockB, x, y, own, fixed] = [0, 1, 2, 3, 4, 5];
  const zeros = Array.from({ length: threadCount }, () => 0);
  const owner = { ...scalar, lo: 0, hi: threadCount, init: [0], values: { of: "thread" } as const };
  const vars: SysVar[] = [
    { ...owner, name: "a", title: "a" },
    { ...owner, name: "b", title: "b" },
    { ...scalar, name: "x", title: "x", lo: 0, hi: 2, init: [0], values: int },
    { ...scalar, name: "y", title: "y", lo: 0, hi: 1, init: [0], values: int },
    {
      ...scalar,
      name: "own",
      title: "own",
      lo: 0,
      hi: 1,
      length: threadCount,
      init: zeros,
      values: int,
      index: "thread",
    },
    { ...scalar, name: "fixed", title: "fixed", lo: 0, hi: 1, init: [1], values: int },
  ];
  const marks = ["m0", "m1"];
  const kinds = ["bug-on", "unlock-not-owner", "ebusy"] as const;
  const findings = kinds.map((kind, f) => ({ kind, message: `finding ${f}`, error: f < 2, site, fn: "f" }));
  const mine = bin("-", self, num(1));
  const next = (v: number, hi: number, i?: SysExpr): SysOp =>
    set(v, { e: "ite", c: bin("<", load(v, i), num(hi)), a: bin("+", load(v, i), num(1)), b: num(0) }, i);
  const programs: SysProgram[] = Array.from({ length: r.between(1, 2) }, (_, p) => {
    const count = r.between(4, 8);
    const loops = r.chance(40);
    const tidy = r.chance(60);
    const lockOf = () => (tidy || r.chance(75) ? lockA : lockB);
    const steps: SysLocation[] = Array.from({ length: count }, (_, l) => {
      const after = l + 1 < count ? l + 1 : loops ? 0 : count;
      const to = r.chance(8) ? r.below(count) : after;
      const extra = (): SysOp[] =>
        r.chance(10) ? [{ o: "mark", m: r.below(2) }] : r.chance(4) ? [{ o: "finding", f: 2 }] : [];
      const lock = lockOf();
      const wait = { on: "lock", holder: load(lock) };
      const kind =
        l === 0 && r.chance(70)
          ? 0
          : l + 1 === count && r.chance(60)
            ? 1
            : tidy && r.chance(85)
              ? r.pick([4, 7, 7, 7])
              : r.below(9);
      if (kind === 0) {
        const actions = [act(bin("==", load(lock), num(0)), goTo(to, set(lock, self), ...extra()))];
        if (r.chance(10)) actions.push(act(bin("!=", load(lock), num(0)), goTo(r.below(count)), { optional: true }));
        return at("lock", actions, [], wait);
      }
      if (kind <= 2) {
        const give = goTo(to, set(lock, num(0)), ...extra());
        const test = bin("==", load(lock), self);
        const wrong = r.chance(60) ? error(1) : goTo(to);
        if (r.chance(15)) return at("unlock", [act(undefined, goTo(to, set(lock, num(0))))]);
        if (r.chance(30)) return at("unlock", [act(test, give), act({ e: "not", a: test }, wrong)]);
        return at("unlock", [act(undefined, { ops: [], end: { k: "if", c: test, then: give, else: wrong } })]);
      }
      if (kind === 3 && r.chance(40)) {
        const taken = goTo(to, set(lock, self));
        const busy = goTo(r.below(count), ...extra());
        const c = bin("==", load(lock), num(0));
        return at("trylock", [act(undefined, { ops: [], end: { k: "if", c, then: taken, else: busy } })]);
      }
      if (kind === 4) return at("own", [act(undefined, goTo(to, next(own, 1, mine), ...extra()))]);
      if (kind === 5) {
        const c = r.chance(50) ? bin("==", load(fixed), num(1)) : bin("==", load(own, mine), num(0));
        const other = r.chance(20) ? error(0) : goTo(r.below(count));
        return at("look", [act(undefined, { ops: [], end: { k: "if", c, then: goTo(to, ...extra()), else: other } })]);
      }
      if (kind === 6) {
        const guard = r.chance(30) ? bin("==", load(r.chance(50) ? x : y), num(0)) : undefined;
        return at("step", [act(guard, goTo(to, ...extra()), { optional: r.chance(8), idle: r.chance(8) })], [], wait);
      }
      const value = r.chance(60) ? setLocal(0, { e: "ite", c: load(x), a: num(1), b: num(0) }) : next(x, 2);
      return at("data", [act(undefined, goTo(to, r.chance(75) ? value : next(y, 1), ...extra()))]);
    });
    return {
      cls: `c${p}`,
      locals: [{ name: "l", fn: "f", lo: 0, hi: 1, values: int, stored: true }],
      locations: [...steps, ended],
    };
  });
  const threads = Array.from({ length: threadCount }, (_, t): SysThread => {
    const program = r.below(programs.length);
    return { name: `t${t}`, program, kind: "task", cpu: 0, initialLocation: 0, initialLocals: [0] };
  });
  const trigger = () => ({ marks: r.chance(50) ? [] : [r.below(2)], what: "something" });
  const about = { message: "broken", site };
  const view = (): SysExpr => {
    const t = r.below(threadCount);
    if (r.chance(25)) return { e: "not", a: { e: "pc", t, locations: [r.between(1, 3), 4] } };
    if (r.chance(20)) return bin("==", { e: "local", l: 0, t }, num(0));
    return bin(r.pick(["==", "!=", "<="]), load(r.pick([lockA, x, y, x, y])), num(r.between(0, 2)));
  };
  const checks: Record<string, SysProperty["check"]> = {
    deadlock: { c: "deadlock" },
    errors: { c: "findings", findings: [0, 1] },
    ebusy: { c: "findings", findings: [2] },
    invariant: { c: "invariant", expr: view() },
    rest: { c: "at-rest", expr: view() },
    again: { c: "stays-possible", expr: view() },
  };
  const properties = Object.entries(checks).map(
    ([id, check]): SysProperty => ({ ...about, id, kind: id, check, trigger: trigger() }),
  );
  return {
    protocol: "random protocol",
    variant: `seed ${seed}`,
    scenario: "",
    sizes: {},
    switches: {},
    vars,
    pools: [],
    programs,
    threads,
    marks,
    findings,
    properties,
    initialMarks: [],
  };
}

/**
 * Threads that do under locks what the kernel does: nested locks, trylocks under another lock and without, questions
 * who owns what, counters that free what they count, waits that may be given up, handlers that keep a task off its CPU;
 * mostly in order, so that whole critical sections become transactions, and sometimes with a step out of place.
 *
 * @param symmetric Threads are identical, and no property names one of them.
 */
export function randomLocking(seed: number, symmetric = false): TransitionSystem {
  const r = new Random(seed);
  const identical = symmetric || r.chance(50);
  const handler = !symmetric && r.chance(15);
  const tasks = handler ? 2 : r.between(2, 3);
  const threadCount = tasks + (handler ? 1 : 0);
  const scalar = { length: 1, observer: false, index: "none" as const };
  const int = { of: "int" } as const;
  const [lockA, lockB, x, y, count, alive, own, slots] = [0, 1, 2, 3, 4, 5, 6, 7];
  const zeros = Array.from({ length: threadCount }, () => 0);
  const owner = { ...scalar, lo: 0, hi: threadCount, init: [0], values: { of: "thread" } as const };
  const number = (name: string, hi: number, init = 0): SysVar => ({
    ...scalar,
    name,
    title: name,
    lo: 0,
    hi,
    init: [init],
    values: int,
  });
  const vars: SysVar[] = [
    { ...owner, name: "a", title: "a" },
    { ...owner, name: "b", title: "b" },
    number("x", 2),
    number("y", 1),
    number("count", 3, 1),
    number("alive", 1, 1),
    { ...number("own", 1), length: threadCount, init: zeros, index: "thread" },
    { ...owner, name: "slots", title: "slots", length: 2, init: [0, 0] },
  ];
  const kinds = ["bug-on", "unlock-not-owner", "ebusy"] as const;
  const findings = kinds.map((kind, f) => ({ kind, message: `finding ${f}`, error: f < 2, site, fn: "f" }));
  const mine = bin("-", self, num(1));
  const is = (lock: number, i?: SysExpr): SysExpr => bin("==", load(lock, i), self);
  const free = (lock: number, i?: SysExpr): SysExpr => bin("==", load(lock, i), num(0));
  const around = (v: number, hi: number, i?: SysExpr): SysOp =>
    set(v, { e: "ite", c: bin("<", load(v, i), num(hi)), a: bin("+", load(v, i), num(1)), b: num(0) }, i);
  const locals = ["p", "q"].map((name) => ({ name, fn: "f", lo: 0, hi: 1, values: int, stored: true }));
  /** Steps by what they do next; a number counts locations from the step itself. */
  type Step = (here: number) => SysLocation;
  const extra = (): SysOp[] =>
    r.chance(8) ? [{ o: "mark", m: r.below(2) }] : r.chance(3) ? [{ o: "finding", f: 2 }] : [];
  const step =
    (code: (here: number) => SysCode, flags = {}): Step =>
    (here) =>
      at("step", [act(undefined, code(here), flags)]);
  const lock =
    (v: number, i?: SysExpr): Step =>
    (here) => {
      const also = r.chance(10) ? [around(x, 2)] : extra();
      const elsewhere: SysExpr = { e: "pc", t: r.below(threadCount), locations: [0, 1] };
      const guard = r.chance(4) ? bin("&&", free(v, i), elsewhere) : free(v, i);
      const flags = { idle: r.chance(3), optional: r.chance(3) };
      const actions = [act(guard, goTo(here + 1, set(v, self, i), ...also), flags)];
      if (r.chance(6)) actions.push(act({ e: "not", a: free(v, i) }, goTo(here), { optional: true }));
      if (r.chance(4)) actions.push(act(undefined, goTo(here), { optional: r.chance(50) }));
      const resting = r.chance(4) ? { resting: bin("==", load(y), num(1)) } : {};
      return at("lock", actions, [], { on: "lock", holder: load(v, i), ...resting });
    };
  const unlock = (v: number, i?: SysExpr): Step =>
    step((here) => when(is(v, i), goTo(here + 1, set(v, num(0), i), ...extra()), error(1)));
  const trylock =
    (v: number, busy: number): Step =>
    (here) => {
      const taken = goTo(here + 1, set(v, self), ...extra());
      const failed = goTo(here + busy, ...extra());
      if (r.chance(30)) return at("trylock", [act(free(v), taken), act({ e: "not", a: free(v) }, failed)]);
      return at("trylock", [act(undefined, when(free(v), taken, failed))]);
    };
  const data = (lock: number): Step => {
    const claim = (code: SysCode) => (r.chance(30) ? when(is(lock), code, error(0)) : code);
    return r.pick<Step>([
      step((here) => claim(goTo(here + 1, around(x, 2), ...extra()))),
      step((here) => claim(goTo(here + 1, around(r.chance(60) ? x : y, 1), ...extra()))),
      step((here) => goTo(here + 1, setLocal(0, { e: "ite", c: load(x), a: num(1), b: num(0) }))),
      step((here) => goTo(here + 1, around(own, 1, mine), ...extra())),
      step((here) => when(bin("==", load(own, mine), num(0)), goTo(here + 1), goTo(here + 1, ...extra()))),
      step((here) => when(bin("==", load(x), num(2)), r.chance(30) ? error(0) : goTo(here), goTo(here + 1))),
    ]);
  };
  const get: Step = step((here) =>
    when(
      bin("<", load(count), num(3)),
      goTo(here + 1, set(count, bin("+", load(count), num(1)))),
      goTo(here + 1, set(y, num(0))),
    ),
  );
  const put: Step = step((here) =>
    when(
      bin(">", load(count), num(1)),
      goTo(here + 1, set(count, bin("-", load(count), num(1)))),
      goTo(here + 1, set(count, num(0)), set(alive, num(0)), ...extra()),
    ),
  );
  const loose = (): Step =>
    r.pick<Step>([
      data(lockA),
      get,
      put,
      step((here) => goTo(here + 1, setLocal(1, { e: "not", a: free(lockB) }))),
      step((here) => when(bin("==", load(alive), num(1)), goTo(here + 1), error(0))),
      step((here) => goTo(here + 1, ...extra()), { optional: r.chance(30), idle: r.chance(40) }),
      (here) => at("wait", [act(bin("==", load(y), num(0)), goTo(here + 1, ...extra()))], [], { on: "y" }),
      (here) => at("until free", [act(free(lockA), goTo(here + 1, ...extra()))], [], { on: "a", holder: load(lockA) }),
      (here) => {
        const c = bin("==", load(r.chance(50) ? x : y), num(0));
        return at("either", [
          act(c, goTo(here + 1, around(y, 1))),
          act({ e: "not", a: c }, goTo(here + 1, ...extra())),
        ]);
      },
      (here) =>
        at("elsewhere", [
          act({ e: "pc", t: r.below(threadCount), locations: [1, 2] }, goTo(here + 1)),
          act(undefined, goTo(here + 1)),
        ]),
    ]);
  const body = (lock: number): Step[] =>
    Array.from({ length: r.pick([0, 1, 1, 2]) }, () => (r.chance(80) ? data(lock) : loose()));
  const ways: (() => Step[])[] = [
    () => [lock(lockA), ...body(lockA), unlock(lockA)],
    () => [lock(lockB), ...body(lockB), unlock(lockB)],
    () => [lock(lockA), lock(lockB), ...body(lockB), unlock(lockB), ...body(lockA), unlock(lockA)],
    () => [lock(lockB), lock(lockA), ...body(lockA), unlock(lockA), unlock(lockB)],
    () => {
      const inside = body(lockB);
      return [lock(lockA), trylock(lockB, inside.length + 2), ...inside, unlock(lockB), ...body(lockA), unlock(lockA)];
    },
    () => [lock(lockA), loose(), unlock(lockA)],
    () => [trylock(lockB, 2), unlock(lockB)],
    () => [lock(slots, num(r.below(2))), loose(), unlock(slots, num(r.below(2)))],
    () => {
      const slot = local(0);
      return [lock(slots, slot), ...body(lockA), unlock(slots, slot)];
    },
    () => [loose()],
  ];
  const few = r.chance(60) ? [r.pick(ways), r.pick(ways)] : ways;
  const programs: SysProgram[] = Array.from({ length: identical ? 1 : tasks }, (_, p) => {
    const steps = [...r.pick(few)(), ...(r.chance(60) ? r.pick(few)() : [])];
    if (r.chance(12)) steps.splice(r.below(steps.length), 1);
    const loops = r.chance(40);
    const end = steps.length;
    const into = (to: number): number => (to < end ? to : loops ? 0 : end);
    const redirect = (code: SysCode): SysCode => {
      const { end: e } = code;
      if (e.k === "goto") return { ops: code.ops, end: { k: "goto", location: into(e.location) } };
      if (e.k !== "if") return { ops: code.ops, end: e };
      return { ops: code.ops, end: { ...e, then: redirect(e.then), else: redirect(e.else) } };
    };
    const locations = steps.map((make, l) => {
      const made = make(l);
      return {
        ...made,
        actions: made.actions.map((a) => act(a.guard, redirect(a.code), { optional: a.optional, idle: a.idle })),
      };
    });
    return { cls: `c${p}`, locals, locations: [...locations, ended] };
  });
  const task = (program: number, t: number): SysThread => {
    const place = { initialLocation: 0, initialLocals: [0, 0] };
    return { name: `t${t}`, program, kind: "task", cpu: handler ? t : 0, ...place };
  };
  const threads = Array.from({ length: tasks }, (_, t) => task(identical ? 0 : t, t));
  if (handler) {
    // It interrupts the first task, whose steps all wait for it to be over.
    const p = programs.length;
    const steps = [
      at("irq", [act(bin("==", load(y), num(0)), goTo(1, set(y, num(1))))]),
      at("spin", [act(free(lockB), goTo(2, set(lockB, self)))], [], { on: "b", holder: load(lockB) }),
      at("unlock", [act(undefined, when(is(lockB), goTo(0, set(lockB, num(0))), error(1)))]),
    ];
    programs.push({ cls: "irq", locals: [], locations: steps });
    threads.push({ ...task(p, tasks), kind: "hardirq", cpu: 0, initialLocals: [] });
    const keptOff: SysExpr = { e: "pc", t: tasks, locations: [1, 2] };
    const interrupted = programs[0]!;
    const q = programs.length;
    programs.push({
      ...interrupted,
      locations: interrupted.locations.map((location) => ({
        ...location,
        actions: location.actions.map((a) => {
          const on: SysExpr = { e: "not", a: keptOff };
          const guard = a.guard === undefined ? on : bin("&&", on, a.guard);
          return act(guard, a.code, { optional: a.optional, idle: a.idle });
        }),
      })),
    });
    threads[0] = { ...threads[0]!, program: q, keptOff };
  } else if (r.chance(15)) threads[0] = { ...threads[0]!, keptOff: bin("==", load(r.chance(50) ? x : y), num(1)) };
  const trigger = () => ({ marks: r.chance(50) ? [] : [r.below(2)], what: "something" });
  const about = { message: "broken", site };
  const view = (): SysExpr => {
    const t = r.below(tasks);
    const both = (here: (t: number) => SysExpr): SysExpr =>
      threads
        .slice(0, tasks)
        .map((_, k) => here(k))
        .reduce((a, b) => bin("||", a, b));
    const place = { e: "pc" as const, locations: [r.between(1, 3), 4] };
    if (!symmetric && r.chance(12)) return { e: "not", a: { ...place, t } };
    if (r.chance(12)) return { e: "not", a: both((k) => ({ ...place, t: k })) };
    if (!symmetric && r.chance(10)) return bin("==", { e: "local", l: 0, t }, num(0));
    const seen = r.pick([lockA, x, y, x, count, alive]);
    return bin(r.pick(["==", "!=", "<="]), load(seen), num(symmetric && seen === lockA ? 0 : r.between(0, 2)));
  };
  const checks: Record<string, SysProperty["check"]> = {
    deadlock: { c: "deadlock" },
    errors: { c: "findings", findings: [0, 1] },
    ebusy: { c: "findings", findings: [2] },
    invariant: { c: "invariant", expr: view() },
    rest: { c: "at-rest", expr: view() },
    again: { c: "stays-possible", expr: view() },
  };
  const properties = Object.entries(checks).map(
    ([id, check]): SysProperty => ({ ...about, id, kind: id, check, trigger: trigger() }),
  );
  return {
    protocol: "random locking",
    variant: `seed ${seed}`,
    scenario: "",
    sizes: {},
    switches: {},
    vars,
    pools: [],
    programs,
    threads,
    marks: ["m0", "m1"],
    findings,
    properties,
    initialMarks: [],
  };
}
