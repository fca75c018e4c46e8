/** The threads of one search: when there are any to be had, what they are told, and what they take over. */
import type { SysProperty } from "../../spec/transition-system.ts";
import type { SearchOptions } from "../verdict.ts";
import type { Asked } from "./asked.ts";
import type { Clock } from "./clock.ts";
import { generate } from "./codegen.ts";
import { type ParallelPosition, ParallelSearch, type Tally } from "./parallel-search.ts";
import type { Image, PartImage, PartPlan } from "./part.ts";
import { DIVISION, type DivisionPlan, type Plan } from "./plan.ts";
import type { SequentialSearch } from "./sequential-search.ts";
import { countArray } from "./store.ts";
import { MOST_PARTS } from "./table-code.ts";

export class Division {
  readonly #asked: Asked;
  readonly #options: SearchOptions;
  readonly #plan: Plan;
  readonly #division: DivisionPlan;
  readonly #clock: Clock;
  readonly #pause: () => Promise<void> | undefined;
  #search: ParallelSearch | undefined;
  /** Threads taken from those that nobody used. */
  #borrowed = 0;
  /** No threads are to be had, or no memory for them. */
  #givenUp = false;

  constructor(asked: Asked, options: SearchOptions, plan: Plan, clock: Clock, pause: () => Promise<void> | undefined) {
    this.#asked = asked;
    this.#options = options;
    this.#plan = plan;
    this.#division = { ...DIVISION, ...plan.division };
    this.#clock = clock;
    this.#pause = pause;
  }

  /** The graph is kept by one thread only. */
  get #possible(): boolean {
    const { lossy, runs } = this.#asked;
    if (this.#givenUp || lossy || runs.length > 0 || this.#plan.inspect !== undefined) return false;
    return this.#options.spare !== undefined || this.#options.workers > 1;
  }

  /**
   * Starts threads for a search that has become large, and lets them take it over where that is worth while; to be asked
   * between two slices. Undefined: one thread goes on.
   */
  async takeOver(search: SequentialSearch): Promise<ParallelSearch | undefined> {
    const { start, divide, frontier, patient } = this.#division;
    if (!this.#possible || search.count < start) return undefined;
    this.#search ??= this.#start(2);
    if (this.#search === undefined) return undefined;
    const begun = patient ? await this.#search.begun() : this.#search.hasBegun;
    const worthwhile = search.count >= divide && search.atLevelStart && search.count - search.next >= frontier;
    if (begun === undefined || (begun && !worthwhile)) return undefined;
    if (begun && (await this.#search.takeOver(search.image(this.#keepParents), this.#tally(search))))
      return this.#search;
    this.#givenUp = true;
    await this.close();
    return undefined;
  }

  /** Threads for a search that several threads had begun, however many there are now. */
  resume(): ParallelSearch {
    this.#search = this.#start(1)!;
    return this.#search;
  }

  /** Ends the threads, and gives back those that were borrowed. */
  async close(): Promise<void> {
    await this.#search?.close();
    this.#search = undefined;
    if (this.#options.spare !== undefined) Atomics.add(this.#options.spare, 0, this.#borrowed);
    this.#borrowed = 0;
  }

  /** Arrays for what such a search has found, to be read into `tables` of it. */
  emptyImage({ bits, parts }: ParallelPosition): Image {
    const { layout, maskBits } = this.#asked;
    return {
      bits,
      parts: parts.map(
        (p): PartImage => ({
          ...p,
          states: countArray(32, p.count * layout.words, true) as Int32Array,
          parents: countArray(32, this.#keepParents ? p.count : 0, true) as Int32Array,
          masks: maskBits.map((bits) => countArray(bits, p.count, true)),
        }),
      ),
    };
  }

  /** The arrays of an image that a checkpoint keeps. */
  tables({ parts }: Image) {
    return parts.flatMap((p) => [p.states, ...(this.#keepParents ? [p.parents] : []), ...p.masks]);
  }

  /** The first pass backward over the graph uses them, unless symmetry has renamed what they are parents of. */
  get #keepParents(): boolean {
    return this.#asked.maskBits.length > 0 && this.#asked.reductions.orbits.length === 0;
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

  /** Undefined: there are not so many to be had. */
  #start(fewest: number): ParallelSearch | undefined {
    const count = this.#takeWorkers();
    if (count < fewest) return undefined;
    const { system, properties, invariants, atRest, modelErrors, layout, question, maskBits } = this.#asked;
    const { reductions, permutations } = this.#asked;
    const parents = this.#keepParents;
    const generated = generate(system, layout, { ...question, parts: { parents } });
    const { round, worker } = this.#division;
    const findings = system.findings.length;
    const plan: PartPlan = {
      text: generated.text,
      words: layout.words,
      most: generated.most,
      capacity: generated.capacity,
      parents,
      maskBits,
      budget: this.#options.memory / count,
      round,
      parts: count,
      bits: Math.ceil(Math.log2(count)),
      states: this.#plan.states ?? Number.POSITIVE_INFINITY,
      decided:
        this.#options.reduction && properties.length > 0
          ? { each: properties.map((p) => this.#sightsOf(p)), spoilt: modelErrors }
          : undefined,
      findings,
      invariants: invariants.length,
      sights: findings + invariants.length + atRest.length + 1,
    };
    return new ParallelSearch({
      layout,
      generated,
      plan,
      threads: system.threads.length,
      orbits: reductions.orbits,
      permutations,
      clock: this.#clock,
      pause: this.#pause,
      worker,
    });
  }

  /** What, when seen, is a violation of a property, as `PartPlan` numbers it. */
  #sightsOf(p: SysProperty): readonly number[] {
    const { system, invariants, atRest } = this.#asked;
    const findings = system.findings.length;
    if (p.check.c === "findings") return p.check.findings;
    if (p.check.c === "invariant") return [findings + invariants.indexOf(p)];
    if (p.check.c === "at-rest") return [findings + invariants.length + atRest.indexOf(p)];
    return [];
  }

  /** What the search by one thread has found besides states. */
  #tally(search: SequentialSearch): Tally {
    const { system, invariants, atRest } = this.#asked;
    const { transitions, marks, errors } = search.position;
    const seenAt = search.levelsSeen;
    const level = (n: number | undefined): number => (n === undefined ? 0 : n + 1);
    const seen = [
      ...system.findings.map((_, f) => level(seenAt.findings.get(f))),
      ...invariants.map((_, k) => level(seenAt.invariant.get(k))),
      ...atRest.map((_, k) => level(seenAt["at-rest"].get(k))),
      level(seenAt.stuck),
    ];
    return { transitions, marks, errors, seen };
  }
}
