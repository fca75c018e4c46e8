/** SMT-LIB 2 text about runs of a system: constants for the states and steps of a path, and what is said of them. */
import type { Encoding, Leaf } from "./encode.ts";
import type { Term } from "./term.ts";
import { quoted, type Theory } from "./theory.ts";

/** The symbols that name a step: the thread, and which of the choices of its location. */
export function selectors(encoding: Encoding): { readonly who: Term; readonly what: Term } {
  const most = Math.max(1, ...encoding.choices.flatMap((locations) => locations.map((c) => c.length)));
  return {
    who: encoding.terms.symbol("who", 0, Math.max(0, encoding.system.threads.length - 1)),
    what: encoding.terms.symbol("what", 0, most - 1),
  };
}

const primed = (name: string): string => `${name}'`;

/** By leaf: it is the one that the selectors name. Errors end their path and are no steps. */
function firings(encoding: Encoding, among: readonly Leaf[]): { readonly leaf: Leaf; readonly fires: Term }[] {
  const { terms } = encoding;
  const { who, what } = selectors(encoding);
  return among
    .filter((leaf) => !leaf.error)
    .map((leaf) => ({
      leaf,
      fires: terms.and(
        terms.eq(who, terms.number(leaf.thread)),
        terms.eq(what, terms.number(leaf.choice)),
        leaf.enabled,
      ),
    }));
}

/**
 * The step relation: one formula over the state, the selectors and the primed state.
 *
 * @param among The leaves that can fire, where not all of them can.
 */
export function stepRelation(encoding: Encoding, among = encoding.leaves): Term {
  const { terms } = encoding;
  const writers = new Map<Term, Map<Term, Term[]>>();
  const fired = firings(encoding, among);
  for (const { leaf, fires } of fired) {
    for (const [symbol, value] of leaf.updates) {
      const byValue = writers.get(symbol) ?? new Map<Term, Term[]>();
      writers.set(symbol, byValue);
      byValue.set(value, [...(byValue.get(value) ?? []), fires]);
    }
  }
  const next = encoding.state.map((symbol) => {
    let value = symbol;
    for (const [v, conditions] of writers.get(symbol) ?? []) value = terms.ite(terms.or(...conditions), v, value);
    return terms.eq(terms.symbol(primed(symbol.name), symbol.lo, symbol.hi), value);
  });
  return terms.and(terms.or(...fired.map((f) => f.fires)), ...next);
}

function symbolsOf(term: Term, seen: Set<Term>): void {
  if (seen.has(term)) return;
  seen.add(term);
  for (const a of term.args) symbolsOf(a, seen);
}

/** A state symbol that a step of one thread writes and another thread uses. */
interface Conflict {
  readonly writes: ReadonlySet<Leaf>;
  readonly uses: ReadonlySet<Leaf>;
}

function conflicts(encoding: Encoding): Conflict[] {
  const found = new Map(encoding.state.map((s) => [s, { writes: new Set<Leaf>(), uses: new Set<Leaf>() }]));
  for (const leaf of encoding.leaves) {
    if (leaf.error) continue;
    const read = new Set<Term>();
    symbolsOf(leaf.enabled, read);
    for (const value of leaf.updates.values()) symbolsOf(value, read);
    for (const [symbol, access] of found) {
      const writes = leaf.updates.has(symbol);
      if (!writes && !read.has(symbol)) continue;
      if (writes) access.writes.add(leaf);
      access.uses.add(leaf);
    }
  }
  return [...found.values()].filter(
    ({ writes, uses }) => writes.size > 0 && new Set([...uses].map((leaf) => leaf.thread)).size > 1,
  );
}

/** By leaf: how many steps its thread must have taken at least before it can fire. */
function distances({ system, leaves }: Encoding): Map<Leaf, number> {
  const found = new Map<Leaf, number>();
  for (const [t, thread] of system.threads.entries()) {
    const own = leaves.filter((leaf) => leaf.thread === t);
    const seen = new Set([thread.initialLocation]);
    for (let [distance, here] = [0, [...seen]]; here.length > 0; distance++) {
      const firing = own.filter((leaf) => here.includes(leaf.location));
      for (const leaf of firing) found.set(leaf, distance);
      here = [...new Set(firing.flatMap((leaf) => leaf.target ?? []))].filter((l) => !seen.has(l));
      for (const l of here) seen.add(l);
    }
  }
  return found;
}

