/**
 * What was found, and why; where nothing is said, the property holds. README.md tells the schedules in words.
 * `[]` stands for all variants, or all scenarios.
 */
import {
  atomicSleep,
  deadlock,
  type Expected,
  inconclusive,
  lockDiscipline,
  memorySafety,
  noEbusy,
  vacuous,
  violated,
} from "lockstep";
import {
  detachCompletes,
  ebusyRecoverable,
  flagsKept,
  lostBio,
  releaseRescans,
  rereadServed,
  retryEnds,
} from "./properties.ts";

const lei = ["lei-2015", "lei-2015-return"];
const trying = ["v4.0", "wilson-2015", ...lei];
const waiting = ["v4.2", "v4.14", "v5.0", "v5.1", "v5.13", "v5.19"];

const set_status = ["set-status-vs-open", "set-status-vs-open-vs-remove", "set-status-close-vs-open"];
const autoclear = ["autoclear-last-close", "autoclear-vs-remove"];
const clr_fd = ["clr-fd-vs-rebind", "detach-vs-open", "detach-vs-partition-open"];
const unbound = ["unbound-close-vs-remove", "open-vs-remove"];

export const expected: readonly Expected[] = [
  violated(
    ["wilson-2015", "lei-2015-return"],
    ["set-status-vs-endless-opens"],
    rereadServed,
    ["starvation"],
    "BLKRRPART only tries bd_mutex, and each time it does udev has it again; nobody queues for a lock that is tried.",
  ),
  vacuous(
    ["lei-2015"],
    ["set-status-vs-endless-opens"],
    rereadServed,
    "every close that is not the last unlocks lo_ctl_mutex, which it does not hold: no run goes on after that error.",
  ),
  // no-ebusy: the patches make it rarer, the merged version ends it
  violated(
    ["v4.0"],
    set_status,
    noEbusy,
    ["ebusy"],
    "udev opens or closes the disk with bd_mutex held, and BLKRRPART only tries it; udev in lo_open even waits for " +
      "lo_ctl_mutex, which the ioctl holds.",
  ),
  violated(
    ["wilson-2015"],
    set_status,
    noEbusy,
    ["ebusy"],
    "mutex_is_locked() is stale at once: udev takes bd_mutex between the test and the trylock.",
  ),
  violated(
    lei,
    set_status,
    noEbusy,
    ["ebusy"],
    "udev can hold bd_mutex through all five attempts, and nobody makes it give way.",
  ),
  violated(
    ["v4.0", "wilson-2015"],
    autoclear,
    noEbusy,
    ["ebusy"],
    "__blkdev_put holds bd_mutex around lo_release, so the reread of the clean-up always finds it locked, by itself.",
  ),
  violated(
    trying,
    clr_fd,
    noEbusy,
    ["ebusy"],
    "the clean-up after LOOP_CLR_FD only tries bd_mutex, and an open of the disk or of a partition holds it.",
  ),
  vacuous(lei, autoclear, noEbusy, "lo_release rescans under the bd_mutex it already holds: nothing is tried."),
  vacuous(trying, unbound, noEbusy, "an unbound device is not rescanned."),
  vacuous(trying, ["clr-fd-vs-io", "io-vs-remove"], noEbusy, "a device without PARTSCAN is not rescanned."),
  vacuous(
    waiting,
    [],
    noEbusy,
    "since v4.2 a reread waits for bd_mutex, or is told that its caller holds it: nothing is tried.",
  ),

  violated(
    lei,
    ["set-status-vs-open-vs-remove"],
    ebusyRecoverable,
    ["ebusy-unbreakable"],
    "T1 retries without dropping lo_ctl_mutex; LOOP_CTL_REMOVE waits for that with loop_index_mutex held, and udev " +
      "for loop_index_mutex in lo_open with bd_mutex held.",
  ),
  inconclusive(
    ["lei-2015"],
    ["set-status-vs-open"],
    ebusyRecoverable,
    "udev's close holds bd_mutex when it comes to the unlock of lo_ctl_mutex, which it does not hold: only that " +
      "error would let T1 succeed.",
  ),

  violated(
    lei,
    ["set-status-vs-open-vs-remove"],
    retryEnds,
    ["starvation"],
    "the same ring: T1 goes on trying, and the one who has bd_mutex waits, in the end, for T1's lo_ctl_mutex.",
  ),
  vacuous(
    ["lei-2015"],
    ["set-status-vs-open"],
    retryEnds,
    "T1 keeps its file open, so udev's close is never the last: every run ends in the unlock of lo_ctl_mutex.",
  ),

  // deadlock
  violated(
    ["v4.2", "v4.14"],
    ["set-status-vs-open-vs-remove"],
    deadlock,
    ["deadlock"],
    "three tasks in a ring: T1 has lo_ctl_mutex and waits for bd_mutex, udev has bd_mutex and waits for " +
      "loop_index_mutex in lo_open, LOOP_CTL_REMOVE has that and waits for lo_ctl_mutex.",
  ),
  inconclusive(
    ["lei-2015"],
    ["set-status-close-vs-open", "detach-vs-open", "detach-vs-partition-open"],
    deadlock,
    "a close that is not the last holds bd_mutex when it comes to the unlock of lo_ctl_mutex, which it does not " +
      "hold: only that error would let the other close go on.",
  ),

  violated(
    ["lei-2015"],
    [...set_status, "detach-vs-open", "detach-vs-partition-open"],
    lockDiscipline,
    ["unlock-not-owner"],
    "lo_release of a close that is not the last jumps to `out`, which unlocks lo_ctl_mutex before it was ever taken.",
  ),

  // memory-safety
  violated(
    ["wilson-2015"],
    ["autoclear-vs-remove"],
    memorySafety,
    ["use-after-free"],
    "the reread at the last close drops lo_ctl_mutex to sleep, with lo_refcnt 0 and the device already unbound: " +
      "LOOP_CTL_REMOVE frees lo, and the sleeper locks a mutex inside it.",
  ),
  violated(
    [...lei, "v4.2"],
    unbound,
    memorySafety,
    ["use-after-free"],
    "lo_release lets lo_refcnt become 0 before it takes lo_ctl_mutex: LOOP_CTL_REMOVE fits in between and frees lo.",
  ),
  violated(
    trying,
    ["clr-fd-vs-io"],
    memorySafety,
    ["null-dereference"],
    "nothing makes loop_clr_fd wait for I/O: the worker finds the device bound, LOOP_CLR_FD takes the backing file " +
      "away, and the worker goes on with NULL.",
  ),
  violated(
    trying,
    ["io-vs-remove"],
    memorySafety,
    ["use-after-free"],
    "the worker takes lo_lock once more when the last request has left the queue, and nobody waits for the worker, " +
      "only for the queue: the last close unbinds the device and LOOP_CTL_REMOVE frees lo; since v4.1 loop_clr_fd " +
      "destroys the device's own workqueue.",
  ),
  vacuous(waiting, ["clr-fd-vs-io"], memorySafety, "only LOOP_CTL_REMOVE frees anything."),
  vacuous(
    [],
    ["set-status-vs-open", "set-status-close-vs-open", "autoclear-last-close", ...clr_fd],
    memorySafety,
    "only LOOP_CTL_REMOVE frees anything.",
  ),
  vacuous(
    [],
    ["set-status-vs-open-vs-remove"],
    memorySafety,
    "T1's open file keeps the count above zero, and the device is bound: LOOP_CTL_REMOVE frees nothing.",
  ),

  vacuous(
    [],
    [...set_status, ...unbound],
    atomicSleep,
    "spinlocks are taken where a device is cleared and where there is I/O.",
  ),

  // the protocol's own
  violated(
    ["v4.0", "wilson-2015"],
    ["autoclear-last-close"],
    releaseRescans,
    ["invariant"],
    "the reread fails with -EBUSY, for the caller itself holds bd_mutex, and the result is dropped: the partitions " +
      "stay.",
  ),
  violated(
    ["v5.0"],
    ["autoclear-last-close"],
    releaseRescans,
    ["invariant"],
    "__loop_clr_fd sets GENHD_FL_NO_PART_SCAN before it rereads, and the reread returns -EINVAL.",
  ),
  violated(
    ["wilson-2015"],
    ["clr-fd-vs-rebind"],
    flagsKept,
    ["invariant"],
    "LOOP_CLR_FD drops lo_ctl_mutex to sleep when the device is already unbound; the other binds it read-only, and " +
      "then `lo_flags = 0` of the clean-up hits the new binding.",
  ),
  violated(
    ["v4.0", "wilson-2015"],
    ["detach-vs-open", "detach-vs-partition-open"],
    detachCompletes,
    ["invariant"],
    "the reread loses bd_mutex to udev's open, or runs at the last close, which holds it: either way the " +
      "partitions stay.",
  ),
  violated(
    ["lei-2015-return"],
    ["detach-vs-open", "detach-vs-partition-open"],
    detachCompletes,
    ["invariant"],
    "udev's open holds bd_mutex through all five attempts to reread, and its close finds an unbound device: the " +
      "partitions stay.",
  ),
  violated(
    ["v4.2", "v4.14", "v5.1", "v5.13", "v5.19"],
    ["detach-vs-partition-open"],
    detachCompletes,
    ["invariant"],
    "the partition is opened between LOOP_CLR_FD's look at the count and the reread, which ends with a legitimate " +
      "-EBUSY; nobody rereads when the partition is closed.",
  ),
  violated(
    ["v5.0"],
    ["detach-vs-open", "detach-vs-partition-open"],
    detachCompletes,
    ["invariant"],
    "__loop_clr_fd sets GENHD_FL_NO_PART_SCAN before it rereads: the reread returns -EINVAL and the partitions stay.",
  ),
  violated(
    trying,
    ["clr-fd-vs-io"],
    lostBio,
    ["bio-lost"],
    "the worker finds the device bound and then its backing file NULL; since v4.2 loop_clr_fd freezes the queue first.",
  ),
];
