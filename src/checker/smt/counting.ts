/**
 * Any number of identical threads, by counting (German and Sistla 1992): for a class of threads that share a program,
 * one integer per local state says how many of them are in it. A local state is a location, the values of the stored
 * locals, and for each variable that can name a thread whether it names this one. The rest of the system stays as it
 * is. Safety of the counted system is safety for every number of members, and Spacer proves it over the integers.
 *
 * The one abstraction: a variable that names a thread (the owner of a lock) says of the class only "one of them". Which
 * one is kept on the other side, in the local state of the one that is named, of which there is never more than one.
 * Nothing is lost as long as a member compares such a variable only with itself and with nobody, and none overwrites it
 * while it names another; programs that do otherwise, or that use their number as a number (an array per thread), are
 * refused with the reason.
 */
import type {
  SysCode,
  SysExpr,
  SysLocation,
  SysOp,
  SysProperty,
  TransitionSystem,
} from "../../spec/transition-system.ts";
import { certificateText, definitionsOf } from "./certificate.ts";
import { type Encoding, encode, type Leaf } from "./encode.ts";
import { check, openSolver, prelude, type SolverChoice, SolverFailure, values } from "./solver.ts";
import { type Clauses, solveHorn } from "./spacer.ts";
import type { Term, Terms } from "./term.ts";
import { integers, quoted } from "./theory.ts";
import { Unrolling } from "./unrolling.ts";

export interface CountingOptions extends SolverChoice {
  /** Seconds for each property. */
  readonly timeout: number;
  /** Steps of bounded search for a counterexample; default 30. */
  readonly depth?: number;
}

export type CountingAnswer =
  | {
      readonly property: string;
      /** For every number of members. Of deadlock the global one alone where `only` says so. */
      readonly verdict: "holds";
      readonly only: "global deadlock" | undefined;
      /** The proof, for `certify`. */
      readonly certificate: string;
    }
  /** With so many members it is violated, in so many steps: a check of that size shows the schedule. */
  | { readonly property: string; readonly verdict: "violated"; readonly members: number; readonly steps: number }
  | { readonly property: string; readonly verdict: "inconclusive"; readonly reason: string };

/** The class cannot be counted; the message says why. */
export class NotCountable extends Error {
  constructor(message: string) {
    super(message);
    this.name = "NotCountable";
  }
}

/** Local states of one class beyond which counting is refused. */
const MOST_LOCAL_STATES = 400;

interface LocalState {
  readonly location: number;
  readonly locals: readonly number[];
  /** Per named variable element (see Counted.named): it names this thread. */
  readonly names: readonly boolean[];
}

/** A transition of a member: from one local state to another, with an effect on the rest. */
interface Move {
  readonly from: LocalState;
  /** Undefined: it ends in an error. */
  readonly to: LocalState | undefined;
  readonly enabled: Term;
  readonly updates: ReadonlyMap<Term, Term>;
  readonly optional: boolean;
  readonly idle: boolean;
  readonly findings: readonly number[];
}

interface Counted {
  readonly terms: Terms;
  readonly clauses: Omit<Clauses, "bad">;
  readonly leaves: readonly Leaf[];
  readonly members: Term;
  readonly bad: (property: SysProperty) => Term;
}

function keyOf(q: LocalState): string {
  return `${q.location}/${q.locals.join()}/${q.names.map(Number).join("")}`;
}

/**
 * Checks safety properties for every number (at least one, and as many as a property names) of threads of a class.
 * @param cls the class of SysProgram to count; all its threads must start alike
 */
export async function checkAnyNumber(
  system: TransitionSystem,
  cls: string,
  properties: readonly string[],
  options: CountingOptions,
): Promise<CountingAnswer[]> {
  const asked = system.properties.filter((p) => properties.includes(p.id));
  let counted: Counted;
  try {
    counted = count(system, cls);
  } catch (error) {
    if (!(error instanceof NotCountable)) throw error;
    return asked.map((p) => ({ property: p.id, verdict: "inconclusive", reason: error.message }));
  }
  const answers: CountingAnswer[] = [];
  for (const property of asked) answers.push(await decide(system, cls, counted, property, options));
  return answers;
}

