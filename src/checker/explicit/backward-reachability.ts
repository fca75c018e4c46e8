/**
 * Which states can still reach a live move of a thread, or a goal: the question behind partial deadlock and AG EF.
 *
 * No edge is stored. A first pass over the states in reverse order of discovery hands what a state can reach to the
 * state it was found from, and recomputes the successors only of those states whose question is still open; when none
 * stays open (the usual case) that is all. Otherwise the states reachable from the open ones, as far as they are open
 * themselves, are made into a small graph of their own, on which the least fixed point is computed with a worklist.
 */

import { IntList } from "../int-list.ts";
import type { Clock } from "./clock.ts";
import type { MaskArray, Search } from "./codegen.ts";
import type { Permutations } from "./permutations.ts";
import type { Store } from "./store.ts";

export interface Lost {
  readonly state: number;
  /** Bits of the group that cannot be reached from the state, and are asked about in it. */
  readonly bits: number;
  /** An error can be reached from it: what lies beyond might have been a rescue. */
  readonly cutReachable: boolean;
}

const PATIENCE = 1023;

/**
 * States (in order of discovery) from which some bit of `goals` or of the blocked threads cannot be reached over live
 * transitions. Undefined when time ran out.
 */
export async function backwardReachability(
  search: Search,
  store: Store,
  group: number,
  asked: number,
  goals: number,
  /** Undefined: no symmetry. */
  permutations: Permutations | undefined,
  pause: () => Promise<void> | undefined,
  clock: Clock,
): Promise<Lost[] | undefined> {
  const masks = store.masks[group]!;
  const { links } = store;
  const count = search.count();
  let open = new IntList();
  let children = count;

  // States are taken in batches, so that the cache misses of many look-ups overlap.
  const { numbers } = search;
  const batch = new IntList();
  const look = (): void => {
    const found = search.resolve();
    for (let k = 0; k < found; k++) {
      const source = search.sourceOf(k);
      if (source < 0) continue;
      const mask = masks[numbers[k]!]!;
      masks[source]! |=
        permutations === undefined ? mask : permutations.pull(search.renaming(search.permutations[k]!), group, mask);
    }
    for (let k = 0; k < batch.length; k++) {
      const i = batch.data[k]!;
      if ((asked & ~masks[i]! & (goals | search.blocked(group, i))) !== 0) open.push(i);
    }
    batch.length = 0;
  };
  for (let i = count - 1; i >= 0; i--) {
    if ((i & PATIENCE) === 0) {
      const wait = pause();
      if (wait !== undefined) await wait;
      if (clock.expired) return undefined;
    }
    const end = children;
    children -= links[i]! >> 1;
    // Some states it leads to may still wait in this batch.
    if (batch.length > 0 && end > batch.data[batch.length - 1]! && children <= batch.data[0]!) look();
    let mask = masks[i]!;
    // How a state was made canonical when it was found is not kept.
    if (permutations === undefined) for (let k = children; k < end; k++) if ((links[k]! & 1) === 0) mask |= masks[k]!;
    masks[i] = mask;
    if ((asked & ~mask) === 0 || (asked & ~mask & (goals | search.blocked(group, i))) === 0) continue;
    batch.push(i);
    if (search.gather(i)) look();
  }
  look();
  // Where the graph goes back to states found earlier, another look settles most of what is left.
  for (let before = Number.POSITIVE_INFINITY; open.length > 0 && open.length < before / 2; ) {
    before = open.length;
    const again = open;
    open = new IntList();
    for (let k = 0; k < again.length; k++) {
      if ((k & PATIENCE) === 0) {
        const wait = pause();
        if (wait !== undefined) await wait;
        if (clock.expired) return undefined;
      }
      batch.push(again.data[k]!);
      if (search.gather(again.data[k]!)) look();
    }
    look();
  }
  const all = { masks: [masks], bits: 0, bound: count };
  return await lostStates(search, all, open, { group, asked, goals, permutations }, pause, clock);
}

/** Masks of a group, of all states: those of each part, by the bits of a state's number that name its part. */
export interface MasksByPart {
  readonly masks: readonly MaskArray[];
  readonly bits: number;
  /** Above all numbers of states. */
  readonly bound: number;
}

export interface BackwardQuestion {
  readonly group: number;
  readonly asked: number;
  readonly goals: number;
  /** Undefined: no symmetry. */
  readonly permutations: Permutations | undefined;
}

