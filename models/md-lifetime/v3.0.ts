/**
 * mddev->gendisk is set before add_disk(), and open_mutex keeps md_open() out until the device is complete. With what
 * came in between: no big kernel lock, and md_misc_wq instead of keventd.
 */
import {
  destroy_workqueue,
  ERESTARTSYS,
  flush_workqueue,
  If,
  mutex_lock,
  mutex_lock_interruptible,
  mutex_unlock,
  NULL,
  queue_work,
  Return,
  replace,
  worker,
  write,
} from "lockstep";
import { add_disk, without_kernel_lock } from "./block-dev.ts";
import { held, is_another_disk, put_body } from "./brown-2008.ts";
import { no_references_at_rest_in_md_misc_wq } from "./leaks.ts";
import { disks_mutex, md_region } from "./objects.ts";
import {
  alloc_disk,
  first_mddev,
  kfree_mddev,
  kobject_init_and_add,
  md_exit,
  md_misc_wq,
  md_open,
  md_probe,
  mddev_find,
  mddev_put,
  new_dev_store,
  worker_thread,
} from "./v2.6.28.ts";

const put = replace(
  mddev_put,
  put_body((m) => {
    If(
      m.gendisk.now.ne(NULL),
      () => {
        queue_work(md_misc_wq, m.del_work);
      },
      () => kfree_mddev(m),
    );
  }),
);

/** md_alloc(); `init`: kobject_init() is done here, with the kobject_add(). */
export function md_alloc_body({ init }: { init: boolean }): () => void {
  return () => {
    const mddev = mddev_find();
    If(mddev.eq(NULL), () => Return());
    flush_workqueue(md_misc_wq);
    mutex_lock(disks_mutex);
    const { disk, ok } = alloc_disk(mddev);
    If(ok.not(), () => {
      mddev_put({ mddev });
      Return();
    });
    write(mddev.gendisk, disk);
    // As soon as we call add_disk(), another thread could get through to md_open, so make sure it doesn't get too far
    mutex_lock(mddev.open_mutex);
    add_disk({ disk });
    const unlock = () => {
      mutex_unlock(mddev.open_mutex);
      mutex_unlock(disks_mutex);
    };
    kobject_init_and_add(mddev, unlock, { init });
    mddev_put({ mddev });
  };
}

const probe = replace(md_probe, md_alloc_body({ init: true }));

const open = replace(md_open, ({ disk }) => {
  const mddev = mddev_find();
  If(is_another_disk(mddev, disk), () => {
    mddev_put({ mddev });
    flush_workqueue(md_misc_wq);
    Return(-ERESTARTSYS);
  });
  const err = mutex_lock_interruptible(mddev.open_mutex);
  If(err.failed(), () => Return(err));
  mutex_unlock(mddev.open_mutex);
  Return(0);
});

const new_dev = replace(new_dev_store, () => {
  flush_workqueue(md_misc_wq);
  mutex_lock(disks_mutex);
  mutex_unlock(disks_mutex);
});

const exit = replace(md_exit, () => {
  write(md_region, false);
  const mddev = first_mddev();
  If(mddev.ne(NULL), () => {
    write(mddev.hold_active, "0", held);
    // for_each_mddev() goes on
    mddev_put({ mddev });
  });
  destroy_workqueue(md_misc_wq);
});

export const v3_0 = [
  ...without_kernel_lock,
  put,
  probe,
  open,
  new_dev,
  exit,
  replace(worker_thread, () => {
    worker(md_misc_wq);
  }),
  no_references_at_rest_in_md_misc_wq,
];
