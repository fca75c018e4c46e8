/** What is asked, beside the ready-made properties. */
import { atRest, type Bool, ended, eventually, invariant, lostBio as lostBioOf, temporal } from "lockstep";
import { bio, block_device, md, super_block, suspended } from "./objects.ts";

/** A bio that is deferred while the device is suspended waits for the resume. */
export const lostBio = lostBioOf({ bios: bio, waiting: (b) => md.deferred.has(b).and(suspended()) });

const first = { e: "const", v: 1 } as const;
/** The one superblock, whether or not it exists. */
function sb(): ReturnType<typeof super_block.object> {
  super_block.declare();
  return super_block.pointer(first);
}
/** The block device of the mapped device, in scenarios where it is open throughout. */
function bdev(): ReturnType<typeof block_device.object> {
  block_device.declare();
  return block_device.pointer(first);
}

/** The barrier of write_super_lockfs() is up: what "a consistent state" rests on. */
export const frozenWhileSuspended = invariant(
  "frozen-while-suspended",
  {
    title: "while the device is suspended its file system is frozen",
    message: "the device is suspended, and the file system on it is not frozen",
    trigger: ["suspended"],
    triggerWhat: "a suspend that succeeds",
  },
  () => suspended().and(sb().s_root.now).and(sb().fs_locked.now.not()).not(),
);

/** Semaphores and rw_semaphores have no owner, so a thread may end with them held; at rest nobody will release them. */
export const nothingLeftHeld = atRest(
  "nothing-left-held",
  {
    title: "nothing stays locked when the device is not suspended",
    kind: "lock-held-at-exit",
    message: "everything is at rest, the device is not suspended, and a lock is still held",
    trigger: ["unlock"],
    triggerWhat: "an unlock",
  },
  () => suspended().or(all_free()),
);

function all_free(): Bool {
  const free = (lock: typeof md.lock): Bool => lock.held.not().and(lock.readers.eq(0));
  return free(md.lock)
    .and(free(md.io_lock))
    .and(md.suspend_lock.count.eq(1))
    .and(free(sb().s_umount))
    .and(sb().s_lock.count.eq(1))
    .and(sb().fs_locked.now.not())
    .and(bdev().bd_mount_sem.count.eq(1));
}

/**
 * Whatever I/O comes: every thread is weakly fair, and the rw_semaphore serves who came first. Unfair, it may never be found
 * without a reader.
 */
export const suspendEnds = temporal(
  "suspend-ends",
  {
    title: "a suspend ends, whatever I/O goes on meanwhile",
    kind: "starvation",
    message: "the process that suspends never gets on",
    trigger: ["suspended"],
    triggerWhat: "a suspend that succeeds",
  },
  () => eventually(ended("dmsetup")),
);
