/**
 * Freezing a request queue (block/blk-mq.c): q_usage_counter counts who is inside; a freeze lets nobody in and waits
 * until nobody is inside. Freezes nest.
 */
import { step } from "../access.ts";
import { aliveCheck, type Cell, cell, type FieldType, type Location, load, store } from "../cell.ts";
import type { Site, Stmt } from "../program.ts";
import { callSite } from "../recording.ts";
import { type Bound, bound } from "../types.ts";
import { binary, constant, Int } from "../value.ts";
import { sleepingStep } from "./blocking.ts";

export class FreezableQueue {
  declare readonly lock: "freeze";
  readonly location: Location;
  readonly users: Bound;

  constructor(location: Location, users: Bound) {
    this.location = location;
    this.users = users;
  }
  get text(): string {
    return this.location.text;
  }
  usage(): Cell {
    return cell(this.location, ".q_usage_counter", { d: "int", lo: 0, hi: bound(this.users) });
  }
  depth(): Cell {
    return cell(this.location, ".mq_freeze_depth", { d: "int", lo: 0, hi: 3 });
  }
  /** Who is inside, as of now. */
  get inside(): Int {
    return new Int(load(this.usage()));
  }
}

/** A queue that at most `users` requests are inside of at once. */
export function freezable(users: Bound): FieldType<FreezableQueue> {
  return { place: (location) => new FreezableQueue(location, users) };
}

function change(c: Cell, by: number, site: Site): Stmt {
  return store(c, binary("+", load(c), constant(by)), site);
}

/** `blk_queue_enter`: waits while the queue is frozen. */
export function blk_queue_enter(q: FreezableQueue): void {
  const site = callSite();
  sleepingStep({
    call: `blk_queue_enter(${q.text})`,
    site,
    checks: aliveCheck(q.location, site),
    alternatives: [
      {
        when: binary("==", load(q.depth()), constant(0)),
        body: [change(q.usage(), 1, site), { s: "mark", name: "wait", site }],
      },
    ],
    wait: { kind: "freeze", on: `${q.text} to be unfrozen` },
  });
}

/** `blk_queue_exit` */
export function blk_queue_exit(q: FreezableQueue): void {
  const site = callSite();
  step({
    call: `blk_queue_exit(${q.text})`,
    site,
    checks: aliveCheck(q.location, site),
    body: [
      {
        s: "if",
        c: binary("==", load(q.usage()), constant(0)),
        then: [{ s: "error", kind: "refcount-underflow", message: `blk_queue_exit(${q.text}) by nobody inside`, site }],
        else: [change(q.usage(), -1, site)],
        site,
      },
    ],
  });
}

/** `blk_mq_freeze_queue`: two steps, the start of the freeze and the wait until the queue is empty. */
export function blk_mq_freeze_queue(q: FreezableQueue): void {
  const site = callSite();
  step({
    call: `blk_freeze_queue_start(${q.text})`,
    site,
    checks: aliveCheck(q.location, site),
    body: [change(q.depth(), 1, site), { s: "mark", name: "freeze", site }],
  });
  sleepingStep({
    call: `blk_mq_freeze_queue_wait(${q.text})`,
    site,
    checks: aliveCheck(q.location, site),
    alternatives: [{ when: binary("==", load(q.usage()), constant(0)), body: [{ s: "mark", name: "wait", site }] }],
    wait: { kind: "freeze", on: `${q.text} to be empty` },
  });
}

/** `blk_mq_unfreeze_queue` */
export function blk_mq_unfreeze_queue(q: FreezableQueue): void {
  const site = callSite();
  step({
    call: `blk_mq_unfreeze_queue(${q.text})`,
    site,
    checks: aliveCheck(q.location, site),
    body: [
      {
        s: "if",
        c: binary("==", load(q.depth()), constant(0)),
        then: [
          {
            s: "error",
            kind: "bug-on",
            message: `blk_mq_unfreeze_queue(${q.text}) of a queue that is not frozen`,
            site,
          },
        ],
        else: [change(q.depth(), -1, site)],
        site,
      },
    ],
  });
}
