/**
 * A small-step interpreter of the protocol syntax tree: the oracle that other engines are compared with.
 *
 * It runs the tree itself, with call frames, and shares nothing with the lowering. States are frozen plain objects;
 * each transition is made with immer and comes with the patches between the two states.
 */
import { type Draft, enablePatches, freeze, type Patch, produce, produceWithPatches } from "immer";
import { ModelError } from "../../spec/model-error.ts";
import type {
  Alternative,
  Domain,
  ErrorKind,
  Expr,
  FindingKind,
  Place,
  PoolDecl,
  Program,
  Site,
  Step,
  Stmt,
  ThreadDecl,
  VarDecl,
} from "../../spec/program.ts";
import type { ScheduleStep } from "../verdict.ts";
import { codeOf, type FunctionCode } from "./code.ts";
import { evaluate, referenced, type Scope } from "./expression.ts";
import { type Liveness, livenessOf } from "./liveness.ts";
import { type Frame, locationKey, rangeOf, type State, type ThreadState } from "./state.ts";

enablePatches();

/** What a step said about the model on its way: a finding, or the error that ended the path. */
export interface Notice<Kind extends string = FindingKind> {
  readonly kind: Kind;
  readonly message: string;
  readonly site: Site;
}

export type TransitionResult =
  | {
      readonly k: "state";
      readonly state: State;
      /** From the state before to this one, and back (immer patches; empty if not asked for). */
      readonly patches: readonly Patch[];
      readonly inversePatches: readonly Patch[];
    }
  | { readonly k: "error"; readonly error: Notice<ErrorKind> };

export interface Transition {
  readonly step: ScheduleStep;
  /** The kernel call. */
  readonly call: string;
  /** What distinguishes the alternative and the ways taken, e.g. `-EINTR`; "" where nothing does. */
  readonly name: string;
  readonly site: Site;
  /** The functions on the call path, outermost first. */
  readonly path: readonly string[];
  readonly optional: boolean;
  readonly idle: boolean;
  readonly result: TransitionResult;
  readonly findings: readonly Notice[];
  readonly marks: readonly string[];
  /** The statements that ran, the step first. */
  readonly executed: readonly Site[];
}

/** A step of a schedule that the state does not allow. */
export interface Misfit {
  readonly k: "misfit";
  /** What the thread does instead, or what it waits for. */
  readonly message: string;
}

export interface ThreadStatus {
  /** Index into the threads. */
  readonly thread: number;
  readonly name: string;
  /**
   * - `ready`: it has a live move (an enabled transition that is not optional);
   * - `ended`;
   * - `idle`: a handler before its first step, with nothing to handle;
   * - `preempted`: a handler, or with one CPU another thread, runs on its CPU;
   * - `resting`: it waits legitimately;
   * - `environment`: an environment or device process that owes no move now;
   * - `blocked`: none of these.
   */
  readonly status: "ready" | "ended" | "idle" | "preempted" | "resting" | "environment" | "blocked";
  /** Enabled transitions, optional ones included. */
  readonly enabled: number;
  /** The next step; "" after the end. */
  readonly call: string;
  readonly site?: Site;
  readonly path: readonly string[];
  /** What it waits for, while no alternative of its step is enabled. */
  readonly on?: string;
  /** Index of the thread that holds what it waits for. */
  readonly holder?: number;
  /** Index of the handler that runs on its CPU. */
  readonly by?: number;
  /** One sentence for people. */
  readonly why: string;
}

/** The variable that names the thread that has the CPU, where there is one CPU. */
export const RUNNING = "running";

/** Local code between two steps may run this many instructions; more means that it never ends. */
const LOCAL_LIMIT = 10_000;

/** Ends a path in the error state. */
class PathError extends Error {
  readonly notice: Notice<ErrorKind>;

  constructor(kind: ErrorKind, message: string, site: Site) {
    super(message);
    this.notice = { kind, message, site };
  }
}

