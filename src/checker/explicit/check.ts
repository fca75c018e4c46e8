/**
 * The explicit-state engine: breadth-first search over the compiled transition system.
 *
 * Exact: every reachable state is stored in full, so `holds` is never the luck of a hash. Where fingerprints are stored
 * instead, on request, nothing holds.
 */

import type { SysExpr, SysProperty, TransitionSystem } from "../../spec/transition-system.ts";
import { classifyDeadlock } from "../deadlock.ts";
import { initialState } from "../state-values.ts";
import type { Exploration, Finding, Outcome, Progress, Schedule, SearchOptions } from "../verdict.ts";
import type { Lost } from "./backward-reachability.ts";
import { CheckpointFile, CheckpointSchedule, identityOf, type SearchIdentity } from "./checkpoint.ts";
import { CheckpointError } from "./checkpoint-error.ts";
import { Clock } from "./clock.ts";
import { GROUP, generate, type Question } from "./codegen.ts";
import type { Discovery, Path } from "./discovery.ts";
import { type AskedOfRuns, askOfRuns, decideOnRuns, MOST_CONDITIONS, type RunVerdict } from "./fair-search.ts";
import { type Layout, layOut, pack } from "./layout.ts";
import { type ParallelPosition, ParallelSearch, type Tally } from "./parallel-search.ts";
import type { Image, PartImage, PartPlan } from "./part.ts";
import { Permutations } from "./permutations.ts";
import { askedOncePerOrbit, namesOf, type Reductions, reductionsFor } from "./reductions.ts";
import { scheduleTo, stepOf, transactions, type Way } from "./schedule.ts";
import { SequentialSearch } from "./sequential-search.ts";
import { FINGERPRINT_BITS, MOST_PARTS } from "./table-code.ts";

/** States between two looks at the clock. */
const SLICE = 4096;

/** What is said of a temporal property that a run breaks, until the run itself is known. */
const BROKEN = "some fair run breaks it, but there was no room to find one without reductions";

