import { badStates, type CountingAnswer, decide, proveCounts } from "../../../src/checker/smt/counting-proof.ts";
import { encode } from "../../../src/checker/smt/encode.ts";
import { nativeSolver } from "../../../src/checker/smt/solver.ts";
import { threadModular } from "../../../src/checker/smt/thread-modular.ts";
import type { SysExpr, SysLocation, SysOp, TransitionSystem } from "../../../src/spec/transition-system.ts";
import { bruteForce } from "./brute-force.ts";
import {
  act,
  bin,
  end,
  error,
  goto,
  load,
  loc,
  local,
  num,
  program,
  property,
  random,
  self,
  set,
  site,
  systemOf,
  thread,
  variable,
} from "./systems.ts";

const fast =
  nativeSolver("z3") === undefined ? ({ solver: "wasm" } as const) : ({ solver: "native", command: "z3" } as const);

/** What is decided of the threads of class `udev`, by property; the system has three of them. */
async function counted(system: TransitionSystem, depth = 20): Promise<Map<string, CountingAnswer>> {
  const whole = encode(system);
  const facts = threadModular(whole);
  if (facts === undefined) throw new Error("too large");
  const members = system.threads.flatMap((t, i) => (system.programs[t.program]?.cls === "udev" ? [i] : []));
  const deadline = Date.now() + 60_000;
  const proof = await proveCounts(encode(system, facts), facts, members, new Map(), fast, deadline);
  const answers = new Map<string, CountingAnswer>();
  for (const p of system.properties) answers.set(p.id, await decide(proof, badStates(p), fast, deadline, depth));
  return answers;
}

const short = (a: CountingAnswer | undefined): string =>
  a?.is === "reachable" ? `violated by ${a.members} in ${a.steps}` : String(a?.is);

const udevs = (count: number, more: Partial<TransitionSystem>): Partial<TransitionSystem> => ({
  threads: Array.from({ length: count }, (_, i) => thread(`udev#${i + 1}`, 0)),
  ...more,
});

const UNBOUNDED = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY] as const;
const owner = { ...variable("owner", 0, 9), values: { of: "thread" } as const };
const inside = variable("inside", ...UNBOUNDED);
const bothInside: SysExpr = {
  e: "not",
  a: bin("&&", { e: "pc", t: 0, locations: [2] }, { e: "pc", t: 1, locations: [2] }),
};
const notMine = { kind: "unlock-not-owner", message: "not mine", error: true, site, fn: "f" } as const;

/** Threads that enter a section under a lock; `broken` ones test the lock in one step and take it in the next. */
function section(broken: boolean): TransitionSystem {
  const free = bin("==", load(broken ? 1 : 0), num(0));
  const wait = { on: "owner", holder: load(0) };
  const enter: SysLocation[] = broken
    ? [loc([act(free, goto(1))], wait), loc([act(undefined, goto(2, set(1, num(1))))])]
    : [loc([act(free, goto(1, set(0, self)))], wait), loc([act(undefined, goto(2))])];
  const mine = bin("==", load(0), self);
  const leave = broken
    ? loc([act(undefined, goto(0, set(1, num(0))))])
    : loc([act(mine, goto(0, set(0, num(0)))), act({ e: "not", a: mine }, error(0))]);
  return systemOf(
    udevs(3, {
      vars: [owner, variable("taken", 0, 1)],
      programs: [program("udev", [...enter, leave])],
      findings: [notMine],
      properties: [
        property("exclusion", { c: "invariant", expr: bothInside }),
        property("lock-discipline", { c: "findings", findings: [0] }),
        property("deadlock", { c: "deadlock" }),
      ],
    }),
  );
}

test("a lock excludes any number of threads, and never blocks them all", async () => {
  const answers = await counted(section(false));
  expect([...answers.values()].map(short)).toEqual(["unreachable", "unreachable", "unreachable"]);
}, 120_000);

