// biome-ignore-all lint/complexity/noCommaOperator: bodies of two calls read best on one line
import {
  alloc,
  atomically,
  atRest,
  Break,
  bio_list,
  bio_list_add,
  bio_list_empty,
  bio_list_get,
  bio_list_init,
  bio_list_merge,
  bio_list_merge_head,
  bio_list_pop,
  dataRace,
  for_each_bio,
  global,
  If,
  initially_listed,
  initially_queued,
  int,
  kfree,
  list_add,
  list_add_tail,
  list_del,
  list_del_init,
  list_empty,
  list_first_entry,
  list_first_entry_or_null,
  list_for_each_entry,
  list_for_each_entry_safe,
  list_head,
  local,
  memorySafety,
  NULL,
  noFinding,
  on_list,
  plain,
  read,
  report,
  spin_lock,
  spin_unlock,
  spinlock,
  struct,
  thread,
  write,
} from "../../../src/index.ts";
import { complaint, type Small, verdicts } from "./small-protocol.ts";

const bdev = struct("bdev", { slots: 3, as: "b" }, { id: plain(int(0, 3)), mark: plain(int(0, 1)) });
const other = struct("other", { slots: 1, as: "o" }, {});
const [a, b, c] = [bdev.object("a"), bdev.object("b"), bdev.object("c")];
const l = global("l", list_head(bdev));
const lock = global("lock", spinlock());
const safety = { ...memorySafety, trigger: { marks: [], what: "" } };
const seen = (kind: string) => noFinding(kind, kind, { title: kind, message: kind });
const all = { start: () => [a, b, c].forEach((x) => void x.use()) };

/** The verdict of memory-safety for one thread. */
const safe = (body: () => void, start: () => void = all.start): string =>
  verdicts({ threads: () => [thread("t", body)], properties: [safety], start })["memory-safety"]!;

/** Does the condition hold at the end of one thread? */
const atEnd = (body: () => void, condition: Parameters<typeof atRest>[2], start: () => void = all.start): string => {
  const property = atRest("end", { title: "end", message: "end" }, condition);
  return verdicts({ threads: () => [thread("t", body)], properties: [property, safety], start }).end!;
};

