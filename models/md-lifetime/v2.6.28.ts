/** drivers/md/md.c before the patch: once created, a device stays until the module is unloaded. */
import {
  alloc,
  atomic_dec,
  atomic_inc,
  atomic_read,
  atomic_set,
  atomically,
  type Bool,
  bool,
  Choose,
  enumeration,
  errno,
  fn,
  free_module,
  Goto,
  global,
  If,
  kfree,
  kref_get,
  kref_init,
  kref_put,
  Label,
  type Local,
  local,
  lock_kernel,
  module_code,
  mutex_lock,
  mutex_lock_interruptible,
  mutex_unlock,
  NULL,
  ptr,
  Return,
  reached,
  read,
  report,
  spin_lock,
  spin_unlock,
  sysfs_create,
  sysfs_get_active,
  sysfs_put_active,
  sysfs_remove,
  try_stop_module,
  unlock_kernel,
  work_function,
  worker,
  workqueue,
  write,
} from "lockstep";
import { add_disk, after_sleep, del_gendisk, lock_own_bdev, may_sleep, put_disk } from "./block-dev.ts";
import { MD } from "./files.ts";
import {
  all_mddevs,
  all_mddevs_lock,
  allocation_failed,
  bdev,
  type Disk,
  disks_mutex,
  gendisk,
  type Mddev,
  md_mod,
  md_region,
  mddev,
  memory_is_short,
  sysfs_md0,
  unloading,
} from "./objects.ts";

export const of_mddev = { at: MD, params: { mddev: ptr(mddev) } };
const listed = { under: all_mddevs_lock };

/** Inside of atomically: whether the allocation in it fails, which it may where memory is short. */
export function may_fail(failed: Local<Bool, Bool | boolean>): void {
  If(memory_is_short.now, () => {
    Choose(
      { name: "there is memory", body: () => {} },
      {
        name: "fails",
        optional: true,
        body: () => {
          failed.set(true);
          allocation_failed.set(true);
        },
      },
    );
  });
}

/** `kfree(mddev)`, inside of atomically, which is all that happens where it stands: a queue it still has is lost. */
export function kfree_mddev(m: Mddev): void {
  report("queue-lost", "the mddev is freed, and nobody else knows the request queue that it has", m.queue.now);
  kfree(m);
}

export interface Finding {
  /** The request queue is allocated with the mddev. */
  readonly queue: boolean;
  /** Before it can be found. */
  readonly initialised?: (fresh: Mddev) => void;
  /** In the critical section, after list_add(). */
  readonly added?: (fresh: Mddev) => void;
  /** After spin_unlock(). */
  readonly unlocked?: (fresh: Mddev) => void;
}

/** The mddev for the number of /dev/md0 with a reference to it, a new one if there is none. */
export function mddev_find_body({ queue, initialised, added, unlocked }: Finding): () => void {
  return () => {
    const found = local("mddev", ptr(mddev), NULL);
    const fresh = local("new", ptr(mddev), NULL);
    const failed = local("failed", bool, false);
    const slept = local("slept", bool, false);
    Label("retry");
    spin_lock(all_mddevs_lock);
    atomically("list_for_each_entry(mddev, &all_mddevs, all_mddevs) …; spin_unlock(&all_mddevs_lock); …", () => {
      If(
        all_mddevs.now.ne(NULL),
        () => {
          found.set(all_mddevs.now);
          atomic_inc(all_mddevs.now.active);
          // kfree(new) comes after the unlock; nobody else knows new
          If(fresh.value.ne(NULL), () => kfree_mddev(fresh.value));
          fresh.set(NULL);
          spin_unlock(all_mddevs_lock);
        },
        () => {
          If(
            fresh.value.ne(NULL),
            () => {
              write(all_mddevs, fresh.value, listed);
              found.set(fresh.value);
              added?.(fresh.value);
              spin_unlock(all_mddevs_lock);
            },
            () => {
              spin_unlock(all_mddevs_lock);
              // new = kzalloc(sizeof(*new), GFP_KERNEL), which nobody else sees
              may_fail(failed);
              If(failed.value.not(), () => {
                const allocated = alloc(mddev);
                atomic_set(allocated.active, 1);
                if (queue) write(allocated.queue, true);
                initialised?.(allocated);
                fresh.set(allocated);
              });
              may_sleep(slept);
            },
          );
        },
      );
    });
    If(found.value.ne(NULL), () => {
      if (unlocked) If(fresh.value.ne(NULL), () => unlocked(fresh.value));
      Return(found.value);
    });
    after_sleep(slept);
    slept.set(false);
    If(failed.value, () => Return(NULL));
    Goto("retry");
  };
}

