/**
 * A whole disk opened and closed, 2.6.28 to 5.12: md_open(), md_release() run under bd_mutex, and up to 2.6.36 the BKL.
 */
import {
  atomically,
  Bool,
  bool,
  Choose,
  dec,
  ENXIO,
  ERESTARTSYS,
  fn,
  Goto,
  If,
  inc,
  kfree,
  kref_get,
  kref_put,
  Label,
  type Local,
  local,
  lock_kernel,
  module_put,
  mutex_lock,
  mutex_lock_nested,
  mutex_unlock,
  NULL,
  ptr,
  Return,
  reached,
  replace,
  report,
  sleep_until,
  switched,
  try_module_get,
  unlock_kernel,
  write,
} from "lockstep";
import { BLOCK_DEV, GENHD } from "./files.ts";
import { BKL, bdev, bdev_map, type Disk, gendisk, md_mod, md_region, starts_again } from "./objects.ts";
import { open_failed } from "./opening.ts";
import { md_open, md_probe, md_release } from "./v2.6.28.ts";

/** `put_disk()`, inside of atomically: the last one frees it, without a look at private_data. */
export function put_disk(disk: Disk): void {
  kref_put(disk.ref, () => kfree(disk));
}

/**
 * At the end of atomically: a call that may sleep (memory, I/O). Who has the BKL drops it then. `after_sleep` follows.
 */
export function may_sleep(slept: Local<Bool, Bool | boolean>): void {
  If(new Bool(one_cpu() ? { e: "const", v: 1 } : BKL.heldBySelf()), () => {
    Choose(
      { name: "does not sleep", body: () => {} },
      {
        name: one_cpu() ? "sleeps" : "sleeps, drops the BKL",
        body: () => {
          if (!one_cpu()) unlock_kernel();
          slept.set(true);
        },
      },
    );
  });
}

export function after_sleep(slept: Local<Bool, Bool | boolean>): void {
  if (one_cpu()) If(slept.value, () => sleep("memory, or I/O", slept));
  If(slept.value, () => lock_kernel());
}

/**
 * The same for `might_sleep()` in a call that finds nothing to wait for: with voluntary preemption
 * (CONFIG_PREEMPT_VOLUNTARY) the task may be rescheduled there all the same, and schedule() drops the big kernel lock.
 */
function might_sleep(slept: Local<Bool, Bool | boolean>): void {
  if (switched("preempt", "voluntary")) may_sleep(slept);
}

/** What differs between the versions of the block core: is there a big kernel lock, does __blkdev_get() start again. */
interface Core {
  readonly kernel_lock: boolean;
  readonly restart: boolean;
}

/**
 * get_gendisk() and kobj_lookup(). The probe of the disk itself has the smallest range, so it comes first; exact_lock()
 * takes the references. md's probe is for a range, returns NULL, and is not tried again in the second round.
 *
 * Nothing sleeps with block_class_lock held, here and in blk_(un)register_region(): what is done under it is one step,
 * and the lock itself is left out.
 */
function get_gendisk_body({ kernel_lock }: Pick<Core, "kernel_lock">): () => void {
  return () => {
    const disk = local("disk", ptr(gendisk), NULL);
    const probe = local("probe", bool, false);
    const slept = local("slept", bool, false);
    const lookup = (otherwise: () => void) => {
      If(
        bdev_map.now.ne(NULL),
        () => {
          // a disk whose module is on its way out is passed over, and so is md's region then
          If(try_module_get(md_mod), () => {
            disk.set(bdev_map.now);
            kref_get(bdev_map.now.ref);
            // mutex_lock(&bdev->bd_mutex) comes next
            might_sleep(slept);
          });
        },
        otherwise,
      );
    };
    atomically("kobj_lookup()", () => {
      starts_again.set(false);
      lookup(() => {
        If(md_region.now, () => {
          If(try_module_get(md_mod), () => probe.set(true));
        });
      });
    });
    If(probe.value, () => {
      md_probe();
      if (kernel_lock && switched("preempt", "voluntary")) {
        atomically("mutex_lock(block_class_lock): might_sleep()", () => might_sleep(slept));
        after_sleep(slept);
        slept.set(false);
      }
      atomically("kobj_lookup(): again", () => {
        module_put(md_mod);
        lookup(() => {});
      });
    });
    after_sleep(slept);
    Return(disk.value);
  };
}

export const get_gendisk = fn(
  "get_gendisk",
  { at: GENHD, returns: ptr(gendisk) },
  get_gendisk_body({ kernel_lock: true }),
);

