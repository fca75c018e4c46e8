/**
 * A proof that can be checked without trusting whoever found it: the system, the goals and an inductive invariant as
 * SMT-LIB 2 definitions, with the three queries that make it a proof. Any SMT-LIB solver answers `unsat` three times.
 *
 * `certify` does not run the file's own queries: it takes the definitions alone and asks the three questions itself,
 * in a fresh solver, so that a file cannot prove something weaker than it says.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Goal } from "./goal.ts";
import { parseSExpressions } from "./s-expression.ts";
import type { Slice } from "./slice.ts";
import { check, openSolver, type SolverChoice, SolverFailure } from "./solver.ts";
import { type Clauses, initialTerm } from "./spacer.ts";
import type { Term } from "./term.ts";
import { integers, quoted } from "./theory.ts";
import { selectors, stepRelation } from "./unrolling.ts";

const FOLDED = /[^\x20-\x7e]|[\r\n]/g;

/** The file's text. `step` is the transition relation over state, selectors and primed state. */
export function certificateText(
  about: readonly string[],
  clauses: Clauses,
  step: { readonly text: string; readonly extra: readonly (readonly [string, string])[] },
  invariant: string,
): string {
  const constants = (list: readonly (readonly [string, string])[]): string[] =>
    list.map(([name, sort]) => `(declare-const ${name} ${sort})`);
  const state = clauses.state.map((s) => [quoted(s.name), integers.sort(s)] as const);
  const next = clauses.state.map((s) => [quoted(`${s.name}'`), integers.sort(s)] as const);
  const names = (list: readonly (readonly [string, string])[]): string => list.map(([n]) => n).join(" ");
  const lines = [
    ...about.map((line) => `; ${line.replace(FOLDED, "?")}`),
    "; Inv is an inductive invariant: it holds of every reachable state and excludes every bad one.",
    "; All three answers must be unsat.",
    "(set-logic ALL)",
    "; the state",
    ...constants(state),
    "; the choice of a step",
    ...constants(step.extra),
    "; the state after the step",
    ...constants(next),
    `(define-fun Initial () Bool\n ${integers.print(clauses.initial)})`,
    `(define-fun Step () Bool\n ${step.text})`,
    `(define-fun Bad () Bool\n ${integers.print(clauses.bad)})`,
    invariant,
    ...questions(names(state), names(next)),
  ];
  return `${lines.join("\n")}\n`;
}

/** The three questions, as SMT-LIB text. */
function questions(state: string, next: string): string[] {
  const ask = (title: string, formula: string): string =>
    `; ${title}\n(push 1)\n(assert ${formula})\n(check-sat)\n(pop 1)`;
  const inv = (args: string): string => (args === "" ? "Inv" : `(Inv ${args})`);
  return [
    ask("initial: the initial state satisfies Inv", `(and Initial (not ${inv(state)}))`),
    ask("inductive: every step keeps Inv", `(and ${inv(state)} Step (not ${inv(next)}))`),
    ask("safe: no state of Inv is bad", `(and ${inv(state)} Bad)`),
  ];
}

/** Nodes of a term written out in full, beyond which a proof gets no certificate. */
const MOST_NODES = 300_000;

/** What a proof adds to the facts known beforehand. */
export type Proof =
  /** Nothing: they suffice. */
  | { readonly by: "facts" }
  /** A relation `Inv` over some of the state symbols, as SMT-LIB definitions. */
  | { readonly by: "relation"; readonly state: readonly Term[]; readonly text: string }
  /** No goal is reached: with that the facts are inductive. */
  | { readonly by: "induction" };

