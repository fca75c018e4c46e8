/** A counter raised around the scan, and wait_event(counter == 0): no bdev is touched by the waiter. */
import {
  atomic_dec_and_test,
  atomic_inc,
  EBUSY,
  fn,
  If,
  pause,
  Return,
  read,
  replace,
  wait_event,
  wake_up,
  write,
} from "lockstep";
import {
  add_partitions,
  check_partition,
  probe_begins,
  probe_ends,
  rescan_partitions,
  rescan_partitions_wait,
} from "./block-dev.ts";
import { scanning, scanning_wait } from "./objects.ts";

const one_less = fn("scan_done", { at: "fs/partitions/check.c" }, () => {
  If(atomic_dec_and_test(scanning), () => wake_up(scanning_wait));
});

const wait_for_none = replace(rescan_partitions_wait, () => {
  wait_event(scanning_wait, () => scanning.now.eq(0));
});

export const scan_counter = [
  replace(rescan_partitions, ({ bdev }) => {
    const part_count = read(bdev.bd_part_count, { under: bdev.bd_mutex });
    If(part_count.ne(0), () => Return(-EBUSY));
    atomic_inc(scanning);
    write(bdev.bd_invalidated, false, { under: bdev.bd_mutex });
    pause("delete_partition(disk, p)");
    check_partition();
    add_partitions({ bdev });
    one_less();
    Return(0);
  }),
  wait_for_none,
];

/** probe-counter: raised when the probe is queued, lowered when the disk is registered; rescans are not counted. */
export const probe_counter = [
  replace(probe_begins, () => atomic_inc(scanning)),
  replace(probe_ends, () => one_less()),
  wait_for_none,
];
