/**
 * drivers/md/dm.c before the patch: 2.6.19-rc6 with the patches of the same series that come before it. Neither
 * dm_suspend() nor dm_put() nor __split_bio() does anything here with the references to the table they hold: the
 * table's life is not what is asked about, and no target is destroyed while it has I/O.
 */
import {
  add_wait_queue,
  alloc,
  atomic_dec,
  atomic_dec_and_lock,
  atomic_dec_and_test,
  atomic_dec_return,
  atomic_inc,
  atomic_read,
  atomic_set,
  atomically,
  Break,
  BUG_ON,
  bio_list_add,
  bio_list_get,
  bool,
  clear_bit,
  down,
  down_read,
  down_write,
  EINTR,
  EINVAL,
  ENOMEM,
  errno,
  Forever,
  fn,
  for_each_bio,
  Goto,
  If,
  int,
  io_schedule,
  kfree,
  Label,
  local,
  mutex_lock,
  mutex_unlock,
  NULL,
  ptr,
  Return,
  reached,
  read,
  remove_wait_queue,
  report,
  set_bit,
  set_current_state,
  signal_pending,
  spin_lock,
  spin_unlock,
  test_bit,
  up,
  up_read,
  up_write,
  While,
  wake_up,
  write,
} from "lockstep";
import { bdget_disk, bdput, bio_endio, lock_fs, unlock_fs } from "./block-dev.ts";
import { multipath_end_io, multipath_map, multipath_presuspend, multipath_resume } from "./dm-mpath.ts";
import { _minor_lock, bio, block_subsys_lock, code, dm_io, md, target_io } from "./objects.ts";
import { suspend_begins, suspend_interrupted } from "./observed.ts";

export const DM = "drivers/md/dm.c";

/* ---- the life of a mapped device ---- */

export const dm_get = fn("dm_get", { at: DM }, () => {
  atomic_inc(md.holders);
});

export const free_dev = fn("free_dev", { at: DM }, () => {
  // del_gendisk(), put_disk(): they sleep, here for one of the locks on the way
  mutex_lock(block_subsys_lock);
  mutex_unlock(block_subsys_lock);
  kfree(md);
});

export const dm_put = fn("dm_put", { at: DM }, () => {
  const freeing = test_bit(md.FREEING);
  BUG_ON(freeing, "test_bit(DMF_FREEING, &md->flags)");

  const last = atomic_dec_and_lock(md.holders, _minor_lock);
  If(last, () => {
    set_bit(md.FREEING);
    spin_unlock(_minor_lock);
    const suspended = dm_suspended();
    If(suspended.not(), () => {
      multipath_presuspend();
      // postsuspend: multipath has none
    });
    free_dev();
  });
});

export const dm_suspended = fn("dm_suspended", { at: DM, returns: bool }, () => {
  Return(test_bit(md.SUSPENDED));
});

export const dm_blk_close = fn("dm_blk_close", { at: DM }, () => {
  atomic_dec(md.open_count);
  dm_put();
});

/** True if the device is open and stays. */
export const dm_lock_for_deletion = fn("dm_lock_for_deletion", { at: DM, returns: bool }, () => {
  spin_lock(_minor_lock);
  const open = atomic_read(md.open_count);
  If(open.eq(0), () => set_bit(md.DELETING));
  spin_unlock(_minor_lock);
  Return(open.ne(0));
});

/* ---- the way of a bio ---- */

/** True when nothing is pending any more. */
export const end_io_acct = fn("end_io_acct", { at: DM, params: { bio: ptr(bio) }, returns: bool }, ({ bio }) => {
  // bio_data_dir(bio)
  read(bio.bi_rw);
  const pending = atomic_dec_return(md.pending);
  Return(pending.eq(0));
});

export const free_io = fn("free_io", { at: DM, params: { io: ptr(dm_io) } }, ({ io }) => {
  // io is nobody else's any more, so looking up the pool and giving io back need not be apart
  atomically("mempool_free(io, io->md->io_pool)", () => {
    read(md.io_pool);
    kfree(io);
  });
});

/** What follows dec_pending() in clone_endio() and in __map_bio(): `bi_private = md->bs; bio_put(); free_tio()`. */
export const free_clone = fn("bio_put(), free_tio()", { at: DM, params: { tio: ptr(target_io) } }, ({ tio }) => {
  atomically("clone->bi_private = md->bs; bio_put(clone); free_tio(md, tio)", () => {
    read(md.io_pool);
    kfree(tio);
  });
});

const io_and_error = { io: ptr(dm_io), error: code };

