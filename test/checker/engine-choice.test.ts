/** What `auto` does: the explicit search, then decision diagrams, then the explicit search with all the memory. */
import { exploreWithBest } from "../../src/checker/engine-choice.ts";
import type { SearchOptions } from "../../src/checker/verdict.ts";
import {
  atomic,
  atomic_dec,
  atomic_inc,
  atomically,
  deadlock,
  Forever,
  global,
  If,
  int,
  invariant,
  mutex,
  mutex_lock,
  mutex_unlock,
  observer,
  type Property,
  protocol,
  type ThreadSpec,
  thread,
} from "../../src/index.ts";
import type { Program } from "../../src/spec/program.ts";

/** Too little for all but the smallest tables of the explicit search. */
const TINY = 2 ** 15;

function record(threads: () => readonly ThreadSpec[], properties: readonly Property[]): Program {
  const p = protocol("p", {
    title: "p",
    source: "textbook",
    variants: [{ id: "v", title: "v" }],
    scenarios: [{ id: "s", title: "s", properties, threads }],
  });
  return p.record({ variant: "v", scenario: "s" })!;
}

function options(program: Program, more: Partial<SearchOptions> = {}): SearchOptions {
  return {
    properties: program.properties.filter((p) => !p.implied).map((p) => p.id),
    reduction: false,
    timeout: Number.POSITIVE_INFINITY,
    memory: 2 ** 28,
    workers: 1,
    ...more,
  };
}

const COUNT = 7;
const eating = global("eating", atomic(0, COUNT));
const forks = Array.from({ length: COUNT }, (_, i) => global(`fork${i}`, mutex()));
const table = (right: number) =>
  record(
    () =>
      forks.map((near, i) =>
        thread(`philosopher${i}`, () => {
          const far = forks[(i + 1) % COUNT]!;
          const [first, second] = i === right ? [far, near] : [near, far];
          Forever(() => {
            mutex_lock(first);
            mutex_lock(second);
            atomic_inc(eating);
            atomic_dec(eating);
            mutex_unlock(second);
            mutex_unlock(first);
          });
        }),
      ),
    [deadlock, invariant("few", { title: "t", message: "m" }, () => eating.now.le(3))],
  );
/** One takes the other fork first, so that nobody starves. */
const seven = table(0);

test("what fits the first search is decided by it", async () => {
  const found = await exploreWithBest(seven, options(seven));
  expect(found).toHaveLength(1);
  expect(found[0]).toMatchObject({ engine: "explicit", method: "bfs", complete: true });
});

test("what does not is decided symbolically, and the verdict says so; the counts are the same", async () => {
  const [whole] = await exploreWithBest(seven, options(seven));
  const found = await exploreWithBest(seven, options(seven), TINY);
  expect(found).toHaveLength(1);
  const { states, transitions } = whole!;
  expect(found[0]).toMatchObject({ engine: "symbolic", complete: true, states, transitions });
  expect(found[0]!.method).toMatch(/^saturation, .*, after explicit search: memory ran out: \d+ states found/);
  expect(found[0]!.outcomes).toEqual(options(seven).properties.map((property) => ({ property, verdict: "holds" })));
});

test("what the first search has decided stays its own", async () => {
  const left = table(-1);
  const found = await exploreWithBest(left, options(left), TINY);
  expect(found).toMatchObject([
    { engine: "explicit", complete: false, outcomes: [{ property: "deadlock", verdict: "violated" }] },
    { engine: "symbolic", complete: true, outcomes: [{ property: "few", verdict: "holds" }] },
  ]);
});

test("a shortage of time sends it to the symbolic engine too, and nobody begins again", async () => {
  const found = await exploreWithBest(seven, options(seven, { timeout: 0 }), TINY);
  expect(found).toHaveLength(1);
  expect(found[0]).toMatchObject({ engine: "explicit", complete: false });
  for (const o of found[0]!.outcomes) {
    expect(o).toMatchObject({ verdict: "inconclusive" });
    expect(o).toHaveProperty(
      "reason",
      expect.stringMatching(/^explicit search: time ran out.*; symbolic engine: time/),
    );
  }
});

test("where neither has the memory, both reasons are given", async () => {
  const found = await exploreWithBest(seven, options(seven, { memory: 2 ** 13 }), TINY);
  expect(found).toHaveLength(1);
  expect(found[0]).toMatchObject({ engine: "explicit", complete: false });
  const both = /^explicit search: memory ran out: .*; symbolic engine: memory ran out with \d+ nodes/;
  expect(found[0]!.outcomes[0]).toHaveProperty("reason", expect.stringMatching(both));
});

test("where nodes take more memory than states, the explicit search begins again with all of it, and says so", async () => {
  // A number has no structure: a node for each of its values, and a node takes more room than a state.
  const n = global("n", observer(int(0, 2 ** 13)));
  const count = thread("count", () => {
    Forever(() =>
      atomically("count", () =>
        If(
          n.now.ge(2 ** 13),
          () => n.set(0),
          () => n.set(n.now.plus(1)),
        ),
      ),
    );
  });
  const program = record(() => [count], [invariant("small", { title: "t", message: "m" }, () => n.now.ge(0))]);
  const found = await exploreWithBest(program, options(program, { memory: 2 ** 19 }), TINY);
  expect(found).toHaveLength(1);
  expect(found[0]).toMatchObject({ engine: "explicit", complete: true, outcomes: [{ verdict: "holds" }] });
  expect(found[0]!.method).toMatch(
    /^bfs, after explicit search: memory ran out: .*; symbolic engine: memory ran out with \d+ nodes .* for (n|count) /,
  );
}, 60_000);
