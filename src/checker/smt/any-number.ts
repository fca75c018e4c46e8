/**
 * Properties for any number of identical threads, from a system with three of them.
 *
 * The thread-modular invariant never counts: a step of another thread may disturb a place again and again, and what one
 * member knows of the others is the same of each of them. Where ids of members are only stored, compared with each other and
 * with nobody, exchanging members maps the invariant onto itself; two places have a common state with n members exactly
 * if they have one with three: the two threads themselves, and one more for "some other". So what it excludes for three
 * members it excludes for more, and for fewer as well, who disturb less. Counters that grow with the members lose their
 * bounds first. What it leaves is small enough to be counted (counting.ts), which decides the rest.
 */
import { lower } from "../../spec/lowering/lower.ts";
import { outOfRange } from "../../spec/lowering/range-error.ts";
import type { Program, VarDecl } from "../../spec/program.ts";
import type { SysCode, SysExpr, SysProgram, SysProperty, TransitionSystem } from "../../spec/transition-system.ts";
import { writeAnyNumberCertificate, writeCountingCertificate } from "./certificate.ts";
import { type Growth, NotCountable } from "./counting.ts";
import { asEncoding, badStates, type CountedProof, decide, proveCounts } from "./counting-proof.ts";
import { type Encoding, encode, type Invariant } from "./encode.ts";
import { clauseInWords, sumInWords } from "./invariant-in-words.ts";
import { privatePools } from "./private-pools.ts";
import { type SolverChoice, SolverFailure } from "./solver.ts";
import { type ThreadModularInvariant, threadModular } from "./thread-modular.ts";
import { withoutBounds } from "./unbounded-counters.ts";
import { NotFinite } from "./unfold.ts";

/** Members that stand for any number. */
export const ENOUGH = 3;

/** Steps of bounded search for a violation by some number of members. */
const DEPTH = 40;

/** The program with so many members of the class. */
export type Sized = (members: number) => Program;

export interface AnyNumberOptions extends SolverChoice {
  /** Folder for the certificates of what holds; absent: none is written. */
  readonly proofs?: string;
  /** Seconds for each question by counting. */
  readonly timeout: number;
}

export type AnyNumberAnswer =
  | {
      readonly property: string;
      readonly verdict: "holds";
      readonly method: "thread-modular" | "counting";
      /** The invariant, for people. */
      readonly because: readonly string[];
    }
  /** With so many members it is violated, in so many steps: a check of that size shows the schedule. */
  | { readonly property: string; readonly verdict: "violated"; readonly members: number; readonly steps: number }
  | { readonly property: string; readonly verdict: "inconclusive"; readonly reason: string };

export interface AnyNumberAnswers {
  readonly answers: readonly AnyNumberAnswer[];
  /** The proofs of all that holds, relative to the folder of proofs. */
  readonly certificates: readonly string[];
}

/** Why what one run of the program says is not said of every number. */
class NotAlike extends Error {}

/** A system with enough members, and what the thread-modular invariant says of it. */
interface Prepared {
  readonly system: TransitionSystem;
  readonly members: readonly number[];
  readonly ownPools: ReadonlySet<number>;
  readonly whole: Encoding;
  readonly facts: ThreadModularInvariant;
  /** What the facts leave. */
  readonly left: Encoding;
  readonly growth: ReadonlyMap<string, Growth>;
}

