/**
 * The explicit-state engine: breadth-first search over the compiled transition system.
 *
 * Exact: every reachable state is stored in full, so `holds` is never the luck of a hash.
 */
import type { SysExpr, SysProperty, TransitionSystem } from "../../spec/transition-system.ts";
import type { Exploration, Finding, Outcome, Schedule, SearchOptions } from "../verdict.ts";
import { backwardReachability, type Lost } from "./backward-reachability.ts";
import { numberable } from "./canonical-code.ts";
import { CheckpointFile, CheckpointSchedule, identityOf, type SearchIdentity } from "./checkpoint.ts";
import { CheckpointError } from "./checkpoint-error.ts";
import { Clock } from "./clock.ts";
import { GROUP, generate } from "./codegen.ts";
import { classifyDeadlock } from "./deadlock.ts";
import { decideTemporal } from "./fair-search.ts";
import { initialState, layOut, pack, unpack } from "./layout.ts";
import { scheduleTo, stepOf, transactions, type Way } from "./schedule.ts";
import { Store } from "./store.ts";
import { type Orbit, orbits, Permutations } from "./symmetry.ts";
import { internalLocations } from "./transactions.ts";

/** States between two looks at the clock. */
const SLICE = 4096;

type Stop = "time" | "memory" | "states" | "decided";

/**
 * Explores the system breadth-first and decides the properties asked for.
 *
 * Yields to the event loop several times a second. A budget that runs out makes undecided properties inconclusive;
 * all it throws is a CheckpointError, for a checkpoint it cannot go on from. With `reduction` off the whole graph is counted even after violations.
 */
export async function check(system: TransitionSystem, options: SearchOptions): Promise<Exploration> {
  const result = await explore(system, options, { transactions: options.reduction });
  const temporal = system.properties.filter((p) => p.check.c === "temporal").map((p) => p.id);
  const violated = result.outcomes
    .filter((o) => o.verdict === "violated" && !temporal.includes(o.property))
    .map((o) => o.property);
  if (violated.length === 0 || !result.reductions.includes("transactions")) return result;
  // Transactions count as one step, so a shorter schedule may exist: look again without them, within reason.
  const again = await explore(
    system,
    { ...options, properties: violated, timeout: options.timeout - result.seconds, checkpoint: undefined },
    { transactions: false, states: Math.max(200_000, 4 * (result.states ?? 0)) },
  );
  const shortest = (outcome: Outcome): Outcome => {
    if (!violated.includes(outcome.property) || outcome.verdict !== "violated") return outcome;
    const found = again.outcomes.find((o) => o.property === outcome.property);
    return found?.verdict === "violated" && found.depthExact ? found : { ...outcome, depthExact: false };
  };
  return { ...result, outcomes: result.outcomes.map(shortest), seconds: result.seconds + again.seconds };
}

/** One search. What it finds with transactions is true, but a shorter schedule may exist whatever it says. */
export async function explore(system: TransitionSystem, options: SearchOptions, plan: Plan): Promise<Exploration> {
  return await new Run(system, options, plan).explore();
}

/** How one search goes about it. */
export interface Plan {
  readonly transactions: boolean;
  /** Most states to find. */
  readonly states?: number;
  /** States between two looks at the clock. */
  readonly slice?: number;
  /** Characters a branch of generated code may have before it becomes a function. */
  readonly branchText?: number;
}

class Run {
  readonly #system: TransitionSystem;
  readonly #options: SearchOptions;
  readonly #clock: Clock;
  readonly #properties: readonly SysProperty[];
  readonly #invariants: SysProperty[] = [];
  readonly #atRest: SysProperty[] = [];
  readonly #goals: SysProperty[] = [];
  readonly #deadlock: boolean;
  readonly #layout;
  readonly #generated;
  readonly #search;
  readonly #store: Store;
  readonly #orbits: readonly Orbit[];
  readonly #permutations: Permutations;
  readonly #plan: Plan;
  readonly #internal: readonly (readonly boolean[])[];
  /** First state (in breadth-first order) at which something was seen. */
  readonly #findingAt = new Map<number, number>();
  readonly #brokenAt = new Map<SysProperty, number>();
  #stuckAt = -1;
  /** Number of the first state of each level. */
  readonly #levels: number[] = [0];
  /** Number of the first state beyond the level that is being expanded. */
  #levelEnd = 1;
  readonly #identity: SearchIdentity | undefined;
  readonly #checkpoints: CheckpointSchedule | undefined;

