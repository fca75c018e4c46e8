/** Allocation and release of objects. */
import { localName, step } from "../access.ts";
import type { FieldType } from "../cell.ts";
import { ModelError } from "../model-error.ts";
import type { Site, Stmt } from "../program.ts";
import { callSite, recording } from "../recording.ts";
import { pool, type Struct, type StructPointer } from "../struct.ts";
import { binary, constant, type Pointer } from "../value.ts";

type Fields = Readonly<Record<string, FieldType<unknown>>>;

export interface AllocOptions {
  /** Also explore that it fails and returns NULL, as an optional move of the environment. */
  readonly mayFail?: boolean;
  /** The C text of the call; by default `kzalloc(struct NAME)`. */
  readonly call?: string;
}

/** `kzalloc`, `kmem_cache_alloc`: a step; the pointer to a new object, or NULL where it may fail and does. */
export function alloc<const N extends string, const F extends Fields>(
  s: Struct<N, F>,
  options: AllocOptions = {},
): StructPointer<N, F> {
  const site = callSite();
  const r = recording();
  pool(s.name, s.options, site);
  const name = r.local(s.options.as, { d: "ptr", pool: s.name, wild: false });
  const call = options.call ?? `kzalloc(struct ${s.name})`;
  const take: Stmt[] = [
    { s: "alloc", pool: s.name, into: { p: "local", name }, site },
    { s: "mark", name: "alloc", site },
  ];
  if (r.frame("alloc").atomic) {
    if (options.mayFail)
      throw new ModelError("an allocation that may fail is a step of its own: take it out of atomically(…)", site);
    for (const stmt of take) r.emit(stmt);
  } else {
    r.emit({
      s: "step",
      call,
      site,
      checks: [],
      alternatives: [
        { body: take },
        ...(options.mayFail
          ? [
              {
                body: [
                  { s: "set", to: { p: "local", name }, value: constant(0), site },
                  { s: "mark", name: "no-memory", site },
                ] as Stmt[],
                optional: true,
                name: "fails",
              },
            ]
          : []),
      ],
    });
  }
  return s.pointer({ e: "local", name });
}

/** `kfree`: a step. Freeing a dead object is `double-free`. kfree(NULL) does nothing. */
export function kfree(p: Pointer<string>): void {
  const site = callSite();
  const what = p.pool;
  step({
    call: `kfree(${localName(what)})`,
    site,
    checks: [],
    body: [
      {
        s: "if",
        c: { e: "bin", op: "!=", a: p.use(), b: constant(0) },
        then: [
          { s: "mark", name: "free", site },
          { s: "free", pool: p.pool, ptr: p.use(), what, site },
          { s: "if", c: constant(1), then: forget(p, site), else: [], site },
        ],
        else: [],
        site,
      },
    ],
  });
}

/**
 * A freed object's fields go back to their declared values: nobody may look at them, and the next object in the slot
 * finds them fresh. With slab reuse they stay, because there the constructor ran only once.
 */
function forget(p: Pointer<string>, site: Site): Stmt[] {
  const r = recording();
  const ptr = p.use();
  return r.deferStatements(() => {
    const { slots, reuse } = r.pools.get(p.pool)!;
    if (reuse) return [];
    return [...r.vars.values()]
      .filter((v) => v.name.startsWith(`${p.pool}.`))
      .flatMap((v): Stmt[] => {
        const per = v.init.length / slots;
        return Array.from({ length: per }, (_, k): Stmt => {
          const first = binary("*", binary("-", ptr, constant(1)), constant(per));
          return {
            s: "set",
            to: { p: "var", v: v.name, i: binary("+", first, constant(k)) },
            value: constant(r.fresh.get(v.name) ?? 0),
            site,
          };
        });
      });
  });
}