/** @throws NotAlike */
function prepare(sized: Sized, cls: string): Prepared {
  const program = sized(ENOUGH);
  const first = lower(program);
  const own = new Set([...privatePools(first)].map((n) => first.pools[n]?.name ?? ""));
  const more = sized(ENOUGH + 1);
  const { unbounded, growth } = differences(program, more, own);
  // The size that says how many they are is none of the answer's.
  const sizes = Object.fromEntries(Object.entries(program.sizes).filter(([name, n]) => more.sizes[name] === n));
  const members = first.threads.flatMap((t, i) => (first.programs[t.program]?.cls === cls ? [i] : []));
  for (const names = new Set(unbounded); ; ) {
    const system = { ...lower(withoutBounds(program, names)), sizes };
    const ownPools = privatePools(system);
    const why = refusal(program, system, new Set(members), ownPools);
    if (why !== undefined) throw new NotAlike(why);
    const whole = encode(system, undefined, ownPools);
    const facts = threadModular(whole);
    if (facts === undefined) throw new NotAlike("the system is too large for a thread-modular invariant");
    const left = encode(system, facts, ownPools);
    // A store that may not fit: the counter has no bounds then, if it is not one that each thread has for itself.
    const before = names.size;
    for (const f of left.leaves.flatMap((leaf) => leaf.findings)) {
      const name =
        system.findings[f]?.kind === "model-error" ? outOfRange(system.findings[f]?.message ?? "") : undefined;
      const v = program.vars.find((x) => x.name === name);
      const isOwn = v?.index === "thread" || (typeof v?.index === "object" && own.has(v.index.pool));
      if (name !== undefined && !isOwn) names.add(name);
    }
    if (names.size === before) {
      for (const [name] of growth) {
        const v = name.replace(/\[\d+\]$/, "");
        if (!names.has(v)) throw new NotAlike(`${name} starts with another value where there are more of them`);
      }
      return { system, members, ownPools, whole, facts, left, growth };
    }
  }
}

/** What differs in a program with one member more: bounds that grow, and initial values. @throws NotAlike for the rest */
function differences(
  program: Program,
  more: Program,
  own: ReadonlySet<string>,
): { readonly unbounded: readonly string[]; readonly growth: ReadonlyMap<string, Growth> } {
  const unbounded: string[] = [];
  const growth = new Map<string, Growth>();
  const isOwn = (v: VarDecl): boolean => v.index === "thread" || (typeof v.index === "object" && own.has(v.index.pool));
  for (const [n, pool] of program.pools.entries()) {
    if (pool.slots !== more.pools[n]?.slots && !own.has(pool.name)) {
      throw new NotAlike(`the pool ${pool.name} is as large as they are many`);
    }
  }
  for (const [n, v] of program.vars.entries()) {
    const w = more.vars[n];
    if (w?.name !== v.name) throw new NotAlike("with more of them there are other variables");
    if (JSON.stringify(v.domain) !== JSON.stringify(w.domain)) {
      if (isOwn(v) || v.domain.d !== "int") throw new NotAlike(`the values of ${v.name} depend on how many they are`);
      unbounded.push(v.name);
    }
    if (isOwn(v)) continue;
    if (v.length !== w.length) throw new NotAlike(`${v.name} is as long as they are many`);
    for (const [i, value] of v.init.entries()) {
      const perMember = (w.init[i] ?? 0) - value;
      if (perMember === 0) continue;
      const element = v.length === undefined ? v.name : `${v.name}[${i}]`;
      growth.set(element, { base: value - ENOUGH * perMember, perMember });
    }
  }
  return { unbounded, growth };
}

/** Why the argument above does not apply; undefined where it does. */
function refusal(
  program: Program,
  system: TransitionSystem,
  members: ReadonlySet<number>,
  ownPools: ReadonlySet<number>,
): string | undefined {
  const misused = (p: SysProgram, e: SysExpr): string | undefined => misuse(system, p, members, ownPools, e);
  const kinds = [...members].map((t) => system.threads[t]?.kind);
  if (kinds.some((k) => k === "hardirq" || k === "softirq")) return "they are interrupt handlers";
  if (program.scheduler === "one-cpu") return "with one CPU each waits for the others";
  if (system.threads.some((t) => t.keptOff !== undefined)) return "an interrupt handler keeps tasks off their CPU";
  for (const p of system.programs) {
    if (p.locations.some((l) => l.actions.some((a) => a.idle))) return "some steps wait until nobody else can move";
    for (const l of p.locations) {
      for (const a of l.actions) {
        const why = (a.guard && misused(p, a.guard)) ?? misuseInCode(system, p, members, ownPools, a.code);
        if (why !== undefined) return why;
      }
    }
  }
  return undefined;
}

