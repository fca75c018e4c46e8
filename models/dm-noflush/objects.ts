/**
 * The shared objects: one device-mapper device with a multipath table, its block device, and the bios of an
 * application. Names are the kernel's. What a field stands for, where it is more or less than in C, is said beside it.
 */
import {
  atomic,
  bio_list,
  bit,
  bool,
  enumeration,
  global,
  int,
  mutex,
  observer,
  plain,
  ptr,
  rw_semaphore,
  semaphore,
  size,
  spinlock,
  struct,
  wait_queue,
} from "lockstep";

/** The bios of the scenario. */
export const bios = (): number => size("bios");
/** One that is being reissued and one whose last dec_pending() is not over yet, for each bio. */
export const ios = (): number => 2 * bios();

/**
 * What maps and ends of I/O say. DM_MAPIO_SUBMITTED is 0 and DM_MAPIO_REQUEUE is DM_ENDIO_REQUEUE, as in dm.h; of error
 * numbers -EIO stands for all.
 */
export const code = enumeration("0", "-EIO", "DM_ENDIO_INCOMPLETE", "DM_ENDIO_REQUEUE");

/** What the application knows of a bio: it outlives the bio. */
export const request = struct(
  "request",
  { slots: bios, as: "request", immortal: true },
  {
    /** The bio has ended: what a waiter (for the page, or in submit_bio's caller) looks at. */
    done: bit(),
    /** How often its bi_end_io was called. */
    completed: observer(int(0, 2)),
  },
);

/** The request of the first bio, or of the dirty page. */
export const first_request = request.object("first");

/** The original bio. Its bi_end_io drops the last reference, as those of the page cache and of file systems do. */
export const bio = struct(
  "bio",
  { slots: bios, as: "bio" },
  {
    bi_rw: plain(bool),
    bi_private: plain(ptr(request)),
    /** It was put on md->pushback since it was last mapped. */
    pushed_back: observer(bool),
  },
);

export const dm_io = struct(
  "dm_io",
  { slots: ios, as: "io" },
  {
    error: plain(code),
    io_count: atomic(0, 3),
    bio: plain(ptr(bio)),
    /** Only in `endio-lock`. */
    endio_lock: spinlock(),
    /** One of its clones ended with DM_ENDIO_REQUEUE. */
    requeue_wanted: observer(bool),
  },
);

/** struct target_io and the clone it belongs to: made together, freed together. */
export const target_io = struct(
  "target_io",
  { slots: ios, as: "tio" },
  {
    io: plain(ptr(dm_io)),
    /** A linear target has no end_io: what its device says is what dec_pending() gets. */
    ti: plain(enumeration("multipath", "linear")),
    /** The device below has the clone, and owes its completion. */
    at_device: observer(bool),
  },
);

export const block_device = struct(
  "block_device",
  { slots: 1, as: "bdev", immortal: true },
  {
    i_count: atomic(0, 3),
    i_mutex: mutex(),
    /** Writeback of the inode holds it; iget5_locked() waits for it. */
    I_LOCK: bit(),
    i_size: plain(int(1, 2)),
  },
);
export const bdev = block_device.object("dm-0");

const mapped_device = struct(
  "mapped_device",
  { slots: 1, as: "md" },
  {
    io_lock: rw_semaphore(),
    suspend_lock: semaphore(),
    pushback_lock: spinlock(),
    holders: atomic(0, 6),
    open_count: atomic(0, 1),
    /** The DMF_* of md->flags, one by one. */
    BLOCK_IO: bit(),
    SUSPENDED: bit(),
    FROZEN: bit(),
    FREEING: bit(),
    DELETING: bit(),
    NOFLUSH_SUSPENDING: bit(),
    pending: atomic(0, ios),
    wait: wait_queue(),
    deferred: bio_list(bio),
    pushback: bio_list(bio),
    suspended_bdev: plain(ptr(block_device)),
    /** Stands for io_pool, tio_pool and bs: what is looked up in md to give memory back. */
    io_pool: plain(bool),
    /** get_capacity(md->disk) */
    capacity: plain(int(1, 2), { init: 1 }),
  },
);
export const md = mapped_device.object("dm-0");

/**
 * struct multipath, the private data of the table's target. All paths have failed: nr_valid_paths and current_pgpath
 * are 0 throughout. It lives as long as the table, hence at least as long as md and any clone.
 */
const multipath = struct(
  "multipath",
  { slots: 1, as: "m", immortal: true },
  {
    lock: spinlock(),
    queue_if_no_path: plain(bool),
    saved_queue_if_no_path: plain(bool),
    queued_ios: bio_list(target_io),
    queue_size: plain(int(0, ios)),
  },
);
export const m = multipath.object("m");

export const _minor_lock = global("_minor_lock", spinlock());
/** Taken by kobj_unmap(), on the way from del_gendisk(). */
export const block_subsys_lock = global("block_subsys_lock", mutex());

/** A page of the device that was written to and not yet given to it; only in `dirty-page`. */
export const PG_dirty = global("PG_dirty", bit());

/** bdget_disk() may find no memory; only in `bdget-fails`. */
export const bdget_may_fail = global("bdget_may_fail", observer(bool));

/** Which way the device below answers, where the scenario leaves it open; otherwise it is always -EIO. */
export const device_may_succeed = global("device_may_succeed", observer(bool));

/** The first of two processes has ended; only in `twice`. */
export const first_dmsetup_done = global("first_dmsetup_done", bit());
