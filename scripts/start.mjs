// npm start: everything a fresh clone needs, then a check of all models. Arguments go to `lockstep check`.
import { join } from "node:path";
import { prepare, ROOT, run } from "./prepare.mjs";

prepare();
// The child gets the terminal's interrupt too; waiting for its report is all there is to do here.
process.on("SIGINT", () => {});
process.exitCode = run(process.execPath, [join(ROOT, "bin", "lockstep.js"), "check", ...process.argv.slice(2)]);
