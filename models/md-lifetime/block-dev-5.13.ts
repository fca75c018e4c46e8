/**
 * Opening and closing a whole disk from 5.11 on: the block device comes and goes with its disk, so its mutex and its
 * count are the disk's, every opener holds the disk and the module, and nothing is restarted. del_gendisk() takes the
 * mutex since 5.13.
 */
import {
  atomically,
  dec,
  ENXIO,
  If,
  inc,
  module_put,
  mutex_lock,
  mutex_unlock,
  NULL,
  Return,
  reached,
  replace,
  write,
} from "lockstep";
import { __blkdev_get, __blkdev_put, del_gendisk, get_gendisk, lock_own_bdev, put_disk } from "./block-dev.ts";
import { bdev_map, md_mod } from "./objects.ts";
import { open_failed } from "./opening.ts";
import { md_open, md_release } from "./v2.6.28.ts";

const get = replace(__blkdev_get, () => {
  const disk = get_gendisk();
  If(disk.eq(NULL), () => {
    open_failed(-ENXIO);
    Return(NULL);
  });
  mutex_lock(disk.open_mutex);
  const ret = md_open({ disk });
  If(ret.failed(), () => {
    atomically("abort_claiming: mutex_unlock(&bdev->bd_mutex); blkdev_put_no_open(bdev);", () => {
      mutex_unlock(disk.open_mutex);
      module_put(md_mod);
      put_disk(disk);
    });
    open_failed(ret);
    Return(NULL);
  });
  atomically("bdev->bd_openers++; mutex_unlock(&bdev->bd_mutex);", () => {
    inc(disk.bd_openers, { under: disk.open_mutex });
    mutex_unlock(disk.open_mutex);
  });
  reached("open");
  Return(disk);
});

const put = replace(__blkdev_put, ({ opened }) => {
  mutex_lock(opened.open_mutex);
  dec(opened.bd_openers, { under: opened.open_mutex });
  md_release({ disk: opened });
  atomically("mutex_unlock(&bdev->bd_mutex); blkdev_put_no_open(bdev);", () => {
    mutex_unlock(opened.open_mutex);
    module_put(md_mod);
    put_disk(opened);
  });
});

export const lock_own = replace(lock_own_bdev, ({ disk }) => {
  mutex_lock(disk.open_mutex);
  mutex_unlock(disk.open_mutex);
});

/** Once GENHD_FL_UP is off (5.13), or the inode unhashed (5.15), it is not found any more. */
export const del = replace(del_gendisk, ({ disk }) => {
  mutex_lock(disk.open_mutex);
  atomically("disk->flags &= ~GENHD_FL_UP; mutex_unlock(&disk->open_mutex);", () => {
    If(bdev_map.now.eq(disk), () => write(bdev_map, NULL));
    mutex_unlock(disk.open_mutex);
  });
});

export const disk_with_bdev = [get, put, lock_own, del];
