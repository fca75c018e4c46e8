/**
 * The transition system: the only thing engines see. Plain data, made from a Program by the lowering.
 *
 * A state is one integer per element of each variable, and per thread a location and its stored locals. The initial
 * state is unique. A transition of thread t at location l is one action of l: it is enabled when its guard holds, and
 * one firing follows one path of its code to a leaf. Every leaf reached counts as one transition.
 */
import type { BinaryOperator, ErrorKind, FindingKind, Program, Site, Temporal } from "./program.ts";

/** Operators as in Program; every name is resolved to an index. */
export type SysExpr =
  | { readonly e: "const"; readonly v: number }
  /** Local `l` of the executing thread; with `t` (an index into threads) of that thread, in properties. */
  | { readonly e: "local"; readonly l: number; readonly t?: number }
  /** The id of the executing thread: its index in `threads` plus 1. */
  | { readonly e: "self" }
  /** Variable `v`; element `i` (from 0) of an array. An index out of the array yields 0. */
  | { readonly e: "load"; readonly v: number; readonly i?: SysExpr }
  | { readonly e: "not"; readonly a: SysExpr }
  | { readonly e: "neg"; readonly a: SysExpr }
  | { readonly e: "bin"; readonly op: BinaryOperator; readonly a: SysExpr; readonly b: SysExpr }
  | { readonly e: "ite"; readonly c: SysExpr; readonly a: SysExpr; readonly b: SysExpr }
  /** Thread `t` (an index) is at one of these locations of its program. */
  | { readonly e: "pc"; readonly t: number; readonly locations: readonly number[] };

export interface SysVar {
  readonly name: string;
  readonly title: string;
  readonly lo: number;
  readonly hi: number;
  /** Number of elements; 1 for a scalar. */
  readonly length: number;
  readonly init: readonly number[];
  readonly observer: boolean;
  /** What its values name, for symmetry and for printing. */
  readonly values: ValueSort;
  /** What its index names. */
  readonly index: "none" | "thread" | { readonly pool: number };
  readonly lock?: string;
}

export type ValueSort =
  | { readonly of: "int" }
  | { readonly of: "bool" }
  | { readonly of: "enum"; readonly labels: readonly string[] }
  | { readonly of: "thread" }
  | { readonly of: "pool"; readonly pool: number; readonly wild: boolean };

export interface SysPool {
  readonly name: string;
  readonly slots: number;
  readonly reuse: boolean;
  /** The variable (an array of bools, one per slot) that says which slots are alive. */
  readonly alive: number;
}

/** A local of a program. Those not `stored` are dead at every location and live only inside one firing. */
export interface SysLocal {
  readonly name: string;
  readonly fn: string;
  readonly lo: number;
  readonly hi: number;
  readonly values: ValueSort;
  readonly stored: boolean;
}

/** Straight-line operations, run in order; later ones see what earlier ones wrote. */
export type SysOp =
  | { readonly o: "var"; readonly v: number; readonly i?: SysExpr; readonly value: SysExpr }
  | { readonly o: "local"; readonly l: number; readonly value: SysExpr }
  | { readonly o: "mark"; readonly m: number }
  | { readonly o: "finding"; readonly f: number };

/**
 * Code as a tree of paths. Every path ends at a location or in the error state. Stores are within range: the lowering
 * has put a test and a `model-error` before those that might not be. Locals dead at the target have been reset to 0.
 */
export interface SysCode {
  readonly ops: readonly SysOp[];
  readonly end:
    | { readonly k: "goto"; readonly location: number }
    /** `f` indexes `findings`. */
    | { readonly k: "error"; readonly f: number }
    | { readonly k: "if"; readonly c: SysExpr; readonly then: SysCode; readonly else: SysCode }
    /** One transition per way. */
    | {
        readonly k: "choose";
        readonly ways: readonly { readonly code: SysCode; readonly optional: boolean; readonly name: string }[];
      };
}

export interface SysAction {
  /** Absent: always enabled. */
  readonly guard?: SysExpr;
  readonly code: SysCode;
  readonly optional: boolean;
  /** Enabled only where no thread has a transition that is neither idle nor optional. */
  readonly idle: boolean;
  readonly name: string;
  /** Indices of variables read (guard included) and written, whatever the path and the element. */
  readonly reads: readonly number[];
  readonly writes: readonly number[];
}