/** What one firing of a thread does besides changing the state. */
interface Firing {
  readonly thread: number;
  /** Ways to take at the first choices; beyond them the first way is taken. */
  readonly plan: readonly number[];
  /** Ways taken and how many there were, at each choice met. */
  readonly ways: number[];
  readonly widths: number[];
  readonly names: string[];
  optional: boolean;
  readonly findings: Notice[];
  readonly marks: string[];
  readonly executed: Site[];
}

function newFiring(thread: number, plan: readonly number[]): Firing {
  return { thread, plan, ways: [], widths: [], names: [], optional: false, findings: [], marks: [], executed: [] };
}

export class Interpreter {
  readonly program: Program;
  /** Marks and statements of the local code that runs in the initial state. */
  readonly initialMarks: readonly string[];
  readonly initialExecuted: readonly Site[];
  readonly #code: ReadonlyMap<string, FunctionCode>;
  readonly #liveness: ReadonlyMap<string, Liveness>;
  readonly #vars: ReadonlyMap<string, VarDecl>;
  readonly #pools: ReadonlyMap<string, PoolDecl>;
  /** Some property asks for data races. */
  readonly #races: boolean;
  readonly #initial: State;
  /** Per thread where it starts, as a location key. */
  readonly #first: readonly string[];

  /**
   * @throws ModelError when the program cannot be run: recursion, unknown names, a wrong number of arguments, values
   *   out of range in the initial state, an error, finding or choice before a thread's first step.
   */
  constructor(program: Program) {
    this.program = program;
    this.#code = codeOf(program);
    this.#liveness = livenessOf(program.functions, this.#code);
    // With one CPU and no preemption nothing comes between two tasks' accesses.
    this.#races =
      program.scheduler !== "one-cpu" &&
      program.properties.some(
        ({ check, implied }) => !implied && check.c === "findings" && check.kinds.includes("data-race"),
      );
    this.#vars = new Map(program.vars.map((v) => [v.name, v]));
    this.#pools = new Map(program.pools.map((p) => [p.name, p]));
    const marks: string[] = [...(program.reached ?? [])];
    const executed: Site[] = [];
    this.#initial = this.#start(marks, executed);
    this.initialMarks = marks;
    this.initialExecuted = executed;
    this.#first = this.#initial.threads.map(locationKey);
  }

  initial(): State {
    return this.#initial;
  }

