/**
 * Writes a trace as ITF JSON (Apalache's Informal Trace Format, ADR 015), with Lockstep's own data under `#meta`.
 *
 * The bytes are a function of the trace alone, without times or versions of tools, so that files can be committed and
 * compared. A state takes one line: a diff of two traces then reads like a diff of two schedules.
 */
import { repeats, type Trace, type TraceStep, type TraceValues, type TraceVariable, valueName } from "./trace.ts";

/** Version of the data under `#meta`; a reader refuses others. */
export const TRACE_FORMAT = "1";

/** Where threads stand, as an ITF variable, for viewers that show nothing but variables. */
const STANDING = "lockstep::threads";

export function writeItf(trace: Trace): string {
  const names = trace.variables.map((v) => v.name);
  const meta = {
    format: "ITF",
    "format-description": "https://apalache-mc.org/docs/adr/015adr-trace.html",
    description: `${trace.protocol} ${trace.variant} ${trace.scenario}: ${trace.finding.kind}, ${trace.finding.message}`,
    varTypes: {
      ...Object.fromEntries(trace.variables.map((v) => [v.name, apalacheType(v)])),
      [STANDING]: "Str -> Str",
    },
    lockstep: TRACE_FORMAT,
    model: trace.model,
    protocol: trace.protocol,
    variant: trace.variant,
    scenario: trace.scenario,
    sizes: sorted(trace.sizes),
    switches: sorted(trace.switches),
    property: trace.property,
    verdict: trace.verdict,
    finding: trace.finding,
    label: trace.label,
    depthExact: trace.depthExact,
    assumptions: trace.assumptions,
  };
  // The last state of a lasso is the one its loop begins with; ITF says so by `loop` and does not repeat it.
  const states = repeats(trace) ? trace.states.slice(0, -1) : trace.states;
  const lines = [
    "{",
    `  "#meta": {`,
    ...Object.entries(meta).map(([key, value]) => `    ${JSON.stringify(key)}: ${JSON.stringify(value)},`),
    `    "threads": ${list(trace.threads, 6)},`,
    `    "variables": ${list(trace.variables, 6)},`,
    `    "transitions": ${list(trace.steps.map(transition), 6)}`,
    "  },",
    `  "vars": ${JSON.stringify([...names, STANDING])},`,
    ...(trace.loop === null ? [] : [`  "loop": ${trace.loop},`]),
    `  "states": ${list(
      states.map((state, index) => ({
        "#meta": { index, threads: state.threads },
        ...Object.fromEntries(trace.variables.map((v, i) => [v.name, encode(trace, v, state.values[i] ?? [])])),
        [STANDING]: {
          "#map": trace.threads.map((thread, t) => {
            const at = state.threads[t];
            const where = at === undefined || at.call === "" ? "" : ` ${at.fn}: ${at.call}`;
            return [thread.name, `${at?.status ?? "ended"}${where}`];
          }),
        },
      })),
      4,
    )}`,
    "}",
  ];
  return `${lines.join("\n")}\n`;
}

function list(items: readonly unknown[], indent: number): string {
  if (items.length === 0) return "[]";
  const pad = " ".repeat(indent);
  return `[\n${items.map((item) => pad + JSON.stringify(item)).join(",\n")}\n${" ".repeat(indent - 2)}]`;
}

function transition(step: TraceStep, index: number): Record<string, unknown> {
  return {
    step: index + 1,
    thread: step.thread,
    action: step.action,
    ways: step.ways,
    call: step.call,
    outcome: step.outcome,
    function: step.fn,
    file: step.at,
    path: step.path,
    model: `${step.site.file}:${step.site.line}:${step.site.column}`,
    findings: step.findings,
    error: step.error,
  };
}

function sorted<T>(record: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function apalacheType(variable: TraceVariable): string {
  const type = variable.values.of === "int" ? "Int" : variable.values.of === "bool" ? "Bool" : "Str";
  return variable.length === null ? type : `Seq(${type})`;
}

function encode(trace: Trace, variable: TraceVariable, values: readonly number[]): unknown {
  const elements = values.map((value) => encodeValue(trace, variable.values, value));
  return variable.length === null ? elements[0] : elements;
}

/** The ADR wants every integer, small or big, written as `#bigint`. */
function encodeValue(trace: Trace, values: TraceValues, value: number): unknown {
  if (values.of === "int") return { "#bigint": String(value) };
  if (values.of === "bool") return value !== 0;
  return valueName(values, value, trace.threads);
}
