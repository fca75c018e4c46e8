import {
  atomic,
  atomic_dec_and_test,
  Break,
  bio_account,
  bio_endio,
  bool,
  clone_endio,
  completedOnce,
  deadlock,
  EIO,
  Forever,
  free_bio,
  global,
  If,
  initially,
  initially_submitted,
  lostBio,
  memorySafety,
  noFinding,
  outcome,
  plain,
  read,
  report,
  split_bio,
  struct,
  submit_bio,
  thread,
  wait_on_bio,
  write,
} from "../../../src/index.ts";
import { complaint, run, type Small, verdicts } from "./small-protocol.ts";

const bio = struct("bio", { slots: 2, as: "bio" }, { io: bio_account({ clones: 2 }), deferred: plain(bool) });
const x = bio.object("x");
const lost = lostBio({ bios: bio });
const waits = lostBio({ bios: bio, waiting: (b) => b.deferred.now });
const safety = { ...memorySafety, trigger: { marks: [], what: "" } };
const seen = (kind: string) => noFinding(kind, kind, { title: kind, message: kind });
const device = (status: number) => thread("device", () => bio_endio(x, status), { kind: "device" });

describe("bio accounting", () => {
  test("submitted and completed; submitted and lost; legitimately waiting", () => {
    const completes = () => {
      submit_bio(x);
      bio_endio(x, 0);
    };
    const small = (body: () => void, property = lost): Small => ({
      threads: () => [thread("t", body)],
      properties: [property, completedOnce],
    });
    expect(verdicts(small(completes))).toEqual({ "lost-bio": "holds", "completed-once": "holds" });
    expect(verdicts(small(() => submit_bio(x)))["lost-bio"]).toBe("bio-lost");
    expect(verdicts(small(() => {}))["lost-bio"]).toBe("vacuous");
    const defers = () => {
      submit_bio(x);
      write(x.deferred, true);
    };
    expect(verdicts(small(defers))["lost-bio"]).toBe("bio-lost");
    expect(verdicts(small(defers, waits))["lost-bio"]).toBe("holds");
    const resubmits = () => {
      completes();
      submit_bio(x);
    };
    expect(verdicts(small(resubmits))).toEqual({ "lost-bio": "bio-lost", "completed-once": "holds" });
  });

  test("in flight from the start: there is something to lose", () => {
    const small = (...threads: ReturnType<typeof device>[]): Small => ({
      threads: () => [thread("t", () => void write(x.deferred, true)), ...threads],
      start: () => initially_submitted(x),
      properties: [lost, completedOnce],
    });
    expect(verdicts(small(device(0)))).toEqual({ "lost-bio": "holds", "completed-once": "holds" });
    expect(verdicts(small())).toEqual({ "lost-bio": "bio-lost", "completed-once": "holds" });
  });

  test("completed twice, freed in flight", () => {
    const twice = () => {
      submit_bio(x);
      bio_endio(x, 0);
      bio_endio(x, -EIO);
    };
    const small = (body: () => void): Small => ({
      threads: () => [thread("t", body)],
      properties: [completedOnce, safety, lost],
    });
    expect(verdicts(small(twice))).toEqual({
      "completed-once": "bio-completed-twice",
      "memory-safety": "holds",
      "lost-bio": "holds",
    });
    const freed = () => {
      submit_bio(x);
      free_bio(x);
    };
    expect(verdicts(small(freed))["completed-once"]).toBe("bio-lost");
    const late = () => {
      freed();
      bio_endio(x, 0);
    };
    expect(verdicts(small(late))["memory-safety"]).toBe("use-after-free");
    expect(verdicts(small(() => bio_endio(x, 0)))["memory-safety"]).toBe("bug-on");
    const inFlight = () => {
      submit_bio(x);
      submit_bio(x);
    };
    expect(verdicts(small(inFlight))["memory-safety"]).toBe("bug-on");
  });

  test("waiting for it, and its status", () => {
    const small = (completes: boolean, resting = false): Small => ({
      threads: () => [
        thread("t", () => {
          const rc = wait_on_bio(x, resting ? { resting: () => x.deferred.now } : {});
          report("eio", "failed", rc.eq(-EIO));
          report("ok", "ok", rc.ok());
        }),
        ...(completes ? [device(-EIO)] : []),
      ],
      start: () => {
        initially_submitted(x);
        initially(x.deferred, true);
      },
      properties: [seen("eio"), seen("ok"), deadlock],
    });
    expect(verdicts(small(true))).toEqual({ eio: "eio", ok: "holds", deadlock: "holds" });
    expect(verdicts(small(false)).deadlock).toBe("deadlock");
    expect(verdicts(small(false, true)).deadlock).toBe("vacuous");
  });

  test("clones: whoever ends last completes the bio with the first error", () => {
    const ends = (statuses: readonly [number, number]): Small => {
      const end = (status: number) => () => {
        const { last, status: error } = clone_endio(x, status);
        If(last, () => {
          report("eio", "failed", error.eq(-EIO));
          bio_endio(x, error);
        });
      };
      const ready = global("ready", plain(bool));
      const cpu = (name: string, status: number) =>
        thread(name, () => {
          const r = read(ready);
          If(r, end(status));
        });
      return {
        threads: () => [
          thread("t", () => {
            submit_bio(x);
            split_bio(x, 2);
            write(ready, true);
          }),
          cpu("a", statuses[0]),
          cpu("b", statuses[1]),
        ],
        properties: [seen("eio"), completedOnce, safety],
      };
    };
    expect(verdicts(ends([0, 0]))).toEqual({ eio: "holds", "completed-once": "holds", "memory-safety": "holds" });
    expect(verdicts(ends([-EIO, 0]))).toEqual({ eio: "eio", "completed-once": "holds", "memory-safety": "holds" });
    const many = () => {
      submit_bio(x);
      const { last } = clone_endio(x, 0);
      If(last, () => bio_endio(x, 0));
    };
    expect(verdicts({ threads: () => [thread("t", many)], properties: [completedOnce] })["completed-once"]).toBe(
      "bio-completed-twice",
    );
    expect(complaint({ threads: () => [thread("t", () => void clone_endio(x, 0))] })).toMatch(/last clone/);
  });

  test("a struct without accounts is no bio", () => {
    const other = struct("other", { slots: 1, as: "o" }, { n: atomic(0, 1) });
    const misuse = () => {
      // @ts-expect-error no field io
      submit_bio(other.object("o"));
      // @ts-expect-error no field io
      lostBio({ bios: other });
      atomic_dec_and_test(other.object("o").n);
    };
    expect(typeof misuse).toBe("function");
  });
});

