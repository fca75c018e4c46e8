/**
 * A proof that can be checked without trusting whoever found it: the system, what is never reached and an invariant as
 * SMT-LIB 2 definitions, with the queries that make it a proof. Any SMT-LIB solver answers `unsat` to each.
 *
 * `certify` does not run the file's own queries: it takes the definitions alone and asks the questions itself, in a
 * fresh solver, so that a file cannot prove something weaker than it says.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Encoding, Invariant } from "./encode.ts";
import type { Goal } from "./goal.ts";
import { parseSExpressions } from "./s-expression.ts";
import type { Slice } from "./slice.ts";
import { check, openSolver, type SolverChoice, SolverFailure } from "./solver.ts";
import { initialTerm } from "./spacer.ts";
import type { Term } from "./term.ts";
import { integers, quoted } from "./theory.ts";
import { selectors, stepRelation } from "./unrolling.ts";

const FOLDED = /[^\x20-\x7e]|[\r\n]/g;

/** Names and sorts. */
type Constants = readonly (readonly [name: string, sort: string])[];

/** What a certificate defines: the bodies are SMT-LIB text. */
export interface Definitions {
  /** Over one state, the choice of a step, and the state after it; names are quoted. */
  readonly state: Constants;
  readonly choice: Constants;
  readonly next: Constants;
  readonly initial: string;
  readonly step: string;
  readonly bad: string;
  readonly rule: Rule;
}

/** How a proof concludes; each has its questions. */
type Rule =
  /** `Inv` is inductive and excludes every bad state. */
  | { readonly by: "invariant" }
  /** `Inv` is inductive, and of so many steps through good states of `Inv` none leads to a bad one. */
  | { readonly by: "induction"; readonly length: number }
  /**
   * The system has three members of a class that stand for any number of them. `Inv` says nothing of where the third
   * is, who is some other member, and `Own` nothing of where the second and the third are.
   */
  | { readonly by: "any number"; readonly mover: number; readonly other: number };

interface Question {
  readonly name: string;
  readonly title: string;
  readonly formula: string;
}

const names = (list: Constants): string => list.map(([n]) => n).join(" ");
const declared = (list: Constants): string[] => list.map(([name, sort]) => `(declare-const ${name} ${sort})`);
const applied = (relation: string, list: Constants): string =>
  list.length === 0 ? relation : `(${relation} ${names(list)})`;

/** Copy i of the constants, and of a text about a state, a choice and the state after it. */
function copy(of: Definitions, i: number): { readonly constants: Constants; readonly text: (text: string) => string } {
  const at = (name: string, k: number): string => `${name.slice(0, -1)}@${k}|`;
  const renamed = new Map([
    ...[...of.state, ...of.choice].map(([n]) => [n, at(n, i)] as const),
    ...of.state.map(([n], k) => [(of.next[k] as Constants[number])[0], at(n, i + 1)] as const),
  ]);
  return {
    constants: [...of.state, ...of.choice].map(([n, sort]) => [renamed.get(n) as string, sort]),
    text: (text) => text.replace(/\|[^|]*\|/g, (name) => renamed.get(name) ?? name),
  };
}

