/** I/O that never stops: does a suspend end? With rwsem=unfair, where readers overtake waiting writers, none need. */
import { Forever, type Scenario, submit_bio, thread, wait_on_bio } from "lockstep";
import { dm_request } from "./dm.ts";
import { first_bio, second_bio, until_resumed } from "./objects.ts";
import { suspendEnds } from "./properties.ts";
import { type Bio, disk, mounted, only, suspends, with_bio } from "./scenarios.ts";

/** One bio after the other. */
const application = (name: string, bio: Bio) =>
  thread(name, () => {
    Forever(() => {
      submit_bio(bio);
      dm_request({ bio });
      wait_on_bio(bio, { resting: until_resumed });
    });
  });

export const endless: readonly Scenario[] = [
  {
    id: "endless-io-vs-suspend",
    title: "two applications do I/O again and again, and a suspend",
    // two, so that unfair rw_semaphores need never be without a reader
    threads: () => [
      suspends(),
      application("application1", first_bio),
      application("application2", second_bio),
      disk(first_bio, second_bio),
    ],
    start: () => mounted(0),
    properties: [...with_bio, suspendEnds],
    only,
  },
];
