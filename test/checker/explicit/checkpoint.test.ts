import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { loopSystem } from "../../../bench/loop-system.ts";
import { explore } from "../../../src/checker/explicit/explore.ts";
import type { Plan } from "../../../src/checker/explicit/plan.ts";
import type { CheckpointOptions, Exploration, SearchOptions } from "../../../src/checker/verdict.ts";
import type { TransitionSystem } from "../../../src/spec/transition-system.ts";
import { Random } from "../../random.ts";
import { everything } from "../search-options.ts";
import { randomProtocol } from "./random-locking.ts";
import { randomSystem } from "./random-system.ts";

let directory: string;
let file: string;

beforeEach(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), "lockstep-checkpoint-")));
  file = join(directory, "search.checkpoint");
});

afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

function checkpoint(resume: boolean): CheckpointOptions {
  return { write: file, resume: resume ? file : undefined, every: 1e6, version: "1.2.3" };
}

function timeless({ seconds: _, ...rest }: Exploration): Omit<Exploration, "seconds"> {
  return rest;
}

/** A search that is stopped after each few states and resumed by a new one, `legs` times, and then finished. */
async function inLegs(
  system: TransitionSystem,
  options: SearchOptions,
  plan: Plan,
  legs: number,
): Promise<{ result: Exploration; resumed: number }> {
  let resumed = 0;
  for (let leg = 0; leg < legs; leg++) {
    const again = existsSync(file);
    await explore(system, { ...options, timeout: 0, checkpoint: checkpoint(again) }, plan);
    if (again) resumed++;
  }
  const again = existsSync(file);
  const result = await explore(system, { ...options, checkpoint: checkpoint(again) }, plan);
  return { result, resumed: resumed + (again ? 1 : 0) };
}

test("a search stopped again and again ends as one that never was", async () => {
  let resumed = 0;
  let violated = 0;
  for (let seed = 1; seed <= 120; seed++) {
    const r = new Random(seed);
    const system = seed % 2 === 0 ? randomSystem(seed, seed % 4 === 0) : randomProtocol(seed);
    const options = everything(system, { reduction: r.chance(60) });
    const plan: Plan = { transactions: options.reduction && r.chance(50), states: 5000, slice: r.between(1, 40) };
    const straight = await explore(system, options, plan);
    const stopped = await inLegs(system, options, plan, r.between(1, 4));
    rmSync(file, { force: true });
    expect([seed, timeless(stopped.result)]).toEqual([seed, timeless(straight)]);
    resumed += stopped.resumed;
    violated += straight.outcomes.filter((o) => o.verdict === "violated").length;
  }
  expect(resumed).toBeGreaterThan(150);
  expect(violated).toBeGreaterThan(50);
}, 120_000);

test("tables that have grown come back, and memory that ran out is made good by more", async () => {
  const system = loopSystem(2, 2, 2);
  const options = everything(system);
  const first = await explore(
    system,
    { ...options, memory: 2_500_000, checkpoint: checkpoint(false) },
    { transactions: false },
  );
  expect(first.complete).toBe(false);
  expect(first.states).toBeGreaterThan(20_000);
  const less = { ...options, memory: 100_000, checkpoint: checkpoint(true) };
  await expect(explore(system, less, { transactions: false })).rejects.toThrow(/not enough memory; raise --memory/);
  // It goes on, and does not begin again.
  const further = await explore(
    system,
    { ...options, timeout: 0, checkpoint: checkpoint(true) },
    { transactions: false, slice: 10 },
  );
  expect(further.complete).toBe(false);
  expect(further.states).toBeGreaterThanOrEqual(first.states!);
  expect(further.transitions).toBeGreaterThan(first.transitions!);
  const result = await explore(system, { ...options, checkpoint: checkpoint(true) }, { transactions: false });
  expect(result).toMatchObject({ states: 171_081, transitions: 380_596, complete: true });
}, 60_000);

