/**
 * The SMT engine: decides the properties of a transition system with bounded model checking, k-induction and inductive
 * invariants, on any SMT solver.
 *
 * Safety (findings, errors, invariants, states at rest, global deadlock) is decided exactly. A partial deadlock or a
 * goal that stays possible is no question about one path: the solver proposes states, and an exact search forward from
 * each decides. They hold when every reachable state is known to be within the depth searched, or when no thread can
 * loop, so that a thread that waits for ever ends up in a global deadlock. What is not decided is inconclusive, with
 * the depth reached and the reason.
 */
import type { SysCode, SysProgram, SysProperty, TransitionSystem } from "../../spec/transition-system.ts";
import { ONLY_CUT_EDGES } from "../expectation.ts";
import { type Orbit, orbits } from "../symmetry.ts";
import type { Enough, Exploration, Outcome, SearchOptions, SmtMethod } from "../verdict.ts";
import { BoundedSearch, UnknownAnswer } from "./bmc.ts";
import { type Proof, writeCertificate } from "./certificate.ts";
import type { Encoding } from "./encode.ts";
import {
  deadlockQuestion,
  edgeGoal,
  type Goal,
  type GoalStatus,
  lostForGood,
  type Question,
  safetyGoal,
  staysPossibleQuestion,
  stuck,
} from "./goal.ts";
import { Induction } from "./k-induction.ts";
import { cone, type Slice, slice } from "./slice.ts";
import { openSolver, type SolverChoice, SolverFailure, type SolverSession } from "./solver.ts";
import { clausesOf, type HornAnswer, solveHorn } from "./spacer.ts";
import type { Term } from "./term.ts";
import { bitVectors, integers, type Theory } from "./theory.ts";

export interface SmtOptions extends SolverChoice {
  /** Default `auto`: all three. Bounded model checking always runs, the others prove. */
  readonly method?: SmtMethod;
  /** Greatest number of steps of bounded model checking; default 100. */
  readonly depth?: number;
  /** Candidates judged for each question and depth; default 64. */
  readonly candidates?: number;
  /** States searched forward from one candidate; default 20 000. */
  readonly forward?: number;
  /** Folder for the inductive invariants of proofs, as SMT-LIB files that any solver can check. */
  readonly certificates?: string;
  /** After so many seconds the run ends as soon as bounded search has gone so deep, whatever is open. Default: it goes on. */
  readonly enough?: Enough;
}

/** What one property needs: the goals and the question that decide it, and its trigger. */
interface Case {
  readonly property: SysProperty;
  readonly goal?: Goal;
  readonly question?: Question;
  /** Unreachable, all of them: then the question's property holds. */
  readonly sufficient: readonly Goal[];
  /** Reaching it makes the pass meaningful; absent where there is nothing to reach or it is reached at once. */
  readonly trigger?: Goal;
}

/** Some thread can take live steps for ever by its control flow alone. */
function canLoop(system: TransitionSystem): boolean {
  return system.programs.some((program) => {
    const colour = new Map<number, "open" | "done">();
    const visit = (location: number): boolean => {
      const seen = colour.get(location);
      if (seen !== undefined) return seen === "open";
      colour.set(location, "open");
      const cyclic = liveTargets(program, location).some(visit);
      colour.set(location, "done");
      return cyclic;
    };
    return program.locations.some((_, l) => visit(l));
  });
}

function liveTargets(program: SysProgram, location: number): number[] {
  const targets: number[] = [];
  const walk = (code: SysCode): void => {
    if (code.end.k === "goto") targets.push(code.end.location);
    else if (code.end.k === "if") {
      walk(code.end.then);
      walk(code.end.else);
    } else if (code.end.k === "choose") for (const way of code.end.ways) if (!way.optional) walk(way.code);
  };
  for (const a of program.locations[location]?.actions ?? []) if (!a.optional) walk(a.code);
  return targets;
}

/** Steps of bounded search unless told otherwise. */
const DEPTH = 100;

/** Milliseconds for one proof by Spacer, which may diverge, where the run itself has no time limit. */
const PROOF_LIMIT = 600_000;

const NO_LIVENESS = "this engine decides no temporal property; the explicit engine does";

/** How a goal is known to be unreachable that the facts of the slice exclude. */
const BY_FACTS = "thread-modular";

/** Why a goal that no code mentions is unreachable. */
const UNWRITTEN = "no transition carries it";

