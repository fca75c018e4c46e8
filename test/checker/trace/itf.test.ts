import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeItf } from "../../../src/checker/trace/itf.ts";
import { parseItf, readTraceFile } from "../../../src/checker/trace/itf-reader.ts";
import { changesOf, heldLocks } from "../../../src/checker/trace/trace.ts";
import { TraceError } from "../../../src/checker/trace/trace-error.ts";
import { deviationsFrom, tracePath } from "../../../src/checker/trace/trace-path.ts";
import { ENDED, LASSO, TRACE } from "./example-trace.ts";

test("what is written is read back, and written again it has the same bytes", () => {
  for (const trace of [TRACE, LASSO, ENDED]) {
    const text = writeItf(trace);
    const back = parseItf(text, "t.itf.json");
    expect(back).toEqual(trace);
    expect(writeItf(back)).toBe(text);
  }
});

test("it is ITF: variables in every state, integers as #bigint, loop as the state that follows the last one", () => {
  const itf = JSON.parse(writeItf(LASSO));
  expect(itf["#meta"].format).toBe("ITF");
  for (const state of itf.states) expect(Object.keys(state).sort()).toEqual(["#meta", ...itf.vars].sort());
  expect(itf.states[0].refcnt).toEqual([{ "#bigint": "0" }, { "#bigint": "0" }]);
  expect(itf.states[2].refcnt).toEqual([{ "#bigint": "1" }, { "#bigint": "-1" }]);
  expect(itf.states[0].lo_state).toBe("bound");
  expect(itf.states[2].private_data).toBe("wild");
  expect(itf.states[0]["lo.lo_ctl_mutex"]).toEqual(["nobody"]);
  expect(itf.states).toHaveLength(3);
  expect(itf.loop).toBe(1);
  expect(itf["#meta"].varTypes).toMatchObject({ refcnt: "Seq(Int)", lo_state: "Str", seen: "Seq(Bool)" });
});

describe("a damaged file is refused with what and where", () => {
  const good = JSON.parse(writeItf(TRACE));
  // biome-ignore lint/suspicious/noExplicitAny: the tests damage untyped JSON
  const damaged = (change: (itf: any) => void): string => {
    const copy = structuredClone(good);
    change(copy);
    return JSON.stringify(copy);
  };
  const cases: [string, string, RegExp][] = [
    ["truncated", writeItf(TRACE).slice(0, 500), /t\.json: it is no JSON .*damaged or no trace/],
    ["some JSON", "[1, 2]", /it is JSON but no ITF trace/],
    ["ITF of another tool", JSON.stringify({ "#meta": {}, vars: ["x"], states: [] }), /not one that Lockstep wrote/],
    ["another version", damaged((t) => (t["#meta"].lockstep = "99")), /trace format 99, and this version .* reads 1/],
    [
      "a missing key",
      damaged((t) => delete t["#meta"].finding.kind),
      /"#meta"\.finding\.kind: expected a text, found nothing/,
    ],
    [
      "a wrong type",
      damaged((t) => (t["#meta"].depthExact = 1)),
      /"#meta"\.depthExact: expected true or false, found 1/,
    ],
    [
      "a thread nobody knows",
      damaged((t) => (t["#meta"].transitions[1].thread = "kworker")),
      /"#meta"\.transitions\[1\]\.thread: no thread is called "kworker"/,
    ],
    ["a step lost", damaged((t) => t["#meta"].transitions.splice(0, 1)), /transitions\[0\]\.step: expected 1/],
    ["a state lost", damaged((t) => t.states.pop()), /2 states do not fit 2 transitions \(3 are needed\)/],
    ["a value out of its set", damaged((t) => (t.states[0].lo_state = "red")), /states"\[0\]\.lo_state: "red" is none/],
    ["an array too short", damaged((t) => t.states[0].refcnt.pop()), /states"\[0\]\.refcnt: expected 2 elements/],
    ["a plain integer", damaged((t) => (t.states[0].refcnt[0] = 3)), /refcnt\[0\]: expected an object, found 3/],
    [
      "a negative way",
      damaged((t) => (t["#meta"].transitions[0].ways = [-1])),
      /ways\[0\]: expected an integer from 0/,
    ],
    ["a loop to nowhere", damaged((t) => (t.loop = 7)), /"loop": expected an integer from 0 to 2, found 7/],
    ["no position", damaged((t) => (t["#meta"].transitions[0].model = "x")), /model: expected file:line:column/],
  ];
  test.each(cases)("%s", (_, text, message) => {
    expect(() => parseItf(text, "t.json")).toThrow(TraceError);
    expect(() => parseItf(text, "t.json")).toThrow(message);
  });
});

test("files that cannot be read", () => {
  const directory = mkdtempSync(join(tmpdir(), "lockstep-test-"));
  expect(() => readTraceFile(join(directory, "none.itf.json"))).toThrow(/none\.itf\.json: there is no such file/);
  expect(() => readTraceFile(directory)).toThrow(/it is a directory/);
  rmSync(directory, { recursive: true });
});

test("changes name elements by what their index means", () => {
  expect(changesOf(TRACE, 0)).toEqual([
    { what: "lo->lo_ctl_mutex", from: "nobody", to: "t1", observer: false },
    { what: "lo->lo_state", from: "bound", to: "unbound", observer: false },
  ]);
  expect(changesOf(TRACE, 1).map((c) => `${c.what} ${c.from} -> ${c.to}`)).toEqual([
    "disk->private_data &lo#1 -> wild",
    "lo->lo_refcnt#1 0 -> 1",
    "lo->lo_refcnt#2 0 -> -1",
    "seen[udev] false -> true",
  ]);
});

test("held locks are known with the step that took them", () => {
  expect(heldLocks(TRACE, 0)).toEqual([]);
  expect(heldLocks(TRACE, 2)).toEqual([{ lock: "lo->lo_ctl_mutex", kind: "mutex", thread: "t1", since: 1 }]);
});

test("the path of a trace is that of its result; other than default settings are part of it", () => {
  expect(tracePath(TRACE, {})).toBe("example/broken/two-tasks/deadlock.itf.json");
  const defaults = { sizes: { udev: 1, pools: 2 }, switches: { msleep: "any" } };
  const deviations = deviationsFrom({ sizes: { udev: 2, pools: 2 }, switches: { msleep: "quiescent" } }, defaults);
  expect(deviations).toEqual({ udev: 2, msleep: "quiescent" });
  expect(tracePath(TRACE, deviations)).toBe("example/broken/two-tasks@msleep=quiescent,udev=2/deadlock.itf.json");
});
