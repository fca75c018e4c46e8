/** What an exploration says, compared with what plain enumeration of the same system says. */
import { evaluate } from "../../../src/checker/evaluate.ts";
import type { Exploration } from "../../../src/checker/verdict.ts";
import type { TransitionSystem } from "../../../src/spec/transition-system.ts";
import { follow, type PlainSearch } from "./plain-search.ts";

/** Compares the outcomes with what plain enumeration says; schedules need not be shortest with `longer`. */
export function compareOutcomes(
  system: TransitionSystem,
  plain: PlainSearch,
  result: Exploration,
  longer = false,
): void {
  for (const outcome of result.outcomes) {
    const property = system.properties.find((p) => p.id === outcome.property)!;
    const truth = plain.truth(property);
    expect([outcome.property, outcome.verdict]).toEqual([property.id, truth.verdict]);
    if (outcome.verdict !== "violated") continue;
    expect(outcome.depthExact).toBe(true);
    if (longer) expect(outcome.schedule.steps.length).toBeGreaterThanOrEqual(truth.depth!);
    else {
      expect([outcome.property, outcome.schedule.steps.length]).toEqual([property.id, truth.depth]);
      expect([...truth.kinds!]).toContain(outcome.finding.kind);
    }
    const reached = follow(system, outcome.schedule.steps);
    expect(reached).toBeDefined();
    if (property.check.c === "findings") {
      expect(reached!.last!.findings.map((f) => system.findings[f]!.kind)).toContain(outcome.finding.kind);
      continue;
    }
    const node = plain.nodes[plain.find(reached!.state!)!]!;
    if (!longer) expect(node.depth).toBe(truth.depth);
    if (property.check.c === "deadlock") expect(plain.blocked(node, outcome.finding.thread!)).toBe(true);
    else if (property.check.c !== "temporal") {
      expect(evaluate(property.check.expr, node.state, -1)).toBe(0);
    }
  }
}
