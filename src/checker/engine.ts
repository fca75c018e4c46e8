/** The engines by name. They do not know each other; this is the one place that knows them all. */
import type { Program } from "../spec/program.ts";
import type { Exploration, SearchOptions } from "./verdict.ts";

export const ENGINES = ["explicit", "symbolic", "smt", "reference"] as const;
export type EngineName = (typeof ENGINES)[number];

export type EngineOption = "workers" | "memory" | "no-reduction" | "checkpoint" | "resume" | "storage" | SolverOption;
export type SolverOption = "smt" | "keep-smt" | "depth";

/** Which of the options of `check` have an effect on an engine; all of them know a time limit. */
export const ENGINE_OPTIONS: Readonly<Record<EngineName, ReadonlySet<EngineOption>>> = {
  explicit: new Set(["workers", "memory", "no-reduction", "checkpoint", "resume", "storage"]),
  symbolic: new Set(["memory", "no-reduction"]),
  smt: new Set(["workers", "memory", "smt", "keep-smt", "depth"]),
  // It never reduces anything and always finishes the graph, so asking for the exact graph is asking for what it does.
  reference: new Set(["no-reduction"]),
};

/** Engines are loaded when they are needed: a solver alone takes a tenth of a second. */
export async function runEngine(engine: EngineName, program: Program, options: SearchOptions): Promise<Exploration> {
  // Whatever is wrong with a model is said alike, also of one that the interpreter will run as it is written.
  const { lower } = await import("../spec/lowering/lower.ts");
  const system = lower(program);
  if (engine === "reference") {
    const { explore } = await import("./reference/index.ts");
    return explore(program, options);
  }
  switch (engine) {
    case "explicit":
      return (await import("./explicit/check.ts")).check(system, options);
    case "symbolic":
      return (await import("./symbolic/check.ts")).check(system, options);
    case "smt":
      return (await import("./smt/check.ts")).check(system, { ...options, ...options.smt });
  }
}
