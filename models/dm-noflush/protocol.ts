/** dm-noflush: suspending a device-mapper device without flushing what its target queues. See README.md. */
import { protocol } from "lockstep";
import { deferred_io_lock, flag_unlocked, lockfs_with_noflush, no_error_flush } from "./designs.ts";
import { endio_lock } from "./endio-lock.ts";
import { endless } from "./endless.ts";
import { expected } from "./expected.ts";
import { nomura_2007 } from "./nomura-2007.ts";
import { scenarios } from "./scenarios.ts";
import { ueda_2006 } from "./ueda-2006.ts";

export default protocol("dm-noflush", {
  title: "device mapper: suspend with I/O pushed back from the target to the core",
  source: "linux-kernel, 22 November 2006: [PATCH 07/11] dm: suspend: add noflush pushback",
  variants: [
    { id: "before", title: "2.6.19-rc6: what the target queues ends with -EIO at suspend" },
    { id: "ueda-2006", title: "the patch as posted", base: "before", replaces: ueda_2006 },
    { id: "nomura-2007", title: "as in 2.6.20", base: "ueda-2006", replaces: nomura_2007 },
    { id: "endio-lock", title: "io->error saved under a lock", base: "ueda-2006", replaces: endio_lock },
    {
      id: "flag-unlocked",
      title: "a design argued against: the flag tested before pushback_lock is taken",
      base: "ueda-2006",
      replaces: flag_unlocked,
    },
    {
      id: "deferred-io-lock",
      title: "a design argued against: dec_pending adds to md->deferred under io_lock",
      base: "ueda-2006",
      replaces: deferred_io_lock,
    },
    {
      id: "no-error-flush",
      title: "a design argued against: nothing flushes the pushback list when bdget_disk fails",
      base: "ueda-2006",
      replaces: no_error_flush,
    },
    {
      id: "lockfs-with-noflush",
      title: "a design argued against: lock_fs although noflush was asked for",
      base: "ueda-2006",
      replaces: lockfs_with_noflush,
    },
  ],
  scenarios: [...scenarios, ...endless],
  expected,
});
