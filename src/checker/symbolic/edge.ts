/**
 * The edges of a transition system, one for each path through the code of each action of each thread: a conjunction of
 * conditions on the state before, and an assignment for each component written. All threads, locations, `self` and
 * constant indices are folded in; stores at computed indices are split by the index.
 *
 * Paths of one action exclude each other but for the ways of a `choose`, so that the number of pairs (state, edge
 * enabled there) is the number of transitions.
 */
import type { SysCode, SysExpr } from "../../spec/transition-system.ts";
import type { StateVector } from "./state-vector.ts";
import { type TermId, Terms } from "./term.ts";

export interface Edge {
  readonly thread: number;
  readonly location: number;
  readonly action: number;
  readonly optional: boolean;
  readonly idle: boolean;
  /** Terms that must all hold, the thread's location among them. */
  readonly guard: readonly TermId[];
  /** Level and new value, in terms of the state before; ascending levels. Empty for an edge that ends in an error. */
  readonly writes: readonly (readonly [number, TermId])[];
  readonly marks: readonly number[];
  /** Findings met on the way; the error it ends in is the last. */
  readonly findings: readonly number[];
  readonly error: boolean;
}

/** Adds the conjuncts of `t` to `conjuncts`; undefined if the whole is false. */
export function conjoin(terms: Terms, conjuncts: readonly TermId[], t: TermId): readonly TermId[] | undefined {
  const s = terms.shape(t);
  if (s.k === "const") return s.v === 0 ? undefined : conjuncts;
  if (s.k === "bin" && s.op === "&&") {
    const left = conjoin(terms, conjuncts, s.a);
    return left && conjoin(terms, left, s.b);
  }
  if (s.k === "not") {
    const n = terms.shape(s.a);
    if (n.k === "bin" && n.op === "||") {
      const left = conjoin(terms, conjuncts, terms.not(n.a));
      return left && conjoin(terms, left, terms.not(n.b));
    }
  }
  if (conjuncts.includes(t)) return conjuncts;
  if (s.k === "in") {
    for (const other of conjuncts) {
      const o = terms.shape(other);
      if (o.k !== "in" || o.level !== s.level) continue;
      const both = s.set.filter((v) => o.set.includes(v));
      if (both.length === 0) return undefined;
      return [...conjuncts.filter((c) => c !== other), terms.isOneOf(s.level, both)];
    }
  }
  return [...conjuncts, t];
}

/** What code has done so far: the values of locals (by number) and of components (by level), as terms. */
interface Path {
  readonly guard: readonly TermId[];
  readonly locals: ReadonlyMap<number, TermId>;
  readonly stores: ReadonlyMap<number, TermId>;
  /** Index terms whose value this path has fixed. */
  readonly known: ReadonlyMap<TermId, number>;
  readonly marks: readonly number[];
  readonly findings: readonly number[];
  readonly optional: boolean;
}

/** What an expression is evaluated in. */
interface Scope extends Pick<Path, "locals" | "stores" | "known"> {
  /** The executing thread; undefined in a property. */
  readonly self: number | undefined;
  /** Its location in the state before; undefined where that is not known. */
  readonly at?: number;
}

const NOTHING = { locals: new Map(), stores: new Map(), known: new Map() } as const;

export class Unfolding {
  readonly vector: StateVector;
  readonly terms: Terms;
  readonly edges: readonly Edge[];
  readonly #held = new Map<string, TermId>();
  readonly #closed = new WeakMap<SysExpr, boolean>();
  readonly #translated = new WeakMap<SysExpr, TermId>();

