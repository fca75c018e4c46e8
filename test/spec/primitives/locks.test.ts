import {
  atomically,
  atomicSleep,
  bool,
  dataRace,
  deadlock,
  global,
  If,
  inc,
  initially,
  int,
  interrupt,
  invariant,
  kfree,
  local_irq_disable,
  local_irq_enable,
  lockDiscipline,
  may_signal,
  memorySafety,
  mutex,
  mutex_is_locked,
  mutex_lock,
  mutex_lock_interruptible,
  mutex_lock_killable,
  mutex_lock_nested,
  mutex_trylock,
  mutex_unlock,
  noFinding,
  observer,
  pause,
  plain,
  read,
  report,
  signal_pending,
  spin_lock,
  spin_lock_irq,
  spin_lock_irqsave,
  spin_trylock,
  spin_unlock,
  spin_unlock_irq,
  spin_unlock_irqrestore,
  spinlock,
  struct,
  thread,
  write,
} from "../../../src/index.ts";
import { complaint, findingOf, run, type Small, verdicts } from "./small-protocol.ts";

const m = global("m", mutex());
const n = global("n", mutex());
const s = global("s", spinlock());
const flag = global("flag", plain(bool));
const seen = (kind: string) => noFinding(kind, kind, { title: kind, message: kind });
const one = (body: () => void): Small => ({ threads: () => [thread("t", body)] });
const inOrder =
  (...locks: (typeof m)[]) =>
  () => {
    for (const lock of locks) mutex_lock(lock);
    for (const lock of locks) mutex_unlock(lock);
  };

