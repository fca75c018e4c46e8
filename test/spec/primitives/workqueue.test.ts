import {
  alloc,
  atomically,
  deadlock,
  destroy_workqueue,
  flush_scheduled_work,
  flush_workqueue,
  fn,
  global,
  If,
  int,
  invariant,
  kfree,
  memorySafety,
  mutex,
  mutex_lock,
  mutex_unlock,
  noFinding,
  observer,
  pause,
  plain,
  queue_work,
  report,
  schedule_work,
  spin_lock,
  spin_unlock,
  spinlock,
  struct,
  thread,
  work,
  work_function,
  work_pending,
  worker,
  workqueue,
  write,
} from "../../../src/index.ts";
import { complaint, findingOf, run, type Small, USUAL, verdicts } from "./small-protocol.ts";

const mddev = struct("mddev", { slots: 2, as: "mddev" }, { del_work: work(), name: plain(int(0, 1)) });
const seen = (kind: string) => noFinding(kind, kind, { title: kind, message: kind });
const safety = { ...memorySafety, trigger: { marks: [], what: "" } };
const runs = global("runs", observer(int(0, 4)));
const ran = () => atomically("ran", () => runs.set(runs.now.plus(1)));
const md0 = mddev.object("md0");

/** A queue of one global work with this function, and its worker. */
function queueOf(body: () => void) {
  const w = global("w", work());
  const q = global("q", workqueue({ works: () => [work_function(w, body)] }));
  return { w, q, keventd: () => thread("keventd", () => worker(q), { kind: "worker" }) };
}

