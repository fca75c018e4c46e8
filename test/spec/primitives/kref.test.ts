import {
  atomic,
  atomic_dec_and_lock,
  atomic_inc,
  global,
  If,
  initially,
  invariant,
  kfree,
  kref,
  kref_get,
  kref_get_unless_zero,
  kref_init,
  kref_put,
  memorySafety,
  noFinding,
  report,
  spin_lock,
  spin_unlock,
  spinlock,
  struct,
  thread,
} from "../../../src/index.ts";
import { complaint, run, type Small, USUAL, verdicts } from "./small-protocol.ts";

const disk = struct("gendisk", { slots: 1, as: "disk" }, { ref: kref(3) });
const d = disk.object("md0");
const v = global("v", atomic(-1, 2));
const lock = global("lock", spinlock());
const seen = (kind: string) => noFinding(kind, kind, { title: kind, message: kind });
const put = () => {
  kref_put(d.ref, () => kfree(d));
};

describe("kref", () => {
  const users = (references: number): Small => ({
    threads: () => [thread("u", put, { count: 2 })],
    start: () => initially(d.ref, references),
  });

  test("the last put releases, once", () => {
    // Each user: put, and the last one frees. The two orders meet where both have put; then the free.
    const result = run(users(2));
    expect(result.outcomes.find((o) => o.property === "memory-safety")?.verdict).toBe("holds");
    expect(result.states).toBe(6);
    expect(verdicts(users(1))["memory-safety"]).toBe("refcount-underflow");
    expect(verdicts(users(3))["memory-safety"]).toBe("vacuous");
  });

  test("get after the last put, unless_zero, and init", () => {
    const safety = { ...memorySafety, trigger: { marks: [], what: "" } };
    const alone = (body: () => void): string =>
      verdicts({ threads: () => [thread("a", body)], properties: [safety] })["memory-safety"]!;
    expect(alone(() => kref_get(d.ref))).toBe("use-after-free");
    expect(alone(put)).toBe("refcount-underflow");
    const proper = () => {
      kref_init(d.ref);
      kref_get(d.ref);
      put();
      put();
    };
    expect(alone(proper)).toBe("holds");
    const tried = (references: number): string =>
      verdicts({
        threads: () => [thread("a", () => report("taken", "taken", kref_get_unless_zero(d.ref)))],
        start: () => initially(d.ref, references),
        properties: [seen("taken")],
      }).taken!;
    expect(tried(0)).toBe("holds");
    expect(tried(1)).toBe("taken");
    expect(complaint({ threads: () => [thread("a", () => void kref_get_unless_zero(d.ref))] })).toMatch(/ignored/);
  });

  test("the result says whether it was the last, and release need not free", () => {
    const last = () => {
      const was = kref_put(d.ref, () => report("released", "released"));
      report("last", "last", was);
    };
    const small = (references: number): Small => ({
      threads: () => [thread("a", last)],
      start: () => initially(d.ref, references),
      properties: [seen("released"), seen("last")],
    });
    expect(verdicts(small(1))).toEqual({ released: "released", last: "last" });
    expect(verdicts(small(2))).toEqual({ released: "holds", last: "holds" });
  });
});

describe("atomic_dec_and_lock", () => {
  const drop = () => {
    const zero = atomic_dec_and_lock(v, lock);
    If(zero, () => {
      report("zero", "zero");
      spin_unlock(lock);
    });
  };
  const small = (value: number, count: number): Small => ({
    threads: () => [thread("t", drop, { count })],
    start: () => initially(v, value),
    properties: [...USUAL, seen("zero")],
  });

  test("the last one gets the lock, the others do not", () => {
    expect(verdicts(small(2, 1))).toMatchObject({ zero: "holds", "lock-discipline": "vacuous" });
    expect(verdicts(small(1, 1))).toMatchObject({ zero: "zero", "lock-discipline": "holds", deadlock: "holds" });
    // Both may see 2 or one may see 1: whoever comes last has the lock and gives it back.
    expect(verdicts(small(2, 2))).toMatchObject({ zero: "zero", "lock-discipline": "holds", deadlock: "holds" });
  });

  test("the value may rise between the cmpxchg and the lock: then it is not the last after all", () => {
    const raised: Small = {
      threads: () => [
        thread("t", () => {
          const zero = atomic_dec_and_lock(v, lock);
          If(
            zero,
            () => spin_unlock(lock),
            () => report("not-last", "not last"),
          );
        }),
        thread("get", () => {
          spin_lock(lock);
          atomic_inc(v);
          spin_unlock(lock);
        }),
      ],
      start: () => initially(v, 1),
      properties: [
        ...USUAL,
        seen("not-last"),
        invariant("never", { title: "never below 0", message: "below" }, () => v.now.ge(0)),
      ],
    };
    expect(verdicts(raised)).toMatchObject({ "not-last": "not-last", never: "holds", "lock-discipline": "holds" });
  });

  test("below zero, and misuse", () => {
    const safety = { ...memorySafety, trigger: { marks: [], what: "" } };
    expect(verdicts({ ...small(0, 1), properties: [safety] })["memory-safety"]).toBe("refcount-underflow");
    expect(verdicts({ ...small(1, 2), properties: [safety] })["memory-safety"]).toBe("refcount-underflow");
    expect(complaint({ threads: () => [thread("a", () => void atomic_dec_and_lock(v, lock))] })).toMatch(/ignored/);
    const nested = () => {
      spin_lock(lock);
      drop();
    };
    expect(verdicts({ ...small(1, 1), threads: () => [thread("a", nested)] }).deadlock).toBe("self-deadlock");
  });
});
