/**
 * Workqueues (kernel/workqueue.c): one FIFO and one worker thread each, as keventd of a CPU and a single-threaded queue
 * have it. A queued work is nobody's reference: not to its object and not to a module.
 */
import { step } from "../access.ts";
import { aliveCheck, type Cell, cell, type FieldType, type Location, load, store } from "../cell.ts";
import { Break, Forever, If } from "../control.ts";
import { ModelError } from "../model-error.ts";
import type { Expr, Site, Stmt, ThreadDecl } from "../program.ts";
import { callSite, recording } from "../recording.ts";
import { type Bound, bound, type PointerTarget } from "../types.ts";
import { Bool, binary, constant, type Pointer } from "../value.ts";
import { blockingStep, sleepingStep } from "./blocking.ts";
import { mightSleep, runningTask } from "./held.ts";

const SELF: Expr = { e: "self" };

/** struct work_struct: a global or a field of the object that it is about. */
export class Work {
  declare readonly queue: "work";
  readonly location: Location;

  constructor(location: Location) {
    this.location = location;
  }
  get text(): string {
    return this.location.text;
  }
  pendingBit(): Cell {
    return cell(this.location, "", { d: "bool" });
  }
  /** WORK_STRUCT_PENDING as of now: it is queued, and its function has not begun. */
  get pending(): Bool {
    return new Bool(load(this.pendingBit()));
  }
}

/** A work, not queued in the initial state. */
export function work(): FieldType<Work> {
  return { place: (location) => new Work(location) };
}

/** What a queue runs for a work. */
export interface WorkFunction {
  readonly name: string;
  readonly target: PointerTarget<Pointer<string>> | undefined;
  /** The work of an object, or the global one. */
  work(object: Expr): Work;
  run(object: Expr): void;
}

type WorkFieldOf<P> = { [K in keyof P]: P[K] extends Work ? K : never }[keyof P] & string;

/** `INIT_WORK(&object->field, fn)`: what is run for the work that is this field of these objects. */
// biome-ignore lint/suspicious/noExplicitAny: a struct of any fields
export function work_function<P extends Pointer<any>>(
  target: PointerTarget<P>,
  field: WorkFieldOf<P>,
  run: (object: P) => void,
): WorkFunction;
/** The same for a global work. */
export function work_function(work: Work, run: () => void): WorkFunction;
export function work_function(
  of: PointerTarget<Pointer<string>> | Work,
  second: string | (() => void),
  third?: (object: Pointer<string>) => void,
): WorkFunction {
  if (of instanceof Work) {
    return { name: of.location.name, target: undefined, work: () => of, run: () => (second as () => void)() };
  }
  const field = second as string;
  const workOf = (object: Expr): Work => {
    const found = (of.pointer(object) as unknown as Record<string, unknown>)[field];
    if (!(found instanceof Work)) throw new ModelError(`${of.name} has no work called ${field}`, callSite());
    return found;
  };
  return { name: `${of.name}.${field}`, target: of, work: workOf, run: (object) => third!(of.pointer(object)) };
}

export interface WorkqueueOptions {
  /** What may be queued on it. */
  readonly works: () => readonly WorkFunction[];
  /** How many entries it holds, waiting flushes included; more are a model error. Default: enough for all. */
  readonly length?: Bound;
}

export class Workqueue {
  declare readonly queue: "workqueue";
  readonly location: Location;
  readonly #options: WorkqueueOptions;

