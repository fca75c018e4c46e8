/** The formats of `show`: to add one, write a renderer of a trace and name it here. */
import { writeItf } from "../checker/trace/itf.ts";
import type { Trace } from "../checker/trace/trace.ts";
import { counterexampleText } from "./counterexample.ts";
import { traceAsHtml } from "./html.ts";
import { traceAsMermaid } from "./mermaid.ts";
import { traceAsPerfetto } from "./perfetto.ts";
import { traceAsSarif } from "./sarif.ts";

export interface TraceContext {
  readonly version: string;
  /** The trace's file as the user would type it. */
  readonly file: string;
  /** The value of every variable at the end, too; for the formats that show changes only. */
  readonly full?: boolean;
}

export type TraceFormat = (trace: Trace, context: TraceContext) => string;

export const TRACE_FORMATS: Readonly<Record<string, TraceFormat>> = {
  text: (trace, context) => counterexampleText(trace, { file: context.file, full: context.full ?? false }),
  html: (trace, context) => traceAsHtml(trace, context.file),
  itf: (trace) => writeItf(trace),
  json: (trace) => `${JSON.stringify(trace, null, 2)}\n`,
  mermaid: (trace) => traceAsMermaid(trace),
  perfetto: (trace) => traceAsPerfetto(trace),
  sarif: (trace, context) => traceAsSarif(trace, context.version),
};
