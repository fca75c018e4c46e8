/**
 * The protocols of the side-by-side runs as transition systems, written by hand so that every step is exactly one
 * step of the peers' models (loop.pml, phil.pml and their like): what is compared is the search, not the modelling.
 */
import type { BinaryOperator, Site } from "../src/spec/program.ts";
import type {
  SysAction,
  SysCode,
  SysExpr,
  SysFinding,
  SysLocal,
  SysLocation,
  SysOp,
  SysProgram,
  SysProperty,
  SysThread,
  SysVar,
  TransitionSystem,
} from "../src/spec/transition-system.ts";

export const site: Site = { file: "bench/loop-system.ts", line: 1, column: 1 };
export const num = (v: number): SysExpr => ({ e: "const", v });
export const self: SysExpr = { e: "self" };
export const load = (v: number, i?: SysExpr): SysExpr => (i === undefined ? { e: "load", v } : { e: "load", v, i });
export const local = (l: number): SysExpr => ({ e: "local", l });
export const bin = (op: BinaryOperator, a: SysExpr, b: SysExpr): SysExpr => ({ e: "bin", op, a, b });
export const set = (v: number, value: SysExpr, i?: SysExpr): SysOp =>
  i === undefined ? { o: "var", v, value } : { o: "var", v, i, value };
export const setLocal = (l: number, value: SysExpr): SysOp => ({ o: "local", l, value });
export const goTo = (location: number, ...ops: SysOp[]): SysCode => ({ ops, end: { k: "goto", location } });
export const when = (c: SysExpr, then: SysCode, other: SysCode, ...ops: SysOp[]): SysCode => ({
  ops,
  end: { k: "if", c, then, else: other },
});
export const error = (f: number): SysCode => ({ ops: [], end: { k: "error", f } });

function variablesOf(value: unknown, into: { reads: Set<number>; writes: Set<number> }): void {
  if (typeof value !== "object" || value === null) return;
  if (Array.isArray(value)) {
    for (const item of value) variablesOf(item, into);
    return;
  }
  const { e, o, v } = value as { e?: unknown; o?: unknown; v?: unknown };
  if (e === "load") into.reads.add(Number(v));
  if (o === "var") into.writes.add(Number(v));
  for (const item of Object.values(value)) variablesOf(item, into);
}

/** An action, with the variables it reads and writes worked out. */
export function act(
  guard: SysExpr | undefined,
  code: SysCode,
  flags: { optional?: boolean; idle?: boolean } = {},
): SysAction {
  const used = { reads: new Set<number>(), writes: new Set<number>() };
  variablesOf([guard, code], used);
  const order = (s: Set<number>) => [...s].sort((a, b) => a - b);
  return {
    ...(guard === undefined ? {} : { guard }),
    code,
    optional: flags.optional ?? false,
    idle: flags.idle ?? false,
    name: "",
    reads: order(used.reads),
    writes: order(used.writes),
  };
}

export function at(call: string, actions: SysAction[], live: number[] = [], wait?: SysLocation["wait"]): SysLocation {
  return {
    call,
    fn: "f",
    at: "bench.c",
    site,
    path: ["f"],
    labels: [],
    ended: false,
    actions,
    live,
    plain: [],
    ...(wait === undefined ? {} : { wait }),
  };
}

export const ended: SysLocation = { ...at("", []), ended: true };

export function variable(name: string, lo: number, hi: number, values: SysVar["values"], length = 1): SysVar {
  const init = Array.from({ length }, () => lo);
  return { name, title: name, lo, hi, length, init, observer: false, values, index: "none" };
}

export function byteLocal(name: string, hi: number): SysLocal {
  return { name, fn: "f", lo: 0, hi, values: { of: "int" }, stored: true };
}

export function system(
  name: string,
  parts: {
    vars: SysVar[];
    programs: SysProgram[];
    threads: number[];
    findings?: SysFinding[];
    properties?: SysProperty[];
    marks?: string[];
  },
): TransitionSystem {
  const threads = parts.threads.map((program, t): SysThread => {
    const { cls, locals } = parts.programs[program]!;
    const initialLocals = locals.map(() => 0);
    return { name: `${cls}#${t + 1}`, program, kind: "task", cpu: t, initialLocation: 0, initialLocals };
  });
  return {
    protocol: name,
    variant: "base",
    scenario: "bench",
    sizes: {},
    switches: {},
    pools: [],
    marks: parts.marks ?? [],
    initialMarks: [],
    vars: parts.vars,
    programs: parts.programs,
    threads,
    findings: parts.findings ?? [],
    properties: parts.properties ?? [],
  };
}

const always = { marks: [], what: "" };
export const deadlock: SysProperty = {
  id: "deadlock",
  kind: "deadlock",
  message: "a thread can never move again",
  check: { c: "deadlock" },
  trigger: always,
  site,
};

const assertion: SysFinding = { kind: "bug-on", message: "assertion failed", error: true, site, fn: "f" };
const assertions: SysProperty = {
  id: "assertions",
  kind: "bug-on",
  message: "an assertion failed",
  check: { c: "findings", findings: [0] },
  trigger: always,
  site,
};

