/** Integers without bounds: a program whose counters may grow with the number of its threads. */
import type { Domain, Program } from "../../spec/program.ts";

const UNBOUNDED: Domain = { d: "int", lo: Number.NEGATIVE_INFINITY, hi: Number.POSITIVE_INFINITY };

/** @param names variables, and locals as `function.local`, that lose their bounds; others than integers keep them */
export function withoutBounds(program: Program, names: ReadonlySet<string>): Program {
  const widened = <T extends { readonly domain: Domain }>(name: string, declared: T): T =>
    names.has(name) && declared.domain.d === "int" ? { ...declared, domain: UNBOUNDED } : declared;
  return {
    ...program,
    vars: program.vars.map((v) => widened(v.name, v)),
    functions: Object.fromEntries(
      Object.entries(program.functions).map(([name, f]) => [
        name,
        { ...f, locals: f.locals.map((l) => widened(`${name}.${l.name}`, l)) },
      ]),
    ),
  };
}
