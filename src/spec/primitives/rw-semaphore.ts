/**
 * struct rw_semaphore (lib/rwsem.c, lib/rwsem-spinlock.c of 2.6): many readers or one writer, first come first served,
 * without an owner.
 *
 * `down_read` succeeds at once only if no writer holds it and nobody waits; whoever does not succeed joins a FIFO list.
 * The last `up_read` hands the semaphore to the writer at the head of the list, `up_write` to the writer at the head or
 * to all readers up to the first writer. Nothing is recorded of who holds it, so any task may release it.
 *
 * With the switch `rwsem = unfair` there is no list: a reader gets in while no writer holds it, whoever waits.
 */
import type { Protection, WaitOptions } from "../access.ts";
import { step } from "../access.ts";
import { aliveCheck, type Cell, cell, type FieldType, type Location, load, store } from "../cell.ts";
import type { Expr, Site, Stmt } from "../program.ts";
import { callSite, recording } from "../recording.ts";
import { type Bound, bound } from "../types.ts";
import { Bool, binary, constant, Int } from "../value.ts";
import { blockingStep, sleepingStep } from "./blocking.ts";
import { mightSleep, runningTask } from "./held.ts";

const SELF: Expr = { e: "self" };
const READER = 0;
const WRITER = 1;

/** The switch `rwsem` that a protocol declares where fairness is a question: `switches: { rwsem: RWSEM_SWITCH }`. */
export const RWSEM_SWITCH = {
  values: ["fair", "unfair"],
  default: "fair",
  what: "fair: a reader queues behind a waiting writer, as in the kernel; unfair: readers overtake waiting writers (a control)",
} as const;

export interface RwSemaphoreOptions {
  /** How many read holds there may be at once; going beyond is a model error. Default: two a thread. */
  readonly readers?: Bound;
}

/** As a claim (`under: sem`) it means: held for writing by the executing thread. For reading: `under: sem.reading`. */
export class RwSemaphore implements Protection {
  declare readonly lock: "rwsem";
  readonly location: Location;
  readonly #readers: Bound | undefined;

  constructor(location: Location, readers: Bound | undefined) {
    this.location = location;
    this.#readers = readers;
  }
  get text(): string {
    return this.location.text;
  }
  /** The thread that holds it for writing (or took it so: another may release it). */
  writer(): Cell {
    return cell(this.location, "", { d: "thread" }, { lock: "rwsem" });
  }
  count(): Cell {
    const hi = this.#readers === undefined ? 2 * recording().threadCount : bound(this.#readers);
    return cell(this.location, ".readers", { d: "int", lo: 0, hi });
  }
  heldBySelf(): Expr {
    return binary("==", load(this.writer()), SELF);
  }
  /** Held by somebody for reading, or by the executing thread for writing. */
  get reading(): Protection {
    return {
      text: `${this.text} (for reading)`,
      heldBySelf: () => binary("||", this.heldBySelf(), binary(">", load(this.count()), constant(0))),
    };
  }
  /** Held for writing by anyone, as of now: for properties and guards. */
  get held(): Bool {
    return new Bool(binary("!=", load(this.writer()), constant(0)));
  }
  /** Read holds, as of now. */
  get readers(): Int {
    return new Int(load(this.count()));
  }
}

/** An rw_semaphore, free in the initial state. */
export function rw_semaphore(options: RwSemaphoreOptions = {}): FieldType<RwSemaphore> {
  return { place: (location) => new RwSemaphore(location, options.readers) };
}

/** The FIFO list: who waits, longest first, and for what; 0 beyond its end. */
class WaitList {
  readonly size = recording().threadCount;
  readonly #location: Location;

