/** fs/block_dev.c of v4.0: opening and closing a block device. lo_open() and lo_release() run with bd_mutex held. */
import {
  bool,
  dec,
  ENXIO,
  errno,
  fn,
  If,
  inc,
  local,
  mutex_lock,
  mutex_lock_nested,
  mutex_unlock,
  Return,
  read,
} from "lockstep";
import { rescan_partitions } from "./block-layer.ts";
import { bdev, disk, part } from "./objects.ts";
import { lo_open, lo_release, loop_probe } from "./v4.0.ts";

const BLOCK_DEV = "fs/block_dev.c";

/** The disk of a number, found or made. True if found. */
export const get_gendisk = fn("get_gendisk", { at: "block/genhd.c", returns: bool }, () => {
  const up = read(disk.GENHD_FL_UP);
  If(up.not(), () => loop_probe());
  Return(up);
});

/** Of the whole disk; `for_part` when the first opener of a partition needs it. */
export const __blkdev_get = fn(
  "__blkdev_get",
  { at: BLOCK_DEV, params: { for_part: bool }, returns: errno },
  ({ for_part }) => {
    const found = get_gendisk();
    If(found.not(), () => Return(-ENXIO));

    mutex_lock_nested(bdev.bd_mutex, 1);
    const ret = lo_open();
    const invalidated = read(bdev.bd_invalidated, { under: bdev.bd_mutex });
    If(invalidated.and(ret.ok()), () => {
      rescan_partitions({ bdev });
    });
    If(ret.failed(), () => {
      mutex_unlock(bdev.bd_mutex);
      Return(ret);
    });
    inc(bdev.bd_openers.int, { under: bdev.bd_mutex });
    If(for_part, () => {
      inc(bdev.bd_part_count, { under: bdev.bd_mutex });
    });
    mutex_unlock(bdev.bd_mutex);
    Return(0);
  },
);

export const __blkdev_put = fn("__blkdev_put", { at: BLOCK_DEV, params: { for_part: bool } }, ({ for_part }) => {
  mutex_lock_nested(bdev.bd_mutex, 1);
  If(for_part, () => {
    dec(bdev.bd_part_count, { under: bdev.bd_mutex });
  });
  dec(bdev.bd_openers.int, { under: bdev.bd_mutex });
  lo_release();
  mutex_unlock(bdev.bd_mutex);
});

/** open(2) of /dev/loop0 */
export const blkdev_get = fn("blkdev_get", { at: BLOCK_DEV, returns: errno }, () => {
  Return(__blkdev_get({ for_part: false }));
});

/** The last fput() of an open /dev/loop0 */
export const blkdev_put = fn("blkdev_put", { at: BLOCK_DEV }, () => {
  // an exclusive claim would be dropped here
  mutex_lock(bdev.bd_mutex);
  mutex_unlock(bdev.bd_mutex);
  __blkdev_put({ for_part: false });
});

/** open(2) of /dev/loop0p1; in C the same __blkdev_get(), which calls itself. */
export const blkdev_get_partition = fn("blkdev_get (partition)", { at: BLOCK_DEV, returns: errno }, () => {
  // get_gendisk(): the number of a partition that was deleted leads nowhere
  const exists = read(disk.part_tbl);
  If(exists.eq("none"), () => Return(-ENXIO));

  mutex_lock_nested(part.bd_mutex, 0);
  const openers = read(part.bd_openers.int, { under: part.bd_mutex });
  If(openers.eq(0), () => {
    const ret = __blkdev_get({ for_part: true });
    If(ret.failed(), () => {
      mutex_unlock(part.bd_mutex);
      Return(ret);
    });
    const table = read(disk.part_tbl);
    If(table.eq("none"), () => {
      __blkdev_put({ for_part: true });
      mutex_unlock(part.bd_mutex);
      Return(-ENXIO);
    });
  });
  inc(part.bd_openers.int, { under: part.bd_mutex });
  mutex_unlock(part.bd_mutex);
  Return(0);
});

/** The last fput() of an open /dev/loop0p1 */
export const blkdev_put_partition = fn("blkdev_put (partition)", { at: BLOCK_DEV }, () => {
  mutex_lock(part.bd_mutex);
  mutex_unlock(part.bd_mutex);

  const victim = local("victim", bool, false);
  mutex_lock_nested(part.bd_mutex, 0);
  const openers = dec(part.bd_openers.int, { under: part.bd_mutex });
  If(openers.eq(0), () => victim.set(true));
  mutex_unlock(part.bd_mutex);
  If(victim.value, () => __blkdev_put({ for_part: true }));
});
