/** Textbook algorithms whose liveness is known, and what each needs of the scheduler. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { check } from "../../../src/checker/explicit/check.ts";
import { replay } from "../../../src/checker/reference/index.ts";
import { promela } from "../../../src/export/promela.ts";
import {
  always,
  at,
  atomic,
  atomic_inc_return,
  atomically,
  bit,
  bool,
  clear_bit,
  deadlock,
  down_read,
  down_write,
  ended,
  eventually,
  type FairnessOptions,
  Forever,
  global,
  If,
  infinitelyOften,
  int,
  invariant,
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
  rw_semaphore,
  SCHEDULER_SWITCH,
  spin_lock,
  spin_unlock,
  spinlock,
  starvation,
  type ThreadSpec,
  temporal,
  test_and_set_bit,
  thread,
  up_read,
  up_write,
  While,
  wait_until,
  write,
} from "../../../src/index.ts";
import { lower } from "../../../src/spec/lowering/lower.ts";

const own = { title: "t", message: "m" };

/** Verdicts of these properties for these threads; every counterexample replays. */
async function verdicts(
  threads: () => readonly ThreadSpec[],
  properties: readonly Property[],
  switches: Record<string, string> = {},
) {
  const p = protocol("p", {
    title: "p",
    source: "textbook",
    variants: [{ id: "v", title: "v" }],
    scenarios: [{ id: "s", title: "s", properties, threads }],
    switches: { scheduler: SCHEDULER_SWITCH },
  });
  const program = p.record({ variant: "v", scenario: "s", switches })!;
  const system = lower(program);
  const ids = properties.map((x) => x.id);
  const e = await check(system, { properties: ids, reduction: true, timeout: 60, memory: 2 ** 30, workers: 1 });
  const result: Record<string, string> = {};
  for (const o of e.outcomes) {
    result[o.property] = o.verdict;
    if (o.verdict !== "violated") continue;
    const again = replay(program, o.schedule, o.property);
    expect(again.message && again.fits && again.violates ? "replays" : again.message).toBe("replays");
  }
  return { result, system };
}

const served = (id: string, who: string, fairness?: FairnessOptions) =>
  starvation(
    id,
    own,
    () => at(who, "wait"),
    () => at(who, "critical"),
    fairness,
  );

describe("mutual exclusion by reads and writes", () => {
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
  const exclusion = invariant("exclusion", own, () => at("P0", "critical").and(at("P1", "critical")).not());

  test("Peterson: starvation-free under weak fairness, not without", async () => {
    const { result, system } = await verdicts(
      () => [peterson(0), peterson(1)],
      [exclusion, served("weak", "P0"), served("none", "P0", { threads: "none" })],
    );
    expect(result).toEqual({ exclusion: "holds", weak: "holds", none: "violated" });
    compareWithSpin(system, "weak", true);
  });

  test("with the two writes in the wrong order it excludes nobody", async () => {
    const broken = (me: 0 | 1) =>
      thread(`P${me}`, () => {
        write(turn, 1 - me);
        write(flag[me], true);
        While(
          () => read(flag[1 - me]!).and(read(turn).eq(1 - me)),
          () => {},
        );
        Label("critical");
        pause("critical section");
        write(flag[me], false);
      });
    const { result } = await verdicts(() => [broken(0), broken(1)], [exclusion]);
    expect(result).toEqual({ exclusion: "violated" });
  });

  test("bakery, two rounds: both end under weak fairness", async () => {
    const choosing = [global("choosing0", plain(bool)), global("choosing1", plain(bool))] as const;
    const number = [global("number0", plain(int(0, 6))), global("number1", plain(int(0, 6)))] as const;
    const baker = (me: 0 | 1) =>
      thread(`P${me}`, () => {
        const round = local("round", int(0, 2), 0);
        While(
          () => round.value.lt(2),
          () => {
            write(choosing[me], true);
            const other = read(number[1 - me]!);
            write(number[me], other.plus(1));
            write(choosing[me], false);
            While(
              () => read(choosing[1 - me]!),
              () => {},
            );
            While(
              () => {
                const theirs = read(number[1 - me]!);
                const mine = read(number[me]);
                const before = me === 0 ? theirs.lt(mine) : theirs.le(mine);
                return theirs.ne(0).and(before);
              },
              () => {},
            );
            Label("critical");
            pause("critical section");
            write(number[me], 0);
            round.set(round.value.plus(1));
          },
        );
      });
    const all = temporal("ends", own, () => eventually(ended("P0", "P1")));
    const { result } = await verdicts(() => [baker(0), baker(1)], [exclusion, all]);
    expect(result).toEqual({ exclusion: "holds", ends: "holds" });
  });
});

