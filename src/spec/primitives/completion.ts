/** struct completion (kernel/sched.c, kernel/sched/completion.c): a count of completions that waiters use up. */
import { step, type WaitOptions } from "../access.ts";
import { aliveCheck, type Cell, cell, type FieldType, type Location, load, store } from "../cell.ts";
import type { Site, Stmt } from "../program.ts";
import { callSite, recording } from "../recording.ts";
import { type Bound, bound } from "../types.ts";
import { Bool, binary, constant } from "../value.ts";
import { sleepingStep } from "./blocking.ts";
import { Initialised, type InitOptions } from "./initialised.ts";

export interface CompletionOptions extends InitOptions {
  /** How often `complete` may run ahead of the waiters; going beyond is a model error. Default: once a thread. */
  readonly max?: Bound;
}

export class Completion {
  declare readonly queue: "completion";
  readonly location: Location;
  readonly initialised: Initialised;
  readonly #max: Bound | undefined;

  constructor(location: Location, options: CompletionOptions) {
    this.location = location;
    this.initialised = new Initialised(location, options);
    this.#max = options.max;
  }
  get text(): string {
    return this.location.text;
  }
  get max(): number {
    return this.#max === undefined ? recording().threadCount : bound(this.#max);
  }
  /** The value of `done` after complete_all: waiters do not use it up. */
  get all(): number {
    return this.max + 1;
  }
  done(): Cell {
    return cell(this.location, ".done", { d: "int", lo: 0, hi: this.all });
  }
  /** A waiter would go on now: for properties and guards. */
  get completed(): Bool {
    return new Bool(binary(">", load(this.done()), constant(0)));
  }
  checks(call: string, site: Site): Stmt[] {
    return [...aliveCheck(this.location, site), ...this.initialised.check(call, site)];
  }
}

/** A completion, not completed in the initial state. */
export function completion(options: CompletionOptions = {}): FieldType<Completion> {
  return { place: (location) => new Completion(location, options) };
}

/** `init_completion`, `reinit_completion`, `INIT_COMPLETION`: not completed (again). */
export function init_completion(c: Completion): void {
  const site = callSite();
  step({
    call: `init_completion(&${c.text})`,
    site,
    checks: aliveCheck(c.location, site),
    body: [store(c.done(), constant(0), site), ...c.initialised.set(site)],
  });
}

/** Lets one waiter go on, the next one if nobody waits now. */
export function complete(c: Completion): void {
  const site = callSite();
  const call = `complete(&${c.text})`;
  const { max, all } = c;
  const message = `${call} ran ahead of its waiters more than ${max} times; raise completion({ max })`;
  step({
    call,
    site,
    checks: c.checks(call, site),
    body: [
      { s: "mark", name: "complete", site },
      {
        s: "if",
        c: binary("<", load(c.done()), constant(max)),
        then: [store(c.done(), binary("+", load(c.done()), constant(1)), site)],
        else: [
          {
            s: "if",
            c: binary("==", load(c.done()), constant(all)),
            then: [],
            else: [{ s: "error", kind: "model-error", message, site }],
            site,
          },
        ],
        site,
      },
    ],
  });
}

/** Lets every waiter go on, those to come included, until it is initialised again. */
export function complete_all(c: Completion): void {
  const site = callSite();
  const call = `complete_all(&${c.text})`;
  step({
    call,
    site,
    checks: c.checks(call, site),
    body: [{ s: "mark", name: "complete", site }, store(c.done(), constant(c.all), site)],
  });
}

/** Sleeps, uninterruptibly, until it is completed. */
export function wait_for_completion(c: Completion, options: Pick<WaitOptions, "resting" | "holder"> = {}): void {
  const site = callSite();
  const call = `wait_for_completion(&${c.text})`;
  sleepingStep({
    call,
    site,
    checks: c.checks(call, site),
    alternatives: [
      {
        when: binary(">", load(c.done()), constant(0)),
        body: [
          { s: "mark", name: "wait", site },
          {
            s: "if",
            c: binary("<", load(c.done()), constant(c.all)),
            then: [store(c.done(), binary("-", load(c.done()), constant(1)), site)],
            else: [],
            site,
          },
        ],
      },
    ],
    wait: {
      on: c.text,
      kind: "completion",
      ...(options.holder ? { holder: options.holder() } : {}),
      ...(options.resting ? { resting: options.resting().use() } : {}),
    },
  });
}
