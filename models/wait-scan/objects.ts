/** The shared objects of the partition scan (2.6.22), and what the patches add to them. Names are the kernel's. */
import {
  atomic,
  bkl,
  bool,
  completion,
  enumeration,
  global,
  int,
  list_head,
  mutex,
  observer,
  plain,
  refcount,
  size,
  spinlock,
  struct,
  wait_queue,
} from "lockstep";

/** Scanning threads and insmod. */
const USERS = 3;
/** Probes beside the one or two that are watched. */
const others = () => size("others", 0);
const users = () => USERS + others();

export const block_device = struct(
  "block_device",
  { slots: () => 2 + others(), as: "bdev" },
  {
    /** bd_inode->i_count: at 0 inode and bdev are freed at once (drop_inode is generic_delete_inode). */
    i_count: refcount(USERS, { init: 1 }),
    bd_mutex: mutex(),
    bd_openers: plain(int(0, USERS)),
    bd_part_count: plain(int(0, USERS)),
    bd_invalidated: plain(bool),
    /** Which driver registered it. */
    registered_by: observer(enumeration("none", "driver1", "driver2")),
  },
);
/** /dev/xvda, where a scenario starts with a registered disk. */
export const xvda = block_device.object("xvda");

export const kernel_flag = global("kernel_flag", bkl());

/** jones-2007: the block devices which are being scanned for partitions. */
export const rescan_bdevs = global("rescan_bdevs", list_head(block_device));
export const rescan_bdevs_lock = global("rescan_bdevs_lock", spinlock());

/** scan-counter, probe-counter: how many scans (or probes) are under way, and who waits for none. */
export const scanning = global("scanning", atomic(0, users));
export const scanning_wait = global("scanning_wait", wait_queue());

/** baton: one node for each scan and each waiter. */
export const scan_node = struct("scan_node", { slots: users, as: "node" }, { prev_finished: completion() });
export const scan_nodes = global("scan_nodes", list_head(scan_node));

/** Where a scenario says so, reads of the partition table never complete. */
export const reads_are_lost = global("reads_are_lost", plain(bool));

/** Per driver thread: whether its probe has begun, and whether its disk has been scanned. */
const progress = observer(enumeration("none", "begun", "scanned"));
export const probes = [global("probe1", progress), global("probe2", progress)] as const;
/** Probes that had begun when the wait began. */
export const awaited = [global("awaited1", observer(bool)), global("awaited2", observer(bool))] as const;
/** insmod holds a bd_mutex. */
export const waiter_holds_bd_mutex = global("waiter_holds_bd_mutex", observer(bool));
