/**
 * Which steps may run at once after the step before them, as one transaction (Lipton 1975; Flanagan and Qadeer 2003).
 *
 * A location is *internal* when everything its step touches is out of the other threads' reach while the thread stands
 * there: variables only this thread uses, variables others use only under a lock that this thread holds, constants, and
 * the release of a lock of its own. Such a step commutes to the left of every step of another thread, and whether it
 * can be taken, and where it leads, no other thread can change. It must also be invisible: no property and no
 * condition of another thread sees it. Steps that take a lock are never internal, so a thread is always seen in front of
 * every step that may block, and no deadlock is lost.
 */
import type {
  SysAction,
  SysCheck,
  SysCode,
  SysExpr,
  SysLocation,
  TransitionSystem,
} from "../../spec/transition-system.ts";

interface Access {
  readonly v: number;
  readonly write: boolean;
  /**
   * What it is of a lock: a comparison with the thread itself, a wait for it to be free as a condition of the whole
   * action, taking it when free, giving back what is the thread's own; or anything else.
   */
  readonly form: "mine" | "free" | "take" | "give" | "other";
  /** The element is the thread's own, of an array with one per thread. */
  readonly own: boolean;
}

/** A place in the code of a thread. */
interface Spot {
  readonly accesses: readonly Access[];
  /** Scalars that must be 0 for the action to be enabled. */
  readonly free: ReadonlySet<number>;
}

const isConst = (e: SysExpr, v: number): boolean => e.e === "const" && e.v === v;

function isOwnIndex(i: SysExpr | undefined): boolean {
  return (
    i?.e === "bin" && i.a.e === "self" && ((i.op === "-" && isConst(i.b, 1)) || (i.op === "+" && isConst(i.b, -1)))
  );
}

/** `load == other` as the load, with the operator; undefined if it is no such comparison. */
function comparison(e: SysExpr, other: (side: SysExpr) => boolean) {
  if (e.e !== "bin" || (e.op !== "==" && e.op !== "!=")) return undefined;
  const load = e.a.e === "load" && other(e.b) ? e.a : e.b.e === "load" && other(e.a) ? e.b : undefined;
  return load === undefined ? undefined : { load, equal: e.op === "==" };
}

const isSelf = (e: SysExpr): boolean => e.e === "self";
const nameOf = (load: { v: number; i?: SysExpr }): string => `${load.v}:${JSON.stringify(load.i ?? null)}`;

function conjuncts(e: SysExpr): SysExpr[] {
  return e.e === "bin" && e.op === "&&" ? [...conjuncts(e.a), ...conjuncts(e.b)] : [e];
}

/** Loads that are known to be the thread itself where `e` has this truth value. */
function mineWhen(e: SysExpr, truth: boolean): string[] {
  if (e.e === "not") return mineWhen(e.a, !truth);
  if (e.e === "bin" && e.op === (truth ? "&&" : "||")) return [...mineWhen(e.a, truth), ...mineWhen(e.b, truth)];
  const c = comparison(e, isSelf);
  return c !== undefined && c.equal === truth ? [nameOf(c.load)] : [];
}

/** Loads that are known to be 0 where `e` has this truth value. */
function freeWhen(e: SysExpr, truth: boolean): string[] {
  const load = truth ? freeLoad(e) : undefined;
  if (load !== undefined) return [nameOf(load)];
  if (e.e === "not") return freeWhen(e.a, !truth);
  if (e.e === "bin" && e.op === (truth ? "&&" : "||")) return [...freeWhen(e.a, truth), ...freeWhen(e.b, truth)];
  if (e.e === "load") return truth ? [] : [nameOf(e)];
  const c = comparison(e, (side) => isConst(side, 0));
  return c !== undefined && c.equal === truth ? [nameOf(c.load)] : [];
}

/** `e` as a condition that a lock is free. */
function freeLoad(e: SysExpr): (SysExpr & { e: "load" }) | undefined {
  if (e.e === "not" && e.a.e === "load") return e.a;
  const c = comparison(e, (side) => isConst(side, 0));
  return c?.equal ? c.load : undefined;
}

