/** The reference interpreter: runs the protocol syntax tree itself; the oracle for every other engine. */
export { explore, type ReferenceExploration, type ReferenceOptions } from "./explore.ts";
export {
  Interpreter,
  type Misfit,
  type Notice,
  type ThreadStatus,
  type Transition,
  type TransitionResult,
} from "./interpreter.ts";
export { type ReplayOptions, type ReplayResult, type Run, replay, runSchedule, type Visit } from "./replay.ts";
export { type SimulateOptions, type Simulation, simulate } from "./simulate.ts";
export { type Frame, locationKey, type State, stateKey, type ThreadState } from "./state.ts";
