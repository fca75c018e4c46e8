/**
 * Expressions and code trees as JavaScript text.
 *
 * The text is in single-assignment form: a write to a field makes a new constant that stands for its word, so the
 * paths of a code tree share what they have in common and need no copies. Writes of constants are gathered and made
 * once, where the successor is emitted. Only numbers from the system reach the text, never its names.
 */
import { applyBinary } from "../../spec/evaluate.ts";
import type { SysCode, SysExpr } from "../../spec/transition-system.ts";
import { type Field, type Layout, maskOf } from "./layout.ts";

/** A word of the successor under construction: `(name & ~clear) | set`. */
interface Word {
  readonly name: string;
  readonly clear: number;
  readonly set: number;
}

/** What is known at one point of a path. */
export interface Scope {
  /** Executing thread, -1 in a property. */
  readonly thread: number;
  /** Its location; -1 in a property. */
  readonly location: number;
  readonly words: Word[];
  /** Locals written on this path. */
  readonly locals: Map<number, string>;
}

const NUMBER = /^-?\d+$/;
const ATOM = /^(-?\d+|\w+)$/;

const ARITHMETIC: ReadonlySet<string> = new Set(["+", "-", "*", "&", "|", "^", "<<", ">>"]);

function isNumber(text: string): boolean {
  return NUMBER.test(text);
}

/** A write of value `text` to a field changes its word to this. */
function shifted(field: Field, text: string): string {
  const moved = field.base === 0 ? text : `(${text})-(${field.base})`;
  return field.shift === 0 ? `(${moved})` : `((${moved})<<${field.shift})`;
}

function extract(field: Field, word: string): string {
  if (field.bits === 0) return String(field.base);
  let text = field.shift === 0 ? word : `${word}>>>${field.shift}`;
  if (field.shift + field.bits < 32) text = `(${text})&${maskOf(field.bits)}`;
  if (field.bits === 32) return field.base === 0 ? `(${word}|0)` : `(${word}+(${field.base})|0)`;
  return field.base === 0 ? `(${text})` : `((${text})+(${field.base}))`;
}

/**
 * Branches that became functions of their own, because V8 does not optimise functions that are too large. A code tree
 * can be large where a loop over an array runs within one step.
 */
export class Outlined {
  readonly functions: string[] = [];
  /** Characters a branch may have where it stands. */
  readonly limit: number;

  constructor(limit: number) {
    this.limit = limit;
  }

  /** The statement that stands for `text`, statements of a function of a thread; all they assign to is `n`. */
  call(text: string): string {
    const named = new Set(text.match(/\b(?:[wx]\d+|p)\b/g) ?? []);
    for (const [, declared = ""] of text.matchAll(/\bconst (x\d+)=/g)) named.delete(declared);
    const args = ["n", "c", ...named].join(",");
    const name = `o${this.functions.length}`;
    this.functions.push(`function ${name}(${args}){${text}return n;}`);
    return `n=${name}(${args});`;
  }
}

export class CodeWriter {
  readonly out: string[] = [];
  /** Words whose incoming value the text uses. */
  readonly used = new Set<number>();
  readonly #layout: Layout;
  readonly #outlined: Outlined | undefined;
  #fresh = 0;

  /** With `outlined`, large branches of code trees are put there. */
  constructor(layout: Layout, outlined?: Outlined) {
    this.#layout = layout;
    this.#outlined = outlined;
  }

  scope(thread: number, location: number): Scope {
    const words = Array.from({ length: this.#layout.words }, (_, k) => ({ name: `w${k}`, clear: 0, set: 0 }));
    return { thread, location, words, locals: new Map() };
  }

  fork(scope: Scope): Scope {
    return { ...scope, words: [...scope.words], locals: new Map(scope.locals) };
  }

  /** The name of a word without its gathered writes. */
  #name(scope: Scope, word: number): string {
    const { name } = scope.words[word]!;
    if (name === `w${word}`) this.used.add(word);
    return name;
  }

  /** The text of a word with its gathered writes. */
  word(scope: Scope, word: number): string {
    const { clear, set } = scope.words[word]!;
    const name = this.#name(scope, word);
    if (clear === 0) return name;
    const kept = clear === -1 ? "0" : `${name}&${~clear}`;
    return set === 0 ? `(${kept})` : `(${kept}|${set})`;
  }

  changed(scope: Scope, word: number): boolean {
    const w = scope.words[word]!;
    return w.name !== `w${word}` || w.clear !== 0;
  }

  /** Text that may be repeated at no cost. */
  #atom(text: string): string {
    if (ATOM.test(text)) return text;
    const name = `x${this.#fresh++}`;
    this.out.push(`const ${name}=${text};`);
    return name;
  }

