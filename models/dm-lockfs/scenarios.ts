/**
 * One mapped device with a map, not suspended. Somebody has it open throughout, so its block device stays, but in
 * `recycled-bdev`. A clean file system is mounted on it unless the scenario says otherwise.
 */
import {
  atomically,
  atomicSleep,
  type Bool,
  Choose,
  deadlock,
  EIO,
  errno,
  Forever,
  If,
  initially,
  initially_listed,
  initially_submitted,
  int,
  local,
  lockDiscipline,
  may_signal,
  memorySafety,
  NULL,
  type Property,
  ptr,
  type Scenario,
  submit_bio,
  type ThreadSpec,
  thread,
  wait_until,
  write,
} from "lockstep";
import { dec_pending, dm_request, dm_resume, dm_suspend, dm_swap_table } from "./dm.ts";
import {
  bdget_may_fail,
  bio,
  disk_may_fail,
  dm_bdev,
  first_bio,
  inode_hash,
  md,
  page_bio,
  resumes,
  S_BIAS,
  sb,
  second_bio,
  slab_is_new,
  super_blocks,
  superblock_bio,
  unlockfs_writes,
} from "./objects.ts";
import { frozenWhileSuspended, lostBio, nothingLeftHeld } from "./properties.ts";
import { deactivate_super, get_sb_bdev } from "./super.ts";

export type Bio = typeof first_bio;

/* ---- who takes part ---- */

/** `dmsetup suspend`, `dmsetup resume`, as often as said; what they return is printed. */
const dmsetup = (name: string, ...commands: readonly ("suspend" | "resume")[]): ThreadSpec =>
  thread(name, () => {
    for (const command of commands) {
      if (command === "suspend") dm_suspend();
      else dm_resume();
    }
  });
export const suspends = () => dmsetup("dmsetup", "suspend");
const suspends_and_resumes = () => dmsetup("dmsetup", "suspend", "resume");

/** Another writer of md->lock. */
const swaps = () =>
  thread("swap", () => {
    dm_swap_table();
  });
const mounts = (dev: "dm-0" | "sdb" = "dm-0") => thread("mount", () => get_sb_bdev({ dev }));
const umounts = () => thread("umount", () => deactivate_super({ s: sb }));

/** Writes, and waits for nothing. */
const application = (bio: Bio = first_bio) =>
  thread("application", () => {
    submit_bio(bio);
    dm_request({ bio });
  });

/** The device below completes each clone some time, in any order; no bio of a scenario is two at once. */
export const disk = (...bios: readonly Bio[]): ThreadSpec =>
  thread(
    "disk",
    () => {
      Forever(() => {
        wait_until("a clone completes", () => bios.map((b): Bool => b.at_disk.now).reduce((a, b) => a.or(b)));
        const clone = local("clone", ptr(bio), NULL);
        const take = (b: Bio): void => {
          clone.set(b);
          b.at_disk.set(false);
        };
        const [a, b] = bios;
        if (!b) take(a!);
        else {
          If(
            a!.at_disk.now.and(b.at_disk.now),
            () => Choose({ name: "the first", body: () => take(a!) }, { name: "the second", body: () => take(b) }),
            () =>
              If(
                a!.at_disk.now,
                () => take(a!),
                () => take(b),
              ),
          );
        }
        const error = local("error", errno, 0);
        If(disk_may_fail.now, () => {
          Choose({ name: "success", body: () => {} }, { name: "-EIO", body: () => error.set(-EIO), optional: true });
        });
        dec_pending({ bio: clone.value, error: error.value });
      });
    },
    { kind: "device" },
  );

/** While no block device exists, the slab's memory may go back; the next one is then constructed anew. */
const reclaim = () =>
  thread(
    "reclaim",
    () => {
      const unused = (): Bool => inode_hash["dm-0"].now.eq(NULL).and(inode_hash.sdb.now.eq(NULL));
      wait_until("the slab is empty", unused);
      atomically("slab_destroy()", () => {
        If(unused(), () => {
          Choose({ name: "the slab goes back", body: () => write(slab_is_new, true), optional: true });
        });
      });
    },
    { kind: "environment" },
  );

/* ---- where it starts ---- */

/** Somebody has the device open. `resumes_to_come`: how often a dm_resume() is called. */
function open(resumes_to_come: number): void {
  initially(inode_hash["dm-0"], dm_bdev);
  initially(dm_bdev.i_count, 1);
  initially(resumes, resumes_to_come);
}

export function mounted(resumes_to_come: number, options: { dirty?: boolean } = {}): void {
  open(resumes_to_come);
  initially(dm_bdev.i_count, 2);
  initially(dm_bdev.PG_dirty, options.dirty ?? false);
  initially_listed(super_blocks, sb);
  initially(sb.s_bdev, dm_bdev);
  initially(sb.s_root, true);
  initially(sb.s_count, S_BIAS);
  initially(sb.s_active, 1);
}

/** The disk below has a clone of it. */
function at_disk(b: Bio): void {
  initially_submitted(b);
  initially({ type: int(0, 2), cell: () => b.io.clones() }, 1);
  initially(b.at_disk, true);
  initially(md.pending, 1);
}

