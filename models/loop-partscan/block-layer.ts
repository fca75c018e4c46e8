/**
 * block/ of v4.0: rereading the table (ioctl.c, partition-generic.c), taking a disk away, ending a request (blk-mq.c).
 */
import {
  bio_endio,
  blk_queue_exit,
  EBUSY,
  EBUSY_CONTENDED,
  EINVAL,
  errno,
  fn,
  If,
  mutex_trylock,
  mutex_unlock,
  ptr,
  Return,
  read,
  write,
} from "lockstep";
import { block_device, disk, loop0 } from "./objects.ts";
import { request } from "./request.ts";

const IOCTL = "block/ioctl.c";
const PARTITION = "block/partition-generic.c";
const GENHD = "block/genhd.c";

/** bd_mutex is held. Reading the table is I/O through the loop queue, which needs none of the mutexes here. */
export const rescan_partitions = fn(
  "rescan_partitions",
  { at: PARTITION, params: { bdev: ptr(block_device) }, returns: errno },
  ({ bdev }) => {
    const under = { under: bdev.bd_mutex };
    // drop_partitions()
    const part_count = read(bdev.bd_part_count, under);
    If(part_count.ne(0), () => Return(-EBUSY));
    write(disk.part_tbl, "none", under);

    write(bdev.bd_invalidated, false, under);
    const capacity = read(disk.capacity);
    If(capacity.eq("none"), () => Return(0));
    // check_partition(), then the partitions found are added
    write(disk.part_tbl, capacity, under);
    Return(0);
  },
);

/** The ioctl BLKRRPART: bd_mutex is only tried. All callers are capable, and pass the whole disk. */
export const blkdev_reread_part = fn(
  "blkdev_reread_part",
  { at: IOCTL, params: { bdev: ptr(block_device) }, returns: errno },
  ({ bdev }) => {
    const no_part_scan = read(disk.GENHD_FL_NO_PART_SCAN);
    If(no_part_scan, () => Return(-EINVAL));
    const locked = mutex_trylock(bdev.bd_mutex);
    If(locked.not(), () => Return(-EBUSY_CONTENDED));
    const res = rescan_partitions({ bdev });
    mutex_unlock(bdev.bd_mutex);
    Return(res);
  },
);

/** `ioctl_by_bdev(bdev, BLKRRPART, 0)` */
export const ioctl_by_bdev_BLKRRPART = fn(
  "ioctl_by_bdev",
  { at: "fs/block_dev.c", params: { bdev: ptr(block_device) }, returns: errno },
  ({ bdev }) => {
    Return(blkdev_reread_part({ bdev }));
  },
);

/** Also blk_mq_complete_request(): its bio completes, and then it leaves the queue. */
export const blk_mq_end_request = fn(
  "blk_mq_end_request",
  { at: "block/blk-mq.c", params: { rq: ptr(request), error: errno } },
  ({ rq, error }) => {
    bio_endio(rq, error);
    blk_queue_exit(loop0.lo_queue);
  },
);

/** Takes no bd_mutex before 5.13. */
export const del_gendisk = fn("del_gendisk", { at: GENHD }, () => {
  write(disk.part_tbl, "none");
  write(disk.capacity, "none");
  write(disk.GENHD_FL_UP, false);
});
