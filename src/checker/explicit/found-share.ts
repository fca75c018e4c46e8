/**
 * How much of a graph a breadth-first search has found, judged by how its levels grow and shrink.
 *
 * Past the widest level the logarithms of the sizes of levels mostly lie near a parabola that opens downwards; continued,
 * it says what is still to come. Graphs of several humps have stretches where that is wrong, so two parabolas, through
 * few and through many levels, must agree, and most of the graph must have been found by both. Measured on the loop
 * protocol, philosophers and dm-noflush, what is said then is within 0.1 of the truth; often nothing is said.
 */

/** Levels the parabolas go through. */
const FEW = 10;
export const MANY = 20;
/** Farthest two estimates may lie apart, and least share that is told. */
const AGREEMENT = 0.1;
const LEAST = 0.55;
/** No level of a graph that fits in memory is so far away. */
const FARTHEST = 10_000;

/**
 * @param found States of all complete levels.
 * @param sizes States of the last complete levels; `MANY` of them are enough.
 * @returns The share from 0 to 1; undefined where nothing can be said.
 */
export function foundShare(found: number, sizes: readonly number[]): number | undefined {
  if (sizes.length < MANY || sizes.some((size) => size === 0)) return undefined;
  const shares = [FEW, MANY].map((n) => {
    const rest = toCome(sizes.slice(-n));
    return rest === undefined ? 0 : found / (found + rest);
  });
  const [a = 0, b = 0] = shares;
  return Math.abs(a - b) <= AGREEMENT && Math.min(a, b) >= LEAST ? Math.min(a, b) : undefined;
}

/** The sum of the sizes that follow, by the parabola of least squares through their logarithms. */
function toCome(sizes: readonly number[]): number | undefined {
  const n = sizes.length;
  const middle = (n - 1) / 2;
  let [y0, y1, y2, x2, x4] = [0, 0, 0, 0, 0];
  sizes.forEach((size, k) => {
    const x = k - middle;
    const y = Math.log(size);
    y0 += y;
    y1 += x * y;
    y2 += x * x * y;
    x2 += x * x;
    x4 += x ** 4;
  });
  // Places lie symmetrically around 0, so sums of odd powers vanish.
  const c = (n * y2 - x2 * y0) / (n * x4 - x2 * x2);
  const b = y1 / x2;
  const a = (y0 - c * x2) / n;
  if (c >= 0) return undefined;
  let rest = 0;
  for (let x = middle + 1; x < FARTHEST; x++) {
    const size = Math.exp(a + b * x + c * x * x);
    if (size < 1) return rest;
    rest += size;
  }
  return undefined;
}
