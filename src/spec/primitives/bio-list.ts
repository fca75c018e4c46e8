/**
 * struct bio_list (drivers/md/dm-bio-list.h, include/linux/bio.h): a head, a tail, and a `bi_next` in each bio. It has
 * no lock of its own. An operation is one step inside `atomically` and with `under`; otherwise it is the reads and the
 * writes apart, and what two of them do to each other is what the pointers then say: a bio can get lost.
 */
import { type AccessOptions, claim, step } from "../access.ts";
import { aliveCheck, type Cell, cell, type FieldType, type Location, load, startWith, store } from "../cell.ts";
import { While } from "../control.ts";
import { ModelError } from "../model-error.ts";
import type { Domain, Expr, Site, Step, Stmt } from "../program.ts";
import { callSite, recording } from "../recording.ts";
import type { PointerTarget } from "../types.ts";
import { Bool, binary, constant, type Pointer } from "../value.ts";

// biome-ignore lint/suspicious/noExplicitAny: pointers to any struct; P keeps them apart
type AnyPointer = Pointer<any>;
type Target<P extends AnyPointer> = PointerTarget<P> | (() => PointerTarget<P>);

export class BioList<P extends AnyPointer> {
  declare readonly list: "bio_list";
  readonly location: Location;
  readonly #target: Target<P>;

  constructor(location: Location, target: Target<P>) {
    this.location = location;
    this.#target = target;
  }
  get text(): string {
    return this.location.text;
  }
  get target(): PointerTarget<P> {
    return typeof this.#target === "function" ? this.#target() : this.#target;
  }
  get domain(): Domain {
    this.target.declare();
    return { d: "ptr", pool: this.target.name, wild: false };
  }
  head(): Cell {
    return cell(this.location, ".head", this.domain);
  }
  tail(): Cell {
    return cell(this.location, ".tail", this.domain);
  }
  /** `bio->bi_next` */
  next(bio: Expr): Cell {
    return nextOf(this.target, bio);
  }
  /** Nothing is on it, as of now: for guards, properties and `atomically`, like the following. */
  get empty(): Bool {
    return new Bool(binary("==", load(this.head()), constant(0)));
  }
  get first(): P {
    return this.target.pointer(load(this.head()));
  }
  /** The bio can be reached from the head. */
  has(bio: P): Bool {
    this.target.declare();
    const { slots } = recording().pools.get(this.target.name)!;
    const ptr = bio.use();
    let at = load(this.head());
    let found: Expr = binary("==", at, ptr);
    for (let i = 1; i < slots; i++) {
      at = load(this.next(at));
      found = binary("||", found, binary("==", at, ptr));
    }
    return new Bool(binary("&&", binary("!=", ptr, constant(0)), found), [bio]);
  }
}

/** A list of bios, empty in the initial state. A bio can be on one bio_list at a time. */
export function bio_list<P extends AnyPointer>(target: Target<P>): FieldType<BioList<P>> {
  return { place: (location) => new BioList(location, target) };
}

/** In a scenario's `start`: these bios are on the list, in this order. */
export function initially_queued<P extends AnyPointer>(l: BioList<P>, ...bios: readonly P[]): void {
  const site = callSite();
  if (recording().inFunction) throw new ModelError("initially_queued belongs in the start of a scenario", site);
  if (bios.length === 0) return;
  bios.forEach((bio, i) => {
    startWith(i === 0 ? l.head() : l.next(bios[i - 1]!.use()), bio.use(), site);
  });
  startWith(l.tail(), bios.at(-1)!.use(), site);
}

const builtIn: Site = { file: "lockstep", line: 1, column: 1 };

function nextOf(target: PointerTarget<AnyPointer>, bio: Expr): Cell {
  target.declare();
  const { slots } = recording().pools.get(target.name)!;
  const location: Location = {
    name: `${target.name}.bi_next`,
    text: "bio->bi_next",
    object: { pool: target.name, slots, ptr: target.pointer(bio), immortal: false },
    site: builtIn,
  };
  return cell(location, "", { d: "ptr", pool: target.name, wild: false });
}

