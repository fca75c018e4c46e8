/**
 * Properties of single steps for any number of identical threads, by the thread-modular invariant of a system with
 * three of them.
 *
 * That invariant never counts: a step of another thread may disturb a place again and again, and what one member knows of
 * the others is the same of each of them. Where ids of members are only stored, compared with each other and with
 * nobody, exchanging members maps the invariant onto itself; two places have a common state with n members exactly if
 * they have one with three: the two threads themselves, and one more for "some other". So what it excludes for three
 * members it excludes for more, and for fewer as well, who disturb less. Counters that grow with the members
 * lose their bounds first.
 */
import { lower } from "../../spec/lowering/lower.ts";
import type { Domain, Program, ThreadDecl } from "../../spec/program.ts";
import type { SysCode, SysExpr, SysProgram, TransitionSystem } from "../../spec/transition-system.ts";
import { writeAnyNumberCertificate } from "./certificate.ts";
import { encode, type Invariant } from "./encode.ts";
import { threadModular } from "./thread-modular.ts";

/** Members that stand for any number. */
export const ENOUGH = 3;

/** Integers that can be at least so large are taken for counters. */
const COUNTS_FROM = 2;

export type AnyNumberAnswer =
  | {
      readonly property: string;
      readonly verdict: "holds" /** The invariant, for people. */;
      readonly because: readonly string[];
    }
  | { readonly property: string; readonly verdict: "inconclusive"; readonly reason: string };

export interface AnyNumberAnswers {
  readonly answers: readonly AnyNumberAnswer[];
  /** The proof of all that holds, relative to the folder of proofs; undefined where there is none. */
  readonly certificate: string | undefined;
}

/** The program with so many members of a class, and counters without bounds. */
export function withMembers(program: Program, cls: string, count: number): Program {
  const present = program.threads.filter((t) => t.cls === cls);
  const first = present[0];
  if (first === undefined) throw new Error(`there is no thread of class ${cls}`);
  const names = new Set(program.threads.map((t) => t.name));
  const added: ThreadDecl[] = [];
  for (let n = 2; present.length + added.length < count; n++) {
    const name = `${cls}#${n}`;
    if (!names.has(name)) added.push({ ...first, name });
  }
  const gone = new Set(present.slice(count).map((t) => t.name));
  const kept = program.threads.filter((t) => !gone.has(t.name));
  const widen = <T extends { readonly domain: Domain }>(declared: T): T => {
    const { domain } = declared;
    const counts = domain.d === "int" && domain.lo >= 0 && domain.hi >= COUNTS_FROM;
    const unbounded = { d: "int", lo: Number.NEGATIVE_INFINITY, hi: Number.POSITIVE_INFINITY } as const;
    return counts ? { ...declared, domain: unbounded } : declared;
  };
  const own = program.threads.indexOf(first);
  return {
    ...program,
    threads: [...kept, ...added],
    vars: program.vars.map((v) => {
      if (v.index !== "thread") return widen(v);
      const init = [
        ...v.init.filter((_, t) => kept.includes(program.threads[t] as ThreadDecl)),
        ...added.map(() => v.init[own] ?? 0),
      ];
      return { ...widen(v), init, length: init.length };
    }),
    functions: Object.fromEntries(
      Object.entries(program.functions).map(([name, f]) => {
        const returns = f.returns && widen({ domain: f.returns }).domain;
        return [name, { ...f, locals: f.locals.map(widen), ...(returns && { returns }) }];
      }),
    ),
  };
}

