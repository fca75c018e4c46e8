/**
 * v5.13 to v5.18: "loop: fix deadlock between open and remove" (990e78116d38). Every device has its lo_mutex since
 * 5.12; now opening needs nothing else, and LOOP_CTL_REMOVE marks the device Lo_deleting before del_gendisk(), which
 * takes bd_mutex. Opening looks under bd_mutex whether the disk still lives. Partitions are reread by
 * bdev_disk_changed() since 5.11.
 */
import {
  atomic_dec_return,
  atomic_inc,
  atomic_read,
  blk_mq_freeze_queue,
  blk_mq_unfreeze_queue,
  bool,
  EBUSY,
  EINVAL,
  ENODEV,
  ENXIO,
  errno,
  fn,
  Goto,
  If,
  inc,
  Label,
  local,
  mutex_lock,
  mutex_lock_killable,
  mutex_lock_nested,
  mutex_unlock,
  NULL,
  ptr,
  Return,
  read,
  replace,
  spin_lock_irq,
  spin_unlock_irq,
  write,
} from "lockstep";
import { blkdev_get, blkdev_get_partition, get_gendisk } from "./block-dev.ts";
import { del_gendisk } from "./block-layer.ts";
import {
  assign_flags,
  bdev,
  block_device,
  disk,
  loop_ctl_mutex,
  loop_index_idr,
  part,
  part_shift,
  second,
} from "./objects.ts";
import { reread_ended } from "./reread.ts";
import { loop_unprepare_queue } from "./unprepare.ts";
import {
  lo_open,
  lo_release,
  loop_clr_fd,
  loop_control_ioctl,
  loop_remove,
  loop_reread_partitions,
  loop_set_fd,
  loop_set_status,
} from "./v4.0.ts";
import { __loop_clr_fd } from "./v5.0.ts";

/** bd_mutex is held. */
export const bdev_disk_changed = fn(
  "bdev_disk_changed",
  { at: "fs/block_dev.c", params: { bdev: ptr(block_device) }, returns: errno },
  ({ bdev }) => {
    const under = { under: bdev.bd_mutex };
    const live = read(disk.GENHD_FL_UP, under);
    If(live.not(), () => Return(-ENXIO));
    const part_count = read(bdev.bd_part_count, under);
    If(part_count.ne(0), () => Return(-EBUSY));
    // blk_drop_partitions()
    write(disk.part_tbl, "none", under);
    write(bdev.bd_invalidated, false, under);

    const capacity = read(disk.capacity);
    If(capacity.ne("none"), () => {
      // blk_add_partitions()
      const no_part_scan = read(disk.GENHD_FL_NO_PART_SCAN);
      If(no_part_scan.not(), () => write(disk.part_tbl, capacity, under));
    });
    Return(0);
  },
);

/** Of the whole disk, whose bd_mutex is held. */
const __blkdev_get_whole = fn("__blkdev_get", { at: "fs/block_dev.c", returns: errno }, () => {
  const live = read(disk.GENHD_FL_UP, { under: bdev.bd_mutex });
  If(live.not(), () => Return(-ENXIO));
  const ret = lo_open();
  const invalidated = read(bdev.bd_invalidated, { under: bdev.bd_mutex });
  If(invalidated.and(ret.ok()), () => {
    bdev_disk_changed({ bdev });
  });
  If(ret.failed(), () => Return(ret));
  inc(bdev.bd_openers.int, { under: bdev.bd_mutex });
  Return(0);
});

