/** The breadth-first search by one thread. */

import type { TransitionSystem } from "../../spec/transition-system.ts";
import type { StateValues } from "../state-values.ts";
import { backwardReachability, type Lost } from "./backward-reachability.ts";
import type { SequentialPosition } from "./checkpoint.ts";
import type { Clock } from "./clock.ts";
import type { FingerprintSearch, Generated, Search } from "./codegen.ts";
import type { Discovery, Path } from "./discovery.ts";
import { foundShare, MANY } from "./found-share.ts";
import { type Layout, pack, unpack } from "./layout.ts";
import type { Image } from "./part.ts";
import type { Permutations } from "./permutations.ts";
import { transactions } from "./schedule.ts";
import { Store } from "./store.ts";
import { FINGERPRINT_BITS } from "./table-code.ts";

export interface SequentialOptions {
  readonly layout: Layout;
  readonly generated: Generated;
  readonly maskBits: readonly number[];
  /** Where the graph is kept: see `Store`. */
  readonly graph: { readonly live: readonly number[]; readonly truths: number } | undefined;
  /** Bytes. */
  readonly memory: number;
  /** Undefined: no symmetry. */
  readonly permutations: Permutations | undefined;
  readonly clock: Clock;
  readonly pause: () => Promise<void> | undefined;
  /** Present where only fingerprints of states are stored: what is needed to find a state again. */
  readonly fingerprints?: FingerprintOptions | undefined;
}

export interface FingerprintOptions {
  readonly system: TransitionSystem;
  /** Per thread and location: its step runs at once after the one before it. */
  readonly internal: readonly (readonly boolean[])[];
}

/** States of the frontier there is room for at first. */
const FRONTIER = 1 << 12;

export class SequentialSearch implements Discovery {
  /** All has been explored; what is fired from now on has been seen. */
  explored = false;
  readonly #options: SequentialOptions;
  readonly #layout: Layout;
  readonly #store: Store;
  readonly #search: Search;
  /** First state (in breadth-first order) at which something was seen. */
  readonly #findingAt = new Map<number, number>();
  readonly #brokenAt = { invariant: new Map<number, number>(), "at-rest": new Map<number, number>() };
  #stuckAt = -1;
  /** Words of the frontier's states, where only fingerprints are stored of others. */
  #frontier = new Int32Array(0);
  /** Of states whose fingerprints are stored, the words of those that have been asked for. */
  readonly #recalled = new Map<number, Int32Array>();
  /** Number of the first state of each level. */
  readonly #levels: number[] = [0];
  /** Number of the first state beyond the level that is being expanded. */
  #levelEnd = 1;

  constructor(options: SequentialOptions) {
    const { layout, generated, maskBits, memory, graph } = options;
    this.#options = options;
    this.#layout = layout;
    this.#store = new Store(
      options.fingerprints ? FINGERPRINT_BITS / 32 : layout.words,
      generated.most,
      maskBits,
      memory,
      graph,
    );
    const note = (into: Map<number, number>, key: number, state: number): void => {
      if (!into.has(key)) into.set(key, state);
    };
    this.#search = generated.create({
      found: (finding, state) => {
        if (!this.explored) note(this.#findingAt, finding, state);
      },
      broken: (k, state) => note(this.#brokenAt.invariant, k, state),
      restBroken: (k, state) => note(this.#brokenAt["at-rest"], k, state),
      stuck: (state) => {
        if (this.#stuckAt < 0) this.#stuckAt = state;
      },
      grow: (states, edges) => this.#widen(states) && this.#store.grow(this.#search, states, edges),
    });
    this.#search.bind(this.#store);
    this.#widen(FRONTIER);
  }

  get #fingerprints(): FingerprintSearch | undefined {
    return this.#options.fingerprints === undefined ? undefined : (this.#search as FingerprintSearch);
  }

