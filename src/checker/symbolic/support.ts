/**
 * Which components the code of an action may look at or change, whatever the state: from which level on its edges must
 * be looked for, and what the order of the levels is judged by.
 */
import type { SysCode, SysExpr } from "../../spec/transition-system.ts";
import { constantIndex } from "../evaluate.ts";
import type { StateVector } from "./state-vector.ts";

/** What one path through the code of an action touches. */
export interface Support {
  readonly components: ReadonlySet<number>;
  /** Variables with an index that is computed: one element of each, which one is not known. */
  readonly arrays: ReadonlySet<number>;
  /** As far as the index depends on nothing but locals of the thread as they are before the action; the rest is `free`. */
  readonly pointed: readonly Pointed[];
  readonly free: ReadonlySet<number>;
}

/** An element of a variable that locals of the thread point to. */
export interface Pointed {
  readonly variable: number;
  readonly index: SysExpr;
}

/** Calls `found` for each path through the code of each action of thread `t` at `location`. */
export function supports(
  vector: StateVector,
  t: number,
  location: number,
  found: (action: number, support: Support) => void,
): void {
  const program = vector.system.programs[vector.system.threads[t]!.program]!;
  program.locations[location]!.actions.forEach((action, a) => {
    const start: Growing = {
      components: new Set([vector.pc(t)]),
      arrays: new Set(),
      pointed: [],
      free: new Set(),
      written: new Set(),
    };
    if (action.guard !== undefined) expression(vector, action.guard, t, start);
    walk(vector, action.code, t, start, (support) => found(a, support));
  });
}

interface Growing {
  readonly components: Set<number>;
  readonly arrays: Set<number>;
  readonly pointed: Pointed[];
  readonly free: Set<number>;
  /** Locals that do not hold any more what they held before. */
  readonly written: Set<number>;
}

function walk(vector: StateVector, code: SysCode, t: number, before: Growing, leaf: (support: Support) => void): void {
  const own: Growing = {
    components: new Set(before.components),
    arrays: new Set(before.arrays),
    pointed: [...before.pointed],
    free: new Set(before.free),
    written: new Set(before.written),
  };
  for (const op of code.ops) {
    if (op.o === "local") {
      expression(vector, op.value, t, own);
      const component = vector.local(t, op.l);
      if (component !== undefined) own.components.add(component);
      own.written.add(op.l);
    } else if (op.o === "var") {
      expression(vector, op.value, t, own);
      element(vector, op.v, op.i, t, own);
    }
  }
  const { end } = code;
  if (end.k === "goto" || end.k === "error") leaf(own);
  else if (end.k === "choose") for (const way of end.ways) walk(vector, way.code, t, own, leaf);
  else {
    expression(vector, end.c, t, own);
    walk(vector, end.then, t, own, leaf);
    walk(vector, end.else, t, own, leaf);
  }
}

function element(vector: StateVector, v: number, index: SysExpr | undefined, t: number, into: Growing): void {
  if (index !== undefined) expression(vector, index, t, into);
  const fixed = index === undefined ? 0 : constantIndex(index, t);
  if (fixed === undefined) {
    into.arrays.add(v);
    if (!pointersIn(index!, into.written)) into.free.add(v);
    else into.pointed.push({ variable: v, index: index! });
  } else if (fixed >= 0 && fixed < vector.system.vars[v]!.length) into.components.add(vector.element(v, fixed));
}

/**
 * The locals that an index depends on, undefined where it depends on more.
 *
 * @param except Locals that count as more.
 */
export function pointersIn(e: SysExpr, except: ReadonlySet<number> = NONE): ReadonlySet<number> | undefined {
  switch (e.e) {
    case "const":
    case "self":
      return NONE;
    case "local":
      return e.t !== undefined || except.has(e.l) ? undefined : new Set([e.l]);
    case "neg":
      return pointersIn(e.a, except);
    case "bin": {
      const a = pointersIn(e.a, except);
      const b = pointersIn(e.b, except);
      return a === undefined || b === undefined ? undefined : new Set([...a, ...b]);
    }
    default:
      return undefined;
  }
}

const NONE: ReadonlySet<number> = new Set();

function expression(vector: StateVector, e: SysExpr, t: number, into: Growing): void {
  switch (e.e) {
    case "const":
    case "self":
      return;
    case "local": {
      const component = vector.local(e.t ?? t, e.l);
      if (component !== undefined) into.components.add(component);
      return;
    }
    case "load":
      element(vector, e.v, e.i, t, into);
      return;
    case "not":
    case "neg":
      expression(vector, e.a, t, into);
      return;
    case "bin":
      expression(vector, e.a, t, into);
      expression(vector, e.b, t, into);
      return;
    case "ite":
      expression(vector, e.c, t, into);
      expression(vector, e.a, t, into);
      expression(vector, e.b, t, into);
      return;
    case "pc":
      into.components.add(vector.pc(e.t));
  }
}

/**
 * The first level that these may be about.
 *
 * @param at What an index is worth where locals point somewhere; absent: they may point anywhere.
 */
export function topOf(vector: StateVector, support: Support, at?: (index: SysExpr) => number): number {
  const { vars } = vector.system;
  let top = vector.length;
  const element = (v: number, i: number): void => {
    if (i >= 0 && i < vars[v]!.length) top = Math.min(top, vector.level[vector.element(v, i)]!);
  };
  for (const c of support.components) top = Math.min(top, vector.level[c]!);
  for (const v of at === undefined ? support.arrays : support.free) {
    for (let i = 0; i < vars[v]!.length; i++) element(v, i);
  }
  if (at !== undefined) for (const { variable, index } of support.pointed) element(variable, at(index));
  return top;
}
