/**
 * Misuse that must not compile. This file is type-checked, never run: each line under a `@ts-expect-error` is a
 * mistake a model author could make, and tsc fails if it ever becomes legal.
 */
import {
  atomic,
  atomic_inc,
  bool,
  enumeration,
  errno,
  fn,
  global,
  If,
  inc,
  initially,
  int,
  mutex,
  mutex_lock,
  mutex_unlock,
  NULL,
  plain,
  ptr,
  Return,
  read,
  spin_lock,
  spinlock,
  struct,
  write,
} from "../../src/index.ts";

const loop = struct(
  "loop",
  { slots: 1, as: "lo" },
  { ctl: mutex(), state: plain(enumeration("unbound", "bound")), ref: plain(int(0, 3)) },
);
const queue = struct("queue", { slots: 1, as: "q" }, { lock: spinlock() });
const lo = loop.object("loop0");
const m = global("m", mutex());
const s = global("s", spinlock());
const a = global("a", atomic(0, 3));
const n = global("n", plain(int(0, 3)));
const flag = global("flag", plain(bool));
const device = global("device", plain(ptr(loop)));
const open = fn("open", { at: "a.c", params: { l: ptr(loop), times: int(0, 3) }, returns: errno }, () => Return(0));

export function misuse(): void {
  // @ts-expect-error a spinlock is no mutex
  mutex_lock(s);
  // @ts-expect-error a mutex is no spinlock
  spin_lock(m);
  // @ts-expect-error plain data is no lock
  mutex_unlock(n);
  // @ts-expect-error a plain integer is not atomic_t
  atomic_inc(n);
  // @ts-expect-error atomic_t is not read like plain data
  read(a);
  // @ts-expect-error a lock is not read
  read(m);
  // @ts-expect-error no such label
  write(lo.state, "rundown");
  // @ts-expect-error comparing with a label of another enumeration
  read(lo.state).eq("Lo_bound");
  // @ts-expect-error a number is no pointer
  write(device, 0);
  // @ts-expect-error a pointer to another struct
  write(device, queue.object("q0"));
  // @ts-expect-error a number is no Boolean
  write(flag, 1);
  // @ts-expect-error an expression is never a number
  if (read(n) === 0) return;
  // @ts-expect-error If takes a condition
  If(read(n), () => {});
  // @ts-expect-error the field of a pointer that has not been read
  mutex_lock(device.ctl);
  // @ts-expect-error a mutex is not counted
  inc(lo.ctl);
  // @ts-expect-error no such field
  read(lo.refcnt);
  // @ts-expect-error a missing argument
  open({ l: lo });
  // @ts-expect-error an argument of another type
  open({ l: queue.object("q0"), times: 1 });
  // @ts-expect-error an argument too many
  open({ l: NULL, times: 1, mode: 2 });
  // @ts-expect-error no arguments at all
  open();
  // @ts-expect-error the claim names data, not a lock
  inc(n, { under: flag });
  // @ts-expect-error an initial value of another type
  initially(n, "bound");
}
