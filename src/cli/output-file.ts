/**
 * Files that a command writes. Whether one can be is found out before anything takes time; what goes wrong all the same is
 * one sentence.
 */
import { accessSync, constants, existsSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { displayPath } from "../load/source-position.ts";
import { UsageError } from "./usage-error.ts";

/** Throws a UsageError where a file, or a directory, cannot be made at a path; `option` is what the user wrote. */
export function assertCanBe(what: "file" | "directory", path: string, option: string): void {
  let at = resolve(path);
  if (existsSync(at)) {
    const isDirectory = statSync(at).isDirectory();
    if (isDirectory !== (what === "directory")) {
      throw new UsageError(
        `${option}: ${displayPath(at)} is ${isDirectory ? "a directory" : "a file"}; name a ${what}`,
      );
    }
  } else {
    while (!existsSync(at)) at = dirname(at);
    if (!statSync(at).isDirectory()) {
      throw new UsageError(`${option}: ${displayPath(at)} is a file, so nothing can be below it; name another ${what}`);
    }
  }
  try {
    accessSync(at, constants.W_OK);
  } catch {
    throw new UsageError(`${option}: ${displayPath(at)} may not be written to; name another ${what}`);
  }
}

/** Writes a file, and makes the directories above it. Throws a UsageError if that fails. */
export function writeOutput(file: string, text: string): void {
  try {
    makeDirectory(dirname(resolve(file)));
    writeFileSync(file, text);
  } catch (error) {
    throw new UsageError(`${file} cannot be written: ${(error as Error).message}`);
  }
}

/** One after the other, because mkdir of all at once never returns where a file system refuses to make any (/proc). */
function makeDirectory(path: string): void {
  if (existsSync(path)) return;
  makeDirectory(dirname(path));
  try {
    mkdirSync(path);
  } catch (error) {
    // Another process may have been faster.
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}
