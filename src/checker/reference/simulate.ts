/** Random walks. */
import type { Program } from "../../spec/program.ts";
import type { Schedule } from "../verdict.ts";
import { Interpreter, type Transition } from "./interpreter.ts";
import type { Visit } from "./replay.ts";

export interface SimulateOptions {
  /** Any integer; the same seed gives the same walk of the same program. */
  readonly seed: number;
  /** Steps to take at most. */
  readonly steps: number;
}

export interface Simulation {
  readonly visits: readonly Visit[];
  /** The transition into the error state, where the walk ended in one. */
  readonly error?: Transition;
  readonly schedule: Schedule;
  /** `steps`: as many as asked for; `stuck`: nothing is enabled any more; `error`: the last step ended in an error. */
  readonly end: "steps" | "stuck" | "error";
}

/**
 * Walks at random from the initial state, each enabled transition equally likely.
 *
 * @throws ModelError when the program cannot be run.
 */
export function simulate(program: Program, options: SimulateOptions): Simulation {
  const interpreter = new Interpreter(program);
  const random = generator(options.seed);
  let state = interpreter.initial();
  const visits: Visit[] = [{ state, status: interpreter.status(state) }];
  const steps: Schedule["steps"][number][] = [];
  while (steps.length < options.steps) {
    const transitions = interpreter.transitions(state);
    if (transitions.length === 0) return { visits, schedule: { steps }, end: "stuck" };
    const transition = transitions[random() % transitions.length]!;
    steps.push(transition.step);
    if (transition.result.k === "error") return { visits, error: transition, schedule: { steps }, end: "error" };
    state = transition.result.state;
    visits.push({ state, status: interpreter.status(state), transition });
  }
  return { visits, schedule: { steps }, end: "steps" };
}

/** Unsigned 32-bit numbers by Marsaglia's xorshift (Journal of Statistical Software 8(14), 2003), never from state 0. */
function generator(seed: number): () => number {
  // Neighbouring seeds would begin alike, so they are spread by a multiplication first.
  let x = Math.imul(seed ^ 0x5bd1e995, 0x9e3779b1) | 0 || 1;
  const next = (): number => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return x >>> 0;
  };
  for (let i = 0; i < 8; i++) next();
  return next;
}
