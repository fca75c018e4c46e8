/**
 * The canonicaliser of a symmetry reduction as JavaScript text: it puts the threads of each orbit in the order of what
 * belongs to them.
 *
 * Threads are sorted by a key of everything about them that does not name threads, and by which variables name them.
 * Threads with equal keys may still differ in the threads they name; then one orbit of states has several
 * representatives, which costs states and nothing else.
 */
import type { TransitionSystem } from "../../spec/transition-system.ts";
import type { Orbit } from "../symmetry.ts";
import { type Field, type Layout, maskOf } from "./layout.ts";

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

function range(n: number): number[] {
  return Array.from({ length: n }, (_, k) => k);
}

/** Raw bits of a field. */
function raw(field: Field, word: string): string {
  const moved = field.shift === 0 ? word : `${word}>>>${field.shift}`;
  return field.bits === 32 ? `(${word})` : `(${moved}&${maskOf(field.bits)})`;
}

/**
 * `function canon(q)`: makes the state in B at q canonical in place. V (thread id -> thread id, the identity at first)
 * says how it renamed, where the function returns true; then `numbered()` is the number of that renaming in `renamings`
 * (thread -> thread).
 */
export function canonicalCode(system: TransitionSystem, layout: Layout, classes: readonly Orbit[]): string {
  const out: string[] = [];
  const words = range(layout.words).map((k) => `w${k}`);
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
  const arrays: string[] = [];
  const sizes: number[] = [];
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
    // A successor differs from a sorted state in little: it is sorted, or an insertion makes it so.
    const keys = range(parts[0]!.length);
    if (keys.length === 0) return;
    const greater = (left: (k: number) => string, right: (k: number) => string, k = 0): string => {
      const test = `${left(k)}>${right(k)}`;
      return k + 1 === keys.length ? test : `${test}||${left(k)}===${right(k)}&&(${greater(left, right, k + 1)})`;
    };
    const all = (text: (k: number) => string) => keys.map(text).join("");
    const key = (m: number) => (k: number) => `k${o}_${m}_${k}`;
    const stored = (at: string) => (k: number) => `K${o}_${k}[${at}]`;
    arrays.push(...keys.map((k) => `K${o}_${k}`), `p${o}`);
    sizes.push(...keys.map(() => size), size);
    parts.forEach((texts, m) => {
      out.push(`const ${texts.map((text, k) => `${key(m)(k)}=${text}`).join(",")};`);
    });
    const fill = parts
      .map((_, m) => `${all((k) => `${stored(String(m))(k)}=${key(m)(k)};`)}p${o}[${m}]=${m};`)
      .join("");
    const unsorted = range(size - 1).map((m) => `(${greater(key(m), key(m + 1))})`);
    out.push(
      `if(${unsorted.join("||")}){moved=true;${fill}for(let i=1;i<${size};i++){` +
        `const ${all((k) => `x${k}=${stored("i")(k)},`)}z=p${o}[i];let j=i;` +
        `while(j>0&&(${greater(stored("j-1"), (k) => `x${k}`)})){` +
        `${all((k) => `${stored("j")(k)}=${stored("j-1")(k)};`)}p${o}[j]=p${o}[j-1];j--;}` +
        `${all((k) => `${stored("j")(k)}=x${k};`)}p${o}[j]=z;}}else `,
    );
    // Where another orbit moves, this one stays as it is.
    out.push(`for(let i=0;i<${size};i++)p${o}[i]=i;`);
    // What belongs to a member goes to its new place.
    for (let m = 0; m < size; m++) rewrite.push(`V[I${o}[p${o}[${m}]]]=${id(m)};`);
    for (const b of owned) {
      const from = b.fields.map((field) => raw(field, `w${field.word}`));
      rewrite.push(`${from.map((text, m) => `moving[${m}]=${text};`).join("")}`);
      b.fields.forEach((field, m) => {
        const mask = maskOf(field.bits) << field.shift;
        const shift = field.shift === 0 ? "" : `<<${field.shift}`;
        rewrite.push(`n${field.word}=n${field.word}&${~mask}|moving[p${o}[${m}]]${shift};`);
      });
    }
  });
  // Owned fields that name threads have been moved by now, and are renamed like all others.
  for (const field of renamed) {
    const mask = maskOf(field.bits) << field.shift;
    const value = `V[${raw(field, `n${field.word}`)}+${field.base}]-${field.base}`;
    rewrite.push(`n${field.word}=n${field.word}&${~mask}|(${value})<<${field.shift};`);
  }
  const most = classes.reduce((n, orbit) => Math.max(n, orbit.length), 0);
  const ids = classes.map((orbit, o) => `const I${o}=[${orbit.map((t) => t + 1).join()}];`).join("");
  return (
    `const moving=new Int32Array(${most});` +
    `const V=new Int32Array(${system.threads.length + 2}).map((_,k)=>k),known=new Map();` +
    `function numbered(){let key="";for(let t=1;t<=${system.threads.length};t++)key+=String.fromCharCode(V[t]);` +
    `let i=known.get(key);if(i===undefined){i=renamings.length;known.set(key,i);` +
    `renamings.push(Array.from(V.subarray(1,${system.threads.length + 1}),(t)=>t-1));}return i;}` +
    `const ${arrays.map((name, k) => `${name}=new Int32Array(${sizes[k]})`).join(",")};${ids}` +
    `function canon(q){${out.join("")}if(!moved)return false;` +
    `let ${words.map((w, k) => `n${k}=${w}`).join(",")};${rewrite.join("")}` +
    `${words.map((_, k) => `B[q+${k}]=n${k};`).join("")}return true;}`
  );
}
