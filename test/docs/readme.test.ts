/** The README's commands work as they stand, and its sample is what is printed. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const text = readFileSync("README.md", "utf8");
const out = mkdtempSync(join(tmpdir(), "lockstep-readme-"));
afterAll(() => rmSync(out, { recursive: true }));

function lockstep(command: string) {
  const words = command.split(/\s+/);
  const directory = words[0] === "check" ? ["--out", out] : [];
  const env = { ...process.env, CI: "1", NO_COLOR: "1" };
  return spawnSync(process.execPath, ["bin/lockstep.js", ...words, ...directory], { encoding: "utf8", input: "", env });
}

// The words up to the explanation, which stands behind two spaces or more.
const commands = [...text.matchAll(/^npx lockstep (.*?)(?: {2,}.*)?$/gm)].map((m) => m[1]!);

test("the README has commands", () => expect(commands.length).toBeGreaterThan(7));

test.each(commands)(
  "%s",
  (command) => {
    const { status, stdout, stderr } = lockstep(command);
    // v4.2 breaks something that v4.0 had right, and compare says so.
    expect({ status, stderr: status === 0 ? "" : stderr }).toMatchObject({
      status: command.startsWith("compare") ? 1 : 0,
    });
    expect(stdout.length).toBeGreaterThan(50);
  },
  180_000,
);

test("the sample", () => {
  const [, command, sample] = /^\$ npx lockstep (.*)\n\n([\s\S]*?)```/m.exec(text)!;
  const printed = lockstep(command!).stdout.replaceAll(/\s+/g, " ");
  for (const line of sample!.split("\n").map((l) => l.replace("…", "").trim())) {
    expect(printed).toContain(line.replaceAll(/\s+/g, " "));
  }
});