/** The invariant of a proof as the definition of `Inv` over the whole state; undefined where it would be too long. */
function invariantText({ whole, facts }: Slice, goals: readonly Goal[], proof: Proof): string | undefined {
  const { terms } = whole;
  const known = facts?.invariant(whole) ?? terms.true;
  const own = proof.by === "induction" ? terms.not(terms.or(...goals.map((g) => g.over(whole)))) : terms.true;
  const size = new Map<Term, number>();
  const nodes = (t: Term): number => {
    const before = size.get(t);
    if (before !== undefined) return before;
    const n = t.args.reduce((sum, a) => sum + nodes(a), 1);
    size.set(t, n);
    return n;
  };
  if (nodes(known) + nodes(own) > MOST_NODES) return undefined;
  const parameters = whole.state.map((s) => `(${quoted(s.name)} ${integers.sort(s)})`).join(" ");
  // The facts count on values within their domains, which the sort of integers does not promise.
  const ranges = whole.state.map((s) => integers.range(s, quoted(s.name))).filter((r) => r !== "");
  const parts = [...ranges, integers.flat(known), integers.flat(own)];
  const lines: string[] = [];
  if (proof.by === "relation") {
    lines.push(proof.text.replace(/\(define-fun Inv /, "(define-fun Found "));
    parts.push(proof.state.length === 0 ? "Found" : `(Found ${proof.state.map((s) => quoted(s.name)).join(" ")})`);
  }
  lines.push(`(define-fun Inv (${parameters}) Bool\n (and ${parts.join("\n  ")}))`);
  return lines.join("\n");
}

/**
 * Writes the certificate of one proof into a folder; its name tells the run and the goals. It speaks of the whole
 * system, so that what the slice left out need not be trusted.
 * @returns the file; undefined where the invariant is too long to be written out
 */
export function writeCertificate(folder: string, of: Slice, goals: readonly Goal[], proof: Proof): string | undefined {
  const { whole } = of;
  const { system, terms } = whole;
  const invariant = invariantText(of, goals, proof);
  if (invariant === undefined) return undefined;
  const { who, what } = selectors(whole);
  const step = {
    text: integers.print(stepRelation(whole)),
    extra: [who, what].map((s) => [quoted(s.name), integers.sort(s)] as const),
  };
  const settings = Object.entries({ ...system.sizes, ...system.switches }).map(([name, value]) => `${name}=${value}`);
  const about = [
    `Lockstep certificate: ${[system.protocol, system.variant, system.scenario].join(" / ")} ${settings.join(" ")}`.trim(),
    `unreachable: ${goals.map((g) => g.name).join(", ")}`,
  ];
  const clauses: Clauses = {
    state: whole.state,
    initial: initialTerm(whole),
    transitions: [],
    bad: terms.or(...goals.map((g) => g.over(whole))),
  };
  const slug = (parts: readonly string[]): string =>
    parts
      .join("-")
      .replace(/[^A-Za-z0-9.=]+/g, "-")
      .slice(0, 120);
  const directory = join(folder, ...[system.protocol, system.variant, system.scenario].map((part) => slug([part])));
  mkdirSync(directory, { recursive: true });
  const file = join(
    directory,
    `${[slug(goals.map((g) => g.name)), slug(settings)].filter((part) => part !== "").join(".")}.smt2`,
  );
  writeFileSync(file, certificateText(about, clauses, step, invariant));
  return file;
}

export interface Certification {
  readonly valid: boolean;
  /** The first lines of the file: what it claims to prove. */
  readonly about: readonly string[];
  readonly answers: { readonly initial: string; readonly inductive: string; readonly safe: string };
  readonly solver: string;
}

/** The top-level forms of a file, as text. */
function forms(text: string): string[] {
  const found: string[] = [];
  let depth = 0;
  let start = 0;
  for (const m of text.matchAll(/;[^\n]*|\|[^|]*\||"(?:[^"]|"")*"|[()]/g)) {
    if (m[0] === "(") {
      if (depth++ === 0) start = m.index;
    } else if (m[0] === ")" && --depth === 0) found.push(text.slice(start, m.index + 1));
  }
  return found;
}

/**
 * Checks a certificate with a fresh solver.
 * @param timeout seconds for the three queries together
 * @throws SolverFailure (`rejected`) when the file is no certificate; other kinds as solvers fail
 */
export async function certify(file: string, choice: SolverChoice = {}, timeout = 600): Promise<Certification> {
  const text = readFileSync(file, "utf8");
  const bad = (what: string): SolverFailure => new SolverFailure("rejected", `${file} is no certificate: ${what}`);
  const constants: (readonly [string, string])[] = [];
  const parameters = new Map<string, readonly string[]>();
  const kept: string[] = [];
  for (const form of forms(text)) {
    const list = parseSExpressions(form)[0];
    if (!Array.isArray(list)) continue;
    const [command, name, args] = list;
    if (command !== "declare-const" && command !== "define-fun") continue;
    if (typeof name !== "string") throw bad("a definition is malformed");
    if (parameters.has(name) || constants.some(([n]) => n === name)) throw bad(`${name} is defined twice`);
    if (command === "declare-const") constants.push([name, String(args)]);
    else if (Array.isArray(args))
      parameters.set(
        name,
        args.map((a) => String(a[1])),
      );
    else throw bad(`the definition of ${name} is malformed`);
    kept.push(form);
  }
  for (const name of ["Initial", "Step", "Bad", "Inv"]) {
    const sorts = parameters.get(name);
    if (sorts === undefined) throw bad(`it does not define ${name}`);
    if (name !== "Inv" && sorts.length > 0) throw bad(`${name} has parameters`);
  }
  const arity = parameters.get("Inv") as readonly string[];
  const state = constants.slice(0, arity.length);
  const next = constants.slice(constants.length - arity.length);
  const fits = arity.every((sort, i) => {
    const [s, t] = [state[i], next[i]];
    return s !== undefined && t !== undefined && s[1] === sort && t[1] === sort && t[0] === `${s[0]}'`;
  });
  if (!fits || constants.length < 2 * arity.length)
    throw bad("its constants are not a state, a choice and a next state");
  const session = openSolver(choice, "certify");
  const deadline = Date.now() + timeout * 1000;
  try {
    await session.run(["(set-logic ALL)", ...kept].join("\n"), deadline);
    const answers: string[] = [];
    const names = (list: readonly (readonly [string, string])[]): string => list.map(([n]) => quoted(n)).join(" ");
    for (const q of questions(names(state), names(next))) {
      const [asked, popped] = [q.slice(0, q.lastIndexOf("(pop 1)")), "(pop 1)"];
      answers.push(await check(session, asked, deadline));
      await session.run(popped, deadline);
    }
    const [a, b, c] = answers as [string, string, string];
    return {
      valid: answers.every((answer) => answer === "unsat"),
      about: text
        .split("\n")
        .filter((line) => line.startsWith("; "))
        .slice(0, 2)
        .map((line) => line.slice(2)),
      answers: { initial: a, inductive: b, safe: c },
      solver: session.name,
    };
  } finally {
    session.close();
  }
}
