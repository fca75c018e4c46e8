import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const BIN = join(process.cwd(), "bin", "lockstep.js");
const ABBA = join(process.cwd(), "test", "cli", "models", "abba.ts");
const TURNSTILE = join(process.cwd(), "test", "cli", "models", "turnstile.ts");
const WAIT_SCAN = join(process.cwd(), "models", "wait-scan", "protocol.ts");

let directory: string;
beforeAll(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), "lockstep-smt-")));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function lockstep(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, ...args], {
    cwd: directory,
    encoding: "utf8",
    env: { ...process.env, CI: "1", NO_COLOR: "1" },
    timeout: 60_000,
  });
  // On a busy machine a run may be slow enough to say how far it is.
  return { status, stdout, stderr: stderr.replace(/^\d+ of \d+ checked.*\n/gm, "") };
}

/** A program that behaves like a solver, after a fashion. */
function fake(name: string, script: string): string {
  const file = join(directory, name);
  mkdirSync(join(file, ".."), { recursive: true });
  writeFileSync(file, `#!/bin/sh\n${script}\n`);
  chmodSync(file, 0o755);
  return file;
}

function certificates(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((f) => f.endsWith(".smt2"))
    .map((f) => join(folder, f));
}

test("check --engine smt: verdicts, queries on request, and proofs that certify accepts", () => {
  const run = lockstep("check", ABBA, "--engine", "smt", "--keep-smt", "queries", "--out", "out");
  expect([run.status, run.stderr]).toEqual([0, ""]);
  expect(readdirSync(join(directory, "queries")).length).toBeGreaterThan(0);
  expect(existsSync(join(directory, "out", "abba/crossed/one-each/deadlock.itf.json"))).toBe(true);
  // A run leaves no proofs in a source tree unless it is told where.
  expect(certificates(join(directory, "out"))).toEqual([]);
  expect(run.stdout).toMatch(/^certificates: for \d+ verdicts, below \.lockstep\/proofs/m);
  const [proof] = certificates(join(directory, ".lockstep", "proofs"));
  if (proof === undefined) throw new Error("no proof was kept");
  const certified = lockstep("certify", proof);
  expect([certified.status, certified.stderr]).toEqual([0, ""]);
  expect(certified.stdout).toMatch(/^Lockstep certificate: abba[\s\S]*inductive: unsat[\s\S]*certified\n$/);

  const broken = join(directory, "broken.smt2");
  const everythingBad = readFileSync(proof, "utf8").replace(
    /\(define-fun Bad \(\) Bool\n([\s\S]*?)\)\n\(define-fun/,
    "(define-fun Bad () Bool\n (or true $1))\n(define-fun",
  );
  writeFileSync(broken, everythingBad);
  const bad = lockstep("certify", broken);
  expect([bad.status, bad.stdout.split("\n").at(-2)]).toEqual([1, "not certified: all three answers must be unsat"]);
  const other = lockstep("certify", ABBA);
  expect([other.status, other.stderr]).toEqual([2, expect.stringContaining("is no certificate")]);
  expect(lockstep("certify", "nothing.smt2")).toMatchObject({
    status: 2,
    stderr: expect.stringContaining("no such file"),
  });
}, 120_000);

test("check --cross-check: what another engine says is in the report", () => {
  const run = lockstep("check", ABBA, "--cross-check", "smt", "--reporter", "json=r.json", "--reporter", "default");
  expect([run.status, run.stderr]).toEqual([0, ""]);
  expect(run.stdout).toMatch(/^cross-check: smt agrees on 12 of 12 verdicts$/m);
  const { results } = JSON.parse(readFileSync(join(directory, "r.json"), "utf8"));
  expect(results[0]).toMatchObject({ engine: "explicit", crossChecks: [{ engine: "smt", agrees: true, depth: 2 }] });
}, 60_000);

test("prove: any number of threads, and which classes there are", () => {
  const cell = ["prove", WAIT_SCAN, "--variant", "before", "--scenario", "probe-vs-wait"];
  const run = lockstep(...cell, "--any-number", "driver1", "--proofs", join(directory, "proofs"));
  // The early return that the scenario itself shows is a violation for every number.
  expect(run.status).toBe(1);
  expect(run.stdout).toMatch(/^no-early-return: violated with the threads of the scenario \(early-return\)/m);
  expect(run.stdout).toMatch(/^lock-discipline: holds for any number of driver1 \(thread-modular\)$/m);
  expect(run.stdout).toMatch(/^deadlock: holds for any number of driver1 \(counting\)$/m);
  expect(run.stdout).toMatch(
    /^ {2}\[kernel_flag being held by one of them\] = the number of driver1 between lock_kernel/m,
  );
  const other = ["prove", WAIT_SCAN, "--variant", "baton", "--scenario", "probe-vs-wait", "--any-number", "driver1"];
  const open = lockstep(...other, "--property", "memory-safety");
  expect([open.status, open.stdout]).toEqual([
    3,
    expect.stringMatching(/^memory-safety: open: threads of class driver1/m),
  ]);
  expect(lockstep(...cell, "--any-number", "drivers")).toMatchObject({
    status: 2,
    stderr: expect.stringContaining("no threads are of class drivers; there are"),
  });
  expect(lockstep(...cell)).toMatchObject({ status: 2, stderr: expect.stringContaining("--any-number driver1") });
});

test("prove: a violation that takes more threads than the scenario has, as a check of that size shows it", () => {
  const run = lockstep("prove", TURNSTILE, "--any-number", "visitor", "--property", "no-crowd");
  expect([run.status, run.stdout]).toEqual([
    1,
    expect.stringMatching(
      /^no-crowd: violated with 4 visitor, in 5 steps \(crowd\); see lockstep check with --param visitors=4$/m,
    ),
  ]);
  const four = lockstep("check", TURNSTILE, "--property", "no-crowd", "--param", "visitors=4", "--reporter", "json");
  expect(JSON.parse(four.stdout).results).toMatchObject([{ verdict: "violated", depth: 5, depthExact: true }]);
}, 60_000);

test.each([
  [["--smt", "native"], "add --engine smt"],
  [["--engine", "explicit", "--depth", "5"], "--depth has an effect only on the SMT engine"],
  [["--engine", "smt", "--no-reduction"], "--no-reduction has no effect on the engine smt"],
  [["--engine", "smt", "--smt", "yices"], "expected wasm, native, z3, cvc5"],
  [["--engine", "smt", "--smt", "./no/z3"], "the SMT solver ./no/z3 cannot be run: install it"],
  [["--cross-check", "yices"], "--cross-check yices: there are explicit, symbolic, smt, reference"],
  [["--cross-check", "smt", "--engine", "smt"], "the same engine decides already"],
  [["--cross-check", "symbolic", "--cross-check", "symbolic"], "--cross-check symbolic is given twice"],
  [["--cross-check", "symbolic", "--smt", "native"], "add --engine smt"],
  [["--method", "bmc"], "--method has an effect only on the SMT engine"],
  [["--engine", "smt", "--method", "ic3"], "--method ic3 does not exist; there are auto, bmc"],
  [["--engine", "smt", "--rlimit", "0"], "expected a whole number of resource units above 0"],
  [["--engine", "smt", "--depth", "0"], "expected a whole number of steps above 0"],
])("refused: %j", (args, message) => {
  const run = lockstep("check", ABBA, ...args);
  expect([run.status, run.stderr]).toEqual([2, expect.stringContaining(message)]);
});

test("a memory limit that the solver knows nothing of is refused", () => {
  const solver = fake("yices", "exit 0");
  const run = lockstep("check", ABBA, "--engine", "smt", "--smt", solver, "--memory", "100");
  expect([run.status, run.stderr]).toEqual([2, expect.stringContaining("only where the solver is z3")]);
});

test("a native solver that is too old is named with what to install", () => {
  const old = fake("old/z3", 'echo "Z3 version 4.4.1 - 64 bit"');
  const run = lockstep("check", ABBA, "--engine", "smt", "--smt", old);
  expect([run.status, run.stderr]).toEqual([2, expect.stringContaining("too old: install z3 4.8.8 or later")]);
});

test.each([
  ["crashes", "exit 3", "ended (code 3)"],
  [
    "answers unknown",
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the shell's
    'while read -r line; do case "$line" in "(echo "*) echo "unknown"; echo "${line#(echo }" | tr -d "\\")";; esac; done',
    "unknown",
  ],
  ["runs out of memory", 'read -r line; echo "(error \\"out of memory\\")"; exit 1', "memory"],
])(
  "a solver that %s leaves things open, with the reason",
  (_, script, reason) => {
    const solver = fake(`bad-${reason.length}/solver`, script);
    const run = lockstep(
      "check",
      ABBA,
      "--engine",
      "smt",
      "--smt",
      solver,
      "--timeout",
      "20",
      "--property",
      "deadlock",
      "--variant",
      "crossed",
      "--out",
      "bad",
    );
    expect([run.status, run.stdout.replace(/\s+/g, " ")]).toEqual([
      expect.any(Number),
      expect.stringContaining(reason),
    ]);
    expect([1, 3]).toContain(run.status);
  },
  60_000,
);
