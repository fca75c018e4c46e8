/**
 * The checking mode of the reductions: the whole graph is explored beside the reduced one and compared with it, state
 * by state. docs/reductions.md says what must be the same.
 */
import type { TransitionSystem } from "../../spec/transition-system.ts";
import { type Orbit, permuteState } from "../symmetry.ts";
import type { Exploration, SearchOptions } from "../verdict.ts";
import { explore } from "./explore.ts";
import { maskOf, pack, unpack } from "./layout.ts";
import type { Inspected } from "./plan.ts";
import { namesOf } from "./reductions.ts";
import { searches } from "./searches.ts";

/** Renamings tried to find a state's representative, where threads tie. */
const MOST_RENAMINGS = 5040;

export interface Verification {
  /** The whole graph, and what is decided on it. */
  readonly whole: Exploration;
  /** Where a reduced graph is not what it must be; none where all is well. */
  readonly differences: readonly string[];
  /** States compared, of both sides. */
  readonly compared: number;
}

/**
 * Explores the whole graph, and each reduced one that `check` would, and compares their states: every stored state of a
 * reduced graph is one of the whole graph, and every state of the whole graph in which no thread is inside a transaction is
 * stored, renamed or not. Verdicts are for the caller to compare. A search that does not finish is not compared.
 */
export async function verifyReductions(system: TransitionSystem, options: SearchOptions): Promise<Verification> {
  const clock = performance.now();
  const alone = (): SearchOptions => ({
    ...options,
    timeout: Math.max(0, options.timeout - (performance.now() - clock) / 1000),
    memory: options.memory / 2,
    workers: 1,
    checkpoint: undefined,
    // States are looked at, which fingerprints do not keep.
    storage: "exact",
  });
  let full: Inspected | undefined;
  const whole = await explore(
    system,
    { ...alone(), reduction: false },
    {
      transactions: false,
      inspect: (found) => {
        full = found;
      },
    },
  );
  const differences: string[] = [];
  let compared = 0;
  for (const { properties } of searches(system, { ...options, checkpoint: undefined })) {
    if (full === undefined || !whole.complete) break;
    let reduced: Inspected | undefined;
    const result = await explore(
      system,
      { ...alone(), properties, reduction: true },
      {
        transactions: true,
        inspect: (found) => {
          reduced = found;
        },
      },
    );
    if (reduced === undefined || !result.complete || result.reductions.length === 0) continue;
    compared += full.search.count + reduced.search.count;
    const difference = compareStates(system, full, reduced);
    if (difference !== undefined) differences.push(`${namesOf(reduced.reductions).join(" and ")}: ${difference}`);
  }
  return { whole: { ...whole, method: `${whole.method} without reductions` }, differences, compared };
}

/** How the states of a reduced graph are not what they should be; undefined where they are. */
export function compareStates(system: TransitionSystem, full: Inspected, reduced: Inspected): string | undefined {
  const { layout } = full;
  const text = (words: Int32Array): string => {
    const { pcs } = unpack(layout, words, 0);
    return system.threads
      .map(({ name, program }, t) => {
        const { fn, call } = system.programs[program]!.locations[pcs[t]!]!;
        return `${name} ${call === "" ? "has ended" : `at ${call} in ${fn}`}`;
      })
      .join(", ");
  };
  for (let i = 0; i < reduced.search.count; i++) {
    const words = reduced.search.words(i);
    if (!full.search.has(words)) return `it has a state that the whole graph has not (${text(words)})`;
  }
  const { internal, orbits } = reduced.reductions;
  const inside = (words: Int32Array): boolean =>
    internal.some((locations, t) => {
      const { word, shift, bits } = layout.pcs[t]!;
      return locations[(words[word]! >>> shift) & maskOf(bits)] === true;
    });
  const renamings = permutations(system.threads.length, orbits);
  for (let i = 0; i < full.search.count; i++) {
    const words = full.search.words(i);
    if (inside(words) || reduced.search.has(words)) continue;
    if (orbits.length > 0) {
      // Where threads tie, the representative of a state may be another one.
      if (renamings === undefined) continue;
      const state = unpack(layout, words, 0);
      const renamed = new Int32Array(layout.words);
      const found = renamings.some((map) => {
        pack(layout, permuteState(system, state, map), renamed, 0);
        return reduced.search.has(renamed);
      });
      if (found) continue;
    }
    return `it lacks a state of the whole graph in which no thread is inside a transaction (${text(words)})`;
  }
  return undefined;
}

/** All permutations that exchange threads within orbits; undefined: too many. */
function permutations(threads: number, orbits: readonly Orbit[]): number[][] | undefined {
  let all: number[][] = [Array.from({ length: threads }, (_, t) => t)];
  for (const orbit of orbits) {
    // Each member in turn changes places with one of those from it on.
    for (let k = 0; k + 1 < orbit.length; k++) {
      if (all.length * (orbit.length - k) > MOST_RENAMINGS) return undefined;
      all = all.flatMap((map) =>
        orbit.slice(k).map((other) => {
          const next = [...map];
          [next[orbit[k]!], next[other]] = [map[other]!, map[orbit[k]!]!];
          return next;
        }),
      );
    }
  }
  return all;
}
