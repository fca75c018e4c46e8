/** A mutex of its own for md_open(): reconfig_mutex is not taken under bd_mutex any more. */
import {
  ERESTARTSYS,
  flush_scheduled_work,
  If,
  mutex_lock,
  mutex_lock_interruptible,
  mutex_unlock,
  Return,
  replace,
} from "lockstep";
import { is_another_disk } from "./brown-2008.ts";
import { keventd, md_ioctl, md_open, mddev_find, mddev_put, of_open_disk } from "./v2.6.28.ts";
import { configured } from "./v2.6.29.ts";

const open = replace(md_open, ({ disk }) => {
  const mddev = mddev_find();
  If(is_another_disk(mddev, disk), () => {
    mddev_put({ mddev });
    flush_scheduled_work(keventd);
    Return(-ERESTARTSYS);
  });
  const err = mutex_lock_interruptible(mddev.open_mutex);
  If(err.failed(), () => Return(err));
  mutex_unlock(mddev.open_mutex);
  Return(0);
});

/** do_md_stop() looks at the openers under open_mutex. */
const ioctl = replace(md_ioctl, () => {
  const mddev = of_open_disk();
  const err = mutex_lock_interruptible(mddev.reconfig_mutex);
  If(err.failed(), () => Return());
  mutex_lock(mddev.open_mutex);
  mutex_unlock(mddev.open_mutex);
  configured(mddev);
  mutex_unlock(mddev.reconfig_mutex);
});

export const v2_6_31 = [open, ioctl];
