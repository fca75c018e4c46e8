/**
 * A transition system as terms: one symbol per variable element, thread location and stored local, and one guarded
 * simultaneous update per path of each action's code.
 *
 * Nothing is assumed away: "no live move is enabled" is the negation of the disjunction of all guards, so blocking is
 * a state here as in the other engines. Handlers are in the guards already; an idle action's guard says that no thread
 * has an enabled move that is neither idle nor optional.
 */
import type { SysCode, SysExpr, SysVar, TransitionSystem } from "../../spec/transition-system.ts";
import { isHandler } from "../waiting.ts";
import { type Term, Terms } from "./term.ts";

/** One path of one action of one thread, from its location to a leaf of its code. */
export interface Leaf {
  readonly thread: number;
  readonly location: number;
  readonly action: number;
  /** The way taken at each `choose` on the path, in order. */
  readonly ways: readonly number[];
  /** The branches taken on the path: with thread, location and action this names the leaf. */
  readonly path: string;
  /** Which of the (action, ways) pairs of its location it belongs to: with the thread this names the transition. */
  readonly choice: number;
  /** The thread is at the location, the action is enabled, and the code follows this path. */
  readonly enabled: Term;
  readonly optional: boolean;
  /** New values by state symbol; the others keep theirs. Empty where the leaf is an error. */
  readonly updates: ReadonlyMap<Term, Term>;
  /** The location it leads to; undefined where it is an error. */
  readonly target: number | undefined;
  readonly marks: readonly number[];
  /** Findings on the path; the error it ends in is among them. */
  readonly findings: readonly number[];
  readonly error: boolean;
}

/** What is known of every reachable state by other means: then it need not be in the encoding. */
export interface Facts {
  /** The one value a symbol ever has. */
  readonly constant: (name: string) => number | undefined;
  /** The leaf is never taken. */
  readonly dead: (leaf: Pick<Leaf, "thread" | "location" | "action" | "path">) => boolean;
  /** The symbols that have one value while the thread is at the location. */
  readonly here: (thread: number, location: number) => ReadonlyMap<string, number>;
}

/** Facts with the inductive invariant they follow from. */
export interface Invariant extends Facts {
  /** Over the symbols of an encoding of the same system; what it says of symbols that are not there is left out. */
  readonly invariant: (encoding: Encoding) => Term;
  /** What holds of every state reached by exactly so many steps; absent where that is not known. */
  readonly afterSteps?: (encoding: Encoding, steps: number) => Term;
}

export interface Encoding {
  readonly system: TransitionSystem;
  readonly terms: Terms;
  /** The state vector. */
  readonly state: readonly Term[];
  /** The value of each symbol of `state` in the initial state. */
  readonly initial: readonly number[];
  /** Indices of `state` in the state vector of the whole system (see stateVector). */
  readonly kept: readonly number[];
  /** By thread: the symbol of its location; those of its stored locals, and of objects that only it can reach. */
  readonly pcs: readonly Term[];
  readonly locals: readonly (readonly Term[])[];
  /** By variable of the system: its elements. What facts settle is no symbol; empty where each thread has its own. */
  readonly variables: readonly (readonly Term[])[];
  readonly leaves: readonly Leaf[];
  /** By thread and location: the (action, ways) pair of each choice. */
  readonly choices: readonly (readonly (readonly { readonly action: number; readonly ways: readonly number[] }[])[])[];
  /** Some thread has an enabled move that is not optional. */
  readonly live: Term;
  /** By thread: it is blocked. */
  readonly blocked: readonly Term[];
  /** By thread: it is blocked, or would be if it were not kept off its CPU. */
  readonly waiting: readonly Term[];
  /** By thread: the id of the thread that holds what it waits for; 0 where nobody in particular. */
  readonly holder: readonly Term[];
  /** By thread: it has an enabled move that is not optional. */
  readonly threadLive: readonly Term[];
  /** An expression of a property over the state. */
  readonly property: (expr: SysExpr) => Term;
}

/**
 * Unbounded where the variable's domain is: 32-bit wrapping then does not apply to it. With facts, what they settle is
 * left out; the result is right of the states that the facts do not exclude.
 *
 * @param ownPools pools of whose objects each thread has its own, as many as the pool has slots (see private-pools.ts)
 */
