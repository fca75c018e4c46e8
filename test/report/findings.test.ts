import { existsSync, readdirSync, readFileSync } from "node:fs";
import { findings } from "../../src/report/findings.ts";
import type { Protocol } from "../../src/spec/model.ts";

test("models/README.md is what the models expect, and every trace it links to is there", async () => {
  const names = readdirSync("models")
    .sort()
    .filter((name) => existsSync(`models/${name}/protocol.ts`));
  const protocols: Protocol[] = [];
  for (const name of names) protocols.push((await import(`../../models/${name}/protocol.ts`)).default);
  const missing: string[] = [];
  const text = findings(protocols, {
    traces: "../counterexamples",
    exists: (trace) => {
      if (!existsSync(`counterexamples/${trace}`)) missing.push(trace);
      return true;
    },
  });
  expect(missing).toEqual([]);
  const written = readFileSync("models/README.md", "utf8");
  expect(written.slice(written.indexOf(`## ${names[0]}`))).toBe(text);
}, 120_000);
