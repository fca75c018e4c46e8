/** loop-partscan: rereading the partition table of a loop device, and who holds which lock meanwhile. See README.md. */
import { MSLEEP_SWITCH, protocol } from "lockstep";
import { expected } from "./expected.ts";
import { lei_2015 } from "./lei-2015.ts";
import { lei_2015_return } from "./lei-2015-return.ts";
import { RETRY_SWITCH } from "./reread.ts";
import { scenarios } from "./scenarios.ts";
import { v4_2 } from "./v4.2.ts";
import { v4_14 } from "./v4.14.ts";
import { v5_0 } from "./v5.0.ts";
import { v5_1 } from "./v5.1.ts";
import { v5_13 } from "./v5.13.ts";
import { v5_19 } from "./v5.19.ts";
import { wilson_2015 } from "./wilson-2015.ts";

export default protocol("loop-partscan", {
  title: "loop: rereading the partition table against opening, closing and removing the device",
  source: "linux-kernel, 31 March and 1 April 2015: [PATCH] block/loop: improve reliability of partition scanning",
  variants: [
    { id: "v4.0", title: "before: BLKRRPART tries bd_mutex, with lo_ctl_mutex held" },
    { id: "wilson-2015", title: "Jarod Wilson's posted patch", base: "v4.0", replaces: wilson_2015 },
    { id: "lei-2015", title: "Ming Lei's posted alternative, to the letter", base: "v4.0", replaces: lei_2015 },
    {
      id: "lei-2015-return",
      title: "the same with the `goto out` of lo_release made a return",
      base: "lei-2015",
      replaces: lei_2015_return,
    },
    { id: "v4.2", title: "what was merged", base: "v4.0", replaces: v4_2 },
    { id: "v4.14", title: "lo_release under loop_index_mutex (4.14.y, 4.15)", base: "v4.2", replaces: v4_14 },
    { id: "v5.0", title: "one loop_ctl_mutex, dropped before the reread", base: "v4.14", replaces: v5_0 },
    { id: "v5.1", title: "Lo_rundown kept while the reread runs (5.1, 4.19.40)", base: "v5.0", replaces: v5_1 },
    { id: "v5.13", title: "lo_mutex in lo_open, Lo_deleting (5.13 to 5.18)", base: "v5.1", replaces: v5_13 },
    { id: "v5.19", title: "no lo_open, no lo_refcnt; lo freed with its disk", base: "v5.13", replaces: v5_19 },
  ],
  scenarios,
  switches: { msleep: MSLEEP_SWITCH, retry: RETRY_SWITCH },
  expected,
});