/** What a rule needs beside the definitions, and its questions. Each must be answered `unsat`. */
function questionsOf(of: Definitions): { readonly lines: readonly string[]; readonly questions: readonly Question[] } {
  const [inv, after] = [applied("Inv", of.state), applied("Inv", of.next)];
  const initial: Question = {
    name: "initial",
    title: "the initial state satisfies Inv",
    formula: `(and Initial (not ${inv}))`,
  };
  const inductive: Question = {
    name: "inductive",
    title: "every step keeps Inv",
    formula: `(and ${inv} Step (not ${after}))`,
  };
  const safe: Question = { name: "safe", title: "no state of Inv is bad", formula: `(and ${inv} Bad)` };
  const { rule } = of;
  if (rule.by === "invariant") return { lines: [], questions: [initial, inductive, safe] };
  if (rule.by === "any number") {
    const who = (of.choice[0] as Constants[number])[0];
    const [own, kept] = [applied("Own", of.state), applied("Own", of.next)];
    return {
      lines: [],
      questions: [
        initial,
        {
          name: "inductive",
          title: "a step of a member keeps what is said of that member and of the threads that are no members",
          formula: `(and ${own} Step (= ${who} Mover) (not ${kept}))`,
        },
        {
          name: "interference-free",
          title: "a step of anyone but the third member keeps what is said of the first and the second",
          formula: `(and ${inv} Step (not (= ${who} Other)) (not ${after}))`,
        },
        safe,
      ],
    };
  }
  const { length } = rule;
  const copies = Array.from({ length: length + 1 }, (_, i) => copy(of, i));
  const definitions = copies.flatMap(({ text }, i) => [
    ...(i < length ? [`(define-fun |Step@${i}| () Bool\n ${text(of.step)})`] : []),
    `(define-fun |Bad@${i}| () Bool\n ${text(of.bad)})`,
    `(define-fun |Inv@${i}| () Bool ${text(inv)})`,
  ]);
  const lines = [...copies.flatMap((c) => declared(c.constants)), ...definitions];
  let base = `|Bad@${length - 1}|`;
  for (let i = length - 2; i >= 0; i--) base = `(or |Bad@${i}| (and |Step@${i}| ${base}))`;
  const path = Array.from({ length }, (_, i) => `|Inv@${i}| (not |Bad@${i}|) |Step@${i}|`).join(" ");
  return {
    lines,
    questions: [
      initial,
      inductive,
      {
        name: "base",
        title: `no bad state is reached in fewer than ${length} steps`,
        formula: `(and ${(copies[0] as (typeof copies)[number]).text(of.initial)} ${base})`,
      },
      {
        name: "step",
        title: `${length} steps through states of Inv that are not bad lead to no bad one`,
        formula: `(and ${path} |Inv@${length}| |Bad@${length}|)`,
      },
    ],
  };
}

const asked = (q: Question): string => `; ${q.name}: ${q.title}\n(push 1)\n(assert ${q.formula})\n(check-sat)`;

/** The file's text. `relations` defines `Inv`, and `Own` where the rule needs it. */
export function certificateText(about: readonly string[], of: Definitions, relations: readonly string[]): string {
  const { lines, questions } = questionsOf(of);
  const number = (name: string, value: number): string => `(define-fun ${name} () Int ${value})`;
  const { rule } = of;
  const all = [
    ...about.map((line) => `; ${line.replace(FOLDED, "?")}`),
    "(set-logic ALL)",
    "; the state",
    ...declared(of.state),
    "; the choice of a step",
    ...declared(of.choice),
    "; the state after the step",
    ...declared(of.next),
    `(define-fun Initial () Bool\n ${of.initial})`,
    `(define-fun Step () Bool\n ${of.step})`,
    `(define-fun Bad () Bool\n ${of.bad})`,
    ...relations,
    ...(rule.by === "induction" ? [number("Length", rule.length)] : []),
    ...(rule.by === "any number" ? [number("Mover", rule.mover), number("Other", rule.other)] : []),
    "; from here on the questions: all answers must be unsat",
    ...lines,
    ...questions.map((q) => `${asked(q)}\n(pop 1)`),
  ];
  return `${all.join("\n")}\n`;
}

/** Nodes of a term written out in full, beyond which a proof gets no certificate. */
const MOST_NODES = 300_000;

/** What a proof adds to the facts known beforehand. */
export type Proof =
  /** Nothing: they suffice. */
  | { readonly by: "facts" }
  /** A relation `Inv` over some of the state symbols, as SMT-LIB definitions. */
  | { readonly by: "relation"; readonly state: readonly Term[]; readonly text: string }
  /** No goal is reached within so many steps less one; with that and the facts none is reached by one more. */
  | { readonly by: "induction"; readonly length: number };

function nodesOf(root: Term): number {
  const size = new Map<Term, number>();
  const nodes = (t: Term): number => {
    const before = size.get(t);
    if (before !== undefined) return before;
    const n = t.args.reduce((sum, a) => sum + nodes(a), 1);
    size.set(t, n);
    return n;
  };
  return nodes(root);
}

