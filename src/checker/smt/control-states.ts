/**
 * An invariant by value sets for each control state, that is for each combination of the threads' locations (Cousot and
 * Cousot 1977, over sets of values for each symbol by itself). More exact than the thread-modular one, which it
 * comes after: a counter is not disturbed again and again by a step that happens once. It is given up where there are
 * too many control states.
 */
import type { Encoding, Invariant } from "./encode.ts";
import type { Term } from "./term.ts";
import {
  among,
  bitOf,
  type Fired,
  isSingle,
  leafKey,
  type StepOf,
  StepsOnSets,
  tracked,
  valuesIn,
} from "./value-sets.ts";

/** Control states beyond which the analysis is given up. */
const MOST_CONTROL_STATES = 6000;

interface ControlState {
  readonly at: readonly number[];
  readonly sets: Int32Array;
  waiting: boolean;
}

/** @returns undefined where there are too many control states */
export function controlStates(encoding: Encoding): Invariant | undefined {
  const { system, state, initial, pcs } = encoding;
  const isPc = new Set(pcs);
  const spoken = state.flatMap((s, i) => (tracked(s) && !isPc.has(s) ? [i] : []));
  const known = new Set(spoken);
  const onSets = new StepsOnSets(encoding);
  const stepsAt = system.threads.map(() => new Map<number, StepOf[]>());
  for (const s of onSets.steps) {
    const list = stepsAt[s.leaf.thread] as Map<number, StepOf[]>;
    list.set(s.leaf.location, [...(list.get(s.leaf.location) ?? []), s]);
  }
  const first: ControlState = {
    at: system.threads.map((t) => t.initialLocation),
    sets: new Int32Array(state.length),
    waiting: true,
  };
  for (const i of spoken) first.sets[i] = bitOf(state[i] as Term, initial[i] ?? 0);
  const reached = new Map<string, ControlState>([[first.at.join(), first]]);
  const queue: ControlState[] = [first];
  const successors = new Map<ControlState, Set<ControlState>>();
  const arrive = (from: ControlState, step: StepOf, fired: Fired): void => {
    const at = from.at.map((l, t) => (t === step.leaf.thread ? step.target : l));
    const key = at.join();
    let to = reached.get(key);
    if (to === undefined) {
      to = { at, sets: new Int32Array(state.length), waiting: true };
      reached.set(key, to);
      queue.push(to);
    }
    const next = successors.get(from) ?? new Set();
    successors.set(from, next.add(to));
    let grown = false;
    for (const i of spoken) {
      const old = to.sets[i] ?? 0;
      const now = old | (fired.after[i] ?? 0);
      if (now === old) continue;
      to.sets[i] = now;
      grown = true;
    }
    if (grown && !to.waiting) {
      to.waiting = true;
      queue.push(to);
    }
  };
  for (let next = 0; next < queue.length; next++) {
    const c = queue[next] as ControlState;
    c.waiting = false;
    const origin = { sets: c.sets, at: (t: number) => [c.at[t] ?? 0], knows: (i: number) => known.has(i) };
    for (const [t, l] of c.at.entries()) {
      for (const step of stepsAt[t]?.get(l) ?? []) {
        const fired = onSets.fire(step, origin);
        if (fired === undefined) continue;
        step.fires = true;
        if (!step.leaf.error) arrive(c, step, fired);
      }
    }
    if (reached.size > MOST_CONTROL_STATES || queue.length > 20 * MOST_CONTROL_STATES) return undefined;
  }

  const all = [...reached.values()];
  const dead = new Set(onSets.steps.filter((s) => !s.fires).map((s) => leafKey(s.leaf)));
  const union = (list: readonly ControlState[], i: number): number =>
    list.reduce((mask, c) => mask | (c.sets[i] ?? 0), 0);
  const singles = (list: readonly ControlState[]): Map<string, number> =>
    new Map(
      spoken.flatMap((i): [string, number][] => {
        const s = state[i] as Term;
        const mask = union(list, i);
        return isSingle(mask) ? [[s.name, valuesIn(s, mask)[0] as number]] : [];
      }),
    );
  const constants = singles(all);
  const here = system.threads.map((_, t) => {
    const byLocation = new Map<number, ControlState[]>();
    for (const c of all) byLocation.set(c.at[t] ?? 0, [...(byLocation.get(c.at[t] ?? 0) ?? []), c]);
    return new Map([...byLocation].map(([l, list]) => [l, singles(list)]));
  });
  const describeAll = (other: Encoding, list: readonly ControlState[]): Term => {
    const { terms } = other;
    const named = new Map(other.state.map((s) => [s.name, s]));
    /** What is known where the first threads are settled, beyond what was known before. */
    const describe = (list: readonly ControlState[], t: number, before: readonly number[]): Term => {
      const masks = state.map((_, i) => (known.has(i) ? union(list, i) : 0));
      const facts = spoken.flatMap((i) => {
        const s = named.get(state[i]?.name ?? "");
        return s === undefined || masks[i] === before[i] ? [] : [among(terms, s, valuesIn(s, masks[i] ?? 0))];
      });
      const pc = named.get(pcs[t]?.name ?? "");
      if (pc === undefined) return terms.and(...facts);
      const groups = new Map<number, ControlState[]>();
      for (const c of list) groups.set(c.at[t] ?? 0, [...(groups.get(c.at[t] ?? 0) ?? []), c]);
      const below = new Map<Term, number[]>();
      for (const [l, group] of groups) {
        const inside = describe(group, t + 1, masks);
        below.set(inside, [...(below.get(inside) ?? []), l]);
      }
      const rising = (numbers: Iterable<number>): number[] => [...numbers].sort((a, b) => a - b);
      return terms.and(
        ...facts,
        among(terms, pc, rising(groups.keys())),
        ...[...below].map(([inside, at]) => terms.implies(among(terms, pc, rising(at)), inside)),
      );
    };
    return list.length === 0 ? terms.false : describe(list, 0, []);
  };
  const layers: (readonly ControlState[])[] = [[first]];
  const layer = (steps: number): readonly ControlState[] => {
    for (let k = layers.length; k <= steps; k++) {
      const from = layers[k - 1] as readonly ControlState[];
      layers.push([...new Set(from.flatMap((c) => [...(successors.get(c) ?? [])]))]);
    }
    return layers[steps] as readonly ControlState[];
  };
  return {
    constant: (name) => constants.get(name),
    dead: (leaf) => dead.has(leafKey(leaf)),
    here: (t, l) => here[t]?.get(l) ?? new Map(),
    invariant: (other) => describeAll(other, all),
    afterSteps: (other, steps) => describeAll(other, layer(steps)),
  };
}
