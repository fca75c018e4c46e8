/**
 * The lowering: from the protocol syntax tree to the transition system that the engines see. It inlines calls, fuses
 * local code with the step before it, resets dead locals, and puts tests before stores and touches that may go wrong.
 * It makes exactly the graph of docs/semantics.md; what reduces that graph is the engines' business.
 */
import { ModelError } from "../model-error.ts";
import type { Program, ThreadDecl } from "../program.ts";
import type {
  SysAction,
  SysCode,
  SysExpr,
  SysLocal,
  SysLocation,
  SysProgram,
  SysThread,
  TransitionSystem,
} from "../transition-system.ts";
import { collectAccesses, collectReads } from "./accesses.ts";
import { type CodeContext, CodeWriter } from "./code.ts";
import { and, isFalse, isTrue, not, TRUE } from "./fold.ts";
import { runInitialCode, type Start } from "./initial.ts";
import { type InlinedGraph, type InlinedLocal, inline, type Node } from "./inline.ts";
import { liveLocals } from "./liveness.ts";
import { onOneCpu } from "./one-cpu.ts";
import { lowerProperty } from "./properties.ts";
import { asksForRaces, withRaces } from "./races.ts";
import type { Interval } from "./ranges.ts";
import { referenced } from "./references.ts";
import { declare, functionNamed, rangeOf, type Symbols } from "./symbols.ts";
import { FindingTable, MarkTable } from "./tables.ts";
import { validate } from "./validate.ts";

type StepNode = Node & { k: "step" };

/** Threads that run the same code: same class, function, arguments, kind and CPU. */
interface ThreadClass {
  readonly decl: ThreadDecl;
  readonly members: readonly number[];
}

/** A program on its way: its graph, where its threads start, and the numbers of its locations. */
interface Draft {
  readonly threadClass: ThreadClass;
  readonly graph: InlinedGraph;
  readonly context: CodeContext;
  /** Per member of the class. */
  readonly starts: ReadonlyMap<number, Start>;
  /** Step nodes in the order of their locations. */
  readonly steps: readonly StepNode[];
  readonly location: ReadonlyMap<Node, number>;
  readonly locals: readonly SysLocal[];
}

function threadClasses(threads: readonly ThreadDecl[]): ThreadClass[] {
  const classes = new Map<string, { decl: ThreadDecl; members: number[] }>();
  threads.forEach((decl, t) => {
    const key = JSON.stringify([decl.cls, decl.fn, decl.args, decl.kind, decl.cpu ?? null]);
    const members = classes.get(key);
    if (members === undefined) classes.set(key, { decl, members: [t] });
    else members.members.push(t);
  });
  return [...classes.values()];
}

/** Locals as the states hold them: their ranges include 0, the value of dead ones. */
function storedLocals(
  locals: readonly InlinedLocal[],
  declared: readonly ReturnType<typeof rangeOf>[],
  stored: ReadonlySet<number>,
): SysLocal[] {
  return locals.map(({ name, frame }, l) => {
    const { lo, hi, values } = declared[l]!;
    return { name, fn: frame.fn.name, lo: Math.min(0, lo), hi: Math.max(0, hi), values, stored: stored.has(l) };
  });
}

function isStep(node: Node): node is StepNode {
  return node.k === "step";
}

/** Steps that control can come to from `from` without passing one, in the order they are met. */
function nextSteps(from: Node, writer: CodeWriter): StepNode[] {
  const seen = new Set<Node>();
  const steps: StepNode[] = [];
  const open = [from];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (seen.has(node)) continue;
    seen.add(node);
    if (node.k === "step") steps.push(node);
    else if (node.k === "branch") {
      const c = writer.condition(node);
      if (!isTrue(c)) open.push(node.else);
      if (!isFalse(c)) open.push(node.then);
    } else if (node.k === "choose") open.push(...[...node.entries].reverse());
    else if (node.k !== "end" && !(node.k === "do" && node.stmt.s === "error")) open.push(node.next);
  }
  return steps;
}

/** Steps that control can come to, breadth first from the given ones; constant conditions as written are followed. */
function reachableSteps(starts: readonly Node[], writer: CodeWriter): StepNode[] {
  const order = [...new Set(starts.filter(isStep))];
  const seen = new Set(order);
  for (const step of order) {
    if (isTrue(writer.checksFail(step))) continue;
    step.step.alternatives.forEach(({ when }, n) => {
      if (when !== undefined && isFalse(writer.expressionAt(step, when))) return;
      for (const next of nextSteps(step.alternatives[n]!, writer)) {
        if (seen.has(next)) continue;
        seen.add(next);
        order.push(next);
      }
    });
  }
  return order;
}

