/**
 * v5.19: "loop: remove lo_refcount and avoid lo_mutex in ->open / ->release" (a0e286b6a5b6), "loop: don't freeze the
 * queue in lo_release" (158eaeba4b8e). The block layer's bd_openers is the count; lo lives as long as the disk, whose
 * last reference frees it. Clearing and binding raise a media change, so that the next open rescans.
 * bd_mutex is called disk->open_mutex since 5.14, and is one for the disk and its partitions.
 */
import {
  atomic_dec,
  atomic_dec_and_test,
  atomic_inc,
  atomic_read,
  atomically,
  blk_mq_freeze_queue,
  blk_mq_unfreeze_queue,
  bool,
  dec,
  EBUSY,
  ENODEV,
  ENXIO,
  fn,
  If,
  inc,
  kfree,
  local,
  mutex_lock,
  mutex_lock_killable,
  mutex_unlock,
  NULL,
  Return,
  read,
  replace,
  spin_lock_irq,
  spin_unlock_irq,
  write,
} from "lockstep";
import { blkdev_get, blkdev_get_partition, blkdev_put, blkdev_put_partition, get_gendisk } from "./block-dev.ts";
import { del_gendisk } from "./block-layer.ts";
import {
  assign_flags,
  bdev,
  disk,
  loop_ctl_mutex,
  loop_index_idr,
  loop0,
  part,
  part_shift,
  second,
} from "./objects.ts";
import { reread_ended } from "./reread.ts";
import { loop_unprepare_queue } from "./unprepare.ts";
import {
  LOOP,
  lo_release,
  loop_clr_fd,
  loop_control_ioctl,
  loop_handle_cmd,
  loop_queue_write_work,
  loop_remove,
  loop_reread_partitions,
  loop_set_fd,
} from "./v4.0.ts";
import { __loop_clr_fd } from "./v5.0.ts";
import { bdev_disk_changed } from "./v5.13.ts";

const BDEV = "block/bdev.c";
const open_mutex = bdev.bd_mutex;

/** ->free_disk */
const lo_free_disk = fn("lo_free_disk", { at: LOOP }, () => {
  const lo = read(disk.private_data);
  loop_unprepare_queue();
  kfree(lo);
});

/** Also blkdev_put_no_open(): the reference is that of the whole disk's block device. */
const put_disk = fn("put_disk", { at: "block/genhd.c" }, () => {
  const last = atomic_dec_and_test(disk.kobj);
  If(last, () => lo_free_disk());
});

/** A reference to the disk of a number. True if there is one. */
const blkdev_get_no_open = fn("blkdev_get_no_open", { at: BDEV, returns: bool }, () => {
  const found = get_gendisk(); // ilookup(), and loop_probe() where that finds nothing
  const got = local("got", bool, false);
  If(found, () =>
    // one atomic_inc_not_zero()
    atomically("kobject_get_unless_zero(&bdev->bd_device.kobj)", () =>
      If(disk.kobj.now.gt(0), () => {
        atomic_inc(disk.kobj);
        got.set(true);
      }),
    ),
  );
  Return(got.value);
});

/** open_mutex is held. There is no lo_open() any more. */
const blkdev_get_whole = fn("blkdev_get_whole", { at: BDEV }, () => {
  const need_part_scan = read(bdev.bd_invalidated);
  If(need_part_scan, () => {
    bdev_disk_changed({ bdev });
  });
  atomic_inc(bdev.bd_openers.atomic_t);
});

/** open_mutex is held. */
const blkdev_put_whole = fn("blkdev_put_whole", { at: BDEV }, () => {
  atomic_dec(bdev.bd_openers.atomic_t);
  lo_release();
});

/** bd_invalidated is set here without open_mutex: it is an atomic bit of disk->state. */
const disk_force_media_change = fn("disk_force_media_change", { at: "block/disk-events.c" }, () => {
  write(bdev.bd_invalidated, true);
});

