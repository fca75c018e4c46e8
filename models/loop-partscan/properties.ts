/** What is asked, beside the ready-made properties. */
import { atRest, ended, invariant, staysPossible } from "lockstep";
import { disk, loop0, reread_succeeded } from "./objects.ts";

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
    const bound = loop0.lo_state.now.eq("Lo_bound").and(loop0.lo_backing_file.now.eq("second"));
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
