/** How temporal properties are searched: many threads, which reductions, what happens where there is no room. */
import { exploreWithBest } from "../../../src/checker/engine-choice.ts";
import { check } from "../../../src/checker/explicit/check.ts";
import { replay } from "../../../src/checker/reference/index.ts";
import {
  at,
  atomically,
  bool,
  Choose,
  deadlock,
  ended,
  eventually,
  type FairnessOptions,
  Forever,
  global,
  If,
  int,
  invariant,
  Label,
  local,
  mutex,
  mutex_lock,
  mutex_unlock,
  type Property,
  pause,
  plain,
  protocol,
  read,
  starvation,
  type ThreadSpec,
  temporal,
  thread,
  wait_until,
  write,
} from "../../../src/index.ts";
import { lower } from "../../../src/spec/lowering/lower.ts";

const OPTIONS = { timeout: 60, memory: 2 ** 30, workers: 1, reduction: true };
const own = { title: "t", message: "m" };

function record(threads: () => readonly ThreadSpec[], properties: readonly Property[]) {
  const p = protocol("p", {
    title: "p",
    source: "here",
    variants: [{ id: "v", title: "v" }],
    scenarios: [{ id: "s", title: "s", properties, threads }],
  });
  return p.record({ variant: "v", scenario: "s" })!;
}

const m = global("m", mutex());
const user = (count: number, idle = 0) =>
  thread(
    "user",
    () => {
      Forever(() => {
        for (let i = 0; i < idle; i++) pause("does something else");
        Label("wait");
        mutex_lock(m);
        Label("critical");
        pause("critical section");
        mutex_unlock(m);
      });
    },
    { count },
  );
const served = (id: string, who: string, fairness: FairnessOptions = {}) =>
  starvation(
    id,
    own,
    () => at(who, "wait"),
    () => at(who, "critical"),
    fairness,
  );

test("more threads than a word has bits", async () => {
  const turn = global("turn", plain(int(0, 40)));
  const inTurn = (last: number) => () =>
    Array.from({ length: 40 }, (_, i) =>
      thread(`T${i}`, () => {
        wait_until("its turn", () => turn.now.eq(i));
        if (i !== last) write(turn, i + 1);
      }),
    );
  const ends = [
    temporal("last", own, () => eventually(ended("T39"))),
    temporal("first", own, () => eventually(ended("T0")), { threads: "strong" }),
    temporal("none", own, () => eventually(ended("T39")), { threads: "none" }),
  ];
  const found = async (last: number) => {
    const program = record(inTurn(last), ends);
    const { outcomes } = await check(lower(program), { ...OPTIONS, properties: ends.map((p) => p.id) });
    for (const o of outcomes) {
      if (o.verdict === "violated") expect(replay(program, o.schedule, o.property)).toMatchObject({ violates: true });
    }
    return Object.fromEntries(outcomes.map((o) => [o.property, o.verdict]));
  };
  expect(await found(39)).toEqual({ last: "holds", first: "holds", none: "holds" });
  expect(await found(35)).toEqual({ last: "violated", first: "holds", none: "violated" });
});

