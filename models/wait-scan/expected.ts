/** What was found, with the reason. */
import {
  atomicSleep,
  deadlock,
  type Expected,
  lockDiscipline,
  memorySafety,
  noEbusy,
  vacuous,
  violated,
} from "lockstep";
import { boundedWait, noEarlyReturn, survivesLostBio } from "./properties.ts";

const probing = ["probe-vs-wait", "two-probes-vs-wait", "probes-vs-wait"];
const endless = ["rescan-for-ever-vs-wait", "probe-for-ever-vs-wait"];
const pinned = ["reread-twice-vs-wait", "rescan-for-ever-vs-wait"];
const listed = ["jones-2007", "jones-2007-ref"];
const nodeless = ["before", ...listed, "scan-counter", "probe-counter"];
const counted = ["scan-counter", "probe-counter"];

export const expected: readonly Expected[] = [
  violated(
    ["before"],
    probing,
    noEarlyReturn,
    ["early-return"],
    "there is nothing to wait with: insmod returns while the driver is still probing",
  ),
  violated(
    [...listed, "scan-counter"],
    probing,
    noEarlyReturn,
    ["early-return"],
    "a probe that has begun is not on the list (or counted) before rescan_partitions() puts it there, so the wait finds nothing to wait for",
  ),
  violated(
    ["baton"],
    probing,
    noEarlyReturn,
    ["early-return"],
    "a probe that has begun has no node before rescan_partitions() appends it, so the waiter finds the list empty",
  ),
  violated(
    ["jones-2007"],
    [...probing, "probe-for-ever-vs-wait"],
    memorySafety,
    ["use-after-free"],
    "the waiter drops the spinlock before it takes bd_mutex and holds no reference; register_disk() finishes meanwhile, and its bdput() was the last",
  ),
  violated(
    listed,
    ["reread-twice-vs-wait"],
    noEbusy,
    ["ebusy"],
    "the waiter takes bd_mutex only to wait for its holder; a second BLKRRPART that tries the mutex in that moment gets -EBUSY",
  ),
  violated(
    [...listed, "scan-counter"],
    endless,
    boundedWait,
    ["starvation"],
    "the wait is over only when nothing is being scanned in the moment it looks, and each time it looks another scan has begun",
  ),
  violated(
    ["probe-counter"],
    ["probe-for-ever-vs-wait"],
    boundedWait,
    ["starvation"],
    "the wait is over only when nobody probes in the moment it looks, and each time it looks another probe has begun",
  ),
  violated(
    listed,
    ["lost-read"],
    deadlock,
    ["deadlock", "partial-deadlock"],
    "insmod sleeps uninterruptibly on the bd_mutex of a scan whose read never completes",
  ),
  violated(
    [...counted, "baton"],
    ["lost-read"],
    deadlock,
    ["deadlock", "partial-deadlock"],
    "insmod sleeps uninterruptibly until a scan is done whose read never completes",
  ),
  violated(
    [...listed, ...counted, "baton"],
    ["lost-read"],
    survivesLostBio,
    ["bio-lost"],
    "the wait has no time-out and no signal ends it, so one lost read keeps it for ever",
  ),
  vacuous(["before", ...counted], [], atomicSleep, "the variant takes no spinlock"),
  vacuous(nodeless, pinned, memorySafety, "the open file pins the bdev: nothing is freed"),
  vacuous(nodeless, ["lost-read"], memorySafety, "register_disk() never comes to its bdput(): nothing is freed"),
  vacuous(
    ["before", ...counted],
    ["lost-read"],
    lockDiscipline,
    "register_disk() never comes to an unlock, and the wait takes no lock",
  ),
];
