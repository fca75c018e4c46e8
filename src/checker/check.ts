/**
 * Checks many scenarios: plans the items of a run, spreads them over threads, and puts the verdicts together in an
 * order that does not depend on which finished first.
 */
import { Worker } from "node:worker_threads";
import type { Program } from "../spec/program.ts";
import type { Coverage } from "./coverage.ts";
import type { EngineName } from "./engine.ts";
import {
  type Evidence,
  engineFor,
  type Item,
  type ItemOutcome,
  itemName,
  problemOf,
  runItem,
  undecided,
} from "./item.ts";
import type { WorkerReply, WorkerRequest } from "./item-worker.ts";
import type { Checked, CheckReport, Problem } from "./result.ts";
import { deviationsFrom } from "./trace/trace-path.ts";
import type { CheckpointOptions, Progress, SolverOptions } from "./verdict.ts";

/** What the checker needs of a protocol; the recorder's `Protocol` is one. */
export interface CheckableProtocol {
  readonly id: string;
  readonly variants: readonly { readonly id: string }[];
  readonly scenarios: readonly {
    readonly id: string;
    readonly sizes?: Readonly<Record<string, { readonly default: number; readonly min: number; readonly max: number }>>;
    readonly size?: "large";
  }[];
  readonly switches: Readonly<Record<string, { readonly values: readonly string[]; readonly default: string }>>;
  applies(variant: string, scenario: string): boolean;
  /** The switch settings the model asks its properties under: one graph each. */
  settings(variant: string, scenario: string): readonly Readonly<Record<string, string>>[];
  record(request: {
    readonly variant: string;
    readonly scenario: string;
    readonly sizes?: Readonly<Record<string, number>>;
    readonly switches?: Readonly<Record<string, string>>;
    readonly members?: Readonly<Record<string, number>>;
  }): Program | null;
}

export interface CheckableModel {
  readonly protocol: CheckableProtocol;
  /** Absolute path of the model's file, and of the root of its repository. */
  readonly file: string;
  readonly root: string;
}

/** Which part of the models to check; empty lists select everything. */
export interface Selection {
  readonly variants: readonly string[];
  readonly scenarios: readonly string[];
  readonly properties: readonly string[];
  /** Sizes and switches other than the defaults, where a scenario or protocol has them. */
  readonly sizes: Readonly<Record<string, number>>;
  readonly switches: Readonly<Record<string, string>>;
}

export const EVERYTHING: Selection = { variants: [], scenarios: [], properties: [], sizes: {}, switches: {} };

export interface CheckOptions {
  readonly engine: EngineName | "auto";
  /** Engines that decide everything once more: where they finish too, they must agree. Default none. */
  readonly crossCheck?: readonly EngineName[];
  readonly reduction: boolean;
  /** Explore the whole graph as well, and compare it with the reduced one. Default no. */
  readonly verifyReductions?: boolean;
  /** Seconds for the run as a whole; Infinity for none. */
  readonly timeout: number;
  /** Bytes for the run as a whole; Infinity for none. */
  readonly memory: number;
  /** Threads to use at once. */
  readonly workers: number;
  /** See `SearchOptions`. */
  readonly storage?: "exact" | "fingerprints" | undefined;
  readonly coverage: boolean;
  /** Run part `index` (from 1) of `of`. */
  readonly shard: { readonly index: number; readonly of: number };
  /** Run everything in this thread: for tests, and where threads are not to be had. */
  readonly inProcess?: boolean;
  /** For a run of one item: a file holds one search. */
  readonly checkpoint?: CheckpointOptions | undefined;
  readonly smt?: SolverOptions | undefined;
}

export interface CheckEvents {
  /** Items finished, items in all, and what the searches under way have counted. */
  progress?(finished: number, total: number, running: ReadonlyMap<string, Progress>): void;
  /** Stores the evidence for an internal error; returns the files it is in. */
  dump?(where: string, evidence: Evidence): readonly string[];
  /** Aborting ends the run; what had finished is reported. */
  readonly signal?: AbortSignal;
}

export interface CheckRun extends CheckReport {
  readonly coverage: readonly Coverage[];
}

/** The items of a run, in the order of the report, and what kept others from being recorded. */
export interface Plan {
  readonly items: readonly Item[];
  readonly problems: readonly Problem[];
}

export function planItems(models: readonly CheckableModel[], selection: Selection): Plan {
  const items: Item[] = [];
  const problems: Problem[] = [];
  const selected = (names: readonly string[], name: string): boolean => names.length === 0 || names.includes(name);
  for (const model of models) {
    const { protocol } = model;
    for (const variant of protocol.variants) {
      if (!selected(selection.variants, variant.id)) continue;
      for (const scenario of protocol.scenarios) {
        if (!selected(selection.scenarios, scenario.id) || !protocol.applies(variant.id, scenario.id)) continue;
        // Large scenarios are checked when somebody asks for them by name.
        if (scenario.size === "large" && !selection.scenarios.includes(scenario.id)) continue;
        try {
          items.push(...cellItems(model, variant.id, scenario, selection));
        } catch (error) {
          problems.push(problemOf(error, `${protocol.id} ${variant.id} ${scenario.id}`));
        }
      }
    }
  }
  return { items, problems };
}

