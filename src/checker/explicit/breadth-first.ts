/**
 * Runs one search: by one thread, by several once it has become large, kept on disk and taken up again where that is
 * wished.
 */
import type { SysProperty } from "../../spec/transition-system.ts";
import { initialState } from "../state-values.ts";
import type { Progress, SearchOptions } from "../verdict.ts";
import type { Asked } from "./asked.ts";
import { CheckpointFile, CheckpointSchedule, identityOf, type SearchIdentity } from "./checkpoint.ts";
import { CheckpointError } from "./checkpoint-error.ts";
import type { Clock } from "./clock.ts";
import { GROUP } from "./codegen.ts";
import type { Discovery } from "./discovery.ts";
import { Division } from "./division.ts";
import { pack } from "./layout.ts";
import type { ParallelSearch } from "./parallel-search.ts";
import type { Plan } from "./plan.ts";
import { SequentialSearch } from "./sequential-search.ts";

/** States between two looks at the clock. */
const SLICE = 4096;

export type Stop = "time" | "interrupt" | "memory" | "states" | "decided";

export class BreadthFirst {
  /** The search by one thread, which others may have taken over. */
  readonly sequential: SequentialSearch;
  readonly #asked: Asked;
  readonly #options: SearchOptions;
  readonly #plan: Plan;
  readonly #clock: Clock;
  readonly #division: Division;
  #parallel: ParallelSearch | undefined;
  readonly #identity: SearchIdentity | undefined;
  readonly #checkpoints: CheckpointSchedule | undefined;

