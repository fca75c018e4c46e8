/**
 * A thread-modular invariant (Flanagan and Qadeer 2003; Miné 2014): for each thread and location a set of values for
 * every variable, for the thread's own locals and for where each other thread can be meanwhile. It is computed by
 * running the steps on such sets until nothing changes. A step of one thread disturbs another one only where what the
 * two know of the state has a common element: a thread that holds a lock is not disturbed by what others do under it.
 *
 * The result is an inductive invariant of the whole system. It serves to leave out of the encoding what it excludes, to
 * strengthen induction, and, where it already excludes what a property forbids, as the whole proof. Certificates
 * contain it and are checked against the whole system, so that nobody has to trust this analysis.
 */
import type { Encoding, Invariant } from "./encode.ts";
import type { Term } from "./term.ts";
import {
  among,
  type Fired,
  isSingle,
  leafKey,
  type Mask,
  type StepOf,
  StepsOnSets,
  tracked,
  valuesIn,
} from "./value-sets.ts";

/** Steps of one thread tried against places of another, over all rounds, before the analysis is given up. */
const MOST_WORK = 60_000_000;

interface Place {
  readonly thread: number;
  readonly location: number;
  /** By index of the state vector; 0 in all means that the place is not reached. */
  readonly sets: Int32Array;
  /** By thread: the locations where it can be meanwhile. */
  readonly meanwhile: readonly Uint8Array[];
  reached: boolean;
  /** Counts changes of `sets`, and of `meanwhile`. */
  version: number;
  meetings: number;
}

/** The invariant, and the sets it is made of. */
export interface ThreadModularInvariant extends Invariant {
  /** The thread can be at the location. */
  readonly reached: (thread: number, location: number) => boolean;
  /** What a symbol can be while the thread is there; undefined where nothing is said of it. */
  readonly values: (thread: number, location: number, symbol: string) => readonly number[] | undefined;
  /** The other thread can be at that location meanwhile. */
  readonly meets: (thread: number, location: number, other: number, otherLocation: number) => boolean;
}