async function decide(
  system: TransitionSystem,
  cls: string,
  counted: Counted,
  property: SysProperty,
  options: CountingOptions,
): Promise<CountingAnswer> {
  const deadline = Date.now() + options.timeout * 1000;
  const id = property.id;
  const inconclusive = (reason: string): CountingAnswer => ({ property: id, verdict: "inconclusive", reason });
  try {
    const clauses: Clauses = { ...counted.clauses, bad: counted.bad(property) };
    const session = openSolver(options, "counting");
    try {
      const answer = await solveHorn(clauses, session, options, deadline);
      if (answer.is === "unknown") return inconclusive(`the solver answered unknown (${answer.reason})`);
      if (answer.is === "unreachable") {
        const view = asEncoding(system, counted);
        const about = [
          `Lockstep certificate: ${system.protocol} / ${system.variant} / ${system.scenario}, any number of ${cls}`,
          `unreachable: ${id}`,
        ];
        const definitions = definitionsOf(view, clauses.initial, clauses.bad, { by: "invariant" });
        const certificate = certificateText(about, definitions, [answer.invariant]);
        const only = property.check.c === "deadlock" ? "global deadlock" : undefined;
        return { property: id, verdict: "holds", only, certificate };
      }
    } finally {
      session.close();
    }
    return (
      (await shortest(system, counted, clauses, id, options, deadline)) ??
      inconclusive(`it is violated with some number of members, by more than ${options.depth ?? 30} steps`)
    );
  } catch (error) {
    if (error instanceof NotCountable || error instanceof SolverFailure) return inconclusive(error.message);
    throw error;
  }
}

/** Bounded search in the counted system, for the least number of steps and how many members they take. */
async function shortest(
  system: TransitionSystem,
  counted: Counted,
  clauses: Clauses,
  property: string,
  options: CountingOptions,
  deadline: number,
): Promise<CountingAnswer | undefined> {
  const view = asEncoding(system, counted);
  const predicates = new Map([
    ["initial", clauses.initial],
    ["bad", clauses.bad],
  ]);
  const unrolling = new Unrolling(view, integers, predicates);
  const session = openSolver(options, "counting-bmc");
  try {
    await session.run(prelude(session, options, "ALL"), deadline);
    for (let k = 0; k <= (options.depth ?? 30); k++) {
      const lines = [unrolling.declareState(k)];
      if (k === 0) lines.push(`(assert ${unrolling.predicate("initial", 0)})`);
      else lines.push(unrolling.declareStep(k - 1), `(assert ${unrolling.stepName(k - 1)})`);
      lines.push(`(push 1)\n(assert ${unrolling.predicate("bad", k)})\n(check-sat)`);
      const answer = await check(session, lines.join("\n"), deadline);
      if (answer === "sat") {
        const [members] = await values(session, [quoted(`${counted.members.name}@0`)], deadline);
        return { property, verdict: "violated", members: Number(members), steps: k };
      }
      await session.run("(pop 1)", deadline);
    }
    return undefined;
  } finally {
    session.close();
  }
}

/** The counted system in the form the unrolling takes: one selector numbers all transitions. */
function asEncoding(system: TransitionSystem, counted: Counted): Encoding {
  return {
    system: { ...system, threads: system.threads.slice(0, 1) },
    terms: counted.terms,
    state: counted.clauses.state,
    initial: [],
    kept: [],
    pcs: [],
    locals: [],
    leaves: counted.leaves,
    choices: [[counted.leaves.map((leaf) => ({ action: leaf.action, ways: leaf.ways }))]],
    live: counted.terms.false,
    blocked: [],
    waiting: [],
    holder: [],
    threadLive: [],
    property: () => counted.terms.false,
  };
}

