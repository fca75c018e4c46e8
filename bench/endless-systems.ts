/**
 * The protocols of loop-system.ts without end, and what happens again and again in them: for liveness, and for growth
 * in the number of threads, which round counters would drown.
 */
import type {
  SysExpr,
  SysLocation,
  SysOp,
  SysProgram,
  SysTemporal,
  TransitionSystem,
} from "../src/spec/transition-system.ts";
import {
  act,
  at,
  bin,
  error,
  goTo,
  load,
  loopSystem,
  num,
  self,
  set,
  site,
  system,
  variable,
  when,
} from "./loop-system.ts";

const is = (expr: SysExpr): SysTemporal => ({ t: "state", expr });
const eventually = (a: SysTemporal): SysTemporal => ({ t: "eventually", a });
const always = (a: SysTemporal): SysTemporal => ({ t: "always", a });

/** The system with one property: of all runs in which every thread that can always move does move. */
function asked(s: TransitionSystem, id: string, formula: SysTemporal): TransitionSystem {
  const fairness = { weak: s.threads.map((_, t) => t), strong: [] };
  return {
    ...s,
    properties: [
      {
        id,
        kind: "starvation",
        message: `not: ${id}`,
        check: { c: "temporal", formula, fairness },
        trigger: { marks: [], what: "" },
        site,
      },
    ],
  };
}

/** N openers and M ioctls that start over for ever, and retry for ever. */
export function endlessLoop(n: number, m: number): TransitionSystem {
  const [bd, lo, count] = [0, 1, 2];
  const free = (lock: number): SysExpr => bin("==", load(lock), num(0));
  const mine = (lock: number): SysExpr => bin("==", load(lock), self);
  const both = bin("&&", mine(bd), mine(lo));
  const waits = (lock: number) => ({ on: lock === bd ? "bd_mutex" : "lo_ctl_mutex", holder: load(lock) });
  const take = (lock: number, to: number): SysLocation =>
    at("mutex_lock", [act(free(lock), goTo(to, set(lock, self)))], [], waits(lock));
  const checked = (call: string, claim: SysExpr, to: number, ...ops: SysOp[]): SysLocation =>
    at(call, [act(undefined, when(claim, goTo(to, ...ops), error(0)))]);
  const drop = (lock: number, to: number): SysLocation => checked("mutex_unlock", mine(lock), to, set(lock, num(0)));
  const add = (d: number, to: number): SysLocation =>
    checked("refcnt", both, to, set(count, bin("+", load(count), num(d))));
  const opener: SysProgram = {
    cls: "opener",
    locals: [],
    locations: [
      take(bd, 1),
      take(lo, 2),
      add(1, 3),
      drop(lo, 4),
      drop(bd, 5),
      take(bd, 6),
      take(lo, 7),
      add(-1, 8),
      drop(lo, 9),
      drop(bd, 0),
    ],
  };
  const ioctl: SysProgram = {
    cls: "ioctl",
    locals: [],
    locations: [
      take(lo, 1),
      at("mutex_trylock", [act(undefined, when(free(bd), goTo(2, set(bd, self)), goTo(4)))]),
      checked("scan", both, 3),
      drop(bd, 7),
      drop(lo, 5),
      at("msleep", [act(undefined, goTo(6))]),
      take(lo, 1),
      drop(lo, 0),
    ],
  };
  const { findings, properties } = loopSystem(1, 1, 1);
  return system(`endless loop(${n},${m})`, {
    vars: [
      variable("bd", 0, n + m, { of: "thread" }),
      variable("lo", 0, n + m, { of: "thread" }),
      variable("refcnt", 0, n, { of: "int" }),
    ],
    programs: [opener, ioctl],
    threads: [...Array.from({ length: n }, () => 0), ...Array.from({ length: m }, () => 1)],
    findings: [...findings],
    properties: [...properties],
  });
}

/** lo_ctl_mutex is released again and again. */
export function releasedAgain(n: number, m: number): TransitionSystem {
  const free = is(bin("==", load(1), num(0)));
  return asked(endlessLoop(n, m), "released", always(eventually(free)));
}

/** The first ioctl comes to its end, in the protocol with rounds. */
export function ioctlFinishes(n: number, m: number, rounds: number): TransitionSystem {
  const s = loopSystem(n, m, rounds);
  const locations = s.programs[1]!.locations.flatMap((location, l) => (location.ended ? [l] : []));
  return asked(s, "finishes", eventually(is({ e: "pc", t: n, locations })));
}

/** Dining philosophers of whom the last is right-handed: somebody eats again and again. */
export function asymmetricPhilosophers(n: number): TransitionSystem {
  const [forks, eating] = [0, 1];
  const program = (i: number): SysProgram => {
    const [left, right] = [num(i), num((i + 1) % n)];
    const [first, second] = i === n - 1 ? [right, left] : [left, right];
    const free = (fork: SysExpr): SysExpr => bin("==", load(forks, fork), num(0));
    const eat = (d: number): SysOp => set(eating, bin("+", load(eating), num(d)));
    return {
      cls: `phil${i}`,
      locals: [],
      locations: [
        at("take first", [act(free(first), goTo(1, set(forks, num(1), first)))], [], { on: "first fork" }),
        at("take second", [act(free(second), goTo(2, set(forks, num(1), second), eat(1)))], [], { on: "second fork" }),
        at("put second", [act(undefined, goTo(3, set(forks, num(0), second), eat(-1)))]),
        at("put first", [act(undefined, goTo(0, set(forks, num(0), first)))]),
      ],
    };
  };
  const s = system(`asymmetric philosophers(${n})`, {
    vars: [variable("fork", 0, 1, { of: "bool" }, n), variable("eating", 0, n, { of: "int" })],
    programs: Array.from({ length: n }, (_, i) => program(i)),
    threads: Array.from({ length: n }, (_, i) => i),
  });
  return asked(s, "progress", always(eventually(is(bin(">", load(eating), num(0))))));
}
