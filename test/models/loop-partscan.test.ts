import protocol from "../../models/loop-partscan/protocol.ts";
import { coverageOf, type Statement } from "../../src/checker/coverage.ts";
import { explore, Interpreter, type State, stateKey } from "../../src/checker/reference/index.ts";
import type { Exploration } from "../../src/checker/verdict.ts";
import { lower } from "../../src/spec/lowering/lower.ts";
import type { Program } from "../../src/spec/program.ts";
import { checked, expectations, recorderOf, verdicts, withRaces } from "./verdicts.ts";

const VARIANTS = [
  "v4.0",
  "wilson-2015",
  "lei-2015",
  "lei-2015-return",
  "v4.2",
  "v4.14",
  "v5.0",
  "v5.1",
  "v5.13",
  "v5.19",
];
const SCENARIOS: Readonly<Record<string, readonly string[]>> = {
  "set-status-vs-open": [],
  "autoclear-last-close": ["release-rescans"],
  "autoclear-vs-remove": [],
  "unbound-close-vs-remove": [],
  "set-status-vs-open-vs-remove": [],
  "clr-fd-vs-rebind": ["flags-kept"],
  "open-vs-remove": [],
  "detach-vs-open": ["detach-completes"],
  "set-status-close-vs-open": [],
  "detach-vs-partition-open": ["detach-completes"],
  "clr-fd-vs-io": ["lost-bio"],
  "io-vs-remove": [],
};
/** Asks one question of its own, on a graph of its own, of some variants. */
const ENDLESS = "set-status-vs-endless-opens";
const EVERYWHERE = ["deadlock", "lock-discipline", "memory-safety", "atomic-sleep", "no-ebusy"];
const OPTIONS = { reduction: true, timeout: 60, memory: Number.POSITIVE_INFINITY, workers: 1 };
const RETRYING = ["wilson-2015", "lei-2015", "lei-2015-return"];

const recorded = recorderOf(protocol);

/** Asked about claims of protection, not about races: of the findings under data-race only the broken claims count. */
async function checkedClaims(program: Program): Promise<Exploration> {
  const system = lower(program);
  const properties = system.properties.map((p): (typeof system.properties)[number] => {
    if (p.id !== "claims" || p.check.c !== "findings") return p;
    const broken = (f: number) => system.findings[f]!.message.includes(" is said to be protected by ");
    return { ...p, check: { c: "findings", findings: p.check.findings.filter(broken) } };
  });
  return await checked(program, { ...system, properties });
}

test("every variant has every scenario, and each asks what it should", () => {
  expect(protocol.variants.map((v) => v.id)).toEqual(VARIANTS);
  expect(protocol.scenarios.map((s) => s.id).filter((id) => id !== ENDLESS)).toEqual(Object.keys(SCENARIOS));
  for (const variant of VARIANTS) {
    for (const [scenario, own] of Object.entries(SCENARIOS)) {
      const asked = recorded(variant, scenario)
        .properties.filter((p) => !p.implied)
        .map((p) => p.id);
      expect({ variant, scenario, asked }).toEqual({ variant, scenario, asked: [...EVERYWHERE, ...own] });

      const retried =
        RETRYING.includes(variant) && ["set-status-vs-open", "set-status-vs-open-vs-remove"].includes(scenario);
      const settings = protocol.settings(variant, scenario);
      expect(settings.map((s) => s.retry)).toEqual(retried ? ["code", "endless"] : ["code"]);
      if (retried) {
        const endless = recorded(variant, scenario, { switches: settings[1]! });
        expect(endless.properties.filter((p) => !p.implied).map((p) => p.id)).toEqual([
          "ebusy-recoverable",
          "retry-ends",
        ]);
      }
    }
  }
});

