/**
 * The findings of a tree of protocols as Markdown: per protocol which property fails in which variant, and why, with
 * links to the committed traces. Made from what the models expect, which the check proves.
 */
import type { Protocol } from "../spec/model.ts";

type Expected = Protocol["expected"][number];

/** Where traces lie, seen from the file the text is written to. */
export interface FindingsOptions {
  readonly traces: string;
  /** Whether the trace of a cell (a path below `traces`) exists. */
  exists(trace: string): boolean;
}

interface Cell {
  readonly variant: string;
  readonly scenario: string;
  readonly property: string;
  readonly expected: Expected | undefined;
  readonly trace: string;
}

export function findings(protocols: readonly Protocol[], options: FindingsOptions): string {
  return `${protocols.map((p) => section(p, options)).join("\n\n")}\n`;
}

function section(protocol: Protocol, options: FindingsOptions): string {
  const cells = cellsOf(protocol);
  return [
    `## ${protocol.id}`,
    `${sentence(protocol.title)} From: ${protocol.source}. [About the model](${protocol.id}/README.md)`,
    matrix(protocol, cells),
    reasons(protocol, cells, options),
  ].join("\n\n");
}

function cellsOf(protocol: Protocol): Cell[] {
  return protocol.variants.flatMap(({ id: variant }) =>
    protocol.scenarios.flatMap(({ id: scenario }) => {
      if (!protocol.applies(variant, scenario)) return [];
      return protocol.settings(variant, scenario).flatMap((switches) => {
        const program = protocol.record({ variant, scenario, switches });
        const special = Object.entries(switches).filter(([name, value]) => protocol.switches[name]!.default !== value);
        const place = special.length === 0 ? "" : `@${special.map(([name, value]) => `${name}=${value}`).join(",")}`;
        return (program?.properties ?? [])
          .filter((p) => !p.implied)
          .map(
            (p): Cell => ({
              variant,
              scenario,
              property: p.id,
              expected: expectationOf(protocol, variant, scenario, p.id),
              trace: `${protocol.id}/${variant}/${scenario}${place}/${p.id}.itf.json`,
            }),
          );
      });
    }),
  );
}

function expectationOf(protocol: Protocol, variant: string, scenario: string, property: string): Expected | undefined {
  return protocol.expected.find(
    (e) =>
      e.property === property &&
      (e.variants.length === 0 || e.variants.includes(variant)) &&
      (e.scenarios.length === 0 || e.scenarios.includes(scenario)),
  );
}

/** Variant x property: in how many of the scenarios that ask it fails. */
function matrix(protocol: Protocol, cells: readonly Cell[]): string {
  const properties = protocol.properties.map((p) => p.id);
  const rows = protocol.variants.map(({ id }) => {
    const marks = properties.map((property) => {
      const own = cells.filter((c) => c.variant === id && c.property === property);
      const violated = own.filter((c) => c.expected?.verdict === "violated").length;
      const open = own.filter((c) => c.expected?.verdict === "inconclusive").length;
      const spoken = own.filter((c) => c.expected?.verdict !== "vacuous").length;
      if (violated > 0) return `**${violated}** of ${own.length}${open > 0 ? `, ${open} open` : ""}`;
      if (own.length === 0) return "";
      if (open > 0) return `${open} open`;
      return spoken === 0 ? "~" : "ok";
    });
    return `| \`${id}\` | ${marks.join(" | ")} |`;
  });
  return [`| variant | ${properties.join(" | ")} |`, `| --- |${" --- |".repeat(properties.length)}`, ...rows].join(
    "\n",
  );
}

function reasons(protocol: Protocol, cells: readonly Cell[], options: FindingsOptions): string {
  const rows = protocol.expected
    .filter((e) => e.verdict === "violated")
    .flatMap((e) => {
      const own = cells.filter((c) => c.expected === e);
      if (own.length === 0) return [];
      const variants = [...new Set(own.map((c) => c.variant))];
      const places = [...new Set(own.map((c) => c.scenario))].map((scenario) =>
        links(scenario, variants, own, options),
      );
      const kinds = e.kinds.join(" or ");
      return [
        `| ${variants.map((v) => `\`${v}\``).join(", ")} | ${e.property} | ${kinds} | ${places.join("; ")} | ${e.reason} |`,
      ];
    });
  if (rows.length === 0) return "Nothing fails.";
  return ["| variants | property | finding | scenarios | why |", "| --- | --- | --- | --- | --- |", ...rows].join("\n");
}

/** A scenario with a link per variant that has a trace; one variant needs no name of its own. */
function links(
  scenario: string,
  variants: readonly string[],
  cells: readonly Cell[],
  options: FindingsOptions,
): string {
  const own = cells.filter((c) => c.scenario === scenario);
  const link = (c: Cell, text: string) => (options.exists(c.trace) ? `[${text}](${options.traces}/${c.trace})` : text);
  const [only] = own;
  if (variants.length === 1 && only !== undefined) return link(only, scenario);
  return `${scenario} (${own.map((c) => link(c, c.variant)).join(", ")})`;
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
