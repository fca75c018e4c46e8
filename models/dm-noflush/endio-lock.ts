/** "dm: dec_pending needs locking to save error value" (2009): the test of io->error and the store under one lock. */
import { type Replacement, spin_lock_irqsave, spin_unlock_irqrestore } from "lockstep";
import { dec_pending_with, push_back, save_error } from "./ueda-2006.ts";

export const endio_lock: readonly Replacement[] = [
  dec_pending_with({
    save_error: (io, error) => {
      const flags = spin_lock_irqsave(io.endio_lock);
      save_error(io, error);
      spin_unlock_irqrestore(io.endio_lock, flags);
    },
    push_back,
  }),
];
