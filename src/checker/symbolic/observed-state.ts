/**
 * What the actions of a thread do in one state, and what they looked at to do it: every state that looks the same there
 * has the same transitions. A condition on one component counts as no more than its outcome, a component that is only
 * changed (`x + 1`) as nothing, and of an array only the element is looked at that a pointer points to.
 *
 * What is asked next depends on nothing but the answers so far, so what an action has looked at in two states is either
 * the same or contradicts itself somewhere: as conditions on states they exclude each other.
 */
import { applyBinary } from "../../spec/evaluate.ts";
import type { BinaryOperator } from "../../spec/program.ts";
import type { SysAction, SysCode, SysExpr } from "../../spec/transition-system.ts";
import type { Relations, TestId, TestOperator, Update } from "./relation.ts";
import type { StateVector } from "./state-vector.ts";

/** One transition, as far as it is known without the conditions under which it is enabled. */
export interface Leaf {
  readonly optional: boolean;
  readonly marks: readonly number[];
  /** Findings met on the way; the error it ends in is the last. */
  readonly findings: readonly number[];
  readonly error: boolean;
  /** New values by component, those that are known to be the old ones left out; empty for an error. */
  readonly writes: ReadonlyMap<number, number | Update>;
}

/** Tests by level, all of which the state passes. */
export type Conditions = ReadonlyMap<number, readonly TestId[]>;

/** What has been written, and how it comes from what the same component held before, if that was not looked at. */
interface Written {
  readonly value: number;
  readonly update?: Update;
}
type Overlay = ReadonlyMap<number, Written>;

interface Firing {
  readonly elements: Overlay;
  readonly locals: Overlay;
  readonly optional: boolean;
  readonly marks: readonly number[];
  readonly findings: readonly number[];
}

const NOTHING: Overlay = new Map();
const NONE: readonly number[] = [];
const COMPARISONS = {
  "==": "==",
  "!=": "!=",
  "<": ">",
  "<=": ">=",
  ">": "<",
  ">=": "<=",
} as const satisfies Partial<Record<BinaryOperator, TestOperator>>;
type Comparison = keyof typeof COMPARISONS;
const NEGATED = { "==": "!=", "!=": "==", "<": ">=", "<=": ">", ">": "<=", ">=": "<" } as const;
/** Conditions on a component of at most so many values are told by the set of those that satisfy them. */
const SMALL_DOMAIN = 1024;
/** In place of a component: what an expression yields is no component of the state before, but a value. */
const NO_COMPONENT = -1;

export class ObservedState {
  readonly #vector: StateVector;
  readonly #relations: Relations;
  /** The state, from the level on from which its values are known. */
  #state: readonly number[] = [];
  #from = 0;
  #self = 0;
  /** Components whose value has been read, and their values. */
  readonly #read = new Map<number, number>();
  /** Components of which something has been asked, and what the answer was. */
  readonly #asked: number[] = [];
  readonly #answers: TestId[] = [];
  /** What the code has done so far. */
  #elements: Overlay = NOTHING;
  #locals: Overlay = NOTHING;
  /** The value of an expression that is no component. */
  #value = 0;
  /** The values of a component for which a condition on it holds. */
  readonly #where = new Map<string, number[]>();

  constructor(vector: StateVector, relations: Relations) {
    this.#vector = vector;
    this.#relations = relations;
  }

  /** Looks at a state, of which the levels from `from` on are known, as thread `t` does. */
  look(state: readonly number[], from: number, t: number): void {
    this.#state = state;
    this.#from = from;
    this.#self = t;
  }

  /** The thread's location, which is not counted as looked at. */
  get location(): number {
    return this.#peek(this.#vector.pc(this.#self));
  }

  /** What a local of the thread holds, which is not counted as looked at. */
  local(l: number): number {
    const component = this.#vector.local(this.#self, l);
    return component === undefined ? 0 : (this.#vector.constant(component) ?? this.#peek(component));
  }

  /** That the thread is where it is, and these locals of it hold what they hold. */
  standing(pointers: readonly number[]): Conditions {
    this.#begin(pointers);
    return this.#conditions();
  }

  #begin(pointers: readonly number[]): void {
    this.#read.clear();
    this.#asked.length = 0;
    this.#answers.length = 0;
    this.#elements = NOTHING;
    this.#locals = NOTHING;
    this.#exactly(this.#vector.pc(this.#self));
    for (const l of pointers) this.#evaluate({ e: "local", l });
  }

