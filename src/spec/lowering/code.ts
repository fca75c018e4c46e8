/**
 * The code that one firing runs, as a tree of paths: from a step's alternative through its body and the local code
 * after it, to the next steps, the thread's end or the error state. Code after a join is written once per path.
 */
import { ModelError } from "../model-error.ts";
import type { Expr, FindingKind, Site, Step, Stmt } from "../program.ts";
import type { SysCode, SysExpr, SysLocal, SysOp } from "../transition-system.ts";
import { and, binary, constant, FALSE, ifThenElse, isFalse, isTrue, load, not, or, TRUE } from "./fold.ts";
import type { Frame, InlinedGraph, Node, Target } from "./inline.ts";
import { inScope } from "./liveness.ts";
import { rangeError } from "./range-error.ts";
import { type Interval, intervalOf, type LeafRanges } from "./ranges.ts";
import { notInCode, resolve, resolveElement, type Scope } from "./resolve.ts";
import { poolNamed, type Symbols } from "./symbols.ts";
import type { FindingTable, MarkTable } from "./tables.ts";

/** Paths of one action: more of them would make neither a readable nor a fast search. */
export const LEAF_LIMIT = 20_000;

/** What the code of one program needs to know. */
export interface CodeContext {
  readonly symbols: Symbols;
  readonly graph: InlinedGraph;
  /** Locals live before a node. */
  readonly live: (node: Node) => readonly number[];
  /** With bounds that include 0, the value of dead locals. */
  readonly locals: readonly SysLocal[];
  /** The ranges as declared. */
  readonly declared: readonly Interval[];
  /** Ids of the threads that run this code. */
  readonly self: Interval;
  readonly findings: FindingTable;
  readonly marks: MarkTable;
  /** The location of a step node or of the end. */
  readonly locate: (node: Node) => number;
  /** `locals`: those of the executing thread that exist and may not be 0. */
  readonly referenced: (pool: number, ptr: SysExpr, locals: readonly number[]) => SysExpr;
}

/** Loop heads and labels passed since the step. */
interface Trail {
  readonly node: Node;
  readonly before: Trail | undefined;
}

/** A condition the path goes on under; otherwise it ends as given. */
interface Requirement {
  readonly c: SysExpr;
  readonly otherwise: () => SysCode;
}

/** `code` with operations before it. */
function after(ops: readonly SysOp[], code: SysCode): SysCode {
  return ops.length === 0 ? code : { ops: [...ops, ...code.ops], end: code.end };
}

export class CodeWriter {
  private readonly context: CodeContext;
  private readonly leaves: LeafRanges;
  private leafCount = 0;
  /** The step whose action is being written, for messages. */
  private origin: { readonly site: Site; readonly what: string };

  constructor(context: CodeContext) {
    this.context = context;
    this.origin = { site: context.graph.root.fn.site, what: `the start of ${context.graph.root.fn.name}` };
    this.leaves = {
      variable: (v) => context.symbols.vars[v]!,
      local: (l) => context.locals[l]!,
      self: context.self,
    };
  }

  /** The local code before the first step; of the locals those given may not be 0. */
  initial(entry: Node, nonzero: readonly number[]): SysCode {
    return this.write(entry, [], new Set(nonzero), undefined);
  }

  /** Alternative `n` of a step, under the assumption that its checks pass. */
  alternative(node: Node & { k: "step" }, n: number): SysCode {
    this.begin(node.step);
    const live = this.context.live(node);
    const pass = () => this.write(node.alternatives[n]!, [], new Set(live), undefined);
    const code = this.checked(node, node.step.checks, { failing: false, pass });
    // Undefined where the checks cannot pass.
    return code ?? { ops: [], end: { k: "goto", location: this.context.locate(node) } };
  }

  /** What happens where the checks of a step fail. */
  failingChecks(node: Node & { k: "step" }): SysCode {
    this.begin(node.step);
    const code = this.checked(node, node.step.checks, { failing: true });
    if (code === undefined) throw new Error("the checks cannot fail");
    return code;
  }

