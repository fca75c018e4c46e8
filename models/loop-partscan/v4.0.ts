/** drivers/block/loop.c of v4.0, the base of both posted patches. */
import {
  blk_mq_freeze_queue,
  blk_mq_unfreeze_queue,
  dec,
  EBUSY,
  EINVAL,
  EIO,
  ENODEV,
  ENXIO,
  enumeration,
  errno,
  fn,
  Goto,
  global,
  If,
  inc,
  kfree,
  Label,
  local,
  mutex_lock,
  mutex_unlock,
  NULL,
  ptr,
  queue_work,
  Return,
  read,
  spin_lock_irq,
  spin_unlock_irq,
  work_function,
  workqueue,
  write,
} from "lockstep";
import { blk_mq_end_request, del_gendisk, ioctl_by_bdev_BLKRRPART } from "./block-layer.ts";
import {
  assign_flags,
  bdev,
  block_device,
  disk,
  found_no_file,
  loop_device,
  loop_index_idr,
  loop_index_mutex,
  loop0,
  part_shift,
  second,
} from "./objects.ts";
import { request } from "./request.ts";
import { reread_ended } from "./reread.ts";

export const LOOP = "drivers/block/loop.c";
const lo_and_bdev = { lo: ptr(loop_device), bdev: ptr(block_device) };

/**
 * v4.0 has no such function: it calls ioctl_by_bdev() in these places and drops the result. The patches give it a
 * body, and the name.
 */
export const loop_reread_partitions = fn("loop_reread_partitions", { at: LOOP, params: lo_and_bdev }, ({ bdev }) => {
  reread_ended(ioctl_by_bdev_BLKRRPART({ bdev }));
});

/** Writes the page to the backing file, whichever that is by now. */
export const do_req_filebacked = fn("do_req_filebacked", { at: LOOP, params: { lo: ptr(loop_device) } }, ({ lo }) => {
  const file = read(lo.lo_backing_file);
  found_no_file.set(file.eq(NULL));
  read(file.f_op);
});

/** The worker, for each request. */
export const loop_handle_cmd = fn("loop_handle_cmd", { at: LOOP, params: { rq: ptr(request) } }, ({ rq }) => {
  const lo = loop0; // rq->q->queuedata
  const ret = local("ret", errno, -EIO);
  const state = read(lo.lo_state);
  If(state.ne("Lo_bound"), () => Goto("failed"));
  const read_only = read(lo.lo_flags.READ_ONLY);
  If(read_only, () => Goto("failed"));
  do_req_filebacked({ lo });
  ret.set(0);
  Label("failed");
  blk_mq_end_request({ rq, error: ret.value });
});

/** One for all devices; from v4.2 on each has its own, or a thread. */
export const loop_wq = global(
  "loop_wq",
  workqueue({ works: () => [work_function(request, "work", (rq) => loop_queue_write_work({ rq }))] }),
);

export const loop_queue_rq = fn(
  "loop_queue_rq",
  { at: LOOP, params: { rq: ptr(request) }, returns: errno },
  ({ rq }) => {
    queue_work(loop_wq, rq.work);
    Return(0);
  },
);

/** Waits until no I/O is in the queue; loop_switch() without a file. */
export const loop_flush = fn("loop_flush", { at: LOOP, params: { lo: ptr(loop_device) } }, ({ lo }) => {
  blk_mq_freeze_queue(lo.lo_queue);
  blk_mq_unfreeze_queue(lo.lo_queue);
});

/** The second backing file, opened read-only. */
export const loop_set_fd = fn("loop_set_fd", { at: LOOP, params: lo_and_bdev, returns: errno }, ({ lo, bdev }) => {
  const under = { under: lo.lo_ctl_mutex };
  const state = read(lo.lo_state, under);
  If(state.ne("Lo_unbound"), () => Return(-EBUSY));
  write(lo.lo_device, bdev, under);
  assign_flags(lo.lo_flags, { READ_ONLY: true }, under);
  // lo_lock is not taken here
  write(lo.lo_backing_file, second, under);
  write(disk.capacity, "second");
  write(lo.lo_state, "Lo_bound", under);
  if (part_shift) write(lo.lo_flags.PARTSCAN, true, under);
  const partscan = read(lo.lo_flags.PARTSCAN, under);
  If(partscan, () => loop_reread_partitions({ lo, bdev }));
  Return(0);
});

