import {
  add_wait_queue,
  alloc,
  atomic,
  atomic_dec_and_test,
  atomic_read,
  atomicSleep,
  Break,
  bool,
  complete,
  complete_all,
  completion,
  deadlock,
  down,
  down_interruptible,
  down_trylock,
  Forever,
  finish_wait,
  global,
  If,
  init_completion,
  initially,
  int,
  interrupt,
  invariant,
  io_schedule,
  kfree,
  may_signal,
  memorySafety,
  mutex,
  mutex_lock,
  mutex_unlock,
  noFinding,
  pause,
  plain,
  prepare_to_wait,
  read,
  remove_wait_queue,
  report,
  type Semaphore,
  schedule,
  sema_init,
  semaphore,
  set_current_state,
  signal_pending,
  spin_lock,
  spin_unlock,
  spinlock,
  struct,
  thread,
  up,
  wait_event,
  wait_event_interruptible,
  wait_for_completion,
  wait_queue,
  wake_up,
  wake_up_interruptible,
  write,
} from "../../../src/index.ts";
import { complaint, run, type Small, USUAL, verdicts } from "./small-protocol.ts";

const sem = global("sem", semaphore());
const lock = global("lock", spinlock());
const wq = global("wq", wait_queue());
const done = global("done", completion());
const flag = global("flag", plain(bool));
const seen = (kind: string) => noFinding(kind, kind, { title: kind, message: kind });

describe("semaphore", () => {
  const user = (name: string, count = 1) =>
    thread(
      name,
      () => {
        down(sem);
        pause("inside");
        up(sem);
      },
      { count },
    );

  test("as a lock: two threads of three steps each", () => {
    // Locations 0 to 3 each, and never both in 1 or 2: 16 - 4.
    const result = run({ threads: () => [user("a"), user("b")] });
    expect(result.states).toBe(12);
    expect(result.outcomes.map((o) => o.verdict)).toEqual(["holds", "holds", "vacuous", "vacuous"]);
  });

  test("two get in where the count is two", () => {
    const two = global("two", semaphore(2, 2));
    const small: Small = {
      threads: () => [
        thread(
          "t",
          () => {
            down(two);
            pause("inside");
            up(two);
          },
          { count: 3 },
        ),
      ],
      properties: [
        invariant("some", { title: "not all are inside", message: "one inside" }, () => two.count.ge(1)),
        invariant("none", { title: "never below zero", message: "below" }, () => two.count.ge(0)),
      ],
    };
    expect(verdicts(small)).toEqual({ some: "invariant", none: "holds" });
  });

  test("anybody may up; above the maximum is an overflow", () => {
    expect(verdicts({ threads: () => [thread("a", () => up(sem))] })["lock-discipline"]).toBe("semaphore-overflow");
    expect(verdicts({ threads: () => [thread("a", () => down(sem)), thread("b", () => down(sem))] }).deadlock).toBe(
      "deadlock",
    );
    const small: Small = {
      threads: () => [thread("a", () => down(sem)), thread("b", () => up(sem))],
      start: () => initially(sem, 0),
    };
    expect(verdicts(small)).toMatchObject({ deadlock: "holds", "lock-discipline": "holds" });
  });

  test("who took it is blamed where that is asked for, and anybody may up all the same", () => {
    const takes = (sem: Semaphore) => down(sem);
    const gives = (sem: Semaphore) => up(sem);
    const uses = (sem: Semaphore) => {
      down(sem);
      up(sem);
    };
    const of = (sem: Semaphore, ...bodies: ((sem: Semaphore) => void)[]) =>
      run({ threads: () => bodies.map((body, t) => thread("abc"[t]!, () => body(sem))) });
    const stuck = (...asked: Parameters<typeof of>): string => {
      const outcome = of(...asked).outcomes.find((o) => o.property === "deadlock")!;
      return outcome.verdict === "violated" ? `${outcome.finding.kind}: ${outcome.finding.message}` : outcome.verdict;
    };
    const twice = (sem: Semaphore) => {
      down(sem);
      down(sem);
    };
    const named = global("named", semaphore(1, 1, { taker: true }));
    expect(stuck(sem, twice)).toBe("deadlock: a waits in down(&sem) for sem: for ever");
    expect(stuck(named, twice)).toBe("self-deadlock: a waits in down(&named) for named, held by a: for ever");
    expect(stuck(named, twice, gives)).toBe("holds");
    // a has given it back, whoever has it now.
    expect(stuck(named, uses, takes, uses)).toMatch(/: [ac] waits in down\(&named\) for named, held by b/);
    // Where those who take it give it back, the graph is the same.
    expect(of(named, uses, uses, uses).states).toBe(of(sem, uses, uses, uses).states);
  });

  test("down_trylock is true when the semaphore was not taken", () => {
    const busy = (initial: number): string =>
      verdicts({
        threads: () => [thread("a", () => report("busy", "busy", down_trylock(sem)))],
        start: () => initially(sem, initial),
        properties: [seen("busy")],
      }).busy!;
    expect(busy(0)).toBe("busy");
    expect(busy(1)).toBe("holds");
    expect(complaint({ threads: () => [thread("a", () => void down_trylock(sem))] })).toMatch(/ignored/);
  });

  test("down_interruptible ends with -EINTR only when it would have to wait", () => {
    const small = (initial: number): Small => ({
      threads: () => [
        thread("a", () => {
          const rc = down_interruptible(sem);
          report("eintr", "interrupted", rc.failed());
        }),
        thread("user", () => may_signal("a"), { kind: "environment" }),
      ],
      start: () => initially(sem, initial),
      properties: [seen("eintr"), deadlock],
    });
    expect(verdicts(small(1)).eintr).toBe("holds");
    expect(verdicts(small(0)).eintr).toBe("eintr");
    // Nobody owes the signal.
    expect(verdicts(small(0)).deadlock).toBe("deadlock");
  });

  test("misuse: asleep under a spinlock, in a handler, before it was initialised", () => {
    const under = () => {
      spin_lock(lock);
      down(sem);
      up(sem);
      spin_unlock(lock);
    };
    expect(verdicts({ threads: () => [thread("a", under)] })["atomic-sleep"]).toBe("sleep-in-atomic");
    const handler = () => {
      interrupt("irq", () => flag.now.not());
      down(sem);
      up(sem);
    };
    expect(verdicts({ threads: () => [thread("irq", handler, { kind: "hardirq", cpu: 0 })] })["atomic-sleep"]).toBe(
      "sleep-in-atomic",
    );
    const raw = global("raw", semaphore(1, 1, { initialised: false }));
    expect(verdicts({ threads: () => [thread("a", () => up(raw))], properties: [memorySafety] })).toEqual({
      "memory-safety": "bug-on",
    });
    const proper = () => {
      sema_init(raw, 0);
      up(raw);
    };
    expect(verdicts({ threads: () => [thread("a", proper)] })["lock-discipline"]).toBe("holds");
  });

  test("a task that waits at rest", () => {
    const suspended = global("suspended", plain(bool));
    const small: Small = {
      threads: () => [thread("a", () => down(sem, { resting: () => suspended.now }))],
      start: () => {
        initially(sem, 0);
        initially(suspended, true);
      },
    };
    expect(verdicts(small).deadlock).toBe("vacuous");
  });
});

