/**
 * Any number of identical threads, by counting (German and Sistla 1992): for a class of threads that share a program,
 * one integer per local state says how many of them are in it. A local state is a location with what the thread alone can
 * reach (unfold.ts), and for each variable that names a thread whether it names this one. The rest of the system stays as
 * it is. What is unreachable in the counted system is unreachable for every number of members, and the other way round.
 *
 * Counted is what a thread-modular invariant leaves of a system with three members (any-number.ts): a few dozen local
 * states, most of whose locks nobody else can have.
 *
 * The one abstraction: a variable that names a thread (the owner of a lock) says of the class only "one of them". Which
 * one is kept on the other side, in the local state of the one that is named, of which there is never more than one.
 * Nothing is lost as long as a member compares such a variable only with itself, with nobody and with threads that are
 * not counted, and nobody overwrites it while it names another; systems that do otherwise are refused with the reason.
 */
import type { SysProperty, TransitionSystem } from "../../spec/transition-system.ts";
import type { Encoding, Leaf } from "./encode.ts";
import { type Change, placeInvariants } from "./place-invariants.ts";
import type { Term, Terms } from "./term.ts";
import type { ThreadModularInvariant } from "./thread-modular.ts";
import { among, combine, evaluateTerm, leafKey, narrowed, symbolsIn, tracked } from "./value-sets.ts";

/** The class cannot be counted; the message says why. */
export class NotCountable extends Error {
  constructor(message: string) {
    super(message);
    this.name = "NotCountable";
  }
}

/** Local states of one class beyond which counting is refused. */
const MOST_LOCAL_STATES = 400;

/** Combinations of local states of the members that a property names, beyond which it is refused. */
const MOST_COMBINATIONS = 2048;

/** Where one member is, and what it knows by itself. */
export interface LocalState {
  readonly location: number;
  /** The symbols that name this thread. */
  readonly named: ReadonlySet<Term>;
  /** How many members are here. */
  readonly count: Term;
  /** What is known of the rest of the system while somebody is here. */
  readonly meanwhile: Term;
}

/** A transition of a member or of another thread. */
interface Move {
  readonly leaf: Leaf;
  /** Undefined for threads that are not counted. */
  readonly from: LocalState | undefined;
  /** Undefined where it ends in an error, and for threads that are not counted. */
  readonly to: LocalState | undefined;
  readonly enabled: Term;
  /** Without counts. */
  readonly updates: ReadonlyMap<Term, Term>;
  /** The values that a symbol can have before it. */
  readonly before: (symbol: Term) => readonly number[] | undefined;
}

/** The initial value of something as the number of members grows: base + perMember * members. */
export interface Growth {
  readonly base: number;
  readonly perMember: number;
}

/** A weighted sum that no step changes. */
export interface LinearInvariant {
  readonly holds: Term;
  /** Integers of the system in it, with their weights, and the local states. */
  readonly integers: ReadonlyMap<Term, number>;
  readonly counts: ReadonlyMap<LocalState, number>;
  /** The sum in the initial state. */
  readonly start: Growth;
  /** Values of other symbols: a thread that is not counted is at a location, a lock is free. */
  readonly values: readonly { readonly symbol: Term; readonly value: number; readonly weight: number }[];
}

export interface Counted {
  /** With one thread: all transitions are its. */
  readonly system: TransitionSystem;
  /** What was counted, the index of the member that stands for all, and those of the threads that are not counted. */
  readonly of: Encoding;
  readonly stand: number;
  readonly others: readonly number[];
  readonly terms: Terms;
  readonly state: readonly Term[];
  readonly initial: Term;
  /** All transitions; those of a member are the ones of any thread in its local state. */
  readonly leaves: readonly Leaf[];
  /** How many members there are: at least one, and it never changes. */
  readonly members: Term;
  readonly localStates: readonly LocalState[];
  readonly moves: readonly Move[];
  /** What the thread-modular invariant says, of counts. */
  readonly facts: Term;
  readonly linear: readonly LinearInvariant[];
  /** No thread, counted or not, has a move that is not optional, and one is blocked. */
  readonly stuck: Term;
  /**
   * A step that has been left out could be taken: one that overwrites a name of a member, or a counter. Unless that is
   * excluded, what is unreachable here is not so in the system that was counted.
   */
  readonly unfaithful: Term;
  /** Such steps by the integer that they store a constant to. */
  readonly resetting: ReadonlyMap<Term, Term>;
  /** A thread that nobody is ever in the way of runs to its end: none can loop. */
  readonly terminates: boolean;
  /** Where another thread can be while a member is in the local state. */
  readonly besides: (from: LocalState, other: number) => readonly number[];
  /** The initial value of a symbol; undefined where it depends on the number of members. */
  readonly startOf: (symbol: Term) => number | undefined;
  /** States from which a step leads that carries such a finding. */
  readonly finding: (meant: (finding: number) => boolean) => Term;
  /** States that violate a property that is about single states or steps. @throws NotCountable for others */
  readonly violates: (property: SysProperty) => Term;
}

