/**
 * Transition relations as decision diagrams that unfold on demand.
 *
 * A *step* is what an edge says about one level: a condition on its value and a change of it. A *path* is the steps of an
 * edge from the top down; levels without a step may have any value and keep it. A relation node is a set of paths that
 * start at its level. For a value `v` of that level, `next` yields what the level becomes (`w`) and the relation that
 * goes on below.
 *
 * All three are hash-consed, so edges that differ only above share what is below, and only values that occur in some
 * reachable state are ever unfolded. A node never changes; caches of operations on it stay valid.
 */
import type { StateVector } from "./state-vector.ts";

export type RelationId = number;
export type StepId = number;
export type PathId = number;
/** A condition on one component of a block. */
export type TestId = number;

/** The path without steps. */
export const END: PathId = 0;

export type TestOperator = "==" | "!=" | "<" | "<=" | ">" | ">=" | "in" | "not in";

interface Test {
  readonly slot: number;
  readonly op: TestOperator;
  readonly against: number;
  readonly set: ReadonlySet<number>;
}

/** What becomes of one component of a block: a value, or a function of its value before. */
export interface Write {
  readonly slot: number;
  readonly value: number | Update;
}

export interface Update {
  /** The same for the same function. */
  readonly key: string;
  readonly of: (value: number) => number;
}

interface Step {
  readonly level: number;
  readonly tests: readonly TestId[];
  readonly writes: readonly Write[];
  /** The first test that asks for one value, if any does. */
  readonly exact: TestId | undefined;
  /** What becomes of values of the level that pass the tests. */
  readonly results: Map<number, number>;
}

interface Node {
  readonly level: number;
  readonly paths: readonly PathId[];
  /** How many edges have become the same path: transitions are counted with it. */
  readonly edges: readonly number[];
  index?: PathIndex;
  /** Per value of the level: w, relation, w, relation … */
  readonly next: Map<number, Int32Array>;
}

const NO = -1;
const MOST_PATHS = 2 ** 26;
const NO_SET: ReadonlySet<number> = new Set();

export class Relations {
  readonly vector: StateVector;
  readonly levels: number;
  /** Per relation, its level; `levels` where nothing is left to do. */
  readonly level: number[] = [];
  readonly #checkTime: () => void;
  readonly #tests: Test[] = [];
  readonly #testIds = new Map<string, TestId>();
  readonly #steps: Step[] = [];
  readonly #stepIds = new Map<string, StepId>();
  /** Per path its first step, what follows, and the level of the first step. */
  readonly #step: StepId[] = [-1];
  readonly #rest: PathId[] = [END];
  readonly #top: number[];
  readonly #pathIds = new Map<number, PathId>();
  readonly #nodes: Node[] = [];
  readonly #nodeIds = new Map<string, RelationId>();

  /** @param checkTime Called now and then; throws when time is up. */
  constructor(vector: StateVector, checkTime: () => void) {
    this.vector = vector;
    this.levels = vector.length;
    this.#checkTime = checkTime;
    this.#top = [this.levels];
  }

  test(slot: number, op: TestOperator, against: number): TestId {
    return this.#test(`${slot}${op}${against}`, { slot, op, against, set: NO_SET });
  }

  /** Whether the value is, or is not, one of these. */
  testOf(slot: number, op: "in" | "not in", values: readonly number[]): TestId {
    return this.#test(`${slot}${op}${values.join()}`, { slot, op, against: 0, set: new Set(values) });
  }