function blkdev_get_body({ kernel_lock, restart }: Core): (params: { once: Bool }) => void {
  const unlock = () => {
    if (kernel_lock) unlock_kernel();
  };
  return ({ once }) => {
    const restarted = local("restarted", bool, false);
    const slept = local("slept", bool, false);
    if (kernel_lock) lock_kernel();
    Label("restart");
    const disk = get_gendisk();
    If(disk.eq(NULL), () => {
      if (kernel_lock) unlock_kernel();
      open_failed(-ENXIO);
      Return(NULL);
    });
    mutex_lock_nested(bdev.bd_mutex, 0);
    const first = local("first", bool, false);
    const bd_disk = local("bd_disk", ptr(gendisk), NULL);
    atomically("if (!bdev->bd_openers) bdev->bd_disk = disk; else put_disk(disk);", () => {
      If(
        bdev.bd_openers.now.eq(0),
        () => {
          first.set(true);
          write(bdev.bd_disk, disk, { under: bdev.bd_mutex });
        },
        () => {
          put_disk(disk);
          module_put(md_mod);
        },
      );
      bd_disk.set(bdev.bd_disk.now);
    });
    const ret = md_open({ disk: bd_disk.value });
    If(first.value, () => {
      const give_up = () => {
        module_put(md_mod);
        put_disk(disk);
        write(bdev.bd_disk, NULL, { under: bdev.bd_mutex });
        mutex_unlock(bdev.bd_mutex);
      };
      if (restart) {
        If(ret.eq(-ERESTARTSYS), () => {
          atomically("put_disk(disk); bdev->bd_disk = NULL; mutex_unlock(&bdev->bd_mutex);", () => {
            give_up();
            If(once, () => starts_again.set(true));
            // mutex_lock(block_class_lock) comes next
            might_sleep(slept);
          });
          after_sleep(slept);
          slept.set(false);
          report("second-restart", "the open starts again for the second time", restarted.value);
          reached("restart");
          restarted.set(true);
          Goto("restart");
        });
      }
      If(ret.failed(), () => {
        atomically("out_clear: bdev->bd_disk = NULL; mutex_unlock(&bdev->bd_mutex); put_disk(disk);", () => {
          give_up();
          unlock();
        });
        open_failed(ret);
        Return(NULL);
      });
    });
    If(ret.failed(), () => {
      atomically("out_unlock_bdev: mutex_unlock(&bdev->bd_mutex);", () => {
        mutex_unlock(bdev.bd_mutex);
        unlock();
      });
      open_failed(ret);
      Return(NULL);
    });
    atomically("bdev->bd_openers++; mutex_unlock(&bdev->bd_mutex);", () => {
      inc(bdev.bd_openers, { under: bdev.bd_mutex });
      mutex_unlock(bdev.bd_mutex);
      unlock();
    });
    reached("open");
    Return(bd_disk.value);
  };
}

function blkdev_put_body({ kernel_lock }: Pick<Core, "kernel_lock">): () => void {
  return () => {
    mutex_lock_nested(bdev.bd_mutex, 0);
    if (kernel_lock) lock_kernel();
    const disk = local("disk", ptr(gendisk), NULL);
    atomically("bdev->bd_openers--", () => {
      dec(bdev.bd_openers, { under: bdev.bd_mutex });
      disk.set(bdev.bd_disk.now);
    });
    md_release({ disk: disk.value });
    atomically("if (!bdev->bd_openers) put_disk(disk); mutex_unlock(&bdev->bd_mutex);", () => {
      If(bdev.bd_openers.now.eq(0), () => {
        put_disk(disk.value);
        module_put(md_mod);
        write(bdev.bd_disk, NULL, { under: bdev.bd_mutex });
      });
      if (kernel_lock) unlock_kernel();
      mutex_unlock(bdev.bd_mutex);
    });
  };
}

/**
 * Opens /dev/md0. Instead of the error number that C returns: the disk that is open now, or NULL. `once`: the thread
 * opens it only once; it is asked about by `livelock`, and nothing depends on it.
 */
export const __blkdev_get = fn(
  "__blkdev_get",
  { at: BLOCK_DEV, params: { once: bool }, returns: ptr(gendisk) },
  blkdev_get_body({ kernel_lock: true, restart: false }),
);

/** Every close releases, whether or not it is the last one. */
export const __blkdev_put = fn(
  "__blkdev_put",
  { at: BLOCK_DEV, params: { opened: ptr(gendisk) } },
  blkdev_put_body({ kernel_lock: true }),
);

/** The hunk of the patch in fs/block_dev.c. The label stands after lock_kernel(). */
export const restarting = [replace(__blkdev_get, blkdev_get_body({ kernel_lock: true, restart: true }))];

/** From 2.6.37 on. */
export const without_kernel_lock = [
  replace(get_gendisk, get_gendisk_body({ kernel_lock: false })),
  replace(__blkdev_get, blkdev_get_body({ kernel_lock: false, restart: true })),
  replace(__blkdev_put, blkdev_put_body({ kernel_lock: false })),
];

/** The bd_mutex of the block device of this disk, taken by a sysfs store of the array that owns it. */
export const lock_own_bdev = fn("lock_own_bdev", { at: GENHD, params: { disk: ptr(gendisk) } }, () => {
  mutex_lock(bdev.bd_mutex);
  mutex_unlock(bdev.bd_mutex);
});

/** add_disk() publishes the disk first; register_disk() and the rest sleep, with the disk to be found already. */
export const add_disk = fn("add_disk", { at: GENHD, params: { disk: ptr(gendisk) } }, ({ disk }) => {
  const slept = local("slept", bool, false);
  atomically("blk_register_region(disk); register_disk(disk)", () => {
    report("two-disks", "a disk is registered for the number of another one", bdev_map.now.ne(NULL));
    write(bdev_map, disk);
    reached("add_disk");
    may_sleep(slept);
  });
  after_sleep(slept);
});

/** Up to 5.12 without bd_mutex. Whole disks are opened whatever GENHD_FL_UP says. */
export const del_gendisk = fn("del_gendisk", { at: GENHD, params: { disk: ptr(gendisk) } }, ({ disk }) => {
  atomically("blk_unregister_region(disk)", () => {
    If(bdev_map.now.eq(disk), () => write(bdev_map, NULL));
  });
  if (one_cpu()) sleep("device_del()");
});

/** Who sleeps gives up the CPU; where every thread has one, that shows only in the big kernel lock. */
const one_cpu = (): boolean => switched("scheduler", "one-cpu");

/** Gives up the CPU, and the big kernel lock if the task has it. */
function sleep(what: string, slept?: Local<Bool, Bool | boolean>): void {
  sleep_until(`sleeps: ${what}`, () => new Bool({ e: "const", v: 1 }));
  slept?.set(false);
}

/** Where one CPU is shared without preemption in the kernel, it goes to others between two system calls all the same. */
export function in_user_mode(): void {
  if (one_cpu()) sleep("in user mode");
}
