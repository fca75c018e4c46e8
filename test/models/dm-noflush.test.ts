import protocol from "../../models/dm-noflush/protocol.ts";
import { check } from "../../src/checker/explicit/check.ts";
import { explore } from "../../src/checker/reference/index.ts";
import type { Exploration } from "../../src/checker/verdict.ts";
import { lower } from "../../src/spec/lowering/lower.ts";
import type { Program } from "../../src/spec/program.ts";

const VARIANTS = [
  "before",
  "ueda-2006",
  "nomura-2007",
  "endio-lock",
  "flag-unlocked",
  "deferred-io-lock",
  "no-error-flush",
  "lockfs-with-noflush",
];
const EVERYWHERE = ["deadlock", "lost-bio", "memory-safety", "atomic-sleep", "lock-discipline"];
const SUSPENDING = [...EVERYWHERE, "flag-cleared", "no-eio-on-success"];
const SCENARIOS: Readonly<Record<string, readonly string[]>> = {
  "suspend-resume": SUSPENDING,
  interrupted: [...SUSPENDING, "reissued-at-resume"],
  "bdget-fails": SUSPENDING,
  split: [...SUSPENDING, "pushback-wins"],
  "two-bios": SUSPENDING,
  "close-after-io": EVERYWHERE,
  "dirty-page": SUSPENDING,
  "sync-vs-suspend": SUSPENDING,
  "fsync-vs-swap": SUSPENDING,
  "suspend-suspended": SUSPENDING,
  twice: [...SUSPENDING, "queueing-restored"],
};
/** They speak of the flag and the pushback list, which came with the patch. */
const PATCHED_ONLY = ["flag-cleared", "pushback-wins", "reissued-at-resume"];

function recorded(variant: string, scenario: string): Program {
  const program = protocol.record({ variant, scenario });
  if (program === null) throw new Error(`${variant} has no ${scenario}`);
  return program;
}

async function checked(program: Program): Promise<Exploration> {
  return await check(lower(program), {
    properties: program.properties.map((p) => p.id),
    reduction: false,
    timeout: 60,
    memory: 2 ** 31,
    workers: 1,
  });
}

/** The program, also asked whether every claim that a lock protects an access is true. */
function withClaims(program: Program): Program {
  const claims = { ...program.properties[0]!, id: "claims", check: { c: "findings", kinds: ["data-race"] } } as const;
  return { ...program, properties: [...program.properties, claims] };
}

/** `property: verdict kind`, for all that does not hold. */
function verdicts(exploration: Exploration): string[] {
  return exploration.outcomes
    .filter((o) => o.verdict !== "holds")
    .map((o) => `${o.property}: ${o.verdict}${o.verdict === "violated" ? ` ${o.finding.kind}` : ""}`)
    .sort();
}

const expectations = (program: Program): string[] =>
  program.expectations.map((e) => `${e.property}: ${e.verdict}${e.kinds ? ` ${e.kinds.join(" or ")}` : ""}`).sort();

test("every variant has every scenario, and each asks what it should", () => {
  expect(protocol.variants.map((v) => v.id)).toEqual(VARIANTS);
  expect(protocol.scenarios.map((s) => s.id)).toEqual(Object.keys(SCENARIOS));
  for (const variant of VARIANTS) {
    for (const [scenario, properties] of Object.entries(SCENARIOS)) {
      const asked = recorded(variant, scenario).properties.map((p) => p.id);
      const wanted = properties.filter((p) => variant !== "before" || !PATCHED_ONLY.includes(p));
      expect({ variant, scenario, asked }).toEqual({ variant, scenario, asked: wanted });
    }
  }
});

describe.each(VARIANTS)("%s", (variant) => {
  test.each(Object.keys(SCENARIOS))(
    "%s: every verdict is as expected, every protection claim true",
    async (scenario) => {
      const program = withClaims(recorded(variant, scenario));
      const exploration = await checked(program);
      expect(exploration.complete).toBe(true);
      expect(verdicts(exploration)).toEqual(expectations(program));
    },
    60_000,
  );
});

test.each([
  ["before", "close-after-io"],
  ["ueda-2006", "sync-vs-suspend"],
  ["nomura-2007", "sync-vs-suspend"],
  ["deferred-io-lock", "sync-vs-suspend"],
  ["endio-lock", "close-after-io"],
])(
  "the reference interpreter counts the same graph and says the same: %s, %s",
  async (variant, scenario) => {
    const program = recorded(variant, scenario);
    const fast = await checked(program);
    const plain = explore(program);
    expect([plain.states, plain.transitions, plain.cut]).toEqual([fast.states, fast.transitions, fast.cut]);
    expect(verdicts(plain)).toEqual(verdicts(fast));
  },
  60_000,
);

test("a requeue that survives into the next suspend is pushed back there or ends with -EIO: no bio is lost", async () => {
  const program = recorded("ueda-2006", "twice");
  const twice = await checked(program);
  expect(twice.outcomes.find((o) => o.property === "lost-bio")).toEqual({ property: "lost-bio", verdict: "holds" });
});
