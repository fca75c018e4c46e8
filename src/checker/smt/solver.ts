/**
 * SMT solvers behind one interface: commands as SMT-LIB 2 text go in, what the solver printed comes out.
 *
 * Two back ends. `wasm` is the z3-solver package in a worker thread, there on every machine. `native` is a z3 or cvc5
 * found on PATH, as a child process: three to seven times as fast, without the 2 GiB limit. Either can be killed at
 * any time, and a crash, a timeout or a lack of memory is a SolverFailure, which costs only what was asked.
 */
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process";
import { accessSync, appendFileSync, constants, mkdirSync, statSync, writeFileSync } from "node:fs";
import { basename, delimiter, join } from "node:path";
import { Worker } from "node:worker_threads";
import { parseSExpressions, parseValue, type SExpression } from "./s-expression.ts";
import type { Z3Answer } from "./z3-worker.ts";

export interface SolverChoice {
  /** Default `wasm`. */
  readonly solver?: "wasm" | "native";
  /** The native program: a name on PATH or a file; default z3, else cvc5. */
  readonly command?: string;
  /** Z3's resource units per check; deterministic, unlike time. Default none. Native cvc5 counts in its own units. */
  readonly rlimit?: number;
  /** Folder that gets every query as an SMT-LIB file that can be run by itself. */
  readonly keep?: string;
}

export type SolverFailureKind = "timeout" | "memory" | "crash" | "missing" | "rejected";

export class SolverFailure extends Error {
  readonly kind: SolverFailureKind;

  constructor(kind: SolverFailureKind, message: string) {
    super(message);
    this.name = "SolverFailure";
    this.kind = kind;
  }
}

export type CheckAnswer = "sat" | "unsat" | "unknown";

export interface SolverSession {
  /** For people: which solver answers. */
  readonly name: string;
  readonly family: "z3" | "cvc5" | "other";
  /**
   * Runs commands and resolves to what they printed.
   * @throws SolverFailure when the solver rejects them, crashes, or does not answer before the deadline
   *   (milliseconds as of Date.now()); the session is unusable afterwards.
   */
  run(script: string, deadline: number): Promise<string>;
  /** Ends the session; a query that is still running fails for the reason given. */
  close(why?: SolverFailure): void;
}

/** Where the compiled worker is: beside this file once built; in dist when this file runs as TypeScript. */
const WORKER = new URL(
  import.meta.url.endsWith(".ts") ? "../../../dist/checker/smt/z3-worker.js" : "./z3-worker.js",
  import.meta.url,
);

const MEMORY = /out of memory|cannot enlarge memory|bad_alloc|bad allocation|memory access out of bounds/i;

function rejected(output: string): SolverFailure | undefined {
  const error = /\(error "?([^"]*)/.exec(output)?.[1];
  if (error === undefined) return undefined;
  return new SolverFailure(
    MEMORY.test(error) ? "memory" : "rejected",
    `the solver says: ${error.trim().slice(0, 300)}`,
  );
}

function onPath(command: string): string | undefined {
  const candidates = command.includes("/")
    ? [command]
    : (process.env.PATH ?? "").split(delimiter).map((folder) => join(folder, command));
  return candidates.find((file) => {
    try {
      accessSync(file, constants.X_OK);
      return statSync(file).isFile();
    } catch {
      return false;
    }
  });
}

/** The native solver that `native` would use, or undefined where none is installed. */
export function nativeSolver(command?: string): string | undefined {
  return command === undefined ? (onPath("z3") ?? onPath("cvc5")) : onPath(command);
}

/** Oldest versions that answer what is asked here. */
const OLDEST = { z3: [4, 8, 8], cvc5: [1, 0, 0] } as const;
const versions = new Map<string, string | undefined>();

/** Why the native solver cannot be used, and what to install; undefined where it can. */
export function unusable(command?: string): string | undefined {
  const file = nativeSolver(command);
  if (file === undefined) {
    return command === undefined
      ? "no native SMT solver is on PATH: install the package z3 or cvc5, or use the built-in solver (wasm)"
      : `the SMT solver ${command} cannot be run: install it or name another; the built-in one is wasm`;
  }
  if (!versions.has(file)) {
    const { stdout } = spawnSync(file, ["--version"], { encoding: "utf8", timeout: 10_000 });
    versions.set(file, /(?:Z3|cvc5)\D*(\d+\.\d+(?:\.\d+)?)/i.exec(stdout ?? "")?.[1]);
  }
  const version = versions.get(file);
  const family = familyOf(file);
  if (family === "other" || version === undefined) return undefined;
  const found = version.split(".").map(Number);
  const oldest = OLDEST[family];
  const differs = oldest.findIndex((n, i) => (found[i] ?? 0) !== n);
  if (differs < 0 || (found[differs] ?? 0) > (oldest[differs] ?? 0)) return undefined;
  return `${file} is version ${version}, which is too old: install ${family} ${oldest.join(".")} or later, or use wasm`;
}