/** Stands for the number of a state in texts printed once and used at every depth. */
const HERE = "\u0001";
const NEXT = "\u0002";

const instance = (text: string, k: number): string => text.replaceAll(HERE, `@${k}`).replaceAll(NEXT, `@${k + 1}`);

/**
 * Everything is said of constants, state by state, and never by functions with parameters: see Theory.print.
 */
export class Unrolling {
  private readonly encoding: Encoding;
  private readonly theory: Theory;
  private readonly state: string;
  private readonly range: string;
  private readonly predicates: string;
  private readonly conflicts: readonly Conflict[];
  private readonly inOrder: string;
  private readonly distances: ReadonlyMap<Leaf, number>;
  private readonly farthest: number;
  /** The text of a step, by how many steps came before at most: the latest one printed. */
  private step: { readonly after: number; readonly text: string } | undefined;

  /** @param fromStart State 0 is the initial state: of the first steps those are left out that no thread has come to. */
  constructor(encoding: Encoding, theory: Theory, predicates: ReadonlyMap<string, Term>, fromStart = false) {
    this.encoding = encoding;
    this.theory = theory;
    const { who } = selectors(encoding);
    const here = (name: string): string => name + HERE;
    const declare = (s: Term): string => `(declare-const ${quoted(here(s.name))} ${theory.sort(s)})`;
    this.state = encoding.state.map(declare).join("\n");
    const ranges = encoding.state.map((s) => theory.range(s, quoted(here(s.name)))).filter((r) => r !== "");
    this.range = ranges.map((r) => `(assert ${r})`).join("\n");
    this.predicates = [...predicates]
      .map(([name, term]) => `(define-fun ${quoted(here(name))} () Bool\n ${theory.print(term, here)})`)
      .join("\n");
    this.conflicts = conflicts(encoding);
    this.distances = fromStart ? distances(encoding) : new Map();
    this.farthest = Math.max(0, ...this.distances.values());
    const { terms } = encoding;
    const later = terms.symbol(primed(who.name), who.lo, who.hi);
    this.inOrder = theory.print(terms.le(who, later), (name) => (name === who.name ? here(name) : who.name + NEXT));
  }

  /** Declares the constants of state k and defines its predicates. */
  declareState(k: number): string {
    return instance(`${this.state}\n${this.predicates}`, k);
  }

  /** Declares the selectors of step k and defines that it leads from state k to state k + 1. */
  declareStep(k: number): string {
    const after = Math.min(k, this.farthest);
    if (this.step?.after !== after) this.step = { after, text: this.printStep(after) };
    return instance(this.step.text, k);
  }

  private printStep(after: number): string {
    const { encoding, theory } = this;
    const { terms } = encoding;
    const here = (name: string): string => name + HERE;
    const { who, what } = selectors(encoding);
    const leaves = encoding.leaves.filter((leaf) => (this.distances.get(leaf) ?? 0) <= after);
    const fired = firings(encoding, leaves);
    const some = (of: ReadonlySet<Leaf>): Term => terms.or(...fired.flatMap((f) => (of.has(f.leaf) ? [f.fires] : [])));
    const shared = this.conflicts.flatMap(({ writes, uses }) => [some(writes), some(uses)]);
    const primedNames = new Set(encoding.state.map((s) => primed(s.name)));
    const { definitions, texts } = theory.linearize([stepRelation(encoding, leaves), ...shared], (name) =>
      primedNames.has(name) ? name.slice(0, -1) + NEXT : here(name),
    );
    const names = ["step", ...this.conflicts.flatMap((_, i) => [`writes ${i}`, `uses ${i}`])];
    return [
      ...[who, what].map((s) => `(declare-const ${quoted(here(s.name))} ${theory.sort(s)})`),
      ...definitions.map((d) => `(define-fun ${d.name} () ${theory.sort(d.term)} ${d.text})`),
      ...texts.map((text, i) => `(define-fun ${quoted(here(names[i] ?? ""))} () Bool\n ${text})`),
    ].join("\n");
  }

