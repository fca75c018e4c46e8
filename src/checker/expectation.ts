import type { Expectation } from "../spec/program.ts";
import type { Verdict } from "./result.ts";

/** How a reason begins where only edges that end in an error could have rescued the blocked thread. */
export const ONLY_CUT_EDGES = "only cut edges could rescue";

/**
 * Whether a verdict is as the model expects. `expected` is undefined where the model declares nothing, which means
 * `holds`. Expectations are for the declared default sizes and switches (`atDefaults`); elsewhere only a violation and
 * a vacuous pass count against the run.
 */
export function compareWithExpectation(
  verdict: Verdict,
  kind: string | null,
  reason: string | null,
  expected: Expectation | undefined,
  atDefaults: boolean,
): { readonly expected: Verdict | null; readonly asExpected: boolean } {
  if (!atDefaults) return { expected: null, asExpected: verdict === "holds" || verdict === "inconclusive" };
  if (expected === undefined) return { expected: "holds", asExpected: verdict === "holds" };
  const same = verdict === expected.verdict;
  switch (expected.verdict) {
    case "violated":
      // An expectation without kinds would accept a different bug; the recorder demands them.
      return { expected: "violated", asExpected: same && kind !== null && (expected.kinds ?? []).includes(kind) };
    case "vacuous":
      return { expected: "vacuous", asExpected: same };
    case "inconclusive":
      return { expected: "inconclusive", asExpected: same && (reason ?? "").startsWith(ONLY_CUT_EDGES) };
  }
}
