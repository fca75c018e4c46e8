/**
 * v5.0: one global loop_ctl_mutex instead of loop_index_mutex and every lo_ctl_mutex; it is dropped before the
 * partition table is reread. loop_clr_fd() is split: whoever makes lo_state Lo_rundown does the clearing.
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
  kfree,
  Label,
  local,
  mutex_lock,
  mutex_lock_killable,
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
import { blkdev_reread_part, del_gendisk } from "./block-layer.ts";
import {
  assign_flags,
  bdev,
  block_device,
  disk,
  loop_ctl_mutex,
  loop_device,
  loop_index_idr,
  part_shift,
  second,
} from "./objects.ts";
import { reread_ended } from "./reread.ts";
import { loop_unprepare_queue } from "./unprepare.ts";
import {
  LOOP,
  lo_ioctl,
  lo_open,
  lo_release,
  loop_clr_fd,
  loop_control_ioctl,
  loop_probe,
  loop_remove,
  loop_reread_partitions,
  loop_set_fd,
  loop_set_status,
} from "./v4.0.ts";
import { __blkdev_reread_part } from "./v4.2.ts";

const under = { under: loop_ctl_mutex };

/** lo_state is Lo_rundown, made so by the caller. `release`: the caller holds bd_mutex. */
export const __loop_clr_fd = fn(
  "__loop_clr_fd",
  { at: LOOP, params: { lo: ptr(loop_device), release: bool }, returns: errno },
  ({ lo, release }) => {
    const err = local("err", errno, 0);
    const partscan = local("partscan", bool, false);
    const bdev = read(lo.lo_device);

    mutex_lock(loop_ctl_mutex);
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
    write(lo.lo_state, "Lo_unbound", under);
    blk_mq_unfreeze_queue(lo.lo_queue);

    const flags = read(lo.lo_flags.PARTSCAN, under);
    partscan.set(flags.and(bdev.ne(NULL)));
    assign_flags(lo.lo_flags, { READ_ONLY: false }, under);
    if (!part_shift) write(disk.GENHD_FL_NO_PART_SCAN, true);
    loop_unprepare_queue();

    Label("out_unlock");
    mutex_unlock(loop_ctl_mutex);
    If(partscan.value, () => {
      If(
        release,
        () => err.set(__blkdev_reread_part({ bdev })),
        () => err.set(blkdev_reread_part({ bdev })),
      );
      reread_ended(err.value);
      // the device is cleared, whatever became of the partitions
      err.set(0);
    });
    Return(err.value);
  },
);

