import { planItems } from "../checker/check.ts";
import { exitStatus } from "../checker/result.ts";
import { comparisonOf, comparisonText, isWorse } from "../report/comparison.ts";
import { problemText } from "../report/result-text.ts";
import { SEARCH_OPTIONS, searchOptions } from "./check.ts";
import { runPlan } from "./check-run.ts";
import type { Command } from "./command.ts";
import { loadOne, selectionOf } from "./models.ts";
import { UsageError } from "./usage-error.ts";

export const compare: Command = {
  usage: "compare PROTOCOL BASE CANDIDATE...",
  what: "scenario x property: fixed, broken, unchanged; exit 1 if anything is worse",
  options: {
    scenario: { type: "string", multiple: true, value: "S", what: "only this scenario (repeatable)" },
    property: { type: "string", multiple: true, value: "P", what: "only this property (repeatable)" },
    ...SEARCH_OPTIONS,
    json: { type: "boolean", what: "as JSON" },
  },
  async run(args) {
    const options = { ...searchOptions(args), coverage: false, shard: { index: 1, of: 1 } };
    const [word = "", base = "", ...candidates] = args.require(
      ["PROTOCOL", "BASE", "CANDIDATE"],
      "at least",
      compare.usage,
    );
    const variants = [base, ...candidates];
    const twice = variants.find((v, i) => variants.indexOf(v) !== i);
    if (twice !== undefined)
      throw new UsageError(`the variant ${twice} is named twice; a comparison needs different ones`);
    const model = await loadOne(word);
    const filters = {
      variants,
      scenarios: args.list("scenario"),
      properties: args.list("property"),
      params: args.list("param"),
    };
    const plan = planItems([model], selectionOf([model], filters));
    if (plan.items.length === 0 && plan.problems.length === 0) {
      throw new UsageError("nothing is left to compare: no scenario of these variants has these properties");
    }
    const run = await runPlan(plan, options);
    const results = run.checked.map((c) => c.result);
    const comparisons = candidates.map((candidate) => {
      const comparison = comparisonOf(results, base, candidate);
      if (!run.interrupted) return comparison;
      // What only one side has, the other may have lost by the interrupt.
      return { ...comparison, rows: comparison.rows.filter((r) => r.base !== null && r.candidate !== null) };
    });
    if (args.flag("json")) {
      process.stdout.write(
        `${JSON.stringify({ protocol: model.protocol.id, base, comparisons, problems: run.problems }, null, 2)}\n`,
      );
    } else {
      process.stdout.write(`${comparisons.map((c) => comparisonText(model.protocol.id, c)).join("\n\n")}\n`);
      for (const { candidate, rows } of comparisons) {
        const worse = rows.find((row) => isWorse(row.change));
        if (worse === undefined) continue;
        const cell = `--variant ${candidate} --scenario ${worse.scenario} --property ${worse.property}`;
        const params = filters.params.map((param) => ` --param ${param}`).join("");
        process.stdout.write(`\nThe schedule: npx lockstep check ${word} ${cell}${params}\n`);
      }
      const left = run.unfinished.length;
      if (run.interrupted) {
        process.stdout.write(
          `\nINTERRUPTED, ${left} of ${plan.items.length} scenarios not finished: only what both sides had is compared\n`,
        );
      }
    }
    for (const problem of run.problems) process.stderr.write(`lockstep: ${problemText(problem)}\n`);
    // Whether verdicts are as the model expects is for `check`; here only what got worse counts.
    const status = exitStatus({ ...run, checked: run.checked.filter((c) => c.result.finding?.kind === "model-error") });
    if (status !== 0) return status;
    const rows = comparisons.flatMap((c) => c.rows);
    if (rows.some((row) => isWorse(row.change))) return 1;
    return rows.some((row) => row.change === "undecided") ? 3 : 0;
  },
};