describe("mutex", () => {
  test("excludes: two threads of three steps, never both inside", () => {
    const body = () => {
      mutex_lock(m);
      pause("inside");
      mutex_unlock(m);
    };
    const result = run({ threads: () => [thread("t", body, { count: 2 })] });
    // 4 x 4 places, less the 4 with both inside; 3 steps of one while the other is outside, before or after.
    expect([result.states, result.transitions]).toEqual([12, 12]);
    expect(verdicts({ threads: () => [thread("t", body, { count: 2 })] })).toEqual({
      deadlock: "holds",
      "lock-discipline": "holds",
      "atomic-sleep": "vacuous",
      "memory-safety": "vacuous",
    });
  });

  test("the same order is fine, opposite orders are not", () => {
    const small = (first: (typeof m)[], second: (typeof m)[]): Small => ({
      threads: () => [thread("a", inOrder(...first)), thread("b", inOrder(...second))],
    });
    expect(verdicts(small([m, n], [m, n])).deadlock).toBe("holds");
    expect(verdicts(small([m, n], [n, m])).deadlock).toBe("deadlock");
    expect(findingOf(small([m, n], [n, m]), "deadlock")).toMatch(/a waits .* n, held by b; b waits .* m, held by a/);
    // A third lock around both: the inversion is never realised.
    const outer = global("outer", mutex());
    expect(verdicts(small([outer, m, n], [outer, n, m])).deadlock).toBe("holds");
  });

  test("taken twice by its owner, _nested too; released by another, released twice, kept", () => {
    const nested = () => {
      mutex_lock(m);
      mutex_lock_nested(m, 1);
    };
    expect(verdicts(one(nested)).deadlock).toBe("self-deadlock");
    expect(verdicts(one(() => mutex_unlock(m)))["lock-discipline"]).toBe("unlock-not-owner");
    const twice = () => {
      inOrder(m)();
      mutex_unlock(m);
    };
    expect(verdicts(one(twice))["lock-discipline"]).toBe("unlock-not-owner");
    const foreign: Small = {
      threads: () => [
        thread("a", () => mutex_lock(m)),
        thread("b", () => {
          const locked = mutex_is_locked(m);
          If(locked, () => mutex_unlock(m));
        }),
      ],
      properties: [lockDiscipline],
    };
    expect(verdicts(foreign)["lock-discipline"]).toMatch(/lock-held-at-exit|unlock-not-owner/);
    expect(run(foreign).cut).toEqual({ "unlock-not-owner": 1 });
    expect(
      verdicts({ ...one(() => mutex_lock(m)), properties: [{ ...lockDiscipline, trigger: deadlock.trigger }] }),
    ).toEqual({ "lock-discipline": "lock-held-at-exit" });
  });

  test("partial deadlock: others go on", () => {
    const spins = () => {
      for (let i = 0; i < 2; i++) pause("goes on");
    };
    const small: Small = {
      threads: () => [thread("a", inOrder(m, n)), thread("b", inOrder(n, m)), thread("c", spins)],
    };
    expect(verdicts(small).deadlock).toBe("partial-deadlock");
  });

  test("trylock never blocks, and fails for the owner too", () => {
    const tries = (holds: boolean) => () => {
      if (holds) mutex_lock(m);
      const got = mutex_trylock(m);
      report("got", "got", got);
      report("lost", "lost", got.not());
    };
    const small = (holds: boolean): Small => ({ ...one(tries(holds)), properties: [seen("got"), seen("lost")] });
    expect(verdicts(small(false))).toEqual({ got: "got", lost: "holds" });
    expect(verdicts(small(true))).toEqual({ got: "holds", lost: "lost" });
    expect(complaint(one(() => void mutex_trylock(m)))).toMatch(/ignored/);
  });

  test("interruptible: free it is taken even with a signal pending; contended, -EINTR", () => {
    for (const lock of [mutex_lock_interruptible, mutex_lock_killable]) {
      const small = (contended: boolean, signal: boolean): Small => ({
        threads: () => [
          thread("t", () => {
            const p = signal_pending();
            const rc = lock(m);
            If(
              rc.failed(),
              () => report("eintr", "interrupted"),
              () => {
                report("taken-with-signal", "taken", p);
                mutex_unlock(m);
              },
            );
          }),
          ...(contended ? [thread("holder", inOrder(m))] : []),
          ...(signal ? [thread("user", () => may_signal("t"), { kind: "environment" as const })] : []),
        ],
        properties: [seen("eintr"), seen("taken-with-signal"), deadlock],
      });
      expect(verdicts(small(false, true))).toMatchObject({ eintr: "holds", "taken-with-signal": "taken-with-signal" });
      expect(verdicts(small(true, true))).toMatchObject({ eintr: "eintr", "taken-with-signal": "taken-with-signal" });
      expect(verdicts(small(true, false))).toEqual({ eintr: "holds", "taken-with-signal": "holds", deadlock: "holds" });
    }
    expect(complaint(one(() => void mutex_lock_interruptible(m)))).toMatch(/ignored/);
    expect(complaint(one(() => may_signal("nobody")))).toMatch(/no thread is called nobody/);
  });

  test("as a claim: one step and checked, or two steps and a lost update", () => {
    const count = global("count", plain(int(0, 2)));
    const small = (locked: boolean, claimed: boolean): Small => ({
      threads: () => [
        thread(
          "t",
          () => {
            if (locked) mutex_lock(m);
            inc(count, claimed ? { under: m } : {});
            if (locked) mutex_unlock(m);
          },
          { count: 2 },
        ),
        thread("look", () => atomically("look", () => report("two", "both counted", count.now.eq(2)))),
      ],
      properties: [seen("two"), dataRace],
    });
    expect(verdicts(small(true, true))).toEqual({ two: "two", "data-race": "holds" });
    expect(verdicts(small(false, true))["data-race"]).toBe("data-race");
    // Two threads of two steps, one looker: the update is lost where both load before either stores.
    expect(run(small(false, false)).states).toBeGreaterThan(run(small(false, true)).states!);
  });

  test("in an object: freed with the lock, and a fresh object has a free one", () => {
    const lo = struct("loop_device", { slots: 1, as: "lo" }, { ctl: mutex() });
    const l = lo.object("loop0");
    const small: Small = {
      threads: () => [
        thread("rm", () => {
          mutex_lock(l.ctl);
          kfree(l);
        }),
        thread("open", inOrder(l.ctl)),
      ],
      properties: [memorySafety],
    };
    expect(verdicts(small)["memory-safety"]).toBe("use-after-free");
  });
});

