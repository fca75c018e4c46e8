/** How one search goes about it. */
import type { Layout } from "./layout.ts";
import type { Reductions } from "./reductions.ts";
import type { SequentialSearch } from "./sequential-search.ts";

export interface Plan {
  readonly transactions: boolean;
  /** Where it is known already what they are; absent: found out. */
  readonly reductions?: Reductions | undefined;
  /** Most states to find. */
  readonly states?: number;
  /** States between two looks at the clock. */
  readonly slice?: number;
  /** Characters a branch of generated code may have before it becomes a function. */
  readonly branchText?: number;
  /** Called when all has been explored by one thread; the search goes on even when all is decided. */
  readonly inspect?: (found: Inspected) => void;
  /** With more than one worker: how the search is divided among them; absent: as is fast. */
  readonly division?: Partial<DivisionPlan>;
}

/** The states of a search that has ended. */
export interface Inspected {
  readonly search: Pick<SequentialSearch, "count" | "words" | "has">;
  readonly layout: Layout;
  readonly reductions: Reductions;
}

export interface DivisionPlan {
  /** States from which on threads are started. */
  readonly start: number;
  /** Threads take over at the start of a level with so many states found, and so many of the level to expand. */
  readonly divide: number;
  readonly frontier: number;
  /** Wait for the threads to have started; else one thread goes on meanwhile. */
  readonly patient: boolean;
  /** Successors each thread finds between two exchanges. */
  readonly round: number;
  /** The program of the threads. */
  readonly worker: URL;
}

/** Starting two threads and compiling in them takes 0.4 s of CPU time, in which one thread finds a million states. */
export const DIVISION: DivisionPlan = {
  start: 3 << 19,
  divide: 3 << 19,
  frontier: 1 << 12,
  patient: false,
  round: 1 << 15,
  worker: new URL("./part-worker.js", import.meta.url),
};