describe("outcome", () => {
  const small = (optional: boolean): Small => ({
    threads: () => [
      thread("t", () => {
        const ok = outcome("bdget_disk()", { optional });
        report("ok", "ok", ok);
        report("failed", "failed", ok.not());
      }),
    ],
    properties: [seen("ok"), seen("failed")],
  });

  test("both happen: one step, two ways", () => {
    for (const optional of [true, false]) {
      expect(verdicts(small(optional))).toEqual({ ok: "ok", failed: "failed" });
      expect([run(small(optional)).states, run(small(optional)).transitions]).toEqual([2, 2]);
    }
    expect(complaint({ threads: () => [thread("t", () => void outcome("x()"))] })).toMatch(/ignored/);
  });

  test("failing, where optional, rescues nobody", () => {
    // The bio completes only when a call fails, and the call is made again and again.
    const stuck = (optional: boolean): Small => ({
      threads: () => [
        thread("t", () => {
          Forever(() => {
            const ok = outcome("x()", { optional });
            If(ok.not(), () => Break());
          });
          bio_endio(x, 0);
        }),
        thread("w", () => {
          void wait_on_bio(x);
        }),
      ],
      start: () => initially_submitted(x),
      properties: [deadlock],
    });
    expect(verdicts(stuck(false)).deadlock).toBe("holds");
    expect(verdicts(stuck(true)).deadlock).toBe("partial-deadlock");
  });
});
