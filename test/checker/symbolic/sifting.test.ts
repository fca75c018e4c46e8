import { ListDecisionDiagrams } from "../../../src/checker/symbolic/list-decision-diagram.ts";
import { sifted } from "../../../src/checker/symbolic/sifting.ts";

const BUDGET = { memory: 2 ** 26, deadline: Number.POSITIVE_INFINITY };

function setOf(store: ListDecisionDiagrams, vectors: readonly (readonly number[])[]): number {
  return vectors.reduce((set, v) => store.union(set, store.vector(v)), 0);
}

/** Edges of the diagram of these vectors in an order, counted as what may follow the prefixes there are. */
function edges(vectors: readonly (readonly number[])[], order: readonly number[]): number {
  let total = 0;
  for (let k = 0; k < order.length; k++) {
    const following = new Map<string, Set<string>>();
    const next = new Map<string, Set<number>>();
    for (const v of vectors) {
      const prefix = order.slice(0, k).map((level) => v[level]!);
      const rest = order.slice(k).map((level) => v[level]!);
      const key = prefix.join();
      following.set(key, (following.get(key) ?? new Set()).add(rest.join()));
      next.set(key, (next.get(key) ?? new Set()).add(rest[0]!));
    }
    const nodes = new Map([...following].map(([key, set]) => [[...set].sort().join(" "), next.get(key)!.size]));
    for (const size of nodes.values()) total += size;
  }
  return total;
}

test("what is equal comes together, and what never changes last", () => {
  const store = new ListDecisionDiagrams(BUDGET);
  const n = 6;
  const vectors = Array.from({ length: 2 ** n }, (_, bits) => {
    const x = Array.from({ length: n }, (_, i) => (bits >> i) & 1);
    return [7, ...x, ...x];
  });
  const found = sifted(store, setOf(store, vectors), 2 * n + 1, 1e6);
  expect(found.before).toBe(edges(vectors, [...Array(2 * n + 1).keys()]));
  expect(found.after).toBe(4 * n + 1);
  expect(found.order.at(-1)).toBe(0);
  for (let i = 1; i <= n; i++) {
    expect(Math.abs(found.order.indexOf(i) - found.order.indexOf(i + n))).toBe(1);
  }
});

test("the sizes it tells are those of the diagrams, and no order it is given is made worse", () => {
  let smaller = 0;
  for (let seed = 1; seed <= 60; seed++) {
    let x = seed;
    const random = (n: number): number => {
      x = (Math.imul(x, 1103515245) + 12345) >>> 0;
      return (x >>> 8) % n;
    };
    const levels = 2 + random(5);
    const vectors = Array.from({ length: 1 + random(40) }, () => Array.from({ length: levels }, () => random(3)));
    const store = new ListDecisionDiagrams(BUDGET);
    const { order, before, after } = sifted(store, setOf(store, vectors), levels, seed % 3 === 0 ? 50 : 1e6);
    expect([...order].sort((a, b) => a - b)).toEqual([...Array(levels).keys()]);
    expect(before).toBe(edges(vectors, [...Array(levels).keys()]));
    expect(after).toBe(edges(vectors, order));
    expect(after).toBeLessThanOrEqual(before);
    if (after < before) smaller++;
  }
  expect(smaller).toBeGreaterThan(20);
});
