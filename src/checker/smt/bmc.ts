/**
 * Bounded model checking (Biere, Cimatti, Clarke, Zhu 1999): is a goal reachable in k steps, for k = 0, 1, 2 …; one
 * incremental solver session keeps what it learned from depth to depth. The first depth with an answer gives a
 * shortest schedule. The selectors of the steps in the model name the schedule, which is replayed at once.
 */
import type { Schedule, ScheduleStep } from "../verdict.ts";
import { type ConcreteState, edges, initialState, replay, stateKey, stateVector } from "./concrete.ts";
import type { Encoding } from "./encode.ts";
import type { Goal, Question } from "./goal.ts";
import { check, prelude, type SolverChoice, type SolverSession, values } from "./solver.ts";
import type { Theory } from "./theory.ts";
import { Unrolling } from "./unrolling.ts";

export interface BoundedOptions {
  /** Candidates judged for each question, class and depth before the rest of them is left as a gap. */
  readonly candidates: number;
}

/** Steps named by selectors, as a schedule; the choices of a step are those of the location it starts from. */
export function scheduleOf(encoding: Encoding, selected: readonly bigint[]): ScheduleStep[] {
  const steps: ScheduleStep[] = [];
  let state = initialState(encoding.system);
  for (let i = 0; i + 1 < selected.length; i += 2) {
    const thread = Number(selected[i]);
    const choice = encoding.choices[thread]?.[state.pcs[thread] ?? -1]?.[Number(selected[i + 1])];
    const step = choice && { thread, action: choice.action, ways: choice.ways };
    const next = step && replay(encoding.system, [...steps, step]);
    if (step === undefined || next?.last?.target === undefined) {
      throw new Error(`internal error: step ${steps.length + 1} of the solver's schedule is not enabled`);
    }
    steps.push(step);
    state = next.state;
  }
  return steps;
}

export class BoundedSearch {
  /** Every goal and question is settled for schedules of up to this many steps to the state; -1 before the first. */
  depth = -1;
  /** Every reachable state is within `depth` steps. */
  exhausted = false;
  private readonly encoding: Encoding;
  private readonly session: SolverSession;
  private readonly unrolling: Unrolling;
  private readonly goals: readonly Goal[];
  private readonly questions: readonly Question[];
  private readonly options: BoundedOptions;
  private literals = 0;
  private started = false;
  private readonly setup: string;
  /** States already judged, by question: they need no second judgement at a greater depth. */
  private readonly judged = new Map<Question, Map<string, readonly number[]>>();

  constructor(
    encoding: Encoding,
    theory: Theory,
    session: SolverSession,
    choice: SolverChoice,
    goals: readonly Goal[],
    questions: readonly Question[],
    options: BoundedOptions,
  ) {
    this.encoding = encoding;
    this.session = session;
    this.goals = goals;
    this.questions = questions;
    this.options = options;
    const predicates = new Map(goals.map((g) => [g.name, g.term]));
    for (const [i, q] of questions.entries()) {
      for (const [j, c] of q.classes.entries()) predicates.set(`candidate ${i}.${j}`, c.term);
      if (q.last !== undefined) predicates.set(`candidate ${i}.last`, q.last.term);
    }
    this.unrolling = new Unrolling(encoding, theory, predicates);
    this.setup = prelude(session, choice, theory.name === "integers" ? "ALL" : "QF_BV");
  }

  /** Settles the next depth, or finds that there is none. */
  async next(deadline: number): Promise<void> {
    const k = this.depth + 1;
    if (!this.started) {
      this.started = true;
      const start = this.unrolling.stateIs(0, this.encoding.initial);
      await this.session.run(`${this.setup}\n${this.unrolling.declareState(0)}\n(assert ${start})`, deadline);
    } else {
      // The step is asserted under a literal, so that the session stays useful when there is no such step.
      const go = `go@${k - 1}`;
      const step = this.unrolling.stepName(k - 1);
      const script = [
        this.unrolling.declareState(k),
        this.unrolling.declareStep(k - 1),
        `(declare-const ${go} Bool)\n(assert (=> ${go} ${step}))`,
      ];
      await this.session.run(script.join("\n"), deadline);
      const answer = await check(this.session, `(check-sat-assuming (${go}))`, deadline);
      if (answer === "unknown") throw await this.unknown(deadline);
      if (answer === "unsat") {
        this.exhausted = true;
        return;
      }
      await this.session.run(`(assert ${go})`, deadline);
    }
    await this.goalsAt(k, deadline);
    for (const [i, q] of this.questions.entries()) {
      for (const [j] of q.classes.entries()) await this.candidatesAt(k, i, q, String(j), false, deadline);
    }
    this.depth = k;
  }

