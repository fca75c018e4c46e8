/** The formats of `export`: to add one, write a printer of a program and name it here. */
import { NotExpressible } from "../export/not-expressible.ts";
import { promela } from "../export/promela.ts";
import { smtlib } from "../export/smtlib.ts";
import { tla } from "../export/tla.ts";
import { lower } from "../spec/lowering/lower.ts";
import type { Program } from "../spec/program.ts";
import { graphAsDot } from "./dot.ts";

export interface ExportOptions {
  /** Largest graph to print, where the format is one of the state graph. */
  readonly maxStates: number;
  /** Id of the property to put beside the model, where the format has a place for one. */
  readonly property?: string;
  /** Name of the file that is written, without its extension, where there is one and the format has to repeat it. */
  readonly name?: string;
}

export interface Exported {
  readonly text: string;
  /** What belongs into a second file of the same name, by its extension. */
  readonly beside?: { readonly extension: string; readonly text: string };
}

export type ExportFormat = (program: Program, options: ExportOptions) => string | Exported;

export const EXPORT_FORMATS: Readonly<Record<string, ExportFormat>> = {
  dot: graphAsDot,
  promela: (program, { property: id }) => {
    const system = lower(program);
    const property = system.properties.find((p) => p.id === id);
    return promela(system, property === undefined ? {} : { property });
  },
  smtlib: (program, { property: id }) => {
    const system = lower(program);
    const property = system.properties.find((p) => p.id === id);
    if (property === undefined) throw new NotExpressible("Horn clauses ask one question: say which, with --property P");
    return smtlib(system, property);
  },
  tla: (program, { property: id, name }) => {
    const system = lower(program);
    const property = system.properties.find((p) => p.id === id);
    const { text, configuration } = tla(system, {
      ...(property === undefined ? {} : { property }),
      ...(name === undefined ? {} : { module: name }),
    });
    return { text, beside: { extension: ".cfg", text: configuration } };
  },
};
