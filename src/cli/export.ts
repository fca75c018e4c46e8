import { writeFileSync } from "node:fs";
import { EXPORT_FORMATS } from "../report/export-formats.ts";
import { CELL_OPTIONS, loadCell } from "./cell.ts";
import type { Command } from "./command.ts";
import { UsageError } from "./usage-error.ts";

const DEFAULT_MAX_STATES = 2000;

export const exportCommand: Command = {
  usage: "export PROTOCOL --to FORMAT",
  what: `a scenario in another language: ${Object.keys(EXPORT_FORMATS).join(" | ")}`,
  options: {
    ...CELL_OPTIONS,
    to: { type: "string", value: "FORMAT", what: Object.keys(EXPORT_FORMATS).join(", ") },
    output: { type: "string", value: "FILE", what: "write to a file; default: stdout" },
    "max-states": { type: "string", value: "N", what: `largest graph to draw (dot); default: ${DEFAULT_MAX_STATES}` },
  },
  async run(args) {
    const formats = Object.keys(EXPORT_FORMATS);
    const format = args.choice("to", formats);
    if (format === undefined) throw new UsageError(`say the format: --to ${formats.join(" | ")}`);
    if (args.has("max-states") && format !== "dot")
      throw new UsageError(`--max-states has no effect on --to ${format}`);
    const maxStates = args.number("max-states", "a whole number above 0", true) ?? DEFAULT_MAX_STATES;
    const { program } = await loadCell(args, exportCommand.usage);
    const text = (await EXPORT_FORMATS[format]?.(program, { maxStates })) ?? "";
    const file = args.text("output");
    if (file === undefined) process.stdout.write(text);
    else writeFileSync(file, text);
    return 0;
  },
};