function familyOf(file: string): "z3" | "cvc5" | "other" {
  return /^z3/.test(basename(file)) ? "z3" : /^cvc5/.test(basename(file)) ? "cvc5" : "other";
}

let kept = 0;

/** Writes a session's commands to a file as they are sent, before they run. */
function transcript(choice: SolverChoice, purpose: string): (script: string) => void {
  if (choice.keep === undefined) return () => {};
  mkdirSync(choice.keep, { recursive: true });
  const file = join(choice.keep, `${String(++kept).padStart(3, "0")}-${purpose}.smt2`);
  writeFileSync(file, "");
  return (script) => appendFileSync(file, `${script}\n`);
}

interface Pending {
  readonly resolve: (output: string) => void;
  readonly reject: (failure: SolverFailure) => void;
  readonly timer: NodeJS.Timeout | undefined;
}

/** One question at a time, with a deadline; shared by the two back ends. */
class Question {
  private pending: Pending | undefined;
  private broken: SolverFailure | undefined;
  private readonly kill: () => void;

  constructor(kill: () => void) {
    this.kill = kill;
  }

  ask(send: () => void, deadline: number): Promise<string> {
    if (this.broken !== undefined) return Promise.reject(this.broken);
    if (this.pending !== undefined) return Promise.reject(new Error("the solver is still busy with another query"));
    return new Promise((resolve, reject) => {
      const left = deadline - Date.now();
      const expire = (): void => this.fail(new SolverFailure("timeout", "the solver did not answer in time"));
      const timer = Number.isFinite(left) ? setTimeout(expire, Math.max(1, Math.min(left, 2 ** 31 - 1))) : undefined;
      this.pending = { resolve, reject, timer };
      send();
    });
  }

  answer(output: string): void {
    const failure = rejected(output);
    if (failure !== undefined) {
      this.fail(failure);
      return;
    }
    const pending = this.pending;
    this.pending = undefined;
    clearTimeout(pending?.timer);
    pending?.resolve(output);
  }

  fail(failure: SolverFailure): void {
    if (this.broken !== undefined) return;
    this.broken = failure;
    const pending = this.pending;
    this.pending = undefined;
    clearTimeout(pending?.timer);
    this.kill();
    pending?.reject(failure);
  }
}

/** Bytes of the memory of z3-solver, fixed when it was compiled. */
const WASM_MEMORY = 2 ** 31;

const mebibytes = (bytes: number): number => Math.max(16, Math.floor(bytes / 2 ** 20));

function openWasm(choice: SolverChoice, purpose: string, memory: number): SolverSession {
  const log = transcript(choice, purpose);
  const limited = memory < WASM_MEMORY;
  let first = limited ? `(set-option :memory_max_size ${mebibytes(memory)})\n` : "";
  const worker = new Worker(WORKER, { stdout: true, stderr: true });
  const question = new Question(() => void worker.terminate());
  const explain = (failure: string): SolverFailure =>
    MEMORY.test(failure)
      ? new SolverFailure(
          "memory",
          limited
            ? `z3-solver ran out of the ${mebibytes(memory)} MiB of memory it was given`
            : "z3-solver ran out of its 2 GiB of memory; a native z3 has no such limit",
        )
      : new SolverFailure("crash", `z3-solver crashed: ${failure.slice(0, 300)}`);
  worker.on("message", (answer: Z3Answer) => {
    if ("output" in answer) question.answer(answer.output);
    else question.fail(explain(answer.failure));
  });
  worker.on("error", (error) => question.fail(explain(String(error))));
  worker.on("exit", (code) => question.fail(new SolverFailure("crash", `z3-solver ended by itself (code ${code})`)));
  return {
    name: "z3 (z3-solver, WebAssembly)",
    family: "z3",
    run: (commands, deadline) => {
      const script = first + commands;
      first = "";
      log(script);
      return question.ask(() => worker.postMessage(script), deadline);
    },
    close: (why = new SolverFailure("crash", "the solver session was closed")) => question.fail(why),
  };
}