  /** The value of an expression of a property. */
  evaluate(expr: Expr, state: State): number {
    return evaluate(expr, this.#scope(state));
  }

  /**
   * Every transition that the state allows, by thread, alternative and ways. Without `patches` the states come
   * without them, which is faster.
   *
   * @throws ModelError when local code runs for ever without a step.
   */
  transitions(state: State, options: { readonly patches?: boolean } = {}): readonly Transition[] {
    const all = this.program.threads.flatMap((_, thread) =>
      this.#preemptedBy(state, thread) === undefined && this.#hasCpu(state, thread)
        ? this.#moves(state, thread, options.patches ?? true)
        : [],
    );
    const busy = all.some((t) => !t.idle && !t.optional);
    return busy ? all.filter((t) => !t.idle) : all;
  }

  /** Takes one step of a schedule. */
  apply(state: State, step: ScheduleStep): Transition | Misfit {
    const transitions = this.transitions(state);
    const found = transitions.find((t) => sameStep(t.step, step));
    return found ?? { k: "misfit", message: this.#misfit(state, step, transitions) };
  }

  /** What each thread does in the state. `transitions`: those of the state, if known. */
  status(
    state: State,
    transitions: readonly Transition[] = this.transitions(state, { patches: false }),
  ): readonly ThreadStatus[] {
    return this.program.threads.map((decl, thread) =>
      this.#statusOf(
        state,
        thread,
        decl,
        transitions.filter((t) => t.step.thread === thread),
      ),
    );
  }

  /** The kind of wait of the thread's next step (Wait.kind), where it has one. */
  waitKind(state: State, thread: number): string | undefined {
    return this.#next(state, thread)?.wait?.kind;
  }

  /** The threads with this status. `live`: those with an enabled transition that is not optional. */
  standing(state: State, live: readonly number[], status: ThreadStatus["status"]): readonly number[] {
    return [...this.program.threads.keys()].filter(
      (thread) => this.#standing(state, thread, live.includes(thread)) === status,
    );
  }

  /**
   * The sites of all statements of functions that some thread can call, but for labels, errors and findings: that
   * those are not reached is good news.
   */
  statements(): readonly Site[] {
    const sites: Site[] = [];
    const visit = (body: readonly Stmt[]): void => {
      for (const stmt of body) {
        if (stmt.s !== "label" && stmt.s !== "error" && stmt.s !== "finding") sites.push(stmt.site);
        if (stmt.s === "if") {
          visit(stmt.then);
          visit(stmt.else);
        } else if (stmt.s === "while") {
          visit(stmt.head);
          visit(stmt.body);
        } else if (stmt.s === "choose") {
          for (const way of stmt.ways) visit(way.body);
        } else if (stmt.s === "step") {
          visit(stmt.checks);
          for (const alternative of stmt.alternatives) visit(alternative.body);
        }
      }
    };
    for (const name of this.#code.keys()) visit(this.program.functions[name]!.body);
    return sites;
  }

  #scope(state: State, thread?: number): Scope {
    const scope = { program: this.program, code: this.#code, state };
    return thread === undefined ? scope : { ...scope, thread };
  }

  // ── The initial state ─────────────────────────────────────────────────────────────────────────────────────────

  #start(marks: string[], executed: Site[]): State {
    const { program } = this;
    const vars: Record<string, number | readonly number[]> = {};
    for (const decl of program.vars) {
      const { lo, hi } = rangeOf(decl.domain, program);
      for (const value of decl.init) {
        if (value < lo || value > hi) {
          throw new ModelError(`${decl.name} starts with ${value}, out of its range ${lo}..${hi}`, decl.site);
        }
      }
      const length = decl.length ?? 1;
      if (decl.init.length !== length) {
        throw new ModelError(`${decl.name} has ${length} elements and ${decl.init.length} initial values`, decl.site);
      }
      vars[decl.name] = decl.length === undefined ? decl.init[0]! : [...decl.init];
    }
    if (program.scheduler === "one-cpu") vars[RUNNING] = 0;
    const alive: Record<string, readonly number[]> = {};
    for (const pool of program.pools) alive[pool.name] = [...pool.alive];
    const threads: ThreadState[] = program.threads.map((thread) => {
      const fn = program.functions[thread.fn]!;
      const locals: Record<string, number> = {};
      for (const local of fn.locals) locals[local.name] = 0;
      for (let i = 0; i < fn.params; i++) {
        const param = fn.locals[i]!;
        const value = thread.args[i]!;
        const { lo, hi } = rangeOf(param.domain, program);
        if (value < lo || value > hi) {
          const what = `thread ${thread.name} gets ${param.name} = ${value}`;
          throw new ModelError(`${what}, out of its range ${lo}..${hi}`, fn.site);
        }
        locals[param.name] = value;
      }
      return { frames: [{ fn: thread.fn, pc: 0, locals }] };
    });
    const initial = program.threads.reduce<State>(
      (state, _, thread) => this.#startThread(state, thread, marks, executed),
      { vars, alive, threads },
    );
    return freeze(initial, true);
  }

  /** Runs the local code before a thread's first step. */
  #startThread(before: State, thread: number, marks: string[], executed: Site[]): State {
    const { name, fn } = this.program.threads[thread]!;
    const firing = newFiring(thread, []);
    const refuse = (what: string, site: Site | undefined): never => {
      throw new ModelError(
        `before its first step ${name} ${what}; nothing has happened yet, so put a step before it`,
        site,
      );
    };
    const after = produce(before, (draft) => {
      try {
        this.#runLocal(draft, firing);
      } catch (error) {
        if (!(error instanceof PathError)) throw error;
        refuse(`ends in ${error.notice.kind} (${error.notice.message})`, error.notice.site);
      }
      this.#clearDead(draft, thread);
    });
    const finding = firing.findings[0];
    if (finding !== undefined) refuse(`reports ${finding.kind} (${finding.message})`, finding.site);
    if (firing.widths.length > 0) refuse("chooses", firing.executed.at(-1));
    if (after.vars !== before.vars || after.alive !== before.alive) {
      refuse("changes shared state", this.program.functions[fn]!.site);
    }
    marks.push(...firing.marks);
    executed.push(...firing.executed);
    return after;
  }