export const mddev_find = fn("mddev_find", { at: MD, returns: ptr(mddev) }, mddev_find_body({ queue: true }));

/**
 * `if (!atomic_dec_and_lock(&mddev->active, &all_mddevs_lock)) return; …; spin_unlock(&all_mddevs_lock);`, the second
 * decrement, the critical section and the unlock as one step: who else has the lock waits, and of what those do who have
 * not, the section sees `active` once and nothing twice.
 */
export function put_last(m: Mddev, call: string, section: () => void): void {
  const slow = local("slow", bool, false);
  atomically("atomic_dec_and_lock(&mddev->active, &all_mddevs_lock): cmpxchg", () => {
    If(
      atomic_read(m.active).eq(1),
      () => slow.set(true),
      () => atomic_dec(m.active),
    );
  });
  If(slow.value, () => {
    spin_lock(all_mddevs_lock);
    atomically(`${call} spin_unlock(&all_mddevs_lock);`, () => {
      atomic_dec(m.active);
      If(m.active.now.eq(0), section);
      spin_unlock(all_mddevs_lock);
    });
  });
}

export const mddev_put = fn("mddev_put", of_mddev, ({ mddev }) => {
  const unused = local("unused", bool, false);
  put_last(mddev, "if (!mddev->raid_disks && list_empty(&mddev->disks)) list_del(&mddev->all_mddevs);", () => {
    If(mddev.disks.now.not(), () => {
      write(all_mddevs, NULL, listed);
      unused.set(true);
    });
  });
  If(unused.value, () => {
    // kobject_put(): the last one takes the directory out of sysfs first
    kref_put(mddev.kobj, () => {
      kobject_del({ mddev });
      md_free({ mddev });
    });
  });
});

/** Out of sysfs: lets nobody into an attribute any more, and waits until nobody is inside. */
export const kobject_del = fn("kobject_del", { ...of_mddev, at: "lib/kobject.c" }, ({ mddev }) => {
  atomically("sysfs_remove_dir(/sys/block/md0/md)", () => {
    // md called this a moment ago
    module_code(md_mod);
    If(sysfs_md0.now.eq(mddev), () => write(sysfs_md0, NULL));
  });
  sysfs_remove(mddev.md_attributes);
});

/** The first step of the release function of the kobject. */
export function gendisk_of(m: Mddev): Disk {
  const disk = local("disk", ptr(gendisk), NULL);
  atomically("disk = mddev->gendisk", () => {
    module_code(md_mod);
    disk.set(read(m.gendisk));
  });
  return disk.value;
}

export const md_free = fn("md_free", of_mddev, ({ mddev }) => {
  const disk = gendisk_of(mddev);
  If(disk.ne(NULL), () => del_gendisk({ disk }));
  // no step between the three: nobody can reach the disk or the mddev any more but by pointers that nobody may follow
  atomically("put_disk(mddev->gendisk); blk_cleanup_queue(mddev->queue); kfree(mddev);", () => {
    module_code(md_mod);
    If(disk.ne(NULL), () => put_disk(disk));
    kfree(mddev);
  });
});

/** Never run before the patch, when nothing is queued. keventd holds no reference to the module. */
export const mddev_delayed_delete = fn("mddev_delayed_delete", of_mddev, ({ mddev }) => {
  kobject_del({ mddev });
  kref_put(mddev.kobj, () => md_free({ mddev }));
});

