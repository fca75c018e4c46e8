/**
 * What was found, and why; where nothing is said, the property holds. README.md tells the schedules in words.
 * `[]` stands for all variants, or all scenarios.
 */
import { deadlock, type Expected, inconclusive, memorySafety, vacuous, violated } from "lockstep";
import {
  idleGoes,
  livelock,
  livelockOneCpu,
  livelockStrong,
  noCodeAfterUnload,
  oneDisk,
  oneRestart,
  openSucceeds,
  queueFreed,
} from "./properties.ts";

const before = "v2.6.28";
const letter = "brown-2008";
const lost = "brown-2008-lost-store";
const fresh = "brown-2008-new";
const bkl = ["v2.6.29", "v2.6.31"];
const three_to_five = ["v3.0", "v3.2", "v4.10", "v5.8"];
const searching = ["v5.13", "v6.0"];
const merged = [...bkl, ...three_to_five, ...searching];

const openers_alone = ["two-openers", "three-openers"];
const scenarios = {
  crowded: [...openers_alone, "open-vs-looping-opener", "open-vs-signal", "sysfs-bd-mutex", "sysfs-bind", "no-memory"],
  alone: ["one-open", "sysfs-flush", "rmmod"],
};
const without = (all: readonly string[], ...some: readonly string[]) => all.filter((s) => !some.includes(s));

