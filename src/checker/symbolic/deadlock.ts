/** What to call it that threads wait for ever, and whom to blame. */
import type { Finding } from "../verdict.ts";
import type { ReachableStates } from "./reachable-states.ts";
import { isHandler, locationOf } from "./stuck-threads.ts";

/** The most telling first: who waits for himself explains why others wait. */
const KINDS = ["self-deadlock", "irq-deadlock", "deadlock", "partial-deadlock"] as const;
type Kind = (typeof KINDS)[number];

/**
 * @param state A reachable state.
 * @param doomed The threads that are blocked there for ever; at least one.
 */
export function classifyDeadlock(
  reached: ReachableStates,
  state: readonly number[],
  doomed: readonly number[],
): Finding {
  const { vector, successors } = reached;
  const { system } = vector;
  const live = successors.of(state).filter((s) => !s.optional);
  const movers = new Set(live.map((s) => s.thread));
  const waitOf = (t: number) => locationOf(system, t, state[vector.pc(t)]!).wait;
  const holderOf = (t: number): number | undefined => {
    const holder = waitOf(t)?.holder;
    const id = holder === undefined ? 0 : successors.evaluate(holder, state, t);
    return id > 0 && id <= system.threads.length ? id - 1 : undefined;
  };
  const kindOf = (t: number): Kind => {
    const holder = holderOf(t);
    if (holder === t) return "self-deadlock";
    const thread = system.threads[t]!;
    const other = holder === undefined ? undefined : system.threads[holder]!;
    if (isHandler(thread) && other !== undefined && !isHandler(other) && thread.cpu >= 0 && other.cpu === thread.cpu) {
      return "irq-deadlock";
    }
    return live.length === 0 ? "deadlock" : "partial-deadlock";
  };
  /** Nobody on the chain of who waits for whom can move; it ends where somebody waits for his CPU or for nobody. */
  const isSettled = (first: number): boolean => {
    const seen = new Set<number>();
    for (let t: number | undefined = first; t !== undefined && !seen.has(t); t = holderOf(t)) {
      if (movers.has(t)) return false;
      seen.add(t);
      const { keptOff } = system.threads[t]!;
      if (keptOff !== undefined && successors.evaluate(keptOff, state, t) !== 0) return true;
    }
    return true;
  };
  const settled = doomed.filter(isSettled);
  const blamed = (settled.length > 0 ? settled : doomed)
    .map((t) => ({ t, kind: kindOf(t) }))
    .sort((a, b) => KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind) || a.t - b.t)[0]!;

  const chain: string[] = [];
  const seen = new Set<number>();
  for (let t: number | undefined = blamed.t; t !== undefined && !seen.has(t); ) {
    seen.add(t);
    const wait = waitOf(t);
    const { name } = system.threads[t]!;
    if (movers.has(t)) chain.push(`${name} can move`);
    else if (wait === undefined)
      chain.push(`${name} cannot go on in ${locationOf(system, t, state[vector.pc(t)]!).call}`);
    else {
      const holder = holderOf(t);
      const held =
        holder === undefined
          ? ""
          : holder === t
            ? ", which it holds itself"
            : `, held by ${system.threads[holder]!.name}`;
      chain.push(`${name} waits for ${wait.on}${held}`);
    }
    t = holderOf(t);
  }
  return { kind: blamed.kind, message: `${chain.join("; ")}: for ever`, thread: blamed.t };
}
