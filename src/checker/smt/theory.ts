/**
 * Terms as SMT-LIB 2 text in one of two theories: bit-vectors just wide enough for each interval, or integers.
 *
 * Bit-vectors suit bounded search (the solver decides them by propositional search); integers suit Horn clauses, whose
 * solver generalises with linear arithmetic, and are the only choice for variables without bounds.
 */
import type { Term } from "./term.ts";

export interface Theory {
  readonly name: "bit-vectors" | "integers";
  readonly sort: (symbol: Term) => string;
  /**
   * The term as text, a subterm used more than once named once, by `let`. Not for the scope of a binder (`forall`, the
   * parameters of `define-fun`): Z3 up to 4.8 takes exponential time for nested `let` under one.
   */
  readonly print: (term: Term, rename?: Rename) => string;
  /** The term as text without names for what it shares: for small terms under a binder. */
  readonly flat: (term: Term) => string;
  /** Several terms with their shared subterms as definitions, for where `let` will not do. */
  readonly linearize: (terms: readonly Term[], rename?: Rename) => Linear;
  /** That a symbol's value lies in its interval, where its sort alone does not say so; "" where it does. */
  readonly range: (symbol: Term, text: string) => string;
}

/** A symbol as SMT-LIB text, quoted. The characters that cannot be quoted are replaced. */
export function quoted(name: string): string {
  return `|${name.replace(/[|\\]/g, "/")}|`;
}

type Node = (t: Term, arg: (a: Term) => string, name: (symbol: Term) => string) => string;
type Rename = (name: string) => string;

/** Several terms with what they share named once: definitions in order, each using only those before it. */
export interface Linear {
  readonly definitions: readonly {
    readonly name: string;
    readonly term: Term;
    readonly text: string;
    /** 0: uses no other definition; else one more than the greatest level it uses. */
    readonly level: number;
  }[];
  readonly texts: readonly string[];
}

function linearize(roots: readonly Term[], node: Node, rename: Rename): Linear {
  const uses = new Map<Term, number>();
  const order: Term[] = [];
  const stack: { readonly term: Term; next: number }[] = [];
  const use = (t: Term): void => {
    const n = uses.get(t) ?? 0;
    uses.set(t, n + 1);
    if (n === 0) stack.push({ term: t, next: 0 });
  };
  for (const root of roots) {
    use(root);
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const arg = top.term.args[top.next++];
      if (arg !== undefined) use(arg);
      else {
        order.push(top.term);
        stack.pop();
      }
    }
  }
  const text = new Map<Term, string>();
  const level = new Map<Term, number>();
  const definitions: Linear["definitions"][number][] = [];
  const symbol = (s: Term): string => quoted(rename(s.name));
  for (const t of order) {
    const own = node(t, (a) => text.get(a) as string, symbol);
    const below = t.args.reduce((m, a) => Math.max(m, level.get(a) as number), 0);
    if (t.args.length > 0 && (uses.get(t) as number) > 1) {
      const name = quoted(rename(`%${t.id}`));
      definitions.push({ name, term: t, text: own, level: below });
      text.set(t, name);
      level.set(t, below + 1);
    } else {
      text.set(t, own);
      level.set(t, below);
    }
  }
  return { definitions, texts: roots.map((r) => text.get(r) as string) };
}

/** One term, with one `let` a level of shared subterms: nesting stays shallow, as parsers like it. */
function print(root: Term, node: Node, rename: Rename): string {
  const { definitions, texts } = linearize([root], node, rename);
  const levels: string[][] = [];
  for (const d of definitions) {
    const level = levels[d.level] ?? [];
    levels[d.level] = level;
    level.push(`(${d.name} ${d.text})`);
  }
  return levels.reduceRight((body, group) => `(let (${group.join(" ")})\n ${body})`, texts[0] as string);
}

function flat(root: Term, node: Node): string {
  return node(
    root,
    (a) => flat(a, node),
    (symbol) => quoted(symbol.name),
  );
}

function logical(t: Term, arg: (a: Term) => string, name: (symbol: Term) => string): string | undefined {
  const args = (): string => t.args.map(arg).join(" ");
  if (!t.bool) return undefined;
  switch (t.op) {
    case "true":
    case "false":
      return t.op;
    case "symbol":
      return name(t);
    case "not":
    case "and":
    case "or":
    case "ite":
      return `(${t.op} ${args()})`;
    case "=":
      return t.args[0]?.bool ? `(= ${args()})` : undefined;
    default:
      return undefined;
  }
}

function unsignedWidth(v: number): number {
  return v < 2 ? 1 : Math.floor(Math.log2(v)) + 1;
}

