/**
 * Bounded model checking (Biere, Cimatti, Clarke, Zhu 1999): is a goal reachable in k steps, for k = 0, 1, 2 …; one
 * incremental solver session keeps what it learned from depth to depth. The first depth with an answer gives a
 * shortest schedule. The selectors of the steps in the model name the schedule, which is replayed at once.
 */
import { firings, stepOf } from "../evaluate.ts";
import { initialState, type StateValues } from "../state-values.ts";
import type { Schedule, ScheduleStep } from "../verdict.ts";
import { replay, stateVector } from "./concrete.ts";
import type { Encoding } from "./encode.ts";
import type { Goal, Question } from "./goal.ts";
import { check, prelude, type SolverChoice, type SolverSession, values } from "./solver.ts";
import type { Term } from "./term.ts";
import type { Theory } from "./theory.ts";
import { Unrolling } from "./unrolling.ts";

/**
 * Whether there are paths of so many steps at all is asked at every eighth depth: to find one costs about a quarter of
 * what a depth costs, and until it is asked there is nothing to reach where there are none.
 */
const LOOK_FOR_THE_END = 8;

export interface BoundedOptions {
  /** The greatest depth that will be asked for. */
  readonly depth: number;
  /** Candidates judged for each question, class and depth before the rest of them are left as a gap. */
  readonly candidates: number;
  /** Partial order reduction. */
  readonly reduction: boolean;
  /** Threads that can be exchanged without changing anything that is asked; default none. */
  readonly orbits?: readonly (readonly number[])[];
  /** What is known of the states reached by so many steps, and spares the solver finding it out. */
  readonly known?: ((steps: number) => Term) | undefined;
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

/**
 * Goals and questions, depth by depth. The stage `last` asks only for the candidates of last resort, which count only
 * where the first stage has found nothing.
 */
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
  private readonly weak: boolean;
  private readonly theory: Theory;
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
    stage: "first" | "last" = "first",
  ) {
    this.weak = stage === "last";
    this.theory = theory;
    this.encoding = encoding;
    this.session = session;
    this.goals = goals;
    this.questions = questions;
    this.options = options;
    const predicates = new Map(goals.map((g) => [g.name, g.term]));
    for (const [i, q] of questions.entries()) {
      for (const [j, c] of this.classesOf(q).entries()) predicates.set(`candidate ${i}.${j}`, c.term);
    }
    this.unrolling = new Unrolling(encoding, theory, predicates, true);
    this.setup = prelude(session, choice, theory.name === "integers" ? "ALL" : "QF_BV");
  }

  private declareState(k: number): string {
    const known = this.options.known?.(k) ?? this.encoding.terms.true;
    const lemma = this.theory.print(known, (name) => `${name}@${k}`);
    return `${this.unrolling.declareState(k)}\n(define-fun |known before @${k}| () Bool\n ${lemma})`;
  }

  /** Settles the next depth, or finds that there is none. */
  async next(deadline: number): Promise<void> {
    const k = this.depth + 1;
    if (!this.started) {
      this.started = true;
      const start = this.unrolling.stateIs(0, this.encoding.initial);
      await this.session.run(`${this.setup}\n${this.declareState(0)}\n(assert ${start})`, deadline);
    } else {
      const known = this.options.known?.(k);
      const step = this.unrolling.stepName(k - 1);
      const order = k >= 2 && this.options.reduction ? this.unrolling.ordered(k - 2) : "true";
      const turns = this.unrolling.inTurn(k - 1, this.options.orbits ?? []);
      const script = [
        this.declareState(k),
        this.unrolling.declareStep(k - 1),
        turns.lines,
        `(assert (and ${step} ${order} ${turns.holds} |known before @${k}|))`,
      ];
      await this.session.run(script.join("\n"), deadline);
      const look = k % LOOK_FOR_THE_END === 0 || k === this.options.depth;
      if (known?.op === "false" || (look && (await this.ends(deadline)))) {
        this.exhausted = true;
        return;
      }
    }
    await this.goalsAt(k, deadline);
    for (const [i, q] of this.questions.entries()) {
      const look = await this.unjudged(k, i, q, deadline);
      for (const [j, c] of this.classesOf(q).entries()) {
        if (c.term !== this.encoding.terms.false) await this.candidatesAt(k, q, `candidate ${i}.${j}`, look, deadline);
      }
    }
    this.depth = k;
  }

  /** No path is as long as what has been asserted. */
  private async ends(deadline: number): Promise<boolean> {
    const answer = await check(this.session, "(check-sat)", deadline);
    if (answer === "unknown") throw await this.unknown(deadline);
    return answer === "unsat";
  }

  private classesOf(q: Question): Question["classes"] {
    if (!this.weak) return q.classes;
    return q.last === undefined ? [] : [q.last];
  }

  private async unknown(deadline: number): Promise<Error> {
    const reason = await this.session.run("(get-info :reason-unknown)", deadline);
    return new UnknownAnswer(reason.replace(/[()"]|:reason-unknown/g, "").trim());
  }

  /** Is the formula possible, given some literals; on yes the schedule to state k. */
  private async possible(
    formula: string,
    k: number,
    deadline: number,
    given = "",
  ): Promise<ScheduleStep[] | undefined> {
    const literal = `q${this.literals++}`;
    const script = `(declare-const ${literal} Bool)\n(assert (=> ${literal} ${formula}))`;
    const answer = await check(this.session, `${script}\n(check-sat-assuming (${literal} ${given}))`, deadline);
    if (answer === "unknown") throw await this.unknown(deadline);
    if (answer === "unsat") {
      // Worth knowing for what follows; but only if it did not depend on what was given.
      if (given === "") await this.session.run(`(assert (not ${literal}))`, deadline);
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
      const edge = goal.confirm(state, firings(system, state));
      if (edge === null) throw new Error(`internal error: the solver's schedule does not reach ${goal.name}`);
      const schedule: Schedule = { steps: edge === undefined ? steps : [...steps, stepOf(edge)] };
      goal.status = { is: "reached", schedule, exact: true, finding: goal.finding(edge) };
    }
  }

  /** A literal that says that state k is none of those judged before. */
  private async unjudged(k: number, index: number, question: Question, deadline: number): Promise<string> {
    const look = `look${index}@${k}`;
    const known = [...(this.judged.get(question)?.values() ?? [])].map((v) => this.notState(look, k, v));
    await this.session.run(`(declare-const ${look} Bool)\n${known.join("\n")}`, deadline);
    return look;
  }

  private notState(look: string, k: number, vector: readonly number[]): string {
    return `(assert (=> ${look} (not ${this.unrolling.stateIs(k, vector)})))`;
  }

  private async candidatesAt(
    k: number,
    question: Question,
    name: string,
    look: string,
    deadline: number,
  ): Promise<void> {
    const judged = this.judged.get(question) ?? new Map<string, readonly number[]>();
    this.judged.set(question, judged);
    for (let n = 0; question.status.is === "open"; n++) {
      // After a gap nothing is exact any more, and candidates are mere samples.
      const limit = question.gap ? Math.ceil(this.options.candidates / 8) : this.options.candidates;
      const steps = await this.possible(this.unrolling.predicate(name, k), k, deadline, look);
      if (steps === undefined) return;
      if (n >= limit) {
        question.gap = true;
        return;
      }
      const state = stateAfter(this.encoding, steps);
      const judgement = question.judge(state, this.weak);
      if (judgement.is === "violation") {
        // With a gap behind us an earlier state of this very path may be lost already.
        const first = question.gap ? this.firstLost(question, steps) : { steps, finding: judgement.finding };
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
      const whole = stateVector(this.encoding.system, state);
      const vector = this.encoding.kept.map((i) => whole[i] ?? 0);
      judged.set(vector.join(), vector);
      await this.session.run(this.notState(look, k, vector), deadline);
    }
  }

  private firstLost(question: Question, steps: readonly ScheduleStep[]) {
    for (let n = 0; n <= steps.length; n++) {
      const judgement = question.judge(stateAfter(this.encoding, steps.slice(0, n)), this.weak);
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

function stateAfter(encoding: Encoding, steps: readonly ScheduleStep[]): StateValues {
  const end = replay(encoding.system, steps);
  if (end === undefined) throw new Error("internal error: a schedule does not replay");
  return end.state;
}
