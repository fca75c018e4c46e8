/** The requests of the loop queue: one for each page on its way to the device. */
import { bio_account, size, struct, work } from "lockstep";

/** With its one bio, and the loop_cmd that follows it in memory. */
export const request = struct(
  "request",
  { slots: () => size("pages"), as: "rq", immortal: true },
  { io: bio_account(), work: work() },
);

/** None in a scenario without I/O. */
export const pages = () =>
  Array.from({ length: size("pages", 0) }, (_, n) => request.object(n === 0 ? "page" : `page ${n + 1}`));