  /** Asserts that the values of state k lie in their domains. */
  inRange(k: number): string {
    return instance(this.range, k);
  }

  /** Step k leads from state k to state k + 1. */
  stepName(k: number): string {
    return this.predicate("step", k);
  }

  /**
   * Steps k and k + 1 are in the order of their threads or do not commute (a partial order reduction: Wang, Yang,
   * Kahlon, Gupta 2008). Of the orders in which independent steps lead from one state to another, always by as many
   * steps, one is left, so no state is lost at any depth; but only of paths whose states in between do not matter.
   */
  ordered(k: number): string {
    const clash = this.conflicts.map((_, i) => {
      const [w, u] = [`writes ${i}`, `uses ${i}`];
      const name = (p: string, at: number): string => this.predicate(p, at);
      return `(and ${name(w, k)} ${name(u, k + 1)}) (and ${name(u, k)} ${name(w, k + 1)})`;
    });
    return `(or ${instance(this.inOrder, k)} ${clash.join(" ")} false)`;
  }

  /**
   * Step k is no first step of a thread while one that it could be exchanged with, and that comes before it, has not
   * moved either (symmetry reduction). Exchanging threads turns any path into one that keeps this rule, as long, and to a
   * state that differs by the exchange alone. The order of independent steps is compatible with it: putting a step of
   * an earlier thread first makes no first step too early.
   */
  inTurn(k: number, orbits: readonly (readonly number[])[]): { readonly lines: string; readonly holds: string } {
    const { terms } = this.encoding;
    const { who } = selectors(this.encoding);
    const moves = (t: number, at: number): string =>
      this.theory.print(terms.eq(who, terms.number(t)), (name) => `${name}@${at}`);
    const lines: string[] = [];
    const rules: string[] = [];
    for (const orbit of orbits) {
      for (const [i, t] of orbit.entries()) {
        const before = k === 0 ? "false" : `(or ${quoted(`moved ${t}@${k - 1}`)} ${moves(t, k - 1)})`;
        lines.push(`(define-fun ${quoted(`moved ${t}@${k}`)} () Bool ${before})`);
        const earlier = orbit[i - 1];
        if (earlier !== undefined) rules.push(`(=> ${moves(t, k)} ${quoted(`moved ${earlier}@${k}`)})`);
      }
    }
    return { lines: lines.join("\n"), holds: rules.length === 0 ? "true" : `(and ${rules.join(" ")})` };
  }

  /** A predicate of state k. */
  predicate(name: string, k: number): string {
    return quoted(`${name}@${k}`);
  }

  /** The names of the selectors of steps 0 to k - 1: thread and choice alternate. */
  selectors(k: number): string[] {
    return Array.from({ length: k }, (_, i) => [quoted(`who@${i}`), quoted(`what@${i}`)]).flat();
  }

  /** State k is exactly this one (values in the order of the state vector). */
  stateIs(k: number, vector: readonly number[]): string {
    const equalities = this.encoding.state.map((s, i) => this.valueIs(s, quoted(`${s.name}@${k}`), vector[i] ?? 0));
    return `(and true ${equalities.join(" ")})`;
  }

  /** States i and j differ. */
  differ(i: number, j: number): string {
    const pairs = this.encoding.state.map((s) => `(= ${quoted(`${s.name}@${i}`)} ${quoted(`${s.name}@${j}`)})`);
    return `(not (and true ${pairs.join(" ")}))`;
  }

  private valueIs(symbol: Term, name: string, value: number): string {
    if (symbol.bool) return value !== 0 ? name : `(not ${name})`;
    const { terms } = this.encoding;
    return this.theory.print(terms.eq(symbol, terms.number(value)), () => name.slice(1, -1));
  }
}
