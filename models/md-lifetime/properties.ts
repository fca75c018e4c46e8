/** What is asked, beside the ready-made properties. */
import { always, atRest, eventually, NULL, noFinding, temporal } from "lockstep";
import { all_mddevs, starts_again } from "./objects.ts";

/** "so we loop at most once" */
export const oneRestart = noFinding("one-restart", "second-restart", {
  title: "an open starts again at most once",
  message: "an open starts again for the second time",
  trigger: ["restart"],
  triggerWhat: "an open that starts again",
});

export const oneDisk = noFinding("one-disk", "two-disks", {
  title: "there are never two registered disks for one device number",
  message: "a second disk is registered while the first one can still be found",
  trigger: ["add_disk"],
  triggerWhat: "a disk registered",
});

export const openSucceeds = noFinding("open-succeeds", "open-failed", {
  title: "an open of a device that exists or can be created does not fail for a race",
  message: "the open fails because of a race",
  trigger: ["open"],
  triggerWhat: "an open that has ended",
});

/** What the patch is for. */
export const idleGoes = atRest(
  "idle-goes",
  {
    title: "at rest no device is left that is idle and unused",
    message: "everybody has closed, and the device is still there",
    trigger: ["at-rest"],
    triggerWhat: "a state at rest after the last close",
  },
  () => all_mddevs.now.eq(NULL),
);

export const noCodeAfterUnload = noFinding("no-code-after-unload", "code-after-unload", {
  title: "no code of the module runs after it has been unloaded",
  message: "code of the module runs after it has been unloaded",
  trigger: ["unloaded"],
  triggerWhat: "the module unloaded",
});

/** Part of the memory safety of the versions that allocate the queue with the mddev, kept apart so that it hides nothing. */
export const queueFreed = noFinding("queue-freed", "queue-lost", {
  title: "the request queue goes with its mddev",
  message: "the mddev is freed, and nobody else knows the request queue that it has",
  trigger: ["free"],
  triggerWhat: "an object freed",
});

/** A thread that opens once comes to the restart only finitely often. */
export const livelock = temporal(
  "livelock",
  {
    title: "no open starts again for ever",
    kind: "livelock",
    message: "an open goes on starting again and never returns",
    trigger: ["restart"],
    triggerWhat: "an open that starts again",
  },
  () => eventually(always(starts_again.now.not())),
  { threads: "weak", strongWaits: ["mutex"] },
);

/** Who can move again and again moves: is the livelock one that a better scheduler ends? */
export const livelockStrong = temporal(
  "livelock-strong",
  {
    title: "no open starts again for ever, threads being strongly fair",
    kind: "livelock",
    message: "an open goes on starting again and never returns, although nobody is passed over for ever",
    trigger: ["restart"],
    triggerWhat: "an open that starts again",
  },
  () => eventually(always(starts_again.now.not())),
  { threads: "strong" },
);

/** Soft lock-up: one CPU, and nothing takes it from a task that does not sleep. */
export const livelockOneCpu = temporal(
  "livelock-one-cpu",
  {
    title: "no open starts again for ever on one CPU without preemption",
    kind: "livelock",
    message: "an open goes on starting again and never returns",
    trigger: ["restart"],
    triggerWhat: "an open that starts again",
    under: { scheduler: "one-cpu", preempt: "none" },
  },
  () => eventually(always(starts_again.now.not())),
);

const restarting = ["brown-2008-lost-store", "brown-2008-new", "v2.6.29", "v2.6.31", "v3.0", "v3.2", "v4.10", "v5.8"];

/** The restart loop under three schedulers. Before the patch and since 5.13 nothing starts again. */
export const livelocks = {
  smp: livelock,
  strong: livelockStrong,
  one_cpu: livelockOneCpu,
  only: { "livelock-strong": restarting, "livelock-one-cpu": restarting },
};
