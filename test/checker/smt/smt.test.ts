import { check as explicit } from "../../../src/checker/explicit/check.ts";
import { check } from "../../../src/checker/smt/check.ts";
import { lower } from "../../../src/spec/lowering/lower.ts";
import { ModelError } from "../../../src/spec/model-error.ts";
import { randomProgram } from "../../random-program.ts";

test("random", async () => {
  const out: string[] = [];
  let n = 0;
  const tally: Record<string, number> = {};
  const t0 = Date.now();
  for (let seed = 1; n < 60 && Date.now() - t0 < 150000; seed++) {
    const program = randomProgram(seed, { handlers: seed % 2 === 0, identical: seed % 3 === 0 });
    let s;
    try {
      s = lower(program);
    } catch (e) {
      if (e instanceof ModelError) continue;
      throw e;
    }
    const properties = s.properties.map((p) => p.id);
    const b = await explicit(s, { properties, timeout: 20, reduction: false, memory: 2 ** 30, workers: 1 });
    if (b.states! > 1500) continue;
    n++;
    const method = (["bmc", "k-induction", "spacer", "auto"] as const)[n % 4]!;
    const r = await check(s, { properties, timeout: 10, solver: "native", method });
    for (const o of r.outcomes) {
      const x = b.outcomes.find((y) => y.property === o.property)!;
      const t = (o: any) =>
        o.verdict === "violated"
          ? `violated ${o.schedule.steps.length}${o.depthExact ? "" : "?"} ${o.finding.kind}`
          : o.verdict + (o.finding?.kind ?? "");
      const got = t(o),
        want = t(x);
      const key = `${o.verdict}/${x.verdict}`;
      tally[key] = (tally[key] ?? 0) + 1;
      if (got !== want)
        out.push(
          `${seed} ${b.states} ${method} ${o.property}: ${got} want ${want} ${"reason" in o ? o.reason : ""} ${"reason" in x ? x.reason : ""}`,
        );
    }
    out.push(`${seed} ${b.states} d${b.depth} ${method}: ${r.method} ${r.depth} ${r.seconds}`);
  }
  console.log(out.join("\n"), tally, Date.now() - t0);
}, 2000000);