export const expected: readonly Expected[] = [
  // deadlock
  violated(
    [before, fresh],
    ["sysfs-bd-mutex"],
    deadlock,
    ["partial-deadlock", "deadlock"],
    "md_open takes reconfig_mutex under bd_mutex, the store bd_mutex under reconfig_mutex.",
  ),
  violated(
    [lost, ...bkl, "v3.0"],
    ["sysfs-bd-mutex"],
    deadlock,
    ["partial-deadlock", "deadlock"],
    "The worker waits for the store to leave sysfs, the store for bd_mutex, and the opener that has bd_mutex flushes, " +
      "or is going to flush, the queue that the worker does not get on with.",
  ),
  violated(
    [lost, fresh, ...bkl, "v3.0"],
    ["sysfs-flush"],
    deadlock,
    ["partial-deadlock", "deadlock"],
    "The store flushes the queue, and the worker waits in kobject_del for the store to leave sysfs.",
  ),
  inconclusive(
    [letter],
    [...openers_alone, "open-vs-looping-opener", "open-vs-signal", "sysfs-bd-mutex", "sysfs-bind", "no-memory"],
    deadlock,
    "The first opener always ends in the wild store, with the BKL that the second one waits for.",
  ),
  inconclusive(
    [before],
    ["no-memory"],
    deadlock,
    "An opener waits for the BKL of one that can only end in the put of a kobject that was never initialised.",
  ),
  inconclusive(
    [lost],
    ["no-memory"],
    deadlock,
    "An opener waits for the BKL of one that can only end in following the NULL of mddev_find.",
  ),

  // memory-safety
  violated(
    [letter],
    [],
    memorySafety,
    ["wild-access"],
    "Where mddev_find adds the new mddev, `mddev` is the cursor of a complete walk: the list head taken for an mddev.",
  ),
  violated(
    [lost, fresh, ...bkl, "v3.0", "v3.2"],
    ["open-vs-signal"],
    memorySafety,
    ["leak"],
    "When the lock in md_open is interrupted, the reference of mddev_find is not given back.",
  ),
  violated(
    [lost, fresh, ...bkl, "v3.0"],
    ["sysfs-bind"],
    memorySafety,
    ["leak"],
    "The store binds a member after the mddev has left the list: the member's kobject keeps an mddev nobody can find.",
  ),
  violated(
    [before],
    ["no-memory"],
    memorySafety,
    ["refcount-underflow"],
    "Without a disk md_probe puts its mddev, and mddev_put puts a kobject that was never initialised.",
  ),
  violated(
    [lost, fresh],
    ["no-memory"],
    memorySafety,
    ["null-dereference"],
    "md_open does not look whether mddev_find found memory for a new mddev.",
  ),
  violated(
    ["v5.13"],
    ["open-vs-looping-opener"],
    memorySafety,
    ["use-after-free"],
    "md_open looks at del_work after mddev_put; the block device is the disk's own now, so no common mutex keeps the " +
      "opener of the new disk from closing, and the put is the last.",
  ),
  violated(
    [lost, fresh, ...bkl],
    ["rmmod"],
    memorySafety,
    ["code-after-unload"],
    "A queued deletion holds no reference to the module, and md_exit does not flush the queue.",
  ),
  violated(
    ["v6.0"],
    ["rmmod"],
    memorySafety,
    ["code-after-unload"],
    "An open that has the disk, but not yet or no longer the module, drops the last reference to the disk after the " +
      "module has gone, and ->free_disk is the module's.",
  ),
  vacuous([before], ["one-open", "sysfs-flush"], memorySafety, "Nothing is ever freed."),
  vacuous(merged, ["one-open"], memorySafety, "Without an ioctl hold_active keeps the device."),
  vacuous(
    ["v6.0"],
    [...openers_alone, "sysfs-bind"],
    memorySafety,
    "Without an ioctl hold_active keeps the device, and so does a member.",
  ),

  // queue-freed
  violated(
    [before, fresh, lost],
    scenarios.crowded,
    queueFreed,
    ["queue-lost"],
    "Of two who create the mddev one frees his again, and forgets the queue that came with it.",
  ),
  violated(
    [lost],
    scenarios.alone,
    queueFreed,
    ["queue-lost"],
    "md_open creates an mddev where the old one has left the list, and its put frees it without its queue.",
  ),
  vacuous([before], ["one-open", "sysfs-flush"], queueFreed, "Nothing is ever freed."),
  vacuous(
    [letter],
    ["one-open", "sysfs-flush", ...scenarios.crowded],
    queueFreed,
    "Every open ends in the wild store.",
  ),

  // one-disk
  violated(
    [lost, fresh, ...bkl, "v3.0"],
    ["sysfs-bind"],
    oneDisk,
    ["two-disks"],
    "The deletion that md_probe has waited for ends without del_gendisk, because the member keeps the mddev.",
  ),
  vacuous([letter], [], oneDisk, "Every open ends in the wild store."),

  // one-restart
  violated(
    [fresh, ...bkl],
    scenarios.crowded,
    oneRestart,
    ["second-restart"],
    "add_disk publishes the disk before mddev->gendisk is set; who finds it then starts again until it is set.",
  ),
  violated(
    [lost],
    [],
    oneRestart,
    ["second-restart"],
    "Nothing holds the mddev between md_probe and md_open: each round creates a device that is deleted again.",
  ),
  violated(
    three_to_five,
    ["open-vs-looping-opener"],
    oneRestart,
    ["second-restart"],
    "Each time the opener has a disk, the other one closes it for the last time.",
  ),
  violated(
    ["v3.0"],
    ["sysfs-bind"],
    oneRestart,
    ["second-restart"],
    "The disk of an mddev that only its member keeps stays registered, and is never the one of a new mddev.",
  ),
  violated(
    ["v5.8"],
    ["open-vs-signal", "sysfs-flush", "sysfs-bd-mutex"],
    oneRestart,
    ["second-restart"],
    "work_pending is asked of the mddev that was found, and that is the new one: the deletion of the old one is not waited for.",
  ),
  vacuous([before, ...searching], [], oneRestart, "Nothing is restarted in this version."),
  vacuous([letter], [], oneRestart, "Every open ends in the wild store."),
  vacuous([fresh], scenarios.alone, oneRestart, "Who is alone meets no disk but his own."),
  vacuous(bkl, without(scenarios.alone, "sysfs-flush"), oneRestart, "Who is alone meets no disk but his own."),
  vacuous(
    ["v3.0"],
    ["one-open", ...openers_alone, "no-memory", "rmmod"],
    oneRestart,
    "Without an ioctl or a store hold_active keeps the device, and open_mutex its openers out until it is complete.",
  ),
  vacuous(
    without(three_to_five, "v3.0"),
    ["one-open", ...openers_alone, "sysfs-bind", "no-memory", "rmmod"],
    oneRestart,
    "Without an ioctl or a store hold_active keeps the device, or its member does.",
  ),

  // livelock
  violated(
    [fresh, ...bkl],
    scenarios.crowded,
    livelock,
    ["livelock"],
    "Who starts again before mddev->gendisk is set keeps the BKL, and who is to set it waits for the BKL.",
  ),
  violated(
    [lost],
    [],
    livelock,
    ["livelock"],
    "Nothing holds the mddev between md_probe and md_open: each round creates a device that is deleted again.",
  ),
  violated(
    three_to_five,
    ["open-vs-looping-opener"],
    livelock,
    ["livelock"],
    "The other one opens, configures and closes a new device in each round of the opener.",
  ),
  violated(
    ["v3.0"],
    ["sysfs-bind"],
    livelock,
    ["livelock"],
    "The disk of an mddev that only its member keeps stays registered, and is never the one of a new mddev.",
  ),
  vacuous([before, ...searching], [], livelock, "Nothing is restarted in this version."),
  vacuous([letter], [], livelock, "Every open ends in the wild store."),
  vacuous([fresh], scenarios.alone, livelock, "Who is alone meets no disk but his own."),
  vacuous(bkl, without(scenarios.alone, "sysfs-flush"), livelock, "Who is alone meets no disk but his own."),
  vacuous(
    ["v3.0"],
    ["one-open", ...openers_alone, "no-memory", "rmmod"],
    livelock,
    "Without an ioctl or a store hold_active keeps the device, and open_mutex its openers out until it is complete.",
  ),
  vacuous(
    without(three_to_five, "v3.0"),
    ["one-open", ...openers_alone, "sysfs-bind", "no-memory", "rmmod"],
    livelock,
    "Without an ioctl or a store hold_active keeps the device, or its member does.",
  ),

  // livelock-strong: none of them is for want of a fair scheduler
  violated(
    [fresh, ...bkl],
    ["two-openers", "open-vs-looping-opener"],
    livelockStrong,
    ["livelock"],
    "The BKL is never free while the one who starts again does not sleep: who waits for it cannot move, however fair.",
  ),
  violated(
    [lost],
    ["two-openers", "open-vs-looping-opener"],
    livelockStrong,
    ["livelock"],
    "Nothing holds the mddev between md_probe and md_open: each round creates a device that is deleted again.",
  ),
  violated(
    three_to_five,
    ["open-vs-looping-opener"],
    livelockStrong,
    ["livelock"],
    "All of them move, but in each round the other one opens, configures and closes a new device.",
  ),
  vacuous(
    three_to_five,
    ["two-openers"],
    livelockStrong,
    "Without an ioctl or a store hold_active keeps the device, and open_mutex its openers out until it is complete.",
  ),

  // livelock-one-cpu: the soft lock-up
  violated(
    [fresh, ...bkl],
    ["two-openers", "open-vs-looping-opener", "open-vs-signal", "sysfs-bd-mutex"],
    livelockOneCpu,
    ["livelock"],
    "Who starts again before mddev->gendisk is set does not sleep, and who is to set it has been put to sleep in add_disk.",
  ),
  violated(
    [lost],
    [],
    livelockOneCpu,
    ["livelock"],
    "Nothing holds the mddev between md_probe and md_open: each round creates a device that is deleted again.",
  ),
  violated(
    ["v5.8"],
    ["open-vs-signal", "sysfs-flush", "sysfs-bd-mutex"],
    livelockOneCpu,
    ["livelock"],
    "work_pending is asked of the new mddev, so nothing is flushed and nobody sleeps: the worker that is to delete the old one never gets the CPU.",
  ),
  violated(
    three_to_five,
    ["open-vs-looping-opener"],
    livelockOneCpu,
    ["livelock"],
    "As on several CPUs: the other one opens, configures and closes a new device in each round of the opener.",
  ),
  vacuous([fresh], ["sysfs-flush"], livelockOneCpu, "Who is alone meets no disk but his own."),
  vacuous(
    three_to_five,
    ["two-openers"],
    livelockOneCpu,
    "Without an ioctl or a store hold_active keeps the device, and open_mutex its openers out until it is complete.",
  ),

  // open-succeeds
  violated(
    [lost],
    [],
    openSucceeds,
    ["open-failed"],
    "md_probe deletes what it has created; kobj_lookup does not call it a second time, and -ENXIO is the answer.",
  ),
  violated(
    [fresh],
    scenarios.crowded,
    openSucceeds,
    ["open-failed"],
    "Any close clears hold_active: between md_probe and the second look of kobj_lookup another open and close can take " +
      "the device away, and -ENXIO is the answer.",
  ),
  violated(
    [...bkl, ...three_to_five],
    ["open-vs-looping-opener", "open-vs-signal"],
    openSucceeds,
    ["open-failed"],
    "Between md_probe and the second look of kobj_lookup another open, ioctl and close can take the device away: -ENXIO.",
  ),
  violated(
    bkl,
    ["sysfs-flush", "sysfs-bd-mutex"],
    openSucceeds,
    ["open-failed"],
    "The store ends hold_active, and the device can go between md_probe and the second look of kobj_lookup: -ENXIO.",
  ),
  violated(
    three_to_five,
    ["sysfs-flush", "sysfs-bd-mutex"],
    openSucceeds,
    ["open-failed"],
    "The store ends hold_active, and the device can go between md_probe and the second look of kobj_lookup: -ENXIO.",
  ),
  violated(
    searching,
    ["open-vs-looping-opener", "open-vs-signal", "sysfs-flush", "sysfs-bd-mutex"],
    openSucceeds,
    ["open-failed"],
    "A device that is being deleted is not waited for any more: -ENODEV, -EBUSY or -ENXIO.",
  ),
  vacuous(
    [letter],
    ["one-open", "sysfs-flush", ...without(scenarios.crowded, "no-memory")],
    openSucceeds,
    "Every open ends in the wild store.",
  ),

  // idle-goes
  violated(
    [before],
    ["one-open", "two-openers"],
    idleGoes,
    ["invariant"],
    "The disk and its mddev hold each other until the module is unloaded: this is what the patch is about.",
  ),
  violated(
    merged,
    ["one-open", "two-openers"],
    idleGoes,
    ["invariant"],
    "Since the merged version a close does not end hold_active: only an ioctl or a store does.",
  ),
  vacuous([letter], ["one-open", "two-openers"], idleGoes, "Every open ends in the wild store."),

  // no-code-after-unload
  violated(
    [lost, fresh, ...bkl],
    ["rmmod"],
    noCodeAfterUnload,
    ["code-after-unload"],
    "A queued deletion holds no reference to the module, and md_exit does not flush the queue.",
  ),
  violated(
    ["v6.0"],
    ["rmmod"],
    noCodeAfterUnload,
    ["code-after-unload"],
    "The last reference to the disk is dropped by an open after the module has gone, and ->free_disk is the module's.",
  ),
];
