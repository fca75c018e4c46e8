/**
 * A model file and everything it imports, bundled by esbuild into one module that Node can import.
 *
 * `lockstep` inside a model is mapped to this very package, so that model and checker share one instance of the
 * specification language wherever the model lies, with or without a node_modules beside it.
 */
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { BuildFailure, Message } from "esbuild";
import { ModelError } from "../spec/model-error.ts";
import { displayPath } from "./source-position.ts";

export interface Bundle {
  /** File URL of the module. */
  readonly url: string;
  /** Path of its source map. */
  readonly map: string;
}

let directory: string | undefined;

/** A directory of this process alone: another user must not be able to put code where we import from. */
function temporaryDirectory(): string {
  if (directory === undefined) {
    const created = mkdtempSync(join(tmpdir(), "lockstep-"));
    directory = created;
    process.once("exit", () => rmSync(created, { recursive: true, force: true }));
  }
  return directory;
}

function describe(message: Message): string {
  if (message.location === null) return message.text;
  const { file, line, column } = message.location;
  return `${displayPath(resolve(file))}:${line}:${column + 1}: ${message.text}`;
}

/** Bundles the model in `entry`; a ModelError carries every error of the bundler with its file:line:column. */
export async function bundleModel(entry: string): Promise<Bundle> {
  const { build } = await import("esbuild"); // 36 ms that --help need not pay
  const result = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    metafile: true,
    format: "esm",
    platform: "node",
    target: "node20",
    sourcemap: "external",
    sourcesContent: false,
    outfile: join(dirname(entry), "model.mjs"),
    logLevel: "silent",
    plugins: [
      {
        name: "lockstep",
        setup(build) {
          build.onResolve({ filter: /^lockstep(\/.*)?$/ }, (args) => ({
            path: import.meta.resolve(args.path),
            external: true,
          }));
          build.onResolve({ filter: /^[^./]/ }, (args) =>
            isBuiltin(args.path) ? { path: args.path, external: true } : null,
          );
        },
      },
    ],
  }).catch((failure: BuildFailure | Error) => {
    const messages = "errors" in failure ? failure.errors.map(describe) : [failure.message];
    throw new ModelError(messages.join("\n"));
  });
  const code = result.outputFiles.find((f) => f.path.endsWith(".mjs"))?.text ?? "";
  const map = JSON.parse(result.outputFiles.find((f) => f.path.endsWith(".map"))?.text ?? "{}");
  map.sources = (map.sources as string[]).map((source) => pathToFileURL(resolve(dirname(entry), source)).href);
  // A module is imported once per URL, so the URL says what the inputs were.
  const hash = createHash("sha256").update(entry);
  for (const input of Object.keys(result.metafile.inputs).sort()) hash.update(input).update(readFileSync(input));
  const file = join(temporaryDirectory(), `${hash.digest("hex").slice(0, 24)}.mjs`);
  writeFileSync(`${file}.map`, JSON.stringify(map));
  writeFileSync(file, code);
  return { url: pathToFileURL(file).href, map: `${file}.map` };
}
