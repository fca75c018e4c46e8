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
import type { Encoding, Facts, Leaf } from "./encode.ts";
import type { Term, Terms } from "./term.ts";

/** Values of one symbol, as bits from its lower bound on; domains of more than 31 values are not tracked. */
type Mask = number;

/** Combinations of values tried for one condition; beyond, nothing is learned from it. */
const MOST_COMBINATIONS = 2048;

/** Steps of one thread tried against places of another, over all rounds, before the analysis is given up. */
const MOST_WORK = 60_000_000;

const tracked = (s: Term): boolean => s.hi - s.lo <= 30;

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

interface Fired {
  /** The values before it, narrowed by its condition. */
  readonly before: Int32Array;
  readonly after: Int32Array;
  readonly written: readonly number[];
  /** By other thread: where its condition lets that one be; absent: anywhere. */
  readonly others: ReadonlyMap<number, ReadonlySet<number>>;
}

interface StepOf {
  readonly leaf: Leaf;
  /** Factors of its condition but for the thread's own location, each with the symbols in it. */
  readonly factors: readonly { readonly term: Term; readonly symbols: readonly Term[] }[];
  readonly updates: readonly { readonly index: number; readonly value: Term; readonly symbols: readonly Term[] }[];
  readonly target: number;
  /** It reads where other threads are. */
  readonly looksAround: boolean;
  fires: boolean;
}

export interface ThreadModular extends Facts {
  /** The invariant over the symbols of an encoding of the same system, those it lacks left out. */
  invariant(encoding: Encoding): Term;
  /** Locations reached, of how many, and rounds taken: for people. */
  readonly reached: number;
}

function symbolsIn(term: Term, into = new Set<Term>(), seen = new Set<Term>()): Set<Term> {
  if (seen.has(term)) return into;
  seen.add(term);
  if (term.op === "symbol") into.add(term);
  for (const a of term.args) symbolsIn(a, into, seen);
  return into;
}

/** The value of a term; a formula is 0 or 1. */
export function evaluateTerm(t: Term, of: ReadonlyMap<Term, number>): number {
  const arg = (i: number): number => evaluateTerm(t.args[i] as Term, of);
  switch (t.op) {
    case "number":
      return t.lo;
    case "true":
      return 1;
    case "false":
      return 0;
    case "symbol":
      return of.get(t) ?? 0;
    case "not":
      return 1 - arg(0);
    case "and":
      return t.args.every((a) => evaluateTerm(a, of) !== 0) ? 1 : 0;
    case "or":
      return t.args.some((a) => evaluateTerm(a, of) !== 0) ? 1 : 0;
    case "ite":
      return arg(0) !== 0 ? arg(1) : arg(2);
    case "=":
      return arg(0) === arg(1) ? 1 : 0;
    case "<":
      return arg(0) < arg(1) ? 1 : 0;
    case "<=":
      return arg(0) <= arg(1) ? 1 : 0;
    case "+":
      return (arg(0) + arg(1)) | 0;
    case "-":
      return (arg(0) - arg(1)) | 0;
    case "*":
      return Math.imul(arg(0), arg(1));
    case "neg":
      return -arg(0) | 0;
    case "&":
      return arg(0) & arg(1);
    case "|":
      return arg(0) | arg(1);
    case "^":
      return arg(0) ^ arg(1);
    case "<<":
      return arg(0) << arg(1);
    case ">>":
      return arg(0) >> arg(1);
    case "narrow":
      return arg(0);
  }
}

