/**
 * Sets of values for the symbols of an encoding, and what one step makes of them: shared by the analyses that compute
 * invariants of such sets.
 */
import type { Encoding, Leaf } from "./encode.ts";
import type { Term, Terms } from "./term.ts";

/** Values of one symbol, as bits from its lower bound on; domains of more than 31 values are not tracked. */
export type Mask = number;

/** Combinations of values tried for one condition; beyond, nothing is learned from it. */
const MOST_COMBINATIONS = 2048;

export const tracked = (s: Term): boolean => s.hi - s.lo <= 30;

const everyValue = (s: Term): Mask => (s.hi - s.lo === 30 ? 0x7fffffff : (1 << (s.hi - s.lo + 1)) - 1);

export const bitOf = (s: Term, value: number): Mask => 1 << (value - s.lo);

export const isSingle = (mask: Mask): boolean => mask !== 0 && (mask & (mask - 1)) === 0;

export function valuesIn(s: Term, mask: Mask): number[] {
  const list: number[] = [];
  for (let b = 0; b <= s.hi - s.lo; b++) if ((mask & (1 << b)) !== 0) list.push(s.lo + b);
  return list;
}

/** The symbol has one of these values, given in rising order. */
export function among(terms: Terms, s: Term, values: readonly number[]): Term {
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
}

/** By the values its symbols can have, what has been found of a term: analyses ask the same again and again. */
type Found<T> = Map<string, T>;

/** Part of a condition. */
interface Factor {
  readonly term: Term;
  readonly symbols: readonly Term[];
  /** By symbol, the values with which it can be true (empty: it cannot); undefined where that is not known. */
  readonly found: Found<readonly ReadonlySet<number>[] | undefined>;
}

interface Update {
  readonly index: number;
  readonly value: Term;
  readonly symbols: readonly Term[];
  readonly found: Found<Mask>;
}

export interface StepOf {
  readonly leaf: Leaf;
  /** Of its condition but for the thread's own location. */
  readonly factors: readonly Factor[];
  readonly updates: readonly Update[];
  readonly target: number;
  /** It reads where other threads are. */
  readonly looksAround: boolean;
  fires: boolean;
}

export interface Fired {
  /** The values before it, narrowed by its condition. */
  readonly before: Int32Array;
  readonly after: Int32Array;
  readonly written: readonly number[];
  /** By other thread: where its condition lets that one be; absent: anywhere. */
  readonly others: ReadonlyMap<number, ReadonlySet<number>>;
}

/** Where a step is taken from. */
export interface Origin {
  /** By index of the state vector. */
  readonly sets: Int32Array;
  /** The locations where a thread, the stepping one included, can be. */
  readonly at: (thread: number) => readonly number[];
  /** The sets say something about this symbol. */
  readonly knows: (index: number) => boolean;
}

