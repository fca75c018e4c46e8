/** What is asked, beside the ready-made properties. */
import { atRest, ended, eventually, invariant, starvation, staysPossible, temporal } from "lockstep";
import { disk, found_no_file, loop0, reread_begun, reread_succeeded, second } from "./objects.ts";
import { loop_wq } from "./v4.0.ts";
import { writers } from "./writeback.ts";

/** The retried operation, repeated without end, can always still succeed. */
export const ebusyRecoverable = staysPossible(
  "ebusy-recoverable",
  {
    title: "with endless retries the reread can always still succeed",
    kind: "ebusy-unbreakable",
    message: "however often T1 retries, bd_mutex stays locked",
    trigger: ["trylock"],
    triggerWhat: "a trylock",
    under: { retry: "endless" },
  },
  () => reread_succeeded.now.or(ended("T1")),
);

/**
 * Whatever udev does meanwhile. Threads are weakly fair, and a mutex serves whoever sleeps on it in the end; a trylock
 * promises nothing, and that is the point.
 */
export const rereadServed = starvation(
  "starvation",
  {
    title: "a reread, repeated until it succeeds, does succeed in the end",
    kind: "starvation",
    message: "T1 rereads for ever and never succeeds, because others open and close the disk again and again",
    trigger: ["reread-begun"],
    triggerWhat: "a reread of the partition table",
    under: { retry: "endless" },
  },
  () => reread_begun.now,
  () => reread_succeeded.now,
  { strongWaits: ["mutex"] },
);

/** The device was bound with PARTSCAN; after its last close has cleared it, its partitions are gone. */
export const releaseRescans = atRest(
  "release-rescans",
  {
    title: "a release that clears the device also drops its partitions",
    message: "the device was cleared at its last close, and its partitions are still there",
    trigger: ["last-close"],
    triggerWhat: "the last close of a device with AUTOCLEAR",
  },
  () => disk.part_tbl.now.eq("none"),
);

/** Who binds sets READ_ONLY before the file and the state, and keeps it. */
export const flagsKept = invariant(
  "flags-kept",
  {
    title: "a clean-up never erases the flags of a newer binding",
    message: "the device is bound read-only to the second file, and lo_flags do not say so any more",
    trigger: ["bound-again"],
    triggerWhat: "LOOP_SET_FD after the device was cleared",
  },
  () => {
    const bound = loop0.lo_state.now.eq("Lo_bound").and(loop0.lo_backing_file.now.eq(second));
    return bound.not().or(loop0.lo_flags.READ_ONLY.now);
  },
);

/** `losetup -d`, and everybody has closed: nothing of the binding is left. */
export const detachCompletes = atRest(
  "detach-completes",
  {
    title: "after LOOP_CLR_FD and the last close the device is unbound, without partitions",
    message:
      "LOOP_CLR_FD returned 0 and everybody has closed: the device is still bound, or its partitions are still there",
    trigger: ["detached"],
    triggerWhat: "LOOP_CLR_FD that returned 0",
  },
  () => loop0.lo_state.now.eq("Lo_unbound").and(disk.part_tbl.now.eq("none")),
);

/**
 * The ready-made `lost-bio` would see only that nothing is left over: what the worker does with a NULL backing file ends
 * its path. T1, who writes the pages, and the worker are all there are.
 */
export const lostBio = invariant(
  "lost-bio",
  {
    title: "I/O in flight while the device is cleared completes once, and never meets a NULL backing file",
    kind: "bio-lost",
    message: "the flusher's bio meets a NULL backing file, completes twice, or is left over",
    trigger: ["bio-submitted"],
    triggerWhat: "a bio submitted",
  },
  () => {
    const tasks = writers();
    const over = ended("T1", ...tasks.map(({ name }) => name)).and(loop_wq.idle);
    return tasks
      .map(({ rq }) => rq.io.completed)
      .reduce((good, n) => good.and(n.le(1)).and(over.not().or(n.eq(1))), found_no_file.now.not());
  },
);

/** What `ebusy-recoverable` leaves possible does happen, under the fairness of `starvation`, where udev opens only once. */
export const retryEnds = temporal(
  "retry-ends",
  {
    title: "LOOP_SET_STATUS returns, its reread repeated until it succeeds",
    kind: "starvation",
    message: "T1 rereads for ever and never succeeds, although nobody else goes on for ever",
    trigger: ["trylock"],
    triggerWhat: "a trylock",
    under: { retry: "endless" },
  },
  () => eventually(ended("T1")),
  { strongWaits: ["mutex"] },
);

/** Of a retry loop: success stays possible, and comes. */
export const retries = [ebusyRecoverable, retryEnds];
