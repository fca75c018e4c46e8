import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { displayPath } from "./source-position.ts";

/**
 * Type-checks model files with tsc as strictly as the package checks its own. Returns the errors, one line each,
 * `file:line:column: message`; empty when there are none.
 */
export function typecheckModels(files: readonly string[]): string[] {
  const tsc = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin", "tsc");
  const directory = mkdtempSync(join(tmpdir(), "lockstep-typecheck-"));
  try {
    const config = join(directory, "tsconfig.json");
    // The declarations of the build, also when this runs from the sources: models see the published interface.
    const types = fileURLToPath(new URL("../../dist/index.d.ts", import.meta.url));
    writeFileSync(
      config,
      JSON.stringify({
        compilerOptions: {
          target: "es2023",
          lib: ["es2023"],
          // As esbuild reads a model: an ES module, whatever package.json is near.
          module: "esnext",
          moduleResolution: "bundler",
          strict: true,
          noUncheckedIndexedAccess: true,
          exactOptionalPropertyTypes: true,
          erasableSyntaxOnly: true,
          verbatimModuleSyntax: true,
          allowImportingTsExtensions: true,
          moduleDetection: "force",
          skipLibCheck: true,
          noEmit: true,
          types: [],
          // A model may lie where no node_modules is; `lockstep` is this package there too.
          paths: { lockstep: [types] },
        },
        files: files.map((file) => resolve(file)),
      }),
    );
    const run = spawnSync(process.execPath, [tsc, "-p", config, "--pretty", "false"], { encoding: "utf8" });
    if (run.status === 0) return [];
    const lines = `${run.stdout}${run.stderr}`.split("\n").filter((line) => line.trim() !== "");
    return lines.filter((line) => !line.startsWith(" ")).map((line) => normalise(line, directory));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** `../../a/b.ts(3,4): error TS2322: text` as `a/b.ts:3:4: TS2322: text`. */
function normalise(line: string, base: string): string {
  const match = /^(.*)\((\d+),(\d+)\): error (.*)$/.exec(line);
  if (match === null) return line;
  const [, file = "", row, column, text] = match;
  const fromHere = resolve(file);
  const path = fromHere.startsWith(process.cwd()) ? fromHere : resolve(base, file);
  return `${displayPath(path)}:${row}:${column}: ${text}`;
}
