/** Properties: the ready-made ones of the contract and a model's own. */

import { ModelError } from "./model-error.ts";
import { type Bio, lostBios } from "./primitives/bio.ts";
import type { Check, Expr, Fairness, FindingKind, Site, Temporal, Trigger } from "./program.ts";
import { callSite, type FunctionSource } from "./recording.ts";
import type { PointerTarget } from "./types.ts";
import { Bool, binary, constant } from "./value.ts";

/** A property as a model declares it; it is turned into data when a scenario that lists it is recorded. */
export interface Property {
  readonly id: string;
  readonly title: string;
  readonly kind: FindingKind;
  readonly message: string;
  readonly trigger: Trigger;
  readonly check: () => Check;
  /** Switch settings the question is asked under; it is then answered on a graph of its own. */
  readonly under: Readonly<Record<string, string>>;
  readonly site: Site;
}

export interface OwnProperty {
  /** What it says, for the list. */
  readonly title: string;
  /** The kind reported when it is violated; `invariant` or `temporal` unless the contract has a better one. */
  readonly kind?: FindingKind;
  /** What went wrong, one sentence. */
  readonly message: string;
  /** Marks (`reached`, or those the primitives set), any of which makes the question meaningful. */
  readonly trigger?: readonly string[];
  /** What the trigger is, for the reason of a vacuous verdict. */
  readonly triggerWhat?: string;
  readonly under?: Readonly<Record<string, string>>;
}

function findings(
  id: string,
  title: string,
  kinds: readonly FindingKind[],
  marks: readonly string[],
  what: string,
): Property {
  return {
    id,
    title,
    kind: kinds[0]!,
    message: title,
    trigger: { marks, what },
    check: () => ({ c: "findings", kinds }),
    under: {},
    site: callSite(),
  };
}

/** No thread waits for ever, globally or alone, where waiting is not legitimate. */
export const deadlock: Property = {
  id: "deadlock",
  title: "no thread is stuck for ever",
  kind: "deadlock",
  message: "no thread is stuck for ever",
  trigger: { marks: ["wait"], what: "a call that can block" },
  check: () => ({ c: "deadlock" }),
  under: {},
  site: { file: "lockstep", line: 1, column: 1 },
};

/** Locks are released by those who hold them and not carried out of the thread. */
export const lockDiscipline: Property = findings(
  "lock-discipline",
  "locks are released by their owner, and none is held at the end",
  ["unlock-not-owner", "semaphore-overflow", "lock-held-at-exit"],
  ["unlock"],
  "an unlock",
);

export const atomicSleep: Property = findings(
  "atomic-sleep",
  "nothing sleeps in atomic context",
  ["sleep-in-atomic"],
  ["atomic-context"],
  "a spinlock held, interrupts off, or a handler running",
);

export const memorySafety: Property = findings(
  "memory-safety",
  "every object touched is alive",
  [
    "use-after-free",
    "double-free",
    "wild-access",
    "null-dereference",
    "refcount-underflow",
    "bug-on",
    "leak",
    "code-after-unload",
  ],
  ["free"],
  "an object freed",
);

/** No operation ends with -EBUSY because a lock it only tried was held. */
export const noEbusy: Property = findings(
  "no-ebusy",
  "no operation ends with -EBUSY by contention",
  ["ebusy"],
  ["trylock"],
  "a trylock",
);

export const dataRace: Property = findings(
  "data-race",
  "no two threads race on plain shared data",
  ["data-race"],
  [],
  "a plain shared access",
);

/** A model's own property over findings reported with `report(kind, …)`. */
export function noFinding(id: string, kind: FindingKind, own: OwnProperty): Property {
  return property(id, { ...own, kind }, () => ({ c: "findings", kinds: [kind] }));
}

/** Holds in every reachable state. */
export function invariant(id: string, own: OwnProperty, condition: () => Bool): Property {
  return property(id, own, () => ({ c: "invariant", expr: condition().use() }));
}

