/** The options that choose an SMT solver, for every command that has one. */
import type { EngineName } from "../checker/engine.ts";
import { nativeSolver, unusable } from "../checker/smt/solver.ts";
import { SMT_METHODS, type SolverOptions } from "../checker/verdict.ts";
import type { Arguments, OptionSpec } from "./command.ts";
import { UsageError } from "./usage-error.ts";

export const SMT_OPTION: OptionSpec = {
  type: "string",
  value: "SOLVER",
  what: "wasm (default, built in), native (z3, else cvc5, on PATH), z3, cvc5, or a program's file",
};

/** Which solver `--smt` asks for. Throws where it cannot be run or is too old, saying what to install. */
export function solverChoice(args: Arguments): Pick<SolverOptions, "solver" | "command"> {
  const word = args.text("smt");
  if (word === undefined || word === "wasm") return { solver: "wasm" };
  if (!/^(native|z3|cvc5)$/.test(word) && !word.includes("/")) {
    throw new UsageError(`--smt ${word}: expected wasm, native, z3, cvc5, or the file of a solver, with a / in it`);
  }
  const command = word === "native" ? undefined : word;
  const problem = unusable(command);
  if (problem !== undefined) throw new UsageError(`--smt ${word}: ${problem}`);
  return { solver: "native", ...(command !== undefined && { command }) };
}

/** The options of the SMT engine; undefined where it is not among those that run, which refuse them. */
export function solverOptions(args: Arguments, engines: readonly (EngineName | "auto")[]): SolverOptions | undefined {
  if (!engines.includes("smt")) {
    for (const option of ["smt", "depth", "method", "rlimit", "keep-smt", "proofs"]) {
      if (args.has(option)) throw new UsageError(`--${option} has an effect only on the SMT engine: add --engine smt`);
    }
    return undefined;
  }
  const choice = solverChoice(args);
  const other = choice.solver === "native" && !/z3[^/]*$/.test(nativeSolver(choice.command) ?? "");
  const alone = engines.every((e) => e === "smt" || e === "reference");
  if (args.has("memory") && alone && other) {
    throw new UsageError("--memory has an effect on the engine smt only where the solver is z3 (--smt wasm or z3)");
  }
  const keep = args.text("keep-smt");
  if (keep === "") throw new UsageError("--keep-smt needs the name of a directory");
  const depth = args.number("depth", "a whole number of steps above 0", true);
  const method = args.choice("method", SMT_METHODS);
  const rlimit = args.number("rlimit", "a whole number of resource units above 0", true);
  return {
    ...choice,
    ...(method !== undefined && { method }),
    ...(depth !== undefined && { depth }),
    ...(rlimit !== undefined && { rlimit }),
    ...(keep !== undefined && { keep }),
  };
}
