/** The engines by name. They do not know each other; this is the one place that knows them all. */
import { ModelError } from "../spec/model-error.ts";
import type { Program } from "../spec/program.ts";
import type { TransitionSystem } from "../spec/transition-system.ts";
import type { Exploration, SearchOptions } from "./verdict.ts";

export const ENGINES = ["explicit", "symbolic", "smt", "reference"] as const;
export type EngineName = (typeof ENGINES)[number];

/** Which of the options of `check` have an effect on an engine; all of them know a time limit. */
export const ENGINE_OPTIONS: Readonly<Record<EngineName, ReadonlySet<"workers" | "memory" | "no-reduction">>> = {
  explicit: new Set(["workers", "memory", "no-reduction"]),
  symbolic: new Set(["memory", "no-reduction"]),
  smt: new Set(),
  // It never reduces anything and always finishes the graph, so asking for the exact graph is asking for what it does.
  reference: new Set(["no-reduction"]),
};

interface Engine {
  check(system: TransitionSystem, options: SearchOptions): Exploration | Promise<Exploration>;
}

/** This file's own extension: engines are loaded when needed, from the sources or from the build. */
const EXTENSION = import.meta.url.endsWith(".ts") ? ".ts" : ".js";

async function load<T>(path: string): Promise<T> {
  try {
    return (await import(new URL(`${path}${EXTENSION}`, import.meta.url).href)) as T;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND") throw error;
    throw new ModelError(`this build has no ${path}`);
  }
}

export async function runEngine(engine: EngineName, program: Program, options: SearchOptions): Promise<Exploration> {
  if (engine === "reference") {
    const { explore } = await import("./reference/index.ts");
    return explore(program, options);
  }
  const { lower } = await load<{ lower(program: Program): TransitionSystem }>("../spec/lowering/lower");
  const { check } = await load<Engine>(`./${engine}/check`);
  return check(lower(program), options);
}
