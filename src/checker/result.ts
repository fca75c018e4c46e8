/** What `check` decides about one property of one scenario: the row of the JSON report, exactly as its schema says. */
import type { Assumptions, Trace } from "./trace/trace.ts";
import type { ReductionOff } from "./verdict.ts";

export type Verdict = "holds" | "violated" | "vacuous" | "inconclusive";

export interface CheckResult {
  readonly protocol: string;
  readonly variant: string;
  readonly scenario: string;
  readonly property: string;
  readonly verdict: Verdict;
  /** What the model expects; null at sizes or switches other than the declared defaults, for which it says nothing. */
  readonly expected: Verdict | null;
  readonly asExpected: boolean;
  readonly finding: {
    readonly kind: string;
    readonly thread: string | null;
    readonly message: string;
    readonly at: string | null;
  } | null;
  /** Why a verdict is vacuous or inconclusive. */
  readonly reason: string | null;
  readonly engine: string;
  readonly method: string;
  /** Every reachable state was explored, or a proof found. */
  readonly complete: boolean;
  readonly reductions: readonly string[];
  /** What was not reduced although there was something to reduce, and why; absent where there is nothing to say. */
  readonly reductionsOff?: readonly ReductionOff[];
  readonly states: number | null;
  readonly transitions: number | null;
  /** Steps of the trace; null where there is none. */
  readonly depth: number | null;
  /** No shorter counterexample exists; null where there is none. */
  readonly depthExact: boolean | null;
  readonly seconds: number;
  readonly sizes: Readonly<Record<string, number>>;
  readonly switches: Readonly<Record<string, string>>;
  readonly label: "structural" | "timing" | null;
  readonly assumptions: Assumptions;
  readonly cut: Readonly<Record<string, number>>;
  readonly replayed: "full" | "prefix" | null;
  /** Relative to the directory of traces. */
  readonly trace: string | null;
  /** Files that together prove it, relative to the directory of proofs; absent where there are none. */
  readonly certificates?: readonly string[];
  /** What other engines say, where that was asked for. Where one of them contradicts there is no result at all. */
  readonly crossChecks?: readonly CrossCheck[];
}

export interface CrossCheck {
  readonly engine: string;
  readonly method: string;
  readonly verdict: Verdict;
  /** Steps of its counterexample; null where it has none. */
  readonly depth: number | null;
  readonly depthExact: boolean | null;
  /** False where one of the two engines did not finish, so that there is nothing to compare. */
  readonly agrees: boolean;
  /** Why nothing was compared; null where the engines agree. */
  readonly reason: string | null;
  readonly seconds: number;
}

/** A result with what reports need beside the row itself. */
export interface Checked {
  readonly result: CheckResult;
  readonly counterexample: Trace | null;
  /** The one sentence the model gives for an expectation other than `holds`. */
  readonly expectation: string | null;
  /** Where the property is declared, relative to the current directory: `models/…/protocol.ts:12`. */
  readonly declared: { readonly file: string; readonly line: number; readonly column: number };
}

/** Why an item of the run has no verdicts. */
export interface Problem {
  /**
   * `model`: the model does not load, record or lower. `internal`: engines disagree, a counterexample fails to replay.
   * `checkpoint`: a search cannot go on from the file named.
   */
  readonly kind: "model" | "internal" | "checkpoint";
  /** `protocol variant scenario`, or the model's file. */
  readonly where: string;
  /** One paragraph: what, where and what to do. */
  readonly message: string;
}

export interface CheckReport {
  /** In the order of protocols, variants, scenarios and properties, whatever finished first. */
  readonly checked: readonly Checked[];
  readonly problems: readonly Problem[];
  readonly interrupted: boolean;
  /** `protocol variant scenario` of each item that an interrupt left without verdicts. */
  readonly unfinished: readonly string[];
  readonly seconds: number;
}

/** Exit status of `check` for a report; the first row that applies wins. */
export function exitStatus(report: CheckReport): 0 | 1 | 2 | 3 | 4 | 130 {
  if (report.interrupted) return 130;
  if (report.problems.some((p) => p.kind === "internal")) return 4;
  const results = report.checked.map((c) => c.result);
  if (report.problems.length > 0 || results.some((r) => r.finding?.kind === "model-error")) return 2;
  if (results.some((r) => !r.asExpected && r.verdict !== "inconclusive")) return 1;
  // At other than default sizes an inconclusive verdict is not against any expectation, and still not complete.
  if (results.some((r) => r.verdict === "inconclusive" && !(r.asExpected && r.expected === "inconclusive"))) return 3;
  return 0;
}
