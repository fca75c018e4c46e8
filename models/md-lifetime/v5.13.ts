/** md_open() only searches, and does not have the open restarted: -ENODEV or -EBUSY. */
import {
  EBUSY,
  ENODEV,
  flush_workqueue,
  If,
  mutex_lock,
  mutex_lock_interruptible,
  mutex_unlock,
  NULL,
  Return,
  read,
  replace,
  work_pending,
} from "lockstep";
import { disk_with_bdev } from "./block-dev-5.13.ts";
import { is_another_disk } from "./brown-2008.ts";
import { first_mddev, md_ioctl, md_misc_wq, md_open, mddev_put } from "./v2.6.28.ts";
import { configured } from "./v2.6.29.ts";

const open = replace(md_open, ({ disk }) => {
  // mddev_find(): there is one on the list or none
  const mddev = first_mddev("mddev_find()");
  If(mddev.eq(NULL), () => Return(-ENODEV));
  If(is_another_disk(mddev, disk), () => {
    mddev_put({ mddev });
    // the reference is gone
    If(work_pending(mddev.del_work), () => flush_workqueue(md_misc_wq));
    Return(-EBUSY);
  });
  const err = mutex_lock_interruptible(mddev.open_mutex);
  If(err.failed(), () => {
    mddev_put({ mddev });
    Return(err);
  });
  mutex_unlock(mddev.open_mutex);
  Return(0);
});

/** The file knows its own block device now, and that its disk. */
const ioctl = replace(md_ioctl, ({ opened }) => {
  const mddev = read(opened.private_data);
  const err = mutex_lock_interruptible(mddev.reconfig_mutex);
  If(err.failed(), () => Return());
  mutex_lock(mddev.open_mutex);
  mutex_unlock(mddev.open_mutex);
  configured(mddev);
  mutex_unlock(mddev.reconfig_mutex);
});

export const v5_13 = [...disk_with_bdev, open, ioctl];