/** Decides what is still open after the first passes: `open` are the states, in order of discovery. */
export async function lostStates(
  search: Pick<
    Search,
    "gather" | "resolve" | "numbers" | "sourceOf" | "permutations" | "renaming" | "blocked" | "errorMet"
  >,
  { masks: parts, bits, bound }: MasksByPart,
  open: IntList,
  { group, asked, goals, permutations }: BackwardQuestion,
  pause: () => Promise<void> | undefined,
  clock: Clock,
): Promise<Lost[] | undefined> {
  const { numbers } = search;
  const low = (1 << bits) - 1;
  const maskOf = (i: number): number => parts[i & low]![i >>> bits]!;
  const add = (i: number, mask: number): void => {
    parts[i & low]![i >>> bits]! |= mask;
  };
  let interest = 0;
  for (let k = 0; k < open.length; k++) {
    const i = open.data[k]!;
    interest |= asked & ~maskOf(i) & (goals | search.blocked(group, i));
  }
  if (interest === 0) return [];

  // The open part of the graph, numbered from 0 in order of discovery by this pass.
  const number = new Int32Array(bound).fill(-1);
  const nodes = new IntList();
  const from = new IntList();
  const to = new IntList();
  const permuted: number[] = [];
  const errs: number[] = [];
  if (permutations !== undefined) interest = permutations.close(group, interest);
  search.errorMet();
  for (let k = open.length - 1; k >= 0; k--) {
    const i = open.data[k]!;
    if ((interest & ~maskOf(i)) === 0 || number[i] !== -1) continue;
    number[i] = nodes.length;
    nodes.push(i);
  }
  for (let u = 0; u < nodes.length; u++) {
    if ((u & PATIENCE) === 0) {
      const wait = pause();
      if (wait !== undefined) await wait;
      if (clock.expired) return undefined;
    }
    const i = nodes.data[u]!;
    search.gather(i);
    const n = search.resolve();
    if (search.errorMet()) errs.push(u);
    for (let k = 0; k < n; k++) {
      if (search.sourceOf(k) < 0) continue;
      const v = numbers[k]!;
      const permutation = permutations === undefined ? -1 : search.permutations[k]!;
      add(
        i,
        permutations === undefined ? maskOf(v) : permutations.pull(search.renaming(permutation), group, maskOf(v)),
      );
      if ((interest & ~maskOf(v)) === 0) continue;
      if (number[v] === -1) {
        number[v] = nodes.length;
        nodes.push(v);
      }
      from.push(u);
      to.push(number[v]!);
      if (permutations !== undefined) permuted.push(permutation);
    }
  }

  // Predecessors, as a compressed list.
  const start = new Int32Array(nodes.length + 1);
  for (let e = 0; e < to.length; e++) start[to.data[e]! + 1]!++;
  for (let u = 0; u < nodes.length; u++) start[u + 1]! += start[u]!;
  const fill = start.slice();
  const before = new Int32Array(to.length);
  const by = new Float64Array(permuted.length);
  for (let e = 0; e < to.length; e++) {
    const place = fill[to.data[e]!]!++;
    before[place] = from.data[e]!;
    if (permutations !== undefined) by[place] = permuted[e]!;
  }

  const work = Array.from({ length: nodes.length }, (_, u) => u);
  while (work.length > 0) {
    const u = work.pop()!;
    const mask = maskOf(nodes.data[u]!);
    for (let e = start[u]!; e < start[u + 1]!; e++) {
      const i = nodes.data[before[e]!]!;
      const pulled = permutations === undefined ? mask : permutations.pull(search.renaming(by[e]!), group, mask);
      if ((pulled & ~maskOf(i)) === 0) continue;
      add(i, pulled);
      work.push(before[e]!);
    }
  }
  const cut = new Uint8Array(nodes.length);
  for (const u of errs) cut[u] = 1;
  while (errs.length > 0) {
    const u = errs.pop()!;
    for (let e = start[u]!; e < start[u + 1]!; e++) {
      const p = before[e]!;
      if (cut[p] === 1) continue;
      cut[p] = 1;
      errs.push(p);
    }
  }

  const lost: Lost[] = [];
  for (let u = 0; u < nodes.length; u++) {
    const state = nodes.data[u]!;
    const missing = interest & ~maskOf(state);
    if (missing === 0) continue;
    const bits = missing & (goals | search.blocked(group, state));
    if (bits !== 0) lost.push({ state, bits, cutReachable: cut[u] === 1 });
  }
  return lost.sort((a, b) => a.state - b.state);
}
