/**
 * A counterexample as text a kernel developer can paste into a mail: what went wrong, who waits for whom and who holds
 * what, the schedule as it was executed with one column per thread, what was assumed, and how to replay it.
 * Plain ASCII, no colours; 100 columns for up to three threads.
 */
import { changesOf, heldLocks, repeats, type Trace, type TraceStep, type TraceThread } from "../checker/trace/trace.ts";
import { legality } from "./legality.ts";
import { standingChanges } from "./standing-changes.ts";

const WIDTH = 100;
/** Below this a kernel call no longer fits beside its neighbours; with more threads the table grows wider instead. */
const NARROWEST = 30;
const NUMBER = 4;

export interface CounterexampleOptions {
  /** The trace's file as the reader would type it; null when none was written. */
  readonly file: string | null;
  /** Full state of every variable after the last step, too. */
  readonly full?: boolean;
}

export function counterexampleText(trace: Trace, options: CounterexampleOptions): string {
  const sections = [
    headline(trace),
    waiting(trace),
    [...schedule(trace), "", `*** ${verdictWord(trace)} ***`],
    options.full === true ? finalState(trace) : [],
    assumptions(trace),
    options.file === null ? [] : [`Replay: npx lockstep replay ${options.file}`],
  ];
  return `${sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join("\n"))
    .join("\n\n")}\n`;
}

/** The schedule alone, one column per thread. */
export function scheduleText(trace: Trace): string {
  return schedule(trace).join("\n");
}

/** Every variable in the last state. */
export function finalStateText(trace: Trace): string {
  return finalState(trace).join("\n");
}

/** Settings other than none at all, e.g. `udev=2 msleep=any`. */
export function settingsText(settings: Pick<Trace, "sizes" | "switches">): string {
  return Object.entries({ ...settings.sizes, ...settings.switches })
    .map(([name, value]) => `${name}=${value}`)
    .join(" ");
}

/** What went wrong and where, and how long the schedule is. */
export function headline(trace: Trace, width = WIDTH): string[] {
  const { finding } = trace;
  // Many messages begin with the thread's name themselves.
  const who = finding.thread === null || finding.message.startsWith(finding.thread) ? "" : `[${finding.thread}] `;
  const settings = settingsText(trace);
  const steps = trace.steps.length === 1 ? "1 step" : `${trace.steps.length} steps`;
  const switches = contextSwitches(trace.steps);
  const shortest = trace.depthExact ? " (no shorter one exists)" : "";
  const lasso = repeats(trace) ? `, of which ${trace.steps.length - trace.loop} repeat for ever` : "";
  return [
    ...wrap(`${finding.kind.toUpperCase()}: ${who}${finding.message}`, width, "  "),
    ...(finding.at === null ? [] : wrap(`at ${finding.at}`, width, "   ")),
    ...wrap(
      `${trace.protocol} ${trace.variant}, ${trace.scenario}${settings === "" ? "" : ` (${settings})`}, property ${trace.property}`,
      width,
      "  ",
    ),
    `${steps}${shortest}${lasso}, ${switches} context ${switches === 1 ? "switch" : "switches"}${labelText(trace)}`,
  ];
}

function labelText(trace: Trace): string {
  if (trace.label === "structural") return "; structural: msleep need not return early for it";
  if (trace.label === "timing") return "; timing: it needs an msleep that returns before the others are done";
  return "";
}

function contextSwitches(steps: readonly TraceStep[]): number {
  return steps.filter((step, i) => i > 0 && step.thread !== steps[i - 1]?.thread).length;
}