/** Everything asked in one run. Equal goals are one. */
class Agenda {
  readonly goals: Goal[] = [];
  readonly cases: Case[] = [];
  readonly modelError: Goal;
  private readonly whole: Encoding;

  constructor({ encoding, whole }: Slice, properties: readonly SysProperty[], options: SmtOptions) {
    this.whole = whole;
    const { system } = encoding;
    const kind = (f: number): string => system.findings[f]?.kind ?? "";
    this.modelError = this.add(
      edgeGoal(encoding, "model-error", (leaf) => leaf.findings.some((f) => kind(f) === "model-error")),
    );
    const bound = options.forward ?? 20_000;
    const loops = canLoop(system);
    for (const property of properties) {
      const { check, id } = property;
      const violation = safetyGoal(encoding, property);
      const goal = violation && this.add(violation);
      let question: Question | undefined;
      let sufficient: Goal[] = [];
      const liveError = (): Goal =>
        this.add(edgeGoal(encoding, "a path ends in an error", (leaf) => isError(leaf) && !leaf.optional));
      if (check.c === "deadlock") {
        question = deadlockQuestion(encoding, property, bound);
        if (!loops) sufficient = [this.add(stuck(encoding, `${id}: no thread can move`)), liveError()];
      } else if (check.c === "stays-possible") {
        question = staysPossibleQuestion(encoding, property, bound);
        if (!loops) sufficient = [this.add(lostForGood(encoding, `${id}: never again`, property)), liveError()];
      }
      const { marks, what } = property.trigger;
      const met = marks.length === 0 || marks.some((m) => system.initialMarks.includes(m));
      const trigger = met
        ? undefined
        : this.add(edgeGoal(encoding, `${what} is reached`, (leaf) => leaf.marks.some((m) => marks.includes(m))));
      this.cases.push({
        property,
        sufficient,
        ...(goal && { goal }),
        ...(question && { question }),
        ...(trigger && { trigger }),
      });
    }
  }

  private add(goal: Goal): Goal {
    const same = this.goals.find((g) => g.term === goal.term && g.name === goal.name);
    if (same !== undefined) return same;
    let name = goal.name;
    for (let n = 2; this.goals.some((g) => g.name === name); n++) name = `${goal.name} (${n})`;
    const added: Goal = { ...goal, name };
    if (goal.term.op === "false") {
      const method = goal.over(this.whole).op === "false" ? UNWRITTEN : BY_FACTS;
      added.status = { is: "unreachable", method };
    }
    this.goals.push(added);
    return added;
  }

  get questions(): Question[] {
    return this.cases.flatMap((c) => (c.question === undefined ? [] : [c.question]));
  }

  /** The property is violated, or known to hold but for its trigger. */
  private settled(c: Case): "violated" | "holds" | undefined {
    const status = (c.goal ?? c.question)?.status.is;
    if (status === "reached") return "violated";
    if (status === "unreachable") return "holds";
    if (c.sufficient.length > 0 && c.sufficient.every((g) => g.status.is === "unreachable")) return "holds";
    return undefined;
  }

  done(c: Case): boolean {
    if (this.modelError.status.is === "reached" || c.property.check.c === "temporal") return true;
    const settled = this.settled(c);
    if (settled === "violated") return true;
    // All candidates are judged, and no proof is to be had of the goals that would make them unnecessary.
    if (c.question?.searched === true && settled === undefined) {
      return c.sufficient.length === 0 || c.sufficient.some((g) => g.status.is === "reached");
    }
    if (settled === undefined) return false;
    return this.modelError.status.is === "unreachable" && c.trigger?.status.is !== "open";
  }

  /** Called when bounded search may have reached goals. */
  watch: (() => void) | undefined;

  changed(): void {
    this.watch?.();
  }

  /** What decided: the methods behind the verdicts that were reached. */
  methods(): string[] {
    const used = new Set<string>();
    const note = (status: GoalStatus | undefined): void => {
      if (status?.is === "reached") used.add("bmc");
      if (status?.is === "unreachable" && status.method !== UNWRITTEN) used.add(status.method);
    };
    for (const c of this.cases) {
      note((c.goal ?? c.question)?.status);
      if (this.settled(c) === "holds") {
        for (const g of c.sufficient) note(g.status);
        note(c.trigger?.status);
        note(this.modelError.status);
      }
    }
    return [...used].sort();
  }

