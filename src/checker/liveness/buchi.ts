/**
 * From a temporal formula to a generalised Büchi automaton.
 *
 * The on-the-fly tableau of Gerth, Peled, Vardi and Wolper, "Simple on-the-fly automatic verification of linear
 * temporal logic" (PSTV 1995). There is no next operator, so formulas do not see stuttering.
 */

/** A formula whose leaves are predicates on states, by number. */
export type Formula =
  | { readonly t: "true" }
  | { readonly t: "state"; readonly predicate: number }
  | { readonly t: "not" | "always" | "eventually"; readonly a: Formula }
  | { readonly t: "and" | "or" | "implies" | "leads-to"; readonly a: Formula; readonly b: Formula };

/** Accepts the runs that visit every acceptance set infinitely often. Labels are on the nodes. */
export interface Automaton {
  readonly nodes: readonly {
    /** Predicates (bits) that hold, and that do not hold, in a state read at this node. */
    readonly holds: number;
    readonly fails: number;
    readonly successors: readonly number[];
    /** Acceptance sets (bits) this node belongs to. */
    readonly accepting: number;
  }[];
  readonly initial: readonly number[];
  /** Number of acceptance sets; each is a bit of `accepting`. */
  readonly sets: number;
}

/** Negation normal form; equal formulas are the same object, so that sets of formulas are sets of numbers. */
type Normal =
  | { readonly id: number; readonly k: "true" | "false" }
  | { readonly id: number; readonly k: "literal"; readonly predicate: number; readonly negated: boolean }
  | { readonly id: number; readonly k: "and" | "or" | "until" | "release"; readonly a: Normal; readonly b: Normal };

class Formulas {
  readonly #all = new Map<string, Normal>();
  readonly list: Normal[] = [];

  #intern(key: string, make: (id: number) => Normal): Normal {
    let f = this.#all.get(key);
    if (!f) {
      f = make(this.list.length);
      this.#all.set(key, f);
      this.list.push(f);
    }
    return f;
  }
  constant(k: "true" | "false"): Normal {
    return this.#intern(k, (id) => ({ id, k }));
  }
  literal(predicate: number, negated: boolean): Normal {
    return this.#intern(`${negated ? "!" : ""}${predicate}`, (id) => ({ id, k: "literal", predicate, negated }));
  }
  binary(k: "and" | "or" | "until" | "release", a: Normal, b: Normal): Normal {
    return this.#intern(`${k} ${a.id} ${b.id}`, (id) => ({ id, k, a, b }));
  }

  normal(f: Formula, negated: boolean): Normal {
    switch (f.t) {
      case "true":
        return this.constant(negated ? "false" : "true");
      case "state":
        return this.literal(f.predicate, negated);
      case "not":
        return this.normal(f.a, !negated);
      case "and":
        return this.binary(negated ? "or" : "and", this.normal(f.a, negated), this.normal(f.b, negated));
      case "or":
        return this.binary(negated ? "and" : "or", this.normal(f.a, negated), this.normal(f.b, negated));
      case "implies":
        return this.binary(negated ? "and" : "or", this.normal(f.a, !negated), this.normal(f.b, negated));
      case "always":
        return negated
          ? this.binary("until", this.constant("true"), this.normal(f.a, true))
          : this.binary("release", this.constant("false"), this.normal(f.a, false));
      case "eventually":
        return negated
          ? this.binary("release", this.constant("false"), this.normal(f.a, true))
          : this.binary("until", this.constant("true"), this.normal(f.a, false));
      case "leads-to": {
        const response: Formula = { t: "implies", a: f.a, b: { t: "eventually", a: f.b } };
        return this.normal({ t: "always", a: response }, negated);
      }
    }
  }
}

interface TableauNode {
  readonly incoming: Set<number>;
  readonly old: ReadonlySet<Normal>;
  readonly next: ReadonlySet<Normal>;
}

const INITIAL = -1;

/** The automaton of the runs that satisfy the formula, or, with `negated`, of those that do not. */
export function automaton(formula: Formula, negated: boolean): Automaton {
  const formulas = new Formulas();
  const root = formulas.normal(formula, negated);
  const nodes: TableauNode[] = [];
  const byContent = new Map<string, TableauNode>();
  const content = (s: ReadonlySet<Normal>) =>
    [...s]
      .map((f) => f.id)
      .sort((a, b) => a - b)
      .join(",");

  const contradicts = (f: Normal, old: ReadonlySet<Normal>) =>
    f.k === "false" || (f.k === "literal" && old.has(formulas.literal(f.predicate, !f.negated)));

  const expand = (
    incoming: Set<number>,
    todo: readonly Normal[],
    old: ReadonlySet<Normal>,
    next: ReadonlySet<Normal>,
  ): void => {
    const [f, ...rest] = todo;
    if (f === undefined) {
      const key = `${content(old)};${content(next)}`;
      const known = byContent.get(key);
      if (known) {
        for (const i of incoming) known.incoming.add(i);
        return;
      }
      const node = { incoming: new Set(incoming), old, next };
      byContent.set(key, node);
      nodes.push(node);
      expand(new Set([nodes.length - 1]), [...next], new Set(), new Set());
      return;
    }
    if (old.has(f) || f.k === "true") {
      expand(incoming, rest, old, next);
      return;
    }
    if (contradicts(f, old)) return;
    const seen = new Set(old).add(f);
    const go = (now: readonly Normal[], later: readonly Normal[]) =>
      expand(incoming, [...rest, ...now.filter((g) => !seen.has(g))], seen, new Set([...next, ...later]));
    switch (f.k) {
      case "false":
        break;
      case "literal":
        go([], []);
        break;
      case "and":
        go([f.a, f.b], []);
        break;
      case "or":
        go([f.a], []);
        go([f.b], []);
        break;
      case "until":
        go([f.a], [f]);
        go([f.b], []);
        break;
      case "release":
        go([f.b], [f]);
        go([f.a, f.b], []);
        break;
    }
  };
  expand(new Set([INITIAL]), [root], new Set(), new Set());

  const untils = formulas.list.flatMap((f) => (f.k === "until" ? [f] : []));
  return {
    nodes: nodes.map((node, index) => {
      let holds = 0;
      let fails = 0;
      for (const f of node.old) {
        if (f.k !== "literal") continue;
        if (f.negated) fails |= 1 << f.predicate;
        else holds |= 1 << f.predicate;
      }
      let accepting = 0;
      untils.forEach((u, set) => {
        if (!node.old.has(u) || node.old.has(u.b)) accepting |= 1 << set;
      });
      const successors = nodes.flatMap((other, i) => (other.incoming.has(index) ? [i] : []));
      return { holds, fails, successors, accepting };
    }),
    initial: nodes.flatMap((node, i) => (node.incoming.has(INITIAL) ? [i] : [])),
    sets: untils.length,
  };
}