/** Bits of the term's own bit-vector: unsigned where it cannot be negative, else two's complement. */
export function width(t: Term): number {
  if (t.lo >= 0) return unsignedWidth(t.hi);
  return 1 + Math.max(unsignedWidth(-t.lo - 1), t.hi > 0 ? unsignedWidth(t.hi) : 1);
}

function literal(v: number, bits: number): string {
  return `(_ bv${((BigInt(v) % 2n ** BigInt(bits)) + 2n ** BigInt(bits)) % 2n ** BigInt(bits)} ${bits})`;
}

function bitVectorNode(t: Term, arg: (a: Term) => string, name: (symbol: Term) => string): string {
  const plain = logical(t, arg, name);
  if (plain !== undefined) return plain;
  /** The low `bits` bits of the value of a. */
  const at = (a: Term, bits: number): string => {
    if (a.op === "number") return literal(a.lo, bits);
    const own = width(a);
    if (own === bits) return arg(a);
    if (own > bits) return `((_ extract ${bits - 1} 0) ${arg(a)})`;
    return `((_ ${a.lo >= 0 ? "zero" : "sign"}_extend ${bits - own}) ${arg(a)})`;
  };
  const [a, b, c] = t.args as [Term, Term, Term];
  const compared = (unsigned: string, signed: string): string => {
    if (a.lo >= 0 && b.lo >= 0) {
      const w = Math.max(width(a), width(b));
      return `(${unsigned} ${at(a, w)} ${at(b, w)})`;
    }
    const w = Math.max(...[a, b].map((x) => width(x) + (x.lo >= 0 ? 1 : 0)));
    return `(${signed} ${at(a, w)} ${at(b, w)})`;
  };
  const own = width(t);
  switch (t.op) {
    case "number":
      return literal(t.lo, own);
    case "symbol":
      return name(t);
    case "=":
      return compared("=", "=");
    case "<":
      return compared("bvult", "bvslt");
    case "<=":
      return compared("bvule", "bvsle");
    case "ite":
      return `(ite ${arg(a)} ${at(b, own)} ${at(c, own)})`;
    case "narrow":
      return at(a, own);
    case "neg":
      return `(bvneg ${at(a, own)})`;
    case "+":
      return `(bvadd ${at(a, own)} ${at(b, own)})`;
    case "-":
      return `(bvsub ${at(a, own)} ${at(b, own)})`;
    case "*":
      return `(bvmul ${at(a, own)} ${at(b, own)})`;
    case "&":
      return `(bvand ${at(a, own)} ${at(b, own)})`;
    case "|":
      return `(bvor ${at(a, own)} ${at(b, own)})`;
    case "^":
      return `(bvxor ${at(a, own)} ${at(b, own)})`;
    case "<<":
    case ">>": {
      // 32 bits and the low five bits of the count, as in C compiled for the machines that matter, and in JavaScript.
      const count = b.op === "number" ? literal(b.lo & 31, 32) : `(bvand ${at(b, 32)} ${literal(31, 32)})`;
      const whole = `(${t.op === "<<" ? "bvshl" : "bvashr"} ${at(a, 32)} ${count})`;
      return own === 32 ? whole : `((_ extract ${own - 1} 0) ${whole})`;
    }
    default:
      throw new Error(`no bit-vector form of ${t.op}`);
  }
}

/** Two's complement: bits 0..n-1 of a value, n wide enough for both operands. */
function bitwise(x: Term, y: Term, sx: string, sy: string): string {
  const small = Math.min(x.lo >= 0 ? width(x) : 32, y.lo >= 0 ? width(y) : 32);
  const bit = (s: string, k: number): string => `(= (mod (div ${s} ${2 ** k}) 2) 1)`;
  const parts: string[] = [];
  for (let k = 0; k < small; k++) {
    const weight = k === 31 ? "(- 2147483648)" : String(2 ** k);
    const constantBit = (t: Term, s: string): string =>
      t.op === "number" ? ((t.lo >> k) & 1 ? "true" : "false") : bit(s, k);
    const [p, q] = [constantBit(x, sx), constantBit(y, sy)];
    if (p === "false" || q === "false") continue;
    parts.push(`(ite (and ${p} ${q}) ${weight} 0)`);
  }
  return parts.length === 0 ? "0" : parts.length === 1 ? (parts[0] as string) : `(+ ${parts.join(" ")})`;
}

function integerText(v: number): string {
  return v < 0 ? `(- ${-v})` : String(v);
}

/** Wraps a sum or product of 32-bit values back into 32 bits, where the interval says that it may leave them. */
function wrapped(t: Term, text: string): string {
  if (t.lo > -(2 ** 31) || t.hi < 2 ** 31 - 1 || !Number.isFinite(t.hi)) return text;
  return `(- (mod (+ ${text} 2147483648) 4294967296) 2147483648)`;
}