function openNative(choice: SolverChoice, purpose: string, memory: number): SolverSession {
  const file = nativeSolver(choice.command);
  const problem = unusable(choice.command);
  if (file === undefined || problem !== undefined) throw new SolverFailure("missing", problem ?? "");
  const log = transcript(choice, purpose);
  const family = familyOf(file);
  const args: string[] = [];
  if (family === "z3") {
    args.push("-in", "-smt2");
    if (Number.isFinite(memory)) args.push(`-memory:${mebibytes(memory)}`);
  } else if (family === "cvc5") {
    args.push("--lang=smt2", "--incremental", "--produce-models");
    if (choice.rlimit !== undefined) args.push(`--rlimit-per=${choice.rlimit}`);
  }
  const child: ChildProcessWithoutNullStreams = spawn(file, args);
  const question = new Question(() => void child.kill("SIGKILL"));
  let output = "";
  let errors = "";
  let marker = "";
  let count = 0;
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    output += chunk;
    const end = marker === "" ? -1 : output.indexOf(marker);
    if (end < 0) return;
    const answer = output.slice(0, end).replace(/"$/, "");
    output = "";
    marker = "";
    question.answer(answer);
  });
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    errors = (errors + chunk).slice(-1000);
  });
  // A solver that has died cannot be written to; its end is reported by `close`, after its last words.
  child.stdin.on("error", () => {});
  child.on("error", (error) => question.fail(new SolverFailure("missing", `${file} cannot be run: ${error.message}`)));
  child.on("close", (code, signal) => {
    const last = `${output}\n${errors}`.trim();
    const failure = MEMORY.test(last)
      ? new SolverFailure("memory", `${basename(file)} ran out of memory`)
      : (rejected(last) ??
        new SolverFailure(
          "crash",
          `${basename(file)} ended (${signal ?? `code ${code}`}) ${last.slice(0, 300)}`.trim(),
        ));
    question.fail(failure);
  });
  return {
    name: `${basename(file)} (native)`,
    family,
    run: (script, deadline) => {
      log(script);
      return question.ask(() => {
        marker = `end-of-answer-${++count}`;
        child.stdin.write(`${script}\n(echo "${marker}")\n`);
      }, deadline);
    },
    close: (why = new SolverFailure("crash", "the solver session was closed")) => question.fail(why),
  };
}

/**
 * Starts a solver. `purpose` names its file under `keep`; `memory` (bytes) limits z3, native or not.
 * @throws SolverFailure (`missing`) when the native solver is not installed, saying what to install.
 */
export function openSolver(choice: SolverChoice, purpose: string, memory = Number.POSITIVE_INFINITY): SolverSession {
  return choice.solver === "native" ? openNative(choice, purpose, memory) : openWasm(choice, purpose, memory);
}

/** Options that come first in a session; the rlimit is per check. */
export function prelude(session: SolverSession, choice: SolverChoice, logic: string): string {
  const limit = session.family === "z3" && choice.rlimit !== undefined ? `(set-option :rlimit ${choice.rlimit})\n` : "";
  return `(set-option :produce-models true)\n${limit}(set-logic ${logic})`;
}

/** Runs commands whose last one is a check. */
export async function check(session: SolverSession, script: string, deadline: number): Promise<CheckAnswer> {
  const answer = (await session.run(script, deadline)).trim().split(/\s+/).at(-1);
  if (answer === "sat" || answer === "unsat" || answer === "unknown") return answer;
  throw new SolverFailure("crash", `the solver answered neither sat nor unsat but: ${String(answer).slice(0, 200)}`);
}

/** The values of some terms in the model of the last check, in the order asked. */
export async function values(session: SolverSession, terms: readonly string[], deadline: number): Promise<bigint[]> {
  if (terms.length === 0) return [];
  const output = await session.run(`(get-value (${terms.join(" ")}))`, deadline);
  const list = parseSExpressions(output)[0];
  if (!Array.isArray(list) || list.length !== terms.length) {
    throw new SolverFailure("crash", `the solver printed no values but: ${output.slice(0, 200)}`);
  }
  return (list as readonly SExpression[]).map((pair) => parseValue(pair[1] as SExpression));
}