function isName(system: TransitionSystem, p: SysProgram, e: SysExpr): boolean {
  if (e.e === "ite") return isName(system, p, e.a) || isName(system, p, e.b);
  return (
    e.e === "self" ||
    (e.e === "load" && system.vars[e.v]?.values.of === "thread") ||
    (e.e === "local" && p.locals[e.l]?.values.of === "thread")
  );
}

/** Of an array with an element for each thread, the one of the thread that runs. */
function isOwnElement(system: TransitionSystem, v: number, i: SysExpr | undefined): boolean {
  const one = i?.e === "bin" && i.op === "-" && i.a.e === "self" && i.b.e === "const" && i.b.v === 1;
  return one && system.vars[v]?.index === "thread";
}

/** A pointer that another thread may hold to an object of its own: none of ours. */
function isOwnPointer(system: TransitionSystem, t: number, l: number, ownPools: ReadonlySet<number>): boolean {
  const values = system.programs[system.threads[t]?.program ?? -1]?.locals[l]?.values;
  return values?.of === "pool" && ownPools.has(values.pool);
}

/** Another thread points to an object of its own that looks like ours: said before of each (see lowering/references.ts). */
function isOthersPointer(system: TransitionSystem, e: SysExpr & { e: "bin" }, ownPools: ReadonlySet<number>): boolean {
  const { a, b } = e;
  const other = a.e === "bin" && a.op === "!=" && a.a.e === "self" && a.b.e === "const" ? a.b.v - 1 : undefined;
  const held = b.e === "bin" && b.op === "==" && b.a.e === "local" ? b.a : undefined;
  return e.op === "&&" && other !== undefined && held?.t === other && isOwnPointer(system, other, held.l, ownPools);
}

/** Names may be stored where names belong, compared for equality, tested for nobody, and name an own element. */
function misuse(
  system: TransitionSystem,
  p: SysProgram,
  members: ReadonlySet<number>,
  ownPools: ReadonlySet<number>,
  e: SysExpr,
): string | undefined {
  const inside = (...parts: (SysExpr | undefined)[]): string | undefined => {
    for (const part of parts) {
      const why = part && misuse(system, p, members, ownPools, part);
      if (why !== undefined) return why;
    }
    return undefined;
  };
  switch (e.e) {
    case "pc":
      return members.has(e.t) ? "another thread looks at where one of them is" : undefined;
    case "local":
      return e.t === undefined || isOwnPointer(system, e.t, e.l, ownPools)
        ? undefined
        : "one thread looks at another one's locals";
    case "load":
      if (isOwnElement(system, e.v, e.i)) return undefined;
      if (e.i !== undefined && isName(system, p, e.i)) return "a name of one of them is an index";
      return inside(e.i);
    case "not":
      return inside(e.a);
    case "neg":
      return isName(system, p, e.a) ? "a name of one of them is computed with" : inside(e.a);
    case "ite":
      return inside(e.c, e.a, e.b);
    case "bin": {
      if (isOthersPointer(system, e, ownPools)) return undefined;
      const logical = e.op === "&&" || e.op === "||";
      if (!logical && (isName(system, p, e.a) || isName(system, p, e.b))) {
        if (e.op !== "==" && e.op !== "!=") return "a name of one of them is computed with";
        for (const side of [e.a, e.b]) {
          if (side.e === "const" && members.has(side.v - 1)) return "one of them is singled out";
        }
      }
      return inside(e.a, e.b);
    }
    default:
      return undefined;
  }
}

