/** The formats of `export`: to add one, write a printer of a program and name it here. */
import type { Program } from "../spec/program.ts";
import { graphAsDot } from "./dot.ts";

export interface ExportOptions {
  /** Largest graph to print, where the format is one of the state graph. */
  readonly maxStates: number;
}

export type ExportFormat = (program: Program, options: ExportOptions) => string | Promise<string>;

export const EXPORT_FORMATS: Readonly<Record<string, ExportFormat>> = {
  dot: graphAsDot,
};
