/** Questions about runs that are wrong in one way each, and one that needs strong fairness. */
import {
  at,
  ended,
  eventually,
  type FairnessOptions,
  type Formula,
  global,
  Label,
  mutex,
  mutex_lock,
  mutex_unlock,
  protocol,
  temporal,
  thread,
} from "lockstep";

const m = global("m", mutex());
const scenario = (id: string, formula: () => Formula, fairness: FairnessOptions = {}) => ({
  id,
  title: id,
  threads: () => [
    thread("T1", () => {
      Label("wait");
      mutex_lock(m);
      mutex_unlock(m);
    }),
  ],
  properties: [temporal("runs", { title: "t", message: "m" }, () => eventually(formula()), fairness)],
});

export default protocol("runs", {
  title: "questions about runs",
  source: "none",
  variants: [{ id: "v", title: "v" }],
  scenarios: [
    scenario("strong", () => ended("T1"), { strongWaits: ["mutex"] }),
    scenario("label", () => at("T1", "weit")),
    scenario("thread", () => ended("T2")),
    scenario("fair-thread", () => ended("T1"), { strongThreads: ["T2"] }),
    scenario("fair-wait", () => ended("T1"), { strongWaits: ["mutexes"] }),
  ],
});
