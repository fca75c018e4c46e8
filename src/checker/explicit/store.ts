/**
 * The tables of a search and how they grow.
 *
 * Memory that is allocated but never written costs nothing on the systems Node runs on, so the arrays indexed by
 * state grow by large factors; the hash table, which is written everywhere, grows by two,
 * in place once it is large.
 */
import { type CountArray, type GraphTables, LOAD, type MaskArray, type Search, type Tables } from "./codegen.ts";

/** Capacities the arrays indexed by state grow through; of the last, little of what is asked for is used. */
const STATES = [1 << 12, 1 << 16, 1 << 26];
const FIRST_SLOTS = 1 << 13;
/** Up to this size the table grows by more than two: putting the states into a new table costs more than the memory. */
const SMALL_TABLE = 1 << 24;
/** A table of `LARGE_TABLE` slots or more is part of one of `RESERVED_TABLE`, and grows in place. */
const LARGE_TABLE = 1 << 20;
const RESERVED_TABLE = 1 << 26;
/** Edges kept: capacities for which memory is promised. Beyond, it is doubled. */
const EDGES = [1 << 14, 1 << 18, 1 << 22, 1 << 26];
const EDGE_BYTES = 5;
/** Elements of the largest typed array of V8. */
const MOST_ELEMENTS = 2 ** 32;

export class Store implements Tables {
  states: Int32Array;
  links: CountArray;
  table: Int32Array;
  masks: MaskArray[];
  graph: { -readonly [K in keyof GraphTables]: GraphTables[K] } | undefined;
  readonly #words: number;
  readonly #linkBits: number;
  /** Bits per group of masks; empty when masks are not kept. */
  readonly #maskBits: readonly number[];
  /** Bits per state of what is kept of it in a graph. */
  readonly #graphBits: { readonly live: readonly number[]; readonly truths: number } | undefined;
  readonly #budget: number;

  /**
   * @param most Successors a state can have.
   * @param graph Where the graph is kept: the threads of each group, and how many expressions are evaluated in each state.
   */
  constructor(
    words: number,
    most: number,
    maskBits: readonly number[],
    budget: number,
    graph?: { readonly live: readonly number[]; readonly truths: number },
  ) {
    this.#graphBits = graph;
    this.#words = words;
    this.#linkBits = most < 1 << 7 ? 8 : most < 1 << 15 ? 16 : 32;
    this.#maskBits = maskBits;
    this.#budget = budget;
    this.states = new Int32Array(STATES[0]! * words);
    this.links = newCounts(this.#linkBits, STATES[0]!);
    this.table = new Int32Array(FIRST_SLOTS);
    this.masks = maskBits.map((bits) => newCounts(bits, STATES[0]!));
    if (graph !== undefined) {
      this.graph = {
        first: new Int32Array(STATES[0]! + 1),
        truths: newCounts(graph.truths, STATES[0]!),
        live: graph.live.map((bits) => newCounts(bits, STATES[0]!)),
        target: new Int32Array(EDGES[0]!),
        thread: new Uint8Array(EDGES[0]!),
      };
    }
  }

  get bytesPerState(): number {
    const kept = this.#graphBits === undefined ? [] : [32, this.#graphBits.truths, ...this.#graphBits.live];
    return [this.#linkBits, ...this.#maskBits, ...kept].reduce((sum, bits) => sum + countBytes(bits), 4 * this.#words);
  }

  /**
   * Makes room for `needed` states, of which `count` exist, and `edges` edges where they are kept; false when the budget
   * or the machine has no more.
   */
  grow(search: Search, needed: number, edges = 0): boolean {
    const count = search.count();
    let slots = this.table.length;
    while (slots * LOAD < needed) slots = slots < SMALL_TABLE / 4 ? slots * 8 : Math.max(slots * 2, SMALL_TABLE);
    const most = Math.min(Math.floor(MOST_ELEMENTS / this.#words), 2 ** 31 - 2);
    const bytes = 4 * slots + needed * this.bytesPerState + (this.graph === undefined ? 0 : edges * EDGE_BYTES);
    if (needed > most || bytes > this.#budget) return false;
    try {
      if (this.graph !== undefined && edges > this.graph.target.length) this.#growEdges(search.kept(), edges);
      if (needed > this.links.length) this.#growStates(needed, most, count);
      const rehash = slots > this.table.length;
      if (rehash) this.#growTable(slots);
      search.bind(this);
      if (rehash) search.rehash();
      return true;
    } catch (error) {
      // V8 throws a RangeError when an array cannot be allocated.
      if (error instanceof RangeError) return false;
      throw error;
    }
  }

  #growStates(needed: number, most: number, count: number): void {
    const wished = Math.min(most, STATES.find((states) => states >= needed) ?? needed * 4);
    // Where so much cannot even be promised, modest steps may still do.
    for (const states of [wished, Math.min(most, needed * 2), needed]) {
      try {
        const larger = {
          states: copied(this.states, new Int32Array(states * this.#words), count * this.#words),
          links: copied(this.links, newCounts(this.#linkBits, states), count),
          masks: this.masks.map((masks, g) => copied(masks, newCounts(this.#maskBits[g]!, states), count)),
          graph: this.graph && {
            ...this.graph,
            first: copied(this.graph.first, new Int32Array(states + 1), count + 1),
            truths: copied(this.graph.truths, newCounts(this.#graphBits!.truths, states), count),
            live: this.graph.live.map((live, g) => copied(live, newCounts(this.#graphBits!.live[g]!, states), count)),
          },
        };
        Object.assign(this, larger);
        return;
      } catch (error) {
        if (!(error instanceof RangeError) || states === needed) throw error;
      }
    }
  }

  #growEdges(kept: number, needed: number): void {
    const graph = this.graph!;
    const edges = EDGES.find((n) => n >= needed) ?? needed * 2;
    const target = copied(graph.target, new Int32Array(edges), kept);
    const thread = copied(graph.thread, new Uint8Array(edges), kept);
    this.graph = { ...graph, target, thread };
  }

  #growTable(slots: number): void {
    const reserve = this.table.buffer.byteLength / 4;
    if (slots <= reserve) {
      this.table.fill(0);
      this.table = new Int32Array(this.table.buffer, 0, slots);
    } else if (slots >= LARGE_TABLE && slots <= RESERVED_TABLE) {
      this.table = new Int32Array(new ArrayBuffer(RESERVED_TABLE * 4), 0, slots);
    } else this.table = new Int32Array(slots);
  }
}

function countBytes(bits: number): number {
  return bits <= 8 ? 1 : bits <= 16 ? 2 : 4;
}

function newCounts(bits: number, states: number): CountArray {
  return bits <= 8 ? new Uint8Array(states) : bits <= 16 ? new Uint16Array(states) : new Int32Array(states);
}

function copied<T extends CountArray>(from: T, into: T, length: number): T {
  into.set(from.subarray(0, length));
  return into;
}