/** The wait-for relation and the locks at the end of the trace. */
export function waiting(trace: Trace, width = WIDTH): string[] {
  const end = trace.states.length - 1;
  const held = heldLocks(trace, end);
  const lines: string[] = [];
  for (const [t, thread] of trace.threads.entries()) {
    const at = trace.states[end]?.threads[t];
    if (at === undefined || at.on === null || at.status !== "blocked") continue;
    const since = lastStepOf(trace, t);
    const reached = since === 0 ? "from the start" : `after step ${since}`;
    lines.push(...wrap(`[${thread.name}] in ${at.fn}() waits for ${at.on} (${reached})`, width - 2, "    "));
    if (at.holder === null) continue;
    const lock = held.find((h) => h.thread === at.holder && sameLock(h.lock, at.on ?? ""));
    const self = at.holder === thread.name ? ", that is, by itself" : "";
    lines.push(`    held by [${at.holder}]${lock === undefined ? "" : ` ${sinceText(trace, lock.since)}`}${self}`);
  }
  const stuck = lines.length > 0 ? ["Who waits for whom:", ...lines.map((line) => `  ${line}`)] : [];
  if (held.length === 0) return stuck;
  const locks = held.flatMap((h) =>
    wrap(`[${h.thread}] ${h.lock} (${h.kind}) ${sinceText(trace, h.since)}`, width - 2, "    "),
  );
  return [...stuck, "Locks held at the end:", ...locks.map((line) => `  ${line}`)];
}

/** A wait is on `lo->lo_ctl_mutex`, the variable of its owner may be titled `lo->lo_ctl_mutex owner`. */
function sameLock(held: string, waited: string): boolean {
  return held === waited || held.startsWith(waited) || waited.startsWith(held);
}

function sinceText(trace: Trace, since: number): string {
  const step = trace.steps[since - 1];
  return step === undefined ? "from the start" : `since step ${since}, ${step.call} in ${step.fn}()`;
}

/** The last step (from 1) that a thread took; 0 if none. */
function lastStepOf(trace: Trace, thread: number): number {
  const name = trace.threads[thread]?.name;
  for (let i = trace.steps.length; i > 0; i--) {
    if (trace.steps[i - 1]?.thread === name) return i;
  }
  return 0;
}

/** The threads that do anything, or are blocked at the end. */
export function threadsShown(trace: Trace): readonly TraceThread[] {
  const end = trace.states.at(-1);
  return trace.threads.filter(
    (thread, t) => trace.steps.some((step) => step.thread === thread.name) || end?.threads[t]?.status === "blocked",
  );
}

/** One column per thread; each cell is one step. */
function schedule(trace: Trace): string[] {
  const shown = threadsShown(trace);
  if (shown.length === 0) return ["Schedule: the initial state itself, before any step."];
  const column = Math.max(NARROWEST, Math.floor((WIDTH - NUMBER) / shown.length));
  const text = column - 2;
  const row = (number: string, lane: number, line: string): string =>
    `${number.padStart(NUMBER - 1)} ${" ".repeat(lane * column)}${line}`.trimEnd();
  const header = shown.map((thread) => clip(laneTitle(thread), text).padEnd(column)).join("");
  const rule = shown.map((thread) => "-".repeat(clip(laneTitle(thread), text).length).padEnd(column)).join("");
  const lines = [
    "Schedule, as executed:",
    "",
    `${" ".repeat(NUMBER)}${header}`.trimEnd(),
    `${" ".repeat(NUMBER)}${rule}`.trimEnd(),
  ];

  for (const [index, step] of trace.steps.entries()) {
    if (index === trace.loop) lines.push("    *** from here on for ever ***");
    const lane = shown.findIndex((thread) => thread.name === step.thread);
    const previous = trace.steps[index - 1];
    // The function heads its steps, as in the tables of commit messages; again after each switch of threads.
    if (previous?.thread !== step.thread || previous.fn !== step.fn || index === trace.loop) {
      for (const line of wrap(functionText(step), text, "    ")) lines.push(row("", lane, line));
    }
    const outcome = step.outcome === "" ? "" : `  => ${step.outcome}`;
    for (const [i, line] of wrap(`${step.call}${outcome}`, text - 1, "    ").entries()) {
      lines.push(row(i === 0 ? String(index + 1) : "", lane, ` ${line}`));
    }
    for (const change of changesOf(trace, index)) {
      const mark = change.observer ? "(" : "";
      const close = change.observer ? ")" : "";
      const diff = `${mark}${change.what} ${change.from} -> ${change.to}${close}`;
      for (const line of wrap(diff, text - 3, "  ")) lines.push(row("", lane, `   ${line}`));
    }
    for (const finding of step.findings) {
      for (const line of wrap(`*** ${finding.kind}: ${finding.message}`, text - 1, "  "))
        lines.push(row("", lane, ` ${line}`));
    }
    lines.push(...standings(trace, index + 1, shown, row, text));
  }
  if (trace.loop !== null) lines.push(`    *** ${endOf(trace)} ***`);
  return lines;
}

