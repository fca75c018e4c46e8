/**
 * Access to shared data. Each read and each write is a step; `x++` on plain data is a load and a store, unless the
 * model says which lock protects it: then it is one step and the claim is checked in the same search.
 */
import { aliveCheck, type Cell, cell, type FieldType, type Location, load, store } from "./cell.ts";
import { computed } from "./control.ts";
import { ModelError } from "./model-error.ts";
import type { Alternative, Domain, Expr, Site, Step, Stmt, Wait } from "./program.ts";
import { callSite, recording } from "./recording.ts";
import type { Type } from "./types.ts";
import { type Bool, binary, constant, type Int, type Value } from "./value.ts";

/** Something that can be said to protect data: a lock. */
export interface Protection {
  readonly text: string;
  /** True when the executing thread holds it. */
  heldBySelf(): Expr;
}

export interface AccessOptions {
  /** The lock that protects this access. A broken claim is a finding under `data-race`. */
  readonly under?: Protection;
  /** Why the kernel code may race here; without it an unprotected conflicting access is a finding where that is checked. */
  readonly race?: string;
}

/** A shared variable of plain data. */
export class Data<V extends Value, In> {
  readonly location: Location;
  readonly type: Type<V, In>;
  readonly initial: number;
  declare readonly access: "plain";

  constructor(location: Location, type: Type<V, In>, initial: number) {
    this.location = location;
    this.type = type;
    this.initial = initial;
  }
  cell(): Cell {
    return cell(this.location, "", this.type.domain(), { init: this.initial });
  }
  /** Its value as of now, for guards, properties and `atomically`; elsewhere use `read`. */
  get now(): V {
    return this.type.wrap(load(this.cell()));
  }
}

/** A field or global of plain data. */
export function plain<V extends Value, In>(type: Type<V, In>, options: { init?: number } = {}): FieldType<Data<V, In>> {
  return { place: (location) => new Data(location, type, options.init ?? type.zero) };
}

/** A ghost the model keeps to observe what happens; touching it is no step, and kernel code must not depend on it. */
export class Observer<V extends Value, In> {
  readonly location: Location;
  readonly type: Type<V, In>;

  constructor(location: Location, type: Type<V, In>) {
    this.location = location;
    this.type = type;
  }
  cell(): Cell {
    return cell(this.location, "", this.type.domain(), { init: this.type.zero, observer: true });
  }
  get now(): V {
    return this.type.wrap(load(this.cell()));
  }
  set(value: In): void {
    const site = callSite();
    recording().emit(store(this.cell(), computed(this.type.coerce(value), site), site));
  }
}

export function observer<V extends Value, In>(type: Type<V, In>): FieldType<Observer<V, In>> {
  return { place: (location) => new Observer(location, type) };
}

/** Reads shared data: a step; the result is a value and stays what it was. */
export function read<V extends Value, In>(data: Data<V, In>, options: AccessOptions = {}): V {
  const site = callSite();
  const r = recording();
  const c = data.cell();
  const name = r.local(localName(data.location.name), data.type.domain());
  step({
    call: data.location.text,
    site,
    checks: aliveCheck(data.location, site),
    body: [...claim(data.location, options, site), { s: "set", to: { p: "local", name }, value: load(c), site }],
    plain: access(c, options, false),
  });
  return data.type.wrap({ e: "local", name });
}

/** Writes shared data: a step. */
export function write<V extends Value, In>(data: Data<V, In>, value: In, options: AccessOptions = {}): void {
  const site = callSite();
  const c = data.cell();
  const expr = computed(data.type.coerce(value), site);
  step({
    call: `${data.location.text} = ${spellIn(data.type.domain(), expr)}`,
    site,
    checks: aliveCheck(data.location, site),
    body: [...claim(data.location, options, site), store(c, expr, site)],
    plain: access(c, options, true),
  });
}

/** `x++`, or `x += n`: one step under a lock, otherwise a load and a store. Returns the new value. */
export function inc(data: Data<Int, Int | number>, options: AccessOptions & { by?: number } = {}): Int {
  return add(data, options.by ?? 1, options, callSite());
}

/** `x--`: one step under a lock, otherwise a load and a store. Returns the new value. */
export function dec(data: Data<Int, Int | number>, options: AccessOptions & { by?: number } = {}): Int {
  return add(data, -(options.by ?? 1), options, callSite());
}