function draft(threadClass: ThreadClass, symbols: Symbols, marks: MarkTable): Draft {
  const { decl, members } = threadClass;
  const { program } = symbols;
  const fn = functionNamed(decl.fn, program);
  const graph = inline(fn, symbols);
  const live = liveLocals(graph);
  const declared = graph.locals.map(({ decl: local, frame }) =>
    rangeOf(local.domain, symbols.poolIndex, program, frame.fn.site),
  );
  const all = new Set(graph.locals.keys());
  const ids = members.map((t) => t + 1);
  const self: Interval = { lo: Math.min(...ids), hi: Math.max(...ids) };
  const base = { symbols, graph, live, declared, self, marks };

  // The code before the first step, with node ids for locations: their numbers follow from where it ends.
  const findings = new FindingTable();
  const sketch = new CodeWriter({
    ...base,
    locals: storedLocals(graph.locals, declared, all),
    findings,
    locate: (node) => node.id,
    // Never a constant, so that nothing is folded.
    referenced: () => ({ e: "self" }),
  });
  const parameters = graph.root.fn.locals.slice(0, fn.params).map(({ name }) => graph.root.locals.get(name)!);
  const initial = sketch.initial(graph.entry, parameters);
  const starts = new Map<number, Start>();
  for (const t of members) {
    const locals = graph.locals.map(() => 0);
    parameters.forEach((l, p) => {
      locals[l] = decl.args[p]!;
    });
    const start = runInitialCode(initial, t, program.threads, locals, symbols.vars, findings.findings, fn.site);
    const alive = new Set(live(graph.nodes[start.location]!));
    starts.set(t, { ...start, locals: start.locals.map((value, l) => (alive.has(l) ? value : 0)) });
  }

  const steps = reachableSteps(
    [...starts.values()].map((start) => graph.nodes[start.location]!),
    sketch,
  );
  const location = new Map<Node, number>([...steps, graph.end].map((node, l) => [node, l]));
  const stored = new Set([...location.keys()].flatMap((node) => live(node)));
  const locals = storedLocals(graph.locals, declared, stored);
  const context: CodeContext = {
    ...base,
    locals,
    findings,
    locate: (node) => {
      const l = location.get(node);
      if (l === undefined) throw new Error(`no location for node ${node.id}`);
      return l;
    },
    referenced: () => ({ e: "self" }),
  };
  return { threadClass, graph, context, starts, steps, location, locals };
}

/**
 * Handlers run on top of the tasks of their CPU: true unless one that is on top of these threads is mid-run, that is
 * past its first step and not ended.
 */
function notPreempted({ kind, cpu }: ThreadDecl, threads: readonly SysThread[], drafts: readonly Draft[]): SysExpr {
  if (kind === "hardirq" || cpu === undefined) return TRUE;
  const above = threads.flatMap((thread, t) =>
    thread.cpu === cpu && (thread.kind === "hardirq" || (thread.kind === "softirq" && kind !== "softirq")) ? [t] : [],
  );
  return and(
    ...above.map((t): SysExpr => {
      const { program, initialLocation } = threads[t]!;
      const ended = drafts[program]!.steps.length;
      return { e: "pc", t, locations: initialLocation === ended ? [ended] : [initialLocation, ended] };
    }),
  );
}

function action(
  guard: SysExpr,
  code: SysCode,
  { optional, idle, name }: Pick<SysAction, "optional" | "idle" | "name">,
): SysAction {
  const reads = new Set<number>();
  const writes = new Set<number>();
  collectReads(guard, reads);
  collectAccesses(code, { reads, writes });
  const sorted = (set: Set<number>) => [...set].sort((a, b) => a - b);
  return {
    ...(isTrue(guard) ? {} : { guard }),
    code,
    optional,
    idle,
    name,
    reads: sorted(reads),
    writes: sorted(writes),
  };
}

