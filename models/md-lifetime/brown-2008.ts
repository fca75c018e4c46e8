/** NeilBrown's posted patch, to the letter: [PATCH 1/2] md: make devices disappear when they are no longer needed. */
import {
  atomically,
  BUG_ON,
  bool,
  ERESTARTSYS,
  flush_scheduled_work,
  If,
  local,
  lock_kernel,
  mutex_lock,
  mutex_lock_interruptible,
  mutex_unlock,
  NULL,
  ptr,
  Return,
  read,
  replace,
  schedule_work,
  size,
  unlock_kernel,
  write,
} from "lockstep";
import { add_disk, restarting } from "./block-dev.ts";
import { no_references_at_rest } from "./leaks.ts";
import { all_mddevs, all_mddevs_lock, type Disk, disks_mutex, type Mddev, md_region, mddev } from "./objects.ts";
import {
  alloc_disk,
  first_mddev,
  keventd,
  kfree_mddev,
  kobject_init_and_add,
  md_exit,
  md_open,
  md_probe,
  md_release,
  mddev_find,
  mddev_find_body,
  mddev_put,
  new_dev_store,
  put_last,
} from "./v2.6.28.ts";

export const held = { race: "hold_active is read and written without a lock" };

/** atomic_dec_and_lock() gave the lock: all of it is one critical section. `destroy`: what becomes of an unused mddev. */
export function put_body(destroy: (m: Mddev) => void): (params: { mddev: Mddev }) => void {
  return ({ mddev }) => {
    put_last(mddev, "if (… && !mddev->hold_active) { list_del(&mddev->all_mddevs); … }", () => {
      If(mddev.disks.now.not().and(mddev.hold_active.now.eq("0")), () => {
        write(all_mddevs, NULL, { under: all_mddevs_lock });
        destroy(mddev);
      });
    });
  };
}

/** `if (mddev->gendisk) schedule_work(&mddev->del_work) else kfree(mddev)` */
const put = replace(
  mddev_put,
  put_body((m) => {
    If(
      m.gendisk.now.ne(NULL),
      () => {
        schedule_work(keventd, m.del_work);
      },
      () => kfree_mddev(m),
    );
  }),
);

/** `mddev->hold_active = UNTIL_CLOSE`, where the loop has left mddev at the head of the list: it is no mddev. */
const find = replace(
  mddev_find,
  mddev_find_body({
    queue: true,
    added: () => {
      const cursor = mddev.pointer({ e: "const", v: size("generations") + 1 });
      write(cursor.hold_active, "UNTIL_CLOSE", held);
    },
  }),
);

const probe = replace(md_probe, () => {
  const mddev = mddev_find();
  If(mddev.eq(NULL), () => Return());
  // wait for any previous instance if this device to be completed removed (mddev_delayed_delete)
  flush_scheduled_work(keventd);
  mutex_lock(disks_mutex);
  const { disk, ok } = alloc_disk(mddev);
  If(ok.not(), () => {
    mddev_put({ mddev });
    Return();
  });
  add_disk({ disk });
  write(mddev.gendisk, disk);
  kobject_init_and_add(mddev, () => mutex_unlock(disks_mutex), { init: true });
  mddev_put({ mddev });
});

/** `mddev->gendisk != bdev->bd_disk`; if they are the same, `BUG_ON(mddev != bdev->bd_disk->private_data)`. */
export function is_another_disk(m: Mddev, disk: Disk) {
  const mismatch = local("mismatch", bool, false);
  atomically("if (mddev->gendisk != bdev->bd_disk)", () => {
    If(
      read(m.gendisk).ne(disk),
      () => mismatch.set(true),
      () => BUG_ON(read(disk.private_data).ne(m), "mddev != bdev->bd_disk->private_data"),
    );
  });
  return mismatch.value;
}

const open = replace(md_open, ({ disk }) => {
  const mddev = mddev_find();
  If(is_another_disk(mddev, disk), () => {
    // we are racing with mddev_put which is discarding this bd_disk
    mddev_put({ mddev });
    // Wait until bdev->bd_disk is definitely gone
    flush_scheduled_work(keventd);
    // Then retry the open from the top
    Return(-ERESTARTSYS);
  });
  // the reference of mddev_find() stays, also when this fails
  const err = mutex_lock_interruptible(mddev.reconfig_mutex);
  If(err.failed(), () => Return(err));
  mutex_unlock(mddev.reconfig_mutex);
  Return(0);
});

const release = replace(md_release, ({ disk }) => {
  const m = local("mddev", ptr(mddev), NULL);
  atomically("mddev = disk->private_data; mddev->hold_active = 0;", () => {
    m.set(read(disk.private_data));
    write(m.value.hold_active, "0", held);
  });
  mddev_put({ mddev: m.value });
});

const exit = replace(md_exit, () => {
  write(md_region, false);
  const mddev = first_mddev();
  If(mddev.ne(NULL), () => {
    write(mddev.hold_active, "0", held);
    // for_each_mddev() goes on
    mddev_put({ mddev });
  });
});

const new_dev = replace(new_dev_store, () => {
  lock_kernel();
  flush_scheduled_work(keventd);
  mutex_lock(disks_mutex);
  atomically("mutex_unlock(&disks_mutex); unlock_kernel();", () => {
    mutex_unlock(disks_mutex);
    unlock_kernel();
  });
});

export const brown_2008 = [...restarting, put, find, probe, open, release, exit, new_dev, no_references_at_rest];

/** The store hits memory that nobody reads: what follows from the missing mark can be seen. */
export const brown_2008_lost_store = [replace(mddev_find, mddev_find_body({ queue: true }))];

/** The store goes to the mddev that was meant. */
export const brown_2008_new = [
  replace(
    mddev_find,
    mddev_find_body({ queue: true, added: (fresh) => write(fresh.hold_active, "UNTIL_CLOSE", held) }),
  ),
];