test("a file that is foreign or damaged is refused with one sentence", async () => {
  const system = loopSystem(1, 1, 2);
  const plan: Plan = { transactions: false, slice: 50 };
  const options = everything(system);
  const resume = (other: Partial<SearchOptions> = {}, model = system): Promise<Exploration> =>
    explore(model, { ...options, checkpoint: checkpoint(true), ...other }, plan);
  await expect(resume()).rejects.toThrow(/cannot be resumed: there is no such file/);
  await explore(system, { ...options, timeout: 0, checkpoint: checkpoint(false) }, plan);
  const good = readFileSync(file);
  expect(await resume()).toMatchObject({ complete: true });

  const elsewhere = { ...system, scenario: "other" };
  await expect(resume({}, elsewhere)).rejects.toThrow(/it is a search of `.*`, and what is to be checked is `.* other/);
  await expect(resume({}, { ...system, vars: [...system.vars, system.vars[0]!] })).rejects.toThrow(/model has changed/);
  const moved = structuredClone(system) as unknown as { programs: { locations: { site: unknown }[] }[] };
  for (const p of moved.programs) for (const l of p.locations) l.site = { file: "moved.ts", line: 9, column: 9 };
  expect(await resume({}, moved as unknown as TransitionSystem)).toMatchObject({ complete: true });
  await expect(resume({ properties: ["deadlock"] })).rejects.toThrow(/a search with other options/);
  await expect(resume({ reduction: true })).rejects.toThrow(/a search with other options/);
  const later = { ...checkpoint(true), version: "1.2.4" };
  await expect(resume({ checkpoint: later })).rejects.toThrow(/written by Lockstep 1\.2\.3, and this is 1\.2\.4/);

  const r = new Random(1);
  for (let k = 0; k < 100; k++) {
    const bad = Buffer.from(good);
    const at = k < 30 ? k : r.below(bad.length);
    bad[at]! ^= 1 << r.below(8);
    writeFileSync(file, bad);
    await expect(resume()).rejects.toMatchObject({ name: "CheckpointError" });
  }
  for (const length of [0, 10, 30, 500, good.length - 1]) {
    writeFileSync(file, good.subarray(0, length));
    await expect(resume()).rejects.toMatchObject({ name: "CheckpointError" });
  }
  writeFileSync(file, good);
  expect(await resume()).toMatchObject({ complete: true });
}, 60_000);

test("a disk that fails ends no search", async () => {
  const system = loopSystem(1, 1, 2);
  const missing = join(directory, "nowhere", "search.checkpoint");
  const result = await explore(
    system,
    everything(system, { checkpoint: { write: missing, every: 1e-6, version: "1" } }),
    { transactions: false, slice: 50 },
  );
  expect(result.complete).toBe(true);
});

describe("on the command line", () => {
  const BIN = join(process.cwd(), "bin", "lockstep.js");
  // Tasks in eight places each: two million states of seven, more than any machine visits of twelve.
  const MODEL = `import { deadlock, pause, protocol, thread } from "lockstep";
const body = (): void => {
  for (let i = 0; i < 7; i++) pause("step");
};
export default protocol("long", {
  title: "long",
  source: "none",
  variants: [{ id: "v", title: "v" }],
  scenarios: Object.entries({ s: 7, t: 2, u: 12 }).map(([id, count]) => ({
    id, title: id, threads: () => [thread("t", body, { count })], properties: [deadlock],
  })),
});
`;

  beforeEach(() => {
    writeFileSync(join(directory, "package.json"), "{}");
    writeFileSync(join(directory, "long.ts"), MODEL);
  });

  const env = { ...process.env, CI: "1", NO_COLOR: "1" };
  const words = (...more: string[]): string[] => [
    BIN,
    ...["check", "long.ts", "--no-reduction", "--reporter", "json"],
    ...more,
  ];
  const lockstep = (...more: string[]) =>
    spawnSync(process.execPath, words(...more), { cwd: directory, env, encoding: "utf8", timeout: 100_000 });

  /** Kills the process the moment it has written one more checkpoint. */
  async function killed(...more: string[]): Promise<void> {
    const before = existsSync(file) ? statSync(file).mtimeMs : 0;
    const child = spawn(process.execPath, words(...more), { cwd: directory, env, stdio: "ignore" });
    const ended = new Promise<NodeJS.Signals | null>((resolve) => {
      child.on("exit", (_, signal) => resolve(signal));
    });
    while (child.exitCode === null && !(existsSync(file) && statSync(file).mtimeMs > before)) await sleep(5);
    child.kill("SIGKILL");
    expect(await ended).toBe("SIGKILL");
  }

  test("kill -9 in the middle, twice: the counts and verdicts are those of one run", async () => {
    const often = ["--scenario", "s", "--checkpoint-interval", "0.1"];
    await killed("--checkpoint", file, ...often);
    await killed("--resume", file, ...often);
    const { results } = JSON.parse(lockstep("--resume", file, "--scenario", "s").stdout);
    expect(results[0]).toMatchObject({
      states: 8 ** 7,
      transitions: 7 * 7 * 8 ** 6,
      // No lock, so nothing the property speaks of.
      verdict: "vacuous",
      complete: true,
    });
  }, 120_000);

  test("an interrupt writes a last checkpoint", async () => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      const again = existsSync(file) ? ["--resume", file] : ["--checkpoint", file];
      const child = spawn(process.execPath, words(...again, "--scenario", "u"), { cwd: directory, env });
      let stdout = "";
      child.stdout.on("data", (chunk: Buffer) => {
        stdout += chunk.toString();
      });
      const ended = new Promise<number | null>((resolve) => child.on("exit", resolve));
      await sleep(2500);
      child.kill(signal);
      expect(await ended).toBe(130);
      expect(JSON.parse(stdout)).toMatchObject({
        interrupted: true,
        results: [
          { verdict: "inconclusive", reason: expect.stringMatching(/^interrupted: .* states found, .*--resume /) },
        ],
      });
    }
    const late = lockstep("--resume", file, "--scenario", "u", "--timeout", "3");
    expect(JSON.parse(late.stdout).results[0].reason).toMatch(/^time ran out/);
  }, 60_000);

  test("what cannot be is exit status 2 and one message", () => {
    const refused = (...more: string[]): string => {
      const { status, stderr } = lockstep(...more);
      expect(status).toBe(2);
      return stderr;
    };
    expect(refused("--checkpoint", file)).toMatch(
      /a checkpoint holds one search, and 3 are selected \(long v s; long v t; long v u\)/,
    );
    expect(refused("--resume", file, "--scenario", "t")).toMatch(
      /there is no such file; start a search with --checkpoint/,
    );
    expect(refused("--checkpoint-interval", "3")).toMatch(/no effect without/);
    expect(refused("--checkpoint", file, "--scenario", "t", "--engine", "smt")).toMatch(/no effect on the engine smt/);
    expect(refused("--checkpoint", "long.ts", "--scenario", "t")).toMatch(/long\.ts exists and is no checkpoint/);
    expect(readFileSync(join(directory, "long.ts"), "utf8")).toBe(MODEL);
    expect(refused("--checkpoint", join("nowhere", "x"), "--scenario", "t")).toMatch(/there is no directory nowhere/);
    // A time that runs out leaves a checkpoint of this scenario, which is none of the other one.
    const late = lockstep("--checkpoint", file, "--scenario", "u", "--timeout", "3");
    expect(JSON.parse(late.stdout).results[0].reason).toMatch(/^time ran out/);
    expect(refused("--resume", file, "--scenario", "t")).toMatch(/it is a search of `long v u`, .* is `long v t`\n$/);
  }, 120_000);
});