/** Holds whenever everything has come to rest. */
export function atRest(id: string, own: OwnProperty, condition: () => Bool): Property {
  return property(id, own, () => ({ c: "at-rest", expr: condition().use() }));
}

/** AG EF: from every reachable state a state with the condition stays reachable. */
export function staysPossible(id: string, own: OwnProperty, condition: () => Bool): Property {
  return property(id, own, () => ({ c: "stays-possible", expr: condition().use() }));
}

/** What a property about runs assumes of the scheduler; weak fairness of every thread unless said otherwise. */
export interface FairnessOptions {
  readonly threads?: "none" | "weak" | "strong";
  /** Threads that, able to move again and again, do move. */
  readonly strongThreads?: readonly string[];
  /** Kinds of lock or wait that serve every waiter in the end: `mutex`, `spinlock`, `rwsem`, `semaphore` … */
  readonly strongWaits?: readonly string[];
}

function fairnessOf(options: FairnessOptions): Fairness {
  return {
    threads: options.threads ?? "weak",
    strongThreads: options.strongThreads ?? [],
    strongWaits: options.strongWaits ?? [],
  };
}

/** Holds of every fair run. */
export function temporal(
  id: string,
  own: OwnProperty,
  formula: () => Temporal,
  fairness: FairnessOptions = {},
): Property {
  return property(id, { kind: "temporal", ...own }, () => ({
    c: "temporal",
    formula: formula(),
    fairness: fairnessOf(fairness),
  }));
}

/**
 * No thread spins for ever without progress: none of these threads goes on taking steps for ever while the condition
 * holds only finitely often. One that waits for ever takes no steps: that is starvation.
 */
export function livelock(
  id: string,
  own: OwnProperty,
  threads: readonly string[],
  progress: () => Bool,
  fairness: FairnessOptions = {},
): Property {
  if (threads.length === 0) throw new ModelError(`${id} names no thread that could go on for ever`, callSite());
  return property(id, { kind: "livelock", ...own }, () => ({
    c: "temporal",
    formula: always(eventually(progress())),
    fairness: fairnessOf(fairness),
    moving: threads,
  }));
}

/**
 * A request is served in the end, whether its thread steps or waits meanwhile: wherever `request` holds, `served` holds
 * then or later. For an operation that is retried, the request is that it has begun and `served` that it has succeeded.
 */
export function starvation(
  id: string,
  own: OwnProperty,
  request: () => Bool,
  served: () => Bool,
  fairness: FairnessOptions = {},
): Property {
  return property(id, { kind: "starvation", ...own }, () => ({
    c: "temporal",
    formula: leadsTo(request(), served()),
    fairness: fairnessOf(fairness),
  }));
}

/** A wait ends: whenever the thread has come to the step after this label, it takes it in the end. */
export function waitEnds(
  id: string,
  own: OwnProperty,
  thread: string,
  label: string,
  fairness: FairnessOptions = {},
): Property {
  const waits = () => at(thread, label);
  return starvation(id, { triggerWhat: `${thread} at ${label}`, ...own }, waits, () => waits().not(), fairness);
}

/**
 * A call returns: whenever the thread is in a call of the function, it leaves it in the end. Between two calls there
 * must be a step, or they look like one; that is checked.
 */
export function callReturns(
  id: string,
  own: OwnProperty,
  thread: string,
  called: CalledFunction,
  fairness: FairnessOptions = {},
): Property {
  const within = () => inside(thread, called);
  const what = `${thread} in ${nameOf(called)}`;
  return starvation(id, { triggerWhat: what, ...own }, within, () => within().not(), fairness);
}

/**
 * Every bio that is in flight completes, or comes to wait legitimately, in the end. Runs that come to rest with a bio
 * left over are among those that break it; `lostBio` sees only them.
 */
