/**
 * One device with one multipath table that queues if there is no path; all paths have failed. CPU 0 runs the process that
 * suspends, CPU 1 the multipath daemon; the device below completes by a hard interrupt on the one or the other.
 */
import {
  atomically,
  atomicSleep,
  type Bool,
  Choose,
  clear_bit,
  deadlock,
  EINTR,
  type Errno,
  Forever,
  If,
  initially,
  interrupt,
  local,
  lockDiscipline,
  may_signal,
  memorySafety,
  mutex_lock,
  mutex_unlock,
  NULL,
  ptr,
  reached,
  report,
  type Scenario,
  set_bit,
  type ThreadSpec,
  thread,
  wait_until,
  worker,
} from "lockstep";
import { wait_on_bio, writepages } from "./block-dev.ts";
import { clone_endio, dev_remove, dm_blk_close, dm_resume, dm_suspend, dm_swap_table } from "./dm.ts";
import { kmultipathd } from "./dm-mpath.ts";
import {
  bdev,
  bdget_may_fail,
  bio,
  bios,
  code,
  device_may_succeed,
  dm_io,
  first_dmsetup_done,
  m,
  md,
  PG_dirty,
  request,
  target_io,
} from "./objects.ts";
import { eio, suspend } from "./observed.ts";
import {
  flagCleared,
  lostBio,
  noEioOnSuccess,
  pushbackWins,
  queueingRestored,
  reissuedAtResume,
  suspendEnds,
} from "./properties.ts";

/* ---- the process that suspends ---- */

/** dm_suspend() has returned this. */
function returned(r: Errno): void {
  atomically("dm_suspend() returns", () => {
    reached("suspend-returned");
    report("flag-left-set", "dm_suspend() returns and DMF_NOFLUSH_SUSPENDING is still set", md.NOFLUSH_SUSPENDING.now);
    If(r.ok(), () => {
      reached("suspended");
      report("eio-on-success", "a noflush suspend returns 0, and a bio of the application ended with -EIO", eio.now);
    });
    If(r.eq(-EINTR), () => {
      reached("interrupted");
      report(
        "queueing-lost",
        "dm_suspend() returns -EINTR, and the target that queued without a path does not any more",
        m.queue_if_no_path.now.not(),
      );
    });
    If(suspend.now.eq("running"), () => {
      eio.set(false);
      If(
        r.ok(),
        () => suspend.set("succeeded"),
        () => suspend.set("none"),
      );
    });
  });
}

export function suspend_noflush(options: { do_lockfs?: boolean } = {}): void {
  returned(dm_suspend({ do_lockfs: options.do_lockfs ?? false, noflush: true }));
}

/** What it returns, dmsetup prints. */
function resume(): void {
  suspend.set("none");
  dm_resume();
}

export const dmsetup = (body: () => void): ThreadSpec => thread("dmsetup", body, { cpu: 0 });
export const suspend_and_resume = () =>
  dmsetup(() => {
    suspend_noflush();
    resume();
  });
const signal = () => thread("signal", () => may_signal("dmsetup"), { kind: "environment" });

/* ---- the device below, and the daemon ---- */

export const clones = ["first clone", "second clone"];

/** The handler of the device's interrupt on one CPU: one clone has ended, with an error unless the scenario says so. */
function completions(of: readonly string[]): void {
  const all = of.map((name) => target_io.object(name));
  const some = (of: typeof all): Bool => of.map((c) => c.at_device.now).reduce((a, b) => a.or(b));
  Forever(() => {
    interrupt("the device interrupts", () => some(all));
    const clone = local("clone", ptr(target_io), NULL);
    const take = (c: (typeof all)[number]): void => {
      clone.set(c);
      c.at_device.set(false);
    };
    if (all.length === 1) take(all[0]!);
    else {
      const [a, b] = all;
      If(
        a!.at_device.now.and(b!.at_device.now),
        () => Choose({ name: "for the first", body: () => take(a!) }, { name: "for the second", body: () => take(b!) }),
        () =>
          If(
            a!.at_device.now,
            () => take(a!),
            () => take(b!),
          ),
      );
    }
    const error = local("error", code, "-EIO");
    If(device_may_succeed.now, () => {
      Choose({ name: "-EIO", body: () => {} }, { name: "success", body: () => error.set("0") });
    });
    clone_endio({ tio: clone.value, error: error.value });
  });
}