describe("wait queue", () => {
  const waker = () =>
    thread("waker", () => {
      write(flag, true);
      wake_up(wq);
    });
  const sleeper = (rightOrder: boolean) =>
    thread("sleeper", () => {
      add_wait_queue(wq);
      const wait = () => {
        const f = read(flag);
        If(f.not(), () => {
          if (!rightOrder) set_current_state("TASK_UNINTERRUPTIBLE");
          schedule();
        });
      };
      if (rightOrder) set_current_state("TASK_UNINTERRUPTIBLE");
      wait();
      set_current_state("TASK_RUNNING");
      remove_wait_queue(wq);
    });

  test("test before the state is set: the wake-up can be lost; the other way round it cannot", () => {
    expect(verdicts({ threads: () => [sleeper(false), waker()] }).deadlock).toBe("deadlock");
    expect(verdicts({ threads: () => [sleeper(true), waker()] }).deadlock).toBe("holds");
  });

  test("the condition is set after the wake-up: lost in any order", () => {
    const early = () =>
      thread("waker", () => {
        wake_up(wq);
        write(flag, true);
      });
    expect(verdicts({ threads: () => [sleeper(true), early()] }).deadlock).toBe("partial-deadlock");
  });

  test("wait_event loses nothing, with one step a test or with reads", () => {
    const n = global("n", atomic(0, 1, { init: 1 }));
    const wakes = () => {
      const zero = atomic_dec_and_test(n);
      If(zero, () => wake_up(wq));
    };
    for (const condition of [() => n.now.eq(0), () => atomic_read(n).eq(0)]) {
      const small: Small = {
        threads: () => [thread("w", () => wait_event(wq, condition), { count: 2 }), thread("d", wakes)],
        properties: [
          ...USUAL,
          invariant("off", { title: "nobody is left on the queue", message: "left" }, () =>
            wq.active.not().or(n.now.ge(0)),
          ),
        ],
      };
      expect(verdicts(small)).toMatchObject({ deadlock: "holds", "lock-discipline": "vacuous", off: "holds" });
    }
    expect(verdicts({ threads: () => [thread("w", () => wait_event(wq, () => n.now.eq(0)))] }).deadlock).toBe(
      "deadlock",
    );
  });

  test("prepare_to_wait by hand, as dm_suspend has it: a loop without a signal test", () => {
    const pending = global("pending", atomic(0, 1, { init: 1 }));
    const suspend = (state: "TASK_INTERRUPTIBLE" | "TASK_UNINTERRUPTIBLE") => () => {
      Forever(() => {
        prepare_to_wait(wq, state);
        const p = atomic_read(pending);
        If(p.eq(0), () => Break());
        io_schedule();
      });
      finish_wait(wq);
      report("done", "done");
    };
    const end = () => {
      const zero = atomic_dec_and_test(pending);
      If(zero, () => wake_up(wq));
    };
    const small: Small = {
      threads: () => [
        thread("suspend", suspend("TASK_INTERRUPTIBLE")),
        thread("end", end),
        thread("user", () => may_signal("suspend"), { kind: "environment" }),
      ],
      properties: [deadlock, seen("done")],
    };
    expect(verdicts(small)).toEqual({ deadlock: "holds", done: "done" });
    // With a signal pending the interruptible loop spins instead of sleeping: somebody can always move.
    const alone = (state: "TASK_INTERRUPTIBLE" | "TASK_UNINTERRUPTIBLE"): number =>
      run({
        threads: () => [
          thread("suspend", suspend(state)),
          thread("user", () => may_signal("suspend"), { kind: "environment" }),
        ],
      }).states!;
    expect(alone("TASK_INTERRUPTIBLE")).toBeGreaterThan(alone("TASK_UNINTERRUPTIBLE"));
  });

  test("wait_event_interruptible: 0 or -ERESTARTSYS; a signal wakes the sleeper", () => {
    const small = (signal: boolean, wakes: boolean): Small => ({
      threads: () => [
        thread("w", () => {
          const rc = wait_event_interruptible(wq, () => flag.now);
          report("failed", "failed", rc.failed());
          report("ok", "ok", rc.ok());
        }),
        ...(signal ? [thread("user", () => may_signal("w"), { kind: "environment" })] : []),
        ...(wakes ? [waker()] : []),
      ],
      properties: [seen("failed"), seen("ok"), deadlock],
    });
    expect(verdicts(small(false, true))).toEqual({ failed: "holds", ok: "ok", deadlock: "holds" });
    expect(verdicts(small(true, true))).toEqual({ failed: "failed", ok: "ok", deadlock: "holds" });
    expect(verdicts(small(true, false))).toMatchObject({ failed: "failed", ok: "holds" });
    expect(verdicts(small(false, false)).deadlock).toBe("deadlock");
  });

  test("wake_up_interruptible leaves uninterruptible sleepers asleep", () => {
    const threads = () => [
      thread("s", () => {
        prepare_to_wait(wq, "TASK_UNINTERRUPTIBLE");
        If(read(flag).not(), () => schedule());
        finish_wait(wq);
      }),
      thread("waker", () => {
        write(flag, true);
        wake_up_interruptible(wq);
      }),
    ];
    expect(verdicts({ threads }).deadlock).toBe("partial-deadlock");
  });

  test("who is not on the queue is not woken", () => {
    const threads = () => [
      thread("s", () => {
        set_current_state("TASK_UNINTERRUPTIBLE");
        schedule();
      }),
      waker(),
    ];
    expect(verdicts({ threads }).deadlock).toBe("partial-deadlock");
    expect(verdicts({ threads: () => [thread("s", () => schedule())] }).deadlock).toBe("holds");
  });

  test("a signal does not wake an uninterruptible sleeper; signal_pending sees it", () => {
    const threads = () => [
      thread("s", () => {
        const p = signal_pending();
        report("pending", "pending", p);
        set_current_state("TASK_UNINTERRUPTIBLE");
        schedule();
      }),
      thread("user", () => may_signal("s"), { kind: "environment" }),
    ];
    expect(verdicts({ threads, properties: [deadlock, seen("pending")] })).toEqual({
      deadlock: "deadlock",
      pending: "pending",
    });
  });

  test("misuse: added twice, removed twice, asleep for something else in between, under a spinlock", () => {
    const bug = (body: () => void): string =>
      verdicts({
        threads: () => [thread("a", body)],
        properties: [{ ...memorySafety, trigger: { marks: [], what: "" } }],
      })["memory-safety"]!;
    expect(
      bug(() => {
        add_wait_queue(wq);
        add_wait_queue(wq);
      }),
    ).toBe("bug-on");
    expect(bug(() => remove_wait_queue(wq))).toBe("bug-on");
    const m = global("m", mutex());
    const between = () => {
      prepare_to_wait(wq, "TASK_UNINTERRUPTIBLE");
      mutex_lock(m);
      mutex_unlock(m);
      finish_wait(wq);
    };
    const asleep = { ...atomicSleep, trigger: { marks: [], what: "" } };
    expect(verdicts({ threads: () => [thread("a", between)], properties: [asleep] })["atomic-sleep"]).toBe(
      "sleep-in-atomic",
    );
    const spins = () => {
      spin_lock(lock);
      schedule();
      spin_unlock(lock);
    };
    expect(verdicts({ threads: () => [thread("a", spins)] })["atomic-sleep"]).toBe("sleep-in-atomic");
    // @ts-expect-error no such state
    expect(complaint({ threads: () => [thread("a", () => set_current_state("TASK_STOPPED"))] })).toMatch(/none of/);
  });

  test("a queue in an object that is gone", () => {
    const md = struct("mapped_device", { slots: 1, as: "md" }, { wait: wait_queue() });
    const d = md.object("dm0");
    const threads = () => [
      thread("a", () => {
        kfree(d);
        wake_up(d.wait);
      }),
    ];
    expect(verdicts({ threads })["memory-safety"]).toBe("use-after-free");
  });
});