  /** The certificates that together prove a property that holds; undefined where one is missing. */
  private certificates(c: Case): string[] | undefined {
    const own = c.goal === undefined ? c.sufficient : [c.goal];
    if (own.length === 0) return undefined;
    const files = new Set<string>();
    for (const goal of [...own, this.modelError, ...(c.trigger === undefined ? [] : [c.trigger])]) {
      const { status } = goal;
      if (status.is === "reached" && goal === c.trigger) continue;
      if (status.is !== "unreachable" || status.certificate === undefined) return undefined;
      files.add(status.certificate);
    }
    return [...files].sort();
  }

  get finished(): boolean {
    return this.cases.every((c) => this.done(c));
  }

  /** Goals whose unreachability would help, the triggers last: those are expected to be reached. */
  wanted(): { readonly properties: Goal[]; readonly triggers: Goal[] } {
    const open = this.cases.filter((c) => !this.done(c));
    const properties = new Set<Goal>();
    const triggers = new Set<Goal>();
    const want = (set: Set<Goal>, g: Goal | undefined): void => {
      if (g?.status.is === "open") set.add(g);
    };
    for (const c of open) {
      want(properties, this.modelError);
      want(properties, c.goal);
      // One reachable goal of the sufficient ones makes the others useless.
      if (c.sufficient.every((g) => g.status.is !== "reached")) for (const g of c.sufficient) want(properties, g);
      if (this.settled(c) === "holds") want(triggers, c.trigger);
    }
    return { properties: [...properties], triggers: [...triggers] };
  }

  outcome(c: Case, why: string): Outcome {
    const { property } = c;
    const id = property.id;
    const modelError = this.modelError.status;
    if (modelError.is === "reached") {
      const { finding, schedule } = modelError;
      const message = finding?.message ?? "the model is wrong";
      return { property: id, verdict: "inconclusive", reason: message, schedule, ...(finding && { finding }) };
    }
    if (property.check.c === "temporal") {
      return { property: id, verdict: "inconclusive", reason: NO_LIVENESS };
    }
    const status = (c.goal ?? c.question)?.status;
    if (status?.is === "reached") {
      const finding = status.finding ?? { kind: property.kind, message: property.message };
      return { property: id, verdict: "violated", finding, schedule: status.schedule, depthExact: status.exact };
    }
    if (this.settled(c) === "holds") {
      const trigger = c.trigger?.status.is ?? "reached";
      if (modelError.is === "open") {
        return { property: id, verdict: "inconclusive", reason: `it holds unless the model itself errs, and ${why}` };
      }
      const certificates = this.certificates(c);
      if (trigger === "reached") return { property: id, verdict: "holds", ...(certificates && { certificates }) };
      const { what } = property.trigger;
      if (trigger === "unreachable") {
        const reason = `no run reaches what it speaks of: ${what}`;
        return { property: id, verdict: "vacuous", reason, ...(certificates && { certificates }) };
      }
      return {
        property: id,
        verdict: "inconclusive",
        reason: `it holds, but whether ${what} is reachable is open: ${why}`,
      };
    }
    if (c.question?.cut !== undefined && c.question.searched && !c.question.gap) {
      return { property: id, verdict: "inconclusive", reason: `${ONLY_CUT_EDGES}: ${c.question.cut}` };
    }
    return { property: id, verdict: "inconclusive", reason: why };
  }
}

function isError(leaf: object): boolean {
  return "error" in leaf ? leaf.error === true : "target" in leaf && leaf.target === undefined;
}

/**
 * Decides the properties named in `options`. The strategies run side by side, each in a solver of its own (two to four
 * processes or worker threads; with a resource limit one after the other), and stop when everything asked is decided or the time is up. Throws nothing for what a
 * solver does: a solver that is missing, fails, gives up or is too slow leaves properties inconclusive, with the reason.
 * Of the SearchOptions it knows `properties`, `timeout`, `progress`, `reduction` (partial order and symmetry, which
 * change no verdict and no depth) and `memory` (native z3 alone).
 */
