/** What was found, and why; where nothing is said, the property holds. README.md tells the schedules in words. */
import { atomicSleep, deadlock, type Expected, inconclusive, memorySafety, vacuous, violated } from "lockstep";
import {
  flagCleared,
  lostBio,
  noEioOnSuccess,
  pushbackWins,
  queueingRestored,
  reissuedAtResume,
  signalEndsSuspend,
  suspendEnds,
} from "./properties.ts";

/** The posted patch, and what changes it in one point that does not matter here. */
const as_posted = ["ueda-2006", "endio-lock", "flag-unlocked", "no-error-flush", "lockfs-with-noflush"];
const patched = ["nomura-2007", ...as_posted, "deferred-io-lock"];
const needs_bdev = [...as_posted, "deferred-io-lock"];

/** One bio, or two, at the device below when a noflush suspend begins. */
const interruptible = ["interrupted", "two-bios", "twice"];

export const expected: readonly Expected[] = [
  // deadlock
  violated(
    needs_bdev,
    ["sync-vs-suspend"],
    deadlock,
    ["partial-deadlock"],
    "bdget() waits for the inode that the sync has locked, and the sync for the bio that only dm_suspend() would take from the pushback list",
  ),
  violated(
    as_posted,
    ["fsync-vs-swap"],
    deadlock,
    ["partial-deadlock"],
    "__set_size() waits for the i_mutex that fsync holds, and fsync for the deferred bio that only the resume after the swap would reissue",
  ),
  violated(
    ["lockfs-with-noflush"],
    ["dirty-page"],
    deadlock,
    ["partial-deadlock"],
    "lock_fs() waits for the page, whose bio was pushed back and is not merged before lock_fs() returns",
  ),
  violated(
    ["deferred-io-lock"],
    [
      "suspend-resume",
      "interrupted",
      "bdget-fails",
      "split",
      "two-bios",
      "fsync-vs-swap",
      "suspend-suspended",
      "twice",
    ],
    deadlock,
    ["irq-deadlock"],
    "the completion interrupts dm_suspend() inside io_lock and then waits for io_lock",
  ),
  violated(
    ["deferred-io-lock"],
    ["dirty-page"],
    deadlock,
    ["self-deadlock"],
    "a bio pushed back while it is mapped: dm_request() holds io_lock for reading around dec_pending()",
  ),
  inconclusive(
    ["nomura-2007", ...as_posted],
    ["twice"],
    deadlock,
    "the second suspend waits for the very dec_pending() that will touch the freed bio, the error found under memory-safety",
  ),

  // lost-bio
  violated(
    ["flag-unlocked"],
    ["bdget-fails", ...interruptible],
    lostBio,
    ["bio-lost"],
    "the flag is seen set, dm_suspend() clears it and merges the pushback list on its way out, and then the bio is added",
  ),
  violated(
    ["no-error-flush"],
    ["bdget-fails"],
    lostBio,
    ["bio-lost"],
    "dm_suspend() returns -ENOMEM and what was pushed back stays on the pushback list",
  ),

  // memory-safety
  violated(
    patched,
    interruptible,
    memorySafety,
    ["use-after-free"],
    "after the bio has been put on the list and before end_io_acct() looks at it, the interrupted dm_suspend() reissues the bio, which ends with -EIO and is freed",
  ),
  violated(
    ["ueda-2006", "endio-lock", "flag-unlocked", "deferred-io-lock", "lockfs-with-noflush"],
    ["bdget-fails"],
    memorySafety,
    ["use-after-free"],
    "the same with the flush after bdget_disk() has failed, which does not wait for pending I/O at all",
  ),
  violated(
    [],
    ["close-after-io"],
    memorySafety,
    ["use-after-free"],
    "bio_endio() lets the owner close and the device be removed, and then free_io() looks up md->io_pool",
  ),
  violated(
    ["before", ...needs_bdev],
    ["suspend-suspended"],
    memorySafety,
    ["null-dereference"],
    "the second suspend leaves through `out`, which drops the first one's suspended_bdev, and dm_resume() drops it again",
  ),

  // atomic-sleep
  violated(
    ["deferred-io-lock"],
    [
      "suspend-resume",
      "interrupted",
      "bdget-fails",
      "split",
      "two-bios",
      "sync-vs-suspend",
      "fsync-vs-swap",
      "suspend-suspended",
      "twice",
      "message-vs-suspend",
    ],
    atomicSleep,
    ["sleep-in-atomic"],
    "io_lock is an rw_semaphore, and dec_pending() runs in the interrupt handler",
  ),

  // flag-cleared
  violated(
    ["no-error-flush"],
    ["bdget-fails"],
    flagCleared,
    ["flag-left-set"],
    "nothing on the way from the failed bdget_disk() to `out` clears the flag",
  ),
  vacuous(
    needs_bdev,
    ["sync-vs-suspend"],
    flagCleared,
    "no dm_suspend() returns: with the inode locked until the bio ends every run deadlocks",
  ),
  vacuous(
    ["lockfs-with-noflush"],
    ["dirty-page"],
    flagCleared,
    "no dm_suspend() returns: every run deadlocks in lock_fs()",
  ),

  // no-eio-on-success
  violated(
    ["before"],
    [
      "suspend-resume",
      "interrupted",
      "bdget-fails",
      "split",
      "two-bios",
      "dirty-page",
      "sync-vs-suspend",
      "fsync-vs-swap",
      "suspend-suspended",
      "twice",
      "message-vs-suspend",
    ],
    noEioOnSuccess,
    ["eio-on-success"],
    "what the patch is for: presuspend makes the target fail what it has queued",
  ),
  violated(
    patched,
    interruptible,
    noEioOnSuccess,
    ["eio-on-success"],
    "a signal ends the wait, the flag is cleared, the bio then ends with -EIO, and pending is 0 when dm_suspend() asks whether it was interrupted (in `twice` also without that race: the second presuspend saves queue_if_no_path = 0, so the target ends the bio with -EIO)",
  ),
  violated(
    ["nomura-2007", "ueda-2006", "flag-unlocked", "deferred-io-lock", "no-error-flush", "lockfs-with-noflush"],
    ["split"],
    noEioOnSuccess,
    ["eio-on-success"],
    "the lost push-back of pushback-wins: the bio ends with the other clone's error",
  ),
  vacuous(needs_bdev, ["sync-vs-suspend"], noEioOnSuccess, "no dm_suspend() returns: every run deadlocks"),
  vacuous(["lockfs-with-noflush"], ["dirty-page"], noEioOnSuccess, "no dm_suspend() returns: every run deadlocks"),

  // pushback-wins
  violated(
    ["nomura-2007", "ueda-2006", "flag-unlocked", "deferred-io-lock", "no-error-flush", "lockfs-with-noflush"],
    ["split"],
    pushbackWins,
    ["push-back-lost"],
    "one CPU tests io->error, the other stores DM_ENDIO_REQUEUE, and the first stores its error over it: no lock is held",
  ),

  // reissued-at-resume
  violated(
    patched,
    ["interrupted"],
    reissuedAtResume,
    ["reissued-early"],
    "the -EINTR path merges the pushback list into md->deferred and reissues it all at once, where a target that no longer queues fails it",
  ),

  // queueing-restored
  violated(
    [],
    ["twice"],
    queueingRestored,
    ["queueing-lost"],
    "nothing takes presuspend back: queue_if_no_path stays 0 after -EINTR, and the next presuspend saves that 0",
  ),

  // in the end
  violated(
    [],
    ["message-vs-suspend"],
    deadlock,
    ["partial-deadlock"],
    "the message sets queue_if_no_path and its saved value alike, so that the target takes itself for one that is not being suspended: it queues the bio, and dm_suspend() waits for it",
  ),
  violated(
    [],
    ["message-vs-suspend"],
    suspendEnds(),
    ["starvation"],
    "the message undoes presuspend: the bio waits in the target for a path, and dm_suspend() for the bio",
  ),
  violated(
    needs_bdev,
    ["sync-vs-suspend"],
    suspendEnds(),
    ["starvation"],
    "the deadlock of bdget() and the sync: neither the bio nor the suspend ends",
  ),
  violated(
    needs_bdev,
    ["signal-vs-sync"],
    signalEndsSuspend,
    ["starvation"],
    "bdget() waits for the locked inode in its sleep without an ear for signals",
  ),
  violated(
    as_posted,
    ["fsync-vs-swap"],
    suspendEnds(),
    ["starvation"],
    "the suspend ends, and the swap of tables after it does not: __set_size() and fsync wait for each other",
  ),
  violated(
    ["lockfs-with-noflush", "deferred-io-lock"],
    ["dirty-page"],
    suspendEnds(),
    ["starvation"],
    "the deadlock of lock_fs(), or of the bio pushed back under io_lock",
  ),
  violated(
    ["deferred-io-lock"],
    [
      "suspend-resume",
      "interrupted",
      "bdget-fails",
      "split",
      "two-bios",
      "fsync-vs-swap",
      "suspend-suspended",
      "twice",
    ],
    suspendEnds(),
    ["starvation"],
    "the completion that interrupts dm_suspend() inside io_lock waits for io_lock",
  ),
  vacuous(
    ["before", ...as_posted],
    ["suspend-suspended"],
    suspendEnds(),
    "no run goes on: the second suspend always drops the bdev that dm_resume() then drops again, and that ends in the NULL dereference",
  ),
];
