import { readTraceFile } from "../checker/trace/itf-reader.ts";
import { TRACE_FORMATS } from "../report/trace-formats.ts";
import type { Command } from "./command.ts";
import { packageVersion } from "./package-version.ts";
import { UsageError } from "./usage-error.ts";

export const show: Command = {
  usage: "show TRACE",
  what: `a trace, as --format ${Object.keys(TRACE_FORMATS).join(" | ")}`,
  options: {
    format: { type: "string", value: "NAME", what: `${Object.keys(TRACE_FORMATS).join(", ")}; default: text` },
    full: { type: "boolean", what: "the value of every variable at the end, too (text)" },
  },
  async run(args) {
    const [file = ""] = args.require(["TRACE"], "exactly", show.usage);
    const format = args.choice("format", Object.keys(TRACE_FORMATS)) ?? "text";
    if (args.flag("full") && format !== "text") throw new UsageError(`--full has no effect on --format ${format}`);
    const render = TRACE_FORMATS[format];
    const trace = readTraceFile(file);
    process.stdout.write(render?.(trace, { version: packageVersion(), file, full: args.flag("full") }) ?? "");
    return 0;
  },
};