export async function check(
  system: TransitionSystem,
  options: Pick<SearchOptions, "properties" | "timeout"> & Partial<SearchOptions> & SmtOptions,
): Promise<Exploration> {
  const started = Date.now();
  const deadline = started + options.timeout * 1000;
  const sliced = slice(system);
  const asked = system.properties.filter((p) => options.properties.includes(p.id));
  const agenda = new Agenda(sliced, asked, options);
  const encoding = cone(sliced.encoding, [
    ...agenda.goals.map((g) => g.term),
    ...agenda.questions.flatMap((q) => [...q.classes, ...(q.last === undefined ? [] : [q.last])].map((c) => c.term)),
  ]);
  const known = sliced.facts?.invariant(encoding) ?? encoding.terms.true;
  const method = options.method ?? "auto";
  const reasons: string[] = [];
  const reach = new Reach();
  const sessions = new Set<SolverSession>();
  const open = (purpose: string): SolverSession => {
    const session = openSolver(options, purpose, options.memory ?? Number.POSITIVE_INFINITY);
    sessions.add(session);
    return session;
  };
  const closeAll = (why?: SolverFailure): void => {
    for (const s of sessions) s.close(why);
  };
  /** Runs one strategy to its end, whatever its solver does; anything but a solver's failure is ours to fix. */
  const attempt = async (name: string, strategy: () => Promise<void>): Promise<void> => {
    try {
      await strategy();
    } catch (error) {
      if (!(error instanceof SolverFailure || error instanceof UnknownAnswer)) {
        closeAll();
        throw error;
      }
      if (!agenda.finished) reasons.push(`${name}: ${error.message}`);
    }
    if (agenda.finished) closeAll();
  };
  const theory = encoding.state.every((s) => Number.isFinite(s.lo) && Number.isFinite(s.hi)) ? bitVectors : integers;
  const excluded = agenda.goals.filter((g) => g.status.is === "unreachable");
  settle({ sliced, options }, excluded, BY_FACTS, { by: "facts" });
  const checks = asked.map((p) => p.check).filter((c) => c.c !== "temporal");
  const exchangeable = (options.reduction ?? true) ? orbits(system, checks) : [];
  if (!agenda.finished) {
    const run: Run = {
      agenda,
      sliced,
      encoding,
      known,
      theory,
      orbits: exchangeable,
      options,
      open,
      deadline,
      reach,
      reasons,
    };
    const strategies = [() => attempt("bounded model checking", () => searchGoals(run))];
    if (method === "auto" || method === "k-induction") {
      strategies.push(() => attempt("k-induction", () => proveByInduction(run)));
    }
    if (agenda.questions.length > 0) strategies.push(() => attempt("candidates", () => searchCandidates(run)));
    if (method === "auto" || method === "spacer") {
      strategies.push(() => attempt("spacer", () => proveByInvariants(run)));
    }
    const patience = options.enough && endOfPatience(options.enough, reach, agenda, () => closeAll(OUT_OF_PATIENCE));
    try {
      // Side by side, what one of them is asked depends on how far another one is: on time, that is.
      if (options.rlimit === undefined) await Promise.all(strategies.map((strategy) => strategy()));
      else for (const strategy of strategies) if (!agenda.finished) await strategy();
    } finally {
      patience?.();
      closeAll();
    }
  }
  const searched = reach.depth < 0 ? "nothing was searched" : `no counterexample of up to ${reach.depth} steps exists`;
  const why = `${searched}; ${reasons.length === 0 ? "the bound on the depth was reached" : reasons.join("; ")}`;
  const outcomes = agenda.cases.map((c) => agenda.outcome(c, why));
  return {
    engine: "smt",
    method: agenda.methods().join("+") || "bmc",
    complete: outcomes.every((o) => o.verdict === "holds" || o.verdict === "vacuous"),
    states: null,
    transitions: null,
    depth: reach.depth < 0 ? null : reach.depth,
    seconds: (Date.now() - started) / 1000,
    reductions: [
      ...((options.reduction ?? true) ? ["partial-order"] : []),
      ...(exchangeable.length > 0 ? ["symmetry"] : []),
    ],
    cut: {},
    outcomes,
  };
}

const OUT_OF_PATIENCE = new SolverFailure("timeout", "the solver did not answer in time");

