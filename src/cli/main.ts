/** The command line: picks the command, turns every failure into one message and an exit status. */
import { TraceError } from "../checker/trace/trace-error.ts";
import { describeModelError } from "../load/load-model.ts";
import { ModelError } from "../spec/model-error.ts";
import { nearestNames } from "../spec/nearest.ts";
import { Arguments, type Command } from "./command.ts";
import { packageVersion } from "./package-version.ts";
import { UsageError } from "./usage-error.ts";

/** Loaded when used: --help must not wait for engines. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  check: async () => (await import("./check.ts")).check,
  list: async () => (await import("./list.ts")).list,
  compare: async () => (await import("./compare.ts")).compare,
  show: async () => (await import("./show.ts")).show,
  replay: async () => (await import("./replay.ts")).replay,
  explore: async () => (await import("./explore.ts")).explore,
  prove: async () => (await import("./prove.ts")).prove,
  certify: async () => (await import("./certify.ts")).certify,
  simulate: async () => (await import("./simulate.ts")).simulate,
  export: async () => (await import("./export.ts")).exportCommand,
};

/** Runs one command line (without node and the script) and resolves to the exit status. */
export async function main(argv: readonly string[]): Promise<number> {
  try {
    return await dispatch(argv);
  } catch (error) {
    if (error instanceof UsageError || error instanceof TraceError) {
      process.stderr.write(`lockstep: ${error.message}\n`);
      return 2;
    }
    if (error instanceof ModelError) {
      process.stderr.write(`lockstep: ${describeModelError(error)}\n`);
      return 2;
    }
    process.stderr.write(
      `lockstep: internal error, please report it: ${error instanceof Error ? error.stack : String(error)}\n`,
    );
    return 4;
  }
}

async function dispatch(argv: readonly string[]): Promise<number> {
  const [name, ...rest] = argv;
  if (name === "--version" || name === "-V") {
    process.stdout.write(`${packageVersion()}\n`);
    return 0;
  }
  if (name === undefined || name === "help" || name === "--help" || name === "-h") {
    const topic = rest[0];
    process.stdout.write(topic === undefined ? await overview() : help(topic, await command(topic)));
    // Called with nothing at all, it has not been told what to do.
    return name === undefined ? 2 : 0;
  }
  const found = await command(name);
  if (rest.includes("--help") || rest.includes("-h")) {
    process.stdout.write(help(name, found));
    return 0;
  }
  return found.run(new Arguments(rest, name, found.options));
}

async function command(name: string): Promise<Command> {
  const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (load === undefined)
    throw new UsageError(`no command is called ${name}.${nearestNames(name, Object.keys(COMMANDS))}`);
  return load();
}

async function overview(): Promise<string> {
  const commands = await Promise.all(Object.values(COMMANDS).map((load) => load()));
  const width = Math.max(...commands.map((c) => c.usage.length));
  const lines = commands.map((c) => `  lockstep ${c.usage.padEnd(width)}  ${c.what}`);
  return [
    `Lockstep ${packageVersion()}: a model checker for Linux block-layer locking protocols`,
    "",
    ...lines,
    "",
    "lockstep help COMMAND lists its options.",
    "Exit status: 0 as expected, 1 not as expected, 2 usage or model error, 3 inconclusive, 4 internal error, 130 interrupted.",
    "",
  ].join("\n");
}

function help(name: string, found: Command): string {
  const rows = Object.entries(found.options).map(([option, spec]) => [
    `--${option}${spec.value === undefined ? "" : ` ${spec.value}`}`,
    spec.what,
  ]);
  const width = Math.max(0, ...rows.map(([left]) => left?.length ?? 0));
  const options = rows.map(([left = "", right = ""]) => `  ${left.padEnd(width)}  ${right}`);
  return `${[`lockstep ${found.usage}`, `  ${found.what}`, "", ...(options.length > 0 ? options : [`  ${name} has no options`])].join("\n")}\n`;
}
