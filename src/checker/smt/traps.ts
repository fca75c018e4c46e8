/**
 * Clauses that hold of every reachable state, found from a state that should be none: the disjunction of all that is
 * different there, less what a step could lose, until no step can make it false. Where the differences are that somebody is at
 * a place, that is the largest trap that the state leaves empty (Esparza, Ledesma-Garza, Majumdar, Meyer, Niksic 2014);
 * in general it is the largest inductive subclause (Bradley and Manna 2007).
 */
import type { Counted } from "./counting.ts";
import { check, openSolver, prelude, type SolverChoice, type SolverSession, values } from "./solver.ts";
import type { Term } from "./term.ts";
import { declaration, integers, quoted } from "./theory.ts";
import { evaluateTerm } from "./value-sets.ts";

/** Clauses after which no more are looked for. */
const MOST_CLAUSES = 40;

export interface Clause {
  /** What differs from the state that it was found from; one of these holds. */
  readonly literals: readonly Term[];
  readonly holds: Term;
}

/**
 * Clauses that together with the invariant exclude the bad states; undefined where none are found.
 * @param invariant holds of every reachable state
 */
export async function excludingClauses(
  counted: Counted,
  invariant: Term,
  bad: Term,
  choice: SolverChoice,
  deadline: number,
): Promise<readonly Clause[] | undefined> {
  const { terms, state } = counted;
  const session = openSolver(choice, "traps");
  try {
    const lines = [prelude(session, choice, "ALL"), ...state.map(declaration)];
    lines.push(`(assert ${integers.print(invariant)})`);
    await session.run(lines.join("\n"), deadline);
    const clauses: Clause[] = [];
    while (clauses.length < MOST_CLAUSES) {
      const found = await stateOf(session, state, bad, deadline);
      if (found === undefined) return clauses;
      const literals = await inductive(counted, session, differences(counted, found), deadline);
      if (literals === undefined) return undefined;
      const holds = terms.or(...literals);
      clauses.push({ literals, holds });
      await session.run(`(assert ${integers.print(holds)})`, deadline);
    }
    return undefined;
  } finally {
    session.close();
  }
}

/** A state with the property; undefined where there is none. */
async function stateOf(
  session: SolverSession,
  state: readonly Term[],
  condition: Term,
  deadline: number,
): Promise<ReadonlyMap<Term, number> | undefined> {
  const asked = `(push 1)\n(assert ${integers.print(condition)})\n(check-sat)`;
  const answer = await check(session, asked, deadline);
  let found: Map<Term, number> | undefined;
  if (answer !== "unsat") {
    const numbers = await values(
      session,
      state.map((s) => quoted(s.name)),
      deadline,
    );
    found = new Map(state.map((s, i) => [s, Number(numbers[i])]));
  }
  await session.run("(pop 1)", deadline);
  return found;
}

/** What can be otherwise than in this state. */
function differences({ terms, state, localStates, members }: Counted, at: ReadonlyMap<Term, number>): Term[] {
  const counts = new Set(localStates.map((q) => q.count));
  return state.flatMap((s) => {
    const value = at.get(s) ?? 0;
    if (s === members) return [];
    if (counts.has(s)) return [value === 0 ? terms.le(terms.number(1), s) : terms.lt(s, terms.number(value))];
    return [terms.not(terms.eq(s, terms.number(value)))];
  });
}

/** As many of the literals as no step makes false together, and then as few as will do; undefined where none remain. */
async function inductive(
  counted: Counted,
  session: SolverSession,
  all: readonly Term[],
  deadline: number,
): Promise<readonly Term[] | undefined> {
  const { terms, state, initial, leaves } = counted;
  const steps = leaves.filter((leaf) => !leaf.error);
  const breaking = (clause: readonly Term[]): Term =>
    terms.or(
      ...steps.map((step) =>
        terms.and(step.enabled, ...clause.map((l) => terms.not(terms.substitute(l, step.updates)))),
      ),
    );
  const sat = async (condition: Term): Promise<ReadonlyMap<Term, number> | undefined> =>
    condition === terms.false ? undefined : stateOf(session, state, condition, deadline);
  const isInitial = async (clause: readonly Term[]): Promise<boolean> =>
    (await sat(terms.and(initial, ...clause.map((l) => terms.not(l))))) === undefined;
  let clause = [...all];
  for (;;) {
    if (clause.length === 0) return undefined;
    // What a step can lose while nothing else holds is not in any inductive part.
    let changed = false;
    for (const literal of [...clause]) {
      const others = clause.filter((l) => l !== literal).map((l) => terms.not(l));
      const alone = terms.and(literal, ...others, breaking(clause));
      if ((await sat(alone)) === undefined) continue;
      clause = clause.filter((l) => l !== literal);
      changed = true;
    }
    if (changed) continue;
    const before = await sat(terms.and(terms.or(...clause), breaking(clause)));
    if (before === undefined) break;
    clause = clause.filter((l) => evaluateTerm(l, before) === 0);
  }
  if (!(await isInitial(clause))) return undefined;
  for (const literal of [...clause]) {
    const fewer = clause.filter((l) => l !== literal);
    if (fewer.length === 0 || !(await isInitial(fewer))) continue;
    if ((await sat(terms.and(terms.or(...fewer), breaking(fewer)))) === undefined) clause = fewer;
  }
  return clause;
}
