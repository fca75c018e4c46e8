import {
  act,
  at,
  bin,
  ended,
  error,
  goTo,
  load,
  local,
  loopSystem,
  num,
  self,
  set,
  setLocal,
  system,
  when,
} from "../../../bench/loop-system.ts";
import { internalLocations } from "../../../src/checker/explicit/transactions.ts";
import type { SysCheck, SysExpr, SysLocation, SysVar } from "../../../src/spec/transition-system.ts";

const [lock, data] = [0, 1];
const free: SysExpr = bin("==", load(lock), num(0));
const mine: SysExpr = bin("==", load(lock), self);
const take = (to: number): SysLocation => at("lock", [act(free, goTo(to, set(lock, self)))]);
const give = (to: number): SysLocation =>
  at("unlock", [act(undefined, when(mine, goTo(to, set(lock, num(0))), error(0)))]);
const write = (to: number): SysLocation => at("write", [act(undefined, goTo(to, set(data, num(1))))]);

/** Internal and committing locations of the first of two threads that run the same code over a lock and a variable. */
function internalOf(locations: SysLocation[], checks: SysCheck[] = [], keptOff?: SysExpr): number[] {
  const variable = (name: string, hi: number, values: SysVar["values"]): SysVar => ({
    name,
    title: name,
    lo: 0,
    hi,
    length: 1,
    init: [0],
    observer: false,
    values,
    index: "none",
  });
  const two = system("two", {
    vars: [variable("lock", 2, { of: "thread" }), variable("data", 1, { of: "int" })],
    programs: [
      {
        cls: "c",
        locals: [{ name: "l", fn: "f", lo: 0, hi: 1, values: { of: "int" }, stored: true }],
        locations,
      },
    ],
    threads: [0, 0],
    findings: [],
  });
  const threads = two.threads.map((thread, t) => (t === 1 && keptOff ? { ...thread, keptOff } : thread));
  return internalLocations({ ...two, threads }, checks)[0]!.flatMap((x, l) => (x ? [l] : []));
}

describe("internal locations", () => {
  test("what is done under the lock, and its release", () => {
    expect(internalOf([take(1), write(2), give(3), ended])).toEqual([1, 2]);
  });

  test("not what is done without the lock by anybody, unless it commits", () => {
    expect(internalOf([write(1), take(2), write(3), give(4), ended])).toEqual([2, 3]);
    expect(internalOf([write(1), write(2), take(3), ended])).toEqual([]);
  });

  test("not where the lock is held on one way only", () => {
    const branch = at("branch", [act(undefined, when(local(0), goTo(1), goTo(2, setLocal(0, num(1)))))]);
    expect(internalOf([branch, take(2), write(3), ended])).toEqual([0]);
    expect(internalOf([branch, take(2), at("step", [act(undefined, goTo(3))]), ended])).toEqual([0, 2]);
  });

  test("not the release of a lock that somebody tries", () => {
    const tries = at("trylock", [act(undefined, when(free, goTo(2, set(lock, self)), goTo(0)))]);
    expect(internalOf([take(1), give(2), tries])).toEqual([]);
  });

  test("not a release that does not ask who holds the lock", () => {
    const careless = at("unlock", [act(undefined, goTo(3, set(lock, num(0))))]);
    expect(internalOf([take(1), write(2), careless, ended])).toEqual([]);
  });

  test("not what a property sees", () => {
    const code = [take(1), write(2), give(3), ended];
    // What a property sees may commit, once; what it would see before or after may not be passed over.
    expect(internalOf(code, [{ c: "invariant", expr: load(data) }])).toEqual([1, 2]);
    expect(internalOf([take(1), write(2), write(3), ended], [{ c: "invariant", expr: load(data) }])).toEqual([1]);
    expect(internalOf(code, [{ c: "at-rest", expr: load(lock) }])).toEqual([1]);
    expect(internalOf(code, [{ c: "stays-possible", expr: { e: "pc", t: 0, locations: [2] } }])).toEqual([1]);
    expect(internalOf(code, [{ c: "stays-possible", expr: { e: "pc", t: 0, locations: [0] } }])).toEqual([1, 2]);
    expect(internalOf(code, [{ c: "invariant", expr: { e: "pc", t: 0, locations: [1, 2] } }])).toEqual([1]);
    const kept = [take(1), at("l = 1", [act(undefined, goTo(2, setLocal(0, num(1))))]), give(3), ended];
    expect(internalOf(kept)).toEqual([1, 2]);
    expect(internalOf(kept, [{ c: "invariant", expr: { e: "local", l: 0, t: 0 } }])).toEqual([1, 2]);
  });

  test("not what looks at where others stand, may be declined, or branches", () => {
    const step = (guard: SysExpr | undefined, flags = {}) => at("step", [act(guard, goTo(1), flags)]);
    expect(internalOf([step(undefined), ended])).toEqual([0]);
    expect(internalOf([step({ e: "pc", t: 1, locations: [1] }), ended])).toEqual([]);
    expect(internalOf([step(undefined, { optional: true }), ended])).toEqual([]);
    expect(internalOf([step(undefined, { idle: true }), ended])).toEqual([]);
    const ways = [{ code: goTo(1), optional: false, name: "" }];
    expect(internalOf([at("any", [act(undefined, { ops: [], end: { k: "choose", ways } })]), ended])).toEqual([]);
  });

  test("a transaction ends", () => {
    const spin = (to: number) => at("step", [act(undefined, goTo(to))]);
    expect(internalOf([spin(1), spin(2), spin(0)]).length).toBe(2);
    expect(internalOf([spin(0)])).toEqual([]);
  });

  test("of the loop protocol: counting, scanning, sleeping, and giving back what nobody can try", () => {
    const [opener, , , ioctl] = internalLocations(loopSystem(3, 2, 2), []);
    expect(opener!.flatMap((x, l) => (x ? [l] : []))).toEqual([2, 3, 7, 8]);
    // It gives back the lock that is tried while it holds the one under which it is tried.
    // That is tried is seen by others, but it can always be tried, and the lock it is tried under was taken just before.
    expect(ioctl!.flatMap((x, l) => (x ? [l] : []))).toEqual([1, 2, 3, 4, 5, 7]);
  });
});