  /** Judges the candidates of last resort, at all depths; for when every reachable state is within `depth`. */
  async lastResort(deadline: number): Promise<void> {
    for (const [i, q] of this.questions.entries()) {
      if (q.last === undefined || q.status.is !== "open") continue;
      this.judged.delete(q);
      for (let k = 0; k <= this.depth; k++) await this.candidatesAt(k, i, q, "last", true, deadline);
    }
  }

  private async unknown(deadline: number): Promise<Error> {
    const reason = await this.session.run("(get-info :reason-unknown)", deadline);
    return new UnknownAnswer(reason.replace(/[()"]|:reason-unknown/g, "").trim());
  }

  /** Is the formula possible; on yes the schedule to state k. */
  private async possible(formula: string, k: number, deadline: number): Promise<ScheduleStep[] | undefined> {
    const literal = `q${this.literals++}`;
    const script = `(declare-const ${literal} Bool)\n(assert (=> ${literal} ${formula}))\n(check-sat-assuming (${literal}))`;
    const answer = await check(this.session, script, deadline);
    if (answer === "unknown") throw await this.unknown(deadline);
    if (answer === "unsat") {
      await this.session.run(`(assert (not ${literal}))`, deadline);
      return undefined;
    }
    return scheduleOf(this.encoding, await values(this.session, this.unrolling.selectors(k), deadline));
  }

  private async goalsAt(k: number, deadline: number): Promise<void> {
    const { system, terms } = this.encoding;
    const open = this.goals.filter((g) => g.status.is === "open" && g.term !== terms.false);
    if (open.length > 1) {
      const any = open.map((g) => this.unrolling.predicate(g.name, k)).join(" ");
      if ((await this.possible(`(or ${any})`, k, deadline)) === undefined) return;
    }
    for (const goal of open) {
      const steps = await this.possible(this.unrolling.predicate(goal.name, k), k, deadline);
      if (steps === undefined || goal.status.is !== "open") continue;
      const state = stateAfter(this.encoding, steps);
      const edge = goal.confirm(state, edges(system, state));
      if (edge === null) throw new Error(`internal error: the solver's schedule does not reach ${goal.name}`);
      const schedule: Schedule = { steps: edge === undefined ? steps : [...steps, edge.step] };
      goal.status = { is: "reached", schedule, exact: true, finding: goal.finding(edge) };
    }
  }

  private async candidatesAt(
    k: number,
    index: number,
    question: Question,
    kind: string,
    weak: boolean,
    deadline: number,
  ): Promise<void> {
    const term = kind === "last" ? question.last?.term : question.classes[Number(kind)]?.term;
    if (term === this.encoding.terms.false) return;
    let judged = this.judged.get(question);
    if (judged === undefined) {
      judged = new Map();
      this.judged.set(question, judged);
    }
    const predicate = this.unrolling.predicate(`candidate ${index}.${kind}`, k);
    for (let n = 0; question.status.is === "open"; n++) {
      if (n >= this.options.candidates) {
        question.gap = true;
        return;
      }
      const others = [...judged.values()].map((v) => `(not ${this.unrolling.stateIs(k, v)})`);
      const formula = others.length === 0 ? predicate : `(and ${predicate} ${others.join(" ")})`;
      const steps = await this.possible(formula, k, deadline);
      if (steps === undefined) return;
      const state = stateAfter(this.encoding, steps);
      const judgement = question.judge(state, weak);
      if (judgement.is === "violation") {
        // With a gap behind us an earlier state of this very path may be lost already.
        const first = question.gap ? this.firstLost(question, steps, weak) : { steps, finding: judgement.finding };
        question.status = {
          is: "reached",
          schedule: { steps: first.steps },
          exact: !question.gap,
          finding: first.finding,
        };
        return;
      }
      if (judgement.is === "unknown") question.gap = true;
      if (judgement.is === "cut") question.cut ??= judgement.what;
      judged.set(stateKey(state), stateVector(this.encoding.system, state));
    }
  }

  private firstLost(question: Question, steps: readonly ScheduleStep[], weak: boolean) {
    for (let n = 0; n <= steps.length; n++) {
      const judgement = question.judge(stateAfter(this.encoding, steps.slice(0, n)), weak);
      if (judgement.is === "violation") return { steps: steps.slice(0, n), finding: judgement.finding };
    }
    throw new Error("internal error: a candidate was judged twice, differently");
  }
}

/** The solver gave up on a check: `reason` in its own words. */
export class UnknownAnswer extends Error {
  constructor(reason: string) {
    super(reason === "" ? "the solver answered unknown" : `the solver answered unknown (${reason})`);
    this.name = "UnknownAnswer";
  }
}

function stateAfter(encoding: Encoding, steps: readonly ScheduleStep[]): ConcreteState {
  const end = replay(encoding.system, steps);
  if (end === undefined) throw new Error("internal error: a schedule does not replay");
  return end.state;
}
