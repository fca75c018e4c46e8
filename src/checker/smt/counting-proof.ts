/**
 * Proofs in a counted system: the thread-modular invariant and the place invariants of what is left of it, in turn until
 * neither excludes more, and clauses where they do not suffice (traps.ts); and the shortest violation, with how many
 * members it takes.
 */
import type { SysProperty, SysThread } from "../../spec/transition-system.ts";
import { controlStates } from "./control-states.ts";
import {
  type Counted,
  count,
  type Growth,
  type LinearInvariant,
  type LocalState,
  moveKey,
  NotCountable,
} from "./counting.ts";
import type { Encoding, Invariant, Leaf } from "./encode.ts";
import { cone } from "./slice.ts";
import { check, openSolver, prelude, type SolverChoice, SolverFailure, type SolverSession, values } from "./solver.ts";
import type { Term } from "./term.ts";
import { declaration, integers, quoted } from "./theory.ts";
import { type ThreadModularInvariant, threadModular } from "./thread-modular.ts";
import { type Clause, excludingClauses } from "./traps.ts";
import { unfold } from "./unfold.ts";
import { Unrolling } from "./unrolling.ts";
import { among, leafKey, symbolsIn } from "./value-sets.ts";

/** A counted system with all that is known of it. */
export interface CountedProof {
  /** Nothing is left out of it: what a certificate speaks of. */
  readonly whole: Counted;
  /** Without the transitions that are never taken. */
  readonly left: Counted;
  /** Holds of every reachable state of `whole`. */
  readonly invariant: Term;
  /** The part of it that is about `left`. */
  readonly known: Term;
}

/** Rounds after which no more is looked for. */
const MOST_ROUNDS = 8;

/** The values in both lists; undefined says nothing. */
function common(a: readonly number[] | undefined, b: readonly number[] | undefined): readonly number[] | undefined {
  return a === undefined ? b : b === undefined ? a : a.filter((v) => b.includes(v));
}

type Facts = Pick<ThreadModularInvariant, "reached" | "values" | "meets">;

const both = (a: Facts, b: Facts): Facts => ({
  reached: (t, l) => a.reached(t, l) && b.reached(t, l),
  values: (t, l, name) => common(a.values(t, l, name), b.values(t, l, name)),
  meets: (t, l, u, m) => a.meets(t, l, u, m) && b.meets(t, l, u, m),
});

/**
 * Counts, and leaves out what the invariants exclude, again and again.
 * @param encoding what the facts leave of a system with some members
 * @param known the thread-modular invariant of the whole system
 * @param members indices of the members
 * @param growth by name, the initial values that depend on how many they are
 * @throws NotCountable; NotFinite; SolverFailure
 */
export async function proveCounts(
  encoding: Encoding,
  known: ThreadModularInvariant,
  members: readonly number[],
  growth: ReadonlyMap<string, Growth>,
  choice: SolverChoice,
  deadline: number,
): Promise<CountedProof> {
  const left = unfold(encoding, known, members);
  const facts = threadModular(left);
  if (facts === undefined) throw new NotCountable("there are too many local states for a thread-modular invariant");
  for (const reset = new Set<string>(); ; ) {
    const proof = await rounds(left, facts, members, growth, reset, choice, deadline);
    const { whole, invariant } = proof;
    const before = reset.size;
    for (const [s, condition] of whole.resetting) {
      if (await possibleIn(whole, whole.terms.and(invariant, condition), choice, deadline)) reset.add(s.name);
    }
    if (reset.size === before) return proof;
  }
}

async function possibleIn(counted: Counted, condition: Term, choice: SolverChoice, deadline: number): Promise<boolean> {
  const session = openSolver(choice, "counting");
  try {
    const lines = [
      prelude(session, choice, "ALL"),
      ...counted.state.map(declaration),
      `(assert ${integers.print(condition)})`,
    ];
    return (await check(session, [...lines, "(check-sat)"].join("\n"), deadline)) !== "unsat";
  } finally {
    session.close();
  }
}

