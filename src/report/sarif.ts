/**
 * SARIF 2.1.0. Each finding has two code flows: the first is the whole interleaving in one thread flow, because viewers
 * commonly show only the first thread flow; the second has one thread flow per thread, which is what SARIF means.
 */
import { createHash } from "node:crypto";
import type { Checked, Problem } from "../checker/result.ts";
import { changesOf, type Trace, type TraceStep } from "../checker/trace/trace.ts";
import type { Reporter } from "./reporter.ts";
import { cellName, isOpen, isWrong, problemText, settingsOf, verdictSentence } from "./result-text.ts";

export const sarifReporter: Reporter = (report, context) => {
  const reported = report.checked.filter(
    (c) => c.result.verdict === "violated" || isWrong(c.result) || isOpen(c.result),
  );
  return log(context.version, reported.map(resultOf), report.problems, report.interrupted);
};

/** One trace as a SARIF log. */
export function traceAsSarif(trace: Trace, version: string): string {
  const message = `${trace.finding.kind}: ${trace.finding.message}`;
  const identity = [trace.protocol, trace.variant, trace.scenario, trace.property];
  return log(
    version,
    [{ ...finding(trace.finding.kind, "error", message, identity, lastSite(trace)), codeFlows: codeFlows(trace) }],
    [],
    false,
  );
}

interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

interface SarifResult {
  readonly ruleId: string;
  readonly level: string;
  readonly message: { readonly text: string };
  readonly [key: string]: unknown;
}

function log(
  version: string,
  results: readonly SarifResult[],
  problems: readonly Problem[],
  interrupted: boolean,
): string {
  const rules = [...new Set(results.map((r) => r.ruleId))].sort().map((id) => ({ id, shortDescription: { text: id } }));
  const run = {
    tool: { driver: { name: "Lockstep", version, rules } },
    columnKind: "utf16CodeUnits",
    results,
    invocations: [
      {
        executionSuccessful: problems.length === 0 && !interrupted,
        toolExecutionNotifications: problems.map((p) => ({
          level: "error",
          message: { text: problemText(p) },
        })),
      },
    ],
  };
  return `${JSON.stringify({ $schema: "https://json.schemastore.org/sarif-2.1.0.json", version: "2.1.0", runs: [run] }, null, 2)}\n`;
}

function resultOf(checked: Checked): SarifResult {
  const { result, counterexample } = checked;
  // Expected violations are known and stay visible as notes: nobody needs to act on them.
  const level = isWrong(result) ? "error" : isOpen(result) ? "warning" : "note";
  const settings = settingsOf(result);
  const identity = [result.protocol, result.variant, result.scenario, result.property, settings];
  const text = `${cellName(result, settings)}, ${result.property}: ${verdictSentence(checked)}`;
  const place = counterexample === null ? checked.declared : lastSite(counterexample);
  const flows = counterexample === null ? {} : { codeFlows: codeFlows(counterexample) };
  return {
    ...finding(result.finding?.kind ?? result.verdict, level, text, identity, place ?? checked.declared),
    ...flows,
  };
}

function finding(
  ruleId: string,
  level: string,
  text: string,
  identity: readonly string[],
  place: Place | null,
): SarifResult {
  const fingerprint = createHash("sha256").update(identity.join("\n")).digest("hex").slice(0, 32);
  return {
    ruleId,
    level,
    message: { text },
    locations: place === null ? [] : [location(place)],
    partialFingerprints: { "lockstepFinding/v1": fingerprint },
  };
}

function lastSite(trace: Trace): Place | null {
  return trace.steps.at(-1)?.site ?? null;
}

function location(place: Place, text?: string): Record<string, unknown> {
  return {
    physicalLocation: {
      artifactLocation: { uri: encodeURI(place.file) },
      region: { startLine: place.line, startColumn: place.column },
    },
    ...(text === undefined ? {} : { message: { text } }),
  };
}

function codeFlows(trace: Trace): unknown[] {
  if (trace.steps.length === 0) return [];
  const at = (step: TraceStep, index: number, prefix: string, nesting: number): Record<string, unknown> => {
    const changes = changesOf(trace, index);
    const state = Object.fromEntries(changes.map((c) => [c.what, { text: c.to }]));
    const diff = changes.map((c) => `${c.what} ${c.from} -> ${c.to}`).join(", ");
    const text = `${prefix}${step.call} in ${step.fn}() ${step.at}${diff === "" ? "" : `: ${diff}`}`;
    return {
      location: location(step.site, text),
      executionOrder: index + 1,
      nestingLevel: nesting,
      importance: index === trace.steps.length - 1 ? "essential" : "important",
      ...(changes.length === 0 ? {} : { state }),
    };
  };
  const lane = (name: string): number => trace.threads.findIndex((t) => t.name === name);
  const merged = trace.steps.map((step, i) => at(step, i, `[${step.thread}] `, Math.max(0, lane(step.thread))));
  const perThread = trace.threads
    .map((thread) => ({
      id: thread.name,
      message: { text: thread.name },
      locations: trace.steps.flatMap((step, i) => (step.thread === thread.name ? [at(step, i, "", 0)] : [])),
    }))
    .filter((flow) => flow.locations.length > 0);
  return [
    { message: { text: "the interleaving" }, threadFlows: [{ id: "all", locations: merged }] },
    { message: { text: "each thread by itself" }, threadFlows: perThread },
  ];
}
