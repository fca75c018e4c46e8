/** Questions about runs that nobody can answer are refused: exit code 2, and one message that says what to do. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";

const BIN = join(process.cwd(), "bin", "lockstep.js");
const MODEL = join(process.cwd(), "test", "cli", "models", "runs.ts");

function check(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, "check", MODEL, ...args], {
    encoding: "utf8",
    env: { ...process.env, CI: "1", NO_COLOR: "1" },
    timeout: 60_000,
  });
  return { status, output: `${stdout}${stderr}`.replace(/\s+/g, " ") };
}

test.each([
  ["label", 'The thread T1 runs no function with a label "weit". Nearest: wait.'],
  ["thread", 'There is no thread named "T2". Nearest: T1.'],
  ["fair-thread", 'There is no thread named "T2". Nearest: T1.'],
  ["fair-wait", 'Strong fairness is asked for waits of kind "mutexes", which is no kind of wait. Nearest: mutex,'],
])("%s", (scenario, message) => {
  // The reference interpreter reads the model in its own way, and is asked first whether that makes sense.
  for (const engine of scenario === "label" ? ["explicit", "reference"] : ["symbolic"]) {
    expect(check("--scenario", scenario, "--engine", engine)).toEqual({
      status: 2,
      output: expect.stringContaining(message),
    });
  }
});

test("the SMT engine decides no temporal property, and says so of one that is asked for by name", () => {
  const { status, output } = check("--scenario", "strong", "--property", "runs", "--engine", "smt");
  expect(output).toContain(
    "the engine smt decides no temporal property, and runs is one, under strong fairness: leave --engine out, or use",
  );
  expect(status).toBe(2);
});

test.each(["auto", "symbolic", "reference"])("the engine %s decides it", (engine) => {
  expect(check("--scenario", "strong", "--property", "runs", "--engine", engine).status).toBe(0);
});
