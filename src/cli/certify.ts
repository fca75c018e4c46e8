import { existsSync, statSync } from "node:fs";
import { certify as certifyFile } from "../checker/smt/certificate.ts";
import { SolverFailure } from "../checker/smt/solver.ts";
import type { Command } from "./command.ts";
import { SMT_OPTION, solverChoice } from "./solver.ts";
import { UsageError } from "./usage-error.ts";

const DEFAULT_TIMEOUT = 600;

export const certify: Command = {
  usage: "certify CERTIFICATE",
  what: "check a proof of the SMT engine with a fresh solver: 0 certified, 1 not, 2 unusable",
  options: {
    smt: SMT_OPTION,
    timeout: { type: "string", value: "SECONDS", what: `for the three queries; default: ${DEFAULT_TIMEOUT}` },
  },
  async run(args) {
    const [file = ""] = args.require(["CERTIFICATE"], "exactly", certify.usage);
    const timeout = args.number("timeout", "a number of seconds above 0", false) ?? DEFAULT_TIMEOUT;
    const choice = solverChoice(args);
    if (!existsSync(file) || !statSync(file).isFile()) {
      const what = existsSync(file) ? "it is no file" : "there is no such file";
      throw new UsageError(`${file}: ${what}; a certificate is a .smt2 file that --engine smt wrote below --proofs`);
    }
    try {
      const { valid, about, answers, solver } = await certifyFile(file, choice, timeout);
      const lines = Object.entries(answers).map(([question, answer]) => `  ${question}: ${answer}`);
      process.stdout.write(`${[...about, `${solver} answers:`, ...lines].join("\n")}\n`);
      process.stdout.write(valid ? "certified\n" : "not certified: all three answers must be unsat\n");
      return valid ? 0 : 1;
    } catch (error) {
      if (!(error instanceof SolverFailure)) throw error;
      process.stderr.write(`lockstep: ${error.kind === "rejected" ? "" : "the solver: "}${error.message}\n`);
      return 2;
    }
  },
};
