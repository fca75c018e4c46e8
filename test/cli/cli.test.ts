import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { jest } from "@jest/globals";
import { main } from "../../src/cli/main.ts";
import { sentence } from "../../src/cli/progress.ts";

const BIN = join(process.cwd(), "bin", "lockstep.js");
const ABBA = join(process.cwd(), "test", "cli", "models", "abba.ts");
const TRACE = "abba/crossed/one-each/deadlock.itf.json";

let directory: string;

beforeAll(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), "lockstep-cli-")));
  // The package's own models must not be found from here.
  writeFileSync(join(directory, "package.json"), "{}");
  mkdirSync(join(directory, "models", "abba"), { recursive: true });
  writeFileSync(join(directory, "models", "abba", "protocol.ts"), readFileSync(ABBA, "utf8"));
});

afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function lockstep(args: readonly string[], input = ""): Outcome {
  const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, ...args], {
    cwd: directory,
    encoding: "utf8",
    input,
    env: { ...process.env, CI: "1", NO_COLOR: "1" },
    timeout: 60_000,
  });
  return { status, stdout, stderr };
}

test("check: all models of the directory, a trace that replays, nothing on stderr", () => {
  const run = lockstep(["check"]);
  expect(run.stderr).toBe("");
  expect(run.status).toBe(0);
  expect(run.stdout).toContain("12 verdicts: 7 hold, 1 violated (all as expected), 4 vacuous; everything as expected");
  const file = join("counterexamples", TRACE);
  expect(readFileSync(join(directory, file), "utf8")).toContain('"model": "models/abba/protocol.ts"');

  const replayed = lockstep(["replay", file]);
  expect(replayed.status).toBe(0);
  expect(replayed.stdout).toContain("still a violation of deadlock: deadlock");
  expect(lockstep(["show", file]).stdout).toContain(`Replay: npx lockstep replay ${file}`);
  expect(lockstep(["show", file, "--format", "itf"]).stdout).toBe(readFileSync(join(directory, file), "utf8"));
  expect(lockstep(["show", file, "--full"]).stdout).toMatch(/State at the end:\n {2}lock_a = fwd\n/);
  expect(lockstep(["show", file, "--format", "mermaid"]).stdout).toMatch(/^sequenceDiagram\n/);
});

test("the same run gives the same trace, byte for byte, from threads and from one thread", () => {
  const bytes = ["1", "3"].map((workers) => {
    const out = join(directory, `out${workers}`);
    expect(lockstep(["check", "abba", "--out", out, "--workers", workers, "--reporter", "ktap"]).status).toBe(0);
    return readFileSync(join(out, TRACE), "utf8");
  });
  expect(bytes[0]).toBe(bytes[1]);
});

test("filters narrow the run, and few cells come with their counterexample", () => {
  const run = lockstep(["check", "abba", "--variant", "crossed", "--scenario", "one-each", "--property", "deadlock"]);
  expect(run.status).toBe(0);
  expect(run.stdout).toContain("Who waits for whom:");
  expect(run.stdout).toContain("held by [bwd] since step 2, mutex_lock(&lock_b) in take_backward()");
});

test("reporters: one on stdout, others in files", () => {
  const run = lockstep([
    "check",
    "--reporter",
    "json",
    "--reporter",
    "junit=reports/junit.xml",
    "--reporter",
    "sarif=s.json",
  ]);
  expect(run.status).toBe(0);
  const report = JSON.parse(run.stdout);
  expect(report.results).toHaveLength(12);
  expect(report.results[0]).toMatchObject({ protocol: "abba", verdict: "violated", asExpected: true, trace: TRACE });
  expect(readFileSync(join(directory, "reports", "junit.xml"), "utf8")).toContain(
    '<testsuites name="lockstep" tests="12"',
  );
  expect(JSON.parse(readFileSync(join(directory, "s.json"), "utf8")).version).toBe("2.1.0");
});

test("a violation at other than the default sizes counts, under a path of its own", () => {
  const run = lockstep([
    "check",
    "--param",
    "writers=2",
    "--scenario",
    "one-each",
    "--variant",
    "crossed",
    "--out",
    "sized",
  ]);
  expect(run.status).toBe(1);
  expect(existsSync(join(directory, "sized/abba/crossed/one-each@writers=2/deadlock.itf.json"))).toBe(true);
  expect(lockstep(["replay", "sized/abba/crossed/one-each@writers=2/deadlock.itf.json", "--quiet"])).toMatchObject({
    status: 0,
    stdout: "still a violation of deadlock: deadlock\n",
  });
});

