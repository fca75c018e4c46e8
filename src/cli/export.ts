import { join, parse } from "node:path";
import { NotExpressible } from "../export/not-expressible.ts";
import { EXPORT_FORMATS, type Exported, type ExportOptions } from "../report/export-formats.ts";
import { nearest } from "../spec/nearest.ts";
import type { Program } from "../spec/program.ts";
import { CELL_OPTIONS, loadCell } from "./cell.ts";
import type { Command } from "./command.ts";
import { assertCanBe, writeOutput } from "./output-file.ts";
import { UsageError } from "./usage-error.ts";

const DEFAULT_MAX_STATES = 2000;

export const exportCommand: Command = {
  usage: "export PROTOCOL --to FORMAT",
  what: `a scenario in another language: ${Object.keys(EXPORT_FORMATS).join(" | ")}`,
  options: {
    ...CELL_OPTIONS,
    to: { type: "string", value: "FORMAT", what: Object.keys(EXPORT_FORMATS).join(", ") },
    property: {
      type: "string",
      value: "P",
      what: "the property that is asked: a temporal one, as an ltl block (promela), one of safety (smtlib), or any (tla)",
    },
    output: {
      type: "string",
      value: "FILE",
      what: "write to a file, and what TLC wants beside it to another (tla); default: stdout",
    },
    "max-states": { type: "string", value: "N", what: `largest graph to draw (dot); default: ${DEFAULT_MAX_STATES}` },
  },
  async run(args) {
    const formats = Object.keys(EXPORT_FORMATS);
    const format = args.choice("to", formats);
    if (format === undefined) throw new UsageError(`say the format: --to ${formats.join(" | ")}`);
    if (args.has("max-states") && format !== "dot")
      throw new UsageError(`--max-states has no effect on --to ${format}`);
    const maxStates = args.number("max-states", "a whole number above 0", true) ?? DEFAULT_MAX_STATES;
    const property = args.text("property");
    if (property !== undefined && format === "dot") throw new UsageError("--property has no effect on --to dot");
    const file = args.text("output");
    if (file === "") throw new UsageError("--output needs the name of a file");
    if (file !== undefined) assertCanBe("file", file, `--output ${file}`);
    const { program } = await loadCell(args, exportCommand.usage);
    if (property !== undefined && !program.properties.some((p) => p.id === property)) {
      const ids = program.properties.map((p) => p.id);
      throw new UsageError(`the scenario has no property ${property}; nearest: ${nearest(property, ids).join(", ")}`);
    }
    const { text, beside } = exported(format, program, {
      maxStates,
      ...(property === undefined ? {} : { property }),
      ...(file === undefined ? {} : { name: parse(file).name }),
    });
    if (file === undefined) process.stdout.write(text);
    else writeOutput(file, text);
    if (file !== undefined && beside !== undefined) {
      writeOutput(join(parse(file).dir, `${parse(file).name}${beside.extension}`), beside.text);
    }
    return 0;
  },
};

function exported(format: string, program: Program, options: ExportOptions): Exported {
  try {
    const made = EXPORT_FORMATS[format]?.(program, options) ?? "";
    return typeof made === "string" ? { text: made } : made;
  } catch (error) {
    if (error instanceof NotExpressible) throw new UsageError(`--to ${format} cannot express this: ${error.message}`);
    throw error;
  }
}
