import fc from "fast-check";
import {
  BudgetExhausted,
  BYTES_PER_NODE,
  EMPTY,
  EPSILON,
  ListDecisionDiagrams,
} from "../../../src/checker/symbolic/list-decision-diagram.ts";

const NEVER = { memory: Number.POSITIVE_INFINITY, deadline: Number.POSITIVE_INFINITY };
const WIDTH = 4;

const vectors = fc.array(fc.array(fc.integer({ min: -2, max: 3 }), { minLength: WIDTH, maxLength: WIDTH }), {
  maxLength: 40,
});

function setOf(store: ListDecisionDiagrams, list: readonly (readonly number[])[]): number {
  return list.reduce((set, v) => store.union(set, store.vector(v)), EMPTY);
}

/** The vectors of a set, as keys, in the order of the diagram. */
function listOf(store: ListDecisionDiagrams, set: number): string[] {
  if (set === EMPTY) return [];
  if (set === EPSILON) return [""];
  const out: string[] = [];
  for (let n = set; n !== EMPTY; n = store.right[n]!) {
    for (const rest of listOf(store, store.down[n]!)) out.push(`${store.value[n]},${rest}`);
  }
  return out;
}

const keys = (list: readonly (readonly number[])[]) => new Set(list.map((v) => `${v.join()},`));

test("sets behave as sets of vectors, and equal sets are the same node", () => {
  fc.assert(
    fc.property(vectors, vectors, (a, b) => {
      const store = new ListDecisionDiagrams(NEVER);
      const [x, y] = [setOf(store, a), setOf(store, [...b].reverse())];
      const [inA, inB] = [keys(a), keys(b)];
      const union = store.union(x, y);
      expect(new Set(listOf(store, union))).toEqual(new Set([...inA, ...inB]));
      expect(listOf(store, union)).toHaveLength(new Set([...inA, ...inB]).size);
      expect(listOf(store, store.intersect(x, y)).sort()).toEqual([...inA].filter((k) => inB.has(k)).sort());
      expect(listOf(store, store.minus(x, y)).sort()).toEqual([...inA].filter((k) => !inB.has(k)).sort());
      expect(store.count(x)).toBe(BigInt(inA.size));
      expect(store.union(store.minus(x, y), store.intersect(y, x))).toBe(x);
      expect(setOf(store, [...a, ...b])).toBe(union);
      for (const v of b) expect(store.contains(x, v)).toBe(inA.has(`${v.join()},`));
      if (a.length > 0) expect(inA).toContain(`${store.first(x).join()},`);
    }),
    { seed: 7, numRuns: 300 },
  );
});

test("a collection keeps what is held, frees the rest, and reuses it", () => {
  const store = new ListDecisionDiagrams(NEVER);
  const grid = (from: number, to: number) => {
    const list: number[][] = [];
    for (let i = from; i < to; i++) list.push([i, (i * i) % 7, i % 3, i % 5]);
    return list;
  };
  const kept = store.hold(setOf(store, grid(0, 500)));
  const before = listOf(store, kept.node);
  const garbage = setOf(store, grid(500, 3000));
  const inFrame = setOf(store, grid(3000, 3100));
  store.frames = (mark) => mark(inFrame);
  const framed = listOf(store, inFrame);
  const { peak } = store;
  expect(garbage).not.toBe(EMPTY);
  store.collect();
  expect(store.live).toBeLessThan(peak / 2);
  expect(listOf(store, kept.node)).toEqual(before);
  expect(listOf(store, inFrame)).toEqual(framed);
  // Equal sets are still the same node, and new nodes take the places of old ones.
  expect(setOf(store, grid(0, 500))).toBe(kept.node);
  expect(store.count(setOf(store, grid(500, 3000)))).toBe(2500n);
  expect(store.peak).toBeLessThan(peak * 1.5);
  store.release(kept);
  store.frames = () => {};
  store.collect();
  expect(store.live).toBe(2);
});

test("a full table says so, and where its nodes are", () => {
  const store = new ListDecisionDiagrams({ ...NEVER, memory: 200 * BYTES_PER_NODE });
  const fill = () => {
    let set = EMPTY;
    for (let i = 0; i < 1000; i++) set = store.union(set, store.vector([0, i, i, 0]));
  };
  expect(fill).toThrow(BudgetExhausted);
  expect(store.capacity).toBeLessThanOrEqual(200);
  const perLevel = store.allNodesPerLevel(4);
  expect(perLevel.reduce((a, b) => a + b)).toBe(store.live - 2);
  expect(Math.max(perLevel[0]!, perLevel[3]!)).toBeLessThan(perLevel[1]!);
  store.recover();
  store.collect();
  expect(store.count(setOf(store, [[1, 2, 3, 4]]))).toBe(1n);
});

test("an operation looks at the clock", () => {
  const store = new ListDecisionDiagrams({ ...NEVER, deadline: performance.now() });
  const run = () => {
    for (let i = 0; ; i++) store.union(store.vector([i, i, i, i]), store.vector([0, 0, 0, i]));
  };
  expect(run).toThrow("no time left");
});