function misuseInCode(
  system: TransitionSystem,
  p: SysProgram,
  members: ReadonlySet<number>,
  ownPools: ReadonlySet<number>,
  code: SysCode,
): string | undefined {
  const misused = (e: SysExpr): string | undefined => misuse(system, p, members, ownPools, e);
  for (const op of code.ops) {
    if (op.o !== "var" && op.o !== "local") continue;
    const sort = op.o === "var" ? system.vars[op.v]?.values.of : p.locals[op.l]?.values.of;
    if (sort !== "thread" && isName(system, p, op.value)) return "a name of one of them is stored as a number";
    if (sort === "thread" && op.value.e === "const" && members.has(op.value.v - 1)) return "one of them is singled out";
    const index = op.o === "var" && !isOwnElement(system, op.v, op.i) ? op.i : undefined;
    if (index !== undefined && isName(system, p, index)) return "a name of one of them is an index";
    const why = misused(op.value) ?? (index && misused(index));
    if (why !== undefined) return why;
  }
  if (code.end.k === "if") {
    return (
      misused(code.end.c) ??
      misuseInCode(system, p, members, ownPools, code.end.then) ??
      misuseInCode(system, p, members, ownPools, code.end.else)
    );
  }
  if (code.end.k === "choose") {
    for (const way of code.end.ways) {
      const why = misuseInCode(system, p, members, ownPools, way.code);
      if (why !== undefined) return why;
    }
  }
  return undefined;
}

/**
 * Decides properties of single states and steps for every number of threads of a class, as long as each is at its start like
 * the ones of the program.
 */
export async function proveForAnyNumber(
  sized: Sized,
  cls: string,
  properties: readonly string[],
  options: AnyNumberOptions,
): Promise<AnyNumberAnswers> {
  let prepared: Prepared;
  try {
    prepared = prepare(sized, cls);
  } catch (error) {
    if (!(error instanceof NotAlike)) throw error;
    const reason = `threads of class ${cls} cannot stand for any number of them: ${error.message}`;
    return { answers: properties.map((property) => ({ property, verdict: "inconclusive", reason })), certificates: [] };
  }
  const { system, facts, left, members } = prepared;
  const certificates: string[] = [];
  const possible = new Set(left.leaves.flatMap((leaf) => leaf.findings));
  const fits = [...possible].every((f) => system.findings[f]?.kind !== "model-error");
  const asked = properties.flatMap((id) => system.properties.filter((p) => p.id === id));
  const excluded = asked.filter(
    (p) => fits && p.check.c === "findings" && !p.check.findings.some((f) => possible.has(f)),
  );
  const because = inWords(system, facts, members[0] ?? 0, cls);
  if (excluded.length > 0) {
    certificates.push(...certificateOfFacts(prepared, cls, excluded, options.proofs));
  }
  const rest = asked.filter((p) => !excluded.includes(p));
  const counted = rest.length === 0 ? undefined : await byCounting(prepared, cls, rest, options);
  certificates.push(...(counted?.certificates ?? []));
  const answers = asked.map(
    (p): AnyNumberAnswer =>
      counted?.answers.find((a) => a.property === p.id) ?? {
        property: p.id,
        verdict: "holds",
        method: "thread-modular",
        because,
      },
  );
  return { answers, certificates };
}

/** The file that proves that the facts exclude some properties, or what counting leaves out. */
function certificateOfFacts(
  { system, whole, facts, members }: Prepared,
  cls: string,
  properties: readonly SysProperty[],
  proofs: string | undefined,
): string[] {
  if (proofs === undefined) return [];
  const [mover = 0, watcher = 0, other = 0] = members;
  const findings = new Set(properties.flatMap(({ check }) => (check.c === "findings" ? check.findings : [])));
  const meant =
    properties.length === 0
      ? facts.dead
      : (leaf: Encoding["leaves"][number]) =>
          leaf.findings.some((f) => findings.has(f) || system.findings[f]?.kind === "model-error");
  const bad = whole.terms.or(
    ...whole.leaves.filter((leaf) => leaf.thread !== other && meant(leaf)).map((leaf) => leaf.enabled),
  );
  const titles = properties.length === 0 ? ["what counting leaves out"] : properties.map((p) => p.id);
  const proof = { whole, facts, cls, members: [mover, watcher, other], properties: titles, bad } as const;
  const file = writeAnyNumberCertificate(proofs, proof);
  return file === undefined ? [] : [file];
}

