import noflush from "../../../models/dm-noflush/protocol.ts";
import { check as explicit } from "../../../src/checker/explicit/check.ts";
import { check } from "../../../src/checker/symbolic/check.ts";
import { variableOrder } from "../../../src/checker/symbolic/variable-order.ts";
import { lower } from "../../../src/spec/lowering/lower.ts";
import { philosophers } from "./systems.ts";

const OPTIONS = { properties: [], reduction: false, timeout: 60, memory: 2 ** 29, workers: 1 };

test("a long search begins again in the order its states suggest, and finds the same", async () => {
  const system = lower(noflush.record({ variant: "before", scenario: "two-bios" })!);
  const found = check(system, OPTIONS);
  expect(found.method).toMatch(/sifting of the states that the first 65536 nodes had reached/);
  const { states, transitions, cut } = await explicit(system, OPTIONS);
  expect(found).toMatchObject({ complete: true, states, transitions, cut });
  // An order that was asked for is kept.
  const kept = check(system, OPTIONS, variableOrder(system));
  expect(kept.method).toMatch(/FORCE and sifting/);
  expect(kept).toMatchObject({ complete: true, states, transitions, cut });
}, 60_000);

test("a short one does not", () => {
  expect(check(philosophers(10), OPTIONS).method).toMatch(/FORCE and sifting/);
});

test("one that runs out of memory on the way says so", () => {
  const system = lower(noflush.record({ variant: "nomura-2007", scenario: "two-bios" })!);
  const found = check(system, { ...OPTIONS, properties: ["deadlock"], memory: 2 ** 20 });
  expect(found).toMatchObject({ complete: false, states: null });
  const reason = expect.stringMatching(/^memory ran out with \d+ nodes/);
  expect(found.outcomes).toEqual([{ property: "deadlock", verdict: "inconclusive", reason }]);
}, 60_000);
