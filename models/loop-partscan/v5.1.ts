/**
 * v5.1 (and 4.19.40): "loop: set GENHD_FL_NO_PART_SCAN after blkdev_reread_part()". __loop_clr_fd() keeps lo_state at
 * Lo_rundown while it rescans, and clears the flags afterwards.
 */
import {
  blk_mq_freeze_queue,
  blk_mq_unfreeze_queue,
  bool,
  EINVAL,
  ENXIO,
  errno,
  Goto,
  If,
  Label,
  local,
  mutex_lock,
  mutex_unlock,
  NULL,
  Return,
  read,
  replace,
  spin_lock_irq,
  spin_unlock_irq,
  write,
} from "lockstep";
import { blkdev_reread_part } from "./block-layer.ts";
import { assign_flags, disk, loop_ctl_mutex, part_shift } from "./objects.ts";
import { reread_ended } from "./reread.ts";
import { loop_unprepare_queue } from "./unprepare.ts";
import { __blkdev_reread_part } from "./v4.2.ts";
import { __loop_clr_fd } from "./v5.0.ts";

const under = { under: loop_ctl_mutex };

export const v5_1 = [
  replace(__loop_clr_fd, ({ lo, release }) => {
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
    blk_mq_unfreeze_queue(lo.lo_queue);

    const flags = read(lo.lo_flags.PARTSCAN, under);
    partscan.set(flags.and(bdev.ne(NULL)));
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
      err.set(0);
    });

    mutex_lock(loop_ctl_mutex);
    assign_flags(lo.lo_flags, { READ_ONLY: false }, under);
    if (!part_shift) write(disk.GENHD_FL_NO_PART_SCAN, true);
    write(lo.lo_state, "Lo_unbound", under);
    mutex_unlock(loop_ctl_mutex);
    Return(err.value);
  }),
];
