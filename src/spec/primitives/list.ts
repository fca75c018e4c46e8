/**
 * struct list_head (include/linux/list.h) as a bounded list of pointers. Being on the list is no reference: an object
 * that is freed while it is on the list stays there, and who touches it through the list finds `use-after-free`.
 *
 * Every operation is one step; inside `atomically` part of the surrounding one. A list is plain data: operations take
 * the `under` and `race` of reads and writes.
 */
import { type AccessOptions, claim, step } from "../access.ts";
import { aliveCheck, type Cell, cell, type FieldType, type Location, load, startWith, store } from "../cell.ts";
import { While } from "../control.ts";
import { ModelError } from "../model-error.ts";
import type { Domain, ErrorKind, Expr, Site, Step, Stmt } from "../program.ts";
import { callSite, recording } from "../recording.ts";
import type { PointerTarget } from "../types.ts";
import { Bool, binary, constant, Int, type Pointer } from "../value.ts";

// biome-ignore lint/suspicious/noExplicitAny: pointers to any struct; P keeps them apart
type AnyPointer = Pointer<any>;

export class List<P extends AnyPointer> {
  declare readonly list: "list_head";
  readonly location: Location;
  readonly #target: PointerTarget<P> | (() => PointerTarget<P>);

  constructor(location: Location, target: PointerTarget<P> | (() => PointerTarget<P>)) {
    this.location = location;
    this.#target = target;
  }
  get text(): string {
    return this.location.text;
  }
  get target(): PointerTarget<P> {
    return typeof this.#target === "function" ? this.#target() : this.#target;
  }
  get pool(): string {
    return this.target.name;
  }
  /** As many entries as there are objects. */
  get size(): number {
    const { target } = this;
    target.declare();
    return recording().pools.get(target.name)!.slots;
  }
  /** The i-th entry, NULL beyond the end. */
  entry(i: number): Cell {
    const domain: Domain = { d: "ptr", pool: this.pool, wild: false };
    return cell(this.location, "", domain, { length: this.size }, constant(i));
  }
  entries(): Expr[] {
    return Array.from({ length: this.size }, (_, i) => load(this.entry(i)));
  }
  /** Nothing is on it, as of now: for guards, properties and `atomically`, like the following. */
  get empty(): Bool {
    return new Bool(binary("==", load(this.entry(0)), constant(0)));
  }
  /** The first entry or NULL. */
  get first(): P {
    return this.target.pointer(load(this.entry(0)));
  }
  has(p: P): Bool {
    return new Bool(binary("&&", binary("!=", p.use(), constant(0)), contains(this, p.use())), [p]);
  }
  get length(): Int {
    return new Int(
      this.entries()
        .map((e): Expr => binary("!=", e, constant(0)))
        .reduce((a, b) => binary("+", a, b)),
    );
  }
}

/** A list of pointers to a struct, empty in the initial state. */
export function list_head<P extends AnyPointer>(
  target: PointerTarget<P> | (() => PointerTarget<P>),
): FieldType<List<P>> {
  return { place: (location) => new List(location, target) };
}

/** In a scenario's `start`: these objects are on the list, in this order. */
export function initially_listed<P extends AnyPointer>(l: List<P>, ...objects: readonly P[]): void {
  const site = callSite();
  if (recording().inFunction) throw new ModelError("initially_listed belongs in the start of a scenario", site);
  objects.forEach((p, i) => {
    const e = p.use();
    const before = objects.slice(0, i).some((other) => same(other.use(), e));
    if (before) throw new ModelError(`${l.text} starts with an object that is on it twice`, site);
    startWith(l.entry(i), e, site);
  });
}

function same(a: Expr, b: Expr): boolean {
  return a.e === "const" && b.e === "const" && a.v === b.v;
}

function contains(l: List<AnyPointer>, p: Expr): Expr {
  return l
    .entries()
    .map((e): Expr => binary("==", e, p))
    .reduce((a, b) => binary("||", a, b));
}

/** Touching an entry because its neighbour is linked or unlinked. */
function touch(l: List<AnyPointer>, e: Expr, site: Site): Stmt {
  const deref: Stmt = { s: "deref", pool: l.pool, ptr: e, what: `an entry of ${l.text}`, site };
  return { s: "if", c: binary("!=", e, constant(0)), then: [deref], else: [], site };
}

function fail(kind: ErrorKind, message: string, site: Site): Stmt {
  return { s: "error", kind, message, site };
}

