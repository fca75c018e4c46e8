/**
 * Temporal properties: the whole graph, without symmetry, and a search for a fair lasso in it that breaks the formula.
 *
 * Transitions are stored here (five bytes each), because components are visited in another order than states are found.
 */
import type { SysCheck, SysExpr, SysProperty, SysTemporal, TransitionSystem } from "../../spec/transition-system.ts";
import { automaton, type Formula } from "../liveness/buchi.ts";
import { type FairGraph, fairLasso, type Lasso, ProductTooLarge } from "../liveness/fair-cycle.ts";
import type { Outcome, ScheduleStep, SearchOptions } from "../verdict.ts";
import { Clock } from "./clock.ts";
import { GROUP, generate, type Search } from "./codegen.ts";
import { firings } from "./evaluate.ts";
import { initialState, layOut, pack, unpack } from "./layout.ts";
import { stepOf } from "./schedule.ts";
import { Store } from "./store.ts";

/** States between two looks at the clock. */
const SLICE = 4096;
/** Threads and strong conditions are bits of a word. */
const MOST_BITS = 30;

type TemporalCheck = Extract<SysCheck, { c: "temporal" }>;
type Unproven = { readonly reason: string };

/** A property with its state predicates and strong conditions numbered among the goals of the search. */
interface Asked {
  readonly property: SysProperty;
  readonly check: TemporalCheck;
  readonly formula: Formula;
  readonly moving: readonly number[];
  /** Goal numbers of its predicates and of the places of its strong conditions; -1: everywhere. */
  readonly predicates: readonly number[];
  readonly strong: readonly { readonly thread: number; readonly place: number }[];
}

/**
 * Decides the temporal properties among `properties`; `holds` here may still be vacuous, which the caller knows.
 *
 * Budgets that run out make them inconclusive; it throws nothing.
 */
export async function decideTemporal(
  system: TransitionSystem,
  properties: readonly SysProperty[],
  options: SearchOptions,
): Promise<Outcome[]> {
  const goals: SysExpr[] = [];
  const asked = properties.flatMap((property) =>
    property.check.c === "temporal" ? askAll(property, property.check, goals) : [],
  );
  if (asked.length === 0) return [];
  const inconclusive = (reason: string): Outcome[] =>
    [...new Set(asked.map(({ property }) => property.id))].map((property) => ({
      property,
      verdict: "inconclusive",
      reason,
    }));
  if (system.threads.length > MOST_BITS) {
    return inconclusive(`fair cycles are searched for up to ${MOST_BITS} threads; there are ${system.threads.length}`);
  }
  const graph = await FairSearch.explore(system, goals, options);
  if ("reason" in graph) return inconclusive(graph.reason);
  const worst = ["holds", "vacuous", "inconclusive", "violated"];
  const decided = new Map<string, Outcome>();
  for (const a of asked) {
    const before = decided.get(a.property.id);
    if (before?.verdict === "violated") continue;
    const outcome = graph.decide(a);
    if (before === undefined || worst.indexOf(outcome.verdict) > worst.indexOf(before.verdict)) {
      decided.set(a.property.id, outcome);
    }
  }
  return [...decided.values()];
}

/** One for each member that the property is asked of. */
function askAll(property: SysProperty, check: TemporalCheck, goals: SysExpr[]): Asked[] {
  return [check, ...(check.also ?? [])].map((c) =>
    ask(property, { c: "temporal", fairness: check.fairness, ...c }, goals),
  );
}

function ask(property: SysProperty, check: TemporalCheck, goals: SysExpr[]): Asked {
  const goal = (expr: SysExpr): number => goals.push(expr) - 1;
  const predicates: number[] = [];
  const formula = (f: SysTemporal): Formula => {
    switch (f.t) {
      case "state":
        return { t: "state", predicate: predicates.push(goal(f.expr)) - 1 };
      case "not":
      case "always":
      case "eventually":
        return { t: f.t, a: formula(f.a) };
      default:
        return { t: f.t, a: formula(f.a), b: formula(f.b) };
    }
  };
  const root = formula(check.formula);
  const strong = check.fairness.strong.map(({ thread, locations }) => ({
    thread,
    place: locations === undefined ? -1 : goal({ e: "pc", t: thread, locations }),
  }));
  return { property, check, formula: root, moving: check.moving ?? [], predicates, strong };
}

class FairSearch {
  readonly #system: TransitionSystem;
  readonly #search: Search;
  readonly #store: Store;
  readonly #layout: ReturnType<typeof layOut>;
  readonly #graph: Omit<FairGraph, "predicates" | "strongEnabled">;

  private constructor(
    system: TransitionSystem,
    search: Search,
    store: Store,
    layout: ReturnType<typeof layOut>,
    graph: Omit<FairGraph, "predicates" | "strongEnabled">,
  ) {
    this.#system = system;
    this.#search = search;
    this.#store = store;
    this.#layout = layout;
    this.#graph = graph;
  }

