/**
 * The same with as many probes as one likes. One of them is watched: since all probes are alike, what holds of it holds of
 * each, and the others need not be told apart.
 */
import { type Scenario, size, thread } from "lockstep";
import { probe_begins, probe_ends, register_disk } from "./block-dev.ts";
import { noEarlyReturn } from "./properties.ts";
import { driver, everywhere, insmod } from "./scenarios.ts";

export const manyProbes: Scenario = {
  id: "probes-vs-wait",
  title: "a driver registers a disk while insmod waits, and others register disks too",
  sizes: { others: { default: 1, min: 1, max: 6, what: "probes beside the one that is watched" } },
  threads: () => [
    driver(0),
    thread(
      "other",
      () => {
        probe_begins();
        register_disk({ by: "none" });
        probe_ends();
      },
      { count: size("others") },
    ),
    insmod(),
  ],
  properties: [...everywhere, noEarlyReturn],
};