/** Every expression in some code or location. */
function* expressionsOf(location: SysLocation): Generator<SysExpr> {
  const inCode = function* (code: SysCode): Generator<SysExpr> {
    for (const op of code.ops) {
      if (op.o === "var" || op.o === "local") yield op.value;
      if (op.o === "var" && op.i !== undefined) yield op.i;
    }
    if (code.end.k === "if") {
      yield code.end.c;
      yield* inCode(code.end.then);
      yield* inCode(code.end.else);
    } else if (code.end.k === "choose") for (const way of code.end.ways) yield* inCode(way.code);
  };
  for (const action of location.actions) {
    if (action.guard !== undefined) yield action.guard;
    yield* inCode(action.code);
  }
  if (location.wait?.resting !== undefined) yield location.wait.resting;
}

function* partsOf(e: SysExpr): Generator<SysExpr> {
  yield e;
  if (e.e === "load" && e.i !== undefined) yield* partsOf(e.i);
  if (e.e === "not" || e.e === "neg") yield* partsOf(e.a);
  if (e.e === "bin") {
    yield* partsOf(e.a);
    yield* partsOf(e.b);
  }
  if (e.e === "ite") {
    yield* partsOf(e.c);
    yield* partsOf(e.a);
    yield* partsOf(e.b);
  }
}

/** Refuses what counting would get wrong. */
function refuse(system: TransitionSystem, cls: string, index: number, members: readonly number[]): void {
  const no = (why: string): never => {
    throw new NotCountable(`threads of class ${cls} cannot be counted: ${why}`);
  };
  const kind = system.threads[members[0] ?? -1]?.kind;
  if (kind === "hardirq" || kind === "softirq") no("they are interrupt handlers");
  for (const v of system.vars) {
    if (v.index === "thread") no(`${v.name} has an element for each thread`);
  }
  for (const program of system.programs) {
    for (const e of program.locations.flatMap((l) => [...expressionsOf(l)]).flatMap((e) => [...partsOf(e)])) {
      if (e.e === "pc" && members.includes(e.t)) no("another thread looks at where one of them is");
    }
  }
  for (const e of system.threads.flatMap((t) => (t.keptOff === undefined ? [] : [...partsOf(t.keptOff)]))) {
    if (e.e === "pc" && members.includes(e.t)) no("their CPU is shared with another thread");
  }
  const program = system.programs[index];
  const isName = (e: SysExpr): boolean =>
    e.e === "self" ||
    (e.e === "const" && e.v === 0) ||
    (e.e === "load" && system.vars[e.v]?.values.of === "thread") ||
    (e.e === "local" && program?.locals[e.l]?.values.of === "thread");
  for (const e of (program?.locations ?? []).flatMap((l) => [...expressionsOf(l)]).flatMap((e) => [...partsOf(e)])) {
    if (e.e === "bin" && (e.a.e === "self" || e.b.e === "self")) {
      if ((e.op !== "==" && e.op !== "!=") || !isName(e.a) || !isName(e.b)) no("they compute with their own number");
    }
    if (e.e === "neg" && e.a.e === "self") no("they compute with their own number");
    if (e.e === "load" && e.i?.e === "self") no("they use their own number as an index");
  }
}

