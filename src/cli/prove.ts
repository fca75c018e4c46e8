import { join } from "node:path";
import { runEngine } from "../checker/engine.ts";
import { proveForAnyNumber, type Sized } from "../checker/smt/any-number.ts";
import { nearestNames } from "../spec/nearest.ts";
import type { Program } from "../spec/program.ts";
import { CELL_OPTIONS, type Cell, loadCell } from "./cell.ts";
import { PROOFS } from "./check.ts";
import type { Command } from "./command.ts";
import { SMT_OPTION, solverChoice } from "./solver.ts";
import { UsageError } from "./usage-error.ts";

/** Seconds for each question that is counted. */
const TIMEOUT = 120;

/** Checks of what is not about single states and steps. */
const OTHERS: readonly string[] = ["temporal", "stays-possible"];

export const prove: Command = {
  usage: "prove PROTOCOL --any-number CLASS",
  what: "properties of a scenario for any number of identical threads: 0 proved, 1 violated, 3 open",
  options: {
    ...CELL_OPTIONS,
    "any-number": { type: "string", value: "CLASS", what: "the class of threads, e.g. udev" },
    proofs: { type: "string", value: "DIR", what: `where the certificates of proofs go; default: ${PROOFS}` },
    property: {
      type: "string",
      multiple: true,
      value: "P",
      what: "only this property (repeatable); default: all about single states and steps, and deadlock",
    },
    smt: SMT_OPTION,
    timeout: { type: "string", value: "SECONDS", what: `for each question that is counted; default: ${TIMEOUT}` },
  },
  async run(args) {
    const cell = await loadCell(args, prove.usage);
    const { program } = cell;
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
    const choice = solverChoice(args);
    const timeout = args.number("timeout", "a number of seconds above 0", false) ?? TIMEOUT;
    const proofs = args.text("proofs") ?? PROOFS;
    if (proofs === "") throw new UsageError("--proofs needs the name of a directory");
    const asked = program.properties
      .filter((p) => (named.length === 0 ? !OTHERS.includes(p.check.c) : named.includes(p.id)))
      .map((p) => p.id);
    const explore = (of: Program, properties: readonly string[]) =>
      runEngine("explicit", of, {
        properties,
        reduction: true,
        timeout: Number.POSITIVE_INFINITY,
        memory: 2 ** 29,
        workers: 1,
      });
    // At the size of the scenario first: what is violated there, or speaks of what never happens, needs no proof.
    const here = await explore(program, asked);
    const violated = new Map(
      here.outcomes.flatMap((o) => (o.verdict === "violated" ? [[o.property, o.finding.kind] as const] : [])),
    );
    const { size, sized } = membersOf(cell, cls);
    const { answers, certificates } = await proveForAnyNumber(
      sized,
      cls,
      asked.filter((id) => !violated.has(id)),
      { ...choice, proofs, timeout },
    );
    const lines: string[] = [];
    let status = 0;
    for (const property of asked) {
      const kind = violated.get(property);
      const answer = answers.find((a) => a.property === property);
      if (kind !== undefined) {
        status = 1;
        lines.push(`${property}: violated with the threads of the scenario (${kind}); see lockstep check`);
      } else if (answer?.verdict === "holds") {
        const outcome = here.outcomes.find((o) => o.property === property);
        const vacuous =
          outcome?.verdict === "vacuous" ? `, vacuously with those of the scenario: ${outcome.reason}` : "";
        lines.push(`${property}: holds for any number of ${cls} (${answer.method})${vacuous}`);
      } else if (answer?.verdict === "violated") {
        // Nobody has to take the solver's word for it.
        const { members } = answer;
        const [outcome] = (await explore(sized(members), [property])).outcomes;
        const counted = `by counting, ${members} ${cls} violate it in ${answer.steps} steps`;
        if (outcome?.verdict === "inconclusive") {
          if (status === 0) status = 3;
          lines.push(`${property}: open: ${counted}; the explicit engine could not confirm it: ${outcome.reason}`);
          continue;
        }
        if (outcome?.verdict !== "violated") {
          throw new Error(`${property}: ${counted}; by the explicit engine it ${outcome?.verdict}`);
        }
        status = 1;
        const how = size === undefined ? "" : `; see lockstep check with --param ${size(members)}`;
        lines.push(
          `${property}: violated with ${members} ${cls}, in ${outcome.schedule.steps.length} steps (${outcome.finding.kind})${how}`,
        );
      } else {
        if (status === 0) status = 3;
        lines.push(`${property}: open: ${answer?.reason}`);
      }
    }
    for (const method of ["thread-modular", "counting"] as const) {
      const words = answers.flatMap((a) => (a.verdict === "holds" && a.method === method ? a.because : []));
      if (words.length === 0) continue;
      lines.push(`the ${method === "counting" ? "counts" : "invariant"}:`, ...[...new Set(words)].map((w) => `  ${w}`));
    }
    for (const file of certificates) lines.push(`to check: npx lockstep certify ${join(proofs, file)}`);
    const { protocol, variant, scenario } = program;
    process.stdout.write(`${[`${protocol} ${variant} ${scenario}`, ...lines].join("\n")}\n`);
    return status;
  },
};

/** The program with another number of members of a class: by the size that says how many they are, where there is one. */
function membersOf({ model, program }: Cell, cls: string): { size?: (members: number) => string; sized: Sized } {
  const { protocol } = model;
  const { variant, scenario, switches } = program;
  const count = (of: Program): number => of.threads.filter((t) => t.cls === cls).length;
  const record = (sizes: Readonly<Record<string, number>>, members?: number): Program => {
    const more = members === undefined ? {} : { members: { [cls]: members } };
    const recorded = protocol.record({ variant, scenario, sizes, switches, ...more });
    if (recorded === null) throw new Error(`${scenario} does not exist for ${variant}`);
    return recorded;
  };
  const declared = protocol.scenarios.find((s) => s.id === scenario)?.sizes ?? {};
  for (const [name, { min, max }] of Object.entries(declared)) {
    const other = program.sizes[name] === max ? max - 1 : (program.sizes[name] ?? min) + 1;
    if (other < min) continue;
    const changed = record({ ...program.sizes, [name]: other });
    if (count(changed) - count(program) !== other - (program.sizes[name] ?? 0)) continue;
    const valueFor = (members: number): number => (program.sizes[name] ?? 0) + members - count(program);
    return {
      size: (members) => `${name}=${valueFor(members)}`,
      sized: (members) => {
        const value = valueFor(members);
        const fits = min <= value && value <= max;
        return record({ ...program.sizes, [name]: Math.max(min, Math.min(max, value)) }, fits ? undefined : members);
      },
    };
  }
  return { sized: (members) => record(program.sizes, members) };
}
