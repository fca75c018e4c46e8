/** Processes run to their end, with what they cost. CPU time and memory are GNU time's figures (wait4 of the child). */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const GNU_TIME = "/usr/bin/time";

export type Command = readonly [program: string, ...args: string[]];

export interface Cost {
  readonly stdout: string;
  /** User and system seconds, of the process and the children it waited for. */
  readonly cpu: number;
  readonly wall: number;
  /** Peak resident bytes. */
  readonly memory: number;
}

/** True if the program can be run. */
export function installed(program: string, ...args: string[]): boolean {
  return spawnSync(program, args).error === undefined;
}

export const canMeasure = (): boolean => installed(GNU_TIME, "--version");

/**
 * @param mostStatus The largest exit status that is no failure.
 * @throws Error if the command fails, with what it printed.
 */
export function measure(directory: string, command: Command, mostStatus = 0): Cost {
  const figures = join(directory, "cost");
  const started = performance.now();
  const run = spawnSync(GNU_TIME, ["-o", figures, "-f", "%U %S %M", ...command], {
    cwd: directory,
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  const wall = (performance.now() - started) / 1000;
  if (run.status === null || run.status > mostStatus) {
    throw new Error(`${command.join(" ")}\nfailed: ${run.error?.message ?? ""}${run.stdout}${run.stderr}`);
  }
  // Where the status is not 0 there is a line about that above.
  const line = readFileSync(figures, "utf8").trim().split("\n").at(-1) ?? "";
  const [user = 0, system = 0, kilobytes = 0] = line.split(" ").map(Number);
  return { stdout: run.stdout, cpu: user + system, wall, memory: kilobytes * 1024 };
}