  // ── Transitions ───────────────────────────────────────────────────────────────────────────────────────────────

  /** The transitions of one thread, idle ones included, whatever the other threads can do. */
  #moves(state: State, thread: number, patches: boolean): Transition[] {
    const step = this.#next(state, thread);
    if (step === undefined) return [];
    if (this.#checksFail(state, thread, step)) {
      return this.#fire(state, thread, step, step.alternatives.length, undefined, patches);
    }
    return step.alternatives.flatMap((alternative, action) => {
      const enabled = alternative.when === undefined || evaluate(alternative.when, this.#scope(state, thread)) !== 0;
      return enabled ? this.#fire(state, thread, step, action, alternative, patches) : [];
    });
  }

  #next(state: State, thread: number): Step | undefined {
    const frame = state.threads[thread]!.frames.at(-1);
    if (frame === undefined) return undefined;
    const instruction = this.#code.get(frame.fn)![frame.pc]!;
    if (instruction.i !== "step") throw new Error(`a thread stands at ${instruction.i}, not at a step`);
    return instruction.step;
  }

  /** With one CPU: tasks and workers share it. */
  #sharesCpu(thread: number): boolean {
    const { scheduler, threads } = this.program;
    const { kind } = threads[thread]!;
    return scheduler === "one-cpu" && (kind === "task" || kind === "worker");
  }

  /** With one CPU: the thread is the one that runs, or that one has given up the CPU. */
  #hasCpu(state: State, thread: number): boolean {
    if (!this.#sharesCpu(thread)) return true;
    const running = state.vars[RUNNING] as number;
    return running === 0 || running === thread + 1 || !this.#goesOn(state, running - 1);
  }

  /** The thread can take a step that is owed, and does not stand at one that yields. */
  #goesOn(state: State, thread: number): boolean {
    const step = this.#next(state, thread);
    if (step === undefined || step.yields === true || this.#preemptedBy(state, thread) !== undefined) return false;
    if (this.#checksFail(state, thread, step)) return true;
    return step.alternatives.some(
      ({ when, optional, idle }) =>
        optional !== true && idle !== true && (when === undefined || evaluate(when, this.#scope(state, thread)) !== 0),
    );
  }

  #checksFail(state: State, thread: number, step: Step): boolean {
    if (step.checks.length === 0) return false;
    let fails = false;
    produce(state, (draft) => {
      try {
        this.#runBody(draft, newFiring(thread, []), step.checks);
      } catch (error) {
        if (!(error instanceof PathError)) throw error;
        fails = true;
      }
    });
    return fails;
  }

  /** One transition per combination of ways: each firing is run anew from the state with the next combination. */
  #fire(
    state: State,
    thread: number,
    step: Step,
    action: number,
    alternative: Alternative | undefined,
    patches: boolean,
  ): Transition[] {
    const transitions: Transition[] = [];
    let plan: readonly number[] | undefined = [];
    while (plan !== undefined) {
      const firing = newFiring(thread, plan);
      const run = (draft: Draft<State>): void => {
        firing.executed.push(step.site);
        if (this.#races) this.#noteRaces(state, thread, step, firing);
        if (this.#sharesCpu(thread)) draft.vars[RUNNING] = thread + 1;
        this.#runBody(draft, firing, step.checks);
        this.#runBody(draft, firing, alternative?.body ?? []);
        draft.threads[thread]!.frames.at(-1)!.pc++;
        this.#runLocal(draft, firing);
        this.#clearDead(draft, thread);
      };
      let result: TransitionResult | undefined;
      try {
        if (patches) {
          const [next, forward, backward] = produceWithPatches(state, run);
          result = { k: "state", state: next, patches: forward, inversePatches: backward };
        } else {
          result = { k: "state", state: produce(state, run), patches: [], inversePatches: [] };
        }
      } catch (error) {
        if (!(error instanceof PathError)) throw error;
        result = { k: "error", error: error.notice };
      }
      // A choice without ways leads nowhere: no transition.
      if (!firing.widths.includes(0)) {
        transitions.push({
          step: { thread, action, ways: firing.ways },
          call: step.call,
          name: [alternative?.name ?? "", ...firing.names].filter((n) => n !== "").join(", "),
          site: step.site,
          path: state.threads[thread]!.frames.map((frame) => frame.fn),
          optional: firing.optional || alternative?.optional === true,
          idle: alternative?.idle === true,
          result,
          findings: firing.findings,
          marks: firing.marks,
          executed: firing.executed,
        });
      }
      plan = nextPlan(firing);
    }
    return transitions;
  }

  /** A data race: another thread that runs is about to take a plain access that conflicts with one of this step. */
  #noteRaces(state: State, thread: number, step: Step, firing: Firing): void {
    const element = (access: NonNullable<Step["plain"]>[number], of: number): string =>
      access.i === undefined ? access.v : `${access.v}[${evaluate(access.i, this.#scope(state, of))}]`;
    for (const mine of step.plain ?? []) {
      for (const other of this.program.threads.keys()) {
        if (other === thread || this.#preemptedBy(state, other) !== undefined) continue;
        const theirs = this.#next(state, other)?.plain ?? [];
        const conflict = theirs.some(
          (access) => (access.write || mine.write) && element(access, other) === element(mine, thread),
        );
        if (!conflict) continue;
        const name = this.program.threads[other]!.name;
        const message = `${step.call}: ${name} accesses ${mine.v} at the same time, and nothing orders the two`;
        firing.findings.push({ kind: "data-race", message, site: step.site });
        return;
      }
    }
  }

  /** Runs a thread's local code up to its next step or its end. */
  #runLocal(draft: Draft<State>, firing: Firing): void {
    const { frames } = draft.threads[firing.thread]!;
    for (let ran = 0; ; ran++) {
      const frame = frames.at(-1);
      if (frame === undefined) return;
      const instruction = this.#code.get(frame.fn)![frame.pc]!;
      if (ran > LOCAL_LIMIT) {
        const site = "site" in instruction ? instruction.site : this.program.functions[frame.fn]!.site;
        throw new ModelError(`a loop in ${frame.fn} runs for ever without a step; put a step into it`, site);
      }
      const scope = this.#scope(draft as State, firing.thread);
      switch (instruction.i) {
        case "step":
          return;
        case "simple":
          this.#runStmt(draft, firing, instruction.stmt);
          frame.pc++;
          break;
        case "label":
          frame.pc++;
          break;
        case "branch":
          firing.executed.push(instruction.site);
          frame.pc = evaluate(instruction.c, scope) !== 0 ? frame.pc + 1 : instruction.otherwise;
          break;
        case "jump":
          if (instruction.site !== undefined) firing.executed.push(instruction.site);
          frame.pc = instruction.to;
          break;
        case "call": {
          firing.executed.push(instruction.site);
          const fn = this.program.functions[instruction.fn]!;
          const values = instruction.args.map((arg) => evaluate(arg, scope));
          const locals: Record<string, number> = {};
          for (const [i, local] of fn.locals.entries()) {
            const value = i < fn.params ? values[i]! : 0;
            if (i < fn.params) this.#checkRange(`${local.name} of ${fn.name}`, local.domain, value, instruction.site);
            locals[local.name] = value;
          }
          frames.push({ fn: instruction.fn, pc: 0, locals });
          break;
        }
        case "return": {
          if (instruction.site !== undefined) firing.executed.push(instruction.site);
          const value = instruction.value === undefined ? 0 : evaluate(instruction.value, scope);
          frames.pop();
          const caller = frames.at(-1);
          if (caller === undefined) return;
          const call = this.#code.get(caller.fn)![caller.pc]!;
          if (call.i === "call" && call.into !== undefined) {
            this.#store(draft, firing.thread, { p: "local", name: call.into }, value, call.site);
          }
          caller.pc++;
          break;
        }
      }
    }
  }

  #runBody(draft: Draft<State>, firing: Firing, body: readonly Stmt[]): void {
    for (const stmt of body) this.#runStmt(draft, firing, stmt);
  }

  #runStmt(draft: Draft<State>, firing: Firing, stmt: Stmt): void {
    const value = (expr: Expr): number => evaluate(expr, this.#scope(draft as State, firing.thread));
    firing.executed.push(stmt.site);
    switch (stmt.s) {
      case "set":
        this.#store(draft, firing.thread, stmt.to, value(stmt.value), stmt.site);
        return;
      case "if":
        this.#runBody(draft, firing, value(stmt.c) !== 0 ? stmt.then : stmt.else);
        return;
      case "choose": {
        const way = firing.plan[firing.ways.length] ?? 0;
        firing.ways.push(way);
        firing.widths.push(stmt.ways.length);
        const taken = stmt.ways[way];
        if (taken === undefined) return;
        if (taken.name !== undefined) firing.names.push(taken.name);
        if (taken.optional === true) firing.optional = true;
        this.#runBody(draft, firing, taken.body);
        return;
      }
      case "deref": {
        const ptr = value(stmt.ptr);
        this.#checkObject(stmt.pool, ptr, stmt.what, stmt.site);
        if (draft.alive[stmt.pool]![ptr - 1] !== 1) {
          throw new PathError("use-after-free", `${stmt.what}: object ${ptr} of ${stmt.pool} is freed`, stmt.site);
        }
        return;
      }
      case "error":
        throw new PathError(stmt.kind, stmt.message, stmt.site);
      case "finding":
        firing.findings.push({ kind: stmt.kind, message: stmt.message, site: stmt.site });
        return;
      case "mark":
        firing.marks.push(stmt.name);
        return;
      case "alloc":
        this.#alloc(draft, firing.thread, stmt.pool, stmt.into, stmt.site);
        return;
      case "free": {
        const ptr = value(stmt.ptr);
        this.#checkObject(stmt.pool, ptr, stmt.what, stmt.site);
        const alive = draft.alive[stmt.pool]!;
        if (alive[ptr - 1] !== 1) {
          throw new PathError("double-free", `${stmt.what}: object ${ptr} of ${stmt.pool} is freed already`, stmt.site);
        }
        alive[ptr - 1] = 0;
        return;
      }
      default:
        // The code was checked when it was flattened.
        throw new Error(`${stmt.s} in the body of a step`);
    }
  }

  #alloc(draft: Draft<State>, thread: number, name: string, into: Place, site: Site): void {
    const pool = this.#pool(name, site);
    const alive = draft.alive[name]!;
    const scope = { program: this.program, state: draft as State };
    const slot = alive.findIndex((on, i) => on === 0 && (pool.reuse || !referenced(name, i + 1, scope)));
    if (slot < 0) {
      const why = pool.reuse ? "are alive" : "are alive or still pointed to";
      const hint = `raise its size above ${pool.slots}`;
      throw new PathError("model-error", `pool ${name} is used up: all ${pool.slots} objects ${why}; ${hint}`, site);
    }
    alive[slot] = 1;
    this.#store(draft, thread, into, slot + 1, site);
  }

  #checkObject(name: string, ptr: number, what: string, site: Site): void {
    const pool = this.#pool(name, site);
    if (ptr === 0) throw new PathError("null-dereference", `${what}: the pointer is NULL`, site);
    if (ptr < 1 || ptr > pool.slots) {
      throw new PathError("wild-access", `${what}: the pointer is no object of ${name}`, site);
    }
  }

  #pool(name: string, site: Site): PoolDecl {
    const pool = this.#pools.get(name);
    if (pool === undefined) throw new ModelError(`pool ${name} is not declared`, site);
    return pool;
  }

  #store(draft: Draft<State>, thread: number, place: Place, value: number, site: Site): void {
    if (place.p === "local") {
      const frame = draft.threads[thread]!.frames.at(-1)!;
      const decl = this.program.functions[frame.fn]!.locals.find((local) => local.name === place.name);
      if (decl === undefined) throw new ModelError(`${frame.fn} has no local ${place.name}`, site);
      this.#checkRange(`${place.name} of ${frame.fn}`, decl.domain, value, site);
      frame.locals[place.name] = value;
      return;
    }
    const decl = this.#vars.get(place.v);
    if (decl === undefined) throw new ModelError(`variable ${place.v} is written but not declared`, site);
    const array = draft.vars[place.v]!;
    if (typeof array === "number") {
      this.#checkRange(place.v, decl.domain, value, site);
      draft.vars[place.v] = value;
      return;
    }
    if (place.i === undefined) throw new ModelError(`array ${place.v} is written without an index`, site);
    const index = evaluate(place.i, this.#scope(draft as State, thread));
    if (index < 0 || index >= array.length) {
      const range = `0..${array.length - 1}`;
      throw new PathError("model-error", `${place.v}[${index}] is written, its indices are ${range}`, site);
    }
    this.#checkRange(`${place.v}[${index}]`, decl.domain, value, site);
    array[index] = value;
  }

  #checkRange(what: string, domain: Domain, value: number, site: Site): void {
    const { lo, hi } = rangeOf(domain, this.program);
    if (value < lo || value > hi) {
      const hint = "widen its domain if the value is legitimate";
      throw new PathError("model-error", `${what} = ${value} is out of its range ${lo}..${hi}; ${hint}`, site);
    }
  }

  /** Sets the dead locals of a thread to 0: all of a call's locals are dead to its callers' once it cannot return. */
  #clearDead(draft: Draft<State>, thread: number): void {
    let reachable = true;
    for (const frame of draft.threads[thread]!.frames.toReversed()) {
      const { live, returns } = this.#liveness.get(frame.fn)!;
      for (const decl of this.program.functions[frame.fn]!.locals) {
        const isLive = decl.kept === true || (reachable && live[frame.pc]!.has(decl.name));
        if (!isLive && frame.locals[decl.name] !== 0) frame.locals[decl.name] = 0;
      }
      reachable &&= returns[frame.pc]!;
    }
  }

  // ── What threads wait for ─────────────────────────────────────────────────────────────────────────────────────

  /** The handler that keeps the thread from stepping because it runs on the thread's CPU. */
  #preemptedBy(state: State, thread: number): number | undefined {
    const decl = this.program.threads[thread]!;
    if (decl.cpu === undefined || decl.kind === "hardirq") return undefined;
    const by = this.program.threads.findIndex(
      (other, i) =>
        i !== thread &&
        other.cpu === decl.cpu &&
        (other.kind === "hardirq" || (other.kind === "softirq" && decl.kind !== "softirq")) &&
        state.threads[i]!.frames.length > 0 &&
        locationKey(state.threads[i]!) !== this.#first[i],
    );
    return by < 0 ? undefined : by;
  }

  /** How a thread stands. `ready`: it has an enabled transition that is not optional. */
  #standing(state: State, thread: number, ready: boolean): ThreadStatus["status"] {
    const step = this.#next(state, thread);
    if (step === undefined) return "ended";
    if (ready) return "ready";
    const decl = this.program.threads[thread]!;
    if (isHandler(decl) && locationKey(state.threads[thread]!) === this.#first[thread]) return "idle";
    if (this.#preemptedBy(state, thread) !== undefined || !this.#hasCpu(state, thread)) return "preempted";
    const resting = step.wait?.resting;
    if (resting !== undefined && evaluate(resting, this.#scope(state, thread)) !== 0) return "resting";
    return decl.kind === "environment" || decl.kind === "device" ? "environment" : "blocked";
  }

  #statusOf(state: State, thread: number, decl: ThreadDecl, enabled: readonly Transition[]): ThreadStatus {
    const ready = enabled.some((t) => !t.optional);
    const status = this.#standing(state, thread, ready);
    const base = { thread, name: decl.name, status, enabled: enabled.length };
    const step = this.#next(state, thread);
    if (step === undefined) return { ...base, call: "", path: [], why: `${decl.name} has ended` };

    const { frames } = state.threads[thread]!;
    const at = { ...base, call: step.call, site: step.site, path: frames.map((frame: Frame) => frame.fn) };
    if (status === "ready") return { ...at, why: `${decl.name} can take ${step.call}` };
    if (status === "idle") return { ...at, why: `${decl.name} has nothing to handle` };
    const by = this.#preemptedBy(state, thread);
    if (by !== undefined) {
      const handler = this.program.threads[by]!.name;
      return { ...at, by, why: `${decl.name} cannot go on before ${handler} has left CPU ${decl.cpu}` };
    }
    if (!this.#hasCpu(state, thread)) {
      const holder = (state.vars[RUNNING] as number) - 1;
      return {
        ...at,
        on: "the CPU",
        holder,
        why: `${decl.name} waits for the CPU, where ${this.program.threads[holder]!.name} runs`,
      };
    }
    const holderId = step.wait?.holder === undefined ? 0 : evaluate(step.wait.holder, this.#scope(state, thread));
    const holder = holderId > 0 && holderId <= this.program.threads.length ? holderId - 1 : undefined;
    const on = step.wait?.on ?? step.call;
    const held = holder === undefined ? "" : `, held by ${this.program.threads[holder]!.name}`;
    const what = status === "resting" ? `rests at ${step.call}, waiting for ${on}` : `waits in ${step.call} for ${on}`;
    return { ...at, on, ...(holder === undefined ? {} : { holder }), why: `${decl.name} ${what}${held}` };
  }

  /** Why a step of a schedule does not fit. */
  #misfit(state: State, wanted: ScheduleStep, transitions: readonly Transition[]): string {
    const decl = this.program.threads[wanted.thread];
    if (decl === undefined) {
      return `there is no thread ${wanted.thread}; the scenario has ${this.program.threads.length} threads`;
    }
    const step = this.#next(state, wanted.thread);
    if (step === undefined) return `${decl.name} has ended`;
    const count = step.alternatives.length;
    if (wanted.action < 0 || wanted.action > count) {
      return `${decl.name} is at ${step.call}, which has ${count} alternatives; there is no number ${wanted.action}`;
    }
    const enabled = transitions.filter((t) => t.step.thread === wanted.thread);
    const same = enabled.filter((t) => t.step.action === wanted.action);
    if (same.length > 0) {
      const ways = same.map((t) => `[${t.step.ways.join(", ")}]`).join(", ");
      return `${decl.name} can take ${step.call} with the ways ${ways}, not with [${wanted.ways.join(", ")}]`;
    }
    if (enabled.length > 0) {
      const actions = [...new Set(enabled.map((t) => t.step.action))].join(", ");
      return `${decl.name} is at ${step.call}, where alternative ${wanted.action} is not enabled, only ${actions}`;
    }
    const status = this.status(state, transitions)[wanted.thread]!;
    if (step.alternatives[wanted.action]?.idle === true && status.by === undefined) {
      return `${decl.name} sleeps in ${step.call} until no other thread can move`;
    }
    return status.why;
  }
}

/** Is this thread an interrupt handler? */
export function isHandler(thread: ThreadDecl): boolean {
  return thread.kind === "hardirq" || thread.kind === "softirq";
}

function sameStep(a: ScheduleStep, b: ScheduleStep): boolean {
  return (
    a.thread === b.thread &&
    a.action === b.action &&
    a.ways.length === b.ways.length &&
    a.ways.every((way, i) => way === b.ways[i])
  );
}

/** The combination of ways after the one just run, as an odometer counts; undefined after the last. */
function nextPlan(firing: Firing): readonly number[] | undefined {
  for (let i = firing.ways.length - 1; i >= 0; i--) {
    if (firing.ways[i]! + 1 < firing.widths[i]!) return [...firing.ways.slice(0, i), firing.ways[i]! + 1];
  }
  return undefined;
}
