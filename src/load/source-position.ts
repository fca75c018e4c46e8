/**
 * From positions in a bundled model to positions in its TypeScript.
 *
 * A model runs as one bundle (bundle.ts); the recorder takes raw call sites, which are positions in the bundle. This
 * file alone knows how to turn them into `file:line:column` of the .ts file, relative to the current directory.
 */
import { readFileSync } from "node:fs";
import { SourceMap } from "node:module";
import { relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import type { Site } from "../spec/program.ts";

const maps = new Map<string, SourceMap>();

/** A path as reports print it: relative to the current directory when inside it, with forward slashes. */
export function displayPath(path: string, directory: string = process.cwd()): string {
  const inside = relative(directory, path);
  const shown = inside.startsWith("..") || inside === "" ? path : inside;
  return shown.split(sep).join("/");
}

/** Makes the positions of a bundle known; `mapFile` is its source map, whose sources are absolute file URLs. */
export function registerBundle(bundleUrl: string, mapFile: string): void {
  if (!maps.has(bundleUrl)) maps.set(bundleUrl, new SourceMap(JSON.parse(readFileSync(mapFile, "utf8"))));
}

/** The position in the model's source for a raw call site; positions outside of bundles only get a shorter path. */
export function sourcePosition(raw: Site): Site {
  const url = raw.file.startsWith("file:") ? raw.file : `file://${raw.file}`;
  const map = maps.get(url);
  if (map === undefined) {
    const path = raw.file.startsWith("file:") ? fileURLToPath(raw.file) : raw.file;
    return { ...raw, file: displayPath(path) };
  }
  const entry = map.findEntry(raw.line - 1, raw.column - 1);
  if (!("originalSource" in entry)) return { ...raw, file: displayPath(fileURLToPath(url)) };
  return {
    file: displayPath(fileURLToPath(entry.originalSource)),
    line: entry.originalLine + 1,
    column: entry.originalColumn + 1,
  };
}

/** The innermost position of an error's stack that lies in a bundle. */
export function positionOfError(error: unknown): Site | undefined {
  const stack = error instanceof Error ? (error.stack ?? "") : "";
  for (const frame of stack.matchAll(/\(?(file:\/\/[^\s)]+|\/[^\s:)]+):(\d+):(\d+)\)?/g)) {
    const file = frame[1] ?? "";
    const url = file.startsWith("file:") ? file : `file://${file}`;
    if (maps.has(url)) return sourcePosition({ file: url, line: Number(frame[2]), column: Number(frame[3]) });
  }
  return undefined;
}
