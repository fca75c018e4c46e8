/**
 * Values: what a model computes with while it is recorded. A value is an expression over locals; reading shared state
 * is a statement (`read`), so a value never changes behind the reader's back.
 */
import { ERRNOS, errnoIndex } from "./errno.ts";
import { ModelError } from "./model-error.ts";
import type { BinaryOperator, Expr } from "./program.ts";
import { callSite, isRecording, type Obligation, recording } from "./recording.ts";

/** A mutable local; its version counts assignments, so that a value computed before one is not used after it. */
export interface Mutable {
  readonly name: string;
  version: number;
}

interface Dependency {
  readonly local: Mutable;
  readonly version: number;
}

const NO_DEPENDENCIES: readonly Dependency[] = [];

export abstract class Value {
  readonly #expr: Expr | (() => Expr);
  readonly #dependencies: readonly Dependency[];
  readonly #obligation: Obligation | undefined;

  /** An expression that is a function is evaluated at each use: the slot of a named object depends on the recording. */
  constructor(expr: Expr | (() => Expr), from: readonly Value[] = [], advice?: string, mutable?: Mutable) {
    this.#expr = expr;
    const inherited = from.flatMap((v) => v.#dependencies);
    this.#dependencies = mutable
      ? [...inherited, { local: mutable, version: mutable.version }]
      : inherited.length > 0
        ? inherited
        : NO_DEPENDENCIES;
    this.#obligation =
      advice !== undefined && isRecording() && recording().inFunction ? recording().obligation(advice) : undefined;
  }

  /** The expression, for a statement that uses the value now. */
  use(): Expr {
    if (this.#obligation) this.#obligation.used = true;
    for (const d of this.#dependencies) {
      if (d.local.version !== d.version) {
        throw new ModelError(
          `this value was computed from ${d.local.name} before ${d.local.name} was assigned again; compute it afterwards, or keep it in a local of its own`,
          callSite(),
        );
      }
    }
    return typeof this.#expr === "function" ? this.#expr() : this.#expr;
  }

  [Symbol.toPrimitive](): never {
    throw new ModelError(
      "a model value has no JavaScript value while it is recorded: write x.eq(y), x.plus(1), a.and(b) instead of ===, + and &&",
      callSite(),
    );
  }
}

const CONDITION_ADVICE =
  "a condition was computed here and no statement used it: did you write if instead of If, or && instead of and()?";

export class Bool extends Value {
  declare readonly sort: "bool";

  and(other: Bool): Bool {
    return condition("&&", this.use(), other.use(), [this, other]);
  }
  or(other: Bool): Bool {
    return condition("||", this.use(), other.use(), [this, other]);
  }
  not(): Bool {
    return new Bool({ e: "not", a: this.use() }, [this], CONDITION_ADVICE);
  }
  eq(other: Bool | boolean): Bool {
    return condition("==", this.use(), toBool(other), [this]);
  }
}

export class Int extends Value {
  declare readonly sort: "int";

  plus(other: Int | number): Int {
    return new Int(binary("+", this.use(), toInt(other)), both(this, other));
  }
  minus(other: Int | number): Int {
    return new Int(binary("-", this.use(), toInt(other)), both(this, other));
  }
  eq(other: Int | number): Bool {
    return condition("==", this.use(), toInt(other), both(this, other));
  }
  ne(other: Int | number): Bool {
    return condition("!=", this.use(), toInt(other), both(this, other));
  }
  lt(other: Int | number): Bool {
    return condition("<", this.use(), toInt(other), both(this, other));
  }
  le(other: Int | number): Bool {
    return condition("<=", this.use(), toInt(other), both(this, other));
  }
  gt(other: Int | number): Bool {
    return condition(">", this.use(), toInt(other), both(this, other));
  }
  ge(other: Int | number): Bool {
    return condition(">=", this.use(), toInt(other), both(this, other));
  }
}

export class Enum<L extends string> extends Value {
  declare readonly sort: "enum";
  declare readonly label: L;
  readonly labels: readonly L[];

  constructor(labels: readonly L[], expr: Expr, from: readonly Value[] = [], mutable?: Mutable) {
    super(expr, from, undefined, mutable);
    this.labels = labels;
  }
  eq(other: L | Enum<L>): Bool {
    return condition("==", this.use(), toEnum(this.labels, other), both(this, other));
  }
  ne(other: L | Enum<L>): Bool {
    return condition("!=", this.use(), toEnum(this.labels, other), both(this, other));
  }
}

/**
 * The return code of a kernel function: 0 or a negative error number. An -EBUSY that comes from losing a lock is kept
 * apart (`-EBUSY_CONTENDED`), because the -EBUSY properties speak of it alone; to the C code both are -EBUSY.
 */
export class Errno extends Value {
  declare readonly sort: "errno";

  eq(code: number): Bool {
    if (code === -ERRNOS.EBUSY) {
      const contended: Expr = binary("==", this.use(), toErrno(-ERRNOS.EBUSY_CONTENDED));
      return condition("||", binary("==", this.use(), toErrno(code)), contended, [this]);
    }
    return condition("==", this.use(), toErrno(code), [this]);
  }
  ne(code: number): Bool {
    const equal = this.eq(code);
    return equal.not();
  }
  /** `if (rc)` */
  failed(): Bool {
    return condition("!=", this.use(), toErrno(0), [this]);
  }
  /** `if (!rc)` */
  ok(): Bool {
    return condition("==", this.use(), toErrno(0), [this]);
  }
  /** An -EBUSY because somebody held a lock that was only tried. */
  contended(): Bool {
    return condition("==", this.use(), toErrno(-ERRNOS.EBUSY_CONTENDED), [this]);
  }
}

export class Thread extends Value {
  declare readonly sort: "thread";

  eq(other: Thread): Bool {
    return condition("==", this.use(), other.use(), [this, other]);
  }
}

/** The NULL pointer. */
export class Null {
  declare readonly sort: "null";
}
export const NULL = new Null();

/** A pointer to a struct whose fields are `F`; the fields themselves appear on it as places (see struct.ts). */
export class Pointer<Name extends string> extends Value {
  declare readonly sort: "ptr";
  declare readonly to: Name;
  readonly pool: string;

  constructor(pool: string, expr: Expr | (() => Expr), from: readonly Value[] = [], mutable?: Mutable) {
    super(expr, from, undefined, mutable);
    this.pool = pool;
  }
  eq(other: Pointer<Name> | Null): Bool {
    return condition("==", this.use(), toPointer(other), both(this, other));
  }
  ne(other: Pointer<Name> | Null): Bool {
    return condition("!=", this.use(), toPointer(other), both(this, other));
  }
}

export function condition(op: BinaryOperator, a: Expr, b: Expr, from: readonly Value[]): Bool {
  return new Bool(binary(op, a, b), from, CONDITION_ADVICE);
}

export function binary(op: BinaryOperator, a: Expr, b: Expr): Expr {
  return { e: "bin", op, a, b };
}

export function constant(v: number): Expr {
  return { e: "const", v };
}

function both(a: Value, b: unknown): Value[] {
  return b instanceof Value ? [a, b] : [a];
}

export function toInt(v: Int | number): Expr {
  if (typeof v === "number") {
    if (!Number.isInteger(v)) throw new ModelError(`${v} is not an integer`, callSite());
    return constant(v);
  }
  return v.use();
}

export function toBool(v: Bool | boolean): Expr {
  return typeof v === "boolean" ? constant(v ? 1 : 0) : v.use();
}

export function toEnum<L extends string>(labels: readonly L[], v: L | Enum<L>): Expr {
  if (typeof v !== "string") return v.use();
  const index = labels.indexOf(v);
  if (index < 0) throw new ModelError(`${v} is none of ${labels.join(", ")}`, callSite());
  return constant(index);
}

export function toErrno(v: Errno | number): Expr {
  if (typeof v !== "number") return v.use();
  const index = errnoIndex(v);
  if (index === undefined) {
    throw new ModelError(`${v} is no return code: write 0 or a negated error number such as -EBUSY`, callSite());
  }
  return constant(index);
}

export function toPointer(v: Pointer<string> | Null): Expr {
  return v instanceof Null ? constant(0) : v.use();
}
