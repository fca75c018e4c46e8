/** Temporal properties on the graph of a search that has ended: fair runs that break them. */
import type { SysCheck, SysExpr, SysProperty, TransitionSystem } from "../../spec/transition-system.ts";
import { firings, stepOf } from "../evaluate.ts";
import { automaton } from "../liveness/buchi.ts";
import { fairLasso, hasFairRun, ProductTooLarge } from "../liveness/fair-cycle.ts";
import { type FairGraph, type FairnessConditions, type ReducedEdges, sourceOf } from "../liveness/fair-graph.ts";
import { questionOf, type RunQuestion, requestedPredicates, vacuousReason } from "../liveness/question.ts";
import type { Outcome, ScheduleStep } from "../verdict.ts";
import type { Clock } from "./clock.ts";
import type { Search } from "./codegen.ts";
import { type Layout, maskOf, pack, unpack } from "./layout.ts";
import type { Reductions } from "./reductions.ts";
import type { Store } from "./store.ts";

/** Conditions on states that one search can evaluate: bits of a word. */
export const MOST_CONDITIONS = 30;

type TemporalCheck = Extract<SysCheck, { c: "temporal" }>;

/** A temporal property with its conditions numbered among those that the search evaluates in each state. */
export interface AskedOfRuns {
  readonly property: SysProperty;
  readonly check: TemporalCheck;
  readonly question: RunQuestion<SysExpr, number>;
}

/** Numbers the conditions of these properties, together. */
export function askOfRuns(properties: readonly SysProperty[]): { asked: AskedOfRuns[]; conditions: SysExpr[] } {
  const conditions: SysExpr[] = [];
  const asked = properties.flatMap((property): AskedOfRuns[] => {
    const { check } = property;
    return check.c === "temporal" ? [{ property, check, question: questionOf(check, conditions) }] : [];
  });
  return { asked, conditions };
}

/** A search that has kept its graph. */
export interface KeptGraph {
  readonly system: TransitionSystem;
  readonly search: Search;
  readonly store: Store;
  readonly layout: Layout;
  readonly reductions: Reductions;
  /** Edges that ended in an error, by kind. */
  readonly cut: Readonly<Record<string, number>>;
  readonly memory: number;
  readonly clock: Clock;
}

class OutOfTime extends Error {}

/** What the graph says of a property; `broken`: a run breaks it, which a reduced graph does not show. */
export type RunVerdict = Outcome | { readonly property: string; readonly verdict: "broken" };

/** `holds` here may still be vacuous for want of its trigger, which the caller knows. */
export async function decideOnRuns(graph: KeptGraph, asked: readonly AskedOfRuns[]): Promise<RunVerdict[]> {
  // Looking at transitions again must not count them again.
  const counted = graph.search.errors.slice();
  const { search, clock } = graph;
  const progress = { states: search.count(), transitions: search.transitions(), depth: 0, frontier: 0 };
  const decided: RunVerdict[] = [];
  for (const one of asked) {
    decided.push(new FairSearch(graph, one).decide());
    const wait = clock.tick(() => progress);
    if (wait !== undefined) await wait;
  }
  graph.search.errors.set(counted);
  return decided;
}

class FairSearch {
  readonly #kept: KeptGraph;
  readonly #asked: AskedOfRuns;
  readonly #graph: FairGraph;
  readonly #nodes: number;

