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
    const start = { components: new Set([vector.pc(t)]), arrays: new Set<number>() };
    if (action.guard !== undefined) expression(vector, action.guard, t, start);
    walk(vector, action.code, t, start, (support) => found(a, support));
  });
}

interface Growing {
  readonly components: Set<number>;
  readonly arrays: Set<number>;
}

function walk(vector: StateVector, code: SysCode, t: number, before: Growing, leaf: (support: Support) => void): void {
  const own: Growing = { components: new Set(before.components), arrays: new Set(before.arrays) };
  for (const op of code.ops) {
    if (op.o === "local") {
      expression(vector, op.value, t, own);
      const component = vector.local(t, op.l);
      if (component !== undefined) own.components.add(component);
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
  if (fixed === undefined) into.arrays.add(v);
  else if (fixed >= 0 && fixed < vector.system.vars[v]!.length) into.components.add(vector.element(v, fixed));
}

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

/** The first level that these may be about. */
export function topOf(vector: StateVector, { components, arrays }: Support): number {
  let top = vector.length;
  for (const c of components) top = Math.min(top, vector.level[c]!);
  for (const v of arrays) {
    for (let i = 0; i < vector.system.vars[v]!.length; i++) top = Math.min(top, vector.level[vector.element(v, i)]!);
  }
  return top;
}
