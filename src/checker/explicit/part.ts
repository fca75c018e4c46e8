/**
 * One part of a breadth-first search that is divided among threads.
 *
 * Each part owns the states whose hash says so, with a table and arrays of its own that only its thread writes: nothing
 * is locked, and no compare-and-swap is needed. A round expands some states of the part and puts successors that
 * belong to others into outboxes; at its end all threads meet, and each takes in what the others have for it, in the
 * order of the parts. So the states of a level are complete before the next begins (distances are exact), and the
 * numbering depends on the number of parts and on nothing else: not on which thread was faster.
 *
 * Owner computes by hash: Stern and Dill, Parallelizing the Murphi verifier, CAV 1997; rounds: bulk-synchronous parallelism,
 * Valiant, CACM 1990.
 */

import { IntList } from "../int-list.ts";
import type { Orbit } from "../symmetry.ts";
import { compile, type MaskArray, type PartSearch, type Tables } from "./codegen.ts";
import { Permutations } from "./permutations.ts";
import { Rendezvous } from "./rendezvous.ts";
import { Store } from "./store.ts";
import { elementSize } from "./table-code.ts";

/** Why a part has stopped, which is the same for all. */
export type PartStop = "complete" | "asked" | "memory" | "states" | "decided" | "abandoned";

/** How the parts go about it; the same for all. */
export interface PartPlan {
  readonly text: string;
  readonly words: number;
  readonly most: number;
  /** Most successors beyond those asked for in a round. */
  readonly capacity: number;
  readonly parents: boolean;
  readonly maskBits: readonly number[];
  /** Bytes for one part. */
  readonly budget: number;
  /** Successors found in a round. */
  readonly round: number;
  readonly parts: number;
  readonly bits: number;
  /** More states than this end the search when a level is complete. */
  readonly states: number;
  /**
   * The search is over when, of each of these lists, something has been seen, and nothing of `spoilt`; absent: it never
   * is. The numbers are indices of `seen`.
   */
  readonly decided?: { readonly each: readonly (readonly number[])[]; readonly spoilt: readonly number[] } | undefined;
  readonly findings: number;
  readonly invariants: number;
  /** Things that can be seen: findings, invariants, properties at rest, a state in which nothing moves. */
  readonly sights: number;
}

/** Memory that the threads share. */
export interface SharedMemory {
  readonly control: SharedArrayBuffer;
  /** Per turn, per sender, per receiver. */
  readonly outboxes: readonly (readonly (readonly SharedArrayBuffer[])[])[];
  /** Per part and sight, 1 plus the level at which it was first seen there, or 0. */
  readonly seen: SharedArrayBuffer;
  /** Per part: states found, states expanded, transitions, level, states of complete levels. */
  readonly progress: SharedArrayBuffer;
  /** Per part, the sizes of the last `SIZES` levels, each at the place of its number modulo that. */
  readonly sizes: SharedArrayBuffer;
}

export const PROGRESS = 5;
export const SIZES = 32;

/** States that have been found, in the order of their levels: what a search can be taken up from. */
export interface Image {
  readonly bits: number;
  readonly parts: readonly PartImage[];
}

export interface PartPosition {
  readonly count: number;
  readonly next: number;
  readonly levelEnd: number;
  /** Index of the first state of each level. */
  readonly levels: readonly number[];
}

export interface PartImage extends PartPosition {
  readonly states: Int32Array;
  /** Empty: not kept. */
  readonly parents: Int32Array;
  readonly masks: readonly MaskArray[];
}

export interface PartReport extends PartPosition {
  readonly stop: PartStop;
  readonly tables: Tables;
  readonly transitions: number;
  readonly marks: readonly number[];
  readonly errors: readonly number[];
}

/** Where a thread cannot reach a live move or a goal. */
export interface LookBack {
  readonly group: number;
  readonly asked: number;
  readonly goals: number;
  /** Of all parts. */
  readonly tables: readonly Tables[];
  readonly threads: number;
  readonly orbits: readonly Orbit[];
}

