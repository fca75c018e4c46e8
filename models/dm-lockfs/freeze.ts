/** fs/buffer.c with freeze_bdev() and thaw_bdev(), from the second version of the patch on. */
import { BUG_ON, down, fn, If, NULL, ptr, Return, read, replace, up, write } from "lockstep";
import { BUFFER, sync_blockdev } from "./block-dev.ts";
import { ext3_unlockfs, write_super_lockfs } from "./mason-2004.ts";
import { block_device, super_block } from "./objects.ts";
import { drop_super, get_super } from "./super.ts";

/**
 * The file system is mounted read-write. What is dirty is written by the first sync_inodes_sb(); the syncs that follow
 * find nothing, and one stands for them.
 */
export const freeze_bdev = fn(
  "freeze_bdev",
  { at: BUFFER, params: { bdev: ptr(block_device) }, returns: ptr(super_block) },
  ({ bdev }) => {
    down(bdev.bd_mount_sem);
    const s = get_super({ bdev });
    If(s.ne(NULL), () => {
      write(s.s_frozen, "SB_FREEZE_WRITE");
      // sync_inodes_sb(sb, 0)
      sync_blockdev({ bdev });
      write(s.s_frozen, "SB_FREEZE_TRANS");
      // lock_super(sb); sb->s_op->write_super(sb); unlock_super(sb)
      down(s.s_lock);
      up(s.s_lock);
      // sb->s_op->sync_fs(sb, 1); sync_blockdev(bdev); sync_inodes_sb(sb, 1)
      sync_blockdev({ bdev });
      write_super_lockfs({ s });
    });
    sync_blockdev({ bdev });
    // thaw_bdev releases s->s_umount and bd_mount_sem
    Return(s);
  },
);

/** As merged: no new transactions only after everything has been written. */
export const transactions_last = replace(freeze_bdev, ({ bdev }) => {
  down(bdev.bd_mount_sem);
  const s = get_super({ bdev });
  If(s.ne(NULL), () => {
    write(s.s_frozen, "SB_FREEZE_WRITE");
    // sync_inodes_sb(sb, 0)
    sync_blockdev({ bdev });
    // lock_super(sb); sb->s_op->write_super(sb); unlock_super(sb)
    down(s.s_lock);
    up(s.s_lock);
    // sb->s_op->sync_fs(sb, 1); sync_blockdev(bdev); sync_inodes_sb(sb, 1)
    sync_blockdev({ bdev });
    write(s.s_frozen, "SB_FREEZE_TRANS");
    write_super_lockfs({ s });
  });
  sync_blockdev({ bdev });
  Return(s);
});

/** Nobody waits for s_wait_unfrozen: no scenario has a task that would begin a transaction. */
export const thaw_bdev = fn(
  "thaw_bdev",
  { at: BUFFER, params: { bdev: ptr(block_device), s: ptr(super_block) } },
  ({ bdev, s }) => {
    If(s.ne(NULL), () => {
      const s_bdev = read(s.s_bdev);
      BUG_ON(s_bdev.ne(bdev), "sb->s_bdev != bdev");
      ext3_unlockfs({ s });
      write(s.s_frozen, "SB_UNFROZEN");
      drop_super({ s });
    });
    up(bdev.bd_mount_sem);
  },
);
