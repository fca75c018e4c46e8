/** What every protocol in models/ has to show: each cell records, and its verdicts are the expected ones, none other vacuous. */
import { check } from "../../src/checker/explicit/check.ts";
import type { Exploration, Outcome } from "../../src/checker/verdict.ts";
import type { Protocol } from "../../src/index.ts";
import { lower } from "../../src/spec/lowering/lower.ts";
import type { Program } from "../../src/spec/program.ts";

type Request = Parameters<Protocol["record"]>[0];

/** Records cells of a protocol; one that there is not is an error. */
export function recorderOf(
  protocol: Protocol,
): (variant: string, scenario: string, more?: Partial<Request>) => Program {
  return (variant, scenario, more = {}) => {
    const program = protocol.record({ variant, scenario, ...more });
    if (program === null) throw new Error(`${variant} has no ${scenario}`);
    return program;
  };
}

/** What the explicit engine finds in the whole graph of a program, or of what has been made of it. */
export async function checked(program: Program, system = lower(program)): Promise<Exploration> {
  return await check(system, {
    properties: program.properties.filter((p) => !p.implied).map((p) => p.id),
    reduction: false,
    timeout: 60,
    memory: 2 ** 31,
    workers: 1,
  });
}

/**
 * The program, also asked whether every claim that a lock protects an access is true, and whether two plain accesses
 * race, under this id.
 */
export function withRaces(program: Program, id: string): Program {
  const races = { ...program.properties[0]!, id, check: { c: "findings", kinds: ["data-race"] } } as const;
  return { ...program, properties: [...program.properties, races] };
}

/** `property: verdict kind`, for all that does not hold. */
export function verdicts(exploration: Exploration): string[] {
  return exploration.outcomes
    .filter((o) => o.verdict !== "holds")
    .map((o) => `${o.property}: ${o.verdict}${o.verdict === "violated" ? ` ${o.finding.kind}` : ""}`)
    .sort();
}

/** The same for what is expected. */
export function expectations(program: Program): string[] {
  return program.expectations
    .map((e) => `${e.property}: ${e.verdict}${e.kinds ? ` ${e.kinds.join(" or ")}` : ""}`)
    .sort();
}

/** `property: verdict kind` for all that does not hold, as found and as expected, over all settings of a cell. */
export async function verdictsOf(
  protocol: Protocol,
  variant: string,
  scenario: string,
): Promise<{ found: string[]; expected: string[] }> {
  const found: string[] = [];
  const expected: string[] = [];
  for (const switches of protocol.settings(variant, scenario)) {
    const program = protocol.record({ variant, scenario, switches })!;
    const { outcomes } = await check(lower(program), {
      properties: program.properties.filter((p) => !p.implied).map((p) => p.id),
      reduction: true,
      timeout: 120,
      memory: 4 * 2 ** 30,
      workers: 1,
    });
    const kinds = new Map(program.expectations.map((e) => [e.property, e.kinds ?? []]));
    found.push(...outcomes.flatMap((o) => (o.verdict === "holds" ? [] : [text(o, kinds.get(o.property) ?? [])])));
    expected.push(...expectations(program));
  }
  return { found: found.sort(), expected: expected.sort() };
}

/** A kind among the expected ones is written as all of them, so that the two lists can be compared. */
function text(o: Outcome, expected: readonly string[]): string {
  if (o.verdict !== "violated") return `${o.property}: ${o.verdict}`;
  const kind = expected.includes(o.finding.kind) ? expected.join(" or ") : o.finding.kind;
  return `${o.property}: violated ${kind}`;
}

/** One test a cell. */
export function testVerdicts(protocol: Protocol): void {
  for (const { id: variant } of protocol.variants) {
    for (const { id: scenario } of protocol.scenarios) {
      if (!protocol.applies(variant, scenario)) continue;
      test(`${variant} / ${scenario}`, async () => {
        const { found, expected } = await verdictsOf(protocol, variant, scenario);
        expect(found).toEqual(expected);
      }, 180_000);
    }
  }
}
