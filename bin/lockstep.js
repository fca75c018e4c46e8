#!/usr/bin/env node
import { existsSync } from "node:fs";

// A reader that closes early (`lockstep list | head`) is no error.
process.stdout.on("error", (error) => {
  if (error.code === "EPIPE") process.exit(process.exitCode ?? 0);
  throw error;
});

const main = new URL("../dist/cli/main.js", import.meta.url);
if (existsSync(main)) {
  const { main: run } = await import(main.href);
  process.exitCode = await run(process.argv.slice(2));
} else {
  process.stderr.write("lockstep: this checkout is not built yet; run `npm start` or `npm run build` once\n");
  process.exitCode = 2;
}
