/**
 * The public interface of Lockstep: what a model imports.
 *
 * A model describes kernel code: structs and globals, functions that record what they do, variants that replace
 * functions, scenarios with threads, properties, and what is expected. docs/writing-a-model.md is the guide,
 * docs/semantics.md states what each primitive means.
 */
export {
  type AccessOptions,
  atomically,
  Data,
  dec,
  inc,
  Observer,
  observer,
  type Protection,
  pause,
  plain,
  read,
  type WaitOptions,
  wait_until,
  write,
} from "./spec/access.ts";
export { type FieldType, global } from "./spec/cell.ts";
export {
  Break,
  BUG_ON,
  type Chance,
  Choose,
  Continue,
  decrement,
  Forever,
  Goto,
  If,
  increment,
  Label,
  Local,
  local,
  Return,
  reached,
  report,
  While,
} from "./spec/control.ts";
export * from "./spec/errno.ts";
export { type FunctionOptions, fn, type KernelFunction, type Replacement, replace } from "./spec/function.ts";
export {
  type Expected,
  type Initial,
  inconclusive,
  initially,
  Protocol,
  type ProtocolOptions,
  protocol,
  type RecordRequest,
  SCHEDULER_SWITCH,
  type Scenario,
  type Size,
  type Switch,
  size,
  switched,
  type ThreadOptions,
  type ThreadSpec,
  thread,
  type Variant,
  vacuous,
  violated,
} from "./spec/model.ts";
export { ModelError } from "./spec/model-error.ts";
export * from "./spec/primitives/atomic.ts";
export * from "./spec/primitives/bio.ts";
export * from "./spec/primitives/bio-list.ts";
export * from "./spec/primitives/bkl.ts";
export * from "./spec/primitives/completion.ts";
export * from "./spec/primitives/file.ts";
export * from "./spec/primitives/freeze.ts";
export * from "./spec/primitives/idr.ts";
export type { InitOptions } from "./spec/primitives/initialised.ts";
export { interrupt, local_irq_disable, local_irq_enable } from "./spec/primitives/irq.ts";
export * from "./spec/primitives/kref.ts";
export * from "./spec/primitives/list.ts";
export { type AllocOptions, alloc, kfree } from "./spec/primitives/memory.ts";
export * from "./spec/primitives/module.ts";
export * from "./spec/primitives/mutex.ts";
export * from "./spec/primitives/outcome.ts";
export * from "./spec/primitives/rw-semaphore.ts";
export * from "./spec/primitives/semaphore.ts";
export { may_signal, signal_pending } from "./spec/primitives/signal.ts";
export { MSLEEP_SWITCH, msleep, sleep_until } from "./spec/primitives/sleep.ts";
export * from "./spec/primitives/spinlock.ts";
export * from "./spec/primitives/sysfs.ts";
export * from "./spec/primitives/wait-queue.ts";
export * from "./spec/primitives/workqueue.ts";
export type * from "./spec/program.ts";
export * from "./spec/properties.ts";
export { type Struct, type StructPointer, struct } from "./spec/struct.ts";
export { bool, enumeration, errno, int, ptr, type Type, threadId } from "./spec/types.ts";
export { Bool, Enum, Errno, Int, NULL, type Null, Pointer, Thread, Value } from "./spec/value.ts";