type Stop = "time" | "interrupt" | "memory" | "states" | "decided";

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
  const [first, ...others] = searches(system, options);
  const explorations = [
    await explore(system, { ...options, properties: first.properties }, { ...plan, reductions: first.reductions }),
  ];
  for (const { properties, reductions } of others) {
    explorations.push(await explore(system, remaining(properties), { ...plan, reductions }));
  }
  const result = explorations[0]!;
  const found = explorations.flatMap((e) =>
    e.outcomes.map((o): Outcome => {
      const { reductions, reductionsOff = [] } = e;
      const differ = (a: unknown, b: unknown) => JSON.stringify(a) !== JSON.stringify(b);
      return {
        ...o,
        ...(differ(reductions, result.reductions) && { reductions }),
        ...(differ(reductionsOff, result.reductionsOff ?? []) && { reductionsOff }),
      };
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
  const states = Math.max(200_000, 10 * (result.states ?? 0));
  const shorter = await lookAgain(longer, options.reduction, { transactions: false, states });
  const broken = found.filter((o) => o.verdict === "inconclusive" && o.reason === BROKEN);
  const lassos = await lookAgain(broken, false, { transactions: false });
  const outcomes = found.map((outcome): Outcome => {
    const { reductions, reductionsOff } = outcome;
    const kept = { ...(reductions && { reductions }), ...(reductionsOff && { reductionsOff }) };
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

interface OneSearch {
  readonly properties: readonly string[];
  readonly reductions: Reductions;
}

/** The properties, by the search that decides them. */
export function searches(system: TransitionSystem, options: SearchOptions): [OneSearch, ...OneSearch[]] {
  const asked = system.properties.filter((p) => options.properties.includes(p.id));
  const temporal = asked.filter((p) => p.check.c === "temporal");
  const others = asked.filter((p) => p.check.c !== "temporal");
  type Group = { properties: SysProperty[]; reductions: Reductions; key: string };
  const groups: Group[] = [];
  const wished = { symmetry: options.reduction, transactions: options.reduction };
  const groupOf = (properties: SysProperty[]): Group => {
    const reductions = reductionsFor(system, properties, wished);
    const { orbits, internal } = reductions;
    return { properties, reductions, key: JSON.stringify({ orbits, internal }) };
  };
  // A checkpoint is of a search that keeps no edges.
  const apart = options.checkpoint !== undefined;
  if (others.length > 0 || apart || temporal.length === 0) groups.push(groupOf(others));
  for (const property of temporal) {
    const one = options.reduction ? askedOncePerOrbit(system, property) : property;
    const alone = groupOf([one]);
    const fits = groups.find(
      (g, i) =>
        g.key === alone.key &&
        !(apart && i === 0) &&
        askOfRuns([...g.properties, one]).conditions.length <= MOST_CONDITIONS,
    );
    // What keeps the verdict of each keeps those of all.
    if (fits === undefined) groups.push(alone);
    else fits.properties.push(one);
  }
  const [first, ...more] = groups.map((g) => ({ properties: g.properties.map((p) => p.id), reductions: g.reductions }));
  return [first!, ...more];
}

/** One search. What it finds with transactions is true, but a shorter schedule may exist whatever it says. */
export async function explore(system: TransitionSystem, options: SearchOptions, plan: Plan): Promise<Exploration> {
  return await new Run(system, options, plan).explore();
}

/** How one search goes about it. */
export interface Plan {
  readonly transactions: boolean;
  /** Where it is known already what they are; absent: found out. */
  readonly reductions?: Reductions | undefined;
  /** Most states to find. */
  readonly states?: number;
  /** States between two looks at the clock. */
  readonly slice?: number;
  /** Characters a branch of generated code may have before it becomes a function. */
  readonly branchText?: number;
  /** Called when all has been explored by one thread; the search goes on even when all is decided. */
  readonly inspect?: (found: Inspected) => void;
  /** With more than one worker: how the search is divided among them; absent: as is fast. */
  readonly division?: Partial<DivisionPlan>;
}

/** The states of a search that has ended. */
export interface Inspected {
  readonly search: Pick<SequentialSearch, "count" | "words" | "has">;
  readonly layout: Layout;
  readonly reductions: Reductions;
}

interface DivisionPlan {
  /** States from which on threads are started. */
  readonly start: number;
  /** Threads take over at the start of a level with so many states found, and so many of the level to expand. */
  readonly divide: number;
  readonly frontier: number;
  /** Wait for the threads to have started; else one thread goes on meanwhile. */
  readonly patient: boolean;
  /** Successors each thread finds between two exchanges. */
  readonly round: number;
  /** The program of the threads. */
  readonly worker: URL;
}

/** Starting two threads and compiling in them takes 0.4 s of CPU time, in which one thread finds a million states. */
const DIVISION: DivisionPlan = {
  start: 3 << 19,
  divide: 3 << 19,
  frontier: 1 << 12,
  patient: false,
  round: 1 << 15,
  worker: new URL("./part-worker.js", import.meta.url),
};

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
  readonly #question: Question;
  readonly #generated;
  readonly #maskBits: readonly number[];
  readonly #reductions: Reductions;
  readonly #permutations: Permutations;
  readonly #plan: Plan;
  /** The temporal properties; the graph is kept for them. */
  readonly #asked: readonly AskedOfRuns[];
  readonly #sequential: SequentialSearch;
  #parallel: ParallelSearch | undefined;
  /** Threads taken from those that nobody used. */
  #borrowed = 0;
  /** Where what has been found is. */
  #found: Discovery;
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
    // Who can still move is worked out by firing states again, of which fingerprints say nothing.
    const masks = !this.#lossy && (this.#deadlock || this.#goals.length > 0);
    const wished = { symmetry: options.reduction, transactions: plan.transactions };
    this.#reductions = plan.reductions ?? reductionsFor(system, this.#properties, wished);
    const { orbits, internal } = this.#reductions;
    this.#permutations = new Permutations(system.threads.length, orbits);
    const runs = this.#lossy ? { asked: [], conditions: [] } : askOfRuns(this.#properties);
    this.#asked = runs.asked;
    this.#question = {
      invariants: this.#invariants.map(exprOf),
      atRest: this.#atRest.map(exprOf),
      goals: this.#goals.map(exprOf),
      masks,
      orbits,
      internal,
      kept: runs.asked.length > 0 ? runs.conditions : undefined,
      fingerprints: this.#lossy,
      branchText: plan.branchText,
    };
    this.#generated = generate(system, this.#layout, this.#question);
    const total = system.threads.length + this.#goals.length;
    this.#maskBits = masks ? this.#generated.groupMasks.map((_, g) => Math.min(GROUP, total - g * GROUP)) : [];
    const live = this.#generated.groupMasks.map((_, g) => clamp(system.threads.length - g * GROUP, 0, GROUP));
    this.#sequential = new SequentialSearch({
      layout: this.#layout,
      generated: this.#generated,
      maskBits: this.#maskBits,
      graph: runs.asked.length > 0 ? { live, truths: runs.conditions.length } : undefined,
      memory: options.memory,
      permutations: orbits.length > 0 ? this.#permutations : undefined,
      clock: this.#clock,
      pause: this.#pause,
      fingerprints: this.#lossy ? { system, internal } : undefined,
    });
    this.#found = this.#sequential;
    const { checkpoint } = options;
    if (checkpoint === undefined) return;
    if (this.#lossy) throw new CheckpointError("a search that stores fingerprints cannot be kept on disk");
    const asked = `${this.#properties.map((p) => p.id).join(", ")}; reductions ${options.reduction ? "on" : "off"}`;
    this.#identity = identityOf(system, {
      version: checkpoint.version,
      searchOptions: asked,
      program: this.#generated.text,
    });
    if (checkpoint.write !== undefined) this.#checkpoints = new CheckpointSchedule(checkpoint.write, checkpoint);
  }

  async explore(): Promise<Exploration> {
    try {
      const stop = await this.#searchBreadthFirst();
      const found = this.#found;
      const depth = this.#depth();
      const cut = this.#cut();
      const errors = Object.values(cut).reduce((a, b) => a + b, 0);
      const states = found.count + (errors > 0 ? 1 : 0);
      const transitions = found.transitions + errors;
      const outcomes = await this.#decide(stop);
      if (stop === undefined && found === this.#sequential) {
        this.#plan.inspect?.({ search: this.#sequential, layout: this.#layout, reductions: this.#reductions });
      }
      return {
        engine: "explicit",
        method: this.#lossy ? `bfs, ${FINGERPRINT_BITS}-bit fingerprints` : "bfs",
        // A state may have been taken for another one.
        complete: stop === undefined && !this.#lossy,
        states,
        transitions,
        depth,
        seconds: this.#clock.seconds,
        reductions: namesOf(this.#reductions),
        ...(this.#reductions.off.length > 0 && { reductionsOff: this.#reductions.off }),
        cut,
        outcomes,
      };
    } finally {
      await this.#endThreads();
    }
  }

  async #searchBreadthFirst(): Promise<Stop | undefined> {
    const search = this.#sequential;
    const { start, divide, frontier, patient } = this.#division;
    const resume = this.#options.checkpoint?.resume;
    if (resume === undefined) {
      const words = new Int32Array(this.#layout.words);
      pack(this.#layout, initialState(this.#system), words, 0);
      search.start(words);
    } else if (await this.#resume(resume)) return await this.#searchInParallel();
    let threads = this.#mayDivide;
    while (search.next < search.count) {
      if (!search.run(this.#plan.slice ?? SLICE)) {
        this.#saveCheckpoint();
        return "memory";
      }
      if (search.levelComplete) {
        const seeAll = !this.#options.reduction || this.#plan.inspect !== undefined;
        if (!seeAll && this.#allViolated()) return "decided";
        if (search.count > this.#mostStates) return "states";
        search.nextLevel();
      }
      const wait = this.#pause();
      if (wait !== undefined) await wait;
      if (this.#clock.expired && search.next < search.count) {
        this.#saveCheckpoint();
        return this.#outOfTime;
      }
      if (this.#checkpoints?.due === true) this.#saveCheckpoint();
      if (!threads || search.count < start) continue;
      this.#parallel ??= this.#startThreads(2);
      if (this.#parallel === undefined) continue;
      const begun = patient ? await this.#parallel.begun() : this.#parallel.hasBegun;
      const worthwhile = search.count >= divide && search.atLevelStart && search.count - search.next >= frontier;
      if (begun === undefined || (begun && !worthwhile)) continue;
      if (begun && (await this.#parallel.takeOver(search.image(this.#keepParents), this.#tally()))) {
        this.#found = this.#parallel;
        return await this.#searchInParallel();
      }
      // No threads are to be had, or no memory for them: one goes on.
      threads = false;
      await this.#endThreads();
    }
    search.explored = true;
    // What follows can take as long again.
    if ((this.#checkpoints?.written ?? 0) > 0) this.#saveCheckpoint();
    return undefined;
  }

  async #searchInParallel(): Promise<Stop | undefined> {
    for (;;) {
      const stop = await this.#parallel!.run(() => this.#clock.expired || this.#checkpoints?.due === true);
      if (stop === "states" || stop === "decided") return stop;
      if (stop === "complete") {
        if ((this.#checkpoints?.written ?? 0) > 0) this.#saveCheckpoint();
        return undefined;
      }
      const expired = this.#clock.expired;
      if (stop === "memory" || expired || this.#checkpoints?.due === true) this.#saveCheckpoint();
      if (stop === "memory" || expired) return stop === "memory" ? stop : this.#outOfTime;
    }
  }

  get #outOfTime(): Stop {
    return this.#clock.interrupted ? "interrupt" : "time";
  }

  get #lossy(): boolean {
    return this.#options.storage === "fingerprints";
  }

  get #division(): DivisionPlan {
    return { ...DIVISION, ...this.#plan.division };
  }

  get #mostStates(): number {
    return this.#plan.states ?? Number.POSITIVE_INFINITY;
  }

  /** The graph is kept by one thread only. */
  get #mayDivide(): boolean {
    if (this.#lossy || this.#plan.inspect !== undefined) return false;
    return this.#asked.length === 0 && (this.#options.spare !== undefined || this.#options.workers > 1);
  }

  /** Threads for the search, those nobody else uses among them, to be given back. */
  #takeWorkers(): number {
    const { spare, workers } = this.#options;
    if (spare === undefined) return Math.min(workers, MOST_PARTS);
    this.#borrowed = Atomics.exchange(spare, 0, 0);
    const tooMany = Math.max(0, this.#borrowed + 1 - MOST_PARTS);
    Atomics.add(spare, 0, tooMany);
    this.#borrowed -= tooMany;
    return this.#borrowed + 1;
  }

  async #endThreads(): Promise<void> {
    await this.#parallel?.close();
    this.#parallel = undefined;
    if (this.#options.spare !== undefined) Atomics.add(this.#options.spare, 0, this.#borrowed);
    this.#borrowed = 0;
  }

  /** The first pass backward over the graph uses them, unless symmetry has renamed what they are parents of. */
  get #keepParents(): boolean {
    return this.#maskBits.length > 0 && this.#reductions.orbits.length === 0;
  }

  /** Undefined: there are not so many to be had. */
  #startThreads(fewest: number): ParallelSearch | undefined {
    const parts = this.#takeWorkers();
    if (parts < fewest) return undefined;
    const parents = this.#keepParents;
    const generated = generate(this.#system, this.#layout, { ...this.#question, parts: { parents } });
    const { round, worker } = this.#division;
    const findings = this.#system.findings.length;
    const invariants = this.#invariants.length;
    const plan: PartPlan = {
      text: generated.text,
      words: this.#layout.words,
      most: generated.most,
      capacity: generated.capacity,
      parents,
      maskBits: this.#maskBits,
      budget: this.#options.memory / parts,
      round,
      parts,
      bits: Math.ceil(Math.log2(parts)),
      states: this.#mostStates,
      decided:
        this.#options.reduction && this.#properties.length > 0
          ? { each: this.#properties.map((p) => this.#sightsOf(p)), spoilt: this.#modelErrors }
          : undefined,
      findings,
      invariants,
      sights: findings + invariants + this.#atRest.length + 1,
    };
    return new ParallelSearch({
      layout: this.#layout,
      generated,
      plan,
      threads: this.#system.threads.length,
      orbits: this.#reductions.orbits,
      permutations: this.#permutations,
      clock: this.#clock,
      pause: this.#pause,
      worker,
    });
  }

  /** What, when seen, is a violation of a property, as `PartPlan` numbers it. */
  #sightsOf(p: SysProperty): readonly number[] {
    const findings = this.#system.findings.length;
    if (p.check.c === "findings") return p.check.findings;
    if (p.check.c === "invariant") return [findings + this.#invariants.indexOf(p)];
    if (p.check.c === "at-rest") return [findings + this.#invariants.length + this.#atRest.indexOf(p)];
    return [];
  }

  /** What the search by one thread has found besides states. */
  #tally(): Tally {
    const { transitions, marks, errors } = this.#sequential.position;
    const { findings, invariant, "at-rest": atRest, stuck } = this.#sequential.levelsSeen;
    const level = (n: number | undefined): number => (n === undefined ? 0 : n + 1);
    const seen = [
      ...this.#system.findings.map((_, f) => level(findings.get(f))),
      ...this.#invariants.map((_, k) => level(invariant.get(k))),
      ...this.#atRest.map((_, k) => level(atRest.get(k))),
      level(stuck),
    ];
    return { transitions, marks, errors, seen };
  }

  /** To be called only when every successor of every expanded state is in the tables. */
  #saveCheckpoint(): void {
    if (this.#checkpoints === undefined || this.#identity === undefined) return;
    if (this.#found === this.#parallel) {
      this.#checkpoints.write(this.#identity, this.#parallel.position, this.#parallel.tables);
    } else this.#checkpoints.write(this.#identity, this.#sequential.position, this.#sequential.tables());
  }

  /** True: it goes on with several threads, as the search did that was kept. */
  async #resume(file: string): Promise<boolean> {
    if (this.#identity === undefined) throw new Error("a search that is resumed has an identity");
    const checkpoint = new CheckpointFile(file, this.#identity);
    const noMemory = (states: number): CheckpointError =>
      new CheckpointError(`${file} holds ${states} states, for which there is not enough memory; raise --memory`);
    try {
      const { position } = checkpoint;
      if (!("parts" in position)) {
        if (!this.#sequential.reserve(position.count)) throw noMemory(position.count);
        checkpoint.read(this.#sequential.tables(position.count));
        this.#sequential.restore(position);
        return false;
      }
      const image = this.#emptyImage(position);
      checkpoint.read(image.parts.flatMap((p) => [p.states, ...(this.#keepParents ? [p.parents] : []), ...p.masks]));
      this.#parallel = this.#startThreads(1)!;
      this.#found = this.#parallel;
      if (!(await this.#parallel.begun())) {
        throw new CheckpointError(`${file} was written by several threads, and none can be started here`);
      }
      if (!(await this.#parallel.takeOver(image, position)))
        throw noMemory(position.parts.reduce((n, p) => n + p.count, 0));
      return true;
    } finally {
      checkpoint.close();
    }
  }

  #emptyImage({ bits, parts }: ParallelPosition): Image {
    const table = (count: number, bytes: number) => new SharedArrayBuffer(count * bytes);
    return {
      bits,
      parts: parts.map(
        (p): PartImage => ({
          ...p,
          states: new Int32Array(table(p.count, 4 * this.#layout.words)),
          parents: new Int32Array(table(this.#keepParents ? p.count : 0, 4)),
          masks: this.#maskBits.map((bits) =>
            bits <= 8
              ? new Uint8Array(table(p.count, 1))
              : bits <= 16
                ? new Uint16Array(table(p.count, 2))
                : new Int32Array(table(p.count, 4)),
          ),
        }),
      ),
    };
  }

  readonly #pause = (): Promise<void> | undefined => this.#clock.tick(() => this.#progress());

  #progress(): Progress {
    const { count, next, transitions, depth, share } = this.#found;
    const failure = this.#checkpoints?.failure;
    return {
      states: count,
      transitions,
      depth,
      frontier: count - next,
      // When all has been expanded, the question has become another one.
      ...(share === undefined || count === next ? {} : { share }),
      ...(failure === undefined ? {} : { warning: `no checkpoint could be written: ${failure}` }),
    };
  }

  #allViolated(): boolean {
    return (
      this.#properties.length > 0 &&
      this.#properties.every((p) =>
        p.check.c === "findings" ? p.check.findings.some((f) => this.#wasFound(f)) : this.#isBroken(p),
      ) &&
      !this.#modelErrors.some((f) => this.#wasFound(f))
    );
  }

  #wasFound(finding: number): boolean {
    return this.#found.levelOfFinding(finding) !== undefined;
  }

  #isBroken(p: SysProperty): boolean {
    if (p.check.c === "invariant") return this.#found.broken("invariant", this.#invariants.indexOf(p));
    return p.check.c === "at-rest" && this.#found.broken("at-rest", this.#atRest.indexOf(p));
  }

  get #modelErrors(): readonly number[] {
    return this.#system.findings.flatMap(({ kind }, f) => (kind === "model-error" ? [f] : []));
  }

  #cuts(): string {
    return Object.entries(this.#cut())
      .map(([kind, n]) => `${n} ${n === 1 ? "edge ends" : "edges end"} in ${kind}`)
      .join(", ");
  }

  #cut(): Record<string, number> {
    const cut: Record<string, number> = {};
    this.#system.findings.forEach((finding, f) => {
      const edges = this.#found.errors(f);
      if (edges > 0) cut[finding.kind] = (cut[finding.kind] ?? 0) + edges;
    });
    return cut;
  }

  #depth(): number {
    const found = this.#found;
    const errors = this.#system.findings.flatMap((finding, f) => {
      const level = found.levelOfFinding(f);
      return finding.error && level !== undefined && found.errors(f) > 0 ? [level + 1] : [];
    });
    return errors.length === 0 ? found.depth : Math.max(found.depth, Math.min(...errors));
  }

  async #decide(stop: Stop | undefined): Promise<Outcome[]> {
    const modelErrors = this.#modelErrors.filter((f) => this.#wasFound(f));
    if (modelErrors.length > 0) {
      const { finding, schedule } = await this.#edge(modelErrors);
      return this.#properties.map((p) => ({
        property: p.id,
        verdict: "inconclusive",
        reason: `the model is at fault: ${finding.message}`,
        finding,
        schedule,
      }));
    }
    const errors = { ...this.#cut() };
    const lost = stop === undefined && !this.#lossy ? await this.#lost() : undefined;
    const temporal = new Map((stop === undefined ? await this.#decideOnRuns(errors) : []).map((o) => [o.property, o]));
    const decide = async (p: SysProperty): Promise<Outcome> => {
      const found = temporal.get(p.id);
      if (found !== undefined) return this.#onRuns(p, found, errors);
      const violated = await this.#violation(p, lost);
      if (violated !== undefined) return violated;
      if (stop !== undefined) return { property: p.id, verdict: "inconclusive", reason: this.#stopped(stop) };
      if (this.#lossy) return { property: p.id, verdict: "inconclusive", reason: this.#probably(p) };
      const backward = p.check.c === "deadlock" || p.check.c === "stays-possible";
      if (backward && lost === undefined) {
        return { property: p.id, verdict: "inconclusive", reason: this.#stopped(this.#outOfTime) };
      }
      return this.#holds(p, errors);
    };
    const outcomes: Outcome[] = [];
    for (const p of this.#properties) outcomes.push(await decide(p));
    for (const p of this.#system.properties) {
      if (!p.implied || this.#properties.includes(p)) continue;
      const violated = await this.#violation(p, lost);
      if (violated !== undefined) outcomes.push(violated);
    }
    return outcomes;
  }

  async #decideOnRuns(cut: Readonly<Record<string, number>>): Promise<RunVerdict[]> {
    if (this.#asked.length === 0) return [];
    return await decideOnRuns(
      {
        clock: this.#clock,
        system: this.#system,
        ...this.#sequential.kept,
        layout: this.#layout,
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
    const reached = `${this.#found.count} states found, ${this.#found.next} explored, depth ${this.#found.depth}`;
    if (stop === "interrupt") {
      const { file = "", failure } = this.#checkpoints ?? {};
      const kept = failure === undefined ? `go on with --resume ${file}` : `no checkpoint could be written: ${failure}`;
      return `interrupted: ${reached}${this.#checkpoints === undefined ? "" : `; ${kept}`}`;
    }
    if (stop === "time") return `time ran out: ${reached}`;
    if (stop === "memory") return `memory ran out: ${reached}`;
    return `stopped early: ${reached}`;
  }

  /**
   * Why nothing found proves nothing, where fingerprints are stored. The number of states is a sum over pairs: each two
   * have the same fingerprint with a probability of 2^-64, if hashes are as good as random (Wolper and Leroy, Reliable
   * hashing without collision detection, CAV 1993; the bound of Stern and Dill, CHARME 1995, is not larger).
   */
  #probably(p: SysProperty): string {
    const { count } = this.#found;
    const omission = Math.min(1, (count * (count - 1)) / 2 / 2 ** FINGERPRINT_BITS);
    const stored = `only ${FINGERPRINT_BITS}-bit fingerprints of states were stored`;
    if (p.check.c === "temporal" || p.check.c === "stays-possible") return `${stored}, from which this is not decided`;
    const partial = p.check.c === "deadlock" ? " (that one thread alone never moves again was not looked for)" : "";
    return (
      `no violation found among ${count} states${partial}, but ${stored}: ` +
      `some state was missed with a probability of at most ${omission.toExponential(1)}`
    );
  }

  #holds(p: SysProperty, errors: Record<string, number>): Outcome {
    const { marks, what } = p.trigger;
    const reached =
      marks.length === 0 || marks.some((m) => this.#found.marked(m) || this.#system.initialMarks.includes(m));
    if (reached) return { property: p.id, verdict: "holds" };
    const cut = Object.values(errors).reduce((a, b) => a + b, 0);
    const beyond = cut > 0 ? ` (${cut} edges were cut by errors, behind which it may lie)` : "";
    return { property: p.id, verdict: "vacuous", reason: `no run reaches what it speaks of: ${what}${beyond}` };
  }

  /** The first transition with one of these findings. */
  async #edge(findings: readonly number[]): Promise<{ finding: Finding; schedule: Schedule }> {
    const { path, finding: f } = await this.#found.firstWithFinding(findings);
    const state = path.at(-1)!;
    const values = this.#found.values(state);
    const taken = [...transactions(this.#system, this.#reductions.internal, values)].find((x) =>
      x.at(-1)!.findings.includes(f),
    );
    if (taken === undefined) throw new Error(`no transition of state ${state} has finding ${f}`);
    const { kind, message } = this.#system.findings[f]!;
    const way = this.#way(path);
    const steps = [...way.steps, ...taken.map((firing) => stepOf(firing, way.names))];
    return { finding: { kind, message, thread: steps.at(-1)!.thread }, schedule: { steps } };
  }

  #way(path: Path): Way {
    return scheduleTo(this.#system, this.#layout, this.#found, this.#reductions.internal, path);
  }

  async #violation(p: SysProperty, lost: readonly (readonly Lost[])[] | undefined): Promise<Outcome | undefined> {
    const { check } = p;
    if (check.c === "findings") {
      const seen = check.findings.filter((f) => this.#wasFound(f));
      if (seen.length === 0) return undefined;
      const { finding, schedule } = await this.#edge(seen);
      return { property: p.id, verdict: "violated", finding, schedule, depthExact: true };
    }
    if (check.c === "deadlock") return await this.#deadlockOf(p, lost);
    if (check.c === "stays-possible") return await this.#goalLost(p, lost);
    if ((check.c !== "invariant" && check.c !== "at-rest") || !this.#isBroken(p)) return undefined;
    const index = (check.c === "invariant" ? this.#invariants : this.#atRest).indexOf(p);
    return this.#violated(p, await this.#found.firstBroken(check.c, index));
  }

  #violated(p: SysProperty, path: Path): Outcome {
    return {
      property: p.id,
      verdict: "violated",
      finding: { kind: p.kind, message: p.message },
      schedule: { steps: this.#way(path).steps },
      depthExact: true,
    };
  }

  /** Per group of threads and goals. */
  async #lost(): Promise<readonly (readonly Lost[])[] | undefined> {
    if (this.#maskBits.length === 0) return [];
    const threads = this.#system.threads.length;
    const result: (readonly Lost[])[] = [];
    for (let g = 0; g < this.#generated.groups; g++) {
      let goals = 0;
      for (let k = 0; k < this.#goals.length; k++) {
        if (Math.floor((threads + k) / GROUP) === g) goals |= 1 << ((threads + k) % GROUP);
      }
      const asked = this.#deadlock ? this.#generated.groupMasks[g]! : goals;
      const lost = asked === 0 ? [] : await this.#found.lost(g, asked, goals);
      if (lost === undefined) {
        // What the masks have gained by now is true, and need not be found again.
        this.#saveCheckpoint();
        return undefined;
      }
      result.push(lost);
    }
    return result;
  }

  async #deadlockOf(p: SysProperty, lost: readonly (readonly Lost[])[] | undefined): Promise<Outcome | undefined> {
    const found = this.#found;
    const violated = (path: Path, doomed: readonly number[], depthExact: boolean): Outcome => {
      const way = this.#way(path);
      const names = doomed.map((t) => way.names[t]!).sort((a, b) => a - b);
      const { finding } = classifyDeadlock(this.#system, way.state, names);
      return { property: p.id, verdict: "violated", finding, schedule: { steps: way.steps }, depthExact };
    };
    if (lost === undefined) {
      // Not all was explored, but a state in which nothing moves is a deadlock whatever the rest is.
      const path = await found.firstStuck();
      if (path === undefined) return undefined;
      const stuck = path.at(-1)!;
      const doomed = this.#system.threads.flatMap((_, t) => (this.#isBlocked(t, stuck) ? [t] : []));
      return violated(path, doomed, false);
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
    const candidates = [...doomedAt.keys()];
    const doomed = (state: number): readonly number[] => doomedAt.get(state)!.doomed;
    const sure = candidates.filter((state) => !doomedAt.get(state)!.cut);
    const settled = this.#nearest(sure, (state) => this.#isSettled(state, doomed(state)));
    const near = settled.length > 0 ? settled : sure;
    if (near.length > 0) {
      const path = await found.firstOf(near);
      return violated(path, doomed(path.at(-1)!), true);
    }
    if (candidates.length === 0) return undefined;
    const path = await found.firstOf(candidates);
    const state = path.at(-1)!;
    return this.#onlyCut(p, path, classifyDeadlock(this.#system, found.values(state), doomed(state)).finding.message);
  }

  /** Those of the states that pass a test and are nearest to the initial state; the test is spared the others. */
  #nearest(states: readonly number[], test: (state: number) => boolean): readonly number[] {
    const levels = new Map<number, number[]>();
    for (const state of states) {
      const level = this.#found.levelOf(state);
      const list = levels.get(level);
      if (list === undefined) levels.set(level, [state]);
      else list.push(state);
    }
    for (const [, list] of [...levels].sort((a, b) => a[0] - b[0])) {
      const passed = list.filter(test);
      if (passed.length > 0) return passed;
    }
    return [];
  }

  #isSettled(state: number, doomed: readonly number[]): boolean {
    return classifyDeadlock(this.#system, this.#found.values(state), doomed).settled;
  }

  #onlyCut(p: SysProperty, path: Path, what: string): Outcome {
    return {
      property: p.id,
      verdict: "inconclusive",
      reason: `only cut edges could rescue: ${this.#cuts()} (${what})`,
      schedule: { steps: this.#way(path).steps },
    };
  }

  #isBlocked(t: number, state: number): boolean {
    return ((this.#found.blocked(Math.floor(t / GROUP), state) >>> (t % GROUP)) & 1) === 1;
  }

  async #goalLost(p: SysProperty, lost: readonly (readonly Lost[])[] | undefined): Promise<Outcome | undefined> {
    if (lost === undefined) return undefined;
    const bit = this.#system.threads.length + this.#goals.indexOf(p);
    const states = lost[Math.floor(bit / GROUP)]!.filter((l) => (l.bits >>> (bit % GROUP)) & 1);
    const sure = states.filter((l) => !l.cutReachable);
    const path = async (list: readonly Lost[]): Promise<Path> => await this.#found.firstOf(list.map((l) => l.state));
    if (sure.length > 0) return this.#violated(p, await path(sure));
    return states.length === 0 ? undefined : this.#onlyCut(p, await path(states), p.message);
  }
}

function clamp(n: number, low: number, high: number): number {
  return Math.max(low, Math.min(high, n));
}

function exprOf(p: SysProperty): SysExpr {
  if (p.check.c === "invariant" || p.check.c === "at-rest" || p.check.c === "stays-possible") return p.check.expr;
  throw new Error(`property ${p.id} has no expression`);
}