  /** True in the states in which the checks end in an error. */
  checksFail(node: Node & { k: "step" }): SysExpr {
    const scope = (site: Site) => this.scope(node.frame, this.context.live(node), site);
    const fails = (checks: readonly Stmt[]): SysExpr => or(...checks.map(failsOne));
    const failsOne = (stmt: Stmt): SysExpr => {
      switch (stmt.s) {
        case "error":
          return TRUE;
        case "deref":
          return not(this.alive(stmt, resolve(stmt.ptr, scope(stmt.site))));
        case "if": {
          const c = resolve(stmt.c, scope(stmt.site));
          const then = fails(stmt.then);
          const otherwise = fails(stmt.else);
          if (isFalse(otherwise)) return and(c, then);
          if (isFalse(then)) return and(not(c), otherwise);
          return ifThenElse(c, then, otherwise);
        }
        default:
          return FALSE;
      }
    };
    return fails(node.step.checks);
  }

  /** An expression of the step itself (a guard, what it waits for), read in a state. */
  expressionAt(node: Node & { k: "step" }, expr: Expr): SysExpr {
    return resolve(expr, this.scope(node.frame, this.context.live(node), node.step.site));
  }

  /** The condition of a branch, for what it folds to. */
  condition(node: Node & { k: "branch" }): SysExpr {
    return resolve(node.c, this.scope(node.frame, [], node.site));
  }

  elementAt<T>(
    node: Node & { k: "step" },
    access: { readonly v: string; readonly i?: Expr },
    make: (v: number, i: SysExpr | undefined) => T,
  ): T {
    return resolveElement(access.v, access.i, this.scope(node.frame, this.context.live(node), node.step.site), make);
  }

  private begin(step: Step): void {
    this.leafCount = 0;
    this.origin = { site: step.site, what: step.call };
  }

  private scope(frame: Frame, nonzero: Iterable<number>, site: Site): Scope {
    return {
      symbols: this.context.symbols,
      site,
      local: (name) => ({ e: "local", l: frame.locals.get(name)! }),
      self: () => ({ e: "self" }),
      referenced: (pool, ptr) => this.referenced(pool, ptr, frame, nonzero),
      ...notInCode(site),
    };
  }

  private referenced(pool: number, ptr: SysExpr, frame: Frame, nonzero: Iterable<number>): SysExpr {
    const visible = [...nonzero].filter((l) => inScope(this.context.graph.locals[l]!.frame, frame));
    return this.context.referenced(
      pool,
      ptr,
      visible.sort((a, b) => a - b),
    );
  }

  /**
   * Runs through the checks and writes either the paths that fail or those that pass, with the code after them: the
   * guard excludes the others. Undefined where there are none.
   */
  private checked(
    node: Node & { k: "step" },
    checks: readonly Stmt[],
    ends: { readonly failing: true } | { readonly failing: false; readonly pass: () => SysCode },
  ): SysCode | undefined {
    const live = this.context.live(node);
    const { fn } = node.frame;
    const run = (rest: readonly Stmt[]): SysCode | undefined => {
      const [stmt, ...others] = rest;
      if (stmt === undefined) return ends.failing ? undefined : ends.pass();
      switch (stmt.s) {
        case "mark":
        case "finding": {
          const code = run(others);
          return code && after([this.note(stmt, node.frame)], code);
        }
        case "error":
          return ends.failing ? this.error(stmt.kind, stmt.message, stmt.site, fn.name) : undefined;
        case "deref": {
          const ptr = resolve(stmt.ptr, this.scope(node.frame, live, stmt.site));
          const c = this.alive(stmt, ptr);
          const code = isFalse(c) ? undefined : run(others);
          return this.either(c, code, ends.failing ? this.badPointer(stmt, ptr, "use-after-free", fn.name) : undefined);
        }
        case "if": {
          const c = resolve(stmt.c, this.scope(node.frame, live, stmt.site));
          if (!this.leavesTrace(stmt, ends.failing)) return run(others);
          const then = isFalse(c) ? undefined : run([...stmt.then, ...others]);
          const otherwise = isTrue(c) ? undefined : run([...stmt.else, ...others]);
          return this.either(c, then, otherwise);
        }
        default:
          throw new Error(`a ${stmt.s} in checks`);
      }
    };
    return run(checks);
  }