async function rounds(
  left: Encoding,
  facts: ThreadModularInvariant,
  members: readonly number[],
  growth: ReadonlyMap<string, Growth>,
  reset: ReadonlySet<string>,
  choice: SolverChoice,
  deadline: number,
): Promise<CountedProof> {
  const { terms } = left;
  const stand = members[0] as number;
  const whole = count(left, facts, members, growth, new Set(), reset);
  const parts: Term[] = [];
  let known: Facts = facts;
  let counted = whole;
  const excluded = new Set<string>();
  let beside: Implied["beside"] = new Map();
  let now: Term;
  for (let round = 1; ; round++) {
    const here = new Set(counted.localStates.map((q) => q.count));
    const gone = whole.localStates.filter((q) => !here.has(q.count));
    const together = atLocations(counted, beside)?.invariant(asEncoding(counted)) ?? terms.true;
    now = terms.and(counted.facts, together, ...counted.linear.map((l) => l.holds));
    parts.push(now, ...gone.map((q) => terms.eq(q.count, terms.number(0))));
    const next = await implied(counted, now, choice, deadline).catch((error: unknown) => {
      // What is known by then stays known.
      if (error instanceof SolverFailure) return undefined;
      throw error;
    });
    if (next === undefined) break;
    const size = (places: Implied["beside"]): number => [...places.values()].reduce((n, list) => n + list.length, 0);
    if ((next.never.size === 0 && size(next.beside) <= size(beside)) || round === MOST_ROUNDS) break;
    for (const key of next.never) excluded.add(key);
    beside = next.beside;
    // A step that no member takes in any of its local states is not there for the thread-modular analysis either.
    const keyOf = (leaf: Leaf): string =>
      leafKey({ ...leaf, thread: members.includes(leaf.thread) ? stand : leaf.thread });
    const taken = new Set(
      counted.moves.flatMap((m) => (excluded.has(moveKey(m.from, m.leaf)) ? [] : [leafKey(m.leaf)])),
    );
    const leaves = left.leaves
      .filter((leaf) => taken.has(keyOf(leaf)))
      .map((leaf) => {
        const elsewhere = (beside.get(keyOf(leaf)) ?? []).flatMap(({ thread, location }) => {
          const who = thread === stand ? members.filter((t) => t !== leaf.thread) : [thread];
          return who.map((t) => terms.not(terms.eq(left.pcs[t] as Term, terms.number(location))));
        });
        return { ...leaf, enabled: terms.and(leaf.enabled, ...elsewhere) };
      });
    const again = threadModular({ ...left, leaves });
    if (again !== undefined) known = both(known, again);
    counted = count(left, known, members, growth, excluded, reset);
  }
  return { whole, left: counted, invariant: terms.and(...parts), known: now };
}

/** What is known for each combination of locations of the threads that are not counted. */
function atLocations(counted: Counted, implied: Implied["beside"]): Invariant | undefined {
  const { moves, others, state } = counted;
  const env = others.length;
  const { system, pcs, terms } = counted.of;
  const shown = new Map(others.map((t, i) => [t, i]));
  const threads = [...others, counted.stand].map((t) => system.threads[t] as SysThread);
  const leaves = moves.map(({ from, leaf, enabled, updates }, action): Leaf => {
    const apart = (implied.get(leafKey(leaf)) ?? []).flatMap(({ thread, location }) =>
      thread === counted.stand ? [] : [terms.not(terms.eq(pcs[thread] as Term, terms.number(location)))],
    );
    if (from === undefined) {
      const condition = terms.and(enabled, ...apart);
      return { ...leaf, thread: shown.get(leaf.thread) as number, action, enabled: condition, updates };
    }
    const beside = others.flatMap((t) => {
      const pc = pcs[t] as Term;
      return pc.op === "symbol" ? [among(terms, pc, counted.besides(from, t))] : [];
    });
    return {
      ...leaf,
      thread: env,
      location: 0,
      action,
      enabled: terms.and(enabled, from.meanwhile, ...beside, ...apart),
      updates,
      target: leaf.error ? undefined : 0,
    };
  });
  const view: Encoding = {
    ...asEncoding(counted),
    system: { ...counted.of.system, threads: threads.map((t, i) => (i === env ? { ...t, initialLocation: 0 } : t)) },
    state: state.filter((s) => Number.isFinite(s.hi) || Number.isFinite(s.lo)),
    pcs: [...others.map((t) => pcs[t] as Term), terms.number(0)],
    leaves,
  };
  return controlStates({ ...view, initial: view.state.map((s) => counted.startOf(s) ?? 0) });
}

interface Place {
  /** One that is not counted, or the one that stands for all members. */
  readonly thread: number;
  readonly location: number;
}

/** What the invariants say of single transitions. */
interface Implied {
  /** Transitions that are never taken (see moveKey). */
  readonly never: ReadonlySet<string>;
  /** By transition of the encoding (see leafKey): places where no other thread is when it is taken. */
  readonly beside: ReadonlyMap<string, readonly Place[]>;
}

