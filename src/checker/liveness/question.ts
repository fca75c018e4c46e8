/** What a temporal property asks, with its conditions on states numbered: the form in which all engines search. */
import type { Formula } from "./buchi.ts";

/** A formula of the syntax tree or of the transition system, which differ in their expressions only. */
type TemporalOf<E> =
  | { readonly t: "state"; readonly expr: E }
  | { readonly t: "not" | "always" | "eventually"; readonly a: TemporalOf<E> }
  | { readonly t: "and" | "or" | "implies" | "leads-to"; readonly a: TemporalOf<E>; readonly b: TemporalOf<E> };

/** A temporal check. `M` names threads: by their names or by their indices. */
interface CheckOf<E, M> {
  readonly formula: TemporalOf<E>;
  readonly moving?: readonly M[];
  readonly also?: readonly { readonly formula: TemporalOf<E>; readonly moving?: readonly M[] }[];
}

export interface RunQuestion<E, M> {
  /** The conditions, by the numbers that formulas have for them. */
  readonly predicates: readonly E[];
  /** The property is violated if some fair run breaks one of these: the same asked of the members of a class. */
  readonly cases: readonly {
    readonly formula: Formula;
    /** Only runs count in which one of these steps again and again; absent: all. */
    readonly moving: readonly M[] | undefined;
  }[];
  /**
   * What must happen on some fair run for the property to say anything: a request, where the formula is about one, and
   * otherwise nothing but that there is a run.
   */
  readonly request: Formula;
}

/** @param predicates Conditions numbered before; those of the check are added. */
export function questionOf<E, M>(check: CheckOf<E, M>, predicates: E[] = []): RunQuestion<E, M> {
  const numbers = new Map(predicates.map((expr, p) => [JSON.stringify(expr), p]));
  const numbered = (f: TemporalOf<E>): Formula => {
    switch (f.t) {
      case "state": {
        const key = JSON.stringify(f.expr);
        const known = numbers.get(key) ?? predicates.push(f.expr) - 1;
        numbers.set(key, known);
        return { t: "state", predicate: known };
      }
      case "not":
      case "always":
      case "eventually":
        return { t: f.t, a: numbered(f.a) };
      default:
        return { t: f.t, a: numbered(f.a), b: numbered(f.b) };
    }
  };
  const cases = [check, ...(check.also ?? [])].map(({ formula, moving }) => ({ formula: numbered(formula), moving }));
  return { predicates, cases, request: cases.map((c) => requestOf(c.formula)).reduce(either) };
}

const ANY_RUN: Formula = { t: "true" };

function requestOf(f: Formula): Formula {
  if (f.t === "leads-to") return { t: "eventually", a: f.a };
  if (f.t === "always" && f.a.t === "implies") return { t: "eventually", a: f.a.a };
  if (f.t === "and") return either(requestOf(f.a), requestOf(f.b));
  return ANY_RUN;
}

function either(a: Formula, b: Formula): Formula {
  return a.t === "true" || b.t === "true" ? ANY_RUN : { t: "or", a, b };
}

/**
 * The states that satisfy it begin what the property speaks of, if there are no errors to cut runs short: then every
 * state is on a fair run. Undefined where it takes more than one state to tell, or where any run does.
 */
export function requestedPredicates(request: Formula): readonly number[] | undefined {
  if (request.t === "eventually" && request.a.t === "state") return [request.a.predicate];
  if (request.t !== "or") return undefined;
  const [a, b] = [requestedPredicates(request.a), requestedPredicates(request.b)];
  return a === undefined || b === undefined ? undefined : [...a, ...b];
}

/** Why a property that holds says nothing. `cut`: edges that end in an error, by kind. */
export function vacuousReason(request: Formula, what: string, cut: Readonly<Record<string, number>>): string {
  const edges = Object.entries(cut)
    .map(([kind, n]) => `${n} ${n === 1 ? "edge ends" : "edges end"} in ${kind}`)
    .join(", ");
  if (request.t === "true") return `every run is cut short by an error, and none is left to speak of: ${edges}`;
  if (edges === "") return `no run comes to what it speaks of: ${what}`;
  return `no run comes to what it speaks of (${what}), or each that does is cut short by an error: ${edges}`;
}