test("a lock tested in one step and taken in the next does not exclude", async () => {
  expect(short((await counted(section(true))).get("exclusion"))).toBe("violated by 2 in 4");
}, 120_000);

/** A semaphore that lets `limit` in. */
function semaphore(limit: number, most: number): TransitionSystem {
  return systemOf(
    udevs(3, {
      vars: [inside],
      programs: [
        program("udev", [
          loc([act(bin("<", load(0), num(limit)), goto(1, set(0, bin("+", load(0), num(1)))))], { on: "semaphore" }),
          loc([act(undefined, goto(0, set(0, bin("-", load(0), num(1)))))]),
        ]),
      ],
      properties: [property("few", { c: "invariant", expr: bin("<=", load(0), num(most)) })],
    }),
  );
}

test("a violation that takes more threads than there are is found, with their number", async () => {
  expect(short((await counted(semaphore(5, 5))).get("few"))).toBe("unreachable");
  expect(short((await counted(semaphore(5, 4))).get("few"))).toBe("violated by 5 in 5");
}, 120_000);

/** Each takes a reference, uses the object, drops it; who drops the last one frees it. `early`: one is dropped twice. */
function references(early: boolean): TransitionSystem {
  const freed = { kind: "use-after-free", message: "freed", error: true, site, fn: "f" } as const;
  const alive = bin("==", load(1), num(1));
  const count = (by: number, ...more: SysOp[]): SysOp[] => [set(0, bin("+", load(0), num(by))), ...more];
  const use = (next: number, ...ops: SysOp[]): SysLocation =>
    loc([act(alive, goto(next, ...ops)), act({ e: "not", a: alive }, error(0))]);
  const last = bin("==", load(0), num(1));
  return systemOf(
    udevs(3, {
      vars: [variable("refs", ...UNBOUNDED, 1), variable("alive", 0, 1, 1)],
      programs: [
        program("udev", [
          use(1, ...count(1)),
          use(2),
          loc([
            act(last, goto(3, ...count(-1, set(1, num(0))))),
            act({ e: "not", a: last }, goto(early ? 4 : 3, ...count(-1))),
          ]),
          end,
          loc([act(last, goto(3, ...count(-1, set(1, num(0))))), act({ e: "not", a: last }, goto(3, ...count(-1)))]),
        ]),
      ],
      findings: [freed],
      properties: [property("memory-safety", { c: "findings", findings: [0] })],
    }),
  );
}

test("a reference count is the number of its holders: nobody uses what has been freed", async () => {
  const safe = (await counted(references(false))).get("memory-safety");
  if (safe?.is !== "unreachable") throw new Error("not proved");
  const [sum] = safe.linear.filter((l) => l.integers.size > 0);
  expect([...(sum?.integers.keys() ?? [])].map((s) => s.name)).toEqual(["refs"]);
  expect(sum?.counts.size).toBe(2);
  expect((await counted(references(true))).get("memory-safety")?.is).toBe("reachable");
}, 120_000);

test("what is not asleep wakes the waiter: a disjunction that no sum says", async () => {
  // Members count themselves in and out; the last one wakes the waiter, who went to sleep because there was one.
  const none = bin("==", load(0), num(0));
  const leave = (ops: SysOp[]): SysOp[] => [set(0, bin("-", load(0), num(1))), ...ops];
  const system = (wakes: boolean): TransitionSystem =>
    systemOf({
      vars: [inside, variable("asleep", 0, 1)],
      programs: [
        program("udev", [
          loc([act(undefined, goto(1, set(0, bin("+", load(0), num(1)))))]),
          loc([
            act(bin("==", load(0), num(1)), goto(wakes ? 2 : 3, ...leave([]))),
            act(bin("!=", load(0), num(1)), goto(3, ...leave([]))),
          ]),
          loc([act(undefined, goto(3, set(1, num(0))))]),
          end,
        ]),
        program("waiter", [
          loc([act(undefined, goto(1, set(1, num(1))))]),
          loc([act(none, goto(3)), act({ e: "not", a: none }, goto(2))]),
          loc([act(bin("==", load(1), num(0)), goto(0))], { on: "sleep" }),
          end,
        ]),
      ],
      threads: [...Array.from({ length: 3 }, (_, i) => thread(`udev#${i + 1}`, 0)), thread("waiter", 1)],
      properties: [property("deadlock", { c: "deadlock" })],
    });
  const answer = (await counted(system(true))).get("deadlock");
  expect(answer?.is).toBe("unreachable");
  expect(answer?.is === "unreachable" && answer.clauses.length).toBeGreaterThan(0);
  expect(short((await counted(system(false))).get("deadlock"))).toBe("violated by 1 in 4");
}, 120_000);