function integerNode(t: Term, arg: (a: Term) => string, name: (symbol: Term) => string): string {
  const plain = logical(t, arg, name);
  if (plain !== undefined) return plain;
  const [a, b, c] = t.args as [Term, Term, Term];
  switch (t.op) {
    case "number":
      return integerText(t.lo);
    case "symbol":
      return name(t);
    case "=":
    case "<":
    case "<=":
      return `(${t.op} ${arg(a)} ${arg(b)})`;
    case "ite":
      return `(ite ${arg(a)} ${arg(b)} ${arg(c)})`;
    case "narrow":
      return arg(a);
    case "neg":
      return wrapped(t, `(- ${arg(a)})`);
    case "+":
    case "-":
      return wrapped(t, `(${t.op} ${arg(a)} ${arg(b)})`);
    case "*": {
      // A factor of few values is split into cases: products with constants stay linear.
      const [few, other] = b.hi - b.lo <= a.hi - a.lo ? [b, a] : [a, b];
      if (few.op === "number" || few.hi - few.lo > 32) return wrapped(t, `(* ${arg(a)} ${arg(b)})`);
      let text = `(* ${integerText(few.hi)} ${arg(other)})`;
      for (let v = few.hi - 1; v >= few.lo; v--) {
        text = `(ite (= ${arg(few)} ${integerText(v)}) (* ${integerText(v)} ${arg(other)}) ${text})`;
      }
      return wrapped(t, text);
    }
    case "&":
      return bitwise(a, b, arg(a), arg(b));
    case "|":
      return `(- (+ ${arg(a)} ${arg(b)}) ${bitwise(a, b, arg(a), arg(b))})`;
    case "^":
      return `(- (+ ${arg(a)} ${arg(b)}) (* 2 ${bitwise(a, b, arg(a), arg(b))}))`;
    case "<<":
    case ">>": {
      const shift = (k: number): string =>
        t.op === "<<" ? wrapped(t, `(* ${arg(a)} ${2 ** k})`) : `(div ${arg(a)} ${2 ** k})`;
      if (b.op === "number") return shift(b.lo & 31);
      let text = shift(31);
      for (let k = 30; k >= 0; k--) text = `(ite (= (mod ${arg(b)} 32) ${k}) ${shift(k)} ${text})`;
      return text;
    }
    default:
      throw new Error(`no integer form of ${t.op}`);
  }
}

export const bitVectors: Theory = {
  name: "bit-vectors",
  sort: (s) => (s.bool ? "Bool" : `(_ BitVec ${width(s)})`),
  print: (t, rename = (n) => n) => print(t, bitVectorNode, rename),
  flat: (t) => flat(t, bitVectorNode),
  linearize: (list, rename = (n) => n) => linearize(list, bitVectorNode, rename),
  range: (s, text) => {
    if (s.bool) return "";
    const w = width(s);
    const parts: string[] = [];
    if (s.lo >= 0) {
      if (s.lo > 0) parts.push(`(bvuge ${text} ${literal(s.lo, w)})`);
      if (s.hi < 2 ** w - 1) parts.push(`(bvule ${text} ${literal(s.hi, w)})`);
    } else {
      if (s.lo > -(2 ** (w - 1))) parts.push(`(bvsge ${text} ${literal(s.lo, w)})`);
      if (s.hi < 2 ** (w - 1) - 1) parts.push(`(bvsle ${text} ${literal(s.hi, w)})`);
    }
    return parts.length > 1 ? `(and ${parts.join(" ")})` : (parts[0] ?? "");
  },
};

export const integers: Theory = {
  name: "integers",
  sort: (s) => (s.bool ? "Bool" : "Int"),
  print: (t, rename = (n) => n) => print(t, integerNode, rename),
  flat: (t) => flat(t, integerNode),
  linearize: (list, rename = (n) => n) => linearize(list, integerNode, rename),
  range: (s, text) => {
    if (s.bool) return "";
    const parts: string[] = [];
    if (Number.isFinite(s.lo)) parts.push(`(>= ${text} ${integerText(s.lo)})`);
    if (Number.isFinite(s.hi)) parts.push(`(<= ${text} ${integerText(s.hi)})`);
    return parts.length > 1 ? `(and ${parts.join(" ")})` : (parts[0] ?? "");
  },
};

/** Declares a symbol over the integers, within its interval. */
export function declaration(symbol: Term): string {
  const range = integers.range(symbol, quoted(symbol.name));
  const declared = `(declare-const ${quoted(symbol.name)} ${integers.sort(symbol)})`;
  return range === "" ? declared : `${declared}\n(assert ${range})`;
}
