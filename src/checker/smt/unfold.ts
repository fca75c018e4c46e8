/**
 * An encoding whose threads know everything by where they are: what only one thread can reach (its locals, its objects, its
 * element of an array with one for each thread) becomes part of its location, and so do small variables that only one
 * thread writes. Analyses that tell locations apart, and counting, then tell local states apart.
 *
 * A local without bounds that is only compared with numbers is known up to the range between these in which it lies.
 */
import type { SysLocation, SysProgram, SysThread } from "../../spec/transition-system.ts";
import type { Encoding, Leaf } from "./encode.ts";
import type { Term } from "./term.ts";
import type { ThreadModularInvariant } from "./thread-modular.ts";
import { narrowed, symbolsIn, tracked } from "./value-sets.ts";

/** The locals of a class cannot be told apart; the message says why. */
export class NotFinite extends Error {
  constructor(message: string) {
    super(message);
    this.name = "NotFinite";
  }
}

/** Local states of one thread beyond which it is given up. */
const MOST_STATES = 400;

/** Values of a variable that only one thread writes, for it to become part of where that thread is. */
const FEW_VALUES = 4;

/** Integers between two bounds, and one of them. */
interface Range {
  readonly lo: number;
  readonly hi: number;
  readonly stands: number;
}

interface LocalState {
  readonly index: number;
  readonly location: number;
  readonly values: ReadonlyMap<Term, number>;
}

interface Step {
  readonly leaf: Leaf;
  readonly from: LocalState;
  readonly to: LocalState | undefined;
  readonly enabled: Term;
}

interface Unfolded {
  readonly states: readonly LocalState[];
  readonly steps: readonly Step[];
}

/**
 * @param facts of this encoding
 * @param members indices of threads that stand for any number of them: nobody may keep the name of one of them to himself
 * @throws NotFinite where a thread has too many local states, or computes with a local without bounds
 */
