/** Temporal properties by decision diagrams: known answers, and the explicit engine's on random programs. */
import { check as explicit } from "../../../src/checker/explicit/check.ts";
import { replay } from "../../../src/checker/reference/index.ts";
import { check } from "../../../src/checker/symbolic/check.ts";
import {
  always,
  at,
  bit,
  bool,
  clear_bit,
  ended,
  eventually,
  type FairnessOptions,
  Forever,
  global,
  infinitelyOften,
  int,
  Label,
  livelock,
  local,
  mutex,
  mutex_lock,
  mutex_trylock,
  mutex_unlock,
  type Property,
  pause,
  plain,
  protocol,
  read,
  spin_lock,
  spin_unlock,
  spinlock,
  starvation,
  type ThreadSpec,
  temporal,
  test_and_set_bit,
  thread,
  While,
  write,
} from "../../../src/index.ts";
import { lower } from "../../../src/spec/lowering/lower.ts";
import type { Program } from "../../../src/spec/program.ts";
import { randomProgram } from "../../random-program.ts";
import { withTemporal } from "../../random-temporal.ts";

const OPTIONS = { reduction: false, timeout: 60, memory: 2 ** 29, workers: 1 };
const own = { title: "t", message: "m" };

/** Verdicts of all properties of a program; every counterexample replays. */
function verdicts(program: Program): Record<string, string> {
  const found = check(lower(program), {
    ...OPTIONS,
    properties: program.properties.filter((p) => !p.implied).map((p) => p.id),
  });
  for (const o of found.outcomes) {
    if (o.verdict !== "violated") continue;
    const again = replay(program, o.schedule, o.property);
    const message = again.fits && again.violates ? "replays" : again.message;
    expect({ variant: program.variant, property: o.property, message }).toMatchObject({ message: "replays" });
  }
  return Object.fromEntries(found.outcomes.map((o) => [o.property, o.verdict]));
}

function textbook(threads: () => readonly ThreadSpec[], properties: readonly Property[]): Record<string, string> {
  const p = protocol("p", {
    title: "p",
    source: "textbook",
    variants: [{ id: "v", title: "v" }],
    scenarios: [{ id: "s", title: "s", properties, threads }],
  });
  return verdicts(p.record({ variant: "v", scenario: "s" })!);
}

const served = (id: string, who: string, fairness?: FairnessOptions) =>
  starvation(
    id,
    own,
    () => at(who, "wait"),
    () => at(who, "critical"),
    fairness,
  );

