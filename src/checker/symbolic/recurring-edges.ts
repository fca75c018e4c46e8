/**
 * The edges that may lie on a cycle. On a cycle of the system each level comes back to its value, so an edge that takes a
 * level to a value from which no way goes back, by edges that may lie on a cycle themselves, lies on none. A thread that
 * does its work once cannot move in a loop at all; nor can one that goes round, if each time it takes something that is
 * never put back. Levels are looked at one by one, so more edges may be left than need be.
 */
import type { Edge } from "./learned-edges.ts";
import { END, type Relations, type StepId } from "./relation.ts";

/** What a step makes of the values of its level: positions of value, new value, value, new value … */
interface Change {
  readonly level: number;
  readonly pairs: Int32Array;
}

/**
 * @param edges All that are enabled in some reachable state.
 * @param values Per level, the values that it has in reachable states.
 */
export function recurringEdges(
  relations: Relations,
  edges: readonly Edge[],
  values: readonly (readonly number[])[],
): Edge[] {
  const positions = values.map((list) => new Map(list.map((v, i) => [v, i])));
  const changes = new Map<StepId, Change>();
  const changesOf = new Map<Edge, readonly Change[]>();
  for (const edge of edges) {
    if (edge.error) continue;
    const own: Change[] = [];
    for (let path = edge.path; path !== END; path = relations.restOf(path)) {
      const step = relations.stepOf(path);
      let change = changes.get(step);
      if (change === undefined) {
        const level = relations.topOf(path);
        const pairs = values[level]!.flatMap((v, i) => {
          const to = positions[level]!.get(relations.apply(path, v));
          return to === undefined ? [] : [i, to];
        });
        change = { level, pairs: Int32Array.from(pairs) };
        changes.set(step, change);
      }
      if (change.pairs.some((to, i) => i % 2 === 1 && to !== change.pairs[i - 1])) own.push(change);
    }
    changesOf.set(edge, own);
  }
  for (;;) {
    const before = changesOf.size;
    const left = new Set([...changesOf.values()].flat());
    const recurring = new Set<Change>();
    values.forEach((list, level) => {
      const here = [...left].filter((change) => change.level === level);
      const component = components(list.length, here);
      for (const change of here) {
        if (change.pairs.some((to, i) => i % 2 === 1 && component[to] === component[change.pairs[i - 1]!])) {
          recurring.add(change);
        }
      }
    });
    for (const [edge, own] of changesOf) if (!own.every((change) => recurring.has(change))) changesOf.delete(edge);
    if (changesOf.size === before) return [...changesOf.keys()];
  }
}

/** The number of the strongly connected component of each value (Tarjan 1972). */
function components(size: number, changes: readonly Change[]): Int32Array {
  const successors = Array.from({ length: size }, () => new Set<number>());
  for (const { pairs } of changes) for (let i = 0; i < pairs.length; i += 2) successors[pairs[i]!]!.add(pairs[i + 1]!);
  const component = new Int32Array(size).fill(-1);
  const index = new Int32Array(size);
  const low = new Int32Array(size);
  const stack: number[] = [];
  let found = 0;
  for (let start = 0; start < size; start++) {
    if (index[start] !== 0) continue;
    const path = [enter(start)];
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const { value, rest } = top;
      const { value: to, done } = rest.next();
      if (!done) {
        if (index[to] === 0) path.push(enter(to));
        else if (component[to] === -1 && index[to]! < low[value]!) low[value] = index[to]!;
        continue;
      }
      path.pop();
      const above = path.at(-1)?.value;
      if (above !== undefined && low[value]! < low[above]!) low[above] = low[value]!;
      if (low[value] !== index[value]) continue;
      for (let member = -1; member !== value; ) {
        member = stack.pop()!;
        component[member] = value;
      }
    }
  }
  return component;

  function enter(value: number) {
    index[value] = low[value] = ++found;
    stack.push(value);
    return { value, rest: successors[value]!.values() };
  }
}