/** Which clones' completions each CPU takes. */
export const machine = (cpu0: readonly string[] = clones.slice(0, 1), cpu1 = cpu0): ThreadSpec[] => [
  thread("irq0", () => completions(cpu0), { kind: "hardirq", cpu: 0 }),
  thread("irq1", () => completions(cpu1), { kind: "hardirq", cpu: 1 }),
  thread("kmultipathd", () => worker(kmultipathd), { kind: "worker", cpu: 1 }),
];

/* ---- where it starts ---- */

export function device(): void {
  initially(md.holders, 2);
  initially(md.open_count, 1);
  initially(m.queue_if_no_path, true);
  initially(m.saved_queue_if_no_path, true);
  initially(bdev.i_count, 1);
  initially(bdev.i_size, 1);
}

/** `clones` clones of it are at the device below. */
function in_flight(options: {
  bio: string;
  request: ReturnType<typeof request.object>;
  clones: readonly string[];
}): void {
  const b = bio.object(options.bio);
  const io = dm_io.object(`io of the ${options.bio}`);
  initially(b.bi_private, options.request);
  initially(io.bio, b);
  initially(io.io_count, options.clones.length);
  for (const name of options.clones) {
    const clone = target_io.object(name);
    initially(clone.io, io);
    initially(clone.at_device, true);
  }
}

export function one_bio(): void {
  device();
  initially(md.pending, 1);
  in_flight({ bio: "bio", request: request.object("first"), clones: clones.slice(0, 1) });
}

const everywhere = [deadlock, lostBio, memorySafety, atomicSleep, lockDiscipline];
export const suspending = [...everywhere, flagCleared, noEioOnSuccess, suspendEnds("dmsetup")];
/** Before the patch there is neither a flag nor a pushback list. */
const patched = [
  "ueda-2006",
  "nomura-2007",
  "endio-lock",
  "flag-unlocked",
  "deferred-io-lock",
  "no-error-flush",
  "lockfs-with-noflush",
];
export const only = { "flag-cleared": patched, "pushback-wins": patched, "reissued-at-resume": patched };

export const one = { bios: { default: 1, min: 1, max: 1, what: "bios" } };
export const two = { bios: { default: 2, min: 2, max: 2, what: "bios" } };