function operation(
  l: List<AnyPointer>,
  call: string,
  site: Site,
  options: AccessOptions,
  write: boolean,
  checks: readonly Stmt[],
  body: readonly Stmt[],
): void {
  const plain: NonNullable<Step["plain"]> =
    options.under || options.race !== undefined ? [] : [{ ...l.entry(0), i: l.entry(0).i ?? constant(0), write }];
  step({
    call,
    site,
    checks: [...aliveCheck(l.location, site), ...checks],
    body: [...claim(l.location, options, site), ...body],
    plain,
  });
}

/** At the head. `bug-on` if it is on this list already. */
export function list_add<P extends AnyPointer>(p: P, l: List<P>, options: AccessOptions = {}): void {
  insert(p, l, "list_add", options, callSite());
}

/** At the tail. `bug-on` if it is on this list already. */
export function list_add_tail<P extends AnyPointer>(p: P, l: List<P>, options: AccessOptions = {}): void {
  insert(p, l, "list_add_tail", options, callSite());
}

function insert<P extends AnyPointer>(
  p: P,
  l: List<P>,
  name: "list_add" | "list_add_tail",
  options: AccessOptions,
  site: Site,
): void {
  const call = `${name}(${p.pool}, &${l.text})`;
  const ptr = p.use();
  const { size } = l;
  const e = l.entries();
  let neighbour: Stmt[];
  let body: Stmt[];
  if (name === "list_add") {
    neighbour = [touch(l, e[0]!, site)];
    const moved = e.slice(0, -1).map((from, i) => store(l.entry(i + 1), from, site));
    body = [...moved.reverse(), store(l.entry(0), ptr, site)];
  } else {
    neighbour = e.map((entry, i): Stmt => {
      const isLast = i + 1 < size ? binary("==", e[i + 1]!, constant(0)) : constant(1);
      return { s: "if", c: isLast, then: [touch(l, entry, site)], else: [], site };
    });
    // No object is on it twice and there is a place for each, so the last place is free when it comes to that.
    const at = (i: number): Stmt[] => {
      const put = store(l.entry(i), ptr, site);
      return i === size - 1
        ? [put]
        : [{ s: "if", c: binary("==", e[i]!, constant(0)), then: [put], else: at(i + 1), site }];
    };
    body = at(0);
  }
  const twice: Stmt = {
    s: "if",
    c: contains(l, ptr),
    then: [fail("bug-on", `${call} of an entry that is on the list already`, site)],
    else: [],
    site,
  };
  const own: Stmt = { s: "deref", pool: l.pool, ptr, what: `${p.pool} in ${call}`, site };
  operation(l, call, site, options, true, [own, ...neighbour], [twice, ...body]);
}

/** Off the list. `wild-access` if it is not on it: list_del leaves poison in an entry's pointers. */
export function list_del<P extends AnyPointer>(p: P, l: List<P>, options: AccessOptions = {}): void {
  remove(p, l, "list_del", options, callSite());
}

/** Off the list, and fit to be taken off again: does nothing if it is not on it. */
export function list_del_init<P extends AnyPointer>(p: P, l: List<P>, options: AccessOptions = {}): void {
  remove(p, l, "list_del_init", options, callSite());
}

function remove<P extends AnyPointer>(
  p: P,
  l: List<P>,
  name: "list_del" | "list_del_init",
  options: AccessOptions,
  site: Site,
): void {
  const call = `${name}(${p.pool}, &${l.text})`;
  const ptr = p.use();
  const { size } = l;
  const e = l.entries();
  const at = (i: number): Expr => binary("==", e[i]!, ptr);
  const absent =
    name === "list_del" ? [fail("wild-access", `${call} of an entry that is not on the list: poison`, site)] : [];
  const own: Stmt = { s: "deref", pool: l.pool, ptr, what: `${p.pool} in ${call}`, site };
  const neighbours = e.map((_, i): Stmt => {
    const beside = [e[i - 1], e[i + 1]].filter((x) => x !== undefined).map((x) => touch(l, x, site));
    return { s: "if", c: at(i), then: beside, else: [], site };
  });
  const from = (i: number): Stmt[] => {
    if (i === size) return absent;
    const moved = e.slice(i).map((_, k) => store(l.entry(i + k), e[i + k + 1] ?? constant(0), site));
    return [{ s: "if", c: at(i), then: moved, else: from(i + 1), site }];
  };
  operation(l, call, site, options, true, [own, ...neighbours], from(0));
}

export function list_empty<P extends AnyPointer>(l: List<P>, options: AccessOptions = {}): Bool {
  return look(l, `list_empty(&${l.text})`, binary("==", load(l.entry(0)), constant(0)), options, callSite());
}

/** `!list_empty(&p->entry)`: whether p is on the list. */
export function on_list<P extends AnyPointer>(p: P, l: List<P>, options: AccessOptions = {}): Bool {
  const site = callSite();
  const own: Stmt = { s: "deref", pool: l.pool, ptr: p.use(), what: `${p.pool} in list_empty`, site };
  return look(l, `!list_empty(&${p.pool}'s entry in ${l.text})`, contains(l, p.use()), options, site, [own]);
}

