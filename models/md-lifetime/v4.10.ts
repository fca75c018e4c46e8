/** md_open() gives its reference back when it fails, and survives a mddev_find() that finds no memory. */
import {
  ENODEV,
  ERESTARTSYS,
  flush_workqueue,
  If,
  mutex_lock_interruptible,
  mutex_unlock,
  NULL,
  Return,
  replace,
} from "lockstep";
import { is_another_disk } from "./brown-2008.ts";
import { md_misc_wq, md_open, mddev_find, mddev_put } from "./v2.6.28.ts";

const open = replace(md_open, ({ disk }) => {
  const mddev = mddev_find();
  If(mddev.eq(NULL), () => Return(-ENODEV));
  If(is_another_disk(mddev, disk), () => {
    mddev_put({ mddev });
    flush_workqueue(md_misc_wq);
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

export const v4_10 = [open];