/**
 * The counted system.
 * @param left what the facts leave of a system with some members, unfolded (see unfold.ts)
 * @param members indices of the members; the first one stands for each
 * @param growth by name, the initial values that depend on the number of members
 * @param reset names of integers without bounds that do change where a constant is stored to them: of all others it is
 *   taken that they have that value already, as the counters of an object that is freed (see Counted.unfaithful)
 * @param excluded transitions that are known never to be taken (see moveKey)
 * @throws NotCountable
 */
export function count(
  left: Encoding,
  facts: Pick<ThreadModularInvariant, "reached" | "values" | "meets">,
  members: readonly number[],
  growth: ReadonlyMap<string, Growth> = new Map(),
  excluded: ReadonlySet<string> = new Set(),
  reset: ReadonlySet<string> = new Set(),
): Counted {
  const { terms, system } = left;
  const stand = members[0] as number;
  const cls = system.programs[system.threads[stand]?.program ?? -1]?.cls ?? "";
  const no = (why: string): NotCountable => new NotCountable(`threads of class ${cls} cannot be counted: ${why}`);
  const isMember = new Set(members);
  /** "One of them", as the value of a variable that names a thread, and someone else of them as a member sees it. */
  const one = stand + 1;
  const constantOf = (s: Term, v: number): Term => (s.bool ? terms.bool(v !== 0) : terms.number(v));
  const initialOf = new Map(left.state.map((s, i) => [s, left.initial[i] ?? 0]));

  // Where a member is, and elements of arrays with one for each thread that others look at.
  const ofMembers = new Set(
    members.flatMap((t) => [
      left.pcs[t] as Term,
      ...system.vars.flatMap((v, n) => (v.index === "thread" ? (left.variables[n]?.slice(t, t + 1) ?? []) : [])),
    ]),
  );
  const shared = left.state.filter((s) => !ofMembers.has(s));
  const others = system.threads.flatMap((_, t) => (isMember.has(t) ? [] : [t]));
  const variableOf = new Map(left.variables.flatMap((list, n) => list.map((s) => [s, system.vars[n]] as const)));
  const named = new Set(shared.filter((s) => variableOf.get(s)?.values.of === "thread"));
  for (const s of named) {
    if (isMember.has((initialOf.get(s) ?? 0) - 1)) throw no(`${s.name} names one of them at the start`);
  }

  /** A comparison of names: with nobody, with a thread that is not counted, or (`mine`) with the thread that looks. */
  const isName = (t: Term): boolean =>
    named.has(t) || ((t.op === "ite" || t.op === "narrow") && t.args.slice(t.op === "ite" ? 1 : 0).some(isName));
  const compared = (a: Term, n: Term, mine: boolean): Term => {
    if (a.op === "narrow") return compared(a.args[0] as Term, n, mine);
    if (a.op === "ite") {
      const [c, x, y] = a.args as [Term, Term, Term];
      return terms.ite(seen(c, mine), compared(x, n, mine), compared(y, n, mine));
    }
    if (!named.has(a)) return terms.eq(a, n);
    if (isMember.has(n.lo - 1)) {
      if (mine && n.lo === one) return terms.false;
      throw no(`${a.name} is compared with one of them`);
    }
    return terms.eq(a, n);
  };
  /** The term as a member sees it that no name in it stands for; for other threads (`mine` false) as it is. */
  function seen(t: Term, mine: boolean, done = new Map<Term, Term>()): Term {
    const before = done.get(t);
    if (before !== undefined) return before;
    let result = t;
    const [a, b] = t.args;
    if (t.op === "=" && a !== undefined && b !== undefined && (isName(a) || isName(b))) {
      const [name, n] = isName(a) ? [a, b] : [b, a];
      if (n.op !== "number") throw no("names of threads are compared with each other");
      result = compared(name, n, mine);
    } else if (t.op === "<" || t.op === "<=") {
      const nobody = a?.op === "number" && a.lo === (t.op === "<" ? 0 : 1);
      if ((a !== undefined && isName(a)) || (b !== undefined && isName(b) && !nobody)) throw no("names are ordered");
      result = rebuilt(t, mine, done);
    } else if (t.args.length > 0) {
      if (t.args.some(isName) && t.op !== "ite" && t.op !== "narrow") throw no("names of threads are computed with");
      result = rebuilt(t, mine, done);
    }
    done.set(t, result);
    return result;
  }
  function rebuilt(t: Term, mine: boolean, done: Map<Term, Term>): Term {
    return terms.rebuild(
      t,
      t.args.map((a) => seen(a, mine, done)),
    );
  }
  const alone = (t: Term): Term => {
    for (const s of symbolsIn(t)) if (ofMembers.has(s)) throw no(`${s.name} is looked at by another thread`);
    return t;
  };

  /** What a symbol can be while the thread is there, in the counted system: all members are "one of them". */
  const allowed = (t: number, location: number, s: Term, names?: ReadonlySet<Term>): readonly number[] | undefined => {
    const values = facts.values(t, location, s.name);
    if (values === undefined || !named.has(s)) return values;
    if (names?.has(s) === true) return [one];
    // To a member that it does not name, its own number cannot be there.
    const visible = names === undefined ? values : values.filter((v) => v !== one);
    return [...new Set(visible.map((v) => (isMember.has(v - 1) ? one : v)))].sort((x, y) => x - y);
  };
  const knownOf = (t: number, location: number, names?: ReadonlySet<Term>): Term =>
    terms.and(
      ...shared.map((s) => {
        const values = allowed(t, location, s, names);
        return values === undefined ? terms.true : among(terms, s, values);
      }),
    );

  // Local states.
  const localStates: LocalState[] = [];
  const byKey = new Map<string, LocalState>();
  const views = new Map<LocalState, (t: Term) => Term>();
  const total = terms.symbol(`members of ${cls}`, 0, Number.POSITIVE_INFINITY);
  const reach = (location: number, names: ReadonlySet<Term>): LocalState => {
    const key = `${location}/${[...named].map((s) => Number(names.has(s))).join("")}`;
    const before = byKey.get(key);
    if (before !== undefined) return before;
    if (localStates.length >= MOST_LOCAL_STATES) throw no(`they have more than ${MOST_LOCAL_STATES} local states`);
    const about = [`${cls} at ${location}`, ...[...names].map((s) => `has ${s.name}`)];
    const q: LocalState = {
      location,
      named: names,
      count: terms.symbol(`#${about.join(" ")}`, 0, Number.POSITIVE_INFINITY),
      meanwhile: knownOf(stand, location, names),
    };
    byKey.set(key, q);
    localStates.push(q);
    const pc = left.pcs[stand] as Term;
    const replacement = new Map<Term, Term>([[pc, constantOf(pc, location)]]);
    for (const s of names) replacement.set(s, terms.number(one));
    for (const s of shared) {
      const only = allowed(stand, location, s, names);
      if (only?.length === 1) replacement.set(s, constantOf(s, only[0] as number));
    }
    views.set(q, (t) => seen(terms.substitute(t, replacement), true));
    return q;
  };
  const viewOf = (q: LocalState): ((t: Term) => Term) => views.get(q) as (t: Term) => Term;
  const birth = reach(system.threads[stand]?.initialLocation ?? 0, new Set());

  // Moves.
  const some = (q: LocalState): Term => terms.le(terms.number(1), q.count);
  const overwriting: Term[] = [];
  const resetting = new Map<Term, Term[]>();
  const moves: Move[] = [];
  for (let next = 0; next < localStates.length; next++) {
    const q = localStates[next] as LocalState;
    const view = viewOf(q);
    for (const leaf of left.leaves) {
      if (leaf.thread !== stand || leaf.location !== q.location || excluded.has(moveKey(q, leaf))) continue;
      const enabled = alone(view(leaf.enabled));
      if (enabled === terms.false) continue;
      const before = narrowed(enabled, (s) => allowed(stand, q.location, s, q.named));
      if (before === undefined) continue;
      if (leaf.target === undefined) {
        moves.push({ leaf, from: q, to: undefined, enabled, updates: new Map(), before });
        continue;
      }
      const target = leaf.target;
      interface Case {
        readonly condition: Term;
        readonly names: ReadonlySet<Term>;
        readonly updates: ReadonlyMap<Term, Term>;
      }
      let cases: Case[] = [{ condition: enabled, names: q.named, updates: new Map() }];
      const split = (by: (c: Case) => readonly (readonly [Term, Case])[]): void => {
        cases = cases.flatMap((c) =>
          by(c).flatMap(([condition, after]) => {
            const both = terms.and(c.condition, condition);
            return both === terms.false ? [] : [{ ...after, condition: both }];
          }),
        );
      };
      for (const [s, update] of leaf.updates) {
        if (s === left.pcs[stand]) continue;
        if (ofMembers.has(s)) throw no(`one of them changes ${s.name}, which another one looks at`);
        const value = alone(update);
        if (!named.has(s)) {
          if (isName(value)) throw no(`${s.name} gets a name of a thread`);
          const seenValue = view(update);
          if (isReset(s, seenValue)) {
            split((c) => [[unlessReset(terms.and(some(q), c.condition), s, seenValue), c]]);
            continue;
          }
          split((c) => [[terms.true, { ...c, updates: new Map([...c.updates, [s, seenValue]]) }]]);
          continue;
        }
        split((c) =>
          alternatives(value, view).map(([condition, v]) => {
            if (v === s) return [condition, c] as const;
            if (v.op !== "number") throw no(`a name is copied to ${s.name}`);
            if (v.lo !== one && isMember.has(v.lo - 1)) throw no(`${s.name} gets the name of one of them`);
            let kept = condition;
            if (!q.named.has(s)) {
              kept = terms.and(condition, unlessOneHas(terms.and(some(q), c.condition, condition), s, before));
            }
            const names = new Set(c.names);
            if (v.lo === one) names.add(s);
            else names.delete(s);
            return [kept, { ...c, names, updates: new Map([...c.updates, [s, v]]) }] as const;
          }),
        );
      }
      for (const c of cases) {
        const known = narrowed(c.condition, before);
        if (known === undefined) continue;
        const to = reach(target, c.names);
        moves.push({ leaf, from: q, to, enabled: c.condition, updates: c.updates, before: known });
      }
    }
  }

  /** The values of a choice among names, with their conditions. */
  function alternatives(value: Term, view: (t: Term) => Term, condition: Term = terms.true): [Term, Term][] {
    if (condition === terms.false) return [];
    if (value.op === "narrow") return alternatives(value.args[0] as Term, view, condition);
    if (value.op !== "ite") return [[condition, value]];
    const [c, a, b] = value.args as [Term, Term, Term];
    const holds = view(c);
    return [
      ...alternatives(a, view, terms.and(condition, holds)),
      ...alternatives(b, view, terms.and(condition, terms.not(holds))),
    ];
  }

  /** A constant is stored to an integer without bounds. */
  function isReset(s: Term, value: Term): boolean {
    return value.op === "number" && !tracked(s) && !left.pcs.includes(s) && !reset.has(s.name);
  }
  /** It has that value already; otherwise the step is left out, with the same consequence as below. */
  function unlessReset(condition: Term, s: Term, value: Term): Term {
    const same = terms.eq(s, value);
    resetting.set(s, [...(resetting.get(s) ?? []), terms.and(condition, terms.not(same))]);
    return same;
  }

  /**
   * A step that would overwrite the name of a member, who would not know: it is left out, and that it can never be taken
   * becomes part of every proof.
   */
  function unlessOneHas(condition: Term, s: Term, before: Move["before"]): Term {
    if (before(s)?.includes(one) === false) return terms.true;
    const isOne = terms.eq(s, terms.number(one));
    const named = terms.substitute(condition, new Map([[s, terms.number(one)]]));
    if (named === terms.false || narrowed(named, before) === undefined) return terms.true;
    overwriting.push(terms.and(condition, isOne));
    return terms.not(isOne);
  }

  for (const leaf of left.leaves) {
    if (isMember.has(leaf.thread) || excluded.has(moveKey(undefined, leaf))) continue;
    let enabled = seen(alone(leaf.enabled), false);
    const values = (s: Term): readonly number[] | undefined =>
      left.pcs[leaf.thread] === s ? [leaf.location] : allowed(leaf.thread, leaf.location, s);
    let before = narrowed(enabled, values);
    if (enabled === terms.false || before === undefined) continue;
    const updates = new Map<Term, Term>();
    for (const [s, update] of leaf.updates) {
      if (ofMembers.has(s)) throw no(`${system.threads[leaf.thread]?.name} changes ${s.name}`);
      if (named.has(s)) {
        for (const [condition, v] of alternatives(update, (t) => seen(t, false))) {
          if (v === s) continue;
          if (v.op !== "number") throw no(`${system.threads[leaf.thread]?.name} copies a name to ${s.name}`);
          if (isMember.has(v.lo - 1)) throw no(`${s.name} gets the name of one of them`);
          const kept = unlessOneHas(terms.and(enabled, condition), s, before);
          enabled = terms.and(enabled, terms.implies(condition, kept));
        }
        before = narrowed(enabled, values);
        if (before === undefined) break;
        updates.set(s, update);
      } else {
        if (isName(update)) throw no(`${s.name} gets a name of a thread`);
        const value = seen(alone(update), false);
        if (isReset(s, value)) enabled = terms.and(enabled, unlessReset(enabled, s, value));
        else updates.set(s, value);
      }
    }
    if (before !== undefined) moves.push({ leaf, from: undefined, to: undefined, enabled, updates, before });
  }

  // The counted system.
  const plus = (s: Term, n: number): Term => terms.arithmetic("+", s, terms.number(n));
  const leaves: Leaf[] = [];
  for (const m of moves) {
    const updates = new Map(m.updates);
    if (m.from !== undefined && m.to !== undefined && m.from !== m.to) {
      updates.set(m.from.count, plus(m.from.count, -1));
      updates.set(m.to.count, plus(m.to.count, 1));
    }
    const enabled = m.from === undefined ? m.enabled : terms.and(some(m.from), m.enabled);
    const n = leaves.length;
    leaves.push({
      ...m.leaf,
      thread: 0,
      location: 0,
      action: n,
      ways: [],
      path: "",
      choice: n,
      enabled,
      updates,
      target: undefined,
    });
  }
  const state = [total, ...shared, ...localStates.map((q) => q.count)];
  const start = (s: Term): Term => {
    const grows = growth.get(s.name);
    if (grows === undefined) return constantOf(s, initialOf.get(s) ?? 0);
    return plus(terms.arithmetic("*", terms.number(grows.perMember), total), grows.base);
  };
  const initial = terms.and(
    terms.le(terms.number(1), total),
    ...shared.map((s) => terms.eq(s, start(s))),
    ...localStates.map((q) => terms.eq(q.count, q === birth ? total : terms.number(0))),
  );
  const live = terms.or(
    ...others.map((t) => seen(alone(left.threadLive[t] as Term), false)),
    ...localStates.map((q) => terms.and(some(q), alone(viewOf(q)(left.threadLive[stand] as Term)))),
  );
  const blocked = terms.or(
    ...others.map((t) => seen(alone(left.blocked[t] as Term), false)),
    ...localStates.map((q) => terms.and(some(q), alone(viewOf(q)(left.blocked[stand] as Term)))),
  );
  const stuck = terms.and(terms.not(live), blocked);
  const finding = (meant: (finding: number) => boolean): Term =>
    terms.or(...leaves.filter((leaf) => leaf.findings.some(meant)).map((leaf) => leaf.enabled));
  /** The expression is false; the members that it names stand for any that are as many. */
  const fails = (expr: Term): Term => {
    const spoken = members.filter((t) => symbolsIn(expr).has(left.pcs[t] as Term));
    if (localStates.length ** spoken.length > MOST_COMBINATIONS) throw no("the property names too many of them");
    const cases: Term[] = [];
    const place = (next: number, known: Map<Term, Term>, there: Map<LocalState, number>): void => {
      const pc = left.pcs[spoken[next] ?? -1];
      if (pc !== undefined) {
        for (const q of localStates) {
          const more = new Map(there).set(q, (there.get(q) ?? 0) + 1);
          place(next + 1, new Map(known).set(pc, constantOf(pc, q.location)), more);
        }
        return;
      }
      const holds = seen(alone(terms.substitute(expr, known)), false);
      const enough = [...there].map(([q, n]) => terms.le(terms.number(n), q.count));
      cases.push(terms.and(...enough, terms.le(terms.number(spoken.length), total), terms.not(holds)));
    };
    place(0, new Map(), new Map());
    return terms.or(...cases);
  };
  const violates = ({ id, check }: SysProperty): Term => {
    if (check.c === "findings") return finding((f) => check.findings.includes(f));
    if (check.c === "invariant") return fails(left.property(check.expr));
    if (check.c === "at-rest") return terms.and(terms.not(live), terms.not(blocked), fails(left.property(check.expr)));
    if (check.c === "deadlock") return stuck;
    throw no(`${id} is not a safety property`);
  };

  // What the thread-modular invariant says.
  const claims: Term[] = localStates.map((q) => terms.implies(some(q), q.meanwhile));
  const atLocation = new Map<number, LocalState[]>();
  for (const q of localStates) atLocation.set(q.location, [...(atLocation.get(q.location) ?? []), q]);
  const none = (list: readonly LocalState[]): Term => terms.and(...list.map((q) => terms.eq(q.count, terms.number(0))));
  const mate = members[1];
  for (const [l, list] of atLocation) {
    if (mate === undefined) break;
    const apart = [...atLocation].filter(([m]) => m > l && !facts.meets(stand, l, mate, m)).flatMap(([, qs]) => qs);
    const anybody = terms.or(...list.map((q) => some(q)));
    if (apart.length > 0) claims.push(terms.implies(anybody, none(apart)));
    if (!facts.meets(stand, l, mate, l))
      claims.push(
        terms.le(
          list.reduce((sum, q) => add(terms, sum, q.count), terms.number(0)),
          terms.number(1),
        ),
      );
  }
  for (const t of others) {
    const pc = left.pcs[t];
    const locations = system.programs[system.threads[t]?.program ?? -1]?.locations ?? [];
    for (const l of locations.keys()) {
      if (!facts.reached(t, l)) {
        if (pc?.op === "symbol") claims.push(terms.not(terms.eq(pc, terms.number(l))));
        continue;
      }
      const apart = [...atLocation].filter(([m]) => !facts.meets(t, l, stand, m)).flatMap(([, qs]) => qs);
      const here = pc?.op === "symbol" ? terms.eq(pc, terms.number(l)) : terms.true;
      const elsewhere = others.flatMap((u) => {
        const other = left.pcs[u];
        if (u <= t || other?.op !== "symbol") return [];
        const there = system.programs[system.threads[u]?.program ?? -1]?.locations ?? [];
        return [
          among(
            terms,
            other,
            [...there.keys()].filter((m) => facts.meets(t, l, u, m)),
          ),
        ];
      });
      claims.push(terms.implies(here, terms.and(knownOf(t, l), none(apart), ...elsewhere)));
    }
  }

  return {
    system: { ...system, threads: system.threads.slice(0, 1) },
    of: left,
    stand,
    others,
    terms,
    state,
    initial,
    leaves,
    members: total,
    localStates,
    moves,
    facts: terms.and(...claims),
    linear: linearInvariants(),
    stuck,
    unfaithful: terms.or(...overwriting, ...[...resetting.values()].flat()),
    resetting: new Map([...resetting].map(([s, list]) => [s, terms.or(...list)])),
    terminates: !loops(),
    besides: (from, t) => {
      const locations = system.programs[system.threads[t]?.program ?? -1]?.locations ?? [];
      return [...locations.keys()].filter((l) => facts.meets(stand, from.location, t, l));
    },
    startOf: (s) => (growth.has(s.name) ? undefined : initialOf.get(s)),
    finding,
    violates,
  };

  /**
   * A run of moves that are not optional may be endless. A thread without a way back to where it was takes finitely many.
   * So does one whose every way back takes a step that needs a variable to have some value, and one that leaves it with
   * another, which only threads change back that themselves take finitely many: each lap needs one of their steps.
   */
  function loops(): boolean {
    const live = moves.filter((m) => !m.leaf.optional && !m.leaf.error);
    const finite = new Set<number>();
    const threadOf = (m: Move): number => (m.from === undefined ? m.leaf.thread : stand);
    const threads = [stand, ...others];
    for (let size = -1; size !== finite.size; ) {
      size = finite.size;
      for (const t of threads) {
        if (finite.has(t)) continue;
        const mine = live.filter((m) => threadOf(m) === t);
        if (cyclic(mine).length === 0 || shared.some((s) => limits(t, s, cyclic(mine), live, finite))) finite.add(t);
      }
    }
    return finite.size < threads.length;
  }

  function limits(
    t: number,
    s: Term,
    mine: readonly Move[],
    live: readonly Move[],
    finite: ReadonlySet<number>,
  ): boolean {
    const pairs = (m: Move): readonly (readonly [number, number])[] | undefined => {
      const value = m.updates.get(s);
      return value === undefined ? [] : pairsOf(m, s, value);
    };
    if (mine.some((m) => pairs(m) === undefined)) return false;
    const values = new Set(mine.flatMap((m) => (m.before(s)?.length === 1 ? (m.before(s) as readonly number[]) : [])));
    return [...values].some((v) => {
      const restores = (m: Move): boolean => pairs(m)?.some(([a, b]) => a !== v && b === v) !== false;
      if (mine.some(restores)) return false;
      const needs = (m: Move): boolean => m.before(s)?.length === 1 && m.before(s)?.[0] === v;
      const spoils = (m: Move): boolean => {
        const changes = pairs(m) as readonly (readonly [number, number])[];
        return changes.length > 0 && changes.every(([, b]) => b !== v);
      };
      if (cyclic(mine.filter((m) => !needs(m))).length > 0 || cyclic(mine.filter((m) => !spoils(m))).length > 0)
        return false;
      return (
        live.every((m) => {
          const u = m.from === undefined ? m.leaf.thread : stand;
          return finite.has(u) || u === t ? true : !restores(m);
        }) &&
        (t !== stand || !live.some((m) => m.from !== undefined && restores(m)))
      );
    });
  }

  /** The moves of one thread that lie on a way back to where they start. */
  function cyclic(list: readonly Move[]): Move[] {
    const source = (m: Move): unknown => m.from ?? m.leaf.location;
    const target = (m: Move): unknown => (m.from === undefined ? m.leaf.target : m.to);
    let rest = [...list];
    for (let size = -1; size !== rest.length; ) {
      size = rest.length;
      const [sources, targets] = [new Set(rest.map(source)), new Set(rest.map(target))];
      rest = rest.filter((m) => targets.has(source(m)) && sources.has(target(m)));
    }
    return rest;
  }

  /** Weighted sums of counts, integers and values that no move changes. */
  function linearInvariants(): LinearInvariant[] {
    const steps = moves.filter((m) => !m.leaf.error);
    const valued = (s: Term): boolean => tracked(s) || left.pcs.includes(s);
    const valuesOf = new Map<Term, Set<number>>();
    const note = (s: Term, v: number): void => {
      valuesOf.set(s, (valuesOf.get(s) ?? new Set()).add(v));
    };
    /** By move and symbol: what it adds to an integer, or the values before and after. */
    type Effect = { readonly adds: number } | { readonly pairs: readonly (readonly [number, number])[] };
    const effects = steps.map(() => new Map<Term, Effect>());
    const unclear = new Set<Term>();
    for (const [n, m] of steps.entries()) {
      for (const [s, value] of m.updates) {
        if (value === s) continue;
        const adds = difference(value, s);
        if (!valued(s)) {
          if (adds === undefined) unclear.add(s);
          else effects[n]?.set(s, { adds });
          continue;
        }
        const pairs = pairsOf(m, s, value);
        if (pairs === undefined) unclear.add(s);
        else {
          effects[n]?.set(s, { pairs });
          for (const [a, b] of pairs) {
            note(s, a);
            note(s, b);
          }
        }
      }
    }
    for (const s of shared) if (valued(s) && growth.get(s.name) === undefined) note(s, initialOf.get(s) ?? 0);
    // Where threads are comes first, then values, then integers: each invariant says the last of its places by others.
    const isPlace = (s: Term): number => (left.pcs.includes(s) ? 0 : 1);
    const places: ({ readonly q: LocalState } | { readonly s: Term; readonly v?: number })[] = [
      ...localStates.map((q) => ({ q })),
      ...shared
        .filter((s) => valued(s) && !unclear.has(s))
        .sort((a, b) => isPlace(a) - isPlace(b))
        // The least of its values is had exactly if no other is.
        .flatMap((s) =>
          [...(valuesOf.get(s) ?? [])]
            .sort((a, b) => a - b)
            .slice(1)
            .map((v) => ({ s, v })),
        ),
      ...shared.filter((s) => !valued(s) && !unclear.has(s)).map((s) => ({ s })),
    ];
    const index = new Map<unknown, number>();
    const key = (s: Term, v: number): string => `${s.id}=${v}`;
    for (const [i, p] of places.entries()) index.set("q" in p ? p.q : p.v === undefined ? p.s : key(p.s, p.v), i);
    const changes: Change[] = [];
    const put = (change: Map<number, number>, what: unknown, n: number): void => {
      const i = index.get(what);
      if (i !== undefined) change.set(i, (change.get(i) ?? 0) + n);
    };
    for (const [n, m] of steps.entries()) {
      const base = new Map<number, number>();
      if (m.from !== undefined && m.to !== undefined) {
        put(base, m.from, -1);
        put(base, m.to, 1);
      }
      for (const [s, effect] of effects[n] ?? []) {
        if (unclear.has(s)) continue;
        if ("adds" in effect) {
          put(base, s, effect.adds);
          continue;
        }
        const [first, ...rest] = effect.pairs;
        const move = (change: Map<number, number>, [a, b]: readonly [number, number], sign: number): void => {
          put(change, key(s, a), -sign);
          put(change, key(s, b), sign);
        };
        if (first === undefined) continue;
        move(base, first, 1);
        // Each further possibility must make no difference.
        for (const other of rest) {
          const change = new Map<number, number>();
          move(change, other, 1);
          move(change, first, -1);
          changes.push(change);
        }
      }
      changes.push(base);
    }
    const found: LinearInvariant[] = [];
    for (const weights of placeInvariants(changes, places.length)) {
      const counts = new Map<LocalState, number>();
      const whole = new Map<Term, number>();
      const values: { symbol: Term; value: number; weight: number }[] = [];
      let [base, perMember] = [0, 0];
      let sum: Term = terms.number(0);
      for (const [i, weight] of weights) {
        const p = places[i];
        if (p === undefined) continue;
        const times = (t: Term): Term => terms.arithmetic("*", terms.number(weight), t);
        if ("q" in p) {
          counts.set(p.q, weight);
          sum = add(terms, sum, times(p.q.count));
          if (p.q === birth) perMember += weight;
        } else if (p.v === undefined) {
          whole.set(p.s, weight);
          sum = add(terms, sum, times(p.s));
          const grows = growth.get(p.s.name);
          base += weight * (grows?.base ?? initialOf.get(p.s) ?? 0);
          perMember += weight * (grows?.perMember ?? 0);
        } else {
          values.push({ symbol: p.s, value: p.v, weight });
          sum = add(terms, sum, times(terms.integer(terms.eq(p.s, terms.number(p.v)))));
          if (initialOf.get(p.s) === p.v) base += weight;
        }
      }
      const atStart = add(terms, terms.arithmetic("*", terms.number(perMember), total), terms.number(base));
      found.push({ holds: terms.eq(sum, atStart), integers: whole, counts, start: { base, perMember }, values });
    }
    return found;
  }

  /** value - s, where that is a number. */
  function difference(value: Term, s: Term): number | undefined {
    if (value === s) return 0;
    const [a, b] = value.args;
    if (value.op === "narrow" && a !== undefined) return difference(a, s);
    if ((value.op === "+" || value.op === "-") && a !== undefined && b !== undefined) {
      if (b.op === "number") {
        const before = difference(a, s);
        return before === undefined ? undefined : before + (value.op === "+" ? b.lo : -b.lo);
      }
      if (a.op === "number" && value.op === "+") {
        const before = difference(b, s);
        return before === undefined ? undefined : before + a.lo;
      }
    }
    return undefined;
  }

  /** Which value of a symbol a move turns into which; undefined where that is not known. */
  function pairsOf(m: Move, s: Term, value: Term): (readonly [number, number])[] | undefined {
    const symbols = [...new Set([s, ...symbolsIn(value)])];
    const factors = (m.enabled.op === "and" ? m.enabled.args : [m.enabled]).filter((f) =>
      [...symbolsIn(f)].every((x) => symbols.includes(x)),
    );
    const pairs = new Map<string, readonly [number, number]>();
    const complete = combine(symbols, symbols.map(m.before), (of) => {
      if (factors.some((f) => evaluateTerm(f, of) === 0)) return;
      const pair = [of.get(s) as number, evaluateTerm(value, of)] as const;
      pairs.set(pair.join(), pair);
    });
    if (!complete) return undefined;
    return [...pairs.values()];
  }
}

/** Names a transition in every counted system of the same encoding. */
export function moveKey(from: LocalState | undefined, leaf: Leaf): string {
  return `${from?.count.name ?? ""} ${leafKey(leaf)}`;
}

function add(terms: Terms, a: Term, b: Term): Term {
  return terms.arithmetic("+", a, b);
}
