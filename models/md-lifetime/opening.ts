/** What is asked of an open as a whole. */
import { EINTR, ENOMEM, type Errno, If, reached, report } from "lockstep";
import { allocation_failed, unloading } from "./objects.ts";

/**
 * An open failed with this code. -ENOMEM, -EINTR and a device that cannot be there (out of memory, the module on its
 * way out) are no races.
 */
export function open_failed(rc: Errno | number): void {
  reached("open");
  const excused = allocation_failed.now.or(unloading.now);
  const message = "the open of a device that exists or can be created fails";
  if (typeof rc === "number") report("open-failed", message, excused.not());
  else If(rc.ne(-EINTR).and(rc.ne(-ENOMEM)), () => report("open-failed", message, excused.not()));
}
