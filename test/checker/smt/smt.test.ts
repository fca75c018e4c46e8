import { check } from "../../../src/checker/smt/check.ts";
import { bruteForce } from "./brute-force.ts";
import { randomSystem } from "./systems.ts";

test("random", async () => {
  const out: string[] = [];
  let n = 0;
  const tally: Record<string, number> = {};
  const t0 = Date.now();
  for (let seed = 1; n < 60 && Date.now() - t0 < 200000; seed++) {
    const s = randomSystem(seed);
    const b = bruteForce(s, 400);
    if (b === undefined || b.states < 4) continue;
    n++;
    const method = (["bmc", "k-induction", "spacer", "auto"] as const)[n % 4]!;
    const r = await check(s, { properties: s.properties.map((p) => p.id), timeout: 8, solver: "native", method });
    for (const o of r.outcomes) {
      const got =
        o.verdict === "violated" ? `violated ${o.schedule.steps.length}${o.depthExact ? "" : "?"}` : o.verdict;
      const want = b.answers.get(o.property);
      const key = `${got.split(" ")[0]}/${want!.split(" ")[0]}`;
      tally[key] = (tally[key] ?? 0) + 1;
      if (got !== want)
        out.push(`${seed} ${b.states} ${method} ${o.property}: ${got} want ${want} ${"reason" in o ? o.reason : ""}`);
    }
    out.push(`${seed} ${b.states} ${method}: ${r.method} ${r.depth} ${r.seconds}`);
  }
  console.log(out.join("\n"), tally, Date.now() - t0);
}, 2000000);