  #test(key: string, test: Test): TestId {
    let id = this.#testIds.get(key);
    if (id === undefined) {
      id = this.#tests.push(test) - 1;
      this.#testIds.set(key, id);
    }
    return id;
  }

  /** @param tests Ascending. @param writes By ascending slots. */
  step(level: number, tests: readonly TestId[], writes: readonly Write[]): StepId {
    const changes = writes.map(({ slot, value }) => `${slot}:${typeof value === "number" ? value : value.key}`);
    const key = `${level}|${tests.join()}|${changes.join()}`;
    let id = this.#stepIds.get(key);
    if (id === undefined) {
      const exact = tests.find((t) => this.#tests[t]!.op === "==");
      id = this.#steps.push({ level, tests, writes, exact, results: new Map() }) - 1;
      this.#stepIds.set(key, id);
    }
    return id;
  }

  /** The path of a step and what follows, which is all below. */
  path(step: StepId, rest: PathId): PathId {
    const key = step * MOST_PATHS + rest;
    let id = this.#pathIds.get(key);
    if (id === undefined) {
      id = this.#step.push(step) - 1;
      this.#rest.push(rest);
      this.#top.push(this.#steps[step]!.level);
      this.#pathIds.set(key, id);
    }
    return id;
  }

  topOf(path: PathId): number {
    return this.#top[path]!;
  }

  stepOf(path: PathId): StepId {
    return this.#step[path]!;
  }

  restOf(path: PathId): PathId {
    return this.#rest[path]!;
  }

  /** What the first step of a path makes of value `v` of its level; negative where it is not enabled. */
  apply(path: PathId, v: number): number {
    const { level, tests, writes, results } = this.#steps[this.#step[path]!]!;
    const tuples = this.vector.tuples[level]!;
    for (const t of tests) {
      const test = this.#tests[t]!;
      if (!passes(test, tuples.value(v, test.slot))) return NO;
    }
    if (writes.length === 0) return v;
    const known = results.get(v);
    if (known !== undefined) return known;
    const changed = tuples.of(v);
    for (const { slot, value } of writes) changed[slot] = typeof value === "number" ? value : value.of(changed[slot]!);
    const result = tuples.id(changed);
    results.set(v, result);
    return result;
  }

  /** The slot and the value of a test of the path's first step that asks for one value; undefined if none does. */
  exactly(path: PathId): { readonly slot: number; readonly against: number } | undefined {
    const { exact } = this.#steps[this.#step[path]!]!;
    return exact === undefined ? undefined : this.#tests[exact]!;
  }

  /** One relation for each level at which some of these paths start. */
  of(paths: Iterable<PathId>): RelationId[] {
    const groups = new Map<number, Map<PathId, number>>();
    for (const path of paths) add(groups, this.#top[path]!, path, 1);
    return [...groups].sort((x, y) => x[0] - y[0]).map(([top, group]) => this.node(top, group));
  }

  /** How many edges end in this relation, of which nothing is left. */
  multiplicity(relation: RelationId): number {
    return this.#nodes[relation]!.edges[0]!;
  }

  pathsOf(relation: RelationId): readonly PathId[] {
    return this.#nodes[relation]!.paths;
  }

  /** For value `v` of the relation's level: new value, relation below, new value, …; new values ascend. */
  next(relation: RelationId, v: number): Int32Array {
    const node = this.#nodes[relation]!;
    return node.next.get(v) ?? this.#unfold(node, v);
  }

  #unfold(node: Node, v: number): Int32Array {
    this.#checkTime();
    const found = new Map<number, Map<number, Map<PathId, number>>>();
    const { paths, edges, level } = node;
    if (node.index === undefined) {
      node.index = new PathIndex(this);
      for (let i = 0; i < paths.length; i++) node.index.add(paths[i]!, level, i);
    }
    node.index.visit(level, v, NOTHING_KNOWN, (i) => {
      const path = paths[i]!;
      const w = this.apply(path, v);
      if (w < 0) return;
      let byTop = found.get(w);
      if (byTop === undefined) {
        byTop = new Map();
        found.set(w, byTop);
      }
      const rest = this.#rest[path]!;
      add(byTop, this.#top[rest]!, rest, edges[i]!);
    });
    const flat: number[] = [];
    for (const w of [...found.keys()].sort((a, b) => a - b)) {
      for (const [top, group] of found.get(w)!) flat.push(w, this.node(top, group));
    }
    const result = Int32Array.from(flat);
    node.next.set(v, result);
    return result;
  }

  /** The relation of these paths, which start at `level`, each with its number of edges. */
  node(level: number, group: ReadonlyMap<PathId, number>): RelationId {
    const paths = [...group.keys()].sort((a, b) => a - b);
    const edges = paths.map((id) => group.get(id)!);
    const key = edges.every((n) => n === 1) ? paths.join() : `${paths.join()}|${edges.join()}`;
    const known = this.#nodeIds.get(key);
    if (known !== undefined) return known;
    const id = this.#nodes.length;
    this.#nodes.push({ level, paths, edges, next: new Map() });
    this.level.push(level);
    this.#nodeIds.set(key, id);
    return id;
  }
}

function add(groups: Map<number, Map<PathId, number>>, key: number, path: PathId, edges: number): void {
  let group = groups.get(key);
  if (group === undefined) {
    group = new Map();
    groups.set(key, group);
  }
  group.set(path, (group.get(path) ?? 0) + edges);
}

function passes({ op, against, set }: Test, value: number): boolean {
  switch (op) {
    case "==":
      return value === against;
    case "!=":
      return value !== against;
    case "<":
      return value < against;
    case "<=":
      return value <= against;
    case ">":
      return value > against;
    case ">=":
      return value >= against;
    case "in":
      return set.has(value);
    case "not in":
      return !set.has(value);
  }
}

const NOTHING_KNOWN: number[] = [];

/** Paths by what their first step asks for, so that those that a value does not satisfy need not be looked at. */
class PathIndex {
  readonly #relations: Relations;
  /** What `add` was given for paths that ask for no one value. */
  readonly #others: number[] = [];
  /** By slot, and by the value asked for. */
  readonly #slots: number[] = [];
  readonly #exact: Map<number, number[]>[] = [];

  constructor(relations: Relations) {
    this.#relations = relations;
  }

  /** @param level All paths start here or below. */
  add(path: PathId, level: number, item: number): void {
    const relations = this.#relations;
    const exact = relations.topOf(path) === level ? relations.exactly(path) : undefined;
    if (exact === undefined) {
      this.#others.push(item);
      return;
    }
    let k = this.#slots.indexOf(exact.slot);
    if (k < 0) {
      k = this.#slots.push(exact.slot) - 1;
      this.#exact.push(new Map());
    }
    const items = this.#exact[k]!.get(exact.against);
    if (items === undefined) this.#exact[k]!.set(exact.against, [item]);
    else items.push(item);
  }

  /** @param known How many of each list have been visited for this value: they are left out, and it is brought up to date. */
  visit(level: number, v: number, known: number[], visit: (item: number) => void): void {
    const tuples = this.#relations.vector.tuples[level]!;
    const once = known === NOTHING_KNOWN;
    const all = (items: readonly number[], list: number) => {
      for (let i = known[list] ?? 0; i < items.length; i++) visit(items[i]!);
      if (!once) known[list] = items.length;
    };
    all(this.#others, 0);
    this.#slots.forEach((slot, k) => {
      const items = this.#exact[k]!.get(tuples.value(v, slot));
      if (items !== undefined) all(items, k + 1);
    });
  }
}

