import type { Trace } from "../../../src/checker/trace/trace.ts";

/** A trace with every kind of value: two tasks and a handler, a lock, an enum, a pointer, an array, an observer. */
export const TRACE: Trace = {
  model: "models/example/protocol.ts",
  protocol: "example",
  variant: "broken",
  scenario: "two-tasks",
  sizes: { udev: 1 },
  switches: { msleep: "any" },
  property: "deadlock",
  verdict: "violated",
  finding: {
    kind: "deadlock",
    message: "udev waits in mutex_lock(&lo->lo_ctl_mutex) for lo->lo_ctl_mutex, held by t1: for ever",
    thread: "udev",
    at: "lo_open, drivers/block/loop.c (models/example/protocol.ts:42)",
  },
  label: "structural",
  depthExact: true,
  assumptions: { memory: "SC", fairness: "none" },
  threads: [
    { name: "t1", kind: "task", cpu: null },
    { name: "udev", kind: "task", cpu: 0 },
    { name: "irq", kind: "hardirq", cpu: 0 },
  ],
  variables: [
    {
      name: "lo.lo_ctl_mutex",
      title: "lo->lo_ctl_mutex",
      values: { of: "thread" },
      length: 1,
      index: { pool: "lo" },
      lock: "mutex",
      observer: false,
    },
    {
      name: "lo_state",
      title: "lo->lo_state",
      values: { of: "enum", labels: ["unbound", "bound"] },
      length: null,
      index: "number",
      lock: null,
      observer: false,
    },
    {
      name: "private_data",
      title: "disk->private_data",
      values: { of: "pointer", pool: "lo", slots: 2 },
      length: null,
      index: "number",
      lock: null,
      observer: false,
    },
    {
      name: "refcnt",
      title: "lo->lo_refcnt",
      values: { of: "int" },
      length: 2,
      index: { pool: "lo" },
      lock: null,
      observer: false,
    },
    {
      name: "seen",
      title: "seen",
      values: { of: "bool" },
      length: 3,
      index: "thread",
      lock: null,
      observer: true,
    },
  ],
  states: [
    {
      values: [[0], [1], [1], [0, 0], [0, 0, 0]],
      threads: [
        { status: "ready", call: "mutex_lock(&lo->lo_ctl_mutex)", fn: "lo_ioctl", on: null, holder: null },
        { status: "ready", call: "lo->lo_refcnt++", fn: "lo_open", on: null, holder: null },
        { status: "idle", call: "loop_irq()", fn: "irq", on: null, holder: null },
      ],
    },
    {
      values: [[1], [0], [1], [0, 0], [0, 0, 0]],
      threads: [
        { status: "ready", call: "blk_mq_freeze_queue_wait(q)", fn: "lo_ioctl", on: null, holder: null },
        { status: "ready", call: "lo->lo_refcnt++", fn: "lo_open", on: null, holder: null },
        { status: "idle", call: "loop_irq()", fn: "irq", on: null, holder: null },
      ],
    },
    {
      values: [[1], [0], [3], [1, -1], [0, 1, 0]],
      threads: [
        { status: "blocked", call: "blk_mq_freeze_queue_wait(q)", fn: "lo_ioctl", on: "q_usage_counter", holder: null },
        {
          status: "blocked",
          call: "mutex_lock(&lo->lo_ctl_mutex)",
          fn: "lo_open",
          on: "lo->lo_ctl_mutex",
          holder: "t1",
        },
        { status: "idle", call: "loop_irq()", fn: "irq", on: null, holder: null },
      ],
    },
  ],
  steps: [
    {
      thread: "t1",
      action: 0,
      ways: [],
      call: "mutex_lock(&lo->lo_ctl_mutex)",
      outcome: "",
      fn: "lo_ioctl",
      at: "drivers/block/loop.c",
      path: ["t1", "lo_ioctl"],
      site: { file: "models/example/protocol.ts", line: 12, column: 3 },
      findings: [],
      error: false,
    },
    {
      thread: "udev",
      action: 1,
      ways: [0, 2],
      call: "lo->lo_refcnt++; a call so long that it does not fit into one column of the schedule",
      outcome: "fails",
      fn: "lo_open",
      at: "drivers/block/loop.c",
      path: ["udev", "lo_open"],
      site: { file: "models/example/protocol.ts", line: 40, column: 5 },
      findings: [{ kind: "data-race", message: "lo->lo_refcnt is not protected" }],
      error: false,
    },
  ],
  loop: null,
};

/** The same as a lasso whose last two steps repeat; its last state is the one the loop begins with. */
export const LASSO: Trace = {
  ...TRACE,
  property: "starvation",
  finding: { kind: "starvation", message: "udev is never served", thread: "udev", at: null },
  depthExact: false,
  assumptions: { memory: "SC", fairness: "weak" },
  steps: [...TRACE.steps, { ...TRACE.steps[0]!, call: "mutex_unlock(&lo->lo_ctl_mutex)" }],
  states: [...TRACE.states, TRACE.states[1]!],
  loop: 1,
};

/** A run that ends, and what never came never comes: no step repeats. */
export const ENDED: Trace = { ...LASSO, steps: TRACE.steps, states: TRACE.states, loop: TRACE.steps.length };
