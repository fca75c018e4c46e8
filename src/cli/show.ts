import { readTraceFile } from "../checker/trace/itf-reader.ts";
import { TRACE_FORMATS } from "../report/trace-formats.ts";
import type { Command } from "./command.ts";
import { packageVersion } from "./package-version.ts";

export const show: Command = {
  usage: "show TRACE",
  what: `a trace, as --format ${Object.keys(TRACE_FORMATS).join(" | ")}`,
  options: {
    format: { type: "string", value: "NAME", what: `${Object.keys(TRACE_FORMATS).join(", ")}; default: text` },
  },
  async run(args) {
    const [file = ""] = args.require(["TRACE"], "exactly", show.usage);
    const format = args.choice("format", Object.keys(TRACE_FORMATS)) ?? "text";
    const render = TRACE_FORMATS[format];
    const trace = readTraceFile(file);
    process.stdout.write(render?.(trace, { version: packageVersion(), file }) ?? "");
    return 0;
  },
};
