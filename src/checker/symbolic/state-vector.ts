/**
 * How states become vectors. The components of a state are, for each thread, its location and its stored locals, and
 * for each variable its elements. A level of the vector holds several of them at once, a *block*: all of a thread, all
 * that belongs to one object. Its value is the number of the tuple of their values, numbered as they occur. Few levels
 * make short recursions, and what changes together is no relation between levels. Components that no code writes are
 * part of no level.
 */
import type { SysCode, TransitionSystem } from "../../spec/transition-system.ts";
import { constantIndex } from "../evaluate.ts";
import { initialState, type StateValues } from "../state-values.ts";

export type Component =
  | { readonly of: "pc"; readonly thread: number }
  | { readonly of: "local"; readonly thread: number; readonly local: number }
  | { readonly of: "element"; readonly variable: number; readonly index: number };

/** Components that share a level. */
export type Block = readonly Component[];

/** The tuples of one block that have occurred, numbered. */
export class Tuples {
  readonly width: number;
  #values: Int32Array;
  #count = 0;
  readonly #ids = new Map<string, number>();

  constructor(width: number) {
    this.width = width;
    this.#values = new Int32Array(width * 16);
  }

  get count(): number {
    return this.#count;
  }

  value(id: number, slot: number): number {
    return this.#values[id * this.width + slot]!;
  }

