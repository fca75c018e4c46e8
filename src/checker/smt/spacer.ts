/**
 * Inductive invariants by constrained Horn clauses, over integers (Komuravelli, Gurfinkel, Chaki 2014; Z3's Spacer).
 *
 * One unknown relation over the state vector: it holds of the initial state, every transition preserves it, and it
 * excludes the goals. Satisfiable means that such a relation exists, and the solver prints it; unsatisfiable means that
 * a goal is reachable.
 */
import type { Encoding } from "./encode.ts";
import type { Goal } from "./goal.ts";
import { check, prelude, type SolverChoice, type SolverSession } from "./solver.ts";
import type { Term } from "./term.ts";
import { integers, quoted } from "./theory.ts";

export type HornAnswer =
  /** `invariant` is the SMT-LIB definition of the relation `Inv` (with what it uses) over the state vector. */
  | { readonly is: "unreachable"; readonly invariant: string }
  | { readonly is: "reachable" }
  | { readonly is: "unknown"; readonly reason: string };

/** Guarded simultaneous updates over a state vector: what Horn clauses are made of. */
export interface Clauses {
  readonly state: readonly Term[];
  readonly initial: Term;
  readonly transitions: readonly { readonly enabled: Term; readonly updates: ReadonlyMap<Term, Term> }[];
  readonly bad: Term;
}

/** @param known holds of every reachable state, and spares the solver finding it out */
export function clausesOf(encoding: Encoding, goals: readonly Goal[], known: Term = encoding.terms.true): Clauses {
  const { terms } = encoding;
  return {
    state: encoding.state,
    initial: initialTerm(encoding),
    transitions: encoding.leaves
      .filter((leaf) => !leaf.error && leaf.enabled !== terms.false)
      .map((leaf) => ({ enabled: terms.and(leaf.enabled, known), updates: leaf.updates })),
    bad: terms.and(known, terms.or(...goals.map((g) => g.term))),
  };
}

/** The state is the initial one. */
export function initialTerm(encoding: Encoding): Term {
  const { terms } = encoding;
  return terms.and(...encoding.state.map((s, i) => terms.eq(s, terms.number(encoding.initial[i] ?? 0))));
}

/** The clauses as SMT-LIB text of logic HORN. */
export function hornScript(clauses: Clauses): string {
  const { state } = clauses;
  const typed = (name: string, of: Term): string => `(${name} ${integers.sort(of)})`;
  const relation = (args: readonly string[]): string => (args.length === 0 ? "Inv" : `(Inv ${args.join(" ")})`);
  const here = relation(state.map((s) => quoted(s.name)));
  /** A subterm used more than once becomes one more quantified variable with its definition; see Theory.print. */
  const clause = (terms: readonly Term[], write: (texts: readonly string[]) => readonly [string, string]): string => {
    const { definitions, texts } = integers.linearize(terms);
    const variables = [...state.map((s) => typed(quoted(s.name), s)), ...definitions.map((d) => typed(d.name, d.term))];
    const [body, head] = write(texts);
    const parts = ["and", body, ...definitions.map((d) => `(= ${d.name} ${d.text})`)];
    const implication = `(=> (${parts.join(" ")}) ${head})`;
    return variables.length === 0
      ? `(assert ${implication})`
      : `(assert (forall (${variables.join(" ")})\n ${implication}))`;
  };
  const lines = [`(declare-fun Inv (${state.map((s) => integers.sort(s)).join(" ")}) Bool)`];
  lines.push(clause([clauses.initial], ([initial]) => [initial as string, here]));
  for (const t of clauses.transitions) {
    const after = state.map((s) => t.updates.get(s) ?? s);
    lines.push(clause([t.enabled, ...after], ([enabled, ...values]) => [`${here} ${enabled}`, relation(values)]));
  }
  lines.push(clause([clauses.bad], ([bad]) => [`${here} ${bad}`, "false"]));
  return lines.join("\n");
}

/** The definitions in a model printed by Z3, as text; the outer parentheses removed. */
function definitions(model: string): string {
  const text = model.trim().replace(/^\(model\b/, "(");
  const open = text.indexOf("(");
  const close = text.lastIndexOf(")");
  return text.slice(open + 1, close).trim();
}

export async function solveHorn(
  clauses: Clauses,
  session: SolverSession,
  choice: SolverChoice,
  deadline: number,
): Promise<HornAnswer> {
  // Not inlined, so that the relation in the model is ours, over the whole state vector.
  const options = "(set-option :fp.xform.inline_eager false)\n(set-option :fp.xform.inline_linear false)";
  const script = `${prelude(session, choice, "HORN")}\n${options}\n${hornScript(clauses)}\n(check-sat)`;
  const answer = await check(session, script, deadline);
  if (answer === "unsat") return { is: "reachable" };
  if (answer === "unknown") {
    const reason = await session.run("(get-info :reason-unknown)", deadline);
    return { is: "unknown", reason: reason.replace(/[()"]|:reason-unknown/g, "").trim() };
  }
  return { is: "unreachable", invariant: definitions(await session.run("(get-model)", deadline)) };
}
