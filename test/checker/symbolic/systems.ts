/** Transition systems with known counts, and a builder that keeps them short. */
import { bin, load, local, num, self, setLocal, set as setVar } from "../../../bench/loop-system.ts";
import type {
  SysAction,
  SysCode,
  SysExpr,
  SysLocal,
  SysLocation,
  SysOp,
  SysProgram,
  SysProperty,
  SysThread,
  SysVar,
  TransitionSystem,
} from "../../../src/spec/transition-system.ts";

export { bin, load, local, num, self, setLocal, setVar };

export const SITE = { file: "test.ts", line: 1, column: 1 };

export const eq = (a: SysExpr, b: number): SysExpr => bin("==", a, num(b));

export function action(code: SysCode, guard?: SysExpr, flags: { optional?: boolean; idle?: boolean } = {}): SysAction {
  return {
    ...(guard === undefined ? {} : { guard }),
    code,
    optional: flags.optional ?? false,
    idle: flags.idle ?? false,
    name: "",
    reads: [],
    writes: [],
  };
}

/** One path: operations, then a location. */
export function step(target: number, ops: readonly SysOp[] = [], guard?: SysExpr): SysAction {
  return action({ ops, end: { k: "goto", location: target } }, guard);
}

export function location(actions: readonly SysAction[], more: Partial<SysLocation> = {}): SysLocation {
  return {
    call: "step()",
    fn: "f",
    at: "f.c",
    site: SITE,
    path: ["f"],
    labels: [],
    ended: false,
    actions,
    live: [],
    plain: [],
    ...more,
  };
}

export function variable(name: string, lo: number, hi: number, init: readonly number[] = [0]): SysVar {
  const values = { of: "int" } as const;
  return { name, title: name, lo, hi, length: init.length, init, observer: false, values, index: "none" };
}

export function sysLocal(name: string, lo: number, hi: number, stored = true): SysLocal {
  return { name, fn: "f", lo, hi, values: { of: "int" }, stored };
}

export function thread(name: string, program: number, more: Partial<SysThread> = {}): SysThread {
  return { name, program, kind: "task", cpu: -1, initialLocation: 0, initialLocals: [], ...more };
}

export function property(id: string, check: SysProperty["check"], marks: readonly number[] = []): SysProperty {
  return {
    id,
    kind: id,
    message: `${id} is violated`,
    check,
    trigger: { marks, what: `what ${id} is about` },
    site: SITE,
  };
}

export function system(parts: Partial<TransitionSystem>): TransitionSystem {
  return {
    protocol: "test",
    variant: "base",
    scenario: "test",
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

/**
 * The loop device's lock protocol: `openers` and `ioctls` tasks that go round `rounds` times; the ioctl holds `lo` and
 * tries `bd` four times, the openers take `bd` and then `lo`.
 */
export function loopProtocol(openers: number, ioctls: number, rounds: number): TransitionSystem {
  const [bd, lo, refs] = [0, 1, 2];
  const take = (v: number, ops: readonly SysOp[], target: number, more?: SysExpr) => {
    const free = eq(load(v), 0);
    return step(target, [setVar(v, self), ...ops], more === undefined ? free : bin("&&", more, free));
  };
  const wait = (v: number) => ({ wait: { on: v === bd ? "bd" : "lo", holder: load(v) } });
  const more = bin("<", local(0), num(rounds));
  const count = setLocal(0, bin("+", local(0), num(1)));
  const done = { resting: bin(">=", local(0), num(rounds)) };
  const half = (at: number, change: SysOp): SysLocation[] => [
    location([take(lo, [], at + 2)], wait(lo)),
    location([step(at + 3, [change])]),
    location([step(at + 4, [setVar(lo, num(0))])]),
    location([step((at + 5) % 10, [setVar(bd, num(0))])]),
  ];
  const opener: SysProgram = {
    cls: "opener",
    locals: [sysLocal("r", 0, rounds)],
    locations: [
      location([take(bd, [count], 1, more)], { wait: { ...wait(bd).wait, ...done } }),
      ...half(0, setVar(refs, bin("+", load(refs), num(1)))),
      location([take(bd, [], 6)], wait(bd)),
      ...half(5, setVar(refs, bin("-", load(refs), num(1)))),
    ],
  };
  const tries = local(1);
  const again = setLocal(1, bin("+", tries, num(1)));
  const ioctl: SysProgram = {
    cls: "ioctl",
    locals: [sysLocal("r", 0, rounds), sysLocal("try", 0, 4)],
    locations: [
      location([take(lo, [count], 1, more)], { wait: { ...wait(lo).wait, ...done } }),
      location([take(bd, [], 2), step(5, [], bin("!=", load(bd), num(0)))]),
      location([step(3)]),
      location([step(4, [setVar(bd, num(0))])]),
      location([step(0, [setVar(lo, num(0)), setLocal(1, num(0))])]),
      location([step(6, [setVar(lo, num(0))])]),
      location([step(7)]),
      location([take(lo, [again], 1, bin("<", tries, num(3))), take(lo, [again], 4, eq(tries, 3))], wait(lo)),
    ],
  };
  const threads = [
    ...Array.from({ length: openers }, (_, i) => thread(`opener#${i + 1}`, 0, { initialLocals: [0] })),
    ...Array.from({ length: ioctls }, (_, i) => thread(`ioctl#${i + 1}`, 1, { initialLocals: [0, 0] })),
  ];
  return system({
    vars: [
      variable("bd", 0, threads.length),
      variable("lo", 0, threads.length),
      variable("refs", 0, Math.max(1, openers)),
    ],
    programs: [opener, ioctl],
    threads,
  });
}

/** All philosophers take the left fork first, so they can all starve together. `eating` counts those with both forks. */
export function philosophers(n: number): TransitionSystem {
  const [forks, eating] = [0, 1];
  const left = bin("-", self, num(1));
  const right: SysExpr = { e: "ite", c: eq(self, n), a: num(0), b: self };
  const take = (fork: SysExpr, target: number, ops: readonly SysOp[] = []) =>
    step(target, [setVar(forks, num(1), fork), ...ops], eq(load(forks, fork), 0));
  const more = (by: number) => setVar(eating, bin("+", load(eating), num(by)));
  const program: SysProgram = {
    cls: "philosopher",
    locals: [],
    locations: [
      location([take(left, 1)], { wait: { on: "the left fork" } }),
      location([take(right, 2, [more(1)])], { wait: { on: "the right fork" } }),
      location([step(3, [setVar(forks, num(0), right), more(-1)])]),
      location([step(0, [setVar(forks, num(0), left)])]),
    ],
  };
  return system({
    vars: [variable("forks", 0, 1, new Array(n).fill(0)), variable("eating", 0, n)],
    programs: [program],
    threads: Array.from({ length: n }, (_, i) => thread(`philosopher#${i + 1}`, 0)),
  });
}
