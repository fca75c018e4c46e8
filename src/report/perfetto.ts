import { changesOf, elementName, type Trace } from "../checker/trace/trace.ts";

/** Microseconds a step takes on the time line; the model has no time, so every step is the same. */
const STEP = 1000;
const PROCESS = 1;

/**
 * Chrome trace events, which ui.perfetto.dev opens: a track per thread with its steps and waits, and a track per lock
 * with who held it.
 */
export function traceAsPerfetto(trace: Trace): string {
  const events: Record<string, unknown>[] = [
    {
      ph: "M",
      name: "process_name",
      pid: PROCESS,
      args: { name: `${trace.protocol} ${trace.variant} ${trace.scenario}` },
    },
  ];
  const track = (tid: number, name: string): void => {
    events.push({ ph: "M", name: "thread_name", pid: PROCESS, tid, args: { name } });
    events.push({ ph: "M", name: "thread_sort_index", pid: PROCESS, tid, args: { sort_index: tid } });
  };
  for (const [t, thread] of trace.threads.entries()) track(t + 1, thread.name);
  for (const [index, step] of trace.steps.entries()) {
    const tid = trace.threads.findIndex((t) => t.name === step.thread) + 1;
    const changes = Object.fromEntries(changesOf(trace, index).map((c) => [c.what, `${c.from} -> ${c.to}`]));
    const args = {
      step: index + 1,
      function: step.fn,
      file: step.at,
      model: `${step.site.file}:${step.site.line}`,
      ...changes,
    };
    events.push({ ph: "X", name: step.call, cat: "step", pid: PROCESS, tid, ts: index * STEP, dur: STEP, args });
    for (const finding of step.findings) {
      events.push({
        ph: "i",
        s: "t",
        name: `${finding.kind}: ${finding.message}`,
        pid: PROCESS,
        tid,
        ts: (index + 1) * STEP,
      });
    }
  }
  const end = trace.states.length; // the last state is drawn one step long
  for (const [t] of trace.threads.entries()) {
    const waits = trace.states.map((state) => {
      const at = state.threads[t];
      if (at?.status !== "blocked") return null;
      return `blocked: ${at.on ?? at.call}${at.holder === null ? "" : ` (held by ${at.holder})`}`;
    });
    for (const run of runs(waits)) slice(t + 1, "wait", run);
  }
  let lane = trace.threads.length;
  for (const [v, variable] of trace.variables.entries()) {
    if (variable.lock === null) continue;
    for (let element = 0; element < (variable.length ?? 1); element++) {
      const owners = trace.states.map((state) => {
        const owner = trace.threads[(state.values[v]?.[element] ?? 0) - 1];
        return owner === undefined ? null : `held by ${owner.name}`;
      });
      if (owners.every((owner) => owner === null)) continue;
      track(++lane, elementName(variable, element, trace.threads));
      for (const run of runs(owners)) slice(lane, "lock", run);
    }
  }
  return `${JSON.stringify({ displayTimeUnit: "ms", traceEvents: events }, null, 1)}\n`;

  function slice(tid: number, cat: string, run: Run): void {
    const { from, to, what } = run;
    events.push({
      ph: "X",
      name: what,
      cat,
      pid: PROCESS,
      tid,
      ts: from * STEP,
      dur: (Math.min(to, end) - from) * STEP,
    });
  }
}

interface Run {
  readonly from: number;
  readonly to: number;
  readonly what: string;
}

/** Maximal runs of equal entries; null is no entry. */
function runs(entries: readonly (string | null)[]): Run[] {
  const found: Run[] = [];
  for (let from = 0; from < entries.length; ) {
    const what = entries[from];
    let to = from + 1;
    while (to < entries.length && entries[to] === what) to++;
    if (what !== null && what !== undefined) found.push({ from, to, what });
    from = to;
  }
  return found;
}
