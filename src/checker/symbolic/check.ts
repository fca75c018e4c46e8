/**
 * The symbolic engine: all reachable states at once, as a list decision diagram built by saturation. Every answer is
 * exact; what is too much for the budget is inconclusive.
 */
import type { SysCheck, SysProperty, TransitionSystem } from "../../spec/transition-system.ts";
import { classifyDeadlock } from "../deadlock.ts";
import { ONLY_CUT_EDGES } from "../expectation.ts";
import { type Automaton, automaton } from "../liveness/buchi.ts";
import { questionOf, vacuousReason } from "../liveness/question.ts";
import type { Exploration, Finding, Outcome, Schedule, SearchOptions } from "../verdict.ts";
import { type AskedOfRuns, FairCycles, FormulaTooLarge } from "./fair-cycles.ts";
import type { Edge } from "./learned-edges.ts";
import { BudgetExhausted, EMPTY } from "./list-decision-diagram.ts";
import { exploredInMeasuredOrder } from "./measured-order.ts";
import { ReachableStates } from "./reachable-states.ts";
import { Schedules, type Way } from "./schedules.ts";
import { StuckThreads } from "./stuck-threads.ts";
import { declared, type VariableOrder, variableOrder } from "./variable-order.ts";

/** Levels named where the budget ran out. */
const NAMED_LEVELS = 3;

/**
 * Explores the system symbolically and decides the properties asked for.
 *
 * Nothing is reduced, whatever `options.reduction` says, and the whole graph is always counted. `states` and
 * `transitions` are null where the exact number is beyond 2^53; `method` then tells it. `depth` is null: saturation
 * does not go by distance. `workers` has no effect. A budget that runs out makes what is undecided inconclusive.
 *
 * @param order The order of the variables; found by a heuristic unless given.
 */
export function check(system: TransitionSystem, options: SearchOptions, order?: VariableOrder): Exploration {
  const started = performance.now();
  const deadline = started + options.timeout * 1000;
  const checkTime = () => {
    if (performance.now() > deadline) throw new BudgetExhausted("time");
  };
  try {
    const budget = { memory: options.memory, deadline };
    const reached =
      order === undefined
        ? exploredInMeasuredOrder(system, budget, checkTime)
        : new ReachableStates(system, order, budget);
    return new Run(system, options, reached.order, reached, started).explore();
  } catch (e) {
    if (!(e instanceof BudgetExhausted)) throw e;
    return unfinished(system, options, (performance.now() - started) / 1000);
  }
}

/** What there is to say when time is up before the search has begun. */
function unfinished(system: TransitionSystem, options: SearchOptions, seconds: number): Exploration {
  const reason =
    "time ran out while the variables were put in order; give more --timeout, make the sizes smaller, or use " +
    "--engine explicit";
  return {
    engine: "symbolic",
    method: "saturation",
    complete: false,
    states: null,
    transitions: null,
    depth: null,
    seconds,
    reductions: [],
    cut: {},
    outcomes: system.properties
      .filter((p) => options.properties.includes(p.id))
      .map((p): Outcome => ({ property: p.id, verdict: "inconclusive", reason })),
  };
}

export { declared, variableOrder };

class Run {
  readonly #system: TransitionSystem;
  readonly #options: SearchOptions;
  readonly #properties: readonly SysProperty[];
  readonly #order: VariableOrder;
  readonly #started: number;
  readonly #reached: ReachableStates;
  readonly #schedules: Schedules;
  #errors: readonly Edge[] = [];
  #cut: Readonly<Record<string, number>> = {};
  #stuck: StuckThreads | undefined;
  #toError: number | undefined;
  /** A violation is certain and its schedule is being looked for. */
  #showing = false;

  constructor(
    system: TransitionSystem,
    options: SearchOptions,
    order: VariableOrder,
    reached: ReachableStates,
    started: number,
  ) {
    this.#started = started;
    this.#system = system;
    this.#options = options;
    this.#properties = system.properties.filter((p) => options.properties.includes(p.id));
    this.#order = order;
    this.#reached = reached;
    this.#schedules = new Schedules(reached);
  }

