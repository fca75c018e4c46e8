/**
 * Z3 compiled to WebAssembly in a worker thread of its own: a query that hangs or runs out of memory costs the worker
 * and nothing else. Its 2 GiB of memory are fixed; past them Z3 aborts.
 *
 * Speaks SMT-LIB text: each message is a script, each answer what Z3 printed.
 */
import fs from "node:fs";
import { parentPort } from "node:worker_threads";
import { init } from "z3-solver";

export type Z3Answer = { readonly output: string } | { readonly failure: string };

/** The part of the Emscripten module used here; z3-solver leaves it untyped. */
interface Emscripten {
  readonly HEAPU8: Uint8Array;
  _malloc(bytes: number): number;
  _free(address: number): void;
  ccall(name: string, result: "string", types: readonly "number"[], args: readonly number[]): string;
}

/** How Z3 ends where it is out of memory by its own count; the rest of its exit codes mean a crash. */
const OUT_OF_MEMORY = 101;

/** Emscripten throws an Error where it aborts, and an object with a status where the program exits. */
function describe(error: unknown): string {
  if (typeof error !== "object" || error === null || !("status" in error)) return String(error);
  return error.status === OUT_OF_MEMORY ? "out of memory" : `exit with status ${error.status}`;
}

const port = parentPort;
if (port === null) throw new Error("this file is a worker thread");
// Emscripten writes remarks about its own end straight to the terminal; what matters of them is in the failure.
const write = fs.writeSync as (file: number, ...rest: unknown[]) => number;
fs.writeSync = ((file: number, ...rest: unknown[]) => (file === 2 ? 0 : write(file, ...rest))) as typeof fs.writeSync;
const { Z3, em } = await init();
const module = em as Emscripten;
const context = Z3.mk_context(Z3.mk_config());
port.on("message", (script: string) => {
  let answer: Z3Answer;
  try {
    // Through the heap: an argument converted by ccall itself would have to fit Z3's small stack.
    const bytes = new TextEncoder().encode(`${script}\0`);
    const address = module._malloc(bytes.length);
    module.HEAPU8.set(bytes, address);
    // Synchronous, so that an abort is an exception here and not a promise that never settles.
    const output = module.ccall("Z3_eval_smtlib2_string", "string", ["number", "number"], [Number(context), address]);
    module._free(address);
    answer = { output };
  } catch (error) {
    answer = { failure: describe(error) };
  }
  port.postMessage(answer);
});