/** @returns undefined where the analysis is given up for its size */
export function threadModular(encoding: Encoding): ThreadModularInvariant | undefined {
  const { system, state, initial } = encoding;
  const threads = system.threads.map((_, t) => t);
  const { pcs } = encoding;
  const threadOfPc = new Map(pcs.map((s, t) => [s, t]));
  const own = threads.map((t) => new Set(encoding.locals[t]));
  /** State vector indices that a place of the thread says something about. */
  const spoken = threads.map((t) =>
    state.flatMap((s, i) => {
      if (!tracked(s) || threadOfPc.has(s)) return [];
      const owner = own.findIndex((o) => o.has(s));
      return owner < 0 || owner === t ? [i] : [];
    }),
  );
  const shared = state.flatMap((s, i) => (tracked(s) && !threadOfPc.has(s) && own.every((o) => !o.has(s)) ? [i] : []));
  const sizes = system.threads.map((t) => system.programs[t.program]?.locations.length ?? 0);
  const places: Place[][] = threads.map((t) =>
    Array.from({ length: sizes[t] ?? 0 }, (_, location) => ({
      thread: t,
      location,
      sets: new Int32Array(state.length),
      meanwhile: threads.map((u) => new Uint8Array(sizes[u] ?? 0)),
      reached: false,
      version: 0,
      meetings: 0,
    })),
  );
  /** Where another thread can be while this one is here. */
  const where = (p: Place, t: number): number[] => {
    const flags = p.meanwhile[t] as Uint8Array;
    return [...flags.keys()].filter((l) => flags[l] === 1);
  };
  const place = (t: number, l: number): Place => places[t]?.[l] as Place;
  for (const t of threads) {
    const p = place(t, system.threads[t]?.initialLocation ?? 0);
    p.reached = true;
    p.version = 1;
    for (const i of spoken[t] ?? []) p.sets[i] = 1 << ((initial[i] ?? 0) - (state[i] as Term).lo);
    for (const u of threads) {
      if (u !== t) (p.meanwhile[u] as Uint8Array)[system.threads[u]?.initialLocation ?? 0] = 1;
    }
  }
  const onSets = new StepsOnSets(encoding);
  const { steps } = onSets;
  const stepsAt = new Map<Place, StepOf[]>();
  for (const s of steps) {
    const p = place(s.leaf.thread, s.leaf.location);
    stepsAt.set(p, [...(stepsAt.get(p) ?? []), s]);
  }

  const known = spoken.map((list) => new Set(list));
  const fire = (step: StepOf, p: Place): Fired | undefined =>
    onSets.fire(step, {
      sets: p.sets,
      at: (t) => (t === p.thread ? [p.location] : where(p, t)),
      knows: (i) => known[p.thread]?.has(i) === true,
    });

  let work = 0;
  let changed = true;
  const grow = (p: Place, i: number, mask: Mask): void => {
    const old = p.sets[i] ?? 0;
    if ((old | mask) === old) return;
    p.sets[i] = old | mask;
    p.version++;
    changed = true;
  };
  const meet = (p: Place, q: Place): void => {
    const flags = p.meanwhile[q.thread] as Uint8Array;
    if (flags[q.location] === 1) return;
    flags[q.location] = 1;
    (q.meanwhile[p.thread] as Uint8Array)[p.location] = 1;
    p.meetings++;
    q.meetings++;
    changed = true;
  };
  const effects = new Map<StepOf, { readonly version: number; readonly fired: Fired | undefined }>();
  /** What has been tried with these versions of the two places needs no second try. */
  const tried = new Map<StepOf, Map<Place, number>>();
  while (changed) {
    changed = false;
    for (const [p, list] of stepsAt) {
      if (!p.reached) continue;
      for (const step of list) {
        let effect = effects.get(step);
        const version = p.version + (step.looksAround ? p.meetings : 0);
        if (effect === undefined || effect.version !== version) {
          effect = { version, fired: fire(step, p) };
          effects.set(step, effect);
        }
        const fired = effect.fired;
        if (fired === undefined) continue;
        step.fires = true;
        if (step.leaf.error) continue;
        const target = place(p.thread, step.target);
        if (!target.reached) {
          target.reached = true;
          changed = true;
        }
        for (const i of spoken[p.thread] ?? []) grow(target, i, fired.after[i] ?? 0);
        const memory = tried.get(step) ?? new Map<Place, number>();
        tried.set(step, memory);
        for (const u of threads) {
          if (u === p.thread) continue;
          const flags = p.meanwhile[u] as Uint8Array;
          const allowed = fired.others.get(u);
          for (let m = 0; m < flags.length; m++) {
            if (flags[m] !== 1 || (allowed !== undefined && !allowed.has(m))) continue;
            const q = place(u, m);
            const stamp = effect.version * 65_536 + q.version;
            if (memory.get(q) === stamp) continue;
            if (++work > MOST_WORK) return undefined;
            memory.set(q, stamp);
            if (shared.some((i) => ((fired.before[i] ?? 0) & (q.sets[i] ?? 0)) === 0)) continue;
            meet(target, q);
            for (const i of fired.written) if (shared.includes(i)) grow(q, i, fired.after[i] ?? 0);
          }
        }
      }
    }
  }

  const indexOf = new Map(state.map((s, i) => [s.name, i]));
  const dead = new Set<string>();
  for (const s of steps) if (!s.fires) dead.add(leafKey(s.leaf));
  const anywhere = state.map((_, i) =>
    places.flat().reduce((mask, p) => (p.reached ? mask | (p.sets[i] ?? 0) : mask), 0),
  );
  const constants = new Map<string, number>();
  for (const [i, s] of state.entries()) {
    const spokenOf = threads.some((t) => spoken[t]?.includes(i));
    if (spokenOf && isSingle(anywhere[i] ?? 0)) constants.set(s.name, valuesIn(s, anywhere[i] ?? 0)[0] as number);
  }
  const here = places.map((list, t) =>
    list.map((p) => {
      const known = new Map<string, number>();
      if (!p.reached) return known;
      for (const i of spoken[t] ?? []) {
        const s = state[i] as Term;
        if (isSingle(p.sets[i] ?? 0)) known.set(s.name, valuesIn(s, p.sets[i] ?? 0)[0] as number);
      }
      return known;
    }),
  );
  const invariant = (other: Encoding): Term => {
    const { terms } = other;
    const named = new Map(other.state.map((s) => [s.name, s]));
    const parts: Term[] = [];
    for (const t of threads) {
      const pc = named.get(pcs[t]?.name ?? "");
      if (pc === undefined) continue;
      const list = places[t] as Place[];
      parts.push(
        among(
          terms,
          pc,
          list.filter((p) => p.reached).map((p) => p.location),
        ),
      );
      /** The same fact holds at several locations: one implication for them all. */
      const facts = new Map<Term, number[]>();
      const note = (fact: Term, l: number): void => {
        if (fact !== terms.true) facts.set(fact, [...(facts.get(fact) ?? []), l]);
      };
      for (const p of list) {
        if (!p.reached) continue;
        for (const i of spoken[t] ?? []) {
          const s = named.get(state[i]?.name ?? "");
          if (s === undefined || (p.sets[i] ?? 0) === anywhere[i]) continue;
          note(among(terms, s, valuesIn(s, p.sets[i] ?? 0)), p.location);
        }
        for (const u of threads) {
          const other = named.get(pcs[u]?.name ?? "");
          if (u <= t || other === undefined) continue;
          const flags = p.meanwhile[u] as Uint8Array;
          note(
            among(
              terms,
              other,
              [...flags.keys()].filter((l) => flags[l] === 1),
            ),
            p.location,
          );
        }
      }
      for (const [fact, locations] of facts) parts.push(terms.implies(among(terms, pc, locations), fact));
    }
    for (const [i, s] of state.entries()) {
      const mine = named.get(s.name);
      if (mine !== undefined && threads.some((t) => spoken[t]?.includes(i))) {
        parts.push(among(terms, mine, valuesIn(mine, anywhere[i] ?? 0)));
      }
    }
    return terms.and(...parts);
  };
  return {
    constant: (name) => constants.get(name),
    dead: (leaf) => dead.has(leafKey(leaf)),
    here: (t, l) => here[t]?.[l] ?? new Map(),
    invariant,
    reached: (t, l) => places[t]?.[l]?.reached === true,
    values: (t, l, name) => {
      const i = indexOf.get(name);
      const p = places[t]?.[l];
      if (i === undefined || p === undefined || !known[t]?.has(i)) return undefined;
      return valuesIn(state[i] as Term, p.sets[i] ?? 0);
    },
    meets: (t, l, u, m) => places[t]?.[l]?.meanwhile[u]?.[m] === 1,
  };
}
