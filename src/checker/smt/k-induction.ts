/**
 * k-induction with simple paths (Sheeran, Singh, Stålmarck 2000), for all goals at once: a set of goals is unreachable
 * if none is reachable in fewer than k steps and no path of k steps through distinct states, none of whose first k
 * states reaches a goal of the set, ends in one. Goals whose step fails leave the set, and the rest is asked again.
 *
 * What is known of every reachable state by other means is assumed of all states of a path.
 *
 * The forward condition rides along: when no path of k steps through distinct states starts in the initial state, every
 * reachable state is within fewer than k steps, whatever the goal.
 */
import type { Encoding } from "./encode.ts";
import type { Goal } from "./goal.ts";
import { type CheckAnswer, check, prelude, type SolverChoice, type SolverSession } from "./solver.ts";
import type { Term } from "./term.ts";
import type { Theory } from "./theory.ts";
import { Unrolling } from "./unrolling.ts";

/** Names what is known of every reachable state. No goal is called so. */
const KNOWN = "known beforehand";

export interface InductionStep {
  /** Open goals now known to be unreachable. */
  readonly proved: readonly Goal[];
  /** Of those, whether the paths need not be simple: then the induction is one over the whole system as well. */
  readonly plain: boolean;
  /** No simple path of k steps starts in the initial state. */
  readonly exhausted: boolean;
}

export class Induction {
  private readonly encoding: Encoding;
  private readonly session: SolverSession;
  private readonly unrolling: Unrolling;
  private readonly setup: string;
  private k = 0;
  private names = 0;
  private readonly goals: readonly Goal[];

  constructor(
    encoding: Encoding,
    theory: Theory,
    session: SolverSession,
    choice: SolverChoice,
    goals: readonly Goal[],
    known: Term = encoding.terms.true,
  ) {
    this.encoding = encoding;
    this.session = session;
    this.goals = goals;
    this.unrolling = new Unrolling(
      encoding,
      theory,
      new Map([...goals.map((g) => [g.name, g.term] as const), [KNOWN, known]]),
    );
    this.setup = prelude(session, choice, theory.name === "integers" ? "ALL" : "QF_BV");
  }

  /**
   * Tries the next k. The caller has found every goal that is still open unreachable in up to k steps.
   */
  async next(deadline: number): Promise<InductionStep> {
    const k = this.k++;
    if (k === 0) {
      await this.session.run(`${this.setup}\n${this.declare(0)}`, deadline);
      const start = this.unrolling.stateIs(0, this.encoding.initial);
      await this.session.run(
        `(declare-const start Bool)\n(assert (=> start ${start}))\n(declare-const simple Bool)`,
        deadline,
      );
    } else {
      const distinct = Array.from({ length: k }, (_, i) => `(assert (=> simple ${this.unrolling.differ(i, k)}))`);
      const script = [
        this.declare(k),
        this.unrolling.declareStep(k - 1),
        `(assert ${this.unrolling.stepName(k - 1)})`,
        ...distinct,
      ];
      await this.session.run(script.join("\n"), deadline);
      if ((await this.ask(["start", "simple"], deadline)) === "unsat") {
        return { proved: [], plain: false, exhausted: true };
      }
    }
    let set = this.goals.filter((g) => g.status.is === "open");
    while (set.length > 0) {
      const earlier = set.flatMap((g) =>
        Array.from({ length: k }, (_, i) => `(not ${this.unrolling.predicate(g.name, i)})`),
      );
      const hypothesis = await this.literal(earlier.length === 0 ? "true" : `(and ${earlier.join(" ")})`, deadline);
      const kept: Goal[] = [];
      const literals: string[] = [];
      for (const g of set) {
        const bad = await this.literal(this.unrolling.predicate(g.name, k), deadline);
        literals.push(bad);
        if ((await this.ask([hypothesis, "simple", bad], deadline)) === "unsat") kept.push(g);
      }
      if (kept.length < set.length) {
        set = kept;
        continue;
      }
      const any = await this.literal(`(or ${literals.join(" ")} false)`, deadline);
      const plain = k <= 1 || (await this.ask([hypothesis, any], deadline)) === "unsat";
      return { proved: set, plain, exhausted: false };
    }
    return { proved: [], plain: false, exhausted: false };
  }

  private declare(k: number): string {
    const known = `(assert ${this.unrolling.predicate(KNOWN, k)})`;
    return `${this.unrolling.declareState(k)}\n${this.unrolling.inRange(k)}\n${known}`;
  }

  private async literal(formula: string, deadline: number): Promise<string> {
    const name = `q${this.names++}`;
    await this.session.run(`(declare-const ${name} Bool)\n(assert (=> ${name} ${formula}))`, deadline);
    return name;
  }

  private ask(literals: readonly string[], deadline: number): Promise<CheckAnswer> {
    return check(this.session, `(check-sat-assuming (${literals.join(" ")}))`, deadline);
  }
}
