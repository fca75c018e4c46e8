/**
 * How states become vectors. The components of a state are, for each thread, its location and its stored locals, and
 * for each variable its elements. A level of the vector holds several of them at once, a *block*: all of a thread, all
 * that belongs to one object. Its value is the number of the tuple of their values, numbered as they occur. Few levels
 * make short recursions, and what changes together is no relation between levels.
 */
import type { TransitionSystem } from "../../spec/transition-system.ts";
import type { StateValues } from "../state-values.ts";

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

/** Block `order[k]` of a system stands at level `k`. Components also have numbers, in the order of the blocks. */
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
    order.forEach((block, k) => {
      block.forEach((c, place) => {
        const number = level.length;
        level.push(k);
        slot.push(place);
        const values = valuesOf(system, c);
        lo.push(Math.min(...values));
        hi.push(Math.max(...values));
        if (c.of === "pc") this.#pc[c.thread] = number;
        else if (c.of === "local") this.#local[c.thread]![c.local] = number;
        else this.#element[c.variable]![c.index] = number;
      });
    });
    this.level = level;
    this.slot = slot;
    this.lo = lo;
    this.hi = hi;
  }

  /** How many levels there are. */
  get length(): number {
    return this.order.length;
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

  vector({ vars, pcs, locals }: StateValues): number[] {
    return this.order.map((block, k) =>
      this.tuples[k]!.id(
        block.map((c) => {
          if (c.of === "pc") return pcs[c.thread]!;
          return c.of === "local" ? locals[c.thread]![c.local]! : vars[c.variable]![c.index]!;
        }),
      ),
    );
  }

  values(vector: readonly number[]): StateValues {
    const { threads, programs, vars } = this.system;
    const state: StateValues = {
      vars: vars.map((v) => new Array<number>(v.length).fill(0)),
      pcs: threads.map(() => 0),
      locals: threads.map((t) => programs[t.program]!.locals.map(() => 0)),
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

/**
 * The blocks in the order of declaration: each thread with its locals and what arrays hold for it, each object of a
 * pool, each other element by itself.
 */
export function declaredBlocks(system: TransitionSystem): Block[] {
  const ofThread: Component[][] = system.threads.map((thread, t) => {
    const { locals } = system.programs[thread.program]!;
    const stored = locals.flatMap((local, l): Component[] =>
      local.stored ? [{ of: "local", thread: t, local: l }] : [],
    );
    return [{ of: "pc", thread: t }, ...stored];
  });
  const others: Component[][] = [];
  const ofObject = new Map<string, Component[]>();
  system.vars.forEach((v, variable) => {
    for (let index = 0; index < v.length; index++) {
      const component: Component = { of: "element", variable, index };
      if (v.index === "thread" && v.length === system.threads.length) ofThread[index]!.push(component);
      else if (v.index === "none" || v.index === "thread") others.push([component]);
      else {
        const object = `${v.index.pool},${index}`;
        const block = ofObject.get(object);
        if (block !== undefined) block.push(component);
        else {
          const fresh = [component];
          ofObject.set(object, fresh);
          others.push(fresh);
        }
      }
    }
  });
  return [...ofThread, ...others];
}
