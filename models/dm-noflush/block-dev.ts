/** What stands above and below device mapper: bios that end, the block device and its inode, its pages. */
import {
  alloc,
  atomic_dec,
  atomic_inc,
  atomically,
  Choose,
  clear_bit,
  fn,
  If,
  kfree,
  local,
  NULL,
  ptr,
  Return,
  reached,
  read,
  report,
  set_bit,
  test_and_clear_bit,
  test_bit,
  wait_until,
  write,
} from "lockstep";
import { dm_request } from "./dm.ts";
import { bdev, bdget_may_fail, bio, block_device, code, first_request, md, PG_dirty } from "./objects.ts";
import { eio, suspend } from "./observed.ts";

/**
 * bi_end_io lets the waiters go on and drops the last reference to the bio, in one step: whoever still touches the bio
 * finds it dead from the one or the other on.
 */
export const bio_endio = fn(
  "bio_endio",
  { at: "fs/bio.c", params: { bio: ptr(bio), error: code } },
  ({ bio, error }) => {
    atomically("bio->bi_end_io(bio, error)", () => {
      const owner = read(bio.bi_private);
      If(owner.completed.now.lt(2), () => owner.completed.set(owner.completed.now.plus(1)));
      set_bit(owner.done);
      kfree(bio);
      If(error.eq("-EIO"), () => {
        If(suspend.now.eq("running"), () => eio.set(true));
        report(
          "eio-on-success",
          "a bio ends with -EIO after the noflush suspend has returned 0",
          suspend.now.eq("succeeded"),
        );
      });
      reached("bio-ended");
    });
  },
);

/**
 * An application waits until its bio has ended: wait_on_page_writeback(), or the wait in a direct read. Without a path
 * that may be for ever, and is its lot; whether the bio was lost meanwhile is asked of the bio.
 */
export const wait_on_bio = fn("wait_on_page_writeback", { at: "mm/filemap.c" }, () => {
  wait_until("wait_on_page_writeback(page)", () => first_request.done.now, {
    resting: () => first_request.done.now.not(),
  });
});

/* ---- the inode of the block device ---- */

/** bdget(): iget5_locked() finds the inode, which is in memory, and waits until nobody has locked it. */
export const bdget_disk = fn("bdget_disk", { at: "fs/block_dev.c", returns: ptr(block_device) }, () => {
  const found = local("bdev", ptr(block_device), bdev);
  If(bdget_may_fail.now, () => {
    Choose(
      { name: "finds memory", body: () => {} },
      {
        name: "no memory",
        optional: true,
        body: () => {
          reached("bdget-failed");
          found.set(NULL);
        },
      },
    );
  });
  If(found.value.eq(NULL), () => Return(NULL));
  atomic_inc(bdev.i_count);
  wait_until("wait_on_inode(inode)", () => bdev.I_LOCK.now.not());
  Return(bdev);
});

export const bdput = fn("bdput", { at: "fs/block_dev.c", params: { bdev: ptr(block_device) } }, ({ bdev }) => {
  // iput(bdev->bd_inode)
  atomic_dec(bdev.i_count);
});

/* ---- pages ---- */

/** Writes the page if it is dirty: one bio. */
export const writepages = fn("do_writepages", { at: "mm/page-writeback.c" }, () => {
  const dirty = test_and_clear_bit(PG_dirty);
  If(dirty, () => {
    const b = alloc(bio, { call: "bio_alloc()" });
    write(b.bi_private, first_request);
    dm_request({ bio: b });
  });
});

/** freeze_bdev(): the file system's dirty page is written, and waited for. bd_mount_sem is left to dm-lockfs. */
export const lock_fs = fn("lock_fs", { at: "drivers/md/dm.c" }, () => {
  writepages();
  // whoever suspends must get on
  wait_until("wait_on_page_writeback(page)", () => first_request.done.now);
  set_bit(md.FROZEN);
});

export const unlock_fs = fn("unlock_fs", { at: "drivers/md/dm.c" }, () => {
  const frozen = test_bit(md.FROZEN);
  If(frozen, () => clear_bit(md.FROZEN));
});
