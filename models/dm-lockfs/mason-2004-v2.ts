/**
 * The second version, 1 April 2004: freeze_bdev() and thaw_bdev(); the block device stays pinned while it is frozen;
 * an interrupted suspend unlocks the file system again.
 */
import {
  add_wait_queue,
  atomic_read,
  clear_bit,
  down_read,
  down_write,
  EINTR,
  EINVAL,
  ENOMEM,
  errno,
  fn,
  If,
  NULL,
  Return,
  reached,
  read,
  remove_wait_queue,
  replace,
  set_bit,
  test_and_clear_bit,
  test_and_set_bit,
  test_bit,
  up_read,
  up_write,
  write,
} from "lockstep";
import { bdget_disk, bdput } from "./block-dev.ts";
import { DM, dm_resume, dm_suspend, resume_io, wait_for_pending } from "./dm.ts";
import { freeze_bdev, thaw_bdev } from "./freeze.ts";
import { mount_sem } from "./mason-2004.ts";
import { md } from "./objects.ts";

/** FS_LOCKED is cleared first, and another suspend may set frozen_sb before the thaw has forgotten its own. */
const UNPROTECTED = "nothing protects frozen_sb: what that leads to is what the model is to show";

export const __lock_fs = fn("__lock_fs", { at: DM, returns: errno }, () => {
  const locked = test_and_set_bit(md.FS_LOCKED);
  If(locked, () => Return(0));

  const bdev = bdget_disk();
  If(bdev.eq(NULL), () => Return(-ENOMEM));

  const frozen_sb = freeze_bdev({ bdev });
  write(md.frozen_sb, frozen_sb, { race: UNPROTECTED });
  // don't bdput right now, we don't want the bdev to go away while it is locked. We'll bdput in __unlock_fs
  Return(0);
});

export const __unlock_fs = fn("__unlock_fs", { at: DM, returns: errno }, () => {
  const locked = test_and_clear_bit(md.FS_LOCKED);
  If(locked.not(), () => Return(0));

  const bdev = bdget_disk();
  If(bdev.eq(NULL), () => Return(-ENOMEM));

  const frozen_sb = read(md.frozen_sb, { race: UNPROTECTED });
  thaw_bdev({ bdev, s: frozen_sb });
  write(md.frozen_sb, NULL, { race: UNPROTECTED });
  bdput({ bdev });
  bdput({ bdev });
  Return(0);
});

/** `interrupted`: what an interrupted suspend does before it lets I/O through again, with md->lock for writing. */
export const suspends = (interrupted: () => void) =>
  replace(dm_suspend, () => {
    // Flush I/O to the device.
    down_read(md.lock);
    const suspended = test_bit(md.BLOCK_IO);
    If(suspended, () => {
      up_read(md.lock);
      Return(-EINVAL);
    });
    // the result is ignored
    __lock_fs();
    up_read(md.lock);

    down_write(md.lock);
    const blocked = test_bit(md.BLOCK_IO);
    If(blocked, () => {
      // If we get here we know another thread is trying to suspend as well, so we leave the fs locked for this thread.
      up_write(md.lock);
      Return(-EINVAL);
    });
    set_bit(md.BLOCK_IO);
    add_wait_queue(md.wait);
    up_write(md.lock);

    wait_for_pending(true);

    down_write(md.lock);
    remove_wait_queue(md.wait);

    // were we interrupted ?
    const pending = atomic_read(md.pending);
    If(pending.ne(0), () => {
      interrupted();
      clear_bit(md.BLOCK_IO);
      up_write(md.lock);
      Return(-EINTR);
    });

    set_bit(md.SUSPENDED);
    reached("suspended");
    up_write(md.lock);
    Return(0);
  });

export const mason_2004_v2 = [
  mount_sem,
  suspends(() => __unlock_fs()),
  replace(dm_resume, () => {
    resume_io(() => {});
    __unlock_fs();
    Return(0);
  }),
];
