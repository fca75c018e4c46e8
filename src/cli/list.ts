import { problemText } from "../report/result-text.ts";
import type { Command } from "./command.ts";
import { loadModels } from "./models.ts";

export const list: Command = {
  usage: "list [PROTOCOL | FILE.ts]...",
  what: "protocols, variants, scenarios, properties",
  options: { json: { type: "boolean", what: "as JSON" } },
  async run(args) {
    const { models, problems } = await loadModels(args.positionals);
    const described = models.map(({ protocol }) => ({
      protocol: protocol.id,
      title: protocol.title,
      source: protocol.source,
      variants: protocol.variants.map(({ id, title }) => ({ id, title })),
      scenarios: protocol.scenarios.map((s) => ({
        id: s.id,
        title: s.title,
        large: s.size === "large",
        variants: protocol.variants.map((v) => v.id).filter((v) => protocol.applies(v, s.id)),
        sizes: s.sizes ?? {},
        properties: s.properties.map((p) => p.id),
      })),
      switches: protocol.switches,
      properties: protocol.properties,
    }));
    if (args.flag("json")) {
      process.stdout.write(`${JSON.stringify({ protocols: described }, null, 2)}\n`);
    } else {
      process.stdout.write(`${described.map(text).join("\n\n")}\n`);
    }
    for (const problem of problems) process.stderr.write(`lockstep: ${problemText(problem)}\n`);
    return problems.length > 0 ? 2 : 0;
  },
};

interface Described {
  readonly protocol: string;
  readonly title: string;
  readonly source: string;
  readonly variants: readonly { readonly id: string; readonly title: string }[];
  readonly scenarios: readonly {
    readonly id: string;
    readonly title: string;
    readonly large: boolean;
    readonly variants: readonly string[];
    readonly sizes: Readonly<Record<string, { readonly default: number; readonly min: number; readonly max: number }>>;
  }[];
  readonly switches: Readonly<
    Record<string, { readonly values: readonly string[]; readonly default: string; readonly what: string }>
  >;
  readonly properties: readonly { readonly id: string; readonly title: string }[];
}

function text(p: Described): string {
  const all = p.variants.length;
  const lines = [`${p.protocol}: ${p.title}`, `  source: ${p.source}`];
  lines.push("  variants", ...columns(p.variants.map((v) => [v.id, v.title])));
  const scenarios = p.scenarios.map((s): readonly [string, string] => {
    const sizes = Object.entries(s.sizes).map(([name, z]) => `${name}=${z.default} (${z.min}..${z.max})`);
    const notes = [
      ...sizes,
      ...(s.variants.length === all ? [] : [`for ${s.variants.join(", ")}`]),
      ...(s.large ? ["large: only when named"] : []),
    ];
    return [s.id, `${s.title}${notes.length === 0 ? "" : `  [${notes.join("; ")}]`}`];
  });
  lines.push("  scenarios", ...columns(scenarios));
  lines.push("  properties", ...columns(p.properties.map((q) => [q.id, q.title])));
  const switches = Object.entries(p.switches).map(([name, s]): readonly [string, string] => [
    name,
    `${s.values.map((v) => (v === s.default ? `${v} (default)` : v)).join(" | ")}: ${s.what}`,
  ]);
  if (switches.length > 0) lines.push("  switches", ...columns(switches));
  return lines.join("\n");
}

function columns(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(0, ...rows.map(([id]) => id.length));
  return rows.map(([id, title]) => `    ${id.padEnd(width)}  ${title}`);
}
