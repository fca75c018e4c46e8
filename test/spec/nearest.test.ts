import { editDistance, nearest, nearestNames } from "../../src/spec/nearest.ts";

test.each([
  ["", "abc", 3],
  ["mutex", "mutex", 0],
  ["lo_ctl_mutex", "lo_ctl_mutx", 1],
  ["lock", "olck", 1],
  ["kitten", "sitting", 3],
])("%p and %p are %d apart, both ways", (a, b, d) => {
  expect([editDistance(a, b), editDistance(b, a)]).toEqual([d, d]);
});

test("the closest come first, case counts for half, and none is said to be none", () => {
  expect(nearest("lo_refcnt", ["bd_openers", "lo_refcount", "LO_REFCNT", "lo_state"])).toEqual([
    "lo_refcount",
    "LO_REFCNT",
    "lo_state",
  ]);
  expect(nearestNames("x", ["y", "zz", "y"])).toBe(" Nearest: y, zz.");
  expect(nearestNames("x", [])).toBe(" There are none.");
});