/** Calls back when the time is over and the depth is reached. @returns what ends the waiting */
function endOfPatience({ seconds, depth }: Enough, reach: Reach, agenda: Agenda, end: () => void): () => void {
  let over = false;
  let late = false;
  const look = (): void => {
    if (over) return;
    const candidates = agenda.questions.every((q) => q.status.is !== "open") || reach.candidates >= depth;
    const goals = reach.ended || reach.depth >= depth;
    if (late && goals && candidates) end();
    else void reach.change().then(look);
  };
  const timer = setTimeout(() => {
    late = true;
    reach.wake();
  }, seconds * 1000);
  look();
  return () => {
    over = true;
    clearTimeout(timer);
  };
}

/** What the strategies tell each other about the depth. */
class Reach {
  /** Depth up to which no open goal is reachable; -1 before the first. */
  depth = -1;
  /** The same of the candidates that have been judged. */
  candidates = -1;
  /** Every reachable state is within so many steps, once that is known, and by which method. */
  diameter: { readonly depth: number; readonly method: string } | undefined;
  /** The search for goals goes no deeper. */
  ended = false;
  private waiting: (() => void)[] = [];

  /** Resolves at the next `wake`. */
  change(): Promise<void> {
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  wake(): void {
    const waiting = this.waiting;
    this.waiting = [];
    for (const resolve of waiting) resolve();
  }
}

interface Run {
  readonly agenda: Agenda;
  readonly sliced: Slice;
  /** The cone of influence of everything asked, in the sliced system. */
  readonly encoding: Encoding;
  /** What the facts say of its states. */
  readonly known: Term;
  readonly theory: Theory;
  /** Threads that can be exchanged without changing anything that is asked. */
  readonly orbits: readonly Orbit[];
  readonly options: SmtOptions & Partial<SearchOptions>;
  readonly open: (purpose: string) => SolverSession;
  readonly deadline: number;
  readonly reach: Reach;
  readonly reasons: string[];
}

/** Every reachable state is within so many steps: what is open is unreachable. */
function exhausted(run: Run, depth: number, method: string): void {
  run.reach.diameter ??= { depth, method };
  for (const g of run.agenda.goals) if (g.status.is === "open") g.status = { is: "unreachable", method };
}

function afterSteps({ sliced, encoding, known }: Run): (steps: number) => Term {
  return (steps) => sliced.facts?.afterSteps?.(encoding, steps) ?? known;
}

/** Bounded model checking of the goals, depth by depth. */
async function searchGoals(run: Run): Promise<void> {
  const { agenda, encoding, theory, options, open, deadline, reach } = run;
  const search = new BoundedSearch(encoding, theory, open("bmc"), options, agenda.goals, [], {
    depth: options.depth ?? DEPTH,
    candidates: 0,
    reduction: options.reduction ?? true,
    orbits: run.orbits,
    known: afterSteps(run),
  });
  try {
    while (search.depth < (options.depth ?? DEPTH)) {
      // Known from another strategy: there is nothing beyond.
      if (reach.diameter !== undefined && search.depth >= reach.diameter.depth) {
        exhausted(run, search.depth, reach.diameter.method);
        return;
      }
      await search.next(deadline);
      reach.depth = search.depth;
      agenda.changed();
      reach.wake();
      options.progress?.({ states: 0, transitions: 0, depth: search.depth, frontier: 0 });
      if (search.exhausted) exhausted(run, search.depth, "bmc");
      if (agenda.finished) return;
    }
  } finally {
    reach.ended = true;
    reach.wake();
  }
}

/** k-induction, each k once bounded model checking has found that depth free of open goals. */
async function proveByInduction(run: Run): Promise<void> {
  const { agenda, encoding, known, theory, options, open, deadline, reach } = run;
  const induction = new Induction(encoding, theory, open("k-induction"), options, agenda.goals, known);
  for (let k = 0; ; k++) {
    while (reach.depth < k && !reach.ended) await reach.change();
    if (reach.depth < k || agenda.finished) return;
    const step = await induction.next(deadline);
    const proved = step.proved.filter((g) => g.status.is === "open");
    // Simple paths of the slice are no simple paths of the whole system, of which a certificate speaks.
    const proof: Proof | undefined = step.plain ? { by: "induction", length: k } : undefined;
    settle(run, proved, "k-induction", proof);
    if (step.exhausted) return exhausted(run, k, "k-induction");
    if (agenda.finished) return;
  }
}

/** Candidates for the questions about "never again", in a session of their own: they are many. */
async function searchCandidates(run: Run): Promise<void> {
  const { agenda, encoding, theory, options, open, deadline, reach } = run;
  const questions = agenda.questions;
  const settings = {
    depth: options.depth ?? DEPTH,
    candidates: options.candidates ?? 64,
    reduction: options.reduction ?? true,
    orbits: run.orbits,
    known: afterSteps(run),
  };
  const beyond = (depth: number): boolean => reach.diameter !== undefined && depth >= reach.diameter.depth;
  const search = new BoundedSearch(encoding, theory, open("candidates"), options, [], questions, settings);
  try {
    while (!search.exhausted && !beyond(search.depth)) {
      if (search.depth >= (options.depth ?? DEPTH) || agenda.finished) return;
      await search.next(deadline);
      reach.candidates = search.depth;
      reach.wake();
    }
  } finally {
    reach.candidates = Number.POSITIVE_INFINITY;
    reach.wake();
  }
  const method = reach.diameter?.method ?? "bmc";
  reach.diameter ??= { depth: search.depth, method };
  const weak = questions.filter((q) => q.status.is === "open" && q.last !== undefined);
  if (weak.length > 0) {
    const again = new BoundedSearch(encoding, theory, open("waiting"), options, [], weak, settings, "last");
    while (!again.exhausted && again.depth < search.depth) await again.next(deadline);
  }
  for (const q of questions) {
    q.searched = true;
    if (q.status.is === "open" && !q.gap && q.cut === undefined) q.status = { is: "unreachable", method };
  }
}

/** These goals are proved unreachable; the certificate of that is written where one is wanted and to be had. */
function settle(
  { sliced, options }: Pick<Run, "sliced" | "options">,
  goals: readonly Goal[],
  method: string,
  proof: Proof | undefined,
): void {
  const certificate =
    options.certificates === undefined || proof === undefined || goals.length === 0
      ? undefined
      : writeCertificate(options.certificates, sliced, goals, proof);
  for (const g of goals) {
    const known = g.status.is === "unreachable" ? g.status.method : method;
    if (g.status.is !== "reached") g.status = { is: "unreachable", method: known, ...(certificate && { certificate }) };
  }
}

/** Inductive invariants for what is open: all goals together, then those that are reachable one by one. */
async function proveByInvariants(run: Run): Promise<void> {
  const { agenda, sliced, options, open, deadline, reasons } = run;
  const reachable = new Set<Goal>();
  const attempted = new Set<string>();
  for (;;) {
    const wanted = agenda.wanted();
    const unsettled = (goals: readonly Goal[]): Goal[] => goals.filter((g) => !reachable.has(g));
    let set = unsettled(wanted.properties);
    if (set.length === 0) set = unsettled(wanted.triggers).slice(0, 1);
    const key = (goals: readonly Goal[]): string => goals.map((g) => g.name).join("\n");
    if (attempted.has(key(set))) set = set.filter((g) => !attempted.has(key([g]))).slice(0, 1);
    if (set.length === 0) return;
    attempted.add(key(set));
    // The cone of these goals alone, which are fewer than what bounded search looks for.
    const encoding = cone(
      sliced.encoding,
      set.map((g) => g.term),
    );
    const clauses = clausesOf(encoding, set, sliced.facts?.invariant(encoding));
    const session = open("spacer");
    if (session.family !== "z3") {
      reasons.push(`inductive invariants need Spacer, which ${session.name} does not have`);
      return;
    }
    // A goal that bounded search reaches meanwhile makes the question pointless: ask again without it.
    const pointless = (): boolean => set.some((g) => g.status.is === "reached");
    agenda.watch = () => {
      if (pointless()) session.close();
    };
    let answer: HornAnswer;
    try {
      answer = await solveHorn(clauses, session, options, Math.min(deadline, Date.now() + PROOF_LIMIT));
    } catch (error) {
      if (error instanceof SolverFailure && pointless() && !agenda.finished) continue;
      throw error;
    } finally {
      session.close();
    }
    if (answer.is === "unknown") {
      reasons.push(`spacer: the solver answered unknown (${answer.reason})`);
      if (set.length === 1) reachable.add(set[0] as Goal);
    } else if (answer.is === "reachable") {
      if (set.length === 1) reachable.add(set[0] as Goal);
    } else {
      const proved = set.filter((g) => g.status.is === "open");
      settle(run, proved, "spacer", { by: "relation", state: clauses.state, text: answer.invariant });
    }
    if (agenda.finished) return;
  }
}