class SpotReader {
  readonly accesses: Access[] = [];
  readonly free = new Set<number>();
  readonly #freeNames = new Set<string>();

  constructor(action: SysAction) {
    const mine = new Set<string>();
    if (action.guard !== undefined) {
      for (const term of conjuncts(action.guard)) {
        const load = freeLoad(term);
        if (load === undefined) this.expr(term);
        else {
          this.#add(load, "free");
          this.#freeNames.add(nameOf(load));
          if (load.i === undefined) this.free.add(load.v);
        }
      }
      for (const name of mineWhen(action.guard, true)) mine.add(name);
    }
    this.#code(action.code, mine);
  }

  #add(load: { v: number; i?: SysExpr }, form: Access["form"], write = false): void {
    this.accesses.push({ v: load.v, write, form, own: isOwnIndex(load.i) });
    if (load.i !== undefined) this.expr(load.i);
  }

  expr(e: SysExpr): void {
    const c = comparison(e, isSelf);
    if (c !== undefined) this.#add(c.load, "mine");
    else if (e.e === "load") this.#add(e, "other");
    else if (e.e === "not" || e.e === "neg") this.expr(e.a);
    else if (e.e === "bin") {
      this.expr(e.a);
      this.expr(e.b);
    } else if (e.e === "ite") {
      this.expr(e.c);
      this.expr(e.a);
      this.expr(e.b);
    }
  }

  #code(code: SysCode, before: ReadonlySet<string>): void {
    const mine = new Set(before);
    for (const op of code.ops) {
      if (op.o === "var") {
        const place = op.i === undefined ? { v: op.v } : { v: op.v, i: op.i };
        const name = nameOf(place);
        this.expr(op.value);
        if (isSelf(op.value) && this.#freeNames.has(name)) this.#add(place, "take", true);
        else if (isConst(op.value, 0) && mine.has(name)) this.#add(place, "give", true);
        else this.#add(place, "other", true);
      } else if (op.o === "local") this.expr(op.value);
      // What an index stood for may have changed.
      if (op.o === "var" || op.o === "local") {
        for (const set of [mine, this.#freeNames]) for (const n of set) if (!n.endsWith(":null")) set.delete(n);
      }
      if (op.o === "var") {
        mine.delete(`${op.v}:null`);
        this.#freeNames.delete(`${op.v}:null`);
      }
    }
    const { end } = code;
    if (end.k === "if") {
      this.expr(end.c);
      const names = new Set(this.#freeNames);
      for (const n of freeWhen(end.c, true)) this.#freeNames.add(n);
      this.#code(end.then, new Set([...mine, ...mineWhen(end.c, true)]));
      this.#freeNames.clear();
      for (const n of [...names, ...freeWhen(end.c, false)]) this.#freeNames.add(n);
      this.#code(end.else, new Set([...mine, ...mineWhen(end.c, false)]));
    } else if (end.k === "choose") {
      const names = new Set(this.#freeNames);
      for (const way of end.ways) {
        this.#freeNames.clear();
        for (const n of names) this.#freeNames.add(n);
        this.#code(way.code, mine);
      }
    }
  }
}

/** Locations a code tree leads to, each with the scalars that are the thread's own there, as far as the code tells. */
function targets(code: SysCode, before: ReadonlySet<number>): { location: number; held: ReadonlySet<number> }[] {
  const held = new Set(before);
  for (const op of code.ops) {
    if (op.o !== "var" || op.i !== undefined) continue;
    if (isSelf(op.value)) held.add(op.v);
    else held.delete(op.v);
  }
  const { end } = code;
  const own = (names: string[]): Set<number> => {
    const scalars = names.filter((n) => n.endsWith(":null")).map((n) => Number(n.slice(0, -5)));
    return new Set([...held, ...scalars]);
  };
  if (end.k === "goto") return [{ location: end.location, held }];
  if (end.k === "error") return [];
  if (end.k === "choose") return end.ways.flatMap((way) => targets(way.code, held));
  return [...targets(end.then, own(mineWhen(end.c, true))), ...targets(end.else, own(mineWhen(end.c, false)))];
}

/** Per thread and location, the owned scalar locks that the thread certainly holds there. */
function locksets(system: TransitionSystem, locks: ReadonlySet<number>): ReadonlySet<number>[][] {
  return system.threads.map((thread) => {
    const { locations } = system.programs[thread.program]!;
    const held: (Set<number> | undefined)[] = locations.map(() => undefined);
    held[thread.initialLocation] = new Set();
    const work = [thread.initialLocation];
    while (work.length > 0) {
      const l = work.pop()!;
      for (const action of locations[l]!.actions) {
        const known = action.guard === undefined ? [] : mineWhen(action.guard, true);
        const scalars = known.filter((n) => n.endsWith(":null")).map((n) => Number(n.slice(0, -5)));
        const start = new Set([...held[l]!, ...scalars.filter((v) => locks.has(v))]);
        for (const target of targets(action.code, start)) {
          const arriving = new Set([...target.held].filter((v) => locks.has(v)));
          const there = held[target.location];
          if (there === undefined) held[target.location] = arriving;
          else {
            const both = new Set([...there].filter((v) => arriving.has(v)));
            if (both.size === there.size) continue;
            held[target.location] = both;
          }
          work.push(target.location);
        }
      }
    }
    return held.map((set) => set ?? new Set());
  });
}

/** What is seen from outside a thread: variables, and of each thread the location sets and locals. */
class View {
  readonly vars = new Set<number>();
  readonly places: Set<readonly number[]>[];
  readonly locals: Set<number>[];

  constructor(threads: number) {
    this.places = Array.from({ length: threads }, () => new Set());
    this.locals = Array.from({ length: threads }, () => new Set());
  }

  expr(e: SysExpr, vars: boolean): void {
    if (e.e === "load") {
      if (vars) this.vars.add(e.v);
      if (e.i !== undefined) this.expr(e.i, vars);
    } else if (e.e === "pc") this.places[e.t]!.add(e.locations);
    else if (e.e === "local") {
      if (e.t !== undefined) this.locals[e.t]!.add(e.l);
    } else if (e.e === "not" || e.e === "neg") this.expr(e.a, vars);
    else if (e.e === "bin") {
      this.expr(e.a, vars);
      this.expr(e.b, vars);
    } else if (e.e === "ite") for (const part of [e.c, e.a, e.b]) this.expr(part, vars);
  }

  code(code: SysCode): void {
    for (const op of code.ops) {
      if (op.o === "var" || op.o === "local") this.expr(op.value, false);
      if (op.o === "var" && op.i !== undefined) this.expr(op.i, false);
    }
    const { end } = code;
    if (end.k === "if") {
      this.expr(end.c, false);
      this.code(end.then);
      this.code(end.else);
    } else if (end.k === "choose") for (const way of end.ways) this.code(way.code);
  }
}

function viewOf(system: TransitionSystem, checks: readonly SysCheck[]): View {
  const view = new View(system.threads.length);
  for (const program of system.programs) {
    for (const location of program.locations) {
      for (const action of location.actions) {
        if (action.guard !== undefined) view.expr(action.guard, false);
        view.code(action.code);
      }
      if (location.wait?.resting !== undefined) view.expr(location.wait.resting, true);
    }
  }
  for (const thread of system.threads) if (thread.keptOff !== undefined) view.expr(thread.keptOff, true);
  for (const check of checks) if ("expr" in check) view.expr(check.expr, true);
  return view;
}

function localsWritten(code: SysCode): number[] {
  const here = code.ops.flatMap((op) => (op.o === "local" ? [op.l] : []));
  const { end } = code;
  if (end.k === "if") return [...here, ...localsWritten(end.then), ...localsWritten(end.else)];
  return end.k === "choose" ? [...here, ...end.ways.flatMap((w) => localsWritten(w.code))] : here;
}

function hasChoice(code: SysCode): boolean {
  const { end } = code;
  return end.k === "choose" || (end.k === "if" && (hasChoice(end.then) || hasChoice(end.else)));
}

/** Per thread, whether each of its locations is internal. */
export function internalLocations(system: TransitionSystem, checks: readonly SysCheck[]): boolean[][] {
  const view = viewOf(system, checks);
  const spots = system.programs.map((program) =>
    program.locations.map((location) => location.actions.map((action): Spot => new SpotReader(action))),
  );
  // Owned: taken only when free, given back only by the owner. What is mine then stays mine, and what is not cannot
  // become mine, whatever the others do. Silent: nobody but its owner asks more than whether it is free, to wait for it.
  const owned = new Set(system.vars.map((_, v) => v));
  const silent = new Set(owned);
  for (const { form, write, v } of spots.flat(2).flatMap((s) => s.accesses)) {
    if (form !== "other") continue;
    silent.delete(v);
    if (write) owned.delete(v);
  }
  const scalarLocks = new Set([...owned].filter((v) => system.vars[v]!.length === 1));
  const held = locksets(system, scalarLocks);

  // Who else touches a variable, and under which locks.
  interface Touch extends Access {
    readonly thread: number;
    readonly excluded: ReadonlySet<number>;
  }
  const touches: Touch[][] = system.vars.map(() => []);
  system.threads.forEach((thread, t) => {
    spots[thread.program]!.forEach((actions, l) => {
      for (const spot of actions) {
        const excluded = new Set([...held[t]![l]!, ...[...spot.free].filter((v) => scalarLocks.has(v))]);
        for (const access of spot.accesses) touches[access.v]!.push({ ...access, thread: t, excluded });
      }
    });
  });
  const outOfReach = (t: number, l: number, access: Access): boolean => {
    if (access.write && view.vars.has(access.v)) return false;
    if (owned.has(access.v) && access.form === "mine") return true;
    if (silent.has(access.v) && access.form === "give") return true;
    return touches[access.v]!.every((other) => {
      if (other.thread === t || (!access.write && !other.write) || (access.own && other.own)) return true;
      return [...held[t]![l]!].some((lock) => other.excluded.has(lock));
    });
  };
  const internal = system.threads.map((thread, t) =>
    system.programs[thread.program]!.locations.map((location: SysLocation, l) => {
      if (location.ended || location.actions.length === 0) return false;
      if (location.actions.some((a) => a.optional || a.idle || hasChoice(a.code))) return false;
      if (!spots[thread.program]![l]!.every((s) => s.accesses.every((a) => outOfReach(t, l, a)))) return false;
      return location.actions.every(
        (a) =>
          // A condition on where others stand is not out of their reach.
          !readsOthers(a) &&
          localsWritten(a.code).every((x) => !view.locals[t]!.has(x)) &&
          targets(a.code, new Set()).every(({ location: to }) =>
            [...view.places[t]!].every((set) => set.includes(l) === set.includes(to)),
          ),
      );
    }),
  );
  system.threads.forEach((thread, t) => {
    cutCycles(system.programs[thread.program]!.locations, internal[t]!);
  });
  return internal;
}

function readsOthers(action: SysAction): boolean {
  let others = false;
  const visit = (value: unknown): void => {
    if (typeof value !== "object" || value === null || others) return;
    const { e, t } = value as { e?: unknown; t?: unknown };
    if (e === "pc" || (e === "local" && t !== undefined)) others = true;
    for (const part of Object.values(value)) visit(part);
  };
  visit([action.guard, action.code]);
  return others;
}

/** A transaction must end: on every cycle of internal locations, one is made a boundary. */
function cutCycles(locations: readonly SysLocation[], internal: boolean[]): void {
  const state = new Uint8Array(locations.length);
  const visit = (l: number): void => {
    state[l] = 1;
    for (const action of locations[l]!.actions) {
      for (const { location: to } of targets(action.code, new Set())) {
        if (!internal[to]) continue;
        if (state[to] === 1) internal[to] = false;
        else if (state[to] === 0) visit(to);
      }
    }
    state[l] = 2;
  };
  locations.forEach((_, l) => {
    if (internal[l] && state[l] === 0) visit(l);
  });
}