test("every shard is a success, an empty one too", () => {
  expect(lockstep(["check", "--shard", "9/9"])).toMatchObject({ status: 0 });
});

test("a run out of time is inconclusive", () => {
  expect(lockstep(["check", "--timeout", "0.000001"])).toMatchObject({ status: 3 });
});

describe("usage errors say what is wrong and what is near, and exit with 2", () => {
  test.each([
    [["chek"], /no command is called chek\. Nearest: check/],
    [["check", "abab"], /no protocol is called abab\. Nearest: abba/],
    [["check", "none.ts"], /none\.ts: there is no such file/],
    [["check", "models"], /models is a directory; name a protocol, or a model's \.ts file/],
    [["check", ""], /no protocol is called ""\./],
    [["check", "abba", ABBA], /are both the protocol abba/],
    [["check", "--timeout", "-1"], /one that begins with a dash is written --timeout=-1/],
    [["check", "--timeout=-1"], /--timeout -1: expected a number of seconds above 0/],
    [["check", "--out", "package.json"], /--out package\.json: package\.json is a file; name a directory/],
    [["check", "--out", "package.json/x"], /package\.json is a file, so nothing can be below it/],
    [["check", "--reporter", "json=models"], /--reporter json=models: models is a directory; name a file/],
    [["check", "--engine", "smt", "--proofs", "package.json"], /--proofs package\.json: .* name a directory/],
    [["check", "--engine", "smt", "--smt", "./models"], /\.\/models cannot be run/],
    [["check", "--resume", "package.json"], /--resume package\.json exists and is no checkpoint/],
    [["certify", "models"], /models: it is no file/],
    [["certify", "package.json"], /^lockstep: package\.json is no certificate/],
    [["check", "--variant", "croosed"], /no variant is called croosed\. Nearest: crossed/],
    [["check", "--scenario", "one"], /no scenario is called one\./],
    [["check", "--property", "dedlock"], /no property is called dedlock\. Nearest: deadlock/],
    [["check", "--variant", "ordered", "--scenario", "forward-only"], /nothing is left to check/],
    [["check", "--engine", "fast"], /--engine fast does not exist; there are auto, explicit/],
    [["check", "--engine", "reference", "--memory", "100"], /--memory has no effect on the engine reference/],
    [["check", "--engine", "smt", "--no-reduction"], /--no-reduction has no effect on the engine smt/],
    [["check", "--param", "writers"], /--param writers: expected name=value/],
    [["check", "--param", "writers=9"], /one-each takes an integer from 1 to 3/],
    [["check", "--param", "writer=1"], /Nearest: writers/],
    [["check", "--param", "writers=1", "--param", "writers=2"], /given twice/],
    [["check", "--timeout", "soon"], /--timeout soon: expected a number of seconds above 0/],
    [["check", "--workers", "1.5"], /expected a whole number above 0/],
    [["check", "--storage", "fingerprints", "--checkpoint", "x"], /cannot be combined with --checkpoint/],
    [["check", "--storage", "fingerprints", "--engine", "smt"], /--storage has no effect on the engine smt/],
    [["check", "--memory", "0"], /expected a number of MiB above 0/],
    [["check", "--shard", "3/2"], /expected i\/n/],
    [["check", "--reporter", "xml"], /no reporter is called xml; there are default, json/],
    [["check", "--reporter", "json", "--reporter", "junit"], /would both write to stdout/],
    [["check", "--reporter", "json="], /the file's name is missing/],
    [["check", "--varian", "x"], /has no option --varian\. Nearest: --variant/],
    [["check", "--timeout"], /--timeout/],
    [["check", "--out", "a", "--out", "b"], /--out is given 2 times/],
    [["show"], /TRACE is missing: lockstep show TRACE/],
    [["show", "a", "b"], /unexpected argument b/],
    [["show", "a", "--format", "itf", "--full"], /--full has no effect on --format itf/],
    [["show", "none.itf.json"], /none\.itf\.json: there is no such file/],
    [["replay", "package.json"], /it is JSON but no ITF trace/],
    [["simulate", "abba"], /say which variant: --variant crossed \| ordered/],
    [["simulate", "abba", "--variant", "ordered", "--scenario", "forward-only"], /does not exist for ordered/],
    [["simulate", "abba", "--variant", "ordered", "--seed", "x"], /--seed x: expected an integer/],
    [["compare", "abba", "crossed"], /CANDIDATE is missing/],
    [["compare", "abba", "crossed", "crossed"], /named twice/],
    [["export", "abba"], /say the format/],
  ])("%j", async (args, message) => {
    // In this process: a process of its own for each would take most of the time of these tests.
    const said: string[] = [];
    const printed: string[] = [];
    const stderr = jest.spyOn(process.stderr, "write").mockImplementation((text) => said.push(String(text)) > 0);
    const stdout = jest.spyOn(process.stdout, "write").mockImplementation((text) => printed.push(String(text)) > 0);
    const before = process.cwd();
    process.chdir(directory);
    try {
      expect(await main(args)).toBe(2);
    } finally {
      process.chdir(before);
      stderr.mockRestore();
      stdout.mockRestore();
    }
    expect(said.join("")).toMatch(message);
    expect(said.join("")).not.toMatch(/\n\s+at /);
    expect(printed).toEqual([]);
  });
});

test("a model that does not load: its error with the position; what other models gave is reported", () => {
  writeFileSync(join(directory, "odd.ts"), "export default 5;\n");
  const run = lockstep(["check", "abba", "odd.ts"]);
  expect(run.status).toBe(2);
  expect(run.stdout).toContain("odd.ts:1:1: a model file must export its protocol");
  expect(run.stdout).toContain("12 verdicts");
  expect(lockstep(["list", "odd.ts"])).toMatchObject({ status: 2 });
  // A name that only the broken model could know: what went wrong is that it did not load.
  const named = lockstep(["check", "odd.ts", "--variant", "v1"]);
  expect(named.status).toBe(2);
  expect(named.stderr).toMatch(/odd\.ts:1:1: a model file must export its protocol/);
});

test("type errors are one line each, before anything runs", () => {
  writeFileSync(join(directory, "typed.ts"), `${readFileSync(ABBA, "utf8")}\nexport const n: number = "text";\n`);
  const run = lockstep(["check", "typed.ts", "--typecheck"]);
  expect(run).toMatchObject({ status: 2, stdout: "" });
  expect(run.stderr).toMatch(/^typed\.ts:\d+:14: TS2322: .*\n$/);
  expect(lockstep(["check", "abba", "--typecheck"]).status).toBe(0);
}, 60_000);

test("replay says so when the model no longer has the violation, and when it no longer has the scenario", () => {
  lockstep(["check", "abba", "--out", "replayed"]);
  const trace = join(directory, "replayed", TRACE);
  const text = readFileSync(trace, "utf8");
  const edit = (from: string, to: string): string => {
    const file = join(directory, "edited.itf.json");
    writeFileSync(file, text.replace(from, to));
    return file;
  };
  const gone = lockstep(["replay", edit('"variant": "crossed"', '"variant": "ordered"')]);
  expect(gone.status).toBe(1);
  expect(gone.stdout).toMatch(/^no longer a violation of deadlock: /);
  const unknown = lockstep(["replay", edit('"variant": "crossed"', '"variant": "croosed"')]);
  expect(unknown.status).toBe(2);
  expect(unknown.stderr).toMatch(/edited\.itf\.json: the model cannot run this trace: no variant is called croosed/);
  expect(lockstep(["replay", edit('"property": "deadlock"', '"property": "starvation"')]).stderr).toMatch(
    /has no property starvation any more/,
  );
  const other = edit("models/abba/protocol.ts", "models/gone/protocol.ts").toString();
  writeFileSync(other, readFileSync(other, "utf8").replace('"protocol": "abba"', '"protocol": "gone"'));
  expect(lockstep(["replay", other]).stderr).toMatch(/its model models\/gone\/protocol\.ts is not here/);
});

test("compare: better is 0, worse is 1", () => {
  const better = lockstep(["compare", "abba", "crossed", "ordered"]);
  expect(better.status).toBe(0);
  expect(better.stdout).toContain("FIXED one-each, deadlock: violated (deadlock) -> holds");
  expect(better.stdout).toContain("1 fixed, 0 broken");
  const worse = lockstep(["compare", "abba", "ordered", "crossed", "--json", "--scenario", "one-each"]);
  expect(worse.status).toBe(1);
  expect(JSON.parse(worse.stdout).comparisons[0].rows[0]).toEqual({
    scenario: "one-each",
    settings: "writers=1",
    property: "deadlock",
    base: "holds",
    candidate: "violated (deadlock)",
    change: "broken",
  });
});

test("list, as text and as JSON", () => {
  expect(lockstep(["list"]).stdout).toMatch(/abba: two mutexes in two orders\n[\s\S]*crossed +opposite orders/);
  const { protocols } = JSON.parse(lockstep(["list", "--json"]).stdout);
  expect(protocols[0]).toMatchObject({
    protocol: "abba",
    scenarios: [{ variants: ["crossed", "ordered"] }, { variants: ["crossed"] }],
  });
});

test("simulate: the same seed gives the same schedule, and says how to get it again", () => {
  const cell = ["--variant", "crossed", "--scenario", "one-each"];
  const first = lockstep(["simulate", "abba", ...cell, "--seed", "7"]);
  expect(first.status).toBe(0);
  expect(first.stdout).toContain("--seed 7");
  expect(lockstep(["simulate", "abba", ...cell, "--seed", "7"]).stdout).toBe(first.stdout);
  const others = [1, 2, 3, 4].map((seed) => lockstep(["simulate", "abba", ...cell, "--seed", String(seed)]).stdout);
  expect(new Set(others.map((s) => s.replaceAll(/seed \d+/g, ""))).size).toBeGreaterThan(1);
  expect(lockstep(["simulate", "abba", ...cell, "--seed", "7", "--steps", "1"]).stdout).toContain(
    "stopped after 1 steps",
  );
});

test("explore: moves come from a pipe", () => {
  const run = lockstep(
    ["explore", "abba", "--variant", "crossed", "--scenario", "one-each"],
    "2\n1\nh\nb 2\ns\n7\nwhat\n?\nq\n1\n",
  );
  expect(run.status).toBe(0);
  expect(run.stdout).toMatchSnapshot();
});

test("export: Promela for SPIN, with or without a property that SPIN can decide", () => {
  const cell = ["--variant", "jones-2007", "--scenario", "rescan-for-ever-vs-wait", "--to", "promela"];
  const text = lockstep(["export", resolve("models/wait-scan/protocol.ts"), ...cell]).stdout;
  expect(text).toContain("proctype T1()");
  const strong = lockstep(["export", resolve("models/wait-scan/protocol.ts"), ...cell, "--property", "bounded-wait"]);
  expect({ status: strong.status, message: strong.stderr }).toEqual({
    status: 2,
    message: expect.stringContaining("bounded-wait assumes strong fairness, SPIN has weak"),
  });
  expect(
    lockstep(["export", resolve("models/wait-scan/protocol.ts"), ...cell, "--property", "bounded"]).stderr,
  ).toContain("nearest: bounded-wait");
});

test("export: TLA+ for TLC, with its configuration beside it", () => {
  const cell = ["--variant", "crossed", "--scenario", "one-each", "--to", "tla"];
  const text = lockstep(["export", "abba", ...cell]).stdout;
  expect(text).toContain("MODULE abba_crossed_one_each");
  const file = join(mkdtempSync(join(tmpdir(), "lockstep-")), "Abba.tla");
  expect(lockstep(["export", "abba", ...cell, "--property", "deadlock", "--output", file]).status).toBe(0);
  expect(readFileSync(file, "utf8")).toContain("MODULE Abba -");
  expect(readFileSync(file.replace(".tla", ".cfg"), "utf8")).toContain("INVARIANT Property\n");
  expect(lockstep(["export", "abba", ...cell, "--output", file.replace("Abba", "a-b")])).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('"a-b" is no name of a module'),
  });
  expect(lockstep(["export", "abba", ...cell, "--output", join(file, "B.tla")])).toMatchObject({
    status: 2,
    stderr: expect.stringContaining("is a file, so nothing can be below it"),
  });
});

