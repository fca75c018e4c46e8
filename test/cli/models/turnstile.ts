/** Visitors that nobody counts: four are one too many, and the scenario has two. */
import {
  atomic,
  atomic_dec,
  atomic_inc,
  atomic_read,
  deadlock,
  fn,
  global,
  If,
  noFinding,
  protocol,
  reached,
  report,
  size,
  thread,
} from "lockstep";

const inside = global("inside", atomic(0, 9));
const crowd = noFinding("no-crowd", "crowd", {
  title: "never are four inside",
  message: "four are inside",
  trigger: ["entered"],
  triggerWhat: "an entry",
});

const visit = fn("visit", { at: "turnstile.c" }, () => {
  atomic_inc(inside);
  reached("entered");
  const n = atomic_read(inside);
  If(n.ge(4), () => report("crowd", "four are inside"));
  atomic_dec(inside);
});

export default protocol("turnstile", {
  title: "visitors",
  source: "a test",
  variants: [{ id: "base", title: "no limit" }],
  scenarios: [
    {
      id: "visits",
      title: "visitors come and go",
      sizes: { visitors: { default: 2, min: 1, max: 6, what: "visitors" } },
      threads: () => [thread("visitor", () => visit(), { count: size("visitors") })],
      properties: [deadlock, crowd],
    },
  ],
});