  constructor(location: Location, options: WorkqueueOptions) {
    if (location.object) throw new ModelError("a workqueue is a global", location.site);
    this.location = location;
    this.#options = options;
  }
  get text(): string {
    return this.location.text;
  }
  get works(): readonly WorkFunction[] {
    return this.#options.works();
  }
  get length(): number {
    if (this.#options.length !== undefined) return bound(this.#options.length);
    const slots = this.works.map(({ target }) => {
      target?.declare();
      return target ? recording().pools.get(target.name)!.slots : 1;
    });
    return slots.reduce((a, b) => a + b, 0) + recording().threadCount;
  }
  /** The kinds of entry: 0 none, 1 … the works in their order, the last a flush. */
  get flushKind(): number {
    return this.works.length + 1;
  }
  kind(i: number): Cell {
    const domain = { d: "int", lo: 0, hi: this.flushKind } as const;
    return cell(this.location, ".entry", domain, { length: this.length }, constant(i));
  }
  /** The object of an entry that is a work of one. */
  object(target: PointerTarget<Pointer<string>>, i: number): Cell {
    target.declare();
    const domain = { d: "ptr", pool: target.name, wild: false } as const;
    return cell(this.location, `.${target.name}`, domain, { length: this.length }, constant(i));
  }
  /** The thread that waits for an entry that is a flush. */
  flusher(i: number): Cell {
    return cell(this.location, ".flush", { d: "thread" }, { length: this.length }, constant(i));
  }
  /** The worker while it runs a work's function. */
  running(): Cell {
    return cell(this.location, ".running", { d: "thread" });
  }
  destroyed(): Cell {
    return cell(this.location, ".destroyed", { d: "bool" });
  }
  get targets(): readonly PointerTarget<Pointer<string>>[] {
    const byName = new Map(this.works.flatMap(({ target }) => (target ? [[target.name, target] as const] : [])));
    return [...byName.values()];
  }
  /** Nothing is queued and nothing runs, as of now: for properties and guards. */
  get idle(): Bool {
    return new Bool(binary("&&", isEmpty(this), isIdle(this)));
  }
}

/** A workqueue, empty in the initial state. One thread of kind `worker` runs `worker(queue)`. */
export function workqueue(options: WorkqueueOptions): FieldType<Workqueue> {
  return { place: (location) => new Workqueue(location, options) };
}

function positions(q: Workqueue): number[] {
  return Array.from({ length: q.length }, (_, i) => i);
}

function isEmpty(q: Workqueue): Expr {
  return binary("==", load(q.kind(0)), constant(0));
}

function isIdle(q: Workqueue): Expr {
  return binary("==", load(q.running()), constant(0));
}

function append(q: Workqueue, kind: number, put: (i: number) => Stmt[], site: Site): Stmt[] {
  const message = `${q.text} is full with ${q.length} entries; raise its length`;
  const from = (i: number): Stmt[] => {
    if (i === q.length) return [{ s: "error", kind: "model-error", message, site }];
    const free = binary("==", load(q.kind(i)), constant(0));
    return [{ s: "if", c: free, then: [store(q.kind(i), constant(kind), site), ...put(i)], else: from(i + 1), site }];
  };
  return from(0);
}

function removeFirst(q: Workqueue, site: Site): Stmt[] {
  const columns = [
    (i: number) => q.kind(i),
    (i: number) => q.flusher(i),
    ...q.targets.map((t) => (i: number) => q.object(t, i)),
  ];
  return positions(q).flatMap((i) =>
    columns.map((column) => store(column(i), i + 1 < q.length ? load(column(i + 1)) : constant(0), site)),
  );
}

/**
 * Two steps: test-and-set of the pending bit, then to the end of the queue. True when it was queued, false when it was
 * pending already.
 */
export function queue_work(q: Workqueue, w: Work): Bool {
  return enqueue(q, w, `queue_work(${q.text}, &${w.text})`, callSite());
}

/** `queue_work` on the kernel's own queue. */
export function schedule_work(q: Workqueue, w: Work): Bool {
  return enqueue(q, w, `schedule_work(&${w.text})`, callSite());
}

function enqueue(q: Workqueue, w: Work, call: string, site: Site): Bool {
  const kind = q.works.findIndex(({ name }) => name === w.location.name) + 1;
  if (kind === 0) {
    throw new ModelError(
      `${q.text} does not know what to run for ${w.location.name}; add work_function(…) to its works`,
      site,
    );
  }
  const target = q.works[kind - 1]!.target;
  const queued = recording().local("queued", { d: "bool" });
  const set = (v: number): Stmt => ({ s: "set", to: { p: "local", name: queued }, value: constant(v), site });
  const gone = `${call}: the workqueue has been destroyed`;
  step({
    call: `${call}: test_and_set_bit(PENDING)`,
    site,
    checks: [
      ...aliveCheck(w.location, site),
      {
        s: "if",
        c: load(q.destroyed()),
        then: [{ s: "error", kind: "use-after-free", message: gone, site }],
        else: [],
        site,
      },
    ],
    body: [
      { s: "mark", name: "work-queued", site },
      {
        s: "if",
        c: load(w.pendingBit()),
        then: [set(0)],
        else: [store(w.pendingBit(), constant(1), site), set(1)],
        site,
      },
    ],
  });
  const put = append(
    q,
    kind,
    (i) => (target ? [store(q.object(target, i), w.location.object!.ptr.use(), site)] : []),
    site,
  );
  const checks = aliveCheck(w.location, site);
  // Inside of atomically both are parts of one step, and an If may stand there too.
  If(new Bool({ e: "local", name: queued }), () => step({ call, site, checks, body: put }));
  return new Bool({ e: "local", name: queued });
}

/** The pending bit: false while the function runs. */
export function work_pending(w: Work): Bool {
  const site = callSite();
  const name = recording().local("pending", { d: "bool" });
  step({
    call: `work_pending(&${w.text})`,
    site,
    checks: aliveCheck(w.location, site),
    body: [{ s: "set", to: { p: "local", name }, value: load(w.pendingBit()), site }],
  });
  return new Bool({ e: "local", name });
}

/**
 * The body of a queue's worker thread: `thread("keventd", () => worker(keventd), { kind: "worker" })`. It takes the
 * first entry off the queue, clears its pending bit, and only then runs its function, which may free the object and
 * queue the work again. With the queue empty it rests; it ends when the queue has been destroyed.
 */
export function worker(q: Workqueue): void {
  const site = callSite();
  const r = recording();
  const stop = r.local("stop", { d: "bool" });
  const setStop = (v: number): Stmt => ({ s: "set", to: { p: "local", name: stop }, value: constant(v), site });
  r.facts.set(workerFact(q), r.frame("worker").name);
  const running = load(q.running());
  const two = `two workers run ${q.text}: give each its own queue`;
  Forever(() => {
    const taken = take(q, site);
    r.emit({
      s: "step",
      call: `worker of ${q.text}: next entry`,
      site,
      checks: taken.checks,
      alternatives: [
        {
          when: { e: "not", a: isEmpty(q) },
          body: [
            setStop(0),
            {
              s: "if",
              c: binary("!=", running, constant(0)),
              then: [{ s: "error", kind: "model-error", message: two, site }],
              else: [],
              site,
            },
            {
              s: "if",
              c: binary("!=", load(q.kind(0)), constant(q.flushKind)),
              then: [store(q.running(), SELF, site), { s: "mark", name: "work", site }],
              else: [],
              site,
            },
            ...taken.body,
          ],
        },
        {
          when: binary("&&", isEmpty(q), load(q.destroyed())),
          body: [setStop(1)],
          name: "the queue is destroyed",
        },
      ],
      wait: { on: `work on ${q.text}`, kind: "workqueue", resting: constant(1) },
    });
    If(new Bool({ e: "local", name: stop }), () => Break());
    If(taken.isWork, () => {
      taken.run();
      step({ call: `worker of ${q.text}: done`, site, checks: [], body: [store(q.running(), constant(0), site)] });
    });
  });
}

function workerFact(q: Workqueue): string {
  return `worker of ${q.location.name}`;
}

/** The thread that runs the queue, whether or not it has begun; whoever waits for the queue waits for it. */
function workerOf(q: Workqueue): Expr {
  const r = recording();
  const running = load(q.running());
  return r.defer(() => {
    const threads = r.facts.get("threads") as readonly ThreadDecl[];
    const index = threads.findIndex(({ cls }) => cls === r.facts.get(workerFact(q)));
    return index < 0 ? running : constant(index + 1);
  });
}

/** The first entry, taken off; `run` clears the pending bit and runs the function of one of the works named. */
function take(q: Workqueue, site: Site) {
  const r = recording();
  const { works, targets } = q;
  const kind = r.local("work", { d: "int", lo: 0, hi: q.flushKind });
  const objects = new Map(
    targets.map((t) => [t.name, r.local(t.name, { d: "ptr", pool: t.name, wild: false })] as const),
  );
  const objectOf = (f: WorkFunction): Expr =>
    f.target ? { e: "local", name: objects.get(f.target.name)! } : constant(0);
  const kindIs = (k: number): Expr => binary("==", { e: "local", name: kind }, constant(k));
  const checks = works.flatMap((f, i): Stmt[] => {
    if (!f.target) return [];
    const ptr = load(q.object(f.target, 0));
    const deref: Stmt = { s: "deref", pool: f.target.name, ptr, what: `the queued work ${f.name}`, site };
    return [{ s: "if", c: binary("==", load(q.kind(0)), constant(i + 1)), then: [deref], else: [], site }];
  });
  const body: Stmt[] = [
    { s: "set", to: { p: "local", name: kind }, value: load(q.kind(0)), site },
    ...targets.map((t): Stmt => {
      return { s: "set", to: { p: "local", name: objects.get(t.name)! }, value: load(q.object(t, 0)), site };
    }),
    ...removeFirst(q, site),
  ];
  const run = (names?: readonly string[]): void => {
    works.forEach((f, i) => {
      If(new Bool(kindIs(i + 1)), () => {
        if (names && !names.includes(f.name)) {
          const message = `${f.name} is to run inline, but the flush does not name it: inline: [${JSON.stringify(f.name)}]`;
          step({ call: f.name, site, checks: [{ s: "error", kind: "model-error", message, site }], body: [] });
          return;
        }
        const w = f.work(objectOf(f));
        step({
          call: `clear_bit(PENDING) of ${w.text}`,
          site,
          checks: aliveCheck(w.location, site),
          body: [store(w.pendingBit(), constant(0), site)],
        });
        f.run(objectOf(f));
      });
    });
  };
  return { checks, body, run, isWork: new Bool(binary("!=", { e: "local", name: kind }, constant(q.flushKind))) };
}

export interface FlushOptions {
  /**
   * keventd up to 2.6.35: called by the worker itself, out of a work's function, it runs the queue inline instead of
   * waiting for itself. The works that may then be found on the queue are named (`"mddev.del_work"`), without those
   * whose functions flush, because calls are inlined and cannot recur.
   */
  readonly inline?: readonly string[];
}

/**
 * Sleeps until everything queued before has run, and what runs now has ended; goes on without sleeping when there is
 * nothing. Called out of a work's function of the same queue it waits for itself, unless `inline`.
 */
export function flush_workqueue(q: Workqueue, options: FlushOptions = {}): void {
  flush(q, `flush_workqueue(${q.text})`, options, callSite());
}

/** `flush_workqueue` of the kernel's own queue. */
export function flush_scheduled_work(q: Workqueue, options: FlushOptions = {}): void {
  flush(q, "flush_scheduled_work()", options, callSite());
}

function flush(q: Workqueue, call: string, options: FlushOptions, site: Site): void {
  const r = recording();
  mightSleep(call, site);
  runningTask(call, site);
  const mode = r.local("flush", { d: "int", lo: 0, hi: 2 });
  const [NOTHING, WAIT, INLINE] = [0, 1, 2];
  const set = (v: number): Stmt => ({ s: "set", to: { p: "local", name: mode }, value: constant(v), site });
  const is = (v: number): Bool => new Bool(binary("==", { e: "local", name: mode }, constant(v)));
  const insert: Stmt = {
    s: "if",
    c: binary("&&", isEmpty(q), isIdle(q)),
    then: [set(NOTHING)],
    else: [...append(q, q.flushKind, (i) => [store(q.flusher(i), SELF, site)], site), set(WAIT)],
    site,
  };
  const own = binary("==", load(q.running()), SELF);
  step({
    call,
    site,
    checks: [],
    body: [
      { s: "mark", name: "wait", site },
      options.inline ? { s: "if", c: own, then: [set(INLINE)], else: [insert], site } : insert,
    ],
  });
  If(is(WAIT), () => {
    const waits = positions(q)
      .map((i): Expr => binary("==", load(q.flusher(i)), SELF))
      .reduce((a, b) => binary("||", a, b));
    blockingStep({
      call,
      site,
      checks: [],
      alternatives: [{ when: { e: "not", a: waits }, body: [] }],
      wait: { on: `${q.text} to be flushed`, kind: "workqueue", holder: workerOf(q) },
    });
  });
  if (!options.inline) return;
  const names = options.inline;
  If(is(INLINE), () => {
    Forever(() => {
      const taken = take(q, site);
      const more = r.local("more", { d: "bool" });
      const setMore = (v: number): Stmt => ({ s: "set", to: { p: "local", name: more }, value: constant(v), site });
      const any: Expr = { e: "not", a: isEmpty(q) };
      step({
        call: `${call}: run_workqueue inline`,
        site,
        checks: taken.checks,
        body: [{ s: "if", c: any, then: [...taken.body, setMore(1)], else: [setMore(0)], site }],
      });
      If(new Bool({ e: "local", name: more }).not(), () => Break());
      If(taken.isWork, () => taken.run(names));
    });
  });
}

/** Sleeps until the queue is empty and nothing runs, then ends it: queueing on it afterwards is `use-after-free`. */
export function destroy_workqueue(q: Workqueue): void {
  const site = callSite();
  sleepingStep({
    call: `destroy_workqueue(${q.text})`,
    site,
    checks: [],
    alternatives: [
      {
        when: binary("&&", isEmpty(q), isIdle(q)),
        body: [store(q.destroyed(), constant(1), site), { s: "mark", name: "wait", site }],
      },
    ],
    wait: { on: `${q.text} to be drained`, kind: "workqueue", holder: workerOf(q) },
  });
}