  /** Throws a CheckpointError where such a search cannot be kept on disk. */
  constructor(asked: Asked, options: SearchOptions, plan: Plan, clock: Clock) {
    this.#asked = asked;
    this.#options = options;
    this.#plan = plan;
    this.#clock = clock;
    const { system, layout, generated, maskBits, runs, conditions, lossy, properties } = asked;
    const { reductions, permutations } = asked;
    const { orbits, internal } = reductions;
    const threads = system.threads.length;
    const live = generated.groupMasks.map((_, g) => Math.max(0, Math.min(GROUP, threads - g * GROUP)));
    this.sequential = new SequentialSearch({
      layout,
      generated,
      maskBits,
      graph: runs.length > 0 ? { live, truths: conditions.length } : undefined,
      memory: options.memory,
      permutations: orbits.length > 0 ? permutations : undefined,
      clock,
      pause: this.#pause,
      fingerprints: lossy ? { system, internal } : undefined,
    });
    this.#division = new Division(asked, options, plan, clock, this.#pause);
    const { checkpoint } = options;
    if (checkpoint === undefined) return;
    if (lossy) throw new CheckpointError("a search that stores fingerprints cannot be kept on disk");
    const question = `${properties.map((p) => p.id).join(", ")}; reductions ${options.reduction ? "on" : "off"}`;
    this.#identity = identityOf(system, {
      version: checkpoint.version,
      searchOptions: question,
      program: generated.text,
    });
    if (checkpoint.write !== undefined) this.#checkpoints = new CheckpointSchedule(checkpoint.write, checkpoint);
  }

  /** Where what has been found is. */
  get found(): Discovery {
    return this.#parallel ?? this.sequential;
  }

  /** Searches until all has been explored (undefined) or something stops it. `close` must follow. */
  async run(): Promise<Stop | undefined> {
    const search = this.sequential;
    const resume = this.#options.checkpoint?.resume;
    if (resume === undefined) {
      const { layout, system } = this.#asked;
      const words = new Int32Array(layout.words);
      pack(layout, initialState(system), words, 0);
      search.start(words);
    } else {
      this.#parallel = await this.#resume(resume);
      if (this.#parallel !== undefined) return await this.#runInParallel(this.#parallel);
    }
    while (search.next < search.count) {
      if (!search.run(this.#plan.slice ?? SLICE)) {
        this.saveCheckpoint();
        return "memory";
      }
      if (search.levelComplete) {
        const seeAll = !this.#options.reduction || this.#plan.inspect !== undefined;
        if (!seeAll && this.#allViolated()) return "decided";
        if (search.count > (this.#plan.states ?? Number.POSITIVE_INFINITY)) return "states";
        search.nextLevel();
      }
      const wait = this.#pause();
      if (wait !== undefined) await wait;
      if (this.#clock.expired && search.next < search.count) {
        this.saveCheckpoint();
        return this.outOfTime;
      }
      if (this.#checkpoints?.due === true) this.saveCheckpoint();
      this.#parallel = await this.#division.takeOver(search);
      if (this.#parallel !== undefined) return await this.#runInParallel(this.#parallel);
    }
    search.explored = true;
    // What follows can take as long again.
    if ((this.#checkpoints?.written ?? 0) > 0) this.saveCheckpoint();
    return undefined;
  }

  async #runInParallel(search: ParallelSearch): Promise<Stop | undefined> {
    for (;;) {
      const stop = await search.run(() => this.#clock.expired || this.#checkpoints?.due === true);
      if (stop === "states" || stop === "decided") return stop;
      if (stop === "complete") {
        if ((this.#checkpoints?.written ?? 0) > 0) this.saveCheckpoint();
        return undefined;
      }
      const expired = this.#clock.expired;
      if (stop === "memory" || expired || this.#checkpoints?.due === true) this.saveCheckpoint();
      if (stop === "memory" || expired) return stop === "memory" ? stop : this.outOfTime;
    }
  }

  async close(): Promise<void> {
    await this.#division.close();
  }

  get outOfTime(): Stop {
    return this.#clock.interrupted ? "interrupt" : "time";
  }

  /** Why the search was stopped, and how far it had come. */
  reasonOf(stop: Stop): string {
    const { count, next, depth } = this.found;
    const reached = `${count} states found, ${next} explored, depth ${depth}`;
    if (stop === "interrupt") {
      const { file = "", failure } = this.#checkpoints ?? {};
      const kept = failure === undefined ? `go on with --resume ${file}` : `no checkpoint could be written: ${failure}`;
      return `interrupted: ${reached}${this.#checkpoints === undefined ? "" : `; ${kept}`}`;
    }
    if (stop === "time") return `time ran out: ${reached}`;
    if (stop === "memory") return `memory ran out: ${reached}`;
    return `stopped early: ${reached}`;
  }

  /** To be called only when every successor of every expanded state is in the tables. */
  saveCheckpoint(): void {
    if (this.#checkpoints === undefined || this.#identity === undefined) return;
    const search = this.#parallel ?? this.sequential;
    this.#checkpoints.write(this.#identity, search.position, search.tables());
  }

  /** The search that several threads had begun, if they had; else the one by one thread goes on. */
  async #resume(file: string): Promise<ParallelSearch | undefined> {
    if (this.#identity === undefined) throw new Error("a search that is resumed has an identity");
    const checkpoint = new CheckpointFile(file, this.#identity);
    const noMemory = (states: number): CheckpointError =>
      new CheckpointError(`${file} holds ${states} states, for which there is not enough memory; raise --memory`);
    try {
      const { position } = checkpoint;
      if (!("parts" in position)) {
        if (!this.sequential.reserve(position.count)) throw noMemory(position.count);
        checkpoint.read(this.sequential.tables(position.count));
        this.sequential.restore(position);
        return undefined;
      }
      const image = this.#division.emptyImage(position);
      checkpoint.read(this.#division.tables(image));
      const parallel = this.#division.resume();
      if (!(await parallel.begun())) {
        throw new CheckpointError(`${file} was written by several threads, and none can be started here`);
      }
      if (await parallel.takeOver(image, position)) return parallel;
      throw noMemory(position.parts.reduce((n, p) => n + p.count, 0));
    } finally {
      checkpoint.close();
    }
  }

  readonly #pause = (): Promise<void> | undefined => this.#clock.tick(() => this.#progress());

  #progress(): Progress {
    const { count, next, transitions, depth, share } = this.found;
    const failure = this.#checkpoints?.failure;
    return {
      states: count,
      transitions,
      depth,
      frontier: count - next,
      // When all has been expanded, the question has become another one.
      ...(share === undefined || count === next ? {} : { share }),
      ...(failure === undefined ? {} : { warning: `no checkpoint could be written: ${failure}` }),
    };
  }

  #allViolated(): boolean {
    const { properties, modelErrors } = this.#asked;
    const search = this.sequential;
    return (
      properties.length > 0 &&
      properties.every((p) => wasSeen(this.#asked, search, p)) &&
      !modelErrors.some((f) => search.levelOfFinding(f) !== undefined)
    );
  }
}

/** Whether a violation of a property was met, of those that are seen while states are found. */
export function wasSeen({ invariants, atRest }: Asked, found: Discovery, p: SysProperty): boolean {
  if (p.check.c === "findings") return p.check.findings.some((f) => found.levelOfFinding(f) !== undefined);
  if (p.check.c === "invariant") return found.broken("invariant", invariants.indexOf(p));
  return p.check.c === "at-rest" && found.broken("at-rest", atRest.indexOf(p));
}
