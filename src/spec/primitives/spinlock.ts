/** spinlock_t: its owner must not sleep. The irq variants also keep this CPU's handlers away. */
import { type Protection, step } from "../access.ts";
import { aliveCheck, type Cell, cell, type FieldType, type Location, load, store } from "../cell.ts";
import type { Expr, Site } from "../program.ts";
import { callSite, recording } from "../recording.ts";
import { Bool, binary, constant } from "../value.ts";
import { irqsOff, irqsOn } from "./irq.ts";

const SELF: Expr = { e: "self" };

export class Spinlock implements Protection {
  declare readonly lock: "spinlock";
  readonly location: Location;

  constructor(location: Location) {
    this.location = location;
  }
  get text(): string {
    return this.location.text;
  }
  owner(): Cell {
    return cell(this.location, "", { d: "thread" }, { lock: "spinlock" });
  }
  heldBySelf(): Expr {
    return binary("==", load(this.owner()), SELF);
  }
}

/** A spinlock, unlocked in the initial state. */
export function spinlock(): FieldType<Spinlock> {
  return { place: (location) => new Spinlock(location) };
}

/** Spins until the lock is free; the model sees a blocked thread. */
export function spin_lock(l: Spinlock): void {
  spin(l, "spin_lock", callSite());
}

export function spin_unlock(l: Spinlock): void {
  release(l, "spin_unlock", callSite());
}

/** Interrupts off on this CPU, then the lock. */
export function spin_lock_irq(l: Spinlock): void {
  const site = callSite();
  irqsOff("local_irq_disable()", site);
  spin(l, "spin_lock_irq", site);
}

export function spin_unlock_irq(l: Spinlock): void {
  const site = callSite();
  release(l, "spin_unlock_irq", site);
  irqsOn("local_irq_enable()", site);
}

/** As `spin_lock_irq`, but remembers whether interrupts were on: pass the result to `spin_unlock_irqrestore`. */
export function spin_lock_irqsave(l: Spinlock): Bool {
  const site = callSite();
  const flags = irqsOff("local_irq_save(flags)", site);
  spin(l, "spin_lock_irqsave", site);
  return flags;
}

export function spin_unlock_irqrestore(l: Spinlock, flags: Bool): void {
  const site = callSite();
  release(l, "spin_unlock_irqrestore", site);
  irqsOn("local_irq_restore(flags)", site, flags);
}

/** Takes the lock if it is free; never spins. */
export function spin_trylock(l: Spinlock): Bool {
  const site = callSite();
  const taken = recording().local("taken", { d: "bool" });
  step({
    call: `spin_trylock(&${l.text})`,
    site,
    checks: aliveCheck(l.location, site),
    body: [
      { s: "mark", name: "trylock", site },
      { s: "set", to: { p: "local", name: taken }, value: binary("==", load(l.owner()), constant(0)), site },
      {
        s: "if",
        c: { e: "local", name: taken },
        then: [store(l.owner(), SELF, site), { s: "mark", name: "atomic-context", site }],
        else: [],
        site,
      },
    ],
  });
  return new Bool(
    { e: "local", name: taken },
    [],
    "the result of spin_trylock is ignored: the lock may or may not be held now",
  );
}

function spin(l: Spinlock, name: string, site: Site): void {
  recording().emit({
    s: "step",
    call: `${name}(&${l.text})`,
    site,
    checks: aliveCheck(l.location, site),
    alternatives: [
      {
        when: binary("==", load(l.owner()), constant(0)),
        body: [
          store(l.owner(), SELF, site),
          { s: "mark", name: "wait", site },
          { s: "mark", name: "atomic-context", site },
        ],
      },
    ],
    wait: { kind: "spinlock", on: l.text, holder: load(l.owner()) },
  });
}

function release(l: Spinlock, name: string, site: Site): void {
  step({
    call: `${name}(&${l.text})`,
    site,
    checks: aliveCheck(l.location, site),
    body: [
      { s: "mark", name: "unlock", site },
      {
        s: "if",
        c: l.heldBySelf(),
        then: [store(l.owner(), constant(0), site)],
        else: [
          {
            s: "error",
            kind: "unlock-not-owner",
            message: `${name}(&${l.text}) by a thread that does not hold it`,
            site,
          },
        ],
        site,
      },
    ],
  });
}
