/**
 * Which threads may be exchanged without changing anything that is asked.
 *
 * A permutation of threads acts on a state by moving what belongs to each thread (its location, its locals, its
 * elements of arrays indexed by threads) and renaming every value that is a thread. It is an automorphism of the graph
 * when the initial state and the code are unchanged by it. Code that names threads only by `self`, by values of thread
 * sort, and compares these for equality alone, is unchanged by every permutation of threads that share their program
 * (Ip and Dill 1996, scalarsets). Where code or a property names members (`pc` and locals of a thread, a constant of
 * thread sort), it is compared with what the exchange of two threads makes of it, up to the order of operands.
 */

import type { Site } from "../spec/program.ts";
import type { SysCheck, SysCode, SysExpr, SysProgram, SysThread, TransitionSystem } from "../spec/transition-system.ts";
import { initialState, type StateValues } from "./state-values.ts";

/** Threads that may be permuted freely among themselves: indices, ascending, two or more. */
export type Orbit = readonly number[];

/** Where an expression stands: its value counts as a number, as a thread, or only as zero or not. */
type Place = "int" | "thread" | "truth";

type Permutation = readonly number[];

/** A thread is used as a number, at the place named by the message. */
class Asymmetric extends Error {}

/** Two threads that run the same program and cannot be exchanged. */
export interface Apart {
  readonly threads: readonly [number, number];
  /** What tells them apart: a place in the model, a property (its number among those asked), or a fact. */
  readonly by: { readonly site: Site } | { readonly property: number } | { readonly fact: string };
}

const COMMUTATIVE: ReadonlySet<string> = new Set(["+", "*", "&", "|", "^", "==", "!="]);

/** Renders code in a normal form, with its threads renamed. Throws `Asymmetric` where thread ids are used as numbers. */
class Renaming {
  /** Threads named since this was last emptied. */
  readonly named = new Set<number>();
  readonly #system: TransitionSystem;
  readonly #program: SysProgram | undefined;
  readonly #map: Permutation;

  constructor(system: TransitionSystem, program: SysProgram | undefined, map: Permutation) {
    this.#system = system;
    this.#program = program;
    this.#map = map;
  }

  #name(thread: number): number {
    if (thread < 0 || thread >= this.#map.length) return thread;
    this.named.add(thread);
    return this.#map[thread]!;
  }