  constructor(location: Location) {
    this.#location = location;
  }
  thread(i: number): Cell {
    return cell(this.#location, ".wait_list", { d: "thread" }, { length: this.size }, constant(i));
  }
  kind(i: number): Cell {
    return cell(this.#location, ".wait_kind", { d: "bool" }, { length: this.size }, constant(i));
  }
  get empty(): Expr {
    return binary("==", load(this.thread(0)), constant(0));
  }
  /** Position i is taken, by a reader or a writer. */
  isA(kind: number, i: number): Expr {
    return binary("&&", this.taken(i), binary("==", load(this.kind(i)), constant(kind)));
  }
  taken(i: number): Expr {
    return binary("!=", load(this.thread(i)), constant(0));
  }
  /** The executing thread is in it. */
  get hasSelf(): Expr {
    return positions(this.size)
      .map((i): Expr => binary("==", load(this.thread(i)), SELF))
      .reduce((a, b) => binary("||", a, b));
  }
  append(kind: number, site: Site): Stmt[] {
    const at = (i: number): Stmt[] => {
      const put = [store(this.thread(i), SELF, site), store(this.kind(i), constant(kind), site)];
      // A thread waits at most once, so the last position is free when all before it are taken.
      return i === this.size - 1 ? put : [{ s: "if", c: this.taken(i), then: at(i + 1), else: put, site }];
    };
    return at(0);
  }
  /** Drops the first n. */
  shift(n: number, site: Site): Stmt[] {
    return positions(this.size).flatMap((i) => {
      const from = i + n < this.size;
      return [
        store(this.thread(i), from ? load(this.thread(i + n)) : constant(0), site),
        store(this.kind(i), from ? load(this.kind(i + n)) : constant(0), site),
      ];
    });
  }
}

function positions(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i);
}

/**
 * Which threads have it for reading: what a counterexample names as holder, and nothing else depends on it. A thread
 * loses the mark with its own first up_read, all do when the last reader leaves.
 */
function mark(sem: RwSemaphore, thread: Expr): Cell | undefined {
  // An array per thread inside of several objects has no index that a permutation of threads would know.
  if ((sem.location.object?.slots ?? 1) > 1) return undefined;
  return cell(sem.location, ".read_by", { d: "bool" }, { perThread: true }, binary("-", thread, constant(1)));
}

function setMark(sem: RwSemaphore, thread: Expr, value: number, site: Site): Stmt[] {
  const c = mark(sem, thread);
  return c ? [store(c, constant(value), site)] : [];
}

/** Some reader: the executing thread before others. */
function someReader(sem: RwSemaphore): Expr {
  const own = mark(sem, SELF);
  if (!own) return constant(0);
  const others = positions(recording().threadCount).reduceRight<Expr>((rest, i) => {
    const thread = constant(i + 1);
    return { e: "ite", c: load(mark(sem, thread)!), a: thread, b: rest };
  }, constant(0));
  return { e: "ite", c: load(own), a: SELF, b: others };
}

function isFree(sem: RwSemaphore, kind: number): Expr {
  const noWriter = binary("==", load(sem.writer()), constant(0));
  return kind === READER ? noWriter : binary("&&", noWriter, binary("==", load(sem.count()), constant(0)));
}

/** Gives it to a thread. */
function grant(sem: RwSemaphore, kind: number, thread: Expr, site: Site): Stmt[] {
  if (kind === WRITER) return [store(sem.writer(), thread, site)];
  return [store(sem.count(), binary("+", load(sem.count()), constant(1)), site), ...setMark(sem, thread, 1, site)];
}

const unfair = (): boolean => recording().switches.rwsem === "unfair";

/** Sleeps, uninterruptibly, until it is held for reading. */
export function down_read(sem: RwSemaphore, options: Pick<WaitOptions, "resting"> = {}): void {
  down(sem, READER, "down_read", options, callSite());
}

/** Sleeps, uninterruptibly, until it is held for writing. */
export function down_write(sem: RwSemaphore, options: Pick<WaitOptions, "resting"> = {}): void {
  down(sem, WRITER, "down_write", options, callSite());
}

function down(sem: RwSemaphore, kind: number, name: string, options: WaitOptions, site: Site): void {
  const r = recording();
  const call = `${name}(&${sem.text})`;
  const checks = aliveCheck(sem.location, site);
  const resting = options.resting ? { resting: options.resting().use() } : {};
  const waits: Stmt = { s: "mark", name: "wait", site };
  const writer = load(sem.writer());
  const held = binary("!=", writer, constant(0));
  if (unfair()) {
    sleepingStep({
      call,
      site,
      checks,
      alternatives: [{ when: isFree(sem, kind), body: [...grant(sem, kind, SELF, site), waits] }],
      wait: {
        on: sem.text,
        kind: "rwsem",
        holder: kind === READER ? writer : { e: "ite", c: held, a: writer, b: someReader(sem) },
        ...resting,
      },
    });
    return;
  }
  const list = new WaitList(sem.location);
  const queued = r.local("queued", { d: "bool" });
  const set = (v: number): Stmt => ({ s: "set", to: { p: "local", name: queued }, value: constant(v), site });
  mightSleep(call, site);
  runningTask(call, site);
  r.emit({
    s: "step",
    call,
    site,
    checks,
    alternatives: [
      {
        body: [
          waits,
          {
            s: "if",
            c: binary("&&", isFree(sem, kind), list.empty),
            then: [...grant(sem, kind, SELF, site), set(0)],
            else: [...list.append(kind, site), set(1)],
            site,
          },
        ],
      },
    ],
  });
  // Behind others the head of the list is to blame; the head itself is kept waiting by readers.
  const head = load(list.thread(0));
  const behind: Expr = { e: "ite", c: binary("==", head, SELF), a: someReader(sem), b: head };
  const wait = r.block(() => {
    blockingStep({
      call,
      site,
      checks,
      alternatives: [{ when: { e: "not", a: list.hasSelf }, body: [] }],
      wait: { on: sem.text, kind: "rwsem", holder: { e: "ite", c: held, a: writer, b: behind }, ...resting },
    });
  }, site);
  r.emit({ s: "if", c: { e: "local", name: queued }, then: wait, else: [], site });
}

/** Takes it for reading if that needs no waiting; never blocks. True when it was taken. */
export function down_read_trylock(sem: RwSemaphore): Bool {
  return trylock(sem, READER, "down_read_trylock", callSite());
}

/** Takes it for writing if that needs no waiting; never blocks. True when it was taken. */
export function down_write_trylock(sem: RwSemaphore): Bool {
  return trylock(sem, WRITER, "down_write_trylock", callSite());
}

function trylock(sem: RwSemaphore, kind: number, name: string, site: Site): Bool {
  const taken = recording().local("taken", { d: "bool" });
  const set = (v: number): Stmt => ({ s: "set", to: { p: "local", name: taken }, value: constant(v), site });
  const free = isFree(sem, kind);
  step({
    call: `${name}(&${sem.text})`,
    site,
    checks: aliveCheck(sem.location, site),
    body: [
      { s: "mark", name: "trylock", site },
      {
        s: "if",
        c: unfair() ? free : binary("&&", free, new WaitList(sem.location).empty),
        then: [...grant(sem, kind, SELF, site), set(1)],
        else: [set(0)],
        site,
      },
    ],
  });
  return new Bool(
    { e: "local", name: taken },
    [],
    `the result of ${name} is ignored: the semaphore may or may not be held now`,
  );
}

/** Releases a read hold, anyone's; `unlock-not-owner` if there is none. */
export function up_read(sem: RwSemaphore): void {
  const site = callSite();
  const last: Stmt[] = mark(sem, SELF)
    ? positions(recording().threadCount).flatMap((i) => setMark(sem, constant(i + 1), 0, site))
    : [];
  if (!unfair()) {
    const list = new WaitList(sem.location);
    // With readers inside only a writer can be at the head.
    last.push({
      s: "if",
      c: list.empty,
      then: [],
      else: [...grant(sem, WRITER, load(list.thread(0)), site), ...list.shift(1, site)],
      site,
    });
  }
  const none = binary("==", load(sem.count()), constant(0));
  up(sem, "up_read", none, "that nobody holds for reading", site, [
    store(sem.count(), binary("-", load(sem.count()), constant(1)), site),
    ...setMark(sem, SELF, 0, site),
    { s: "if", c: none, then: last, else: [], site },
  ]);
}

/** Releases the write hold, anyone's; `unlock-not-owner` if there is none. */
export function up_write(sem: RwSemaphore): void {
  const site = callSite();
  const body: Stmt[] = [store(sem.writer(), constant(0), site)];
  if (!unfair()) {
    const list = new WaitList(sem.location);
    const readersFrom = (i: number): Stmt[] => {
      const admitted = grant(sem, READER, load(list.thread(i)), site);
      if (i === list.size - 1) return [...admitted, ...list.shift(i + 1, site)];
      const next = list.isA(READER, i + 1);
      return [...admitted, { s: "if", c: next, then: readersFrom(i + 1), else: list.shift(i + 1, site), site }];
    };
    const first = grant(sem, WRITER, load(list.thread(0)), site);
    body.push({
      s: "if",
      c: list.isA(READER, 0),
      then: readersFrom(0),
      else: [{ s: "if", c: list.empty, then: [], else: [...first, ...list.shift(1, site)], site }],
      site,
    });
  }
  const none = binary("==", load(sem.writer()), constant(0));
  up(sem, "up_write", none, "that nobody holds for writing", site, body);
}

function up(sem: RwSemaphore, name: string, none: Expr, why: string, site: Site, body: Stmt[]): void {
  const call = `${name}(&${sem.text})`;
  step({
    call,
    site,
    checks: aliveCheck(sem.location, site),
    body: [
      { s: "mark", name: "unlock", site },
      {
        s: "if",
        c: none,
        then: [{ s: "error", kind: "unlock-not-owner", message: `${call} of a semaphore ${why}`, site }],
        else: body,
        site,
      },
    ],
  });
}
