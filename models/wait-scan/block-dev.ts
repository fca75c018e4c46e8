/**
 * fs/block_dev.c, block/ioctl.c and fs/partitions/check.c of 2.6.22, as far as a partition scan goes through them: the
 * variant `before`. A driver registers a disk (register_disk); an open file is scanned again by BLKRRPART.
 */
import {
  alloc,
  atomic_dec_and_test,
  dec,
  EBUSY,
  EBUSY_CONTENDED,
  enumeration,
  errno,
  fn,
  If,
  inc,
  kfree,
  lock_kernel,
  mutex_lock_nested,
  mutex_trylock,
  mutex_unlock,
  pause,
  ptr,
  Return,
  read,
  report,
  sleep_until,
  unlock_kernel,
  write,
} from "lockstep";
import { block_device, probes, reads_are_lost, waiter_holds_bd_mutex } from "./objects.ts";

const BLOCK_DEV = "fs/block_dev.c";
const CHECK = "fs/partitions/check.c";
const driver = enumeration("none", "driver1", "driver2");
const bdev_of = { bdev: ptr(block_device) };

/** The last reference frees the inode and the bdev in it. */
export const bdput = fn("bdput", { at: BLOCK_DEV, params: bdev_of }, ({ bdev }) => {
  If(atomic_dec_and_test(bdev.i_count), () => kfree(bdev));
});

/**
 * Reads the partition table from the disk: sleeps until the page is there. The device owes the completion; where the
 * scenario loses it, waiting here is legitimate.
 */
export const check_partition = fn("check_partition", { at: CHECK }, () => {
  sleep_until("wait_on_page_locked(page)", () => reads_are_lost.now.not(), { resting: () => reads_are_lost.now });
});

/** The end of a scan. */
export const add_partitions = fn("add_partition", { at: CHECK, params: bdev_of }, ({ bdev }) => {
  pause("add_partition(disk, p)");
  If(bdev.registered_by.now.eq("driver1"), () => probes[0].set("scanned"));
  If(bdev.registered_by.now.eq("driver2"), () => probes[1].set("scanned"));
});

/** The caller holds bdev->bd_mutex. */
export const rescan_partitions = fn("rescan_partitions", { at: CHECK, params: bdev_of, returns: errno }, ({ bdev }) => {
  const part_count = read(bdev.bd_part_count, { under: bdev.bd_mutex });
  If(part_count.ne(0), () => Return(-EBUSY));
  // invalidate_partition() succeeds: what it syncs is not modelled, and failing it would only return earlier
  write(bdev.bd_invalidated, false, { under: bdev.bd_mutex });
  pause("delete_partition(disk, p)");
  check_partition();
  add_partitions({ bdev });
  Return(0);
});

/** The disk is registered, so get_gendisk() finds it; the driver has no ->open. */
export const do_open = fn("do_open", { at: BLOCK_DEV, params: bdev_of, returns: errno }, ({ bdev }) => {
  lock_kernel();
  mutex_lock_nested(bdev.bd_mutex, 0);
  const invalidated = read(bdev.bd_invalidated, { under: bdev.bd_mutex });
  If(invalidated, () => {
    rescan_partitions({ bdev });
  });
  inc(bdev.bd_openers, { under: bdev.bd_mutex });
  mutex_unlock(bdev.bd_mutex);
  unlock_kernel();
  Return(0);
});

export const __blkdev_put = fn("__blkdev_put", { at: BLOCK_DEV, params: bdev_of }, ({ bdev }) => {
  mutex_lock_nested(bdev.bd_mutex, 0);
  lock_kernel();
  // the last opener also syncs and drops the pages, which a disk that was only read does not have to write
  dec(bdev.bd_openers, { under: bdev.bd_mutex });
  unlock_kernel();
  mutex_unlock(bdev.bd_mutex);
  bdput({ bdev });
});

/** Called by a driver's probe through add_disk(). bdget_disk() takes the only reference to the new bdev. */
export const register_disk = fn("register_disk", { at: CHECK, params: { by: driver } }, ({ by }) => {
  const bdev = alloc(block_device, { call: "bdget_disk(disk, 0)" });
  bdev.registered_by.set(by);
  // nobody else can know the bdev yet
  write(bdev.bd_invalidated, true, { race: "the bdev is not published yet" });
  do_open({ bdev });
  __blkdev_put({ bdev });
});

/** A driver's probe is queued and begins, and ends when its disk is registered. */
export const probe_begins = fn("probe", { at: "drivers/xen/xenbus/xenbus_probe.c" }, () => {
  pause("the probe begins");
});
export const probe_ends = fn("probe (end)", { at: "drivers/xen/xenbus/xenbus_probe.c" }, () => {});

/** ioctl(BLKRRPART) on an open file. */
export const blkdev_reread_part = fn(
  "blkdev_reread_part",
  { at: "block/ioctl.c", params: bdev_of, returns: errno },
  ({ bdev }) => {
    lock_kernel();
    const taken = mutex_trylock(bdev.bd_mutex);
    If(taken.not(), () => {
      // Part of the failing step: a moment later somebody else may hold it.
      report("ebusy", "BLKRRPART ends with -EBUSY because insmod held bd_mutex", waiter_holds_bd_mutex.now);
      unlock_kernel();
      Return(-EBUSY_CONTENDED);
    });
    const res = rescan_partitions({ bdev });
    mutex_unlock(bdev.bd_mutex);
    unlock_kernel();
    Return(res);
  },
);

/** Module init of blkdev_wait_scan. Before the patch there is nothing to wait with. */
export const rescan_partitions_wait = fn("rescan_partitions_wait", { at: CHECK }, () => {
  pause("no wait");
});