describe("reductions", () => {
  const x = global("x", plain(int(0, 1)));
  const asked = [
    deadlock,
    served("each", "user", { strongWaits: ["mutex"] }),
    served("one", "user#1", { strongWaits: ["mutex"] }),
    served("loose", "user", { threads: "none" }),
    invariant("bit", own, () => x.now.le(1)),
  ];
  const program = record(() => [user(4), thread("reads", () => void read(x))], asked);
  const properties = asked.map((p) => p.id);

  test("each property has those that it survives, and the verdict names them", async () => {
    const e = await check(lower(program), { ...OPTIONS, properties });
    expect(e.reductions).toEqual(["symmetry", "transactions"]);
    const found = e.outcomes.map((o) => ({ id: o.property, verdict: o.verdict, own: o.reductions }));
    expect(found).toEqual([
      { id: "deadlock", verdict: "holds", own: undefined },
      { id: "each", verdict: "holds", own: undefined },
      { id: "one", verdict: "holds", own: undefined },
      // Where nobody is fair, a thread may stop inside a transaction.
      { id: "loose", verdict: "violated", own: ["symmetry"] },
      { id: "bit", verdict: "holds", own: undefined },
    ]);
  });

  test("for more threads than a word has bits", async () => {
    const many = record(() => [user(34, 1)], [served("each", "user", { strongWaits: ["mutex"] })]);
    const e = await check(lower(many), { ...OPTIONS, properties: ["each"] });
    expect(e).toMatchObject({ reductions: ["symmetry", "transactions"], outcomes: [{ verdict: "holds" }] });
    expect(e.states).toBeLessThan(1000);
  });

  test("without them everything is one search of the exact graph", async () => {
    const e = await check(lower(program), { ...OPTIONS, properties, reduction: false });
    const alone = await check(lower(program), { ...OPTIONS, properties: ["deadlock"], reduction: false });
    expect({ states: e.states, transitions: e.transitions }).toEqual({
      states: alone.states,
      transitions: alone.transitions,
    });
    expect(e.reductions).toEqual([]);
    expect(e.outcomes.every((o) => o.reductions === undefined)).toBe(true);
    expect(e.outcomes.map((o) => o.verdict)).toEqual(["holds", "holds", "holds", "violated", "holds"]);
  });

  test("who is where is followed through renamings", async () => {
    // In the order of their places, one that goes round passes one that stays: by places alone, everybody moves.
    const raised = global("raised", plain(int(0, 1)));
    // Seen by all, so that no step of a round is part of the one before it.
    const bit = global("bit", plain(int(0, 1)));
    const either = (first: boolean) =>
      thread(
        "either",
        () => {
          const lowers = { name: "lowers", body: () => write(raised, 0) };
          const rests = {
            name: "rests",
            body: () => {
              write(bit, 1);
              write(bit, 0);
              write(bit, 1);
            },
          };
          Forever(() => {
            const up = local("up", bool, false);
            atomically("choose", () =>
              Choose(
                {
                  name: "raises",
                  body: () => {
                    up.set(true);
                    write(raised, 1);
                  },
                },
                { name: "rests", body: () => up.set(false) },
              ),
            );
            if (first) If(up.value, lowers.body, rests.body);
            else If(up.value.not(), rests.body, lowers.body);
          });
        },
        { count: 3 },
      );
    const lowered = (id: string, fairness: FairnessOptions) =>
      starvation(
        id,
        own,
        () => raised.now.eq(1),
        () => raised.now.eq(0),
        fairness,
      );
    const asked = [lowered("weak", {}), lowered("none", { threads: "none" })];
    for (const first of [true, false]) {
      const system = lower(record(() => [either(first)], asked));
      const e = await check(system, { ...OPTIONS, properties: ["weak", "none"] });
      expect(e.reductions).toContain("symmetry");
      expect(e.outcomes.map((o) => o.verdict)).toEqual(["holds", "violated"]);
    }
  });

  test("a run that breaks it but does not fit is not shown, and another engine is asked", async () => {
    const large = record(() => [user(13, 3)], [served("weak", "user#1")]);
    const options = { ...OPTIONS, properties: ["weak"], memory: 2 ** 20 };
    const { outcomes } = await check(lower(large), options);
    expect(outcomes).toEqual([
      {
        property: "weak",
        verdict: "inconclusive",
        reason: expect.stringMatching(
          /^some fair run breaks it, but there was no room to find one without reductions: memory ran out/,
        ),
      },
    ]);
    const explorations = await exploreWithBest(large, { ...options, memory: 2 ** 28 }, 2 ** 20);
    const decided = explorations.flatMap((e) => e.outcomes.map((o) => ({ engine: e.engine, outcome: o })));
    expect(decided).toMatchObject([{ engine: "symbolic", outcome: { verdict: "violated" } }]);
    const { outcome } = decided[0]!;
    if (outcome.verdict === "violated") {
      expect(replay(large, outcome.schedule, "weak")).toMatchObject({ violates: true });
    }
  }, 60_000);
});
