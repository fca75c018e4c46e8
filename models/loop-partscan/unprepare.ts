/** What becomes of the worker when a device is cleared, from v4.1 on: it has done its last work, and ends. */
import { destroy_workqueue, fn } from "lockstep";
import { pages } from "./request.ts";
import { LOOP, loop_wq } from "./v4.0.ts";

/** destroy_workqueue() up to 4.3 and again from 5.14 on; kthread_flush_worker() and kthread_stop() in between. */
export const loop_unprepare_queue = fn("loop_unprepare_queue", { at: LOOP }, () => {
  // without I/O the worker has nothing to do and nobody waits for it
  if (pages().length > 0) destroy_workqueue(loop_wq);
});
