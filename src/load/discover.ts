import { existsSync, readdirSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";

/** The package's own directory: where its models lie when the current directory has none. */
const PACKAGE = fileURLToPath(new URL("../..", import.meta.url));

export interface DiscoveredModel {
  /** Name of the model's folder, which is the protocol's id. */
  readonly name: string;
  readonly file: string;
}

/** Every `models/NAME/protocol.ts` of the current directory, or else of the package, by name. */
export function discoverModels(directory: string = process.cwd()): DiscoveredModel[] {
  for (const root of [directory, PACKAGE]) {
    const models = join(root, "models");
    if (!existsSync(models)) continue;
    const found = readdirSync(models, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && existsSync(join(models, entry.name, "protocol.ts")))
      .map((entry) => ({ name: entry.name, file: join(models, entry.name, "protocol.ts") }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
    if (found.length > 0) return found;
  }
  return [];
}

/** The root of the repository or package a file belongs to; the current directory where there is none. */
export function repositoryRoot(file: string): string {
  for (let at = dirname(resolve(file)); ; at = dirname(at)) {
    if (existsSync(join(at, ".git")) || existsSync(join(at, "package.json"))) return at;
    if (dirname(at) === at) return process.cwd();
  }
}

/** A path relative to the root of its repository, with forward slashes: the same in every checkout. */
export function repositoryPath(file: string): string {
  return relative(repositoryRoot(file), resolve(file)).split(sep).join("/");
}
