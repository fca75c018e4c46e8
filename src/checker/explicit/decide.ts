/** What the states that a search has found, and how it ended, say of each property. */
import type { SysProperty } from "../../spec/transition-system.ts";
import type { Outcome, SearchOptions } from "../verdict.ts";
import type { Asked } from "./asked.ts";
import { type BreadthFirst, type Stop, wasSeen } from "./breadth-first.ts";
import type { Clock } from "./clock.ts";
import { cutEdges } from "./discovery.ts";
import { decideOnRuns, type RunVerdict } from "./fair-search.ts";
import { deadlockOf, goalLost, type LostStates, lostStates } from "./never-again.ts";
import { FINGERPRINT_BITS } from "./table-code.ts";
import { Witnesses } from "./witness.ts";

/** What is said of a temporal property that a run breaks, until the run itself is known. */
export const BROKEN = "some fair run breaks it, but there was no room to find one without reductions";

/** The properties asked for, and those that are implied and violated. */
export async function decide(
  asked: Asked,
  search: BreadthFirst,
  stop: Stop | undefined,
  options: SearchOptions,
  clock: Clock,
): Promise<Outcome[]> {
  return await new Decision(asked, search, stop, options, clock).all();
}

class Decision {
  readonly #asked: Asked;
  readonly #search: BreadthFirst;
  readonly #stop: Stop | undefined;
  readonly #options: SearchOptions;
  readonly #clock: Clock;
  readonly #found;
  readonly #witnesses: Witnesses;
  readonly #cut: Readonly<Record<string, number>>;

  constructor(asked: Asked, search: BreadthFirst, stop: Stop | undefined, options: SearchOptions, clock: Clock) {
    this.#asked = asked;
    this.#search = search;
    this.#stop = stop;
    this.#options = options;
    this.#clock = clock;
    this.#found = search.found;
    this.#witnesses = new Witnesses(asked, search.found);
    this.#cut = cutEdges(asked.system, search.found);
  }

  async all(): Promise<Outcome[]> {
    const { system, properties, modelErrors, lossy } = this.#asked;
    const faults = modelErrors.filter((f) => this.#wasFound(f));
    if (faults.length > 0) {
      const { finding, schedule } = await this.#witnesses.ofFinding(faults);
      const reason = `the model is at fault: ${finding.message}`;
      return properties.map((p) => ({ property: p.id, verdict: "inconclusive", reason, finding, schedule }));
    }
    const explored = this.#stop === undefined;
    const lost = explored && !lossy ? await lostStates(this.#asked, this.#found) : undefined;
    // What the masks have gained by the time that ran out is true, and need not be found again.
    if (explored && !lossy && lost === undefined) this.#search.saveCheckpoint();
    const onRuns = new Map((explored ? await this.#decideOnRuns() : []).map((o) => [o.property, o]));
    const outcomes: Outcome[] = [];
    for (const p of properties) outcomes.push(await this.#one(p, onRuns.get(p.id), lost));
    for (const p of system.properties) {
      if (!p.implied || properties.includes(p)) continue;
      const violated = await this.#violation(p, lost);
      if (violated !== undefined) outcomes.push(violated);
    }
    return outcomes;
  }

  async #one(p: SysProperty, onRuns: RunVerdict | undefined, lost: LostStates | undefined): Promise<Outcome> {
    if (onRuns !== undefined) return this.#onRuns(p, onRuns);
    const violated = await this.#violation(p, lost);
    if (violated !== undefined) return violated;
    const open = (reason: string): Outcome => ({ property: p.id, verdict: "inconclusive", reason });
    if (this.#stop !== undefined) return open(this.#search.reasonOf(this.#stop));
    if (this.#asked.lossy) return open(this.#probably(p));
    const backward = p.check.c === "deadlock" || p.check.c === "stays-possible";
    if (backward && lost === undefined) return open(this.#search.reasonOf(this.#search.outOfTime));
    return this.#holds(p);
  }

  async #decideOnRuns(): Promise<RunVerdict[]> {
    const { system, runs, layout, reductions } = this.#asked;
    if (runs.length === 0) return [];
    return await decideOnRuns(
      {
        clock: this.#clock,
        system,
        ...this.#search.sequential.kept,
        layout,
        reductions,
        cut: this.#cut,
        memory: this.#options.memory,
      },
      runs,
    );
  }

  #onRuns(p: SysProperty, found: RunVerdict): Outcome {
    if (found.verdict === "holds") return this.#holds(p);
    if (found.verdict !== "broken") return found;
    // The caller looks again without reductions.
    return { property: p.id, verdict: "inconclusive", reason: BROKEN };
  }

  #wasFound(finding: number): boolean {
    return this.#found.levelOfFinding(finding) !== undefined;
  }

  async #violation(p: SysProperty, lost: LostStates | undefined): Promise<Outcome | undefined> {
    const { check } = p;
    if (check.c === "deadlock") return await deadlockOf(this.#asked, this.#found, this.#witnesses, p, lost);
    if (check.c === "stays-possible") {
      return lost === undefined ? undefined : await goalLost(this.#asked, this.#found, this.#witnesses, p, lost);
    }
    if (!wasSeen(this.#asked, this.#found, p)) return undefined;
    if (check.c === "findings") {
      const seen = check.findings.filter((f) => this.#wasFound(f));
      const { finding, schedule } = await this.#witnesses.ofFinding(seen);
      return { property: p.id, verdict: "violated", finding, schedule, depthExact: true };
    }
    const { invariants, atRest } = this.#asked;
    const path =
      check.c === "invariant"
        ? await this.#found.firstBroken("invariant", invariants.indexOf(p))
        : await this.#found.firstBroken("at-rest", atRest.indexOf(p));
    return this.#witnesses.ofViolation(p, path);
  }

  /**
   * Why nothing found proves nothing, where fingerprints are stored. The number of states is a sum over pairs: each two
   * have the same fingerprint with a probability of 2^-64, if hashes are as good as random (Wolper and Leroy, Reliable
   * hashing without collision detection, CAV 1993; the bound of Stern and Dill, CHARME 1995, is not larger).
   */
  #probably(p: SysProperty): string {
    const { count } = this.#found;
    const omission = Math.min(1, (count * (count - 1)) / 2 / 2 ** FINGERPRINT_BITS);
    const stored = `only ${FINGERPRINT_BITS}-bit fingerprints of states were stored`;
    if (p.check.c === "temporal" || p.check.c === "stays-possible") return `${stored}, from which this is not decided`;
    const partial = p.check.c === "deadlock" ? " (that one thread alone never moves again was not looked for)" : "";
    return (
      `no violation found among ${count} states${partial}, but ${stored}: ` +
      `some state was missed with a probability of at most ${omission.toExponential(1)}`
    );
  }

  #holds(p: SysProperty): Outcome {
    const { marks, what } = p.trigger;
    const { initialMarks } = this.#asked.system;
    if (marks.length === 0 || marks.some((m) => this.#found.marked(m) || initialMarks.includes(m))) {
      return { property: p.id, verdict: "holds" };
    }
    const cut = Object.values(this.#cut).reduce((a, b) => a + b, 0);
    const beyond = cut > 0 ? ` (${cut} edges were cut by errors, behind which it may lie)` : "";
    return { property: p.id, verdict: "vacuous", reason: `no run reaches what it speaks of: ${what}${beyond}` };
  }
}
