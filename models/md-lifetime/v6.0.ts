/**
 * An mddev that is to be deleted is marked and stays on the list; the last reference to its disk frees it. A disk is
 * opened only while it is live, which del_gendisk() ends under the same mutex.
 */
import {
  alloc,
  atomic_inc,
  atomic_set,
  atomically,
  bool,
  dec,
  destroy_workqueue,
  ENODEV,
  ENXIO,
  flush_workqueue,
  fn,
  If,
  inc,
  kfree,
  kref_get,
  kref_init,
  kref_put,
  local,
  module_code,
  module_put,
  mutex_lock,
  mutex_lock_interruptible,
  mutex_unlock,
  NULL,
  ptr,
  queue_work,
  Return,
  reached,
  read,
  replace,
  spin_lock,
  spin_unlock,
  try_module_get,
  write,
} from "lockstep";
import { __blkdev_get, __blkdev_put, add_disk, del_gendisk, get_gendisk } from "./block-dev.ts";
import { held } from "./brown-2008.ts";
import { GENHD } from "./files.ts";
import { nothing_deleted_at_rest } from "./leaks.ts";
import {
  all_mddevs,
  all_mddevs_lock,
  bdev_map,
  disks_mutex,
  gendisk,
  type Mddev,
  md_mod,
  md_region,
  mddev,
} from "./objects.ts";
import { open_failed } from "./opening.ts";
import {
  entry_store,
  gendisk_of,
  kobject_del,
  kobject_init_and_add,
  may_fail,
  md_attr_store,
  md_exit,
  md_misc_wq,
  md_open,
  md_probe,
  md_release,
  mddev_delayed_delete,
  mddev_put,
  put_last,
} from "./v2.6.28.ts";
import { configured } from "./v2.6.29.ts";

const listed = { under: all_mddevs_lock };

/** The last one runs ->free_disk(), md_free_disk(): only now the mddev leaves the list. */
const put_disk = fn("put_disk", { at: GENHD, params: { disk: ptr(gendisk) } }, ({ disk }) => {
  kref_put(disk.ref, () => {
    spin_lock(all_mddevs_lock);
    atomically("list_del(&mddev->all_mddevs); spin_unlock(&all_mddevs_lock); kfree(mddev); kfree(disk);", () => {
      module_code(md_mod);
      const m = read(disk.private_data);
      write(all_mddevs, NULL, listed);
      spin_unlock(all_mddevs_lock);
      kfree(m);
      kfree(disk);
    });
  });
});

/** blkdev_get_no_open() */
const lookup = replace(get_gendisk, () => {
  const disk = local("disk", ptr(gendisk), NULL);
  const probe = local("probe", bool, false);
  const ilookup = (otherwise: () => void) => {
    If(
      bdev_map.now.ne(NULL),
      () => {
        disk.set(bdev_map.now);
        kref_get(bdev_map.now.ref);
      },
      otherwise,
    );
  };
  atomically("ilookup(dev)", () => {
    ilookup(() => {
      If(md_region.now, () => {
        If(try_module_get(md_mod), () => probe.set(true));
      });
    });
  });
  If(probe.value, () => {
    md_probe();
    atomically("ilookup(dev): again", () => {
      module_put(md_mod);
      ilookup(() => {});
    });
  });
  Return(disk.value);
});

const get = replace(__blkdev_get, () => {
  const disk = get_gendisk();
  If(disk.eq(NULL), () => {
    open_failed(-ENXIO);
    Return(NULL);
  });
  mutex_lock(disk.open_mutex);
  const live = local("live", bool, false);
  atomically("if (disk_live(disk) && try_module_get(disk->fops->owner))", () => {
    If(bdev_map.now.eq(disk), () => {
      If(try_module_get(md_mod), () => live.set(true));
    });
  });
  If(live.value.not(), () => {
    mutex_unlock(disk.open_mutex);
    put_disk({ disk });
    open_failed(-ENXIO);
    Return(NULL);
  });
  const ret = md_open({ disk });
  If(ret.failed(), () => {
    atomically("module_put(disk->fops->owner); mutex_unlock(&disk->open_mutex);", () => {
      module_put(md_mod);
      mutex_unlock(disk.open_mutex);
    });
    put_disk({ disk });
    open_failed(ret);
    Return(NULL);
  });
  atomically("bdev->bd_openers++; mutex_unlock(&disk->open_mutex);", () => {
    inc(disk.bd_openers, { under: disk.open_mutex });
    mutex_unlock(disk.open_mutex);
  });
  reached("open");
  Return(disk);
});

const put_bdev = replace(__blkdev_put, ({ opened }) => {
  mutex_lock(opened.open_mutex);
  dec(opened.bd_openers, { under: opened.open_mutex });
  md_release({ disk: opened });
  atomically("mutex_unlock(&disk->open_mutex); module_put(disk->fops->owner);", () => {
    mutex_unlock(opened.open_mutex);
    module_put(md_mod);
  });
  put_disk({ disk: opened });
});