  private either(c: SysExpr, then: SysCode | undefined, otherwise: SysCode | undefined): SysCode | undefined {
    if (then === undefined) return otherwise;
    if (otherwise === undefined) return then;
    return { ops: [], end: { k: "if", c, then, else: otherwise } };
  }

  /** Whether leaving this check out of the code would lose a mark, a finding or, where those are written, an error. */
  private leavesTrace(check: Stmt, failing: boolean): boolean {
    if (check.s === "if") return [...check.then, ...check.else].some((inner) => this.leavesTrace(inner, failing));
    return check.s === "mark" || check.s === "finding" || failing;
  }

  private note(stmt: Stmt & { s: "mark" | "finding" }, frame: Frame): SysOp {
    if (stmt.s === "mark") return { o: "mark", m: this.context.marks.intern(stmt.name) };
    const { kind, message, site } = stmt;
    return { o: "finding", f: this.context.findings.intern({ kind, message, error: false, site, fn: frame.fn.name }) };
  }

  private leaf(code: SysCode): SysCode {
    if (++this.leafCount > LEAF_LIMIT)
      throw new ModelError(
        `More than ${LEAF_LIMIT} paths lead from ${this.origin.what} to the next steps: the local code after it ` +
          "branches too often. Put a step('…') between, or compute the value with an expression instead of ifs.",
        this.origin.site,
      );
    return code;
  }

  private error(kind: FindingKind, message: string, site: Site, fn: string): SysCode {
    const f = this.context.findings.intern({ kind, message, error: true, site, fn });
    return this.leaf({ ops: [], end: { k: "error", f } });
  }

  /** The pointer is an object that is alive. An index out of the array reads 0, so that NULL and wild are not. */
  private alive(stmt: Stmt & { s: "deref" | "free" }, ptr: SysExpr): SysExpr {
    const { alive, slots } = this.poolOf(stmt);
    const { lo, hi } = intervalOf(ptr, this.leaves);
    return hi < 1 || lo > slots ? FALSE : load(alive, binary("-", ptr, constant(1)));
  }

  private poolOf(stmt: Stmt & { s: "deref" | "free" | "alloc" }) {
    const { symbols } = this.context;
    return symbols.pools[poolNamed(stmt.pool, symbols.poolIndex, stmt.site)]!;
  }

  /** The error of a pointer that is no object, or one to a dead object. */
  private badPointer(
    stmt: Stmt & { s: "deref" | "free" },
    ptr: SysExpr,
    dead: "use-after-free" | "double-free",
    fn: string,
  ): SysCode {
    const { slots } = this.poolOf(stmt);
    const { lo, hi } = intervalOf(ptr, this.leaves);
    const error = (kind: FindingKind) => this.error(kind, stmt.what, stmt.site, fn);
    const cases: { readonly c: SysExpr; readonly kind: FindingKind }[] = [];
    if (lo <= 0 && hi >= 0) cases.push({ c: binary("==", ptr, constant(0)), kind: "null-dereference" });
    if (lo < 0 || hi > slots) {
      const below = lo < 0 ? binary("<", ptr, constant(0)) : FALSE;
      const above = hi > slots ? binary(">", ptr, constant(slots)) : FALSE;
      cases.push({ c: or(below, above), kind: "wild-access" });
    }
    if (lo <= slots && hi >= 1) cases.push({ c: TRUE, kind: dead });
    const last = error(cases.pop()!.kind);
    return cases.reduceRight<SysCode>(
      (otherwise, { c, kind }) => ({ ops: [], end: { k: "if", c, then: error(kind), else: otherwise } }),
      last,
    );
  }

  /** `value` lies in the range, as far as its interval does not tell. */
  private within(value: SysExpr, range: Interval): SysExpr {
    const { lo, hi } = intervalOf(value, this.leaves);
    if (hi < range.lo || lo > range.hi) return FALSE;
    return and(
      lo >= range.lo ? TRUE : binary(">=", value, constant(range.lo)),
      hi <= range.hi ? TRUE : binary("<=", value, constant(range.hi)),
    );
  }

