/**
 * Every committed trace still is the violation it says it is: the reference interpreter runs it against the model as it
 * is now. That something never happens again is explored a little way only; the check itself explores it to the end.
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { replay } from "../src/checker/reference/index.ts";
import { readTraceFile } from "../src/checker/trace/itf-reader.ts";
import { scheduleOf } from "../src/checker/trace/replayed-trace.ts";
import type { Protocol } from "../src/spec/model.ts";
import type { Program } from "../src/spec/program.ts";

const MAX_STATES = 50;

function filesBelow(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name);
    return entry.isDirectory() ? filesBelow(path) : [path];
  });
}

const protocols = readdirSync("counterexamples").filter((name) => existsSync(`models/${name}/protocol.ts`));

test("no traces of protocols that are gone", () => {
  expect(readdirSync("counterexamples").sort()).toEqual(protocols.sort());
});

test.each(protocols)(
  "%s",
  async (name) => {
    const protocol: Protocol = (await import(`../models/${name}/protocol.ts`)).default;
    const programs = new Map<string, Program>();
    const wrong: string[] = [];
    for (const file of filesBelow(join("counterexamples", name))) {
      const trace = readTraceFile(file);
      const { variant, scenario, sizes, switches } = trace;
      const key = JSON.stringify([variant, scenario, sizes, switches]);
      const program = programs.get(key) ?? protocol.record({ variant, scenario, sizes, switches })!;
      programs.set(key, program);
      const schedule = scheduleOf(trace, program);
      const kind = trace.finding.kind;
      const result =
        schedule === null ? null : replay(program, schedule, trace.property, { maxStates: MAX_STATES, kind });
      if (result?.fits && result.violates && result.finding?.kind === kind) continue;
      wrong.push(`${file}: ${result === null ? "its threads are gone" : result.message}`);
    }
    expect(wrong).toEqual([]);
  },
  300_000,
);