test("all of them waiting for one that never comes is a deadlock for every number", async () => {
  const free = bin("==", load(0), num(0));
  const system = systemOf(
    udevs(3, {
      vars: [owner],
      programs: [
        program("udev", [
          loc([act(free, goto(1, set(0, self)))], { on: "owner", holder: load(0) }),
          // Takes again what it has.
          loc([act(free, goto(0, set(0, self)))], { on: "owner", holder: load(0) }),
        ]),
      ],
      properties: [property("deadlock", { c: "deadlock" })],
    }),
  );
  expect(short((await counted(system)).get("deadlock"))).toBe("violated by 1 in 1");
}, 120_000);

test("a local without bounds is known by the ranges between the numbers it is compared with", async () => {
  // Each reads how many have been here, and stops where it was not one of the first two.
  const locals = [
    { name: "n", fn: "f", lo: UNBOUNDED[0], hi: UNBOUNDED[1], values: { of: "int" }, stored: true },
  ] as const;
  const system = systemOf({
    vars: [inside, variable("late", 0, 1)],
    programs: [
      program(
        "udev",
        [
          loc([act(undefined, goto(1, { o: "local", l: 0, value: load(0) }, set(0, bin("+", load(0), num(1)))))]),
          loc([act(bin("<", local(0), num(2)), goto(2)), act(bin(">=", local(0), num(2)), goto(2, set(1, num(1))))]),
          end,
        ],
        locals,
      ),
    ],
    threads: Array.from({ length: 3 }, (_, i) => thread(`udev#${i + 1}`, 0, {}, [0])),
    properties: [property("early", { c: "invariant", expr: bin("==", load(1), num(0)) })],
  });
  expect(short((await counted(system)).get("early"))).toBe("violated by 3 in 4");
}, 120_000);

test.each<[string, SysLocation[]]>([
  [
    "names of threads are compared with each other",
    [
      loc([act(bin("==", load(0), num(0)), goto(1, set(0, self))), act(bin("==", load(0), load(2)), goto(0))]),
      loc([act(bin("==", load(2), num(0)), goto(2, set(2, self)))]),
      loc([act(undefined, goto(0, set(0, num(0)), set(2, num(0))))]),
    ],
  ],
  [
    "inside gets a name of a thread",
    [loc([act(undefined, goto(1, set(1, load(0))))]), loc([act(undefined, goto(0, set(0, self)))])],
  ],
  ["names are ordered", [loc([act(bin("<", load(0), num(2)), goto(0, set(0, self)))])]],
])("what cannot be counted is refused: %s", async (why, locations) => {
  const system = systemOf(
    udevs(3, {
      vars: [owner, inside, { ...owner, name: "other" }],
      programs: [program("udev", locations)],
      properties: [property("p", { c: "invariant", expr: num(1) })],
    }),
  );
  await expect(counted(system)).rejects.toThrow(why);
});

