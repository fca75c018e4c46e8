import { randomInt } from "node:crypto";
import { relative, sep } from "node:path";
import { simulate as walk } from "../checker/reference/index.ts";
import { replayedTrace } from "../checker/trace/replayed-trace.ts";
import { scheduleText, settingsText } from "../report/counterexample.ts";
import { CELL_OPTIONS, loadCell } from "./cell.ts";
import type { Command } from "./command.ts";
import { UsageError } from "./usage-error.ts";

const DEFAULT_STEPS = 200;

export const simulate: Command = {
  usage: "simulate PROTOCOL",
  what: "random schedules, with a seed",
  options: {
    ...CELL_OPTIONS,
    seed: { type: "string", value: "N", what: "an integer; the same seed gives the same schedule" },
    steps: { type: "string", value: "N", what: `steps to take at most; default: ${DEFAULT_STEPS}` },
  },
  async run(args) {
    const wanted = args.text("seed");
    if (wanted !== undefined && !/^-?\d{1,15}$/.test(wanted))
      throw new UsageError(`--seed ${wanted}: expected an integer`);
    const seed = wanted === undefined ? randomInt(1, 2 ** 31) : Number(wanted);
    const steps = args.number("steps", "a whole number above 0", true) ?? DEFAULT_STEPS;
    const { model, program } = await loadCell(args, simulate.usage);
    const { visits, error, schedule, end } = walk(program, { seed, steps });
    const trace = replayedTrace(
      program,
      schedule,
      { visits, ...(error === undefined ? {} : { error }) },
      {
        root: model.root,
        model: relative(model.root, model.file).split(sep).join("/"),
        property: "",
        verdict: "inconclusive",
        finding: { kind: "simulation", message: "" },
        label: null,
        depthExact: false,
        assumptions: { memory: "SC", fairness: "none" },
      },
    );
    const settings = settingsText(trace);
    const title = `${program.protocol} ${program.variant}, ${program.scenario}${settings === "" ? "" : ` (${settings})`}`;
    const last = visits.at(-1);
    const waiting = last?.status.filter((s) => s.status === "blocked").map((s) => s.why) ?? [];
    const ending = {
      steps: `stopped after ${steps} steps`,
      error: `ended in an error: ${error?.result.k === "error" ? error.result.error.kind : ""}`,
      stuck: waiting.length > 0 ? `nothing can move any more: ${waiting.join("; ")}` : "everything came to rest",
    }[end];
    const replayed = ["--variant", program.variant, "--scenario", program.scenario];
    for (const param of args.list("param")) replayed.push("--param", param);
    process.stdout.write(
      `${title}, seed ${seed}\n\n${scheduleText(trace)}\n\n${ending}\n` +
        `Again: npx lockstep simulate ${args.positionals[0]} ${replayed.join(" ")} --seed ${seed} --steps ${steps}\n`,
    );
    return 0;
  },
};
