/** What is asked, beside the ready-made properties. */
import { atRest, NULL, noFinding, livelock as noLivelock, type Property } from "lockstep";
import { all_mddevs } from "./objects.ts";

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

/** No open of these threads, which open once, goes on for ever. */
export function livelock(...threads: readonly string[]): Property {
  return noLivelock(
    "livelock",
    {
      title: "no open starts again for ever",
      message: "an open goes on starting again and never returns",
      trigger: ["restart"],
      triggerWhat: "an open that starts again",
    },
    threads,
    () => all_mddevs.now.ne(all_mddevs.now),
    { threads: "weak", strongWaits: ["mutex"] },
  );
}
