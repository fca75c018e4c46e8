/**
 * Alasdair Kergon, 11 July 2005 (2.6.13): suspend_lock serialises suspend, resume and swap_table; io_lock protects
 * only BLOCK_IO and the deferred bios, so the file system is frozen without it.
 */
import {
  add_wait_queue,
  atomic_read,
  bool,
  clear_bit,
  down,
  down_write,
  EINTR,
  EINVAL,
  ENOMEM,
  errno,
  fn,
  Goto,
  If,
  Label,
  local,
  NULL,
  pause,
  Return,
  reached,
  read,
  remove_wait_queue,
  replace,
  set_bit,
  test_bit,
  up,
  up_write,
  write,
} from "lockstep";
import { bdget_disk, bdput } from "./block-dev.ts";
import {
  DM,
  dm_request,
  dm_resume,
  dm_suspend,
  dm_swap_table,
  flush_deferred,
  mapped_under,
  queue_io,
  queued_under,
  resume_decided,
  wait_for_pending,
} from "./dm.ts";
import { freeze_bdev, thaw_bdev, transactions_last } from "./freeze.ts";
import { mount_sem } from "./mason-2004.ts";
import { md } from "./objects.ts";

export const dm_suspended = fn("dm_suspended", { at: DM, returns: bool }, () => {
  Return(test_bit(md.SUSPENDED));
});

export const lock_fs = fn("lock_fs", { at: DM, returns: errno }, () => {
  const bdev = bdget_disk();
  write(md.frozen_bdev, bdev);
  If(bdev.eq(NULL), () => Return(-ENOMEM));
  const frozen_sb = freeze_bdev({ bdev });
  write(md.frozen_sb, frozen_sb);
  // don't bdput right now, we don't want the bdev to go away while it is locked. We'll bdput in unlock_fs
  Return(0);
});

export const unlock_fs = fn("unlock_fs", { at: DM }, () => {
  const bdev = read(md.frozen_bdev);
  const frozen_sb = read(md.frozen_sb);
  thaw_bdev({ bdev, s: frozen_sb });
  bdput({ bdev });
  write(md.frozen_sb, NULL);
  write(md.frozen_bdev, NULL);
});

/** No more I/O is mapped from here on; then waits for what was, or for a signal. Ends with io_lock for writing. */
export function block_io_and_wait(): void {
  down_write(md.io_lock);
  set_bit(md.BLOCK_IO);
  add_wait_queue(md.wait);
  up_write(md.io_lock);

  wait_for_pending(true);

  down_write(md.io_lock);
  remove_wait_queue(md.wait);
}

export const kergon_2005 = [
  mount_sem,
  transactions_last,
  replace(dm_request, mapped_under(md.io_lock)),
  replace(queue_io, queued_under(md.io_lock)),

  replace(dm_suspend, () => {
    const r = local("r", errno, -EINVAL);
    down(md.suspend_lock);
    const suspended = dm_suspended();
    If(suspended, () => Goto("out"));

    // dm_table_presuspend_targets(map): this does not get reverted if there's an error later
    // Flush I/O to the device.
    r.set(lock_fs());
    If(r.value.failed(), () => Goto("out"));

    block_io_and_wait();

    // were we interrupted ?
    r.set(-EINTR);
    const pending = atomic_read(md.pending);
    If(pending.ne(0), () => {
      up_write(md.io_lock);
      unlock_fs();
      clear_bit(md.BLOCK_IO);
      Goto("out");
    });
    up_write(md.io_lock);

    // dm_table_postsuspend_targets(map)
    set_bit(md.SUSPENDED);
    reached("suspended");
    r.set(0);

    Label("out");
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
    clear_bit(md.SUSPENDED);
    r.set(0);

    Label("out");
    up(md.suspend_lock);
    Return(r.value);
  }),

  replace(dm_swap_table, () => {
    const r = local("r", errno, -EINVAL);
    down(md.suspend_lock);
    // device must be suspended
    const suspended = dm_suspended();
    If(suspended.not(), () => Goto("out"));
    pause("__unbind(md); r = __bind(md, table)");
    r.set(0);
    Label("out");
    up(md.suspend_lock);
    Return(r.value);
  }),
];