/** States whose question is still open, by number; undefined: there was no time. */
export type LookedBack = { readonly open: Int32Array } | undefined;

const FULL = 1;
const EXPANDED = 2;
const ASKED = 4;

export class Part {
  readonly #plan: PartPlan;
  readonly #own: number;
  readonly #rendezvous: Rendezvous;
  readonly #outboxes: readonly (readonly (readonly Int32Array[])[])[];
  readonly #search: PartSearch;
  readonly #store: Store;
  readonly #seen: Int32Array;
  readonly #progress: Float64Array;
  readonly #sizes: Int32Array;
  #levels: number[] = [];
  #levelEnd = 0;
  #turn = 0;

  constructor(plan: PartPlan, own: number, memory: SharedMemory) {
    this.#plan = plan;
    this.#own = own;
    this.#rendezvous = new Rendezvous(memory.control, plan.parts, own);
    this.#outboxes = memory.outboxes.map((turn) => turn.map((from) => from.map((box) => new Int32Array(box))));
    this.#seen = new Int32Array(memory.seen);
    this.#progress = new Float64Array(memory.progress, own * PROGRESS * 8, PROGRESS);
    this.#sizes = new Int32Array(memory.sizes, own * SIZES * 4, SIZES);
    this.#store = new Store(plan.words, plan.most, plan.maskBits, plan.budget, undefined, plan);
    const { findings, invariants, sights } = plan;
    const see = (sight: number): void => {
      const at = own * sights + sight;
      if (this.#seen[at] === 0) this.#seen[at] = this.#levels.length;
    };
    this.#search = compile<PartSearch>(plan.text, {
      found: see,
      broken: (k) => see(findings + k),
      restBroken: (k) => see(findings + invariants + k),
      stuck: () => see(sights - 1),
      grow: () => false,
    });
    this.#search.bind(this.#store);
    this.#divide();
  }

  #divide(): void {
    const { parts, bits } = this.#plan;
    this.#search.divide({ parts, bits, own: this.#own, outboxes: this.#outboxes[this.#turn]![this.#own]! });
  }

  /**
   * Takes what belongs here from the image, level by level, so that the order of the levels stays. False: there is no
   * memory for it.
   */
  settle(image: Image): boolean {
    const { bits, parts, parents } = this.#plan;
    const own = this.#own;
    const search = this.#search;
    const first = image.parts[0]!;
    // Of each old part, the levels; of the last level what is expanded and what is not; what lies beyond.
    const bounds = image.parts.map((p) => [...p.levels, p.next, p.levelEnd, p.count]);
    const numbers = parents ? image.parts.map((p) => new Int32Array(p.count)) : [];
    const counts = new Int32Array(parts);
    const starts: number[] = [];
    const total = image.parts.reduce((sum, p) => sum + p.count, 0);
    const share = Math.ceil((1.1 * total) / parts);
    if (share > this.#store.room && !this.#store.grow(search, share)) return false;
    for (let k = 0; k < bounds[0]!.length - 1; k++) {
      starts.push(search.count());
      for (const [o, p] of image.parts.entries()) {
        for (let i = bounds[o]![k]!; i < bounds[o]![k + 1]!; i++) {
          const part = search.partOf(p.states, i * this.#plan.words);
          if (parents) numbers[o]![i] = (counts[part]! << bits) | part;
          counts[part]!++;
          if (part !== own) continue;
          const at = search.count();
          if (at + 1 > this.#store.room && !this.#store.grow(search, at + 1)) return false;
          const parent = parents ? p.parents[i]! : 0;
          const optional = parent < 0;
          const number = optional ? ~parent : parent;
          const renumbered = parents ? numbers[number & ((1 << image.bits) - 1)]![number >>> image.bits]! : 0;
          search.adopt(optional ? ~renumbered : renumbered);
          p.masks.forEach((masks, g) => {
            this.#store.masks[g]![at] = masks[i]!;
          });
        }
      }
    }
    const [next, levelEnd] = starts.splice(first.levels.length);
    this.#levels = starts;
    for (let k = Math.max(1, starts.length - SIZES); k < starts.length; k++) {
      this.#sizes[(k - 1) % SIZES] = starts[k]! - starts[k - 1]!;
    }
    this.#levelEnd = levelEnd!;
    search.restore(search.count(), next!, 0);
    search.setLevelEnd(this.#levelEnd);
    this.#tell();
    return true;
  }

  explore(): PartStop {
    const { round, capacity, parts } = this.#plan;
    const search = this.#search;
    const own = this.#own;
    // What one round can bring here; and as much again, for what the others may send before they know this is full.
    const inbox = (parts - 1) * (round + capacity);
    const wanted = round + capacity + 2 * inbox;
    for (;;) {
      const needed = search.count() + wanted;
      const room = needed <= this.#store.room || this.#store.grow(search, needed);
      if (room) search.expand(round);
      const flags =
        (room ? 0 : FULL) |
        (search.next() === this.#levelEnd ? EXPANDED : 0) |
        (own === 0 && this.#rendezvous.asked ? ASKED : 0);
      const notices = this.#rendezvous.meet({ flags, count: search.count(), left: 0, filled: search.filled });
      if (notices === undefined) return "abandoned";
      for (let from = 0; from < parts; from++) {
        if (from !== own) search.absorb(this.#outboxes[this.#turn]![from]![own]!, notices[from]!.filled[own]!);
      }
      search.filled.fill(0);
      this.#turn ^= 1;
      this.#divide();
      this.#tell();
      if (notices.every((n) => (n.flags & EXPANDED) !== 0)) {
        const stop = this.#endLevel();
        if (stop !== undefined) return stop;
      }
      if (notices.some((n) => (n.flags & FULL) !== 0)) return "memory";
      if ((notices[0]!.flags & ASKED) !== 0) return "asked";
    }
  }

  #endLevel(): PartStop | undefined {
    const search = this.#search;
    const frontier = search.count() - this.#levelEnd;
    const notices = this.#rendezvous.meet({ flags: 0, count: search.count(), left: frontier, filled: search.filled });
    if (notices === undefined) return "abandoned";
    if (this.#decided()) return "decided";
    if (notices.reduce((sum, n) => sum + n.count, 0) > this.#plan.states) return "states";
    if (notices.every((n) => n.left === 0)) return "complete";
    this.#sizes[(this.#levels.length - 1) % SIZES] = this.#levelEnd - this.#levels.at(-1)!;
    this.#levels.push(this.#levelEnd);
    this.#levelEnd = search.count();
    search.setLevelEnd(this.#levelEnd);
    return undefined;
  }

  /** All threads come to the same answer, although some may already be in the next level. */
  #decided(): boolean {
    const { decided, parts, sights } = this.#plan;
    if (decided === undefined) return false;
    const level = this.#levels.length;
    const seen = (sight: number): boolean => {
      for (let part = 0; part < parts; part++) {
        const first = this.#seen[part * sights + sight]!;
        if (first > 0 && first <= level) return true;
      }
      return false;
    };
    return !decided.spoilt.some(seen) && decided.each.every((sights) => sights.some(seen));
  }

  #tell(): void {
    this.#progress[0] = this.#search.count();
    this.#progress[1] = this.#search.next();
    this.#progress[2] = this.#search.transitions();
    this.#progress[3] = this.#levels.length - 1;
    this.#progress[4] = this.#levels.at(-1)!;
  }

  report(stop: PartStop): PartReport {
    const { room, states, links, table, masks } = this.#store;
    const search = this.#search;
    return {
      stop,
      tables: { room, states, links, table, masks },
      count: search.count(),
      next: search.next(),
      levelEnd: this.#levelEnd,
      levels: this.#levels,
      transitions: search.transitions(),
      marks: [...search.marks],
      errors: [...search.errors],
    };
  }

  /**
   * The first passes of backward-reachability.ts over the states of this part, from the deepest level up, all parts
   * together. Threads write masks of states of other parts, without a lock: a bit lost that way is one found later,
   * since bits only say what is possible.
   */
  lookBack({ group, asked, goals, tables, threads, orbits }: LookBack): LookedBack {
    const { bits, parents } = this.#plan;
    const own = this.#own;
    const low = (1 << bits) - 1;
    const search = this.#search;
    search.see(tables);
    const all = tables.map((t) => t.masks[group]!);
    const masks = all[own]!;
    const links = this.#store.links;
    const permutations = orbits.length > 0 ? new Permutations(threads, orbits) : undefined;
    const { numbers } = search;
    const batch = new IntList();
    let open = new IntList();
    const need = (i: number): number => {
      const missing = asked & ~masks[i]!;
      return missing === 0 ? 0 : missing & (goals | search.blocked(group, (i << bits) | own));
    };
    const resolve = (): void => {
      const found = search.resolve();
      for (let k = 0; k < found; k++) {
        const source = search.sourceOf(k);
        if (source < 0) continue;
        const target = numbers[k]!;
        const mask = all[target & low]![target >>> bits]!;
        masks[source >>> bits]! |=
          permutations === undefined ? mask : permutations.pull(search.renaming(search.permutations[k]!), group, mask);
      }
      for (let k = 0; k < batch.length; k++) {
        const i = batch.data[k]!;
        if (need(i) !== 0) open.push(i);
      }
      batch.length = 0;
    };
    const look = (i: number): void => {
      batch.push(i);
      if (search.gather((i << bits) | own)) resolve();
    };
    const meet = (left: number): number | undefined => {
      const flags = own === 0 && this.#rendezvous.asked ? ASKED : 0;
      const notices = this.#rendezvous.meet({ flags, count: 0, left, filled: search.filled });
      if (notices === undefined || (notices[0]!.flags & ASKED) !== 0) return undefined;
      return notices.reduce((sum, n) => sum + n.left, 0);
    };
    let end = search.count();
    for (let level = this.#levels.length - 1; level >= 0; level--) {
      const start = this.#levels[level]!;
      for (let i = end - 1; i >= start; i--) if (need(i) !== 0) look(i);
      resolve();
      if (parents && level > 0) {
        for (let i = start; i < end; i++) {
          const parent = links[i]!;
          if (parent < 0) continue;
          const into = all[parent & low]!;
          const at = parent >>> bits;
          if ((masks[i]! & ~into[at]!) !== 0) into[at]! |= masks[i]!;
        }
      }
      if (meet(0) === undefined) return undefined;
      end = start;
    }
    // Where the graph goes back to states found earlier, another look settles most of what is left.
    let total = meet(open.length);
    for (let before = Number.POSITIVE_INFINITY; total !== undefined && total > 0 && total < before / 2; ) {
      before = total;
      const again = open;
      open = new IntList();
      for (let k = 0; k < again.length; k++) look(again.data[k]!);
      resolve();
      total = meet(open.length);
    }
    if (total === undefined) return undefined;
    return { open: Int32Array.from(open.data.subarray(0, open.length), (i) => (i << bits) | own) };
  }
}

/** Memory for a search of this plan. */
export function sharedMemory(plan: PartPlan): SharedMemory {
  const { parts, round, capacity, words, parents, sights } = plan;
  const range = Array.from({ length: parts }, (_, k) => k);
  const bytes = 4 * (round + 2 * capacity) * elementSize(words, parents);
  return {
    control: Rendezvous.memory(parts),
    outboxes: [0, 1].map(() => range.map(() => range.map(() => new SharedArrayBuffer(bytes)))),
    seen: new SharedArrayBuffer(4 * parts * sights),
    progress: new SharedArrayBuffer(8 * parts * PROGRESS),
    sizes: new SharedArrayBuffer(4 * parts * SIZES),
  };
}
