// Writes models/README.md from what the models expect. Run after a build: node scripts/findings.mjs
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./prepare.mjs";

const { loadModel } = await import("../dist/load/load-model.js");
const { findings } = await import("../dist/report/findings.js");

const models = join(ROOT, "models");
const protocols = [];
for (const name of readdirSync(models).sort()) {
  const file = join(models, name, "protocol.ts");
  if (existsSync(file)) protocols.push((await loadModel(file)).protocol);
}
const intro = `# Findings

What fails, in which variant of which protocol, and why. Everything else holds or has nothing to speak of (\`~\`). Made by
\`node scripts/findings.mjs\` from what the models expect; \`npx lockstep check\` proves every cell, and \`npx lockstep show FILE\` prints
a trace. A number counts the scenarios in which the property fails.

`;
const text = findings(protocols, {
  traces: "../counterexamples",
  exists: (trace) => existsSync(join(ROOT, "counterexamples", trace)),
});
writeFileSync(join(models, "README.md"), intro + text);
