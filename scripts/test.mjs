// npm test: everything a fresh clone needs, then types, style and all tests. Arguments go to jest.
import { join } from "node:path";
import { prepare, ROOT, run } from "./prepare.mjs";

prepare();
const modules = join(ROOT, "node_modules");
const stages = [
  ["types", [join(modules, "typescript", "bin", "tsc"), "-p", "tsconfig.json"]],
  ["style", [join(modules, "@biomejs", "biome", "bin", "biome"), "ci", "."]],
  [
    "tests",
    [
      "--experimental-vm-modules",
      "--disable-warning=ExperimentalWarning",
      join(modules, "jest", "bin", "jest.js"),
      ...process.argv.slice(2),
    ],
  ],
];
// All stages run even if one fails: a slip of style must not hide a failing test.
const failed = stages.filter(([name, args]) => {
  process.stderr.write(`${name}\n`);
  return run(process.execPath, args) !== 0;
});
if (failed.length > 0) process.stderr.write(`failed: ${failed.map(([name]) => name).join(", ")}\n`);
process.exitCode = failed.length === 0 ? 0 : 1;
