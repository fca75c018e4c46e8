/**
 * Which of several states of a divided search, all at the same distance from the initial state, a search by one thread
 * finds first, and over which way: so what is shown does not depend on how many threads there were.
 *
 * The states from which one of them can be reached without leaving the levels, one level a step, are marked from the
 * last level back. Whatever is found before such a state and matters for its place in the queue is marked itself, so a
 * breadth-first search of the marked states alone finds them in the same order, over the same ways.
 */
import type { PartSearch } from "./codegen.ts";
import type { Path } from "./discovery.ts";
import type { PartPosition } from "./part.ts";

export interface LeveledParts {
  /** Bits of a state's number that name its part. */
  readonly bits: number;
  readonly parts: readonly PartPosition[];
  levelOf(state: number): number;
}

export async function firstFound(
  search: PartSearch,
  { bits, parts, levelOf }: LeveledParts,
  states: readonly number[],
  pause: () => Promise<void> | undefined,
): Promise<Path> {
  const { numbers } = search;
  const low = (1 << bits) - 1;
  const last = levelOf(states[0]!);
  const marked = parts.map((p) => new Uint8Array(p.count));
  const isMarked = (state: number): boolean => marked[state & low]![state >>> bits] === 1;
  const mark = (state: number): void => {
    marked[state & low]![state >>> bits] = 1;
  };
  for (const state of states) mark(state);
  for (let level = last - 1; level >= 0; level--) {
    const resolve = (): void => {
      const found = search.resolve();
      for (let k = 0; k < found; k++) {
        const target = numbers[k]!;
        if (target < 0 || !isMarked(target) || levelOf(target) !== level + 1) continue;
        const source = search.sourceOf(k);
        mark(source < 0 ? ~source : source);
      }
    };
    for (let o = 0; o < parts.length; o++) {
      const { levels, next } = parts[o]!;
      const end = Math.min(next, levels[level + 1] ?? next);
      for (let i = levels[level]!; i < end; i++) {
        if (search.gather((i << bits) | o)) resolve();
        if ((i & 1023) === 0) {
          const wait = pause();
          if (wait !== undefined) await wait;
        }
      }
    }
    resolve();
  }

  const root = parts.findIndex((p) => (p.levels[1] ?? p.levelEnd) > 0);
  const parent = new Map<number, number>([[root, root]]);
  let level = [root];
  for (let k = 0; k < last; k++) {
    const next: number[] = [];
    for (const state of level) {
      search.gather(state);
      const found = search.resolve();
      for (let i = 0; i < found; i++) {
        const target = numbers[i]!;
        if (target < 0 || !isMarked(target) || parent.has(target) || levelOf(target) !== k + 1) continue;
        parent.set(target, state);
        next.push(target);
      }
    }
    level = next;
  }
  const path = [level[0]!];
  while (path[0] !== root) path.unshift(parent.get(path[0]!)!);
  return path;
}
