/**
 * One device, part_shift = 0, bd_invalidated = 0. T1 has its file open before the start; an opener is counted in
 * lo_refcnt and bd_openers, and holds a reference to the disk.
 */
import {
  atomicSleep,
  deadlock,
  Forever,
  If,
  initially,
  lockDiscipline,
  memorySafety,
  noEbusy,
  pause,
  reached,
  type Scenario,
  size,
  type ThreadSpec,
  thread,
  worker,
} from "lockstep";
import { blkdev_get, blkdev_get_partition, blkdev_put, blkdev_put_partition } from "./block-dev.ts";
import { bdev, disk, first, loop_index_idr, loop0, reread_begun } from "./objects.ts";
import { detachCompletes, flagsKept, lostBio, releaseRescans, rereadServed, retries } from "./properties.ts";
import { lo_ioctl, loop_control_ioctl, loop_wq } from "./v4.0.ts";
import { sync_blockdev, write_page, writers } from "./writeback.ts";

const everywhere = [deadlock, lockDiscipline, memorySafety, atomicSleep, noEbusy];
/** In these, loop_reread_partitions() retries. */
const retrying = ["wilson-2015", "lei-2015", "lei-2015-return"];

/** A registered device, with so many files open on it. */
function device(openers: number): void {
  initially(disk.GENHD_FL_UP, true);
  initially(disk.GENHD_FL_NO_PART_SCAN, true);
  initially(disk.private_data, loop0);
  initially(loop_index_idr, loop0);
  initially(loop0.lo_refcnt.int, openers);
  initially(bdev.bd_openers.int, openers);
  initially(disk.kobj, 1 + openers);
}

/** It is bound to the first file; with PARTSCAN its partition table has been read. */
function bound(flags: { AUTOCLEAR: boolean; PARTSCAN: boolean }): void {
  initially(loop0.lo_state, "Lo_bound");
  initially(loop0.lo_backing_file, first);
  initially(loop0.lo_device, bdev);
  initially(disk.capacity, "first");
  initially(loop0.lo_flags.AUTOCLEAR, flags.AUTOCLEAR);
  initially(loop0.lo_flags.PARTSCAN, flags.PARTSCAN);
  if (flags.PARTSCAN) {
    initially(disk.GENHD_FL_NO_PART_SCAN, false);
    initially(disk.part_tbl, "first");
  }
}

/** `losetup -P`, second half. */
const set_status = () => {
  lo_ioctl({ cmd: "LOOP_SET_STATUS" });
};
/** `losetup -d`, first half. */
const clr_fd = () => {
  const rc = lo_ioctl({ cmd: "LOOP_CLR_FD" });
  If(rc.ok(), () => reached("detached"));
};
const udev = (count = 1): ThreadSpec =>
  thread(
    "udev",
    () => {
      const rc = blkdev_get();
      If(rc.ok(), () => blkdev_put());
    },
    { count },
  );
const closer = () =>
  thread("closer", () => {
    blkdev_put();
    reached("last-close");
  });
const remove = () =>
  thread("remove", () => {
    loop_control_ioctl();
  });

