import { type Change, placeInvariants } from "../../../src/checker/smt/place-invariants.ts";
import { random } from "./systems.ts";

const change = (...entries: [number, number][]): Change => new Map(entries);
const weights = (list: readonly ReadonlyMap<number, number>[]): number[][][] =>
  list.map((w) => [...w].sort(([a], [b]) => a - b));

test("a counter is the number of tokens between taking and dropping", () => {
  // Places 0 to 2 in a row, and a counter that is raised on the way to 1 and lowered on the way to 2.
  const changes = [change([0, -1], [1, 1], [3, 1]), change([1, -1], [2, 1], [3, -1])];
  expect(weights(placeInvariants(changes, 4))).toEqual([
    [
      [0, 1],
      [1, 1],
      [2, 1],
    ],
    [
      [1, -1],
      [3, 1],
    ],
  ]);
});

test("no change, every weighting; changes of one place alone, none", () => {
  expect(weights(placeInvariants([], 2))).toEqual([[[0, 1]], [[1, 1]]]);
  expect(placeInvariants([change([0, 2]), change([1, -3])], 2)).toEqual([]);
});

test("weights are integers without common factors, balance every change, and are as many as the rank leaves", () => {
  const rnd = random(5);
  for (let round = 0; round < 60; round++) {
    const places = 3 + rnd(5);
    const changes = Array.from({ length: 1 + rnd(5) }, () =>
      change(...Array.from({ length: places }, (_, p): [number, number] => [p, rnd(5) - 2])),
    );
    const found = placeInvariants(changes, places);
    for (const w of found) {
      for (const c of changes) {
        expect([...w].reduce((sum, [p, n]) => sum + n * (c.get(p) ?? 0), 0)).toBe(0);
      }
      for (const n of w.values()) expect(Number.isInteger(n)).toBe(true);
    }
    expect(found.length).toBeGreaterThanOrEqual(places - changes.length);
    // Each has a place that no other has: they are independent.
    for (const w of found) {
      const own = [...w.keys()].some((p) => found.every((v) => v === w || !v.has(p)));
      expect(own).toBe(true);
    }
  }
});
