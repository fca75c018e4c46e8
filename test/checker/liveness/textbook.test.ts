/** Textbook algorithms by the explicit engine, with and without reductions, and by SPIN. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { check } from "../../../src/checker/explicit/check.ts";
import { replay } from "../../../src/checker/reference/index.ts";
import { replayedTrace } from "../../../src/checker/trace/replayed-trace.ts";
import { promela } from "../../../src/export/promela.ts";
import { legality } from "../../../src/report/legality.ts";
import { lower } from "../../../src/spec/lowering/lower.ts";
import { TEXTBOOKS } from "./textbook.ts";

const OPTIONS = { timeout: 60, memory: 2 ** 30, workers: 1 };

const spinThere = spawnSync("spin", ["-V"]).error === undefined && spawnSync("gcc", ["--version"]).error === undefined;
if (!spinThere) console.warn("spin or gcc is not installed: liveness is not compared with SPIN");

test.each(TEXTBOOKS)("$name", async ({ program, expected, spin, reasons }) => {
  const system = lower(program);
  const properties = Object.keys(expected);
  for (const reduction of [false, true]) {
    const { outcomes } = await check(system, { ...OPTIONS, properties, reduction });
    expect(Object.fromEntries(outcomes.map((o) => [o.property, o.verdict]))).toEqual(expected);
    for (const outcome of outcomes) {
      if (outcome.verdict !== "violated") continue;
      const { property, schedule, finding } = outcome;
      const again = replay(program, schedule, property);
      expect(again.fits && again.violates ? "replays" : again.message).toBe("replays");
      if (reasons[property] === undefined) continue;
      const trace = replayedTrace(program, schedule, again, {
        root: "/",
        model: "textbook.ts",
        property,
        verdict: "violated",
        finding,
        label: null,
        depthExact: false,
        assumptions: { memory: "SC", fairness: "weak" },
      });
      expect(legality(trace).join(" ")).toContain(reasons[property]);
    }
  }
  if (!spinThere) return;
  for (const id of spin) {
    const property = system.properties.find((p) => p.id === id)!;
    expect({ id, verdict: bySpin(promela(system, { property })) }).toEqual({ id, verdict: expected[id] });
  }
});

/** The verdict of SPIN's nested depth-first search with weak fairness. */
function bySpin(model: string): "holds" | "violated" {
  const directory = mkdtempSync(join(tmpdir(), "lockstep-spin-"));
  try {
    writeFileSync(join(directory, "m.pml"), model);
    const run = (command: string, ...args: string[]) => spawnSync(command, args, { cwd: directory, encoding: "utf8" });
    expect(run("spin", "-a", "m.pml").status).toBe(0);
    expect(run("gcc", "-w", "-O0", "-DNOREDUCE", "-DNFAIR=4", "-o", "pan", "pan.c").status).toBe(0);
    const out = run("./pan", "-a", "-f", "-m100000").stdout;
    return /errors: (\d+)/.exec(out)![1] === "0" ? "holds" : "violated";
  } finally {
    rmSync(directory, { recursive: true });
  }
}