/** What comes after the last step of a lasso. */
export function endOf(trace: Trace): string {
  return repeats(trace) ? `back to step ${trace.loop + 1}` : "nobody owes another move: the run ends here";
}

/** Code that stands in the thread's own body belongs to no kernel function. */
export function functionText(step: TraceStep): string {
  return step.at === "" ? "(the thread itself)" : `${step.fn}()  ${step.at}`;
}

export function laneTitle(thread: {
  readonly name: string;
  readonly kind: string;
  readonly cpu: number | null;
}): string {
  const where = thread.cpu === null ? "" : `, CPU${thread.cpu}`;
  return thread.kind === "task" ? `${thread.name}${where}` : `${thread.name} (${thread.kind}${where})`;
}

/** `<blocked: …>` and its like, in the column of each thread that begins or ends to wait with this state. */
function standings(
  trace: Trace,
  index: number,
  shown: readonly { readonly name: string }[],
  row: (number: string, lane: number, line: string) => string,
  text: number,
): string[] {
  return standingChanges(trace, index).flatMap((change) => {
    const lane = shown.findIndex((s) => s.name === trace.threads[change.thread]?.name);
    return lane < 0 ? [] : wrap(`<${change.text}>`, text - 1, "  ").map((line) => row("", lane, ` ${line}`));
  });
}

function verdictWord(trace: Trace): string {
  return trace.finding.kind.toUpperCase().replaceAll("-", " ");
}

function finalState(trace: Trace): string[] {
  const end = trace.states[trace.states.length - 1];
  if (end === undefined) return [];
  const empty: Trace = { ...trace, states: [{ ...end, values: end.values.map((v) => v.map(() => Number.NaN)) }, end] };
  return ["State at the end:", ...changesOf(empty, 0).map((change) => `  ${change.what} = ${change.to}`)];
}

/** What the schedule takes for granted, and of a run that never ends, why that makes it legal. */
export function assumptions(trace: Trace, width = WIDTH): string[] {
  const { fairness: stated } = trace.assumptions;
  const fairness = stated === "none" ? "no fairness" : `fairness: ${stated}`;
  const memory = trace.assumptions.memory === "SC" ? "sequential consistency" : trace.assumptions.memory;
  return [
    ...legality(trace).flatMap((sentence) => wrap(sentence, width, "  ")),
    ...wrap(`Assumed: ${memory}, ${fairness}. Replayed step by step by the reference interpreter.`, width, "  "),
  ];
}

function clip(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 1)}~`;
}

/** How much of a word too long for its line to put there: up to a bracket, a comma or an arrow if one is near. */
function breakingPoint(word: string, room: number): number {
  const head = word.slice(0, room);
  const last = Math.max(...["(", ",", ">", "/"].map((mark) => head.lastIndexOf(mark)));
  return last + 1 > room / 3 ? last + 1 : room;
}

/** Breaks at blanks; a word longer than the line is broken where it must be. Continuation lines get `indent`. */
export function wrap(text: string, width: number, indent: string): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    let rest = word;
    const separator = line === "" || line === indent ? "" : " ";
    if (line.length + separator.length + rest.length <= width) {
      line += separator + rest;
      continue;
    }
    if (line.trim() !== "") {
      lines.push(line);
      line = indent;
    }
    while (line.length + rest.length > width) {
      const room = breakingPoint(rest, width - line.length);
      lines.push(line + rest.slice(0, room));
      rest = rest.slice(room);
      line = indent;
    }
    line += rest;
  }
  lines.push(line);
  return lines;
}
