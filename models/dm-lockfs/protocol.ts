/** dm-lockfs: freezing the file system on a device-mapper device while the device is suspended. See README.md. */
import { protocol, RWSEM_SWITCH } from "lockstep";
import { endless } from "./endless.ts";
import { expected } from "./expected.ts";
import { hellwig_2004 } from "./hellwig-2004.ts";
import { kergon_2005 } from "./kergon-2005.ts";
import { mason_2004 } from "./mason-2004.ts";
import { mason_2004_v2 } from "./mason-2004-v2.ts";
import { scenarios } from "./scenarios.ts";
import { v2_6_17 } from "./v2.6.17.ts";

export default protocol("dm-lockfs", {
  title: "device mapper: freezing a file system while its device is suspended",
  source: "linux-kernel, 9 March 2004: [PATCH] lockfs patch for 2.6",
  variants: [
    { id: "before", title: "2.6.4 with the device-mapper updates of the time: nothing is frozen" },
    { id: "mason-2004", title: "Chris Mason's patch as posted", base: "before", replaces: mason_2004 },
    {
      id: "mason-2004-v2",
      title: "its second version: freeze_bdev() and thaw_bdev(), the bdev pinned",
      base: "before",
      replaces: mason_2004_v2,
    },
    {
      id: "hellwig-2004",
      title: "as sent for 2.6.6, without unlocking in an interrupted suspend",
      base: "mason-2004-v2",
      replaces: hellwig_2004,
    },
    {
      id: "kergon-2005",
      title: "suspend_lock and io_lock (2.6.13)",
      base: "before",
      replaces: kergon_2005,
    },
    {
      id: "v2.6.17",
      title: "an interrupted suspend flushes what was deferred (2.6.17 to 2.6.19-rc6)",
      base: "kergon-2005",
      replaces: v2_6_17,
    },
  ],
  scenarios: [...scenarios, ...endless],
  switches: { rwsem: RWSEM_SWITCH },
  expected,
});
