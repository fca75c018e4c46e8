// biome-ignore-all lint/complexity/noCommaOperator: bodies of two calls read best on one line
import {
  alloc,
  atomic,
  atomic_dec,
  atomic_dec_and_test,
  atomic_dec_return,
  atomic_inc,
  atomic_inc_return,
  atomic_read,
  atomic_set,
  atomically,
  bit,
  blk_mq_freeze_queue,
  blk_mq_unfreeze_queue,
  blk_queue_enter,
  blk_queue_exit,
  clear_bit,
  deadlock,
  freezable,
  global,
  If,
  initially,
  int,
  invariant,
  kfree,
  MSLEEP_SWITCH,
  memorySafety,
  msleep,
  mutex,
  mutex_lock,
  mutex_trylock,
  mutex_unlock,
  NULL,
  noFinding,
  pause,
  plain,
  ptr,
  read,
  refcount,
  report,
  set_bit,
  spin_lock,
  spin_unlock,
  spinlock,
  struct,
  test_and_clear_bit,
  test_and_set_bit,
  test_bit,
  thread,
  write,
} from "../../../src/index.ts";
import { complaint, run, type Small, USUAL, verdicts } from "./small-protocol.ts";

const seen = (kind: string) => noFinding(kind, kind, { title: kind, message: kind });
const safety = { ...memorySafety, trigger: { marks: [], what: "" } };
const safe = (body: () => void): string =>
  verdicts({ threads: () => [thread("t", body)], properties: [safety] })["memory-safety"]!;

describe("atomic_t", () => {
  const v = global("v", atomic(0, 3));

  test("every operation is one step: two increments are never lost", () => {
    const small: Small = {
      threads: () => [
        thread("t", () => atomic_inc(v), { count: 2 }),
        thread("look", () => {
          const n = atomic_read(v);
          report("two", "two", n.eq(2));
        }),
      ],
      properties: [seen("two")],
    };
    expect(verdicts(small).two).toBe("two");
    expect(run({ ...small, threads: () => [small.threads()[0]!] }).states).toBe(4);
  });

  test("values returned are those after the operation", () => {
    const wrong: string[] = [];
    const small: Small = {
      threads: () => [
        thread("t", () => {
          const check = (what: string, ok: ReturnType<typeof test_bit>) => report(what, what, ok.not());
          atomic_set(v, 1);
          check("set", atomic_read(v).eq(1));
          check("inc", atomic_inc_return(v).eq(2));
          check("dec", atomic_dec_return(v).eq(1));
          check("zero", atomic_dec_and_test(v));
          atomic_inc(v);
          atomic_inc(v);
          check("not-zero", atomic_dec_and_test(v).not());
          atomic_dec(v);
          check("end", atomic_read(v).eq(0));
        }),
      ],
      properties: ["set", "inc", "dec", "zero", "not-zero", "end"].map(seen),
    };
    for (const [name, verdict] of Object.entries(verdicts(small))) if (verdict !== "holds") wrong.push(name);
    expect(wrong).toEqual([]);
  });

  test("of two that decrement to zero exactly one sees zero", () => {
    const seenBy = global("seenBy", atomic(0, 2));
    const once = invariant("once", { title: "once", message: "twice" }, () => seenBy.now.lt(2));
    const never = invariant("never", { title: "never", message: "once" }, () => seenBy.now.eq(0));
    const small: Small = {
      threads: () => [
        thread(
          "t",
          () => {
            const zero = atomic_dec_and_test(v);
            If(zero, () => atomic_inc(seenBy));
          },
          { count: 2 },
        ),
      ],
      start: () => initially(v, 2),
      properties: [once, never],
    };
    expect(verdicts(small)).toEqual({ once: "holds", never: "invariant" });
  });

  test("out of its range is an error of the model, below zero of a count one of the kernel", () => {
    expect(safe(() => atomic_dec(v))).toBe("model-error");
    const ref = global("ref", refcount(2, { init: 1 }));
    expect(safe(() => (atomic_dec(ref), atomic_dec(ref)))).toBe("refcount-underflow");
    expect(safe(() => atomic_dec(ref))).toBe("holds");
  });
});

