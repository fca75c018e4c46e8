/**
 * drivers/md/dm-mpath.c before the patch, with no path left: nr_valid_paths and current_pgpath stay 0, so that nothing
 * is ever remapped. What is done under m->lock is one step: all who touch these fields hold it.
 */
import {
  atomically,
  type Bool,
  bio_list_add,
  bio_list_get,
  bool,
  dec,
  fn,
  for_each_bio,
  global,
  If,
  type Int,
  inc,
  local,
  ptr,
  queue_work,
  Return,
  read,
  spin_lock_irqsave,
  spin_unlock_irqrestore,
  work,
  work_function,
  workqueue,
  write,
} from "lockstep";
import { clone_endio } from "./dm.ts";
import { code, m, target_io } from "./objects.ts";

type Clone = ReturnType<typeof target_io.object>;

export const MPATH = "drivers/md/dm-mpath.c";
const under = { under: m.lock };

const process_queued_ios_work = global("m.process_queued_ios", work());

/**
 * One worker. In C there is one a CPU, and a work that is queued again while it runs may run on two of them at once;
 * what they share then is under m->lock, and each dispatches bios of its own.
 */
export const kmultipathd = global(
  "kmultipathd",
  workqueue({ works: () => [work_function(process_queued_ios_work, () => process_queued_ios())], length: 1 }),
);

/** m->lock is held, so that only the worker's start can come between, and that waits for m->lock first. */
function add_to_queue(clone: Clone): void {
  atomically("bio_list_add(&m->queued_ios, bio); m->queue_size++; queue_work(kmultipathd, …)", () => {
    bio_list_add(m.queued_ios, clone, under);
    inc(m.queue_size, under);
    queue_work(kmultipathd, process_queued_ios_work);
  });
}

/** Whether the device mapper core must queue what this target cannot: not before the patch. m->lock is held. */
export const __must_push_back = fn("__must_push_back", { at: MPATH, returns: bool }, () => {
  Return(false);
});

export const map_io = fn(
  "map_io",
  { at: MPATH, params: { clone: ptr(target_io), was_queued: bool }, returns: code },
  ({ clone, was_queued }) => {
    const r = local("r", code, "0");
    const flags = spin_lock_irqsave(m.lock);
    let queue_if_no_path!: Bool;
    atomically("m->queue_size, m->queue_if_no_path", () => {
      If(was_queued, () => {
        dec(m.queue_size, under);
      });
      queue_if_no_path = read(m.queue_if_no_path, under);
    });
    If(
      queue_if_no_path,
      () => {
        // queue for the daemon to resubmit
        add_to_queue(clone);
      },
      () => {
        const push_back = __must_push_back();
        If(
          push_back,
          () => r.set("DM_ENDIO_REQUEUE"),
          () => r.set("-EIO"),
        );
      },
    );
    spin_unlock_irqrestore(m.lock, flags);
    Return(r.value);
  },
);

export const multipath_map = fn(
  "multipath_map",
  { at: MPATH, params: { clone: ptr(target_io) }, returns: code },
  ({ clone }) => {
    Return(map_io({ clone, was_queued: false }));
  },
);

/** `if (save_old_value)` and the rest of queue_if_no_path(). */
export const queue_if_no_path = fn(
  "queue_if_no_path",
  { at: MPATH, params: { queue_if_no_path: bool, save_old_value: bool } },
  ({ queue_if_no_path, save_old_value }) => {
    const flags = spin_lock_irqsave(m.lock);
    let size!: Int;
    atomically("m->saved_queue_if_no_path, m->queue_if_no_path", () => {
      If(
        save_old_value,
        () => {
          const old = read(m.queue_if_no_path, under);
          write(m.saved_queue_if_no_path, old, under);
        },
        () => write(m.saved_queue_if_no_path, queue_if_no_path, under),
      );
      write(m.queue_if_no_path, queue_if_no_path, under);
      size = read(m.queue_size, under);
    });
    If(queue_if_no_path.not().and(size.ne(0)), () => queue_work(kmultipathd, process_queued_ios_work));
    spin_unlock_irqrestore(m.lock, flags);
  },
);

export const multipath_presuspend = fn("multipath_presuspend", { at: MPATH }, () => {
  queue_if_no_path({ queue_if_no_path: false, save_old_value: true });
});

export const multipath_resume = fn("multipath_resume", { at: MPATH }, () => {
  const flags = spin_lock_irqsave(m.lock);
  atomically("m->queue_if_no_path = m->saved_queue_if_no_path", () => {
    const saved = read(m.saved_queue_if_no_path, under);
    write(m.queue_if_no_path, saved, under);
  });
  spin_unlock_irqrestore(m.lock, flags);
});

/* ---- the daemon ---- */

export const dispatch_queued_ios = fn("dispatch_queued_ios", { at: MPATH }, () => {
  const flags = spin_lock_irqsave(m.lock);
  const chain = bio_list_get(m.queued_ios, under);
  spin_unlock_irqrestore(m.lock, flags);

  for_each_bio(m.queued_ios, chain, (clone) => {
    const r = map_io({ clone, was_queued: true });
    // DM_MAPIO_REQUEUE too: end_io decides again
    If(r.ne("0"), () => clone_endio({ tio: clone, error: "-EIO" }));
  });
});

export const process_queued_ios = fn("process_queued_ios", { at: MPATH }, () => {
  const flags = spin_lock_irqsave(m.lock);
  const must_queue = local("must_queue", bool, true);
  atomically("m->queue_size, m->queue_if_no_path", () => {
    const size = read(m.queue_size, under);
    const queue = read(m.queue_if_no_path, under);
    If(size.ne(0).and(queue.not()), () => must_queue.set(false));
  });
  spin_unlock_irqrestore(m.lock, flags);
  If(must_queue.value.not(), () => dispatch_queued_ios());
});

/* ---- end_io ---- */

export const do_end_io = fn(
  "do_end_io",
  { at: MPATH, params: { clone: ptr(target_io), error: code }, returns: code },
  ({ clone, error }) => {
    If(error.eq("0"), () => Return("0"));

    const flags = spin_lock_irqsave(m.lock);
    const push_back = __must_push_back();
    If(push_back, () => {
      spin_unlock_irqrestore(m.lock, flags);
      Return("DM_ENDIO_REQUEUE");
    });
    const queue = read(m.queue_if_no_path, under);
    If(queue.not(), () => {
      spin_unlock_irqrestore(m.lock, flags);
      Return("-EIO");
    });
    spin_unlock_irqrestore(m.lock, flags);

    // requeue: for the daemon to resubmit or fail
    const again = spin_lock_irqsave(m.lock);
    add_to_queue(clone);
    spin_unlock_irqrestore(m.lock, again);
    Return("DM_ENDIO_INCOMPLETE");
  },
);

export const multipath_end_io = fn(
  "multipath_end_io",
  { at: MPATH, params: { clone: ptr(target_io), error: code }, returns: code },
  ({ clone, error }) => {
    Return(do_end_io({ clone, error }));
  },
);

/* ---- messages ---- */

/**
 * "queue_if_no_path" or "fail_if_no_path", which multipathd or an administrator sends at any time. The ioctl takes a
 * reference to the table and no lock that a suspend has.
 */
export const multipath_message = fn("multipath_message", { at: MPATH, params: { queue: bool } }, ({ queue }) => {
  queue_if_no_path({ queue_if_no_path: queue, save_old_value: false });
});
