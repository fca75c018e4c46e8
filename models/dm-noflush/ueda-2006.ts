/**
 * "dm: suspend: add noflush pushback" (07/11), posted 22 November 2006, with the multipath side of 08/11: a bio that
 * the target cannot serve while a noflush suspend is under way goes back to md->pushback.
 */
import {
  atomic_dec_and_test,
  atomically,
  type Bool,
  bio_list_add,
  bio_list_init,
  bio_list_merge_head,
  bool,
  clear_bit,
  down,
  down_write,
  EINTR,
  EINVAL,
  ENOMEM,
  errno,
  fn,
  Goto,
  If,
  Label,
  type Local,
  local,
  NULL,
  type Replacement,
  Return,
  reached,
  read,
  remove_wait_queue,
  replace,
  report,
  set_bit,
  spin_lock_irqsave,
  spin_unlock_irqrestore,
  test_bit,
  up,
  up_write,
  wake_up,
  write,
} from "lockstep";
import { bdget_disk, bio_endio, lock_fs } from "./block-dev.ts";
import {
  block_io_and_wait,
  DM,
  dec_pending,
  dm_get,
  dm_put,
  dm_suspend,
  dm_suspended,
  drop_suspended_bdev,
  end_io_acct,
  flush_deferred,
  free_io,
  if_interrupted,
} from "./dm.ts";
import { __must_push_back, MPATH, multipath_presuspend } from "./dm-mpath.ts";
import { type bio, code, type dm_io, m, md } from "./objects.ts";
import { suspend_begins } from "./observed.ts";

type Io = ReturnType<typeof dm_io.object>;
type Bio = ReturnType<typeof bio.object>;
type Code = ReturnType<typeof code.wrap>;
type CodeLocal = Local<Code, Parameters<typeof code.coerce>[0]>;

export const __noflush_suspending = fn("__noflush_suspending", { at: DM, returns: bool }, () => {
  Return(test_bit(md.NOFLUSH_SUSPENDING));
});

/** dm_table_get_md() takes a reference. */
export const dm_noflush_suspending = fn("dm_noflush_suspending", { at: DM, returns: bool }, () => {
  dm_get();
  const r = __noflush_suspending();
  dm_put();
  Return(r);
});

/** `if (error && !(io->error > 0 && __noflush_suspending(io->md))) io->error = error;`: push-back supersedes errors. */
export function save_error(io: Io, error: Code): void {
  If(error.ne("0"), () => {
    const superseded = local("superseded", bool, false);
    const saved = read(io.error);
    If(saved.eq("DM_ENDIO_REQUEUE"), () => superseded.set(__noflush_suspending()));
    If(superseded.value.not(), () => write(io.error, error));
  });
}

/** Or -EIO if the flag is not set any more: the noflush suspend was interrupted. */
export function push_back(bio: Bio, error: CodeLocal): void {
  const flags = spin_lock_irqsave(md.pushback_lock);
  const noflush = __noflush_suspending();
  If(
    noflush,
    () => add_to_pushback(bio),
    () => error.set("-EIO"),
  );
  spin_unlock_irqrestore(md.pushback_lock, flags);
}

/** pushback_lock is held. */
export function add_to_pushback(bio: Bio): void {
  bio_list_add(md.pushback, bio, { under: md.pushback_lock });
  pushed_back(bio);
}

export function pushed_back(bio: Bio): void {
  bio.pushed_back.set(true);
  reached("bio-pushed-back");
}