  #isThread(expr: SysExpr): boolean {
    switch (expr.e) {
      case "self":
        return true;
      case "load":
        return this.#system.vars[expr.v]!.values.of === "thread";
      case "local":
        return this.#localOf(expr)?.values.of === "thread";
      case "ite":
        return this.#isThread(expr.a) || this.#isThread(expr.b);
      default:
        return false;
    }
  }

  #localOf(expr: SysExpr & { e: "local" }) {
    const program = expr.t === undefined ? this.#program : this.#system.programs[this.#system.threads[expr.t]!.program];
    return program?.locals[expr.l];
  }

  #fits(thread: boolean, place: Place): void {
    if (place === "truth") return;
    if (thread !== (place === "thread")) throw new Asymmetric();
  }

  #index(v: number, i: SysExpr | undefined): string {
    if (i === undefined) {
      if (this.#system.vars[v]!.index === "thread") this.#name(0);
      return "";
    }
    if (this.#system.vars[v]!.index !== "thread") return `[${this.expr(i, "int")}]`;
    if (i.e === "const") return `[${this.#name(i.v)}]`;
    const less =
      i.e === "bin" && i.b.e === "const" && ((i.op === "-" && i.b.v === 1) || (i.op === "+" && i.b.v === -1));
    if (!less) throw new Asymmetric();
    return `[${this.expr(i.a, "thread")}-1]`;
  }

  expr(expr: SysExpr, place: Place): string {
    switch (expr.e) {
      case "const":
        return String(place === "thread" ? this.#name(expr.v - 1) + 1 : expr.v);
      case "self":
        this.#fits(true, place);
        return "self";
      case "local": {
        this.#fits(this.#isThread(expr), place);
        return expr.t === undefined ? `l${expr.l}` : `l${expr.l}@${this.#name(expr.t)}`;
      }
      case "load":
        this.#fits(this.#isThread(expr), place);
        return `v${expr.v}${this.#index(expr.v, expr.i)}`;
      case "ite": {
        // Zero or not is all that counts of a choice that stands where only that counts.
        const inner = place === "truth" && this.#isThread(expr) ? "thread" : place;
        return `(${this.expr(expr.c, "truth")}?${this.expr(expr.a, inner)}:${this.expr(expr.b, inner)})`;
      }
      case "pc":
        this.#fits(false, place);
        return `pc${this.#name(expr.t)}{${[...expr.locations].sort((a, b) => a - b).join()}}`;
      case "not":
        this.#fits(false, place);
        return `!${this.expr(expr.a, "truth")}`;
      case "neg":
        this.#fits(false, place);
        return `-${this.expr(expr.a, "int")}`;
      case "bin":
        break;
    }
    this.#fits(false, place);
    const { op, a, b } = expr;
    if (op === "&&" || op === "||") {
      const terms: string[] = [];
      const gather = (e: SysExpr): void => {
        if (e.e === "bin" && e.op === op) {
          gather(e.a);
          gather(e.b);
        } else terms.push(this.expr(e, "truth"));
      };
      gather(expr);
      return `(${terms.sort().join(op)})`;
    }
    const threads = (op === "==" || op === "!=") && (this.#isThread(a) || this.#isThread(b));
    const sides = [a, b].map((e) => this.expr(e, threads ? "thread" : "int"));
    if (COMMUTATIVE.has(op)) sides.sort();
    return `(${sides.join(op)})`;
  }

  code(code: SysCode): string {
    const ops = code.ops.map((op) => {
      if (op.o === "var") {
        const sort = this.#system.vars[op.v]!.values.of === "thread" ? "thread" : "int";
        return `v${op.v}${this.#index(op.v, op.i)}=${this.expr(op.value, sort)}`;
      }
      if (op.o === "local") {
        const sort = this.#program!.locals[op.l]!.values.of === "thread" ? "thread" : "int";
        return `l${op.l}=${this.expr(op.value, sort)}`;
      }
      return op.o === "mark" ? `m${op.m}` : `f${op.f}`;
    });
    const { end } = code;
    const rest =
      end.k === "goto"
        ? `>${end.location}`
        : end.k === "error"
          ? `!${end.f}`
          : end.k === "if"
            ? `if${this.expr(end.c, "truth")}{${this.code(end.then)}}{${this.code(end.else)}}`
            : `choose${end.ways.map((way) => `{${this.code(way.code)}}`).join("")}`;
    return `${ops.join(";")};${rest}`;
  }

  check(check: SysCheck): string {
    if (check.c === "findings" || check.c === "deadlock") return check.c;
    // Their conditions are given one by one, as properties of states.
    if (check.c === "temporal") throw new Error("a formula over runs is not unchanged or changed as a whole");
    return this.expr(check.expr, "truth");
  }
}

/** A condition on states with its threads renamed, in a normal form; undefined where thread ids are used as numbers. */
export function renamedText(system: TransitionSystem, expr: SysExpr, map: readonly number[]): string | undefined {
  try {
    return new Renaming(system, undefined, map).expr(expr, "truth");
  } catch (error) {
    if (error instanceof Asymmetric) return undefined;
    throw error;
  }
}

/** The state that `map` (thread -> thread) makes of a state. */
export function permuteState(system: TransitionSystem, state: StateValues, map: Permutation): StateValues {
  const rename = (value: number): number => (value > 0 && value <= map.length ? map[value - 1]! + 1 : value);
  const moved = (list: readonly number[], decl: { index: unknown }): number[] => {
    if (decl.index !== "thread") return [...list];
    const result = [...list];
    list.forEach((value, t) => {
      const to = map[t];
      if (to !== undefined) result[to] = value;
    });
    return result;
  };
  const vars = system.vars.map((decl, v) => {
    const elements = moved(state.vars[v]!, decl);
    return decl.values.of === "thread" ? elements.map(rename) : elements;
  });
  const pcs = [...state.pcs];
  const locals = [...state.locals];
  system.threads.forEach((thread, t) => {
    const to = map[t]!;
    pcs[to] = state.pcs[t]!;
    const decls = system.programs[thread.program]!.locals;
    locals[to] = state.locals[t]!.map((value, l) => (decls[l]!.values.of === "thread" ? rename(value) : value));
  });
  return { vars, pcs, locals };
}

/** The code of a system in pieces, each with the threads it names. */
function pieces(
  system: TransitionSystem,
  properties: readonly SysCheck[],
  /** Called with the first place where a thread is used as a number. */
  usedAsNumber: (by: Apart["by"]) => void,
) {
  const all: { named: ReadonlySet<number>; text: (map: Permutation) => string; by: Apart["by"] }[] = [];
  const identity = system.threads.map((_, t) => t);
  let by: Apart["by"] = { fact: "" };
  const add = (program: SysProgram | undefined, render: (r: Renaming) => string): void => {
    const renaming = new Renaming(system, program, identity);
    try {
      render(renaming);
    } catch (error) {
      if (error instanceof Asymmetric) usedAsNumber(by);
      throw error;
    }
    all.push({ named: renaming.named, text: (map) => render(new Renaming(system, program, map)), by });
  };
  for (const program of system.programs) {
    for (const location of program.locations) {
      by = { site: location.site };
      for (const action of location.actions) {
        if (action.guard !== undefined) {
          const { guard } = action;
          add(program, (r) => r.expr(guard, "truth"));
        }
        add(program, (r) => r.code(action.code));
      }
      const { wait } = location;
      if (wait?.holder !== undefined) {
        const { holder } = wait;
        add(program, (r) => r.expr(holder, "thread"));
      }
      if (wait?.resting !== undefined) {
        const { resting } = wait;
        add(program, (r) => r.expr(resting, "truth"));
      }
    }
  }
  // Who keeps a thread off its CPU is compared between the threads, below; here only its form counts.
  for (const thread of system.threads) keptOff(system, thread, identity);
  properties.forEach((check, property) => {
    by = { property };
    add(undefined, (r) => r.check(check));
  });
  return all;
}

function keptOff(system: TransitionSystem, thread: SysThread, map: Permutation): string {
  if (thread.keptOff === undefined) return "";
  return new Renaming(system, system.programs[thread.program], map).expr(thread.keptOff, "truth");
}

/**
 * The orbits of a system for these properties; none where thread ids are used as numbers.
 *
 * @param alike Whether what is assumed of two threads is the same: an equivalence.
 * @param apart Called for each thread that runs the program of an orbit before it and is not in it.
 */
export function orbits(
  system: TransitionSystem,
  properties: readonly SysCheck[],
  alike: (a: number, b: number) => boolean = () => true,
  apart: (threads: Apart) => void = () => {},
): Orbit[] {
  let code: ReturnType<typeof pieces>;
  let number: Apart["by"] = { fact: "a thread is used as a number" };
  try {
    code = pieces(system, properties, (by) => {
      number = by;
    });
  } catch (error) {
    if (!(error instanceof Asymmetric)) throw error;
    system.threads.forEach(({ program }, t) => {
      const first = system.threads.findIndex((x) => x.program === program);
      if (first < t) apart({ threads: [first, t], by: number });
    });
    return [];
  }
  const handlers = system.threads.some((t) => t.kind === "hardirq" || t.kind === "softirq");
  const identity = system.threads.map((_, t) => t);
  const initial = initialState(system);
  const start = JSON.stringify(initial);
  /** What tells two threads of one program apart. */
  const difference = (a: number, b: number): Apart["by"] | undefined => {
    const [x, y] = [system.threads[a]!, system.threads[b]!];
    if (x.kind !== y.kind) return { fact: "they are of different kinds" };
    // Which CPU a thread runs on matters only where there are handlers.
    if (handlers && x.cpu !== y.cpu) return { fact: "they run on different CPUs, and there are handlers" };
    if (!alike(a, b)) return { fact: "fairness is not assumed of both alike" };
    const map = system.threads.map((_, t) => (t === a ? b : t === b ? a : t));
    if (JSON.stringify(permuteState(system, initial, map)) !== start) return { fact: "they start differently" };
    const sameGuards = system.threads.every(
      (thread, t) => keptOff(system, thread, map) === keptOff(system, system.threads[map[t]!]!, identity),
    );
    if (!sameGuards) return { fact: "they are kept off their CPUs by different threads" };
    return code.find(({ named, text }) => (named.has(a) || named.has(b)) && text(map) !== text(identity))?.by;
  };
  // Exchangeable is an equivalence, since (a c) = (a b)(b c)(a b).
  const found: number[][] = [];
  system.threads.forEach(({ program }, t) => {
    let first: Apart | undefined;
    for (const members of found) {
      const other = members[0]!;
      if (system.threads[other]!.program !== program) continue;
      const by = difference(other, t);
      if (by === undefined) {
        members.push(t);
        return;
      }
      first ??= { threads: [other, t], by };
    }
    found.push([t]);
    if (first !== undefined) apart(first);
  });
  return found.filter((members) => members.length > 1);
}
