/**
 * The shared objects: the mddev, the gendisk and the block device of one md device, /dev/md0. Names are the kernel's.
 * What a field stands for, where it is more or less than in C, is said beside it.
 */
import {
  bkl,
  bool,
  type Data,
  enumeration,
  type FieldType,
  global,
  type Int,
  int,
  type Kref,
  kref,
  type Mutex,
  module,
  mutex,
  type Null,
  observer,
  plain,
  ptr,
  refcount,
  type Struct,
  type StructPointer,
  size,
  spinlock,
  struct,
  sysfs_node,
  work,
} from "lockstep";

/** Openers, a sysfs writer and the walk of md_exit(): nobody holds more than two references at once. */
const MAX_REFERENCES = 8;

/** `mddev_t`, `struct mddev` later. Only one of them is ever on the list: they all are /dev/md0. */
export const mddev = struct(
  "mddev",
  { slots: () => size("generations"), as: "mddev" },
  {
    active: refcount(MAX_REFERENCES),
    /** Accessed without a lock: whoever looks may see the old value or the new one. */
    hold_active: plain(enumeration("0", "UNTIL_CLOSE", "UNTIL_IOCTL")),
    gendisk: plain(ptr(() => gendisk)),
    /** `!list_empty(&mddev->disks)`; nobody sets raid_disks here, which has the same effect. */
    disks: plain(bool),
    reconfig_mutex: mutex(),
    /** Since 2.6.31. */
    open_mutex: mutex(),
    /** The request queue exists. Tracked where it is allocated before the disk: up to the posted patch. */
    queue: plain(bool),
    /** `kobj.kref`. */
    kobj: kref(2),
    /** The attributes in /sys/block/md0/md, and who is inside of one. */
    md_attributes: sysfs_node({ exists: false, users: 1 }),
    del_work: work(),
    /** Since 6.0. */
    deleted: plain(bool),
  },
);

export type Mddev = ReturnType<typeof mddev.pointer>;

type DiskFields = {
  readonly ref: FieldType<Kref>;
  readonly private_data: FieldType<Data<Mddev, Mddev | Null>>;
  readonly open_mutex: FieldType<Mutex>;
  readonly bd_openers: FieldType<Data<Int, Int | number>>;
};
export const gendisk: Struct<"gendisk", DiskFields> = struct(
  "gendisk",
  { slots: () => size("generations"), as: "disk" },
  {
    /** References to the disk: the kref of part0's device. */
    ref: kref(MAX_REFERENCES),
    /** Set before the disk is published and never changed: reading it is no step of its own. Not a counted reference. */
    private_data: plain(ptr(mddev)),
    /** Since 5.13 the block device comes and goes with its disk; before, `bdev` has these. */
    open_mutex: mutex(),
    bd_openers: plain(int(0, MAX_REFERENCES)),
  },
);
export type Disk = StructPointer<"gendisk", DiskFields>;

const block_device = struct(
  "block_device",
  { slots: 1, as: "bdev", immortal: true },
  {
    bd_mutex: mutex(),
    bd_openers: plain(int(0, MAX_REFERENCES)),
    bd_disk: plain(ptr(gendisk)),
  },
);
/** One for each dev_t; successive disks share it. Pinned by the inode of /dev/md0. */
export const bdev = block_device.object("md0");

/** What kobj_lookup() finds for the number of /dev/md0 beside the probe of md itself. Guarded by block_class_lock. */
export const bdev_map = global("bdev_map", plain(ptr(gendisk)));
/** md_probe() is registered for all numbers of md. */
export const md_region = global("md_region", plain(bool, { init: 1 }));

export const all_mddevs_lock = global("all_mddevs_lock", spinlock());
/** The list all_mddevs: the entry for /dev/md0, or NULL. */
export const all_mddevs = global("all_mddevs", plain(ptr(mddev)));
export const disks_mutex = global("disks_mutex", mutex());

/** The directory /sys/block/md0/md. */
export const sysfs_md0 = global("sysfs_md0", plain(ptr(mddev)));

export const md_mod = global("md_mod", module(MAX_REFERENCES));
export const BKL = global("kernel_flag", bkl());

/** Memory is short: an allocation may fail. Constant in a scenario. */
export const memory_is_short = global("memory_is_short", plain(bool));

/** rmmod has begun. */
export const unloading = global("unloading", observer(bool));
/** An allocation failed in this run. */
export const allocation_failed = global("allocation_failed", observer(bool));
/** A thread that opens only once has just been told to start again. */
export const starts_again = global("starts_again", observer(bool));
/** Threads of the scenario, without workers, that have not ended. */
export const unfinished = global("unfinished", observer(int(0, 4)));