export function encode(system: TransitionSystem, facts?: Facts, ownPools: ReadonlySet<number> = new Set()): Encoding {
  const terms = new Terms();
  const state: Term[] = [];
  const initial: number[] = [];
  const kept: number[] = [];
  let elements = 0;
  const names = new Map<string, number>();
  const symbol = (wanted: string, lo: number, hi: number, value: number): Term => {
    const clean = wanted.replace(/[|\\]/g, "/");
    const seen = names.get(clean) ?? 0;
    names.set(clean, seen + 1);
    const name = seen === 0 ? clean : `${clean} (${seen + 1})`;
    const index = elements++;
    const only = facts?.constant(name);
    if (only !== undefined) return lo >= 0 && hi <= 1 ? terms.bool(only !== 0) : terms.number(only);
    const s = terms.symbol(name, lo, hi);
    kept.push(index);
    state.push(s);
    initial.push(value);
    return s;
  };
  const isOwn = (v: SysVar): boolean => typeof v.index === "object" && ownPools.has(v.index.pool);
  const vars = system.vars.map((v) =>
    Array.from({ length: isOwn(v) ? 0 : v.length }, (_, i) =>
      symbol(v.length === 1 && v.index === "none" ? v.name : `${v.name}[${i}]`, v.lo, v.hi, v.init[i] ?? 0),
    ),
  );
  const programs = system.threads.map((t) => {
    const program = system.programs[t.program];
    if (program === undefined) throw new Error(`thread ${t.name} has no program`);
    return program;
  });
  const pcs = system.threads.map((t, i) =>
    symbol(`pc ${t.name}`, 0, Math.max(0, (programs[i]?.locations.length ?? 1) - 1), t.initialLocation),
  );
  const locals = system.threads.map((t, i) =>
    (programs[i]?.locals ?? []).map((l, n) =>
      l.stored ? symbol(`${t.name} ${l.fn}.${l.name}`, l.lo, l.hi, t.initialLocals[n] ?? 0) : terms.number(0),
    ),
  );
  /** By thread: what the variables are to it. */
  const varsOf = system.threads.map((t) =>
    system.vars.map((v, n) =>
      isOwn(v)
        ? v.init.map((value, i) => symbol(`${v.name}[${i}] of ${t.name}`, v.lo, v.hi, value))
        : (vars[n] as readonly Term[]),
    ),
  );
  const pc = (t: number): Term => pcs[t] as Term;
  const at = (t: number, location: number): Term => terms.eq(pc(t), terms.number(location));

  interface Scope {
    readonly thread: number;
    readonly vars: readonly (readonly Term[])[];
    readonly locals: readonly Term[];
  }
  const scope = (thread: number): Scope => ({ thread, vars: varsOf[thread] ?? vars, locals: locals[thread] ?? [] });
  /** The scope of a step from this location, with what is known there put in. */
  const scopeAt = (thread: number, location: number): Scope => {
    const known = facts?.here(thread, location);
    if (known === undefined || known.size === 0) return scope(thread);
    const put = (s: Term): Term => {
      const value = s.op === "symbol" ? known.get(s.name) : undefined;
      return value === undefined ? s : s.bool ? terms.bool(value !== 0) : terms.number(value);
    };
    const plain = scope(thread);
    return { thread, vars: plain.vars.map((v) => v.map(put)), locals: plain.locals.map(put) };
  };

  const evaluate = (e: SysExpr, s: Scope): Term => {
    switch (e.e) {
      case "const":
        return terms.number(e.v);
      case "local": {
        if (e.t === undefined) return s.locals[e.l] ?? terms.number(0);
        const values = programs[e.t]?.locals[e.l]?.values;
        // Where each thread has its own objects, the question is whether another one refers to one of its.
        if (e.t !== s.thread && values?.of === "pool" && ownPools.has(values.pool)) return terms.number(0);
        return locals[e.t]?.[e.l] ?? terms.number(0);
      }
      case "self":
        return terms.number(s.thread + 1);
      case "load": {
        const elements = s.vars[e.v] ?? [];
        if (e.i === undefined) return elements[0] ?? terms.number(0);
        const index = terms.integer(evaluate(e.i, s));
        let value: Term = terms.number(0);
        for (let k = Math.min(elements.length - 1, index.hi); k >= Math.max(0, index.lo); k--) {
          const element = elements[k] as Term;
          // The last case needs no test where the index can have no other value.
          const last = k === index.hi && index.lo >= 0 && index.hi < elements.length;
          value = last ? element : terms.ite(terms.eq(index, terms.number(k)), element, value);
        }
        return value;
      }
      case "not":
        return terms.not(terms.truth(evaluate(e.a, s)));
      case "neg":
        return terms.neg(evaluate(e.a, s));
      case "ite":
        return terms.ite(terms.truth(evaluate(e.c, s)), evaluate(e.a, s), evaluate(e.b, s));
      case "pc":
        return terms.or(...e.locations.map((l) => at(e.t, l)));
      case "bin": {
        const a = evaluate(e.a, s);
        const b = evaluate(e.b, s);
        switch (e.op) {
          case "==":
            return terms.eq(a, b);
          case "!=":
            return terms.not(terms.eq(a, b));
          case "<":
            return terms.lt(a, b);
          case "<=":
            return terms.le(a, b);
          case ">":
            return terms.lt(b, a);
          case ">=":
            return terms.le(b, a);
          case "&&":
            return terms.and(terms.truth(a), terms.truth(b));
          case "||":
            return terms.or(terms.truth(a), terms.truth(b));
          default:
            return terms.arithmetic(e.op, a, b);
        }
      }
    }
  };

  /** The paths of one action; `enabled` without the idle condition. */
  type Path = Omit<Leaf, "choice"> & { readonly idle: boolean };
  const paths: Path[] = [];
  for (const [t, program] of programs.entries()) {
    for (const [l, location] of program.locations.entries()) {
      const start = scopeAt(t, l);
      for (const [a, action] of location.actions.entries()) {
        const guard = action.guard === undefined ? terms.true : terms.truth(evaluate(action.guard, start));
        const walk = (
          code: SysCode,
          before: Scope,
          condition: Term,
          ways: readonly number[],
          path: string,
          optional: boolean,
          marked: readonly number[],
          found: readonly number[],
        ): void => {
          if (condition === terms.false) return;
          const nextVars = before.vars.map((v) => [...v]);
          const nextLocals = [...before.locals];
          const now: Scope = { thread: t, vars: nextVars, locals: nextLocals };
          const marks = [...marked];
          const findings = [...found];
          for (const op of code.ops) {
            if (op.o === "mark") marks.push(op.m);
            else if (op.o === "finding") findings.push(op.f);
            else if (op.o === "local") {
              const d = program.locals[op.l];
              const value = evaluate(op.value, now);
              nextLocals[op.l] = d === undefined || !d.stored ? value : terms.narrow(value, d.lo, d.hi);
            } else {
              const d = system.vars[op.v];
              const elements = nextVars[op.v];
              if (d === undefined || elements === undefined) throw new Error(`no variable ${op.v}`);
              const value = terms.narrow(evaluate(op.value, now), d.lo, d.hi);
              const index = op.i === undefined ? terms.number(0) : terms.integer(evaluate(op.i, now));
              for (let k = Math.max(0, index.lo); k <= Math.min(elements.length - 1, index.hi); k++) {
                elements[k] = terms.ite(terms.eq(index, terms.number(k)), value, elements[k] as Term);
              }
            }
          }
          const end = code.end;
          if (end.k === "if") {
            const c = terms.truth(evaluate(end.c, now));
            walk(end.then, now, terms.and(condition, c), ways, `${path}+`, optional, marks, findings);
            walk(end.else, now, terms.and(condition, terms.not(c)), ways, `${path}-`, optional, marks, findings);
            return;
          }
          if (end.k === "choose") {
            for (const [w, way] of end.ways.entries()) {
              walk(way.code, now, condition, [...ways, w], `${path}/${w}`, optional || way.optional, marks, findings);
            }
            return;
          }
          if (facts?.dead({ thread: t, location: l, action: a, path }) === true) return;
          const updates = new Map<Term, Term>();
          if (end.k === "error") findings.push(end.f);
          else {
            const set = (s: Term, value: Term, before: Term): void => {
              if (s.op === "symbol" && s !== value && value !== before) updates.set(s, value);
            };
            (varsOf[t] ?? vars).forEach((elements, v) => {
              elements.forEach((s, i) => {
                set(s, nextVars[v]?.[i] as Term, start.vars[v]?.[i] as Term);
              });
            });
            program.locals.forEach((d, n) => {
              if (d.stored) set(locals[t]?.[n] as Term, nextLocals[n] as Term, start.locals[n] as Term);
            });
            if (end.location !== l) {
              const { lo, hi } = pc(t);
              updates.set(pc(t), terms.narrow(terms.number(end.location), lo, hi));
            }
          }
          paths.push({
            thread: t,
            location: l,
            action: a,
            ways,
            path,
            enabled: condition,
            optional,
            idle: action.idle,
            updates,
            target: end.k === "goto" ? end.location : undefined,
            marks,
            findings,
            error: end.k === "error",
          });
        };
        walk(action.code, start, terms.and(at(t, l), guard), [], "", action.optional, [], []);
      }
    }
  }

  const busy = terms.or(...paths.filter((p) => !p.idle && !p.optional).map((p) => p.enabled));
  const choices = programs.map((program) =>
    program.locations.map(() => [] as { readonly action: number; readonly ways: readonly number[] }[]),
  );
  const leaves = paths.map((p): Leaf => {
    const here = choices[p.thread]?.[p.location] as { readonly action: number; readonly ways: readonly number[] }[];
    const same = (c: { readonly action: number; readonly ways: readonly number[] }): boolean =>
      c.action === p.action && c.ways.length === p.ways.length && c.ways.every((w, i) => w === p.ways[i]);
    let choice = here.findIndex(same);
    if (choice < 0) choice = here.push({ action: p.action, ways: p.ways }) - 1;
    const { idle, ...path } = p;
    return { ...path, choice, enabled: idle ? terms.and(p.enabled, terms.not(busy)) : p.enabled };
  });
  const threadLive = system.threads.map((_, t) =>
    terms.or(...leaves.filter((leaf) => leaf.thread === t && !leaf.optional).map((leaf) => leaf.enabled)),
  );
  const endedAt = (t: number): Term =>
    terms.or(...(programs[t]?.locations ?? []).flatMap((l, n) => (l.ended ? [at(t, n)] : [])));
  const midRun = (t: number): Term => terms.not(terms.or(at(t, system.threads[t]?.initialLocation ?? 0), endedAt(t)));
  const waiting = system.threads.map((thread, t) => {
    if (thread.kind === "environment" || thread.kind === "device") return terms.false;
    const resting = (programs[t]?.locations ?? []).map((l, n) =>
      l.wait?.resting === undefined
        ? terms.false
        : terms.and(at(t, n), terms.truth(evaluate(l.wait.resting, scope(t)))),
    );
    return terms.and(
      terms.not(endedAt(t)),
      terms.not(threadLive[t] as Term),
      terms.not(terms.or(...resting)),
      isHandler(thread) ? midRun(t) : terms.true,
    );
  });
  const blocked = system.threads.map((thread, t) => {
    const keptOff = thread.keptOff === undefined ? terms.false : terms.truth(evaluate(thread.keptOff, scope(t)));
    return terms.and(waiting[t] as Term, terms.not(keptOff));
  });
  const holder = system.threads.map((_, t) => {
    let value: Term = terms.number(0);
    for (const [n, l] of (programs[t]?.locations ?? []).entries()) {
      if (l.wait?.holder !== undefined) value = terms.ite(at(t, n), evaluate(l.wait.holder, scope(t)), value);
    }
    return value;
  });
  return {
    system,
    terms,
    state,
    initial,
    kept,
    pcs,
    locals: locals.map((list, t) => {
      const own = system.vars.flatMap((v, n) => (isOwn(v) ? (varsOf[t]?.[n] ?? []) : []));
      return [...list, ...own].filter((s) => s.op === "symbol");
    }),
    variables: vars,
    leaves,
    choices,
    live: terms.or(...threadLive),
    blocked,
    waiting,
    holder,
    threadLive,
    property: (e) => terms.truth(evaluate(e, { thread: -1, vars, locals: [] })),
  };
}
