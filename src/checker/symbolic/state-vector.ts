/**
 * The components of a state and the levels they stand at: for each thread its location and its stored locals, for each
 * variable its elements. Locals that are never live together may share a level: at each location it holds the one that
 * is live there, or 0.
 */
import type { TransitionSystem } from "../../spec/transition-system.ts";

export type Component =
  | { readonly of: "pc"; readonly thread: number }
  | { readonly of: "locals"; readonly thread: number; readonly locals: readonly number[] }
  | { readonly of: "element"; readonly variable: number; readonly index: number };

/**
 * All components in the order of declaration: threads with their locals, then the variables.
 *
 * @param shared Per program, the locals that share a level; absent: none do.
 */
export function components(
  system: TransitionSystem,
  shared?: readonly (readonly (readonly number[])[])[],
): Component[] {
  const out: Component[] = [];
  system.threads.forEach((thread, t) => {
    out.push({ of: "pc", thread: t });
    const { locals } = system.programs[thread.program]!;
    const each = locals.flatMap((local, l) => (local.stored ? [[l]] : []));
    for (const together of shared?.[thread.program] ?? each) out.push({ of: "locals", thread: t, locals: together });
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
  readonly #slots: { readonly level: number; readonly locals: readonly number[] }[][] = [];
  readonly #element: number[][] = [];

  constructor(system: TransitionSystem, order: readonly Component[]) {
    this.system = system;
    this.order = order;
    const lo: number[] = [];
    const hi: number[] = [];
    for (const _ of system.threads) {
      this.#local.push([]);
      this.#slots.push([]);
    }
    for (const _ of system.vars) this.#element.push([]);
    order.forEach((c, level) => {
      if (c.of === "pc") {
        this.#pc[c.thread] = level;
        lo.push(0);
        hi.push(system.programs[system.threads[c.thread]!.program]!.locations.length - 1);
      } else if (c.of === "locals") {
        this.#slots[c.thread]!.push({ level, locals: c.locals });
        // A dead local is 0 whatever its domain.
        const values = [0];
        for (const l of c.locals) {
          this.#local[c.thread]![l] = level;
          const local = system.programs[system.threads[c.thread]!.program]!.locals[l]!;
          values.push(local.lo, local.hi, system.threads[c.thread]!.initialLocals[l] ?? 0);
        }
        lo.push(Math.min(...values));
        hi.push(Math.max(...values));
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

  /** Whether a stored local is what its level holds while the thread is at `location`; elsewhere the local is 0. */
  holds(thread: number, local: number, location: number): boolean {
    const c = this.order[this.#local[thread]![local]!]!;
    if (c.of !== "locals" || c.locals.length === 1) return true;
    return this.system.programs[this.system.threads[thread]!.program]!.locations[location]!.live.includes(local);
  }

  /** The levels of a thread's locals. */
  slots(thread: number): readonly { readonly level: number; readonly locals: readonly number[] }[] {
    return this.#slots[thread]!;
  }

  /** The local that a level with these locals holds while the thread is at `location`; undefined where that is 0. */
  held(thread: number, locals: readonly number[], location: number): number | undefined {
    return locals.find((l) => this.holds(thread, l, location));
  }

  element(variable: number, index: number): number {
    return this.#element[variable]![index]!;
  }

  initial(): number[] {
    const { threads, vars } = this.system;
    return this.order.map((c) => {
      if (c.of === "pc") return threads[c.thread]!.initialLocation;
      if (c.of === "locals") {
        const thread = threads[c.thread]!;
        const local = this.held(c.thread, c.locals, thread.initialLocation);
        return local === undefined ? 0 : (thread.initialLocals[local] ?? 0);
      }
      return vars[c.variable]!.init[c.index] ?? 0;
    });
  }

  /** How a person reads a level, e.g. `udev#1: location` or `lo_ctl_mutex`. */
  name(level: number): string {
    const { threads, vars, programs } = this.system;
    const c = this.order[level]!;
    if (c.of === "pc") return `${threads[c.thread]!.name}: location`;
    if (c.of === "locals") {
      const thread = threads[c.thread]!;
      const names = c.locals.map((l) => programs[thread.program]!.locals[l]!.name);
      return `${thread.name}: ${names.length > 1 ? `${names[0]} and ${names.length - 1} more` : names[0]}`;
    }
    const v = vars[c.variable]!;
    return v.length === 1 ? v.title || v.name : `${v.title || v.name}[${c.index}]`;
  }
}
