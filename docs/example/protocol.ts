/** The example of docs/writing-a-model.md: a queue is frozen with a lock held that I/O needs. */
import {
  blk_mq_freeze_queue,
  blk_mq_unfreeze_queue,
  blk_queue_enter,
  blk_queue_exit,
  deadlock,
  enumeration,
  fn,
  freezable,
  initially,
  lockDiscipline,
  memorySafety,
  mutex,
  mutex_lock,
  mutex_unlock,
  plain,
  protocol,
  read,
  replace,
  struct,
  thread,
  vacuous,
  violated,
  write,
} from "lockstep";

const request_queue = struct(
  "request_queue",
  { slots: 1, as: "q" },
  {
    sysfs_lock: mutex(),
    usage: freezable(1),
    elevator: plain(enumeration("none", "mq-deadline")),
  },
);
const sda = request_queue.object("sda");

const elevator_switch = fn("elevator_switch", { at: "block/elevator.c" }, () => {
  mutex_lock(sda.sysfs_lock);
  blk_mq_freeze_queue(sda.usage);
  write(sda.elevator, "mq-deadline", { under: sda.sysfs_lock });
  blk_mq_unfreeze_queue(sda.usage);
  mutex_unlock(sda.sysfs_lock);
});

/** Submits I/O whose completion looks at the elevator. */
const submit_bio = fn("submit_bio", { at: "block/blk-core.c" }, () => {
  blk_queue_enter(sda.usage);
  mutex_lock(sda.sysfs_lock);
  read(sda.elevator, { under: sda.sysfs_lock });
  mutex_unlock(sda.sysfs_lock);
  blk_queue_exit(sda.usage);
});

/** The patch: freeze first, lock then. */
const freeze_first = [
  replace(elevator_switch, () => {
    blk_mq_freeze_queue(sda.usage);
    mutex_lock(sda.sysfs_lock);
    write(sda.elevator, "mq-deadline", { under: sda.sysfs_lock });
    mutex_unlock(sda.sysfs_lock);
    blk_mq_unfreeze_queue(sda.usage);
  }),
];

export default protocol("freeze-vs-lock", {
  title: "freezing a queue with a lock held that I/O needs",
  source: "an example, no real code",
  variants: [
    { id: "before", title: "lock, then freeze" },
    { id: "freeze-first", title: "freeze, then lock", base: "before", replaces: freeze_first },
  ],
  scenarios: [
    {
      id: "switch-vs-io",
      title: "the elevator is switched while a bio is submitted",
      threads: () => [thread("store", () => elevator_switch()), thread("app", () => submit_bio())],
      start: () => initially(sda.elevator, "none"),
      properties: [deadlock, lockDiscipline, memorySafety],
    },
  ],
  expected: [
    violated(
      ["before"],
      ["switch-vs-io"],
      deadlock,
      ["deadlock"],
      "the store holds sysfs_lock and waits until nobody is in the queue; the bio is in it and waits for sysfs_lock",
    ),
    vacuous([], [], memorySafety, "nothing is freed"),
  ],
});