function count(system: TransitionSystem, cls: string): Counted {
  const index = system.programs.findIndex((p) => p.cls === cls);
  const program = system.programs[index];
  const members = system.threads.flatMap((t, i) => (t.program === index ? [i] : []));
  const first = system.threads[members[0] ?? -1];
  if (program === undefined || first === undefined) throw new NotCountable(`there is no thread of class ${cls}`);
  if (members.some((m) => JSON.stringify(start(m)) !== JSON.stringify(start(members[0] ?? 0)))) {
    throw new NotCountable(`threads of class ${cls} cannot be counted: they do not all start alike`);
  }
  function start(t: number): unknown {
    const thread = system.threads[t];
    return [thread?.initialLocation, thread?.initialLocals, thread?.kind, thread?.cpu];
  }
  refuse(system, cls, index, members);

  // The rest of the system, and one member as a stand-in whose location and locals are fixed state by state.
  const stand = members[0] ?? 0;
  const rest = encode({ ...system, threads: system.threads, programs: system.programs });
  const { terms } = rest;
  const threads = system.threads.length;
  /** What a member's own number is called inside: no thread has it, and no variable of a model counts so far. */
  const ME = 2 ** 24 + threads;
  const symbolAt = new Map<string, Term>(rest.state.map((s) => [s.name, s]));
  const ownPrefix = new Set(
    members.flatMap((m) => {
      const thread = system.threads[m];
      const stored = program.locals.flatMap((l) => (l.stored ? [`${thread?.name} ${l.fn}.${l.name}`] : []));
      return [`pc ${thread?.name}`, ...stored];
    }),
  );
  const shared = rest.state.filter((s) => !ownPrefix.has(s.name));
  const initialOf = new Map(rest.state.map((s, i) => [s, rest.initial[i] ?? 0]));
  const elements = system.vars.map((v) =>
    Array.from({ length: v.length }, (_, i) => {
      const name = v.length === 1 && v.index === "none" ? v.name : `${v.name}[${i}]`;
      const s = symbolAt.get(name.replace(/[|\\]/g, "/"));
      if (s === undefined) throw new NotCountable(`two variables are called ${name}`);
      return s;
    }),
  );
  /** The elements that can name a thread. */
  const named = system.vars.flatMap((v, i) => (v.values.of === "thread" ? (elements[i] ?? []) : []));
  for (const s of named) {
    const value = initialOf.get(s) ?? 0;
    if (members.includes(value - 1)) {
      throw new NotCountable(`threads of class ${cls} cannot be counted: ${s.name} names one of them at the start`);
    }
  }
  /** "One of them", as a value of such an element. */
  const ONE = stand + 1;

  interface Scope {
    readonly values: ReadonlyMap<Term, Term>;
    readonly locals: readonly Term[];
  }
  const look = (s: Term, scope: Scope): Term => scope.values.get(s) ?? s;
  const evaluate = (e: SysExpr, scope: Scope): Term => {
    switch (e.e) {
      case "const":
        return terms.number(e.v);
      case "local":
        if (e.t !== undefined && e.t !== stand) throw new NotCountable("a property speaks of a thread's locals");
        return scope.locals[e.l] ?? terms.number(0);
      case "self":
        return terms.number(ME);
      case "load": {
        const list = elements[e.v] ?? [];
        const i = e.i === undefined ? terms.number(0) : terms.integer(evaluate(e.i, scope));
        let value: Term = terms.number(0);
        for (let k = Math.min(list.length - 1, i.hi); k >= Math.max(0, i.lo); k--) {
          value = terms.ite(terms.eq(i, terms.number(k)), look(list[k] as Term, scope), value);
        }
        return value;
      }
      case "not":
        return terms.not(terms.truth(evaluate(e.a, scope)));
      case "neg":
        return terms.neg(evaluate(e.a, scope));
      case "ite":
        return terms.ite(terms.truth(evaluate(e.c, scope)), evaluate(e.a, scope), evaluate(e.b, scope));
      case "pc": {
        const pc = symbolAt.get(`pc ${system.threads[e.t]?.name}`);
        if (pc === undefined) throw new NotCountable("an expression looks at a thread that is not there");
        return terms.or(...e.locations.map((l) => terms.eq(pc, terms.number(l))));
      }
      case "bin": {
        const a = evaluate(e.a, scope);
        const b = evaluate(e.b, scope);
        if (e.op === "==") return terms.eq(a, b);
        if (e.op === "!=") return terms.not(terms.eq(a, b));
        if (e.op === "<") return terms.lt(a, b);
        if (e.op === "<=") return terms.le(a, b);
        if (e.op === ">") return terms.lt(b, a);
        if (e.op === ">=") return terms.le(b, a);
        if (e.op === "&&") return terms.and(terms.truth(a), terms.truth(b));
        if (e.op === "||") return terms.or(terms.truth(a), terms.truth(b));
        return terms.arithmetic(e.op, a, b);
      }
    }
  };

  /** Of an element that names a thread: what a member in this local state sees there. */
  const scopeOf = (q: LocalState): Scope => ({
    values: new Map(named.flatMap((s, i) => (q.names[i] ? [[s, terms.number(ME)] as const] : []))),
    locals: q.locals.map((v) => terms.number(v)),
  });

  const moves: Move[] = [];
  const states = new Map<string, LocalState>();
  const queue: LocalState[] = [];
  const reach = (q: LocalState): void => {
    if (states.has(keyOf(q))) return;
    if (states.size >= MOST_LOCAL_STATES) {
      throw new NotCountable(`threads of class ${cls} have more than ${MOST_LOCAL_STATES} local states`);
    }
    states.set(keyOf(q), q);
    queue.push(q);
  };
  const birth: LocalState = {
    location: first.initialLocation,
    locals: program.locals.map((l, i) => (l.stored ? (first.initialLocals[i] ?? 0) : 0)),
    names: named.map(() => false),
  };
  reach(birth);
  for (let next = 0; next < queue.length; next++) {
    const q = queue[next] as LocalState;
    const location = program.locations[q.location];
    for (const action of location?.actions ?? []) {
      const walk = (
        code: SysCode,
        scope: Scope,
        condition: Term,
        optional: boolean,
        found: readonly number[],
      ): void => {
        if (condition === terms.false) return;
        const now = new Map(scope.values);
        const locals = [...scope.locals];
        const findings = [...found];
        const inner: Scope = { values: now, locals };
        for (const op of code.ops) run(op, inner, now, locals, findings);
        const end = code.end;
        if (end.k === "if") {
          const c = terms.truth(evaluate(end.c, inner));
          walk(end.then, inner, terms.and(condition, c), optional, findings);
          walk(end.else, inner, terms.and(condition, terms.not(c)), optional, findings);
        } else if (end.k === "choose") {
          for (const way of end.ways) walk(way.code, inner, condition, optional || way.optional, findings);
        } else if (end.k === "error") {
          moves.push({
            from: q,
            to: undefined,
            enabled: condition,
            updates: new Map(),
            optional,
            idle: action.idle,
            findings: [...findings, end.f],
          });
        } else {
          arrive(q, action.idle, optional, condition, now, locals, findings, end.location);
        }
      };
      const scope = scopeOf(q);
      const guard = action.guard === undefined ? terms.true : terms.truth(evaluate(action.guard, scope));
      walk(action.code, scope, guard, action.optional, []);
    }
  }

  function run(op: SysOp, scope: Scope, now: Map<Term, Term>, locals: Term[], findings: number[]): void {
    if (op.o === "finding") findings.push(op.f);
    else if (op.o === "local") {
      const value = evaluate(op.value, scope);
      if (program?.locals[op.l]?.values.of !== "thread" && holdsNumber(value, ME)) throw asNumber();
      locals[op.l] = value;
    } else if (op.o === "var") {
      const declared = system.vars[op.v];
      if (declared === undefined) throw new Error(`no variable ${op.v}`);
      const value = evaluate(op.value, scope);
      if (declared.values.of !== "thread" && holdsNumber(value, ME)) throw asNumber();
      const i = op.i === undefined ? terms.number(0) : terms.integer(evaluate(op.i, scope));
      for (const [k, s] of (elements[op.v] ?? []).entries()) {
        const stored = declared.values.of === "thread" ? value : terms.narrow(value, declared.lo, declared.hi);
        now.set(s, terms.ite(terms.eq(i, terms.number(k)), stored, look(s, scope)));
      }
    }
  }

  /** Splits on what must be known of the target: the values of its locals, and what names it. */
  function arrive(
    q: LocalState,
    idle: boolean,
    optional: boolean,
    condition: Term,
    now: ReadonlyMap<Term, Term>,
    locals: readonly Term[],
    findings: readonly number[],
    location: number,
  ): void {
    interface Case {
      readonly condition: Term;
      readonly locals: readonly number[];
      readonly names: readonly boolean[];
    }
    let cases: Case[] = [{ condition, locals: [], names: [] }];
    for (const [n, declared] of program?.locals.entries() ?? []) {
      const value = terms.integer(locals[n] ?? terms.number(0));
      if (!declared.stored) {
        cases = cases.map((c) => ({ ...c, locals: [...c.locals, 0] }));
        continue;
      }
      if (declared.values.of === "thread" && canBe(value, ONE)) {
        throw new NotCountable(`threads of class ${cls} cannot be counted: ${declared.name} may name another of them`);
      }
      const options: number[] = declared.values.of === "thread" ? [ME] : [];
      for (let v = Math.max(declared.lo, value.lo); v <= Math.min(declared.hi, value.hi); v++) options.push(v);
      cases = cases.flatMap((c) =>
        options.flatMap((v) => {
          const holds = terms.and(c.condition, terms.eq(value, terms.number(v)));
          return holds === terms.false ? [] : [{ ...c, condition: holds, locals: [...c.locals, v] }];
        }),
      );
    }
    const updates = new Map<Term, Term>();
    for (const s of elements.flat()) {
      const value = now.get(s);
      if (value === undefined || named.includes(s)) continue;
      if (value !== s) updates.set(s, value);
    }
    for (const [n, s] of named.entries()) {
      const value = terms.integer(now.get(s) ?? s);
      const before = q.names[n] ? terms.number(ME) : s;
      for (const other of named) {
        if (other !== s && mentions(value, other)) {
          throw new NotCountable(`threads of class ${cls} cannot be counted: ${other.name} is copied to ${s.name}`);
        }
      }
      const mine = terms.eq(value, terms.number(ME));
      cases = cases.flatMap((c) =>
        [true, false].flatMap((is) => {
          const holds = terms.and(c.condition, is ? mine : terms.not(mine));
          return holds === terms.false ? [] : [{ ...c, condition: holds, names: [...c.names, is] }];
        }),
      );
      if (value === before) continue;
      // Whoever it names now must not lose it to this store.
      const robbed = new Map([[s, terms.number(ONE)]]);
      const lost = terms.substitute(terms.and(condition, terms.not(terms.eq(value, s))), robbed);
      if (!q.names[n] && lost !== terms.false) {
        throw new NotCountable(
          `threads of class ${cls} cannot be counted: one may overwrite ${s.name} while another has it`,
        );
      }
      updates.set(s, terms.narrow(terms.ite(mine, terms.number(ONE), value), s.lo, s.hi));
    }
    for (const c of cases) {
      const to: LocalState = { location, locals: c.locals, names: c.names };
      reach(to);
      moves.push({ from: q, to, enabled: c.condition, updates, optional, idle, findings });
    }
  }

  function mentions(term: Term, symbol: Term): boolean {
    return term === symbol || term.args.some((a) => mentions(a, symbol));
  }

  function holdsNumber(term: Term, n: number): boolean {
    return (term.op === "number" && term.lo === n) || term.args.some((a) => holdsNumber(a, n));
  }

  function asNumber(): NotCountable {
    return new NotCountable(`threads of class ${cls} cannot be counted: they use their own number as a number`);
  }

  /** An element that names a thread, or a choice among such and numbers: no use of the name yet. */
  function isNameTree(term: Term): boolean {
    if (term.op === "ite") return term.args.slice(1).every(isNameTree);
    return term.op === "number" || named.includes(term);
  }

  function namesSome(term: Term): boolean {
    return named.includes(term) || (term.op === "ite" && term.args.slice(1).some(namesSome));
  }

  /** A name may be compared with nobody and with threads that are not counted, and with nothing else. */
  function checkNames(term: Term, seen = new Set<Term>()): void {
    if (seen.has(term)) return;
    seen.add(term);
    const [a, b] = term.args;
    if (a !== undefined && b !== undefined && (namesSome(a) || namesSome(b)) && term.op !== "ite") {
      const [name, other] = namesSome(a) ? [a, b] : [b, a];
      const nobody = term.op === "=" && other.op === "number" && !members.includes(other.lo - 1) && isNameTree(name);
      const anybody = (term.op === "<" && a.lo === 0 && a.hi === 0) || (term.op === "<=" && a.lo === 1 && a.hi === 1);
      if (!nobody && !(anybody && name === b && isNameTree(name))) {
        throw new NotCountable(
          `threads of class ${cls} cannot be counted: a name of one of them is compared or computed with`,
        );
      }
    }
    for (const arg of term.args) checkNames(arg, seen);
  }

  /** Some branch of the value is this element. */
  function canName(value: Term, element: Term): boolean {
    if (value.op === "ite") return value.args.slice(1).some((a) => canName(a, element));
    return value === element;
  }

  /** Some branch of the value is this number, or an element that names a thread. */
  function canBe(value: Term, n: number): boolean {
    if (value.op === "ite") return value.args.slice(1).some((a) => canBe(a, n));
    if (value.op === "number") return value.lo === n;
    return value.lo <= n && n <= value.hi;
  }

  // The counted system.
  const total = terms.symbol(`members of ${cls}`, 0, Number.POSITIVE_INFINITY);
  const counters = new Map<string, Term>();
  for (const [key, q] of states) {
    const stored = q.locals.flatMap((v, i) => (program.locals[i]?.stored ? [`${program.locals[i]?.name}=${v}`] : []));
    const names = named.flatMap((s, i) => (q.names[i] ? [`has ${s.name}`] : []));
    const label = [`${cls} at ${q.location}`, ...stored, ...names].join(" ");
    counters.set(key, terms.symbol(`#${label}`, 0, Number.POSITIVE_INFINITY));
  }
  const counter = (q: LocalState): Term => counters.get(keyOf(q)) as Term;
  const some = (q: LocalState, n = 1): Term => terms.le(terms.number(n), counter(q));
  const others = rest.leaves.filter((leaf) => !members.includes(leaf.thread));
  for (const leaf of [...others, ...moves]) {
    checkNames(leaf.enabled);
    for (const value of leaf.updates.values()) checkNames(value);
  }
  for (const leaf of others) {
    for (const [s, value] of leaf.updates) {
      if (named.some((n) => n !== s && canName(value, n))) {
        throw new NotCountable(
          `threads of class ${cls} cannot be counted: another thread copies their name to ${s.name}`,
        );
      }
    }
    for (const s of named) {
      if (!leaf.updates.has(s)) continue;
      const robbed = terms.substitute(leaf.enabled, new Map([[s, terms.number(ONE)]]));
      if (robbed !== terms.false) {
        throw new NotCountable(`threads of class ${cls} cannot be counted: another thread may overwrite ${s.name}`);
      }
    }
  }
  // encode() has put "nobody is busy" into the guards of idle actions, with the stand-ins in it: wrong here.
  if (system.programs.some((p) => p.locations.some((l) => l.actions.some((a) => a.idle)))) {
    throw new NotCountable(`threads of class ${cls} cannot be counted: the model has idle actions`);
  }
  const state = [total, ...shared, ...counters.values()];
  const leaves: Leaf[] = [];
  const add = (
    enabled: Term,
    updates: ReadonlyMap<Term, Term>,
    from: { findings: readonly number[]; error: boolean },
  ): void => {
    if (enabled === terms.false) return;
    const common = {
      thread: 0,
      location: 0,
      action: leaves.length,
      ways: [],
      path: "",
      target: undefined,
      choice: leaves.length,
    };
    leaves.push({ ...common, enabled, updates, optional: false, marks: [], ...from });
  };
  for (const leaf of others) add(leaf.enabled, leaf.updates, leaf);
  for (const m of moves) {
    const updates = new Map(m.updates);
    if (m.to !== undefined && keyOf(m.to) !== keyOf(m.from)) {
      updates.set(counter(m.from), terms.arithmetic("-", counter(m.from), terms.number(1)));
      updates.set(counter(m.to), terms.arithmetic("+", counter(m.to), terms.number(1)));
    }
    add(terms.and(some(m.from), m.enabled), updates, { findings: m.findings, error: m.to === undefined });
  }
  const initial = terms.and(
    terms.le(terms.number(1), total),
    ...shared.map((s) => terms.eq(s, terms.number(initialOf.get(s) ?? 0))),
    ...[...states.values()].map((q) => terms.eq(counter(q), q === states.get(keyOf(birth)) ? total : terms.number(0))),
  );

  const liveIn = (q: LocalState): Term =>
    terms.or(...moves.filter((m) => m.from === q && !m.optional).map((m) => m.enabled));
  const live = terms.or(
    ...others.filter((leaf) => !leaf.optional).map((leaf) => leaf.enabled),
    ...[...states.values()].map((q) => terms.and(some(q), liveIn(q))),
  );
  const waits = first.kind !== "environment" && first.kind !== "device";
  const keptOff = first.keptOff === undefined ? terms.false : terms.truth(evaluate(first.keptOff, scopeOf(birth)));
  const blocked = terms.or(
    ...rest.blocked.filter((_, t) => !members.includes(t)),
    ...[...states.values()].map((q) => {
      const location = program.locations[q.location];
      if (!waits || location?.ended === true) return terms.false;
      const resting = location?.wait?.resting;
      const rests = resting === undefined ? terms.false : terms.truth(evaluate(resting, scopeOf(q)));
      return terms.and(some(q), terms.not(liveIn(q)), terms.not(rests), terms.not(keptOff));
    }),
  );

  /** The expression is false; the members it names stand for any that are as many. */
  const violated = (expr: SysExpr): Term => {
    const spoken = new Set<number>();
    for (const e of partsOf(expr)) {
      if (e.e === "pc" && members.includes(e.t)) spoken.add(e.t);
      if (e.e === "local" && e.t !== undefined)
        throw new NotCountable("a property that speaks of locals cannot be counted");
    }
    const evaluateWith = (e: SysExpr, where: ReadonlyMap<number, LocalState>): Term => {
      const fixed = (x: SysExpr): SysExpr => {
        if (x.e === "pc" && where.has(x.t)) {
          return { e: "const", v: Number(x.locations.includes(where.get(x.t)?.location ?? -1)) };
        }
        if (x.e === "not" || x.e === "neg") return { ...x, a: fixed(x.a) };
        if (x.e === "bin") return { ...x, a: fixed(x.a), b: fixed(x.b) };
        if (x.e === "ite") return { ...x, c: fixed(x.c), a: fixed(x.a), b: fixed(x.b) };
        return x;
      };
      return terms.truth(evaluate(fixed(e), { values: new Map(), locals: [] }));
    };
    const cases: Term[] = [];
    const place = (left: readonly number[], where: ReadonlyMap<number, LocalState>): void => {
      const [t, ...further] = left;
      if (t !== undefined) {
        for (const q of states.values()) place(further, new Map([...where, [t, q]]));
        return;
      }
      const needed = new Map<LocalState, number>();
      for (const q of where.values()) needed.set(q, (needed.get(q) ?? 0) + 1);
      const there = [...needed].map(([q, n]) => some(q, n));
      cases.push(terms.and(...there, terms.not(evaluateWith(expr, where))));
    };
    if (states.size ** spoken.size > 20_000) throw new NotCountable("the property names too many members");
    place([...spoken], new Map());
    const bad = terms.or(...cases);
    checkNames(bad);
    return bad;
  };

  const bad = (property: SysProperty): Term => {
    const { check: c } = property;
    if (c.c === "findings") {
      const carries = leaves.filter((leaf) => leaf.findings.some((f) => c.findings.includes(f)));
      return terms.or(...carries.map((leaf) => leaf.enabled));
    }
    if (c.c === "invariant") return violated(c.expr);
    if (c.c === "at-rest") return terms.and(terms.not(live), terms.not(blocked), violated(c.expr));
    if (c.c === "deadlock") return terms.and(terms.not(live), blocked);
    throw new NotCountable(`${property.id} is not a safety property: counting decides those alone`);
  };
  return {
    terms,
    clauses: { state, initial, transitions: leaves.filter((leaf) => !leaf.error) },
    leaves,
    members: total,
    bad,
  };
}