  of(id: number): number[] {
    return [...this.#values.subarray(id * this.width, (id + 1) * this.width)];
  }

  id(values: readonly number[]): number {
    const key = values.join();
    const known = this.#ids.get(key);
    if (known !== undefined) return known;
    const id = this.#count++;
    if (this.#count * this.width > this.#values.length) {
      const wide = new Int32Array(this.#values.length * 2);
      wide.set(this.#values);
      this.#values = wide;
    }
    this.#values.set(values, id * this.width);
    this.#ids.set(key, id);
    return id;
  }
}

/**
 * Block `order[k]` of a system stands at level `k`. Components also have numbers, in the order of the blocks. Those that
 * are in no block keep their initial value; their level is the number of levels.
 */
export class StateVector {
  readonly system: TransitionSystem;
  readonly order: readonly Block[];
  /** Per level, what its values stand for. */
  readonly tuples: readonly Tuples[];
  /** Per component its level and its place in the block. */
  readonly level: readonly number[];
  readonly slot: readonly number[];
  /** Per component, its smallest and its largest value. */
  readonly lo: readonly number[];
  readonly hi: readonly number[];
  readonly #components: readonly Component[];
  readonly #initial: StateValues;
  readonly #pc: number[] = [];
  readonly #local: number[][] = [];
  readonly #element: number[][] = [];

  constructor(system: TransitionSystem, order: readonly Block[]) {
    this.system = system;
    this.order = order;
    this.tuples = order.map((block) => new Tuples(block.length));
    const level: number[] = [];
    const slot: number[] = [];
    const lo: number[] = [];
    const hi: number[] = [];
    for (const _ of system.threads) this.#local.push([]);
    for (const _ of system.vars) this.#element.push([]);
    this.#components = order.flat();
    this.#initial = initialState(system);
    const add = (c: Component, k: number, place: number, values: readonly number[]) => {
      const number = level.length;
      level.push(k);
      slot.push(place);
      lo.push(Math.min(...values));
      hi.push(Math.max(...values));
      if (c.of === "pc") this.#pc[c.thread] = number;
      else if (c.of === "local") this.#local[c.thread]![c.local] = number;
      else this.#element[c.variable]![c.index] = number;
    };
    order.forEach((block, k) => {
      block.forEach((c, place) => {
        add(c, k, place, valuesOf(system, c));
      });
    });
    for (const c of componentsOf(system)) {
      if (this.#number(c) === undefined) add(c, order.length, 0, [valueIn(this.#initial, c)]);
    }
    this.level = level;
    this.slot = slot;
    this.lo = lo;
    this.hi = hi;
  }

  /** How many levels there are. */
  get length(): number {
    return this.order.length;
  }

  #number(c: Component): number | undefined {
    if (c.of === "pc") return this.#pc[c.thread];
    return c.of === "local" ? this.#local[c.thread]![c.local] : this.#element[c.variable]![c.index];
  }

  /** The value of a component that no code writes, undefined for any other. */
  constant(component: number): number | undefined {
    return this.level[component] === this.length ? this.lo[component] : undefined;
  }

  /** The component that is the thread's location. */
  pc(thread: number): number {
    return this.#pc[thread]!;
  }

  /** The component of a stored local, undefined for one that is not. */
  local(thread: number, local: number): number | undefined {
    return this.#local[thread]![local];
  }

  element(variable: number, index: number): number {
    return this.#element[variable]![index]!;
  }

  vector(state: StateValues): number[] {
    return this.order.map((block, k) => this.tuples[k]!.id(block.map((c) => valueIn(state, c))));
  }

  values(vector: readonly number[]): StateValues {
    const { vars, pcs, locals } = this.#initial;
    const state: StateValues = {
      vars: vars.map((v) => [...v]),
      pcs: [...pcs],
      locals: locals.map((l) => [...l]),
    };
    this.#components.forEach((c, number) => {
      const k = this.level[number]!;
      const value = this.tuples[k]!.value(vector[k]!, this.slot[number]!);
      if (c.of === "pc") state.pcs[c.thread] = value;
      else if (c.of === "local") state.locals[c.thread]![c.local] = value;
      else state.vars[c.variable]![c.index] = value;
    });
    return state;
  }

  /** How a person reads a level, e.g. `udev#1`, `lo_ctl_mutex` or `disk#1`. */
  name(level: number): string {
    const { threads, vars, pools } = this.system;
    const block = this.order[level]!;
    const first = block[0]!;
    if (first.of !== "element") return threads[first.thread]!.name;
    const v = vars[first.variable]!;
    if (block.length > 1 && v.index !== "none" && v.index !== "thread") {
      return `${pools[v.index.pool]!.name}#${first.index + 1}`;
    }
    return v.length === 1 ? v.title || v.name : `${v.title || v.name}[${first.index}]`;
  }
}

/** Values of the component's domain and the initial one, the least and the greatest among them. */
function valuesOf(system: TransitionSystem, c: Component): number[] {
  if (c.of === "element") {
    const v = system.vars[c.variable]!;
    return [v.lo, v.hi, v.init[c.index] ?? v.lo];
  }
  const thread = system.threads[c.thread]!;
  const program = system.programs[thread.program]!;
  if (c.of === "pc") return [0, program.locations.length - 1];
  const local = program.locals[c.local]!;
  // A dead local is 0 whatever its domain.
  return [0, local.lo, local.hi, thread.initialLocals[c.local] ?? 0];
}

function valueIn({ vars, pcs, locals }: StateValues, c: Component): number {
  if (c.of === "pc") return pcs[c.thread]!;
  return c.of === "local" ? locals[c.thread]![c.local]! : vars[c.variable]![c.index]!;
}

/** All components of a state, in the order of declaration: the threads' first. */
function componentsOf({ threads, programs, vars }: TransitionSystem): Component[] {
  const ofThreads = threads.flatMap(({ program }, thread): Component[] => [
    { of: "pc", thread },
    ...programs[program]!.locals.flatMap((l, local): Component[] => (l.stored ? [{ of: "local", thread, local }] : [])),
  ]);
  const elements = vars.flatMap(({ length }, variable) =>
    Array.from({ length }, (_, index): Component => ({ of: "element", variable, index })),
  );
  return [...ofThreads, ...elements];
}

/** Whether some code may write a component. */
function writtenIn(system: TransitionSystem): (c: Component) => boolean {
  const locals = system.programs.map(() => new Set<number>());
  const elements = system.vars.map(({ length }) => new Array<boolean>(length).fill(false));
  const walk = ({ ops, end }: SysCode, t: number): void => {
    for (const op of ops) {
      if (op.o === "local") locals[system.threads[t]!.program]!.add(op.l);
      else if (op.o === "var") {
        const index = op.i === undefined ? 0 : constantIndex(op.i, t);
        if (index === undefined) elements[op.v]!.fill(true);
        else if (index in elements[op.v]!) elements[op.v]![index] = true;
      }
    }
    if (end.k === "choose") for (const way of end.ways) walk(way.code, t);
    else if (end.k === "if") {
      walk(end.then, t);
      walk(end.else, t);
    }
  };
  system.threads.forEach(({ program }, t) => {
    for (const { actions } of system.programs[program]!.locations) for (const { code } of actions) walk(code, t);
  });
  return (c) => {
    if (c.of === "pc") return true;
    return c.of === "local" ? locals[system.threads[c.thread]!.program]!.has(c.local) : elements[c.variable]![c.index]!;
  };
}

/**
 * The blocks in the order of declaration: each thread with its locals and what arrays hold for it, each object of a
 * pool, each other element by itself. What no code writes is left out.
 */
export function declaredBlocks(system: TransitionSystem): Block[] {
  const { threads, vars } = system;
  const written = writtenIn(system);
  const ofThread: Component[][] = threads.map(() => []);
  const others: Component[][] = [];
  const ofObject = new Map<string, Component[]>();
  for (const component of componentsOf(system)) {
    if (!written(component)) continue;
    if (component.of !== "element") {
      ofThread[component.thread]!.push(component);
      continue;
    }
    const v = vars[component.variable]!;
    if (v.index === "thread" && v.length === threads.length) ofThread[component.index]!.push(component);
    else if (v.index === "none" || v.index === "thread") others.push([component]);
    else {
      const object = `${v.index.pool},${component.index}`;
      const block = ofObject.get(object);
      if (block !== undefined) block.push(component);
      else {
        const fresh = [component];
        ofObject.set(object, fresh);
        others.push(fresh);
      }
    }
  }
  return [...ofThread, ...others];
}
