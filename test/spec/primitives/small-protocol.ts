/**
 * Small protocols with known answers, run by the reference interpreter; after a file's tests the compiled search runs
 * them too, with and without reductions, and must agree.
 */
import { check } from "../../../src/checker/explicit/check.ts";
import { explore, type ReferenceExploration } from "../../../src/checker/reference/index.ts";
import type { Exploration } from "../../../src/checker/verdict.ts";
import {
  atomicSleep,
  deadlock,
  lockDiscipline,
  ModelError,
  memorySafety,
  type Program,
  type Property,
  type ProtocolOptions,
  protocol,
  type ThreadSpec,
} from "../../../src/index.ts";
import { lower } from "../../../src/spec/lowering/lower.ts";

export interface Small {
  readonly threads: () => readonly ThreadSpec[];
  readonly properties?: readonly Property[];
  readonly start?: () => void;
  readonly switches?: ProtocolOptions["switches"];
  readonly setting?: Readonly<Record<string, string>>;
  readonly bkl?: ProtocolOptions["bkl"];
}

export const USUAL: readonly Property[] = [deadlock, lockDiscipline, atomicSleep, memorySafety];

export function record(small: Small): Program {
  const p = protocol("small", {
    title: "small",
    source: "test",
    variants: [{ id: "v", title: "v" }],
    scenarios: [
      {
        id: "s",
        title: "s",
        properties: small.properties ?? USUAL,
        threads: small.threads,
        ...(small.start ? { start: small.start } : {}),
      },
    ],
    ...(small.switches ? { switches: small.switches } : {}),
    ...(small.bkl ? { bkl: small.bkl } : {}),
  });
  return p.record({ variant: "v", scenario: "s", ...(small.setting ? { switches: small.setting } : {}) })!;
}

export function run(small: Small): ReferenceExploration {
  const program = record(small);
  const result = explore(program, { timeout: 60 });
  if (!result.complete) throw new Error("the protocol is not small");
  explored.push({ program, result });
  return result;
}

const explored: { program: Program; result: ReferenceExploration }[] = [];

/** Verdicts and depths; the symmetric schedule of the other engine may blame another thread. */
function answers({ outcomes }: Exploration): string[] {
  return outcomes
    .map((o) => `${o.property}: ${o.verdict} ${o.verdict === "violated" ? o.schedule.steps.length : ""}`)
    .sort();
}

afterAll(async () => {
  expect(explored.length).toBeGreaterThan(0);
  for (const { program, result } of explored) {
    const properties = program.properties.filter((p) => !p.implied).map((p) => p.id);
    const system = lower(program);
    const options = { timeout: 60, memory: 2 ** 28, workers: 1, properties };
    const full = await check(system, { ...options, reduction: false });
    const size = ({ states, transitions, cut }: Exploration) => ({ states, transitions, cut });
    expect({ ...size(full), answers: answers(full) }).toEqual({ ...size(result), answers: answers(result) });
    const reduced = await check(system, { ...options, reduction: true });
    expect({ program, answers: answers(reduced) }).toEqual({ program, answers: answers(result) });
  }
}, 120_000);

/** Per property `holds`, `vacuous`, `inconclusive`, or the kind of finding. */
export function verdicts(small: Small): Record<string, string> {
  return verdictsOf(run(small));
}

export function verdictsOf(result: ReferenceExploration): Record<string, string> {
  return Object.fromEntries(
    result.outcomes.map((o) => {
      if (o.verdict === "violated") return [o.property, o.finding.kind];
      if (o.verdict === "inconclusive" && o.finding) return [o.property, o.finding.kind];
      return [o.property, o.verdict];
    }),
  );
}

/** The message of the finding of a violated property. */
export function findingOf(small: Small, property: string): string {
  const outcome = run(small).outcomes.find((o) => o.property === property);
  if (outcome?.verdict !== "violated") throw new Error(`${property}: ${outcome?.verdict}`);
  return outcome.finding.message;
}

/** The message of the ModelError that recording or running throws. */
export function complaint(small: Small): string {
  try {
    run(small);
  } catch (e) {
    if (e instanceof ModelError) return e.message;
    throw e;
  }
  throw new Error("no complaint");
}
