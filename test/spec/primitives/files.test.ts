/** Ids and files: what an open file pins, and what a pointer found by its id does not. */
import {
  alloc,
  fd_install,
  file,
  fput,
  get_file,
  global,
  If,
  idr,
  idr_alloc,
  idr_find,
  idr_remove,
  idr_replace,
  initially,
  initially_in,
  int,
  kfree,
  memorySafety,
  mutex,
  mutex_lock,
  mutex_unlock,
  NULL,
  plain,
  read,
  struct,
  thread,
  write,
} from "../../../src/index.ts";
import { complaint, verdicts } from "./small-protocol.ts";

const dev = struct("dev", { slots: 2, as: "d" }, { n: plain(int(0, 1)) });
const first = dev.object("first");
const table = global("table", idr(dev, 2));
const lock = global("lock", mutex());
const f = global("filp", file(3));

describe("idr", () => {
  const start = () => initially_in(table, 1, first);
  const memory = [memorySafety];
  const remover = (under: boolean) => () => {
    if (under) mutex_lock(lock);
    idr_remove(table, 1, under ? { under: lock } : {});
    if (under) mutex_unlock(lock);
    kfree(first);
  };

  test("what is found may be freed before it is used", () => {
    const finder = () => {
      const d = idr_find(table, 1);
      If(d.ne(NULL), () => {
        read(d.n);
      });
    };
    const threads = () => [thread("finder", finder), thread("remover", remover(false))];
    expect(verdicts({ threads, start, properties: memory })).toEqual({ "memory-safety": "use-after-free" });
  });

  test("unless both are under one lock", () => {
    const finder = () => {
      mutex_lock(lock);
      const d = idr_find(table, 1, { under: lock });
      If(d.ne(NULL), () => {
        read(d.n, { under: lock });
      });
      mutex_unlock(lock);
    };
    const threads = () => [thread("finder", finder), thread("remover", remover(true))];
    expect(verdicts({ threads, start, properties: memory })).toEqual({ "memory-safety": "holds" });
  });

  test("an id is given once, is free after idr_remove, and idr_replace does not ask", () => {
    const twice = () => [
      thread("t", () => {
        const d = alloc(dev);
        idr_alloc(table, d, 1);
      }),
    ];
    const again = () => [
      thread("t", () => {
        idr_remove(table, 1);
        idr_alloc(table, first, 1);
        idr_replace(table, NULL, 1);
        const d = idr_find(table, 1);
        If(d.eq(NULL), () => kfree(first));
      }),
    ];
    expect(verdicts({ threads: twice, start, properties: memory })).toEqual({ "memory-safety": "bug-on" });
    expect(verdicts({ threads: again, start, properties: memory })).toEqual({ "memory-safety": "holds" });
    const threads = () => [thread("t", () => void idr_find(table, 0))];
    expect(complaint({ threads, start: () => initially_in(table, 2, first) })).toContain("the ids 0 to 1");
  });
});

describe("a file", () => {
  const properties = [memorySafety];
  const release = () => kfree(first);

  test("keeps its opener's device until the last user has put it", () => {
    const user = () => {
      read(first.n);
      fput(f, release);
    };
    const threads = () => [thread("a", user), thread("b", user)];
    const start = () => initially(f, 2);
    expect(verdicts({ threads, start, properties })).toEqual({ "memory-safety": "holds" });
    // One reference for two users is one too few.
    const one = verdicts({ threads, start: () => initially(f, 1), properties });
    expect(["use-after-free", "refcount-underflow"]).toContain(one["memory-safety"]);
  });

  test("a system call holds it; of a closed one it cannot", () => {
    const caller = () => {
      get_file(f);
      write(first.n, 1);
      fput(f, release);
    };
    const closer = () => fput(f, release);
    const start = () => initially(f, 1);
    const threads = () => [thread("caller", caller), thread("closer", closer)];
    expect(verdicts({ threads, start, properties })).toEqual({ "memory-safety": "use-after-free" });
    const opener = () => {
      fd_install(f);
      caller();
      fput(f, release);
    };
    expect(verdicts({ threads: () => [thread("opener", opener)], properties })).toEqual({ "memory-safety": "holds" });
  });

  test("is opened once", () => {
    const threads = () => [
      thread("t", () => {
        fd_install(f);
        fd_install(f);
        kfree(first);
      }),
    ];
    expect(verdicts({ threads, properties })).toEqual({ "memory-safety": "bug-on" });
  });
});
