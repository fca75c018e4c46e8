/**
 * The canonicaliser of a symmetry reduction as JavaScript text: it puts the threads of each orbit in the order of what
 * belongs to them.
 *
 * Threads are sorted by a key of everything about them that does not name threads, and by which variables name them.
 * Threads with equal keys may still differ in the threads they name; then one orbit of states has several
 * representatives, which costs states and nothing else.
 */
import type { TransitionSystem } from "../../spec/transition-system.ts";
import { type Field, type Layout, maskOf } from "./layout.ts";
import type { Orbit } from "./symmetry.ts";

/** A piece of a state that every thread of an orbit has: one field per member. */
interface Belonging {
  readonly fields: readonly Field[];
  readonly namesThreads: boolean;
}

const KEY_BITS = 30;

/** Neighbouring fields move as one. */
function merged(list: readonly Belonging[]): Belonging[] {
  const result: Belonging[] = [];
  for (const next of list) {
    const last = result.at(-1);
    const adjacent =
      last !== undefined &&
      !last.namesThreads &&
      !next.namesThreads &&
      last.fields.every((f, m) => {
        const n = next.fields[m]!;
        return n.word === f.word && n.shift === f.shift + f.bits && f.bits + n.bits <= KEY_BITS;
      });
    if (adjacent) {
      result[result.length - 1] = {
        fields: last.fields.map((f, m) => ({ ...f, bits: f.bits + next.fields[m]!.bits })),
        namesThreads: false,
      };
    } else result.push(next);
  }
  return result;
}

function belongings(system: TransitionSystem, layout: Layout, orbit: Orbit): Belonging[] {
  const program = system.programs[system.threads[orbit[0]!]!.program]!;
  const list: Belonging[] = [{ fields: orbit.map((t) => layout.pcs[t]!), namesThreads: false }];
  program.locals.forEach((local, l) => {
    if (!local.stored) return;
    list.push({ fields: orbit.map((t) => layout.locals[t]![l]!), namesThreads: local.values.of === "thread" });
  });
  system.vars.forEach((decl, v) => {
    if (decl.index !== "thread") return;
    const fields = orbit.map((t) => layout.vars[v]![t]);
    if (fields.some((f) => f === undefined)) return;
    list.push({ fields: fields as Field[], namesThreads: decl.values.of === "thread" });
  });
  return merged(list.filter((b) => b.fields[0]!.bits > 0));
}

/** Raw bits of a field. */
function raw(field: Field, word: string): string {
  const moved = field.shift === 0 ? word : `${word}>>>${field.shift}`;
  return field.bits === 32 ? `(${word})` : `(${moved}&${maskOf(field.bits)})`;
}

/**
 * `function canon(q)`: makes the state in B at q canonical in place. V (thread id -> thread id) says how it renamed,
 * where the function returns true.
 */
