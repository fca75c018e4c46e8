/**
 * Single states and their successors, evaluated directly from the transition system: to replay what a solver claims,
 * and to search forward from the few states a solver proposes.
 *
 * Shares nothing with the encoding but the transition system itself, so that a wrong encoding shows as a schedule that
 * does not replay.
 */
import { evaluate as evaluateIn } from "../../spec/evaluate.ts";
import type { SysCode, SysExpr, TransitionSystem } from "../../spec/transition-system.ts";
import type { ScheduleStep } from "../verdict.ts";
import { isHandler } from "./encode.ts";

export interface ConcreteState {
  readonly vars: readonly (readonly number[])[];
  readonly pcs: readonly number[];
  readonly locals: readonly (readonly number[])[];
}

export interface ConcreteEdge {
  readonly step: ScheduleStep;
  readonly optional: boolean;
  readonly findings: readonly number[];
  readonly marks: readonly number[];
  /** Undefined: the error state. */
  readonly target: ConcreteState | undefined;
}

export function initialState(system: TransitionSystem): ConcreteState {
  return {
    vars: system.vars.map((v) => Array.from({ length: v.length }, (_, i) => v.init[i] ?? 0)),
    pcs: system.threads.map((t) => t.initialLocation),
    locals: system.threads.map((t) =>
      (system.programs[t.program]?.locals ?? []).map((l, i) => (l.stored ? (t.initialLocals[i] ?? 0) : 0)),
    ),
  };
}

export function stateKey(s: ConcreteState): string {
  return `${s.pcs.join()};${s.vars.join(" ")};${s.locals.join(" ")}`;
}

/** The values in the order of the state vector of the encoding. */
export function stateVector(system: TransitionSystem, s: ConcreteState): number[] {
  const stored = system.threads.flatMap((t, i) =>
    (system.programs[t.program]?.locals ?? []).flatMap((l, n) => (l.stored ? [s.locals[i]?.[n] ?? 0] : [])),
  );
  return [...s.vars.flat(), ...s.pcs, ...stored];
}

/** `thread` is the executing one; -1 in properties. */
export function evaluate(e: SysExpr, s: ConcreteState, thread: number): number {
  return evaluateIn(e, { vars: s.vars, locals: s.locals, pcs: s.pcs, self: thread + 1 });
}

/** Every transition of the state, idle ones only where they are enabled. */
export function edges(system: TransitionSystem, s: ConcreteState): ConcreteEdge[] {
  const all: (ConcreteEdge & { readonly idle: boolean })[] = [];
  for (const [t, thread] of system.threads.entries()) {
    const program = system.programs[thread.program];
    for (const [a, action] of (program?.locations[s.pcs[t] ?? -1]?.actions ?? []).entries()) {
      if (action.guard !== undefined && evaluate(action.guard, s, t) === 0) continue;
      const walk = (
        code: SysCode,
        from: ConcreteState,
        ways: readonly number[],
        optional: boolean,
        marked: readonly number[],
        found: readonly number[],
      ): void => {
        const vars = from.vars.map((v) => [...v]);
        const own = [...(from.locals[t] ?? [])];
        const now = { vars, pcs: from.pcs, locals: from.locals.map((l, i) => (i === t ? own : l)) };
        const marks = [...marked];
        const findings = [...found];
        for (const op of code.ops) {
          if (op.o === "mark") marks.push(op.m);
          else if (op.o === "finding") findings.push(op.f);
          else if (op.o === "local") own[op.l] = evaluate(op.value, now, t);
          else {
            const elements = vars[op.v] as number[];
            const i = op.i === undefined ? 0 : evaluate(op.i, now, t);
            const value = evaluate(op.value, now, t);
            if (i >= 0 && i < elements.length) elements[i] = value;
          }
        }
        const end = code.end;
        if (end.k === "if") {
          walk(evaluate(end.c, now, t) !== 0 ? end.then : end.else, now, ways, optional, marks, findings);
        } else if (end.k === "choose") {
          for (const [w, way] of end.ways.entries()) {
            walk(way.code, now, [...ways, w], optional || way.optional, marks, findings);
          }
        } else {
          let target: ConcreteState | undefined;
          if (end.k === "error") findings.push(end.f);
          else {
            for (const [l, local] of (program?.locals ?? []).entries()) if (!local.stored) own[l] = 0;
            target = { ...now, pcs: s.pcs.map((p, i) => (i === t ? end.location : p)) };
          }
          all.push({ step: { thread: t, action: a, ways }, optional, idle: action.idle, findings, marks, target });
        }
      };
      walk(action.code, s, [], action.optional, [], []);
    }
  }
  return all.some((e) => !e.idle && !e.optional) ? all.filter((e) => !e.idle) : all;
}

function ended(system: TransitionSystem, s: ConcreteState, t: number): boolean {
  const thread = system.threads[t];
  return thread !== undefined && system.programs[thread.program]?.locations[s.pcs[t] ?? -1]?.ended === true;
}

