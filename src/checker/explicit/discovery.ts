/**
 * What a search has found, whoever searched: one thread or several. "First" means: in the order in which a breadth-first
 * search by one thread finds states.
 */
import type { TransitionSystem } from "../../spec/transition-system.ts";
import type { StateValues } from "../state-values.ts";
import type { Lost } from "./backward-reachability.ts";

/** States from the initial one on, each a successor of the one before; by number. */
export type Path = readonly number[];

/** A state's number says which it is and nothing else. */
export interface Discovery {
  /** States found. */
  readonly count: number;
  /** States expanded. */
  readonly next: number;
  readonly transitions: number;
  /** Greatest distance from the initial state at which states were found. */
  readonly depth: number;
  /** Share of the states that has been found, from 0 to 1, as the growth of the levels suggests; undefined: unknown. */
  readonly share: number | undefined;
  marked(mark: number): boolean;
  /** Transitions that ended in this error. */
  errors(finding: number): number;
  /** Distance of the nearest state with a transition that has the finding. */
  levelOfFinding(finding: number): number | undefined;
  /** Whether an invariant or a condition at rest was found broken; by its place among those of its kind. */
  broken(kind: "invariant" | "at-rest", index: number): boolean;
  words(state: number): Int32Array;
  values(state: number): StateValues;
  levelOf(state: number): number;
  /** Threads of a group that are blocked in a state unless they can move. */
  blocked(group: number, state: number): number;
  /** Makes a packed state canonical in place: thread -> thread, as it renamed; undefined if it did not. */
  canonical(words: Int32Array): readonly number[] | undefined;
  /** The way to the first state with one of the findings, and which that is. One of them must have been found. */
  firstWithFinding(findings: readonly number[]): Promise<{ readonly path: Path; readonly finding: number }>;
  /** The way to the first state in which it is broken, which it must be somewhere. */
  firstBroken(kind: "invariant" | "at-rest", index: number): Promise<Path>;
  /** The way to the first state without live moves in which a thread is blocked; undefined: there is none. */
  firstStuck(): Promise<Path | undefined>;
  /** The way to the first of several states, at least one. */
  firstOf(states: readonly number[]): Promise<Path>;
  /**
   * States from which some bit of `goals` or of the blocked threads of a group cannot be reached. Undefined: time ran
   * out.
   */
  lost(group: number, asked: number, goals: number): Promise<readonly Lost[] | undefined>;
}

/** Edges that ended in an error, by its kind. */
export function cutEdges(system: TransitionSystem, found: Discovery): Record<string, number> {
  const cut: Record<string, number> = {};
  system.findings.forEach((finding, f) => {
    const edges = found.errors(f);
    if (edges > 0) cut[finding.kind] = (cut[finding.kind] ?? 0) + edges;
  });
  return cut;
}
