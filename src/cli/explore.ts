import { relative, sep } from "node:path";
import { createInterface } from "node:readline";
import { Interpreter, type State, type Transition, type Visit } from "../checker/reference/index.ts";
import { replayedTrace } from "../checker/trace/replayed-trace.ts";
import { changesOf, type Trace } from "../checker/trace/trace.ts";
import { finalStateText, scheduleText } from "../report/counterexample.ts";
import { CELL_OPTIONS, type Cell, loadCell } from "./cell.ts";
import type { Command } from "./command.ts";

const HELP = `  N          take move N
  b [N]      back one step, or N
  s          the whole state
  h          the schedule so far
  r          restart
  q          quit`;

export const explore: Command = {
  usage: "explore PROTOCOL",
  what: "step by hand; reads moves from stdin, so that they can also come from a pipe",
  options: CELL_OPTIONS,
  async run(args) {
    const cell = await loadCell(args, explore.usage);
    const walk = new Walk(cell);
    const { program } = cell;
    const write = (text: string): void => {
      process.stdout.write(`${text}\n`);
    };
    write(`${program.protocol} ${program.variant}, ${program.scenario}; ? for help\n\n${walk.describe()}`);
    const terminal = process.stdin.isTTY === true;
    const lines = createInterface({ input: process.stdin, terminal: false });
    if (terminal) process.stdout.write("> ");
    for await (const line of lines) {
      const command = line.trim();
      if (command === "q") break;
      if (command !== "") write(answer(walk, command));
      if (terminal) process.stdout.write("> ");
    }
    lines.close();
    return 0;
  },
};

function answer(walk: Walk, command: string): string {
  const back = /^b(?:\s+(\d+))?$/.exec(command);
  if (back !== null) {
    const wanted = Number(back[1] ?? 1);
    const taken = walk.back(wanted);
    return taken === 0 ? "this is the initial state" : walk.describe();
  }
  switch (command) {
    case "?":
      return HELP;
    case "s":
      return finalStateText(walk.trace());
    case "h":
      return scheduleText(walk.trace());
    case "r":
      walk.back(Number.POSITIVE_INFINITY);
      return walk.describe();
  }
  if (!/^\d+$/.test(command)) return `what is ${command}? Type the number of a move, or one of\n${HELP}`;
  const moves = walk.moves();
  const move = moves[Number(command) - 1];
  if (move === undefined)
    return `there is no move ${command}; there ${moves.length === 1 ? "is 1" : `are ${moves.length}`}`;
  return walk.take(move);
}

/** A path through the graph that can be taken back. */
class Walk {
  readonly #cell: Cell;
  readonly #interpreter: Interpreter;
  readonly #visits: Visit[];
  #error: Transition | undefined;

  constructor(cell: Cell) {
    this.#cell = cell;
    this.#interpreter = new Interpreter(cell.program);
    this.#visits = [this.#visit(this.#interpreter.initial())];
  }

  #visit(state: State, transition?: Transition): Visit {
    const status = this.#interpreter.status(state);
    return transition === undefined ? { state, status } : { state, status, transition };
  }

  get #here(): Visit {
    return this.#visits.at(-1)!;
  }

  moves(): readonly Transition[] {
    return this.#error === undefined ? this.#interpreter.transitions(this.#here.state) : [];
  }

  take(move: Transition): string {
    if (move.result.k === "error") this.#error = move;
    else this.#visits.push(this.#visit(move.result.state, move));
    const trace = this.trace();
    const index = trace.steps.length - 1;
    const step = trace.steps[index];
    const said = [
      ...changesOf(trace, index).map((c) => `      ${c.what} ${c.from} -> ${c.to}`),
      ...(step?.findings ?? []).map((f) => `  *** ${f.kind}: ${f.message}`),
    ];
    const title = `step ${index + 1}: [${step?.thread}] ${step?.call} in ${step?.fn}(), ${step?.site.file}:${step?.site.line}`;
    return [title, ...said, "", this.describe()].join("\n");
  }

  /** Takes back up to `count` steps; returns how many. */
  back(count: number): number {
    let taken = 0;
    if (count > 0 && this.#error !== undefined) {
      this.#error = undefined;
      taken++;
    }
    for (; taken < count && this.#visits.length > 1; taken++) this.#visits.pop();
    return taken;
  }

  describe(): string {
    const depth = this.#visits.length - 1;
    if (this.#error !== undefined) return `after step ${depth + 1}: the path has ended in an error; b goes back`;
    const { threads } = this.#cell.program;
    const waiting = this.#here.status.filter((s) => s.status !== "ready").map((s) => `  ${s.why}`);
    const moves = this.moves().map((m, i) => {
      const name = m.name === "" ? "" : `  => ${m.name}`;
      const mood = m.optional ? "  (optional)" : "";
      return `  ${i + 1}  [${threads[m.step.thread]?.name}] ${m.call}${name}${mood}  ${m.site.file}:${m.site.line}`;
    });
    const head = depth === 0 ? "initial state" : `after step ${depth}`;
    return [head, ...waiting, ...(moves.length === 0 ? ["  nothing can move"] : moves)].join("\n");
  }

  trace(): Trace {
    const { model, program } = this.#cell;
    const steps = this.#visits.flatMap((v) => (v.transition === undefined ? [] : [v.transition.step]));
    if (this.#error !== undefined) steps.push(this.#error.step);
    const run = { visits: this.#visits, ...(this.#error === undefined ? {} : { error: this.#error }) };
    return replayedTrace(program, { steps }, run, {
      root: model.root,
      model: relative(model.root, model.file).split(sep).join("/"),
      property: "",
      verdict: "inconclusive",
      finding: { kind: "exploration", message: "" },
      label: null,
      depthExact: false,
      assumptions: { memory: "SC", fairness: "none" },
    });
  }
}