export function unfold(encoding: Encoding, facts: ThreadModularInvariant, members: readonly number[] = []): Encoding {
  const { terms, system, pcs } = encoding;
  const threads = system.threads.map((_, t) => t);
  const constantOf = (s: Term, v: number): Term => (s.bool ? terms.bool(v !== 0) : terms.number(v));
  const initialOf = new Map(encoding.state.map((s, i) => [s, encoding.initial[i] ?? 0]));

  // Who touches what.
  const usedBy = new Map<Term, Set<number>>();
  const writtenBy = new Map<Term, Set<number>>();
  const note = (map: Map<Term, Set<number>>, s: Term, t: number): void => {
    map.set(s, (map.get(s) ?? new Set()).add(t));
  };
  for (const leaf of encoding.leaves) {
    for (const term of [leaf.enabled, ...leaf.updates.values()]) {
      for (const s of symbolsIn(term)) note(usedBy, s, leaf.thread);
    }
    for (const s of leaf.updates.keys()) {
      note(usedBy, s, leaf.thread);
      note(writtenBy, s, leaf.thread);
    }
  }
  const only = (map: Map<Term, Set<number>>, s: Term, t: number): boolean => {
    const list = map.get(s);
    return list?.size === 1 && list.has(t);
  };
  const elements = threads.map((t) =>
    system.vars.flatMap((v, n) => {
      const s = v.index === "thread" ? encoding.variables[n]?.[t] : undefined;
      return s?.op === "symbol" && only(usedBy, s, t) ? [s] : [];
    }),
  );
  /** Symbols that are gone afterwards. */
  const ownOf = threads.map((t) => [...(encoding.locals[t] ?? []), ...(elements[t] ?? [])]);
  const gone = new Set([...ownOf.flat(), ...pcs]);
  const named = new Set(system.vars.flatMap((v, n) => (v.values.of === "thread" ? (encoding.variables[n] ?? []) : [])));
  const written = threads.map((t) =>
    encoding.state.filter((s) => !gone.has(s) && !named.has(s) && s.hi - s.lo < FEW_VALUES && only(writtenBy, s, t)),
  );

  const unfolded = threads.map((t) => {
    const own = ownOf[t] ?? [];
    const more = written[t] ?? [];
    try {
      return explore(t, [...own, ...more]);
    } catch (error) {
      if (!(error instanceof NotFinite) || more.length === 0) throw error;
      return explore(t, own);
    }
  });
  const at = threads.map((t) =>
    terms.symbol(`at ${system.threads[t]?.name}`, 0, Math.max(0, (unfolded[t]?.states.length ?? 1) - 1)),
  );
  const isAt = (t: number, q: LocalState): Term => terms.eq(at[t] as Term, terms.number(q.index));
  const known = (t: number, q: LocalState): Map<Term, Term> => {
    const map = new Map<Term, Term>([...q.values].map(([s, v]) => [s, constantOf(s, v)]));
    if (pcs[t]?.op === "symbol") map.set(pcs[t] as Term, constantOf(pcs[t] as Term, q.location));
    return map;
  };
  /** A term about where threads are and what they know, said of their local states. */
  const expand = (term: Term): Term => {
    let result = term;
    for (const t of threads) {
      const mine = new Set<Term>([...(ownOf[t] ?? []), pcs[t] as Term]);
      if (![...symbolsIn(result)].some((s) => mine.has(s))) continue;
      const before = result;
      const cases = (unfolded[t]?.states ?? []).map((q) => [q, terms.substitute(before, known(t, q))] as const);
      if (before.bool) result = terms.or(...cases.map(([q, value]) => terms.and(isAt(t, q), value)));
      else {
        result = cases.reduceRight<Term>(
          (rest, [q, value]) => terms.ite(isAt(t, q), value, rest),
          cases.at(-1)?.[1] ?? terms.number(0),
        );
      }
    }
    return result;
  };

  const leaves = threads.flatMap((t) =>
    (unfolded[t]?.steps ?? []).map(({ leaf, from, to, enabled }): Leaf => {
      const map = known(t, from);
      const updates = new Map<Term, Term>();
      for (const [s, value] of leaf.updates) {
        if (!gone.has(s)) updates.set(s, expand(terms.substitute(value, map)));
      }
      if (to !== undefined && to !== from) updates.set(at[t] as Term, constantOf(at[t] as Term, to.index));
      return {
        ...leaf,
        location: from.index,
        path: `${leaf.path}:${to?.index ?? ""}`,
        enabled: terms.and(isAt(t, from), expand(enabled)),
        updates,
        target: to?.index,
      };
    }),
  );
  const state = [...encoding.state.filter((s) => !gone.has(s)), ...at];
  const programs = threads.map((t): SysProgram => {
    const program = system.programs[system.threads[t]?.program ?? -1] as SysProgram;
    const locations = (unfolded[t]?.states ?? []).map((q) => program.locations[q.location] as SysLocation);
    return { cls: program.cls, locals: [], locations };
  });
  return {
    ...encoding,
    system: {
      ...system,
      programs,
      threads: system.threads.map(
        (thread, t): SysThread => ({ ...thread, program: t, initialLocation: 0, initialLocals: [] }),
      ),
    },
    state,
    initial: state.map((s) => initialOf.get(s) ?? 0),
    kept: state.map((_, i) => i),
    pcs: at,
    locals: threads.map(() => []),
    leaves,
    choices: [],
    live: expand(encoding.live),
    blocked: encoding.blocked.map(expand),
    waiting: encoding.waiting.map(expand),
    holder: [],
    threadLive: encoding.threadLive.map(expand),
    property: (e) => expand(encoding.property(e)),
  };

  function explore(t: number, own: readonly Term[]): Unfolded {
    const thread = system.threads[t] as SysThread;
    for (const s of own) {
      const kept =
        namesThreads(t, s) &&
        [...(system.programs[thread.program]?.locations ?? []).keys()].some((l) =>
          facts.values(t, l, s.name)?.some((v) => v !== t + 1 && members.includes(v - 1)),
        );
      if (kept) throw new NotFinite(`${s.name} may name one of them`);
    }
    const ranges = new Map(own.flatMap((s) => (tracked(s) ? [] : [[s, rangesOf(t, own, s)] as const])));
    const states: LocalState[] = [];
    const byKey = new Map<string, LocalState>();
    const reach = (location: number, values: ReadonlyMap<Term, number>): LocalState => {
      const key = `${location}/${own.map((s) => values.get(s)).join()}`;
      let q = byKey.get(key);
      if (q !== undefined) return q;
      if (states.length >= MOST_STATES) throw new NotFinite(`${thread.name} has more than ${MOST_STATES} local states`);
      q = { index: states.length, location, values };
      byKey.set(key, q);
      states.push(q);
      return q;
    };
    reach(
      thread.initialLocation,
      new Map(
        own.map((s) => {
          const value = initialOf.get(s) ?? 0;
          return [s, ranges.get(s)?.find((r) => r.lo <= value && value <= r.hi)?.stands ?? value];
        }),
      ),
    );
    const steps: Step[] = [];
    for (let next = 0; next < states.length; next++) {
      const from = states[next] as LocalState;
      const map = new Map<Term, Term>([...from.values].map(([s, v]) => [s, constantOf(s, v)]));
      if (pcs[t]?.op === "symbol") map.set(pcs[t] as Term, constantOf(pcs[t] as Term, from.location));
      const before = (s: Term): readonly number[] | undefined => facts.values(t, from.location, s.name);
      for (const leaf of encoding.leaves) {
        if (leaf.thread !== t || leaf.location !== from.location) continue;
        const enabled = terms.substitute(leaf.enabled, map);
        if (narrowed(enabled, before) === undefined) continue;
        if (leaf.target === undefined) {
          steps.push({ leaf, from, to: undefined, enabled });
          continue;
        }
        const target = leaf.target;
        let cases: { readonly enabled: Term; readonly values: ReadonlyMap<Term, number> }[] = [
          { enabled, values: new Map() },
        ];
        for (const s of own) {
          const update = leaf.updates.get(s);
          const value = update === undefined ? (map.get(s) as Term) : terms.substitute(update, map);
          const is = (v: number): Term => terms.eq(terms.integer(value), terms.number(v));
          const possible =
            ranges.get(s)?.map((r) => [r.stands, within(value, r)] as const) ??
            (facts.values(t, target, s.name) ?? []).map((v) => [v, is(v)] as const);
          cases = cases.flatMap((c) =>
            possible.flatMap(([v, condition]) => {
              const both = terms.and(c.enabled, condition);
              return both === terms.false ? [] : [{ enabled: both, values: new Map([...c.values, [s, v]]) }];
            }),
          );
        }
        for (const c of cases) {
          if (narrowed(c.enabled, before) === undefined) continue;
          steps.push({ leaf, from, to: reach(target, c.values), enabled: c.enabled });
        }
      }
    }
    return { states, steps };
  }

  /** The values of a symbol that only thread t can reach are threads. */
  function namesThreads(t: number, s: Term): boolean {
    const thread = system.threads[t] as SysThread;
    const locals = system.programs[thread.program]?.locals ?? [];
    return (
      locals.some((l) => l.values.of === "thread" && s.name.startsWith(`${thread.name} ${l.fn}.${l.name}`)) ||
      system.vars.some((v) => v.values.of === "thread" && s.name.startsWith(`${v.name}[`))
    );
  }

  function within(value: Term, { lo, hi }: Range): Term {
    const x = terms.integer(value);
    return terms.and(
      lo === Number.NEGATIVE_INFINITY ? terms.true : terms.le(terms.number(lo), x),
      hi === Number.POSITIVE_INFINITY ? terms.true : terms.le(x, terms.number(hi)),
    );
  }

  /** The ranges between the numbers that a local, or a copy of it, is compared with. */
  function rangesOf(t: number, own: readonly Term[], symbol: Term): Range[] {
    const mine = encoding.leaves.filter((leaf) => leaf.thread === t);
    const copies = new Set([symbol]);
    for (let size = 0; size !== copies.size; ) {
      size = copies.size;
      for (const leaf of mine) {
        for (const [s, value] of leaf.updates) if (copies.has(value) && own.includes(s)) copies.add(s);
      }
    }
    const cuts = new Set<number>();
    const looked = new Set<Term>();
    const look = (term: Term): void => {
      if (looked.has(term)) return;
      looked.add(term);
      const [a, b] = term.args;
      if ((term.op === "=" || term.op === "<" || term.op === "<=") && a !== undefined && b !== undefined) {
        const [x, n] = copies.has(a) ? [a, b] : [b, a];
        if (copies.has(x) && n.op === "number") {
          cuts.add(n.lo);
          return;
        }
      }
      if (copies.has(term)) throw new NotFinite(`they compute with ${term.name}, which has no bounds`);
      term.args.forEach(look);
    };
    for (const leaf of mine) {
      look(leaf.enabled);
      for (const [s, value] of leaf.updates) if (!(copies.has(value) && copies.has(s))) look(value);
    }
    const sorted = [...cuts].sort((x, y) => x - y);
    const ranges: Range[] = [];
    let lo = Number.NEGATIVE_INFINITY;
    for (const cut of sorted) {
      if (lo < cut) ranges.push({ lo, hi: cut - 1, stands: cut - 1 });
      ranges.push({ lo: cut, hi: cut, stands: cut });
      lo = cut + 1;
    }
    ranges.push({ lo, hi: Number.POSITIVE_INFINITY, stands: sorted.length === 0 ? 0 : lo });
    return ranges;
  }
}