/** Interrupt, softirq, worker or process context. */
export const dec_pending = fn("dec_pending", { at: DM, params: io_and_error }, ({ io, error }) => {
  If(error.ne("0"), () => write(io.error, error));

  const last = atomic_dec_and_test(io.io_count);
  If(last, () => {
    // from here on io is this thread's alone: what it says is read once
    const error = read(io.error);
    const original = read(io.bio);
    const zero = end_io_acct({ bio: original });
    If(zero, () => wake_up(md.wait));
    bio_endio({ bio: original, error });
    free_io({ io });
  });
});

/** `error`: what the device said. */
export const clone_endio = fn(
  "clone_endio",
  { at: DM, params: { tio: ptr(target_io), error: code } },
  ({ tio, error }) => {
    const verdict = local("error", code, error);
    let ti!: ReturnType<typeof target_io.object>["ti"]["now"];
    let io!: ReturnType<typeof dm_io.object>;
    // neither changes while the clone lives
    atomically("tio->ti, tio->io", () => {
      ti = read(tio.ti);
      io = read(tio.io);
    });
    If(ti.eq("multipath"), () => {
      const r = multipath_end_io({ clone: tio, error });
      If(r.eq("DM_ENDIO_INCOMPLETE"), () => Return());
      If(r.ne("0"), () => verdict.set(r));
    });
    dec_pending({ io, error: verdict.value });
    free_clone({ tio });
  },
);

/** io_lock is held. One target, and no bio that spans two of its boundaries: one clone. */
export const __split_bio = fn("__split_bio", { at: DM, params: { bio: ptr(bio) } }, ({ bio: original }) => {
  // Nobody else sees io or the clone before the clone is mapped.
  let io!: ReturnType<typeof dm_io.object>;
  atomically("io = alloc_io(md); io->error = 0; io->io_count = 1; io->bio = bio", () => {
    io = alloc(dm_io);
    write(io.error, "0");
    atomic_set(io.io_count, 1);
    write(io.bio, original);
  });
  // start_io_acct()
  atomic_inc(md.pending);

  // __clone_and_map(), __map_bio()
  let tio!: ReturnType<typeof target_io.object>;
  atomically("tio = alloc_tio(md); clone_bio(bio); tio->io = io; atomic_inc(&tio->io->io_count)", () => {
    tio = alloc(target_io);
    write(tio.io, io);
    atomic_inc(io.io_count);
  });
  const r = multipath_map({ clone: tio });
  // DM_MAPIO_REMAPPED needs a path
  If(r.ne("0"), () => {
    // error the io and bail out, or requeue it if needed
    dec_pending({ io, error: r });
    free_clone({ tio });
  });

  // drop the extra reference count
  dec_pending({ io, error: "0" });
});

/** True: BLOCK_IO is not set any more, try again. */
export const queue_io = fn("queue_io", { at: DM, params: { bio: ptr(bio) }, returns: bool }, ({ bio }) => {
  down_write(md.io_lock);
  const blocked = test_bit(md.BLOCK_IO);
  If(blocked.not(), () => {
    up_write(md.io_lock);
    Return(true);
  });
  bio_list_add(md.deferred, bio, { under: md.io_lock });
  up_write(md.io_lock);
  Return(false);
});

/** No READA bios. */
export const dm_request = fn("dm_request", { at: DM, params: { bio: ptr(bio) } }, ({ bio }) => {
  down_read(md.io_lock);
  While(
    () => test_bit(md.BLOCK_IO),
    () => {
      up_read(md.io_lock);
      const again = queue_io({ bio });
      If(again.not(), () => Return());
      down_read(md.io_lock);
    },
  );
  __split_bio({ bio });
  up_read(md.io_lock);
});

/** io_lock is held for writing. */
export const __flush_deferred_io = fn("__flush_deferred_io", { at: DM, params: { c: ptr(bio) } }, ({ c }) => {
  for_each_bio(md.deferred, c, (bio) => {
    report(
      "reissued-early",
      "a bio that was pushed back is reissued by the interrupted dm_suspend() itself, not at resume time",
      bio.pushed_back.now.and(suspend_interrupted.now),
    );
    bio.pushed_back.set(false);
    __split_bio({ bio });
  });
});

/* ---- suspend, resume, swap ---- */

/** Up to and with the wait for the mapped I/O. */
export function block_io_and_wait(): void {
  down_write(md.io_lock);
  set_bit(md.BLOCK_IO);
  add_wait_queue(md.wait);
  up_write(md.io_lock);
  // dm_table_unplug_all(map): no queue holds a clone back

  Forever(() => {
    set_current_state("TASK_INTERRUPTIBLE");
    const pending = atomic_read(md.pending);
    If(pending.eq(0), () => Break());
    const signalled = signal_pending();
    If(signalled, () => Break());
    io_schedule();
  });
  set_current_state("TASK_RUNNING");
}

