/**
 * Brings a checkout into a state in which it can run: dependencies as the lockfile says, an up-to-date build, and the
 * bin where `npx lockstep` looks for it. Needs nothing but Node and npm.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** Runs a command in the checkout; its failure is ours. */
export function run(command, args) {
  const result = spawnSync(command, args, { cwd: ROOT, stdio: "inherit", shell: process.platform === "win32" });
  if (result.error) {
    process.stderr.write(`cannot run ${command}: ${result.error.message}\n`);
    process.exit(2);
  }
  if (result.signal === "SIGINT") process.exit(130);
  return result.status ?? 1;
}

function mustRun(command, args) {
  const status = run(command, args);
  if (status !== 0) process.exit(status);
}

function requireNode() {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  process.stderr.write(`Lockstep needs Node 20.19 or later; this is ${process.versions.node}\n`);
  process.exit(2);
}

/** npm notes in this file what it installed; an older one than the lockfile is stale. */
function install() {
  const installed = join(ROOT, "node_modules", ".package-lock.json");
  const lockfile = join(ROOT, "package-lock.json");
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(lockfile).mtimeMs) return;
  // Not npm ci: it refuses a lockfile without the packages of other platforms, and ours was made where a registry
  // offers those of one. npm install takes the same locked versions.
  process.stderr.write("installing dependencies\n");
  mustRun("npm", ["install", "--no-save", "--no-audit", "--no-fund"]);
}

function newest(path) {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  // The directory's own time tells of files that were removed.
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => newest(join(path, name))));
}

function build() {
  const main = join(ROOT, "dist", "cli", "main.js");
  const inputs = ["src", "package.json", "tsconfig.json", "tsconfig.build.json"].map((name) => join(ROOT, name));
  if (existsSync(main) && statSync(main).mtimeMs >= Math.max(...inputs.map(newest))) return;
  process.stderr.write("building\n");
  // Files of modules that no longer exist must not linger in the build.
  rmSync(join(ROOT, "dist"), { recursive: true, force: true });
  const status = run(process.execPath, [join("node_modules", "typescript", "bin", "tsc"), "-p", "tsconfig.build.json"]);
  if (status === 0) return;
  // tsc writes files in spite of errors; they must not pass for a build next time.
  rmSync(join(ROOT, "dist"), { recursive: true, force: true });
  process.exit(status);
}

/** Without this link `npx lockstep` installs the checkout into npm's cache first. */
function linkBin() {
  const link = join(ROOT, "node_modules", ".bin", "lockstep");
  if (process.platform === "win32" || existsSync(link)) return;
  mkdirSync(join(ROOT, "node_modules", ".bin"), { recursive: true });
  rmSync(link, { force: true });
  symlinkSync(join("..", "..", "bin", "lockstep.js"), link);
}

export function prepare() {
  requireNode();
  install();
  build();
  linkBin();
}
