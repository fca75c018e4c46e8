/** Structs: pools of objects with fields, pointers to them, allocation and release. */
import type { FieldType, Location } from "./cell.ts";
import { ModelError } from "./model-error.ts";
import type { Expr, Site } from "./program.ts";
import { callSite, recording } from "./recording.ts";
import { type Bound, bound, type PointerTarget } from "./types.ts";
import { type Mutable, Pointer } from "./value.ts";

type Fields = Readonly<Record<string, FieldType<unknown>>>;
type PlaceOf<T> = T extends FieldType<infer P> ? P : never;

/** A pointer to a struct with fields F: the fields are properties, as in `lo.lo_refcnt`. */
export type StructPointer<Name extends string, F extends Fields> = Pointer<Name> & {
  readonly [K in keyof F]: PlaceOf<F[K]>;
};

export interface StructOptions {
  /** How many objects may exist at once. Running out is a model error that says so. */
  readonly slots: Bound;
  /** The name a pointer has in C text, e.g. `lo`. */
  readonly as: string;
  /** Never freed: accesses through its named objects need no liveness check. */
  readonly immortal?: boolean;
  /**
   * The slab-reuse switch: a freed slot may be handed out again although pointers to it remain, and its fields keep
   * their values. Evaluated while recording.
   */
  readonly reuse?: () => boolean;
}

export interface Struct<Name extends string, F extends Fields> extends PointerTarget<StructPointer<Name, F>> {
  readonly name: Name;
  readonly options: StructOptions;
  /** An object that exists in the initial state; the same name is the same object. */
  object(name: string): StructPointer<Name, F>;
}

/** Declares a struct. The field names are C's; `eq`, `ne`, `use` and `pool` are taken. */
export function struct<const Name extends string, const F extends Fields>(
  name: Name,
  options: StructOptions,
  fields: F,
): Struct<Name, F> {
  const site = callSite();
  for (const field of Object.keys(fields)) {
    if (field in Pointer.prototype || field === "pool") {
      throw new ModelError(`a field of ${name} cannot be called ${field}: pointers have a member of that name`, site);
    }
  }
  const pointer = (expr: Expr | (() => Expr), mutable?: Mutable): StructPointer<Name, F> => {
    const p = new Pointer<Name>(name, expr, [], mutable);
    for (const [field, type] of Object.entries(fields)) {
      Object.defineProperty(p, field, {
        enumerable: true,
        get: () => type.place(fieldLocation(name, field, p, `${options.as}->${field}`, options, site)),
      });
    }
    return p as StructPointer<Name, F>;
  };
  return {
    name,
    options,
    pointer,
    declare: () => {
      pool(name, options, site);
    },
    object: (objectName) =>
      pointer(() => {
        const { slots } = pool(name, options, site);
        const objects = objectSlots(name);
        let slot = objects.get(objectName);
        if (slot === undefined) {
          slot = objects.size + 1;
          if (slot > slots) {
            throw new ModelError(
              `${name} has ${slots} slots, too few for the object ${objectName}; raise its size`,
              site,
            );
          }
          objects.set(objectName, slot);
          const declared = recording().pools.get(name)!;
          declared.alive = declared.alive.map((alive, i) => (i + 1 === slot ? 1 : alive));
        }
        return { e: "const", v: slot };
      }),
  };
}

function objectSlots(name: string): Map<string, number> {
  const key = `objects of ${name}`;
  const facts = recording().facts;
  let slots = facts.get(key) as Map<string, number> | undefined;
  if (!slots) {
    slots = new Map();
    facts.set(key, slots);
  }
  return slots;
}

/** Declares the pool in the recording, once. */
export function pool(name: string, options: StructOptions, site: Site): { slots: number } {
  const r = recording();
  let p = r.pools.get(name);
  if (!p) {
    const slots = bound(options.slots);
    p = { name, slots, reuse: options.reuse?.() ?? false, alive: new Array<number>(slots).fill(0), site };
    r.pools.set(name, p);
  }
  return p;
}

function fieldLocation(
  name: string,
  field: string,
  p: Pointer<string>,
  text: string,
  options: StructOptions,
  site: Site,
): Location {
  return {
    name: `${name}.${field}`,
    text,
    site,
    get object() {
      return { pool: name, slots: pool(name, options, site).slots, ptr: p, immortal: options.immortal ?? false };
    },
  };
}
