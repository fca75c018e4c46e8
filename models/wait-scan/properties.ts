/** What is asked, beside the ready-made properties. */
import { ended, eventually, livelock, noFinding, staysPossible, temporal } from "lockstep";

/** The wait does not return before a scan whose probe had begun when it was called. */
export const noEarlyReturn = noFinding("no-early-return", "early-return", {
  title: "the wait does not return before a scan whose probe had begun",
  message: "the wait returned although a probe that had begun before it has not scanned its disk yet",
  trigger: ["awaited"],
  triggerWhat: "a probe that has begun when the wait begins",
});

/** Scanning activity is finite in the scenarios that ask this. */
export const waiterLivelock = livelock(
  "livelock",
  {
    title: "the waiter does not go round for ever while scanning activity is finite",
    message: "the waiter goes round for ever",
    trigger: ["waited"],
    triggerWhat: "the wait",
  },
  ["insmod"],
  () => ended("insmod"),
);

/**
 * Whatever scans begin later. Every thread is weakly fair; the spinlock, held for a few instructions, is said to serve
 * its waiters, because otherwise its unfairness would hide what the design of the wait is worth.
 */
export const boundedWait = temporal(
  "bounded-wait",
  {
    title: "the wait ends whatever scans begin later",
    kind: "starvation",
    message: "the wait never ends, because scans that began after it keep it",
    trigger: ["waited"],
    triggerWhat: "the wait",
  },
  () => eventually(ended("insmod")),
  { strongWaits: ["spinlock"] },
);

/** The read of the partition table is owed by nobody any more; the waiter must be able to return all the same. */
export const survivesLostBio = staysPossible(
  "survives-lost-bio",
  {
    title: "the waiter can return although a read of a partition table never completes",
    kind: "bio-lost",
    message: "the waiter can never return, because a read of a partition table never completes",
    trigger: ["waited"],
    triggerWhat: "the wait",
  },
  () => ended("insmod"),
);
