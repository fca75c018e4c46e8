/**
 * Chris Mason, "lockfs patch for 2.6", posted 9 March 2004: bd_mount_sem keeps new mounts away, s_umount held for
 * reading keeps the file system from being unmounted, from the suspend to the resume.
 */
import {
  atomically,
  clear_bit,
  down,
  down_read,
  EINVAL,
  errno,
  fn,
  If,
  local,
  NULL,
  ptr,
  Return,
  replace,
  spin_lock,
  spin_unlock,
  test_and_set_bit,
  test_bit,
  up,
  up_read,
  up_write,
  write,
} from "lockstep";
import { BUFFER, bdget, bdget_disk, bdput, fsync_super, superblock_io, sync_blockdev } from "./block-dev.ts";
import { DM, dm_resume, dm_suspend, resume_io, suspend_io } from "./dm.ts";
import { block_device, md, sb_lock, super_block, super_blocks, unlockfs_writes, until_resumed } from "./objects.ts";
import { drop_super, fill_super, get_sb_bdev, get_super, SUPER, sget } from "./super.ts";

const JOURNAL_LOCK = "the barrier is the journal's, which has a lock of its own";
const of_bdev = { bdev: ptr(block_device) };

export const fsync_bdev = fn("fsync_bdev", { at: BUFFER, params: of_bdev, returns: errno }, ({ bdev }) => {
  const s = get_super({ bdev });
  If(s.ne(NULL), () => {
    const res = fsync_super({ s, bdev });
    drop_super({ s });
    Return(res);
  });
  Return(sync_blockdev({ bdev }));
});

/** s_op->write_super_lockfs: ext3 puts up the journal's barrier. It would also write its superblock: a dirty page. */
export const write_super_lockfs = fn(
  "ext3_write_super_lockfs",
  { at: "fs/ext3/super.c", params: { s: ptr(super_block) } },
  ({ s }) => {
    write(s.fs_locked, true, { race: JOURNAL_LOCK });
  },
);

/** s_op->unlockfs: ext3 writes its superblock, waits for that, and takes the barrier down. */
export const ext3_unlockfs = fn(
  "ext3_unlockfs",
  { at: "fs/ext3/super.c", params: { s: ptr(super_block) } },
  ({ s }) => {
    // lock_super(sb)
    down(s.s_lock);
    If(unlockfs_writes.now, () => superblock_io());
    up(s.s_lock);
    write(s.fs_locked, false, { race: JOURNAL_LOCK });
  },
);

const sync_super_lockfs = fn("sync_super_lockfs", { at: SUPER, params: of_bdev }, ({ bdev }) => {
  down(bdev.bd_mount_sem);
  const s = get_super({ bdev });
  If(s.ne(NULL), () => {
    // lock_super(sb); write_super() only clears s_dirt
    down(s.s_lock);
    write_super_lockfs({ s });
    up(s.s_lock);
  });
  // unlockfs releases s->s_umount and bd_mount_sem
});

const unlockfs = fn("unlockfs", { at: SUPER, params: of_bdev }, ({ bdev }) => {
  const s = local("s", ptr(super_block), NULL);
  spin_lock(sb_lock);
  // Nobody can look at the list in between: sb_lock is held. There is one superblock at most.
  atomically("list_for_each(p, &super_blocks)", () => {
    const first = super_blocks.first;
    If(first.ne(NULL), () => {
      If(first.s_bdev.now.eq(bdev).and(first.s_root.now), () => s.set(first));
    });
  });
  spin_unlock(sb_lock);
  If(s.value.ne(NULL), () => {
    ext3_unlockfs({ s: s.value });
    drop_super({ s: s.value });
  });
  // unlock:
  up(bdev.bd_mount_sem);
});

const fsync_bdev_lockfs = fn("fsync_bdev_lockfs", { at: BUFFER, params: of_bdev, returns: errno }, ({ bdev }) => {
  const res = fsync_bdev({ bdev });
  If(res.failed(), () => Return(res));
  sync_super_lockfs({ bdev });
  Return(sync_blockdev({ bdev }));
});

const __lock_disk = fn("__lock_disk", { at: DM }, () => {
  const bdev = bdget_disk();
  If(bdev.ne(NULL), () => {
    fsync_bdev_lockfs({ bdev });
    bdput({ bdev });
  });
});

const __unlock_disk = fn("__unlock_disk", { at: DM }, () => {
  const bdev = bdget_disk();
  If(bdev.ne(NULL), () => {
    unlockfs({ bdev });
    bdput({ bdev });
  });
});

/** Every version from here on mounts like this. */
export const mount_sem = replace(get_sb_bdev, ({ dev }) => {
  const bdev = bdget({ dev });
  // once the super is inserted into the list by sget, s_umount will protect the lockfs code from trying to start a
  // snapshot while we are mounting
  down(bdev.bd_mount_sem, { resting: () => until_resumed().and(bdev.bd_dev.now.eq("dm-0")) });
  const s = sget({ bdev });
  up(bdev.bd_mount_sem);
  fill_super({ s, bdev });
  up_write(s.s_umount);
});

export const mason_2004 = [
  mount_sem,
  replace(dm_suspend, () => {
    // Flush I/O to the device.
    down_read(md.lock);
    const blocked = test_bit(md.BLOCK_IO);
    If(blocked, () => {
      up_read(md.lock);
      Return(-EINVAL);
    });
    const locked = test_and_set_bit(md.FS_LOCKED);
    If(locked.not(), () => __lock_disk());
    up_read(md.lock);

    suspend_io();
  }),
  replace(dm_resume, () => {
    resume_io(() => clear_bit(md.FS_LOCKED));
    __unlock_disk();
    Return(0);
  }),
];