export function bioCompletes<P extends Bio>({ bios, waiting }: LostBio<P>, fairness: FairnessOptions = {}): Property {
  return property(
    "bio-completes",
    {
      title: "every bio completes in the end",
      kind: "starvation",
      message: "a bio that was submitted never completes",
      triggerWhat: "a bio in flight",
    },
    () => ({
      c: "temporal",
      formula: lostBios(bios, waiting ?? (() => new Bool(constant(0))))
        .map((lost): Temporal => ({ t: "leads-to", a: state(lost), b: state({ e: "not", a: lost }) }))
        .reduce((a, b) => ({ t: "and", a, b })),
      fairness: fairnessOf(fairness),
    }),
  );
}

/** A condition on states, or a formula over runs. */
export type Formula = Bool | Temporal;

function formula(f: Formula): Temporal {
  return f instanceof Bool ? state(f.use()) : f;
}
function state(expr: Expr): Temporal {
  return { t: "state", expr };
}
export function always(f: Formula): Temporal {
  return { t: "always", a: formula(f) };
}
export function eventually(f: Formula): Temporal {
  return { t: "eventually", a: formula(f) };
}
/** Again and again: `always(eventually(f))`. */
export function infinitelyOften(f: Formula): Temporal {
  return always(eventually(f));
}
export function leadsTo(request: Formula, response: Formula): Temporal {
  return { t: "leads-to", a: formula(request), b: formula(response) };
}
export function implies(a: Formula, b: Formula): Temporal {
  return { t: "implies", a: formula(a), b: formula(b) };
}

/**
 * The thread's next step directly follows this label; of a label right before a call, that is the callee's first step.
 * For properties, as are `inside` and `ended`. In all three the name of a class of several threads stands for one member,
 * and the property is asked of each: `udev` of udev#1, udev#2 …; `udev#1` is one member, whatever their number.
 */
export function at(thread: string, label: string): Bool {
  return new Bool({ e: "at", thread, label });
}

/** A kernel function, or its name; a thread's own body has the thread's name. */
export type CalledFunction = string | { readonly source: FunctionSource };

function nameOf(called: CalledFunction): string {
  return typeof called === "string" ? called : called.source.name;
}

/** The thread is in a call of this function: its next step is one of the function, or of what that calls. */
export function inside(thread: string, called: CalledFunction): Bool {
  return new Bool({ e: "inside", thread, fn: nameOf(called) });
}

function property(id: string, own: OwnProperty, check: () => Check): Property {
  return {
    id,
    title: own.title,
    kind: own.kind ?? "invariant",
    message: own.message,
    trigger: { marks: own.trigger ?? [], what: own.triggerWhat ?? own.trigger?.join(" or ") ?? "anything" },
    check,
    under: own.under ?? {},
    site: callSite(),
  };
}

/** The threads of these names have ended; for properties. */
export function ended(...threads: readonly string[]): Bool {
  return new Bool(
    threads.map((thread): Expr => ({ e: "ended", thread })).reduce((a, b) => binary("&&", a, b), constant(1)),
  );
}

export interface LostBio<P extends Bio> {
  /** The struct of the bios. */
  readonly bios: PointerTarget<P>;
  /** When an incomplete bio is not lost: it waits in a list while the device is suspended, its path is gone … */
  readonly waiting?: (bio: P) => Bool;
}

/**
 * No lost bio: at rest every bio that was submitted has completed, or waits legitimately. That none completes twice, or
 * is freed in flight, is `completedOnce`.
 */
export function lostBio<P extends Bio>({ bios, waiting }: LostBio<P>): Property {
  return property(
    "lost-bio",
    {
      title: "every bio completes",
      kind: "bio-lost",
      message: "everything is at rest and a bio has not completed",
      trigger: ["bio-submitted"],
      triggerWhat: "a bio submitted",
    },
    () => ({
      c: "at-rest",
      expr: {
        e: "not",
        a: lostBios(bios, waiting ?? (() => new Bool(constant(0)))).reduce((a, b) => binary("||", a, b)),
      },
    }),
  );
}

/** No bio completes twice, and none is freed while it is in flight. */
export const completedOnce: Property = findings(
  "completed-once",
  "no bio completes twice or is freed in flight",
  ["bio-completed-twice", "bio-lost"],
  ["bio-completed", "bio-submitted"],
  "a bio completed",
);
