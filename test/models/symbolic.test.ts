/**
 * The symbolic engine on the protocols in models/: counts, cuts, verdicts, kinds of finding and depths are the explicit
 * engine's, at default sizes, on cells small enough for both; every schedule replays. And the states of the explicit
 * engine's symmetric search, each counted as often as its orbit has members, add up to the symbolic count.
 *
 * LOCKSTEP_SWEEP=1 compares all cells (some hundred; an hour).
 */

import { firings } from "../../src/checker/evaluate.ts";
import { check as explicit } from "../../src/checker/explicit/check.ts";
import { explore as search } from "../../src/checker/explicit/explore.ts";
import { replay } from "../../src/checker/reference/index.ts";
import { initialState, type StateValues } from "../../src/checker/state-values.ts";
import { check as symbolic } from "../../src/checker/symbolic/check.ts";
import { orbits, permuteState } from "../../src/checker/symmetry.ts";
import type { Exploration } from "../../src/checker/verdict.ts";
import type { Protocol } from "../../src/index.ts";
import { lower } from "../../src/spec/lowering/lower.ts";
import type { Program } from "../../src/spec/program.ts";
import type { TransitionSystem } from "../../src/spec/transition-system.ts";

const load = async (name: string): Promise<Protocol> => (await import(`../../models/${name}/protocol.ts`)).default;
const OPTIONS = {
  reduction: false,
  timeout: process.env.LOCKSTEP_SWEEP === undefined ? 60 : 900,
  memory: 2 ** 29,
  workers: 1,
};

const PROTOCOLS = ["wait-scan", "loop-partscan", "dm-lockfs", "dm-noflush", "md-lifetime"];

/** Per protocol, the scenarios looked at and their variants; none named: all. */
const SAMPLE: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  "wait-scan": {
    "probe-vs-wait": [],
    "rescan-for-ever-vs-wait": [],
    "reread-twice-vs-wait": ["jones-2007", "baton"],
    "lost-read": ["jones-2007-ref", "scan-counter"],
    "two-probes-vs-wait": ["before", "scan-counter"],
  },
  "loop-partscan": {
    "set-status-vs-open": [],
    "autoclear-vs-remove": ["v4.0", "v5.13"],
    "open-vs-remove": ["v4.0", "v5.19"],
    "set-status-vs-open-vs-remove": ["lei-2015"],
  },
  "dm-lockfs": {
    "two-suspends": ["before"],
    "suspend-vs-swap-table": ["before"],
    "suspend-vs-umount-alone": ["mason-2004-v2"],
    "resume-vs-suspend": ["mason-2004-v2"],
  },
  "dm-noflush": {
    "close-after-io": ["before"],
    "fsync-vs-swap": ["before", "endio-lock"],
    "bdget-fails": ["no-error-flush"],
    interrupted: ["nomura-2007"],
  },
  "md-lifetime": { "two-openers": ["v2.6.28"], "sysfs-bind": ["v2.6.28"] },
};

async function compared(): Promise<[string, Readonly<Record<string, readonly string[]>>][]> {
  if (process.env.LOCKSTEP_SWEEP === undefined) return Object.entries(SAMPLE);
  const all: [string, Readonly<Record<string, readonly string[]>>][] = [];
  // One after the other: jest cannot link modules that two imports have in common at once.
  for (const name of PROTOCOLS) {
    all.push([name, Object.fromEntries((await load(name)).scenarios.map((s) => [s.id, []]))]);
  }
  return all;
}

/** Inconclusive verdicts give their reasons in each engine's own words; a lasso need not be a shortest one. */
function summary(system: TransitionSystem, { states, transitions, cut, outcomes }: Exploration) {
  const verdicts = outcomes.map((o) => {
    const lasso = system.properties.some((p) => p.id === o.property && p.check.c === "temporal");
    if (o.verdict !== "violated") return `${o.property}: ${o.verdict}`;
    return `${o.property}: violated ${o.finding.kind}${lasso ? "" : ` in ${o.schedule.steps.length}`}`;
  });
  return { states, transitions, cut, verdicts };
}

