/**
 * The protocol syntax tree: what a model records for one (variant, scenario, sizes, switches).
 *
 * Plain, serialisable data without closures. Two readers share it and nothing else: the lowering, which makes the
 * transition system every engine sees, and the reference interpreter, which runs the tree itself. A later front end
 * (C source, a patch) can produce the same tree.
 *
 * Numbers stand for every value: a bool is 0 or 1; an enum its label's index; a pointer 0 for NULL, 1..slots for an
 * object of its pool, slots+1 for a wild pointer; a thread 0 for nobody, 1..threads otherwise.
 */

/** Where in the model's TypeScript a thing was written. Lines and columns count from 1. */
export interface Site {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** The set of values a variable may hold. */
export type Domain =
  | { readonly d: "int"; readonly lo: number; readonly hi: number }
  | { readonly d: "bool" }
  | { readonly d: "enum"; readonly name: string; readonly labels: readonly string[] }
  /** With `wild`, the value slots+1 is a pointer to no object: touching it is `wild-access`. */
  | { readonly d: "ptr"; readonly pool: string; readonly wild: boolean }
  | { readonly d: "thread" };

export type BinaryOperator =
  | "+"
  | "-"
  | "*"
  | "&"
  | "|"
  | "^"
  | "<<"
  | ">>"
  | "=="
  | "!="
  | "<"
  | "<="
  | ">"
  | ">="
  | "&&"
  | "||";

/** Expressions have no side effects; comparisons and Booleans yield 0 or 1; arithmetic is on 32-bit signed integers. */
export type Expr =
  | { readonly e: "const"; readonly v: number }
  /** A local of the function that contains the expression. */
  | { readonly e: "local"; readonly name: string }
  /** The id (1..threads) of the executing thread. */
  | { readonly e: "self" }
  /** A shared variable; with `i` an element of an array, counted from 0. An index out of the array yields 0. */
  | { readonly e: "load"; readonly v: string; readonly i?: Expr }
  | { readonly e: "not"; readonly a: Expr }
  | { readonly e: "neg"; readonly a: Expr }
  | { readonly e: "bin"; readonly op: BinaryOperator; readonly a: Expr; readonly b: Expr }
  | { readonly e: "ite"; readonly c: Expr; readonly a: Expr; readonly b: Expr }
  /** True when some shared variable or some local of a thread, of pointer type, points to this object of the pool. */
  | { readonly e: "referenced"; readonly pool: string; readonly ptr: Expr }
  /** True when the pointer is to an object of the pool that is alive. */
  | { readonly e: "alive"; readonly pool: string; readonly ptr: Expr }
  /** In properties only: the thread (its name in `threads`) has ended. */
  | { readonly e: "ended"; readonly thread: string }
  /**
   * In properties only: the next step of the thread is one that directly follows this label (of any inlined call); a
   * label right before a call directly precedes the callee's first step.
   */
  | { readonly e: "at"; readonly thread: string; readonly label: string }
  /** In properties only: the thread is in a call of this function, at any depth. */
  | { readonly e: "inside"; readonly thread: string; readonly fn: string };

/** What can be assigned: a local of the function, or a shared variable (an element of an array with `i`). */
export type Place =
  | { readonly p: "local"; readonly name: string }
  | { readonly p: "var"; readonly v: string; readonly i?: Expr };

/** What the findings are called in verdicts (the contract lists the built-in ones; a model may add its own). */
export type FindingKind = string;

/** Kinds that end their path: what a broken kernel does afterwards is evidence of nothing. */
export const ERROR_KINDS = [
  "use-after-free",
  "double-free",
  "wild-access",
  "null-dereference",
  "unlock-not-owner",
  "semaphore-overflow",
  "refcount-underflow",
  "code-after-unload",
  "bug-on",
  "model-error",
] as const;
export type ErrorKind = (typeof ERROR_KINDS)[number];

export interface Alternative {
  /** Enabled when true; always when absent. Blocking is the state in which no alternative is enabled. */
  readonly when?: Expr;
  /** Code without steps, loops, labels, gotos, calls and returns. */
  readonly body: readonly Stmt[];
  /** An environment move: bad luck or an arrival that nobody owes (an allocation fails, a signal comes). */
  readonly optional?: boolean;
  /** Enabled only when no thread can move but by idle or optional moves (msleep in the quiescent mode). */
  readonly idle?: boolean;
  /** What distinguishes it in a schedule, e.g. `-EINTR` or `fails`. */
  readonly name?: string;
}

/** The kinds of wait of the primitives (Wait.kind); a model may have others. */
export const WAIT_KINDS = [
  "mutex",
  "spinlock",
  "rwsem",
  "semaphore",
  "bkl",
  "completion",
  "wait-queue",
  "workqueue",
  "worker",
  "freeze",
  "sysfs",
  "bio",
  "event",
  "msleep",
] as const;

/** What a thread waits for while no alternative of its step is enabled. */
export interface Wait {
  /** Text for people, e.g. `lo->lo_ctl_mutex`. */
  readonly on: string;
  /** What kind of thing it is (mutex, spinlock, rwsem …), for fairness. */
  readonly kind?: string;
  /** The thread that holds it (0: nobody in particular), evaluated in the state of the wait. */
  readonly holder?: Expr;
  /** Waiting here is legitimate while this holds: a resting wait. */
  readonly resting?: Expr;
}

/** One atomic step of a thread. */
export interface Step {
  readonly s: "step";
  /** The kernel call or statement it stands for, as C. */
  readonly call: string;
  readonly site: Site;
  /**
   * Checks made before the thread may block: `deref`, `error`, `finding`, `mark` and `if` only. When one ends in an
   * error the step is enabled and leads there, whatever the alternatives say: a use after free must not look like
   * waiting.
   */
  readonly checks: readonly Stmt[];
  readonly alternatives: readonly Alternative[];
  readonly wait?: Wait;
  /** The thread gives up its CPU here even if it could go on (msleep, schedule): matters with one CPU only. */
  readonly yields?: boolean;
  /** Plain (unmarked, unprotected) accesses to shared data, for the data-race check. */
  readonly plain?: readonly { readonly v: string; readonly i?: Expr; readonly write: boolean }[];
}

/**
 * Statements. Those that are not steps are local: they run together with the step before them, up to the next step
 * or the thread's end; the ones before a thread's first step run in the initial state.
 */
export type Stmt =
  | Step
  | { readonly s: "set"; readonly to: Place; readonly value: Expr; readonly site: Site }
  | {
      readonly s: "if";
      readonly c: Expr;
      readonly then: readonly Stmt[];
      readonly else: readonly Stmt[];
      readonly site: Site;
    }
  /** `head` runs before each test of `c`. */
  | {
      readonly s: "while";
      readonly head: readonly Stmt[];
      readonly c: Expr;
      readonly body: readonly Stmt[];
      readonly site: Site;
    }
  | { readonly s: "break"; readonly site: Site }
  | { readonly s: "continue"; readonly site: Site }
  /** Labels are local to their function; a goto may jump anywhere in it. */
  | { readonly s: "label"; readonly name: string; readonly site: Site }
  | { readonly s: "goto"; readonly name: string; readonly site: Site }
  | { readonly s: "return"; readonly value?: Expr; readonly site: Site }
  /** Resolved in the variant's own function table. No recursion. */
  | {
      readonly s: "call";
      readonly fn: string;
      readonly args: readonly Expr[];
      readonly into?: string;
      readonly site: Site;
    }
  /** Nondeterminism: one transition per way. Bodies as in an alternative; may stand in step bodies and local code. */
  | { readonly s: "choose"; readonly ways: readonly Way[]; readonly site: Site }
  /** Ends the path in the error state unless `ptr` is an object of the pool that is alive. */
  | { readonly s: "deref"; readonly pool: string; readonly ptr: Expr; readonly what: string; readonly site: Site }
  | { readonly s: "error"; readonly kind: ErrorKind; readonly message: string; readonly site: Site }
  /** A finding that does not end the path. */
  | { readonly s: "finding"; readonly kind: FindingKind; readonly message: string; readonly site: Site }
  /** A trigger of a property was reached. */
  | { readonly s: "mark"; readonly name: string; readonly site: Site }
  /**
   * Takes the first free slot of the pool, marks it alive and stores its pointer. Free: never alive and not
   * referenced (Expr `referenced`, evaluated now); with the pool's `reuse`, merely not alive. None free: a `model-error`
   * that says which size to raise.
   */
  | { readonly s: "alloc"; readonly pool: string; readonly into: Place; readonly site: Site }
  /** `double-free` if the object is dead, `null-dereference` / `wild-access` if the pointer is no object. */
  | { readonly s: "free"; readonly pool: string; readonly ptr: Expr; readonly what: string; readonly site: Site };

/** A statement that only remarks on what happens: a label before it still directly precedes the step after it. */
export function isRemark(stmt: Stmt): boolean {
  if (stmt.s === "if") return [...stmt.then, ...stmt.else].every(isRemark);
  return stmt.s === "finding" || stmt.s === "mark" || stmt.s === "error";
}

export interface Way {
  readonly body: readonly Stmt[];
  readonly optional?: boolean;
  readonly name?: string;
}

export interface VarDecl {
  readonly name: string;
  readonly domain: Domain;
  /** Absent: a scalar. Arrays per thread have `index: "thread"` and one element per thread, element t-1 for thread t. */
  readonly length?: number;
  readonly index?: "thread" | { readonly pool: string };
  /** One value per element (one for a scalar). */
  readonly init: readonly number[];
  /** A ghost: written by the model to observe, never read by the kernel code it describes. */
  readonly observer?: boolean;
  /** How a person reads it in a report, e.g. `lo->lo_refcnt`. */
  readonly title?: string;
  /** This variable is the owner (thread id) of a lock of this kind; reports and lock checks use it. */
  readonly lock?: "mutex" | "spinlock" | "rwsem" | "semaphore" | "bkl" | "freeze";
  readonly site: Site;
}

export interface PoolDecl {
  readonly name: string;
  readonly slots: number;
  /** A freed slot may be handed out again although pointers to it remain, keeping its fields (the slab-reuse switch). */
  readonly reuse: boolean;
  /** Slots alive in the initial state: one 0 or 1 per slot. */
  readonly alive: readonly number[];
  readonly site: Site;
}

export interface LocalDecl {
  readonly name: string;
  readonly domain: Domain;
  /** Part of the state even where no path reads it. */
  readonly kept?: boolean;
}

export interface FunctionDecl {
  readonly name: string;
  /** The C file, and the variant's source if it is not the base. */
  readonly at: string;
  /** Parameters are locals too: the first `params` of `locals`, in order. */
  readonly params: number;
  readonly locals: readonly LocalDecl[];
  /** Absent: void. Falling off the end of a function that returns a value returns 0. */
  readonly returns?: Domain;
  readonly body: readonly Stmt[];
  readonly site: Site;
}

/**
 * A thread. Handlers (`hardirq`, `softirq`) run on top of the task of their CPU: while one is past its first step and
 * not ended, neither the tasks of that CPU nor (while a hardirq runs) its softirqs take a step.
 * A `device` is an environment process whose moves are owed; an `environment` one has only optional moves.
 */
export interface ThreadDecl {
  /** Unique; members of a class of identical threads are `udev#1`, `udev#2` … */
  readonly name: string;
  /** Threads of the same class are identical but for their id. */
  readonly cls: string;
  readonly fn: string;
  readonly args: readonly number[];
  readonly kind: "task" | "hardirq" | "softirq" | "worker" | "device" | "environment";
  readonly cpu?: number;
}

/** What a property speaks of; unreachable means the pass is vacuous. Any of the marks suffices. */
export interface Trigger {
  readonly marks: readonly string[];
  readonly what: string;
}

export type Temporal =
  | { readonly t: "state"; readonly expr: Expr }
  | { readonly t: "not" | "always" | "eventually"; readonly a: Temporal }
  | { readonly t: "and" | "or" | "implies" | "leads-to"; readonly a: Temporal; readonly b: Temporal };

export type Check =
  /** Violated by an edge that ends in, or carries, a finding of one of these kinds. */
  | { readonly c: "findings"; readonly kinds: readonly FindingKind[] }
  /** Global and partial deadlock; `threads` limits the question to threads of these classes. */
  | { readonly c: "deadlock" }
  /** Holds in every reachable state. */
  | { readonly c: "invariant"; readonly expr: Expr }
  /** Holds in every state at rest. */
  | { readonly c: "at-rest"; readonly expr: Expr }
  /** AG EF: from every reachable state a state with `expr` stays reachable. */
  | { readonly c: "stays-possible"; readonly expr: Expr }
  /**
   * Holds of every fair run. With `moving`, only of those in which one of these threads takes infinitely many steps:
   * a livelock is such a run in which progress is made only finitely often.
   */
  | {
      readonly c: "temporal";
      readonly formula: Temporal;
      readonly fairness: Fairness;
      readonly moving?: readonly string[];
      /** The same asked of other members of a class: violated if it, or any of these, is. */
      readonly also?: readonly { readonly formula: Temporal; readonly moving?: readonly string[] }[];
    };

/**
 * Which runs count. Weak: a thread that can move from some point on for ever does move. Strong: one that can move
 * again and again does. Optional moves are never owed.
 */
export interface Fairness {
  readonly threads: "none" | "weak" | "strong";
  /** Threads that are strongly fair whatever `threads` says. */
  readonly strongThreads: readonly string[];
  /** Kinds of wait (Wait.kind) that are strongly fair: a mutex that serves its waiters in the end. */
  readonly strongWaits: readonly string[];
}

export interface PropertyDecl {
  readonly id: string;
  readonly check: Check;
  /** The kind reported when a check other than `findings` or `deadlock` is violated. */
  readonly kind: FindingKind;
  /** One sentence for the counterexample: what went wrong. */
  readonly message: string;
  readonly trigger: Trigger;
  /** Nobody asked: whether claims of protection are true. Reported only where it is violated. */
  readonly implied?: true;
  readonly site: Site;
}

/** What the model expects of a property; where it declares nothing it expects `holds`. */
export interface Expectation {
  readonly property: string;
  readonly verdict: "violated" | "vacuous" | "inconclusive";
  /** For `violated`: the kinds of finding. */
  readonly kinds?: readonly FindingKind[];
  /** One sentence. */
  readonly reason: string;
  readonly site: Site;
}

/** The syntax tree of one (protocol, variant, scenario, sizes, switches). */
export interface Program {
  readonly protocol: string;
  readonly variant: string;
  readonly scenario: string;
  readonly sizes: Readonly<Record<string, number>>;
  readonly switches: Readonly<Record<string, string>>;
  /**
   * `one-cpu`: one CPU without preemption. A thread steps only if it is the one that runs, or the one that runs has
   * ended, cannot move, or is at a step that yields; stepping makes it the one that runs. Handlers are not affected.
   */
  readonly scheduler?: "smp" | "one-cpu";
  readonly vars: readonly VarDecl[];
  readonly pools: readonly PoolDecl[];
  readonly functions: Readonly<Record<string, FunctionDecl>>;
  readonly threads: readonly ThreadDecl[];
  readonly properties: readonly PropertyDecl[];
  /** Triggers of properties that the start of the scenario has reached: what it says has happened already. */
  readonly reached?: readonly string[];
  readonly expectations: readonly Expectation[];
}
