/**
 * What of a system matters to some goals: facts known beforehand put in (see thread-modular.ts and control-states.ts), and the cone of
 * influence (Clarke, Grumberg, Peled 1999, 13.1): symbols that no guard reads, no goal, and no value of a symbol that
 * matters. No verdict and no depth changes: the paths of the sliced system are those of the whole one.
 */
import type { TransitionSystem } from "../../spec/transition-system.ts";
import { controlStates } from "./control-states.ts";
import { type Encoding, encode, type Invariant } from "./encode.ts";
import type { Term } from "./term.ts";
import { threadModular } from "./thread-modular.ts";

export interface Slice {
  /** Of the system as it is. */
  readonly whole: Encoding;
  /** Of what the facts leave of it. */
  readonly encoding: Encoding;
  /** Undefined where the analysis was given up. */
  readonly facts: Invariant | undefined;
}

export function slice(system: TransitionSystem): Slice {
  const whole = encode(system);
  const first = threadModular(whole);
  if (first === undefined) return { whole, encoding: whole, facts: undefined };
  const encoding = encode(system, first);
  const second = controlStates(encoding);
  if (second === undefined) return { whole, encoding, facts: first };
  const facts = both(first, second);
  return { whole, encoding: encode(system, facts), facts };
}

/** What follows from two invariants, the second one of the system as the first one leaves it. */
function both(a: Invariant, b: Invariant): Invariant {
  return {
    constant: (name) => a.constant(name) ?? b.constant(name),
    dead: (leaf) => a.dead(leaf) || b.dead(leaf),
    here: (thread, location) => new Map([...a.here(thread, location), ...b.here(thread, location)]),
    invariant: (encoding) => encoding.terms.and(a.invariant(encoding), b.invariant(encoding)),
    ...(b.afterSteps && { afterSteps: b.afterSteps }),
  };
}

/** The encoding without the symbols that neither the goals nor any step depends on. */
export function cone(encoding: Encoding, goals: readonly Term[]): Encoding {
  const needed = new Set<Term>();
  const seen = new Set<Term>();
  const need = (t: Term): void => {
    if (seen.has(t)) return;
    seen.add(t);
    if (t.op === "symbol") needed.add(t);
    t.args.forEach(need);
  };
  for (const leaf of encoding.leaves) need(leaf.enabled);
  for (const pc of encoding.pcs) need(pc);
  for (const g of goals) need(g);
  for (let size = -1; size !== needed.size; ) {
    size = needed.size;
    for (const leaf of encoding.leaves) {
      for (const [s, value] of leaf.updates) if (needed.has(s)) need(value);
    }
  }
  const indices = encoding.state.flatMap((s, i) => (needed.has(s) ? [i] : []));
  if (indices.length === encoding.state.length) return encoding;
  const pick = <T>(list: readonly T[]): T[] => indices.map((i) => list[i] as T);
  return {
    ...encoding,
    state: pick(encoding.state),
    initial: pick(encoding.initial),
    kept: pick(encoding.kept),
    leaves: encoding.leaves.map((leaf) => ({
      ...leaf,
      updates: new Map([...leaf.updates].filter(([s]) => needed.has(s))),
    })),
  };
}
