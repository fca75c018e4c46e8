import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const BIN = join(process.cwd(), "bin", "lockstep.js");
const ABBA = join(process.cwd(), "test", "cli", "models", "abba.ts");

let directory: string;
beforeAll(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), "lockstep-verify-")));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function lockstep(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, "check", ABBA, ...args], {
    cwd: directory,
    encoding: "utf8",
    env: { ...process.env, CI: "1", NO_COLOR: "1" },
  });
  return { status, stdout, stderr };
}

test("check --verify-reductions: the whole graph says the same", () => {
  const run = lockstep("--verify-reductions", "--reporter", "json=r.json", "--reporter", "default");
  expect([run.status, run.stderr]).toEqual([0, ""]);
  expect(run.stdout).toMatch(/^cross-check: explicit without reductions agrees on 12 of 12 verdicts$/m);
  const { results } = JSON.parse(readFileSync(join(directory, "r.json"), "utf8"));
  expect(results[0].crossChecks).toEqual([
    expect.objectContaining({ engine: "explicit", method: "bfs without reductions", agrees: true, depth: 2 }),
  ]);
}, 60_000);

test.each([
  [["--no-reduction"], "--verify-reductions has nothing to verify with --no-reduction"],
  [["--engine", "symbolic"], "--verify-reductions has no effect on the engine symbolic"],
])("refused: --verify-reductions %j", (args, message) => {
  const run = lockstep("--verify-reductions", ...args);
  expect([run.status, run.stderr]).toEqual([2, expect.stringContaining(message)]);
});