test.each(VARIANTS.filter((v) => protocol.applies(v, ENDLESS)))(
  "%s: a reread against endless opens",
  async (variant) => {
    const [switches, ...others] = protocol.settings(variant, ENDLESS);
    expect({ retry: switches?.retry, others }).toEqual({ retry: "endless", others: [] });
    const program = recorded(variant, ENDLESS, { switches: switches! });
    const exploration = await checked(program);
    expect(exploration.outcomes.map((o) => o.property)).toEqual(["starvation"]);
    expect(verdicts(exploration)).toEqual(expectations(program));
  },
);

describe.each(VARIANTS)("%s", (variant) => {
  test.each(Object.keys(SCENARIOS))(
    "%s: every verdict is as expected, every protection claim true",
    async (scenario) => {
      for (const switches of protocol.settings(variant, scenario)) {
        const program = withRaces(recorded(variant, scenario, { switches }), "claims");
        const exploration = await checkedClaims(program);
        expect(exploration.complete).toBe(true);
        expect(verdicts(exploration)).toEqual(expectations(program));
      }
    },
  );
});

test.each([
  ["v4.0", "detach-vs-open"],
  ["wilson-2015", "autoclear-vs-remove"],
  ["lei-2015", "set-status-close-vs-open"],
  ["v4.2", "set-status-vs-open-vs-remove"],
  ["v5.19", "detach-vs-partition-open"],
  ["lei-2015", "clr-fd-vs-io"],
  ["v4.2", "clr-fd-vs-io"],
  ["v4.0", "io-vs-remove"],
  ["v5.19", "io-vs-remove"],
])("the reference interpreter counts the same graph and says the same: %s, %s", async (variant, scenario) => {
  const program = recorded(variant, scenario);
  const fast = await checked(program);
  const plain = explore(program);
  expect([plain.states, plain.transitions, plain.cut]).toEqual([fast.states, fast.transitions, fast.cut]);
  expect(verdicts(plain)).toEqual(verdicts(fast));
});

test("the control is one: both lock orders are taken, by different tasks, and there is no deadlock", async () => {
  const program = recorded("v4.2", "set-status-close-vs-open");
  const interpreter = new Interpreter(program);
  const [B, C] = ["block_device.bd_mutex", "loop_device.lo_ctl_mutex"] as const;
  const owner = (state: State, lock: string) => (state.vars[lock] as readonly number[])[0]!;
  const orders = new Set<string>();
  const seen = new Set<string>();
  const queue = [interpreter.initial()];
  for (let state = queue.pop(); state; state = queue.pop()) {
    for (const { step, result } of interpreter.transitions(state)) {
      if (result.k !== "state") continue;
      const self = step.thread + 1;
      for (const [held, taken] of [
        [B, C],
        [C, B],
      ] as const) {
        const takes = owner(state, taken) !== self && owner(result.state, taken) === self;
        if (takes && owner(state, held) === self) orders.add(`${held} then ${taken}`);
      }
      const key = stateKey(result.state);
      if (!seen.has(key)) {
        seen.add(key);
        queue.push(result.state);
      }
    }
  }
  expect([...orders].sort()).toEqual([`${B} then ${C}`, `${C} then ${B}`]);
  expect(verdicts(await checked(program))).not.toContainEqual(expect.stringContaining("deadlock"));
});

test("I/O meets LOOP_CLR_FD at every point: before it, frozen out by it, and after it", async () => {
  const program = recorded("v4.2", "clr-fd-vs-io");
  const interpreter = new Interpreter(program);
  const value = (state: State, name: string) => (state.vars[name] as readonly number[])[0]!;
  const ends = new Set<string | undefined>();
  const status = program.vars.find((v) => v.name === "request.io.status")!.domain;
  const frozenOut = new Set<boolean>();
  const seen = new Set<string>();
  const queue = [interpreter.initial()];
  for (let state = queue.pop(); state; state = queue.pop()) {
    const after = interpreter.transitions(state);
    const atRest = value(state, "request.io.completed") === 1 && after.length === 0;
    if (atRest && status.d === "enum") ends.add(status.labels[value(state, "request.io.status")]);
    const submitted = value(state, "request.io.submitted") === 1 && value(state, "request.io.completed") === 0;
    const outside = value(state, "loop_device.lo_queue.q_usage_counter") === 0;
    const frozen = value(state, "loop_device.lo_queue.mq_freeze_depth") === 1;
    if (submitted && outside && frozen) frozenOut.add(after.every(({ step }) => step.thread === 0));
    for (const { result } of after) {
      if (result.k !== "state" || seen.has(stateKey(result.state))) continue;
      seen.add(stateKey(result.state));
      queue.push(result.state);
    }
  }
  expect(ends).toEqual(new Set(["0", "-EIO"]));
  expect(frozenOut).toEqual(new Set([true]));
});