/** What the paths of a growing relation make of one value of its level. */
interface Unfolded {
  /** How many paths the relation had when this was brought up to date, and how many of each list of its index. */
  size: number;
  readonly known: number[];
  /** By new value and by level of what goes on below. */
  readonly groups: Map<number, Map<number, RelationId[]>>;
  next: Int32Array;
}

/**
 * A relation that paths are added to. What they make of a value is kept in several nodes of ever larger size, of which
 * two are made one when the later is as large: so most nodes, and what is cached about them, outlive most additions.
 */
export class GrowingRelation {
  readonly #relations: Relations;
  readonly #level: number;
  readonly #index: PathIndex;
  readonly #has = new Set<PathId>();
  readonly #unfolded: (Unfolded | undefined)[] = [];

  /** @param level All paths start here or below. */
  constructor(relations: Relations, level: number) {
    this.#relations = relations;
    this.#level = level;
    this.#index = new PathIndex(relations);
  }

  add(path: PathId): void {
    if (this.#has.has(path)) return;
    this.#has.add(path);
    this.#index.add(path, this.#level, path);
  }

  /** For value `v` of the level: new value, relation below, new value, … */
  next(v: number): Int32Array {
    let unfolded = this.#unfolded[v];
    if (unfolded === undefined) {
      unfolded = { size: 0, known: [], groups: new Map(), next: new Int32Array(0) };
      this.#unfolded[v] = unfolded;
    }
    if (unfolded.size < this.#has.size) this.#extend(unfolded, v);
    return unfolded.next;
  }

  #extend(unfolded: Unfolded, v: number): void {
    const relations = this.#relations;
    const fresh = new Map<number, Map<number, Map<PathId, number>>>();
    unfolded.size = this.#has.size;
    this.#index.visit(this.#level, v, unfolded.known, (path) => {
      const starts = relations.topOf(path) === this.#level;
      const w = starts ? relations.apply(path, v) : v;
      if (w < 0) return;
      const rest = starts ? relations.restOf(path) : path;
      let byTop = fresh.get(w);
      if (byTop === undefined) {
        byTop = new Map();
        fresh.set(w, byTop);
      }
      const top = relations.topOf(rest);
      const group = byTop.get(top);
      if (group === undefined) byTop.set(top, new Map([[rest, 1]]));
      else group.set(rest, 1);
    });
    if (fresh.size === 0) return;
    for (const [w, byTop] of fresh) {
      let groups = unfolded.groups.get(w);
      if (groups === undefined) {
        groups = new Map();
        unfolded.groups.set(w, groups);
      }
      for (const [top, group] of byTop) {
        const nodes = groups.get(top) ?? [];
        groups.set(top, nodes);
        while (nodes.length > 0 && relations.pathsOf(nodes.at(-1)!).length <= group.size) {
          for (const path of relations.pathsOf(nodes.pop()!)) group.set(path, 1);
        }
        nodes.push(relations.node(top, group));
      }
    }
    const flat: number[] = [];
    for (const [w, groups] of unfolded.groups)
      for (const nodes of groups.values()) for (const r of nodes) flat.push(w, r);
    unfolded.next = Int32Array.from(flat);
  }
}
