/** Control flow as C has it: if, while, goto and labels, break, continue, return, and locals that can be assigned. */
import { ModelError } from "./model-error.ts";
import type { Expr, Site, Stmt } from "./program.ts";
import { callSite, recording } from "./recording.ts";
import type { Type } from "./types.ts";
import { Bool, constant, type Int, type Mutable, type Null, toBool, type Value } from "./value.ts";

/** `if (condition) … else …` */
export function If(condition: Bool, then: () => void, otherwise?: () => void): void {
  const site = callSite();
  if (!(condition instanceof Bool)) {
    throw new ModelError("If takes a condition: compare with eq, ne, lt … or use failed(), ok()", site);
  }
  const c = computed(condition.use(), site);
  const r = recording();
  r.emit({ s: "if", c, then: r.block(then, site), else: otherwise ? r.block(otherwise, site) : [], site });
}

/** `while (condition) …`; a condition that reads shared state is a function, whose reads are repeated each time round. */
export function While(condition: Bool | (() => Bool), body: () => void): void {
  const site = callSite();
  const r = recording();
  let c: Expr = constant(1);
  const head = r.block(() => {
    c = computed((typeof condition === "function" ? condition() : condition).use(), site);
  }, site);
  r.emit({ s: "while", head, c, body: loopBody(body, site), site });
}

/** `for (;;) …` */
export function Forever(body: () => void): void {
  const site = callSite();
  recording().emit({ s: "while", head: [], c: constant(1), body: loopBody(body, site), site });
}

function loopBody(body: () => void, site: Site): Stmt[] {
  const r = recording();
  const frame = r.frame("a loop");
  frame.loops++;
  try {
    return r.block(body, site);
  } finally {
    frame.loops--;
  }
}

export function Break(): void {
  jump("break");
}

export function Continue(): void {
  jump("continue");
}

function jump(s: "break" | "continue"): void {
  const site = callSite();
  if (recording().frame(s).loops === 0) throw new ModelError(`${s} stands outside of a loop`, site);
  recording().emit({ s, site });
}

/** `name:` */
export function Label(name: string): void {
  recording().emit({ s: "label", name, site: callSite() });
}

/** `goto name;` */
export function Goto(name: string): void {
  recording().emit({ s: "goto", name, site: callSite() });
}

/** `return;` or `return value;`: a literal is checked against the function's type by `fn`. */
export function Return(value?: Value | Null | number | boolean | string): void {
  const site = callSite();
  const r = recording();
  const frame = r.frame("Return");
  const coerce = r.facts.get(`returns ${frame.name}`) as ((v: unknown) => Expr) | undefined;
  if (value === undefined) {
    if (frame.returns) throw new ModelError(`${frame.name} returns a value; this Return has none`, site);
    r.emit({ s: "return", site });
    return;
  }
  if (!frame.returns || !coerce) {
    throw new ModelError(`${frame.name} is declared without \`returns\`, so it cannot return a value`, site);
  }
  r.emit({ s: "return", value: computed(coerce(value), site), site });
}

/** A local variable of the kernel function that is assigned more than once. */
export class Local<V extends Value, In> {
  readonly #type: Type<V, In>;
  readonly #mutable: Mutable;

  constructor(type: Type<V, In>, mutable: Mutable) {
    this.#type = type;
    this.#mutable = mutable;
  }
  /** Its value now. */
  get value(): V {
    return this.#type.wrap({ e: "local", name: this.#mutable.name }, this.#mutable);
  }
  set(value: In): void {
    const site = callSite();
    const expr = computed(this.#type.coerce(value), site);
    recording().emit({ s: "set", to: { p: "local", name: this.#mutable.name }, value: expr, site });
    this.#mutable.version++;
  }
}

/** Declares a local with its initial value. `kept`: part of the state even where no code reads it any more. */
export function local<V extends Value, In>(
  name: string,
  type: Type<V, In>,
  initial: In,
  options: { kept?: boolean } = {},
): Local<V, In> {
  const mutable: Mutable = { name: recording().local(name, type.domain(), options.kept), version: 0 };
  const l = new Local(type, mutable);
  l.set(initial);
  return l;
}

/** `x--`, `x++` on a local. */
export function decrement(l: Local<Int, Int | number>): void {
  l.set(l.value.minus(1));
}
export function increment(l: Local<Int, Int | number>): void {
  l.set(l.value.plus(1));
}

/**
 * Checks that an expression outside of a step reads locals and observers only: a shared read is a step of its own.
 * Inside `atomically` and in properties everything may be read.
 */
export function computed(expr: Expr, site: Site): Expr {
  const r = recording();
  if (!r.inFunction || r.frame("an expression").atomic) return expr;
  const shared = sharedRead(expr);
  if (shared !== undefined) {
    throw new ModelError(
      `this expression looks at ${shared} outside of a step; write const x = read(${shared}), or put both inside atomically(…)`,
      site,
    );
  }
  return expr;
}

function sharedRead(expr: Expr): string | undefined {
  switch (expr.e) {
    case "load": {
      const declared = recording().vars.get(expr.v);
      return declared?.observer ? undefined : (declared?.title ?? expr.v);
    }
    case "not":
    case "neg":
      return sharedRead(expr.a);
    case "bin":
      return sharedRead(expr.a) ?? sharedRead(expr.b);
    case "ite":
      return sharedRead(expr.c) ?? sharedRead(expr.a) ?? sharedRead(expr.b);
    case "referenced":
      return `references to ${expr.pool}`;
    case "alive":
      return `whether a ${expr.pool} is alive`;
    case "ended":
    case "at":
    case "inside":
      return `the place of ${expr.thread}`;
    case "const":
    case "local":
    case "self":
      return undefined;
  }
}

/** One of several ways, chosen freely; part of the step before it. */
export interface Chance {
  readonly name: string;
  readonly body: () => void;
  /** Bad luck that nobody owes (an allocation that fails): never the rescuer in a deadlock question. */
  readonly optional?: boolean;
}

/** Nondeterministic choice: one transition per way. */
export function Choose(...ways: readonly Chance[]): void {
  const site = callSite();
  if (ways.length === 0) throw new ModelError("Choose needs at least one way", site);
  const r = recording();
  r.emit({
    s: "choose",
    ways: ways.map((w) => ({ body: r.block(w.body, site), name: w.name, ...(w.optional ? { optional: true } : {}) })),
    site,
  });
}

/** `BUG_ON(condition)` on values already read. Ends the path. */
export function BUG_ON(condition: Bool, text: string): void {
  const site = callSite();
  recording().emit({
    s: "if",
    c: computed(condition.use(), site),
    then: [{ s: "error", kind: "bug-on", message: `BUG_ON(${text})`, site }],
    else: [],
    site,
  });
}

/** Reports a finding of this kind and goes on. */
export function report(kind: string, message: string, when: Bool | boolean = true): void {
  const site = callSite();
  const finding: Stmt = { s: "finding", kind, message, site };
  if (when === true) recording().emit(finding);
  else recording().emit({ s: "if", c: computed(toBool(when), site), then: [finding], else: [], site });
}

/** Marks that what a property speaks of has happened: its trigger. In a scenario's `start`: has happened already. */
export function reached(mark: string): void {
  const r = recording();
  if (r.inFunction) r.emit({ s: "mark", name: mark, site: callSite() });
  else r.reached.add(mark);
}
