/**
 * The changes of January 2007, in 2.6.20: a suspend of a suspended device leaves through `out_unlock`; a noflush
 * suspend does without the block device, and so a table swapped in under it must have the old one's size.
 */
import {
  bool,
  down,
  down_write,
  EINTR,
  EINVAL,
  ENOMEM,
  errno,
  Goto,
  If,
  Label,
  local,
  NULL,
  type Replacement,
  Return,
  reached,
  read,
  remove_wait_queue,
  replace,
  set_bit,
  up,
  up_write,
  write,
} from "lockstep";
import { bdget_disk, lock_fs } from "./block-dev.ts";
import {
  __bind,
  __set_size,
  block_io_and_wait,
  dm_suspend,
  dm_suspended,
  dm_swap_table,
  drop_suspended_bdev,
  flush_deferred,
  if_interrupted,
  put_bdev_at_resume,
} from "./dm.ts";
import { multipath_presuspend } from "./dm-mpath.ts";
import { md } from "./objects.ts";
import { suspend_begins } from "./observed.ts";
import { end_noflush } from "./ueda-2006.ts";

export const nomura_2007: readonly Replacement[] = [
  replace(dm_suspend, ({ do_lockfs, noflush }) => {
    const r = local("r", errno, -EINVAL);
    down(md.suspend_lock);
    suspend_begins();
    const suspended = dm_suspended();
    If(suspended, () => Goto("out_unlock"));

    If(noflush, () => set_bit(md.NOFLUSH_SUSPENDING));
    multipath_presuspend();

    // bdget() can stall if the pending I/Os are not flushed
    If(noflush.not(), () => {
      const suspended_bdev = bdget_disk();
      write(md.suspended_bdev, suspended_bdev);
      If(suspended_bdev.eq(NULL), () => {
        r.set(-ENOMEM);
        Goto("flush_and_out");
      });
    });

    If(do_lockfs.and(noflush.not()), () => lock_fs());

    block_io_and_wait();
    down_write(md.io_lock);
    remove_wait_queue(md.wait);

    If(noflush, () => end_noflush());

    r.set(-EINTR);
    if_interrupted(() => Goto("out"));
    up_write(md.io_lock);

    set_bit(md.SUSPENDED);
    r.set(0);

    Label("flush_and_out");
    If(r.value.failed().and(noflush), () => {
      down_write(md.io_lock);
      end_noflush();
      flush_deferred();
      up_write(md.io_lock);
    });

    Label("out");
    If(r.value.failed(), drop_suspended_bdev);

    Label("out_unlock");
    up(md.suspend_lock);
    Return(r.value);
  }),

  replace(put_bdev_at_resume, drop_suspended_bdev),

  replace(dm_swap_table, ({ size }) => {
    const r = local("r", errno, -EINVAL);
    const refuse = local("refuse", bool, false);
    down(md.suspend_lock);
    const suspended = dm_suspended();
    If(suspended.not(), () => Goto("out"));

    // without bdev, the device size cannot be changed
    const suspended_bdev = read(md.suspended_bdev);
    If(suspended_bdev.eq(NULL), () => {
      const capacity = read(md.capacity);
      refuse.set(capacity.ne(size));
    });
    If(refuse.value, () => Goto("out"));

    __bind({ size });
    r.set(0);
    Label("out");
    up(md.suspend_lock);
    Return(r.value);
  }),

  replace(__bind, ({ size }) => {
    const suspended_bdev = read(md.suspended_bdev);
    If(suspended_bdev.ne(NULL), () => __set_size({ size }));
    reached("swapped");
  }),
];
