/** A task that sleeps while another one works: what it sees afterwards depends on how long a sleep may last. */
import {
  fn,
  global,
  inc,
  int,
  invariant,
  MSLEEP_SWITCH,
  msleep,
  mutex,
  mutex_lock,
  mutex_unlock,
  observer,
  plain,
  protocol,
  read,
  thread,
} from "lockstep";

const lock = global("lock", mutex());
const work = global("work", plain(int(0, 3)));
const seen = global("seen", observer(int(0, 3)));

const worker = fn("worker", { at: "a.c" }, () => {
  mutex_lock(lock);
  inc(work, { under: lock });
  inc(work, { under: lock });
  mutex_unlock(lock);
});

const sleeper = fn("sleeper", { at: "a.c" }, () => {
  msleep(10);
  const now = read(work);
  seen.set(now.plus(1));
});

const neverTwice = invariant("never-twice", { title: "t", message: "work was done twice" }, () => work.now.lt(2));
// Without an early wake-up the sleeper sees all of the work: 2, and so 3.
const late = invariant("late", { title: "t", message: "the sleeper woke early" }, () =>
  seen.now.eq(0).or(seen.now.eq(3)),
);
const bounded = invariant("bounded", { title: "t", message: "too much" }, () => work.now.le(2));

export default protocol("sleepers", {
  title: "a sleeper",
  source: "none",
  switches: { msleep: MSLEEP_SWITCH },
  variants: [{ id: "v", title: "v" }],
  scenarios: [
    {
      id: "s",
      title: "s",
      threads: () => [thread("w", () => worker()), thread("s", () => sleeper())],
      properties: [neverTwice, late, bounded],
    },
  ],
});