describe("bits", () => {
  const b = global("b", bit());

  test("test_and_set_bit is won once", () => {
    const winners = global("winners", atomic(0, 2));
    const small = (atomicOne: boolean): Small => ({
      threads: () => [
        thread(
          "t",
          () => {
            if (atomicOne) {
              const was = test_and_set_bit(b);
              If(was.not(), () => atomic_inc(winners));
            } else {
              const was = test_bit(b);
              If(was.not(), () => {
                set_bit(b);
                atomic_inc(winners);
              });
            }
          },
          { count: 2 },
        ),
      ],
      properties: [invariant("one", { title: "one", message: "two" }, () => winners.now.lt(2))],
    });
    expect(verdicts(small(true)).one).toBe("holds");
    expect(verdicts(small(false)).one).toBe("invariant");
  });

  test("what they return, and where they start", () => {
    const set = global("set", bit({ init: true }));
    const small: Small = {
      threads: () => [
        thread("t", () => {
          report("a", "a", test_bit(b));
          report("b", "b", test_bit(set).not());
          report("c", "c", test_and_clear_bit(set).not());
          report("d", "d", test_bit(set));
          set_bit(b);
          clear_bit(b);
          report("e", "e", test_and_clear_bit(b));
        }),
      ],
      properties: ["a", "b", "c", "d", "e"].map(seen),
    };
    expect(Object.values(verdicts(small))).toEqual(Array(5).fill("holds"));
  });
});

describe("msleep", () => {
  const m = global("m", mutex());
  const switches = { msleep: MSLEEP_SWITCH };
  const quiescent = { setting: { msleep: "quiescent" } };
  /** Tries once, sleeps, tries again. */
  const retry = () => {
    const first = mutex_trylock(m);
    If(
      first,
      () => mutex_unlock(m),
      () => {
        msleep(100);
        const second = mutex_trylock(m);
        If(
          second,
          () => mutex_unlock(m),
          () => report("ebusy", "busy after a sleep"),
        );
      },
    );
  };
  const holder = (body: () => void) => () => {
    mutex_lock(m);
    body();
    mutex_unlock(m);
  };

  test("-EBUSY after a sleep: timing under any, gone under quiescent", () => {
    const small: Small = {
      threads: () => [
        thread("t", retry),
        thread(
          "h",
          holder(() => pause("works")),
        ),
      ],
      properties: [seen("ebusy")],
      switches,
    };
    expect(verdicts(small).ebusy).toBe("ebusy");
    expect(verdicts({ ...small, ...quiescent }).ebusy).toBe("holds");
  });

  test("structural where the holder waits for the sleeper", () => {
    const n = global("n", mutex());
    const small: Small = {
      threads: () => [
        thread("t", () => {
          mutex_lock(n);
          retry();
          mutex_unlock(n);
        }),
        thread(
          "h",
          holder(() => {
            mutex_lock(n);
            mutex_unlock(n);
          }),
        ),
      ],
      properties: [seen("ebusy"), deadlock],
      switches,
      ...quiescent,
    };
    expect(verdicts(small)).toEqual({ ebusy: "ebusy", deadlock: "holds" });
  });

  test("keeps what it holds, and must not be called in atomic context", () => {
    const s = global("s", spinlock());
    const under = () => {
      spin_lock(s);
      msleep(1);
      spin_unlock(s);
    };
    const small: Small = { threads: () => [thread("t", under)], switches };
    expect(verdicts(small)["atomic-sleep"]).toBe("sleep-in-atomic");
    expect(
      verdicts({
        ...small,
        threads: () => [
          thread(
            "t",
            holder(() => msleep(1)),
          ),
        ],
      }),
    ).toMatchObject({
      "lock-discipline": "holds",
      deadlock: "holds",
    });
  });
});

