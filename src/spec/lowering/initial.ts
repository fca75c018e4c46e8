/** The initial state of a thread: the local code before its first step, run at lowering time. */
import { evaluate, type Valuation } from "../evaluate.ts";
import { ModelError } from "../model-error.ts";
import type { Site, ThreadDecl } from "../program.ts";
import type { SysCode, SysFinding, SysVar } from "../transition-system.ts";

export interface Start {
  /** What the code says at its end: a location. */
  readonly location: number;
  readonly locals: readonly number[];
  readonly marks: readonly number[];
}

/**
 * Runs the code of thread `t` in the initial state of the variables.
 *
 * @throws ModelError where it ends in an error, carries a finding, chooses, or writes a shared variable: the initial
 * state is one, and nothing has happened in it yet.
 */
export function runInitialCode(
  code: SysCode,
  t: number,
  threads: readonly ThreadDecl[],
  locals: number[],
  vars: readonly SysVar[],
  findings: readonly SysFinding[],
  site: Site,
): Start {
  const at: Valuation = {
    vars: vars.map((v) => v.init),
    locals: threads.map((_, other) => (other === t ? locals : [])),
    self: t + 1,
    pcs: [],
  };
  const refuse = (what: string, where: Site): never => {
    throw new ModelError(
      `Before its first step the thread ${threads[t]!.name} ${what}. ` +
        "Code there runs in the initial state and may only compute locals: put a step before it.",
      where,
    );
  };
  const marks: number[] = [];
  for (let rest = code; ; ) {
    for (const op of rest.ops)
      switch (op.o) {
        case "local":
          locals[op.l] = evaluate(op.value, at);
          break;
        case "mark":
          marks.push(op.m);
          break;
        case "finding": {
          const finding = findings[op.f]!;
          refuse(`reports ${finding.kind} (${finding.message})`, finding.site);
          break;
        }
        case "var":
          refuse(`writes the shared variable ${vars[op.v]!.name}`, site);
      }
    const { end } = rest;
    if (end.k === "goto") return { location: end.location, locals, marks };
    if (end.k === "error") {
      const finding = findings[end.f]!;
      return refuse(`ends in ${finding.kind} (${finding.message})`, finding.site);
    }
    if (end.k === "choose") return refuse("chooses", site);
    rest = evaluate(end.c, at) !== 0 ? end.then : end.else;
  }
}