/** Drops lo_ctl_mutex when, and only when, it returns 0. */
export const loop_clr_fd = fn(
  "loop_clr_fd",
  { at: LOOP, params: { lo: ptr(loop_device) }, returns: errno },
  ({ lo }) => {
    const under = { under: lo.lo_ctl_mutex };
    const filp = read(lo.lo_backing_file, under);
    const bdev = read(lo.lo_device, under);

    const state = read(lo.lo_state, under);
    If(state.ne("Lo_bound"), () => Return(-ENXIO));

    // somebody else has it open: torn down at the last close
    const refcnt = read(lo.lo_refcnt.int, under);
    If(refcnt.gt(1), () => {
      write(lo.lo_flags.AUTOCLEAR, true, under);
      mutex_unlock(lo.lo_ctl_mutex);
      Return(0);
    });

    If(filp.eq(NULL), () => Return(-EINVAL));

    spin_lock_irq(lo.lo_lock);
    write(lo.lo_state, "Lo_rundown", under);
    write(lo.lo_backing_file, NULL, under);
    spin_unlock_irq(lo.lo_lock);

    write(lo.lo_device, NULL, under);
    write(disk.capacity, "none");
    write(lo.lo_state, "Lo_unbound", under);
    const partscan = read(lo.lo_flags.PARTSCAN, under);
    If(partscan.and(bdev.ne(NULL)), () => loop_reread_partitions({ lo, bdev }));
    assign_flags(lo.lo_flags, { READ_ONLY: false }, under);
    if (!part_shift) write(disk.GENHD_FL_NO_PART_SCAN, true);
    mutex_unlock(lo.lo_ctl_mutex);
    // fput(filp): the backing file's own business
    Return(0);
  },
);

/** Partition scanning is asked for. */
export const loop_set_status = fn(
  "loop_set_status",
  { at: LOOP, params: { lo: ptr(loop_device) }, returns: errno },
  ({ lo }) => {
    const under = { under: lo.lo_ctl_mutex };
    const state = read(lo.lo_state, under);
    If(state.ne("Lo_bound"), () => Return(-ENXIO));

    const partscan = read(lo.lo_flags.PARTSCAN, under);
    If(partscan.not(), () => {
      write(lo.lo_flags.PARTSCAN, true, under);
      write(disk.GENHD_FL_NO_PART_SCAN, false);
      const bdev = read(lo.lo_device, under);
      loop_reread_partitions({ lo, bdev });
    });

    write(lo.lo_encrypt_key_size, 0, under);
    Return(0);
  },
);

export const command = enumeration("LOOP_SET_FD", "LOOP_CLR_FD", "LOOP_SET_STATUS");

/** Runs without bd_mutex. */
export const lo_ioctl = fn("lo_ioctl", { at: LOOP, params: { cmd: command }, returns: errno }, ({ cmd }) => {
  const lo = read(disk.private_data);
  const err = local("err", errno, -EINVAL);
  mutex_lock(lo.lo_ctl_mutex);
  If(cmd.eq("LOOP_SET_FD"), () => err.set(loop_set_fd({ lo, bdev })));
  If(cmd.eq("LOOP_CLR_FD"), () => {
    err.set(loop_clr_fd({ lo }));
    If(err.value.ok(), () => Goto("out_unlocked"));
  });
  If(cmd.eq("LOOP_SET_STATUS"), () => err.set(loop_set_status({ lo })));
  mutex_unlock(lo.lo_ctl_mutex);
  Label("out_unlocked");
  Return(err.value);
});

