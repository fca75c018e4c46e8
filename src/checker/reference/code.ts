/**
 * The linear code of one function: its statements in order, with jumps for the structure. Each function has its own;
 * nothing is inlined here, so a thread needs a stack of frames.
 */
import { ModelError } from "../../spec/model-error.ts";
import {
  type Expr,
  type FunctionDecl,
  isRemark,
  type Program,
  type Site,
  type Step,
  type Stmt,
} from "../../spec/program.ts";

/** Statements without control flow between functions or steps; `choose` and `if` hold more of them. */
export type SimpleStmt = Exclude<
  Stmt,
  { readonly s: "step" | "if" | "while" | "break" | "continue" | "label" | "goto" | "return" | "call" }
>;

export type Instruction =
  /** `first`: only labels and remarks come before it in the function. */
  | { readonly i: "step"; readonly step: Step; readonly labels: readonly string[]; readonly first: boolean }
  | { readonly i: "simple"; readonly stmt: SimpleStmt }
  | { readonly i: "label"; readonly name: string; readonly site: Site }
  /** Goes on at the next instruction when `c` holds, at `otherwise` when not. */
  | { readonly i: "branch"; readonly c: Expr; readonly otherwise: number; readonly site: Site }
  | { readonly i: "jump"; readonly to: number; readonly site?: Site }
  | {
      readonly i: "call";
      readonly fn: string;
      readonly args: readonly Expr[];
      readonly into?: string;
      readonly site: Site;
      readonly labels: readonly string[];
      readonly first: boolean;
    }
  /** `site` is absent for the end of the body, which returns 0. */
  | { readonly i: "return"; readonly value?: Expr; readonly site?: Site };

export type FunctionCode = readonly Instruction[];

/** Where a jump goes, known once the whole function has been read. */
interface Target {
  pc: number | undefined;
}

interface Loop {
  readonly head: Target;
  readonly end: Target;
}

type Draft = () => Instruction;

/**
 * Flattens a function.
 *
 * @throws ModelError on a goto without its label, a label given twice, a break or continue outside a loop, and on
 *   control flow in the body of an alternative or a way.
 */
