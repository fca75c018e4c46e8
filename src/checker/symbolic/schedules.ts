/**
 * Ways from the initial state to a state of a set, as schedules.
 *
 * A shortest one is found by going outward in rings from both ends, a ring at a time from the end whose last ring is
 * the smaller diagram, until the two meet. Rings are sets of states at one distance, which may have little structure
 * where all reachable states together have much: every thread is as far as the others are not.
 *
 * Where they are too much for the budget, a way is put together by levels, as saturation has found the states: with as
 * few steps as possible that begin at the first level, between them any number of steps that begin below, and so on down
 * for each part in turn. What is reachable by steps below a level is what saturation computes, so the sets are of the
 * kind that saturation could handle already; parts that rings suffice for are shortest again. Every step is a step of
 * the system, but there may be a shorter way.
 */
import type { ScheduleStep } from "../verdict.ts";
import { BudgetExhausted, EMPTY, type Root } from "./list-decision-diagram.ts";
import type { Moves, ReachableStates } from "./reachable-states.ts";

/** The part of the time left that shortest ways may take. */
const TIME_FOR_RINGS = 0.5;
/** Parts of a way put together by levels are shortest if rings of so many nodes in all suffice. */
const MOST_NODES = 5000;
/** A constant, since looking up a global is slow where tests run modules in a context of their own. */
const { min } = Math;

type State = readonly number[];

/** A way to a nearest state of a set, or to some state of it. */
export interface Way {
  readonly state: State;
  readonly steps: readonly ScheduleStep[];
  readonly shortest: boolean;
}

/** Sets by distance from a first one. */
class Rings {
  readonly moves: Moves;
  readonly #reached: ReachableStates;
  readonly #rings: Root[];
  readonly #seen: Root;

  constructor(reached: ReachableStates, first: number, moves: Moves) {
    this.moves = moves;
    this.#reached = reached;
    this.#rings = [reached.store.hold(first)];
    this.#seen = reached.store.hold(first);
  }

  get last(): number {
    return this.#rings.length - 1;
  }

  at(distance: number): number {
    return this.#rings[distance]!.node;
  }