const deletion = work_function(mddev, "del_work", (m: Mddev) => mddev_delayed_delete({ mddev: m }));
/** No mddev is added to the queue before the deletion of the one before it is over: one work and two who flush. */
const capacity = { works: () => [deletion], length: 4 };
/** The kernel's own queue, events/0. */
export const keventd = global("keventd", workqueue(capacity));
/** The queue of md since 2.6.36. */
export const md_misc_wq = global("md_misc_wq", workqueue(capacity));

/** The worker thread of the queue. */
export const worker_thread = fn("worker_thread", { at: "kernel/workqueue.c" }, () => {
  worker(keventd);
});

/** With disks_mutex held: false if the mddev has a disk already or there is no memory, and then without disks_mutex. */
export function alloc_disk(m: Mddev): { disk: Disk; ok: Bool } {
  const disk = local("disk", ptr(gendisk), NULL);
  const failed = local("failed", bool, false);
  atomically("if (!mddev->gendisk) disk = alloc_disk(1 << shift);", () => {
    If(
      read(m.gendisk).ne(NULL),
      () => failed.set(true),
      () => may_fail(failed),
    );
    If(
      failed.value,
      () => mutex_unlock(disks_mutex),
      () => {
        const allocated = alloc(gendisk);
        kref_init(allocated.ref);
        write(allocated.private_data, m);
        disk.set(allocated);
      },
    );
  });
  return { disk: disk.value, ok: failed.value.not() };
}

/**
 * `kobject_init_and_add(&mddev->kobj, …)`; nobody takes disks_mutex for what is in sysfs, so it may go in the same step.
 * kobject_uevent() and sysfs_get_dirent() come next: they allocate, so they may sleep, with the device in sysfs already.
 */
export function kobject_init_and_add(m: Mddev, and: () => void, { init }: { init: boolean }): void {
  const slept = local("slept", bool, false);
  atomically("kobject_init_and_add(&mddev->kobj, &md_ktype, …); mutex_unlock(…); kobject_uevent(…);", () => {
    if (init) kref_init(m.kobj);
    sysfs_create(m.md_attributes);
    write(sysfs_md0, m);
    and();
    may_sleep(slept);
  });
  after_sleep(slept);
}

/** Creates the device; the reference of mddev_find() stays with the disk for good. */
export const md_probe = fn("md_probe", { at: MD }, () => {
  const mddev = mddev_find();
  If(mddev.eq(NULL), () => Return());
  mutex_lock(disks_mutex);
  const { disk, ok } = alloc_disk(mddev);
  If(ok.not(), () => {
    mddev_put({ mddev });
    Return();
  });
  add_disk({ disk });
  write(mddev.gendisk, disk);
  kobject_init_and_add(mddev, () => mutex_unlock(disks_mutex), { init: true });
});

export const md_open = fn("md_open", { at: MD, params: { disk: ptr(gendisk) }, returns: errno }, ({ disk }) => {
  const mddev = read(disk.private_data);
  const err = mutex_lock_interruptible(mddev.reconfig_mutex);
  If(err.failed(), () => Return(err));
  atomically("mddev_get(mddev); mddev_unlock(mddev);", () => {
    atomic_inc(mddev.active);
    mutex_unlock(mddev.reconfig_mutex);
  });
  Return(0);
});

export const md_release = fn("md_release", { at: MD, params: { disk: ptr(gendisk) } }, ({ disk }) => {
  const mddev = read(disk.private_data);
  mddev_put({ mddev });
});

/** STOP_ARRAY of an array that does not run; what an ioctl does to the mddev beside that is not modelled. */
export const md_ioctl = fn("md_ioctl", { at: MD, params: { opened: ptr(gendisk) } }, () => {
  const mddev = of_open_disk();
  const err = mutex_lock_interruptible(mddev.reconfig_mutex);
  If(err.failed(), () => Return());
  mutex_unlock(mddev.reconfig_mutex);
});

/** `bdev->bd_disk->private_data`: neither changes while the device is open. */
export function of_open_disk(): Mddev {
  const m = local("mddev", ptr(mddev), NULL);
  atomically("mddev = bdev->bd_disk->private_data", () => m.set(read(read(bdev.bd_disk).private_data)));
  return m.value;
}