/** A statement that a location's transitions run after the step itself: for traces and coverage. */
export interface SysLocation {
  /** The kernel call of the step that is next here; "" where the thread has ended. */
  readonly call: string;
  readonly fn: string;
  /** C file of the function. */
  readonly at: string;
  readonly site: Site;
  /** The functions on the call path, outermost first, `fn` last. */
  readonly path: readonly string[];
  /** Labels that this step directly follows. */
  readonly labels: readonly string[];
  readonly ended: boolean;
  /** The thread gives up its CPU here: what one-cpu.ts made of that is in the guards. */
  readonly yields?: true;
  readonly actions: readonly SysAction[];
  readonly wait?: {
    readonly on: string;
    readonly kind?: string;
    readonly holder?: SysExpr;
    readonly resting?: SysExpr;
  };
  /** Stored locals that are live here. */
  readonly live: readonly number[];
  readonly plain: readonly { readonly v: number; readonly i?: SysExpr; readonly write: boolean }[];
}

/** The code of a class of identical threads. Location 0 is where a thread starts. */
export interface SysProgram {
  readonly cls: string;
  readonly locals: readonly SysLocal[];
  readonly locations: readonly SysLocation[];
}

export interface SysThread {
  readonly name: string;
  readonly program: number;
  readonly kind: Program["threads"][number]["kind"];
  readonly cpu: number;
  /**
   * True while the thread is kept off its CPU, by a handler or by the thread that has the only CPU: then it is not
   * blocked, whatever it would wait for. Already part of its guards. Absent: never.
   */
  readonly keptOff?: SysExpr;
  /** Location and values of all locals (stored ones matter) in the initial state. */
  readonly initialLocation: number;
  readonly initialLocals: readonly number[];
}

export interface SysFinding {
  readonly kind: FindingKind | ErrorKind;
  readonly message: string;
  /** Ends the path. */
  readonly error: boolean;
  /** A data race proper (two accesses that nothing orders), not a false claim of protection. */
  readonly race?: true;
  readonly site: Site;
  readonly fn: string;
}

export type SysTemporal =
  | { readonly t: "state"; readonly expr: SysExpr }
  | { readonly t: "not" | "always" | "eventually"; readonly a: SysTemporal }
  | { readonly t: "and" | "or" | "implies" | "leads-to"; readonly a: SysTemporal; readonly b: SysTemporal };

export type SysCheck =
  /** Indices into `findings`. */
  | { readonly c: "findings"; readonly findings: readonly number[] }
  | { readonly c: "deadlock" }
  | { readonly c: "invariant" | "at-rest" | "stays-possible"; readonly expr: SysExpr }
  | {
      readonly c: "temporal";
      readonly formula: SysTemporal;
      readonly fairness: SysFairness;
      /** Indices of threads, one of which must step infinitely often in a counterexample. */
      readonly moving?: readonly number[];
      /** The same asked of other members of a class: violated if it, or any of these, is. */
      readonly also?: readonly { readonly formula: SysTemporal; readonly moving?: readonly number[] }[];
    };

/** Fairness resolved: threads by index, waits by the locations of each program that wait so. */
export interface SysFairness {
  readonly weak: readonly number[];
  /** Thread `thread` is strongly fair at these locations of its program; absent: at all. */
  readonly strong: readonly { readonly thread: number; readonly locations?: readonly number[] }[];
}

export interface SysProperty {
  readonly id: string;
  readonly kind: FindingKind;
  readonly message: string;
  readonly check: SysCheck;
  /** Indices into `marks`; reached if any is. */
  readonly trigger: { readonly marks: readonly number[]; readonly what: string };
  /** Nobody asked: an engine adds an outcome only if it saw a violation on its way. */
  readonly implied?: true;
  readonly site: Site;
}

export interface TransitionSystem {
  readonly protocol: string;
  readonly variant: string;
  readonly scenario: string;
  readonly sizes: Readonly<Record<string, number>>;
  readonly switches: Readonly<Record<string, string>>;
  readonly vars: readonly SysVar[];
  readonly pools: readonly SysPool[];
  readonly programs: readonly SysProgram[];
  readonly threads: readonly SysThread[];
  readonly marks: readonly string[];
  readonly findings: readonly SysFinding[];
  readonly properties: readonly SysProperty[];
  /** Marks reached by the local code that runs in the initial state. */
  readonly initialMarks: readonly number[];
}

export type { Temporal };
