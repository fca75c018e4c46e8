/** Ming Lei's posted patch with the one slip mended: a close that is not the last returns. */
import { dec, If, mutex_lock, mutex_unlock, Return, read, replace } from "lockstep";
import { disk } from "./objects.ts";
import { lo_release, loop_clr_fd, loop_flush } from "./v4.0.ts";

export const lei_2015_return = [
  replace(lo_release, () => {
    const lo = read(disk.private_data);
    mutex_lock(lo.lo_open_mutex);
    const ref = dec(lo.lo_refcnt.int, { under: lo.lo_open_mutex });
    mutex_unlock(lo.lo_open_mutex);

    If(ref.ne(0), () => Return()); // was: goto out

    mutex_lock(lo.lo_ctl_mutex);
    const autoclear = read(lo.lo_flags.AUTOCLEAR, { under: lo.lo_ctl_mutex });
    If(
      autoclear,
      () => {
        const err = loop_clr_fd({ lo });
        If(err.ok(), () => Return());
      },
      () => loop_flush({ lo }),
    );
    mutex_unlock(lo.lo_ctl_mutex);
  }),
];
