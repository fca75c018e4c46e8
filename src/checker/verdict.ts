/**
 * What an engine answers: plain data, made from a transition system, with nothing in it that a replay can recompute.
 */

/**
 * One step of a schedule. In every state a thread has exactly one next step, so the thread, the alternative and the
 * ways chosen inside it determine the successor.
 */
export interface ScheduleStep {
  /** Index into the threads. */
  readonly thread: number;
  /** Index of the alternative (SysLocation.actions); the number of alternatives itself when the step's checks fail. */
  readonly action: number;
  /** The way taken at each `choose` met on the path, in order. */
  readonly ways: readonly number[];
}

/** A path from the initial state; with `loop` a lasso whose steps from that index on repeat for ever. */
export interface Schedule {
  readonly steps: readonly ScheduleStep[];
  readonly loop?: number;
}

export interface Finding {
  readonly kind: string;
  readonly message: string;
  /** Index of the thread to blame or that waits; absent where none is singled out. */
  readonly thread?: number;
}

export type Outcome =
  /** `certificates`: files that together prove it, relative to the folder of certificates. */
  (
    | { readonly property: string; readonly verdict: "holds"; readonly certificates?: readonly string[] }
    | {
        readonly property: string;
        readonly verdict: "violated";
        readonly finding: Finding;
        readonly schedule: Schedule;
        /** No shorter counterexample of this property exists. */
        readonly depthExact: boolean;
      }
    | {
        readonly property: string;
        readonly verdict: "vacuous";
        readonly reason: string;
        readonly certificates?: readonly string[];
      }
    | {
        readonly property: string;
        readonly verdict: "inconclusive";
        readonly reason: string;
        /** Present where the model itself is at fault (kind `model-error`). */
        readonly finding?: Finding;
        readonly schedule?: Schedule;
      }
  ) & {
    /** The reductions used, where they are not those of the exploration: a property had a search of its own. */
    readonly reductions?: readonly string[];
    readonly reductionsOff?: readonly ReductionOff[];
  };

/** A reduction that was not used, or not for all it could be used for. */
export interface ReductionOff {
  readonly reduction: string;
  /** One clause: who or what forbids it. */
  readonly reason: string;
}

/** What one engine run over one transition system found. */
export interface Exploration {
  readonly engine: "explicit" | "symbolic" | "smt" | "reference";
  /** `bfs`, `bmc`, `k-induction`, `spacer`, `saturation` … */
  readonly method: string;
  /** Every reachable state was explored (or a proof found). */
  readonly complete: boolean;
  /** Null where the engine does not enumerate. The counted error state is included. */
  readonly states: number | null;
  readonly transitions: number | null;
  /** How deep the search went: the largest distance from the initial state. */
  readonly depth: number | null;
  readonly seconds: number;
  readonly reductions: readonly string[];
  /** Absent: nothing that there is to reduce was left out. */
  readonly reductionsOff?: readonly ReductionOff[];
  /** Edges that ended in an error, by kind. */
  readonly cut: Readonly<Record<string, number>>;
  readonly outcomes: readonly Outcome[];
}

/** Bounds and wishes common to all engines; each engine says which it does not support. */
export interface SearchOptions {
  /** Ids of the properties to decide; all others are ignored. */
  readonly properties: readonly string[];
  /** Off: the exact graph of the system is built and counted, even after a violation. */
  readonly reduction: boolean;
  /** Seconds from now; Infinity for none. */
  readonly timeout: number;
  /** Bytes for tables; Infinity for none. */
  readonly memory: number;
  /** Threads that one search may use. */
  readonly workers: number;
  /**
   * One number in shared memory: threads of the run that nobody uses just now. Where it is present, the explicit engine
   * uses one thread, takes these as well when a search is large, and gives them back; `workers` is for the others.
   */
  readonly spare?: Int32Array | undefined;
  /** One number in shared memory; when it is not 0, the user wants the search to end: it stops as if its time were over. */
  readonly interrupt?: Int32Array | undefined;
  /**
   * What the explicit engine stores of a state: all of it (the default), or 64 bits of hash. Then a state may be taken for
   * another one, so that nothing is ever found to hold; what is violated is.
   */
  readonly storage?: "exact" | "fingerprints" | undefined;
  /** Absent: the search is not kept on disk. */
  readonly checkpoint?: CheckpointOptions | undefined;
  /** Absent: the SMT engine's defaults. Other engines have no use for it. */
  readonly smt?: SolverOptions | undefined;
  /** Called a few times a second. */
  readonly progress?: (p: Progress) => void;
}

export const SMT_METHODS = ["auto", "bmc", "k-induction", "spacer"] as const;
export type SmtMethod = (typeof SMT_METHODS)[number];

/** Wishes about SMT solvers and what is done with them. */
export interface SolverOptions {
  /** Default `wasm`, the built-in one. */
  readonly solver?: "wasm" | "native";
  /** The native program: a name on PATH or a file; default z3, else cvc5. */
  readonly command?: string;
  /** Default `auto`: all of them. Bounded search always runs. */
  readonly method?: SmtMethod;
  /** Greatest number of steps of bounded search; default 100. */
  readonly depth?: number;
  /** The solver's resource units for each query, which unlike time are the same on every machine; default none. */
  readonly rlimit?: number;
  /** Folder that gets every query as an SMT-LIB file. */
  readonly keep?: string;
  /** Folder for the invariants of proofs, as SMT-LIB files that any solver can check; absent: they are not kept. */
  readonly certificates?: string;
  /** Absent: the search goes on while there is time. */
  readonly enough?: Enough;
}

/** When a search for proofs, which may never end, is given up: after both. */
export interface Enough {
  readonly seconds: number;
  /** Steps that bounded search has to have got to. */
  readonly depth: number;
}

/** Where a long search is kept on disk, and where it is taken up from. */
export interface CheckpointOptions {
  /** File to be written; absent: none. */
  readonly write?: string | undefined;
  /** File to go on from; absent: start from the initial state. */
  readonly resume?: string | undefined;
  /** Seconds between two checkpoints. */
  readonly every: number;
  /** Version of Lockstep: a checkpoint is only for the version that wrote it. */
  readonly version: string;
}

export interface Progress {
  readonly states: number;
  readonly transitions: number;
  readonly depth: number;
  /** States found and not yet expanded. */
  readonly frontier: number;
  /** Share of the states that has been found, from 0 to 1, where that can be estimated. */
  readonly share?: number;
  /** What the user should know meanwhile: a checkpoint that could not be written. */
  readonly warning?: string;
}