/** @returns undefined where the analysis is given up for its size, or the system has variables without bounds */
export function threadModular(encoding: Encoding): ThreadModular | undefined {
  const { system, state, initial } = encoding;
  if (state.some((s) => !Number.isFinite(s.lo) || !Number.isFinite(s.hi))) return undefined;
  const indexOf = new Map(state.map((s, i) => [s, i]));
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
  const steps: StepOf[] = encoding.leaves.map((leaf) => {
    const here = pcs[leaf.thread] as Term;
    const factors = (leaf.enabled.op === "and" ? leaf.enabled.args : [leaf.enabled])
      .map((term) => ({ term, symbols: [...symbolsIn(term)] }))
      // A factor about the own location alone is what being there means; encodings may fold the test away.
      .filter((f) => f.symbols.some((s) => s !== here));
    const updates = [...leaf.updates].flatMap(([s, value]) => {
      const index = indexOf.get(s);
      return index === undefined || s === here || !tracked(s) ? [] : [{ index, value, symbols: [...symbolsIn(value)] }];
    });
    const read = [...factors, ...updates].flatMap((f) => f.symbols);
    const looksAround = read.some((s) => s !== here && threadOfPc.has(s));
    return { leaf, factors, updates, target: leaf.target ?? leaf.location, looksAround, fires: false };
  });
  const stepsAt = new Map<Place, StepOf[]>();
  for (const s of steps) {
    const p = place(s.leaf.thread, s.leaf.location);
    stepsAt.set(p, [...(stepsAt.get(p) ?? []), s]);
  }

  /** The values a symbol can have, given sets; undefined where that is not tracked. */
  const candidates = (
    s: Term,
    p: Place,
    sets: Int32Array,
    others: ReadonlyMap<number, ReadonlySet<number>>,
  ): number[] | undefined => {
    const t = threadOfPc.get(s);
    if (t === p.thread) return [p.location];
    if (t !== undefined) {
      const narrowed = others.get(t);
      if (narrowed !== undefined) return [...narrowed];
      const flags = p.meanwhile[t] as Uint8Array;
      return [...flags.keys()].filter((l) => flags[l] === 1);
    }
    const i = indexOf.get(s);
    if (i === undefined || !tracked(s) || own.some((o, u) => u !== p.thread && o.has(s))) return undefined;
    const mask = sets[i] ?? 0;
    const list: number[] = [];
    for (let b = 0; b <= s.hi - s.lo; b++) if ((mask & (1 << b)) !== 0) list.push(s.lo + b);
    return list;
  };

  /** Calls back with each combination of values; false where there are too many or some are not tracked. */
  const combine = (
    symbols: readonly Term[],
    lists: readonly (readonly number[] | undefined)[],
    each: (values: Map<Term, number>) => void,
  ): boolean => {
    let product = 1;
    for (const list of lists) {
      if (list === undefined) return false;
      product *= list.length;
      if (product > MOST_COMBINATIONS) return false;
    }
    const values = new Map<Term, number>();
    const go = (n: number): void => {
      const s = symbols[n];
      if (s === undefined) {
        each(values);
        return;
      }
      for (const v of lists[n] as readonly number[]) {
        values.set(s, v);
        go(n + 1);
      }
    };
    go(0);
    return true;
  };

  /** The step from its place, on sets; undefined where it cannot fire. */
  const fire = (step: StepOf, p: Place): Fired | undefined => {
    const before = p.sets.slice();
    const others = new Map<number, Set<number>>();
    for (let again = true; again; ) {
      again = false;
      for (const f of step.factors) {
        const lists = f.symbols.map((s) => candidates(s, p, before, others));
        const kept = f.symbols.map(() => new Set<number>());
        let possible = false;
        const complete = combine(f.symbols, lists, (values) => {
          if (evaluateTerm(f.term, values) === 0) return;
          possible = true;
          f.symbols.forEach((s, n) => {
            kept[n]?.add(values.get(s) as number);
          });
        });
        if (!complete) continue;
        if (!possible) return undefined;
        f.symbols.forEach((s, n) => {
          if ((kept[n] as Set<number>).size === (lists[n] as number[]).length) return;
          const t = threadOfPc.get(s);
          if (t === p.thread) return;
          again = true;
          if (t !== undefined) others.set(t, kept[n] as Set<number>);
          else {
            let mask = 0;
            for (const v of kept[n] as Set<number>) mask |= 1 << (v - s.lo);
            before[indexOf.get(s) as number] = mask;
          }
        });
      }
    }
    const after = before.slice();
    for (const u of step.updates) {
      const s = state[u.index] as Term;
      let mask = 0;
      const lists = u.symbols.map((x) => candidates(x, p, before, others));
      const complete = combine(u.symbols, lists, (values) => {
        const v = evaluateTerm(u.value, values);
        if (v >= s.lo && v <= s.hi) mask |= 1 << (v - s.lo);
      });
      after[u.index] = complete ? mask : s.hi - s.lo === 30 ? 0x7fffffff : (1 << (s.hi - s.lo + 1)) - 1;
      if (after[u.index] === 0) return undefined; // Every value is outside: the code tests that before.
    }
    return { before, after, written: step.updates.map((u) => u.index), others };
  };

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

  const dead = new Set<string>();
  for (const s of steps) if (!s.fires) dead.add(keyOf(s.leaf));
  const anywhere = state.map((_, i) =>
    places.flat().reduce((mask, p) => (p.reached ? mask | (p.sets[i] ?? 0) : mask), 0),
  );
  const single = (mask: number): boolean => mask !== 0 && (mask & (mask - 1)) === 0;
  const bit = (mask: number): number => 31 - Math.clz32(mask);
  const constants = new Map<string, number>();
  for (const [i, s] of state.entries()) {
    const spokenOf = threads.some((t) => spoken[t]?.includes(i));
    if (spokenOf && single(anywhere[i] ?? 0)) constants.set(s.name, s.lo + bit(anywhere[i] ?? 0));
  }
  const here = places.map((list, t) =>
    list.map((p) => {
      const known = new Map<string, number>();
      if (!p.reached) return known;
      for (const i of spoken[t] ?? []) {
        const s = state[i] as Term;
        if (single(p.sets[i] ?? 0)) known.set(s.name, s.lo + bit(p.sets[i] ?? 0));
      }
      return known;
    }),
  );
  const among = (terms: Terms, s: Term, values: readonly number[]): Term => {
    if (values.length === s.hi - s.lo + 1) return terms.true;
    const runs: [number, number][] = [];
    for (const v of values) {
      const last = runs.at(-1);
      if (last !== undefined && last[1] === v - 1) last[1] = v;
      else runs.push([v, v]);
    }
    return terms.or(
      ...runs.map(([a, b]) =>
        a === b ? terms.eq(s, terms.number(a)) : terms.and(terms.le(terms.number(a), s), terms.le(s, terms.number(b))),
      ),
    );
  };
  const valuesIn = (s: Term, mask: number): number[] =>
    Array.from({ length: s.hi - s.lo + 1 }, (_, b) => b).flatMap((b) => ((mask & (1 << b)) !== 0 ? [s.lo + b] : []));
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
    dead: (leaf) => dead.has(keyOf(leaf)),
    here: (t, l) => here[t]?.[l] ?? new Map(),
    invariant,
    reached: places.flat().filter((p) => p.reached).length,
  };
}

function keyOf(leaf: {
  readonly thread: number;
  readonly location: number;
  readonly action: number;
  readonly path: string;
}) {
  return `${leaf.thread}/${leaf.location}/${leaf.action}/${leaf.path}`;
}