/** The definition of a relation over the whole state: some terms, and that every value lies in its domain. */
function relationText(name: string, whole: Encoding, parts: readonly Term[], more: readonly string[] = []): string {
  const parameters = whole.state.map((s) => `(${quoted(s.name)} ${integers.sort(s)})`).join(" ");
  // The facts count on values within their domains, which the sort of integers does not promise.
  const ranges = whole.state.map((s) => integers.range(s, quoted(s.name))).filter((r) => r !== "");
  const all = [...ranges, ...parts.map((t) => integers.flat(t)), ...more];
  return `(define-fun ${name} (${parameters}) Bool\n (and true ${all.join("\n  ")}))`;
}

/** The file of a proof: its name tells the run and the goals. @returns its place relative to the folder */
function place(folder: string, { system }: Encoding, goals: readonly string[]): string {
  const slug = (parts: readonly string[]): string =>
    parts
      .join("-")
      .replace(/[^A-Za-z0-9.=]+/g, "-")
      .slice(0, 120);
  const directory = join(...[system.protocol, system.variant, system.scenario].map((part) => slug([part])));
  mkdirSync(join(folder, directory), { recursive: true });
  const parts = [slug(goals), slug(settingsOf(system))].filter((part) => part !== "");
  return join(directory, `${parts.join(".")}.smt2`);
}

function settingsOf(system: Encoding["system"]): string[] {
  return Object.entries({ ...system.sizes, ...system.switches }).map(([name, value]) => `${name}=${value}`);
}

function heading({ system }: Encoding, goals: readonly string[]): string[] {
  const cell = [system.protocol, system.variant, system.scenario].join(" / ");
  return [`Lockstep certificate: ${cell} ${settingsOf(system).join(" ")}`.trim(), `unreachable: ${goals.join(", ")}`];
}

/** @param initial of the state that the system starts in */
export function definitionsOf(whole: Encoding, initial: Term, bad: Term, rule: Rule): Definitions {
  const { who, what } = selectors(whole);
  return {
    state: whole.state.map((s) => [quoted(s.name), integers.sort(s)]),
    choice: [who, what].map((s) => [quoted(s.name), integers.sort(s)]),
    next: whole.state.map((s) => [quoted(`${s.name}'`), integers.sort(s)]),
    initial: integers.print(initial),
    step: integers.print(stepRelation(whole)),
    bad: integers.print(bad),
    rule,
  };
}

/**
 * Writes the certificate of one proof into a folder. It speaks of the whole system, so that what the slice left out
 * need not be trusted.
 * @returns the file, relative to the folder; undefined where the invariant is too long to be written out
 */
