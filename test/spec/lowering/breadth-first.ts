/** The smallest search that follows the rules of docs/semantics.md: breadth first over a transition system. */
import { evaluate, type Valuation } from "../../../src/spec/evaluate.ts";
import type { SysCode, SysOp, TransitionSystem } from "../../../src/spec/transition-system.ts";

export interface State {
  readonly vars: readonly (readonly number[])[];
  readonly locals: readonly (readonly number[])[];
  readonly pcs: readonly number[];
}

export interface Move {
  readonly thread: number;
  readonly action: number;
  readonly ways: readonly number[];
  readonly optional: boolean;
  readonly idle: boolean;
  /** Undefined: the error state. */
  readonly next: State | undefined;
  readonly findings: readonly number[];
  readonly marks: readonly number[];
}

export interface Size {
  readonly states: number;
  readonly transitions: number;
  readonly cut: Readonly<Record<string, number>>;
  readonly reached: readonly State[];
}

export function initialState(system: TransitionSystem): State {
  return {
    vars: system.vars.map((v) => v.init),
    locals: system.threads.map((t) => t.initialLocals),
    pcs: system.threads.map((t) => t.initialLocation),
  };
}

export function moves(system: TransitionSystem, state: State): Move[] {
  const all = system.threads.flatMap((thread, t) => {
    const { locations } = system.programs[thread.program]!;
    const at: Valuation = { ...state, self: t + 1 };
    return locations[state.pcs[t]!]!.actions.flatMap((action, a) => {
      if (action.guard !== undefined && evaluate(action.guard, at) === 0) return [];
      const found: Move[] = [];
      const run = (code: SysCode, from: State, so: Omit<Move, "next">) => {
        const vars = from.vars.map((elements) => [...elements]);
        const locals = from.locals.map((values) => [...values]);
        const now: Valuation = { vars, locals, pcs: state.pcs, self: t + 1 };
        const findings = [...so.findings];
        const marks = [...so.marks];
        const inRange = (value: number, { lo, hi }: { lo: number; hi: number }) => {
          if (value < lo || value > hi) throw new Error(`${value} is stored outside ${lo}..${hi}`);
          return value;
        };
        const doOp = (op: SysOp) => {
          if (op.o === "finding") findings.push(op.f);
          else if (op.o === "mark") marks.push(op.m);
          else if (op.o === "local") {
            const { locals: declared } = system.programs[thread.program]!;
            locals[t]![op.l] = inRange(evaluate(op.value, now), declared[op.l]!);
          } else {
            const i = op.i === undefined ? 0 : evaluate(op.i, now);
            const variable = system.vars[op.v]!;
            inRange(i, { lo: 0, hi: variable.length - 1 });
            vars[op.v]![i] = inRange(evaluate(op.value, now), variable);
          }
        };
        code.ops.forEach(doOp);
        const here = { vars, locals, pcs: state.pcs };
        const then = { ...so, findings, marks };
        const { end } = code;
        if (end.k === "error") found.push({ ...then, next: undefined, findings: [...findings, end.f] });
        else if (end.k === "if") run(evaluate(end.c, now) !== 0 ? end.then : end.else, here, then);
        else if (end.k === "choose")
          end.ways.forEach((way, w) => {
            run(way.code, here, { ...then, ways: [...so.ways, w], optional: so.optional || way.optional });
          });
        else {
          const { locals: declared } = system.programs[thread.program]!;
          // A local that is not stored counts only during a firing.
          const stored = locals.map((values, u) =>
            u === t ? values.map((value, l) => (declared[l]!.stored ? value : 0)) : values,
          );
          const pcs = state.pcs.map((pc, u) => (u === t ? end.location : pc));
          found.push({ ...then, next: { vars, locals: stored, pcs } });
        }
      };
      const { optional, idle } = action;
      run(action.code, state, { thread: t, action: a, ways: [], optional, idle, findings: [], marks: [] });
      return found;
    });
  });
  return all.some((move) => !move.idle && !move.optional) ? all.filter((move) => !move.idle) : all;
}

export function search(system: TransitionSystem): Size {
  const key = ({ vars, locals, pcs }: State) => JSON.stringify([vars, locals, pcs]);
  const reached = [initialState(system)];
  const seen = new Set(reached.map(key));
  const cut: Record<string, number> = {};
  let transitions = 0;
  for (const state of reached)
    for (const { next, findings } of moves(system, state)) {
      transitions++;
      if (next === undefined) {
        const { kind } = system.findings[findings.at(-1)!]!;
        cut[kind] = (cut[kind] ?? 0) + 1;
      } else if (!seen.has(key(next))) {
        seen.add(key(next));
        reached.push(next);
        if (reached.length > 100_000) throw new Error("too many states for a test");
      }
    }
  return { states: reached.length + (Object.keys(cut).length > 0 ? 1 : 0), transitions, cut, reached };
}
