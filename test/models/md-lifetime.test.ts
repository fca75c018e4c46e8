import protocol from "../../models/md-lifetime/protocol.ts";
import { check } from "../../src/checker/explicit/check.ts";
import { replay } from "../../src/checker/reference/index.ts";
import type { Outcome } from "../../src/checker/verdict.ts";
import { lower } from "../../src/spec/lowering/lower.ts";
import { verdictsOf } from "./verdicts.ts";

const VARIANTS = [
  "v2.6.28",
  "brown-2008",
  "brown-2008-lost-store",
  "brown-2008-new",
  "v2.6.29",
  "v2.6.31",
  "v3.0",
  "v3.2",
  "v4.10",
  "v5.8",
  "v5.13",
  "v6.0",
];
const SCENARIOS: Readonly<Record<string, readonly string[]>> = {
  "one-open": ["idle-goes"],
  "two-openers": ["idle-goes"],
  "open-vs-looping-opener": [],
  "three-openers": [],
  "open-vs-signal": [],
  "sysfs-flush": [],
  "sysfs-bd-mutex": [],
  "sysfs-bind": [],
  "no-memory": [],
  rmmod: ["no-code-after-unload"],
};
const EVERYWHERE = [
  "atomic-sleep",
  "deadlock",
  "livelock",
  "lock-discipline",
  "memory-safety",
  "one-disk",
  "one-restart",
  "open-succeeds",
];
const POSTED = VARIANTS.slice(0, 4);
/** An open may start again. */
const RESTARTING = VARIANTS.slice(2, 10);
const STRONG = ["two-openers", "open-vs-looping-opener"];

/** Cells of tens of thousands of states and more: `npm start` checks them too, this file does not. */
const LARGE = ["open-vs-looping-opener", "three-openers", "sysfs-bd-mutex", "sysfs-bind"];
const SMALL_THERE = ["v2.6.28", "brown-2008", "v6.0"];
const isLarge = (variant: string, scenario: string): boolean =>
  variant === "brown-2008-lost-store"
    ? !["one-open", "sysfs-flush", "rmmod"].includes(scenario)
    : LARGE.includes(scenario) && !SMALL_THERE.includes(variant);

async function outcomeOf(
  property: string,
  variant: string,
  scenario: string,
  switches: Readonly<Record<string, string>> = {},
): Promise<{ outcome: Outcome; schedule: readonly string[]; replays: boolean }> {
  const program = protocol.record({ variant, scenario, switches: { ...protocol.defaults(), ...switches } })!;
  const { outcomes } = await check(lower(program), {
    properties: [property],
    reduction: true,
    timeout: 60,
    memory: 2 ** 31,
    workers: 1,
  });
  const outcome = outcomes[0]!;
  if (outcome.verdict !== "violated") return { outcome, schedule: [], replays: false };
  const again = replay(program, outcome.schedule, property);
  const schedule = again.visits.flatMap((v) => (v.transition ? [v.transition.call] : []));
  return { outcome, schedule, replays: again.fits && again.violates };
}

test("every variant has every scenario, and each asks what it should", () => {
  expect(protocol.variants.map((v) => v.id)).toEqual(VARIANTS);
  expect(protocol.scenarios.map((s) => s.id)).toEqual(Object.keys(SCENARIOS));
  for (const variant of VARIANTS) {
    for (const [scenario, own] of Object.entries(SCENARIOS)) {
      const left_out = variant === "brown-2008-lost-store" && scenario === "three-openers";
      expect(protocol.applies(variant, scenario)).toBe(!left_out);
      if (left_out) continue;
      const program = protocol.record({ variant, scenario })!;
      const asked = program.properties
        .filter((p) => !p.implied)
        .map((p) => p.id)
        .sort();
      const queue = POSTED.includes(variant) ? ["queue-freed"] : [];
      const strong = RESTARTING.includes(variant) && STRONG.includes(scenario) ? ["livelock-strong"] : [];
      expect({ variant, scenario, asked }).toEqual({
        variant,
        scenario,
        asked: [...EVERYWHERE, ...own, ...queue, ...strong].sort(),
      });
    }
  }
}, 180_000);

describe("every verdict is as expected", () => {
  for (const variant of VARIANTS) {
    test.each(Object.keys(SCENARIOS).filter((s) => !isLarge(variant, s)))(
      `${variant} / %s`,
      async (scenario) => {
        const { found, expected } = await verdictsOf(protocol, variant, scenario);
        expect(found).toEqual(expected);
      },
      180_000,
    );
  }
});

describe("controls", () => {
  test.each(
    ["brown-2008-new", "v2.6.29"].flatMap((v) =>
      ["one-open", "two-openers", "three-openers"].map((s) => [v, s] as const),
    ),
  )(
    "%s / %s: openers alone meet neither a use after free nor a deadlock",
    async (variant, scenario) => {
      for (const property of ["memory-safety", "deadlock"]) {
        const { outcome } = await outcomeOf(property, variant, scenario);
        const nothingFreed = variant === "v2.6.29" && scenario === "one-open" && property === "memory-safety";
        expect({ property, verdict: outcome.verdict }).toEqual({
          property,
          verdict: nothingFreed ? "vacuous" : "holds",
        });
      }
    },
    180_000,
  );
});

test("who starts again never lets the BKL go where nothing is ever preempted: the other opener is stuck", async () => {
  const { outcome, replays } = await outcomeOf("deadlock", "brown-2008-new", "two-openers", { preempt: "none" });
  expect(outcome).toMatchObject({ verdict: "violated", finding: { kind: "partial-deadlock" } });
  expect(replays).toBe(true);
}, 60_000);

test("the endless restart of the posted patch is two openers and no deletion, and replays", async () => {
  const { outcome, schedule, replays } = await outcomeOf("livelock", "brown-2008-new", "two-openers");
  if (outcome.verdict !== "violated") throw new Error(outcome.verdict);
  expect(replays).toBe(true);
  expect(new Set(outcome.schedule.steps.map((s) => s.thread)).size).toBe(2);
  expect(schedule.some((call) => call.startsWith("worker of"))).toBe(false);
}, 60_000);

test("in 5.13 md_open looks at the work of an mddev that it has put, and that the worker has freed", async () => {
  const { outcome, schedule, replays } = await outcomeOf("memory-safety", "v5.13", "open-vs-looping-opener");
  expect(outcome).toMatchObject({ verdict: "violated", finding: { kind: "use-after-free" } });
  expect(schedule.at(-1)).toContain("kfree(mddev)");
  expect(replays).toBe(true);
}, 60_000);

test("on one CPU who restarts in 5.8 keeps the worker from the deletion that he waits for", async () => {
  const one_cpu = { scheduler: "one-cpu", preempt: "none" };
  const { outcome, replays } = await outcomeOf("livelock-one-cpu", "v5.8", "open-vs-signal", one_cpu);
  if (outcome.verdict !== "violated") throw new Error(outcome.verdict);
  expect(replays).toBe(true);
  const { steps, loop } = outcome.schedule;
  expect(new Set(steps.slice(loop).map((s) => s.thread)).size).toBe(1);
  expect((await outcomeOf("livelock", "v5.8", "open-vs-signal")).outcome.verdict).toBe("holds");
  // v4.10 flushes, that is to say sleeps, in every round
  const before = await outcomeOf("livelock-one-cpu", "v4.10", "open-vs-signal", one_cpu);
  expect(before.outcome.verdict).toBe("holds");
}, 180_000);