/** N openers and M ioctls of R rounds each (bench/README.md): S5 is (2,2,2), S6 (3,2,2), S7 (3,2,3), S8 (5,2,2). */
export function loopSystem(n: number, m: number, rounds: number): TransitionSystem {
  const [bd, lo, count] = [0, 1, 2];
  const mine = (lock: number): SysExpr => bin("==", load(lock), self);
  const free = (lock: number): SysExpr => bin("==", load(lock), num(0));
  const check = (c: SysExpr, code: SysCode): SysCode => when(c, code, error(0));
  const both = bin("&&", mine(lo), mine(bd));
  const more = (l: number): SysOp => setLocal(l, bin("+", local(l), num(1)));
  const waits = (lock: number) => ({ on: lock === bd ? "bd_mutex" : "lo_ctl_mutex", holder: load(lock) });
  const take = (lock: number, to: number, live: number[], ...ops: SysOp[]): SysLocation =>
    at("mutex_lock", [act(free(lock), goTo(to, set(lock, self), ...ops))], live, waits(lock));
  const drop = (lock: number, to: number): SysLocation =>
    at("mutex_unlock", [act(undefined, check(mine(lock), goTo(to, set(lock, num(0)))))], [0]);
  const round = 0;
  const opener: SysProgram = {
    cls: "opener",
    locals: [byteLocal("r", rounds)],
    locations: [
      take(bd, 1, [round], more(round)),
      take(lo, 2, [round]),
      at("refcnt++", [act(undefined, check(both, goTo(3, set(count, bin("+", load(count), num(1))))))], [round]),
      drop(lo, 4),
      drop(bd, 5),
      take(bd, 6, [round]),
      take(lo, 7, [round]),
      at("refcnt--", [act(undefined, check(both, goTo(8, set(count, bin("-", load(count), num(1))))))], [round]),
      drop(lo, 9),
      at(
        "mutex_unlock",
        [
          act(
            undefined,
            check(
              mine(bd),
              when(bin("<", local(round), num(rounds)), goTo(0), goTo(10, setLocal(round, num(0))), set(bd, num(0))),
            ),
          ),
        ],
        [round],
      ),
      ended,
    ],
  };
  const tries = 1;
  // Retries are tested where the thread tries again, as in the peers' models: the last one goes on to the unlock.
  const finish = (...ops: SysOp[]): SysCode =>
    when(
      bin("<", local(round), num(rounds)),
      goTo(0, setLocal(tries, num(0))),
      goTo(8, setLocal(tries, num(0)), setLocal(round, num(0))),
      ...ops,
    );
  const ioctl: SysProgram = {
    cls: "ioctl",
    locals: [byteLocal("r", rounds), byteLocal("try", 4)],
    locations: [
      take(lo, 1, [round], more(round)),
      at(
        "mutex_trylock",
        [
          act(
            undefined,
            when(
              bin("==", local(tries), num(4)),
              check(mine(lo), finish(set(lo, num(0)))),
              when(free(bd), goTo(2, set(bd, self)), goTo(4)),
            ),
          ),
        ],
        [round, tries],
      ),
      at("scan", [act(undefined, check(both, goTo(3)))], [round, tries]),
      drop(bd, 7),
      drop(lo, 5),
      at("msleep", [act(undefined, goTo(6))], [round, tries]),
      take(lo, 1, [round, tries], more(tries)),
      at("mutex_unlock", [act(undefined, check(mine(lo), finish(set(lo, num(0)))))], [round, tries]),
      ended,
    ],
  };
  const owner: SysVar["values"] = { of: "thread" };
  const threads = [...Array.from({ length: n }, () => 0), ...Array.from({ length: m }, () => 1)];
  return system(`loop(${n},${m},${rounds})`, {
    vars: [variable("bd", 0, n + m, owner), variable("lo", 0, n + m, owner), variable("refcnt", 0, n, { of: "int" })],
    programs: [opener, ioctl],
    threads,
    findings: [assertion],
    properties: [assertions, deadlock],
  });
}

/** N left-handed dining philosophers; every one has a program of its own, since his forks are his own. */
export function philosophers(n: number): TransitionSystem {
  const [forks, eating] = [0, 1];
  const program = (i: number): SysProgram => {
    const left = num(i);
    const right = num((i + 1) % n);
    const free = (f: SysExpr): SysExpr => bin("==", load(forks, f), num(0));
    const eat = (d: number): SysOp => set(eating, bin("+", load(eating), num(d)));
    return {
      cls: `phil${i}`,
      locals: [],
      locations: [
        at("take left", [act(free(left), goTo(1, set(forks, num(1), left)))], [], { on: "left fork" }),
        at("take right", [act(free(right), goTo(2, set(forks, num(1), right), eat(1)))], [], { on: "right fork" }),
        at("put right", [act(undefined, goTo(3, set(forks, num(0), right), eat(-1)))]),
        at("put left", [act(undefined, goTo(0, set(forks, num(0), left)))]),
      ],
    };
  };
  return system(`philosophers(${n})`, {
    vars: [variable("fork", 0, 1, { of: "bool" }, n), variable("eating", 0, n, { of: "int" })],
    programs: Array.from({ length: n }, (_, i) => program(i)),
    threads: Array.from({ length: n }, (_, i) => i),
    properties: [deadlock],
  });
}
