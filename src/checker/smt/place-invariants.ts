/**
 * Linear invariants of a system whose steps add and take constants: the place invariants of a Petri net (Lautenbach 1974;
 * Murata 1989, section IX). A weighting of places is one exactly if no step changes the weighted sum, so all of them are
 * the null space of the matrix of changes; the sum then has its initial value in every reachable state. A reference
 * count is the commonest of them: the counter equals the number of threads between taking a reference and dropping it.
 */

/** What a step adds, by place; places that are not there keep their number. */
export type Change = ReadonlyMap<number, number>;

/** Weights by place, without common factors. */
export type Weights = ReadonlyMap<number, number>;

function commonDivisor(a: number, b: number): number {
  let [x, y] = [Math.abs(a), Math.abs(b)];
  while (y !== 0) [x, y] = [y, x % y];
  return x;
}

/** The row divided by what its entries have in common. @throws RangeError where the numbers get too large to be exact */
function reduced(row: Map<number, number>): Map<number, number> {
  let common = 0;
  for (const v of row.values()) {
    if (!Number.isSafeInteger(v)) throw new RangeError("the coefficients are too large");
    common = commonDivisor(common, v);
  }
  if (common > 1) for (const [k, v] of row) row.set(k, v / common);
  return row;
}

/** a times row minus b times other, so that the entry at the pivot vanishes. */
function eliminate(row: Map<number, number>, other: Change, pivot: number): Map<number, number> {
  const a = other.get(pivot) as number;
  const b = row.get(pivot) as number;
  const result = new Map<number, number>();
  for (const [k, v] of row) result.set(k, v * a);
  for (const [k, v] of other) {
    const sum = (result.get(k) ?? 0) - v * b;
    if (sum === 0) result.delete(k);
    else result.set(k, sum);
  }
  return reduced(result);
}

/**
 * A basis of the weightings that no change alters. Places that come late in the order appear in few of them: each vector has
 * one place that no other has, as late as possible.
 * @param places how many there are
 */
export function placeInvariants(changes: readonly Change[], places: number): Weights[] {
  /** In echelon form: by pivot, its row. Pivots are the first places of their rows. */
  const rows = new Map<number, Map<number, number>>();
  for (const change of changes) {
    let row = new Map([...change].filter(([, v]) => v !== 0));
    for (;;) {
      let pivot = Number.POSITIVE_INFINITY;
      for (const k of row.keys()) if (k < pivot) pivot = k;
      if (row.size === 0) break;
      const other = rows.get(pivot);
      if (other === undefined) {
        rows.set(pivot, reduced(row));
        break;
      }
      row = eliminate(row, other, pivot);
    }
  }
  // Reduced echelon form: no row has an entry at another one's pivot.
  const pivots = [...rows.keys()].sort((a, b) => b - a);
  for (const pivot of pivots) {
    const row = rows.get(pivot) as Map<number, number>;
    for (const other of pivots) {
      const above = rows.get(other) as Map<number, number>;
      if (other < pivot && above.has(pivot)) rows.set(other, eliminate(above, row, pivot));
    }
  }
  const basis: Weights[] = [];
  for (let free = 0; free < places; free++) {
    if (rows.has(free)) continue;
    // The free place has weight 1; each pivot the weight that balances its row. A common denominator makes them integers.
    let scale = 1;
    const users = pivots.flatMap((p) => {
      const row = rows.get(p) as Map<number, number>;
      return row.has(free) ? [{ p, own: row.get(p) as number, at: row.get(free) as number }] : [];
    });
    for (const { own } of users) scale = (scale * Math.abs(own)) / commonDivisor(scale, own);
    const weights = new Map<number, number>([[free, scale]]);
    for (const { p, own, at } of users) weights.set(p, (-at * scale) / own);
    basis.push(reduced(weights));
  }
  return basis;
}
