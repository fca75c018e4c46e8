import {
  alloc,
  atomically,
  dataRace,
  down_read,
  down_read_trylock,
  down_write,
  down_write_trylock,
  global,
  If,
  inc,
  int,
  invariant,
  kfree,
  lockDiscipline,
  observer,
  pause,
  plain,
  RWSEM_SWITCH,
  read,
  report,
  rw_semaphore,
  struct,
  thread,
  up_read,
  up_write,
  write,
} from "../../../src/index.ts";
import { findingOf, run, type Small, USUAL, verdicts } from "./small-protocol.ts";

const sem = global("sem", rw_semaphore());
const other = global("other", rw_semaphore());
const switches = { rwsem: RWSEM_SWITCH };
const unfair = { setting: { rwsem: "unfair" } };

const reader = (name: string, body: () => void = () => pause("reads")) =>
  thread(name, () => {
    down_read(sem);
    body();
    up_read(sem);
  });
const writer = (name: string, body: () => void = () => pause("writes")) =>
  thread(name, () => {
    down_write(sem);
    body();
    up_write(sem);
  });

describe("rw_semaphore", () => {
  test("one thread, down_read; up_read: three states", () => {
    const result = run({ threads: () => [reader("a", () => {})] });
    expect([result.states, result.transitions]).toEqual([3, 2]);
  });

  test("readers share, writers exclude", () => {
    const inside = global("inside", observer(int(-9, 9)));
    const change = (by: number) => inside.set(inside.now.plus(by));
    const shared = invariant("shared", { title: "never two readers", message: "two readers" }, () => inside.now.lt(2));
    const apart = invariant("apart", { title: "a writer is alone", message: "not alone" }, () =>
      inside.now.ne(-4).and(inside.now.ne(-8)),
    );
    const r = (name: string) =>
      thread(name, () => {
        down_read(sem);
        atomically("in", () => change(1));
        atomically("out", () => change(-1));
        up_read(sem);
      });
    const w = (name: string) =>
      thread(name, () => {
        down_write(sem);
        atomically("in", () => change(-5));
        atomically("out", () => change(5));
        up_write(sem);
      });
    for (const setting of ["fair", "unfair"]) {
      const small: Small = {
        threads: () => [r("r1"), r("r2"), w("w1"), w("w2")],
        properties: [shared, apart, ...USUAL],
        switches,
        setting: { rwsem: setting },
      };
      expect(verdicts({ ...small, threads: () => [r("r1"), w("w1"), w("w2")] })).toMatchObject({
        shared: "holds",
        apart: "holds",
        deadlock: "holds",
        "lock-discipline": "holds",
      });
      expect(verdicts({ ...small, threads: () => [r("r1"), r("r2"), w("w1")] })).toMatchObject({
        shared: "invariant",
        apart: "holds",
        deadlock: "holds",
      });
    }
  });

  test("a recursive reader behind a queued writer is stuck under fair, and not under unfair", () => {
    const small: Small = {
      threads: () => [
        reader("r", () => {
          down_read(sem);
          up_read(sem);
        }),
        writer("w"),
      ],
      switches,
    };
    expect(verdicts(small).deadlock).toBe("deadlock");
    expect(findingOf(small, "deadlock")).toMatch(/sem.*held by w; .*sem.*held by r: for ever/);
    expect(verdicts({ ...small, ...unfair }).deadlock).toBe("holds");
    expect(verdicts({ ...small, threads: () => [small.threads()[0]!] }).deadlock).toBe("holds");
  });

  test("a writer that reads already waits for itself", () => {
    const threads = () => [reader("r", () => down_write(sem))];
    expect(verdicts({ threads }).deadlock).toBe("self-deadlock");
    expect(verdicts({ threads, switches, ...unfair }).deadlock).toBe("self-deadlock");
    expect(verdicts({ threads: () => [writer("w", () => down_read(sem))] }).deadlock).toBe("self-deadlock");
  });

  test("two semaphores in opposite order: readers and a writer", () => {
    const threads = () => [
      thread("a", () => {
        down_read(sem);
        down_write(other);
        up_write(other);
        up_read(sem);
      }),
      thread("b", () => {
        down_read(other);
        down_write(sem);
        up_write(sem);
        up_read(other);
      }),
    ];
    expect(verdicts({ threads }).deadlock).toBe("deadlock");
  });

  test("the writer hands over to all readers up to the next writer", () => {
    // All orders of the list occur; whatever the order, everybody gets through and nothing is left.
    const threads = () => [writer("w", () => {}), reader("r1"), reader("r2"), writer("w2", () => {})];
    const result = run({ threads });
    expect(result.outcomes.map((o) => o.verdict)).toEqual(["holds", "holds", "vacuous", "vacuous"]);
  });

  test("released by another task, and once too often", () => {
    const done = global("done", plain(int(0, 1)));
    const small: Small = {
      threads: () => [
        thread("a", () => {
          down_read(sem);
          write(done, 1);
        }),
        thread("b", () => {
          const d = read(done);
          If(d.eq(1), () => up_read(sem));
        }),
      ],
    };
    expect(verdicts(small)["lock-discipline"]).toBe("holds");
    expect(verdicts({ threads: () => [thread("a", () => up_read(sem))] })["lock-discipline"]).toBe("unlock-not-owner");
    expect(verdicts({ threads: () => [thread("a", () => up_write(sem))] })["lock-discipline"]).toBe("unlock-not-owner");
    expect(verdicts({ threads: () => [reader("a", () => up_write(sem))] })["lock-discipline"]).toBe("unlock-not-owner");
    expect(verdicts({ threads: () => [writer("a", () => up_read(sem))] })["lock-discipline"]).toBe("unlock-not-owner");
  });

  test("trylocks do not wait, and do not overtake who waits", () => {
    const tries = (first: (s: typeof sem) => void, lock: typeof down_read_trylock): string => {
      const small: Small = {
        threads: () => [
          thread("a", () => {
            first(sem);
            const got = lock(sem);
            report("got", "the trylock succeeded", got);
          }),
        ],
        properties: [lockDiscipline],
      };
      return run(small).marks.includes("trylock")
        ? verdicts({
            ...small,
            properties: [
              {
                ...lockDiscipline,
                id: "got",
                check: () => ({ c: "findings", kinds: ["got"] }),
                trigger: { marks: [], what: "" },
              },
            ],
          }).got!
        : "no trylock";
    };
    expect(tries(() => pause("nothing"), down_read_trylock)).toBe("got");
    expect(tries(() => pause("nothing"), down_write_trylock)).toBe("got");
    expect(tries(down_read, down_read_trylock)).toBe("got");
    expect(tries(down_read, down_write_trylock)).toBe("holds");
    expect(tries(down_write, down_read_trylock)).toBe("holds");
    expect(tries(down_write, down_write_trylock)).toBe("holds");
  });

  test("waiting may be legitimate under a condition", () => {
    const suspended = global("suspended", plain(int(0, 1)));
    const small = (resting: boolean): Small => ({
      threads: () => [
        thread("suspend", () => {
          write(suspended, 1);
          down_write(sem);
        }),
        thread("io", () => {
          down_read(sem, resting ? { resting: () => suspended.now.eq(1) } : {});
          up_read(sem);
        }),
      ],
    });
    expect(verdicts(small(false)).deadlock).toBe("deadlock");
    expect(verdicts(small(true)).deadlock).toBe("holds");
  });

  test("a semaphore in an object that is freed while somebody waits for it", () => {
    const sb = struct("super_block", { slots: 1, as: "sb" }, { s_umount: rw_semaphore() });
    const s = sb.object("root");
    const small: Small = {
      threads: () => [
        thread("umount", () => {
          down_write(s.s_umount);
          kfree(s);
        }),
        thread("sync", () => {
          down_read(s.s_umount);
          up_read(s.s_umount);
        }),
      ],
    };
    expect(verdicts(small)["memory-safety"]).toBe("use-after-free");
    const fresh: Small = {
      threads: () => [
        thread(
          "mount",
          () => {
            const n = alloc(sb);
            down_write(n.s_umount);
            up_write(n.s_umount);
            kfree(n);
          },
          { count: 1 },
        ),
      ],
    };
    expect(verdicts(fresh)).toMatchObject({ deadlock: "holds", "lock-discipline": "holds", "memory-safety": "holds" });
  });

  test("as a claim: for writing by the executing thread, for reading by anybody", () => {
    const n = global("n", plain(int(0, 3)));
    const claim = (...body: (() => unknown)[]): string => {
      const threads = () => [thread("a", () => body.forEach((statement) => void statement()))];
      return verdicts({ threads, properties: [dataRace] })["data-race"]!;
    };
    const down = () => down_read(sem);
    const up = () => up_read(sem);
    expect(
      claim(
        () => down_write(sem),
        () => inc(n, { under: sem }),
        () => up_write(sem),
      ),
    ).toBe("holds");
    expect(claim(down, () => inc(n, { under: sem }), up)).toBe("data-race");
    expect(claim(down, () => read(n, { under: sem.reading }), up)).toBe("holds");
    expect(claim(() => read(n, { under: sem.reading }))).toBe("data-race");
  });
});
