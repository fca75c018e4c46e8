import type { Progress, SearchOptions } from "../verdict.ts";

/** Milliseconds of work between two looks at signals and timers. */
const SLICE = 60;
const REPORT = 250;

/** The deadline of a run, its progress reports, and the pauses in which Node handles signals and draws spinners. */
export class Clock {
  readonly start = performance.now();
  readonly #deadline: number;
  readonly #interrupt: Int32Array | undefined;
  readonly #report: ((p: Progress) => void) | undefined;
  #slice = this.start;
  #reported = this.start;

  constructor(options: SearchOptions) {
    this.#deadline = this.start + options.timeout * 1000;
    this.#interrupt = options.interrupt;
    this.#report = options.progress;
  }

  get seconds(): number {
    return (performance.now() - this.start) / 1000;
  }

  /** The time is over, or the user wants an end. */
  get expired(): boolean {
    return performance.now() >= this.#deadline || this.interrupted;
  }

  get interrupted(): boolean {
    return this.#interrupt !== undefined && Atomics.load(this.#interrupt, 0) !== 0;
  }

  /** To be called every few milliseconds, and awaited when it returns something. */
  tick(progress: () => Progress): Promise<void> | undefined {
    const now = performance.now();
    if (now - this.#slice < SLICE) return undefined;
    this.#slice = now;
    if (this.#report !== undefined && now - this.#reported >= REPORT) {
      this.#reported = now;
      this.#report(progress());
    }
    return new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
}
