/** Temporal properties by decision diagrams: known answers, and the explicit engine's on random programs. */
import { check as explicit } from "../../../src/checker/explicit/check.ts";
import { replay } from "../../../src/checker/reference/index.ts";
import { check } from "../../../src/checker/symbolic/check.ts";
import { lower } from "../../../src/spec/lowering/lower.ts";
import type { Program } from "../../../src/spec/program.ts";
import { randomProgram } from "../../random-program.ts";
import { withTemporal } from "../../random-temporal.ts";
import { TEXTBOOKS } from "../liveness/textbook.ts";

const OPTIONS = { reduction: false, timeout: 60, memory: 2 ** 29, workers: 1 };
/** Verdicts of all properties of a program; every counterexample replays. */
function verdicts(program: Program): Record<string, string> {
  const found = check(lower(program), {
    ...OPTIONS,
    properties: program.properties.filter((p) => !p.implied).map((p) => p.id),
  });
  for (const o of found.outcomes) {
    if (o.verdict !== "violated") continue;
    const again = replay(program, o.schedule, o.property);
    const message = again.fits && again.violates ? "replays" : again.message;
    expect({ variant: program.variant, property: o.property, message }).toMatchObject({ message: "replays" });
  }
  return Object.fromEntries(found.outcomes.map((o) => [o.property, o.verdict]));
}

test.each(TEXTBOOKS)("$name", ({ program, expected }) => {
  expect(verdicts(program)).toEqual(expected);
});

test("random programs and formulas: the verdicts are the explicit engine's, and every lasso replays", async () => {
  const seen: Record<string, number> = { holds: 0, violated: 0 };
  for (let seed = 1; seed <= SEEDS; seed++) {
    const program = withTemporal(randomProgram(seed), seed);
    const system = lower(program);
    const expected = await explicit(system, {
      ...OPTIONS,
      properties: program.properties.filter((p) => !p.implied).map((p) => p.id),
    });
    if (!expected.complete || expected.states! > 4000) continue;
    const found = verdicts(program);
    expect({ seed, found }).toEqual({
      seed,
      found: Object.fromEntries(expected.outcomes.map((o) => [o.property, o.verdict])),
    });
    for (const verdict of Object.values(found)) seen[verdict] = (seen[verdict] ?? 0) + 1;
  }
  expect(seen.holds).toBeGreaterThan(SEEDS / 4);
  expect(seen.violated).toBeGreaterThan(SEEDS / 4);
}, 120_000);

const SEEDS = Number(process.env.LOCKSTEP_SEEDS ?? 100);
