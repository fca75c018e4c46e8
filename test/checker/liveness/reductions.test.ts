/** Temporal properties with symmetry and transactions: the verdicts are those of the whole graph. */
import { check } from "../../../src/checker/explicit/check.ts";
import { explore } from "../../../src/checker/explicit/explore.ts";
import { explore as referenceVerdicts, replay } from "../../../src/checker/reference/index.ts";
import { lower } from "../../../src/spec/lowering/lower.ts";
import { randomProgram } from "../../random-program.ts";
import { randomLocks, withTemporal } from "../../random-temporal.ts";

const OPTIONS = { timeout: 60, memory: 2 ** 29, workers: 1 };

test("random protocols and questions: with reductions as without, and every lasso replays", async () => {
  const seen: Record<string, number> = {};
  const note = (what: string) => {
    seen[what] = (seen[what] ?? 0) + 1;
  };
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
    const program =
      seed % 3 === 0
        ? withTemporal(randomProgram(seed, { identical: seed % 2 === 0 }), seed)
        : withTemporal(randomLocks(seed), seed, ["wait", "in"]);
    const system = lower(program);
    const properties = program.properties.filter((p) => !p.implied).map((p) => p.id);
    const whole = await explore(
      system,
      { ...OPTIONS, properties, reduction: false },
      { transactions: false, states: 6000 },
    );
    if (!whole.complete) continue;
    const expected = Object.fromEntries(whole.outcomes.map((o) => [o.property, o.verdict]));
    if (seed % 5 === 0) {
      // The interpreter shares nothing with the lowering and the compiled search.
      const reference = referenceVerdicts(program, { properties });
      const plain = Object.fromEntries(reference.outcomes.map((o) => [o.property, o.verdict]));
      expect({ seed, plain }).toEqual({ seed, plain: expected });
    }
    const reduced = await check(system, { ...OPTIONS, properties, reduction: true });
    const found = Object.fromEntries(reduced.outcomes.map((o) => [o.property, o.verdict]));
    expect({ seed, found }).toEqual({ seed, found: expected });
    for (const o of reduced.outcomes) {
      for (const name of o.reductions ?? reduced.reductions) note(`${o.verdict} ${name}`);
      if (o.verdict !== "violated") continue;
      const again = replay(program, o.schedule, o.property);
      expect({ seed, message: again.fits && again.violates ? "replays" : again.message }).toEqual({
        seed,
        message: "replays",
      });
    }
  }
  if (process.env.LOCKSTEP_SEEDS !== undefined) console.log(seen);
  for (const verdict of ["holds", "violated"]) {
    for (const name of ["symmetry", "transactions"]) expect(seen[`${verdict} ${name}`]).toBeGreaterThan(SEEDS / 20);
  }
}, 600_000);

const SEEDS = Number(process.env.LOCKSTEP_SEEDS ?? 60);
const FIRST = Number(process.env.LOCKSTEP_FIRST ?? 1);