function lowerStep(node: StepNode, l: number, runs: SysExpr, writer: CodeWriter, { context }: Draft) {
  const { frame, step } = node;
  const fails = writer.checksFail(node);
  const actions = step.alternatives.map((alternative, n): SysAction => {
    const when = alternative.when === undefined ? TRUE : writer.expressionAt(node, alternative.when);
    const guard = and(runs, not(fails), when);
    const code: SysCode = isFalse(guard) ? { ops: [], end: { k: "goto", location: l } } : writer.alternative(node, n);
    return action(guard, code, {
      optional: alternative.optional ?? false,
      idle: alternative.idle ?? false,
      name: alternative.name ?? "",
    });
  });
  if (!isFalse(fails))
    actions.push(action(and(runs, fails), writer.failingChecks(node), { optional: false, idle: false, name: "" }));
  const { wait } = step;
  const location: SysLocation = {
    call: step.call,
    fn: frame.fn.name,
    at: frame.fn.at,
    site: step.site,
    path: frame.path,
    labels: [...node.labels],
    ended: false,
    actions,
    ...(wait === undefined
      ? {}
      : {
          wait: {
            on: wait.on,
            ...(wait.kind === undefined ? {} : { kind: wait.kind }),
            ...(wait.holder === undefined ? {} : { holder: writer.expressionAt(node, wait.holder) }),
            ...(wait.resting === undefined ? {} : { resting: writer.expressionAt(node, wait.resting) }),
          },
        }),
    ...(step.yields ? { yields: true } : {}),
    live: context.live(node),
    plain: (step.plain ?? []).map((access) =>
      writer.elementAt(node, access, (v, i) => ({ v, write: access.write, ...(i === undefined ? {} : { i }) })),
    ),
  };
  return location;
}

function lowerProgram(
  index: number,
  drafts: readonly Draft[],
  threads: readonly SysThread[],
  symbols: Symbols,
  findings: FindingTable,
): SysProgram {
  const own = drafts[index]!;
  const { graph, threadClass } = own;
  const holders = { threads, localsOf: (program: number) => drafts[program]!.locals };
  const writer = new CodeWriter({
    ...own.context,
    findings,
    referenced: (pool, ptr, locals) => referenced(pool, ptr, symbols, holders, { program: index, locals }),
  });
  const runs = notPreempted(threadClass.decl, threads, drafts);
  const { fn } = graph.root;
  const ended: SysLocation = {
    call: "",
    fn: fn.name,
    at: fn.at,
    site: fn.site,
    path: graph.root.path,
    labels: [],
    ended: true,
    actions: [],
    live: own.context.live(graph.end),
    plain: [],
  };
  return {
    cls: threadClass.decl.cls,
    locals: own.locals,
    locations: [...own.steps.map((node, l) => lowerStep(node, l, runs, writer, own)), ended],
  };
}

/**
 * Lowers a Program. Deterministic; shares nothing mutable with its input.
 *
 * @throws ModelError, with the site, where the Program is not well-formed (unknown or duplicate names, wrong arity,
 * initial values out of range …), recurses, loops without a step, or errs or chooses before a thread's first step.
 */
export function lower(program: Program): TransitionSystem {
  if (program.threads.length === 0)
    throw new ModelError(`The scenario "${program.scenario}" of ${program.protocol} has no threads.`);
  const symbols = declare(program);
  validate(symbols);
  const marks = new MarkTable();
  const findings = new FindingTable();
  const drafts = threadClasses(program.threads).map((threadClass) => draft(threadClass, symbols, marks));
  const threads = program.threads.map((decl, t): SysThread => {
    const index = drafts.findIndex(({ threadClass }) => threadClass.members.includes(t));
    const { graph, starts, location } = drafts[index]!;
    const start = starts.get(t)!;
    return {
      name: decl.name,
      program: index,
      kind: decl.kind,
      cpu: decl.cpu ?? -1,
      initialLocation: location.get(graph.nodes[start.location]!)!,
      initialLocals: start.locals,
    };
  });
  threads.forEach((thread, t) => {
    const runs = notPreempted(program.threads[t]!, threads, drafts);
    if (!isTrue(runs)) threads[t] = { ...thread, keptOff: not(runs) };
  });
  let programs: readonly SysProgram[] = drafts.map((_, index) =>
    lowerProgram(index, drafts, threads, symbols, findings),
  );
  // With one CPU and no preemption nothing comes between two tasks' accesses.
  if (program.scheduler !== "one-cpu" && asksForRaces(program.properties)) {
    programs = withRaces({ vars: symbols.vars, programs, threads }, findings);
  }
  const graphs = drafts.map(({ graph }) => graph);
  const context = { symbols, programs, graphs, threads, findings: findings.findings, marks };
  const properties = program.properties.map((property) => lowerProperty(property, context));
  const initialMarks = new Set([
    ...(program.reached ?? []).map((mark) => marks.intern(mark)),
    ...drafts.flatMap(({ starts }) => [...starts.values()].flatMap((start) => start.marks)),
  ]);
  const system: TransitionSystem = {
    protocol: program.protocol,
    variant: program.variant,
    scenario: program.scenario,
    sizes: program.sizes,
    switches: program.switches,
    vars: symbols.vars,
    pools: symbols.pools,
    programs,
    threads,
    marks: marks.marks,
    findings: findings.findings,
    properties,
    initialMarks: [...initialMarks],
  };
  return program.scheduler === "one-cpu" ? onOneCpu(system) : system;
}
