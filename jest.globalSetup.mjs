import { spawnSync } from "node:child_process";

// Worker threads, the model loader and the command-line tests run the built package, so build it first.
export default function () {
  const build = spawnSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json"], {
    stdio: "inherit",
  });
  if (build.status !== 0) throw new Error("the build failed; see the messages of tsc above");
}