/** Threads of one class that take and drop a lock, count, and set a flag, and one that looks at both. */
function randomClass(seed: number): (members: number) => TransitionSystem {
  const rnd = random(seed * 104_729 + 11);
  const [lock, count, flag] = [load(0), load(1), load(2)];
  const size = 4 + rnd(2);
  const guard = (): SysExpr | undefined =>
    [
      undefined,
      bin("==", lock, num(0)),
      bin("==", lock, self),
      bin("==", count, num(rnd(2))),
      bin("<", count, num(2)),
      bin("==", flag, num(rnd(2))),
    ][rnd(6)];
  const ops = (): SysOp[] =>
    [
      [],
      [set(1, bin("+", count, num(1)))],
      [set(1, bin("-", count, num(1)))],
      [set(2, num(rnd(2)))],
      [{ o: "local", l: 0, value: num(rnd(2)) } as const],
    ][rnd(5)] ?? [];
  const body = (): SysLocation[] =>
    Array.from({ length: size }, (_, l): SysLocation => {
      const next = (): number => Math.min(size, l + 1 + rnd(2));
      const kind = rnd(5);
      if (kind === 0) return loc([act(bin("==", lock, num(0)), goto(next(), set(0, self)))], { on: "lock" });
      if (kind === 1)
        return loc([
          act(bin("==", lock, self), goto(next(), set(0, num(0)))),
          act(bin("!=", lock, self), goto(next())),
        ]);
      if (kind === 2)
        return loc([
          act(bin("==", local(0), num(1)), goto(next(), ...ops())),
          act(bin("==", local(0), num(0)), goto(next())),
        ]);
      const back = rnd(6) === 0 ? rnd(l + 1) : next();
      return loc(
        [act(guard(), goto(back, ...ops())), ...(rnd(2) === 0 ? [act(guard(), goto(next(), ...ops()))] : [])],
        { on: "x" },
      );
    });
  const programs = ["udev", "other"].map((cls) =>
    program(cls, [...body(), end], [{ name: "l", fn: "f", lo: 0, hi: 1, values: { of: "int" }, stored: true }]),
  );
  const properties = [
    property("count", { c: "invariant", expr: bin("<=", count, num(1 + rnd(3))) }),
    property("positive", { c: "invariant", expr: bin(">=", count, num(0)) }),
    property("flag", { c: "invariant", expr: bin("||", bin("==", flag, num(0)), bin("<", count, num(2))) }),
    property("rest", { c: "at-rest", expr: bin("==", count, num(0)) }),
  ];
  return (members) =>
    systemOf({
      vars: [owner, variable("count", ...UNBOUNDED), variable("flag", 0, 1)],
      programs,
      threads: [
        ...Array.from({ length: members }, (_, i) => thread(`udev#${i + 1}`, 0, {}, [0])),
        thread("other", 1, {}, [0]),
      ],
      properties,
    });
}

test("on random classes counting agrees with all graphs of one to four members", async () => {
  let [proved, found, refused] = [0, 0, 0];
  for (let seed = 0; seed < 10; seed++) {
    const sized = randomClass(seed);
    let answers: Map<string, CountingAnswer>;
    try {
      answers = await counted(sized(3), 12);
    } catch (e) {
      if (!(e instanceof Error) || !/cannot be counted/.test(e.message)) throw e;
      refused++;
      continue;
    }
    for (const members of [1, 2, 3, 4]) {
      const exact = bruteForce(sized(members), 60_000);
      if (exact === undefined) continue;
      for (const [id, answer] of answers) {
        const truth = exact.answers.get(id) ?? "";
        const where = `seed ${seed}, ${members} members, ${id}: ${short(answer)}`;
        if (answer.is === "unreachable") {
          proved++;
          expect([where, /violated/.test(truth)]).toEqual([where, false]);
        } else if (answer.is === "reachable") {
          const depth = Number(/violated \w*\s*(\d+)/.exec(truth)?.[1] ?? Number.POSITIVE_INFINITY);
          if (members === answer.members) {
            found++;
            expect([where, truth, depth]).toEqual([where, truth, answer.steps]);
          } else if (members < answer.members) expect([where, depth > answer.steps]).toEqual([where, true]);
        }
      }
    }
  }
  expect(proved).toBeGreaterThan(20);
  expect(found).toBeGreaterThan(2);
  expect(refused).toBeLessThan(5);
}, 240_000);
