/**
 * The breadth-first search by several threads (see part.ts), as the thread sees it that started them and decides.
 *
 * What it finds does not depend on the number of threads: levels are complete one after the other, so counts and
 * distances are those of one thread, and where the first of several states is asked for, the order in which one thread
 * would have found them is worked out.
 */

import { IntList } from "../int-list.ts";
import type { StateValues } from "../state-values.ts";
import type { Orbit } from "../symmetry.ts";
import { type Lost, lostStates } from "./backward-reachability.ts";
import type { Clock } from "./clock.ts";
import { compile, type Generated, type PartSearch, type Tables } from "./codegen.ts";
import type { Discovery, Path } from "./discovery.ts";
import { firstFound } from "./first-found.ts";
import { foundShare, MANY } from "./found-share.ts";
import { type Layout, unpack } from "./layout.ts";
import { type Image, type PartPlan, type PartReport, type PartStop, PROGRESS, SIZES, sharedMemory } from "./part.ts";
import { PartThreadError, PartThreads } from "./part-threads.ts";
import type { Permutations } from "./permutations.ts";

/** Milliseconds between two looks at the clock. */
const TICK = 50;

/** What there is to go on from beside the states. */
export interface Tally {
  readonly transitions: number;
  readonly marks: readonly number[];
  readonly errors: readonly number[];
  /** Per sight (see `PartPlan`), 1 plus the level at which it was first seen, or 0. */
  readonly seen: readonly number[];
}

export interface ParallelOptions {
  readonly layout: Layout;
  /** Of the kind that searches a part. */
  readonly generated: Generated;
  readonly plan: PartPlan;
  readonly threads: number;
  readonly orbits: readonly Orbit[];
  readonly permutations: Permutations;
  readonly clock: Clock;
  readonly pause: () => Promise<void> | undefined;
  /** File of the threads' program. */
  readonly worker: URL;
}

/** Where a divided search stands. */
export interface ParallelPosition extends Tally {
  readonly bits: number;
  readonly parts: readonly Pick<PartReport, "count" | "next" | "levelEnd" | "levels">[];
}

export class ParallelSearch implements Discovery {
  readonly #options: ParallelOptions;
  readonly #threads: PartThreads;
  readonly #progress: Float64Array;
  readonly #sizes: Int32Array;
  readonly #seen: Int32Array;
  /** The host's own, which looks at the tables of all parts. */
  readonly #search: PartSearch;
  readonly #sightsExamined = new Set<number>();
  readonly #low: number;
  #before: Tally = { transitions: 0, marks: [], errors: [], seen: [] };
  #parts: readonly PartReport[] = [];
  #wanted = false;
  #hasBegun: boolean | undefined;

