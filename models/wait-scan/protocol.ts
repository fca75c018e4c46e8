/** wait-scan: waiting until partition scans that are under way have finished. See README.md. */
import { protocol } from "lockstep";
import { baton } from "./baton.ts";
import { expected } from "./expected.ts";
import { jones_2007 } from "./jones-2007.ts";
import { jones_2007_ref } from "./jones-2007-ref.ts";
import { manyProbes } from "./many-probes.ts";
import { kernel_flag } from "./objects.ts";
import { probe_counter, scan_counter } from "./scan-counter.ts";
import { scenarios } from "./scenarios.ts";

export default protocol("wait-scan", {
  title: "waiting for partition scans: the blkdev_wait_scan module",
  source: "linux-kernel, 12 June 2007: [PATCH] blkdev_wait_scan module to help initrd scripts",
  variants: [
    { id: "before", title: "2.6.22, nothing to wait with" },
    { id: "jones-2007", title: "as posted: a list of the devices being scanned", base: "before", replaces: jones_2007 },
    {
      id: "jones-2007-ref",
      title: "as posted, with a reference on the bdev while it is waited for",
      base: "jones-2007",
      replaces: jones_2007_ref,
    },
    { id: "scan-counter", title: "a counter around the scan and wait_event", base: "before", replaces: scan_counter },
    {
      id: "probe-counter",
      title: "the counter is raised when the probe is queued",
      base: "before",
      replaces: probe_counter,
    },
    { id: "baton", title: "each waits for its predecessor, as SCSI's own wait does", base: "before", replaces: baton },
  ],
  scenarios: [...scenarios, manyProbes],
  expected,
  bkl: kernel_flag,
});
