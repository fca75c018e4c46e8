/**
 * The explicit-state engine: breadth-first search over the compiled transition system.
 *
 * Exact: every reachable state is stored in full, so `holds` is never the luck of a hash.
 */
import type { SysExpr, SysProperty, TransitionSystem } from "../../spec/transition-system.ts";
import type { Exploration, Finding, Outcome, Schedule, SearchOptions } from "../verdict.ts";
import { backwardReachability, type Lost } from "./backward-reachability.ts";
import { CheckpointFile, CheckpointSchedule, identityOf, type SearchIdentity } from "./checkpoint.ts";
import { CheckpointError } from "./checkpoint-error.ts";
import { Clock } from "./clock.ts";
import { GROUP, generate } from "./codegen.ts";
import { classifyDeadlock } from "./deadlock.ts";
import { type AskedOfRuns, askOfRuns, decideOnRuns, MOST_CONDITIONS, type RunVerdict } from "./fair-search.ts";
import { initialState, layOut, pack, unpack } from "./layout.ts";
import { askedOncePerOrbit, namesOf, type Reductions, reductionsFor } from "./reductions.ts";
import { scheduleTo, stepOf, transactions, type Way } from "./schedule.ts";
import { Store } from "./store.ts";
import { Permutations } from "./symmetry.ts";

/** States between two looks at the clock. */
const SLICE = 4096;

/** What is said of a temporal property that a run breaks, until the run itself is known. */
const BROKEN = "some fair run breaks it, but there was no room to find one without reductions";

type Stop = "time" | "memory" | "states" | "decided";

/**
 * Explores the system breadth-first and decides the properties asked for.
 *
 * Yields to the event loop several times a second. A budget that runs out makes undecided properties inconclusive;
 * all it throws is a CheckpointError, for a checkpoint it cannot go on from. With `reduction` off the whole graph is counted even after violations.
 *
 * Properties that no reduction tells apart are decided in one search. The counts are those of the first one.
 */
export async function check(system: TransitionSystem, options: SearchOptions): Promise<Exploration> {
  const clock = new Clock(options);
  const plan = { transactions: options.reduction };
  const remaining = (properties: readonly string[]): SearchOptions => ({
    ...options,
    properties,
    timeout: Math.max(0, options.timeout - clock.seconds),
    checkpoint: undefined,
  });
  const [first = [], ...others] = searches(system, options);
  const explorations = [await explore(system, { ...options, properties: first }, plan)];
  for (const properties of others) explorations.push(await explore(system, remaining(properties), plan));
  const result = explorations[0]!;
  const found = explorations.flatMap((e) =>
    e.outcomes.map((o): Outcome => {
      const same = e.reductions.join() === result.reductions.join();
      return same ? o : { ...o, reductions: e.reductions };
    }),
  );
  const reductionsOf = (o: Outcome) => o.reductions ?? result.reductions;
  const lookAgain = async (which: readonly Outcome[], reduction: boolean, how: Plan) => {
    if (which.length === 0) return [];
    const again = { ...remaining(which.map((o) => o.property)), reduction };
    return (await explore(system, again, how)).outcomes;
  };
  // Transactions count as one step, so a shorter schedule may exist: look again without them, within reason.
  const longer = found.filter((o) => o.verdict === "violated" && reductionsOf(o).includes("transactions"));
  const states = Math.max(200_000, 4 * (result.states ?? 0));
  const shorter = await lookAgain(longer, options.reduction, { transactions: false, states });
  const broken = found.filter((o) => o.verdict === "inconclusive" && o.reason === BROKEN);
  const lassos = await lookAgain(broken, false, { transactions: false });
  const outcomes = found.map((outcome): Outcome => {
    const { reductions } = outcome;
    const kept = reductions === undefined ? {} : { reductions };
    if (broken.includes(outcome)) {
      const o = lassos.find(({ property }) => property === outcome.property)!;
      if (o.verdict === "violated") return { ...o, ...kept };
      if (o.verdict === "inconclusive") {
        return { property: o.property, verdict: "inconclusive", reason: `${BROKEN}: ${o.reason}`, ...kept };
      }
      throw new Error(`a fair run breaks ${o.property} with reductions, and without them it ${o.verdict}`);
    }
    if (outcome.verdict !== "violated" || !longer.includes(outcome)) return outcome;
    const o = shorter.find(({ property }) => property === outcome.property);
    return o?.verdict === "violated" && o.depthExact ? { ...o, ...kept } : { ...outcome, depthExact: false };
  });
  const inOrder = (o: Outcome) => {
    const place = system.properties.findIndex((p) => p.id === o.property);
    return place < 0 ? system.properties.length : place;
  };
  return { ...result, outcomes: outcomes.sort((a, b) => inOrder(a) - inOrder(b)), seconds: clock.seconds };
}