/** Why the argument above does not apply; undefined where it does. */
function refusal(program: Program, system: TransitionSystem, members: ReadonlySet<number>): string | undefined {
  const kinds = [...members].map((t) => system.threads[t]?.kind);
  if (kinds.some((k) => k === "hardirq" || k === "softirq")) return "they are interrupt handlers";
  if (program.scheduler === "one-cpu") return "with one CPU each waits for the others";
  if (system.threads.some((t) => t.keptOff !== undefined)) return "an interrupt handler keeps tasks off their CPU";
  for (const p of system.programs) {
    if (p.locations.some((l) => l.actions.some((a) => a.idle))) return "some steps wait until nobody else can move";
    for (const l of p.locations) {
      for (const a of l.actions) {
        const why = (a.guard && misuse(system, p, members, a.guard)) ?? misuseInCode(system, p, members, a.code);
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

/** Names may be stored where names belong, compared for equality, tested for nobody, and name an own element. */
function misuse(system: TransitionSystem, p: SysProgram, members: ReadonlySet<number>, e: SysExpr): string | undefined {
  const inside = (...parts: (SysExpr | undefined)[]): string | undefined => {
    for (const part of parts) {
      const why = part && misuse(system, p, members, part);
      if (why !== undefined) return why;
    }
    return undefined;
  };
  switch (e.e) {
    case "pc":
      return members.has(e.t) ? "another thread looks at where one of them is" : undefined;
    case "local":
      return e.t === undefined ? undefined : "one thread looks at another one's locals";
    case "load":
      if (e.i !== undefined && isName(system, p, e.i)) return "a name of one of them is an index";
      return inside(e.i);
    case "not":
      return inside(e.a);
    case "neg":
      return isName(system, p, e.a) ? "a name of one of them is computed with" : inside(e.a);
    case "ite":
      return inside(e.c, e.a, e.b);
    case "bin": {
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
  code: SysCode,
): string | undefined {
  for (const op of code.ops) {
    if (op.o !== "var" && op.o !== "local") continue;
    const sort = op.o === "var" ? system.vars[op.v]?.values.of : p.locals[op.l]?.values.of;
    if (sort !== "thread" && isName(system, p, op.value)) return "a name of one of them is stored as a number";
    if (sort === "thread" && op.value.e === "const" && members.has(op.value.v - 1)) return "one of them is singled out";
    if (op.o === "var" && op.i !== undefined && isName(system, p, op.i)) return "a name of one of them is an index";
    const why =
      misuse(system, p, members, op.value) ??
      (op.o === "var" && op.i !== undefined ? misuse(system, p, members, op.i) : undefined);
    if (why !== undefined) return why;
  }
  if (code.end.k === "if") {
    return (
      misuse(system, p, members, code.end.c) ??
      misuseInCode(system, p, members, code.end.then) ??
      misuseInCode(system, p, members, code.end.else)
    );
  }
  if (code.end.k === "choose") {
    for (const way of code.end.ways) {
      const why = misuseInCode(system, p, members, way.code);
      if (why !== undefined) return why;
    }
  }
  return undefined;
}

/**
 * Decides properties that forbid findings for every number of threads of a class, as long as each is at its start like
 * the ones of the program.
 *
 * @param proofs folder for the certificate of what holds; absent: none is written
 */
export function proveForAnyNumber(
  program: Program,
  cls: string,
  properties: readonly string[],
  proofs?: string,
): AnyNumberAnswers {
  const system = lower(withMembers(program, cls, ENOUGH));
  const members = new Set(system.threads.flatMap((t, i) => (system.programs[t.program]?.cls === cls ? [i] : [])));
  const all = (reason: string): AnyNumberAnswers => ({
    answers: properties.map((property) => ({ property, verdict: "inconclusive", reason })),
    certificate: undefined,
  });
  const why = refusal(program, system, members);
  if (why !== undefined) return all(`threads of class ${cls} cannot stand for any number of them: ${why}`);
  const whole = encode(system);
  const facts = threadModular(whole);
  if (facts === undefined) return all("the system is too large for a thread-modular invariant");
  const left = encode(system, facts);
  const possible = new Set(left.leaves.flatMap((leaf) => leaf.findings));
  const modelError = [...possible].find((f) => system.findings[f]?.kind === "model-error");
  if (modelError !== undefined) {
    return all(`the invariant does not exclude an error of the model: ${system.findings[modelError]?.message}`);
  }
  const answers = properties.map((id): AnyNumberAnswer => {
    const check = system.properties.find((p) => p.id === id)?.check;
    if (check?.c !== "findings") {
      return {
        property: id,
        verdict: "inconclusive",
        reason: "only properties that forbid findings are decided for any number",
      };
    }
    const open = check.findings.find((f) => possible.has(f));
    if (open !== undefined) {
      const message = system.findings[open]?.message;
      return {
        property: id,
        verdict: "inconclusive",
        reason: `the thread-modular invariant does not exclude it: ${message}`,
      };
    }
    return { property: id, verdict: "holds", because: inWords(system, facts, [...members][0] ?? 0, cls) };
  });
  const proved = answers.filter((a) => a.verdict === "holds").map((a) => a.property);
  if (proofs === undefined || proved.length === 0) return { answers, certificate: undefined };
  const [mover = 0, watcher = 0, other = 0] = [...members];
  const excluded = new Set(
    system.properties.flatMap(({ id, check }) => (proved.includes(id) && check.c === "findings" ? check.findings : [])),
  );
  const bad = whole.terms.or(
    ...whole.leaves
      .filter((leaf) => leaf.thread !== other)
      .filter((leaf) => leaf.findings.some((f) => excluded.has(f) || system.findings[f]?.kind === "model-error"))
      .map((leaf) => leaf.enabled),
  );
  const proof = { whole, facts, cls, members: [mover, watcher, other], properties: proved, bad } as const;
  return { answers, certificate: writeAnyNumberCertificate(proofs, proof) };
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
