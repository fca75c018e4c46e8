/**
 * What was merged for v4.2, and stayed until 4.14.y: rereading the partition table waits for bd_mutex, or is told
 * that its caller holds it; lo_refcnt is an atomic_t, so that opening and most closes do without lo_ctl_mutex.
 */
import {
  atomic_dec_return,
  atomic_inc,
  atomic_read,
  blk_mq_freeze_queue,
  blk_mq_unfreeze_queue,
  EBUSY,
  EINVAL,
  EIO,
  ENODEV,
  ENXIO,
  errno,
  fn,
  Goto,
  If,
  Label,
  local,
  mutex_lock,
  mutex_unlock,
  NULL,
  ptr,
  queue_work,
  Return,
  read,
  replace,
  spin_lock_irq,
  spin_unlock_irq,
  write,
} from "lockstep";
import { blk_mq_end_request, blkdev_reread_part, rescan_partitions } from "./block-layer.ts";
import { assign_flags, block_device, disk, loop_index_idr, loop_index_mutex, loop0, part_shift } from "./objects.ts";
import { reread_ended } from "./reread.ts";
import { loop_unprepare_queue } from "./unprepare.ts";
import {
  do_req_filebacked,
  lo_open,
  lo_release,
  loop_clr_fd,
  loop_control_ioctl,
  loop_flush,
  loop_handle_cmd,
  loop_queue_rq,
  loop_remove,
  loop_reread_partitions,
  loop_wq,
} from "./v4.0.ts";

/** For callers that hold bd_mutex: block/ioctl.c */
export const __blkdev_reread_part = fn(
  "__blkdev_reread_part",
  { at: "block/ioctl.c", params: { bdev: ptr(block_device) }, returns: errno },
  ({ bdev }) => {
    const no_part_scan = read(disk.GENHD_FL_NO_PART_SCAN);
    If(no_part_scan, () => Return(-EINVAL));
    Return(rescan_partitions({ bdev }));
  },
);

export const v4_2 = [
  replace(blkdev_reread_part, ({ bdev }) => {
    mutex_lock(bdev.bd_mutex);
    const res = __blkdev_reread_part({ bdev });
    mutex_unlock(bdev.bd_mutex);
    Return(res);
  }),

  replace(loop_reread_partitions, ({ lo, bdev }) => {
    const rc = local("rc", errno, 0);
    // in the release path the caller holds bd_mutex
    const refcnt = atomic_read(lo.lo_refcnt.atomic_t);
    If(
      refcnt.eq(0),
      () => rc.set(__blkdev_reread_part({ bdev })),
      () => rc.set(blkdev_reread_part({ bdev })),
    );
    reread_ended(rc.value);
  }),

  replace(loop_clr_fd, ({ lo }) => {
    const under = { under: lo.lo_ctl_mutex };
    const filp = read(lo.lo_backing_file, under);
    const bdev = read(lo.lo_device, under);

    const state = read(lo.lo_state, under);
    If(state.ne("Lo_bound"), () => Return(-ENXIO));

    const refcnt = atomic_read(lo.lo_refcnt.atomic_t);
    If(refcnt.gt(1), () => {
      write(lo.lo_flags.AUTOCLEAR, true, under);
      mutex_unlock(lo.lo_ctl_mutex);
      Return(0);
    });

    If(filp.eq(NULL), () => Return(-EINVAL));

    blk_mq_freeze_queue(lo.lo_queue);

    spin_lock_irq(lo.lo_lock);
    write(lo.lo_state, "Lo_rundown", under);
    write(lo.lo_backing_file, NULL, under);
    spin_unlock_irq(lo.lo_lock);

    write(lo.lo_device, NULL, under);
    write(disk.capacity, "none");
    write(lo.lo_state, "Lo_unbound", under);
    blk_mq_unfreeze_queue(lo.lo_queue);

    const partscan = read(lo.lo_flags.PARTSCAN, under);
    If(partscan.and(bdev.ne(NULL)), () => loop_reread_partitions({ lo, bdev }));
    assign_flags(lo.lo_flags, { READ_ONLY: false }, under);
    if (!part_shift) write(disk.GENHD_FL_NO_PART_SCAN, true);
    loop_unprepare_queue();
    mutex_unlock(lo.lo_ctl_mutex);
    Return(0);
  }),

  // the state is looked at here, in the queue, and no more by the worker
  replace(loop_queue_rq, ({ rq }) => {
    const lo = loop0;
    const state = read(lo.lo_state);
    If(state.ne("Lo_bound"), () => Return(-EIO));
    queue_work(loop_wq, rq.work);
    Return(0);
  }),

  replace(loop_handle_cmd, ({ rq }) => {
    const lo = loop0;
    const ret = local("ret", errno, 0);
    const read_only = read(lo.lo_flags.READ_ONLY);
    If(
      read_only,
      () => ret.set(-EIO),
      () => do_req_filebacked({ lo }),
    );
    blk_mq_end_request({ rq, error: ret.value });
  }),

  replace(lo_open, () => {
    const err = local("err", errno, 0);
    mutex_lock(loop_index_mutex);
    const lo = read(disk.private_data);
    If(lo.eq(NULL), () => {
      err.set(-ENXIO);
      Goto("out");
    });
    atomic_inc(lo.lo_refcnt.atomic_t);
    Label("out");
    mutex_unlock(loop_index_mutex);
    Return(err.value);
  }),

  replace(lo_release, () => {
    const lo = read(disk.private_data);
    const refcnt = atomic_dec_return(lo.lo_refcnt.atomic_t);
    If(refcnt.ne(0), () => Return());

    mutex_lock(lo.lo_ctl_mutex);
    const autoclear = read(lo.lo_flags.AUTOCLEAR, { under: lo.lo_ctl_mutex });
    If(
      autoclear,
      () => {
        const err = loop_clr_fd({ lo });
        If(err.ok(), () => Return());
      },
      () => loop_flush({ lo }),
    );
    mutex_unlock(lo.lo_ctl_mutex);
  }),

  replace(loop_control_ioctl, () => {
    const ret = local("ret", errno, 0);
    mutex_lock(loop_index_mutex);
    const lo = read(loop_index_idr, { under: loop_index_mutex });
    If(lo.eq(NULL), () => {
      ret.set(-ENODEV);
      Goto("out");
    });
    mutex_lock(lo.lo_ctl_mutex);
    const state = read(lo.lo_state, { under: lo.lo_ctl_mutex });
    If(state.ne("Lo_unbound"), () => {
      ret.set(-EBUSY);
      mutex_unlock(lo.lo_ctl_mutex);
      Goto("out");
    });
    const refcnt = atomic_read(lo.lo_refcnt.atomic_t);
    If(refcnt.gt(0), () => {
      ret.set(-EBUSY);
      mutex_unlock(lo.lo_ctl_mutex);
      Goto("out");
    });
    write(disk.private_data, NULL, { under: loop_index_mutex });
    mutex_unlock(lo.lo_ctl_mutex);
    write(loop_index_idr, NULL, { under: loop_index_mutex });
    loop_remove({ lo });
    Label("out");
    mutex_unlock(loop_index_mutex);
    Return(ret.value);
  }),
];
