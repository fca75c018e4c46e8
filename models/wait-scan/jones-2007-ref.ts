/** The posted patch with a reference on the bdev while it is waited for: bdgrab() under the list's lock, bdput() after. */
import {
  atomic_inc,
  bool,
  list_empty,
  list_first_entry,
  local,
  mutex_lock,
  mutex_unlock,
  replace,
  spin_lock,
  spin_unlock,
  While,
} from "lockstep";
import { bdput, rescan_partitions_wait } from "./block-dev.ts";
import { rescan_bdevs, rescan_bdevs_lock, waiter_holds_bd_mutex } from "./objects.ts";

export const jones_2007_ref = [
  replace(rescan_partitions_wait, () => {
    const empty = local("empty", bool, false);
    spin_lock(rescan_bdevs_lock);
    empty.set(list_empty(rescan_bdevs, { under: rescan_bdevs_lock }));
    While(
      () => empty.value.not(),
      () => {
        const bd = list_first_entry(rescan_bdevs, { under: rescan_bdevs_lock });
        atomic_inc(bd.i_count);
        spin_unlock(rescan_bdevs_lock);

        mutex_lock(bd.bd_mutex);
        waiter_holds_bd_mutex.set(true);
        mutex_unlock(bd.bd_mutex);
        waiter_holds_bd_mutex.set(false);
        bdput({ bdev: bd });

        spin_lock(rescan_bdevs_lock);
        empty.set(list_empty(rescan_bdevs, { under: rescan_bdevs_lock }));
      },
    );
    spin_unlock(rescan_bdevs_lock);
  }),
];