describe("list_head", () => {
  test("list_add is at the head, list_add_tail at the tail", () => {
    const build = () => {
      list_add(a, l);
      list_add(b, l);
      list_add_tail(c, l);
    };
    expect(atEnd(build, () => l.first.eq(b).and(l.length.eq(3)))).toBe("holds");
    const rest = () => {
      build();
      list_del(b, l);
    };
    expect(atEnd(rest, () => l.first.eq(a).and(l.length.eq(2)).and(l.has(c)).and(l.has(b).not()))).toBe("holds");
    const less = () => {
      rest();
      list_del(c, l);
    };
    expect(atEnd(less, () => l.first.eq(a).and(l.length.eq(1)))).toBe("holds");
    expect(
      atEnd(
        () => (list_add(a, l), list_del(a, l)),
        () => l.empty,
      ),
    ).toBe("holds");
    expect(atEnd(build, () => l.empty)).toBe("invariant");
  });

  test("the start may have entries", () => {
    const start = () => initially_listed(l, c, a);
    expect(
      atEnd(
        () => void list_empty(l),
        () => l.first.eq(c).and(l.length.eq(2)),
        start,
      ),
    ).toBe("holds");
    expect(complaint({ threads: () => [], start: () => initially_listed(l, a, a) })).toMatch(/twice/);
  });

  test("what is not on the list cannot be deleted, what is on it cannot be added", () => {
    expect(safe(() => list_del(a, l))).toBe("wild-access");
    expect(safe(() => list_del_init(a, l))).toBe("holds");
    expect(safe(() => (list_add(a, l), list_add_tail(a, l)))).toBe("bug-on");
    expect(safe(() => (list_add(a, l), list_del(a, l), list_del(a, l)))).toBe("wild-access");
  });

  test("an object freed on the list is met by its neighbours and by who walks", () => {
    const freed = () => {
      list_add(a, l);
      kfree(a);
    };
    expect(safe(freed)).toBe("holds");
    expect(safe(() => (freed(), list_add(b, l)))).toBe("use-after-free");
    expect(safe(() => (freed(), list_add_tail(b, l)))).toBe("use-after-free");
    expect(safe(() => (list_add(b, l), freed(), list_del(b, l)))).toBe("use-after-free");
    expect(safe(() => (freed(), list_del(a, l)))).toBe("use-after-free");
    expect(safe(() => (list_add(b, l), freed(), void list_for_each_entry(l, () => {})))).toBe("use-after-free");
    expect(safe(() => (freed(), void read(list_first_entry(l).mark)))).toBe("use-after-free");
    // Its slot is not handed out while the list points to it.
    expect(
      safe(
        () => (freed(), list_add(alloc(bdev), l)),
        () => void [b, c].map((x) => x.use()),
      ),
    ).toBe("model-error");
  });

  test("the cursor of a complete walk is a wild pointer", () => {
    const start = () => initially_listed(l, a, b);
    const walked = (stop: boolean) => () => {
      const pos = list_for_each_entry(l, (p) => {
        const id = read(p.id);
        if (stop) If(id.eq(0), () => Break());
      });
      write(pos.mark, 1);
    };
    expect(safe(walked(false), start)).toBe("wild-access");
    expect(safe(walked(true), start)).toBe("holds");
    expect(safe(() => void read(list_first_entry(l).mark))).toBe("wild-access");
    const orNull = () => {
      const p = list_first_entry_or_null(l);
      If(p.ne(NULL), () => write(p.mark, 1));
    };
    expect(safe(orNull)).toBe("holds");
    expect(safe(orNull, start)).toBe("holds");
  });

  test("a walk visits each entry once, in order", () => {
    const visits = global("visits", plain(int(0, 99)));
    const start = () => initially_listed(l, b, c, a);
    for (const walk of [list_for_each_entry, list_for_each_entry_safe]) {
      const body = () => {
        atomically("ids", () => {
          write(a.id, 1);
          write(b.id, 2);
          write(c.id, 3);
        });
        const sum = local("sum", int(0, 99), 0);
        walk(l, (p) => {
          const id = read(p.id);
          sum.set(sum.value.plus(sum.value).plus(id));
        });
        write(visits, sum.value);
      };
      // ((2 * 2) + 3) * 2 + 1
      expect(atEnd(body, () => visits.now.eq(15), start)).toBe("holds");
    }
  });

  test("deleting in the walk: only with _safe", () => {
    const start = () => initially_listed(l, a, b);
    expect(safe(() => void list_for_each_entry(l, (p) => list_del(p, l)), start)).toBe("wild-access");
    const drop = () =>
      void list_for_each_entry_safe(l, (p) => {
        list_del(p, l);
        kfree(p);
      });
    expect(safe(drop, start)).toBe("holds");
    expect(atEnd(drop, () => l.empty, start)).toBe("holds");
  });

  test("each operation is a step unless inside atomically", () => {
    const small = (wrapped: boolean): Small => ({
      threads: () => [
        thread("adds", () => {
          const body = () => {
            list_add(a, l);
            list_add(b, l);
          };
          if (wrapped) atomically("both", body);
          else body();
        }),
        thread("looks", () => {
          const first = list_empty(l);
          const second = on_list(b, l);
          report("half", "a and not b", first.not().and(second.not()));
        }),
      ],
      properties: [seen("half")],
      ...all,
    });
    expect(verdicts(small(false)).half).toBe("half");
    expect(verdicts(small(true)).half).toBe("holds");
  });

  test("a claim of a lock is checked", () => {
    const small = (locked: boolean): Small => ({
      threads: () => [
        thread("t", () => {
          if (locked) spin_lock(lock);
          list_add(a, l, { under: lock });
          if (locked) spin_unlock(lock);
        }),
      ],
      properties: [dataRace],
    });
    expect(verdicts(small(true))["data-race"]).toBe("holds");
    expect(verdicts(small(false))["data-race"]).toBe("data-race");
  });

  test("misuse that must not compile", () => {
    const misuse = () => {
      // @ts-expect-error a pointer to another struct
      list_add(other.object("o"), l);
      // @ts-expect-error no list
      list_empty(lock);
    };
    expect(typeof misuse).toBe("function");
  });
});

