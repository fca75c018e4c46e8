/** Designs the mail argues against, each in one point other than the posted version. */
import {
  bio_list_add,
  clear_bit,
  down_write,
  If,
  type Replacement,
  replace,
  spin_lock_irqsave,
  spin_unlock_irqrestore,
  up_write,
} from "lockstep";
import { md } from "./objects.ts";
import {
  __noflush_suspending,
  add_to_pushback,
  dec_pending_with,
  dm_suspend_with,
  end_noflush,
  pushed_back,
  save_error,
} from "./ueda-2006.ts";

/** The flag is tested before pushback_lock is taken. */
export const flag_unlocked: readonly Replacement[] = [
  dec_pending_with({
    save_error,
    push_back: (bio, error) => {
      const noflush = __noflush_suspending();
      If(
        noflush,
        () => {
          const flags = spin_lock_irqsave(md.pushback_lock);
          add_to_pushback(bio);
          spin_unlock_irqrestore(md.pushback_lock, flags);
        },
        () => error.set("-EIO"),
      );
    },
  }),
];

/** No pushback list and no lock for it: dec_pending() adds to md->deferred. */
export const deferred_io_lock: readonly Replacement[] = [
  dec_pending_with({
    save_error,
    push_back: (bio, error) => {
      down_write(md.io_lock);
      const noflush = __noflush_suspending();
      If(
        noflush,
        () => {
          bio_list_add(md.deferred, bio, { under: md.io_lock });
          pushed_back(bio);
        },
        () => error.set("-EIO"),
      );
      up_write(md.io_lock);
    },
  }),
  replace(end_noflush, () => clear_bit(md.NOFLUSH_SUSPENDING)),
];

/** When bdget_disk() fails, the pushback list stays as it is, and so does the flag. */
export const no_error_flush: readonly Replacement[] = [dm_suspend_with({ error_flush: false, skip_lockfs: true })];

/** lock_fs() is issued although noflush was asked for. */
export const lockfs_with_noflush: readonly Replacement[] = [dm_suspend_with({ error_flush: true, skip_lockfs: false })];
