/**
 * The tables of a search and how they grow.
 *
 * Memory that is allocated but never written costs nothing on the systems Node runs on, so the arrays indexed by
 * state grow by large factors; the hash table, which is written everywhere, grows by two,
 * in place once it is large.
 */
import {
  type CountArray,
  type GraphTables,
  LOAD,
  type MaskArray,
  type PartSearch,
  type Search,
  type Tables,
} from "./codegen.ts";

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

/** What the store of one part of a divided search has that others have not: other threads look into it. */
export interface PartStore {
  /** Keep the number of each state's parent. */
  readonly parents: boolean;
  /** How many parts there are: each table is smaller by so much. */
  readonly parts: number;
}

export class Store implements Tables {
  states: Int32Array;
  links: CountArray;
  table: Int32Array;
  masks: MaskArray[];
  capacity = STATES[0]!;
  graph: { -readonly [K in keyof GraphTables]: GraphTables[K] } | undefined;
  /** Beside the table, and without edges. */
  readonly bytesPerState: number;
  /** Bytes that others take of the budget. */
  reserved = 0;
  readonly #words: number;
  readonly #linkBits: number;
  /** Bits per group of masks; empty when masks are not kept. */
  readonly #maskBits: readonly number[];
  /** Bits per state of what is kept of it in a graph. */
  readonly #graphBits: { readonly live: readonly number[]; readonly truths: number } | undefined;
  readonly #budget: number;
  readonly #shared: boolean;
  /** Sizes of tables are divided by 2 to this. */
  readonly #scale: number;

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
    part?: PartStore,
  ) {
    this.#graphBits = graph;
    this.#words = words;
    this.#linkBits = part === undefined ? (most < 1 << 7 ? 8 : most < 1 << 15 ? 16 : 32) : part.parents ? 32 : 0;
    this.#maskBits = maskBits;
    this.#budget = budget;
    this.#shared = part !== undefined;
    this.#scale = Math.ceil(Math.log2(part?.parts ?? 1));
    const links = this.#linkBits === 0 ? [] : [this.#linkBits];
    const kept = graph === undefined ? [] : [32, graph.truths, ...graph.live];
    this.bytesPerState = [...links, ...maskBits, ...kept].reduce((sum, b) => sum + countBytes(b), 4 * words);
    this.states = this.#new(32, this.capacity * words) as Int32Array;
    this.links = this.#newLinks(this.capacity);
    this.table = this.#new(32, FIRST_SLOTS >> this.#scale) as Int32Array;
    this.masks = maskBits.map((bits) => this.#new(bits, this.capacity));
    if (graph !== undefined) {
      this.graph = {
        first: this.#new(32, this.capacity + 1) as Int32Array,
        truths: this.#new(graph.truths, this.capacity),
        live: graph.live.map((bits) => this.#new(bits, this.capacity)),
        target: this.#new(32, EDGES[0]!) as Int32Array,
        thread: this.#new(8, EDGES[0]!) as Uint8Array,
      };
    }
  }

  #new(bits: number, length: number): CountArray {
    return countArray(bits, length, this.#shared);
  }

  #newLinks(states: number): CountArray {
    return this.#linkBits === 0 ? new Uint8Array(0) : this.#new(this.#linkBits, states);
  }

  /** States there is room for, in the table and in the budget too: most of the arrays is only promised. */
  get room(): number {
    const affordable = Math.max(STATES[0]!, this.#affordable(this.table.length));
    return Math.min(this.capacity, Math.floor(this.table.length * LOAD), affordable);
  }

  /** States that can be kept beside a table of so many slots; edges are looked at as they come. */
  #affordable(slots: number): number {
    return Math.floor((this.#budget - this.reserved - 4 * slots) / this.bytesPerState);
  }

  /**
   * Makes room for `needed` states, of which `count` exist, and `edges` edges where they are kept; false when the budget
   * or the machine has no more.
   */
  grow(search: Search | PartSearch, needed: number, edges = 0): boolean {
    const count = search.count();
    let slots = this.table.length;
    const small = SMALL_TABLE >> this.#scale;
    while (slots * LOAD < needed) slots = slots < small / 4 ? slots * 8 : Math.max(slots * 2, small);
    // Larger than need be is only for a budget that has room for it.
    while ((slots / 2) * LOAD >= needed && slots > this.table.length && this.#affordable(slots) < needed) slots /= 2;
    const most = Math.min(Math.floor(MOST_ELEMENTS / this.#words), 2 ** 31 - 2);
    const bytes = 4 * slots + needed * this.bytesPerState + (this.graph === undefined ? 0 : edges * EDGE_BYTES);
    if (needed > most || bytes + this.reserved > this.#budget) return false;
    try {
      if (this.graph !== undefined && "kept" in search && edges > this.graph.target.length) {
        this.#growEdges(search.kept(), edges);
      }
      if (needed > this.capacity) this.#growStates(needed, most, count);
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
          states: copied(this.states, this.#new(32, states * this.#words), count * this.#words),
          links: copied(this.links, this.#newLinks(states), count),
          masks: this.masks.map((masks, g) => copied(masks, this.#new(this.#maskBits[g]!, states), count)),
          graph: this.graph && {
            ...this.graph,
            first: copied(this.graph.first, this.#new(32, states + 1) as Int32Array, count + 1),
            truths: copied(this.graph.truths, this.#new(this.#graphBits!.truths, states), count),
            live: this.graph.live.map((live, g) => copied(live, this.#new(this.#graphBits!.live[g]!, states), count)),
          },
          capacity: states,
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
    const target = copied(graph.target, this.#new(32, edges) as Int32Array, kept);
    const thread = copied(graph.thread, this.#new(8, edges) as Uint8Array, kept);
    this.graph = { ...graph, target, thread };
  }

  #growTable(slots: number): void {
    const reserve = this.table.buffer.byteLength / 4;
    if (slots <= reserve) {
      this.table.fill(0);
      this.table = new Int32Array(this.table.buffer, 0, slots);
    } else if (slots >= LARGE_TABLE && slots <= RESERVED_TABLE) {
      this.table = new Int32Array(this.#new(32, RESERVED_TABLE).buffer, 0, slots);
    } else this.table = this.#new(32, slots) as Int32Array;
  }
}

/** An array whose elements have at least so many bits, in memory that other threads can be given or not. */
export function countArray(bits: number, length: number, shared: boolean): CountArray {
  const bytes = countBytes(bits);
  const buffer = shared ? new SharedArrayBuffer(length * bytes) : new ArrayBuffer(length * bytes);
  return bytes === 1 ? new Uint8Array(buffer) : bytes === 2 ? new Uint16Array(buffer) : new Int32Array(buffer);
}

function countBytes(bits: number): number {
  return bits <= 8 ? 1 : bits <= 16 ? 2 : 4;
}

function copied<T extends CountArray>(from: T, into: T, length: number): T {
  into.set(from.subarray(0, length));
  return into;
}
