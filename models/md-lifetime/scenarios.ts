/**
 * The module is loaded; there is no mddev and no disk. Openers open the whole disk. `worker` is the thread of the
 * queue that deletes devices; `auditor` looks at what is left when everything is at rest.
 */
import {
  atomicSleep,
  deadlock,
  Forever,
  If,
  initially,
  lockDiscipline,
  may_signal,
  memorySafety,
  NULL,
  type Property,
  type Scenario,
  type ThreadSpec,
  thread,
} from "lockstep";
import { __blkdev_get, __blkdev_put, in_user_mode } from "./block-dev.ts";
import { audit } from "./leaks.ts";
import { type Disk, memory_is_short, unfinished } from "./objects.ts";
import { idleGoes, livelocks, noCodeAfterUnload, oneDisk, oneRestart, openSucceeds, queueFreed } from "./properties.ts";
import { md_ioctl, rmmod, sysfs_write_file, worker_thread } from "./v2.6.28.ts";

const everywhere: readonly Property[] = [
  deadlock,
  memorySafety,
  lockDiscipline,
  atomicSleep,
  oneDisk,
  oneRestart,
  openSucceeds,
  queueFreed,
  livelocks.smp,
];

/** Where the queue is allocated with the mddev; where an open may start again. */
const only = { ...livelocks.only, "queue-freed": ["v2.6.28", "brown-2008", "brown-2008-lost-store", "brown-2008-new"] };

function finished(): void {
  unfinished.set(unfinished.now.minus(1));
}

/** open(2); close(2) */
const open_close = () => {
  const opened = __blkdev_get({ once: true });
  If(opened.ne(NULL), () => close({ opened }));
  finished();
};
/** open(2); ioctl(2); close(2) */
const open_ioctl_close = (once: boolean) => {
  const opened = __blkdev_get({ once });
  If(opened.ne(NULL), () => {
    ioctl({ opened });
    close({ opened });
  });
};
const openers = (count: number): ThreadSpec => thread("opener", open_close, { count });
const worker = (): ThreadSpec => thread("worker", () => worker_thread(), { kind: "worker" });
const auditor = (): ThreadSpec => thread("auditor", () => audit());
const writer = (attr: "new_dev" | "size" | "slot"): ThreadSpec =>
  thread("writer", () => {
    sysfs_write_file({ attr });
    finished();
  });

const generations = (n: number) => ({
  generations: { default: n, min: 1, max: 8, what: "mddevs, and disks, that memory is remembered of at once" },
});

export const scenarios: readonly Scenario[] = [
  {
    id: "one-open",
    title: "one opener opens and closes the device",
    sizes: generations(4),
    threads: () => [openers(1), worker(), auditor()],
    start: () => initially(unfinished, 1),
    properties: [...everywhere, idleGoes],
    only,
  },
  {
    id: "two-openers",
    title: "two openers open and close the device",
    sizes: generations(4),
    threads: () => [openers(2), worker(), auditor()],
    start: () => initially(unfinished, 2),
    properties: [...everywhere, idleGoes, livelocks.strong, livelocks.one_cpu],
    only,
  },
  {
    id: "open-vs-looping-opener",
    title: "one opener opens and closes the device while another one opens, configures and closes it for ever",
    sizes: generations(4),
    threads: () => [openers(1), thread("looper", () => Forever(() => repeat(open_ioctl_close))), worker()],
    start: () => initially(unfinished, 2),
    properties: [...everywhere, livelocks.strong, livelocks.one_cpu],
    only,
  },
  {
    id: "three-openers",
    title: "three openers open and close the device",
    // without brown-2008-lost-store: tens of millions of states, and two openers show all that there is to see
    variants: [
      "v2.6.28",
      "brown-2008",
      "brown-2008-new",
      "v2.6.29",
      "v2.6.31",
      "v3.0",
      "v3.2",
      "v4.10",
      "v5.8",
      "v5.13",
      "v6.0",
    ],
    sizes: generations(4),
    threads: () => [openers(3), worker(), auditor()],
    start: () => initially(unfinished, 3),
    properties: everywhere,
    only,
  },
  {
    id: "open-vs-signal",
    title: "an opener may get a signal while another one opens, configures and closes the device",
    sizes: generations(4),
    threads: () => [
      openers(1),
      thread("other", () => {
        open_ioctl_close(true);
        finished();
      }),
      worker(),
      auditor(),
      thread("signal", () => may_signal("opener"), { kind: "environment" }),
    ],
    start: () => initially(unfinished, 2),
    properties: [...everywhere, livelocks.one_cpu],
    only,
  },
  {
    id: "sysfs-flush",
    title: "one opener opens and closes the device while a sysfs store flushes the queue",
    sizes: generations(4),
    threads: () => [openers(1), writer("new_dev"), worker(), auditor()],
    start: () => initially(unfinished, 2),
    properties: [...everywhere, livelocks.one_cpu],
    only,
  },
  {
    id: "sysfs-bd-mutex",
    title: "two openers open and close the device while a sysfs store takes its bd_mutex",
    sizes: generations(4),
    threads: () => [openers(2), writer("size"), worker(), auditor()],
    start: () => initially(unfinished, 3),
    properties: [...everywhere, livelocks.one_cpu],
    only,
  },
  {
    id: "sysfs-bind",
    title: "two openers open and close the device while a sysfs store adds a member",
    sizes: generations(5),
    threads: () => [openers(2), writer("slot"), worker(), auditor()],
    start: () => initially(unfinished, 3),
    properties: everywhere,
    only,
  },
  {
    id: "no-memory",
    title: "two openers open and close the device, and memory may run out",
    sizes: generations(4),
    threads: () => [openers(2), worker(), auditor()],
    start: () => {
      initially(unfinished, 2);
      initially(memory_is_short, true);
    },
    properties: everywhere,
    only,
  },
  {
    id: "rmmod",
    title: "one opener opens and closes the device, and the module is unloaded",
    sizes: generations(4),
    threads: () => [
      openers(1),
      thread("rmmod", () => {
        rmmod();
        finished();
      }),
      worker(),
      auditor(),
    ],
    start: () => initially(unfinished, 2),
    properties: [...everywhere, noCodeAfterUnload],
    only,
  },
];

/* ---- between two system calls ---- */

function ioctl(file: { opened: Disk }): void {
  in_user_mode();
  md_ioctl(file);
}
function close(file: { opened: Disk }): void {
  in_user_mode();
  __blkdev_put(file);
}
function repeat(open_ioctl_close: (once: boolean) => void): void {
  in_user_mode();
  open_ioctl_close(false);
}
