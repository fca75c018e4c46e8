import {
  add_wait_queue,
  atomically,
  Bool,
  bkl,
  complete,
  completion,
  deadlock,
  down,
  down_read,
  down_write,
  Forever,
  global,
  If,
  int,
  invariant,
  lock_kernel,
  MSLEEP_SWITCH,
  may_signal,
  msleep,
  mutex,
  mutex_lock,
  mutex_lock_interruptible,
  mutex_unlock,
  noFinding,
  observer,
  pause,
  plain,
  read,
  remove_wait_queue,
  report,
  rw_semaphore,
  schedule,
  semaphore,
  set_current_state,
  spin_lock,
  spin_unlock,
  spinlock,
  staysPossible,
  thread,
  unlock_kernel,
  up,
  up_read,
  up_write,
  wait_for_completion,
  wait_queue,
  wake_up,
  write,
} from "../../../src/index.ts";
import { type Cell, load } from "../../../src/spec/cell.ts";
import { complaint, findingOf, run, type Small, USUAL, verdicts, verdictsOf } from "./small-protocol.ts";

const BKL = global("kernel_flag", bkl());
const m = global("m", mutex());
const sem = global("sem", semaphore());
const done = global("done", completion());
const rw = global("rw", rw_semaphore());
const lock = global("lock", spinlock());
const wq = global("wq", wait_queue());
const inside = global("inside", observer(int(0, 2)));
const alone = invariant("alone", { title: "one at a time under the BKL", message: "two" }, () => inside.now.lt(2));

/** The part that the BKL protects, without a sleep in it. */
const work = () => {
  atomically("enter", () => inside.set(inside.now.plus(1)));
  atomically("leave", () => inside.set(inside.now.minus(1)));
};

const small = (threads: Small["threads"]): Small => ({ threads, bkl: BKL, properties: [alone, ...USUAL] });