/** Is the operation one step? */
function whole(options: AccessOptions): boolean {
  return options.under !== undefined || recording().frame("a bio_list").atomic;
}

/** Steps that touch the list's memory. */
function steps(l: BioList<AnyPointer>, call: string, site: Site, options: AccessOptions) {
  const plain = (write: boolean): NonNullable<Step["plain"]> =>
    options.under || options.race !== undefined ? [] : [{ ...l.tail(), write }];
  return (what: string, write: boolean, body: readonly Stmt[], checks: readonly Stmt[] = []): void =>
    step({
      call: what === "" ? call : `${call}: ${what}`,
      site,
      checks: [...aliveCheck(l.location, site), ...checks],
      body: [...claim(l.location, options, site), ...body],
      plain: plain(write),
    });
}

function local(
  l: BioList<AnyPointer>,
  name: string,
): { name: string; value: Expr; set: (e: Expr, site: Site) => Stmt } {
  const unique = recording().local(name, l.domain);
  return {
    name: unique,
    value: { e: "local", name: unique },
    set: (value, site) => ({ s: "set", to: { p: "local", name: unique }, value, site }),
  };
}

function isNull(e: Expr): Expr {
  return binary("==", e, constant(0));
}

function alive(l: BioList<AnyPointer>, ptr: Expr, what: string, site: Site): Stmt {
  return { s: "deref", pool: l.target.name, ptr, what, site };
}

function when(c: Expr, then: readonly Stmt[], otherwise: readonly Stmt[], site: Site): Stmt {
  return { s: "if", c, then, else: otherwise, site };
}

/** Empty, whatever was on it. */
export function bio_list_init<P extends AnyPointer>(l: BioList<P>, options: AccessOptions = {}): void {
  const site = callSite();
  const emit = steps(l, `bio_list_init(&${l.text})`, site, options);
  const head = store(l.head(), constant(0), site);
  const tail = store(l.tail(), constant(0), site);
  if (whole(options)) emit("", true, [head, tail]);
  else {
    emit("head", true, [head]);
    emit("tail", true, [tail]);
  }
}

/** At the tail. */
export function bio_list_add<P extends AnyPointer>(l: BioList<P>, bio: P, options: AccessOptions = {}): void {
  const site = callSite();
  const emit = steps(l, `bio_list_add(&${l.text}, bio)`, site, options);
  const ptr = bio.use();
  const own = alive(l, ptr, "bio->bi_next", site);
  const end = store(l.next(ptr), constant(0), site);
  const link = (tail: Expr): Stmt[] => [
    when(
      isNull(tail),
      [store(l.head(), ptr, site)],
      [alive(l, tail, "tail->bi_next", site), store(l.next(tail), ptr, site)],
      site,
    ),
    store(l.tail(), ptr, site),
  ];
  if (whole(options)) {
    emit("", true, [end, ...link(load(l.tail()))], [own]);
    return;
  }
  const tail = local(l, "tail");
  emit("read the tail", false, [end, tail.set(load(l.tail()), site)], [own]);
  emit("write the tail", true, link(tail.value), [own]);
}

/** The first bio, taken off, or NULL. */
export function bio_list_pop<P extends AnyPointer>(l: BioList<P>, options: AccessOptions = {}): P {
  const site = callSite();
  const emit = steps(l, `bio_list_pop(&${l.text})`, site, options);
  const bio = local(l, "bio");
  const take: Stmt = when(
    isNull(bio.value),
    [],
    [
      alive(l, bio.value, "bio->bi_next", site),
      store(l.head(), load(l.next(bio.value)), site),
      when(isNull(load(l.head())), [store(l.tail(), constant(0), site)], [], site),
      store(l.next(bio.value), constant(0), site),
    ],
    site,
  );
  if (whole(options)) emit("", true, [bio.set(load(l.head()), site), take]);
  else {
    emit("read the head", false, [bio.set(load(l.head()), site)]);
    emit("write the head", true, [take]);
  }
  return l.target.pointer(bio.value);
}

