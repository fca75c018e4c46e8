/** struct idr (lib/idr.c) with small integer ids: a table from ids to pointers. It takes no lock and counts nothing. */
import { type AccessOptions, claim, step } from "../access.ts";
import { aliveCheck, type Cell, cell, type FieldType, type Location, load, startWith, store } from "../cell.ts";
import { computed } from "../control.ts";
import { ModelError } from "../model-error.ts";
import type { Expr, Site, Stmt } from "../program.ts";
import { callSite, recording } from "../recording.ts";
import type { PointerTarget } from "../types.ts";
import { binary, constant, type Int, type Null, type Pointer, toInt, toPointer } from "../value.ts";

// biome-ignore lint/suspicious/noExplicitAny: pointers to any struct; P keeps them apart
type AnyPointer = Pointer<any>;

export class Idr<P extends AnyPointer> {
  declare readonly table: "idr";
  readonly location: Location;
  readonly target: PointerTarget<P>;
  readonly size: number;

  constructor(location: Location, target: PointerTarget<P>, size: number) {
    this.location = location;
    this.target = target;
    this.size = size;
  }
  entry(id: Expr): Cell {
    this.target.declare();
    return cell(this.location, "", { d: "ptr", pool: this.target.name, wild: false }, { length: this.size }, id);
  }
}

/** Ids 0 to size - 1, all free in the initial state (see `initially_in`). */
export function idr<P extends AnyPointer>(target: PointerTarget<P>, size: number): FieldType<Idr<P>> {
  return { place: (location) => new Idr(location, target, size) };
}

/** In a scenario's `start`: the object has this id. */
export function initially_in<P extends AnyPointer>(table: Idr<P>, id: number, object: P): void {
  const site = callSite();
  if (recording().inFunction) throw new ModelError("initially_in belongs in the start of a scenario", site);
  if (id < 0 || id >= table.size)
    throw new ModelError(`${table.location.text} has the ids 0 to ${table.size - 1}`, site);
  startWith(table.entry(constant(id)), object.use(), site);
}

function operation(
  table: Idr<AnyPointer>,
  call: string,
  site: Site,
  id: Expr,
  options: AccessOptions,
  write: boolean,
  body: readonly Stmt[],
): void {
  const entry = table.entry(id);
  step({
    call,
    site,
    checks: aliveCheck(table.location, site),
    body: [...claim(table.location, options, site), ...body],
    plain: options.under || options.race !== undefined ? [] : [{ ...entry, write }],
  });
}

/** `idr_find`: the pointer with this id, or NULL. The result is no reference: nothing keeps the object alive. */
export function idr_find<P extends AnyPointer>(table: Idr<P>, id: Int | number, options: AccessOptions = {}): P {
  const site = callSite();
  const at = computed(toInt(id), site);
  table.target.declare();
  const name = recording().local("found", { d: "ptr", pool: table.target.name, wild: false });
  const value = load(table.entry(at));
  operation(table, `idr_find(&${table.location.text})`, site, at, options, false, [
    { s: "set", to: { p: "local", name }, value, site },
  ]);
  return table.target.pointer({ e: "local", name });
}

/** Gives the object this id; `bug-on` if it is taken. */
export function idr_alloc<P extends AnyPointer>(
  table: Idr<P>,
  object: P,
  id: Int | number,
  options: AccessOptions = {},
): void {
  const site = callSite();
  const at = computed(toInt(id), site);
  const entry = table.entry(at);
  const call = `idr_alloc(&${table.location.text})`;
  operation(table, call, site, at, options, true, [
    {
      s: "if",
      c: binary("!=", load(entry), constant(0)),
      then: [{ s: "error", kind: "bug-on", message: `${call} of an id that is taken`, site }],
      else: [store(entry, object.use(), site)],
      site,
    },
  ]);
}

/** `idr_replace`: what has this id from now on, NULL included. */
export function idr_replace<P extends AnyPointer>(
  table: Idr<P>,
  object: P | Null,
  id: Int | number,
  options: AccessOptions = {},
): void {
  const site = callSite();
  const at = computed(toInt(id), site);
  operation(table, `idr_replace(&${table.location.text})`, site, at, options, true, [
    store(table.entry(at), toPointer(object), site),
  ]);
}

/** `idr_remove`: the id is free. */
export function idr_remove<P extends AnyPointer>(table: Idr<P>, id: Int | number, options: AccessOptions = {}): void {
  const site = callSite();
  const at = computed(toInt(id), site);
  operation(table, `idr_remove(&${table.location.text})`, site, at, options, true, [
    store(table.entry(at), constant(0), site),
  ]);
}
