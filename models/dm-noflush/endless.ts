/**
 * What must happen in the end, where something goes on for ever or never comes: a message to the target in the middle of
 * a suspend, I/O that never stops, a device that never answers, and a signal as the last resort.
 */
import {
  alloc,
  atomically,
  clear_bit,
  deadlock,
  Forever,
  initially,
  may_signal,
  memorySafety,
  type Scenario,
  thread,
  write,
} from "lockstep";
import { wait_on_bio } from "./block-dev.ts";
import { dm_request } from "./dm.ts";
import { multipath_message } from "./dm-mpath.ts";
import { bdev, bio, first_request, m, target_io } from "./objects.ts";
import { signalled } from "./observed.ts";
import { ioEnds, signalEndsSuspend, suspendEnds } from "./properties.ts";
import {
  clones,
  device,
  dmsetup,
  machine,
  one,
  one_bio,
  only,
  suspend_and_resume,
  suspend_noflush,
  suspending,
  two,
} from "./scenarios.ts";

const signal = () => thread("signal", () => may_signal("dmsetup", () => signalled.set(true)), { kind: "environment" });

export const endless: readonly Scenario[] = [
  {
    id: "message-vs-suspend",
    title: "one bio in flight, a noflush suspend and a resume; multipathd tells the target to queue if no path is left",
    sizes: one,
    threads: () => [suspend_and_resume(), thread("multipathd", () => multipath_message({ queue: true })), ...machine()],
    start: one_bio,
    properties: suspending,
    only,
  },
  {
    id: "endless-io-vs-suspend",
    title: "an application does I/O again and again, a noflush suspend and a resume; the target fails what has no path",
    // a dm_io still points to the bio before
    sizes: two,
    threads: () => [
      suspend_and_resume(),
      thread("application", () => {
        Forever(() => {
          const b = alloc(bio, { call: "bio_alloc()" });
          atomically("bio->bi_private = …, of this thread alone so far", () => {
            write(b.bi_private, first_request);
            first_request.completed.set(0);
            clear_bit(first_request.done);
          });
          dm_request({ bio: b });
          wait_on_bio();
        });
      }),
      ...machine(),
    ],
    start: () => {
      device();
      initially(m.queue_if_no_path, false);
      initially(m.saved_queue_if_no_path, false);
    },
    properties: [deadlock, memorySafety, suspendEnds("dmsetup"), ioEnds],
  },
  {
    id: "signal-vs-silent-device",
    title: "a bio that the device below never completes; a noflush suspend, and a signal for who suspends",
    sizes: one,
    threads: () => [dmsetup(() => suspend_noflush()), ...machine(), signal()],
    start: () => {
      one_bio();
      initially(target_io.object(clones[0]!).at_device, false);
    },
    properties: [signalEndsSuspend],
  },
  {
    id: "signal-vs-sync",
    title: "a sync of the device's inode waits for the bio; a noflush suspend, and a signal for who suspends",
    sizes: one,
    threads: () => [
      dmsetup(() => suspend_noflush()),
      thread("sync", () => {
        wait_on_bio();
        clear_bit(bdev.I_LOCK);
      }),
      ...machine(),
      signal(),
    ],
    start: () => {
      one_bio();
      initially(bdev.I_LOCK, true);
    },
    properties: [signalEndsSuspend],
  },
];
