import { foundShare } from "../../../src/checker/explicit/found-share.ts";

const bell = (k: number): number => Math.round(1e5 * Math.exp(-(((k - 50) / 15) ** 2)));

test("a graph whose levels grow and shrink once is judged well past its widest level", () => {
  const sizes = Array.from({ length: 101 }, (_, k) => Math.max(1, bell(k)));
  const total = sizes.reduce((a, b) => a + b);
  let told = 0;
  for (let n = 1; n <= sizes.length; n++) {
    const found = sizes.slice(0, n).reduce((a, b) => a + b);
    const share = foundShare(found, sizes.slice(0, n));
    if (share === undefined) continue;
    told++;
    expect(Math.abs(share - found / total)).toBeLessThan(0.1);
  }
  expect(told).toBeGreaterThan(30);
});

test("nothing is said of few levels, of growth and of a second hump", () => {
  expect(foundShare(100, [10, 20, 40, 20, 10])).toBeUndefined();
  expect(
    foundShare(
      1e6,
      Array.from({ length: 30 }, (_, k) => 1.3 ** k),
    ),
  ).toBeUndefined();
  const humps = Array.from({ length: 70 }, (_, k) => Math.max(1, bell(k) + 3 * bell(k - 45)));
  expect(
    foundShare(
      humps.reduce((a, b) => a + b),
      humps,
    ),
  ).toBeUndefined();
});