test("more openers do not change what is found", async () => {
  for (const variant of ["v4.0", "lei-2015-return", "v4.2", "v5.19"]) {
    const program = recorded(variant, "set-status-vs-open", { sizes: { openers: 2 } });
    expect(program.threads.map((t) => t.name)).toEqual(["T1", "udev#1", "udev#2"]);
    expect(verdicts(await checked(program))).toEqual(expectations(program));
  }
  expect(() => recorded("v4.0", "set-status-vs-open", { sizes: { openers: 29 } })).toThrow(/openers=29/);
});

test.each([
  ["wilson-2015", "set-status-vs-open", "violated", "needs no early wake-up: the test of the mutex is stale"],
  ["lei-2015-return", "set-status-vs-open", "holds", "needs sleeps that end before udev is done"],
  ["lei-2015-return", "set-status-vs-open-vs-remove", "violated", "needs none: nobody in the ring can go on"],
])("no-ebusy of %s, %s with msleep=quiescent: %s, for it %s", async (variant, scenario, verdict) => {
  const exploration = await checked(recorded(variant, scenario, { switches: { msleep: "quiescent" } }));
  expect(exploration.outcomes.find((o) => o.property === "no-ebusy")?.verdict).toBe(verdict);
});

test("what no scenario reaches: ways out of errors that nobody meets, and what an older version has for a newer one", async () => {
  const missed = new Set<string>();
  const reached = new Set<string>();
  for (const variant of VARIANTS) {
    const parts = [];
    for (const scenario of Object.keys(SCENARIOS)) {
      for (const switches of protocol.settings(variant, scenario)) {
        parts.push(await coverageOf(recorded(variant, scenario, { switches }), OPTIONS));
      }
    }
    expect(parts.every((part) => part.complete)).toBe(true);
    const key = ({ site }: Statement) => `${site.file}:${site.line}:${site.column}`;
    const own = new Set<string>();
    for (const { statements, unreached } of parts) {
      const not = new Set(unreached.map(key));
      for (const statement of statements) if (!not.has(key(statement))) own.add(key(statement));
    }
    for (const statement of parts.flatMap((part) => part.statements)) {
      if (own.has(key(statement))) reached.add(key(statement));
      else missed.add(`${statement.fn}: ${statement.text}`);
    }
  }
  expect(reached.size).toBeGreaterThan(600);
  const wayOut = /: (return|goto .*|\w+ = …|mutex_unlock\(.*\))$/;
  expect([...missed].filter((statement) => !wayOut.test(statement)).sort()).toEqual([
    // before 5.19 nothing sets bd_invalidated
    "__blkdev_get: bdev_disk_changed()",
    "__blkdev_get: rescan_partitions()",
    // in v4.0 the driver takes every request
    "blk_mq_make_request: blk_mq_end_request()",
    // in v5.0 no partition goes away while it is opened
    "blkdev_get (partition): __blkdev_put()",
    // LOOP_SET_FD does not ask for a partition scan
    "loop_set_fd: disk->GENHD_FL_NO_PART_SCAN = 0",
    "loop_set_fd: loop_reread_partitions()",
  ]);
}, 300_000);