/** All of them: the first of a chain by `bi_next` (see for_each_bio), or NULL; the list is empty afterwards. */
export function bio_list_get<P extends AnyPointer>(l: BioList<P>, options: AccessOptions = {}): P {
  const site = callSite();
  const emit = steps(l, `bio_list_get(&${l.text})`, site, options);
  const bio = local(l, "bio");
  const take = bio.set(load(l.head()), site);
  const clear = [store(l.head(), constant(0), site), store(l.tail(), constant(0), site)];
  if (whole(options)) emit("", true, [take, ...clear]);
  else {
    emit("read the head", false, [take]);
    emit("empty the list", true, clear);
  }
  return l.target.pointer(bio.value);
}

/** The bios of `other` behind those of `l`. `other` is left as it is: initialise it if it is used again. */
export function bio_list_merge<P extends AnyPointer>(
  l: BioList<P>,
  other: BioList<P>,
  options: AccessOptions = {},
): void {
  const site = callSite();
  const emit = steps(l, `bio_list_merge(&${l.text}, &${other.text})`, site, options);
  const first = load(other.head());
  const link = (tail: Expr): Stmt =>
    when(
      isNull(first),
      [],
      [
        when(
          isNull(tail),
          [store(l.head(), first, site)],
          [alive(l, tail, "tail->bi_next", site), store(l.next(tail), first, site)],
          site,
        ),
        store(l.tail(), load(other.tail()), site),
      ],
      site,
    );
  const checks = aliveCheck(other.location, site);
  if (whole(options)) {
    emit("", true, [link(load(l.tail()))], checks);
    return;
  }
  const tail = local(l, "tail");
  emit("read the tail", false, [tail.set(load(l.tail()), site)], checks);
  emit("write the tail", true, [link(tail.value)], checks);
}

/** The bios of `other` before those of `l`. `other` is left as it is: initialise it if it is used again. */
export function bio_list_merge_head<P extends AnyPointer>(
  l: BioList<P>,
  other: BioList<P>,
  options: AccessOptions = {},
): void {
  const site = callSite();
  const emit = steps(l, `bio_list_merge_head(&${l.text}, &${other.text})`, site, options);
  const last = load(other.tail());
  const link = (head: Expr): Stmt =>
    when(
      isNull(load(other.head())),
      [],
      [
        when(
          isNull(head),
          [store(l.tail(), last, site)],
          [alive(l, last, "tail->bi_next", site), store(l.next(last), head, site)],
          site,
        ),
        store(l.head(), load(other.head()), site),
      ],
      site,
    );
  const checks = aliveCheck(other.location, site);
  if (whole(options)) {
    emit("", true, [link(load(l.head()))], checks);
    return;
  }
  const head = local(l, "head");
  emit("read the head", false, [head.set(load(l.head()), site)], checks);
  emit("write the head", true, [link(head.value)], checks);
}

export function bio_list_empty<P extends AnyPointer>(l: BioList<P>, options: AccessOptions = {}): Bool {
  const site = callSite();
  const name = recording().local("empty", { d: "bool" });
  const emit = steps(l, `bio_list_empty(&${l.text})`, site, options);
  emit("", false, [{ s: "set", to: { p: "local", name }, value: isNull(load(l.head())), site }]);
  return new Bool({ e: "local", name });
}

/**
 * `while (bio) { n = bio->bi_next; bio->bi_next = NULL; … bio = n; }` over a chain that `bio_list_get` returned. Each
 * turn begins with one step, which unlinks the bio; its body owns the bio and may free it or add it to a list.
 */
export function for_each_bio<P extends AnyPointer>(l: BioList<P>, chain: P, body: (bio: P) => void): void {
  const site = callSite();
  const bio = local(l, "bio");
  const following = local(l, "n");
  recording().emit(bio.set(chain.use(), site));
  While(
    () => new Bool({ e: "not", a: isNull(bio.value) }),
    () => {
      step({
        call: "bio->bi_next = NULL",
        site,
        checks: [alive(l, bio.value, "bio->bi_next", site)],
        body: [following.set(load(l.next(bio.value)), site), store(l.next(bio.value), constant(0), site)],
      });
      body(l.target.pointer(bio.value));
      recording().emit(bio.set(following.value, site));
    },
  );
}