async function implied(counted: Counted, invariant: Term, choice: SolverChoice, deadline: number): Promise<Implied> {
  const { terms } = counted;
  const session = openSolver(choice, "counting");
  const possible = async (condition: Term): Promise<boolean> => {
    if (condition === terms.false) return false;
    const answer = await check(session, `(push 1)\n(assert ${integers.print(condition)})\n(check-sat)`, deadline);
    await session.run("(pop 1)", deadline);
    return answer !== "unsat";
  };
  try {
    await session.run(
      [
        prelude(session, choice, "ALL"),
        ...counted.state.map(declaration),
        `(assert ${integers.print(invariant)})`,
      ].join("\n"),
      deadline,
    );
    const never = new Set<string>();
    const byKey = new Map<string, { readonly move: Counted["moves"][number]; readonly enabled: Term[] }>();
    for (const move of counted.moves) {
      const key = moveKey(move.from, move.leaf);
      const here = move.from === undefined ? terms.true : terms.le(terms.number(1), move.from.count);
      const entry = byKey.get(key) ?? { move, enabled: [] };
      byKey.set(key, entry);
      entry.enabled.push(terms.and(here, move.enabled));
    }
    const byLeaf = new Map<
      string,
      { readonly thread: number; readonly from: LocalState | undefined; readonly enabled: Term }[]
    >();
    for (const [key, { move, enabled }] of byKey) {
      const condition = terms.or(...enabled);
      if (!(await possible(condition))) never.add(key);
      else {
        const leaf = leafKey(move.leaf);
        const { thread } = move.leaf;
        byLeaf.set(leaf, [...(byLeaf.get(leaf) ?? []), { thread, from: move.from, enabled: condition }]);
      }
    }
    const places = new Map<number, LocalState[]>();
    for (const q of counted.localStates) places.set(q.location, [...(places.get(q.location) ?? []), q]);
    const beside = new Map<string, readonly Place[]>();
    for (const [leaf, origins] of byLeaf) {
      // What says nothing of integers without bounds says nothing that the thread-modular analysis does not know.
      const counts = new Set(counted.localStates.map((q) => q.count));
      const about = origins.flatMap(({ enabled }) => [...symbolsIn(enabled)]);
      if (about.every((s) => counts.has(s) || Number.isFinite(s.hi))) continue;
      const found: Place[] = [];
      for (const [location, list] of places) {
        const conditions = origins.map(({ from, enabled }) => {
          const others = list.map((q) => terms.le(terms.number(q === from ? 2 : 1), q.count));
          return terms.and(enabled, terms.or(...others));
        });
        if (!(await possible(terms.or(...conditions)))) found.push({ thread: counted.stand, location });
      }
      for (const t of counted.others) {
        const pc = counted.of.pcs[t] as Term;
        if (t === origins[0]?.thread || pc.op !== "symbol") continue;
        for (let location = 0; location <= pc.hi; location++) {
          const there = terms.eq(pc, terms.number(location));
          const conditions = origins.map(({ enabled }) => terms.and(enabled, there));
          if (!(await possible(terms.or(...conditions)))) found.push({ thread: t, location });
        }
      }
      beside.set(leaf, found);
    }
    return { never, beside };
  } finally {
    session.close();
  }
}

export type CountingAnswer =
  | {
      readonly is: "unreachable";
      /** The weighted sums that the proof takes beside the facts, and those that integers are in, which the facts may need. */
      readonly linear: readonly LinearInvariant[];
      readonly clauses: readonly Clause[];
    }
  | { readonly is: "reachable"; readonly members: number; readonly steps: number }
  | { readonly is: "unknown"; readonly reason: string };

/**
 * Whether some number of members reaches a state.
 * @param bad the states, of either counted system
 * @param depth steps of bounded search
 */
export async function decide(
  proof: CountedProof,
  bad: (counted: Counted) => Term,
  choice: SolverChoice,
  deadline: number,
  depth: number,
): Promise<CountingAnswer> {
  const linear = await byInvariants(proof, bad(proof.whole), choice, deadline);
  if (linear !== undefined) return { is: "unreachable", linear, clauses: [] };
  const { left } = proof;
  const clauses = await excludingClauses(left, proof.known, bad(left), choice, deadline);
  if (clauses !== undefined) {
    return { is: "unreachable", linear: left.linear.filter((sum) => sum.integers.size > 0), clauses };
  }
  return shortest(left, bad(left), choice, deadline, depth);
}