/** dec_pending() with its two new parts, which other versions have in other forms. */
export function dec_pending_with(parts: {
  readonly save_error: (io: Io, error: Code) => void;
  readonly push_back: (bio: Bio, error: CodeLocal) => void;
}): Replacement {
  return replace(dec_pending, ({ io, error }) => {
    If(error.eq("DM_ENDIO_REQUEUE"), () => {
      io.requeue_wanted.set(true);
      reached("requeue-wanted");
    });

    parts.save_error(io, error);

    const last = atomic_dec_and_test(io.io_count);
    If(last, () => {
      // from here on io is this thread's alone: its fields are read once, and io->error is a local
      const final = local("io_error", code, "0");
      let bio!: Bio;
      atomically("io->error", () => {
        const saved = read(io.error);
        bio = read(io.bio);
        final.set(saved);
        report(
          "push-back-lost",
          "one clone asked for a requeue, and another one's I/O error took its place",
          io.requeue_wanted.now.and(saved.ne("DM_ENDIO_REQUEUE")).and(md.NOFLUSH_SUSPENDING.now),
        );
      });
      // before the sleeper on the suspend queue merges the pushback list
      If(final.value.eq("DM_ENDIO_REQUEUE"), () => parts.push_back(bio, final));

      const zero = end_io_acct({ bio });
      If(zero, () => wake_up(md.wait));
      If(final.value.ne("DM_ENDIO_REQUEUE"), () => bio_endio({ bio, error: final.value }));
      free_io({ io });
    });
  });
}

/** The flag is cleared, and what was pushed back comes before what is deferred. io_lock is held for writing. */
export const end_noflush = fn("dm_suspend: merge the pushback list", { at: DM }, () => {
  const flags = spin_lock_irqsave(md.pushback_lock);
  clear_bit(md.NOFLUSH_SUSPENDING);
  // both lists are under locks that are held
  atomically("bio_list_merge_head(&md->deferred, &md->pushback); bio_list_init(&md->pushback)", () => {
    bio_list_merge_head(md.deferred, md.pushback, { under: md.io_lock });
    bio_list_init(md.pushback, { under: md.pushback_lock });
  });
  spin_unlock_irqrestore(md.pushback_lock, flags);
});

/**
 * dm_suspend(). `error_flush`: what leaves by an error flushes the pushback list; `skip_lockfs`: noflush supersedes
 * do_lockfs.
 */
export function dm_suspend_with(options: {
  readonly error_flush: boolean;
  readonly skip_lockfs: boolean;
}): Replacement {
  return replace(dm_suspend, ({ do_lockfs, noflush }) => {
    const r = local("r", errno, -EINVAL);
    down(md.suspend_lock);
    suspend_begins();
    const suspended = dm_suspended();
    If(suspended, () => Goto("out"));

    // must be set before presuspend
    If(noflush, () => set_bit(md.NOFLUSH_SUSPENDING));

    // This does not get reverted if there's an error later.
    multipath_presuspend();

    const suspended_bdev = bdget_disk();
    write(md.suspended_bdev, suspended_bdev);
    If(suspended_bdev.eq(NULL), () => {
      r.set(-ENOMEM);
      Goto(options.error_flush ? "flush_and_out" : "out");
    });

    If(options.skip_lockfs ? do_lockfs.and(noflush.not()) : do_lockfs, () => lock_fs());

    block_io_and_wait();
    down_write(md.io_lock);
    remove_wait_queue(md.wait);

    If(noflush, () => end_noflush());

    r.set(-EINTR);
    // the pushback list is already flushed, so skip flush
    if_interrupted(() => Goto("out"));
    up_write(md.io_lock);

    set_bit(md.SUSPENDED);
    r.set(0);

    Label("flush_and_out");
    If(r.value.failed().and(noflush), () => {
      down_write(md.io_lock);
      end_noflush();
      flush_deferred();
      up_write(md.io_lock);
    });

    Label("out");
    If(r.value.failed(), drop_suspended_bdev);
    up(md.suspend_lock);
    Return(r.value);
  });
}

export const ueda_2006: readonly Replacement[] = [
  dec_pending_with({ save_error, push_back }),
  dm_suspend_with({ error_flush: true, skip_lockfs: true }),

  // 08/11. m->lock is held.
  replace(
    __must_push_back,
    () => {
      // The same: not between presuspend and resume (or after a suspend that was interrupted), so the flag need not be
      // looked at.
      let same!: Bool;
      atomically("m->queue_if_no_path != m->saved_queue_if_no_path", () => {
        const queue = read(m.queue_if_no_path, { under: m.lock });
        const saved = read(m.saved_queue_if_no_path, { under: m.lock });
        same = queue.eq(saved);
      });
      If(same, () => Return(false));
      Return(dm_noflush_suspending());
    },
    { at: MPATH },
  ),
];