  /** The store and what it requires. */
  private store(
    to: Target,
    value: SysExpr,
    scope: Scope,
    site: Site,
    fn: string,
  ): { requires: Requirement[]; op: SysOp } {
    const outside = (message: string) => () => this.error("model-error", message, site, fn);
    if (to.p === "local") {
      const { lo, hi } = this.context.declared[to.l]!;
      const { decl, frame } = this.context.graph.locals[to.l]!;
      const message = rangeError(`${frame.fn.name}.${decl.name}`, lo, hi);
      return {
        requires: [{ c: this.within(value, { lo, hi }), otherwise: outside(message) }],
        op: { o: "local", l: to.l, value },
      };
    }
    return resolveElement(to.v, to.i, scope, (v, i) => {
      const { lo, hi, length } = this.context.symbols.vars[v]!;
      const requires: Requirement[] = [];
      if (i !== undefined)
        requires.push({
          c: this.within(i, { lo: 0, hi: length - 1 }),
          otherwise: outside(`The index of ${to.v} would be outside 0..${length - 1}: check it before the store.`),
        });
      requires.push({ c: this.within(value, { lo, hi }), otherwise: outside(rangeError(to.v, lo, hi)) });
      return { requires, op: i === undefined ? { o: "var", v, value } : { o: "var", v, i, value } };
    });
  }

  /** The end of a path: locals that are dead there are 0 again. */
  private arrive(node: Node, ops: readonly SysOp[], nonzero: ReadonlySet<number>): SysCode {
    const live = new Set(this.context.live(node));
    const dead = [...nonzero].filter((l) => this.context.locals[l]!.stored && !live.has(l)).sort((a, b) => a - b);
    const resets = dead.map((l): SysOp => ({ o: "local", l, value: FALSE }));
    return this.leaf({ ops: [...ops, ...resets], end: { k: "goto", location: this.context.locate(node) } });
  }

