import { coverageOf } from "../../src/checker/coverage.ts";
import { explore } from "../../src/checker/reference/index.ts";
import { loadModel } from "../../src/load/load-model.ts";
import { ModelError } from "../../src/spec/model-error.ts";
import type { Program, Site, Stmt } from "../../src/spec/program.ts";
import { randomProgram } from "../random-program.ts";

const OPTIONS = { reduction: true, timeout: 60, memory: 2 ** 30, workers: 1 };

const key = ({ file, line, column }: Site) => `${file}:${line}:${column}`;

const { protocol } = await loadModel("test/checker/models/unreached.ts");

function recorded(scenario: string): Program {
  const program = protocol.record({ variant: "only", scenario });
  if (program === null) throw new Error(`no ${scenario}`);
  return program;
}

async function missed(scenario: string, options: Partial<typeof OPTIONS> = {}): Promise<string[]> {
  const { unreached, complete } = await coverageOf(recorded(scenario), { ...OPTIONS, ...options });
  expect(complete).toBe(true);
  return unreached.map(({ fn, text }) => `${fn}: ${text}`);
}

test.each([true, false])("statements that no run reaches, with reduction %s", async (reduction) => {
  expect(await missed("alone", { reduction })).toEqual([
    "open: mutex_unlock(&lock)",
    "open: return",
    "open: x = 3",
    "open: never()",
    "never: x = 2",
    "never: return",
  ]);
  // What another thread does makes some of them possible.
  expect(await missed("with-closer", { reduction })).toEqual([
    "open: x = 3",
    "open: never()",
    "never: x = 2",
    "never: return",
  ]);
});

test("a step that a thread waits at for ever is not reached, and one that ends in an error is", async () => {
  expect(await missed("stuck")).toEqual(["waiter: wait for closed", "waiter: x = 1"]);
  expect(await missed("crash")).toEqual(["crasher: x = 1"]);
});

test("a place belongs to the function, with the kernel call; labels, errors and findings are no statements", async () => {
  const { protocol: p, variant, scenario, statements } = await coverageOf(recorded("alone"), OPTIONS);
  expect([p, variant, scenario]).toEqual(["unreached", "only", "alone"]);
  expect(statements.map(({ fn, text }) => `${fn}: ${text}`)).toEqual([
    "thread opener: opener()",
    "opener: open()",
    "open: mutex_lock(&lock)",
    "open: closed",
    "open: if",
    "open: mutex_unlock(&lock)",
    "open: return",
    "open: x = 1",
    "open: if",
    "open: goto out",
    "open: x = 3",
    "open: never()",
    "open: mutex_unlock(&lock)",
    "never: x = 2",
    "never: return",
  ]);
  expect(new Set(statements.map(({ site }) => site.file))).toEqual(new Set(["test/checker/models/unreached.ts"]));
});

test("where the search is not finished, nothing is claimed", async () => {
  const { unreached, complete } = await coverageOf(recorded("alone"), { ...OPTIONS, timeout: 0 });
  expect([unreached, complete]).toEqual([[], false]);
});

/** The program with places of its own for its statements, or with a few places that they share. */
function placed(program: Program, places: number): Program {
  let next = 0;
  const place = (stmt: Stmt): Stmt => {
    // These are not asked about, so they must not share a place with what is.
    if (stmt.s === "label" || stmt.s === "error" || stmt.s === "finding") return stmt;
    const site = { file: "placed.ts", line: 1 + (next++ % places), column: 1 };
    const blocks = (body: readonly Stmt[]) => body.map(place);
    switch (stmt.s) {
      case "if":
        return { ...stmt, site, then: blocks(stmt.then), else: blocks(stmt.else) };
      case "while":
        return { ...stmt, site, head: blocks(stmt.head), body: blocks(stmt.body) };
      case "choose":
        return { ...stmt, site, ways: stmt.ways.map((way) => ({ ...way, body: blocks(way.body) })) };
      case "step":
        return { ...stmt, site, alternatives: stmt.alternatives.map((a) => ({ ...a, body: blocks(a.body) })) };
      default:
        return { ...stmt, site };
    }
  };
  const functions = Object.entries(program.functions).map(([name, fn]) => [name, { ...fn, body: fn.body.map(place) }]);
  return { ...program, functions: Object.fromEntries(functions) };
}

test.each([
  ["places of their own", Number.POSITIVE_INFINITY],
  ["shared places", 9],
])(
  "the reference interpreter runs the same statements of random protocols: %s",
  async (_, places) => {
    let compared = 0;
    let unreached = 0;
    for (let seed = 1; seed <= 60; seed++) {
      const program = placed(randomProgram(seed), places);
      let oracle: ReturnType<typeof explore>;
      try {
        oracle = explore(program, { properties: [], maxStates: 1500 });
      } catch (error) {
        if (error instanceof ModelError) continue;
        throw error;
      }
      if (!oracle.complete) continue;
      for (const reduction of [true, false]) {
        const coverage = await coverageOf(program, { ...OPTIONS, reduction });
        if (!coverage.complete) continue;
        const own = new Set(coverage.statements.map(({ site }) => key(site)));
        const expected = oracle.unreached.map(key).filter((k) => own.has(k));
        const found = coverage.unreached.map(({ site }) => key(site));
        expect({ seed, reduction, unreached: found.sort() }).toEqual({ seed, reduction, unreached: expected.sort() });
        compared++;
        unreached += found.length;
      }
    }
    expect(compared).toBeGreaterThan(60);
    expect(unreached).toBeGreaterThan(20);
  },
  60_000,
);
