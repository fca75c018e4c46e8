/**
 * Two engines about the same item: wherever both finish, the verdicts, the shortest depths and the sizes of the exact
 * graph are the same. Where they are not, one of the engines is wrong, and neither is believed.
 */
import { ONLY_CUT_EDGES } from "./expectation.ts";
import type { Exploration, Outcome } from "./verdict.ts";

export type Comparison =
  | { readonly is: "agree" }
  /** One of them did not finish, or their answers are not about the same; `why` says which and why. */
  | { readonly is: "open"; readonly why: string }
  | { readonly is: "disagree"; readonly what: string };

/** What one engine says about one property. */
export interface Side {
  readonly exploration: Exploration;
  readonly outcome: Outcome;
}

/** What an outcome says when the engine has finished with the property; undefined when it has not. */
function answerOf(outcome: Outcome): "holds" | "violated" | "vacuous" | "only cut edges" | "model error" | undefined {
  if (outcome.verdict !== "inconclusive") return outcome.verdict;
  if (outcome.finding !== undefined) return "model error";
  return outcome.reason.startsWith(ONLY_CUT_EDGES) ? "only cut edges" : undefined;
}

/** `explicit (bfs): violated in 11 steps`, for messages. */
export function sideText({ exploration, outcome }: Side): string {
  const answer = answerOf(outcome);
  const who = `${exploration.engine} (${exploration.method})`;
  if (outcome.verdict === "violated") {
    const { steps } = outcome.schedule;
    const exact = outcome.depthExact ? "" : ", perhaps not the fewest";
    return `${who}: violated (${outcome.finding.kind}) in ${steps.length} steps${exact}`;
  }
  if (outcome.verdict === "inconclusive") return `${who}: ${answer ?? "inconclusive"} (${outcome.reason})`;
  return `${who}: ${outcome.verdict}`;
}

/** Compares what two engines say about one property. Kinds of finding are not compared: a state can have several. */
export function compareSides(a: Side, b: Side): Comparison {
  if (a.exploration.engine === b.exploration.engine && a.exploration.method === b.exploration.method) {
    return { is: "open", why: `${a.exploration.engine} decided it itself` };
  }
  const [left, right] = [answerOf(a.outcome), answerOf(b.outcome)];
  for (const side of [a, b]) {
    if (answerOf(side.outcome) === undefined) return { is: "open", why: sideText(side) };
  }
  if (left !== right) {
    // A model that errs spoils every verdict, but a search may end at a violation before it meets the error.
    const answers = [left, right];
    if (answers.includes("model error") && answers.includes("violated")) {
      return { is: "open", why: "the model errs, and one of them found a violation before it met the error" };
    }
    return { is: "disagree", what: `${sideText(a)}; ${sideText(b)}` };
  }
  if (a.outcome.verdict === "violated" && b.outcome.verdict === "violated") {
    const [m, n] = [a.outcome.schedule.steps.length, b.outcome.schedule.steps.length];
    if ((m < n && b.outcome.depthExact) || (n < m && a.outcome.depthExact)) {
      return { is: "disagree", what: `${sideText(a)}; ${sideText(b)}` };
    }
  }
  return { is: "agree" };
}

/** How the sizes of two explorations without reductions differ; undefined where one of them did not count all of it. */
export function graphsDiffer(a: Exploration, b: Exploration): string | undefined {
  if (!a.complete || !b.complete || a.states === null || b.states === null) return undefined;
  if (a.states === b.states && a.transitions === b.transitions) return undefined;
  const text = (e: Exploration): string => `${e.engine} counts ${e.states} states and ${e.transitions} transitions`;
  return `${text(a)}; ${text(b)}`;
}