test("check: what cannot be written in the end is said, and the report is printed", () => {
  const out = mkdtempSync(join(tmpdir(), "lockstep-"));
  writeFileSync(join(out, "abba"), "");
  const run = lockstep(["check", "abba", "--variant", "crossed", "--property", "deadlock", "--out", out]);
  expect(run).toMatchObject({ status: 2, stderr: expect.stringMatching(/^lockstep: .* cannot be written: .*--out/) });
  expect(run.stdout).toContain("crossed  one-each      x");
});

test("compare: the counts leave nothing out, and a schedule of what is worse is a command away", () => {
  const { status, stdout } = lockstep(["compare", "abba", "ordered", "crossed", "--param", "writers=1"]);
  expect(status).toBe(1);
  expect(stdout).toContain("0 fixed, 1 broken, 2 in one only, 4 unchanged");
  const words = "check abba --variant crossed --scenario one-each --property deadlock --param writers=1";
  expect(stdout).toContain(`The schedule: npx lockstep ${words}\n`);
});

test("check: counterexamples that cannot be written are said to be so", () => {
  const file = join(mkdtempSync(join(tmpdir(), "lockstep-")), "no-folder");
  writeFileSync(file, "");
  const run = lockstep(["check", "abba", "--variant", "crossed", "--scenario", "one-each", "--out", file]);
  expect({ status: run.status, message: run.stderr }).toEqual({
    status: 2,
    message: expect.stringContaining(`no-folder is a file; name a directory`),
  });
});

