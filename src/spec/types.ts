/** The types of values: how a domain is declared, how an expression becomes a value and a literal an expression. */
import { ERRNO_LABELS } from "./errno.ts";
import { ModelError } from "./model-error.ts";
import type { Domain, Expr } from "./program.ts";
import { callSite } from "./recording.ts";
import {
  Bool,
  Enum,
  Errno,
  Int,
  type Mutable,
  type Null,
  type Pointer,
  Thread,
  toBool,
  toEnum,
  toErrno,
  toInt,
  toPointer,
  type Value,
} from "./value.ts";

/** A type of values `V` that can be written as `In`. */
export interface Type<V extends Value, In> {
  /** Evaluated while recording: sizes may depend on the scenario. */
  domain(): Domain;
  wrap(expr: Expr, mutable?: Mutable): V;
  /** The expression of a value or a literal. */
  coerce(value: In): Expr;
  /** The value a variable of this type has unless the scenario says otherwise. */
  readonly zero: number;
}

/** A size that may depend on the scenario's sizes, e.g. `() => size("openers")`. */
export type Bound = number | (() => number);
export const bound = (b: Bound): number => (typeof b === "number" ? b : b());

/** Integers from `lo` to `hi`, both included. Storing any other value is a model error that names the variable. */
export function int(lo: Bound, hi: Bound): Type<Int, Int | number> {
  return {
    domain: () => {
      const domain = { d: "int", lo: bound(lo), hi: bound(hi) } as const;
      if (domain.lo > domain.hi) throw new ModelError(`int(${domain.lo}, ${domain.hi}) is empty`, callSite());
      return domain;
    },
    wrap: (expr, mutable) => new Int(expr, [], undefined, mutable),
    coerce: toInt,
    zero: 0,
  };
}

export const bool: Type<Bool, Bool | boolean> = {
  domain: () => ({ d: "bool" }),
  wrap: (expr, mutable) => new Bool(expr, [], undefined, mutable),
  coerce: toBool,
  zero: 0,
};

/** One of the labels; a variable starts with the first. */
export function enumeration<const L extends string>(...labels: readonly L[]): Type<Enum<L>, L | Enum<L>> {
  return {
    domain: () => ({ d: "enum", name: labels.join("|"), labels }),
    wrap: (expr, mutable) => new Enum(labels, expr, [], mutable),
    coerce: (v) => toEnum(labels, v),
    zero: 0,
  };
}

/** A kernel return code: 0 or a negated error number. */
export const errno: Type<Errno, Errno | number> = {
  domain: () => ({ d: "enum", name: "errno", labels: ERRNO_LABELS }),
  wrap: (expr, mutable) => new Errno(expr, [], undefined, mutable),
  coerce: toErrno,
  zero: 0,
};

export const threadId: Type<Thread, Thread> = {
  domain: () => ({ d: "thread" }),
  wrap: (expr, mutable) => new Thread(expr, [], undefined, mutable),
  coerce: (v) => v.use(),
  zero: 0,
};

/** What a pointer type needs to know of the struct it points to; see struct.ts. */
export interface PointerTarget<P extends Pointer<string>> {
  readonly name: string;
  /** Makes sure the pool is part of the recording. */
  declare(): void;
  pointer(expr: Expr, mutable?: Mutable): P;
}

/**
 * A pointer to a struct, or NULL. With `wild`, also to memory that is no object of the struct (the cursor of a list
 * walked to its end); touching that is `wild-access`.
 */
export function ptr<P extends Pointer<string>>(
  target: PointerTarget<P> | (() => PointerTarget<P>),
  options: { wild?: boolean } = {},
): Type<P, P | Null> {
  const to = () => (typeof target === "function" ? target() : target);
  return {
    domain: () => {
      const { name, declare } = to();
      declare();
      return { d: "ptr", pool: name, wild: options.wild ?? false };
    },
    wrap: (expr, mutable) => to().pointer(expr, mutable),
    coerce: toPointer,
    zero: 0,
  };
}
