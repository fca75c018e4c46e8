/** What one search is asked, and the program generated to answer it. */
import type { SysExpr, SysProperty, TransitionSystem } from "../../spec/transition-system.ts";
import type { SearchOptions } from "../verdict.ts";
import { type Generated, GROUP, generate, type Question } from "./codegen.ts";
import { type AskedOfRuns, askOfRuns } from "./fair-search.ts";
import { type Layout, layOut } from "./layout.ts";
import { Permutations } from "./permutations.ts";
import type { Plan } from "./plan.ts";
import { askedOncePerOrbit, type Reductions, reductionsFor } from "./reductions.ts";

export interface Asked {
  readonly system: TransitionSystem;
  /** All of them, each asked once for an orbit, and those of each kind. */
  readonly properties: readonly SysProperty[];
  readonly invariants: readonly SysProperty[];
  readonly atRest: readonly SysProperty[];
  readonly goals: readonly SysProperty[];
  readonly deadlock: boolean;
  /** The temporal properties and their conditions; the graph is kept for them. */
  readonly runs: readonly AskedOfRuns[];
  readonly conditions: readonly SysExpr[];
  /** Findings that are faults of the model. */
  readonly modelErrors: readonly number[];
  readonly reductions: Reductions;
  readonly permutations: Permutations;
  /** Only fingerprints of states are stored. */
  readonly lossy: boolean;
  readonly layout: Layout;
  readonly question: Question;
  readonly generated: Generated;
  /** Per group of threads and goals, the bits kept of each state; none where nothing asks who can still move. */
  readonly maskBits: readonly number[];
}

export function ask(system: TransitionSystem, options: SearchOptions, plan: Plan): Asked {
  const properties = system.properties
    .filter((p) => options.properties.includes(p.id))
    .map((p) => (options.reduction ? askedOncePerOrbit(system, p) : p));
  const of = (kind: SysProperty["check"]["c"]) => properties.filter((p) => p.check.c === kind);
  const [invariants, atRest, goals] = [of("invariant"), of("at-rest"), of("stays-possible")];
  const deadlock = of("deadlock").length > 0;
  const lossy = options.storage === "fingerprints";
  const layout = layOut(system);
  // Who can still move is worked out by firing states again, of which fingerprints say nothing.
  const masks = !lossy && (deadlock || goals.length > 0);
  const wished = { symmetry: options.reduction, transactions: plan.transactions };
  const reductions = plan.reductions ?? reductionsFor(system, properties, wished);
  const { asked: runs, conditions } = lossy ? { asked: [], conditions: [] } : askOfRuns(properties);
  const question: Question = {
    invariants: invariants.map(exprOf),
    atRest: atRest.map(exprOf),
    goals: goals.map(exprOf),
    masks,
    orbits: reductions.orbits,
    internal: reductions.internal,
    kept: runs.length > 0 ? conditions : undefined,
    fingerprints: lossy,
    branchText: plan.branchText,
  };
  const generated = generate(system, layout, question);
  const total = system.threads.length + goals.length;
  return {
    system,
    properties,
    invariants,
    atRest,
    goals,
    deadlock,
    runs,
    conditions,
    modelErrors: system.findings.flatMap(({ kind }, f) => (kind === "model-error" ? [f] : [])),
    reductions,
    permutations: new Permutations(system.threads.length, reductions.orbits),
    lossy,
    layout,
    question,
    generated,
    maskBits: masks ? generated.groupMasks.map((_, g) => Math.min(GROUP, total - g * GROUP)) : [],
  };
}

function exprOf(p: SysProperty): SysExpr {
  if (p.check.c === "invariant" || p.check.c === "at-rest" || p.check.c === "stays-possible") return p.check.expr;
  throw new Error(`property ${p.id} has no expression`);
}
