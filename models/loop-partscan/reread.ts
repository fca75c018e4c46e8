/** What is asked about a reread of the partition table as a whole: how it ends, and whether it could ever succeed. */
import { Break, type Errno, errno, Forever, If, type Local, local, report, switched } from "lockstep";
import { reread_succeeded } from "./objects.ts";

/** The reread is over with this code. Its callers drop the code, or print a warning at most. */
export function reread_ended(rc: Errno): void {
  report("ebusy", "the partition table is not read again: bd_mutex was held", rc.contended());
  If(rc.ok(), () => reread_succeeded.set(true));
}

/**
 * The body of a loop_reread_partitions() that retries: `attempt` leaves its result in rc. With retry=endless all of
 * it is done again until it succeeds.
 */
export function retried(attempt: (rc: Local<Errno, Errno | number>) => void): void {
  const rc = local("rc", errno, 0);
  if (switched("retry", "endless")) {
    Forever(() => {
      attempt(rc);
      If(rc.value.ok(), () => Break());
    });
  } else {
    attempt(rc);
  }
  reread_ended(rc.value);
}

export const RETRY_SWITCH = {
  values: ["code", "endless"],
  default: "code",
  what: "in the versions that retry: code: as often as the patch says; endless: the whole reread until it succeeds",
} as const;