  constructor(system: TransitionSystem, options: SearchOptions, plan: Plan) {
    this.#system = system;
    this.#plan = plan;
    this.#options = options;
    this.#clock = new Clock(options);
    this.#properties = system.properties.filter((p) => options.properties.includes(p.id));
    for (const p of this.#properties) {
      if (p.check.c === "invariant") this.#invariants.push(p);
      else if (p.check.c === "at-rest") this.#atRest.push(p);
      else if (p.check.c === "stays-possible") this.#goals.push(p);
    }
    this.#deadlock = this.#properties.some((p) => p.check.c === "deadlock");
    this.#layout = layOut(system);
    const masks = this.#deadlock || this.#goals.length > 0;
    this.#orbits = this.#chooseOrbits();
    this.#internal = this.#chooseInternal();
    this.#permutations = new Permutations(system.threads.length, this.#orbits);
    this.#generated = generate(system, this.#layout, {
      invariants: this.#invariants.map(exprOf),
      atRest: this.#atRest.map(exprOf),
      goals: this.#goals.map(exprOf),
      masks,
      orbits: this.#orbits,
      internal: this.#internal,
      branchText: plan.branchText,
    });
    const total = system.threads.length + this.#goals.length;
    const maskBits = masks ? this.#generated.groupMasks.map((_, g) => Math.min(GROUP, total - g * GROUP)) : [];
    this.#store = new Store(this.#layout.words, this.#generated.most, maskBits, options.memory);
    this.#search = this.#generated.create({
      found: (finding, state) => {
        if (!this.#findingAt.has(finding)) this.#findingAt.set(finding, state);
      },
      broken: (k, state) => this.#break(this.#invariants[k]!, state),
      restBroken: (k, state) => this.#break(this.#atRest[k]!, state),
      stuck: (state) => {
        if (this.#stuckAt < 0) this.#stuckAt = state;
      },
      grow: (states) => this.#store.grow(this.#search, states),
    });
    const { checkpoint } = options;
    if (checkpoint === undefined) return;
    const asked = `${this.#properties.map((p) => p.id).join(", ")}; reductions ${options.reduction ? "on" : "off"}`;
    this.#identity = identityOf(system, {
      version: checkpoint.version,
      searchOptions: asked,
      program: this.#generated.text,
    });
    if (checkpoint.write !== undefined) this.#checkpoints = new CheckpointSchedule(checkpoint.write, checkpoint);
  }

  #chooseOrbits(): readonly Orbit[] {
    // Masks are permuted within one group.
    const small = this.#system.threads.length + this.#goals.length <= GROUP;
    if (!this.#options.reduction || !small) return [];
    const found = orbits(
      this.#system,
      // Temporal properties have a search of their own.
      this.#properties.map((p) => p.check).filter((c) => c.c !== "temporal"),
    );
    return numberable(found) ? found : [];
  }

  #chooseInternal(): readonly (readonly boolean[])[] {
    if (!this.#plan.transactions) return [];
    const internal = internalLocations(
      this.#system,
      this.#properties.map((p) => p.check),
    );
    // Threads that are exchanged must be treated alike.
    for (const orbit of this.#orbits) {
      const alike = internal[orbit[0]!]!.map((_, l) => orbit.every((t) => internal[t]![l]));
      for (const t of orbit) internal[t] = alike;
    }
    return internal.some((locations) => locations.some((x) => x)) ? internal : [];
  }

  #reductions(): string[] {
    return [...(this.#orbits.length > 0 ? ["symmetry"] : []), ...(this.#internal.length > 0 ? ["transactions"] : [])];
  }

  #break(property: SysProperty, state: number): void {
    if (!this.#brokenAt.has(property)) this.#brokenAt.set(property, state);
  }

  async explore(): Promise<Exploration> {
    const stop = await this.#searchBreadthFirst();
    const depth = this.#depth();
    const cut = this.#cut();
    const errors = Object.values(cut).reduce((a, b) => a + b, 0);
    const states = this.#search.count() + (errors > 0 ? 1 : 0);
    const transitions = this.#search.transitions() + errors;
    const outcomes = await this.#decide(stop);
    return {
      engine: "explicit",
      method: "bfs",
      complete: stop === undefined,
      states,
      transitions,
      depth,
      seconds: this.#clock.seconds,
      reductions: this.#reductions(),
      cut,
      outcomes,
    };
  }

  async #searchBreadthFirst(): Promise<Stop | undefined> {
    const search = this.#search;
    const slice = this.#plan.slice ?? SLICE;
    search.bind(this.#store);
    const resume = this.#options.checkpoint?.resume;
    if (resume === undefined) {
      const words = new Int32Array(this.#layout.words);
      pack(this.#layout, initialState(this.#system), words, 0);
      search.root(words);
    } else this.#resume(resume);
    search.setLevelEnd(this.#levelEnd);
    while (search.next() < search.count()) {
      if (!search.run(slice)) {
        this.#saveCheckpoint();
        return "memory";
      }
      if (search.next() === this.#levelEnd) {
        if (this.#options.reduction && this.#allViolated()) return "decided";
        if (search.count() > (this.#plan.states ?? Number.POSITIVE_INFINITY)) return "states";
        if (search.count() > this.#levelEnd) this.#levels.push(this.#levelEnd);
        this.#levelEnd = search.count();
        search.setLevelEnd(this.#levelEnd);
      }
      const wait = this.#pause();
      if (wait !== undefined) await wait;
      if (this.#clock.expired && search.next() < search.count()) {
        this.#saveCheckpoint();
        return "time";
      }
      if (this.#checkpoints?.due === true) this.#saveCheckpoint();
    }
    // What follows can take as long again.
    if ((this.#checkpoints?.written ?? 0) > 0) this.#saveCheckpoint();
    return undefined;
  }

  /** The arrays that make up the search, as far as they are used. */
  #tables(count: number) {
    const { states, links, masks } = this.#store;
    return [states.subarray(0, count * this.#layout.words), ...[links, ...masks].map((t) => t.subarray(0, count))];
  }

  /** To be called between two slices only, when every successor of every expanded state is in the tables. */
  #saveCheckpoint(): void {
    if (this.#checkpoints === undefined || this.#identity === undefined) return;
    const search = this.#search;
    const position = {
      count: search.count(),
      next: search.next(),
      levelEnd: this.#levelEnd,
      transitions: search.transitions(),
      levels: this.#levels,
      marks: [...search.marks],
      errors: [...search.errors],
      findings: [...this.#findingAt],
      broken: [...this.#brokenAt].map(([p, state]) => [p.id, state] as const),
      stuck: this.#stuckAt,
    };
    this.#checkpoints.write(this.#identity, position, this.#tables(position.count));
  }

  #resume(file: string): void {
    if (this.#identity === undefined) throw new Error("a search that is resumed has an identity");
    const checkpoint = new CheckpointFile(file, this.#identity);
    try {
      const { position } = checkpoint;
      if (!this.#store.grow(this.#search, position.count)) {
        throw new CheckpointError(
          `${file} holds ${position.count} states, for which there is not enough memory; raise --memory`,
        );
      }
      checkpoint.read(this.#tables(position.count));
      this.#search.restore(position.count, position.next, position.transitions);
      this.#search.rehash();
      this.#search.marks.set(position.marks);
      this.#search.errors.set(position.errors);
      this.#levelEnd = position.levelEnd;
      this.#levels.splice(0, this.#levels.length, ...position.levels);
      for (const [finding, state] of position.findings) this.#findingAt.set(finding, state);
      for (const [id, state] of position.broken) {
        const property = this.#properties.find((p) => p.id === id);
        if (property !== undefined) this.#brokenAt.set(property, state);
      }
      this.#stuckAt = position.stuck;
    } finally {
      checkpoint.close();
    }
  }

  readonly #pause = (): Promise<void> | undefined =>
    this.#clock.tick(() => ({
      states: this.#search.count(),
      transitions: this.#search.transitions(),
      depth: this.#levels.length - 1,
      frontier: this.#search.count() - this.#search.next(),
      ...(this.#checkpoints?.failure === undefined
        ? {}
        : { warning: `no checkpoint could be written: ${this.#checkpoints.failure}` }),
    }));

  #allViolated(): boolean {
    return (
      this.#properties.length > 0 &&
      this.#properties.every((p) =>
        p.check.c === "findings" ? p.check.findings.some((f) => this.#findingAt.has(f)) : this.#brokenAt.has(p),
      ) &&
      this.#modelError() === undefined
    );
  }

  #modelError(): number | undefined {
    return [...this.#findingAt.keys()].find((f) => this.#system.findings[f]!.kind === "model-error");
  }

  #cuts(): string {
    return Object.entries(this.#cut())
      .map(([kind, n]) => `${n} ${n === 1 ? "edge ends" : "edges end"} in ${kind}`)
      .join(", ");
  }

  #cut(): Record<string, number> {
    const cut: Record<string, number> = {};
    this.#system.findings.forEach((finding, f) => {
      const edges = this.#search.errors[f]!;
      if (edges > 0) cut[finding.kind] = (cut[finding.kind] ?? 0) + edges;
    });
    return cut;
  }

  #levelOf(state: number): number {
    let low = 0;
    let high = this.#levels.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.#levels[middle]! <= state) low = middle;
      else high = middle;
    }
    return low;
  }

  #depth(): number {
    let depth = this.#levels.length - 1;
    let error = Number.POSITIVE_INFINITY;
    for (const [f, state] of this.#findingAt) {
      if (this.#search.errors[f]! > 0 && this.#system.findings[f]!.error) {
        error = Math.min(error, this.#levelOf(state) + 1);
      }
    }
    if (error !== Number.POSITIVE_INFINITY) depth = Math.max(depth, error);
    return depth;
  }

  async #decide(stop: Stop | undefined): Promise<Outcome[]> {
    const modelError = this.#modelError();
    if (modelError !== undefined) {
      const { finding, schedule } = this.#edge(modelError);
      return this.#properties.map((p) => ({
        property: p.id,
        verdict: "inconclusive",
        reason: `the model is at fault: ${finding.message}`,
        finding,
        schedule,
      }));
    }
    const errors = { ...this.#cut() };
    const lost = stop === undefined ? await this.#lost() : undefined;
    const temporal = new Map(
      (await decideTemporal(this.#system, this.#properties, this.#remaining())).map((o) => [o.property, o]),
    );
    const outcomes = this.#properties.map((p): Outcome => {
      const found = temporal.get(p.id);
      if (found !== undefined) return found.verdict === "holds" ? this.#holds(p, errors) : found;
      const violated = this.#violation(p, lost);
      if (violated !== undefined) return violated;
      if (stop !== undefined) return { property: p.id, verdict: "inconclusive", reason: this.#stopped(stop) };
      const backward = p.check.c === "deadlock" || p.check.c === "stays-possible";
      if (backward && lost === undefined) {
        return { property: p.id, verdict: "inconclusive", reason: this.#stopped("time") };
      }
      return this.#holds(p, errors);
    });
    const implied = this.#system.properties
      .filter((p) => p.implied && !this.#properties.includes(p))
      .flatMap((p) => this.#violation(p, lost) ?? []);
    return [...outcomes, ...implied];
  }

  /** What is left of the budgets for a second search. */
  #remaining(): SearchOptions {
    return { ...this.#options, timeout: Math.max(0, this.#options.timeout - this.#clock.seconds) };
  }

  #stopped(stop: Stop): string {
    const reached = `${this.#search.count()} states found, ${this.#search.next()} explored, depth ${this.#levels.length - 1}`;
    if (stop === "time") return `time ran out: ${reached}`;
    if (stop === "memory") return `memory ran out: ${reached}`;
    return `stopped early: ${reached}`;
  }

  #holds(p: SysProperty, errors: Record<string, number>): Outcome {
    const { marks, what } = p.trigger;
    const reached =
      marks.length === 0 || marks.some((m) => this.#search.marks[m] === 1 || this.#system.initialMarks.includes(m));
    if (reached) return { property: p.id, verdict: "holds" };
    const cut = Object.values(errors).reduce((a, b) => a + b, 0);
    const beyond = cut > 0 ? ` (${cut} edges were cut by errors, behind which it may lie)` : "";
    return { property: p.id, verdict: "vacuous", reason: `no run reaches what it speaks of: ${what}${beyond}` };
  }

  /** The first transition with a finding. */
  #edge(f: number): { finding: Finding; schedule: Schedule } {
    const state = this.#findingAt.get(f)!;
    const values = unpack(this.#layout, this.#store.states, state * this.#layout.words);
    const taken = [...transactions(this.#system, this.#internal, values)].find((x) => x.at(-1)!.findings.includes(f));
    if (taken === undefined) throw new Error(`no transition of state ${state} has finding ${f}`);
    const { kind, message } = this.#system.findings[f]!;
    const way = this.#wayTo(state);
    const steps = [...way.steps, ...taken.map((firing) => stepOf(firing, way.names))];
    return { finding: { kind, message, thread: steps.at(-1)!.thread }, schedule: { steps } };
  }

  #wayTo(state: number): Way {
    return scheduleTo(this.#system, this.#layout, this.#store, this.#search, this.#permutations, this.#internal, state);
  }

  #violation(p: SysProperty, lost: readonly Lost[][] | undefined): Outcome | undefined {
    const { check } = p;
    if (check.c === "findings") {
      const first = check.findings
        .filter((f) => this.#findingAt.has(f))
        .sort((a, b) => this.#findingAt.get(a)! - this.#findingAt.get(b)! || a - b)[0];
      if (first === undefined) return undefined;
      const { finding, schedule } = this.#edge(first);
      return { property: p.id, verdict: "violated", finding, schedule, depthExact: true };
    }
    if (check.c === "deadlock") return this.#deadlockOf(p, lost);
    if (check.c === "stays-possible") return this.#goalLost(p, lost);
    const state = this.#brokenAt.get(p);
    if (state === undefined) return undefined;
    return {
      property: p.id,
      verdict: "violated",
      finding: { kind: p.kind, message: p.message },
      schedule: { steps: this.#wayTo(state).steps },
      depthExact: true,
    };
  }

  /** Per group of threads and goals. */
  async #lost(): Promise<Lost[][] | undefined> {
    if (this.#store.masks.length === 0) return [];
    const threads = this.#system.threads.length;
    const symmetry = this.#orbits.length > 0 ? this.#permutations : undefined;
    const result: Lost[][] = [];
    // Looking at transitions again must not count them again.
    const counted = this.#search.errors.slice();
    for (let g = 0; g < this.#generated.groups; g++) {
      let goals = 0;
      for (let k = 0; k < this.#goals.length; k++) {
        if (Math.floor((threads + k) / GROUP) === g) goals |= 1 << ((threads + k) % GROUP);
      }
      const all = this.#generated.groupMasks[g]!;
      let asked = this.#deadlock ? all : goals;
      if (!this.#deadlock && goals === 0) asked = 0;
      const lost =
        asked === 0
          ? []
          : await backwardReachability(this.#search, this.#store, g, asked, goals, symmetry, this.#pause, this.#clock);
      if (lost === undefined) {
        this.#search.errors.set(counted);
        // What the masks have gained by now is true, and need not be found again.
        this.#saveCheckpoint();
        return undefined;
      }
      result.push(lost);
    }
    this.#search.errors.set(counted);
    return result;
  }

  #deadlockOf(p: SysProperty, lost: readonly Lost[][] | undefined): Outcome | undefined {
    const violated = (state: number, doomed: readonly number[], depthExact: boolean): Outcome => {
      const way = this.#wayTo(state);
      const names = doomed.map((t) => way.names[t]!).sort((a, b) => a - b);
      const { finding } = classifyDeadlock(this.#system, way.state, names);
      return { property: p.id, verdict: "violated", finding, schedule: { steps: way.steps }, depthExact };
    };
    if (lost === undefined) {
      // Not all was explored, but a state in which nothing moves is a deadlock whatever the rest is.
      if (this.#stuckAt < 0) return undefined;
      const doomed = this.#system.threads.flatMap((_, t) => (this.#isBlocked(t, this.#stuckAt) ? [t] : []));
      return violated(this.#stuckAt, doomed, false);
    }
    const doomedAt = new Map<number, { doomed: number[]; cut: boolean }>();
    lost.forEach((list, g) => {
      for (const { state, bits, cutReachable } of list) {
        const entry = doomedAt.get(state) ?? { doomed: [], cut: cutReachable };
        for (let b = 0; b < GROUP && g * GROUP + b < this.#system.threads.length; b++) {
          if ((bits >>> b) & 1) entry.doomed.push(g * GROUP + b);
        }
        if (entry.doomed.length > 0) doomedAt.set(state, entry);
      }
    });
    const candidates = [...doomedAt].sort((a, b) => a[0] - b[0]);
    const sure = candidates.filter(([, { cut }]) => !cut);
    const chosen = sure.find(([state, { doomed }]) => this.#isSettled(state, doomed)) ?? sure[0];
    if (chosen !== undefined) return violated(chosen[0], chosen[1].doomed, true);
    if (candidates[0] === undefined) return undefined;
    const [state, { doomed }] = candidates[0];
    return this.#onlyCut(p, state, classifyDeadlock(this.#system, this.#values(state), doomed).finding.message);
  }

  #isSettled(state: number, doomed: readonly number[]): boolean {
    return classifyDeadlock(this.#system, this.#values(state), doomed).settled;
  }

  #onlyCut(p: SysProperty, state: number, what: string): Outcome {
    return {
      property: p.id,
      verdict: "inconclusive",
      reason: `only cut edges could rescue: ${this.#cuts()} (${what})`,
      schedule: { steps: this.#wayTo(state).steps },
    };
  }

  #isBlocked(t: number, state: number): boolean {
    return ((this.#search.blocked(Math.floor(t / GROUP), state) >>> (t % GROUP)) & 1) === 1;
  }

  #values(state: number) {
    return unpack(this.#layout, this.#store.states, state * this.#layout.words);
  }

  #goalLost(p: SysProperty, lost: readonly Lost[][] | undefined): Outcome | undefined {
    if (lost === undefined) return undefined;
    const bit = this.#system.threads.length + this.#goals.indexOf(p);
    const states = lost[Math.floor(bit / GROUP)]!.filter((l) => (l.bits >>> (bit % GROUP)) & 1);
    const first = states.find((l) => !l.cutReachable);
    if (first !== undefined) {
      return {
        property: p.id,
        verdict: "violated",
        finding: { kind: p.kind, message: p.message },
        schedule: { steps: this.#wayTo(first.state).steps },
        depthExact: true,
      };
    }
    return states[0] === undefined ? undefined : this.#onlyCut(p, states[0].state, p.message);
  }
}

function exprOf(p: SysProperty): SysExpr {
  if (p.check.c === "invariant" || p.check.c === "at-rest" || p.check.c === "stays-possible") return p.check.expr;
  throw new Error(`property ${p.id} has no expression`);
}