/** Which weighted sums exclude it, with the facts; undefined where they do not. */
async function byInvariants(
  { whole, left, invariant }: CountedProof,
  bad: Term,
  choice: SolverChoice,
  deadline: number,
): Promise<readonly LinearInvariant[] | undefined> {
  if (bad === whole.terms.false) return [];
  const session = openSolver(choice, "counting");
  try {
    const lines = [
      "(set-option :produce-unsat-cores true)",
      prelude(session, choice, "ALL"),
      ...whole.state.map(declaration),
      `(assert ${integers.print(bad)})`,
      ...left.linear.map((l, i) => `(assert (! ${integers.print(l.holds)} :named |sum ${i}|))`),
    ];
    // The last sums first: where they suffice they are the reason that people want to see.
    const facts = whole.terms.and(
      left.facts,
      ...whole.localStates.flatMap((q) =>
        left.localStates.some((p) => p.count === q.count) ? [] : [whole.terms.eq(q.count, whole.terms.number(0))],
      ),
    );
    lines.push(`(push 1)\n(assert ${integers.print(facts)})\n(check-sat)`);
    if ((await check(session, lines.join("\n"), deadline)) === "unsat") {
      const core = await session.run("(get-unsat-core)", deadline);
      return left.linear.filter((sum, i) => sum.integers.size > 0 || core.includes(`|sum ${i}|`));
    }
    const all = `(pop 1)\n(assert ${integers.print(invariant)})\n(check-sat)`;
    return (await check(session, all, deadline)) === "unsat" ? left.linear : undefined;
  } finally {
    session.close();
  }
}

/** Bounded search, for the least number of steps, and the least members that need no more of them. */
async function shortest(
  counted: Counted,
  bad: Term,
  choice: SolverChoice,
  deadline: number,
  depth: number,
): Promise<CountingAnswer> {
  const { terms, members } = counted;
  const view = cone(asEncoding(counted), [bad, counted.initial]);
  const predicates = new Map([
    ["initial", counted.initial],
    ["bad", bad],
  ]);
  const unrolling = new Unrolling(view, integers, predicates);
  const session = openSolver(choice, "counting-bmc");
  try {
    await session.run(prelude(session, choice, "ALL"), deadline);
    for (let k = 0; k <= depth; k++) {
      const lines = [unrolling.declareState(k)];
      if (k === 0) lines.push(`(assert ${unrolling.predicate("initial", 0)})`);
      else lines.push(unrolling.declareStep(k - 1), `(assert ${unrolling.stepName(k - 1)})`);
      lines.push(`(push 1)\n(assert ${unrolling.predicate("bad", k)})\n(check-sat)`);
      if ((await check(session, lines.join("\n"), deadline)) === "sat") {
        let fewest = await membersIn(session, members, deadline);
        for (; fewest > 1; ) {
          const fewer = integers.print(terms.lt(members, terms.number(fewest)), (name) => `${name}@0`);
          if ((await check(session, `(assert ${fewer})\n(check-sat)`, deadline)) !== "sat") break;
          fewest = await membersIn(session, members, deadline);
        }
        return { is: "reachable", members: fewest, steps: k };
      }
      await session.run("(pop 1)", deadline);
    }
    return { is: "unknown", reason: `no number of members violates it in ${depth} steps` };
  } finally {
    session.close();
  }
}

async function membersIn(session: SolverSession, members: Term, deadline: number): Promise<number> {
  const [n] = await values(session, [quoted(`${members.name}@0`)], deadline);
  return Number(n);
}

/** The counted system in the form that unrollings take: one selector numbers all transitions. */
export function asEncoding(counted: Counted): Encoding {
  const { terms, leaves } = counted;
  return {
    system: counted.system,
    terms,
    state: counted.state,
    initial: counted.state.map(() => 0),
    kept: counted.state.map((_, i) => i),
    pcs: [],
    locals: [],
    variables: [],
    leaves,
    choices: [[leaves.map((leaf) => ({ action: leaf.action, ways: leaf.ways }))]],
    live: terms.false,
    blocked: [],
    waiting: [],
    holder: [],
    threadLive: [],
    property: () => terms.false,
  };
}

export function badStates(property: SysProperty): (counted: Counted) => Term {
  return (counted) => {
    const { terms, system } = counted;
    const modelError = counted.finding((f) => system.findings[f]?.kind === "model-error");
    const error =
      property.check.c === "deadlock" ? counted.finding((f) => system.findings[f]?.error === true) : terms.false;
    return terms.or(counted.violates(property), modelError, counted.unfaithful, error);
  };
}
