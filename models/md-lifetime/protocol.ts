/** md-lifetime: who keeps an md device, and how it is deleted while it is opened. See README.md. */
import { protocol, SCHEDULER_SWITCH } from "lockstep";
import { brown_2008, brown_2008_lost_store, brown_2008_new } from "./brown-2008.ts";
import { expected } from "./expected.ts";
import { BKL } from "./objects.ts";
import { scenarios } from "./scenarios.ts";
import { v2_6_29 } from "./v2.6.29.ts";
import { v2_6_31 } from "./v2.6.31.ts";
import { v3_0 } from "./v3.0.ts";
import { v3_2 } from "./v3.2.ts";
import { v4_10 } from "./v4.10.ts";
import { v5_8 } from "./v5.8.ts";
import { v5_13 } from "./v5.13.ts";
import { v6_0 } from "./v6.0.ts";

export default protocol("md-lifetime", {
  title: "md: deleting an unused device while it is opened",
  source: "linux-raid, 23 November 2008: [PATCH 1/2] md: make devices disappear when they are no longer needed",
  variants: [
    { id: "v2.6.28", title: "before: devices stay until the module is unloaded" },
    { id: "brown-2008", title: "NeilBrown's posted patch, to the letter", base: "v2.6.28", replaces: brown_2008 },
    {
      id: "brown-2008-lost-store",
      title: "the same, the store through the list cursor made harmless",
      base: "brown-2008",
      replaces: brown_2008_lost_store,
    },
    {
      id: "brown-2008-new",
      title: "the same with that store going to the new mddev",
      base: "brown-2008",
      replaces: brown_2008_new,
    },
    { id: "v2.6.29", title: "what was merged: held until the first ioctl", base: "brown-2008", replaces: v2_6_29 },
    { id: "v2.6.31", title: "a separate open_mutex", base: "v2.6.29", replaces: v2_6_31 },
    { id: "v3.0", title: "gendisk set before add_disk(); no BKL, md_misc_wq", base: "v2.6.31", replaces: v3_0 },
    { id: "v3.2", title: "a reference during sysfs access", base: "v3.0", replaces: v3_2 },
    { id: "v4.10", title: "md_open() gives its reference back when it fails", base: "v3.2", replaces: v4_10 },
    { id: "v5.8", title: "md_open() flushes only if the work is pending", base: "v4.10", replaces: v5_8 },
    { id: "v5.13", title: "md_open() only searches: -EBUSY instead of a restart", base: "v5.8", replaces: v5_13 },
    { id: "v6.0", title: "a deleted flag, and the mddev freed with its disk", base: "v5.13", replaces: v6_0 },
  ],
  scenarios,
  switches: {
    preempt: {
      values: ["voluntary", "none"],
      default: "voluntary",
      what: "voluntary: a call that might sleep may give up the CPU, and with it the big kernel lock; none: only one that does sleep",
    },
    scheduler: SCHEDULER_SWITCH,
  },
  expected,
  bkl: BKL,
});