  /** @param checkTime Called now and then; throws when time is up. */
  constructor(vector: StateVector, checkTime: () => void) {
    this.vector = vector;
    this.terms = new Terms(vector.lo, vector.hi);
    const edges: Edge[] = [];
    vector.system.threads.forEach((thread, t) => {
      vector.system.programs[thread.program]!.locations.forEach((location, l) => {
        checkTime();
        const here = this.terms.isOneOf(vector.pc(t), [l]);
        const start = conjoin(this.terms, [], here);
        if (start === undefined) return;
        location.actions.forEach((action, a) => {
          const guard =
            action.guard === undefined
              ? start
              : conjoin(this.terms, start, this.#term(action.guard, { ...NOTHING, self: t, at: l }));
          if (guard === undefined) return;
          const path: Path = {
            guard,
            ...NOTHING,
            marks: [],
            findings: [],
            optional: action.optional,
          };
          this.#walk(action.code, 0, path, { self: t, at: l }, (end, error, target) => {
            const writes: [number, TermId][] = [];
            if (!error) {
              for (const [level, term] of end.stores) if (term !== this.terms.level(level)) writes.push([level, term]);
              for (const { level, locals } of vector.slots(t)) {
                const old = vector.held(t, locals, l);
                const held = vector.held(t, locals, target);
                const before = old === undefined ? this.terms.zero : this.terms.level(level);
                const unchanged = held === old ? before : this.terms.zero;
                const after = held === undefined ? this.terms.zero : (end.locals.get(held) ?? unchanged);
                if (after !== before) writes.push([level, after]);
              }
              if (target !== l) writes.push([vector.pc(t), this.terms.constant(target)]);
              writes.sort((x, y) => x[0] - y[0]);
            }
            edges.push({
              thread: t,
              location: l,
              action: a,
              optional: end.optional,
              idle: action.idle,
              guard: end.guard,
              writes,
              marks: end.marks,
              findings: end.findings,
              error,
            });
          });
        });
      });
    });
    this.edges = edges;
  }

  /** An expression about a state: of a property (`self` undefined), or of a wait of thread `self`. */
  predicate(expr: SysExpr, self?: number): TermId {
    return this.#term(expr, { ...NOTHING, self });
  }

  #walk(
    code: SysCode,
    from: number,
    path: Path,
    who: Required<Pick<Scope, "self" | "at">>,
    leaf: (path: Path, error: boolean, target: number) => void,
  ): void {
    let { locals, stores, marks, findings } = path;
    const { known } = path;
    // Paths share what they have done until they part; after its first own write a path has a copy to itself.
    let ownLocals: Map<number, TermId> | undefined;
    let ownStores: Map<number, TermId> | undefined;
    const term = (e: SysExpr) => this.#term(e, { ...who, locals, stores, known });
    for (let i = from; i < code.ops.length; i++) {
      const op = code.ops[i]!;
      switch (op.o) {
        case "mark":
          marks = [...marks, op.m];
          break;
        case "finding":
          findings = [...findings, op.f];
          break;
        case "local": {
          const value = term(op.value);
          ownLocals ??= new Map(locals);
          locals = ownLocals.set(op.l, value);
          break;
        }
        case "var": {
          const value = term(op.value);
          const { length } = this.vector.system.vars[op.v]!;
          const index = op.i === undefined ? this.terms.zero : term(op.i);
          const position = this.terms.constantValue(index) ?? known.get(index);
          if (position !== undefined) {
            if (position >= 0 && position < length) {
              ownStores ??= new Map(stores);
              stores = ownStores.set(this.vector.element(op.v, position), value);
            }
            break;
          }
          const here = { ...path, locals, stores, marks, findings };
          for (let k = 0; k < length; k++) {
            const guard = conjoin(this.terms, here.guard, this.terms.binary("==", index, this.terms.constant(k)));
            if (guard === undefined) continue;
            const stored = new Map(stores).set(this.vector.element(op.v, k), value);
            const fixed = new Map(known).set(index, k);
            this.#walk(code, i + 1, { ...here, guard, stores: stored, known: fixed }, who, leaf);
          }
          if (this.terms.mayLeave(index, 0, length - 1)) {
            const below = this.terms.binary("<", index, this.terms.zero);
            const above = this.terms.binary(">=", index, this.terms.constant(length));
            const guard = conjoin(this.terms, here.guard, this.terms.binary("||", below, above));
            if (guard !== undefined) this.#walk(code, i + 1, { ...here, guard }, who, leaf);
          }
          return;
        }
      }
    }
    const here: Path = { ...path, locals, stores, marks, findings };
    const end = code.end;
    switch (end.k) {
      case "goto":
        leaf(here, false, end.location);
        break;
      case "error":
        leaf({ ...here, findings: [...findings, end.f] }, true, 0);
        break;
      case "if": {
        const c = this.terms.truth(term(end.c));
        const yes = conjoin(this.terms, here.guard, c);
        if (yes !== undefined) this.#walk(end.then, 0, { ...here, guard: yes }, who, leaf);
        const no = conjoin(this.terms, here.guard, this.terms.not(c));
        if (no !== undefined) this.#walk(end.else, 0, { ...here, guard: no }, who, leaf);
        break;
      }
      case "choose":
        for (const way of end.ways) {
          this.#walk(way.code, 0, { ...here, optional: here.optional || way.optional }, who, leaf);
        }
    }
  }

  /** The thread is at a location where the local is what its level holds. */
  #isHeld(t: number, local: number): TermId {
    const known = this.#held.get(`${t},${local}`);
    if (known !== undefined) return known;
    const { locations } = this.vector.system.programs[this.vector.system.threads[t]!.program]!;
    const held = locations.flatMap((_, l) => (this.vector.holds(t, local, l) ? [l] : []));
    const term = this.terms.isOneOf(this.vector.pc(t), held);
    this.#held.set(`${t},${local}`, term);
    return term;
  }

  #term(expr: SysExpr, scope: Scope): TermId {
    // Guards of many actions share what says that a thread has its CPU; it is large, and the same for all.
    const shared = scope.stores === NOTHING.stores && (expr.e === "bin" || expr.e === "not") && this.#isClosed(expr);
    if (!shared) return this.#translate(expr, scope);
    let term = this.#translated.get(expr);
    if (term === undefined) {
      term = this.#translate(expr, { ...NOTHING, self: undefined });
      this.#translated.set(expr, term);
    }
    return term;
  }

  /** Whether an expression means the same whichever thread executes it. */
  #isClosed(expr: SysExpr): boolean {
    let closed = this.#closed.get(expr);
    if (closed === undefined) {
      closed =
        expr.e === "bin"
          ? this.#isClosed(expr.a) && this.#isClosed(expr.b)
          : expr.e === "ite"
            ? this.#isClosed(expr.c) && this.#isClosed(expr.a) && this.#isClosed(expr.b)
            : expr.e === "not" || expr.e === "neg"
              ? this.#isClosed(expr.a)
              : expr.e === "load"
                ? expr.i === undefined || this.#isClosed(expr.i)
                : expr.e !== "self" && !(expr.e === "local" && expr.t === undefined);
      this.#closed.set(expr, closed);
    }
    return closed;
  }

  #translate(expr: SysExpr, scope: Scope): TermId {
    const { terms, vector } = this;
    const { self, at } = scope;
    const sub = (e: SysExpr) => this.#term(e, scope);
    switch (expr.e) {
      case "const":
        return terms.constant(expr.v);
      case "self":
        return terms.constant(self === undefined ? 0 : self + 1);
      case "local": {
        const t = expr.t ?? self;
        if (t === undefined) return terms.zero;
        const written = expr.t === undefined ? scope.locals.get(expr.l) : undefined;
        if (written !== undefined) return written;
        const level = vector.local(t, expr.l);
        if (level === undefined) return terms.zero;
        if (t === self && at !== undefined) return vector.holds(t, expr.l, at) ? terms.level(level) : terms.zero;
        return terms.ite(this.#isHeld(t, expr.l), terms.level(level), terms.zero);
      }
      case "load": {
        const element = (i: number) => {
          const level = vector.element(expr.v, i);
          return scope.stores.get(level) ?? terms.level(level);
        };
        if (expr.i === undefined) return element(0);
        const index = sub(expr.i);
        const { length } = vector.system.vars[expr.v]!;
        const position = terms.constantValue(index) ?? scope.known.get(index);
        if (position !== undefined) return position >= 0 && position < length ? element(position) : terms.zero;
        let chain = terms.zero;
        for (let i = length - 1; i >= 0; i--) {
          chain = terms.ite(terms.binary("==", index, terms.constant(i)), element(i), chain);
        }
        return chain;
      }
      case "not":
        return terms.not(sub(expr.a));
      case "neg":
        return terms.neg(sub(expr.a));
      case "bin":
        return terms.binary(expr.op, sub(expr.a), sub(expr.b));
      case "ite":
        return terms.ite(sub(expr.c), sub(expr.a), sub(expr.b));
      case "pc":
        if (at !== undefined && expr.t === self) return expr.locations.includes(at) ? terms.one : terms.zero;
        return terms.isOneOf(vector.pc(expr.t), expr.locations);
    }
  }
}