/** `mddev_get()` under all_mddevs_lock, which is dropped: false for one that is being deleted. */
function mddev_get(m: Mddev, call: string) {
  const got = local("got", bool, false);
  spin_lock(all_mddevs_lock);
  atomically(`${call}: mddev_get(mddev); spin_unlock(&all_mddevs_lock);`, () => {
    If(read(m.deleted).not(), () => {
      atomic_inc(m.active);
      got.set(true);
    });
    spin_unlock(all_mddevs_lock);
  });
  return got.value;
}

const put = replace(mddev_put, ({ mddev }) => {
  put_last(mddev, "set_bit(MD_DELETED, &mddev->flags); queue_work(…);", () => {
    If(mddev.disks.now.not().and(mddev.hold_active.now.eq("0")), () => {
      write(mddev.deleted, true, listed);
      queue_work(md_misc_wq, mddev.del_work);
    });
  });
});

/** The release of the kobject is md_kobj_release(). */
const delayed_delete = replace(mddev_delayed_delete, ({ mddev }) => {
  kobject_del({ mddev });
  kref_put(mddev.kobj, () => {
    const disk = gendisk_of(mddev);
    del_gendisk({ disk });
    put_disk({ disk });
  });
});

/** md_alloc_and_put(): nothing is taken over, not even an mddev that is being deleted (-EEXIST). */
const probe = replace(md_probe, () => {
  flush_workqueue(md_misc_wq);
  mutex_lock(disks_mutex);
  const m = local("mddev", ptr(mddev), NULL);
  const failed = local("failed", bool, false);
  // mddev_alloc(): the new mddev is allocated before the lock is taken, and freed again in vain
  spin_lock(all_mddevs_lock);
  atomically("mddev_alloc(dev): list_add(&new->all_mddevs, &all_mddevs); spin_unlock(&all_mddevs_lock);", () => {
    If(
      all_mddevs.now.ne(NULL),
      () => failed.set(true),
      () => may_fail(failed),
    );
    If(failed.value.not(), () => {
      const fresh = alloc(mddev);
      atomic_set(fresh.active, 1);
      kref_init(fresh.kobj);
      write(fresh.hold_active, "UNTIL_IOCTL", held);
      write(all_mddevs, fresh, listed);
      m.set(fresh);
    });
    spin_unlock(all_mddevs_lock);
  });
  If(failed.value, () => {
    mutex_unlock(disks_mutex);
    Return();
  });
  const disk = local("disk", ptr(gendisk), NULL);
  atomically("disk = blk_alloc_disk()", () => {
    may_fail(failed);
    If(failed.value.not(), () => {
      const fresh = alloc(gendisk);
      kref_init(fresh.ref);
      write(fresh.private_data, m.value);
      disk.set(fresh);
    });
  });
  If(failed.value, () => {
    // mddev_free()
    spin_lock(all_mddevs_lock);
    atomically("list_del(&mddev->all_mddevs); spin_unlock(&all_mddevs_lock); kfree(mddev);", () => {
      write(all_mddevs, NULL, listed);
      spin_unlock(all_mddevs_lock);
      kfree(m.value);
      mutex_unlock(disks_mutex);
    });
    Return();
  });
  write(m.value.gendisk, disk.value);
  add_disk({ disk: disk.value });
  kobject_init_and_add(m.value, () => mutex_unlock(disks_mutex), { init: false });
  mddev_put({ mddev: m.value });
});

const open = replace(md_open, ({ disk }) => {
  const mddev = read(disk.private_data);
  If(mddev_get(mddev, "md_open()").not(), () => Return(-ENODEV));
  const err = mutex_lock_interruptible(mddev.open_mutex);
  If(err.failed(), () => {
    mddev_put({ mddev });
    Return(err);
  });
  mutex_unlock(mddev.open_mutex);
  Return(0);
});

const attr_store = replace(md_attr_store, ({ mddev, attr }) => {
  // -EBUSY
  If(mddev_get(mddev, "md_attr_store()").not(), () => Return());
  const rv = mutex_lock_interruptible(mddev.reconfig_mutex);
  configured(mddev);
  If(rv.ok(), () => {
    entry_store({ mddev, attr });
    mutex_unlock(mddev.reconfig_mutex);
  });
  mddev_put({ mddev });
});

const exit = replace(md_exit, () => {
  write(md_region, false);
  const m = local("mddev", ptr(mddev), NULL);
  spin_lock(all_mddevs_lock);
  atomically("list_for_each_entry_safe(): mddev_get(mddev); spin_unlock(&all_mddevs_lock);", () => {
    If(all_mddevs.now.ne(NULL), () => {
      If(read(all_mddevs.now.deleted).not(), () => {
        m.set(all_mddevs.now);
        atomic_inc(all_mddevs.now.active);
      });
    });
    spin_unlock(all_mddevs_lock);
  });
  If(m.value.ne(NULL), () => {
    write(m.value.hold_active, "0", held);
    mddev_put({ mddev: m.value });
  });
  destroy_workqueue(md_misc_wq);
});

export const v6_0 = [
  lookup,
  get,
  put_bdev,
  put,
  delayed_delete,
  probe,
  open,
  attr_store,
  exit,
  nothing_deleted_at_rest,
];
