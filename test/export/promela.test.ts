import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { explore } from "../../src/checker/reference/index.ts";
import { promela } from "../../src/export/promela.ts";
import { lower } from "../../src/spec/lowering/lower.ts";
import { randomProgram } from "../random-program.ts";

const has = (tool: string) => spawnSync(tool, ["-V"]).error === undefined;
const spin = has("spin") && has("gcc");
const withSpin = spin ? test : test.skip;
if (!spin) console.warn("spin or gcc is not installed: the comparison with SPIN is skipped");

/** States and transitions SPIN counts, without its reductions and without what it simplifies by data flow. */
function count(model: string): { states: number; transitions: number } {
  const directory = mkdtempSync(join(tmpdir(), "lockstep-spin-"));
  try {
    writeFileSync(join(directory, "m.pml"), model);
    const run = (command: string, ...args: string[]) => {
      const result = spawnSync(command, args, { cwd: directory, encoding: "utf8" });
      if (result.status !== 0) throw new Error(`${command}: ${result.stdout}${result.stderr}\n${model}`);
      return result.stdout;
    };
    run("spin", "-a", "-o1", "-o2", "-o3", "m.pml");
    run("gcc", "-w", "-O0", "-DSAFETY", "-DNOREDUCE", "-o", "pan", "pan.c");
    const out = run("./pan", "-m100000", "-E", "-n");
    return {
      states: Number(/(\d+) states, stored/.exec(out)![1]),
      transitions: Number(/(\d+) transitions/.exec(out)![1]),
    };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

withSpin(
  "SPIN counts the states and transitions we count, on random protocols without errors",
  () => {
    let compared = 0;
    for (let seed = 1; compared < 8; seed++) {
      const program = randomProgram(seed);
      const e = explore(program, { properties: [], maxStates: 2000 });
      if (!e.complete || Object.keys(e.cut).length > 0 || (e.states ?? 0) < 60) continue;
      const text = promela(lower(program));
      // SPIN counts the initial state as a transition. The filling of arrays is a step and a state of its own.
      const extra = text.includes("\ninit {") ? 1 : 0;
      const ours = { states: e.states! + extra, transitions: e.transitions! + 1 + extra };
      expect({ seed, ...count(text) }).toEqual({ seed, ...ours });
      compared++;
    }
  },
  120_000,
);