export const scenarios: readonly Scenario[] = [
  {
    id: "set-status-vs-open",
    title: "LOOP_SET_STATUS asks for a partition scan while udev opens and closes the disk",
    sizes: { openers: { default: 1, min: 1, max: 28, what: "udevs that open and close the disk" } },
    threads: () => [thread("T1", set_status), udev(size("openers"))],
    start: () => {
      device(1);
      bound({ AUTOCLEAR: false, PARTSCAN: false });
    },
    properties: [...everywhere, ...retries],
    only: { "ebusy-recoverable": retrying, "retry-ends": retrying },
  },
  {
    id: "set-status-vs-endless-opens",
    title: "LOOP_SET_STATUS asks for a partition scan while udev opens and closes the disk for ever",
    threads: () => [
      thread("T1", () => {
        pause("ioctl(fd, LOOP_SET_STATUS64)");
        reread_begun.set(true);
        reached("reread-begun");
        set_status();
      }),
      thread("udev", () => {
        Forever(() => {
          const rc = blkdev_get();
          If(rc.ok(), () => blkdev_put());
        });
      }),
    ],
    start: () => {
      device(1);
      bound({ AUTOCLEAR: false, PARTSCAN: false });
    },
    // v4.0 tries once and drops the result: there is nothing to be served. Of lei-2015 to the letter every close that is
    // not the last ends in an error, so there is no opening and closing for ever: it is asked, and vacuous.
    variants: ["wilson-2015", "lei-2015", "lei-2015-return", "v4.2", "v4.14", "v5.0", "v5.1", "v5.13", "v5.19"],
    properties: [rereadServed],
  },
  {
    id: "autoclear-last-close",
    title: "the last close of a device with AUTOCLEAR and PARTSCAN",
    threads: () => [closer()],
    start: () => {
      device(1);
      bound({ AUTOCLEAR: true, PARTSCAN: true });
    },
    properties: [...everywhere, releaseRescans],
  },
  {
    id: "autoclear-vs-remove",
    title: "the last close of a device with AUTOCLEAR and PARTSCAN while LOOP_CTL_REMOVE runs",
    threads: () => [closer(), remove()],
    start: () => {
      device(1);
      bound({ AUTOCLEAR: true, PARTSCAN: true });
    },
    properties: everywhere,
  },
  {
    id: "unbound-close-vs-remove",
    title: "the last close of an unbound device while LOOP_CTL_REMOVE runs",
    threads: () => [closer(), remove()],
    start: () => device(1),
    properties: everywhere,
  },
  {
    id: "set-status-vs-open-vs-remove",
    title: "LOOP_SET_STATUS asks for a partition scan while udev opens and closes, and LOOP_CTL_REMOVE runs",
    threads: () => [thread("T1", set_status), udev(), remove()],
    start: () => {
      device(1);
      bound({ AUTOCLEAR: false, PARTSCAN: false });
    },
    properties: [...everywhere, ...retries],
    only: { "ebusy-recoverable": retrying, "retry-ends": retrying },
  },
  {
    id: "clr-fd-vs-rebind",
    title: "LOOP_CLR_FD while another opens the disk and binds it again, read-only",
    threads: () => [
      thread("T1", clr_fd),
      thread("other", () => {
        const opened = blkdev_get();
        If(opened.ok(), () => {
          const rc = lo_ioctl({ cmd: "LOOP_SET_FD" });
          If(rc.ok(), () => reached("bound-again"));
        });
      }),
    ],
    start: () => {
      device(1);
      bound({ AUTOCLEAR: false, PARTSCAN: true });
    },
    properties: [...everywhere, flagsKept],
  },
  {
    id: "open-vs-remove",
    title: "udev opens and closes an unbound device while LOOP_CTL_REMOVE runs",
    threads: () => [udev(), remove()],
    start: () => device(0),
    properties: everywhere,
  },
  {
    id: "detach-vs-open",
    title: "LOOP_CLR_FD and close while udev opens and closes the disk",
    threads: () => [
      thread("T1", () => {
        clr_fd();
        blkdev_put();
      }),
      udev(),
    ],
    start: () => {
      device(1);
      bound({ AUTOCLEAR: false, PARTSCAN: true });
    },
    properties: [...everywhere, detachCompletes],
  },
  {
    id: "set-status-close-vs-open",
    title: "LOOP_SET_STATUS and close while udev opens and closes: a lock-order cycle that cannot happen (control)",
    threads: () => [
      thread("T1", () => {
        set_status();
        blkdev_put();
      }),
      udev(),
    ],
    start: () => {
      device(1);
      bound({ AUTOCLEAR: false, PARTSCAN: false });
    },
    properties: everywhere,
  },
  {
    id: "detach-vs-partition-open",
    title: "LOOP_CLR_FD and close while udev opens and closes a partition",
    threads: () => [
      thread("T1", () => {
        clr_fd();
        blkdev_put();
      }),
      thread("udev", () => {
        const rc = blkdev_get_partition();
        If(rc.ok(), () => blkdev_put_partition());
      }),
    ],
    start: () => {
      device(1);
      bound({ AUTOCLEAR: false, PARTSCAN: true });
    },
    properties: [...everywhere, detachCompletes],
  },
  {
    id: "clr-fd-vs-io",
    title: "LOOP_CLR_FD while a page of the device that the flusher writes back is in flight",
    sizes: { pages: { default: 1, min: 1, max: 24, what: "pages in flight, each written by a task of its own" } },
    threads: () => [
      thread("T1", clr_fd),
      ...writers().map(({ name, rq }) => thread(name, () => write_page({ rq }))),
      thread("kworker", () => worker(loop_wq), { kind: "worker" }),
    ],
    start: () => {
      device(1);
      bound({ AUTOCLEAR: false, PARTSCAN: false });
    },
    properties: [...everywhere, lostBio],
  },
  {
    id: "io-vs-remove",
    title: "the last close of a device with AUTOCLEAR that has just been written to, while LOOP_CTL_REMOVE runs",
    sizes: { pages: { default: 1, min: 1, max: 24, what: "dirty pages of the device at its last close" } },
    threads: () => [
      thread("closer", () => {
        sync_blockdev();
        blkdev_put();
        reached("last-close");
      }),
      remove(),
      thread("kworker", () => worker(loop_wq), { kind: "worker" }),
    ],
    start: () => {
      device(1);
      bound({ AUTOCLEAR: true, PARTSCAN: false });
    },
    properties: everywhere,
  },
];