  /** Makes room in the frontier for states up to number `needed`; false: no memory. */
  #widen(needed: number): boolean {
    const search = this.#fingerprints;
    if (search === undefined) return true;
    const { words } = this.#layout;
    const wanted = (needed - search.base()) * words;
    if (wanted <= this.#frontier.length) return true;
    const used = search.count() * this.#store.bytesPerState + 4 * this.#store.table.length;
    for (const length of [2 * wanted, wanted]) {
      if (4 * length + used > this.#options.memory) continue;
      try {
        const larger = new Int32Array(length);
        larger.set(this.#frontier.subarray(0, (search.count() - search.base()) * words));
        this.#frontier = larger;
        this.#store.reserved = 4 * length;
        search.widen(larger);
        return true;
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
      }
    }
    return false;
  }

  start(initial: Int32Array): void {
    if (this.#options.fingerprints !== undefined) {
      const root = initial.slice();
      this.#search.canonical(root);
      this.#recalled.set(0, root);
    }
    this.#search.root(initial);
    this.#search.setLevelEnd(this.#levelEnd);
  }

  /** Expands up to so many states of the level; true unless out of memory. */
  run(states: number): boolean {
    return this.#search.run(states);
  }

  get levelComplete(): boolean {
    return this.#search.next() === this.#levelEnd;
  }

  /** Nothing of the level has been expanded yet. */
  get atLevelStart(): boolean {
    return this.next === this.#levels.at(-1);
  }

  nextLevel(): void {
    this.#fingerprints?.advance();
    if (this.#search.count() > this.#levelEnd) this.#levels.push(this.#levelEnd);
    this.#levelEnd = this.#search.count();
    this.#search.setLevelEnd(this.#levelEnd);
  }

  /** What is left when all has been explored, for questions about runs. */
  get kept() {
    return { search: this.#search, store: this.#store };
  }

  get count(): number {
    return this.#search.count();
  }

  get next(): number {
    return this.#search.next();
  }

  get transitions(): number {
    return this.#search.transitions();
  }

  get depth(): number {
    return this.#levels.length - 1;
  }

  get share(): number | undefined {
    const starts = this.#levels.slice(-MANY - 1);
    return foundShare(
      starts.at(-1)!,
      starts.slice(1).map((start, k) => start - starts[k]!),
    );
  }

  marked(mark: number): boolean {
    return this.#search.marks[mark] === 1;
  }

  errors(finding: number): number {
    return this.#search.errors[finding]!;
  }

  levelOfFinding(finding: number): number | undefined {
    const state = this.#findingAt.get(finding);
    return state === undefined ? undefined : this.levelOf(state);
  }

  broken(kind: "invariant" | "at-rest", index: number): boolean {
    return this.#brokenAt[kind].has(index);
  }

  levelOf(state: number): number {
    let low = 0;
    let high = this.#levels.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.#levels[middle]! <= state) low = middle;
      else high = middle;
    }
    return low;
  }

  words(state: number): Int32Array {
    const { fingerprints } = this.#options;
    if (fingerprints !== undefined) return this.#recall(state, fingerprints);
    const { words } = this.#layout;
    return this.#store.states.subarray(state * words, (state + 1) * words);
  }

  /** Whether a state was found, or one that renamings make of it. */
  has(words: Int32Array): boolean {
    return this.#search.find(words) >= 0;
  }

  values(state: number): StateValues {
    return unpack(this.#layout, this.words(state), 0);
  }

  blocked(group: number, state: number): number {
    const search = this.#fingerprints;
    return search === undefined
      ? this.#search.blocked(group, state)
      : search.blockedIn(group, this.#recall(state, this.#options.fingerprints!));
  }

  canonical(words: Int32Array): readonly number[] | undefined {
    return this.#search.renaming(this.#search.canonical(words));
  }

  /** Numbers are in order of discovery, and breadth-first search finds each state first over a shortest path. */
  #pathTo(state: number): Path {
    const { links } = this.#store;
    const path = [state];
    let children = this.count;
    for (let parent = children - 1; path[0] !== 0; parent--) {
      children -= links[parent]! >> 1;
      if (path[0]! >= children) path.unshift(parent);
    }
    return path;
  }

  /** The words of a state of which the fingerprint is stored, worked out along the way to it. */
  #recall(state: number, { system, internal }: FingerprintOptions): Int32Array {
    const path = this.#pathTo(state);
    let known = path.findLastIndex((s) => this.#recalled.has(s));
    for (; known < path.length - 1; known++) {
      const next = path[known + 1]!;
      const words = new Int32Array(this.#layout.words);
      const sequences = [...transactions(system, internal, this.values(path[known]!))];
      const found = sequences.some((sequence) => {
        const { target } = sequence.at(-1)!;
        if (target === undefined) return false;
        pack(this.#layout, target, words, 0);
        this.#search.canonical(words);
        return this.#fingerprints!.isState(words, next);
      });
      if (!found) throw new Error(`no successor of state ${path[known]} has the fingerprint of state ${next}`);
      this.#recalled.set(next, words);
    }
    return this.#recalled.get(state)!;
  }

  async firstWithFinding(findings: readonly number[]): Promise<{ path: Path; finding: number }> {
    const at = this.#findingAt;
    const first = findings.filter((f) => at.has(f)).sort((a, b) => at.get(a)! - at.get(b)! || a - b)[0]!;
    return { path: this.#pathTo(at.get(first)!), finding: first };
  }

  async firstBroken(kind: "invariant" | "at-rest", index: number): Promise<Path> {
    return this.#pathTo(this.#brokenAt[kind].get(index)!);
  }

  async firstStuck(): Promise<Path | undefined> {
    return this.#stuckAt < 0 ? undefined : this.#pathTo(this.#stuckAt);
  }

  async firstOf(states: readonly number[]): Promise<Path> {
    return this.#pathTo(states.reduce((a, b) => Math.min(a, b)));
  }

  async lost(group: number, asked: number, goals: number): Promise<readonly Lost[] | undefined> {
    const { permutations, pause, clock } = this.#options;
    // Looking at transitions again must not count them again.
    const counted = this.#search.errors.slice();
    const lost = await backwardReachability(this.#search, this.#store, group, asked, goals, permutations, pause, clock);
    this.#search.errors.set(counted);
    return lost;
  }

  /** To be called between two slices only, when every successor of every expanded state is in the tables. */
  get position(): SequentialPosition {
    const search = this.#search;
    return {
      count: search.count(),
      next: search.next(),
      levelEnd: this.#levelEnd,
      transitions: search.transitions(),
      levels: this.#levels,
      marks: [...search.marks],
      errors: [...search.errors],
      findings: [...this.#findingAt],
      broken: [...this.#brokenAt.invariant],
      restBroken: [...this.#brokenAt["at-rest"]],
      stuck: this.#stuckAt,
    };
  }

  /** The arrays that make up the search, as far as they are used. */
  tables(count = this.count) {
    const { states, links, masks } = this.#store;
    return [states.subarray(0, count * this.#layout.words), ...[links, ...masks].map((t) => t.subarray(0, count))];
  }

  /** Makes room for so many states, to be read into `tables`; false: no memory. */
  reserve(count: number): boolean {
    return this.#store.grow(this.#search, count);
  }

  /** Goes on from a position whose tables have been read. */
  restore(position: SequentialPosition): void {
    this.#search.restore(position.count, position.next, position.transitions);
    this.#search.rehash();
    this.#search.marks.set(position.marks);
    this.#search.errors.set(position.errors);
    this.#levelEnd = position.levelEnd;
    this.#search.setLevelEnd(this.#levelEnd);
    this.#levels.splice(0, this.#levels.length, ...position.levels);
    for (const [finding, state] of position.findings) this.#findingAt.set(finding, state);
    for (const [k, state] of position.broken) this.#brokenAt.invariant.set(k, state);
    for (const [k, state] of position.restBroken) this.#brokenAt["at-rest"].set(k, state);
    this.#stuckAt = position.stuck;
  }

  /** Distances from the initial state at which things were first seen. */
  get levelsSeen() {
    const level = (at: ReadonlyMap<number, number>): Map<number, number> =>
      new Map([...at].map(([key, state]) => [key, this.levelOf(state)]));
    return {
      findings: level(this.#findingAt),
      invariant: level(this.#brokenAt.invariant),
      "at-rest": level(this.#brokenAt["at-rest"]),
      stuck: this.#stuckAt < 0 ? undefined : this.levelOf(this.#stuckAt),
    };
  }

  /** The search in memory that other threads can read, for them to go on from. */
  image(parents: boolean): Image {
    const { count } = this;
    const shared = <T extends Int32Array | Uint8Array | Uint16Array>(table: T, length: number): T => {
      const copy = new (table.constructor as new (buffer: SharedArrayBuffer) => T)(
        new SharedArrayBuffer(length * table.BYTES_PER_ELEMENT),
      );
      copy.set(table.subarray(0, length));
      return copy;
    };
    const { states, masks } = this.#store;
    return {
      bits: 0,
      parts: [
        {
          count,
          next: this.next,
          levelEnd: this.#levelEnd,
          levels: this.#levels,
          states: shared(states, count * this.#layout.words),
          parents: parents ? this.#parents() : new Int32Array(0),
          masks: masks.map((m) => shared(m, count)),
        },
      ],
    };
  }

  /** Of each state, its parent, or the complement of that where an optional transition led to it. */
  #parents(): Int32Array {
    const { links } = this.#store;
    const parents = new Int32Array(new SharedArrayBuffer(4 * this.count));
    let child = 1;
    for (let parent = 0; parent < this.next; parent++) {
      for (let k = links[parent]! >> 1; k > 0; k--, child++)
        parents[child] = (links[child]! & 1) === 1 ? ~parent : parent;
    }
    return parents;
  }
}
