/**
 * Which statements of a model some run of a scenario reaches, that is executes. Every statement gets a mark, and every mark a property
 * that speaks of it and of nothing else: the search that finds the property vacuous has found that no run gets there.
 * Marks change neither states nor transitions.
 */
import { lower } from "../spec/lowering/lower.ts";
import type { Program, PropertyDecl, Site, Step, Stmt } from "../spec/program.ts";
import { check } from "./explicit/check.ts";
import type { SearchOptions } from "./verdict.ts";

/** One call in the source of a model. What a primitive does inside it is part of it. */
export interface Statement {
  readonly site: Site;
  /** The kernel function that it stands in. */
  readonly fn: string;
  /** The kernel call, or what else it does. */
  readonly text: string;
}

export interface Coverage {
  readonly protocol: string;
  readonly variant: string;
  readonly scenario: string;
  /** Statements of the functions that some thread of the scenario can call, in the order of the program. */
  readonly statements: readonly Statement[];
  /** Those that no run of the scenario reaches. Empty where the search was not finished: nothing is known then. */
  readonly unreached: readonly Statement[];
  readonly complete: boolean;
}

/**
 * Decides it for all statements at once, with one search of the whole graph by the explicit engine. Left out are
 * labels, and errors and findings, which are good news where they are not reached.
 *
 * @throws ModelError where the program cannot be lowered.
 */
export async function coverageOf(program: Program, options: Omit<SearchOptions, "properties">): Promise<Coverage> {
  const { protocol, variant, scenario } = program;
  const statements = statementsOf(program);
  const properties = [...statements].map(([place, { site }]): PropertyDecl => {
    const trigger = { marks: [markOf(place)], what: place };
    const nothing = { c: "findings", kinds: [] } as const;
    return { id: place, kind: "coverage", message: place, check: nothing, trigger, site };
  });
  const marked = { ...program, functions: withMarks(program.functions), properties };
  const run = await check(lower(marked), { ...options, properties: [...statements.keys()] });
  const unreached = run.outcomes.filter((o) => o.verdict === "vacuous").map((o) => statements.get(o.property)!);
  const complete = run.complete && run.outcomes.every((o) => o.verdict !== "inconclusive");
  return { protocol, variant, scenario, statements: [...statements.values()], unreached, complete };
}

function placeOf({ file, line, column }: Site): string {
  return `${file}:${line}:${column}`;
}

function markOf(place: string): string {
  return `reaches ${place}`;
}

/** Labels, errors and findings are none. */
function isStatement(stmt: Stmt): boolean {
  return stmt.s !== "label" && stmt.s !== "error" && stmt.s !== "finding";
}

/** The blocks inside of a statement. Checks of a step are part of the step. */
function blocksOf(stmt: Stmt): readonly (readonly Stmt[])[] {
  switch (stmt.s) {
    case "if":
      return [stmt.then, stmt.else];
    case "while":
      return [stmt.head, stmt.body];
    case "choose":
      return stmt.ways.map((way) => way.body);
    case "step":
      return stmt.alternatives.map((alternative) => alternative.body);
    default:
      return [];
  }
}

/** By place. A step names a place better than what the primitive does around it. */
function statementsOf(program: Program): Map<string, Statement> {
  const statements = new Map<string, Statement>();
  const named = new Set<string>();
  const called = new Set(program.threads.map((thread) => thread.fn));
  const visit = (fn: string, body: readonly Stmt[]): void => {
    for (const stmt of body) {
      if (isStatement(stmt)) {
        const place = placeOf(stmt.site);
        const better = stmt.s === "step" && !named.has(place);
        if (better || !statements.has(place)) statements.set(place, { site: stmt.site, fn, text: textOf(stmt) });
        if (stmt.s === "step") named.add(place);
      }
      if (stmt.s === "call") called.add(stmt.fn);
      for (const block of blocksOf(stmt)) visit(fn, block);
    }
  };
  // The set grows while it is walked through.
  for (const name of called) {
    const fn = program.functions[name];
    if (fn !== undefined) visit(name, fn.body);
  }
  return statements;
}

function textOf(stmt: Stmt): string {
  switch (stmt.s) {
    case "step":
      return stmt.call;
    case "call":
      return `${stmt.fn}()`;
    case "goto":
      return `goto ${stmt.name}`;
    case "mark":
      return `reached(${JSON.stringify(stmt.name)})`;
    case "set":
      return stmt.to.p === "local" ? `${stmt.to.name} = …` : `${stmt.to.v} = …`;
    default:
      return stmt.s;
  }
}

function withMarks(functions: Program["functions"]): Program["functions"] {
  return Object.fromEntries(
    Object.entries(functions).map(([name, fn]) => [name, { ...fn, body: markedBlock(fn.body, new Set()) }]),
  );
}

/** `passed`: the marks on every way to the block. */
function markedBlock(block: readonly Stmt[], passed: ReadonlySet<string>): Stmt[] {
  const before = new Set(passed);
  return block.flatMap((stmt): Stmt[] => {
    if (!isStatement(stmt)) {
      if (stmt.s === "label") before.clear();
      return [stmt];
    }
    const mark = newMark(stmt, before);
    if (stmt.s === "step") return [markedStep(stmt, mark, before)];
    if (hasLabel(stmt)) before.clear();
    const inside = markedInside(stmt, before);
    return [...mark, inside];
  });
}

/** A goto from anywhere may come to what is behind a label. */
function hasLabel(stmt: Stmt): boolean {
  return stmt.s === "label" || blocksOf(stmt).some((block) => block.some(hasLabel));
}

/** The mark that is set before the statement, unless it was set on the way to it. */
function newMark({ site }: Stmt, passed: Set<string>): Stmt[] {
  const name = markOf(placeOf(site));
  if (passed.has(name)) return [];
  passed.add(name);
  return [{ s: "mark", name, site }];
}

/** A step is reached when it is taken, and also when its checks fail: waiting at it does not suffice. */
function markedStep(step: Step, mark: readonly Stmt[], passed: ReadonlySet<string>): Step {
  const alternatives = step.alternatives.map((a) => ({ ...a, body: markedBlock(a.body, passed) }));
  return { ...step, checks: [...mark, ...step.checks], alternatives };
}

function markedInside(stmt: Stmt, passed: ReadonlySet<string>): Stmt {
  switch (stmt.s) {
    case "if":
      return { ...stmt, then: markedBlock(stmt.then, passed), else: markedBlock(stmt.else, passed) };
    case "while":
      return { ...stmt, head: markedBlock(stmt.head, passed), body: markedBlock(stmt.body, passed) };
    case "choose":
      return { ...stmt, ways: stmt.ways.map((way) => ({ ...way, body: markedBlock(way.body, passed) })) };
    default:
      return stmt;
  }
}
