/** fs/block_dev.c and fs/buffer.c of 2.6: references to block devices, and syncing them. */
import {
  alloc,
  atomic_dec_and_test,
  atomic_inc,
  atomic_set,
  atomically,
  down,
  errno,
  fn,
  If,
  kfree,
  local,
  NULL,
  outcome,
  ptr,
  Return,
  sema_init,
  sleep_until,
  submit_bio,
  test_and_clear_bit,
  up,
  wait_on_bio,
  write,
} from "lockstep";
import { dm_request } from "./dm.ts";
import {
  bdget_may_fail,
  block_device,
  device,
  inode_hash,
  page_bio,
  slab_is_new,
  super_block,
  superblock_bio,
  until_resumed,
} from "./objects.ts";

const BLOCK_DEV = "fs/block_dev.c";
export const BUFFER = "fs/buffer.c";
const EXT3 = "fs/ext3/super.c";

/** The block device of a device: another reference to it, or a new one. All under inode_lock, hence one step. */
export const bdget = fn("bdget", { at: BLOCK_DEV, params: { dev: device }, returns: ptr(block_device) }, ({ dev }) => {
  const bdev = local("bdev", ptr(block_device), NULL);
  atomically("iget5_locked(bd_mnt->mnt_sb, hash(dev), …)", () => {
    for (const name of ["dm-0", "sdb"] as const) {
      const hashed = inode_hash[name];
      If(dev.eq(name), () => {
        If(
          hashed.now.ne(NULL),
          () => {
            bdev.set(hashed.now);
            atomic_inc(bdev.value.i_count);
          },
          () => {
            bdev.set(alloc(block_device, { call: "kmem_cache_alloc(bdev_cachep)" }));
            If(slab_is_new.now, () => {
              sema_init(bdev.value.bd_mount_sem, 1);
              write(slab_is_new, false);
            });
            atomic_set(bdev.value.i_count, 1);
            write(bdev.value.bd_dev, name);
            write(hashed, bdev.value);
          },
        );
      });
    }
  });
  Return(bdev.value);
});

/** The mapped device's own, or NULL without memory. */
export const bdget_disk = fn("bdget_disk", { at: "drivers/block/genhd.c", returns: ptr(block_device) }, () => {
  If(bdget_may_fail.now, () => {
    const found = outcome("kmem_cache_alloc(bdev_cachep)", { optional: true });
    If(found.not(), () => Return(NULL));
  });
  Return(bdget({ dev: "dm-0" }));
});

/** The last reference frees the inode at once (drop_inode is generic_delete_inode), under inode_lock: one step. */
export const bdput = fn("bdput", { at: BLOCK_DEV, params: { bdev: ptr(block_device) } }, ({ bdev }) => {
  atomically("iput(bdev->bd_inode)", () => {
    If(atomic_dec_and_test(bdev.i_count), () => {
      If(
        bdev.bd_dev.now.eq("dm-0"),
        () => write(inode_hash["dm-0"], NULL),
        () => write(inode_hash.sdb, NULL),
      );
      kfree(bdev);
    });
  });
});

/** Writes what is dirty and waits for all that is on its way. */
export const sync_blockdev = fn(
  "sync_blockdev",
  { at: BUFFER, params: { bdev: ptr(block_device) }, returns: errno },
  ({ bdev }) => {
    const dirty = test_and_clear_bit(bdev.PG_dirty);
    If(
      dirty,
      () => {
        submit_bio(page_bio);
        dm_request({ bio: page_bio });
        Return(wait_on_bio(page_bio, { resting: until_resumed }));
      },
      () => {
        const written = () => page_bio.io.inFlight.not();
        sleep_until("wait_on_page_writeback(page)", written, { resting: until_resumed });
        Return(0);
      },
    );
  },
);

/**
 * sync_inodes_sb(), DQUOT_SYNC(), sync_fs() and the first sync_blockdev() write the same dirty page or nothing, and
 * what they return is dropped: the last sync_blockdev() stands for them. write_super() only clears s_dirt.
 */
export const fsync_super = fn(
  "fsync_super",
  { at: BUFFER, params: { s: ptr(super_block), bdev: ptr(block_device) }, returns: errno },
  ({ s, bdev }) => {
    // lock_super(sb); sb->s_op->write_super(sb); unlock_super(sb)
    down(s.s_lock);
    up(s.s_lock);
    Return(sync_blockdev({ bdev }));
  },
);

/** A synchronous read or write of the file system's superblock. */
export const superblock_io = fn("ext3_commit_super", { at: EXT3 }, () => {
  submit_bio(superblock_bio);
  dm_request({ bio: superblock_bio });
  wait_on_bio(superblock_bio, { resting: until_resumed });
});
