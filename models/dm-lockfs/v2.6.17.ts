/**
 * 2.6.16.12 and 2.6.17 to 2.6.19-rc6: an interrupted suspend flushes what was deferred before it unlocks the file
 * system; the block device is kept for the whole time the device is suspended, locked or not.
 */
import {
  atomic_read,
  clear_bit,
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
  Return,
  reached,
  read,
  replace,
  set_bit,
  test_bit,
  up,
  up_write,
  write,
} from "lockstep";
import { bdget_disk, bdput } from "./block-dev.ts";
import { dm_resume, dm_suspend, flush_deferred, resume_decided } from "./dm.ts";
import { freeze_bdev, thaw_bdev } from "./freeze.ts";
import { block_io_and_wait, dm_suspended, lock_fs, unlock_fs } from "./kergon-2005.ts";
import { md } from "./objects.ts";

export const v2_6_17 = [
  replace(lock_fs, () => {
    const bdev = read(md.suspended_bdev);
    const frozen_sb = freeze_bdev({ bdev });
    write(md.frozen_sb, frozen_sb);
    set_bit(md.FROZEN);
    Return(0);
  }),

  replace(unlock_fs, () => {
    const frozen = test_bit(md.FROZEN);
    If(frozen.not(), () => Return());
    const bdev = read(md.suspended_bdev);
    const frozen_sb = read(md.frozen_sb);
    thaw_bdev({ bdev, s: frozen_sb });
    write(md.frozen_sb, NULL);
    clear_bit(md.FROZEN);
  }),

  /** With do_lockfs. */
  replace(dm_suspend, () => {
    const r = local("r", errno, -EINVAL);
    down(md.suspend_lock);
    const suspended = dm_suspended();
    If(suspended, () => Goto("out"));

    // dm_table_presuspend_targets(map): this does not get reverted if there's an error later
    const bdev = bdget_disk();
    write(md.suspended_bdev, bdev);
    If(bdev.eq(NULL), () => {
      r.set(-ENOMEM);
      Goto("out");
    });

    // Flush I/O to the device.
    r.set(lock_fs());
    If(r.value.failed(), () => Goto("out"));

    block_io_and_wait();

    // were we interrupted ?
    r.set(-EINTR);
    const pending = atomic_read(md.pending);
    If(pending.ne(0), () => {
      clear_bit(md.BLOCK_IO);
      flush_deferred(md.io_lock);
      up_write(md.io_lock);
      unlock_fs();
      Goto("out");
    });
    up_write(md.io_lock);

    // dm_table_postsuspend_targets(map)
    set_bit(md.SUSPENDED);
    reached("suspended");
    r.set(0);

    Label("out");
    If(r.value.failed(), () => {
      const suspended_bdev = read(md.suspended_bdev);
      If(suspended_bdev.ne(NULL), () => {
        bdput({ bdev: suspended_bdev });
        write(md.suspended_bdev, NULL);
      });
    });
    up(md.suspend_lock);
    Return(r.value);
  }),

  replace(dm_resume, () => {
    const r = local("r", errno, -EINVAL);
    down(md.suspend_lock);
    const suspended = dm_suspended();
    If(suspended.not(), () => {
      resume_decided();
      Goto("out");
    });

    // dm_table_resume_targets(map)
    down_write(md.io_lock);
    clear_bit(md.BLOCK_IO);
    resume_decided();
    flush_deferred(md.io_lock);
    up_write(md.io_lock);

    unlock_fs();

    const suspended_bdev = read(md.suspended_bdev);
    bdput({ bdev: suspended_bdev });
    write(md.suspended_bdev, NULL);

    clear_bit(md.SUSPENDED);
    r.set(0);

    Label("out");
    up(md.suspend_lock);
    Return(r.value);
  }),
];