  static async explore(
    system: TransitionSystem,
    goals: readonly SysExpr[],
    options: SearchOptions,
  ): Promise<FairSearch | Unproven> {
    const clock = new Clock(options);
    const layout = layOut(system);
    const generated = generate(system, layout, { invariants: [], atRest: [], goals, masks: true, orbits: [] });
    const total = system.threads.length + goals.length;
    const bits = generated.groupMasks.map((_, g) => Math.min(GROUP, total - g * GROUP));
    const store = new Store(layout.words, generated.most, bits, options.memory);
    const ignore = () => {};
    const search: Search = generated.create({
      found: ignore,
      broken: ignore,
      restBroken: ignore,
      stuck: ignore,
      grow: (states) => store.grow(search, states),
    });
    search.bind(store);
    const words = new Int32Array(layout.words);
    pack(layout, initialState(system), words, 0);
    search.root(words);
    const unproven = (what: string) => ({
      reason: `${what}: ${search.count()} states found, ${search.next()} explored`,
    });
    const progress = () => ({
      states: search.count(),
      transitions: search.transitions(),
      depth: 0,
      frontier: search.count() - search.next(),
    });
    let levelEnd = 1;
    search.setLevelEnd(levelEnd);
    while (search.next() < search.count()) {
      if (!search.run(SLICE)) return unproven("memory ran out");
      if (search.next() === levelEnd) {
        levelEnd = search.count();
        search.setLevelEnd(levelEnd);
      }
      const wait = clock.tick(progress);
      if (wait !== undefined) await wait;
      if (clock.expired) return unproven("time ran out");
    }
    const states = search.count();
    const edges = search.transitions();
    const { numbers, movers } = search;
    if (states * 20 + edges * 5 > options.memory) return unproven("memory ran out for the transitions");
    const first = new Int32Array(states + 1);
    const target = new Int32Array(edges);
    const thread = new Uint8Array(edges);
    const enabled = new Int32Array(states);
    let at = 0;
    for (let s = 0; s < states; s++) {
      const n = search.edges(s);
      for (let k = 0; k < n; k++) {
        target[at] = numbers[k]!;
        thread[at++] = movers[k]!;
      }
      first[s + 1] = at;
      enabled[s] = search.live(0);
      if ((s & (SLICE - 1)) === 0) {
        const wait = clock.tick(progress);
        if (wait !== undefined) await wait;
        if (clock.expired) return unproven("time ran out");
      }
    }
    return new FairSearch(system, search, store, layout, { states, first, target, thread, enabled });
  }

  decide({ property, check, formula, moving: movers, predicates, strong }: Asked): Outcome {
    if (predicates.length > MOST_BITS || strong.length > MOST_BITS) {
      const reason = `the property has more than ${MOST_BITS} state conditions or strong conditions`;
      return { property: property.id, verdict: "inconclusive", reason };
    }
    const graph: FairGraph = {
      ...this.#graph,
      predicates: this.#bits(predicates),
      strongEnabled: this.#strongEnabled(strong),
    };
    const weak = check.fairness.weak.reduce((mask, t) => mask | (1 << t), 0);
    const moving = movers.reduce((mask, t) => mask | (1 << t), 0);
    let lasso: Lasso | undefined;
    try {
      lasso = fairLasso(graph, automaton(formula, true), { weak, strong: strong.map((s) => s.thread), moving });
    } catch (error) {
      if (!(error instanceof ProductTooLarge || error instanceof RangeError)) throw error;
      return { property: property.id, verdict: "inconclusive", reason: `memory ran out: ${error.message}` };
    }
    if (lasso === undefined) return { property: property.id, verdict: "holds" };
    const steps = [...lasso.prefix, ...lasso.loop].map((edge) => this.#step(edge));
    return {
      property: property.id,
      verdict: "violated",
      finding: { kind: property.kind, message: property.message },
      schedule: { steps, loop: lasso.prefix.length },
      depthExact: false,
    };
  }

  /** Goal k of the list, per state, as bit k. */
  #bits(goals: readonly number[]): Int32Array {
    const bits = new Int32Array(this.#graph.states);
    goals.forEach((goal, k) => {
      const place = this.#system.threads.length + goal;
      const mask = this.#store.masks[Math.floor(place / GROUP)]!;
      const shift = place % GROUP;
      for (let s = 0; s < bits.length; s++) bits[s]! |= ((mask[s]! >>> shift) & 1) << k;
    });
    return bits;
  }

  #strongEnabled(strong: Asked["strong"]): Int32Array {
    const bits = new Int32Array(this.#graph.states);
    strong.forEach(({ thread, place }, k) => {
      const there = place < 0 ? undefined : this.#bits([place]);
      for (let s = 0; s < bits.length; s++) {
        const able = (this.#graph.enabled[s]! >>> thread) & 1;
        if (able === 1 && (there === undefined || there[s] === 1)) bits[s]! |= 1 << k;
      }
    });
    return bits;
  }

  /** The transition of an edge: any that leads where it leads, by the thread that takes it. */
  #step(edge: number): ScheduleStep {
    const { first, target, thread } = this.#graph;
    let source = 0;
    let high = this.#search.count() - 1;
    while (source < high) {
      const middle = (source + high + 1) >> 1;
      if (first[middle]! <= edge) source = middle;
      else high = middle - 1;
    }
    const width = this.#layout.words;
    const words = new Int32Array(width);
    const firing = firings(this.#system, unpack(this.#layout, this.#store.states, source * width)).find((f) => {
      if (f.target === undefined || f.thread !== thread[edge]) return false;
      pack(this.#layout, f.target, words, 0);
      return words.every((word, w) => word === this.#store.states[target[edge]! * width + w]);
    });
    if (firing === undefined) throw new Error(`edge ${edge} is no transition of state ${source}`);
    return stepOf(
      firing,
      this.#system.threads.map((_, t) => t),
    );
  }
}
