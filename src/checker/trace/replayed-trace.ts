/** Makes a trace of a schedule that the reference interpreter has run: states, standings and calls all come from it. */
import { relative, resolve, sep } from "node:path";
import type { Domain, Program, Site, VarDecl } from "../../spec/program.ts";
import type { ThreadStatus, Transition } from "../reference/interpreter.ts";
import type { Run } from "../reference/replay.ts";
import type { State } from "../reference/state.ts";
import type { Finding, Schedule } from "../verdict.ts";
import type {
  Assumptions,
  Trace,
  TraceFinding,
  TraceStanding,
  TraceState,
  TraceStep,
  TraceThread,
  TraceValues,
  TraceVariable,
} from "./trace.ts";

/** Threads that share a CPU with nobody have ids from here on (the recorder's convention); they are not shown. */
const CPU_OF_ITS_OWN = 1000;

export interface TraceHeading {
  /** Absolute path of the repository's root: positions in a trace are relative to it. */
  readonly root: string;
  /** The model's file, relative to its repository. */
  readonly model: string;
  readonly property: string;
  readonly verdict: Trace["verdict"];
  readonly finding: Finding;
  readonly label: Trace["label"];
  readonly depthExact: boolean;
  readonly assumptions: Assumptions;
}

export function replayedTrace(program: Program, schedule: Schedule, run: Run, heading: TraceHeading): Trace {
  const threads = program.threads.map(
    (t): TraceThread => ({
      name: t.name,
      kind: t.kind,
      cpu: t.cpu === undefined || t.cpu >= CPU_OF_ITS_OWN ? null : t.cpu,
    }),
  );
  const states = run.visits.map((visit) => stateOf(program, visit.state, visit.status, threads));
  const transitions = run.visits.flatMap((visit) => (visit.transition === undefined ? [] : [visit.transition]));
  if (run.error !== undefined) {
    transitions.push(run.error);
    // The error state has no values: readers see the state in which the step failed.
    const last = states.at(-1);
    if (last !== undefined) states.push(last);
  }
  const { root, finding, ...rest } = heading;
  return {
    ...rest,
    protocol: program.protocol,
    variant: program.variant,
    scenario: program.scenario,
    sizes: program.sizes,
    switches: program.switches,
    finding: findingOf(program, root, run, finding, threads),
    threads,
    variables: [...program.vars.map((v) => variableOf(program, v)), ...aliveVariables(program)],
    states,
    steps: transitions.map((t) => stepOf(program, root, t)),
    loop: schedule.loop ?? null,
  };
}

function findingOf(
  program: Program,
  root: string,
  run: Run,
  finding: Finding,
  threads: readonly TraceThread[],
): TraceFinding {
  const last = run.visits.at(-1);
  const edge = run.error ?? last?.transition;
  const notice = edge && [...edge.findings, ...(edge.result.k === "error" ? [edge.result.error] : [])];
  const carried = notice?.find((n) => n.kind === finding.kind);
  const status = finding.thread === undefined ? undefined : last?.status[finding.thread];
  let at: string | null = null;
  if (edge !== undefined && carried !== undefined) at = placeText(program, root, edge.path, carried.site);
  else if (status?.site !== undefined) at = placeText(program, root, status.path, status.site);
  const thread = finding.thread === undefined ? null : (threads[finding.thread]?.name ?? null);
  return { kind: finding.kind, message: finding.message, thread, at };
}

function placeText(program: Program, root: string, path: readonly string[], site: Site): string {
  const fn = path.at(-1) ?? "";
  const file = program.functions[fn]?.at ?? "";
  const here = inRepository(root, site);
  return `${fn}${file === "" ? "" : `, ${file}`} (${here.file}:${here.line})`;
}

/** Sites are relative to the current directory; a trace must read the same wherever the command was typed. */
function inRepository(root: string, site: Site): Site {
  const file = relative(root, resolve(site.file)).split(sep).join("/");
  return { file, line: site.line, column: site.column };
}

function stepOf(program: Program, root: string, transition: Transition): TraceStep {
  const fn = transition.path.at(-1) ?? "";
  const notices: readonly { readonly kind: string; readonly message: string }[] =
    transition.result.k === "error" ? [...transition.findings, transition.result.error] : transition.findings;
  return {
    thread: program.threads[transition.step.thread]?.name ?? "",
    action: transition.step.action,
    ways: transition.step.ways,
    call: transition.call,
    outcome: transition.name,
    fn: fn,
    at: program.functions[fn]?.at ?? "",
    path: callPath(transition.path),
    site: inRepository(root, transition.site),
    findings: notices.map(({ kind, message }) => ({ kind, message })),
    error: transition.result.k === "error",
  };
}

/** The recorder wraps each thread's body in a function of its own, which is no kernel function. */
const WRAPPER = /^thread /;

function callPath(path: readonly string[]): readonly string[] {
  return path.filter((fn, i) => i > 0 || path.length === 1 || !WRAPPER.test(fn));
}

function stateOf(
  program: Program,
  state: State,
  status: readonly ThreadStatus[],
  threads: readonly TraceThread[],
): TraceState {
  const vars = program.vars.map((v) => elements(state.vars[v.name]));
  const alive = program.pools.map((p) => elements(state.alive[p.name]));
  return { values: [...vars, ...alive], threads: status.map((s) => standingOf(s, threads)) };
}

function elements(value: number | readonly number[] | undefined): readonly number[] {
  return typeof value === "number" ? [value] : (value ?? []);
}

function standingOf(status: ThreadStatus, threads: readonly TraceThread[]): TraceStanding {
  const waits = status.status === "blocked" || status.status === "resting";
  return {
    // A device that owes nothing is as quiet as a handler without an interrupt.
    status: status.status === "environment" ? "idle" : status.status,
    call: status.call,
    fn: status.path.at(-1) ?? "",
    on: waits ? (status.on ?? null) : null,
    holder: waits && status.holder !== undefined ? (threads[status.holder]?.name ?? null) : null,
  };
}

function variableOf(program: Program, decl: VarDecl): TraceVariable {
  const index = decl.index === undefined ? "number" : decl.index === "thread" ? "thread" : { pool: decl.index.pool };
  return {
    name: decl.name,
    title: decl.title ?? decl.name,
    values: valuesOf(program, decl.domain),
    length: decl.length ?? null,
    index,
    lock: decl.lock ?? null,
    observer: decl.observer ?? false,
  };
}

/** Whether objects are alive is part of the state, though no variable of the model. */
function aliveVariables(program: Program): TraceVariable[] {
  return program.pools.map((pool) => ({
    name: `${pool.name}::alive`,
    title: `${pool.name} allocated`,
    values: { of: "bool" },
    length: pool.slots,
    index: { pool: pool.name },
    lock: null,
    observer: false,
  }));
}

function valuesOf(program: Program, domain: Domain): TraceValues {
  switch (domain.d) {
    case "int":
    case "bool":
    case "thread":
      return { of: domain.d };
    case "enum":
      return { of: "enum", labels: domain.labels };
    case "ptr":
      return { of: "pointer", pool: domain.pool, slots: program.pools.find((p) => p.name === domain.pool)?.slots ?? 0 };
  }
}

/** The schedule of a trace in the numbering of a program; null when the program has no such threads. */
export function scheduleOf(trace: Trace, program: Program): Schedule | null {
  const steps = trace.steps.map((step) => ({
    thread: program.threads.findIndex((t) => t.name === step.thread),
    action: step.action,
    ways: step.ways,
  }));
  if (steps.some((step) => step.thread < 0)) return null;
  return trace.loop === null ? { steps } : { steps, loop: trace.loop };
}
