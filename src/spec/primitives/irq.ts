/**
 * Interrupts. A handler is a thread of kind `hardirq` or `softirq` on a CPU; it runs on top of the task of that CPU
 * while that task has interrupts on. Masking is tracked only in scenarios that have handlers.
 */
import { cell, type Location, load, store } from "../cell.ts";
import type { Expr, Site, ThreadDecl } from "../program.ts";
import { callSite, recording } from "../recording.ts";
import { Bool, binary, constant } from "../value.ts";
import { IRQS_OFF, or } from "./held.ts";

const location: Location = { name: IRQS_OFF, text: "irqs_disabled()", site: { file: "lockstep", line: 1, column: 1 } };
const SELF: Expr = { e: "self" };

function threads(): readonly ThreadDecl[] {
  return recording().facts.get("threads") as readonly ThreadDecl[];
}

function hasHandlers(): boolean {
  return threads().some((t) => t.kind === "hardirq" || t.kind === "softirq");
}

function off(thread: Expr): ReturnType<typeof cell> {
  return cell(location, "", { d: "bool" }, { perThread: true }, thread);
}

function mine(): ReturnType<typeof cell> {
  return off(binary("-", SELF, constant(1)));
}

/** Turns interrupts off on this CPU; the result says whether they were off before. */
export function irqsOff(call: string, site: Site): Bool {
  const r = recording();
  if (!hasHandlers()) return new Bool(constant(0));
  const flags = r.local("flags", { d: "bool" });
  r.emit({
    s: "step",
    call,
    site,
    checks: [],
    alternatives: [
      {
        body: [
          { s: "set", to: { p: "local", name: flags }, value: load(mine()), site },
          store(mine(), constant(1), site),
          { s: "mark", name: "atomic-context", site },
        ],
      },
    ],
  });
  return new Bool({ e: "local", name: flags });
}

/** Turns them on again, or back to what they were. */
export function irqsOn(call: string, site: Site, flags?: Bool): void {
  if (!hasHandlers()) {
    flags?.use();
    return;
  }
  recording().emit({
    s: "step",
    call,
    site,
    checks: [],
    alternatives: [{ body: [store(mine(), flags ? flags.use() : constant(0), site)] }],
  });
}

export function local_irq_disable(): void {
  irqsOff("local_irq_disable()", callSite());
}

export function local_irq_enable(): void {
  irqsOn("local_irq_enable()", callSite());
}

/**
 * The first step of a handler: the interrupt arrives. It waits until `raised` holds (the device has something to say)
 * and until no task of its CPU runs with interrupts off.
 */
export function interrupt(call: string, raised: () => Bool): void {
  const site = callSite();
  const r = recording();
  r.emit({
    s: "step",
    call,
    site,
    checks: [],
    alternatives: [
      {
        when: binary("&&", raised().use(), interruptsOn()),
        body: [
          { s: "mark", name: "irq", site },
          { s: "mark", name: "atomic-context", site },
        ],
      },
    ],
    wait: { on: "an interrupt", resting: constant(1) },
  });
}

/** True while no task of the executing handler's CPU has interrupts off. */
function interruptsOn(): Expr {
  const r = recording();
  const all = threads();
  return r.defer(() => {
    if (!r.vars.has(IRQS_OFF)) return constant(1);
    let masked: Expr = constant(0);
    all.forEach((handler, h) => {
      if (handler.kind !== "hardirq" && handler.kind !== "softirq") return;
      all.forEach((task, t) => {
        if (t === h || task.cpu !== handler.cpu) return;
        const flag: Expr = { e: "load", v: IRQS_OFF, i: constant(t) };
        masked = or(masked, binary("&&", binary("==", SELF, constant(h + 1)), flag));
      });
    });
    return { e: "not", a: masked };
  });
}
