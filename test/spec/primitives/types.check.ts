/** Misuse of primitives that must not compile; type-checked, never run. */
import {
  bio_list,
  bio_list_add,
  bit,
  complete,
  completion,
  down,
  down_read,
  global,
  kref,
  kref_get,
  kref_put,
  list_add,
  list_head,
  module,
  module_put,
  mutex,
  mutex_lock,
  rw_semaphore,
  semaphore,
  set_current_state,
  spin_lock,
  struct,
  sysfs_node,
  sysfs_remove,
  try_module_get,
  up,
  up_write,
  wait_event,
  wait_queue,
  wake_up,
} from "../../../src/index.ts";

const disk = struct("gendisk", { slots: 1, as: "disk" }, { ref: kref(1) });
const bdev = struct("bdev", { slots: 1, as: "bdev" }, {});
const disks = global("disks", list_head(disk));
const bios = global("bios", bio_list(bdev));
const m = global("m", mutex());
const rw = global("rw", rw_semaphore());
const sem = global("sem", semaphore());
const wq = global("wq", wait_queue());
const done = global("done", completion());
const mod = global("mod", module(1));
const node = global("node", sysfs_node());
const flag = global("flag", bit());

export function misuse(): void {
  // @ts-expect-error a mutex is no rw_semaphore
  down_read(m);
  // @ts-expect-error a semaphore is no rw_semaphore
  up_write(sem);
  // @ts-expect-error an rw_semaphore is no semaphore
  down(rw);
  // @ts-expect-error a mutex is no semaphore
  up(m);
  // @ts-expect-error a semaphore is no mutex
  mutex_lock(sem);
  // @ts-expect-error a semaphore is no spinlock
  spin_lock(sem);
  // @ts-expect-error a wait queue is no completion
  complete(wq);
  // @ts-expect-error a completion is no wait queue
  wake_up(done);
  // @ts-expect-error the condition is looked at again and again: a function
  wait_event(wq, flag.now);
  // @ts-expect-error no such state
  set_current_state("RUNNING");
  // @ts-expect-error the count itself, not the object
  kref_get(disk.object("d"));
  // @ts-expect-error what the last put does
  kref_put(disk.object("d").ref);
  // @ts-expect-error a list of another struct
  list_add(bdev.object("b"), disks);
  // @ts-expect-error a bio_list is no list_head
  list_add(bdev.object("b"), bios);
  // @ts-expect-error a list_head is no bio_list
  bio_list_add(disks, disk.object("d"));
  // @ts-expect-error a kref is no module
  module_put(disk.object("d").ref);
  // @ts-expect-error a module is no sysfs node
  sysfs_remove(mod);
  // @ts-expect-error a sysfs node is no module
  if (try_module_get(node)) return;
}
