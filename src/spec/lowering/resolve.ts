/** Expressions of the syntax tree with every name resolved to an index. */
import { ModelError } from "../model-error.ts";
import type { Expr, Site } from "../program.ts";
import type { SysExpr } from "../transition-system.ts";
import { binary, constant, ifThenElse, load, negate, not } from "./fold.ts";
import { isArray, poolNamed, type Symbols, variableNamed } from "./symbols.ts";

/** What the names in an expression mean where it stands. Each may throw a ModelError where it means nothing. */
export interface Scope {
  readonly symbols: Symbols;
  readonly site: Site | undefined;
  local(name: string): SysExpr;
  self(): SysExpr;
  /** Some variable or local of pointer type equals `ptr`, an object of the pool. */
  referenced(pool: number, ptr: SysExpr): SysExpr;
  ended(thread: string): SysExpr;
  at(thread: string, label: string): SysExpr;
  inside(thread: string, fn: string): SysExpr;
}

/** The part of a Scope that code and properties differ in, for code: it cannot look at other threads' locations. */
export function notInCode(site: Site | undefined): Pick<Scope, "ended" | "at" | "inside"> {
  const refuse = (what: string): never => {
    throw new ModelError(`\`${what}\` can stand in properties only: code has to read a shared variable instead.`, site);
  };
  return { ended: () => refuse("ended"), at: () => refuse("at"), inside: () => refuse("inside") };
}

/** @throws ModelError for unknown names, an index on a scalar, an array without one. */
export function resolve(expr: Expr, scope: Scope): SysExpr {
  switch (expr.e) {
    case "const":
      if (!Number.isInteger(expr.v) || expr.v !== (expr.v | 0))
        throw new ModelError(`The constant ${expr.v} is not a 32-bit integer.`, scope.site);
      return constant(expr.v);
    case "local":
      return scope.local(expr.name);
    case "self":
      return scope.self();
    case "load":
      return resolveElement(expr.v, expr.i, scope, (v, i) => load(v, i));
    case "not":
      return not(resolve(expr.a, scope));
    case "neg":
      return negate(resolve(expr.a, scope));
    case "bin":
      return binary(expr.op, resolve(expr.a, scope), resolve(expr.b, scope));
    case "ite":
      return ifThenElse(resolve(expr.c, scope), resolve(expr.a, scope), resolve(expr.b, scope));
    case "referenced":
      return scope.referenced(poolNamed(expr.pool, scope.symbols.poolIndex, scope.site), resolve(expr.ptr, scope));
    case "alive": {
      const pool = poolNamed(expr.pool, scope.symbols.poolIndex, scope.site);
      const slot = binary("-", resolve(expr.ptr, scope), constant(1));
      return load(scope.symbols.pools[pool]!.alive, slot);
    }
    case "ended":
      return scope.ended(expr.thread);
    case "at":
      return scope.at(expr.thread, expr.label);
    case "inside":
      return scope.inside(expr.thread, expr.fn);
  }
}

/** A variable or an element of one, checked to have an index exactly if it is an array. */
export function resolveElement<T>(
  name: string,
  index: Expr | undefined,
  scope: Scope,
  make: (v: number, i: SysExpr | undefined) => T,
): T {
  const v = variableNamed(name, scope.symbols, scope.site);
  const array = isArray(scope.symbols.program, v);
  if (array && index === undefined)
    throw new ModelError(`${name} is an array of ${scope.symbols.vars[v]!.length}: say which element.`, scope.site);
  if (!array && index !== undefined) throw new ModelError(`${name} is not an array: it takes no index.`, scope.site);
  return make(v, index === undefined ? undefined : resolve(index, scope));
}
