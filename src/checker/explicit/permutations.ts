/** What the renaming of a state to a canonical one does to sets of threads. */
import { GROUP } from "../liveness/fair-graph.ts";
import type { Orbit } from "../symmetry.ts";

/** Masks of threads under permutations: per group of `GROUP` threads, of which no orbit has members in two. */
export class Permutations {
  readonly #threads: number;
  readonly #orbits: readonly Orbit[];

  constructor(threads: number, orbits: readonly Orbit[]) {
    this.#threads = threads;
    this.#orbits = orbits;
  }

  /**
   * Of a mask of threads in a canonical state, the mask in the state that a renaming (thread -> thread) made it from;
   * bits of no thread stay.
   */
  pull(renaming: readonly number[] | undefined, group: number, mask: number): number {
    if (renaming === undefined) return mask;
    const first = group * GROUP;
    const count = Math.max(0, Math.min(GROUP, this.#threads - first));
    let pulled = mask & ~((1 << count) - 1);
    for (let k = 0; k < count; k++) pulled |= ((mask >>> (renaming[first + k]! - first)) & 1) << k;
    return pulled;
  }

  /** A mask that has all threads of an orbit if it has one. */
  close(group: number, mask: number): number {
    let closed = mask;
    for (const orbit of this.#orbits) {
      if (Math.floor(orbit[0]! / GROUP) !== group) continue;
      const bits = orbit.reduce((sum, t) => sum | (1 << (t % GROUP)), 0);
      if ((mask & bits) !== 0) closed |= bits;
    }
    return closed;
  }
}
