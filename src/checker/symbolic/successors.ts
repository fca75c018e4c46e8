/**
 * The transitions of one state of a transition system, computed one state at a time: what turns a path of states into
 * a schedule, and the yardstick that the symbolic operations are tested against.
 */
import { applyBinary } from "../../spec/evaluate.ts";
import type { SysCode, SysExpr, TransitionSystem } from "../../spec/transition-system.ts";
import type { ScheduleStep } from "../verdict.ts";
import type { StateVector } from "./state-vector.ts";

export interface Transition extends ScheduleStep {
  readonly optional: boolean;
  readonly idle: boolean;
  readonly marks: readonly number[];
  /** Findings met on the way; the error it ends in is the last. */
  readonly findings: readonly number[];
  /** The next state; undefined where the transition ends in an error. */
  readonly to: readonly number[] | undefined;
}

interface Scope {
  readonly state: readonly number[];
  readonly self: number | undefined;
  /** All locals of the executing thread. */
  readonly locals: readonly number[];
}

export class Successors {
  readonly #vector: StateVector;
  readonly #system: TransitionSystem;

  constructor(vector: StateVector) {
    this.#vector = vector;
    this.#system = vector.system;
  }

  /** All transitions enabled in `state`, threads and actions in order. */
  of(state: readonly number[]): Transition[] {
    const out: Transition[] = [];
    this.#system.threads.forEach((_, t) => {
      this.#thread(state, t, out);
    });
    const busy = out.some((x) => !x.idle && !x.optional);
    return busy ? out.filter((x) => !x.idle) : out;
  }

  /** The value of an expression of a property (`self` undefined) or of thread `self` in `state`. */
  evaluate(expr: SysExpr, state: readonly number[], self?: number): number {
    return this.#value(expr, { state, self, locals: self === undefined ? [] : this.#locals(state, self) });
  }

  #locals(state: readonly number[], t: number): number[] {
    const program = this.#system.programs[this.#system.threads[t]!.program]!;
    return program.locals.map((_, l) => this.#local(state, t, l));
  }

  #local(state: readonly number[], t: number, l: number): number {
    const level = this.#vector.local(t, l);
    return level !== undefined && this.#vector.holds(t, l, state[this.#vector.pc(t)]!) ? state[level]! : 0;
  }

  #thread(state: readonly number[], t: number, out: Transition[]): void {
    const program = this.#system.programs[this.#system.threads[t]!.program]!;
    const location = program.locations[state[this.#vector.pc(t)]!]!;
    const scope: Scope = { state, self: t, locals: this.#locals(state, t) };
    location.actions.forEach((action, a) => {
      if (action.guard !== undefined && this.#value(action.guard, scope) === 0) return;
      this.#walk(action.code, scope, [], [], [], action.optional, (end, target, ways, marks, findings, optional) => {
        let to: number[] | undefined;
        if (target !== undefined) {
          to = [...end.state];
          for (const { level, locals } of this.#vector.slots(t)) {
            const held = this.#vector.held(t, locals, target);
            to[level] = held === undefined ? 0 : end.locals[held]!;
          }
          to[this.#vector.pc(t)] = target;
        }
        out.push({ thread: t, action: a, ways, optional, idle: action.idle, marks, findings, to });
      });
    });
  }

  #walk(
    code: SysCode,
    from: Scope,
    ways: readonly number[],
    marks: readonly number[],
    findings: readonly number[],
    optional: boolean,
    leaf: (
      end: Scope,
      target: number | undefined,
      ways: readonly number[],
      marks: readonly number[],
      findings: readonly number[],
      optional: boolean,
    ) => void,
  ): void {
    const state = [...from.state];
    const locals = [...from.locals];
    const scope: Scope = { state, self: from.self, locals };
    for (const op of code.ops) {
      if (op.o === "mark") marks = [...marks, op.m];
      else if (op.o === "finding") findings = [...findings, op.f];
      else if (op.o === "local") locals[op.l] = this.#value(op.value, scope);
      else {
        const value = this.#value(op.value, scope);
        const i = op.i === undefined ? 0 : this.#value(op.i, scope);
        if (i >= 0 && i < this.#system.vars[op.v]!.length) state[this.#vector.element(op.v, i)] = value;
      }
    }
    const end = code.end;
    if (end.k === "goto") leaf(scope, end.location, ways, marks, findings, optional);
    else if (end.k === "error") leaf(scope, undefined, ways, marks, [...findings, end.f], optional);
    else if (end.k === "if") {
      const branch = this.#value(end.c, scope) !== 0 ? end.then : end.else;
      this.#walk(branch, scope, ways, marks, findings, optional, leaf);
    } else {
      end.ways.forEach((way, w) => {
        this.#walk(way.code, scope, [...ways, w], marks, findings, optional || way.optional, leaf);
      });
    }
  }

  #value(expr: SysExpr, scope: Scope): number {
    switch (expr.e) {
      case "const":
        return expr.v;
      case "self":
        return scope.self === undefined ? 0 : scope.self + 1;
      case "local": {
        if (expr.t === undefined) return scope.locals[expr.l] ?? 0;
        return this.#local(scope.state, expr.t, expr.l);
      }
      case "load": {
        const i = expr.i === undefined ? 0 : this.#value(expr.i, scope);
        if (i < 0 || i >= this.#system.vars[expr.v]!.length) return 0;
        return scope.state[this.#vector.element(expr.v, i)]!;
      }
      case "not":
        return this.#value(expr.a, scope) === 0 ? 1 : 0;
      case "neg":
        return -this.#value(expr.a, scope) | 0;
      case "bin":
        return applyBinary(expr.op, this.#value(expr.a, scope), this.#value(expr.b, scope));
      case "ite":
        return this.#value(this.#value(expr.c, scope) !== 0 ? expr.a : expr.b, scope);
      case "pc":
        return expr.locations.includes(scope.state[this.#vector.pc(expr.t)]!) ? 1 : 0;
    }
  }
}
