/**
 * Jarod Wilson, "block/loop: improve reliability of partition scanning", posted 31 March 2015 against v4.0.
 * One new function; the calls of ioctl_by_bdev(bdev, BLKRRPART, 0) become calls of it.
 */
import {
  decrement,
  If,
  int,
  local,
  msleep,
  mutex_is_locked,
  mutex_lock,
  mutex_unlock,
  NULL,
  read,
  replace,
  While,
} from "lockstep";
import { ioctl_by_bdev_BLKRRPART } from "./block-layer.ts";
import { retried } from "./reread.ts";
import { loop_reread_partitions } from "./v4.0.ts";

export const wilson_2015 = [
  replace(loop_reread_partitions, ({ lo, bdev }) =>
    retried((rc) => {
      const retry = local("retry", int(0, 5), 5);

      // without lo_device the caller is loop_clr_fd(): once
      const lo_device = read(lo.lo_device, { under: lo.lo_ctl_mutex });
      If(lo_device.eq(NULL), () => retry.set(1));

      While(
        () => mutex_is_locked(bdev.bd_mutex).and(retry.value.gt(0)),
        () => {
          mutex_unlock(lo.lo_ctl_mutex);
          msleep(50);
          mutex_lock(lo.lo_ctl_mutex);
          decrement(retry);
        },
      );

      rc.set(ioctl_by_bdev_BLKRRPART({ bdev }));
    }),
  ),
];
