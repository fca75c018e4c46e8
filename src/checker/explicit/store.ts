/**
 * The tables of a search and how they grow.
 *
 * Memory that is allocated but never written costs nothing on the systems Node runs on, so the arrays indexed by
 * state grow by large factors; the hash table, which is written everywhere, grows by two,
 * in place once it is large.
 */
import { type CountArray, LOAD, type MaskArray, type Search, type Tables } from "./codegen.ts";

/** Capacities the arrays indexed by state grow through; of the last, little of what is asked for is used. */
const STATES = [1 << 12, 1 << 16, 1 << 26];
const FIRST_SLOTS = 1 << 13;
/** Up to this size the table grows by more than two: putting the states into a new table costs more than the memory. */
const SMALL_TABLE = 1 << 24;
/** A table of `LARGE_TABLE` slots or more is part of one of `RESERVED_TABLE`, and grows in place. */
const LARGE_TABLE = 1 << 20;
const RESERVED_TABLE = 1 << 26;
/** Elements of the largest typed array of V8. */
const MOST_ELEMENTS = 2 ** 32;

export class Store implements Tables {
  states: Int32Array;
  links: CountArray;
  table: Int32Array;
  masks: MaskArray[];
  readonly #words: number;
  readonly #linkBits: number;
  /** Bits per group of masks; empty when masks are not kept. */
  readonly #maskBits: readonly number[];
  readonly #budget: number;

  /** `most`: successors a state can have. */
  constructor(words: number, most: number, maskBits: readonly number[], budget: number) {
    this.#words = words;
    this.#linkBits = most < 1 << 7 ? 8 : most < 1 << 15 ? 16 : 32;
    this.#maskBits = maskBits;
    this.#budget = budget;
    this.states = new Int32Array(STATES[0]! * words);
    this.links = newCounts(this.#linkBits, STATES[0]!);
    this.table = new Int32Array(FIRST_SLOTS);
    this.masks = maskBits.map((bits) => newCounts(bits, STATES[0]!));
  }

  get bytesPerState(): number {
    return [this.#linkBits, ...this.#maskBits].reduce((sum, bits) => sum + countBytes(bits), 4 * this.#words);
  }

  /** Makes room for `needed` states, of which `count` exist; false when the budget or the machine has no more. */
  grow(search: Search, needed: number): boolean {
    const count = search.count();
    let slots = this.table.length;
    while (slots * LOAD < needed) slots = slots < SMALL_TABLE / 4 ? slots * 8 : Math.max(slots * 2, SMALL_TABLE);
    const most = Math.min(Math.floor(MOST_ELEMENTS / this.#words), 2 ** 31 - 2);
    if (needed > most || 4 * slots + needed * this.bytesPerState > this.#budget) return false;
    try {
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
        };
        Object.assign(this, larger);
        return;
      } catch (error) {
        if (!(error instanceof RangeError) || states === needed) throw error;
      }
    }
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
