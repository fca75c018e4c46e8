/**
 * Where each piece of a state lives in its 32-bit words.
 *
 * No field straddles two words. The fields of one thread, and the elements of one array, lie side by side where that
 * costs no extra word: a step then changes few words, and an array can be indexed by shifting. A value is stored as
 * its distance from the least value of its range, so a constant takes no bits at all.
 */
import type { SysProgram, TransitionSystem } from "../../spec/transition-system.ts";
import type { StateValues } from "../state-values.ts";

export interface Field {
  readonly word: number;
  readonly shift: number;
  /** 0 (a constant) to 32. */
  readonly bits: number;
  /** The value stored as 0. */
  readonly base: number;
}

/** Elements `first` … `first + count - 1` of an array, side by side in one word. */
export interface Run {
  readonly first: number;
  readonly count: number;
  readonly field: Field;
}

export interface Layout {
  readonly words: number;
  readonly bits: number;
  /** Per variable, its elements. */
  readonly vars: readonly (readonly Field[])[];
  /** Per variable, how its elements lie, for indices known only at run time. */
  readonly runs: readonly (readonly Run[])[];
  /** Per thread. */
  readonly pcs: readonly Field[];
  /** Per thread and local of its program; undefined where the local is not stored. */
  readonly locals: readonly (readonly (Field | undefined)[])[];
}

/** Bits needed for the values lo..hi. */
export function bitsFor(lo: number, hi: number): number {
  const span = hi - lo;
  return span <= 0 ? 0 : span >= 0x80000000 ? 32 : 32 - Math.clz32(span);
}

export function maskOf(bits: number): number {
  return bits >= 32 ? -1 : (1 << bits) - 1;
}

interface Item {
  readonly bits: number;
  place(word: number, shift: number): void;
}

/** First fit, widest first: near-optimal for so few items, and the same on every run. */
function firstFit(items: readonly Item[]): { words: number; place: () => void } {
  const order = items.map((item, i) => ({ item, i })).sort((a, b) => b.item.bits - a.item.bits || a.i - b.i);
  const used: number[] = [];
  const placed: { item: Item; word: number; shift: number }[] = [];
  for (const { item } of order) {
    let word = used.findIndex((u) => u + item.bits <= 32);
    if (word < 0) word = used.push(0) - 1;
    placed.push({ item, word, shift: used[word]! });
    used[word] = used[word]! + item.bits;
  }
  return {
    words: Math.max(1, used.length),
    place: () => {
      for (const p of placed) p.item.place(p.word, p.shift);
    },
  };
}

function localBase(program: SysProgram, l: number): { base: number; bits: number } {
  const local = program.locals[l]!;
  // A dead local is 0, whether or not 0 is in its range.
  const base = Math.min(local.lo, 0);
  return { base, bits: bitsFor(base, Math.max(local.hi, 0)) };
}

export function layOut(system: TransitionSystem): Layout {
  const vars: Field[][] = system.vars.map(() => []);
  const runs: Run[][] = system.vars.map(() => []);
  const pcs: Field[] = [];
  const locals: (Field | undefined)[][] = system.threads.map(() => []);
  const arrays: Item[] = [];
  let bits = 0;

  system.vars.forEach((decl, v) => {
    const width = bitsFor(decl.lo, decl.hi);
    bits += width * decl.length;
    const perWord = width === 0 ? decl.length : Math.floor(32 / width);
    for (let first = 0; first < decl.length; first += perWord) {
      const count = Math.min(perWord, decl.length - first);
      const index = runs[v]!.length;
      arrays.push({
        bits: width * count,
        place(word, shift) {
          runs[v]![index] = { first, count, field: { word, shift, bits: width, base: decl.lo } };
          for (let k = 0; k < count; k++) {
            vars[v]![first + k] = { word, shift: shift + k * width, bits: width, base: decl.lo };
          }
        },
      });
      runs[v]!.push({ first, count, field: { word: 0, shift: 0, bits: width, base: decl.lo } });
    }
  });

  const threadFields = system.threads.map((thread, t) => {
    const program = system.programs[thread.program]!;
    const fields: Item[] = [];
    const pcBits = bitsFor(0, program.locations.length - 1);
    fields.push({
      bits: pcBits,
      place(word, shift) {
        pcs[t] = { word, shift, bits: pcBits, base: 0 };
      },
    });
    program.locals.forEach((local, l) => {
      locals[t]![l] = undefined;
      if (!local.stored) return;
      const { base, bits: width } = localBase(program, l);
      fields.push({
        bits: width,
        place(word, shift) {
          locals[t]![l] = { word, shift, bits: width, base };
        },
      });
    });
    return fields;
  });
  for (const fields of threadFields) for (const f of fields) bits += f.bits;

  const grouped: Item[] = threadFields.flatMap((fields) => {
    const total = fields.reduce((sum, f) => sum + f.bits, 0);
    if (total > 32) return fields;
    const group: Item = {
      bits: total,
      place(word, shift) {
        let at = shift;
        for (const f of fields) {
          f.place(word, at);
          at += f.bits;
        }
      },
    };
    return [group];
  });
  const together = firstFit([...arrays, ...grouped]);
  const apart = firstFit([...arrays, ...threadFields.flat()]);
  const best = apart.words < together.words ? apart : together;
  best.place();
  return { words: best.words, bits, vars, runs, pcs, locals };
}

function put(words: Int32Array, at: number, field: Field, value: number): void {
  if (field.bits === 0) return;
  const mask = maskOf(field.bits) << field.shift;
  words[at + field.word] = (words[at + field.word]! & ~mask) | (((value - field.base) << field.shift) & mask);
}

function take(words: Int32Array, at: number, field: Field): number {
  if (field.bits === 0) return field.base;
  return (((words[at + field.word]! >>> field.shift) & maskOf(field.bits)) + field.base) | 0;
}

/** Writes a state into `words` from index `at` on. */
export function pack(layout: Layout, state: StateValues, words: Int32Array, at: number): void {
  words.fill(0, at, at + layout.words);
  layout.vars.forEach((fields, v) => {
    fields.forEach((field, i) => {
      put(words, at, field, state.vars[v]![i]!);
    });
  });
  layout.pcs.forEach((field, t) => {
    put(words, at, field, state.pcs[t]!);
  });
  layout.locals.forEach((fields, t) => {
    fields.forEach((field, l) => {
      if (field) put(words, at, field, state.locals[t]![l]!);
    });
  });
}

export function unpack(layout: Layout, words: Int32Array, at: number): StateValues {
  return {
    vars: layout.vars.map((fields) => fields.map((field) => take(words, at, field))),
    pcs: layout.pcs.map((field) => take(words, at, field)),
    locals: layout.locals.map((fields) => fields.map((field) => (field ? take(words, at, field) : 0))),
  };
}