/** The properties, by the search that decides them. */
function searches(system: TransitionSystem, options: SearchOptions): string[][] {
  const asked = system.properties.filter((p) => options.properties.includes(p.id));
  const temporal = asked.filter((p) => p.check.c === "temporal");
  const others = asked.filter((p) => p.check.c !== "temporal");
  const groups: { key: string; properties: SysProperty[] }[] = [];
  const wished = { symmetry: options.reduction, transactions: options.reduction };
  const keyOf = (properties: readonly SysProperty[]) => JSON.stringify(reductionsFor(system, properties, wished));
  // A checkpoint is of a search that keeps no edges.
  const apart = options.checkpoint !== undefined;
  if (others.length > 0 || apart || temporal.length === 0) groups.push({ key: keyOf(others), properties: others });
  for (const property of temporal) {
    const one = options.reduction ? askedOncePerOrbit(system, property) : property;
    const key = keyOf([one]);
    const fits = groups.find(
      (g, i) =>
        g.key === key && !(apart && i === 0) && askOfRuns([...g.properties, one]).conditions.length <= MOST_CONDITIONS,
    );
    if (fits === undefined) groups.push({ key, properties: [one] });
    else fits.properties.push(one);
  }
  return groups.map((g) => g.properties.map((p) => p.id));
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
  readonly #reductions: Reductions;
  readonly #permutations: Permutations;
  readonly #plan: Plan;
  /** The temporal properties; the graph is kept for them. */
  readonly #asked: readonly AskedOfRuns[];
  /** All has been explored; what is fired from now on has been seen. */
  #explored = false;
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
    this.#properties = system.properties
      .filter((p) => options.properties.includes(p.id))
      .map((p) => (options.reduction ? askedOncePerOrbit(system, p) : p));
    for (const p of this.#properties) {
      if (p.check.c === "invariant") this.#invariants.push(p);
      else if (p.check.c === "at-rest") this.#atRest.push(p);
      else if (p.check.c === "stays-possible") this.#goals.push(p);
    }
    this.#deadlock = this.#properties.some((p) => p.check.c === "deadlock");
    this.#layout = layOut(system);
    const masks = this.#deadlock || this.#goals.length > 0;
    this.#reductions = reductionsFor(system, this.#properties, {
      symmetry: options.reduction,
      transactions: plan.transactions,
    });
    const { orbits, internal } = this.#reductions;
    this.#permutations = new Permutations(system.threads.length, orbits);
    const runs = askOfRuns(this.#properties);
    this.#asked = runs.asked;
    this.#generated = generate(system, this.#layout, {
      invariants: this.#invariants.map(exprOf),
      atRest: this.#atRest.map(exprOf),
      goals: this.#goals.map(exprOf),
      masks,
      orbits,
      internal,
      kept: runs.asked.length > 0 ? runs.conditions : undefined,
      branchText: plan.branchText,
    });
    const total = system.threads.length + this.#goals.length;
    const maskBits = masks ? this.#generated.groupMasks.map((_, g) => Math.min(GROUP, total - g * GROUP)) : [];
    const live = this.#generated.groupMasks.map((_, g) => clamp(system.threads.length - g * GROUP, 0, GROUP));
    const graph = runs.asked.length > 0 ? { live, truths: runs.conditions.length } : undefined;
    this.#store = new Store(this.#layout.words, this.#generated.most, maskBits, options.memory, graph);
    this.#search = this.#generated.create({
      found: (finding, state) => {
        if (!this.#explored && !this.#findingAt.has(finding)) this.#findingAt.set(finding, state);
      },
      broken: (k, state) => this.#break(this.#invariants[k]!, state),
      restBroken: (k, state) => this.#break(this.#atRest[k]!, state),
      stuck: (state) => {
        if (this.#stuckAt < 0) this.#stuckAt = state;
      },
      grow: (states, edges) => this.#store.grow(this.#search, states, edges),
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
      reductions: namesOf(this.#reductions),
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
    this.#explored = true;
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
    const temporal = new Map((stop === undefined ? this.#decideOnRuns(errors) : []).map((o) => [o.property, o]));
    const outcomes = this.#properties.map((p): Outcome => {
      const found = temporal.get(p.id);
      if (found !== undefined) return this.#onRuns(p, found, errors);
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

  #decideOnRuns(cut: Readonly<Record<string, number>>): RunVerdict[] {
    return decideOnRuns(
      {
        system: this.#system,
        search: this.#search,
        store: this.#store,
        layout: this.#layout,
        permutations: this.#permutations,
        reductions: this.#reductions,
        cut,
        memory: this.#options.memory,
      },
      this.#asked,
    );
  }

  #onRuns(p: SysProperty, found: RunVerdict, errors: Record<string, number>): Outcome {
    if (found.verdict === "holds") return this.#holds(p, errors);
    if (found.verdict !== "broken") return found;
    // The caller looks again without reductions.
    return { property: p.id, verdict: "inconclusive", reason: BROKEN };
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
    const taken = [...transactions(this.#system, this.#reductions.internal, values)].find((x) =>
      x.at(-1)!.findings.includes(f),
    );
    if (taken === undefined) throw new Error(`no transition of state ${state} has finding ${f}`);
    const { kind, message } = this.#system.findings[f]!;
    const way = this.#wayTo(state);
    const steps = [...way.steps, ...taken.map((firing) => stepOf(firing, way.names))];
    return { finding: { kind, message, thread: steps.at(-1)!.thread }, schedule: { steps } };
  }

  #wayTo(state: number): Way {
    const { internal } = this.#reductions;
    return scheduleTo(this.#system, this.#layout, this.#store, this.#search, this.#permutations, internal, state);
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
    const symmetry = this.#reductions.orbits.length > 0 ? this.#permutations : undefined;
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

function clamp(n: number, low: number, high: number): number {
  return Math.max(low, Math.min(high, n));
}

function exprOf(p: SysProperty): SysExpr {
  if (p.check.c === "invariant" || p.check.c === "at-rest" || p.check.c === "stays-possible") return p.check.expr;
  throw new Error(`property ${p.id} has no expression`);
}