export const v5_19 = [
  replace(
    bdev_disk_changed,
    ({ bdev }) => {
      const under = { under: bdev.bd_mutex };
      const live = read(disk.GENHD_FL_UP, under);
      If(live.not(), () => Return(-ENXIO));
      const open_partitions = read(bdev.bd_part_count, under);
      If(open_partitions.ne(0), () => Return(-EBUSY));
      write(disk.part_tbl, "none", under);
      write(bdev.bd_invalidated, false);
      const capacity = read(disk.capacity);
      If(capacity.ne("none"), () => write(disk.part_tbl, capacity, under));
      Return(0);
    },
    { at: "block/partitions/core.c" },
  ),

  replace(
    blkdev_get,
    () => {
      const got = blkdev_get_no_open();
      If(got.not(), () => Return(-ENXIO));

      mutex_lock(open_mutex);
      const live = read(disk.GENHD_FL_UP, { under: open_mutex });
      If(live.not(), () => {
        mutex_unlock(open_mutex);
        put_disk();
        Return(-ENXIO);
      });
      blkdev_get_whole();
      mutex_unlock(open_mutex);
      Return(0);
    },
    { at: BDEV },
  ),

  replace(
    blkdev_put,
    () => {
      mutex_lock(open_mutex);
      blkdev_put_whole();
      mutex_unlock(open_mutex);
      put_disk();
    },
    { at: BDEV },
  ),

  // the reference a partition holds on the disk is not counted: nobody removes the disk where partitions are opened
  replace(
    blkdev_get_partition,
    () => {
      const exists = read(disk.part_tbl);
      If(exists.eq("none"), () => Return(-ENXIO));

      mutex_lock(open_mutex);
      const live = read(disk.GENHD_FL_UP, { under: open_mutex });
      If(live.not(), () => {
        mutex_unlock(open_mutex);
        Return(-ENXIO);
      });
      // a partition deleted since it was looked up can still be opened: nothing tests that
      const openers = atomic_read(part.bd_openers.atomic_t);
      If(openers.eq(0), () => {
        blkdev_get_whole();
        inc(bdev.bd_part_count, { under: open_mutex });
      });
      atomic_inc(part.bd_openers.atomic_t);
      mutex_unlock(open_mutex);
      Return(0);
    },
    { at: BDEV },
  ),

  replace(
    blkdev_put_partition,
    () => {
      mutex_lock(open_mutex);
      const last = atomic_dec_and_test(part.bd_openers.atomic_t);
      If(last, () => {
        dec(bdev.bd_part_count, { under: open_mutex });
        blkdev_put_whole();
      });
      mutex_unlock(open_mutex);
    },
    { at: BDEV },
  ),

  // loop_configure()
  replace(loop_set_fd, ({ lo, bdev }) => {
    const under = { under: lo.lo_mutex };
    const error = mutex_lock_killable(lo.lo_mutex);
    If(error.failed(), () => Return(error));
    const state = read(lo.lo_state, under);
    If(state.ne("Lo_unbound"), () => {
      mutex_unlock(lo.lo_mutex);
      Return(-EBUSY);
    });
    assign_flags(lo.lo_flags, { READ_ONLY: false }, under);
    write(lo.lo_flags.READ_ONLY, true, under);
    disk_force_media_change();
    write(lo.lo_device, bdev, under);
    write(lo.lo_backing_file, second, under);
    write(disk.capacity, "second");
    write(lo.lo_state, "Lo_bound", under);
    if (part_shift) write(lo.lo_flags.PARTSCAN, true, under);
    const partscan = read(lo.lo_flags.PARTSCAN, under);
    If(partscan, () => write(disk.GENHD_FL_NO_PART_SCAN, false));
    mutex_unlock(lo.lo_mutex);
    If(partscan, () => loop_reread_partitions({ lo, bdev }));
    Return(0);
  }),

  // nobody else touches a device in Lo_rundown, says the comment, and most of it takes no lock
  replace(__loop_clr_fd, ({ lo, release }) => {
    If(release.not(), () => blk_mq_freeze_queue(lo.lo_queue));

    spin_lock_irq(lo.lo_lock);
    write(lo.lo_backing_file, NULL);
    spin_unlock_irq(lo.lo_lock);

    write(lo.lo_device, NULL);
    write(disk.capacity, "none");
    If(release.not(), () => blk_mq_unfreeze_queue(lo.lo_queue));

    disk_force_media_change();

    const partscan = read(lo.lo_flags.PARTSCAN);
    If(partscan, () => {
      // in the release path the caller holds open_mutex
      If(release.not(), () => mutex_lock(open_mutex));
      const err = bdev_disk_changed({ bdev });
      If(release.not(), () => mutex_unlock(open_mutex));
      reread_ended(err);
    });

    assign_flags(lo.lo_flags, { READ_ONLY: false }, {});
    if (!part_shift) write(disk.GENHD_FL_NO_PART_SCAN, true);
    mutex_lock(lo.lo_mutex);
    write(lo.lo_state, "Lo_unbound", { under: lo.lo_mutex });
    mutex_unlock(lo.lo_mutex);
    Return(0);
  }),

  replace(loop_clr_fd, ({ lo }) => {
    const under = { under: lo.lo_mutex };
    const err = mutex_lock_killable(lo.lo_mutex);
    If(err.failed(), () => Return(err));
    const state = read(lo.lo_state, under);
    If(state.ne("Lo_bound"), () => {
      mutex_unlock(lo.lo_mutex);
      Return(-ENXIO);
    });
    // disk_openers()
    const openers = atomic_read(bdev.bd_openers.atomic_t);
    If(openers.gt(1), () => {
      write(lo.lo_flags.AUTOCLEAR, true, under);
      mutex_unlock(lo.lo_mutex);
      Return(0);
    });
    write(lo.lo_state, "Lo_rundown", under);
    mutex_unlock(lo.lo_mutex);

    Return(__loop_clr_fd({ lo, release: false }));
  }),

  replace(lo_release, () => {
    const lo = read(disk.private_data);
    const openers = atomic_read(bdev.bd_openers.atomic_t);
    If(openers.gt(0), () => Return());

    const under = { under: lo.lo_mutex };
    mutex_lock(lo.lo_mutex);
    const state = read(lo.lo_state, under);
    const autoclear = read(lo.lo_flags.AUTOCLEAR, under);
    If(state.eq("Lo_bound").and(autoclear), () => {
      write(lo.lo_state, "Lo_rundown", under);
      mutex_unlock(lo.lo_mutex);
      __loop_clr_fd({ lo, release: true });
      Return();
    });
    mutex_unlock(lo.lo_mutex);
  }),

  replace(loop_remove, ({ lo }) => {
    del_gendisk();
    // blk_cleanup_queue()
    blk_mq_freeze_queue(lo.lo_queue);
    mutex_lock(loop_ctl_mutex);
    write(loop_index_idr, NULL, { under: loop_ctl_mutex });
    mutex_unlock(loop_ctl_mutex);
    put_disk();
  }),

  replace(loop_control_ioctl, () => {
    const killed = mutex_lock_killable(loop_ctl_mutex);
    If(killed.failed(), () => Return(killed));
    const lo = read(loop_index_idr, { under: loop_ctl_mutex });
    mutex_unlock(loop_ctl_mutex);
    If(lo.eq(NULL), () => Return(-ENODEV));

    const ret = mutex_lock_killable(lo.lo_mutex);
    If(ret.failed(), () => Return(ret));
    const state = read(lo.lo_state, { under: lo.lo_mutex });
    const openers = atomic_read(bdev.bd_openers.atomic_t);
    If(state.ne("Lo_unbound").or(openers.gt(0)), () => {
      mutex_unlock(lo.lo_mutex);
      Return(-EBUSY);
    });
    write(lo.lo_state, "Lo_deleting", { under: lo.lo_mutex });
    mutex_unlock(lo.lo_mutex);
    loop_remove({ lo });
    Return(0);
  }),

  // loop_process_work()
  replace(loop_queue_write_work, ({ rq }) => {
    const lo = loop0;
    loop_handle_cmd({ rq });
    spin_lock_irq(lo.lo_work_lock);
    spin_unlock_irq(lo.lo_work_lock);
  }),
];
