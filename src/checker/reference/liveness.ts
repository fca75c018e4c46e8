/**
 * Which locals of a function are live where: some path of the control flow, values not considered, reads them before
 * writing them. Backward data flow within each function (Aho, Lam, Sethi, Ullman, "Compilers", 9.2.5).
 */
import type { Expr, FunctionDecl, Place, Step, Stmt } from "../../spec/program.ts";
import type { FunctionCode, Instruction } from "./code.ts";

export interface Liveness {
  /**
   * For each instruction the locals of the frame that are live while the frame stands there. At a step: before it. At
   * a call, where the frame stands while the callee runs: after it, without the local that takes the value.
   */
  readonly live: readonly ReadonlySet<string>[];
  /** For each instruction: some path leads from it to the end of the function. Callers' locals are dead otherwise. */
  readonly returns: readonly boolean[];
}

/** Analyses each function once, callees first. */
export function livenessOf(
  functions: Readonly<Record<string, FunctionDecl>>,
  code: ReadonlyMap<string, FunctionCode>,
): ReadonlyMap<string, Liveness> {
  const done = new Map<string, Liveness>();
  const analyse = (name: string): Liveness => {
    const known = done.get(name);
    if (known !== undefined) return known;
    const decl = functions[name]!;
    const instructions = code.get(name)!;
    const calleeReturns = (fn: string): boolean => analyse(fn).returns[0]!;
    const returns = returnsOf(instructions, calleeReturns);
    const kept = decl.locals.filter((l) => l.kept === true).map((l) => l.name);
    const live = liveOf(instructions, calleeReturns).map((set) => new Set([...set, ...kept]));
    const liveness = { live, returns };
    done.set(name, liveness);
    return liveness;
  };
  for (const name of code.keys()) analyse(name);
  return done;
}

function successors(instruction: Instruction, pc: number, calleeReturns: (fn: string) => boolean): number[] {
  switch (instruction.i) {
    case "step": {
      const goesOn = continues(instruction.step.checks) && instruction.step.alternatives.some((a) => continues(a.body));
      return goesOn ? [pc + 1] : [];
    }
    case "simple":
      return continues([instruction.stmt]) ? [pc + 1] : [];
    case "label":
      return [pc + 1];
    case "branch":
      return [pc + 1, instruction.otherwise];
    case "jump":
      return [instruction.to];
    case "call":
      return calleeReturns(instruction.fn) ? [pc + 1] : [];
    case "return":
      return [];
  }
}

/** Some path through these statements does not end in an error. */
function continues(body: readonly Stmt[]): boolean {
  return body.every((stmt) => {
    if (stmt.s === "error") return false;
    if (stmt.s === "if") return continues(stmt.then) || continues(stmt.else);
    if (stmt.s === "choose") return stmt.ways.some((way) => continues(way.body));
    return true;
  });
}

function returnsOf(code: FunctionCode, calleeReturns: (fn: string) => boolean): boolean[] {
  const returns = code.map((instruction) => instruction.i === "return");
  for (let changed = true; changed; ) {
    changed = false;
    for (let pc = code.length - 1; pc >= 0; pc--) {
      if (!returns[pc] && successors(code[pc]!, pc, calleeReturns).some((next) => returns[next])) {
        returns[pc] = true;
        changed = true;
      }
    }
  }
  return returns;
}

type Names = ReadonlySet<string>;

function liveOf(code: FunctionCode, calleeReturns: (fn: string) => boolean): Names[] {
  const before: Names[] = code.map(() => new Set());
  const after = (pc: number): Names => union(...successors(code[pc]!, pc, calleeReturns).map((next) => before[next]!));
  for (let changed = true; changed; ) {
    changed = false;
    for (let pc = code.length - 1; pc >= 0; pc--) {
      const now = liveBefore(code[pc]!, after(pc));
      // The sets only grow, so an equal size means an equal set.
      if (now.size !== before[pc]!.size) {
        before[pc] = now;
        changed = true;
      }
    }
  }
  return code.map((instruction, pc) => (instruction.i === "call" ? without(after(pc), instruction.into) : before[pc]!));
}

function liveBefore(instruction: Instruction, after: Names): Names {
  switch (instruction.i) {
    case "step":
      return stepBefore(instruction.step, after);
    case "simple":
      return bodyBefore([instruction.stmt], after);
    case "branch":
      return union(after, reads(instruction.c));
    case "call":
      return union(without(after, instruction.into), reads(...instruction.args));
    case "return":
      return reads(instruction.value);
    case "label":
    case "jump":
      return after;
  }
}

function stepBefore(step: Step, after: Names): Names {
  const alternatives = step.alternatives.map((a) => union(reads(a.when), bodyBefore(a.body, after)));
  const waits = reads(step.wait?.holder, step.wait?.resting, ...(step.plain ?? []).map((p) => p.i));
  return union(waits, bodyBefore(step.checks, union(...alternatives)));
}

function bodyBefore(body: readonly Stmt[], after: Names): Names {
  return body.reduceRight<Names>((live, stmt) => {
    switch (stmt.s) {
      case "set":
        return union(placeBefore(stmt.to, live), reads(stmt.value));
      case "if":
        return union(reads(stmt.c), bodyBefore(stmt.then, live), bodyBefore(stmt.else, live));
      case "choose":
        return union(...stmt.ways.map((way) => bodyBefore(way.body, live)));
      case "deref":
      case "free":
        return union(live, reads(stmt.ptr));
      case "alloc":
        return placeBefore(stmt.into, live);
      case "error":
        return new Set();
      default:
        return live;
    }
  }, after);
}

function placeBefore(place: Place, live: Names): Names {
  return place.p === "local" ? without(live, place.name) : union(live, reads(place.i));
}

function reads(...exprs: readonly (Expr | undefined)[]): Names {
  const names = new Set<string>();
  const visit = (expr: Expr | undefined): void => {
    if (expr === undefined) return;
    switch (expr.e) {
      case "local":
        names.add(expr.name);
        return;
      case "load":
        visit(expr.i);
        return;
      case "not":
      case "neg":
        visit(expr.a);
        return;
      case "bin":
        visit(expr.a);
        visit(expr.b);
        return;
      case "ite":
        visit(expr.c);
        visit(expr.a);
        visit(expr.b);
        return;
      case "referenced":
      case "alive":
        visit(expr.ptr);
        return;
      default:
    }
  };
  for (const expr of exprs) visit(expr);
  return names;
}

function union(...sets: readonly Names[]): Names {
  return new Set(sets.flatMap((set) => [...set]));
}

function without(set: Names, name: string | undefined): Names {
  return new Set([...set].filter((n) => n !== name));
}