function cellItems(
  model: CheckableModel,
  variant: string,
  scenario: CheckableProtocol["scenarios"][number],
  selection: Selection,
): Item[] {
  const { protocol } = model;
  const sizes = restrict(selection.sizes, scenario.sizes ?? {});
  const wanted = restrict(selection.switches, protocol.switches);
  const asked = new Set<string>();
  const seen = new Set<string>();
  const items: Item[] = [];
  const defaults = {
    sizes: Object.fromEntries(Object.entries(scenario.sizes ?? {}).map(([name, size]) => [name, size.default])),
    switches: Object.fromEntries(Object.entries(protocol.switches).map(([name, s]) => [name, s.default])),
  };
  const settings = protocol.settings(variant, scenario.id);
  for (const setting of settings.length === 0 ? [{}] : settings) {
    const program = protocol.record({ variant, scenario: scenario.id, sizes, switches: { ...setting, ...wanted } });
    if (program === null) continue;
    const key = JSON.stringify(Object.entries(program.switches).sort());
    if (seen.has(key)) continue;
    seen.add(key);
    // Where a requested switch makes two settings ask the same question, the first one answers it.
    const properties = program.properties
      .filter((p) => !p.implied)
      .map((p) => p.id)
      .filter((id) => !asked.has(id) && (selection.properties.length === 0 || selection.properties.includes(id)));
    for (const id of properties) asked.add(id);
    if (properties.length === 0) continue;
    const sameSizes = Object.keys(deviationsFrom({ sizes: program.sizes, switches: {} }, defaults)).length === 0;
    const sameSwitches = settings.some((s) => sameRecord({ ...defaults.switches, ...s }, program.switches));
    items.push({
      program,
      quiescent: quiescentTwin(protocol, program),
      atDefaults: sameSizes && sameSwitches,
      deviations: deviationsFrom(program, defaults),
      file: model.file,
      root: model.root,
      properties,
    });
  }
  return items;
}

function restrict<T>(record: Readonly<Record<string, T>>, names: Readonly<Record<string, unknown>>): Record<string, T> {
  return Object.fromEntries(Object.entries(record).filter(([name]) => Object.hasOwn(names, name)));
}

function sameRecord(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}

function quiescentTwin(protocol: CheckableProtocol, program: Program): Program | null {
  const values = protocol.switches.msleep?.values ?? [];
  if (program.switches.msleep !== "any" || !values.includes("quiescent")) return null;
  const { variant, scenario, sizes } = program;
  return protocol.record({ variant, scenario, sizes, switches: { ...program.switches, msleep: "quiescent" } });
}

/** Milliseconds; setTimeout fires at once for more. No run lasts so long. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** Seconds after the end of its time before an engine that does not stop by itself is stopped. */
const GRACE = 5;

/** Seconds an interrupted run may take to write its last checkpoint. */
const LAST_CHECKPOINT = 600;

export async function checkAll(plan: Plan, options: CheckOptions, events: CheckEvents = {}): Promise<CheckRun> {
  const started = Date.now();
  const deadline = started + options.timeout * 1000;
  const items = plan.items.filter((_, i) => i % options.shard.of === options.shard.index - 1);
  const engine = engineFor(options.engine);
  const lanes = Math.max(1, Math.min(options.workers, items.length));
  // Threads that have nothing to do: whoever searches a large graph may take them.
  const spare = shared(options.workers - lanes);
  const interrupt = shared(0);
  events.signal?.addEventListener("abort", () => Atomics.store(interrupt, 0, 1), { once: true });
  const itemOptions = {
    engine: options.engine,
    crossCheck: options.crossCheck ?? [],
    reduction: options.reduction,
    verifyReductions: options.verifyReductions ?? false,
    deadline,
    memory: options.memory / lanes,
    workers: Math.max(1, Math.floor(options.workers / lanes)),
    spare,
    interrupt,
    storage: options.storage,
    coverage: options.coverage,
    checkpoint: options.checkpoint,
    smt: options.smt,
  };
  const outcomes: (ItemOutcome | undefined)[] = items.map(() => undefined);
  const running = new Map<string, Progress>();
  const interrupted = (): boolean => events.signal?.aborted === true;
  let next = 0;
  let finished = 0;

  /** A proof may be sought for ever: each item gets an equal part of the time. */
  const fairShare = (index: number): number => {
    const rounds = Math.ceil((items.length - index) / lanes);
    const now = Date.now();
    return now + (deadline - now) / rounds;
  };
  const mayTakeForEver = [engine, ...itemOptions.crossCheck].includes("smt");

  const lane = async (): Promise<void> => {
    const thread = options.inProcess === true ? inThisThread : new ItemThread();
    try {
      while (next < items.length && !interrupted()) {
        const index = next++;
        const item = items[index];
        if (item === undefined) break;
        const name = itemName(item.program, item.deviations);
        const report = (progress: Progress): void => {
          running.set(name, progress);
          events.progress?.(finished, items.length, running);
        };
        if (Date.now() >= deadline) {
          outcomes[index] = unfinished(
            item,
            engine,
            "the time for the whole run was over before this began; raise --timeout",
          );
        } else {
          const allotted = mayTakeForEver ? { ...itemOptions, deadline: fairShare(index) } : itemOptions;
          outcomes[index] = await thread.run(item, allotted, report, events.signal);
        }
        running.delete(name);
        finished++;
        events.progress?.(finished, items.length, running);
      }
    } finally {
      await thread.close();
      Atomics.add(spare, 0, 1);
    }
  };
  events.progress?.(0, items.length, running);
  await Promise.all(Array.from({ length: lanes }, lane));

  const done = outcomes.filter((o) => o !== undefined);
  const problems = done.flatMap((outcome) =>
    outcome.problems.map(({ evidence, ...problem }): Problem => {
      if (evidence === undefined || events.dump === undefined) return problem;
      const files = events.dump(problem.where, evidence);
      return { ...problem, message: `${problem.message}. The evidence is in ${files.join(", ")}; please report it` };
    }),
  );
  return {
    checked: done.flatMap((outcome): readonly Checked[] => outcome.checked),
    problems: [...plan.problems, ...problems],
    interrupted: interrupted(),
    unfinished: items.flatMap((item, i) =>
      outcomes[i] === undefined ? [itemName(item.program, item.deviations)] : [],
    ),
    seconds: (Date.now() - started) / 1000,
    coverage: done.flatMap((outcome) => (outcome.coverage === null ? [] : [outcome.coverage])),
  };
}

