/** drivers/md/dm.c before the patch: a suspend does nothing for the file system. */
import {
  add_wait_queue,
  atomic_dec_and_test,
  atomic_inc,
  atomic_read,
  type Bool,
  Break,
  bio_endio,
  bio_list_add,
  bio_list_get,
  bool,
  clear_bit,
  clone_endio,
  down_read,
  down_write,
  EINVAL,
  EPERM,
  errno,
  Forever,
  fn,
  for_each_bio,
  If,
  io_schedule,
  pause,
  ptr,
  Return,
  type RwSemaphore,
  reached,
  remove_wait_queue,
  set_bit,
  set_current_state,
  signal_pending,
  split_bio,
  test_bit,
  up_read,
  up_write,
  While,
  wake_up,
} from "lockstep";
import { bio, md, resumes } from "./objects.ts";

export const DM = "drivers/md/dm.c";
const of_bio = { bio: ptr(bio) };
type Bio = ReturnType<typeof bio.object>;

/* ---- the way of a bio ---- */

/** A clone, or dm_request() itself, is done with it. */
export const dec_pending = fn("dec_pending", { at: DM, params: { bio: ptr(bio), error: errno } }, ({ bio, error }) => {
  const io = clone_endio(bio, error);
  If(io.last, () => {
    // nudge anyone waiting on suspend queue
    If(atomic_dec_and_test(md.pending), () => wake_up(md.wait));
    bio_endio(bio, io.status);
  });
});

/** One target, and no bio that spans two: one clone. Nobody else sees the dm_io before the clone is on its way. */
export const __split_bio = fn("__split_bio", { at: DM, params: of_bio }, ({ bio }) => {
  split_bio(bio, 2);
  atomic_inc(md.pending);
  pause("generic_make_request(clone)");
  bio.at_disk.set(true);
  // drop the extra reference count
  dec_pending({ bio, error: 0 });
});

/** True: BLOCK_IO is not set any more, try again. `lock` is what protects the deferred bios. */
export const queued_under =
  (lock: RwSemaphore) =>
  ({ bio }: { bio: Bio }): void => {
    down_write(lock);
    const blocked = test_bit(md.BLOCK_IO);
    If(blocked.not(), () => {
      up_write(lock);
      Return(true);
    });
    bio_list_add(md.deferred, bio, { under: lock });
    up_write(lock);
    Return(false);
  };
export const queue_io = fn("queue_io", { at: DM, params: of_bio, returns: bool }, queued_under(md.lock));

/** No READA bios. */
export const mapped_under =
  (lock: RwSemaphore) =>
  ({ bio }: { bio: Bio }): void => {
    down_read(lock);
    While(
      () => test_bit(md.BLOCK_IO),
      () => {
        up_read(lock);
        const again = queue_io({ bio });
        If(again.not(), () => Return());
        down_read(lock);
      },
    );
    __split_bio({ bio });
    up_read(lock);
  };
export const dm_request = fn("dm_request", { at: DM, params: of_bio }, mapped_under(md.lock));

/** `def = bio_list_get(&md->deferred); __flush_deferred_io(md, def);` with `lock` held for writing. */
export function flush_deferred(lock: RwSemaphore): void {
  const def = bio_list_get(md.deferred, { under: lock });
  for_each_bio(md.deferred, def, (bio) => __split_bio({ bio }));
}

/* ---- suspend, resume, swap ---- */

/** Waits for the I/O that was mapped already; `interruptible`: or for a signal. */
export function wait_for_pending(interruptible: boolean): void {
  Forever(() => {
    set_current_state("TASK_INTERRUPTIBLE");
    const pending = atomic_read(md.pending);
    If(pending.eq(0), () => Break());
    if (interruptible) {
      const signalled = signal_pending();
      If(signalled, () => Break());
    }
    io_schedule();
  });
  set_current_state("TASK_RUNNING");
}

/** With md->lock: from BLOCK_IO to SUSPENDED, where nothing can interrupt it. */
export function suspend_io(): void {
  down_write(md.lock);
  const blocked = test_bit(md.BLOCK_IO);
  If(blocked, () => {
    up_write(md.lock);
    Return(-EINVAL);
  });
  set_bit(md.BLOCK_IO);
  add_wait_queue(md.wait);
  up_write(md.lock);

  wait_for_pending(false);

  down_write(md.lock);
  remove_wait_queue(md.wait);
  set_bit(md.SUSPENDED);
  reached("suspended");
  // dm_table_suspend_targets(md->map)
  up_write(md.lock);
  Return(0);
}

export const dm_suspend = fn("dm_suspend", { at: DM, returns: errno }, () => {
  suspend_io();
});

/** This resume has decided: it found nothing to resume, or the device is not suspended any more. */
export function resume_decided(): void {
  resumes.set(resumes.now.minus(1));
}

/** With md->lock. `cleared`: one flag more. */
export function resume_io(cleared: () => void): void {
  down_write(md.lock);
  const suspended = test_bit(md.SUSPENDED);
  If(suspended.not(), () => {
    resume_decided();
    up_write(md.lock);
    Return(-EINVAL);
  });
  // dm_table_resume_targets(map)
  clear_bit(md.SUSPENDED);
  resume_decided();
  clear_bit(md.BLOCK_IO);
  cleared();
  flush_deferred(md.lock);
  up_write(md.lock);
}

export const dm_resume = fn("dm_resume", { at: DM, returns: errno }, () => {
  resume_io(() => {});
  Return(0);
});

/** The other writer of md->lock. */
export const dm_swap_table = fn("dm_swap_table", { at: DM, returns: errno }, () => {
  down_write(md.lock);
  const suspended: Bool = test_bit(md.SUSPENDED);
  If(suspended.not(), () => {
    up_write(md.lock);
    Return(-EPERM);
  });
  pause("__unbind(md); __bind(md, table)");
  up_write(md.lock);
  Return(0);
});