  constructor(kept: KeptGraph, asked: AskedOfRuns) {
    this.#kept = kept;
    this.#asked = asked;
    const { system, search, store, layout, reductions, memory } = kept;
    const { first, target, thread, live, truths } = store.graph!;
    const isReduced = reductions.orbits.length > 0 || reductions.internal.length > 0;
    // Numbers of nodes and of their components, and the lists of a breadth-first search.
    this.#nodes = Math.min(200_000_000, memory / 20);
    const states = search.count();
    this.#graph = {
      states,
      threads: system.threads.length,
      first,
      target: target.subarray(0, search.kept()),
      thread,
      enabled: live,
      truths,
      checkTime: () => {
        if (kept.clock.expired) throw new OutOfTime();
      },
      asksStrong: strongPlaces(asked.check, system, store, layout),
      ...(isReduced ? { reduced: reducedEdges(kept) } : {}),
    };
  }

  decide(): RunVerdict {
    const { property, question } = this.#asked;
    const id = property.id;
    try {
      for (const { formula, moving } of question.cases) {
        const broken = automaton(formula, true);
        const conditions = this.#conditions(moving);
        if (this.#graph.reduced !== undefined) {
          if (hasFairRun(this.#graph, broken, conditions, this.#nodes)) return { property: id, verdict: "broken" };
          continue;
        }
        const lasso = fairLasso(this.#graph, broken, conditions, this.#nodes);
        if (lasso === undefined) continue;
        const steps = [...lasso.prefix, ...lasso.loop].map((edge) => this.#step(edge));
        return {
          property: id,
          verdict: "violated",
          finding: { kind: property.kind, message: property.message },
          schedule: { steps, loop: lasso.prefix.length },
          depthExact: false,
        };
      }
      if (this.#isRequested()) return { property: id, verdict: "holds" };
      return {
        property: id,
        verdict: "vacuous",
        reason: vacuousReason(question.request, property.trigger.what, this.#kept.cut),
      };
    } catch (error) {
      if (error instanceof OutOfTime) {
        const reason = `time ran out for fair runs: ${this.#graph.states} states, ${this.#graph.target.length} transitions`;
        return { property: id, verdict: "inconclusive", reason };
      }
      if (!(error instanceof ProductTooLarge || error instanceof RangeError)) throw error;
      return { property: id, verdict: "inconclusive", reason: `memory ran out: ${error.message}` };
    }
  }

  #conditions(moving: readonly number[] | undefined): FairnessConditions {
    const { weak, strong } = this.#asked.check.fairness;
    return { weak, strong: [...new Set(strong.map((s) => s.thread))], moving: moving ?? [] };
  }

  /** Whether there is a fair run on which what the property is about happens. */
  #isRequested(): boolean {
    const { request } = this.#asked.question;
    if (Object.keys(this.#kept.cut).length === 0) {
      // Every state is on a fair run.
      if (request.t === "true") return true;
      const simple = requestedPredicates(request);
      if (simple !== undefined) {
        const mask = simple.reduce((bits, p) => bits | (1 << p), 0);
        const { truths, states } = this.#graph;
        for (let s = 0; s < states; s++) if ((truths[s]! & mask) !== 0) return true;
        return false;
      }
    }
    return hasFairRun(this.#graph, automaton(request, false), this.#conditions(undefined), this.#nodes);
  }

  /** The transition of an edge: any that leads where it leads, by the thread that takes it. */
  #step(edge: number): ScheduleStep {
    const { system, layout, store } = this.#kept;
    const { target, thread } = this.#graph;
    const source = sourceOf(this.#graph, edge);
    const width = layout.words;
    const words = new Int32Array(width);
    const firing = firings(system, unpack(layout, store.states, source * width)).find((f) => {
      if (f.target === undefined || f.thread !== thread[edge]) return false;
      pack(layout, f.target, words, 0);
      return words.every((word, w) => word === store.states[target[edge]! * width + w]);
    });
    if (firing === undefined) throw new Error(`edge ${edge} is no transition of state ${source}`);
    return stepOf(firing);
  }
}

/** Whether a thread stands, in a state, where strong fairness is asked of it. */
function strongPlaces(check: TemporalCheck, system: TransitionSystem, store: Store, layout: Layout) {
  const everywhere = new Set(check.fairness.strong.filter((s) => s.locations === undefined).map((s) => s.thread));
  const places = system.threads.map((thread, t) => {
    const flags = new Uint8Array(system.programs[thread.program]!.locations.length);
    for (const s of check.fairness.strong) if (s.thread === t) for (const l of s.locations ?? []) flags[l] = 1;
    return flags;
  });
  return (state: number, thread: number): boolean => {
    if (everywhere.has(thread)) return true;
    const field = layout.pcs[thread]!;
    const word = store.states[state * layout.words + field.word]!;
    return places[thread]![(word >>> field.shift) & maskOf(field.bits)] === 1;
  };
}

/** The edges of a reduced graph, looked at by firing their states again. */
function reducedEdges(kept: KeptGraph): ReducedEdges {
  const { search, store, layout, reductions } = kept;
  const { first } = store.graph!;
  const fused = reductions.internal.length > 0;
  if (fused) search.noteInside();
  let at: { renamings: (readonly number[] | undefined)[]; inside: (readonly number[])[][] } = {
    renamings: [],
    inside: [],
  };
  const none: readonly (readonly number[])[] = [];
  return {
    fused,
    look(state) {
      const n = search.edges(state);
      if (n !== first[state + 1]! - first[state]!) throw new Error(`state ${state} has other edges than it had`);
      const renamings: (readonly number[] | undefined)[] = [];
      for (let k = 0; k < n; k++) {
        renamings.push(reductions.orbits.length > 0 ? search.renaming(search.permutations[k]!) : undefined);
      }
      const inside: (readonly number[])[][] = [];
      if (fused) {
        // Copied, because looking inside fires states in turn.
        const words = [...search.inside.words];
        [...search.inside.edge].forEach((k, i) => {
          inside[k] ??= [];
          inside[k].push(search.liveIn(words, i * layout.words));
        });
      }
      at = { renamings, inside };
    },
    renaming: (k) => at.renamings[k],
    inside: (k) => at.inside[k] ?? none,
  };
}
