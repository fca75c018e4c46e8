/** What is asked, beside the ready-made properties. */
import {
  atRest,
  Bool,
  ended,
  eventually,
  infinitelyOften,
  leadsTo,
  noFinding,
  type Property,
  temporal,
} from "lockstep";
import { bio, bios, first_request, ios, m, md, request, target_io } from "./objects.ts";
import { signalled } from "./observed.ts";

type Bio = ReturnType<typeof bio.object>;

function slot(v: number): { e: "const"; v: number } {
  return { e: "const", v };
}
function all_bios(): Bio[] {
  return Array.from({ length: bios() }, (_, i) => bio.pointer(slot(i + 1)));
}
function alive(b: Bio): Bool {
  return new Bool({ e: "alive", pool: bio.name, ptr: b.use() });
}
const any = (conditions: readonly Bool[]): Bool => conditions.reduce((a, b) => a.or(b));
const all = (conditions: readonly Bool[]): Bool => conditions.reduce((a, b) => a.and(b));

/** A clone of the bio waits in the target, which queues while there is no path. */
function waits_in_target(b: Bio): Bool {
  const clones = Array.from({ length: ios() }, (_, i) => target_io.pointer(slot(i + 1)));
  const queued = any(clones.map((c) => m.queued_ios.has(c).and(c.io.now.bio.now.eq(b))));
  return queued.and(m.queue_if_no_path.now);
}

/** It waits for a path, or for a resume. */
function waits(b: Bio): Bool {
  return waits_in_target(b).or(md.deferred.has(b).and(md.SUSPENDED.now));
}

export const lostBio = atRest(
  "lost-bio",
  {
    title: "every bio ends exactly once, unless it waits for a path or for a resume",
    kind: "bio-lost",
    message: "everything is at rest, and a bio has neither ended nor will anything look at it again",
    trigger: ["bio-ended", "work-queued", "bio-pushed-back"],
    triggerWhat: "a bio that ends, is queued or pushed back",
  },
  () => {
    const requests = Array.from({ length: bios() }, (_, i) => request.pointer(slot(i + 1)));
    const once = all(requests.map((r) => r.completed.now.le(1)));
    return once.and(all(all_bios().map((b) => alive(b).not().or(waits(b)))));
  },
);

export const flagCleared = noFinding("flag-cleared", "flag-left-set", {
  title: "DMF_NOFLUSH_SUSPENDING is clear when dm_suspend() returns",
  message: "dm_suspend() returns and DMF_NOFLUSH_SUSPENDING is still set",
  trigger: ["suspend-returned"],
  triggerWhat: "a dm_suspend() that returns",
});

export const noEioOnSuccess = noFinding("no-eio-on-success", "eio-on-success", {
  title: "a noflush suspend that returned 0 never ended an application's bio with -EIO",
  message: "a noflush suspend returned 0, and a bio of the application ended with -EIO",
  trigger: ["suspended"],
  triggerWhat: "a dm_suspend() that returns 0",
});

export const pushbackWins = noFinding("pushback-wins", "push-back-lost", {
  title: "push-back supersedes I/O errors",
  message: "one clone asked for a requeue, and another one's I/O error took its place",
  trigger: ["requeue-wanted"],
  triggerWhat: "a clone that ends with DM_ENDIO_REQUEUE",
});

export const reissuedAtResume = noFinding("reissued-at-resume", "reissued-early", {
  title: "what was pushed back when the suspend was interrupted is reissued at resume time",
  message: "a bio that was pushed back is reissued by the interrupted dm_suspend() itself, not at resume time",
  trigger: ["bio-pushed-back"],
  triggerWhat: "a bio pushed back",
});

export const queueingRestored = noFinding("queueing-restored", "queueing-lost", {
  title: "after -EINTR the target queues again as it did before",
  message: "dm_suspend() returned -EINTR, and the target that queued without a path does not any more",
  trigger: ["interrupted"],
  triggerWhat: "a dm_suspend() that returns -EINTR",
});

/* ---- in the end: threads are weakly fair, and a spinlock, held for a few instructions, serves its waiters ---- */

const fairness = { strongWaits: ["spinlock"] };

/** With what these processes ask for beside: a resume, a swap of tables. */
export const suspendEnds = (...processes: readonly string[]): Property =>
  temporal(
    "suspend-ends",
    {
      title: "a suspend ends, and what its process does next",
      kind: "starvation",
      message: "the process that suspends never gets on",
      trigger: ["suspend-returned"],
      triggerWhat: "a dm_suspend() that returns",
    },
    () => eventually(ended(...processes)),
    fairness,
  );

/** Whatever it waits for: who gives up waiting can kill the process. */
export const signalEndsSuspend = temporal(
  "signal-ends-suspend",
  {
    title: "a signal ends a suspend, whatever it waits for",
    kind: "starvation",
    message: "the process that suspends has a signal pending and never gets on",
    trigger: ["signal"],
    triggerWhat: "a signal for the process that suspends",
  },
  () => leadsTo(signalled.now, ended("dmsetup")),
  fairness,
);

/** Of an application that does one bio at a time. */
export const ioEnds = temporal(
  "io-ends",
  {
    title: "a bio ends, or waits for a path or for a resume",
    kind: "starvation",
    message: "a bio neither ends nor waits for a path or for a resume",
    trigger: ["bio-ended"],
    triggerWhat: "a bio that ends",
  },
  () => infinitelyOften(any([first_request.done.now, ...all_bios().map(waits)])),
  fairness,
);