describe.each(await compared())("%s", (name, scenarios) => {
  test.each(Object.entries(scenarios))(
    "%s",
    async (scenario, named) => {
      const protocol = await load(name);
      let cells = 0;
      for (const { id: variant } of protocol.variants) {
        if ((named.length > 0 && !named.includes(variant)) || !protocol.applies(variant, scenario)) continue;
        for (const switches of protocol.settings(variant, scenario)) {
          const program = protocol.record({ variant, scenario, switches })!;
          const system = lower(program);
          const options = { ...OPTIONS, properties: program.properties.filter((p) => !p.implied).map((p) => p.id) };
          const found = symbolic(system, options);
          const expected = summary(system, await explicit(system, options));
          expect({ variant, ...summary(system, found) }).toEqual({ variant, ...expected });
          expectReplays(program, found);
          cells++;
        }
      }
      expect(cells).toBeGreaterThanOrEqual(Math.max(1, named.length));
    },
    process.env.LOCKSTEP_SWEEP === undefined ? 120_000 : 3_600_000,
  );
});

function expectReplays(program: Program, found: Exploration): void {
  for (const o of found.outcomes) {
    if (o.verdict !== "violated") continue;
    const again = replay(program, o.schedule, o.property);
    const kind = again.fits && again.violates ? again.finding?.kind : again.message;
    expect({ property: o.property, kind }).toEqual({ property: o.property, kind: o.finding.kind });
  }
}

describe("8 openers, which nobody enumerates", () => {
  test.each([
    ["wilson-2015", 296_869_880, ["ebusy-recoverable: holds", "retry-ends: holds"]],
    ["lei-2015-return", 323_817_885, ["ebusy-recoverable: holds", "retry-ends: holds"]],
  ])(
    "loop-partscan %s set-status-vs-open, with endless retries",
    async (variant, states, verdicts) => {
      const protocol = await load("loop-partscan");
      const [scenario, sizes] = ["set-status-vs-open", { openers: 8 }];
      const switches = protocol.settings(variant, scenario).find((s) => s.retry === "endless")!;
      const program = protocol.record({ variant, scenario, sizes, switches })!;
      const properties = program.properties.filter((p) => !p.implied).map((p) => p.id);
      const found = symbolic(lower(program), { ...OPTIONS, properties });
      expect(found.states).toBe(states);
      expect(found.outcomes.map((o) => `${o.property}: ${o.verdict}`)).toEqual(verdicts);
    },
    60_000,
  );
});

describe("orbits add up", () => {
  test.each([
    ["loop-partscan", "v4.0", "set-status-vs-open", { openers: 2 }],
    ["loop-partscan", "lei-2015", "set-status-vs-open", { openers: 3 }],
  ])(
    "%s %s %s %j",
    async (name, variant, scenario, sizes) => {
      const protocol = await load(name);
      const program = protocol.record({ variant, scenario, sizes })!;
      const system = lower(program);
      // No property is asked for, so that the search with symmetry does not end at a violation.
      const properties: readonly string[] = [];
      const exchangeable = orbits(system, []);
      expect(exchangeable).toHaveLength(1);
      const orbitSizes = orbitsOf(system, exchangeable[0]!);
      const error = (e: Exploration) => (Object.keys(e.cut).length > 0 ? 1 : 0);
      const whole = symbolic(system, { ...OPTIONS, properties });
      expect(orbitSizes.reduce((a, b) => a + b, 0)).toBe(whole.states! - error(whole));
      expect(Math.max(...orbitSizes)).toBeGreaterThan(1);
      const reduced = await search(system, { ...OPTIONS, properties, reduction: true }, { transactions: false });
      expect(reduced).toMatchObject({ complete: true, reductions: ["symmetry"] });
      expect(reduced.states).toBe(orbitSizes.length + error(reduced));
    },
    60_000,
  );
});

/** Sizes of the orbits that are reachable, found by a search over their least members. */
function orbitsOf(system: TransitionSystem, exchangeable: readonly number[]): number[] {
  const maps = permutations(exchangeable).map((order) => {
    const map = system.threads.map((_, t) => t);
    exchangeable.forEach((t, i) => {
      map[t] = order[i]!;
    });
    return map;
  });
  const sizes = new Map<string, number>();
  const queue: StateValues[] = [];
  const reach = (state: StateValues): void => {
    const members = new Map(maps.map((map) => permuteState(system, state, map)).map((s) => [JSON.stringify(s), s]));
    const least = [...members.keys()].sort()[0]!;
    if (sizes.has(least)) return;
    sizes.set(least, members.size);
    queue.push(members.get(least)!);
  };
  reach(initialState(system));
  for (const state of queue) for (const { target } of firings(system, state)) if (target !== undefined) reach(target);
  return [...sizes.values()];
}

function permutations(items: readonly number[]): number[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((item) => permutations(items.filter((other) => other !== item)).map((rest) => [item, ...rest]));
}