export function canonicalCode(system: TransitionSystem, layout: Layout, classes: readonly Orbit[]): string {
  const out: string[] = [];
  const words = Array.from({ length: layout.words }, (_, k) => `w${k}`);
  const naming: Field[] = system.vars.flatMap((decl, v) => {
    if (decl.values.of !== "thread") return [];
    return layout.vars[v]!.filter((f) => f.bits > 0);
  });
  // Values of thread sort owned by threads outside all orbits, or by a thread itself, are renamed where they lie.
  const renamed = [...naming];
  system.threads.forEach((thread, t) => {
    system.programs[thread.program]!.locals.forEach((local, l) => {
      const field = layout.locals[t]![l];
      if (field !== undefined && field.bits > 0 && local.values.of === "thread") renamed.push(field);
    });
  });
  const unowned = system.vars.flatMap((decl, v) =>
    decl.values.of === "thread" && decl.index !== "thread" ? layout.vars[v]!.filter((f) => f.bits > 0) : [],
  );
  out.push(`const ${words.map((w, k) => `${w}=B[q+${k}]`).join(",")};let moved=false;`);
  const rewrite: string[] = [];
  classes.forEach((orbit, o) => {
    const owned = belongings(system, layout, orbit);
    const size = orbit.length;
    const id = (m: number) => orbit[m]! + 1;
    // The key, in as many integers as its bits need.
    const parts = orbit.map((_, m) => {
      const pieces: { text: string; bits: number }[] = [];
      for (const b of owned) {
        const field = b.fields[m]!;
        const text = raw(field, `w${field.word}`);
        if (!b.namesThreads) pieces.push({ text, bits: field.bits });
        else {
          const nobody = 0 - field.base;
          pieces.push({ text: `(${text}===${nobody}?0:${text}===${id(m) - field.base}?1:2)`, bits: 2 });
        }
      }
      for (const field of unowned) {
        pieces.push({ text: `(${raw(field, `w${field.word}`)}===${id(m) - field.base}?1:0)`, bits: 1 });
      }
      const keys: { text: string; bits: number }[] = [];
      for (const piece of pieces) {
        const last = keys.at(-1);
        if (last !== undefined && last.bits + piece.bits <= KEY_BITS) {
          keys[keys.length - 1] = { text: `${last.text}|${piece.text}<<${last.bits}`, bits: last.bits + piece.bits };
        } else keys.push({ ...piece });
      }
      return keys.map((k) => k.text);
    });
    const keys = parts[0]!.length;
    const key = (m: number, k: number) => `k${o}_${m}_${k}`;
    const at = (m: number) => `p${o}_${m}`;
    for (let m = 0; m < size; m++) {
      out.push(`let ${parts[m]!.map((text, k) => `${key(m, k)}=${text}`).join(",")},${at(m)}=${m};`);
    }
    // Exchanges of neighbours: stable, and few threads are sorted.
    for (let pass = size - 1; pass > 0; pass--) {
      for (let m = 0; m < pass; m++) {
        const greater = (k: number): string => {
          const test = `${key(m, k)}>${key(m + 1, k)}`;
          return k + 1 === keys ? test : `${test}||${key(m, k)}===${key(m + 1, k)}&&(${greater(k + 1)})`;
        };
        const exchange = (x: string, y: string) => `z=${x};${x}=${y};${y}=z;`;
        const all = Array.from({ length: keys }, (_, k) => exchange(key(m, k), key(m + 1, k))).join("");
        out.push(`if(${greater(0)}){let z;${all}${exchange(at(m), at(m + 1))}moved=true;}`);
      }
    }
    // What belongs to a member goes to its new place.
    rewrite.push(`const i${o}=I${o};`);
    for (let m = 0; m < size; m++) rewrite.push(`V[i${o}[${at(m)}]]=${id(m)};`);
    for (const b of owned) {
      const from = b.fields.map((field) => raw(field, `w${field.word}`));
      rewrite.push(`${from.map((text, m) => `moving[${m}]=${text};`).join("")}`);
      b.fields.forEach((field, m) => {
        const mask = maskOf(field.bits) << field.shift;
        const shift = field.shift === 0 ? "" : `<<${field.shift}`;
        rewrite.push(`n${field.word}=n${field.word}&${~mask}|moving[${at(m)}]${shift};`);
      });
    }
  });
  // Owned fields that name threads have been moved by now, and are renamed like all others.
  for (const field of renamed) {
    const mask = maskOf(field.bits) << field.shift;
    const value = `V[${raw(field, `n${field.word}`)}+${field.base}]-${field.base}`;
    rewrite.push(`n${field.word}=n${field.word}&${~mask}|(${value})<<${field.shift};`);
  }
  const radix = classes.flatMap((orbit, o) => orbit.map((_, m) => `p${o}_${m}`));
  const sizes = classes.flatMap((orbit) => orbit.map(() => orbit.length));
  const number = radix.map((p, k) => `${p}*${sizes.slice(0, k).reduce((a, b) => a * b, 1)}`).join("+");
  const most = classes.reduce((n, orbit) => Math.max(n, orbit.length), 0);
  const ids = classes.map((orbit, o) => `const I${o}=[${orbit.map((t) => t + 1).join()}];`).join("");
  return (
    `const V=new Int32Array(${system.threads.length + 2}),moving=new Int32Array(${most});for(let k=0;k<V.length;k++)V[k]=k;` +
    `let permutation=0;${ids}` +
    `function canon(q){${out.join("")}if(!moved)return false;permutation=${number};` +
    `let ${words.map((w, k) => `n${k}=${w}`).join(",")};${rewrite.join("")}` +
    `${words.map((_, k) => `B[q+${k}]=n${k};`).join("")}return true;}`
  );
}

/** Whether the permutations of these orbits can be numbered exactly. */
export function numberable(classes: readonly Orbit[]): boolean {
  return classes.reduce((n, orbit) => n * orbit.length ** orbit.length, 1) < Number.MAX_SAFE_INTEGER;
}