describe("workqueue", () => {
  test("a work that is queued runs once; queued twice before it runs, still once", () => {
    const { w, q, keventd } = queueOf(ran);
    const times = (n: number, bound: number): string => {
      const most = invariant("most", { title: "most", message: "more" }, () => runs.now.le(bound));
      return verdicts({
        threads: () => [
          keventd(),
          thread("t", () => {
            for (let i = 0; i < n; i++) queue_work(q, w);
          }),
        ],
        properties: [most, deadlock],
      }).most!;
    };
    expect(times(1, 0)).toBe("invariant");
    expect(times(1, 1)).toBe("holds");
    expect(times(2, 1)).toBe("invariant");
    expect(times(2, 2)).toBe("holds");
  });

  test("the result says whether it was queued", () => {
    const { w, q, keventd } = queueOf(ran);
    const small = (withWorker: boolean): Small => ({
      threads: () => [
        thread("t", () => {
          const first = schedule_work(q, w);
          report("refused", "refused", first.not());
          const second = schedule_work(q, w);
          report("again", "again", second);
        }),
        ...(withWorker ? [keventd()] : []),
      ],
      properties: [seen("refused"), seen("again")],
    });
    expect(verdicts(small(true))).toEqual({ refused: "holds", again: "again" });
    expect(verdicts(small(false))).toEqual({ refused: "holds", again: "holds" });
  });

  test("one worker, one at a time, in the order of queueing", () => {
    const order = global("order", observer(int(0, 31)));
    const mark = (bit: number) => () => atomically("ran", () => order.set(order.now.plus(order.now).plus(bit)));
    const a = global("a", work());
    const b = global("b", work());
    const q = global("q", workqueue({ works: () => [work_function(a, mark(1)), work_function(b, mark(0))] }));
    const wrong = invariant("order", { title: "a before b", message: "b first" }, () =>
      order.now.eq(0).or(order.now.eq(1)).or(order.now.eq(2)),
    );
    const both = invariant("both", { title: "never both", message: "both" }, () => order.now.ne(2));
    const small = {
      threads: () => [
        thread("keventd", () => worker(q), { kind: "worker" as const }),
        thread("t", () => {
          queue_work(q, a);
          queue_work(q, b);
        }),
      ],
      properties: [wrong, both, deadlock],
    };
    expect(verdicts(small)).toEqual({ order: "holds", both: "invariant", deadlock: "vacuous" });
  });

  test("flush waits for what was queued before, and does not sleep when there is nothing", () => {
    const { w, q, keventd } = queueOf(ran);
    const flushed = (queues: boolean): Small => ({
      threads: () => [
        keventd(),
        thread("t", () => {
          if (queues) queue_work(q, w);
          flush_workqueue(q);
          atomically("look", () => report("not-run", "flushed and not run", runs.now.eq(0)));
        }),
      ],
      properties: [seen("not-run"), deadlock],
    });
    expect(verdicts(flushed(true))).toEqual({ "not-run": "holds", deadlock: "holds" });
    expect(verdicts(flushed(false))["not-run"]).toBe("not-run");
    // With nothing queued: flush is one step, and the worker never moves. look; end.
    expect(run(flushed(false)).states).toBe(3);
  });

  test("flush waits for the function that runs, though nothing is pending", () => {
    const begun = global("begun", plain(int(0, 1)));
    const { w, q, keventd } = queueOf(() => {
      write(begun, 1);
      ran();
    });
    const small: Small = {
      threads: () => [
        keventd(),
        thread("t", () => {
          queue_work(q, w);
          const pending = work_pending(w);
          report("runs", "not pending any more, not yet done", pending.not());
          If(pending.not(), () => flush_workqueue(q));
          If(pending.not(), () => atomically("look", () => report("not-run", "not run", runs.now.eq(0))));
        }),
      ],
      properties: [seen("runs"), seen("not-run"), deadlock],
    };
    expect(verdicts(small)).toEqual({ runs: "runs", "not-run": "holds", deadlock: "holds" });
  });

  test("flush with a lock that the work needs", () => {
    const m = global("m", mutex());
    const { w, q, keventd } = queueOf(() => {
      mutex_lock(m);
      mutex_unlock(m);
    });
    const small: Small = {
      threads: () => [
        keventd(),
        thread("t", () => {
          mutex_lock(m);
          queue_work(q, w);
          flush_workqueue(q);
          mutex_unlock(m);
        }),
      ],
    };
    expect(verdicts(small).deadlock).toBe("deadlock");
    expect(findingOf(small, "deadlock")).toMatch(/keventd waits .* m, held by t; t waits .* q to be flushed/);
  });

  test("flush from its own work: for ever, or inline as keventd did", () => {
    const a = global("a", work());
    const b = global("b", work());
    const flusher = (inline: readonly string[] | undefined) => {
      const q = global(
        "q",
        workqueue({
          works: () => [
            work_function(a, () => flush_scheduled_work(q, inline ? { inline } : {})),
            work_function(b, ran),
          ],
        }),
      );
      const small: Small = {
        threads: () => [
          thread("keventd", () => worker(q), { kind: "worker" }),
          thread("t", () => {
            queue_work(q, a);
            queue_work(q, b);
          }),
        ],
        properties: [
          deadlock,
          invariant("once", { title: "b runs once at most", message: "twice" }, () => runs.now.le(1)),
          invariant("none", { title: "b does not run", message: "it ran" }, () => runs.now.eq(0)),
        ],
      };
      return small;
    };
    expect(verdicts(flusher(undefined)).deadlock).toBe("self-deadlock");
    expect(verdicts(flusher(["b"]))).toEqual({ deadlock: "holds", once: "holds", none: "invariant" });
    expect(verdicts(flusher([])).deadlock).toBe("model-error");
  });

  test("a work may free its object; an object freed while its work is queued", () => {
    const delayed_delete = fn("delayed_delete", { at: "md.c" }, () => pause("before"));
    const q = global(
      "q",
      workqueue({
        works: () => [
          work_function(mddev, "del_work", (m) => {
            delayed_delete();
            kfree(m);
          }),
        ],
      }),
    );
    const keventd = () => thread("keventd", () => worker(q), { kind: "worker" });
    const proper = () => {
      const m = alloc(mddev);
      queue_work(q, m.del_work);
    };
    expect(verdicts({ threads: () => [keventd(), thread("t", proper)] })).toMatchObject({
      "memory-safety": "holds",
      deadlock: "vacuous",
    });
    const early = () => {
      const m = alloc(mddev);
      queue_work(q, m.del_work);
      kfree(m);
    };
    const freed = { threads: () => [keventd(), thread("t", early)] };
    expect(["use-after-free", "double-free"]).toContain(verdicts(freed)["memory-safety"]);
    const alone = {
      threads: () => [thread("t", early), thread("keventd", () => worker(q), { kind: "worker" as const })],
    };
    expect(run(alone).cut["use-after-free"]).toBeGreaterThan(0);
  });

  test("two objects are two works", () => {
    const q = global("q", workqueue({ works: () => [work_function(mddev, "del_work", (m) => write(m.name, 1))] }));
    const md1 = mddev.object("md1");
    const small: Small = {
      threads: () => [
        thread("keventd", () => worker(q), { kind: "worker" }),
        thread("t", () => {
          queue_work(q, md0.del_work);
          queue_work(q, md1.del_work);
          flush_workqueue(q);
          atomically("look", () => report("missed", "missed", md0.name.now.eq(1).and(md1.name.now.eq(1)).not()));
        }),
      ],
      properties: [seen("missed"), deadlock],
    };
    expect(verdicts(small)).toEqual({ missed: "holds", deadlock: "holds" });
  });

  test("destroy_workqueue drains, and ends the worker", () => {
    const { w, q, keventd } = queueOf(ran);
    const small = (late: boolean): Small => ({
      threads: () => [
        keventd(),
        thread("t", () => {
          if (!late) queue_work(q, w);
          destroy_workqueue(q);
          if (late) queue_work(q, w);
          atomically("look", () => report("not-run", "not run", runs.now.eq(0)));
        }),
      ],
      properties: [seen("not-run"), deadlock, safety],
    });
    expect(verdicts(small(false))).toEqual({ "not-run": "holds", deadlock: "holds", "memory-safety": "holds" });
    expect(verdicts(small(true))["memory-safety"]).toBe("use-after-free");
  });

  test("misuse: an unknown work, two workers, too short, under a spinlock", () => {
    const { w, q, keventd } = queueOf(ran);
    const stranger = global("stranger", work());
    expect(complaint({ threads: () => [thread("t", () => void queue_work(q, stranger))] })).toMatch(/work_function/);
    const second = () => thread("second", () => worker(q), { kind: "worker" });
    const twice = () => {
      queue_work(q, w);
      flush_workqueue(q);
      queue_work(q, w);
    };
    expect(verdicts({ threads: () => [keventd(), second(), thread("t", twice)] }).deadlock).toBe("model-error");
    const short = global("short", workqueue({ works: () => [work_function(mddev, "del_work", () => {})], length: 1 }));
    const fills = () => {
      queue_work(short, md0.del_work);
      queue_work(short, mddev.object("md1").del_work);
    };
    expect(verdicts({ threads: () => [thread("t", fills)] }).deadlock).toBe("model-error");
    const lock = global("lock", spinlock());
    const spins = () => {
      spin_lock(lock);
      flush_workqueue(q);
      spin_unlock(lock);
    };
    expect(verdicts({ threads: () => [keventd(), thread("t", spins)], properties: USUAL })["atomic-sleep"]).toBe(
      "sleep-in-atomic",
    );
    const misuse = () => {
      // @ts-expect-error a field that is no work
      work_function(mddev, "name", () => {});
      // @ts-expect-error no work
      queue_work(q, lock);
    };
    expect(typeof misuse).toBe("function");
  });
});
