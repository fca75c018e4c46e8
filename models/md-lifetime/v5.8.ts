/**
 * md_open() flushes only if the mddev that it has just put is about to be deleted. Since 4.18 mddev_put() leaves an
 * mddev without a disk to the queue too, and its kobject is initialised with it.
 */
import {
  ENODEV,
  ERESTARTSYS,
  flush_workqueue,
  If,
  kref_init,
  mutex_lock_interruptible,
  mutex_unlock,
  NULL,
  queue_work,
  Return,
  replace,
  work_pending,
  write,
} from "lockstep";
import { held, is_another_disk, put_body } from "./brown-2008.ts";
import { md_misc_wq, md_open, md_probe, mddev_find, mddev_find_body, mddev_put } from "./v2.6.28.ts";
import { md_alloc_body } from "./v3.0.ts";

const put = replace(
  mddev_put,
  put_body((m) => {
    queue_work(md_misc_wq, m.del_work);
  }),
);

const find = replace(
  mddev_find,
  mddev_find_body({
    queue: false,
    initialised: (fresh) => kref_init(fresh.kobj),
    unlocked: (fresh) => write(fresh.hold_active, "UNTIL_IOCTL", held),
  }),
);

const probe = replace(md_probe, md_alloc_body({ init: false }));

const open = replace(md_open, ({ disk }) => {
  const mddev = mddev_find();
  If(mddev.eq(NULL), () => Return(-ENODEV));
  If(is_another_disk(mddev, disk), () => {
    mddev_put({ mddev });
    // the reference is gone
    If(work_pending(mddev.del_work), () => flush_workqueue(md_misc_wq));
    Return(-ERESTARTSYS);
  });
  const err = mutex_lock_interruptible(mddev.open_mutex);
  If(err.failed(), () => {
    mddev_put({ mddev });
    Return(err);
  });
  mutex_unlock(mddev.open_mutex);
  Return(0);
});

export const v5_8 = [put, find, probe, open];
