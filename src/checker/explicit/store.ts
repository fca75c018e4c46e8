/**
 * The tables of a search and how they grow.
 *
 * Memory that is allocated but never written costs nothing on the systems Node runs on, so the arrays indexed by
 * state grow by large factors; the hash table, which is written everywhere, grows by two.
 */
import { LOAD, type MaskArray, type Search, type Tables } from "./codegen.ts";

const FIRST_STATES = 1 << 12;
const FIRST_SLOTS = 1 << 13;
/** Elements of the largest typed array of V8. */
const MOST_ELEMENTS = 2 ** 32;

export class Store implements Tables {
  states: Int32Array;
  parents: Int32Array;
  table: Int32Array;
  masks: MaskArray[];
  readonly #words: number;
  /** Bits per group of masks; empty when masks are not kept. */
  readonly #maskBits: readonly number[];
  readonly #budget: number;

  constructor(words: number, maskBits: readonly number[], budget: number) {
    this.#words = words;
    this.#maskBits = maskBits;
    this.#budget = budget;
    this.states = new Int32Array(FIRST_STATES * words);
    this.parents = new Int32Array(FIRST_STATES);
    this.table = new Int32Array(FIRST_SLOTS);
    this.masks = maskBits.map((bits) => newMasks(bits, FIRST_STATES));
  }

  get bytesPerState(): number {
    return 4 * this.#words + 4 + this.#maskBits.reduce((sum, bits) => sum + maskBytes(bits), 0);
  }

  /** Makes room for `needed` states, of which `count` exist; false when the budget or the machine has no more. */
  grow(search: Search, needed: number): boolean {
    const count = search.count();
    try {
      let slots = this.table.length;
      while (slots * LOAD < needed) slots *= 2;
      let states = this.parents.length;
      if (states < needed) {
        const affordable = Math.floor((this.#budget - 4 * slots) / this.bytesPerState);
        const most = Math.min(affordable, Math.floor(MOST_ELEMENTS / this.#words), 2 ** 31 - 2);
        states = Math.min(Math.max(4 * states, needed), most);
      }
      if (states < needed || 4 * slots + needed * this.bytesPerState > this.#budget) return false;
      if (states > this.parents.length) {
        this.states = copied(this.states, new Int32Array(states * this.#words), count * this.#words);
        this.parents = copied(this.parents, new Int32Array(states), count);
        this.masks = this.masks.map((masks, g) => {
          const larger = newMasks(this.#maskBits[g]!, states);
          larger.set(masks.subarray(0, count));
          return larger;
        });
      }
      if (slots > this.table.length) {
        this.table = new Int32Array(slots);
        search.bind(this);
        search.rehash();
      } else search.bind(this);
      return true;
    } catch (error) {
      // V8 throws a RangeError when an array cannot be allocated.
      if (error instanceof RangeError) return false;
      throw error;
    }
  }
}

function maskBytes(bits: number): number {
  return bits <= 8 ? 1 : bits <= 16 ? 2 : 4;
}

function newMasks(bits: number, states: number): MaskArray {
  return bits <= 8 ? new Uint8Array(states) : bits <= 16 ? new Uint16Array(states) : new Int32Array(states);
}

function copied(from: Int32Array, into: Int32Array, length: number): Int32Array {
  into.set(from.subarray(0, length));
  return into;
}
