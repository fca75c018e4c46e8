import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { check } from "../../src/checker/explicit/check.ts";
import { type TlaModule, tla } from "../../src/export/tla.ts";
import { lower } from "../../src/spec/lowering/lower.ts";
import type { SysProperty, TransitionSystem } from "../../src/spec/transition-system.ts";
import { TEXTBOOKS } from "../checker/liveness/textbook.ts";
import { randomProgram } from "../random-program.ts";
import { randomLocks, withTemporal } from "../random-temporal.ts";

/** A command that runs TLC. There is no package of it: TLC names a script that starts java with tla2tools.jar. */
const command = process.env.TLC ?? "tlc";
const there = spawnSync(command, ["-h"]).error === undefined;
const withTlc = there ? test : test.skip;
if (!there)
  console.warn("TLC is not installed (set TLC to a command that runs it): the comparison with TLC is skipped");

/** Random protocols of each sort that are compared. */
const MOST = Number(process.env.TLC_PROTOCOLS ?? 4);

const OPTIONS = { timeout: 60, memory: 2 ** 28, workers: 1, reduction: false };

function run({ name, text, configuration }: TlaModule, ...options: string[]): string {
  const directory = mkdtempSync(join(tmpdir(), "lockstep-tlc-"));
  try {
    writeFileSync(join(directory, `${name}.tla`), text);
    writeFileSync(join(directory, `${name}.cfg`), configuration);
    const { stdout } = spawnSync(command, [...options, "-noGenerateSpecTE", `${name}.tla`], {
      cwd: directory,
      encoding: "utf8",
      maxBuffer: 2 ** 28,
    });
    if (!/distinct states found/.test(stdout)) throw new Error(`${stdout.slice(0, 4000)}\n${text}`);
    return stdout;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** What TLC counts and finds of all that it can be asked at once. */
function counted(system: TransitionSystem) {
  const out = run(tla(system), "-continue");
  const [, generated, distinct] = [...out.matchAll(/^(\d+) states generated, (\d+) distinct/gm)].at(-1)!;
  const violated = new Set([...out.matchAll(/Invariant (\w+) is violated/g)].map((m) => m[1]!));
  return { generated: Number(generated), distinct: Number(distinct), violated };
}

const asked = (p: SysProperty, system: TransitionSystem): boolean =>
  p.check.c === "invariant" ||
  p.check.c === "at-rest" ||
  (p.check.c === "findings" && p.check.findings.every((f) => system.findings[f]!.error));

withTlc(
  "TLC counts the states and transitions we count and finds what we find, on random protocols",
  async () => {
    let compared = 0;
    let errors = 0;
    for (let seed = 30; compared < MOST; seed++) {
      const system = lower(randomProgram(seed));
      const properties = system.properties.filter((p) => !p.implied).map((p) => p.id);
      const ours = await check(system, { ...OPTIONS, properties });
      if ((ours.states ?? 0) < 60 || ours.states! > 3000) continue;
      const theirs = counted(system);
      // An error of another kind is another state of theirs, all are one of ours.
      const cut = Object.keys(ours.cut).length > 0;
      if (cut) errors++;
      expect({ seed, generated: theirs.generated }).toEqual({ seed, generated: ours.transitions! + 1 });
      if (!cut) expect({ seed, distinct: theirs.distinct }).toEqual({ seed, distinct: ours.states });
      else expect(theirs.distinct).toBeGreaterThanOrEqual(ours.states!);
      for (const p of system.properties) {
        if (!asked(p, system)) continue;
        const verdict = ours.outcomes.find((o) => o.property === p.id)?.verdict;
        if (verdict === undefined || verdict === "inconclusive") continue;
        const found = [...theirs.violated].includes(`Property_${p.id.replaceAll("-", "_")}`);
        expect({ seed, property: p.id, found }).toEqual({ seed, property: p.id, found: verdict === "violated" });
      }
      compared++;
    }
    expect(errors).toBeGreaterThan(0);
  },
  600_000,
);

withTlc(
  "TLC decides as we do what is asked of runs, where it can be said",
  async () => {
    const seen = { holds: 0, violated: 0 };
    const compare = async (system: TransitionSystem, about: unknown) => {
      const runs = system.properties.filter((p) => p.check.c === "temporal");
      const { outcomes } = await check(system, { ...OPTIONS, properties: runs.map((p) => p.id) });
      for (const property of runs) {
        const verdict = outcomes.find((o) => o.property === property.id)!.verdict;
        if (verdict === "inconclusive") continue;
        const out = run(tla(system, { property }));
        const theirs = /is violated|were violated|was violated/.test(out) ? "violated" : "holds";
        expect({ about, property: property.id, theirs }).toEqual({
          about,
          property: property.id,
          theirs: verdict === "vacuous" ? "holds" : verdict,
        });
        seen[theirs]++;
      }
    };
    for (const { program, name } of TEXTBOOKS) await compare(lower(program), name);
    for (let seed = 1; seed <= MOST; seed++) {
      const system = lower(seed % 2 === 0 ? randomLocks(seed) : withTemporal(randomProgram(seed), seed));
      await compare(system, seed);
    }
    expect(Math.min(seen.holds, seen.violated)).toBeGreaterThan(0);
  },
  1_200_000,
);

const program = TEXTBOOKS[0]!.program;

test("every name is declared once, and an error leaves the rest as it is", () => {
  for (const seed of [30, 36, 71]) {
    const system = lower(randomProgram(seed));
    const { name, text, configuration } = tla(system);
    expect(text.startsWith(`---------------------------- MODULE ${name} `)).toBe(true);
    const defined = [...text.matchAll(/^(\w+)(?:\(.*\))? ==/gm)].map((m) => m[1]!);
    const variables = /^VARIABLES\n((?: {2}\w+,? .*\n)+)/m
      .exec(text)![1]!
      .match(/^ {2}\w+/gm)!
      .map((v) => v.trim());
    const names = [...defined, ...variables];
    expect(names.filter((n, i) => names.indexOf(n) !== i)).toEqual([]);
    for (const [, line] of text.matchAll(/error' = .*\n(.*)/g)) expect(line).toMatch(/UNCHANGED <<pc, /);
    for (const [, invariant] of configuration.matchAll(/^INVARIANT (\w+)$/gm)) expect(defined).toContain(invariant);
    // What is named in a step is declared, or defined before it.
    for (const [, list] of text.matchAll(/UNCHANGED <<(.*)>>/g)) {
      for (const of of list!.split(", ")) expect(names).toContain(of);
    }
  }
});

test("a property of runs brings its fairness along, and steps that may change nothing else tick", () => {
  const system = lower(program);
  const property = system.properties.find((p) => p.check.c === "temporal")!;
  const { text, configuration } = tla(system, { property });
  expect(configuration).toBe("SPECIFICATION Spec\nPROPERTY Property\nCHECK_DEADLOCK FALSE\n");
  expect(text).toMatch(/^Spec == Init \/\\ \[\]\[Next\]_vars \/\\ Fairness$/m);
  expect(text).toMatch(/^Property == \[\]\(error = ""\) => /m);
  expect(text).toContain("tick");
});

test("what stays possible is refused, and so is a name that no module can have", () => {
  const system = lower(randomProgram(36));
  const property = system.properties.find((p) => p.check.c === "stays-possible")!;
  expect(() => tla(system, { property })).toThrow("ag-ef asks what stays possible");
  expect(() => tla(system, { module: "v4.2" })).toThrow('"v4.2" is no name of a module');
  for (const module of ["Next", "MODULE", "12"])
    expect(() => tla(system, { module })).toThrow("is no name of a module");
});

test("what is found and goes on is remembered where it is asked for alone", () => {
  let remembered = 0;
  for (let seed = 1; seed <= 40; seed++) {
    const system = lower(randomProgram(seed));
    for (const property of system.properties) {
      const { check } = property;
      if (check.c !== "findings" || check.findings.every((f) => system.findings[f]!.error)) continue;
      const { text } = tla(system, { property });
      expect(text).toMatch(/^Property == ~found \/\\ error \\notin/m);
      if (text.includes("found' = TRUE")) remembered++;
    }
    expect(tla(system).text).not.toContain("found' = TRUE");
  }
  expect(remembered).toBeGreaterThan(0);
});
