/**
 * The engines agree with the reference interpreter on random protocols: states, transitions, cuts, verdicts, depths,
 * and every schedule replays. The interpreter runs the syntax tree and shares nothing with the lowering, so this
 * compares the lowering too.
 */
import { check as explicit } from "../../src/checker/explicit/check.ts";
import { explore, replay } from "../../src/checker/reference/index.ts";
import type { Exploration, Outcome } from "../../src/checker/verdict.ts";
import { lower } from "../../src/spec/lowering/lower.ts";
import { ModelError } from "../../src/spec/model-error.ts";
import type { Program } from "../../src/spec/program.ts";
import { randomProgram } from "../random-program.ts";

const BOUND = 3000;
const options = { timeout: 60, memory: 2 ** 30, workers: 1 };

/** What must be the same in every engine. */
function summary(e: Exploration) {
  return e.outcomes.map((o) => `${o.property} ${o.verdict} ${detail(o)}`).sort();
}

function detail(o: Outcome): string {
  if (o.verdict === "violated") return `at ${o.schedule.steps.length}`;
  return "";
}

function oracle(program: Program): Exploration | undefined {
  try {
    const e = explore(program, { properties: program.properties.map((p) => p.id), maxStates: BOUND });
    return e.complete ? e : undefined;
  } catch (error) {
    if (error instanceof ModelError) return undefined;
    throw error;
  }
}

function replays(program: Program, e: Exploration): void {
  for (const o of e.outcomes) {
    if (o.verdict !== "violated") continue;
    const result = replay(program, o.schedule, o.property);
    const ok = result.fits && result.violates;
    expect({ seed: program.variant, property: o.property, message: result.message, ok }).toMatchObject({ ok: true });
  }
}

test("the explicit engine and the reference interpreter, on the whole graph and with reductions", async () => {
  let compared = 0;
  let violated = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const program = randomProgram(seed);
    const expected = oracle(program);
    if (!expected) continue;
    compared++;
    const properties = program.properties.map((p) => p.id);
    const system = lower(program);
    const full = await explicit(system, { ...options, properties, reduction: false });
    expect({ seed, states: full.states, transitions: full.transitions, cut: full.cut, summary: summary(full) }).toEqual(
      {
        seed,
        states: expected.states,
        transitions: expected.transitions,
        cut: expected.cut,
        summary: summary(expected),
      },
    );
    replays(program, full);
    const reduced = await explicit(system, { ...options, properties, reduction: true });
    expect({ seed, verdicts: reduced.outcomes.map((o) => `${o.property} ${o.verdict}`).sort() }).toEqual({
      seed,
      verdicts: expected.outcomes.map((o) => `${o.property} ${o.verdict}`).sort(),
    });
    replays(program, reduced);
    violated += full.outcomes.filter((o) => o.verdict === "violated").length;
  }
  // The comparison is worth something only if most protocols are small enough and many properties fail.
  expect(compared).toBeGreaterThan(SEEDS * 0.6);
  expect(violated).toBeGreaterThan(compared);
}, 300_000);

const SEEDS = Number(process.env.LOCKSTEP_SEEDS ?? 300);