export const scenarios: readonly Scenario[] = [
  {
    id: "suspend-resume",
    title: "one bio in flight, a noflush suspend and a resume",
    sizes: one,
    threads: () => [suspend_and_resume(), ...machine()],
    start: one_bio,
    properties: suspending,
    only,
  },
  {
    id: "interrupted",
    title: "the same, and a signal may interrupt the suspend",
    sizes: one,
    threads: () => [suspend_and_resume(), ...machine(), signal()],
    start: one_bio,
    properties: [...suspending, reissuedAtResume],
    only,
  },
  {
    id: "bdget-fails",
    title: "the same, and bdget_disk() may find no memory",
    sizes: one,
    threads: () => [suspend_and_resume(), ...machine()],
    start: () => {
      one_bio();
      initially(bdget_may_fail, true);
    },
    properties: suspending,
    only,
  },
  {
    id: "split",
    title: "one bio in two clones that end on two CPUs: the multipath target wants a requeue, the other has an error",
    sizes: one,
    threads: () => [dmsetup(() => suspend_noflush()), ...machine(clones)],
    start: () => {
      device();
      initially(md.pending, 1);
      in_flight({ bio: "bio", request: request.object("first"), clones });
      initially(target_io.object(clones[1]!).ti, "linear");
    },
    properties: [...suspending, pushbackWins],
    only,
  },
  {
    id: "two-bios",
    title: "two bios in flight, a noflush suspend that a signal may interrupt, and a resume",
    // one completion on each CPU: with either on both the graph is nearly twice as large and says the same
    sizes: { bios: { ...two.bios, max: 4 } },
    threads: () => [suspend_and_resume(), ...machine(...halves(several())), signal()],
    start: () => {
      device();
      initially(md.pending, bios());
      // each bio with one clone
      several().forEach(in_flight_alone);
    },
    properties: suspending,
    only,
  },
  {
    id: "close-after-io",
    title: "the owner of a bio closes the device when the bio is done, and the device is removed",
    sizes: one,
    threads: () => [
      thread(
        "owner",
        () => {
          wait_on_bio();
          dm_blk_close();
        },
        { cpu: 0 },
      ),
      thread("remove", () => dev_remove()),
      ...machine(),
    ],
    start: () => {
      one_bio();
      initially(device_may_succeed, true);
    },
    properties: everywhere,
  },
  {
    id: "dirty-page",
    title: "a noflush suspend with lockfs, a dirty page and no path",
    sizes: one,
    threads: () => [
      dmsetup(() => suspend_noflush({ do_lockfs: true })),
      thread("pdflush", () => writepages()),
      ...machine(),
    ],
    start: () => {
      device();
      initially(PG_dirty, true);
      request.declare();
    },
    properties: suspending,
    only,
  },
  {
    id: "sync-vs-suspend",
    title: "a sync that has locked the device's inode waits for the bio; a noflush suspend",
    sizes: one,
    threads: () => [
      dmsetup(() => suspend_noflush()),
      thread("sync", () => {
        wait_on_bio();
        clear_bit(bdev.I_LOCK);
      }),
      ...machine(),
    ],
    start: () => {
      one_bio();
      initially(bdev.I_LOCK, true);
    },
    properties: suspending,
    only,
  },
  {
    id: "fsync-vs-swap",
    title: "fsync waits for the bio under i_mutex; a noflush suspend, a swap to a table of another size, a resume",
    sizes: one,
    threads: () => [
      dmsetup(() => {
        suspend_noflush();
        dm_swap_table({ size: 2 });
        resume();
      }),
      thread("fsync", () => {
        // do_fsync(): the pages are with the device already
        mutex_lock(bdev.i_mutex);
        wait_on_bio();
        mutex_unlock(bdev.i_mutex);
      }),
      ...machine(),
    ],
    start: one_bio,
    properties: suspending,
    only,
  },
  {
    id: "suspend-suspended",
    title: "a noflush suspend, again one, and a resume, by one process; a bio in flight",
    sizes: one,
    threads: () => [
      dmsetup(() => {
        suspend_noflush();
        suspend_noflush();
        resume();
      }),
      ...machine(),
    ],
    start: one_bio,
    properties: suspending,
    only,
  },
  {
    id: "twice",
    title: "a noflush suspend that a signal may interrupt, and then another by a second process; a bio in flight",
    sizes: one,
    threads: () => [
      dmsetup(() => {
        suspend_noflush();
        set_bit(first_dmsetup_done);
      }),
      thread(
        "dmsetup again",
        () => {
          wait_until("the first dmsetup has ended", () => first_dmsetup_done.now, {
            resting: () => first_dmsetup_done.now.not(),
          });
          suspend_noflush();
        },
        { cpu: 0 },
      ),
      ...machine(),
      signal(),
    ],
    start: one_bio,
    properties: [...everywhere, flagCleared, noEioOnSuccess, suspendEnds("dmsetup", "dmsetup again"), queueingRestored],
    only,
  },
];

/* ---- several bios ---- */

/** Their clones. */
function several(): string[] {
  return [...clones, "third clone", "fourth clone"].slice(0, bios());
}

function in_flight_alone(clone: string, n: number): void {
  const name = ["first", "second", "third", "fourth"][n]!;
  in_flight({
    bio: n === 0 ? "bio" : `${name} bio`,
    request: request.object(name),
    clones: [clone],
  });
}

function halves<T>(all: readonly T[]): [T[], T[]] {
  const middle = (all.length + 1) >> 1;
  return [all.slice(0, middle), all.slice(middle)];
}