describe("committing locations", () => {
  const is = (x: SysExpr): SysExpr => bin("==", x, num(0));
  const look = (to: number): SysLocation => at("look", [act(undefined, when(is(load(data)), goTo(to), goTo(to)))]);
  /** Others may write `data` without the lock, so that looking at it is not internal. The steps end at 6. */
  const loose = [write(6), ended];
  const commits = (steps: SysLocation[], checks: SysCheck[] = []) => internalOf([...steps, ...loose], checks);

  test("the first step under a lock that others notice, and no second", () => {
    expect(commits([take(1), look(2), give(6), take(4), look(6)])).toEqual([1, 2, 4]);
    expect(commits([take(1), look(2), look(3), give(6), ended])).toEqual([1, 3]);
  });

  test("not a step that may block", () => {
    const wait = at("wait", [act(is(load(data)), goTo(6))]);
    expect(commits([take(1), wait, ended, ended, ended])).toEqual([]);
    const either = at("either", [act(is(load(data)), goTo(6)), act({ e: "not", a: is(load(data)) }, goTo(6))]);
    expect(commits([take(1), either, ended, ended, ended])).toEqual([1]);
  });

  test("not after a step that others could notice, and not where only some ways lead", () => {
    expect(commits([take(1), give(2), look(6), ended, ended])).toEqual([1]);
    const branch = at("branch", [act(undefined, when(local(0), goTo(1), goTo(2, setLocal(0, num(1)))))]);
    expect(commits([branch, take(2), look(6), ended, ended])).toEqual([0]);
    const tries = at("trylock", [act(undefined, when(free, goTo(6, set(lock, self)), goTo(6)))]);
    expect(commits([take(1), look(6), tries, ended, ended])).toEqual([]);
  });

  test("not after waiting for a lock that is then not taken", () => {
    const peek = at("until free", [act(free, goTo(1))]);
    expect(commits([peek, look(6), take(3), give(6), ended])).toEqual([3]);
    const taken = when(local(0), goTo(1, set(lock, self)), goTo(1));
    expect(commits([at("lock", [act(free, taken)]), look(6), ended, ended, ended])).toEqual([]);
  });

  test("not after taking a lock where others stand, optionally, or when nothing else happens", () => {
    const elsewhere: SysExpr = { e: "pc", t: 1, locations: [0, 1] };
    const lockIf = (guard: SysExpr, flags = {}) => at("lock", [act(guard, goTo(1, set(lock, self)), flags)]);
    const rest = [look(6), ended, ended, ended];
    expect(commits([lockIf(free), ...rest])).toEqual([1]);
    expect(commits([lockIf(bin("&&", free, elsewhere)), ...rest])).toEqual([]);
    expect(commits([lockIf(free, { optional: true }), ...rest])).toEqual([]);
    expect(commits([lockIf(free, { idle: true }), ...rest])).toEqual([]);
  });

  test("not after a lock that a property sees, nor from where a property sees the thread come", () => {
    const steps = [take(1), look(6), ended, ended, ended];
    expect(commits(steps, [{ c: "invariant", expr: is(load(lock)) }])).toEqual([]);
    expect(commits(steps, [{ c: "invariant", expr: { e: "pc", t: 0, locations: [1] } }])).toEqual([]);
    expect(commits(steps, [{ c: "invariant", expr: { e: "pc", t: 0, locations: [0, 1] } }])).toEqual([1]);
  });

  test("not a step that lets a thread be kept off its CPU", () => {
    const steps = [take(1), write(2), give(6), ended, ended];
    expect(commits(steps)).toEqual([1, 2]);
    expect(internalOf([...steps, ...loose], [], is(load(data)))).toEqual([2]);
  });
});