describe("textbook algorithms", () => {
  test("Peterson is starvation-free under weak fairness, not without", () => {
    const flag = [global("flag0", plain(bool)), global("flag1", plain(bool))] as const;
    const turn = global("turn", plain(int(0, 1)));
    const peterson = (me: 0 | 1) =>
      thread(`P${me}`, () => {
        Forever(() => {
          write(flag[me], true);
          write(turn, 1 - me);
          Label("wait");
          While(
            () => read(flag[1 - me]!).and(read(turn).eq(1 - me)),
            () => {},
          );
          Label("critical");
          pause("critical section");
          write(flag[me], false);
        });
      });
    const properties = [served("weak", "P0"), served("none", "P0", { threads: "none" })];
    expect(textbook(() => [peterson(0), peterson(1)], properties)).toEqual({ weak: "holds", none: "violated" });
  });

  test("a spinlock serves its waiters only if it, or the waiter, is strongly fair", () => {
    const lock = global("lock", spinlock());
    const spinner = (name: string) =>
      thread(name, () => {
        Forever(() => {
          Label("wait");
          spin_lock(lock);
          Label("critical");
          pause("critical section");
          spin_unlock(lock);
        });
      });
    const properties = [
      served("weak", "P0"),
      served("strong", "P0", { threads: "strong" }),
      served("waiter", "P0", { strongThreads: ["P0"] }),
      served("other", "P0", { strongThreads: ["P1"] }),
      served("lock", "P0", { strongWaits: ["spinlock"] }),
    ];
    expect(textbook(() => [spinner("P0"), spinner("P1")], properties)).toEqual({
      weak: "violated",
      strong: "holds",
      waiter: "holds",
      other: "violated",
      lock: "holds",
    });
  });

  test("test-and-set: no fairness of threads helps the loser", () => {
    const held = global("held", bit());
    const user = (name: string) =>
      thread(name, () => {
        Forever(() => {
          Label("wait");
          While(
            () => test_and_set_bit(held),
            () => {},
          );
          Label("critical");
          pause("critical section");
          clear_bit(held);
        });
      });
    const properties = [served("weak", "P0"), served("strong", "P0", { threads: "strong" })];
    expect(textbook(() => [user("P0"), user("P1")], properties)).toEqual({ weak: "violated", strong: "violated" });
  });

  test("a trylock that is retried for ever is a livelock of the one who retries, who must move in it", () => {
    const m = global("m", mutex());
    const tries = () =>
      thread("tries", () => {
        const got = local("got", bool, false);
        While(
          () => got.value.not(),
          () => got.set(mutex_trylock(m)),
        );
        mutex_unlock(m);
      });
    const holds = () =>
      thread("holds", () => {
        Forever(() => {
          mutex_lock(m);
          mutex_unlock(m);
        });
      });
    const waits = () =>
      thread("waits", () => {
        mutex_lock(m);
        mutex_unlock(m);
      });
    const spins = livelock("spins", own, ["tries"], () => ended("tries"));
    expect(textbook(() => [tries(), holds()], [spins])).toEqual({ spins: "violated" });
    const blocked = [
      livelock("livelock", own, ["waits"], () => ended("waits")),
      temporal("ends", own, () => eventually(ended("waits"))),
    ];
    expect(textbook(() => [waits(), holds()], blocked)).toEqual({ livelock: "holds", ends: "violated" });
  });

  test("philosophers: a deadlock starves under any fairness; with one right-handed, strong fairness feeds all", () => {
    const forks = [global("fork0", mutex()), global("fork1", mutex()), global("fork2", mutex())] as const;
    const philosopher = (i: number, leftFirst: boolean) =>
      thread(`P${i}`, () => {
        const [a, b] = leftFirst ? [forks[i]!, forks[(i + 1) % 3]!] : [forks[(i + 1) % 3]!, forks[i]!];
        Forever(() => {
          Label("wait");
          mutex_lock(a);
          mutex_lock(b);
          Label("critical");
          pause("eats");
          mutex_unlock(b);
          mutex_unlock(a);
        });
      });
    const somebody = temporal("somebody", own, () =>
      infinitelyOften(at("P0", "critical").or(at("P1", "critical")).or(at("P2", "critical"))),
    );
    const settles = temporal("settles", own, () => eventually(always(at("P0", "critical").not())));
    const strong = served("strong", "P1", { threads: "strong" });
    const three = (right: number) => () => [0, 1, 2].map((i) => philosopher(i, i !== right));
    expect(textbook(three(-1), [somebody, strong])).toEqual({ somebody: "violated", strong: "violated" });
    expect(textbook(three(0), [somebody, served("weak", "P1"), strong, settles])).toEqual({
      somebody: "holds",
      weak: "violated",
      strong: "holds",
      settles: "violated",
    });
  });
});

test("random programs and formulas: the verdicts are the explicit engine's, and every lasso replays", async () => {
  const seen: Record<string, number> = { holds: 0, violated: 0 };
  for (let seed = 1; seed <= SEEDS; seed++) {
    const program = withTemporal(randomProgram(seed), seed);
    const system = lower(program);
    const expected = await explicit(system, {
      ...OPTIONS,
      properties: program.properties.filter((p) => !p.implied).map((p) => p.id),
    });
    if (!expected.complete || expected.states! > 4000) continue;
    const found = verdicts(program);
    expect({ seed, found }).toEqual({
      seed,
      found: Object.fromEntries(expected.outcomes.map((o) => [o.property, o.verdict])),
    });
    for (const verdict of Object.values(found)) seen[verdict] = (seen[verdict] ?? 0) + 1;
  }
  expect(seen.holds).toBeGreaterThan(SEEDS / 4);
  expect(seen.violated).toBeGreaterThan(SEEDS / 4);
}, 120_000);

const SEEDS = Number(process.env.LOCKSTEP_SEEDS ?? 100);
