/**
 * What a run of the engine looks for: goals, states or edges whose reachability decides properties; and candidates,
 * states a solver can only propose because "never again" is no question about one path.
 */
import type { SysProperty } from "../../spec/transition-system.ts";
import { classifyDeadlock } from "../deadlock.ts";
import { evaluate, type Firing, firings } from "../evaluate.ts";
import type { StateValues } from "../state-values.ts";
import type { Finding, Schedule } from "../verdict.ts";
import { blockedThreads, isResting, isSettled, moversOf } from "../waiting.ts";
import { reaches } from "./concrete.ts";
import type { Encoding, Leaf } from "./encode.ts";
import type { Term } from "./term.ts";

export type GoalStatus =
  | { readonly is: "open" }
  /** `exact`: no shorter schedule leads to it. */
  | {
      readonly is: "reached";
      readonly schedule: Schedule;
      readonly exact: boolean;
      readonly finding: Finding | undefined;
    }
  /** `certificate` is the file that proves it, relative to the folder of certificates. */
  | { readonly is: "unreachable"; readonly method: string; readonly certificate?: string };

export interface Goal {
  /** A name for SMT-LIB files, unique in the run. */
  readonly name: string;
  /** Of the state; for an edge goal, that such an edge leaves it. */
  readonly term: Term;
  /** The same over another encoding of the system. */
  readonly over: (encoding: Encoding) => Term;
  /** The edge of this state that is meant; undefined in a state goal that holds here; null where there is none. */
  readonly confirm: (s: StateValues, out: readonly Firing[]) => Firing | undefined | null;
  readonly finding: (edge: Firing | undefined) => Finding | undefined;
  status: GoalStatus;
}

/** Judgement on one candidate state, by exact search forward from it. */
export type Judgement =
  | { readonly is: "violation"; readonly finding: Finding }
  | { readonly is: "refuted" }
  /** Only cut edges could rescue it; `what` says what they would rescue. */
  | { readonly is: "cut"; readonly what: string }
  /** The forward search was given up. */
  | { readonly is: "unknown" };

export interface Question {
  readonly property: SysProperty;
  /** Kinds of candidates, the likeliest first. Together they are every state in which the property can be violated. */
  readonly classes: readonly { readonly name: string; readonly term: Term }[];
  /** Candidates of last resort: asked about only once every reachable state is known to be within the depth searched. */
  readonly last: { readonly name: string; readonly term: Term } | undefined;
  /** `weak` accepts what only counts where no stronger violation exists anywhere. */
  readonly judge: (s: StateValues, weak: boolean) => Judgement;
  status: GoalStatus;
  /** Some state of these depths or shallower was left unjudged: no proof, no exact depth. */
  gap: boolean;
  /** Every candidate there is has been looked at, but for gaps. */
  searched: boolean;
  /** What only a cut edge could rescue, in some candidate. */
  cut: string | undefined;
}

export function edgeGoal(encoding: Encoding, name: string, meant: (leaf: Leaf | Firing) => boolean): Goal {
  const { system } = encoding;
  const over = (e: Encoding): Term => e.terms.or(...e.leaves.filter(meant).map((leaf) => leaf.enabled));
  return {
    name,
    term: over(encoding),
    over,
    confirm: (_, out) => out.find(meant) ?? null,
    finding: (edge) => {
      if (edge === undefined) return undefined;
      const index = edge.findings.find((f) => meant({ ...edge, findings: [f] }));
      const finding = index === undefined ? undefined : system.findings[index];
      return finding && { kind: finding.kind, message: finding.message, thread: edge.thread };
    },
    status: { is: "open" },
  };
}

export function stateGoal(
  encoding: Encoding,
  name: string,
  over: (encoding: Encoding) => Term,
  holds: (s: StateValues, out: readonly Firing[]) => boolean,
  finding: Finding | undefined,
): Goal {
  return {
    name,
    term: over(encoding),
    over,
    confirm: (s, out) => (holds(s, out) ? undefined : null),
    finding: () => finding,
    status: { is: "open" },
  };
}

/** What violates a property that is about single states or steps; undefined for one that is not. */
export function safetyGoal(encoding: Encoding, property: SysProperty): Goal | undefined {
  const { check, id, kind, message } = property;
  if (check.c === "findings") {
    return edgeGoal(encoding, id, (leaf) => leaf.findings.some((f) => check.findings.includes(f)));
  }
  if (check.c === "invariant") {
    const fails = (e: Encoding): Term => e.terms.not(e.property(check.expr));
    return stateGoal(encoding, id, fails, (s) => evaluate(check.expr, s, -1) === 0, { kind, message });
  }
  return check.c === "at-rest" ? restGoal(encoding, id, property) : undefined;
}

const noLiveMove = (out: readonly Firing[]): boolean => out.every((e) => e.optional);

/** No live move is enabled and a thread is blocked, be it only for want of its CPU: where every run ends, a deadlock. */
export function stuck(encoding: Encoding, name: string): Goal {
  const { system } = encoding;
  return stateGoal(
    encoding,
    name,
    ({ terms, live, waiting }) => terms.and(terms.not(live), terms.or(...waiting)),
    (s, out) => noLiveMove(out) && blockedThreads(system, s, out, true).length > 0,
    undefined,
  );
}