function add(data: Data<Int, Int | number>, by: number, options: AccessOptions, site: Site): Int {
  const r = recording();
  const frame = r.frame("an access");
  const text = `${data.location.text}${by === 1 ? "++" : by === -1 ? "--" : by > 0 ? ` += ${by}` : ` -= ${-by}`}`;
  if (!options.under && !frame.atomic) {
    const old = read(data, options);
    write(data, old.plus(by), options);
    return old.plus(by);
  }
  const c = data.cell();
  const name = r.local(localName(data.location.name), data.type.domain());
  step({
    call: text,
    site,
    checks: aliveCheck(data.location, site),
    body: [
      ...claim(data.location, options, site),
      store(c, binary("+", load(c), constant(by)), site),
      { s: "set", to: { p: "local", name }, value: load(c), site },
    ],
    plain: [],
  });
  return data.type.wrap({ e: "local", name });
}

function access(c: Cell, options: AccessOptions, isWrite: boolean): NonNullable<Step["plain"]> {
  if (options.under || options.race !== undefined) return [];
  return [{ ...c, write: isWrite }];
}

/** The statement that checks a protection claim. */
export function claim(location: Location, options: AccessOptions, site: Site): Stmt[] {
  if (!options.under) return [];
  return [
    {
      s: "if",
      c: options.under.heldBySelf(),
      then: [],
      else: [
        {
          s: "finding",
          kind: "data-race",
          message: `${location.text} is said to be protected by ${options.under.text}, which is not held here`,
          site,
        },
      ],
      site,
    },
  ];
}

/** Several accesses as one step; nothing inside may block. */
export function atomically(call: string, body: () => void): void {
  const site = callSite();
  const r = recording();
  const frame = r.frame("atomically");
  if (frame.atomic) throw new ModelError("atomically inside atomically: the outer one already is a single step", site);
  frame.atomic = true;
  let block: Stmt[];
  try {
    block = r.block(body, site);
  } finally {
    frame.atomic = false;
  }
  r.emit({ s: "step", call, site, checks: [], alternatives: [{ body: block }] });
}

/** A step that touches nothing and is there for granularity. */
export function pause(call: string): void {
  step({ call, site: callSite(), checks: [], body: [], plain: [] });
}

export interface WaitOptions {
  /** While this holds, waiting here is legitimate. */
  readonly resting?: () => Bool;
  /** The thread that is to blame while it waits. */
  readonly holder?: () => Expr;
}

/** Blocks until the condition on shared state holds; taking the step changes nothing. */
export function wait_until(call: string, condition: () => Bool, options: WaitOptions = {}): void {
  const site = callSite();
  recording().emit({
    s: "step",
    call,
    site,
    checks: [],
    alternatives: [{ when: condition().use(), body: [] }],
    wait: waitFor(call, options),
  });
}

export function waitFor(on: string, options: WaitOptions): Wait {
  return {
    on,
    ...(options.holder ? { holder: options.holder() } : {}),
    ...(options.resting ? { resting: options.resting().use() } : {}),
  };
}

/** A step that never blocks; inside `atomically` it becomes part of the surrounding step. */
export function step(s: {
  call: string;
  site: Site;
  checks: readonly Stmt[];
  body: readonly Stmt[];
  plain?: NonNullable<Step["plain"]>;
}): void {
  const r = recording();
  if (r.frame("a step").atomic) {
    for (const stmt of [...s.checks, ...s.body]) r.emit(stmt);
    return;
  }
  const alternatives: Alternative[] = [{ body: s.body }];
  r.emit({
    s: "step",
    call: s.call,
    site: s.site,
    checks: s.checks,
    alternatives,
    ...(s.plain && s.plain.length > 0 ? { plain: s.plain } : {}),
  });
}

/** A local's name from a variable's: the field without its struct. */
export function localName(name: string): string {
  return name.slice(name.lastIndexOf(".") + 1);
}

/** An expression of a domain as C: labels instead of their indices, NULL instead of 0. */
function spellIn(domain: Domain, expr: Expr): string {
  if (expr.e === "const") {
    if (domain.d === "enum") return domain.labels[expr.v] ?? String(expr.v);
    if (domain.d === "ptr" && expr.v === 0) return "NULL";
  }
  return spell(expr);
}

/** An expression as C, for the text of a step. */
export function spell(expr: Expr): string {
  switch (expr.e) {
    case "const":
      return String(expr.v);
    case "local":
      return expr.name;
    case "self":
      return "current";
    case "load":
      return recording().vars.get(expr.v)?.title ?? expr.v;
    case "not":
      return `!${spell(expr.a)}`;
    case "neg":
      return `-${spell(expr.a)}`;
    case "bin":
      return `${spell(expr.a)} ${expr.op} ${spell(expr.b)}`;
    default:
      return "…";
  }
}