function look(
  l: List<AnyPointer>,
  call: string,
  value: Expr,
  options: AccessOptions,
  site: Site,
  checks: readonly Stmt[] = [],
): Bool {
  const name = recording().local("listed", { d: "bool" });
  operation(l, call, site, options, false, checks, [{ s: "set", to: { p: "local", name }, value, site }]);
  return new Bool({ e: "local", name });
}

function wildOr(l: List<AnyPointer>, e: Expr): Expr {
  return { e: "ite", c: binary("==", e, constant(0)), a: constant(l.size + 1), b: e };
}

function pointerLocal<P extends AnyPointer>(l: List<P>, wild: boolean): string {
  return recording().local("pos", { d: "ptr", pool: l.pool, wild });
}

function assign(name: string, value: Expr, site: Site): Stmt {
  return { s: "set", to: { p: "local", name }, value, site };
}

/** The first entry; of an empty list a wild pointer (the head itself, taken for an entry). */
export function list_first_entry<P extends AnyPointer>(l: List<P>, options: AccessOptions = {}): P {
  const site = callSite();
  const name = pointerLocal(l, true);
  const value = wildOr(l, load(l.entry(0)));
  operation(l, `list_first_entry(&${l.text})`, site, options, false, [], [assign(name, value, site)]);
  return l.target.pointer({ e: "local", name });
}

/** The first entry, or NULL. */
export function list_first_entry_or_null<P extends AnyPointer>(l: List<P>, options: AccessOptions = {}): P {
  const site = callSite();
  const name = pointerLocal(l, false);
  const call = `list_first_entry_or_null(&${l.text})`;
  operation(l, call, site, options, false, [], [assign(name, load(l.entry(0)), site)]);
  return l.target.pointer({ e: "local", name });
}

/**
 * The loop. Each advance reads the next pointer out of the current entry: `use-after-free` if that has been freed,
 * `wild-access` if it has been taken off the list. The result is the cursor after the loop: where a Break left it, or
 * after a complete walk a wild pointer (the head, taken for an entry), which is `wild-access` to touch.
 */
export function list_for_each_entry<P extends AnyPointer>(
  l: List<P>,
  body: (pos: P) => void,
  options: AccessOptions = {},
): P {
  return walk(l, body, false, options, callSite());
}

/** As `list_for_each_entry`, but the next entry is remembered before the body, which may take the current one off. */
export function list_for_each_entry_safe<P extends AnyPointer>(
  l: List<P>,
  body: (pos: P) => void,
  options: AccessOptions = {},
): P {
  return walk(l, body, true, options, callSite());
}

function walk<P extends AnyPointer>(
  l: List<P>,
  body: (pos: P) => void,
  safe: boolean,
  options: AccessOptions,
  site: Site,
): P {
  const call = `list_for_each_entry${safe ? "_safe" : ""}(${l.text})`;
  const pos = pointerLocal(l, true);
  const end = constant(l.size + 1);
  const more = (): Bool => new Bool(binary("!=", { e: "local", name: pos }, end));
  operation(l, call, site, options, false, [], [assign(pos, wildOr(l, load(l.entry(0))), site)]);
  if (!safe) {
    While(
      () => more(),
      () => {
        body(l.target.pointer({ e: "local", name: pos }));
        next(l, call, pos, pos, options, site);
      },
    );
  } else {
    const following = pointerLocal(l, true);
    While(
      () => more(),
      () => {
        next(l, call, pos, following, options, site);
        body(l.target.pointer({ e: "local", name: pos }));
        recording().emit(assign(pos, { e: "local", name: following }, site));
      },
    );
  }
  return l.target.pointer({ e: "local", name: pos });
}

/** `into = list_next_entry(of)` */
function next(l: List<AnyPointer>, call: string, of: string, into: string, options: AccessOptions, site: Site): void {
  const ptr: Expr = { e: "local", name: of };
  const e = l.entries();
  const from = (i: number): Stmt[] => {
    if (i === l.size)
      return [fail("wild-access", `${call} goes on from an entry that is not on the list: poison`, site)];
    const found = assign(into, wildOr(l, e[i + 1] ?? constant(0)), site);
    return [{ s: "if", c: binary("==", e[i]!, ptr), then: [found], else: from(i + 1), site }];
  };
  const own: Stmt = { s: "deref", pool: l.pool, ptr, what: `the next pointer of an entry of ${l.text}`, site };
  operation(l, `${call}: next`, site, options, false, [own], from(0));
}
