import { join } from "node:path";
import { runEngine } from "../checker/engine.ts";
import { proveForAnyNumber } from "../checker/smt/any-number.ts";
import { nearestNames } from "../spec/nearest.ts";
import { CELL_OPTIONS, loadCell } from "./cell.ts";
import { PROOFS } from "./check.ts";
import type { Command } from "./command.ts";
import { UsageError } from "./usage-error.ts";

export const prove: Command = {
  usage: "prove PROTOCOL --any-number CLASS",
  what: "properties of a scenario for any number of identical threads: 0 proved, 1 violated, 3 open",
  options: {
    ...CELL_OPTIONS,
    "any-number": { type: "string", value: "CLASS", what: "the class of threads, e.g. udev" },
    proofs: { type: "string", value: "DIR", what: `where the certificate of the proof goes; default: ${PROOFS}` },
    property: {
      type: "string",
      multiple: true,
      value: "P",
      what: "only this property (repeatable); default: all that forbid findings",
    },
  },
  async run(args) {
    const { program } = await loadCell(args, prove.usage);
    const cls = args.text("any-number");
    const classes = [...new Set(program.threads.map((t) => t.cls))];
    if (cls === undefined) throw new UsageError(`say of which threads: --any-number ${classes.join(" | ")}`);
    if (!classes.includes(cls)) {
      throw new UsageError(
        `no threads are of class ${cls}; there are ${classes.join(", ")}.${nearestNames(cls, classes)}`,
      );
    }
    const ids = program.properties.map((p) => p.id);
    const named = args.list("property");
    for (const id of named) {
      if (!ids.includes(id)) {
        throw new UsageError(`no property is called ${id}; there are ${ids.join(", ")}.${nearestNames(id, ids)}`);
      }
    }
    const asked = program.properties
      .filter((p) => (named.length === 0 ? p.check.c === "findings" : named.includes(p.id)))
      .map((p) => p.id);
    // At the size of the scenario first: what is violated there, or speaks of what never happens, needs no proof.
    const here = await runEngine("explicit", program, {
      properties: asked,
      reduction: true,
      timeout: Number.POSITIVE_INFINITY,
      memory: 2 ** 29,
      workers: 1,
    });
    const lines: string[] = [];
    const because = new Set<string>();
    let status = 0;
    const proofs = args.text("proofs") ?? PROOFS;
    if (proofs === "") throw new UsageError("--proofs needs the name of a directory");
    const { answers, certificate } = proveForAnyNumber(program, cls, asked, proofs);
    for (const answer of answers) {
      const outcome = here.outcomes.find((o) => o.property === answer.property);
      const { property } = answer;
      if (outcome?.verdict === "violated") {
        status = 1;
        lines.push(
          `${property}: violated with the threads of the scenario (${outcome.finding.kind}); see lockstep check`,
        );
      } else if (answer.verdict === "holds") {
        const vacuous =
          outcome?.verdict === "vacuous" ? `, vacuously with those of the scenario: ${outcome.reason}` : "";
        lines.push(`${property}: holds for any number of ${cls}${vacuous}`);
        for (const line of answer.because) because.add(line);
      } else {
        if (status === 0) status = 3;
        lines.push(`${property}: open: ${answer.reason}`);
      }
    }
    const { protocol, variant, scenario } = program;
    const invariant = because.size === 0 ? [] : ["the invariant:", ...[...because].map((line) => `  ${line}`)];
    const checkable = certificate === undefined ? [] : [`to check: npx lockstep certify ${join(proofs, certificate)}`];
    process.stdout.write(
      `${[`${protocol} ${variant} ${scenario}`, ...lines, ...invariant, ...checkable].join("\n")}\n`,
    );
    return status;
  },
};
