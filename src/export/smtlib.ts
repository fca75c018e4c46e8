/**
 * A scenario and one of its safety properties as constrained Horn clauses, in SMT-LIB 2 (logic HORN): for Spacer, Eldarica,
 * Golem and whatever else reads them. `sat` means that the property holds: an inductive invariant exists.
 */
import { safetyGoal } from "../checker/smt/goal.ts";
import { cone, slice } from "../checker/smt/slice.ts";
import { clausesOf, hornScript } from "../checker/smt/spacer.ts";
import type { SysProperty, TransitionSystem } from "../spec/transition-system.ts";
import { NotExpressible } from "./not-expressible.ts";

/** @throws NotExpressible where the property is no question about single states or steps */
export function smtlib(system: TransitionSystem, property: SysProperty): string {
  const sliced = slice(system);
  const over = safetyGoal(sliced.encoding, property);
  if (over === undefined) {
    throw new NotExpressible(
      `${property.id} asks what can still happen, or happens in the end: Horn clauses say only what is never reached`,
    );
  }
  // What is known by cheaper means is put in, and what then nothing depends on is left out: that changes no answer.
  const encoding = cone(sliced.encoding, [over.term]);
  const goal = safetyGoal(encoding, property);
  if (goal === undefined) throw new Error("a goal over the whole is a goal over its cone");
  const { protocol, variant, scenario } = system;
  return [
    comment(`${protocol} / ${variant} / ${scenario}, property ${property.id}, exported by Lockstep`),
    comment("sat: an inductive invariant exists, the property holds; unsat: it can be violated"),
    "(set-logic HORN)",
    hornScript(clausesOf(encoding, [goal], sliced.facts?.invariant(encoding))),
    "(check-sat)",
    "",
  ].join("\n");
}

function comment(text: string): string {
  return `; ${text.replaceAll(/[\r\n]/g, " ")}`;
}
