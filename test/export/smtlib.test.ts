import { spawnSync } from "node:child_process";
import { explore } from "../../src/checker/reference/index.ts";
import { NotExpressible } from "../../src/export/not-expressible.ts";
import { smtlib } from "../../src/export/smtlib.ts";
import { lower } from "../../src/spec/lowering/lower.ts";
import { randomProgram } from "../random-program.ts";

const z3 = spawnSync("z3", ["--version"]).error === undefined;
const withZ3 = z3 ? test : test.skip;
if (!z3) console.warn("z3 is not installed: what it says of exported Horn clauses is not tested");

const SAFETY = ["findings", "invariant", "at-rest"];

withZ3(
  "z3 says of the clauses what the reference interpreter says of the protocol",
  () => {
    const told = { sat: 0, unsat: 0 };
    for (let seed = 1; told.sat < 4 || told.unsat < 4; seed++) {
      const program = randomProgram(seed);
      const system = lower(program);
      const asked = system.properties.filter((p) => SAFETY.includes(p.check.c));
      const { complete, outcomes } = explore(program, { properties: asked.map((p) => p.id), maxStates: 400 });
      if (!complete || outcomes.some((o) => o.verdict === "inconclusive")) continue;
      for (const property of asked) {
        const outcome = outcomes.find((o) => o.property === property.id);
        if (outcome === undefined) throw new Error(`${property.id} was not decided`);
        const answer = outcome.verdict === "violated" ? "unsat" : "sat";
        if (told[answer] >= 4) continue;
        const input = smtlib(system, property);
        const { stdout } = spawnSync("z3", ["-in", "-T:30"], { input, encoding: "utf8" });
        expect({ seed, property: property.id, answer: stdout.trim() }).toEqual({ seed, property: property.id, answer });
        told[answer]++;
      }
    }
  },
  120_000,
);

test("a question about what can still happen is refused by name", () => {
  for (let seed = 1; ; seed++) {
    const system = lower(randomProgram(seed));
    const property = system.properties.find((p) => p.check.c === "deadlock");
    if (property === undefined) continue;
    expect(() => smtlib(system, property)).toThrow(NotExpressible);
    expect(() => smtlib(system, property)).toThrow(property.id);
    return;
  }
});