  /** One ring more: of what the moves lead to, or (`backward`) of what they lead from. */
  extend(backward: boolean): void {
    const reached = this.#reached;
    const { store } = reached;
    reached.collectIfFull();
    store.checkTime();
    const outermost = this.at(this.last);
    const beyond = backward ? reached.before(reached.all, outermost, this.moves) : reached.after(outermost, this.moves);
    const ring = store.minus(beyond, this.#seen.node);
    this.#seen.node = store.union(this.#seen.node, ring);
    this.#rings.push(store.hold(ring));
  }

  release(): void {
    const { store } = this.#reached;
    for (const ring of this.#rings) store.release(ring);
    store.release(this.#seen);
  }
}

export class Schedules {
  readonly #reached: ReachableStates;
  readonly #mostNodes: number;
  /** Outward from the initial state, as far as was asked for. */
  #outward: Rings | undefined;
  /** Rings have been too much. */
  #tooMany = false;

  /** @param mostNodes Of rings, for each part of a way put together by levels. */
  constructor(reached: ReachableStates, mostNodes = MOST_NODES) {
    this.#reached = reached;
    this.#mostNodes = mostNodes;
  }

  /**
   * A shortest way to a state of `set`, of which some are reachable; or any way, where time or memory do not suffice to
   * find a shortest one.
   */
  to(set: number): Way {
    return this.#to(set, true);
  }

  /** Some way to a state of `set`, of which some are reachable. */
  toByLevels(set: number): Way {
    return this.#to(set, false);
  }

  #to(set: number, nearest: boolean): Way {
    const reached = this.#reached;
    const { store } = reached;
    const target = store.hold(store.intersect(set, reached.all));
    if (target.node === EMPTY) throw new Error("no state of the set is reachable");
    try {
      const shortest = nearest ? this.#nearest(target.node) : undefined;
      const path = shortest ?? this.#byLevels(reached.initial(), target.node, reached.coarsest);
      return { state: path.at(-1)!, steps: this.#steps(path), shortest: shortest !== undefined };
    } finally {
      store.release(target);
    }
  }

  /** A shortest path; undefined if the budget does not suffice. */
  #nearest(target: number): State[] | undefined {
    const reached = this.#reached;
    if (this.#tooMany) return undefined;
    try {
      return reached.store.inTime(TIME_FOR_RINGS, () => {
        this.#outward ??= new Rings(reached, reached.store.vector(reached.initial()), reached.any);
        return this.#meet(this.#outward, target, Number.POSITIVE_INFINITY);
      });
    } catch (e) {
      if (!(e instanceof BudgetExhausted)) throw e;
      this.#tooMany = true;
      this.#outward?.release();
      reached.recover();
      reached.store.checkTime();
      reached.store.collect();
      return undefined;
    }
  }

  /**
   * A shortest path from the first ring of `outward` to `target`; undefined if it takes rings of more than `most` nodes
   * in all.
   */
  #meet(outward: Rings, target: number, most: number): State[] | undefined {
    const { store } = this.#reached;
    for (let d = 0; d <= outward.last; d++) {
      const hit = store.intersect(outward.at(d), target);
      if (hit !== EMPTY) return this.#back(outward, d, store.first(hit));
    }
    const inward = new Rings(this.#reached, target, outward.moves);
    try {
      for (let nodes = 0; ; ) {
        const out = store.size(outward.at(outward.last));
        const into = store.size(inward.at(inward.last));
        nodes += min(out, into);
        if (nodes > most) return undefined;
        if (out <= into) outward.extend(false);
        else inward.extend(true);
        const hit = store.intersect(outward.at(outward.last), inward.at(inward.last));
        if (hit === EMPTY) continue;
        const path = this.#back(outward, outward.last, store.first(hit));
        for (let d = inward.last - 1; d >= 0; d--) path.push(this.#next(path.at(-1)!, inward.at(d), outward.moves));
        return path;
      }
    } finally {
      inward.release();
    }
  }

  /** A path through the rings up to a state of the one at this distance. */
  #back(rings: Rings, distance: number, state: State): State[] {
    const { store } = this.#reached;
    const path = [state];
    for (let d = distance - 1; d >= 0; d--) {
      const to = store.vector(path.at(-1)!);
      path.push(store.first(this.#reached.before(rings.at(d), to, rings.moves)));
    }
    return path.reverse();
  }

  #next(state: State, into: number, along: Moves): State {
    const { store } = this.#reached;
    return store.first(store.intersect(this.#reached.after(store.vector(state), along), into));
  }

  /** A path from a state to one of `target`, which is reachable by moves that begin at `level` or below. */
  #byLevels(from: State, target: number, level: number): State[] {
    const reached = this.#reached;
    const { store } = reached;
    const goal = store.hold(target);
    const held = [goal];
    const hold = (set: number) => held[held.push(store.hold(set)) - 1]!;
    try {
      const direct = this.#inFewNodes(from, goal.node, level);
      if (direct !== undefined) return direct;
      // The first levels may have no part in it.
      let at = level;
      let below = reached.closedBelow(store.vector(from), at + 1);
      while (store.intersect(below, goal.node) !== EMPTY) below = reached.closedBelow(store.vector(from), ++at + 1);
      const layers = [{ entry: hold(EMPTY), all: hold(below) }];
      if (at > level) {
        const path = this.#inFewNodes(from, goal.node, at);
        if (path !== undefined) return path;
      }
      // One move that begins at this level after the other, with all that can follow it below.
      const moves = reached.movesAt(at);
      const seen = hold(layers[0]!.all.node);
      for (;;) {
        store.checkTime();
        reached.collectIfFull();
        const { node } = layers.at(-1)!.all;
        if (store.intersect(node, goal.node) !== EMPTY) break;
        const entry = hold(store.minus(reached.after(node, moves), seen.node));
        if (entry.node === EMPTY) throw new Error("a state is not reachable from where it was judged to be");
        const all = hold(reached.closedBelow(entry.node, at + 1));
        // Nothing leads back out of what was seen before but moves of this level.
        all.node = store.minus(all.node, seen.node);
        seen.node = store.union(seen.node, all.node);
        layers.push({ entry, all });
      }
      seen.node = EMPTY;
      const parts: { readonly from: State; readonly goal: Root }[] = [];
      goal.node = store.intersect(layers.at(-1)!.all.node, goal.node);
      for (let i = layers.length - 1; i > 0; i--) {
        const { entry, all } = layers[i]!;
        const leading = reached.leadingBelow(goal.node, all.node, at + 1);
        const first = store.first(store.intersect(leading, entry.node));
        parts.push({ from: first, goal: hold(goal.node) });
        goal.node = reached.before(layers[i - 1]!.all.node, store.vector(first), moves);
      }
      parts.push({ from, goal: hold(goal.node) });
      for (const { entry, all } of layers) for (const root of [entry, all]) root.node = EMPTY;
      // Each part ends in a state from which a move leads to where the next one begins.
      const path: State[] = [];
      for (const part of parts.reverse()) path.push(...this.#byLevels(part.from, part.goal.node, at + 1));
      return path;
    } finally {
      for (const root of held) store.release(root);
    }
  }

  /** A shortest path by moves that begin at `level` or below, if small rings suffice to find it. */
  #inFewNodes(from: State, target: number, level: number): State[] | undefined {
    const rings = new Rings(this.#reached, this.#reached.store.vector(from), this.#reached.movesFrom(level));
    const path = this.#meet(rings, target, this.#mostNodes);
    rings.release();
    return path;
  }

  /** The steps between states that follow each other. */
  #steps(path: readonly State[]): ScheduleStep[] {
    return path.slice(1).map((to, i) => {
      const found = this.#reached.successors(path[i]!).find((s) => s.to?.every((v, level) => v === to[level]));
      if (found === undefined) throw new Error("a symbolic edge has no concrete counterpart");
      return { thread: found.thread, action: found.action, ways: found.ways };
    });
  }
}
