/**
 * Which steps may run at once after the step before them, as one transaction (Lipton 1975; Flanagan and Qadeer 2003):
 * steps that move right, one that others may notice (the commit), steps that move left.
 *
 * A location is *internal* when everything its step touches is out of the other threads' reach while the thread stands
 * there: variables only this thread uses, variables others use only under a lock that this thread holds, constants, and
 * the release of a lock of its own. Such a step commutes to the left of every step of another thread, and whether it
 * can be taken, and where it leads, no other thread can change. It must also be invisible: no property and no
 * condition of another thread sees it. A location is *committing* when its step, whatever it does, can always be taken,
 * and when on every way there the thread has since its last boundary only taken locks that others wait for and done
 * what stays out of their reach: these steps could as well have been taken later, just before the commit. Steps that
 * take a lock are neither, so a thread is always seen in front of every step that may block, and no deadlock is lost.
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
  readonly #accesses = new Map<string, Access>();
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

  get accesses(): readonly Access[] {
    return [...this.#accesses.values()];
  }

  #add(load: { v: number; i?: SysExpr }, form: Access["form"], write = false): void {
    const own = isOwnIndex(load.i);
    // A loop over an array that is one step touches the same again and again.
    this.#accesses.set(`${load.v} ${form} ${write} ${own}`, { v: load.v, write, form, own });
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

/** What says that a thread is kept off its CPU. */
function keptOffView(system: TransitionSystem): View {
  const view = new View(system.threads.length);
  for (const { keptOff } of system.threads) if (keptOff !== undefined) view.expr(keptOff, true);
  return view;
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

/** Whether in every state some action is enabled, as far as the guards tell by their form. */
function neverBlocks(actions: readonly SysAction[]): boolean {
  const guards = actions.map((a) => a.guard);
  if (guards.includes(undefined)) return true;
  const text = (e: SysExpr): string => JSON.stringify(e);
  const guarded = new Set(guards.map((g) => text(g!)));
  return guards.some((g) => guarded.has(text({ e: "not", a: g! })));
}

/** Whether a lock that the action waits for to be free is taken on every path that does not err. */
function takesWhatIsFree(action: SysAction): boolean {
  const free = action.guard === undefined ? [] : conjuncts(action.guard).flatMap((term) => freeLoad(term) ?? []);
  const taken = (code: SysCode, name: string): boolean => {
    for (const op of code.ops) {
      if (op.o === "var" && isSelf(op.value) && nameOf(op) === name) return true;
      // What an index stood for may have changed.
      if ((op.o === "var" || op.o === "local") && !name.endsWith(":null")) return false;
    }
    const { end } = code;
    if (end.k === "if") return taken(end.then, name) && taken(end.else, name);
    if (end.k === "choose") return end.ways.every((way) => taken(way.code, name));
    return end.k === "error";
  };
  return free.every((load) => taken(action.code, nameOf(load)));
}

/**
 * What decides whether a thread can move, other than that a lock is not free for which it waits alone: of each location
 * the conditions that must change in a step of its own, for its fairness to be seen (reductions.ts).
 *
 * @param strictly Locations of a program where it also counts when exactly the thread could move.
 */
export function conditionsOfFairness(
  system: TransitionSystem,
  strictly: (program: number, location: number) => boolean,
): SysExpr[] {
  return system.programs.flatMap((program, p) =>
    program.locations.flatMap((location, l) => {
      const guards = location.actions.flatMap((a) => (a.optional || a.guard === undefined ? [] : [a.guard]));
      const owed = location.actions.filter((a) => !a.optional).length;
      if (owed !== 1) return guards;
      const terms = guards.flatMap(conjuncts);
      if (strictly(p, l) && terms.length > 1) return terms;
      return terms.filter((term) => !isFixedLock(term));
    }),
  );
}

/** The condition is that a lock is free, and which lock that is does not change while the thread stands there. */
function isFixedLock(e: SysExpr): boolean {
  const index = freeLoad(e)?.i;
  return freeLoad(e) !== undefined && (index === undefined || !readsShared(index));
}

function readsShared(e: SysExpr): boolean {
  if (e.e === "load") return true;
  if (e.e === "not" || e.e === "neg") return readsShared(e.a);
  if (e.e === "bin") return readsShared(e.a) || readsShared(e.b);
  return e.e === "ite" && [e.c, e.a, e.b].some(readsShared);
}

/**
 * Per thread, whether each of its locations is internal or committing.
 *
 * @param leftMovers Only internal ones: a transaction is then one step and others that move left, of which reductions.ts
 *   says what fairness needs.
 */
export function internalLocations(
  system: TransitionSystem,
  checks: readonly SysCheck[],
  leftMovers = false,
): boolean[][] {
  const view = viewOf(system, checks);
  const standing = keptOffView(system);
  const spots = system.programs.map((program) =>
    program.locations.map((location) =>
      location.actions.map((action): Spot => {
        const { accesses, free } = new SpotReader(action);
        return { accesses, free };
      }),
    ),
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
  interface Touch {
    readonly thread: number;
    readonly write: boolean;
    readonly own: boolean;
    readonly excluded: ReadonlySet<number>;
  }
  const touches: Map<string, Touch>[] = system.vars.map(() => new Map());
  system.threads.forEach((thread, t) => {
    spots[thread.program]!.forEach((actions, l) => {
      for (const spot of actions) {
        const excluded = new Set([...held[t]![l]!, ...[...spot.free].filter((v) => scalarLocks.has(v))]);
        const locks = [...excluded].sort((a, b) => a - b).join();
        for (const { v, write, own } of spot.accesses) {
          touches[v]!.set(`${t} ${write} ${own} ${locks}`, { thread: t, write, own, excluded });
        }
      }
    });
  });
  const outOfReach = (t: number, l: number, access: Access): boolean => {
    if (access.write && view.vars.has(access.v)) return false;
    if (owned.has(access.v) && access.form === "mine") return true;
    if (silent.has(access.v) && access.form === "give") return true;
    for (const other of touches[access.v]!.values()) {
      if (other.thread === t || (!access.write && !other.write) || (access.own && other.own)) continue;
      if (![...held[t]![l]!].some((lock) => other.excluded.has(lock))) return false;
    }
    return true;
  };
  const unseen = (by: View, t: number, l: number, action: SysAction, to: number): boolean =>
    localsWritten(action.code).every((x) => !by.locals[t]!.has(x)) &&
    [...by.places[t]!].every((set) => set.includes(l) === set.includes(to));
  const internal = system.threads.map((thread, t) =>
    system.programs[thread.program]!.locations.map((location: SysLocation, l) => {
      if (!plainStep(location)) return false;
      if (!spots[thread.program]![l]!.every((s) => s.accesses.every((a) => outOfReach(t, l, a)))) return false;
      // A condition on where others stand is not out of their reach.
      return location.actions.every((a) => !readsOthers(a) && ends(a.code).every((to) => unseen(view, t, l, a, to)));
    }),
  );
  system.threads.forEach((thread, t) => {
    cutCycles(system.programs[thread.program]!.locations, internal[t]!);
  });
  if (leftMovers) return internal;

  // A step moves right over what others do from where it leads to, under the locks held there.
  const movesRight = (t: number, l: number, a: number, to: number): boolean => {
    const { program } = system.threads[t]!;
    const action = system.programs[program]!.locations[l]!.actions[a]!;
    if (action.optional || action.idle || hasChoice(action.code) || readsOthers(action)) return false;
    if (!unseen(view, t, l, action, to)) return false;
    const takes = takesWhatIsFree(action);
    return spots[program]![l]![a]!.accesses.every((access) => {
      if (access.form === "give") return false;
      if (access.form === "free" || access.form === "take") {
        // While it is held, all that others can do about it is to wait.
        if (takes && owned.has(access.v) && silent.has(access.v)) return !view.vars.has(access.v);
      }
      return outOfReach(t, to, access);
    });
  };
  return system.threads.map((thread, t) => {
    const { locations } = system.programs[thread.program]!;
    const before = beforeCommit(locations, thread.initialLocation, internal[t]!, (l, a, to) => movesRight(t, l, a, to));
    const joined = locations.map((location, l) => {
      if (internal[t]![l]) return true;
      if (!before[l] || !plainStep(location) || !neverBlocks(location.actions)) return false;
      return location.actions.every(
        (a) =>
          a.writes.every((v) => !standing.vars.has(v)) && ends(a.code).every((to) => unseen(standing, t, l, a, to)),
      );
    });
    cutCycles(locations, joined);
    return joined;
  });
}

/** Live steps only, and of each action one at most. */
function plainStep(location: SysLocation): boolean {
  if (location.ended || location.actions.length === 0) return false;
  return !location.actions.some((a) => a.optional || a.idle || hasChoice(a.code));
}

/** Where a code tree leads. */
function ends(code: SysCode, into = new Set<number>()): number[] {
  const { end } = code;
  if (end.k === "goto") into.add(end.location);
  else if (end.k === "choose") for (const way of end.ways) ends(way.code, into);
  else if (end.k === "if") for (const branch of [end.then, end.else]) ends(branch, into);
  return [...into];
}

/** Locations that a thread comes to only by steps that move right, all those since its last boundary. */
function beforeCommit(
  locations: readonly SysLocation[],
  initial: number,
  internal: readonly boolean[],
  movesRight: (l: number, a: number, to: number) => boolean,
): boolean[] {
  const edges = locations.flatMap((location, l) =>
    location.actions.flatMap((action, a) => ends(action.code).map((to) => ({ l, to, right: movesRight(l, a, to) }))),
  );
  const before = locations.map((_, l) => l !== initial && edges.some(({ to }) => to === l));
  for (let changed = true; changed; ) {
    changed = false;
    for (const { l, to, right } of edges) {
      if (!before[to] || (right && (!internal[l] || before[l]))) continue;
      before[to] = false;
      changed = true;
    }
  }
  return before;
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
      for (const to of ends(action.code)) {
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
