/** What to say of a state in which threads wait for ever. */
import type { Program } from "../../spec/program.ts";
import type { Finding } from "../verdict.ts";
import { isHandler, type ThreadStatus } from "./interpreter.ts";

export interface Deadlock {
  readonly finding: Finding;
  /**
   * From some thread to blame on, nobody on the chain of who waits for whom can move now. Where it is false somebody on
   * it still moves, but will never let go.
   */
  readonly settled: boolean;
}

const KINDS = ["self-deadlock", "irq-deadlock", "deadlock", "partial-deadlock"] as const;

/**
 * Describes the deadlock of a state. Of several threads the one with the most telling kind is blamed.
 *
 * @param doomed Threads that wait and will never move again; at least one.
 */
export function describeDeadlock(
  program: Program,
  statuses: readonly ThreadStatus[],
  doomed: readonly number[],
): Deadlock {
  const settledOnes = doomed.filter((t) => isSettled(statuses, t));
  const candidates = (settledOnes.length > 0 ? settledOnes : doomed)
    .map((t) => ({ t, kind: kindOf(program, statuses, t) }))
    .sort((a, b) => KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind) || a.t - b.t);
  const { t, kind } = candidates[0]!;
  const finding = { kind, message: chain(statuses, t), thread: t };
  return { finding, settled: settledOnes.length > 0 };
}

/** Nobody on the chain of waiting from the thread on can move now. */
export function isSettled(statuses: readonly ThreadStatus[], first: number): boolean {
  const seen = new Set<number>();
  for (let t: number | undefined = first; t !== undefined && !seen.has(t); t = statuses[t]!.holder) {
    if (statuses[t]!.status === "ready") return false;
    seen.add(t);
  }
  return true;
}

function kindOf(program: Program, statuses: readonly ThreadStatus[], t: number): (typeof KINDS)[number] {
  const { holder } = statuses[t]!;
  if (holder === t) return "self-deadlock";
  if (holder !== undefined && isHandler(program.threads[t]!)) {
    const task = program.threads[holder]!;
    if (!isHandler(task) && task.cpu !== undefined && task.cpu === program.threads[t]!.cpu) return "irq-deadlock";
  }
  return statuses.some((s) => s.status === "ready") ? "partial-deadlock" : "deadlock";
}

/** The chain of waiting from a thread on, up to its end or to where it closes. */
function chain(statuses: readonly ThreadStatus[], first: number): string {
  const sentences: string[] = [];
  const seen = new Set<number>();
  for (let t: number | undefined = first; t !== undefined && !seen.has(t); t = statuses[t]!.holder) {
    seen.add(t);
    sentences.push(statuses[t]!.why);
  }
  return `${sentences.join("; ")}: for ever`;
}