/** What is written to which attribute in /sys/block/md0/md. */
export const store = enumeration("new_dev", "size", "slot");

/** The store function of the attribute; reconfig_mutex is held. */
export const entry_store = fn(
  "entry->store",
  { at: MD, params: { mddev: ptr(mddev), attr: store } },
  ({ mddev, attr }) => {
    If(attr.eq("new_dev"), () => new_dev_store());
    If(attr.eq("size"), () => {
      const disk = read(mddev.gendisk);
      lock_own_bdev({ disk });
    });
    If(attr.eq("slot"), () => {
      atomically("bind_rdev_to_array(rdev, mddev)", () => {
        // the rdev's kobject is added below the mddev's, and holds it
        kref_get(mddev.kobj);
        write(mddev.disks, true);
        reached("bound");
      });
    });
  },
);

/**
 * The new member is itself an md device that is not open: opening it calls md_probe(), here of a device that exists.
 * The queue is flushed there since the patch.
 */
export const new_dev_store = fn("new_dev_store", { at: MD }, () => {
  lock_kernel();
  mutex_lock(disks_mutex);
  atomically("mutex_unlock(&disks_mutex); unlock_kernel();", () => {
    mutex_unlock(disks_mutex);
    unlock_kernel();
  });
});

export const md_attr_store = fn(
  "md_attr_store",
  { at: MD, params: { mddev: ptr(mddev), attr: store } },
  ({ mddev, attr }) => {
    const rv = mutex_lock_interruptible(mddev.reconfig_mutex);
    If(rv.ok(), () => {
      entry_store({ mddev, attr });
      mutex_unlock(mddev.reconfig_mutex);
    });
  },
);

/** A write(2) to the attribute: fails at once when it is not there, or not any more. */
export const sysfs_write_file = fn(
  "sysfs_write_file",
  { at: "fs/sysfs/file.c", params: { attr: store } },
  ({ attr }) => {
    const m = local("mddev", ptr(mddev), NULL);
    atomically("sysfs_get_active(/sys/block/md0/md/…)", () => {
      If(sysfs_md0.now.ne(NULL), () => {
        const rc = sysfs_get_active(sysfs_md0.now.md_attributes);
        If(rc.ok(), () => m.set(sysfs_md0.now));
      });
    });
    If(m.value.eq(NULL), () => Return());
    reached("store");
    md_attr_store({ mddev: m.value, attr });
    sysfs_put_active(m.value.md_attributes);
  },
);

/** The first half of an iteration of for_each_mddev(): there is one mddev at most. */
export function first_mddev(loop = "for_each_mddev()"): Mddev {
  const m = local("mddev", ptr(mddev), NULL);
  spin_lock(all_mddevs_lock);
  atomically(`${loop}: mddev_get(mddev); spin_unlock(&all_mddevs_lock);`, () => {
    If(all_mddevs.now.ne(NULL), () => {
      m.set(all_mddevs.now);
      atomic_inc(all_mddevs.now.active);
    });
    spin_unlock(all_mddevs_lock);
  });
  return m.value;
}

export const md_exit = fn("md_exit", { at: MD }, () => {
  write(md_region, false);
  const mddev = first_mddev();
  If(mddev.ne(NULL), () => {
    const disk = read(mddev.gendisk);
    // export_array(mddev) has nothing to take apart
    If(disk.ne(NULL), () => mddev_put({ mddev }));
    // for_each_mddev() goes on
    mddev_put({ mddev });
  });
});

export const rmmod = fn("delete_module", { at: "kernel/module.c" }, () => {
  const rc = local("stopped", bool, false);
  atomically("try_stop_module(md_mod)", () => {
    const stopped = try_stop_module(md_mod);
    If(stopped.ok(), () => {
      rc.set(true);
      unloading.set(true);
    });
  });
  If(rc.value.not(), () => Return());
  md_exit();
  free_module(md_mod);
  reached("unloaded");
});
