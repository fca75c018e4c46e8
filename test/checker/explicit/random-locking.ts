/** Random threads around locks, for the reductions that know about locks. */
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
import { Random } from "../../random.ts";
import { random } from "./random-system.ts";

const marks = ["m0", "m1"];
const kinds = ["bug-on", "unlock-not-owner", "ebusy"] as const;
const findings = kinds.map((kind, f) => ({ kind, message: `finding ${f}`, error: f < 2, site, fn: "f" }));

/** The place of a thread in arrays with an element for each. */
const mine = bin("-", self, num(1));

/** A step around the values from 0 to `hi`. */
const around = (v: number, hi: number, i?: SysExpr): SysOp =>
  set(v, { e: "ite", c: bin("<", load(v, i), num(hi)), a: bin("+", load(v, i), num(1)), b: num(0) }, i);

function number(name: string, hi: number, init = 0): SysVar {
  const one = { length: 1, observer: false, index: "none", values: { of: "int" } } as const;
  return { ...one, name, title: name, lo: 0, hi, init: [init] };
}

function perThread(name: string, threads: number): SysVar {
  return { ...number(name, 1), length: threads, init: Array.from({ length: threads }, () => 0), index: "thread" };
}

/** The id of the thread that has it, or 0. */
function lockOf(name: string, threads: number): SysVar {
  return { ...number(name, threads), values: { of: "thread" } };
}

/** A property of each kind; `view` is something to see in a state. */
function asked(r: Random, view: () => SysExpr): SysProperty[] {
  const checks: Record<string, SysProperty["check"]> = {
    deadlock: { c: "deadlock" },
    errors: { c: "findings", findings: [0, 1] },
    ebusy: { c: "findings", findings: [2] },
    invariant: { c: "invariant", expr: view() },
    rest: { c: "at-rest", expr: view() },
    again: { c: "stays-possible", expr: view() },
  };
  return Object.entries(checks).map(([id, check]): SysProperty => {
    const trigger = { marks: r.chance(50) ? [] : [r.below(2)], what: "something" };
    return { id, kind: id, message: "broken", site, check, trigger };
  });
}

/**
 * Threads that take and give back locks around what they do, well or badly: with room for transactions, and with all
 * that may break them (trylocks, unlocks by others, data used without its lock, loops, errors, a look from outside).
 */
export function randomProtocol(seed: number): TransitionSystem {
  const r = new Random(seed);
  const threadCount = r.between(2, 3);
  const [lockA, lockB, x, y, own, fixed] = [0, 1, 2, 3, 4, 5];
  const vars: SysVar[] = [
    lockOf("a", threadCount),
    lockOf("b", threadCount),
    number("x", 2),
    number("y", 1),
    perThread("own", threadCount),
    number("fixed", 1, 1),
  ];
  const programs: SysProgram[] = Array.from({ length: r.between(1, 2) }, (_, p) => {
    const count = r.between(4, 8);
    const loops = r.chance(40);
    const tidy = r.chance(60);
    const lockTaken = () => (tidy || r.chance(75) ? lockA : lockB);
    const steps: SysLocation[] = Array.from({ length: count }, (_, l) => {
      const after = l + 1 < count ? l + 1 : loops ? 0 : count;
      const to = r.chance(8) ? r.below(count) : after;
      const extra = (): SysOp[] =>
        r.chance(10) ? [{ o: "mark", m: r.below(2) }] : r.chance(4) ? [{ o: "finding", f: 2 }] : [];
      const lock = lockTaken();
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
      if (kind === 4) return at("own", [act(undefined, goTo(to, around(own, 1, mine), ...extra()))]);
      if (kind === 5) {
        const c = r.chance(50) ? bin("==", load(fixed), num(1)) : bin("==", load(own, mine), num(0));
        const other = r.chance(20) ? error(0) : goTo(r.below(count));
        return at("look", [act(undefined, { ops: [], end: { k: "if", c, then: goTo(to, ...extra()), else: other } })]);
      }
      if (kind === 6) {
        const guard = r.chance(30) ? bin("==", load(r.chance(50) ? x : y), num(0)) : undefined;
        return at("step", [act(guard, goTo(to, ...extra()), { optional: r.chance(8), idle: r.chance(8) })], [], wait);
      }
      const value = r.chance(60) ? setLocal(0, { e: "ite", c: load(x), a: num(1), b: num(0) }) : around(x, 2);
      return at("data", [act(undefined, goTo(to, r.chance(75) ? value : around(y, 1), ...extra()))]);
    });
    return {
      cls: `c${p}`,
      locals: [{ name: "l", fn: "f", lo: 0, hi: 1, values: { of: "int" } as const, stored: true }],
      locations: [...steps, ended],
    };
  });
  const threads = Array.from({ length: threadCount }, (_, t): SysThread => {
    const program = r.below(programs.length);
    return { name: `t${t}`, program, kind: "task", cpu: 0, initialLocation: 0, initialLocals: [0] };
  });
  const view = (): SysExpr => {
    const t = r.below(threadCount);
    if (r.chance(25)) return { e: "not", a: { e: "pc", t, locations: [r.between(1, 3), 4] } };
    if (r.chance(20)) return bin("==", { e: "local", l: 0, t }, num(0));
    return bin(r.pick(["==", "!=", "<="]), load(r.pick([lockA, x, y, x, y])), num(r.between(0, 2)));
  };
  return random("random protocol", seed, { vars, programs, threads, marks, findings, properties: asked(r, view) });
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
  const [lockA, lockB, x, y, count, alive, own, slots] = [0, 1, 2, 3, 4, 5, 6, 7];
  const vars: SysVar[] = [
    lockOf("a", threadCount),
    lockOf("b", threadCount),
    number("x", 2),
    number("y", 1),
    number("count", 3, 1),
    number("alive", 1, 1),
    perThread("own", threadCount),
    { ...lockOf("slots", threadCount), length: 2, init: [0, 0] },
  ];
  const is = (lock: number, i?: SysExpr): SysExpr => bin("==", load(lock, i), self);
  const free = (lock: number, i?: SysExpr): SysExpr => bin("==", load(lock, i), num(0));
  const locals = ["p", "q"].map((name) => ({
    name,
    fn: "f",
    lo: 0,
    hi: 1,
    values: { of: "int" } as const,
    stored: true,
  }));
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
  return random("random locking", seed, { vars, programs, threads, marks, findings, properties: asked(r, view) });
}
