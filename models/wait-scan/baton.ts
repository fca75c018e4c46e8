/**
 * A list on which everybody waits for the one before, as scsi_complete_async_scans() does: a scan appends its node,
 * reads the table, waits until it is the first, takes its node off and completes the next; a waiter does the same
 * with nothing to read.
 */
import {
  alloc,
  complete,
  EBUSY,
  fn,
  If,
  init_completion,
  kfree,
  list_add_tail,
  list_del,
  list_empty,
  list_first_entry,
  pause,
  ptr,
  Return,
  read,
  replace,
  spin_lock,
  spin_unlock,
  wait_for_completion,
  write,
} from "lockstep";
import { add_partitions, check_partition, rescan_partitions, rescan_partitions_wait } from "./block-dev.ts";
import { rescan_bdevs_lock as lock, scan_node, scan_nodes } from "./objects.ts";

const CHECK = "fs/partitions/check.c";

/** Waits until the node is the first, takes it off, lets the next one go. */
const pass_baton = fn("pass_baton", { at: CHECK, params: { node: ptr(scan_node) } }, ({ node }) => {
  wait_for_completion(node.prev_finished);
  spin_lock(lock);
  list_del(node, scan_nodes, { under: lock });
  const last = list_empty(scan_nodes, { under: lock });
  If(last.not(), () => {
    const next = list_first_entry(scan_nodes, { under: lock });
    complete(next.prev_finished);
  });
  spin_unlock(lock);
  kfree(node);
});

export const baton = [
  replace(rescan_partitions, ({ bdev }) => {
    const part_count = read(bdev.bd_part_count, { under: bdev.bd_mutex });
    If(part_count.ne(0), () => Return(-EBUSY));

    const node = alloc(scan_node);
    init_completion(node.prev_finished);
    spin_lock(lock);
    const first = list_empty(scan_nodes, { under: lock });
    If(first, () => complete(node.prev_finished));
    list_add_tail(node, scan_nodes, { under: lock });
    spin_unlock(lock);

    write(bdev.bd_invalidated, false, { under: bdev.bd_mutex });
    pause("delete_partition(disk, p)");
    check_partition();
    add_partitions({ bdev });
    pass_baton({ node });
    Return(0);
  }),
  replace(rescan_partitions_wait, () => {
    const node = alloc(scan_node);
    init_completion(node.prev_finished);
    spin_lock(lock);
    const nobody = list_empty(scan_nodes, { under: lock });
    If(nobody, () => {
      spin_unlock(lock);
      kfree(node);
      Return();
    });
    list_add_tail(node, scan_nodes, { under: lock });
    spin_unlock(lock);
    pass_baton({ node });
  }),
];
