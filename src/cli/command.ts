/** What a command is, and how its arguments are read. */
import { parseArgs } from "node:util";
import { nearestNames } from "../spec/nearest.ts";
import { UsageError } from "./usage-error.ts";

export interface OptionSpec {
  readonly type: "string" | "boolean";
  readonly multiple?: boolean;
  /** Placeholder of the value in the help, e.g. `SECONDS`. */
  readonly value?: string;
  readonly what: string;
}

export type OptionSpecs = Readonly<Record<string, OptionSpec>>;

export interface Command {
  /** What follows `lockstep`, e.g. `show TRACE`. */
  readonly usage: string;
  /** One line. */
  readonly what: string;
  readonly options: OptionSpecs;
  /** Resolves to the exit status. */
  run(args: Arguments): Promise<number>;
}

/** Positional arguments and options of one call; each accessor throws a UsageError for a value that makes no sense. */
export class Arguments {
  readonly positionals: readonly string[];
  readonly #values: Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>;

  constructor(argv: readonly string[], command: string, specs: OptionSpecs) {
    const options = Object.fromEntries(
      Object.entries(specs).map(([name, { type, multiple }]) => [name, { type, multiple: multiple ?? false }]),
    );
    for (const arg of argv) {
      if (arg === "--") break;
      const name = /^--([^=]+)/.exec(arg)?.[1];
      if (name === undefined || Object.hasOwn(specs, name)) continue;
      const names = Object.keys(specs).map((n) => `--${n}`);
      throw new UsageError(`\`lockstep ${command}\` has no option --${name}.${nearestNames(`--${name}`, names)}`);
    }
    try {
      const { values, positionals, tokens } = parseArgs({
        args: [...argv],
        options,
        allowPositionals: true,
        strict: true,
        tokens: true,
      });
      // parseArgs lets the last of several values win; silently ignoring the others would be an option without effect.
      for (const [name, spec] of Object.entries(specs)) {
        const count = tokens.filter((t) => t.kind === "option" && t.name === name).length;
        if (count > 1 && spec.multiple !== true)
          throw new UsageError(`--${name} is given ${count} times; once is enough`);
      }
      this.#values = values;
      this.positionals = positionals;
    } catch (error) {
      if (error instanceof UsageError) throw error;
      // A value with a dash in front is taken for an option.
      const dashed = argv.findIndex((arg, i) => arg.startsWith("-") && specs[argv[i - 1]?.slice(2) ?? ""]?.value);
      if (dashed > 0 && (error as { code?: unknown }).code === "ERR_PARSE_ARGS_INVALID_OPTION_VALUE") {
        const option = argv[dashed - 1];
        throw new UsageError(
          `${option} needs a value; one that begins with a dash is written ${option}=${argv[dashed]}`,
        );
      }
      const sentence = (error as Error).message.split(/\.\s/)[0] ?? "";
      throw new UsageError(`${sentence.replace(/\s*\n[\s\S]*$/, "")}. See \`lockstep help ${command}\``);
    }
  }

  flag(name: string): boolean {
    return this.#values[name] === true;
  }

  has(name: string): boolean {
    return this.#values[name] !== undefined;
  }

  text(name: string): string | undefined {
    const value = this.#values[name];
    return typeof value === "string" ? value : undefined;
  }

  list(name: string): string[] {
    const value = this.#values[name];
    return Array.isArray(value) ? value.filter((v): v is string => typeof v === "string") : [];
  }

  /** One of a set of names. */
  choice<T extends string>(name: string, allowed: readonly T[]): T | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    const found = allowed.find((a) => a === value);
    if (found === undefined) {
      throw new UsageError(
        `--${name} ${value} does not exist; there are ${allowed.join(", ")}.${nearestNames(value, allowed)}`,
      );
    }
    return found;
  }

  /** A number above 0; `integer` refuses fractions. */
  number(name: string, unit: string, integer: boolean): number | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    const number = /^\d+(\.\d+)?$/.test(value) ? Number(value) : Number.NaN;
    if (!(number > 0) || !Number.isFinite(number) || (integer && !Number.isInteger(number))) {
      throw new UsageError(`--${name} ${value}: expected ${unit}`);
    }
    return number;
  }

  /** Exactly these many positional arguments, or at least; `names` is for the message. */
  require(names: readonly string[], more: "exactly" | "at least", command: string): readonly string[] {
    const { positionals } = this;
    if (positionals.length < names.length) {
      throw new UsageError(`${names[positionals.length]} is missing: lockstep ${command}`);
    }
    if (more === "exactly" && positionals.length > names.length) {
      throw new UsageError(`unexpected argument ${positionals[names.length]}: lockstep ${command}`);
    }
    return positionals;
  }
}
