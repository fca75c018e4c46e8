import { existsSync, statSync } from "node:fs";
import { resolve } from "node:path";
import type { Protocol } from "../spec/model.ts";
import { ModelError } from "../spec/model-error.ts";
import { setSiteMapper, thrown } from "../spec/recording.ts";
import { type Bundle, bundleModel } from "./bundle.ts";
import { displayPath, positionOfError, registerBundle, sourcePosition } from "./source-position.ts";

export interface LoadedModel {
  readonly protocol: Protocol;
  /** Absolute path of the model's file. */
  readonly file: string;
  readonly bundle: Bundle;
}

function isProtocol(value: unknown): value is Protocol {
  if (value === null || typeof value !== "object") return false;
  const candidate = value as Partial<Protocol>;
  return (
    typeof candidate.id === "string" &&
    typeof candidate.record === "function" &&
    typeof candidate.applies === "function" &&
    Array.isArray(candidate.variants) &&
    Array.isArray(candidate.scenarios)
  );
}

/** Any error thrown while a model's own code ran, as a ModelError with the line it came from. */
export function asModelError(error: unknown, file: string): ModelError {
  if (error instanceof ModelError) return error;
  const site = positionOfError(error);
  const what = error instanceof Error ? thrown(error) : `it throws ${String(error)}`;
  return new ModelError(what, site ?? { file: displayPath(file), line: 1, column: 1 });
}

/** `file:line: message`, or the message alone where no position is known. */
export function describeModelError(error: ModelError): string {
  if (error.site === undefined) return error.message;
  return `${error.site.file}:${error.site.line}:${error.site.column}: ${error.message}`;
}

/** Imports a bundle made earlier, in this thread or another one. */
export async function importBundle(bundle: Bundle, file: string): Promise<Protocol> {
  registerBundle(bundle.url, bundle.map);
  setSiteMapper(sourcePosition);
  let module: { readonly default?: unknown };
  try {
    module = await import(bundle.url);
  } catch (error) {
    throw asModelError(error, file);
  }
  if (isProtocol(module.default)) return module.default;
  const found = "default" in module ? `its default export is ${kindOf(module.default)}` : "it has no default export";
  throw new ModelError(`a model file must export its protocol: export default protocol(…); ${found}`, {
    file: displayPath(file),
    line: 1,
    column: 1,
  });
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (typeof value === "function") return "a function";
  return typeof value === "object" ? "an object that is no protocol" : `a ${typeof value}`;
}

/** Loads the model in a TypeScript file; every failure is a ModelError with file:line:column. */
export async function loadModel(file: string): Promise<LoadedModel> {
  const path = resolve(file);
  if (!existsSync(path) || !statSync(path).isFile()) {
    const what = existsSync(path) ? "it is no file" : "there is no such file";
    throw new ModelError(`${displayPath(path)}: ${what}; a model is a .ts file that exports a protocol`);
  }
  const bundle = await bundleModel(path);
  return { protocol: await importBundle(bundle, path), file: path, bundle };
}
