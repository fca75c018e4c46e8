/** The value of an expression in a state. */
import { ModelError } from "../../spec/model-error.ts";
import type { BinaryOperator, Expr, Program } from "../../spec/program.ts";
import type { FunctionCode } from "./code.ts";
import type { State } from "./state.ts";

/** Who evaluates: a thread (its index) in its innermost call, or nobody, as in properties. */
export interface Scope {
  readonly program: Program;
  readonly code: ReadonlyMap<string, FunctionCode>;
  readonly state: State;
  readonly thread?: number;
}

export function evaluate(expr: Expr, scope: Scope): number {
  switch (expr.e) {
    case "const":
      return expr.v;
    case "local": {
      const value = scope.thread === undefined ? undefined : innermost(scope.state, scope.thread)?.locals[expr.name];
      if (value === undefined) throw new ModelError(`local ${expr.name} is read where it does not exist`);
      return value;
    }
    case "self":
      if (scope.thread === undefined) throw new ModelError("a property cannot speak of the executing thread (self)");
      return scope.thread + 1;
    case "load": {
      const value = scope.state.vars[expr.v];
      if (value === undefined) throw new ModelError(`variable ${expr.v} is read but not declared`);
      if (typeof value === "number") return value;
      if (expr.i === undefined) throw new ModelError(`array ${expr.v} is read without an index`);
      return value[evaluate(expr.i, scope)] ?? 0;
    }
    case "not":
      return evaluate(expr.a, scope) === 0 ? 1 : 0;
    case "neg":
      return -evaluate(expr.a, scope) | 0;
    case "bin":
      return binary(expr.op, evaluate(expr.a, scope), evaluate(expr.b, scope));
    case "ite":
      return evaluate(evaluate(expr.c, scope) !== 0 ? expr.a : expr.b, scope);
    case "referenced":
      return referenced(expr.pool, evaluate(expr.ptr, scope), scope) ? 1 : 0;
    case "alive": {
      const alive = scope.state.alive[expr.pool];
      if (!alive) throw new ModelError(`pool ${expr.pool} is not declared`);
      return alive[evaluate(expr.ptr, scope) - 1] ?? 0;
    }
    case "ended":
      return scope.state.threads[threadIndex(expr.thread, scope.program)]!.frames.length === 0 ? 1 : 0;
    case "at": {
      // A frame stands at its next step, or at the call that is being made.
      for (const frame of scope.state.threads[threadIndex(expr.thread, scope.program)]!.frames.toReversed()) {
        const next = scope.code.get(frame.fn)![frame.pc]!;
        if (next.i !== "step" && next.i !== "call") return 0;
        if (next.labels.includes(expr.label)) return 1;
        if (!next.first) return 0;
      }
      return 0;
    }
    case "inside": {
      const { frames } = scope.state.threads[threadIndex(expr.thread, scope.program)]!;
      return frames.some((frame) => frame.fn === expr.fn) ? 1 : 0;
    }
  }
}

/** Does some pointer, in a shared variable or a local of any call of any thread, point to the object? */
export function referenced(pool: string, ptr: number, scope: Pick<Scope, "program" | "state">): boolean {
  const { program, state } = scope;
  const slots = program.pools.find((p) => p.name === pool)?.slots ?? 0;
  if (ptr < 1 || ptr > slots) return false;
  for (const decl of program.vars) {
    if (decl.domain.d !== "ptr" || decl.domain.pool !== pool) continue;
    const value = state.vars[decl.name]!;
    if (typeof value === "number" ? value === ptr : value.includes(ptr)) return true;
  }
  return state.threads.some((thread) =>
    thread.frames.some((frame) =>
      program.functions[frame.fn]!.locals.some(
        (local) => local.domain.d === "ptr" && local.domain.pool === pool && frame.locals[local.name] === ptr,
      ),
    ),
  );
}

function innermost(state: State, thread: number) {
  return state.threads[thread]?.frames.at(-1);
}

function threadIndex(name: string, program: Program): number {
  const index = program.threads.findIndex((thread) => thread.name === name);
  if (index < 0) throw new ModelError(`a property speaks of thread ${name}, which the scenario does not have`);
  return index;
}

function binary(op: BinaryOperator, a: number, b: number): number {
  switch (op) {
    case "+":
      return (a + b) | 0;
    case "-":
      return (a - b) | 0;
    case "*":
      return Math.imul(a, b);
    case "&":
      return a & b;
    case "|":
      return a | b;
    case "^":
      return a ^ b;
    case "<<":
      return a << b;
    case ">>":
      return a >> b;
    case "==":
      return a === b ? 1 : 0;
    case "!=":
      return a !== b ? 1 : 0;
    case "<":
      return a < b ? 1 : 0;
    case "<=":
      return a <= b ? 1 : 0;
    case ">":
      return a > b ? 1 : 0;
    case ">=":
      return a >= b ? 1 : 0;
    case "&&":
      return a !== 0 && b !== 0 ? 1 : 0;
    case "||":
      return a !== 0 || b !== 0 ? 1 : 0;
  }
}
