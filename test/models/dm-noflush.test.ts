import protocol from "../../models/dm-noflush/protocol.ts";
import { explore } from "../../src/checker/reference/index.ts";
import { checked, expectations, recorderOf, verdicts, withRaces } from "./verdicts.ts";

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
const SUSPENDING = [...EVERYWHERE, "flag-cleared", "no-eio-on-success", "suspend-ends"];
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
  "message-vs-suspend": SUSPENDING,
  "endless-io-vs-suspend": ["deadlock", "memory-safety", "suspend-ends", "io-ends"],
  "signal-vs-silent-device": ["signal-ends-suspend"],
  "signal-vs-sync": ["signal-ends-suspend"],
};
/** They speak of the flag and the pushback list, which came with the patch. */
const PATCHED_ONLY = ["flag-cleared", "pushback-wins", "reissued-at-resume"];

const recorded = recorderOf(protocol);

test("every variant has every scenario, and each asks what it should", () => {
  expect(protocol.variants.map((v) => v.id)).toEqual(VARIANTS);
  expect(protocol.scenarios.map((s) => s.id)).toEqual(Object.keys(SCENARIOS));
  for (const variant of VARIANTS) {
    for (const [scenario, properties] of Object.entries(SCENARIOS)) {
      const asked = recorded(variant, scenario)
        .properties.filter((p) => !p.implied)
        .map((p) => p.id);
      const wanted = properties.filter((p) => variant !== "before" || !PATCHED_ONLY.includes(p));
      expect({ variant, scenario, asked }).toEqual({ variant, scenario, asked: wanted });
    }
  }
});

/** Checked here; where a design does what the posted patch does, or the graph is large, `npm start` has the rest. */
const CHECKED: readonly (readonly [string, readonly string[]])[] = [
  ["before", Object.keys(SCENARIOS).filter((s) => s !== "two-bios")],
  ["ueda-2006", Object.keys(SCENARIOS)],
  ["nomura-2007", Object.keys(SCENARIOS).filter((s) => s !== "two-bios")],
  ["endio-lock", ["suspend-resume", "interrupted", "split", "sync-vs-suspend"]],
  ["flag-unlocked", ["suspend-resume", "interrupted", "bdget-fails", "twice"]],
  ["deferred-io-lock", ["suspend-resume", "interrupted", "dirty-page", "sync-vs-suspend"]],
  ["no-error-flush", ["suspend-resume", "bdget-fails"]],
  ["lockfs-with-noflush", ["suspend-resume", "dirty-page"]],
];

describe.each(CHECKED)("%s", (variant, scenarios) => {
  test.each(scenarios)(
    "%s: every verdict is as expected, every protection claim true",
    async (scenario) => {
      const program = withRaces(recorded(variant, scenario), "races");
      const exploration = await checked(program);
      expect(exploration.complete).toBe(true);
      // the one race there is: two clones that end at once, and io->error
      const races = scenario === "split" && variant !== "endio-lock" ? ["races: violated data-race"] : [];
      expect(verdicts(exploration)).toEqual([...expectations(program), ...races].sort());
    },
    120_000,
  );
});

test.each([
  ["before", "sync-vs-suspend"],
  ["ueda-2006", "close-after-io"],
  ["deferred-io-lock", "sync-vs-suspend"],
])(
  "the reference interpreter counts the same graph and says the same: %s, %s",
  async (variant, scenario) => {
    const program = recorded(variant, scenario);
    const fast = await checked(program);
    const plain = explore(program);
    expect([plain.states, plain.transitions, plain.cut]).toEqual([fast.states, fast.transitions, fast.cut]);
    expect(verdicts(plain)).toEqual(verdicts(fast));
  },
  120_000,
);

test("a requeue that survives into the next suspend is pushed back there or ends with -EIO: no bio is lost", async () => {
  const program = recorded("ueda-2006", "twice");
  const twice = await checked(program);
  expect(twice.outcomes.find((o) => o.property === "lost-bio")).toEqual({ property: "lost-bio", verdict: "holds" });
}, 120_000);