export function flatten(fn: FunctionDecl): FunctionCode {
  const drafts: Draft[] = [];
  const labels = new Map<string, Target>();
  /** The labels that directly precede the next instruction. */
  let pending: string[] = [];
  let first = true;

  const emit = (draft: Draft) => {
    drafts.push(draft);
    pending = [];
    first = false;
  };
  const here = (target: Target) => {
    target.pc = drafts.length;
  };
  const pcOf = (target: Target): number => target.pc!;

  const emitAll = (stmts: readonly Stmt[], loop: Loop | undefined): void => {
    for (const stmt of stmts) {
      const before = { pending, first };
      emitOne(stmt, loop);
      if (isRemark(stmt)) ({ pending, first } = before);
    }
  };

  const emitOne = (stmt: Stmt, loop: Loop | undefined): void => {
    switch (stmt.s) {
      case "step": {
        checkBody(stmt.checks, fn.name);
        for (const alternative of stmt.alternatives) checkBody(alternative.body, fn.name);
        const before = { labels: pending, first };
        emit(() => ({ i: "step", step: stmt, ...before }));
        return;
      }
      case "if": {
        const otherwise: Target = { pc: undefined };
        const end: Target = { pc: undefined };
        emit(() => ({ i: "branch", c: stmt.c, otherwise: pcOf(otherwise), site: stmt.site }));
        emitAll(stmt.then, loop);
        emit(() => ({ i: "jump", to: pcOf(end) }));
        here(otherwise);
        emitAll(stmt.else, loop);
        pending = [];
        here(end);
        return;
      }
      case "while": {
        const inner: Loop = { head: { pc: undefined }, end: { pc: undefined } };
        here(inner.head);
        emitAll(stmt.head, inner);
        emit(() => ({ i: "branch", c: stmt.c, otherwise: pcOf(inner.end), site: stmt.site }));
        emitAll(stmt.body, inner);
        emit(() => ({ i: "jump", to: pcOf(inner.head) }));
        here(inner.end);
        return;
      }
      case "break":
      case "continue": {
        if (loop === undefined) throw new ModelError(`${stmt.s} outside a loop in ${fn.name}`, stmt.site);
        const target = stmt.s === "break" ? loop.end : loop.head;
        emit(() => ({ i: "jump", to: pcOf(target), site: stmt.site }));
        return;
      }
      case "label": {
        const known = labels.get(stmt.name);
        if (known !== undefined) {
          throw new ModelError(`label ${stmt.name} stands twice in ${fn.name}; give one another name`, stmt.site);
        }
        labels.set(stmt.name, { pc: drafts.length });
        drafts.push(() => ({ i: "label", name: stmt.name, site: stmt.site }));
        pending = [...pending, stmt.name];
        return;
      }
      case "goto":
        emit(() => {
          const target = labels.get(stmt.name);
          if (target === undefined) {
            throw new ModelError(`goto ${stmt.name}: ${fn.name} has no such label`, stmt.site);
          }
          return { i: "jump", to: pcOf(target), site: stmt.site };
        });
        return;
      case "return":
        emit(() => ({
          i: "return",
          ...(stmt.value === undefined ? {} : { value: stmt.value }),
          site: stmt.site,
        }));
        return;
      case "call": {
        const before = { labels: pending, first };
        emit(() => ({
          i: "call",
          fn: stmt.fn,
          args: stmt.args,
          ...(stmt.into === undefined ? {} : { into: stmt.into }),
          site: stmt.site,
          ...before,
        }));
        return;
      }
      default:
        checkBody([stmt], fn.name);
        emit(() => ({ i: "simple", stmt }));
    }
  };

  emitAll(fn.body, undefined);
  emit(() => ({ i: "return" }));
  return drafts.map((draft) => draft());
}

function checkBody(body: readonly Stmt[], fn: string): void {
  for (const stmt of body) {
    switch (stmt.s) {
      case "if":
        checkBody(stmt.then, fn);
        checkBody(stmt.else, fn);
        break;
      case "choose":
        for (const way of stmt.ways) checkBody(way.body, fn);
        break;
      case "step":
      case "while":
      case "break":
      case "continue":
      case "label":
      case "goto":
      case "return":
      case "call":
        throw new ModelError(
          `${stmt.s} inside one step or choice of ${fn}; a step is atomic, so move it after the step`,
          stmt.site,
        );
      default:
    }
  }
}

/**
 * The code of every function that a thread can reach.
 *
 * @throws ModelError on recursion, a call of an unknown function and a wrong number of arguments.
 */
export function codeOf(program: Program): ReadonlyMap<string, FunctionCode> {
  const code = new Map<string, FunctionCode>();
  const visit = (name: string, callers: readonly string[], argCount: number, site: Site | undefined): void => {
    const fn = Object.hasOwn(program.functions, name) ? program.functions[name] : undefined;
    if (fn === undefined) {
      throw new ModelError(`${callers.at(-1) ?? "a thread"} calls ${name}, which is no function of the variant`, site);
    }
    if (callers.includes(name)) {
      const cycle = [...callers.slice(callers.indexOf(name)), name].join(" -> ");
      throw new ModelError(`recursion: ${cycle}; write it as a loop, calls are inlined`, site);
    }
    if (argCount !== fn.params) {
      throw new ModelError(`${name} takes ${fn.params} arguments, this call gives ${argCount}`, site);
    }
    const known = code.get(name);
    const instructions = known ?? flatten(fn);
    code.set(name, instructions);
    if (known !== undefined) return;
    for (const instruction of instructions) {
      if (instruction.i === "call") {
        visit(instruction.fn, [...callers, name], instruction.args.length, instruction.site);
      }
    }
  };
  for (const thread of program.threads) visit(thread.fn, [], thread.args.length, undefined);
  return code;
}
