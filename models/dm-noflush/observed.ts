/** What the model watches beside the kernel's own state. */
import { bool, enumeration, global, If, observer } from "lockstep";

/** dm_suspend() reissues what is deferred because it was interrupted. */
export const suspend_interrupted = global("suspend_interrupted", observer(bool));

/** The latest suspend: under way, or over with 0 and not yet resumed. */
export const suspend = global("suspend", observer(enumeration("none", "running", "succeeded")));

/** dm_suspend() begins; of a suspended device it changes nothing. */
export function suspend_begins(): void {
  If(suspend.now.eq("none"), () => suspend.set("running"));
}

/** A bio has ended with -EIO since that suspend began. */
export const eio = global("eio", observer(bool));

/** The process that suspends has been sent a signal; looked at where that is asked about. */
export const signalled = global("signalled", observer(bool));