  /**
   * The transitions of an action at the thread's location, and the conditions under which they are its transitions.
   *
   * @param pointers Locals that are counted as looked at whether or not the action does.
   */
  fire(
    action: SysAction,
    pointers: readonly number[],
  ): { readonly conditions: Conditions; readonly leaves: readonly Leaf[] } {
    this.#begin(pointers);
    const leaves: Leaf[] = [];
    if (action.guard === undefined || this.#holds(action.guard)) {
      const start = { elements: NOTHING, locals: NOTHING, optional: action.optional, marks: NONE, findings: NONE };
      this.#walk(action.code, start, leaves);
    }
    return { conditions: this.#conditions(), leaves };
  }

  #conditions(): Map<number, TestId[]> {
    const { level, slot } = this.#vector;
    const byLevel = new Map<number, TestId[]>();
    const add = (component: number, test: TestId) => {
      const tests = byLevel.get(level[component]!);
      if (tests === undefined) byLevel.set(level[component]!, [test]);
      else if (!tests.includes(test)) tests.push(test);
    };
    for (const [component, value] of this.#read) {
      add(component, this.#relations.test(slot[component]!, "==", value));
    }
    this.#asked.forEach((component, i) => {
      if (!this.#read.has(component)) add(component, this.#answers[i]!);
    });
    return byLevel;
  }

  #walk(code: SysCode, before: Firing, leaves: Leaf[]): void {
    let { marks, findings } = before;
    let elements: Map<number, Written> | undefined;
    let locals: Map<number, Written> | undefined;
    this.#elements = before.elements;
    this.#locals = before.locals;
    for (const op of code.ops) {
      switch (op.o) {
        case "mark":
          marks = [...marks, op.m];
          break;
        case "finding":
          findings = [...findings, op.f];
          break;
        case "local": {
          const target = this.#locals.has(op.l) ? undefined : this.#vector.local(this.#self, op.l);
          const written = this.#written(op.value, target);
          locals ??= new Map(before.locals);
          this.#locals = locals.set(op.l, written);
          break;
        }
        case "var": {
          const index = op.i === undefined ? 0 : this.#evaluate(op.i);
          if (index < 0 || index >= this.#vector.system.vars[op.v]!.length) break;
          const target = this.#vector.element(op.v, index);
          const written = this.#written(op.value, this.#elements.has(target) ? undefined : target);
          elements ??= new Map(before.elements);
          this.#elements = elements.set(target, written);
        }
      }
    }
    const after: Firing = {
      elements: elements ?? before.elements,
      locals: locals ?? before.locals,
      optional: before.optional,
      marks,
      findings,
    };
    const { end } = code;
    switch (end.k) {
      case "goto": {
        const writes = new Map<number, number | Update>();
        const write = (component: number, { value, update }: Written) => {
          const before = this.#read.get(component);
          if (before !== value) writes.set(component, before === undefined && update !== undefined ? update : value);
        };
        for (const [component, written] of after.elements) write(component, written);
        for (const [l, written] of after.locals) {
          const component = this.#vector.local(this.#self, l);
          if (component !== undefined) write(component, written);
        }
        write(this.#vector.pc(this.#self), { value: end.location });
        leaves.push({ optional: after.optional, marks, findings, error: false, writes });
        return;
      }
      case "error":
        leaves.push({
          optional: after.optional,
          marks,
          findings: [...findings, end.f],
          error: true,
          writes: new Map(),
        });
        return;
      case "if":
        this.#walk(this.#holds(end.c) ? end.then : end.else, after, leaves);
        return;
      case "choose":
        for (const way of end.ways) {
          this.#walk(way.code, { ...after, optional: after.optional || way.optional }, leaves);
        }
    }
  }

  #peek(component: number): number {
    const level = this.#vector.level[component]!;
    if (level < this.#from) throw new Error("an action looks at what its text does not mention");
    return this.#vector.tuples[level]!.value(this.#state[level]!, this.#vector.slot[component]!);
  }

  #exactly(component: number): number {
    const known = this.#read.get(component);
    if (known !== undefined) return known;
    const value = this.#peek(component);
    this.#read.set(component, value);
    return value;
  }