  /** `before` run already; of the locals only those in `nonzero`, which this call may change, may not be 0. */
  private write(from: Node, before: readonly SysOp[], nonzero: Set<number>, passed: Trail | undefined): SysCode {
    const opened: { readonly ops: readonly SysOp[]; readonly c: SysExpr; readonly otherwise: SysCode }[] = [];
    let ops = [...before];
    let trail = passed;
    let node = from;
    const done = (code: SysCode): SysCode =>
      opened.reduceRight<SysCode>(
        (then, { ops, c, otherwise }) => ({ ops, end: { k: "if", c, then, else: otherwise } }),
        code,
      );
    /** The ending if a requirement can never hold, else undefined and the path goes on under it. */
    const require = (requirements: readonly Requirement[]): SysCode | undefined => {
      for (const { c, otherwise } of requirements) {
        if (isTrue(c)) continue;
        if (isFalse(c)) return done(after(ops, otherwise()));
        opened.push({ ops, c, otherwise: otherwise() });
        ops = [];
      }
      return undefined;
    };
    const assigned = (l: number, value: SysExpr) => {
      if (isFalse(value)) nonzero.delete(l);
      else nonzero.add(l);
    };

    for (;;) {
      const { frame } = node;
      const fn = frame.fn.name;
      switch (node.k) {
        case "end":
        case "step":
          return done(this.arrive(node, ops, nonzero));
        case "pass":
          if (node.head) {
            for (let t = trail; t !== undefined; t = t.before)
              if (t.node === node)
                throw new ModelError(
                  `A loop without a step, reached from ${this.origin.what}: local code runs together with the step ` +
                    "before it, so that every loop needs a step on every way round. Put a step('…') into it.",
                  node.site,
                );
            trail = { node, before: trail };
          }
          node = node.next;
          break;
        case "branch": {
          const c = resolve(node.c, this.scope(frame, nonzero, node.site));
          if (c.e === "const") {
            node = c.v !== 0 ? node.then : node.else;
            break;
          }
          const then = this.write(node.then, [], new Set(nonzero), trail);
          const otherwise = this.write(node.else, [], new Set(nonzero), trail);
          return done({ ops, end: { k: "if", c, then, else: otherwise } });
        }
        case "choose": {
          const { entries } = node;
          const ways = node.ways.map((way, w) => ({
            code: this.write(entries[w]!, [], new Set(nonzero), trail),
            optional: way.optional ?? false,
            name: way.name ?? "",
          }));
          return done({ ops, end: { k: "choose", ways } });
        }
        case "assign": {
          const scope = this.scope(frame, nonzero, node.site);
          const value = resolve(node.value, scope);
          const { requires, op } = this.store(node.to, value, scope, node.site, fn);
          const ending = require(requires);
          if (ending !== undefined) return ending;
          // A local that is 0 already need not be set to it.
          if (!(op.o === "local" && isFalse(op.value) && !nonzero.has(op.l))) ops.push(op);
          if (op.o === "local") assigned(op.l, op.value);
          node = node.next;
          break;
        }
        case "discard":
          resolve(node.value, this.scope(frame, nonzero, node.site));
          node = node.next;
          break;
        case "enter": {
          const scope = this.scope(frame, nonzero, node.site);
          const { callee, args, site } = node;
          let p = 0;
          for (const l of callee.locals.values()) {
            const arg = args[p++];
            const value = arg === undefined ? FALSE : resolve(arg, scope);
            if (arg !== undefined) {
              const ending = require(this.store({ p: "local", l }, value, scope, site, fn).requires);
              if (ending !== undefined) return ending;
            }
            if (!isFalse(value) || nonzero.has(l)) ops.push({ o: "local", l, value });
            assigned(l, value);
          }
          node = node.next;
          break;
        }
        case "alloc":
          return done(this.alloc(node, ops, nonzero, trail));
        case "do": {
          const { stmt } = node;
          if (stmt.s === "error") return done(after(ops, this.error(stmt.kind, stmt.message, stmt.site, fn)));
          if (stmt.s === "mark" || stmt.s === "finding") ops.push(this.note(stmt, frame));
          else {
            const ptr = resolve(stmt.ptr, this.scope(frame, nonzero, stmt.site));
            const dead = stmt.s === "free" ? "double-free" : "use-after-free";
            const otherwise = () => this.badPointer(stmt, ptr, dead, fn);
            const ending = require([{ c: this.alive(stmt, ptr), otherwise }]);
            if (ending !== undefined) return ending;
            if (stmt.s === "free")
              ops.push({ o: "var", v: this.poolOf(stmt).alive, i: binary("-", ptr, constant(1)), value: FALSE });
          }
          node = node.next;
          break;
        }
      }
    }
  }

  private alloc(
    node: Node & { k: "alloc" },
    ops: readonly SysOp[],
    nonzero: ReadonlySet<number>,
    trail: Trail | undefined,
  ): SysCode {
    const { frame, stmt } = node;
    const fn = frame.fn.name;
    const scope = this.scope(frame, nonzero, stmt.site);
    const { symbols } = this.context;
    const pool = poolNamed(stmt.pool, symbols.poolIndex, stmt.site);
    const { slots, alive, reuse } = symbols.pools[pool]!;
    const take = (slot: number): SysCode => {
      const { requires, op } = this.store(node.to, constant(slot), scope, stmt.site, fn);
      const now = new Set(nonzero);
      if (op.o === "local") now.add(op.l);
      const claim: SysOp = { o: "var", v: alive, i: constant(slot - 1), value: TRUE };
      return requires.reduceRight<SysCode>(
        (then, { c, otherwise }) => {
          if (isTrue(c)) return then;
          if (isFalse(c)) return otherwise();
          return { ops: [], end: { k: "if", c, then, else: otherwise() } };
        },
        this.write(node.next, [claim, op], now, trail),
      );
    };
    const from = (slot: number): SysCode => {
      if (slot > slots)
        return this.error(
          "model-error",
          `The pool ${stmt.pool} has no free slot among its ${slots}: raise its size.`,
          stmt.site,
          fn,
        );
      const taken = load(alive, constant(slot - 1));
      const inUse = reuse ? taken : or(taken, this.referenced(pool, constant(slot), frame, nonzero));
      const then = take(slot);
      return { ops: [], end: { k: "if", c: not(inUse), then, else: from(slot + 1) } };
    };
    return after(ops, from(1));
  }
}
