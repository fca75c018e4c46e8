/** A protocol some statements of which no run comes to. */
import {
  BUG_ON,
  bool,
  fn,
  Goto,
  global,
  If,
  int,
  Label,
  mutex,
  mutex_lock,
  mutex_unlock,
  plain,
  protocol,
  ptr,
  Return,
  read,
  struct,
  thread,
  wait_until,
  write,
} from "lockstep";

const lock = global("lock", mutex());
const closed = global("closed", plain(bool));
const x = global("x", plain(int(0, 3)));
const object = struct("object", { slots: 1, as: "obj", immortal: true }, { field: plain(int(0, 1)) });
const pointer = global("pointer", plain(ptr(object)));

const never = fn("never", { at: "x.c" }, () => {
  write(x, 2);
  Return();
});

const open = fn("open", { at: "x.c" }, () => {
  mutex_lock(lock);
  const gone = read(closed);
  If(gone, () => {
    mutex_unlock(lock);
    Return();
  });
  write(x, 1);
  BUG_ON(gone, "gone");
  Goto("out");
  write(x, 3);
  never();
  Label("out");
  mutex_unlock(lock);
});

const opener = () => thread("opener", () => open());

export default protocol("unreached", {
  title: "statements that no run comes to",
  source: "a test",
  variants: [{ id: "only", title: "the only one" }],
  scenarios: [
    { id: "alone", title: "nobody closes", threads: () => [opener()], properties: [] },
    {
      id: "with-closer",
      title: "another closes",
      threads: () => [opener(), thread("closer", () => write(closed, true))],
      properties: [],
    },
    {
      id: "stuck",
      title: "one waits for what nobody does",
      threads: () => [
        thread("waiter", () => {
          wait_until("wait for closed", () => closed.now);
          write(x, 1);
        }),
      ],
      properties: [],
    },
    {
      id: "crash",
      title: "one follows a NULL pointer",
      threads: () => [
        thread("crasher", () => {
          const p = read(pointer);
          write(p.field, 1);
          write(x, 1);
        }),
      ],
      properties: [],
    },
  ],
});