  /** The outcome of comparing a component, which alone is counted as looked at. */
  #compare(component: number, op: Comparison, against: number): boolean {
    const value = this.#peek(component);
    const outcome = applyBinary(op, value, against) !== 0;
    if (!this.#read.has(component)) {
      this.#asked.push(component);
      this.#answers.push(this.#relations.test(this.#vector.slot[component]!, outcome ? op : NEGATED[op], against));
    }
    return outcome;
  }

  /** What an expression yields, as a function of what `target` held before where it depends on nothing else. */
  #written(e: SysExpr, target: number | undefined): Written {
    const place = target === undefined ? undefined : onlyPlace(e);
    if (place === undefined || place === e || this.#component(place) !== target || this.#read.has(target!)) {
      return { value: this.#evaluate(e) };
    }
    const self = this.#self;
    const of = (value: number) => evaluateAt(e, place, value, self);
    return { value: of(this.#peek(target!)), update: { key: keyOf(e, place, self), of } };
  }

  /** The truth of an expression in which one component occurs, once; undefined where that does not help. */
  #condition(e: SysExpr): boolean | undefined {
    const place = onlyPlace(e);
    if (place === undefined) return undefined;
    const component = this.#component(place);
    if (component < 0) return evaluateAt(e, place, this.#value, this.#self) !== 0;
    const lo = this.#vector.lo[component]!;
    const hi = this.#vector.hi[component]!;
    const self = this.#self;
    const outcome = evaluateAt(e, place, this.#peek(component), self) !== 0;
    if (this.#read.has(component)) return outcome;
    if (hi - lo >= SMALL_DOMAIN) return undefined;
    const key = `${component}:${keyOf(e, place, self)}`;
    let where = this.#where.get(key);
    if (where === undefined) {
      where = [];
      for (let v = lo; v <= hi; v++) if (evaluateAt(e, place, v, self) !== 0) where.push(v);
      this.#where.set(key, where);
    }
    if (where.length > 0 && where.length <= hi - lo) {
      this.#asked.push(component);
      this.#answers.push(this.#relations.testOf(this.#vector.slot[component]!, outcome ? "in" : "not in", where));
    }
    return outcome;
  }

  #isAt(t: number, locations: readonly number[]): boolean {
    const component = this.#vector.pc(t);
    const value = this.#peek(component);
    const outcome = locations.includes(value);
    if (!this.#read.has(component)) {
      this.#asked.push(component);
      const op = outcome ? "in" : "not in";
      this.#answers.push(this.#relations.testOf(this.#vector.slot[component]!, op, locations));
    }
    return outcome;
  }

  /** The component an expression stands for, if it is one that nothing was written to; otherwise `#value` is its value. */
  #component(e: SysExpr): number {
    if (e.e === "local") {
      const t = e.t ?? this.#self;
      const written = t === this.#self ? this.#locals.get(e.l) : undefined;
      const component = this.#vector.local(t, e.l);
      if (written === undefined) {
        if (component !== undefined) return this.#unlessConstant(component);
      } else if (written.update !== undefined) this.#exactly(component!);
      this.#value = written?.value ?? 0;
      return NO_COMPONENT;
    }
    if (e.e === "load") {
      const index = e.i === undefined ? 0 : this.#evaluate(e.i);
      if (index < 0 || index >= this.#vector.system.vars[e.v]!.length) {
        this.#value = 0;
        return NO_COMPONENT;
      }
      const component = this.#vector.element(e.v, index);
      const written = this.#elements.get(component);
      if (written === undefined) return this.#unlessConstant(component);
      if (written.update !== undefined) this.#exactly(component);
      this.#value = written.value;
      return NO_COMPONENT;
    }
    this.#value = this.#evaluate(e);
    return NO_COMPONENT;
  }

  #unlessConstant(component: number): number {
    const value = this.#vector.constant(component);
    if (value === undefined) return component;
    this.#value = value;
    return NO_COMPONENT;
  }

  #holds(e: SysExpr): boolean {
    switch (e.e) {
      case "not":
        return !this.#holds(e.a);
      case "pc":
        return this.#isAt(e.t, e.locations);
      case "ite":
        return this.#holds(this.#holds(e.c) ? e.a : e.b);
      case "local":
      case "load": {
        const component = this.#component(e);
        return component < 0 ? this.#value !== 0 : this.#compare(component, "!=", 0);
      }
      case "bin":
        if (e.op === "&&") return this.#holds(e.a) && this.#holds(e.b);
        if (e.op === "||") return this.#holds(e.a) || this.#holds(e.b);
        if (e.op in COMPARISONS && (isPlace(e.a) || isPlace(e.b)))
          return this.#comparison(e.op as Comparison, e.a, e.b);
        return this.#condition(e) ?? this.#truth(e);
    }
    return this.#evaluate(e) !== 0;
  }

  #truth({ op, a, b }: SysExpr & { e: "bin" }): boolean {
    const left = this.#evaluate(a);
    return applyBinary(op, left, this.#evaluate(b)) !== 0;
  }

  #comparison(op: Comparison, a: SysExpr, b: SysExpr): boolean {
    const left = this.#component(a);
    const leftValue = this.#value;
    const right = this.#component(b);
    if (right < 0) {
      const against = this.#value;
      return left < 0 ? applyBinary(op, leftValue, against) !== 0 : this.#compare(left, op, against);
    }
    return this.#compare(right, COMPARISONS[op], left < 0 ? leftValue : this.#exactly(left));
  }

  #evaluate(e: SysExpr): number {
    switch (e.e) {
      case "const":
        return e.v;
      case "self":
        return this.#self + 1;
      case "local":
      case "load": {
        const component = this.#component(e);
        return component < 0 ? this.#value : this.#exactly(component);
      }
      case "not":
      case "pc":
        return this.#holds(e) ? 1 : 0;
      case "neg":
        return -this.#evaluate(e.a) | 0;
      case "ite":
        return this.#evaluate(this.#holds(e.c) ? e.a : e.b);
      case "bin": {
        if (e.op === "&&" || e.op === "||" || e.op in COMPARISONS) return this.#holds(e) ? 1 : 0;
        const a = this.#evaluate(e.a);
        return applyBinary(e.op, a, this.#evaluate(e.b));
      }
    }
  }
}

