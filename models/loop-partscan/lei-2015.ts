/**
 * Ming Lei, "block/loop: fix race between open/release and reread part", posted 1 April 2015 against v4.0, to the
 * letter: lo_refcnt gets a mutex of its own, so that opening no longer needs lo_ctl_mutex.
 */
import {
  Break,
  dec,
  decrement,
  EBUSY,
  EINVAL,
  ENODEV,
  ENXIO,
  errno,
  fn,
  Goto,
  If,
  inc,
  int,
  Label,
  local,
  msleep,
  mutex_lock,
  mutex_unlock,
  NULL,
  ptr,
  Return,
  read,
  replace,
  spin_lock_irq,
  spin_unlock_irq,
  While,
  write,
} from "lockstep";
import { ioctl_by_bdev_BLKRRPART, rescan_partitions } from "./block-layer.ts";
import { assign_flags, block_device, disk, loop_index_idr, loop_index_mutex, part_shift } from "./objects.ts";
import { retried } from "./reread.ts";
import {
  LOOP,
  lo_open,
  lo_release,
  loop_clr_fd,
  loop_control_ioctl,
  loop_flush,
  loop_remove,
  loop_reread_partitions,
} from "./v4.0.ts";

/** For lo_release(), whose caller holds bd_mutex. */
const loop_reread_part_no_lock = fn(
  "loop_reread_part_no_lock",
  { at: LOOP, params: { bdev: ptr(block_device) }, returns: errno },
  ({ bdev }) => {
    const no_part_scan = read(disk.GENHD_FL_NO_PART_SCAN);
    If(no_part_scan, () => Return(-EINVAL));
    Return(rescan_partitions({ bdev }));
  },
);

export const lei_2015 = [
  replace(loop_reread_partitions, ({ lo, bdev }) =>
    retried((rc) => {
      const retry = local("retry", int(0, 5), 5);

      mutex_lock(lo.lo_open_mutex);
      const refcnt = read(lo.lo_refcnt.int, { under: lo.lo_open_mutex });
      mutex_unlock(lo.lo_open_mutex);

      const in_release = refcnt.eq(0);
      If(
        in_release,
        () => rc.set(loop_reread_part_no_lock({ bdev })),
        () =>
          While(
            () => retry.value.gt(0),
            () => {
              decrement(retry);
              rc.set(ioctl_by_bdev_BLKRRPART({ bdev }));
              If(rc.value.ne(-EBUSY), () => Break());
              msleep(50);
            },
          ),
      );
    }),
  ),

  replace(loop_clr_fd, ({ lo }) => {
    const under = { under: lo.lo_ctl_mutex };
    const filp = read(lo.lo_backing_file, under);
    const bdev = read(lo.lo_device, under);

    const state = read(lo.lo_state, under);
    If(state.ne("Lo_bound"), () => Return(-ENXIO));

    mutex_lock(lo.lo_open_mutex);
    const refcnt = read(lo.lo_refcnt.int, { under: lo.lo_open_mutex });
    If(refcnt.gt(1), () => {
      mutex_unlock(lo.lo_open_mutex);
      write(lo.lo_flags.AUTOCLEAR, true, under);
      mutex_unlock(lo.lo_ctl_mutex);
      Return(0);
    });

    If(filp.eq(NULL), () => {
      mutex_unlock(lo.lo_open_mutex);
      Return(-EINVAL);
    });

    spin_lock_irq(lo.lo_lock);
    write(lo.lo_state, "Lo_rundown", under);
    write(lo.lo_backing_file, NULL, under);
    spin_unlock_irq(lo.lo_lock);

    write(lo.lo_device, NULL, under);
    write(disk.capacity, "none");
    write(lo.lo_state, "Lo_unbound", under);

    // so that an open that holds bd_mutex can go on while the table is reread
    mutex_unlock(lo.lo_open_mutex);

    const partscan = read(lo.lo_flags.PARTSCAN, under);
    If(partscan.and(bdev.ne(NULL)), () => loop_reread_partitions({ lo, bdev }));
    assign_flags(lo.lo_flags, { READ_ONLY: false }, under);
    if (!part_shift) write(disk.GENHD_FL_NO_PART_SCAN, true);
    mutex_unlock(lo.lo_ctl_mutex);
    Return(0);
  }),

  replace(lo_open, () => {
    const err = local("err", errno, 0);
    mutex_lock(loop_index_mutex);
    const lo = read(disk.private_data);
    If(lo.eq(NULL), () => {
      err.set(-ENXIO);
      Goto("out");
    });
    mutex_lock(lo.lo_open_mutex);
    inc(lo.lo_refcnt.int, { under: lo.lo_open_mutex });
    mutex_unlock(lo.lo_open_mutex);
    Label("out");
    mutex_unlock(loop_index_mutex);
    Return(err.value);
  }),

  replace(lo_release, () => {
    const lo = read(disk.private_data);
    mutex_lock(lo.lo_open_mutex);
    const ref = dec(lo.lo_refcnt.int, { under: lo.lo_open_mutex });
    mutex_unlock(lo.lo_open_mutex);

    // lo_ctl_mutex is not taken yet, and "out" unlocks it
    If(ref.ne(0), () => Goto("out"));

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

    Label("out");
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
    mutex_lock(lo.lo_open_mutex);
    const refcnt = read(lo.lo_refcnt.int, { under: lo.lo_open_mutex });
    If(refcnt.gt(0), () => {
      ret.set(-EBUSY);
      mutex_unlock(lo.lo_open_mutex);
      mutex_unlock(lo.lo_ctl_mutex);
      Goto("out");
    });
    mutex_unlock(lo.lo_open_mutex);
    write(disk.private_data, NULL, { under: loop_index_mutex });
    mutex_unlock(lo.lo_ctl_mutex);
    write(loop_index_idr, NULL, { under: loop_index_mutex });
    loop_remove({ lo });
    Label("out");
    mutex_unlock(loop_index_mutex);
    Return(ret.value);
  }),
];
