/** Two tasks that take two mutexes: in opposite orders before the fix, in the same order after it. */
import {
  deadlock,
  fn,
  global,
  inc,
  int,
  invariant,
  lockDiscipline,
  memorySafety,
  mutex,
  mutex_lock,
  mutex_unlock,
  noEbusy,
  plain,
  protocol,
  replace,
  size,
  thread,
  vacuous,
  violated,
} from "lockstep";

const a = global("lock_a", mutex());
const b = global("lock_b", mutex());
const count = global("count", plain(int(0, 8)));

const forward = fn("take_forward", { at: "drivers/block/abba.c" }, () => {
  mutex_lock(a);
  mutex_lock(b);
  inc(count, { under: b });
  mutex_unlock(b);
  mutex_unlock(a);
});

const backward = fn("take_backward", { at: "drivers/block/abba.c" }, () => {
  mutex_lock(b);
  mutex_lock(a);
  inc(count, { under: b });
  mutex_unlock(a);
  mutex_unlock(b);
});

const ordered = replace(backward, () => {
  mutex_lock(a);
  mutex_lock(b);
  inc(count, { under: b });
  mutex_unlock(b);
  mutex_unlock(a);
});

const bounded = invariant(
  "count-bounded",
  { title: "the count stays below five", message: "the count reached five" },
  () => count.now.lt(5),
);

export default protocol("abba", {
  title: "two mutexes in two orders",
  source: "a textbook",
  variants: [
    { id: "crossed", title: "opposite orders" },
    { id: "ordered", title: "the same order", base: "crossed", replaces: [ordered] },
  ],
  scenarios: [
    {
      id: "one-each",
      title: "one task each way",
      sizes: { writers: { default: 1, min: 1, max: 3, what: "tasks that go forward" } },
      threads: () => [thread("fwd", () => forward(), { count: size("writers") }), thread("bwd", () => backward())],
      properties: [deadlock, lockDiscipline, memorySafety, noEbusy, bounded],
    },
    {
      id: "forward-only",
      title: "two tasks the same way",
      threads: () => [thread("fwd", () => forward(), { count: 2 })],
      properties: [deadlock, lockDiscipline],
      variants: ["crossed"],
    },
  ],
  expected: [
    violated(["crossed"], ["one-each"], deadlock, ["deadlock"], "each task holds what the other one wants"),
    vacuous([], ["one-each"], memorySafety, "nothing is ever freed"),
    vacuous([], ["one-each"], noEbusy, "nothing is only tried"),
  ],
});
