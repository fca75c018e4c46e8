/**
 * Cells: the shared variables behind places. A location is a global or a field of a struct; a field type turns it into
 * a place, which declares the variables it needs when it is first used in a recording.
 */
import { ModelError } from "./model-error.ts";
import type { Domain, Expr, Site, Stmt, VarDecl } from "./program.ts";
import { callSite, recording } from "./recording.ts";
import { NULL, type Null, type Pointer } from "./value.ts";

/** Where a field lives. */
export interface Location {
  /** Name of the variable: `loop_index_mutex` or `loop_device.lo_refcnt`. */
  readonly name: string;
  /** As C reads it: `lo->lo_refcnt`. */
  readonly text: string;
  /** The object the field belongs to; absent for a global. */
  readonly object?: {
    readonly pool: string;
    readonly slots: number;
    readonly ptr: Pointer<string>;
    readonly immortal: boolean;
  };
  readonly site: Site;
}

/** One shared variable, or one element of an array of them. */
export interface Cell {
  readonly v: string;
  readonly i?: Expr;
}

/** What a field of a struct or a global is declared as. */
export interface FieldType<P> {
  place(location: Location): P;
}

export interface CellOptions {
  readonly init?: number;
  readonly lock?: NonNullable<VarDecl["lock"]>;
  readonly observer?: boolean;
  /** One element per thread for each object. */
  readonly perThread?: boolean;
  /** Elements per object. */
  readonly length?: number;
}

/**
 * The variable `location.name + suffix`, declared on first use. For arrays inside objects the elements of slot s are
 * s * length … s * length + length - 1; `at` says which.
 */
export function cell(location: Location, suffix: string, domain: Domain, options: CellOptions = {}, at?: Expr): Cell {
  const r = recording();
  const name = location.name + suffix;
  const slots = location.object?.slots ?? 1;
  const per = options.perThread ? r.threadCount : (options.length ?? 1);
  const isArray = location.object !== undefined || options.perThread || options.length !== undefined;
  if (!r.vars.has(name)) {
    const total = slots * per;
    r.fresh.set(name, options.init ?? 0);
    r.vars.set(name, {
      name,
      domain,
      ...(isArray ? { length: total } : {}),
      ...(options.perThread && slots === 1 ? { index: "thread" as const } : {}),
      ...(location.object && per === 1 && !options.perThread ? { index: { pool: location.object.pool } } : {}),
      init: new Array<number>(total).fill(options.init ?? 0),
      ...(options.observer ? { observer: true } : {}),
      ...(options.lock ? { lock: options.lock } : {}),
      title: location.text + suffix,
      site: location.site,
    });
  }
  if (!isArray) return { v: name };
  if (!location.object) return { v: name, i: at ?? { e: "const", v: 0 } };
  const slot = minusOne(location.object.ptr.use());
  if (per === 1 && at === undefined) return { v: name, i: slot };
  const base: Expr = per === 1 ? slot : fold("*", slot, per);
  return { v: name, i: at === undefined ? base : { e: "bin", op: "+", a: base, b: at } };
}

function minusOne(e: Expr): Expr {
  return e.e === "const" ? { e: "const", v: e.v - 1 } : { e: "bin", op: "-", a: e, b: { e: "const", v: 1 } };
}

function fold(op: "*", a: Expr, b: number): Expr {
  return a.e === "const" ? { e: "const", v: a.v * b } : { e: "bin", op, a, b: { e: "const", v: b } };
}

export function load(c: Cell): Expr {
  return c.i === undefined ? { e: "load", v: c.v } : { e: "load", v: c.v, i: c.i };
}

export function store(c: Cell, value: Expr, site: Site): Stmt {
  return { s: "set", to: c.i === undefined ? { p: "var", v: c.v } : { p: "var", v: c.v, i: c.i }, value, site };
}

/** Gives a variable its value in the initial state, for `initially` and its like in a scenario's `start`. */
export function startWith(c: Cell, value: Expr, site: Site): void {
  const index: Expr = c.i ?? { e: "const", v: 0 };
  if (value.e !== "const" || index.e !== "const") {
    throw new ModelError("an initial value is a literal or a named object, of a global or of a named object", site);
  }
  const declared = recording().vars.get(c.v)!;
  declared.init = declared.init.map((v, i) => (i === index.v ? value.v : v));
}

/** The liveness check that precedes every access through a pointer. */
export function aliveCheck(location: Location, site: Site): Stmt[] {
  const object = location.object;
  if (!object || (object.immortal && object.ptr.use().e === "const")) return [];
  return [{ s: "deref", pool: object.pool, ptr: object.ptr.use(), what: location.text, site }];
}

/** The object a place belongs to, or NULL for a global; for messages and claims. */
export function owner(location: Location): Pointer<string> | Null {
  return location.object?.ptr ?? NULL;
}

/** A global variable or lock. */
export function global<P>(name: string, type: FieldType<P>): P {
  if (!/^[A-Za-z_][A-Za-z0-9_.]*$/.test(name)) {
    throw new ModelError(`${JSON.stringify(name)} is no C identifier`, callSite());
  }
  return type.place({ name, text: name, site: callSite() });
}
