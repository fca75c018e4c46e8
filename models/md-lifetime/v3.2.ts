/** A reference to the mddev during a sysfs access, and none to be had once it is off the list. */
import {
  atomic_inc,
  atomically,
  bool,
  If,
  local,
  mutex_lock_interruptible,
  mutex_unlock,
  Return,
  replace,
  spin_lock,
  spin_unlock,
} from "lockstep";
import { all_mddevs, all_mddevs_lock } from "./objects.ts";
import { entry_store, md_attr_store, mddev_put } from "./v2.6.28.ts";
import { configured } from "./v2.6.29.ts";

const attr_store = replace(md_attr_store, ({ mddev, attr }) => {
  const busy = local("busy", bool, false);
  spin_lock(all_mddevs_lock);
  atomically("if (list_empty(&mddev->all_mddevs)) …; mddev_get(mddev); spin_unlock(&all_mddevs_lock);", () => {
    If(
      all_mddevs.now.ne(mddev),
      () => busy.set(true),
      () => atomic_inc(mddev.active),
    );
    spin_unlock(all_mddevs_lock);
  });
  // -EBUSY
  If(busy.value, () => Return());
  const rv = mutex_lock_interruptible(mddev.reconfig_mutex);
  configured(mddev);
  If(rv.ok(), () => {
    entry_store({ mddev, attr });
    mutex_unlock(mddev.reconfig_mutex);
  });
  mddev_put({ mddev });
});

export const v3_2 = [attr_store];
