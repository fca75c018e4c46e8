/**
 * Richard W.M. Jones, "blkdev_wait_scan module to help initrd scripts", posted 12 June 2007 against 2.6.22-rc.
 * rescan_partitions() keeps the bdev on a list while it scans; the module waits for those on the list.
 */
import {
  bool,
  EBUSY,
  If,
  list_add,
  list_del,
  list_empty,
  list_first_entry,
  local,
  mutex_lock,
  mutex_unlock,
  pause,
  Return,
  read,
  replace,
  spin_lock,
  spin_unlock,
  While,
  write,
} from "lockstep";
import { add_partitions, check_partition, rescan_partitions, rescan_partitions_wait } from "./block-dev.ts";
import { rescan_bdevs, rescan_bdevs_lock, waiter_holds_bd_mutex } from "./objects.ts";

export const jones_2007_scan = replace(rescan_partitions, ({ bdev }) => {
  const part_count = read(bdev.bd_part_count, { under: bdev.bd_mutex });
  If(part_count.ne(0), () => Return(-EBUSY));

  spin_lock(rescan_bdevs_lock);
  list_add(bdev, rescan_bdevs, { under: rescan_bdevs_lock });
  spin_unlock(rescan_bdevs_lock);

  write(bdev.bd_invalidated, false, { under: bdev.bd_mutex });
  pause("delete_partition(disk, p)");
  check_partition();
  add_partitions({ bdev });

  // done:
  spin_lock(rescan_bdevs_lock);
  list_del(bdev, rescan_bdevs, { under: rescan_bdevs_lock });
  spin_unlock(rescan_bdevs_lock);
  Return(0);
});

export const jones_2007 = [
  jones_2007_scan,
  replace(
    rescan_partitions_wait,
    () => {
      const empty = local("empty", bool, false);
      spin_lock(rescan_bdevs_lock);
      empty.set(list_empty(rescan_bdevs, { under: rescan_bdevs_lock }));
      While(
        () => empty.value.not(),
        () => {
          // Get the head block device on the list.
          const bd = list_first_entry(rescan_bdevs, { under: rescan_bdevs_lock });
          spin_unlock(rescan_bdevs_lock);

          // While rescanning the bd_mutex has been acquired, so trying to grab it here will block until the rescan
          // has completed.
          mutex_lock(bd.bd_mutex);
          waiter_holds_bd_mutex.set(true);
          mutex_unlock(bd.bd_mutex);
          waiter_holds_bd_mutex.set(false);

          spin_lock(rescan_bdevs_lock);
          empty.set(list_empty(rescan_bdevs, { under: rescan_bdevs_lock }));
        },
      );
      spin_unlock(rescan_bdevs_lock);
    },
    { at: "fs/partitions/check.c" },
  ),
];