export const v5_13 = [
  // blkdev_get_by_dev()
  replace(blkdev_get, () => {
    const found = get_gendisk();
    If(found.not(), () => Return(-ENXIO));

    mutex_lock(bdev.bd_mutex);
    const ret = __blkdev_get_whole();
    mutex_unlock(bdev.bd_mutex);
    Return(ret);
  }),

  // the same of a partition, whose block device leads to the disk's without looking that up
  replace(blkdev_get_partition, () => {
    const exists = read(disk.part_tbl);
    If(exists.eq("none"), () => Return(-ENXIO));

    mutex_lock(part.bd_mutex);
    // the disk's bd_mutex, which protects the flag, is not held
    const live = read(disk.GENHD_FL_UP);
    If(live.not(), () => {
      mutex_unlock(part.bd_mutex);
      Return(-ENXIO);
    });
    const openers = read(part.bd_openers.int, { under: part.bd_mutex });
    If(openers.eq(0), () => {
      mutex_lock_nested(bdev.bd_mutex, 1);
      const ret = __blkdev_get_whole();
      If(ret.failed(), () => {
        mutex_unlock(bdev.bd_mutex);
        mutex_unlock(part.bd_mutex);
        Return(ret);
      });
      inc(bdev.bd_part_count, { under: bdev.bd_mutex });
      mutex_unlock(bdev.bd_mutex);
      // a partition deleted since it was looked up keeps its size: nothing else tests that
    });
    inc(part.bd_openers.int, { under: part.bd_mutex });
    mutex_unlock(part.bd_mutex);
    Return(0);
  }),

  replace(del_gendisk, () => {
    mutex_lock(bdev.bd_mutex);
    write(disk.GENHD_FL_UP, false, { under: bdev.bd_mutex });
    write(disk.part_tbl, "none", { under: bdev.bd_mutex });
    mutex_unlock(bdev.bd_mutex);
    write(disk.capacity, "none");
  }),

  replace(loop_reread_partitions, ({ bdev }) => {
    mutex_lock(bdev.bd_mutex);
    const rc = bdev_disk_changed({ bdev });
    mutex_unlock(bdev.bd_mutex);
    reread_ended(rc);
  }),

  // loop_configure()
  replace(loop_set_fd, ({ lo, bdev }) => {
    const under = { under: lo.lo_mutex };
    const error = mutex_lock_killable(lo.lo_mutex);
    If(error.failed(), () => Return(error));
    const state = read(lo.lo_state, under);
    If(state.ne("Lo_unbound"), () => {
      mutex_unlock(lo.lo_mutex);
      Return(-EBUSY);
    });
    // loop_set_status_from_info() of a request without flags, then those of the file
    assign_flags(lo.lo_flags, { READ_ONLY: false }, under);
    write(lo.lo_flags.READ_ONLY, true, under);
    write(lo.lo_device, bdev, under);
    write(lo.lo_backing_file, second, under);
    write(disk.capacity, "second");
    write(lo.lo_state, "Lo_bound", under);
    if (part_shift) write(lo.lo_flags.PARTSCAN, true, under);
    const partscan = read(lo.lo_flags.PARTSCAN, under);
    If(partscan, () => write(disk.GENHD_FL_NO_PART_SCAN, false));
    mutex_unlock(lo.lo_mutex);
    If(partscan, () => loop_reread_partitions({ lo, bdev }));
    Return(0);
  }),

  replace(__loop_clr_fd, ({ lo, release }) => {
    const under = { under: lo.lo_mutex };
    const err = local("err", errno, 0);
    const partscan = local("partscan", bool, false);
    const bdev = read(lo.lo_device);

    mutex_lock(lo.lo_mutex);
    const state = read(lo.lo_state, under);
    If(state.ne("Lo_rundown"), () => {
      err.set(-ENXIO);
      Goto("out_unlock");
    });
    const filp = read(lo.lo_backing_file, under);
    If(filp.eq(NULL), () => {
      err.set(-EINVAL);
      Goto("out_unlock");
    });

    blk_mq_freeze_queue(lo.lo_queue);

    spin_lock_irq(lo.lo_lock);
    write(lo.lo_backing_file, NULL, under);
    spin_unlock_irq(lo.lo_lock);

    write(lo.lo_device, NULL, under);
    write(disk.capacity, "none");
    blk_mq_unfreeze_queue(lo.lo_queue);

    const flags = read(lo.lo_flags.PARTSCAN, under);
    partscan.set(flags.and(bdev.ne(NULL)));
    loop_unprepare_queue();

    Label("out_unlock");
    mutex_unlock(lo.lo_mutex);
    If(partscan.value, () => {
      // in the release path the caller holds bd_mutex
      If(release.not(), () => mutex_lock(bdev.bd_mutex));
      err.set(bdev_disk_changed({ bdev }));
      If(release.not(), () => mutex_unlock(bdev.bd_mutex));
      reread_ended(err.value);
      err.set(0);
    });

    mutex_lock(lo.lo_mutex);
    assign_flags(lo.lo_flags, { READ_ONLY: false }, under);
    if (!part_shift) write(disk.GENHD_FL_NO_PART_SCAN, true);
    write(lo.lo_state, "Lo_unbound", under);
    mutex_unlock(lo.lo_mutex);
    Return(err.value);
  }),

  replace(loop_clr_fd, ({ lo }) => {
    const under = { under: lo.lo_mutex };
    const err = mutex_lock_killable(lo.lo_mutex);
    If(err.failed(), () => Return(err));
    const state = read(lo.lo_state, under);
    If(state.ne("Lo_bound"), () => {
      mutex_unlock(lo.lo_mutex);
      Return(-ENXIO);
    });
    const refcnt = atomic_read(lo.lo_refcnt.atomic_t);
    If(refcnt.gt(1), () => {
      write(lo.lo_flags.AUTOCLEAR, true, under);
      mutex_unlock(lo.lo_mutex);
      Return(0);
    });
    write(lo.lo_state, "Lo_rundown", under);
    mutex_unlock(lo.lo_mutex);

    Return(__loop_clr_fd({ lo, release: false }));
  }),

  replace(loop_set_status, ({ lo }) => {
    const under = { under: lo.lo_mutex };
    const partscan = local("partscan", bool, false);
    const bdev = local("bdev", ptr(block_device), NULL);
    const err = mutex_lock_killable(lo.lo_mutex);
    If(err.failed(), () => Return(err));
    const state = read(lo.lo_state, under);
    If(state.ne("Lo_bound"), () => {
      mutex_unlock(lo.lo_mutex);
      Return(-ENXIO);
    });

    const prev_lo_flags = read(lo.lo_flags.PARTSCAN, under);
    write(lo.lo_flags.PARTSCAN, true, under);
    write(lo.lo_encrypt_key_size, 0, under);

    If(prev_lo_flags.not(), () => {
      write(disk.GENHD_FL_NO_PART_SCAN, false);
      bdev.set(read(lo.lo_device, under));
      partscan.set(true);
    });
    mutex_unlock(lo.lo_mutex);
    If(partscan.value, () => loop_reread_partitions({ lo, bdev: bdev.value }));
    Return(0);
  }),

  replace(lo_open, () => {
    const lo = read(disk.private_data);
    const err = local("err", errno, 0);
    err.set(mutex_lock_killable(lo.lo_mutex));
    If(err.value.failed(), () => Return(err.value));
    const state = read(lo.lo_state, { under: lo.lo_mutex });
    If(
      state.eq("Lo_deleting"),
      () => err.set(-ENXIO),
      () => atomic_inc(lo.lo_refcnt.atomic_t),
    );
    mutex_unlock(lo.lo_mutex);
    Return(err.value);
  }),

  replace(lo_release, () => {
    const lo = read(disk.private_data);
    const under = { under: lo.lo_mutex };
    mutex_lock(lo.lo_mutex);
    const refcnt = atomic_dec_return(lo.lo_refcnt.atomic_t);
    If(refcnt.ne(0), () => Goto("out_unlock"));

    const autoclear = read(lo.lo_flags.AUTOCLEAR, under);
    const state = read(lo.lo_state, under);
    If(
      autoclear,
      () => {
        If(state.ne("Lo_bound"), () => Goto("out_unlock"));
        write(lo.lo_state, "Lo_rundown", under);
        mutex_unlock(lo.lo_mutex);
        __loop_clr_fd({ lo, release: true });
        Return();
      },
      () =>
        If(state.eq("Lo_bound"), () => {
          blk_mq_freeze_queue(lo.lo_queue);
          blk_mq_unfreeze_queue(lo.lo_queue);
        }),
    );

    Label("out_unlock");
    mutex_unlock(lo.lo_mutex);
  }),

  replace(loop_control_ioctl, () => {
    const ret = local("ret", errno, 0);
    ret.set(mutex_lock_killable(loop_ctl_mutex));
    If(ret.value.failed(), () => Return(ret.value));
    const lo = read(loop_index_idr, { under: loop_ctl_mutex });
    If(lo.eq(NULL), () => {
      ret.set(-ENODEV);
      Goto("out");
    });
    ret.set(mutex_lock_killable(lo.lo_mutex));
    If(ret.value.failed(), () => Goto("out"));
    const state = read(lo.lo_state, { under: lo.lo_mutex });
    const refcnt = atomic_read(lo.lo_refcnt.atomic_t);
    If(state.ne("Lo_unbound").or(refcnt.gt(0)), () => {
      mutex_unlock(lo.lo_mutex);
      ret.set(-EBUSY);
      Goto("out");
    });
    write(lo.lo_state, "Lo_deleting", { under: lo.lo_mutex });
    mutex_unlock(lo.lo_mutex);
    write(loop_index_idr, NULL, { under: loop_ctl_mutex });
    loop_remove({ lo });
    Label("out");
    mutex_unlock(loop_ctl_mutex);
    Return(ret.value);
  }),
];
