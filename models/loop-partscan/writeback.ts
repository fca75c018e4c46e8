/** What becomes of a page that the flusher writes back to the disk: block/blk-mq.c of v4.0, down to the driver. */
import { blk_queue_enter, fn, If, ptr, submit_bio, wait_on_bio } from "lockstep";
import { blk_mq_end_request } from "./block-layer.ts";
import { loop0 } from "./objects.ts";
import { pages, request } from "./request.ts";
import { loop_queue_rq } from "./v4.0.ts";

/** The bio becomes a request, which is in the queue from here to its end. The driver is called at once. */
const blk_mq_make_request = fn(
  "blk_mq_make_request",
  { at: "block/blk-mq.c", params: { rq: ptr(request) } },
  ({ rq }) => {
    blk_queue_enter(loop0.lo_queue);
    const ret = loop_queue_rq({ rq });
    If(ret.failed(), () => blk_mq_end_request({ rq, error: ret }));
  },
);

export const write_page = fn(
  "__block_write_full_page",
  { at: "fs/buffer.c", params: { rq: ptr(request) } },
  ({ rq }) => {
    submit_bio(rq);
    blk_mq_make_request({ rq });
  },
);

/** The tasks that write the pages of a scenario back, each its own: the flusher, and those that cannot wait for it. */
export const writers = () => pages().map((rq, n) => ({ name: n === 0 ? "flusher" : `writer ${n + 1}`, rq }));

/** Writes the dirty pages and waits for them, not for those who wrote them: umount, or the last close itself. */
export const sync_blockdev = fn("sync_blockdev", { at: "fs/block_dev.c" }, () => {
  for (const rq of pages()) write_page({ rq });
  for (const rq of pages()) wait_on_bio(rq);
});
