/**
 * A trace: one counterexample as the reference interpreter replayed it, complete enough to be shown in any format
 * without the model, and to be replayed with it. Plain data; the ITF file (itf.ts) is this and nothing more.
 */
import type { Site } from "../../spec/program.ts";

/** What a variable's values name, so that they can be printed. */
export type TraceValues =
  | { readonly of: "int" | "bool" | "thread" }
  | { readonly of: "enum"; readonly labels: readonly string[] }
  /** 0 is NULL, 1..slots an object, slots + 1 a wild pointer. */
  | { readonly of: "pointer"; readonly pool: string; readonly slots: number };

export interface TraceVariable {
  /** Unique within the trace. */
  readonly name: string;
  /** How a person reads it, e.g. `lo->lo_refcnt`. */
  readonly title: string;
  readonly values: TraceValues;
  /** Null for a scalar, else the number of elements. */
  readonly length: number | null;
  /** What the index of an array names. */
  readonly index: "thread" | "number" | { readonly pool: string };
  /** The variable holds the owner of a lock of this kind. */
  readonly lock: string | null;
  /** A ghost of the model, which no kernel code reads. */
  readonly observer: boolean;
}

export interface TraceThread {
  readonly name: string;
  readonly kind: string;
  readonly cpu: number | null;
}

/** Where a thread stands in one state. */
export interface TraceStanding {
  /** `idle`: a handler that waits for its interrupt. `preempted`: under a handler of its CPU. */
  readonly status: "ready" | "blocked" | "resting" | "idle" | "preempted" | "ended";
  /** The kernel call it would make next; "" when it has ended. */
  readonly call: string;
  /** The C function it is in; "" when it has ended. */
  readonly fn: string;
  /** What it waits for, when it is blocked or resting. */
  readonly on: string | null;
  /** The thread that holds what it waits for. */
  readonly holder: string | null;
}

export interface TraceState {
  /** Per variable (in the order of `variables`), one number per element. */
  readonly values: readonly (readonly number[])[];
  /** Per thread (in the order of `threads`). */
  readonly threads: readonly TraceStanding[];
}

export interface TraceStep {
  readonly thread: string;
  readonly action: number;
  readonly ways: readonly number[];
  /** The kernel call or statement, as C. */
  readonly call: string;
  /** What distinguishes the alternative taken, e.g. `-EINTR`; "" if nothing does. */
  readonly outcome: string;
  /** The C function of the step. */
  readonly fn: string;
  /** Its C file. */
  readonly at: string;
  /** The functions on the call path, outermost first, `fn` last. */
  readonly path: readonly string[];
  /** Where it stands in the model, relative to the repository's root. */
  readonly site: Site;
  /** What the step reports, by kind. */
  readonly findings: readonly { readonly kind: string; readonly message: string }[];
  /** The step ends in the error state; the state after it is the one before it. */
  readonly error: boolean;
}

export interface TraceFinding {
  readonly kind: string;
  readonly message: string;
  readonly thread: string | null;
  /** `function, C file (model file:line)`. */
  readonly at: string | null;
}

export interface Assumptions {
  readonly memory: "SC";
  /** `none`, `weak` or `strong`; with what is stronger than that by name, e.g. `weak, strong for mutex`. */
  readonly fairness: string;
}

export interface Trace {
  /** The model's file, relative to the repository's root, with forward slashes. */
  readonly model: string;
  readonly protocol: string;
  readonly variant: string;
  readonly scenario: string;
  readonly sizes: Readonly<Record<string, number>>;
  readonly switches: Readonly<Record<string, string>>;
  readonly property: string;
  /** `inconclusive` for a model error, whose schedule shows the model at fault. */
  readonly verdict: "violated" | "inconclusive";
  readonly finding: TraceFinding;
  readonly label: "structural" | "timing" | null;
  readonly depthExact: boolean;
  readonly assumptions: Assumptions;
  readonly threads: readonly TraceThread[];
  readonly variables: readonly TraceVariable[];
  /** One more than there are steps: state i is the one before step i. */
  readonly states: readonly TraceState[];
  readonly steps: readonly TraceStep[];
  /**
   * For a lasso: the steps from this index on repeat for ever. As large as the number of steps: the run ends there, and
   * what never came never comes.
   */
  readonly loop: number | null;
}

/** Whether steps repeat for ever. */
export function repeats(trace: Pick<Trace, "loop" | "steps">): trace is Trace & { readonly loop: number } {
  return trace.loop !== null && trace.loop < trace.steps.length;
}

/** The name of one value of a variable, as a report prints it. */
export function valueName(values: TraceValues, value: number, threads: readonly TraceThread[]): string {
  switch (values.of) {
    case "int":
      return String(value);
    case "bool":
      return value === 0 ? "false" : "true";
    case "thread":
      return value === 0 ? "nobody" : (threads[value - 1]?.name ?? `thread ${value}`);
    case "enum":
      return values.labels[value] ?? String(value);
    case "pointer":
      if (value === 0) return "NULL";
      if (value > values.slots) return "wild";
      return values.slots === 1 ? `&${values.pool}` : `&${values.pool}#${value}`;
  }
}

/** How an element of an array is written; `element` counts from 0. */
export function elementName(variable: TraceVariable, element: number, threads: readonly TraceThread[]): string {
  if (variable.length === null) return variable.title;
  if (variable.index === "thread") return `${variable.title}[${threads[element]?.name ?? element + 1}]`;
  if (variable.index === "number") return `${variable.title}[${element}]`;
  // A pool of one object needs no number: there is only one it can be.
  return variable.length === 1 ? variable.title : `${variable.title}#${element + 1}`;
}

export interface TraceChange {
  readonly what: string;
  readonly from: string;
  readonly to: string;
  readonly observer: boolean;
}

/** The variables that step `index` changed, in the order of declaration. */
export function changesOf(trace: Trace, index: number): TraceChange[] {
  const before = trace.states[index];
  const after = trace.states[index + 1];
  const changes: TraceChange[] = [];
  if (before === undefined || after === undefined) return changes;
  for (const [v, variable] of trace.variables.entries()) {
    const old = before.values[v] ?? [];
    for (const [element, now] of (after.values[v] ?? []).entries()) {
      const was = old[element];
      if (was === undefined || was === now) continue;
      changes.push({
        what: elementName(variable, element, trace.threads),
        from: valueName(variable.values, was, trace.threads),
        to: valueName(variable.values, now, trace.threads),
        observer: variable.observer,
      });
    }
  }
  return changes;
}

/** A lock somebody holds in one state of a trace. */
export interface HeldLock {
  readonly lock: string;
  readonly kind: string;
  readonly thread: string;
  /** The step (from 1) that took it; 0 when it was held from the start. */
  readonly since: number;
}

/** The locks held in state `index` (0 is the initial one), each with the step that took it. */
export function heldLocks(trace: Trace, index: number): HeldLock[] {
  const held: HeldLock[] = [];
  for (const [v, variable] of trace.variables.entries()) {
    if (variable.lock === null || variable.values.of !== "thread") continue;
    for (const [element, owner] of (trace.states[index]?.values[v] ?? []).entries()) {
      const thread = trace.threads[owner - 1];
      if (owner === 0 || thread === undefined) continue;
      let since = index;
      while (since > 0 && trace.states[since - 1]?.values[v]?.[element] === owner) since--;
      const lock = elementName(variable, element, trace.threads);
      held.push({ lock, kind: variable.lock, thread: thread.name, since });
    }
  }
  return held;
}