export function symbolsIn(term: Term, into = new Set<Term>(), seen = new Set<Term>()): Set<Term> {
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

/**
 * Values that symbols can have where a condition holds, each by itself, as far as its conjuncts tell.
 * @param start what is known of a symbol beforehand; undefined: nothing
 * @returns undefined where the condition cannot hold
 */
export function narrowed(
  condition: Term,
  start: (s: Term) => readonly number[] | undefined,
): ((s: Term) => readonly number[] | undefined) | undefined {
  const values = new Map<Term, readonly number[]>();
  const now = (s: Term): readonly number[] | undefined => values.get(s) ?? start(s);
  for (const factor of condition.op === "and" ? condition.args : [condition]) {
    if (factor.op === "false") return undefined;
    const symbols = [...symbolsIn(factor)];
    const kept = symbols.map(() => new Set<number>());
    let possible = false;
    const complete = combine(symbols, symbols.map(now), (of) => {
      if (evaluateTerm(factor, of) === 0) return;
      possible = true;
      for (const [i, s] of symbols.entries()) kept[i]?.add(of.get(s) as number);
    });
    if (!complete) continue;
    if (!possible) return undefined;
    for (const [i, s] of symbols.entries()) values.set(s, [...(kept[i] as Set<number>)]);
  }
  return now;
}

/** Runs the steps of one encoding on sets of values. */
export class StepsOnSets {
  readonly steps: readonly StepOf[];
  private readonly state: readonly Term[];
  private readonly indexOf: ReadonlyMap<Term, number>;
  private readonly threadOfPc: ReadonlyMap<Term, number>;

  constructor({ state, pcs, leaves }: Encoding) {
    this.state = state;
    this.indexOf = new Map(state.map((s, i) => [s, i]));
    this.threadOfPc = new Map(pcs.map((s, t) => [s, t]));
    this.steps = leaves.map((leaf) => {
      const here = pcs[leaf.thread] as Term;
      const factors = (leaf.enabled.op === "and" ? leaf.enabled.args : [leaf.enabled])
        .map((term): Factor => ({ term, symbols: [...symbolsIn(term)], found: new Map() }))
        // A factor about the own location alone is what being there means; encodings may fold the test away.
        .filter((f) => f.symbols.some((s) => s !== here));
      const updates = [...leaf.updates].flatMap(([s, value]) => {
        const index = this.indexOf.get(s);
        if (index === undefined || s === here || !tracked(s)) return [];
        return [{ index, value, symbols: [...symbolsIn(value)], found: new Map() }];
      });
      const read = [...factors, ...updates].flatMap((f) => f.symbols);
      const looksAround = read.some((s) => s !== here && this.threadOfPc.has(s));
      return { leaf, factors, updates, target: leaf.target ?? leaf.location, looksAround, fires: false };
    });
  }

  /** The values a symbol can have; undefined where that is not known. */
  private candidates(
    s: Term,
    origin: Origin,
    sets: Int32Array,
    others: ReadonlyMap<number, ReadonlySet<number>>,
  ): readonly number[] | undefined {
    const t = this.threadOfPc.get(s);
    if (t !== undefined) {
      const narrowed = others.get(t);
      return narrowed === undefined ? origin.at(t) : [...narrowed];
    }
    const i = this.indexOf.get(s);
    return i === undefined || !tracked(s) || !origin.knows(i) ? undefined : valuesIn(s, sets[i] ?? 0);
  }

  /** The step, on sets; undefined where it cannot fire. */
  fire(step: StepOf, origin: Origin): Fired | undefined {
    const before = origin.sets.slice();
    const others = new Map<number, ReadonlySet<number>>();
    const lists = (symbols: readonly Term[]) => symbols.map((s) => this.candidates(s, origin, before, others));
    for (let again = true; again; ) {
      again = false;
      for (const f of step.factors) {
        const values = lists(f.symbols);
        const possible = remembered(f.found, values, () => satisfying(f, values));
        if (possible === undefined) continue;
        for (const [n, s] of f.symbols.entries()) {
          const kept = possible[n] as ReadonlySet<number>;
          if (kept.size === 0) return undefined;
          if (kept.size === values[n]?.length) continue;
          again = true;
          const t = this.threadOfPc.get(s);
          if (t !== undefined) others.set(t, kept);
          else {
            let mask = 0;
            for (const v of kept) mask |= bitOf(s, v);
            before[this.indexOf.get(s) as number] = mask;
          }
        }
      }
    }
    const after = before.slice();
    for (const u of step.updates) {
      const s = this.state[u.index] as Term;
      const values = lists(u.symbols);
      after[u.index] = remembered(u.found, values, () => image(u, s, values));
      if (after[u.index] === 0) return undefined; // Every value is outside: the code tests that before.
    }
    return { before, after, written: step.updates.map((u) => u.index), others };
  }
}

type Lists = readonly (readonly number[] | undefined)[];

function remembered<T>(found: Found<T>, values: Lists, find: () => T): T {
  const key = values.map((list) => (list === undefined ? "?" : list.join())).join(";");
  if (!found.has(key)) found.set(key, find());
  return found.get(key) as T;
}

/** By symbol, the values with which the factor can be true; undefined where there are too many combinations. */
function satisfying({ term, symbols }: Factor, values: Lists): Set<number>[] | undefined {
  const kept = symbols.map(() => new Set<number>());
  const complete = combine(symbols, values, (of) => {
    if (evaluateTerm(term, of) === 0) return;
    symbols.forEach((s, n) => {
      kept[n]?.add(of.get(s) as number);
    });
  });
  return complete ? kept : undefined;
}

/** What an update can store into the symbol. */
function image({ value, symbols }: Update, into: Term, values: Lists): Mask {
  let mask = 0;
  const complete = combine(symbols, values, (of) => {
    const v = evaluateTerm(value, of);
    if (v >= into.lo && v <= into.hi) mask |= bitOf(into, v);
  });
  return complete ? mask : everyValue(into);
}

/** Calls back with each combination of values; false where there are too many or some are not known. */
export function combine(
  symbols: readonly Term[],
  lists: readonly (readonly number[] | undefined)[],
  each: (values: Map<Term, number>) => void,
): boolean {
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
}

/** Names a leaf in every encoding of the system. */
export function leafKey(leaf: Pick<Leaf, "thread" | "location" | "action" | "path">): string {
  return `${leaf.thread}/${leaf.location}/${leaf.action}/${leaf.path}`;
}