describe("completion", () => {
  const waiter = (count = 1) => thread("w", () => wait_for_completion(done), { count });

  test("one for one, before or after", () => {
    const small = (waiters: number, completions: number): string =>
      verdicts({
        threads: () => [
          waiter(waiters),
          thread("c", () => {
            for (let i = 0; i < completions; i++) complete(done);
          }),
        ],
      }).deadlock!;
    expect(small(1, 1)).toBe("holds");
    expect(small(2, 2)).toBe("holds");
    expect(small(2, 1)).toBe("deadlock");
    expect(small(1, 2)).toBe("holds");
  });

  test("complete_all lets everybody go on until it is initialised again", () => {
    const threads = () => [waiter(2), thread("c", () => complete_all(done))];
    expect(verdicts({ threads }).deadlock).toBe("holds");
    const again = () => [
      thread("c", () => {
        complete_all(done);
        wait_for_completion(done);
        complete(done);
        init_completion(done);
        wait_for_completion(done);
      }),
    ];
    expect(verdicts({ threads: again }).deadlock).toBe("deadlock");
  });

  test("counts exactly, and says when the model is too small", () => {
    // complete; complete beside wait: locations (0..2) x (0..1), and the waiter cannot pass before the first.
    const result = run({
      threads: () => [
        waiter(),
        thread("c", () => {
          complete(done);
          complete(done);
        }),
      ],
    });
    expect(result.states).toBe(5);
    const once = global("once", completion({ max: 1 }));
    const twice = () => {
      complete(once);
      complete(once);
    };
    expect(verdicts({ threads: () => [thread("c", twice)] }).deadlock).toBe("model-error");
  });

  test("misuse: under a spinlock, uninitialised, in memory that is gone", () => {
    const spins = () => {
      spin_lock(lock);
      wait_for_completion(done);
      spin_unlock(lock);
    };
    expect(verdicts({ threads: () => [thread("a", spins), thread("c", () => complete(done))] })["atomic-sleep"]).toBe(
      "sleep-in-atomic",
    );
    const raw = global("raw", completion({ initialised: false }));
    expect(verdicts({ threads: () => [thread("c", () => complete(raw))], properties: [memorySafety] })).toEqual({
      "memory-safety": "bug-on",
    });
    // The classic: a completion on the waiter's stack, and a completer that touches the object after it.
    const probe = struct("probe", { slots: 1, as: "p" }, { done: completion(), ran: plain(int(0, 1)) });
    const p = probe.object("probe");
    const threads = () => [
      thread("w", () => {
        wait_for_completion(p.done);
        kfree(p);
      }),
      thread("c", () => {
        complete(p.done);
        write(p.ran, 1);
      }),
    ];
    expect(verdicts({ threads })["memory-safety"]).toBe("use-after-free");
  });

  test("a new object has a new completion", () => {
    const probe = struct("probe", { slots: 1, as: "p" }, { done: completion() });
    // The second object takes the slot of the first, and must not find its completion.
    const threads = () => [
      thread("a", () => {
        const p = alloc(probe);
        complete(p.done);
        kfree(p);
        const q = alloc(probe);
        wait_for_completion(q.done);
      }),
    ];
    expect(verdicts({ threads }).deadlock).toBe("deadlock");
  });
});