/** Decides properties in the counted system. */
async function byCounting(
  prepared: Prepared,
  cls: string,
  properties: readonly SysProperty[],
  options: AnyNumberOptions,
): Promise<AnyNumberAnswers> {
  const { left, members, growth } = prepared;
  const deadline = (): number => Date.now() + options.timeout * 1000;
  const open = (property: SysProperty, reason: string): AnyNumberAnswer => ({
    property: property.id,
    verdict: "inconclusive",
    reason,
  });
  let proof: CountedProof;
  try {
    proof = await proveCounts(left, prepared.facts, members, growth, options, deadline());
  } catch (error) {
    if (!(error instanceof NotCountable || error instanceof NotFinite || error instanceof SolverFailure)) throw error;
    return { answers: properties.map((p) => open(p, error.message)), certificates: [] };
  }
  const { whole } = proof;
  const answers: AnyNumberAnswer[] = [];
  const certificates: string[] = [];
  for (const property of properties) {
    try {
      const bad = badStates(property);
      const edges = property.check.c === "findings";
      const answer = await decide(proof, bad, options, deadline(), DEPTH);
      if (answer.is === "unknown") answers.push(open(property, answer.reason));
      else if (answer.is === "reachable") {
        const steps = answer.steps + (edges ? 1 : 0);
        answers.push({ property: property.id, verdict: "violated", members: answer.members, steps });
      } else if (property.check.c === "deadlock" && !proof.left.terminates) {
        answers.push(
          open(property, "no number of them is all stuck; that some are for ever while others go on is not excluded"),
        );
      } else {
        const because = [
          ...answer.linear.map((sum) => sumInWords(proof.left, sum, cls)).filter((words) => words !== ""),
          ...answer.clauses.map((clause) => clauseInWords(proof.left, clause, cls)),
        ];
        answers.push({ property: property.id, verdict: "holds", method: "counting", because });
        if (options.proofs !== undefined) {
          const invariant = [proof.invariant, ...answer.clauses.map((c) => c.holds)];
          const title = `${property.id} for any number of ${cls}`;
          const view = asEncoding(whole);
          const file = writeCountingCertificate(options.proofs, view, whole.initial, bad(whole), invariant, title, cls);
          if (file !== undefined) certificates.push(file);
        }
      }
    } catch (error) {
      if (!(error instanceof NotCountable || error instanceof SolverFailure)) throw error;
      answers.push(open(property, error.message));
    }
  }
  if (answers.some((a) => a.verdict === "holds"))
    certificates.push(...certificateOfFacts(prepared, cls, [], options.proofs));
  return { answers, certificates };
}

/** Which locks a member, and each other thread, has at which of its steps. */
function inWords(system: TransitionSystem, facts: Invariant, member: number, cls: string): string[] {
  const lines: string[] = [];
  const shown = new Set<number>();
  for (const [t, thread] of system.threads.entries()) {
    if (shown.has(thread.program)) continue;
    shown.add(thread.program);
    const locations = system.programs[thread.program]?.locations ?? [];
    for (const v of system.vars) {
      if (v.lock === undefined || v.values.of !== "thread") continue;
      for (let i = 0; i < v.length; i++) {
        const name = v.length === 1 && v.index === "none" ? v.name : `${v.name}[${i}]`;
        const calls = locations.flatMap((l, n) => (facts.here(t, n).get(name) === t + 1 ? [`${l.fn}: ${l.call}`] : []));
        if (calls.length === 0) continue;
        const who = t === member ? `each ${cls}` : thread.name;
        lines.push(`${who} has ${v.title} at ${[...new Set(calls)].join(", ")}`);
      }
    }
  }
  return lines;
}
