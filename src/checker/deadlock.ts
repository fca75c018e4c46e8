import type { TransitionSystem } from "../spec/transition-system.ts";
import { firings } from "./evaluate.ts";
import type { StateValues } from "./state-values.ts";
import type { Finding } from "./verdict.ts";
import { holderOf, isHandler, isSettled, moversOf, waitOf } from "./waiting.ts";

export interface Deadlock {
  readonly finding: Finding;
  /** Nobody on the chain of waiting from the thread on can move in this state. */
  readonly settled: boolean;
}

/** What to call it that `doomed` (indices of threads that are blocked for ever, at least one) are so in `state`. */
export function classifyDeadlock(system: TransitionSystem, state: StateValues, doomed: readonly number[]): Deadlock {
  const movers = moversOf(firings(system, state));
  const candidates = doomed.map((t) => {
    const holder = holderOf(system, state, t);
    return {
      t,
      holder,
      settled: isSettled(system, state, t, movers),
      kind: kindOf(system, state, t, holder, movers.size),
    };
  });
  const settled = candidates.filter((c) => c.settled);
  const pool = settled.length > 0 ? settled : candidates;
  // The most telling one: who waits for himself explains why the others wait.
  const rank = (c: (typeof pool)[number]): number =>
    c.kind === "self-deadlock" ? 0 : c.kind === "irq-deadlock" ? 1 : 2;
  const chosen = pool.reduce((a, b) => (rank(b) < rank(a) ? b : a));
  return {
    finding: { kind: chosen.kind, message: describe(system, state, chosen.t, movers), thread: chosen.t },
    settled: chosen.settled,
  };
}

function kindOf(system: TransitionSystem, state: StateValues, t: number, holder: number, movers: number): string {
  if (holder === t) return "self-deadlock";
  const thread = system.threads[t]!;
  const other = system.threads[holder];
  if (
    isHandler(thread) &&
    state.pcs[t] !== thread.initialLocation &&
    other !== undefined &&
    !isHandler(other) &&
    other.cpu === thread.cpu
  ) {
    return "irq-deadlock";
  }
  return movers === 0 ? "deadlock" : "partial-deadlock";
}

function describe(system: TransitionSystem, state: StateValues, first: number, movers: ReadonlySet<number>): string {
  const parts: string[] = [];
  const seen = new Set<number>();
  for (let t = first; t >= 0 && !seen.has(t); ) {
    seen.add(t);
    if (movers.has(t)) {
      // What it stands at is no wait now.
      parts.push(`${system.threads[t]!.name} can move`);
      break;
    }
    const wait = waitOf(system, state, t);
    if (wait === undefined) {
      if (parts.length === 0) parts.push(`${system.threads[t]!.name} can never move again`);
      break;
    }
    const holder = holderOf(system, state, t);
    const held =
      holder === t ? " which it holds itself" : holder >= 0 ? ` held by ${system.threads[holder]?.name}` : "";
    parts.push(`${system.threads[t]!.name} waits for ${wait.on}${held}`);
    t = holder;
  }
  return parts.join("; ");
}