function midRun(system: TransitionSystem, s: ConcreteState, t: number): boolean {
  return s.pcs[t] !== system.threads[t]?.initialLocation && !ended(system, s, t);
}

/**
 * The threads that are blocked in the state. `out` is edges() of the state.
 * @param anyway count also those that would be, were they not kept off their CPU
 */
export function blockedThreads(
  system: TransitionSystem,
  s: ConcreteState,
  out: readonly ConcreteEdge[],
  anyway = false,
): number[] {
  return system.threads.flatMap((thread, t) => {
    if (thread.kind === "environment" || thread.kind === "device" || ended(system, s, t)) return [];
    if (out.some((e) => e.step.thread === t && !e.optional)) return [];
    const wait = system.programs[thread.program]?.locations[s.pcs[t] ?? -1]?.wait;
    if (wait?.resting !== undefined && evaluate(wait.resting, s, t) !== 0) return [];
    if (isHandler(thread) && !midRun(system, s, t)) return [];
    return !anyway && thread.keptOff !== undefined && evaluate(thread.keptOff, s, t) !== 0 ? [] : [t];
  });
}

/** Thread t, which has no live move, waits with a right to. */
export function isResting(system: TransitionSystem, s: ConcreteState, t: number): boolean {
  const thread = system.threads[t];
  if (thread === undefined || (isHandler(thread) && !midRun(system, s, t))) return false;
  if (thread.keptOff !== undefined && evaluate(thread.keptOff, s, t) !== 0) return false;
  const resting = system.programs[thread.program]?.locations[s.pcs[t] ?? -1]?.wait?.resting;
  return resting !== undefined && evaluate(resting, s, t) !== 0;
}

/** Nobody on the chain of who waits for whom, from thread t on, has a live move. `out` is edges() of the state. */
export function isSettled(
  system: TransitionSystem,
  s: ConcreteState,
  first: number,
  out: readonly ConcreteEdge[],
): boolean {
  const seen = new Set<number>();
  for (let t = first; t >= 0 && !seen.has(t); t = holderOf(system, s, t) - 1) {
    if (out.some((e) => !e.optional && e.step.thread === t)) return false;
    seen.add(t);
    const keptOff = system.threads[t]?.keptOff;
    if (keptOff !== undefined && evaluate(keptOff, s, t) !== 0) return true;
  }
  return true;
}

/** The id of the thread that holds what thread t waits for; 0: nobody in particular. */
export function holderOf(system: TransitionSystem, s: ConcreteState, t: number): number {
  const thread = system.threads[t];
  const wait = thread && system.programs[thread.program]?.locations[s.pcs[t] ?? -1]?.wait;
  return wait?.holder === undefined ? 0 : evaluate(wait.holder, s, t);
}

/** Follows a schedule; undefined where a step is not enabled. The last edge may lead to the error state. */
export function replay(
  system: TransitionSystem,
  steps: readonly ScheduleStep[],
): { readonly state: ConcreteState; readonly last: ConcreteEdge | undefined } | undefined {
  let state = initialState(system);
  let last: ConcreteEdge | undefined;
  for (const step of steps) {
    if (last !== undefined && last.target === undefined) return undefined;
    last = edges(system, state).find(
      (e) =>
        e.step.thread === step.thread &&
        e.step.action === step.action &&
        e.step.ways.length === step.ways.length &&
        e.step.ways.every((w, i) => w === step.ways[i]),
    );
    if (last === undefined) return undefined;
    state = last.target ?? state;
  }
  return { state, last };
}

export type Reach =
  /** A state that satisfies the goal is reachable. */
  | { readonly found: true }
  | {
      readonly found: false;
      /** An error edge is reachable: what lies behind it is unknown. */
      readonly cut: boolean;
      /** The search was finished. */
      readonly complete: boolean;
    };

/**
 * Searches forward over live edges for a state that satisfies `goal` (which is given the state's edges). States in
 * `good` are known to reach it; those on a path found are added. Gives up after `bound` states.
 */
export function reaches(
  system: TransitionSystem,
  from: ConcreteState,
  goal: (s: ConcreteState, out: readonly ConcreteEdge[]) => boolean,
  good: Set<string>,
  bound: number,
): Reach {
  const parent = new Map<string, string>([[stateKey(from), ""]]);
  const queue: ConcreteState[] = [from];
  let cut = false;
  for (let next = 0; next < queue.length; next++) {
    const s = queue[next] as ConcreteState;
    const key = stateKey(s);
    const out = edges(system, s);
    if (good.has(key) || goal(s, out)) {
      for (let k = key; k !== ""; k = parent.get(k) ?? "") good.add(k);
      return { found: true };
    }
    for (const e of out) {
      if (e.optional) continue;
      if (e.target === undefined) {
        cut = true;
        continue;
      }
      const k = stateKey(e.target);
      if (parent.has(k)) continue;
      if (queue.length >= bound) return { found: false, cut, complete: false };
      parent.set(k, key);
      queue.push(e.target);
    }
  }
  return { found: false, cut, complete: true };
}