/** bd_mutex is held. */
export const lo_open = fn("lo_open", { at: LOOP, returns: errno }, () => {
  const err = local("err", errno, 0);
  mutex_lock(loop_index_mutex);
  const lo = read(disk.private_data);
  If(lo.eq(NULL), () => {
    err.set(-ENXIO);
    Goto("out");
  });
  mutex_lock(lo.lo_ctl_mutex);
  inc(lo.lo_refcnt.int, { under: lo.lo_ctl_mutex });
  mutex_unlock(lo.lo_ctl_mutex);
  Label("out");
  mutex_unlock(loop_index_mutex);
  Return(err.value);
});

/** bd_mutex is held; called on every close of the whole disk. */
export const lo_release = fn("lo_release", { at: LOOP }, () => {
  const lo = read(disk.private_data);
  mutex_lock(lo.lo_ctl_mutex);
  const refcnt = dec(lo.lo_refcnt.int, { under: lo.lo_ctl_mutex });
  If(refcnt.ne(0), () => Goto("out"));

  const autoclear = read(lo.lo_flags.AUTOCLEAR, { under: lo.lo_ctl_mutex });
  If(
    autoclear,
    () => {
      const err = loop_clr_fd({ lo });
      If(err.ok(), () => Return());
    },
    () => loop_flush({ lo }),
  );

  Label("out");
  mutex_unlock(lo.lo_ctl_mutex);
});

/** Somebody opens the number of a disk that is not there (any more). */
export const loop_probe = fn("loop_probe", { at: LOOP }, () => {
  mutex_lock(loop_index_mutex);
  // loop_add() would make a new device here, an object of its own
  mutex_unlock(loop_index_mutex);
});

export const loop_remove = fn("loop_remove", { at: LOOP, params: { lo: ptr(loop_device) } }, ({ lo }) => {
  // blk_cleanup_queue(): nobody enters any more, and it waits for those inside
  blk_mq_freeze_queue(lo.lo_queue);
  del_gendisk();
  kfree(lo);
});

/** LOOP_CTL_REMOVE */
export const loop_control_ioctl = fn("loop_control_ioctl", { at: LOOP, returns: errno }, () => {
  const ret = local("ret", errno, 0);
  mutex_lock(loop_index_mutex);
  const lo = read(loop_index_idr, { under: loop_index_mutex });
  If(lo.eq(NULL), () => {
    ret.set(-ENODEV);
    Goto("out");
  });
  mutex_lock(lo.lo_ctl_mutex);
  const state = read(lo.lo_state, { under: lo.lo_ctl_mutex });
  If(state.ne("Lo_unbound"), () => {
    ret.set(-EBUSY);
    mutex_unlock(lo.lo_ctl_mutex);
    Goto("out");
  });
  const refcnt = read(lo.lo_refcnt.int, { under: lo.lo_ctl_mutex });
  If(refcnt.gt(0), () => {
    ret.set(-EBUSY);
    mutex_unlock(lo.lo_ctl_mutex);
    Goto("out");
  });
  write(disk.private_data, NULL, { under: loop_index_mutex });
  mutex_unlock(lo.lo_ctl_mutex);
  write(loop_index_idr, NULL, { under: loop_index_mutex });
  loop_remove({ lo });
  Label("out");
  mutex_unlock(loop_index_mutex);
  Return(ret.value);
});

/**
 * The worker. In C one work has all the requests that were put on a list meanwhile, here each has one. After the last,
 * which may be out of the queue by now, it takes lo_lock to see whether the list is still empty.
 */
export const loop_queue_write_work = fn(
  "loop_queue_write_work",
  { at: LOOP, params: { rq: ptr(request) } },
  ({ rq }) => {
    const lo = loop0; // container_of(work, struct loop_device, write_work)
    loop_handle_cmd({ rq });
    spin_lock_irq(lo.lo_lock);
    spin_unlock_irq(lo.lo_lock);
  },
);