  #settle(scope: Scope, word: number): string {
    if (scope.words[word]!.clear === 0) return this.#name(scope, word);
    const name = this.#atom(this.word(scope, word));
    scope.words[word] = { name, clear: 0, set: 0 };
    return name;
  }

  read(scope: Scope, field: Field): string {
    if (field.bits === 0) return String(field.base);
    const { clear, set } = scope.words[field.word]!;
    const mask = maskOf(field.bits) << field.shift;
    if ((clear & mask) === mask) return String((((set >>> field.shift) & maskOf(field.bits)) + field.base) | 0);
    return extract(field, this.#name(scope, field.word));
  }

  write(scope: Scope, field: Field, value: string): void {
    if (field.bits === 0) return;
    const mask = maskOf(field.bits) << field.shift;
    const word = scope.words[field.word]!;
    const name = this.#name(scope, field.word);
    if (isNumber(value)) {
      const bits = ((Number(value) - field.base) << field.shift) & mask;
      scope.words[field.word] = { name, clear: word.clear | mask, set: (word.set & ~mask) | bits };
      return;
    }
    const clear = word.clear | mask;
    const set = word.set & ~mask;
    const kept = clear === -1 ? "0" : `${name}&${~clear}`;
    const text = this.#atom(`${kept}|${set === 0 ? "" : `${set}|`}${shifted(field, value)}`);
    scope.words[field.word] = { name: text, clear: 0, set: 0 };
  }

  #load(scope: Scope, v: number, index: SysExpr | undefined): string {
    const fields = this.#layout.vars[v]!;
    const i = index === undefined ? "0" : this.int(scope, index);
    if (isNumber(i)) {
      const field = fields[Number(i)];
      return field === undefined ? "0" : this.read(scope, field);
    }
    const at = this.#atom(i);
    let text = "0";
    for (const run of [...this.#layout.runs[v]!].reverse()) {
      const { field, first, count } = run;
      let value = String(field.base);
      if (field.bits > 0) {
        const word = this.#settle(scope, field.word);
        const picked = `${word}>>>(${this.#offset(run.field, at, first)})`;
        value =
          field.bits === 32 ? `((${picked})+(${field.base})|0)` : `((${picked}&${maskOf(field.bits)})+(${field.base}))`;
      }
      // Later runs are tried first, so an index below this run falls through to the ones before it.
      const inside = first === 0 ? `${at}>>>0<${count}` : `${at}>=${first}&&${at}<${first + count}`;
      text = `(${inside}?${value}:${text})`;
    }
    return text;
  }

  #offset(field: Field, index: string, first: number): string {
    const relative = first === 0 ? index : `(${index}-${first})`;
    const scaled = field.bits === 1 ? relative : `${relative}*${field.bits}`;
    return field.shift === 0 ? scaled : `${field.shift}+${scaled}`;
  }

  #store(scope: Scope, v: number, index: SysExpr | undefined, value: SysExpr): void {
    const text = this.int(scope, value);
    const i = index === undefined ? "0" : this.int(scope, index);
    if (isNumber(i)) {
      const field = this.#layout.vars[v]![Number(i)];
      if (field !== undefined) this.write(scope, field, text);
      return;
    }
    const at = this.#atom(i);
    const stored = this.#atom(text);
    for (const { field, first, count } of this.#layout.runs[v]!) {
      if (field.bits === 0) continue;
      const word = this.#settle(scope, field.word);
      const offset = this.#offset(field, at, first);
      const inside = first === 0 ? `${at}>>>0<${count}` : `${at}>=${first}&&${at}<${first + count}`;
      const moved = field.base === 0 ? stored : `(${stored}-(${field.base}))`;
      const name = this.#atom(`${inside}?${word}&~(${maskOf(field.bits)}<<(${offset}))|${moved}<<(${offset}):${word}`);
      scope.words[field.word] = { name, clear: 0, set: 0 };
    }
  }

  #at(scope: Scope, thread: number, locations: readonly number[]): string {
    if (thread === scope.thread && scope.location >= 0) return locations.includes(scope.location) ? "true" : "false";
    const sorted = [...new Set(locations)].sort((a, b) => a - b);
    if (sorted.length === 0) return "false";
    const pc = this.#atom(this.read(scope, this.#layout.pcs[thread]!));
    const tests: string[] = [];
    for (let k = 0; k < sorted.length; ) {
      let last = k;
      while (sorted[last + 1] === sorted[last]! + 1) last++;
      tests.push(k === last ? `${pc}===${sorted[k]}` : `(${pc}>=${sorted[k]}&&${pc}<=${sorted[last]})`);
      k = last + 1;
    }
    return `(${tests.join("||")})`;
  }

  /** Text of an integer. */
  int(scope: Scope, expr: SysExpr): string {
    switch (expr.e) {
      case "const":
        return String(expr.v | 0);
      case "self":
        return String(scope.thread + 1);
      case "local": {
        const thread = expr.t ?? scope.thread;
        const written = thread === scope.thread ? scope.locals.get(expr.l) : undefined;
        if (written !== undefined) return written;
        const field = this.#layout.locals[thread]![expr.l];
        return field === undefined ? "0" : this.read(scope, field);
      }
      case "load":
        return this.#load(scope, expr.v, expr.i);
      case "neg": {
        const a = this.int(scope, expr.a);
        return isNumber(a) ? String(-Number(a) | 0) : `(-(${a})|0)`;
      }
      case "ite": {
        const c = this.bool(scope, expr.c);
        if (c === "true") return this.int(scope, expr.a);
        if (c === "false") return this.int(scope, expr.b);
        return `(${c}?${this.int(scope, expr.a)}:${this.int(scope, expr.b)})`;
      }
      case "not":
      case "pc":
        return this.#truth(this.bool(scope, expr));
      case "bin":
        break;
    }
    const op = expr.op;
    if (!ARITHMETIC.has(op)) return this.#truth(this.bool(scope, expr));
    const a = this.int(scope, expr.a);
    const b = this.int(scope, expr.b);
    if (isNumber(a) && isNumber(b)) return String(applyBinary(op, Number(a), Number(b)));
    if (op === "*") return `imul(${a},${b})`;
    return `((${a})${op}(${b})|0)`;
  }

  #truth(text: string): string {
    return text === "true" ? "1" : text === "false" ? "0" : `(${text}?1:0)`;
  }

  /** Text of a JavaScript Boolean. */
  bool(scope: Scope, expr: SysExpr): string {
    if (expr.e === "not") {
      const a = this.bool(scope, expr.a);
      return a === "true" ? "false" : a === "false" ? "true" : `!${a}`;
    }
    if (expr.e === "pc") return this.#at(scope, expr.t, expr.locations);
    if (expr.e === "bin") {
      const { op } = expr;
      if (op === "&&" || op === "||") {
        const [neutral, final] = op === "&&" ? ["true", "false"] : ["false", "true"];
        const a = this.bool(scope, expr.a);
        if (a === final) return final;
        const b = this.bool(scope, expr.b);
        if (a === neutral) return b;
        return b === neutral ? a : b === final ? final : `(${a}${op}${b})`;
      }
      if (op === "==" || op === "!=" || op === "<" || op === "<=" || op === ">" || op === ">=") {
        const a = this.int(scope, expr.a);
        const b = this.int(scope, expr.b);
        if (isNumber(a) && isNumber(b)) return String(applyBinary(op, Number(a), Number(b)) !== 0);
        return `(${a}${op === "==" || op === "!=" ? `${op}=` : op}${b})`;
      }
    }
    const value = this.int(scope, expr);
    return isNumber(value) ? String(Number(value) !== 0) : `(${value}!==0)`;
  }

  /** Writes a code tree; `leaf` writes what happens at the end of each path. */
  code(
    scope: Scope,
    code: SysCode,
    optional: boolean,
    leaf: (scope: Scope, optional: boolean, error: number) => void,
  ): void {
    for (const op of code.ops) {
      if (op.o === "var") this.#store(scope, op.v, op.i, op.value);
      else if (op.o === "local") scope.locals.set(op.l, this.#atom(this.int(scope, op.value)));
      else if (op.o === "mark") this.out.push(`K[${op.m}]=1;`);
      else this.out.push(`if(F[${op.f}]===0)found(${op.f},c);`);
    }
    const end = code.end;
    if (end.k === "goto") {
      for (const [l, value] of scope.locals) {
        const field = this.#layout.locals[scope.thread]![l];
        if (field !== undefined) this.write(scope, field, value);
      }
      this.write(scope, this.#layout.pcs[scope.thread]!, String(end.location));
      leaf(scope, optional, -1);
    } else if (end.k === "error") {
      leaf(scope, optional, end.f);
    } else if (end.k === "if") {
      const c = this.bool(scope, end.c);
      if (c === "true" || c === "false") {
        this.code(scope, c === "true" ? end.then : end.else, optional, leaf);
      } else {
        this.out.push(`if(${c}){`);
        this.branch(this.fork(scope), end.then, optional, leaf);
        this.out.push("}else{");
        this.branch(this.fork(scope), end.else, optional, leaf);
        this.out.push("}");
      }
    } else {
      for (const way of end.ways) {
        this.out.push("{");
        this.branch(this.fork(scope), way.code, optional || way.optional, leaf, end.ways.length);
        this.out.push("}");
      }
    }
  }

  /** As `code`, for a tree that is one of `siblings` in a row and may become a function of its own. */
  branch(
    scope: Scope,
    code: SysCode,
    optional: boolean,
    leaf: (scope: Scope, optional: boolean, error: number) => void,
    siblings = 1,
  ): void {
    const start = this.out.length;
    this.code(scope, code, optional, leaf);
    if (this.#outlined === undefined) return;
    const text = this.out.splice(start).join("");
    this.out.push(text.length > this.#outlined.limit / siblings ? this.#outlined.call(text) : text);
  }
}
