// npm run bench: builds Lockstep, bundles bench/*.ts against that build into a temporary directory, and runs it there.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { prepare, ROOT } from "../scripts/prepare.mjs";

prepare();
const directory = mkdtempSync(join(tmpdir(), "lockstep-bench-"));
process.once("exit", () => rmSync(directory, { recursive: true, force: true }));
await build({
  entryPoints: ["side-by-side.ts", "search.ts", "cells.ts"].map((name) => join(ROOT, "bench", name)),
  outdir: directory,
  outExtension: { ".js": ".mjs" },
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node20",
  plugins: [
    {
      // What is measured is what is shipped: the build, not another bundle of the sources.
      name: "dist",
      setup(build) {
        build.onResolve({ filter: /\/src\/.*\.ts$/ }, ({ path, resolveDir }) => {
          const file = relative(join(ROOT, "src"), join(resolveDir, path)).replace(/\.ts$/, ".js");
          return { path: pathToFileURL(join(ROOT, "dist", file)).href, external: true };
        });
      },
    },
  ],
});
const { main } = await import(pathToFileURL(join(directory, "side-by-side.mjs")).href);
process.exitCode = await main({ root: ROOT, directory, args: process.argv.slice(2) });
