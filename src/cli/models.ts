/** From the words of a command line to models and to the part of them that is asked for. */
import { existsSync, statSync } from "node:fs";
import { resolve } from "node:path";
import type { CheckableModel, Selection } from "../checker/check.ts";
import { problemOf } from "../checker/item.ts";
import type { Problem } from "../checker/result.ts";
import { discoverModels, repositoryRoot } from "../load/discover.ts";
import { type LoadedModel, loadModel } from "../load/load-model.ts";
import { displayPath } from "../load/source-position.ts";
import { nearestNames } from "../spec/nearest.ts";
import { UsageError } from "./usage-error.ts";

export interface Model extends LoadedModel, CheckableModel {
  readonly protocol: LoadedModel["protocol"];
}

export interface LoadedModels {
  readonly models: readonly Model[];
  /** Models that did not load; the others are checked all the same. */
  readonly problems: readonly Problem[];
}

/** The files that words name: a protocol's id, or a path of a .ts file. No words: every model there is. */
export function modelFiles(words: readonly string[]): string[] {
  const found = discoverModels();
  if (words.length === 0) {
    if (found.length > 0) return found.map((m) => m.file);
    throw new UsageError("there are no models here: no models/NAME/protocol.ts; name a protocol or a .ts file");
  }
  return words.map((word) => {
    const known = found.find((m) => m.name === word);
    if (known !== undefined) return known.file;
    const isDirectory = word !== "" && existsSync(resolve(word)) && statSync(resolve(word)).isDirectory();
    if (isDirectory) throw new UsageError(`${word} is a directory; name a protocol, or a model's .ts file`);
    if (word.endsWith(".ts") || word.includes("/")) {
      if (existsSync(resolve(word))) return resolve(word);
      throw new UsageError(`${word}: there is no such file; a model is a .ts file that exports a protocol`);
    }
    const names = found.map((m) => m.name);
    throw new UsageError(
      `no protocol is called ${named(word)}.${nearestNames(word, names)} A model file must be given as a path ending in .ts`,
    );
  });
}

/** Loads the models; those that do not load are problems of the run, not its end. */
export async function loadModels(words: readonly string[]): Promise<LoadedModels> {
  const models: Model[] = [];
  const problems: Problem[] = [];
  for (const file of new Set(modelFiles(words))) {
    try {
      models.push({ ...(await loadModel(file)), root: repositoryRoot(file) });
    } catch (error) {
      problems.push(problemOf(error, displayPath(file)));
    }
  }
  refuseTwice(models);
  return { models, problems };
}

/** Traces and rows of the report are told apart by the protocol's name. */
function refuseTwice(models: readonly Model[]): void {
  for (const [i, { protocol, file }] of models.entries()) {
    const other = models.slice(0, i).find((m) => m.protocol.id === protocol.id);
    if (other === undefined) continue;
    const files = `${displayPath(other.file)} and ${displayPath(file)}`;
    throw new UsageError(`${files} are both the protocol ${protocol.id}; give one another name, or run one at a time`);
  }
}

/** Loads the one model a command is about; a ModelError if it does not load. */
export async function loadOne(word: string): Promise<Model> {
  const file = modelFiles([word])[0] ?? "";
  return { ...(await loadModel(file)), root: repositoryRoot(file) };
}

export interface Filters {
  readonly variants: readonly string[];
  readonly scenarios: readonly string[];
  readonly properties: readonly string[];
  /** `name=value` each. */
  readonly params: readonly string[];
}

/** Turns filters into a selection; a name that none of the models knows is a usage error. */
export function selectionOf(models: readonly Model[], filters: Filters): Selection {
  const protocols = models.map((m) => m.protocol);
  mustExist(
    "variant",
    filters.variants,
    protocols.flatMap((p) => p.variants.map((v) => v.id)),
  );
  mustExist(
    "scenario",
    filters.scenarios,
    protocols.flatMap((p) => p.scenarios.map((s) => s.id)),
  );
  mustExist(
    "property",
    filters.properties,
    protocols.flatMap((p) => p.properties.map((q) => q.id)),
  );
  const sizes: Record<string, number> = {};
  const switches: Record<string, string> = {};
  const seen = new Set<string>();
  for (const param of filters.params) {
    const match = /^([^=]+)=(.*)$/.exec(param);
    if (match === null) throw new UsageError(`--param ${param}: expected name=value`);
    const [, name = "", value = ""] = match;
    if (seen.has(name)) throw new UsageError(`--param ${name} is given twice`);
    seen.add(name);
    const scenarios = protocols
      .flatMap((p) => p.scenarios)
      .filter((s) => filters.scenarios.length === 0 || filters.scenarios.includes(s.id));
    const ranges = scenarios.flatMap((s) => (s.sizes?.[name] === undefined ? [] : [{ id: s.id, ...s.sizes[name] }]));
    const declared = protocols.flatMap((p) => (p.switches[name] === undefined ? [] : [p.switches[name]]));
    if (ranges.length === 0 && declared.length === 0) {
      const names = [
        ...scenarios.flatMap((s) => Object.keys(s.sizes ?? {})),
        ...protocols.flatMap((p) => Object.keys(p.switches)),
      ];
      throw new UsageError(
        `--param ${name}: no selected scenario has such a size, no protocol such a switch.${nearestNames(name, names)}`,
      );
    }
    if (ranges.length > 0) {
      const size = Number(value);
      for (const range of ranges) {
        if (!/^-?\d+$/.test(value) || size < range.min || size > range.max) {
          throw new UsageError(
            `--param ${param}: ${range.id} takes an integer from ${range.min} to ${range.max} (${range.what})`,
          );
        }
      }
      sizes[name] = size;
    } else {
      for (const { values } of declared) {
        if (!values.includes(value)) {
          throw new UsageError(
            `--param ${param}: ${name} is one of ${values.join(", ")}.${nearestNames(value, values)}`,
          );
        }
      }
      switches[name] = value;
    }
  }
  return { variants: filters.variants, scenarios: filters.scenarios, properties: filters.properties, sizes, switches };
}

function mustExist(what: string, names: readonly string[], existing: readonly string[]): void {
  const unknown = names.find((name) => !existing.includes(name));
  if (unknown === undefined) return;
  throw new UsageError(`no ${what} is called ${named(unknown)}.${nearestNames(unknown, existing)}`);
}

/** A name as it was typed, also where nothing was. */
function named(name: string): string {
  return name.trim() === "" ? JSON.stringify(name) : name;
}

/** The one variant or scenario a command needs: the one named, or the only one there is. */
export function onlyOne(what: "variant" | "scenario", name: string | undefined, existing: readonly string[]): string {
  if (name !== undefined) {
    mustExist(what, [name], existing);
    return name;
  }
  const [only] = existing;
  if (existing.length === 1 && only !== undefined) return only;
  throw new UsageError(`say which ${what}: --${what} ${existing.join(" | ")}`);
}
