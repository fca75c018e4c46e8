/**
 * The shared objects: one device-mapper device, the block devices, a superblock, and the bios of the scenarios.
 * Names are the kernel's. What a field stands for, where it is more or less than in C, is said beside it.
 */
import {
  atomic,
  type Bool,
  bio_account,
  bio_list,
  bit,
  bool,
  enumeration,
  global,
  int,
  list_head,
  observer,
  plain,
  ptr,
  refcount,
  rw_semaphore,
  semaphore,
  spinlock,
  struct,
  wait_queue,
} from "lockstep";

/** What an active superblock counts for in s_count: 2^30 in C; it need only be above the number of references. */
export const S_BIAS = 8;

/** /dev/dm-0 is the mapped device; sdb is another disk altogether. */
export const device = enumeration("dm-0", "sdb");

/**
 * A block device lives in the inode of the bdev file system. Its constructor runs once for the slab's memory, not for
 * each object, so an object has what its predecessor left: `reuse`.
 */
export const block_device = struct(
  "block_device",
  { slots: 2, as: "bdev", reuse: () => true },
  {
    bd_dev: plain(device),
    i_count: refcount(8),
    /** Initialised by init_once(), the slab constructor. */
    bd_mount_sem: semaphore(1, 1, { taker: true }),
    /** A page of the file system, or a buffer of it, is dirty; stands for all there is to sync. */
    PG_dirty: bit(),
  },
);
/** The block device of the mapped device, where a scenario starts with one. */
export const dm_bdev = block_device.object("dm-0");

/** The inode hash of the bdev file system: the block device of each device, while somebody has a reference. */
export const inode_hash = {
  "dm-0": global("inode_hash.dm", plain(ptr(block_device))),
  sdb: global("inode_hash.sdb", plain(ptr(block_device))),
} as const;
/** Memory reclaim gave the slab back: the next object is a new one, and the constructor runs. */
export const slab_is_new = global("slab_is_new", plain(bool));

/** The scenarios have one superblock at most. */
export const super_block = struct(
  "super_block",
  { slots: 1, as: "sb" },
  {
    s_bdev: plain(ptr(block_device)),
    /** Whether there is a root: it is mounted, and not being shut down. */
    s_root: plain(bool),
    s_count: plain(int(0, S_BIAS + 4)),
    s_active: atomic(0, 1),
    s_umount: rw_semaphore(),
    /** lock_super() */
    s_lock: semaphore(1, 1, { taker: true }),
    s_frozen: plain(enumeration("SB_UNFROZEN", "SB_FREEZE_WRITE", "SB_FREEZE_TRANS")),
    /** The barrier write_super_lockfs() puts up and unlockfs() takes down: for ext3 that of the journal. */
    fs_locked: plain(bool),
  },
);
export const sb = super_block.object("sb");
export const sb_lock = global("sb_lock", spinlock());
export const super_blocks = global("super_blocks", list_head(super_block));

/** An original bio; the dm_io and the one clone it is mapped to are part of it. */
export const bio = struct(
  "bio",
  { slots: 4, as: "bio", immortal: true },
  {
    /** `io_count` is dm_io's: one for the clone, one for dm_request(). */
    io: bio_account({ clones: 2 }),
    /** The device below has the clone, and owes its completion. */
    at_disk: observer(bool),
  },
);
/** That of the dirty page; of the file system's superblock; and those of applications. */
export const page_bio = bio.object("page");
export const superblock_bio = bio.object("superblock");
export const first_bio = bio.object("first");
export const second_bio = bio.object("second");

const mapped_device = struct(
  "mapped_device",
  { slots: 1, as: "md", immortal: true },
  {
    /** Everything, until kergon-2005 … */
    lock: rw_semaphore(),
    /** … makes two of it: one around suspend, resume and swap_table, one for BLOCK_IO and the deferred bios. */
    suspend_lock: semaphore(1, 1, { taker: true }),
    io_lock: rw_semaphore(),
    /** The DMF_* of md->flags, one by one. FS_LOCKED until 2005, FROZEN from 2.6.16 on. */
    BLOCK_IO: bit(),
    SUSPENDED: bit(),
    FS_LOCKED: bit(),
    FROZEN: bit(),
    pending: atomic(0, 4),
    wait: wait_queue(),
    deferred: bio_list(bio),
    frozen_sb: plain(ptr(super_block)),
    /** frozen_bdev in kergon-2005, suspended_bdev in v2.6.17. */
    frozen_bdev: plain(ptr(block_device)),
    suspended_bdev: plain(ptr(block_device)),
  },
);
export const md = mapped_device.object("md");

/** dm_resume() calls that are still to come, or have not yet decided. */
export const resumes = global("resumes", observer(int(0, 2)));

/** I/O is held back until a resume. */
export function suspended(): Bool {
  return md.SUSPENDED.now.and(md.BLOCK_IO.now);
}
/** The device is suspended, and nobody will resume it: what waits for that, waits rightly. */
export function until_resumed(): Bool {
  return suspended().and(resumes.now.eq(0));
}

/** Scenarios in which these may fail. */
export const bdget_may_fail = global("bdget_may_fail", observer(bool));
export const disk_may_fail = global("disk_may_fail", observer(bool));
/** The file system writes its superblock in unlockfs(), as ext3 does, and waits for it. */
export const unlockfs_writes = global("unlockfs_writes", observer(bool));