describe("locks", () => {
  test("a ticket lock serves everybody under weak fairness", async () => {
    const next = global("next", plain(int(0, 2)));
    const serving = global("serving", plain(int(0, 2)));
    const user = (name: string) =>
      thread(name, () => {
        Forever(() => {
          const mine = local("mine", int(0, 2), 0);
          atomically("ticket = next++", () => {
            const t = read(next);
            mine.set(t);
            If(
              t.eq(1),
              () => write(next, 0),
              () => write(next, t.plus(1)),
            );
          });
          Label("wait");
          wait_until("serving == ticket", () => serving.now.eq(mine.value));
          Label("critical");
          pause("critical section");
          atomically("serving++", () => {
            const s = read(serving);
            If(
              s.eq(1),
              () => write(serving, 0),
              () => write(serving, s.plus(1)),
            );
          });
        });
      });
    const { result, system } = await verdicts(() => [user("P0"), user("P1")], [served("weak", "P0")]);
    expect(result).toEqual({ weak: "holds" });
    compareWithSpin(system, "weak", true);
  });

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

  test("a spinlock serves its waiters only if it, or the waiter, is strongly fair", async () => {
    const { result, system } = await verdicts(
      () => [spinner("P0"), spinner("P1")],
      [
        served("weak", "P0"),
        served("strong", "P0", { threads: "strong" }),
        served("waiter", "P0", { strongThreads: ["P0"] }),
        served("other", "P0", { strongThreads: ["P1"] }),
        served("lock", "P0", { strongWaits: ["spinlock"] }),
      ],
    );
    expect(result).toEqual({ weak: "violated", strong: "holds", waiter: "holds", other: "violated", lock: "holds" });
    compareWithSpin(system, "weak", false);
  });

  test("test-and-set: the loser steps and loses, which no fairness of threads mends", async () => {
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
    const { result } = await verdicts(
      () => [user("P0"), user("P1")],
      [served("weak", "P0"), served("strong", "P0", { threads: "strong" })],
    );
    expect(result).toEqual({ weak: "violated", strong: "violated" });
  });

  test("a trylock that is retried for ever is a livelock of the one who retries", async () => {
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
    const spins = livelock("spins", own, ["tries"], () => ended("tries"));
    const { result } = await verdicts(() => [tries(), holds()], [spins]);
    expect(result).toEqual({ spins: "violated" });
  });
});

describe("dining philosophers", () => {
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

  test("all left-handed: a deadlock, and so hunger under any fairness", async () => {
    const { result } = await verdicts(
      () => [0, 1, 2].map((i) => philosopher(i, true)),
      [deadlock, served("strong", "P0", { threads: "strong" })],
    );
    expect(result).toEqual({ deadlock: "violated", strong: "violated" });
  });

  test("one right-handed: somebody always eats; each of them only with strong fairness", async () => {
    const threads = () => [0, 1, 2].map((i) => philosopher(i, i !== 0));
    const somebody = temporal("somebody", own, () =>
      infinitelyOften(at("P0", "critical").or(at("P1", "critical")).or(at("P2", "critical"))),
    );
    const { result, system } = await verdicts(threads, [
      deadlock,
      somebody,
      served("weak", "P1"),
      served("strong", "P1", { threads: "strong" }),
    ]);
    expect(result).toEqual({ deadlock: "holds", somebody: "holds", weak: "violated", strong: "holds" });
    compareWithSpin(system, "somebody", true);
    compareWithSpin(system, "weak", false);
  });
});

