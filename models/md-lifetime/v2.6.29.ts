/** What was merged: hold_active lasts until the first ioctl or sysfs store, not until the first close. */
import { If, mutex_lock_interruptible, mutex_unlock, Return, read, replace, write } from "lockstep";
import { held } from "./brown-2008.ts";
import type { Mddev } from "./objects.ts";
import {
  entry_store,
  md_attr_store,
  md_ioctl,
  md_release,
  mddev_find,
  mddev_find_body,
  mddev_put,
  of_open_disk,
} from "./v2.6.28.ts";

/** `if (mddev->hold_active == UNTIL_IOCTL) mddev->hold_active = 0` */
export function configured(mddev: Mddev): void {
  const hold_active = read(mddev.hold_active, held);
  If(hold_active.eq("UNTIL_IOCTL"), () => write(mddev.hold_active, "0", held));
}

/** The queue comes with the disk now. The mark is set after the lock has been dropped. */
const find = replace(
  mddev_find,
  mddev_find_body({ queue: false, unlocked: (fresh) => write(fresh.hold_active, "UNTIL_IOCTL", held) }),
);

const release = replace(md_release, ({ disk }) => {
  const mddev = read(disk.private_data);
  mddev_put({ mddev });
});

const ioctl = replace(md_ioctl, () => {
  const mddev = of_open_disk();
  const err = mutex_lock_interruptible(mddev.reconfig_mutex);
  If(err.failed(), () => Return());
  configured(mddev);
  mutex_unlock(mddev.reconfig_mutex);
});

const attr_store = replace(md_attr_store, ({ mddev, attr }) => {
  const rv = mutex_lock_interruptible(mddev.reconfig_mutex);
  // also when the lock was not taken
  configured(mddev);
  If(rv.ok(), () => {
    entry_store({ mddev, attr });
    mutex_unlock(mddev.reconfig_mutex);
  });
});

export const v2_6_29 = [find, release, ioctl, attr_store];
