/**
 * probe-*, lost-read: no disk is registered, the list is empty, and register_disk() holds the only reference to the
 * bdev. The others: the disk is registered and scanned, and the process holds an open file, which pins the bdev.
 */
import {
  atomicSleep,
  deadlock,
  Forever,
  If,
  initially,
  lockDiscipline,
  memorySafety,
  noEbusy,
  type Property,
  pause,
  reached,
  report,
  type Scenario,
  type ThreadSpec,
  thread,
} from "lockstep";
import { blkdev_reread_part, probe_begins, probe_ends, register_disk, rescan_partitions_wait } from "./block-dev.ts";
import { awaited, probes, reads_are_lost, xvda } from "./objects.ts";
import { boundedWait, noEarlyReturn, survivesLostBio, waiterLivelock } from "./properties.ts";

export const everywhere: readonly Property[] = [memorySafety, deadlock, lockDiscipline, atomicSleep];

/** A driver's probe registers one disk. */
const probe = (n: 0 | 1): void => {
  probe_begins();
  probes[n].set("begun");
  register_disk({ by: n === 0 ? "driver1" : "driver2" });
  probe_ends();
};
export const driver = (n: 0 | 1): ThreadSpec => thread(n === 0 ? "driver1" : "driver2", () => probe(n));

/** `insmod blkdev_wait_scan.ko`: notes which probes have begun, waits, and looks whether they are done. */
export const insmod = (): ThreadSpec =>
  thread("insmod", () => {
    pause("sys_init_module()");
    awaited.forEach((was, n) => {
      was.set(probes[n]!.now.eq("begun"));
      If(was.now, () => reached("awaited"));
    });
    rescan_partitions_wait();
    reached("waited");
    awaited.forEach((was, n) => {
      report(
        "early-return",
        "the wait returned before a scan whose probe had begun",
        was.now.and(probes[n]!.now.eq("begun")),
      );
    });
  });

const registered = () => {
  initially(xvda.bd_openers, 1);
};

export const scenarios: readonly Scenario[] = [
  {
    id: "probe-vs-wait",
    title: "a driver registers one disk while insmod waits",
    threads: () => [driver(0), insmod()],
    properties: [...everywhere, noEarlyReturn, waiterLivelock],
  },
  {
    id: "two-probes-vs-wait",
    title: "two drivers register a disk each while insmod waits",
    threads: () => [driver(0), driver(1), insmod()],
    properties: [...everywhere, noEarlyReturn, waiterLivelock],
  },
  {
    id: "reread-twice-vs-wait",
    title: "a process rereads the partition table twice while insmod waits",
    threads: () => [
      thread("process", () => {
        blkdev_reread_part({ bdev: xvda });
        blkdev_reread_part({ bdev: xvda });
      }),
      insmod(),
    ],
    start: registered,
    properties: [...everywhere, noEbusy],
  },
  {
    id: "rescan-for-ever-vs-wait",
    title: "a process rereads the partition table again and again while insmod waits",
    threads: () => [
      thread("process", () => {
        Forever(() => {
          blkdev_reread_part({ bdev: xvda });
        });
      }),
      insmod(),
    ],
    start: registered,
    properties: [...everywhere, boundedWait],
  },
  {
    id: "lost-read",
    title: "a driver whose read of the partition table never completes, while insmod waits",
    threads: () => [driver(0), insmod()],
    start: () => initially(reads_are_lost, true),
    properties: [...everywhere, survivesLostBio],
  },
  {
    id: "probe-for-ever-vs-wait",
    title: "a driver registers one disk after the other while insmod waits",
    threads: () => [thread("driver1", () => Forever(() => probe(0))), insmod()],
    properties: [...everywhere, boundedWait],
  },
];
