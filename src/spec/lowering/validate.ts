/** Well-formedness of the functions and threads of a Program: every message names the place and what was meant. */
import { ModelError } from "../model-error.ts";
import { nearestNames } from "../nearest.ts";
import type { Expr, FunctionDecl, Place, Site, Step, Stmt } from "../program.ts";
import { notInCode, resolve, resolveElement, type Scope } from "./resolve.ts";
import { functionNamed, localNamed, poolNamed, rangeOf, type Symbols } from "./symbols.ts";

/** Where a statement stands decides what it may be. */
type Position = "function" | "checks" | "body";

const ALLOWED: Readonly<Record<Exclude<Position, "function">, ReadonlySet<Stmt["s"]>>> = {
  checks: new Set(["deref", "error", "finding", "mark", "if"]),
  body: new Set(["set", "if", "choose", "deref", "error", "finding", "mark", "alloc", "free"]),
};

const DESCRIPTION: Readonly<Record<Stmt["s"], string>> = {
  step: "A step",
  set: "An assignment",
  if: "An if",
  while: "A loop",
  break: "A break",
  continue: "A continue",
  label: "A label",
  goto: "A goto",
  return: "A return",
  call: "A call",
  choose: "A choice",
  deref: "A dereference",
  error: "An error",
  finding: "A finding",
  mark: "A mark",
  alloc: "An allocation",
  free: "A free",
};

class FunctionValidator {
  private readonly labels = new Map<string, Site>();

  private readonly fn: FunctionDecl;
  private readonly symbols: Symbols;

  constructor(fn: FunctionDecl, symbols: Symbols) {
    this.fn = fn;
    this.symbols = symbols;
  }

  check(): void {
    const { fn, symbols } = this;
    const seen = new Set<string>();
    for (const local of fn.locals) {
      if (seen.has(local.name))
        throw new ModelError(`The function ${fn.name} has two locals named "${local.name}": rename one.`, fn.site);
      seen.add(local.name);
      rangeOf(local.domain, symbols.poolIndex, symbols.program, fn.site);
    }
    if (fn.params > fn.locals.length)
      throw new ModelError(
        `The function ${fn.name} has ${fn.params} parameters but only ${fn.locals.length} locals.`,
        fn.site,
      );
    if (fn.returns !== undefined) rangeOf(fn.returns, symbols.poolIndex, symbols.program, fn.site);
    this.collectLabels(fn.body);
    this.block(fn.body, "function", false);
  }

  private collectLabels(body: readonly Stmt[]): void {
    for (const stmt of body) {
      if (stmt.s === "label") {
        if (this.labels.has(stmt.name))
          throw new ModelError(`The function ${this.fn.name} has two labels named "${stmt.name}".`, stmt.site);
        this.labels.set(stmt.name, stmt.site);
      } else if (stmt.s === "if") {
        this.collectLabels(stmt.then);
        this.collectLabels(stmt.else);
      } else if (stmt.s === "while") {
        this.collectLabels(stmt.head);
        this.collectLabels(stmt.body);
      }
    }
  }

  private scope(site: Site): Scope {
    return {
      symbols: this.symbols,
      site,
      local: (name) => {
        localNamed(name, this.fn, site);
        return { e: "local", l: 0 };
      },
      self: () => ({ e: "self" }),
      referenced: () => ({ e: "self" }),
      ...notInCode(site),
    };
  }

  private expr(expr: Expr | undefined, site: Site): void {
    if (expr !== undefined) resolve(expr, this.scope(site));
  }

  private place(place: Place, site: Site): void {
    if (place.p === "local") {
      localNamed(place.name, this.fn, site);
      return;
    }
    resolveElement(place.v, place.i, this.scope(site), (v) => {
      if (v >= this.symbols.program.vars.length)
        throw new ModelError(`${place.v} is changed by alloc and free only.`, site);
    });
  }

  private pool(name: string, site: Site): void {
    poolNamed(name, this.symbols.poolIndex, site);
  }

  private block(body: readonly Stmt[], position: Position, inLoop: boolean): void {
    for (const stmt of body) this.statement(stmt, position, inLoop);
  }