function shared(value: number): Int32Array {
  return new Int32Array(new SharedArrayBuffer(4)).fill(value);
}

function unfinished(item: Item, engine: EngineName, reason: string): ItemOutcome {
  return { checked: undecided(item, engine, reason), problems: [], coverage: null };
}

type RunItem = (
  item: Item,
  options: WorkerRequest["options"],
  progress: (progress: Progress) => void,
  signal: AbortSignal | undefined,
) => Promise<ItemOutcome | undefined>;

const inThisThread: { readonly run: RunItem; close(): Promise<void> } = {
  run: (item, options, progress) => runItem(item, options, progress),
  close: async () => {},
};

/** A worker thread that runs one item after another; a new one replaces one that had to be stopped. */
class ItemThread {
  #worker: Worker | undefined;

  run(
    item: Item,
    options: WorkerRequest["options"],
    progress: (progress: Progress) => void,
    signal: AbortSignal | undefined,
  ): Promise<ItemOutcome | undefined> {
    this.#worker ??= new Worker(new URL("./item-worker.js", import.meta.url));
    const worker = this.#worker;
    const engine = engineFor(options.engine);
    return new Promise((resolve) => {
      const settle = (outcome: ItemOutcome | undefined, stop: boolean): void => {
        worker.off("message", onMessage);
        worker.off("error", onError);
        signal?.removeEventListener("abort", onAbort);
        clearTimeout(timer);
        clearTimeout(patience);
        if (stop) {
          this.#worker = undefined;
          // A worker that is being stopped may still fail; nobody is interested any more.
          worker.on("error", () => {});
          void worker.terminate();
        }
        resolve(outcome);
      };
      let patience: NodeJS.Timeout | undefined;
      const onAbort = (): void => {
        if (options.checkpoint === undefined) settle(undefined, true);
        // The search ends by itself, after it has been kept on disk.
        else patience = setTimeout(() => settle(undefined, true), LAST_CHECKPOINT * 1000);
      };
      const onMessage = (reply: WorkerReply): void => {
        if ("progress" in reply) progress(reply.progress);
        else settle(reply.outcome, false);
      };
      const onError = (error: NodeJS.ErrnoException): void => {
        if (error.code === "ERR_WORKER_OUT_OF_MEMORY") {
          settle(unfinished(item, engine, "memory ran out; choose smaller sizes or another engine"), true);
        } else {
          const problem = problemOf(error, itemName(item.program, item.deviations));
          const evidence = { data: { error: error.stack }, traces: {} };
          const told = problem.kind === "internal" ? { ...problem, evidence } : problem;
          settle({ checked: [], problems: [told], coverage: null }, true);
        }
      };
      const left = options.deadline - Date.now() + GRACE * 1000;
      const late = (): void =>
        settle(unfinished(item, engine, "the time for the whole run is over; raise --timeout"), true);
      const timer = left < LONGEST_TIMER ? setTimeout(late, left) : undefined;
      signal?.addEventListener("abort", onAbort, { once: true });
      worker.on("message", onMessage);
      worker.on("error", onError);
      try {
        worker.postMessage({ item, options } satisfies WorkerRequest);
      } catch (error) {
        onError(error as Error);
      }
    });
  }

  async close(): Promise<void> {
    await this.#worker?.terminate();
  }
}