  explore(): Exploration {
    const reached = this.#reached;
    let states: bigint;
    let transitions: bigint;
    try {
      reached.explore();
      this.#errors = reached.edges.filter((e) => e.error);
      states = reached.count(reached.all);
      transitions = reached.countTransitions(reached.edges);
      this.#cut = this.#countCut();
    } catch (e) {
      const reason = this.#exhausted(e);
      const undecided = this.#properties.map((p): Outcome => ({ property: p.id, verdict: "inconclusive", reason }));
      return this.#exploration(undecided, null, null);
    }
    if (Object.keys(this.#cut).length > 0) states += 1n;
    this.#options.progress?.({ states: Number(states), transitions: Number(transitions), depth: 0, frontier: 0 });
    return this.#exploration(this.#decideAll(), states, transitions);
  }

  #exploration(outcomes: readonly Outcome[], states: bigint | null, transitions: bigint | null): Exploration {
    const safe = (n: bigint | null) => (n !== null && n <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(n) : null);
    const exact = states !== null && safe(states) === null ? `, ${states} states` : "";
    const more = transitions !== null && safe(transitions) === null ? `, ${transitions} transitions` : "";
    return {
      engine: "symbolic",
      method: `saturation, variables ordered by ${this.#order.method}${exact}${more}`,
      complete: states !== null,
      states: safe(states),
      transitions: safe(transitions),
      depth: null,
      seconds: (performance.now() - this.#started) / 1000,
      reductions: [],
      cut: this.#cut,
      outcomes,
    };
  }

  #countCut(): Record<string, number> {
    const byKind = new Map<string, Edge[]>();
    for (const edge of this.#errors) {
      const { kind } = this.#system.findings[edge.findings.at(-1)!]!;
      byKind.set(kind, [...(byKind.get(kind) ?? []), edge]);
    }
    const cut: Record<string, number> = {};
    for (const [kind, edges] of byKind) {
      const n = this.#reached.countTransitions(edges);
      if (n > 0n) cut[kind] = Number(n);
    }
    return cut;
  }

  #decideAll(): Outcome[] {
    const faults = this.#system.findings.flatMap((f, i) => (f.kind === "model-error" ? [i] : []));
    try {
      const fault = this.#edgeWith(faults);
      if (fault !== undefined) {
        const { finding, steps } = fault;
        const reason = `the model is at fault: ${finding.message}`;
        return this.#properties.map(
          (p): Outcome => ({ property: p.id, verdict: "inconclusive", reason, finding, schedule: { steps } }),
        );
      }
    } catch (e) {
      const reason = `the model is at fault: ${this.#exhausted(e)}`;
      return this.#properties.map((p): Outcome => ({ property: p.id, verdict: "inconclusive", reason }));
    }
    return this.#properties.map((p): Outcome => {
      try {
        return this.#decide(p);
      } catch (e) {
        return { property: p.id, verdict: "inconclusive", reason: this.#exhausted(e) };
      }
    });
  }

  #decide(p: SysProperty): Outcome {
    const reached = this.#reached;
    const { check } = p;
    reached.collectIfFull();
    switch (check.c) {
      case "findings": {
        const found = this.#edgeWith(check.findings);
        if (found === undefined) return this.#passed(p);
        return violated(p, found.finding, found);
      }
      case "invariant": {
        const broken = reached.filter(reached.all, reached.terms.not(reached.predicate(check.expr)));
        return broken === EMPTY ? this.#passed(p) : this.#violatedIn(p, broken);
      }
      case "at-rest": {
        const rest = this.#stuckThreads().atRest();
        const broken = reached.filter(rest, reached.terms.not(reached.predicate(check.expr)));
        return broken === EMPTY ? this.#passed(p) : this.#violatedIn(p, broken);
      }
      case "stays-possible": {
        const good = reached.filter(reached.all, reached.predicate(check.expr));
        const lost = reached.keep(reached.store.minus(reached.all, reached.canReach(good)));
        if (lost === EMPTY) return this.#passed(p);
        const sure = reached.store.minus(lost, this.#mayBeCut());
        return sure === EMPTY ? this.#onlyCuts(p) : this.#violatedIn(p, sure);
      }
      case "deadlock":
        return this.#decideDeadlock(p);
      case "temporal":
        return this.#decideTemporal(p, check);
    }
  }

  #decideDeadlock(p: SysProperty): Outcome {
    const reached = this.#reached;
    const stuck = this.#stuckThreads();
    if (stuck.doomed() === EMPTY) return this.#passed(p);
    const cut = this.#mayBeCut();
    for (const set of [stuck.settled(), stuck.doomed()]) {
      const sure = reached.store.minus(set, cut);
      if (sure === EMPTY) continue;
      const way = this.#wayTo(sure);
      return violated(p, this.#deadlockIn(way.state), way);
    }
    return this.#onlyCuts(p);
  }

  #deadlockIn(state: readonly number[]): Finding {
    const { vector } = this.#reached;
    return classifyDeadlock(vector.system, vector.values(state), this.#stuckThreads().doomedIn(state)).finding;
  }

  #decideTemporal(p: SysProperty, check: Extract<SysCheck, { c: "temporal" }>): Outcome {
    const { predicates, cases, request } = questionOf(check);
    const { fairness } = check;
    try {
      for (const { formula, moving } of cases) {
        const schedule = this.#fairRun(automaton(formula, true), { predicates, fairness, moving }, true);
        if (schedule === undefined) continue;
        const finding = { kind: p.kind, message: p.message };
        return { property: p.id, verdict: "violated", finding, schedule, depthExact: false };
      }
      const requested =
        (request.t === "true" && !this.#hasCuts()) ||
        this.#fairRun(automaton(request, false), { predicates, fairness, moving: undefined }, false) !== undefined;
      if (requested) return this.#passed(p);
      return { property: p.id, verdict: "vacuous", reason: vacuousReason(request, p.trigger.what, this.#cut) };
    } catch (e) {
      if (!(e instanceof FormulaTooLarge)) throw e;
      return { property: p.id, verdict: "inconclusive", reason: e.message };
    }
  }

  /** A fair accepted run, of no steps unless it is to be shown; undefined if there is none. */
  #fairRun(accepted: Automaton, asked: AskedOfRuns, show: boolean): Schedule | undefined {
    let cycles: FairCycles | undefined;
    try {
      cycles = new FairCycles(this.#reached, accepted, asked, this.#stuckThreads().live);
      if (!cycles.exists()) return undefined;
      if (!show) return { steps: [] };
      this.#showing = true;
      const lasso = cycles.lasso();
      this.#showing = false;
      return lasso;
    } finally {
      cycles?.release();
    }
  }

  #stuckThreads(): StuckThreads {
    this.#stuck ??= new StuckThreads(this.#reached);
    return this.#stuck;
  }

  /** The states from which an error is reachable over live edges: what lies behind it is unknown. */
  #mayBeCut(): number {
    if (this.#toError === undefined) {
      const reached = this.#reached;
      this.#toError = reached.keep(reached.canReach(reached.enabled(this.#errors.filter((e) => !e.optional))));
    }
    return this.#toError;
  }

  #violatedIn(p: SysProperty, states: number): Outcome {
    return violated(p, { kind: p.kind, message: p.message }, this.#wayTo(states));
  }

  #wayTo(states: number): Way {
    this.#showing = true;
    const way = this.#schedules.to(states);
    this.#showing = false;
    return way;
  }

  /** A transition that carries, or ends in, one of these findings, with the way there; a nearest one if that is shortest. */
  #edgeWith(findings: readonly number[]): (Omit<Way, "state"> & { readonly finding: Finding }) | undefined {
    const reached = this.#reached;
    const edges = reached.edges.filter((e) => e.findings.some((f) => findings.includes(f)));
    if (edges.length === 0) return undefined;
    const from = reached.enabled(edges);
    if (from === EMPTY) return undefined;
    const { state, steps, shortest } = this.#wayTo(from);
    for (const { thread, action, ways, findings: carried } of reached.successors(state)) {
      const f = carried.find((x) => findings.includes(x));
      if (f === undefined) continue;
      const { kind, message } = this.#system.findings[f]!;
      return { finding: { kind, message, thread }, steps: [...steps, { thread, action, ways }], shortest };
    }
    throw new Error("a symbolic finding has no concrete counterpart");
  }

  #passed(p: SysProperty): Outcome {
    const { marks, what } = p.trigger;
    const { initialMarks } = this.#system;
    const reached =
      marks.length === 0 ||
      marks.some((m) => initialMarks.includes(m)) ||
      this.#reached.enabled(this.#reached.edges.filter((e) => e.marks.some((m) => marks.includes(m)))) !== EMPTY;
    if (reached) return { property: p.id, verdict: "holds" };
    const beyond = this.#hasCuts() ? `, unless beyond one of the cuts: ${this.#cuts()}` : "";
    return { property: p.id, verdict: "vacuous", reason: `never reached: ${what}${beyond}` };
  }

  #onlyCuts(p: SysProperty): Outcome {
    return { property: p.id, verdict: "inconclusive", reason: `${ONLY_CUT_EDGES}: ${this.#cuts()}` };
  }

  #hasCuts(): boolean {
    return Object.keys(this.#cut).length > 0;
  }

  #cuts(): string {
    return Object.entries(this.#cut)
      .map(([kind, n]) => `${n} ${n === 1 ? "edge ends" : "edges end"} in ${kind}`)
      .join(", ");
  }

  /** What to say of a budget that ran out. Anything else is a defect and thrown on. */
  #exhausted(e: unknown): string {
    const { store, vector } = this.#reached;
    if (!(e instanceof BudgetExhausted)) throw e;
    const perLevel = store.allNodesPerLevel(vector.length);
    const largest = perLevel
      .map((nodes, level) => ({ nodes, level }))
      .sort((a, b) => b.nodes - a.nodes)
      .slice(0, NAMED_LEVELS)
      .map(({ nodes, level }) => `${vector.name(level)} (${nodes})`);
    const nodes = store.live;
    this.#reached.recover();
    const shown = this.#showing ? "there is a violation, but before a schedule of it was found, " : "";
    this.#showing = false;
    const what = e.resource === "memory" ? "memory ran out" : "time ran out";
    const more = e.resource === "memory" ? "--memory" : "--timeout";
    return (
      `${shown}${what} with ${nodes} nodes of decision diagrams, most of them for ${largest.join(", ")}; ` +
      `give more ${more}, make those variables or the sizes smaller, or use --engine explicit`
    );
  }
}

function violated(p: SysProperty, finding: Finding, { steps, shortest }: Omit<Way, "state">): Outcome {
  return { property: p.id, verdict: "violated", finding, schedule: { steps }, depthExact: shortest };
}
