/**
 * The big kernel lock (lib/kernel_lock.c up to 2.6.38). Recursive per task. A task that sleeps drops it and has it
 * again, at the same depth, before it goes on; one that never sleeps never drops it. blocking.ts does that.
 */
import { step } from "../access.ts";
import { type FieldType, load, store } from "../cell.ts";
import { ModelError } from "../model-error.ts";
import type { Expr, Site } from "../program.ts";
import { callSite, recording } from "../recording.ts";
import { binary, constant } from "../value.ts";
import { Big, bigKernelLock } from "./blocking.ts";

const SELF: Expr = { e: "self" };

/**
 * The big kernel lock, free in the initial state. It is declared once, as `const BKL = global("kernel_flag", bkl())`,
 * and given to the protocol as `bkl: BKL`, so that every primitive that sleeps knows of it.
 */
export function bkl(): FieldType<Big> {
  return {
    place: (location) => {
      if (location.object) throw new ModelError("there is one big kernel lock: declare it with global", location.site);
      return new Big(location);
    },
  };
}

function big(call: string, site: Site): Big {
  const found = bigKernelLock(recording());
  if (found) return found;
  throw new ModelError(
    `${call} needs the big kernel lock: declare const BKL = global("kernel_flag", bkl()) and give the protocol bkl: BKL`,
    site,
  );
}

/** Spins until the lock is free; taken again by the task that has it, it counts. */
export function lock_kernel(): void {
  const site = callSite();
  const lock = big("lock_kernel()", site);
  const owner = load(lock.owner());
  recording().emit({
    s: "step",
    call: "lock_kernel()",
    site,
    checks: [],
    alternatives: [
      {
        when: binary("||", binary("==", owner, constant(0)), lock.heldBySelf()),
        body: [
          store(lock.owner(), SELF, site),
          store(lock.depth(), binary("+", load(lock.depth()), constant(1)), site),
          { s: "mark", name: "wait", site },
        ],
      },
    ],
    wait: { on: lock.text, kind: "bkl", holder: owner },
  });
}

/** The last of as many as `lock_kernel` frees it; `unlock-not-owner` if the task does not have it. */
export function unlock_kernel(): void {
  const site = callSite();
  const lock = big("unlock_kernel()", site);
  const depth = load(lock.depth());
  const message = "unlock_kernel() by a task that does not hold the BKL";
  step({
    call: "unlock_kernel()",
    site,
    checks: [],
    body: [
      { s: "mark", name: "unlock", site },
      {
        s: "if",
        c: lock.heldBySelf(),
        then: [
          store(lock.depth(), binary("-", depth, constant(1)), site),
          {
            s: "if",
            c: binary("==", depth, constant(0)),
            then: [store(lock.owner(), constant(0), site)],
            else: [],
            site,
          },
        ],
        else: [{ s: "error", kind: "unlock-not-owner", message, site }],
        site,
      },
    ],
  });
}