describe("bio_list", () => {
  const bio = struct("bio", { slots: 3, as: "bio" }, { sector: plain(int(0, 3)) });
  const [x, y, z] = [bio.object("x"), bio.object("y"), bio.object("z")];
  const deferred = global("deferred", bio_list(bio));
  const pushback = global("pushback", bio_list(bio));
  const under = { under: lock };
  const locked = (body: () => void) => () => {
    spin_lock(lock);
    body();
    spin_unlock(lock);
  };
  const objects = () => [x, y, z].forEach((o) => void o.use());
  const end = (body: () => void, condition: Parameters<typeof atRest>[2], start = objects): string =>
    atEnd(body, condition, start);

  test("a FIFO", () => {
    const fill = () => {
      bio_list_add(deferred, x);
      bio_list_add(deferred, y);
      bio_list_add(deferred, z);
    };
    expect(end(fill, () => deferred.first.eq(x).and(deferred.has(y)).and(deferred.has(z)))).toBe("holds");
    const got = global("got", plain(int(0, 1)));
    const pops = () => {
      fill();
      const [p, q, r, s] = [1, 2, 3, 4].map(() => bio_list_pop(deferred));
      If(p!.eq(x).and(q!.eq(y)).and(r!.eq(z)).and(s!.eq(NULL)), () => write(got, 1));
    };
    expect(end(pops, () => deferred.empty.and(got.now.eq(1)))).toBe("holds");
    const again = () => {
      fill();
      void bio_list_pop(deferred);
      void bio_list_pop(deferred);
      bio_list_add(deferred, x);
    };
    expect(end(again, () => deferred.first.eq(z).and(deferred.has(x)).and(deferred.has(y).not()))).toBe("holds");
  });

  test("merge behind, merge before", () => {
    const start = () => {
      objects();
      initially_queued(deferred, x);
      initially_queued(pushback, y, z);
    };
    const first = global("first", plain(int(0, 1)));
    const order = (merge: typeof bio_list_merge, expected: (typeof x)[]) => () => {
      merge(deferred, pushback);
      bio_list_init(pushback);
      const [p, q, r] = [1, 2, 3].map(() => bio_list_pop(deferred));
      If(p!.eq(expected[0]!).and(q!.eq(expected[1]!)).and(r!.eq(expected[2]!)), () => write(first, 1));
    };
    const done = () => first.now.eq(1).and(deferred.empty).and(pushback.empty);
    expect(end(order(bio_list_merge, [x, y, z]), done, start)).toBe("holds");
    expect(end(order(bio_list_merge_head, [y, z, x]), done, start)).toBe("holds");
    expect(end(order(bio_list_merge_head, [x, y, z]), done, start)).toBe("invariant");
    // Into an empty list, and of an empty one.
    const empty = () => {
      initially_queued(pushback, y, z);
      objects();
    };
    for (const merge of [bio_list_merge, bio_list_merge_head]) {
      expect(
        end(
          () => merge(deferred, pushback),
          () => deferred.first.eq(y).and(deferred.has(z)),
          empty,
        ),
      ).toBe("holds");
      expect(
        end(
          () => merge(pushback, deferred),
          () => pushback.first.eq(y).and(pushback.has(z)),
          empty,
        ),
      ).toBe("holds");
    }
  });

  test("get takes all; the chain is walked and may be queued again", () => {
    const start = () => {
      objects();
      initially_queued(deferred, x, y, z);
    };
    const move = () => {
      const chain = bio_list_get(deferred);
      for_each_bio(deferred, chain, (p) => bio_list_add(pushback, p));
    };
    expect(
      end(move, () => deferred.empty.and(pushback.first.eq(x)).and(pushback.has(y)).and(pushback.has(z)), start),
    ).toBe("holds");
    const free = () => {
      const chain = bio_list_get(deferred);
      for_each_bio(deferred, chain, (p) => kfree(p));
    };
    expect(safe(free, start)).toBe("holds");
    expect(end(free, () => deferred.empty, start)).toBe("holds");
  });

  test("two unlocked adds lose a bio, two locked ones do not", () => {
    const both = (adds: (b: typeof x) => () => void): string => {
      const kept = atRest("kept", { title: "kept", message: "lost" }, () => deferred.has(x).and(deferred.has(y)));
      return verdicts({
        threads: () => [thread("a", adds(x)), thread("b", adds(y))],
        properties: [kept],
        start: objects,
      }).kept!;
    };
    expect(both((p) => () => bio_list_add(deferred, p))).toBe("invariant");
    expect(both((p) => locked(() => bio_list_add(deferred, p, under)))).toBe("holds");
    expect(both((p) => () => atomically("add", () => bio_list_add(deferred, p)))).toBe("holds");
  });

  test("claims, emptiness, freed bios", () => {
    const race = (body: () => void): string =>
      verdicts({ threads: () => [thread("t", body)], properties: [dataRace] })["data-race"]!;
    expect(race(() => bio_list_add(deferred, x, under))).toBe("data-race");
    expect(race(locked(() => bio_list_add(deferred, x, under)))).toBe("holds");
    const looks = (queued: boolean): string =>
      verdicts({
        threads: () => [thread("t", () => report("empty", "empty", bio_list_empty(deferred)))],
        properties: [seen("empty")],
        start: () => (queued ? initially_queued(deferred, x) : objects()),
      }).empty!;
    expect(looks(false)).toBe("empty");
    expect(looks(true)).toBe("holds");
    const freed = () => {
      bio_list_add(deferred, x);
      kfree(x);
    };
    expect(safe(freed, objects)).toBe("holds");
    expect(safe(() => (freed(), void bio_list_pop(deferred)), objects)).toBe("use-after-free");
    expect(safe(() => (freed(), bio_list_add(deferred, y)), objects)).toBe("use-after-free");
  });
});