const everywhere: readonly Property[] = [deadlock, memorySafety, lockDiscipline, atomicSleep];
const with_fs = [...everywhere, nothingLeftHeld, frozenWhileSuspended];
export const with_bio = [...with_fs, lostBio];
/** Before the patch a suspend freezes nothing. */
export const only = {
  "frozen-while-suspended": ["mason-2004", "mason-2004-v2", "hellwig-2004", "kergon-2005", "v2.6.17"],
};

export const scenarios: readonly Scenario[] = [
  {
    id: "suspend-resume",
    title: "a suspend and a resume while an application has a bio",
    threads: () => [suspends_and_resumes(), application(), disk(first_bio)],
    start: () => mounted(1),
    properties: with_bio,
    only,
  },
  {
    id: "two-suspends",
    title: "two suspends at once of a device with a dirty page",
    threads: () => [dmsetup("dmsetup1", "suspend"), dmsetup("dmsetup2", "suspend"), disk(page_bio)],
    start: () => mounted(0, { dirty: true }),
    properties: with_bio,
    only,
  },
  {
    id: "suspend-vs-swap-table",
    title: "a suspend of a device with a dirty page while a table is swapped",
    threads: () => [suspends(), swaps(), disk(page_bio)],
    start: () => mounted(0, { dirty: true }),
    properties: with_bio,
    only,
  },
  {
    id: "suspend-vs-mount",
    title: "a suspend and a resume, the first mount of the file system, and a swap of tables",
    threads: () => [suspends_and_resumes(), mounts(), swaps(), disk(superblock_bio)],
    start: () => open(1),
    properties: with_bio,
    only,
  },
  {
    id: "suspend-vs-mount-alone",
    title: "a suspend and a resume, and the first mount of the file system",
    threads: () => [suspends_and_resumes(), mounts(), disk(superblock_bio)],
    start: () => open(1),
    properties: with_bio,
    only,
  },
  {
    id: "suspend-vs-umount-alone",
    title: "a suspend and a resume, and an umount",
    threads: () => [suspends_and_resumes(), umounts(), disk(superblock_bio)],
    start: () => mounted(1),
    properties: with_bio,
    only,
  },
  {
    id: "suspend-vs-umount",
    title: "a suspend and a resume, an umount, and a swap of tables",
    threads: () => [suspends_and_resumes(), umounts(), swaps(), disk(superblock_bio)],
    start: () => mounted(1),
    properties: with_bio,
    only,
  },
  {
    id: "resume-vs-suspend",
    title: "a suspend and a resume, another suspend, a swap of tables; the file system writes as it is unlocked",
    threads: () => [
      dmsetup("dmsetup1", "suspend", "resume"),
      dmsetup("dmsetup2", "suspend"),
      swaps(),
      disk(superblock_bio),
    ],
    start: () => {
      mounted(1);
      initially(unlockfs_writes, true);
    },
    properties: with_bio,
    only,
  },
  {
    id: "two-cycles",
    title: "two tasks suspend and resume",
    threads: () => [dmsetup("dmsetup1", "suspend", "resume"), dmsetup("dmsetup2", "suspend", "resume")],
    start: () => mounted(2),
    properties: with_fs,
    only,
  },
  {
    id: "sync-fails",
    title: "a suspend and a resume; the write of the dirty page may fail",
    threads: () => [suspends_and_resumes(), disk(page_bio)],
    start: () => {
      mounted(1, { dirty: true });
      initially(disk_may_fail, true);
    },
    properties: with_bio,
    only,
  },
  {
    id: "bdget-fails",
    title: "a suspend, a resume and a suspend; bdget_disk() may find no memory",
    threads: () => [dmsetup("dmsetup", "suspend", "resume", "suspend")],
    start: () => {
      mounted(1);
      initially(bdget_may_fail, true);
    },
    properties: with_fs,
    only,
  },
  {
    id: "recycled-bdev",
    title: "a suspend of a device that nobody has open, and a mount of another device",
    threads: () => [suspends(), reclaim(), mounts("sdb")],
    properties: everywhere,
  },
  {
    id: "interrupted",
    title: "a suspend with one bio in flight and another coming, which a signal may interrupt, and a resume",
    threads: () => [
      suspends(),
      application(second_bio),
      dmsetup("resume", "resume"),
      disk(first_bio, second_bio),
      thread("signal", () => may_signal("dmsetup"), { kind: "environment" }),
    ],
    start: () => {
      mounted(1);
      at_disk(first_bio);
    },
    properties: with_bio,
    only,
  },
  {
    id: "interrupted-ext3",
    title: "a suspend with one bio in flight, which a signal may interrupt; the file system writes as it is unlocked",
    threads: () => [
      suspends(),
      dmsetup("resume", "resume"),
      disk(first_bio, superblock_bio),
      thread("signal", () => may_signal("dmsetup"), { kind: "environment" }),
    ],
    start: () => {
      mounted(1);
      at_disk(first_bio);
      initially(unlockfs_writes, true);
    },
    properties: with_bio,
    only,
  },
];