/** `if (atomic_read(&md->pending))`: were we interrupted? io_lock is held for writing, and released if so. */
export function if_interrupted(then: () => void): void {
  const pending = atomic_read(md.pending);
  If(pending.ne(0), () => {
    clear_bit(md.BLOCK_IO);
    suspend_interrupted.set(true);
    flush_deferred();
    suspend_interrupted.set(false);
    up_write(md.io_lock);
    unlock_fs();
    then();
  });
}

/** `def = bio_list_get(&md->deferred); __flush_deferred_io(md, def);` */
export function flush_deferred(): void {
  const def = bio_list_get(md.deferred, { under: md.io_lock });
  __flush_deferred_io({ c: def });
}

/** `bdput(md->suspended_bdev); md->suspended_bdev = NULL`, if there is one. */
export function drop_suspended_bdev(): void {
  const suspended_bdev = read(md.suspended_bdev);
  If(suspended_bdev.ne(NULL), () => {
    bdput({ bdev: suspended_bdev });
    write(md.suspended_bdev, NULL);
  });
}

export const dm_suspend = fn(
  "dm_suspend",
  { at: DM, params: { do_lockfs: bool, noflush: bool }, returns: errno },
  ({ do_lockfs }) => {
    const r = local("r", errno, -EINVAL);
    down(md.suspend_lock);
    suspend_begins();
    const suspended = dm_suspended();
    If(suspended, () => Goto("out"));

    // This does not get reverted if there's an error later.
    multipath_presuspend();

    const suspended_bdev = bdget_disk();
    write(md.suspended_bdev, suspended_bdev);
    If(suspended_bdev.eq(NULL), () => {
      r.set(-ENOMEM);
      Goto("out");
    });

    If(do_lockfs, () => lock_fs());

    block_io_and_wait();
    down_write(md.io_lock);
    remove_wait_queue(md.wait);

    r.set(-EINTR);
    if_interrupted(() => Goto("out"));
    up_write(md.io_lock);

    set_bit(md.SUSPENDED);
    r.set(0);

    Label("out");
    If(r.value.failed(), drop_suspended_bdev);
    up(md.suspend_lock);
    Return(r.value);
  },
);

/** Its end differs: bdput() of 2.6.19 takes the pointer as it is. */
export const put_bdev_at_resume = fn("dm_resume: bdput()", { at: DM }, () => {
  const suspended_bdev = read(md.suspended_bdev);
  bdput({ bdev: suspended_bdev });
  write(md.suspended_bdev, NULL);
});

export const dm_resume = fn("dm_resume", { at: DM, returns: errno }, () => {
  const r = local("r", errno, -EINVAL);
  down(md.suspend_lock);
  const suspended = dm_suspended();
  If(suspended.not(), () => Goto("out"));

  multipath_resume();

  down_write(md.io_lock);
  clear_bit(md.BLOCK_IO);
  flush_deferred();
  up_write(md.io_lock);

  unlock_fs();
  put_bdev_at_resume();
  clear_bit(md.SUSPENDED);
  reached("resumed");
  r.set(0);

  Label("out");
  up(md.suspend_lock);
  Return(r.value);
});

/** The size of a table. */
const sectors = int(1, 2);

export const __set_size = fn("__set_size", { at: DM, params: { size: sectors } }, ({ size }) => {
  write(md.capacity, size);
  // md->suspended_bdev->bd_inode
  const suspended_bdev = read(md.suspended_bdev);
  mutex_lock(suspended_bdev.i_mutex);
  write(suspended_bdev.i_size, size, { under: suspended_bdev.i_mutex });
  mutex_unlock(suspended_bdev.i_mutex);
});

/** The new table has a multipath target as the old one had; what it starts with is what the old one is back to. */
export const __bind = fn("__bind", { at: DM, params: { size: sectors } }, ({ size }) => {
  __set_size({ size });
  reached("swapped");
});

/** `size`: of the table that is swapped in. */
export const dm_swap_table = fn("dm_swap_table", { at: DM, params: { size: sectors }, returns: errno }, ({ size }) => {
  const r = local("r", errno, -EINVAL);
  down(md.suspend_lock);
  const suspended = dm_suspended();
  If(suspended.not(), () => Goto("out"));
  __bind({ size });
  r.set(0);
  Label("out");
  up(md.suspend_lock);
  Return(r.value);
});

/** The ioctl DM_DEV_REMOVE, of drivers/md/dm-ioctl.c; nobody else has _hash_lock. */
export const dev_remove = fn("dev_remove", { at: "drivers/md/dm-ioctl.c" }, () => {
  // __find_device_hash_cell()
  dm_get();
  const busy = dm_lock_for_deletion();
  If(busy, () => {
    dm_put();
    Return();
  });
  // __hash_remove()
  dm_put();
  reached("removed");
  dm_put();
});
