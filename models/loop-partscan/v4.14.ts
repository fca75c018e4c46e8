/** 4.14.y, 4.15: "loop: fix concurrent lo_open/lo_release". The whole of lo_release() runs under loop_index_mutex. */
import {
  atomic_dec_return,
  blk_mq_freeze_queue,
  blk_mq_unfreeze_queue,
  fn,
  If,
  mutex_lock,
  mutex_unlock,
  ptr,
  Return,
  read,
  replace,
  spin_lock_irq,
  spin_unlock_irq,
} from "lockstep";
import { disk, loop_device, loop_index_mutex, loop0 } from "./objects.ts";
import { LOOP, lo_release, loop_clr_fd, loop_handle_cmd, loop_queue_write_work } from "./v4.0.ts";

const __lo_release = fn("__lo_release", { at: LOOP, params: { lo: ptr(loop_device) } }, ({ lo }) => {
  const refcnt = atomic_dec_return(lo.lo_refcnt.atomic_t);
  If(refcnt.ne(0), () => Return());

  mutex_lock(lo.lo_ctl_mutex);
  const autoclear = read(lo.lo_flags.AUTOCLEAR, { under: lo.lo_ctl_mutex });
  If(
    autoclear,
    () => {
      const err = loop_clr_fd({ lo });
      If(err.ok(), () => Return());
    },
    () => {
      const state = read(lo.lo_state, { under: lo.lo_ctl_mutex });
      If(state.eq("Lo_bound"), () => {
        blk_mq_freeze_queue(lo.lo_queue);
        blk_mq_unfreeze_queue(lo.lo_queue);
      });
    },
  );
  mutex_unlock(lo.lo_ctl_mutex);
});

export const v4_14 = [
  replace(lo_release, () => {
    mutex_lock(loop_index_mutex);
    const lo = read(disk.private_data);
    __lo_release({ lo });
    mutex_unlock(loop_index_mutex);
  }),

  // loop_queue_work(), and kthread_worker_fn() looking for the next work
  replace(loop_queue_write_work, ({ rq }) => {
    const lo = loop0;
    loop_handle_cmd({ rq });
    spin_lock_irq(lo.worker_lock);
    spin_unlock_irq(lo.worker_lock);
  }),
];