  /** Starts the threads, which takes a while in which others can work. */
  constructor(options: ParallelOptions) {
    const { plan, generated, worker } = options;
    this.#options = options;
    this.#low = (1 << plan.bits) - 1;
    const memory = sharedMemory(plan);
    this.#threads = new PartThreads(plan, memory, worker);
    void this.#threads.begun().then((begun) => {
      this.#hasBegun = begun;
    });
    this.#progress = new Float64Array(memory.progress);
    this.#sizes = new Int32Array(memory.sizes);
    this.#seen = new Int32Array(memory.seen);
    const { findings, invariants, sights } = plan;
    const examined = this.#sightsExamined;
    this.#search = compile<PartSearch>(generated.text, {
      found: (f) => examined.add(f),
      broken: (k) => examined.add(findings + k),
      restBroken: (k) => examined.add(findings + invariants + k),
      stuck: () => examined.add(sights - 1),
      grow: () => false,
    });
  }

  /** Whether all threads run. */
  async begun(): Promise<boolean> {
    return await this.#threads.begun();
  }

  /** The same as far as it is known by now. */
  get hasBegun(): boolean | undefined {
    return this.#hasBegun;
  }

  /** Takes over what has been found, when the threads have started; false: there is no memory for that. */
  async takeOver(image: Image, tally: Tally): Promise<boolean> {
    this.#before = tally;
    this.#seen.set(tally.seen);
    return await this.#threads.settle(image);
  }

  /**
   * Searches on; `wanted` is asked several times a second whether to stop, which it then does soon.
   *
   * @throws PartThreadError if a thread fails.
   */
  async run(wanted: () => boolean): Promise<PartStop> {
    this.#threads.ask(false);
    this.#wanted = false;
    const timer = setInterval(() => {
      void this.#options.pause();
      if (this.#wanted || !wanted()) return;
      this.#wanted = true;
      this.#threads.ask(true);
    }, TICK);
    try {
      this.#parts = await this.#threads.explore();
    } finally {
      clearInterval(timer);
    }
    const stop = this.#parts[0]!.stop;
    if (stop === "abandoned" || this.#parts.some((p) => p.stop !== stop)) {
      throw new PartThreadError(new Error("the threads do not agree on why they stopped"));
    }
    this.#see();
    return stop;
  }

  #see(): void {
    const { plan } = this.#options;
    const tables = this.#parts.map((p) => p.tables);
    const { table, states, room } = tables[0]!;
    // It keeps no masks: what it would write is what the parts have found.
    const none: Tables = {
      table,
      states,
      room,
      links: new Uint8Array(0),
      masks: plan.maskBits.map(() => new Uint8Array(0)),
    };
    this.#search.bind(none);
    this.#search.divide({ parts: plan.parts, bits: plan.bits, own: 0, outboxes: tables.map(() => new Int32Array(0)) });
    this.#search.see(tables);
  }

  async close(): Promise<void> {
    await this.#threads.close();
  }

  #sum(k: number): number {
    let sum = 0;
    for (let part = 0; part < this.#options.plan.parts; part++) sum += this.#progress[part * PROGRESS + k]!;
    return sum;
  }

  // These are told while the threads search, too.
  get count(): number {
    return this.#sum(0);
  }

  get next(): number {
    return this.#sum(1);
  }

  get transitions(): number {
    return this.#before.transitions + this.#sum(2);
  }

  get depth(): number {
    return this.#progress[3]!;
  }

  get share(): number | undefined {
    const level = this.depth;
    const sizes: number[] = [];
    // A thread that has begun this level has told the size of the one before.
    for (let k = Math.max(0, level - MANY); k < level; k++) {
      let size = 0;
      for (let part = 0; part < this.#options.plan.parts; part++) size += this.#sizes[part * SIZES + (k % SIZES)]!;
      sizes.push(size);
    }
    return foundShare(this.#sum(4), sizes);
  }

  get position(): ParallelPosition {
    const { findings } = this.#options.plan;
    const marks = this.#parts[0]!.marks.map((_, m) => (this.marked(m) ? 1 : 0));
    const errors = Array.from({ length: findings }, (_, f) => this.errors(f));
    const seen = Array.from({ length: this.#options.plan.sights }, (_, sight) => this.#firstLevel(sight));
    return {
      bits: this.#options.plan.bits,
      parts: this.#parts.map(({ count, next, levelEnd, levels }) => ({ count, next, levelEnd, levels })),
      transitions: this.transitions,
      marks,
      errors,
      seen,
    };
  }

  /** The arrays that make up the search, as far as they are used. */
  tables() {
    const { words } = this.#options.layout;
    return this.#parts.flatMap(({ tables, count }) => [
      tables.states.subarray(0, count * words),
      ...[...(this.#options.plan.parents ? [tables.links] : []), ...tables.masks].map((t) => t.subarray(0, count)),
    ]);
  }

  marked(mark: number): boolean {
    return this.#before.marks[mark] === 1 || this.#parts.some((p) => p.marks[mark] === 1);
  }

  errors(finding: number): number {
    return this.#parts.reduce((sum, p) => sum + p.errors[finding]!, this.#before.errors[finding] ?? 0);
  }

  /** 1 plus the level at which something was first seen; 0: it was not. */
  #firstLevel(sight: number): number {
    const { parts, sights } = this.#options.plan;
    let first = 0;
    for (let part = 0; part < parts; part++) {
      const level = this.#seen[part * sights + sight]!;
      if (level > 0 && (first === 0 || level < first)) first = level;
    }
    return first;
  }

  levelOfFinding(finding: number): number | undefined {
    const level = this.#firstLevel(finding);
    return level === 0 ? undefined : level - 1;
  }

  #sightOf(kind: "invariant" | "at-rest", index: number): number {
    const { findings, invariants } = this.#options.plan;
    return findings + (kind === "invariant" ? 0 : invariants) + index;
  }

  broken(kind: "invariant" | "at-rest", index: number): boolean {
    return this.#firstLevel(this.#sightOf(kind, index)) > 0;
  }

  #at(state: number): { part: PartReport; index: number } {
    return { part: this.#parts[state & this.#low]!, index: state >>> this.#options.plan.bits };
  }

  levelOf(state: number): number {
    const { part, index } = this.#at(state);
    const { levels } = part;
    let low = 0;
    let high = levels.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (levels[middle]! <= index) low = middle;
      else high = middle;
    }
    // Of a level being expanded, successors are there already.
    return index >= part.levelEnd ? levels.length : low;
  }

  words(state: number): Int32Array {
    const { part, index } = this.#at(state);
    const { words } = this.#options.layout;
    return part.tables.states.subarray(index * words, (index + 1) * words);
  }

  values(state: number): StateValues {
    return unpack(this.#options.layout, this.words(state), 0);
  }

  blocked(group: number, state: number): number {
    return this.#search.blocked(group, state);
  }

  canonical(words: Int32Array): readonly number[] | undefined {
    return this.#search.renaming(this.#search.canonical(words));
  }

  /** States of a level, with the searched part's states that have been expanded only. */
  *#expanded(level: number): Generator<number> {
    const { bits } = this.#options.plan;
    for (let o = 0; o < this.#parts.length; o++) {
      const { levels, next } = this.#parts[o]!;
      const end = Math.min(next, levels[level + 1] ?? next);
      for (let i = levels[level]!; i < end; i++) yield (i << bits) | o;
    }
  }

  /** States of the nearest level at which one of these things is seen, with what is seen there. */
  async #nearest(sights: readonly number[]): Promise<Map<number, readonly number[]>> {
    const levels = sights.map((s) => this.#firstLevel(s)).filter((level) => level > 0);
    const level = levels.reduce((a, b) => Math.min(a, b)) - 1;
    const found = new Map<number, readonly number[]>();
    for (const state of this.#expanded(level)) {
      this.#sightsExamined.clear();
      this.#search.examine(state);
      const here = sights.filter((s) => this.#sightsExamined.has(s));
      if (here.length > 0) found.set(state, here);
      const wait = this.#options.pause();
      if (wait !== undefined) await wait;
    }
    return found;
  }

  async firstWithFinding(findings: readonly number[]): Promise<{ path: Path; finding: number }> {
    const nearest = await this.#nearest(findings);
    const path = await this.firstOf([...nearest.keys()]);
    const here = nearest.get(path.at(-1)!)!;
    return { path, finding: here.reduce((a, b) => Math.min(a, b)) };
  }

  async firstBroken(kind: "invariant" | "at-rest", index: number): Promise<Path> {
    return await this.firstOf([...(await this.#nearest([this.#sightOf(kind, index)])).keys()]);
  }

  async firstStuck(): Promise<Path | undefined> {
    const sight = this.#options.plan.sights - 1;
    if (this.#firstLevel(sight) === 0) return undefined;
    return await this.firstOf([...(await this.#nearest([sight])).keys()]);
  }

  async firstOf(states: readonly number[]): Promise<Path> {
    const level = states.reduce((least, s) => Math.min(least, this.levelOf(s)), Number.POSITIVE_INFINITY);
    const { bits } = this.#options.plan;
    const graph = { bits, parts: this.#parts, levelOf: (state: number) => this.levelOf(state) };
    const near = states.filter((s) => this.levelOf(s) === level);
    return await firstFound(this.#search, graph, near, this.#options.pause);
  }

  async lost(group: number, asked: number, goals: number): Promise<readonly Lost[] | undefined> {
    const { plan, threads, orbits, permutations, pause, clock } = this.#options;
    const tables = this.#parts.map((p) => p.tables);
    this.#threads.ask(false);
    const timer = setInterval(() => {
      void pause();
      if (clock.expired) this.#threads.ask(true);
    }, TICK);
    let answers: Awaited<ReturnType<PartThreads["lookBack"]>>;
    try {
      answers = await this.#threads.lookBack({ group, asked, goals, tables, threads, orbits });
    } finally {
      clearInterval(timer);
    }
    const open = new IntList();
    for (const answer of answers) {
      if (answer === undefined) return undefined;
      for (const state of answer.open) open.push(state);
    }
    const all = {
      masks: tables.map((t) => t.masks[group]!),
      bits: plan.bits,
      bound: Math.max(...this.#parts.map((p) => p.count)) << plan.bits,
    };
    const symmetry = orbits.length > 0 ? permutations : undefined;
    const question = { group, asked, goals, permutations: symmetry };
    return await lostStates(this.#search, all, open, question, pause, clock);
  }
}
