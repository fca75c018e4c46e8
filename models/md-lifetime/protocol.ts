/** md-lifetime: who keeps an md device, and how it is deleted while it is opened. See README.md. */
import { protocol, SCHEDULER_SWITCH } from "lockstep";
import { brown_2008, brown_2008_lost_store, brown_2008_new } from "./brown-2008.ts";
import { expected } from "./expected.ts";
import { BKL } from "./objects.ts";
import { scenarios } from "./scenarios.ts";

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
