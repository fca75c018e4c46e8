/** One variant and scenario of one protocol, for the commands that work on a single program. */
import type { CheckableModel } from "../checker/check.ts";
import type { Program } from "../spec/program.ts";
import type { Arguments, OptionSpecs } from "./command.ts";
import { loadOne, onlyOne, selectionOf } from "./models.ts";
import { UsageError } from "./usage-error.ts";

export const CELL_OPTIONS: OptionSpecs = {
  variant: { type: "string", value: "V", what: "the variant; needed where there are several" },
  scenario: { type: "string", value: "S", what: "the scenario; needed where there are several" },
  param: { type: "string", multiple: true, value: "NAME=VALUE", what: "a size or a switch other than its default" },
};

export interface Cell {
  readonly model: CheckableModel;
  readonly program: Program;
}

export async function loadCell(args: Arguments, usage: string): Promise<Cell> {
  const [word = ""] = args.require(["PROTOCOL"], "exactly", usage);
  const model = await loadOne(word);
  const { protocol } = model;
  const variant = onlyOne(
    "variant",
    args.text("variant"),
    protocol.variants.map((v) => v.id),
  );
  const scenarios = protocol.scenarios.map((s) => s.id).filter((s) => protocol.applies(variant, s));
  const named = args.text("scenario");
  const elsewhere = named !== undefined && protocol.scenarios.some((s) => s.id === named) && !scenarios.includes(named);
  if (elsewhere)
    throw new UsageError(`the scenario ${named} does not exist for ${variant}; there are ${scenarios.join(", ")}`);
  const scenario = onlyOne("scenario", named, scenarios);
  const filters = { variants: [], scenarios: [scenario], properties: [], params: args.list("param") };
  const { sizes, switches } = selectionOf([model], filters);
  const program = protocol.record({ variant, scenario, sizes, switches });
  if (program === null) throw new UsageError(`the scenario ${scenario} does not exist for ${variant}`);
  return { model, program };
}
