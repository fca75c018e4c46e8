/**
 * The components of a state and the levels they stand at: for each thread its location and its stored locals, for each
 * variable its elements.
 */
import type { TransitionSystem } from "../../spec/transition-system.ts";

export type Component =
  | { readonly of: "pc"; readonly thread: number }
  | { readonly of: "local"; readonly thread: number; readonly local: number }
  | { readonly of: "element"; readonly variable: number; readonly index: number };

/** All components in the order of declaration: threads with their locals, then the variables. */
export function components(system: TransitionSystem): Component[] {
  const out: Component[] = [];
  system.threads.forEach((thread, t) => {
    out.push({ of: "pc", thread: t });
    system.programs[thread.program]!.locals.forEach((local, l) => {
      if (local.stored) out.push({ of: "local", thread: t, local: l });
    });
  });
  system.vars.forEach((v, variable) => {
    for (let index = 0; index < v.length; index++) out.push({ of: "element", variable, index });
  });
  return out;
}

/** Component `order[k]` of a system stands at level `k`. */
export class StateVector {
  readonly system: TransitionSystem;
  readonly order: readonly Component[];
  readonly lo: readonly number[];
  readonly hi: readonly number[];
  readonly #pc: number[] = [];
  readonly #local: number[][] = [];
  readonly #element: number[][] = [];

  constructor(system: TransitionSystem, order: readonly Component[]) {
    this.system = system;
    this.order = order;
    const lo: number[] = [];
    const hi: number[] = [];
    for (const _ of system.threads) this.#local.push([]);
    for (const _ of system.vars) this.#element.push([]);
    order.forEach((c, level) => {
      if (c.of === "pc") {
        this.#pc[c.thread] = level;
        lo.push(0);
        hi.push(system.programs[system.threads[c.thread]!.program]!.locations.length - 1);
      } else if (c.of === "local") {
        this.#local[c.thread]![c.local] = level;
        const local = system.programs[system.threads[c.thread]!.program]!.locals[c.local]!;
        const init = system.threads[c.thread]!.initialLocals[c.local] ?? 0;
        // A dead local is 0 whatever its domain.
        lo.push(Math.min(local.lo, 0, init));
        hi.push(Math.max(local.hi, 0, init));
      } else {
        this.#element[c.variable]![c.index] = level;
        const v = system.vars[c.variable]!;
        const init = v.init[c.index] ?? v.lo;
        lo.push(Math.min(v.lo, init));
        hi.push(Math.max(v.hi, init));
      }
    });
    this.lo = lo;
    this.hi = hi;
  }

  get length(): number {
    return this.order.length;
  }

  pc(thread: number): number {
    return this.#pc[thread]!;
  }

  /** The level of a stored local, undefined for one that is not. */
  local(thread: number, local: number): number | undefined {
    return this.#local[thread]![local];
  }

  element(variable: number, index: number): number {
    return this.#element[variable]![index]!;
  }

  initial(): number[] {
    const { threads, vars } = this.system;
    return this.order.map((c) => {
      if (c.of === "pc") return threads[c.thread]!.initialLocation;
      if (c.of === "local") return threads[c.thread]!.initialLocals[c.local] ?? 0;
      return vars[c.variable]!.init[c.index] ?? 0;
    });
  }

  /** How a person reads a level, e.g. `udev#1: location` or `lo_ctl_mutex`. */
  name(level: number): string {
    const { threads, vars, programs } = this.system;
    const c = this.order[level]!;
    if (c.of === "pc") return `${threads[c.thread]!.name}: location`;
    if (c.of === "local") {
      const thread = threads[c.thread]!;
      return `${thread.name}: ${programs[thread.program]!.locals[c.local]!.name}`;
    }
    const v = vars[c.variable]!;
    return v.length === 1 ? v.title || v.name : `${v.title || v.name}[${c.index}]`;
  }
}
