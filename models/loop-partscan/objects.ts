/**
 * The shared objects: one loop device, its disk, the block device of the disk and that of a partition.
 * Names are the kernel's. What a field stands for, where it is more or less than in C, is said beside it.
 */
import {
  type AccessOptions,
  type Atomic,
  atomic,
  atomically,
  type Bool,
  bool,
  type Data,
  enumeration,
  type FieldType,
  freezable,
  global,
  type Int,
  int,
  mutex,
  observer,
  plain,
  ptr,
  refcount,
  spinlock,
  struct,
  write,
} from "lockstep";

/** Openers of one device at once: T1 and the udevs. */
const MAX_OPENERS = 29;
/** Pages on their way to one device at once. */
const MAX_PAGES = 24;

/** `int` in the older versions, `atomic_t` in the newer ones: one word, and each version says how it touches it. */
interface Count {
  readonly int: Data<Int, Int | number>;
  readonly atomic_t: Atomic;
}
const count: FieldType<Count> = {
  place: (location) => ({
    int: plain(int(0, MAX_OPENERS)).place(location),
    atomic_t: atomic(0, MAX_OPENERS).place(location),
  }),
};

type Flag = Data<Bool, Bool | boolean>;
interface LoopFlags {
  readonly AUTOCLEAR: Flag;
  readonly PARTSCAN: Flag;
  readonly READ_ONLY: Flag;
}
/** The LO_FLAGS_* of lo->lo_flags, one by one. */
const loop_flags: FieldType<LoopFlags> = {
  place: (location) => {
    const flag = (name: string): Flag =>
      plain(bool).place({ ...location, name: `${location.name}.${name}`, text: `${location.text}.${name}` });
    return { AUTOCLEAR: flag("AUTOCLEAR"), PARTSCAN: flag("PARTSCAN"), READ_ONLY: flag("READ_ONLY") };
  },
};

/** `lo->lo_flags = …`: in C one store of one word, hence one step. */
export function assign_flags(flags: LoopFlags, value: { READ_ONLY: boolean }, options: AccessOptions): void {
  atomically(value.READ_ONLY ? "lo->lo_flags = LO_FLAGS_READ_ONLY" : "lo->lo_flags = 0", () => {
    write(flags.AUTOCLEAR, false, options);
    write(flags.PARTSCAN, false, options);
    write(flags.READ_ONLY, value.READ_ONLY, options);
  });
}

/** The size of no backing file, or of which, and whose partition table is there. */
const image = enumeration("none", "first", "second");

/** A backing file. Its own life is left out, so that one that is used after fput() is not seen: see README.md. */
const file = struct(
  "file",
  { slots: 2, as: "file", immortal: true },
  {
    /** Never changes; stands for all that is reached through a backing file. */
    f_op: plain(int(0, 0)),
  },
);
/** The file the scenario starts with, if any … */
export const first = file.object("first");
/** … and the one bound in it. */
export const second = file.object("second");

/** The block device of the whole disk. Pinned by open files and by the scenario: never freed. */
export const block_device = struct(
  "block_device",
  { slots: 1, as: "bdev", immortal: true },
  {
    bd_mutex: mutex(),
    bd_openers: count,
    /** Open partitions; gendisk.open_partitions from 5.14 on. */
    bd_part_count: plain(int(0, MAX_OPENERS)),
    /** The next open rescans; GD_NEED_PART_SCAN from 5.11 on. */
    bd_invalidated: plain(bool),
  },
);
/** /dev/loop0: bd_contains of itself and of its partition. */
export const bdev = block_device.object("loop0");

/** The block device of a partition: a struct block_device as well, with a bd_mutex of its own until 5.13. */
const partition = struct(
  "partition",
  { slots: 1, as: "part", immortal: true },
  { bd_mutex: mutex(), bd_openers: count },
);
/** /dev/loop0p1 */
export const part = partition.object("loop0p1");

export const loop_device = struct(
  "loop_device",
  { slots: 1, as: "lo" },
  {
    /** lo_open() and lo_release() count here up to v5.18. */
    lo_refcnt: count,
    /** One mutex for a device up to 4.20 … */
    lo_ctl_mutex: mutex(),
    /** … with one more in Ming Lei's patch, for lo_refcnt … */
    lo_open_mutex: mutex(),
    /** … and again one from 5.12 on. */
    lo_mutex: mutex(),
    lo_lock: spinlock(),
    /** The lock of `lo->worker`, a struct kthread_worker: 4.4 to 5.13 … */
    worker_lock: spinlock(),
    /** … and what came after it. */
    lo_work_lock: spinlock(),
    lo_state: plain(enumeration("Lo_unbound", "Lo_bound", "Lo_rundown", "Lo_deleting")),
    lo_flags: loop_flags,
    lo_device: plain(ptr(block_device)),
    /** Which backing file: the one the scenario starts with, or the one bound in it. */
    lo_backing_file: plain(ptr(file)),
    /** Stands for all that loop_set_status() writes after the rescan. */
    lo_encrypt_key_size: plain(int(0, 1)),
    lo_queue: freezable(MAX_PAGES),
  },
);
export const loop0 = loop_device.object("loop0");

/** The gendisk. Pinned, never freed; `bdev->bd_disk` and `lo->lo_disk` are it. */
const gendisk = struct(
  "gendisk",
  { slots: 1, as: "disk", immortal: true },
  {
    /** Registered: GENHD_FL_UP, and to be found by its number. */
    GENHD_FL_UP: plain(bool),
    /** `disk_part_scan_enabled(disk)` is its negation; GD_SUPPRESS_PART_SCAN in 5.19. */
    GENHD_FL_NO_PART_SCAN: plain(bool),
    private_data: plain(ptr(loop_device)),
    /** Zero, or the size of a backing file: that file's partition table is what a read of the disk would find. */
    capacity: plain(image),
    /** The partitions the disk has: none, or those read from a backing file. */
    part_tbl: plain(image),
    /** References to the disk. Counted where they decide how long lo lives: 5.19. */
    kobj: refcount(MAX_OPENERS + 1),
  },
);
export const disk = gendisk.object("loop0");

/** Global in loop.c up to 4.20; LOOP_CTL_* and open. */
export const loop_index_mutex = global("loop_index_mutex", mutex());
/** Global in loop.c from 5.0 on: everything at first, LOOP_CTL_* alone since 5.12. */
export const loop_ctl_mutex = global("loop_ctl_mutex", mutex());
/** The index, of one entry. */
export const loop_index_idr = global("loop_index_idr", plain(ptr(loop_device)));

/** The module parameter max_part is not given: partitions are scanned for only where a device was asked to. */
export const part_shift = 0;

/** The worker looked for the backing file of a request and found NULL. */
export const found_no_file = global("found_no_file", observer(bool));

/** T1 has set out to reread. */
export const reread_begun = global("reread_begun", observer(bool));
/** T1's reread, repeated or not, succeeded. */
export const reread_succeeded = global("reread_succeeded", observer(bool));
