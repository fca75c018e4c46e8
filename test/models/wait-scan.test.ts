import protocol from "../../models/wait-scan/protocol.ts";
import { check } from "../../src/checker/explicit/check.ts";
import { replay } from "../../src/checker/reference/index.ts";
import { lower } from "../../src/spec/lowering/lower.ts";
import { testVerdicts } from "./verdicts.ts";

describe("every verdict is as expected", () => testVerdicts(protocol));

test("the wait of jones-2007 starves without the spinlock's help too, and that schedule replays", async () => {
  const program = protocol.record({ variant: "jones-2007", scenario: "rescan-for-ever-vs-wait" })!;
  const { outcomes } = await check(lower(program), {
    properties: ["bounded-wait"],
    reduction: true,
    timeout: 60,
    memory: 2 ** 30,
    workers: 1,
  });
  const [o] = outcomes;
  if (o?.verdict !== "violated") throw new Error(`bounded-wait: ${o?.verdict}`);
  // The waiter itself goes round: it takes and drops bd_mutex in the loop.
  const loop = o.schedule.steps.slice(o.schedule.loop);
  expect(new Set(loop.map((s) => program.threads[s.thread]!.name))).toEqual(new Set(["process", "insmod"]));
  const again = replay(program, o.schedule, "bounded-wait");
  expect(again.fits && again.violates).toBe(true);
});