  private statement(stmt: Stmt, position: Position, inLoop: boolean): void {
    if (position !== "function" && !ALLOWED[position].has(stmt.s))
      throw new ModelError(
        `${DESCRIPTION[stmt.s]} cannot stand in the ${position === "checks" ? "checks of a step" : "body of a step or a choice"}: ` +
          "move it out of the step.",
        stmt.site,
      );
    switch (stmt.s) {
      case "step":
        this.step(stmt);
        return;
      case "set":
        this.place(stmt.to, stmt.site);
        this.expr(stmt.value, stmt.site);
        return;
      case "if":
        this.expr(stmt.c, stmt.site);
        this.block(stmt.then, position, inLoop);
        this.block(stmt.else, position, inLoop);
        return;
      case "while":
        this.block(stmt.head, position, true);
        this.expr(stmt.c, stmt.site);
        this.block(stmt.body, position, true);
        return;
      case "break":
      case "continue":
        if (!inLoop) throw new ModelError(`A ${stmt.s} outside of a loop.`, stmt.site);
        return;
      case "label":
      case "mark":
      case "error":
      case "finding":
        return;
      case "goto":
        if (!this.labels.has(stmt.name))
          throw new ModelError(
            `The function ${this.fn.name} has no label "${stmt.name}" to go to.${nearestNames(stmt.name, this.labels.keys())}`,
            stmt.site,
          );
        return;
      case "return":
        this.expr(stmt.value, stmt.site);
        return;
      case "call":
        this.call(stmt.fn, stmt.args, stmt.into, stmt.site);
        return;
      case "choose":
        if (stmt.ways.length === 0) throw new ModelError("A choice without ways: give it at least one.", stmt.site);
        for (const way of stmt.ways) this.block(way.body, "body", false);
        return;
      case "deref":
      case "free":
        this.pool(stmt.pool, stmt.site);
        this.expr(stmt.ptr, stmt.site);
        return;
      case "alloc":
        this.pool(stmt.pool, stmt.site);
        this.place(stmt.into, stmt.site);
        return;
    }
  }

  private step(step: Step): void {
    this.block(step.checks, "checks", false);
    for (const alternative of step.alternatives) {
      this.expr(alternative.when, step.site);
      this.block(alternative.body, "body", false);
    }
    this.expr(step.wait?.holder, step.site);
    this.expr(step.wait?.resting, step.site);
    for (const access of step.plain ?? []) resolveElement(access.v, access.i, this.scope(step.site), () => undefined);
  }

  private call(name: string, args: readonly Expr[], into: string | undefined, site: Site): void {
    const callee = functionNamed(name, this.symbols.program, site);
    if (args.length !== callee.params)
      throw new ModelError(
        `${name} takes ${callee.params} argument${callee.params === 1 ? "" : "s"}, not ${args.length}.`,
        site,
      );
    for (const arg of args) this.expr(arg, site);
    if (into === undefined) return;
    localNamed(into, this.fn, site);
    if (callee.returns === undefined)
      throw new ModelError(`${name} returns nothing that could be stored in "${into}".`, site);
  }
}

/** @throws ModelError at the first thing that is wrong. */
export function validate(symbols: Symbols): void {
  const { program } = symbols;
  for (const [key, fn] of Object.entries(program.functions)) {
    if (key !== fn.name)
      throw new ModelError(`The function table has ${fn.name} under the name "${key}": they must agree.`, fn.site);
    new FunctionValidator(fn, symbols).check();
  }
  for (const thread of program.threads) {
    if (!Object.hasOwn(program.functions, thread.fn))
      throw new ModelError(
        `The thread ${thread.name} runs "${thread.fn}", which variant "${program.variant}" does not have.` +
          nearestNames(thread.fn, Object.keys(program.functions)),
      );
    const fn = functionNamed(thread.fn, program);
    if (thread.args.length !== fn.params)
      throw new ModelError(
        `The thread ${thread.name} gives ${fn.name} ${thread.args.length} arguments; it takes ${fn.params}.`,
        fn.site,
      );
    thread.args.forEach((arg, p) => {
      const local = fn.locals[p]!;
      const { lo, hi } = rangeOf(local.domain, symbols.poolIndex, program, fn.site);
      if (!Number.isInteger(arg) || arg < lo || arg > hi)
        throw new ModelError(
          `The thread ${thread.name} gives ${fn.name} ${local.name} = ${arg}, outside its range ${lo}..${hi}.`,
          fn.site,
        );
    });
    if ((thread.kind === "hardirq" || thread.kind === "softirq") && thread.cpu === undefined)
      throw new ModelError(`The ${thread.kind} thread ${thread.name} needs a CPU: a handler runs on top of its tasks.`);
  }
  const ids = new Set<string>();
  for (const property of program.properties) {
    if (ids.has(property.id)) throw new ModelError(`Two properties have the id "${property.id}".`, property.site);
    ids.add(property.id);
  }
}