describe("memory", () => {
  const obj = struct("obj", { slots: 1, as: "o" }, { n: plain(int(0, 3), { init: 2 }), next: plain(ptr(() => other)) });
  const other = struct("other", { slots: 1, as: "p" }, {});
  const first = obj.object("first");
  const slot = global("slot", plain(ptr(obj)));

  test("freed twice, used after it was freed, NULL", () => {
    expect(safe(() => (kfree(first), kfree(first)))).toBe("double-free");
    expect(safe(() => (kfree(first), void read(first.n)))).toBe("use-after-free");
    expect(safe(() => (kfree(first), write(first.n, 1)))).toBe("use-after-free");
    expect(safe(() => void read(read(slot).n))).toBe("null-dereference");
    expect(safe(() => kfree(read(slot)))).toBe("holds");
    expect(safe(() => kfree(first))).toBe("holds");
  });

  test("a new object has its declared values, whatever its slot held before", () => {
    const fresh = () => {
      const o = alloc(obj);
      write(o.n, 3);
      kfree(o);
      const p = alloc(obj);
      report("stale", "stale", read(p.n).ne(2));
    };
    const small: Small = { threads: () => [thread("t", fresh)], properties: [seen("stale"), safety] };
    expect(verdicts(small)).toEqual({ stale: "holds", "memory-safety": "holds" });
  });

  test("a slot is used again only when nothing points to the old object", () => {
    const keeps = (keep: boolean) => () => {
      const o = alloc(obj);
      if (keep) write(slot, o);
      kfree(o);
      const p = alloc(obj);
      write(p.n, 1);
      if (keep) read(read(slot).n);
    };
    expect(safe(keeps(false))).toBe("holds");
    expect(safe(keeps(true))).toBe("model-error");
    const reused = struct("obj", { slots: 1, as: "o", reuse: () => true }, { n: plain(int(0, 3)) });
    const where = global("where", plain(ptr(reused)));
    const recycled = () => {
      const o = alloc(reused);
      write(where, o);
      write(o.n, 3);
      kfree(o);
      const p = alloc(reused);
      report("kept", "the recycled object keeps its state", read(p.n).eq(3));
      write(read(where).n, 1);
    };
    expect(verdicts({ threads: () => [thread("t", recycled)], properties: [seen("kept"), safety] })).toEqual({
      kept: "kept",
      "memory-safety": "holds",
    });
  });

  test("an allocation may fail, where that is asked for", () => {
    const tries = (mayFail: boolean) => () => {
      const o = alloc(obj, { mayFail });
      report("null", "no memory", o.eq(NULL));
      report("object", "memory", o.ne(NULL));
    };
    const small = (mayFail: boolean): Small => ({
      threads: () => [thread("t", tries(mayFail))],
      properties: [seen("null"), seen("object")],
    });
    expect(verdicts(small(false))).toEqual({ null: "holds", object: "object" });
    expect(verdicts(small(true))).toEqual({ null: "null", object: "object" });
    expect(run(small(true)).states).toBe(3);
    const inside = () => atomically("x", () => void alloc(obj, { mayFail: true }));
    expect(complaint({ threads: () => [thread("t", inside)] })).toMatch(/take it out of atomically/);
  });
});

describe("freezing a queue", () => {
  const q = global("q", freezable(3));
  const io =
    (inside: () => void = () => pause("I/O")) =>
    () => {
      blk_queue_enter(q);
      inside();
      blk_queue_exit(q);
    };
  const freeze =
    (frozen: () => void = () => pause("frozen")) =>
    () => {
      blk_mq_freeze_queue(q);
      frozen();
      blk_mq_unfreeze_queue(q);
    };

  test("waits for who is inside and lets nobody in; freezes nest", () => {
    const empty = () => atomically("look", () => report("inside", "somebody is inside", q.inside.gt(0)));
    const small: Small = {
      threads: () => [thread("io", io(), { count: 2 }), thread("f", freeze(empty)), thread("g", freeze(empty))],
      properties: [seen("inside"), deadlock, safety],
    };
    expect(verdicts(small)).toEqual({ inside: "holds", deadlock: "holds", "memory-safety": "holds" });
  });

  test("frozen from inside, or with a lock that a request needs", () => {
    expect(verdicts({ threads: () => [thread("t", io(freeze()))] }).deadlock).toBe("deadlock");
    const m = global("m", mutex());
    const locked = (body: () => void) => () => {
      mutex_lock(m);
      body();
      mutex_unlock(m);
    };
    const small = (needs: boolean): Small => ({
      threads: () => [thread("io", io(needs ? locked(() => {}) : undefined)), thread("f", locked(freeze()))],
      properties: USUAL,
    });
    expect(verdicts(small(true)).deadlock).toBe("deadlock");
    expect(verdicts(small(false)).deadlock).toBe("holds");
    // Requests that wait while it is frozen for ever.
    expect(
      verdicts({ threads: () => [thread("f", () => blk_mq_freeze_queue(q)), thread("io", io())] }).deadlock,
    ).toMatch(/deadlock/);
  });

  test("misuse", () => {
    expect(safe(() => blk_queue_exit(q))).toBe("refcount-underflow");
    expect(safe(() => blk_mq_unfreeze_queue(q))).toBe("bug-on");
  });
});