type Place = SysExpr & { e: "local" | "load" };

function isPlace(e: SysExpr): e is Place {
  return e.e === "local" || e.e === "load";
}

const onlyPlaces = new WeakMap<SysExpr, Place | "none" | "many">();

/** The one place an expression depends on, if that occurs in it once. */
function onlyPlace(e: SysExpr): Place | undefined {
  const place = placesIn(e);
  return typeof place === "string" ? undefined : place;
}

function placesIn(e: SysExpr): Place | "none" | "many" {
  const known = onlyPlaces.get(e);
  if (known !== undefined) return known;
  const place = isPlace(e) ? e : partsOf(e);
  onlyPlaces.set(e, place);
  return place;
}

function partsOf(e: SysExpr): Place | "none" | "many" {
  const all = (...parts: readonly SysExpr[]) => {
    const found = parts.map(placesIn).filter((p) => p !== "none");
    return found.length > 1 ? "many" : (found[0] ?? "none");
  };
  switch (e.e) {
    case "not":
    case "neg":
      return all(e.a);
    case "bin":
      return all(e.a, e.b);
    case "ite":
      return all(e.c, e.a, e.b);
    case "pc":
      return "many";
    default:
      return "none";
  }
}

/** The value of an expression in which `place`, the only one, holds `value`. */
function evaluateAt(e: SysExpr, place: Place, value: number, self: number): number {
  if (e === place) return value;
  switch (e.e) {
    case "const":
      return e.v;
    case "self":
      return self + 1;
    case "not":
      return evaluateAt(e.a, place, value, self) === 0 ? 1 : 0;
    case "neg":
      return -evaluateAt(e.a, place, value, self) | 0;
    case "ite":
      return evaluateAt(evaluateAt(e.c, place, value, self) !== 0 ? e.a : e.b, place, value, self);
    case "bin":
      return applyBinary(e.op, evaluateAt(e.a, place, value, self), evaluateAt(e.b, place, value, self));
    default:
      throw new Error("an expression has another place than its only one");
  }
}

/** The same for expressions that are the same function of their only place. */
function keyOf(e: SysExpr, place: Place, self: number): string {
  const of = (part: SysExpr): string => keyOf(part, place, self);
  if (e === place) return "x";
  switch (e.e) {
    case "const":
      return String(e.v);
    case "self":
      return String(self + 1);
    case "not":
      return `!${of(e.a)}`;
    case "neg":
      return `-${of(e.a)}`;
    case "ite":
      return `(${of(e.c)}?${of(e.a)}:${of(e.b)})`;
    case "bin":
      return `(${of(e.a)}${e.op}${of(e.b)})`;
    default:
      throw new Error("an expression has another place than its only one");
  }
}