describe("spinlock and interrupts", () => {
  const inside = global("inside", observer(int(0, 3)));
  const alone = invariant("alone", { title: "alone", message: "two" }, () => inside.now.lt(2));
  const work = () => {
    atomically("enter", () => inside.set(inside.now.plus(1)));
    atomically("leave", () => inside.set(inside.now.minus(1)));
  };

  test("excludes; asleep under it is a finding that does not end the path", () => {
    const body = () => {
      spin_lock(s);
      work();
      spin_unlock(s);
    };
    expect(verdicts({ threads: () => [thread("t", body, { count: 2 })], properties: [alone, deadlock] })).toEqual({
      alone: "holds",
      deadlock: "holds",
    });
    const sleeps = () => {
      spin_lock(s);
      mutex_lock(m);
      mutex_unlock(m);
      spin_unlock(s);
    };
    expect(verdicts(one(sleeps))).toMatchObject({ "atomic-sleep": "sleep-in-atomic", deadlock: "holds" });
    expect(run(one(sleeps)).cut).toEqual({});
  });

  test("twice by its owner, by another, kept, and trylock", () => {
    const twice = () => {
      spin_lock(s);
      spin_lock(s);
    };
    expect(verdicts(one(twice)).deadlock).toBe("self-deadlock");
    expect(verdicts(one(() => spin_unlock(s)))["lock-discipline"]).toBe("unlock-not-owner");
    const tries = () => {
      const first = spin_trylock(s);
      const second = spin_trylock(s);
      report("first", "first", first);
      report("second", "second", second);
      spin_unlock(s);
    };
    expect(verdicts({ ...one(tries), properties: [seen("first"), seen("second"), lockDiscipline] })).toEqual({
      first: "first",
      second: "holds",
      "lock-discipline": "holds",
    });
    expect(complaint(one(() => void spin_trylock(s)))).toMatch(/ignored/);
  });

  const handler = (cpu: number, lock = true) =>
    thread(
      "irq",
      () => {
        interrupt("irq", () => flag.now.not());
        if (lock) spin_lock(s);
        work();
        if (lock) spin_unlock(s);
      },
      { kind: "hardirq", cpu },
    );
  const task = (take: () => void, release: () => void) =>
    thread(
      "task",
      () => {
        take();
        work();
        release();
      },
      { cpu: 0 },
    );

  test("a handler that spins on a lock of the task it interrupted", () => {
    const small = (cpu: number, take: () => void, release: () => void): Small => ({
      threads: () => [task(take, release), handler(cpu)],
      properties: [alone, deadlock, atomicSleep],
    });
    const plainLock = [() => spin_lock(s), () => spin_unlock(s)] as const;
    expect(verdicts(small(0, ...plainLock)).deadlock).toBe("irq-deadlock");
    expect(verdicts(small(1, ...plainLock))).toEqual({ alone: "holds", deadlock: "holds", "atomic-sleep": "holds" });
    const irq = [() => spin_lock_irq(s), () => spin_unlock_irq(s)] as const;
    expect(verdicts(small(0, ...irq))).toEqual({ alone: "holds", deadlock: "holds", "atomic-sleep": "holds" });
  });

  test("irqsave restores what was: interrupts stay off in an outer section", () => {
    const nested = (restore: boolean): Small => ({
      threads: () => [
        thread(
          "task",
          () => {
            local_irq_disable();
            if (restore) {
              const flags = spin_lock_irqsave(s);
              spin_unlock_irqrestore(s, flags);
            } else {
              spin_lock_irq(s);
              spin_unlock_irq(s);
            }
            work();
            local_irq_enable();
          },
          { cpu: 0 },
        ),
        handler(0, false),
      ],
      properties: [alone],
    });
    expect(verdicts(nested(true)).alone).toBe("holds");
    // spin_unlock_irq turns them on too early: the handler runs in the middle of the task's work.
    expect(verdicts(nested(false)).alone).toBe("invariant");
  });

  test("a handler runs to its end before its CPU's task goes on; on another CPU beside it", () => {
    const small = (cpu: number): Small => ({
      threads: () => [
        thread(
          "task",
          () => {
            atomically("look", () => report("halfway", "the handler is in the middle", inside.now.eq(1)));
          },
          { cpu: 0 },
        ),
        handler(cpu, false),
      ],
      properties: [seen("halfway")],
    });
    expect(verdicts(small(0)).halfway).toBe("holds");
    expect(verdicts(small(1)).halfway).toBe("halfway");
  });

  test("asleep with interrupts off, and in a handler", () => {
    const off = () => {
      local_irq_disable();
      mutex_lock(m);
      mutex_unlock(m);
      local_irq_enable();
    };
    const small = (body: () => void): Small => ({
      threads: () => [thread("t", body, { cpu: 0 }), handler(0, false)],
      properties: [atomicSleep],
    });
    expect(verdicts(small(off))["atomic-sleep"]).toBe("sleep-in-atomic");
    expect(verdicts(small(inOrder(m)))["atomic-sleep"]).toBe("holds");
    const sleeps = thread(
      "irq",
      () => {
        interrupt("irq", () => flag.now);
        inOrder(m)();
      },
      { kind: "hardirq", cpu: 0 },
    );
    const inHandler = (raised: boolean): Small => ({
      threads: () => [sleeps],
      start: () => initially(flag, raised),
      properties: [atomicSleep],
    });
    expect(verdicts(inHandler(true))["atomic-sleep"]).toBe("sleep-in-atomic");
    // An interrupt that is never raised: the handler is idle, and at rest.
    expect(verdicts(inHandler(false))["atomic-sleep"]).toBe("vacuous");
  });

  test("an interrupt is raised by what the device says", () => {
    const ran = global("ran", plain(bool));
    const small = (raises: boolean): Small => ({
      threads: () => [
        thread("device", () => (raises ? write(flag, true) : pause("nothing")), { kind: "device" }),
        thread(
          "irq",
          () => {
            interrupt("irq", () => flag.now);
            write(ran, true);
          },
          { kind: "hardirq", cpu: 0 },
        ),
        thread("t", () => {
          const r = read(ran);
          report("ran", "ran", r);
        }),
      ],
      properties: [seen("ran"), deadlock],
    });
    expect(verdicts(small(true)).ran).toBe("ran");
    expect(verdicts(small(false)).ran).toBe("holds");
  });
});
