/** The schedules that show what a search has found. */
import type { SysProperty } from "../../spec/transition-system.ts";
import { stepOf } from "../evaluate.ts";
import { ONLY_CUT_EDGES } from "../expectation.ts";
import type { Finding, Outcome, Schedule } from "../verdict.ts";
import type { Asked } from "./asked.ts";
import { cutEdges, type Discovery, type Path } from "./discovery.ts";
import { scheduleTo, transactions, type Way } from "./schedule.ts";

export class Witnesses {
  readonly #asked: Asked;
  readonly #found: Discovery;

  constructor(asked: Asked, found: Discovery) {
    this.#asked = asked;
    this.#found = found;
  }

  wayTo(path: Path): Way {
    const { system, layout, reductions } = this.#asked;
    return scheduleTo(system, layout, this.#found, reductions.internal, path);
  }

  /** The first transition with one of these findings. */
  async ofFinding(findings: readonly number[]): Promise<{ finding: Finding; schedule: Schedule }> {
    const { system, reductions } = this.#asked;
    const { path, finding: f } = await this.#found.firstWithFinding(findings);
    const state = path.at(-1)!;
    const values = this.#found.values(state);
    const taken = [...transactions(system, reductions.internal, values)].find((x) => x.at(-1)!.findings.includes(f));
    if (taken === undefined) throw new Error(`no transition of state ${state} has finding ${f}`);
    const { kind, message } = system.findings[f]!;
    const way = this.wayTo(path);
    const steps = [...way.steps, ...taken.map((firing) => stepOf(firing, way.names))];
    return { finding: { kind, message, thread: steps.at(-1)!.thread }, schedule: { steps } };
  }

  /** That the property is violated in the state at the end of a shortest path. */
  ofViolation(p: SysProperty, path: Path): Outcome {
    return {
      property: p.id,
      verdict: "violated",
      finding: { kind: p.kind, message: p.message },
      schedule: { steps: this.wayTo(path).steps },
      depthExact: true,
    };
  }

  /** That from the end of a path only edges which end in an error lead to a rescue, if any do. */
  ofOnlyCut(p: SysProperty, path: Path, what: string): Outcome {
    const cut = Object.entries(cutEdges(this.#asked.system, this.#found))
      .map(([kind, n]) => `${n} ${n === 1 ? "edge ends" : "edges end"} in ${kind}`)
      .join(", ");
    return {
      property: p.id,
      verdict: "inconclusive",
      reason: `${ONLY_CUT_EDGES}: ${cut} (${what})`,
      schedule: { steps: this.wayTo(path).steps },
    };
  }
}