describe("the big kernel lock", () => {
  test("excludes, and counts", () => {
    const twice = () => {
      lock_kernel();
      lock_kernel();
      work();
      unlock_kernel();
      work();
      unlock_kernel();
    };
    expect(verdicts(small(() => [thread("a", twice), thread("b", twice)]))).toMatchObject({
      alone: "holds",
      deadlock: "holds",
      "lock-discipline": "holds",
      "atomic-sleep": "vacuous",
    });
    const result = run(small(() => [thread("a", () => [lock_kernel, unlock_kernel].forEach((f) => void f()))]));
    expect(result.states).toBe(3);
  });

  test("released by who does not have it, and carried out of the thread", () => {
    expect(verdicts(small(() => [thread("a", () => unlock_kernel())]))["lock-discipline"]).toBe("unlock-not-owner");
    expect(verdicts(small(() => [thread("a", () => lock_kernel())])).deadlock).toBe("holds");
    const held = () => {
      lock_kernel();
      lock_kernel();
      unlock_kernel();
      pause("unlock forgotten");
      If(read(global("n", plain(int(0, 1)))).eq(0), () => unlock_kernel());
      lock_kernel();
    };
    expect(verdicts(small(() => [thread("a", held)]))["lock-discipline"]).toBe("lock-held-at-exit");
  });

  test("against a mutex in the opposite order: no deadlock, because a sleeper drops it", () => {
    const one = () => {
      lock_kernel();
      mutex_lock(m);
      work();
      mutex_unlock(m);
      unlock_kernel();
    };
    const two = () => {
      mutex_lock(m);
      lock_kernel();
      work();
      unlock_kernel();
      mutex_unlock(m);
    };
    expect(verdicts(small(() => [thread("a", one), thread("b", two)]))).toMatchObject({
      alone: "holds",
      deadlock: "holds",
    });
    // A spinlock does not sleep: there the order matters.
    const spin = () => {
      lock_kernel();
      spin_lock(lock);
      spin_unlock(lock);
      unlock_kernel();
    };
    const spun = () => {
      spin_lock(lock);
      lock_kernel();
      unlock_kernel();
      spin_unlock(lock);
    };
    const order = small(() => [thread("a", spin), thread("b", spun)]);
    expect(verdicts(order).deadlock).toBe("deadlock");
    expect(findingOf(order, "deadlock")).toMatch(/BKL, held by/);
  });

  test("dropped and taken again by everything that sleeps", () => {
    const sleeps: Record<string, { take: () => void; give: () => void; other: [() => void, () => void] }> = {
      mutex: {
        take: () => mutex_lock(m),
        give: () => mutex_unlock(m),
        other: [() => mutex_lock(m), () => mutex_unlock(m)],
      },
      semaphore: { take: () => down(sem), give: () => up(sem), other: [() => down(sem), () => up(sem)] },
      "rw_semaphore, reading": {
        take: () => down_read(rw),
        give: () => up_read(rw),
        other: [() => down_write(rw), () => up_write(rw)],
      },
      "rw_semaphore, writing": {
        take: () => down_write(rw),
        give: () => up_write(rw),
        other: [() => down_read(rw), () => up_read(rw)],
      },
      completion: {
        take: () => wait_for_completion(done),
        give: () => {},
        other: [() => {}, () => complete(done)],
      },
    };
    for (const [name, { take, give, other }] of Object.entries(sleeps)) {
      const sleeper = () => {
        lock_kernel();
        lock_kernel();
        take();
        work();
        give();
        unlock_kernel();
        unlock_kernel();
      };
      // The other one has what the sleeper wants, and needs the BKL before it can give it away.
      const others = () => {
        other[0]();
        lock_kernel();
        work();
        unlock_kernel();
        other[1]();
      };
      const p: Small = {
        ...small(() => [thread("sleeper", sleeper), thread("other", others)]),
        properties: [alone, deadlock],
      };
      expect([name, verdicts(p)]).toEqual([name, { alone: "holds", deadlock: "holds" }]);
    }
  });

  test("schedule and msleep drop it even where they need not wait", () => {
    for (const sleep of [() => msleep(1), () => schedule()]) {
      // b gets in only while a sleeps: a holds the lock until b has written.
      const n = global("n", plain(int(0, 1)));
      const a = () => {
        lock_kernel();
        Forever(() => {
          sleep();
          work();
        });
      };
      const b = () => {
        lock_kernel();
        work();
        write(n, 1);
        unlock_kernel();
      };
      const possible = staysPossible("possible", { title: "b gets in", message: "b never" }, () => n.now.eq(1));
      const p: Small = {
        ...small(() => [thread("a", a), thread("b", b)]),
        properties: [alone, possible],
        switches: { msleep: MSLEEP_SWITCH },
      };
      expect(verdicts(p)).toEqual({ alone: "holds", possible: "holds" });
      const never = () => {
        lock_kernel();
        Forever(() => work());
      };
      expect(verdicts({ ...p, threads: () => [thread("a", never), thread("b", b)] })).toEqual({
        alone: "holds",
        possible: "invariant",
      });
    }
  });

  test("without the lock, a sleep costs no more steps than in a protocol without it", () => {
    const body = () => {
      msleep(1);
      mutex_lock(m);
      mutex_unlock(m);
    };
    const switches = { msleep: MSLEEP_SWITCH };
    const threads = () => [thread("t", body, { count: 2 })];
    const plainRun = run({ threads, switches });
    expect(run({ threads, switches, bkl: BKL }).states).toBe(plainRun.states);
  });

  test("a sleeper has the BKL again before it tries the mutex again, as schedule() has it", () => {
    // So a sleeper that is woken and spins for the BKL does not have the mutex: an open that restarts, with the BKL
    // held, can take the mutex again and again without ever giving the BKL away.
    const sleeper = () => {
      lock_kernel();
      mutex_lock(m);
      mutex_unlock(m);
      unlock_kernel();
    };
    const other = () => {
      mutex_lock(m);
      lock_kernel();
      mutex_unlock(m);
      unlock_kernel();
    };
    const owns = (c: Cell, thread: number): Bool =>
      new Bool({ e: "bin", op: "==", a: load(c), b: { e: "const", v: thread } });
    const order = invariant("order", { title: "the mutex only with the BKL", message: "mutex without the BKL" }, () =>
      owns(m.owner(), 1).not().or(owns(BKL.owner(), 1)),
    );
    const converse = invariant("converse", { title: "the BKL only with the mutex", message: "never" }, () =>
      owns(m.owner(), 2).not().or(owns(BKL.owner(), 2)),
    );
    const p = { ...small(() => [thread("s", sleeper), thread("l", other)]), properties: [order, converse, deadlock] };
    expect(verdicts(p)).toEqual({ order: "holds", converse: "invariant", deadlock: "holds" });
  });

  test("an interruptible sleep that is interrupted takes the BKL again too", () => {
    const p: Small = {
      ...small(() => [
        thread("a", () => {
          lock_kernel();
          const rc = mutex_lock_interruptible(m);
          If(
            rc.failed(),
            () => {
              report("eintr", "interrupted");
              work();
            },
            () => mutex_unlock(m),
          );
          unlock_kernel();
        }),
        thread("b", () => {
          mutex_lock(m);
          lock_kernel();
          work();
          unlock_kernel();
          mutex_unlock(m);
        }),
        thread("user", () => may_signal("a"), { kind: "environment" }),
      ]),
      properties: [alone, deadlock, noFinding("eintr", "eintr", { title: "t", message: "m" })],
    };
    expect(verdicts(p)).toEqual({ alone: "holds", deadlock: "holds", eintr: "eintr" });
  });

  test("a lost wake-up needs no BKL: dropping it comes before sleeping, after the state is set", () => {
    const flag = global("flag", plain(int(0, 1)));
    const sleeper = () => {
      lock_kernel();
      add_wait_queue(wq);
      set_current_state("TASK_UNINTERRUPTIBLE");
      If(read(flag).eq(0), () => schedule());
      set_current_state("TASK_RUNNING");
      remove_wait_queue(wq);
      unlock_kernel();
    };
    const waker = () => {
      lock_kernel();
      write(flag, 1);
      wake_up(wq);
      unlock_kernel();
    };
    expect(verdicts(small(() => [thread("s", sleeper), thread("w", waker)]))).toMatchObject({
      deadlock: "holds",
      "lock-discipline": "holds",
    });
  });

  test("a protocol that has none", () => {
    expect(complaint({ threads: () => [thread("a", () => lock_kernel())] })).toMatch(/bkl: BKL/);
    expect(complaint({ threads: () => [thread("a", () => unlock_kernel())] })).toMatch(/bkl: BKL/);
    expect(verdictsOf(run(small(() => [thread("a", () => pause("x"))])))).toMatchObject({ alone: "holds" });
  });
});