export function writeCertificate(folder: string, of: Slice, goals: readonly Goal[], proof: Proof): string | undefined {
  const { whole, facts } = of;
  const { terms } = whole;
  const bad = terms.or(...goals.map((g) => g.over(whole)));
  const parts = [facts?.invariant(whole) ?? terms.true];
  // With the facts it is inductive that no goal is reached.
  const single = proof.by === "induction" && proof.length <= 1;
  if (single) parts.push(terms.not(bad));
  if (nodesOf(terms.and(...parts)) > MOST_NODES) return undefined;
  const relations: string[] = [];
  const more: string[] = [];
  if (proof.by === "relation") {
    relations.push(proof.text.replace(/\(define-fun Inv /, "(define-fun Found "));
    more.push(
      applied(
        "Found",
        proof.state.map((s) => [quoted(s.name), integers.sort(s)]),
      ),
    );
  }
  relations.push(relationText("Inv", whole, parts, more));
  const rule: Rule =
    proof.by === "induction" && !single ? { by: "induction", length: proof.length } : { by: "invariant" };
  const meaning =
    rule.by === "induction"
      ? [
          "Inv is an inductive invariant: it holds of every reachable state.",
          `No state reached in fewer than ${rule.length} steps is bad, and ${rule.length} steps through good ones lead to a good one.`,
        ]
      : ["Inv is an inductive invariant: it holds of every reachable state and excludes every bad one."];
  const titles = goals.map((g) => g.name);
  const file = place(folder, whole, titles);
  const text = certificateText(
    [...heading(whole, titles), ...meaning],
    definitionsOf(whole, initialTerm(whole), bad, rule),
    relations,
  );
  writeFileSync(join(folder, file), text);
  return file;
}

/** Three members of a class that stand for any number of them, and what is not reached by anyone but the third. */
export interface AnyNumberProof {
  readonly whole: Encoding;
  readonly facts: Invariant;
  readonly cls: string;
  /** The indices of the members: one that moves, one that watches, and some other. */
  readonly members: readonly [mover: number, watcher: number, other: number];
  readonly properties: readonly string[];
  readonly bad: Term;
}

/**
 * Writes the certificate of a thread-modular proof for any number of threads.
 *
 * Every fact is about one thread, or about where two of them are, beside what is shared. A step of a member changes
 * what is said of itself, of one other thread, or of one other thread and itself, and it reads nothing of a third. So three
 * members are enough for every case, the third being whoever else is named by a lock. `Inv` is what is said of the
 * first two, and holds of any two of any number of them.
 *
 * @returns the file, relative to the folder; undefined where the invariant is too long to be written out
 */
export function writeAnyNumberCertificate(folder: string, proof: AnyNumberProof): string | undefined {
  const { whole, facts, cls, members, properties, bad } = proof;
  const [mover, watcher, other] = members;
  /** The facts that do not say where these threads are, nor what their locals are. */
  const without = (threads: readonly number[]): Term => {
    const gone = new Set(threads.map((t) => whole.pcs[t]));
    return facts.invariant({ ...whole, state: whole.state.filter((s) => !gone.has(s)) });
  };
  const [inv, own] = [without([other]), without([watcher, other])];
  if (nodesOf(inv) + nodesOf(own) > MOST_NODES) return undefined;
  const titles = properties.map((p) => `${p} for any number of ${cls}`);
  const file = place(folder, whole, titles);
  const about = [
    ...heading(whole, titles),
    `Three threads of class ${cls} stand for any number: they are alike, and use their names only to store and compare them.`,
    `Inv is what is said of the first two of them (${mover}, ${watcher}) and of the threads that are no members; the third (${other}) is "some other".`,
  ];
  const definitions = definitionsOf(whole, initialTerm(whole), bad, { by: "any number", mover, other });
  const relations = [relationText("Own", whole, [own]), relationText("Inv", whole, [inv])];
  writeFileSync(join(folder, file), certificateText(about, definitions, relations));
  return file;
}

/**
 * Writes the certificate of a proof by counting. It speaks of the counted system before anything is left out of it; that
 * this is the whole one, for every number of threads, is what the other certificate and the argument in counting.ts are for.
 *
 * @param view the counted system
 * @param initial of any number of members
 * @param invariant parts of it
 * @returns the file, relative to the folder; undefined where the invariant is too long to be written out
 */
export function writeCountingCertificate(
  folder: string,
  view: Encoding,
  initial: Term,
  bad: Term,
  invariant: readonly Term[],
  title: string,
  cls: string,
): string | undefined {
  if (nodesOf(view.terms.and(...invariant)) > MOST_NODES) return undefined;
  const file = place(folder, view, [`${title} by counting`]);
  const about = [
    ...heading(view, [title]),
    `The state has a count for each local state of the threads of class ${cls}: how many of them are there.`,
    "Inv is an inductive invariant: it holds of every reachable state and excludes every bad one.",
  ];
  const definitions = definitionsOf(view, initial, bad, { by: "invariant" });
  writeFileSync(join(folder, file), certificateText(about, definitions, [relationText("Inv", view, invariant)]));
  return file;
}

export interface Certification {
  readonly valid: boolean;
  /** The first lines of the file: what it claims to prove. */
  readonly about: readonly string[];
  /** By question. */
  readonly answers: Readonly<Record<string, string>>;
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

/** The body of a definition without parameters, as text. */
const bodyOf = (form: string): string => form.replace(/^\(define-fun\s+\S+\s+\(\s*\)\s+\S+\s+/, "").replace(/\)$/, "");

/** What a file defines. @throws SolverFailure (`rejected`) when it is no certificate */
function definitionsIn(file: string, text: string): { readonly of: Definitions; readonly kept: readonly string[] } {
  const bad = (what: string): SolverFailure => new SolverFailure("rejected", `${file} is no certificate: ${what}`);
  const constants: (readonly [string, string])[] = [];
  const defined = new Map<string, { readonly sorts: readonly string[]; readonly form: string }>();
  const kept: string[] = [];
  for (const form of forms(text.split(/^; from here on the questions/m)[0] as string)) {
    const list = parseSExpressions(form)[0];
    if (!Array.isArray(list)) continue;
    const [command, name, args] = list;
    if (command !== "declare-const" && command !== "define-fun") continue;
    if (typeof name !== "string") throw bad("a definition is malformed");
    if (defined.has(name) || constants.some(([n]) => n === quoted(name))) throw bad(`${name} is defined twice`);
    if (name.includes("@")) throw bad(`the name ${name} is taken by the questions`);
    if (command === "declare-const") constants.push([quoted(name), String(args)]);
    else if (Array.isArray(args)) defined.set(name, { sorts: args.map((a) => String(a[1])), form });
    else throw bad(`the definition of ${name} is malformed`);
    kept.push(form);
  }
  const relation = (name: string): readonly string[] => {
    const found = defined.get(name);
    if (found === undefined) throw bad(`it does not define ${name}`);
    return found.sorts;
  };
  const body = (name: string): string => {
    if (relation(name).length > 0) throw bad(`${name} has parameters`);
    return bodyOf(defined.get(name)?.form ?? "");
  };
  const number = (name: string): number => {
    const value = Number(body(name));
    if (!Number.isInteger(value) || value < 0) throw bad(`${name} is no number`);
    return value;
  };
  const arity = relation("Inv");
  const state = constants.slice(0, arity.length);
  const choice = constants.slice(arity.length, constants.length - arity.length);
  const next = constants.slice(constants.length - arity.length);
  const fits = arity.every((sort, i) => {
    const [s, t] = [state[i], next[i]];
    return s !== undefined && t?.[1] === sort && s[1] === sort && t[0] === `${s[0].slice(0, -1)}'|`;
  });
  if (!fits || constants.length < 2 * arity.length) {
    throw bad("its constants are not a state, a choice and a next state");
  }
  let rule: Rule = { by: "invariant" };
  if (defined.has("Length")) {
    rule = { by: "induction", length: number("Length") };
    if (rule.length < 1) throw bad("an induction takes at least one step");
  } else if (defined.has("Own")) {
    if (relation("Own").join() !== arity.join()) throw bad("Own is not about the state");
    if (choice.length === 0) throw bad("it does not say who moves");
    rule = { by: "any number", mover: number("Mover"), other: number("Other") };
  }
  const of = { state, choice, next, initial: body("Initial"), step: body("Step"), bad: body("Bad"), rule };
  return { of, kept };
}

/**
 * Checks a certificate with a fresh solver.
 * @param timeout seconds for the queries together
 * @throws SolverFailure (`rejected`) when the file is no certificate; other kinds as solvers fail
 */
export async function certify(file: string, choice: SolverChoice = {}, timeout = 600): Promise<Certification> {
  const text = readFileSync(file, "utf8");
  const { of, kept } = definitionsIn(file, text);
  const session = openSolver(choice, "certify");
  const deadline = Date.now() + timeout * 1000;
  try {
    const { lines, questions } = questionsOf(of);
    await session.run(["(set-logic ALL)", ...kept, ...lines].join("\n"), deadline);
    const answers: Record<string, string> = {};
    for (const q of questions) {
      answers[q.name] = await check(session, asked(q), deadline);
      await session.run("(pop 1)", deadline);
    }
    return {
      valid: Object.values(answers).every((answer) => answer === "unsat"),
      about: text
        .split("\n")
        .filter((line) => line.startsWith("; "))
        .slice(0, 2)
        .map((line) => line.slice(2)),
      answers,
      solver: session.name,
    };
  } finally {
    session.close();
  }
}