export const v5_0 = [
  replace(loop_reread_partitions, ({ bdev }) => {
    reread_ended(blkdev_reread_part({ bdev }));
  }),

  replace(loop_set_fd, ({ lo, bdev }) => {
    const error = mutex_lock_killable(loop_ctl_mutex);
    If(error.failed(), () => Return(error));
    const state = read(lo.lo_state, under);
    If(state.ne("Lo_unbound"), () => {
      mutex_unlock(loop_ctl_mutex);
      Return(-EBUSY);
    });
    write(lo.lo_device, bdev, under);
    assign_flags(lo.lo_flags, { READ_ONLY: true }, under);
    write(lo.lo_backing_file, second, under);
    write(disk.capacity, "second");
    write(lo.lo_state, "Lo_bound", under);
    if (part_shift) write(lo.lo_flags.PARTSCAN, true, under);
    const partscan = read(lo.lo_flags.PARTSCAN, under);
    mutex_unlock(loop_ctl_mutex);
    If(partscan, () => loop_reread_partitions({ lo, bdev }));
    Return(0);
  }),

  replace(loop_clr_fd, ({ lo }) => {
    const err = mutex_lock_killable(loop_ctl_mutex);
    If(err.failed(), () => Return(err));
    const state = read(lo.lo_state, under);
    If(state.ne("Lo_bound"), () => {
      mutex_unlock(loop_ctl_mutex);
      Return(-ENXIO);
    });
    const refcnt = atomic_read(lo.lo_refcnt.atomic_t);
    If(refcnt.gt(1), () => {
      write(lo.lo_flags.AUTOCLEAR, true, under);
      mutex_unlock(loop_ctl_mutex);
      Return(0);
    });
    write(lo.lo_state, "Lo_rundown", under);
    mutex_unlock(loop_ctl_mutex);

    Return(__loop_clr_fd({ lo, release: false }));
  }),

  replace(loop_set_status, ({ lo }) => {
    const partscan = local("partscan", bool, false);
    const bdev_to_scan = local("bdev", ptr(block_device), NULL);
    const err = mutex_lock_killable(loop_ctl_mutex);
    If(err.failed(), () => Return(err));
    const state = read(lo.lo_state, under);
    If(state.ne("Lo_bound"), () => {
      mutex_unlock(loop_ctl_mutex);
      Return(-ENXIO);
    });

    write(lo.lo_encrypt_key_size, 0, under);

    const flags = read(lo.lo_flags.PARTSCAN, under);
    If(flags.not(), () => {
      write(lo.lo_flags.PARTSCAN, true, under);
      write(disk.GENHD_FL_NO_PART_SCAN, false);
      bdev_to_scan.set(read(lo.lo_device, under));
      partscan.set(true);
    });
    mutex_unlock(loop_ctl_mutex);
    If(partscan.value, () => loop_reread_partitions({ lo, bdev: bdev_to_scan.value }));
    Return(0);
  }),

  // every command takes loop_ctl_mutex itself
  replace(lo_ioctl, ({ cmd }) => {
    const lo = read(disk.private_data);
    If(cmd.eq("LOOP_SET_FD"), () => Return(loop_set_fd({ lo, bdev })));
    If(cmd.eq("LOOP_CLR_FD"), () => Return(loop_clr_fd({ lo })));
    If(cmd.eq("LOOP_SET_STATUS"), () => Return(loop_set_status({ lo })));
    Return(-EINVAL);
  }),

  replace(lo_open, () => {
    const err = local("err", errno, 0);
    err.set(mutex_lock_killable(loop_ctl_mutex));
    If(err.value.failed(), () => Return(err.value));
    const lo = read(disk.private_data);
    If(lo.eq(NULL), () => {
      err.set(-ENXIO);
      Goto("out");
    });
    atomic_inc(lo.lo_refcnt.atomic_t);
    Label("out");
    mutex_unlock(loop_ctl_mutex);
    Return(err.value);
  }),

  replace(lo_release, () => {
    mutex_lock(loop_ctl_mutex);
    const lo = read(disk.private_data);
    const refcnt = atomic_dec_return(lo.lo_refcnt.atomic_t);
    If(refcnt.ne(0), () => Goto("out_unlock"));

    const autoclear = read(lo.lo_flags.AUTOCLEAR, under);
    const state = read(lo.lo_state, under);
    If(
      autoclear,
      () => {
        If(state.ne("Lo_bound"), () => Goto("out_unlock"));
        write(lo.lo_state, "Lo_rundown", under);
        mutex_unlock(loop_ctl_mutex);
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
    mutex_unlock(loop_ctl_mutex);
  }),

  replace(loop_probe, () => {
    mutex_lock(loop_ctl_mutex);
    mutex_unlock(loop_ctl_mutex);
  }),

  replace(loop_control_ioctl, () => {
    const ret = local("ret", errno, 0);
    ret.set(mutex_lock_killable(loop_ctl_mutex));
    If(ret.value.failed(), () => Return(ret.value));
    const lo = read(loop_index_idr, under);
    If(lo.eq(NULL), () => {
      ret.set(-ENODEV);
      Goto("out");
    });
    const state = read(lo.lo_state, under);
    If(state.ne("Lo_unbound"), () => {
      ret.set(-EBUSY);
      Goto("out");
    });
    const refcnt = atomic_read(lo.lo_refcnt.atomic_t);
    If(refcnt.gt(0), () => {
      ret.set(-EBUSY);
      Goto("out");
    });
    write(disk.private_data, NULL, under);
    write(loop_index_idr, NULL, under);
    loop_remove({ lo });
    Label("out");
    mutex_unlock(loop_ctl_mutex);
    Return(ret.value);
  }),

  // the disk first: nobody finds it any more when its queue goes
  replace(loop_remove, ({ lo }) => {
    del_gendisk();
    // blk_cleanup_queue()
    blk_mq_freeze_queue(lo.lo_queue);
    kfree(lo);
  }),
];