/** No live move is enabled, no thread is blocked, and the expression is false. */
export function restGoal(encoding: Encoding, name: string, property: SysProperty): Goal {
  const { system } = encoding;
  if (property.check.c !== "at-rest") throw new Error("not an at-rest property");
  const { expr } = property.check;
  return stateGoal(
    encoding,
    name,
    ({ terms, live, blocked, property: holds }) =>
      terms.and(terms.not(live), ...blocked.map((b) => terms.not(b)), terms.not(holds(expr))),
    (s, out) => noLiveMove(out) && blockedThreads(system, s, out).length === 0 && evaluate(expr, s, -1) === 0,
    { kind: property.kind, message: property.message },
  );
}

/** No live move is enabled and the expression is false: no state with it is reachable from here. */
export function lostForGood(encoding: Encoding, name: string, property: SysProperty): Goal {
  if (property.check.c !== "stays-possible") throw new Error("not a stays-possible property");
  const { expr } = property.check;
  return stateGoal(
    encoding,
    name,
    ({ terms, live, property: holds }) => terms.and(terms.not(live), terms.not(holds(expr))),
    (s, out) => noLiveMove(out) && evaluate(expr, s, -1) === 0,
    undefined,
  );
}

/** The holder of what t waits for is nobody in particular, or a thread without a live move. */
function unheld(encoding: Encoding, t: number): { readonly nobody: Term; readonly idleHolder: Term } {
  const { terms } = encoding;
  const holder = encoding.holder[t] as Term;
  const idle = encoding.threadLive.map((live, u) => terms.and(terms.eq(holder, terms.number(u + 1)), terms.not(live)));
  return { nobody: terms.eq(holder, terms.number(0)), idleHolder: terms.or(...idle) };
}

export function deadlockQuestion(encoding: Encoding, property: SysProperty, bound: number): Question {
  const { terms, system } = encoding;
  const blocked = (t: number): Term => encoding.blocked[t] as Term;
  const threads = system.threads.map((_, t) => t);
  const chain = terms.or(...threads.map((t) => terms.and(blocked(t), unheld(encoding, t).idleHolder)));
  const lone = terms.or(...threads.map((t) => terms.and(blocked(t), unheld(encoding, t).nobody)));
  const rescued = threads.map(() => new Set<string>());
  const judge = (s: StateValues, weak: boolean): Judgement => {
    const out = firings(system, s);
    const movers = moversOf(out);
    let unknown = false;
    let cut: string | undefined;
    const doomed: number[] = [];
    for (const t of blockedThreads(system, s, out)) {
      const waitsInVain = isSettled(system, s, t, movers);
      if (!waitsInVain && !weak) continue;
      const moves = (after: StateValues, from: readonly Firing[]): boolean =>
        from.some((e) => !e.optional && e.thread === t) || isResting(system, after, t);
      const reach = reaches(system, s, moves, rescued[t] as Set<string>, bound);
      if (reach.found) continue;
      if (reach.cut) cut ??= `${system.threads[t]?.name} waits for ever unless a path that ends in an error goes on`;
      else if (!reach.complete) unknown = true;
      else doomed.push(t);
    }
    if (doomed.length > 0) return { is: "violation", finding: classifyDeadlock(system, s, doomed).finding };
    if (unknown) return { is: "unknown" };
    return cut === undefined ? { is: "refuted" } : { is: "cut", what: cut };
  };
  return {
    property,
    classes: [
      { name: "no thread can move", term: terms.and(terms.not(encoding.live), terms.or(...encoding.blocked)) },
      { name: "waits for a thread that cannot move", term: chain },
      { name: "waits for nobody in particular", term: lone },
    ],
    last: { name: "waits", term: terms.or(...encoding.blocked) },
    judge,
    status: { is: "open" },
    gap: false,
    searched: false,
    cut: undefined,
  };
}

export function staysPossibleQuestion(encoding: Encoding, property: SysProperty, bound: number): Question {
  const { terms, system } = encoding;
  if (property.check.c !== "stays-possible") throw new Error("not a stays-possible property");
  const { expr } = property.check;
  const good = new Set<string>();
  const unsatisfied = terms.not(encoding.property(expr));
  return {
    property,
    classes: [
      { name: "no thread can move", term: terms.and(unsatisfied, terms.not(encoding.live)) },
      { name: "a thread is blocked", term: terms.and(unsatisfied, terms.or(...encoding.blocked)) },
      { name: "not now", term: unsatisfied },
    ],
    last: undefined,
    judge: (s) => {
      const reach = reaches(system, s, (u) => evaluate(expr, u, -1) !== 0, good, bound);
      if (reach.found) return { is: "refuted" };
      if (reach.cut) return { is: "cut", what: property.message };
      if (!reach.complete) return { is: "unknown" };
      return { is: "violation", finding: { kind: property.kind, message: property.message } };
    },
    status: { is: "open" },
    gap: false,
    searched: false,
    cut: undefined,
  };
}
