/** SMT-LIB 2 text about runs of a system: constants for the states and steps of a path, and what is said of them. */
import type { Encoding } from "./encode.ts";
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

/** The step relation: one formula over the state, the selectors and the primed state. */
export function stepRelation(encoding: Encoding): Term {
  const { terms } = encoding;
  const { who, what } = selectors(encoding);
  const writers = new Map<Term, [Term, Term][]>();
  const fired: Term[] = [];
  for (const leaf of encoding.leaves) {
    if (leaf.error) continue;
    const fires = terms.and(
      terms.eq(who, terms.number(leaf.thread)),
      terms.eq(what, terms.number(leaf.choice)),
      leaf.enabled,
    );
    fired.push(fires);
    for (const [symbol, value] of leaf.updates) {
      const list = writers.get(symbol);
      if (list === undefined) writers.set(symbol, [[fires, value]]);
      else list.push([fires, value]);
    }
  }
  const next = encoding.state.map((symbol) => {
    const byValue = new Map<Term, Term[]>();
    for (const [fires, value] of writers.get(symbol) ?? []) byValue.set(value, [...(byValue.get(value) ?? []), fires]);
    let value = symbol;
    for (const [v, conditions] of byValue) value = terms.ite(terms.or(...conditions), v, value);
    return terms.eq(terms.symbol(primed(symbol.name), symbol.lo, symbol.hi), value);
  });
  return terms.and(terms.or(...fired), ...next);
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
  private readonly step: string;

  constructor(encoding: Encoding, theory: Theory, predicates: ReadonlyMap<string, Term>) {
    this.encoding = encoding;
    this.theory = theory;
    const { who, what } = selectors(encoding);
    const here = (name: string): string => name + HERE;
    const declare = (s: Term): string => `(declare-const ${quoted(here(s.name))} ${theory.sort(s)})`;
    this.state = encoding.state.map(declare).join("\n");
    const ranges = encoding.state.map((s) => theory.range(s, quoted(here(s.name)))).filter((r) => r !== "");
    this.range = ranges.map((r) => `(assert ${r})`).join("\n");
    this.predicates = [...predicates]
      .map(([name, term]) => `(define-fun ${quoted(here(name))} () Bool\n ${theory.print(term, here)})`)
      .join("\n");
    const primedNames = new Set(encoding.state.map((s) => primed(s.name)));
    const relation = theory.print(stepRelation(encoding), (name) =>
      primedNames.has(name) ? name.slice(0, -1) + NEXT : here(name),
    );
    this.step = `${declare(who)}${declare(what)}\n(define-fun ${quoted(here("step"))} () Bool\n ${relation})`;
  }

  /** Declares the constants of state k and defines its predicates. */
  declareState(k: number): string {
    return instance(`${this.state}\n${this.predicates}`, k);
  }

  /** Declares the selectors of step k and defines that it leads from state k to state k + 1. */
  declareStep(k: number): string {
    return instance(this.step, k);
  }

  /** Asserts that the values of state k lie in their domains. */
  inRange(k: number): string {
    return instance(this.range, k);
  }

  /** Step k leads from state k to state k + 1. */
  stepName(k: number): string {
    return this.predicate("step", k);
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