describe("readers and writers", () => {
  const sem = global("sem", rw_semaphore());
  const reader = (name: string) =>
    thread(name, () => {
      Forever(() => {
        down_read(sem);
        up_read(sem);
      });
    });
  const writer = () =>
    thread("writer", () => {
      down_write(sem);
      up_write(sem);
    });
  const ends = (fairness?: FairnessOptions) => temporal("ends", own, () => eventually(ended("writer")), fairness);

  test("a fair rwsem lets the writer in, whatever readers come", async () => {
    const { result } = await verdicts(() => [reader("R0"), reader("R1"), writer()], [ends()]);
    expect(result).toEqual({ ends: "holds" });
  });
});

describe("one CPU", () => {
  const flag = global("flag", plain(bool));
  const spins = () =>
    thread("spins", () => {
      While(
        () => read(flag).not(),
        () => {},
      );
    });
  const sets = () => thread("sets", () => write(flag, true));
  const ends = temporal("ends", own, () => eventually(ended("spins")));

  test("a spinning wait ends on several CPUs and is a soft lock-up on one", async () => {
    expect((await verdicts(() => [spins(), sets()], [ends])).result).toEqual({ ends: "holds" });
    expect((await verdicts(() => [spins(), sets()], [ends], { scheduler: "one-cpu" })).result).toEqual({
      ends: "violated",
    });
  });
});

test("always and eventually over a count", async () => {
  const n = global("n", atomic(0, 3));
  const threads = () => [thread("a", () => void atomic_inc_return(n)), thread("b", () => void atomic_inc_return(n))];
  const { result, system } = await verdicts(threads, [
    temporal("two", own, () => eventually(always(n.now.eq(2)))),
    temporal("one", own, () => eventually(always(n.now.eq(1)))),
    temporal("two without fairness", own, () => eventually(n.now.eq(2)), { threads: "none" }),
  ]);
  // Without fairness too: a run ends only when nobody can move.
  expect(result).toEqual({ two: "holds", one: "violated", "two without fairness": "holds" });
  compareWithSpin(system, "two", true);
  compareWithSpin(system, "one", false);
});

const spinThere = spawnSync("spin", ["-V"]).error === undefined && spawnSync("gcc", ["--version"]).error === undefined;
if (!spinThere) console.warn("spin or gcc is not installed: liveness is not compared with SPIN");

/** SPIN's nested depth-first search with weak fairness gives the same verdict. */
function compareWithSpin(system: Parameters<typeof promela>[0], id: string, holds: boolean): void {
  if (!spinThere) return;
  const property = system.properties.find((p) => p.id === id)!;
  const directory = mkdtempSync(join(tmpdir(), "lockstep-spin-"));
  try {
    writeFileSync(join(directory, "m.pml"), promela(system, { property }));
    const run = (command: string, ...args: string[]) => spawnSync(command, args, { cwd: directory, encoding: "utf8" });
    expect(run("spin", "-a", "m.pml").status).toBe(0);
    expect(run("gcc", "-w", "-O0", "-DNOREDUCE", "-DNFAIR=4", "-o", "pan", "pan.c").status).toBe(0);
    const out = run("./pan", "-a", "-f", "-m100000").stdout;
    expect({ id, errors: /errors: (\d+)/.exec(out)![1] === "0" ? 0 : "some" }).toEqual({
      id,
      errors: holds ? 0 : "some",
    });
  } finally {
    rmSync(directory, { recursive: true });
  }
}