test("export: Horn clauses of one safety property", () => {
  const cell = ["--variant", "crossed", "--scenario", "one-each", "--to", "smtlib"];
  const text = lockstep(["export", "abba", ...cell, "--property", "lock-discipline"]).stdout;
  expect(text).toContain("(set-logic HORN)");
  expect(text.match(/\(/g)!.length).toBe(text.match(/\)/g)!.length);
  expect(lockstep(["export", "abba", ...cell]).stderr).toContain("say which, with --property P");
  expect(lockstep(["export", "abba", ...cell, "--property", "deadlock"])).toMatchObject({
    status: 2,
    stderr: expect.stringContaining("deadlock asks what can still happen"),
  });
});

test("export: the graph in Graphviz's language, refused when it is too large to draw", () => {
  const cell = ["--variant", "crossed", "--scenario", "one-each"];
  const dot = lockstep(["export", "abba", "--to", "dot", ...cell]).stdout;
  const { results } = JSON.parse(lockstep(["check", "abba", "--no-reduction", "--reporter", "json", ...cell]).stdout);
  expect(dot.match(/^ {2}s\d+ \[/gm)).toHaveLength(results[0].states);
  expect(dot.match(/ -> /g)).toHaveLength(results[0].transitions);
  expect(dot.match(/color=red/g)).toHaveLength(1);
  const small = lockstep(["export", "abba", "--to", "dot", ...cell, "--max-states", "5"]);
  expect(small.status).toBe(2);
  expect(small.stderr).toMatch(/more than 5 states/);
});

test("coverage is printed, and leaves a machine-readable report alone", () => {
  expect(lockstep(["check", "--coverage"]).stdout).toMatch(/abba crossed: (\d+) of \1 statements reached/);
  const json = lockstep(["check", "--coverage", "--reporter", "json"]);
  expect(() => JSON.parse(json.stdout)).not.toThrow();
  expect(json.stderr).toMatch(/abba ordered: /);
});

test("help and version", () => {
  expect(lockstep(["--version"]).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  expect(lockstep(["--help"])).toMatchObject({ status: 0 });
  expect(lockstep([]).status).toBe(2);
  for (const command of ["check", "list", "compare", "show", "replay", "explore", "simulate", "export"]) {
    expect(lockstep(["--help"]).stdout).toContain(`lockstep ${command}`);
    expect(lockstep(["help", command]).stdout).toContain(`lockstep ${command}`);
  }
  expect(lockstep(["check", "--help"]).stdout).toContain("--no-reduction");
});

test("an interrupt reports what had finished and exits with 130", async () => {
  // Ten tasks with nine free steps each: ten thousand million states.
  writeFileSync(
    join(directory, "long.ts"),
    `import { deadlock, pause, protocol, thread } from "lockstep";
const body = (): void => {
  for (let i = 0; i < 9; i++) pause("step");
};
export default protocol("long", {
  title: "long",
  source: "none",
  variants: [{ id: "v", title: "v" }],
  scenarios: [{ id: "s", title: "s", threads: () => [thread("t", body, { count: 10 })], properties: [deadlock] }],
});
`,
  );
  const child = spawn(
    process.execPath,
    [BIN, "check", "long.ts", "--no-reduction", "--memory", "500", "--reporter", "json"],
    {
      cwd: directory,
      env: { ...process.env, CI: "1" },
    },
  );
  let stdout = "";
  child.stdout.on("data", (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  const ended = new Promise<number | null>((resolve) => child.on("exit", resolve));
  await new Promise((resolve) => setTimeout(resolve, 2000));
  child.kill("SIGINT");
  expect(await ended).toBe(130);
  expect(JSON.parse(stdout)).toMatchObject({ interrupted: true, unfinished: ["long v s"], results: [] });
}, 30_000);

test("progress names what runs and how far it is", () => {
  const running = new Map([["loop v4.0 s", { states: 1_234_567, transitions: 2, depth: 30, frontier: 45_000 }]]);
  expect(sentence(3, 9, running)).toBe("3 of 9 checked; loop v4.0 s: 1.2 M states, depth 30, 45 k to go");
  const known = new Map([["loop", { states: 900, transitions: 2, depth: 30, frontier: 50, share: 0.783 }]]);
  expect(sentence(0, 1, known)).toBe("0 of 1 checked; loop: 900 states, depth 30, 50 to go, about 80 % found");
  expect(sentence(0, 9, new Map())).toBe("0 of 9 checked");
});
