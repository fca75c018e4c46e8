/**
 * Ways from the initial state to a state of a set, as schedules.
 *
 * A shortest one is found by going outward in rings from both ends, a ring at a time from the end whose last ring is
 * the smaller diagram, until the two meet. Rings are sets of states at one distance, which may have little structure
 * where all reachable states together have much: every thread is as far as the others are not.
 *
 * Where they are too much for the budget, a way is put together by levels, as saturation finds states: with as few
 * steps as possible that begin at the first level, between them any number of steps that begin below, and so on down for
 * each part in turn. From where a set can be reached by steps below a level is what saturation computes, so the sets are
 * of the kind that saturation could handle already; parts that small rings suffice for are shortest again. Every step is
 * a step of the system, but there may be a shorter way.
 */
import type { ScheduleStep } from "../verdict.ts";
import { BudgetExhausted, EMPTY, type Root } from "./list-decision-diagram.ts";
import type { Moves, ReachableStates, Walk } from "./reachable-states.ts";

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

/** Where ways go: inside a set, which is held, along some moves. */
export interface Area {
  readonly within: number;
  readonly along: Walk;
}

/** Sets by distance from a first one. */
class Rings {
  readonly area: { readonly within: number; readonly along: Moves };
  readonly #reached: ReachableStates;
  readonly #rings: Root[];
  readonly #seen: Root;

  constructor(reached: ReachableStates, first: number, area: Rings["area"]) {
    this.area = area;
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
    const { within, along } = this.area;
    reached.collectIfFull();
    store.checkTime();
    const outermost = this.at(this.last);
    const beyond = backward ? reached.before(within, outermost, along) : reached.after(outermost, along);
    const inside = within === reached.all ? beyond : store.intersect(beyond, within);
    const ring = store.minus(inside, this.#seen.node);
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
      const path =
        shortest ?? this.between(reached.initial(), target.node, { within: reached.all, along: reached.any });
      return { state: path.at(-1)!, steps: this.#steps(path), shortest: shortest !== undefined };
    } finally {
      store.release(target);
    }
  }

  /** A shortest path; undefined if the budget does not suffice. */
  #nearest(target: number): State[] | undefined {
    const reached = this.#reached;
    if (this.#tooMany) return undefined;
    const path = withRings(
      reached,
      () => {
        const area = { within: reached.all, along: reached.any };
        this.#outward ??= new Rings(reached, reached.store.vector(reached.initial()), area);
        return this.#meet(this.#outward, target, Number.POSITIVE_INFINITY);
      },
      () => this.#outward?.release(),
    );
    this.#tooMany = path === undefined;
    return path;
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
    const inward = new Rings(this.#reached, target, outward.area);
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
        for (let d = inward.last - 1; d >= 0; d--) {
          path.push(this.#next(path.at(-1)!, inward.at(d), outward.area.along));
        }
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
      path.push(store.first(this.#reached.before(rings.at(d), to, rings.area.along)));
    }
    return path.reverse();
  }

  #next(state: State, into: number, along: Moves): State {
    const { store } = this.#reached;
    return store.first(store.intersect(this.#reached.after(store.vector(state), along), into));
  }

  /** A path, from the state on, to one of `target`, a held part of the area that is reachable inside it. */
  between(from: State, target: number, area: Area): State[] {
    return this.#byLevels(from, target, area, this.#reached.coarsest(area.along));
  }

  /** The same by moves that begin at `level` or below. */
  #byLevels(from: State, target: number, area: Area, level: number): State[] {
    const reached = this.#reached;
    const { store } = reached;
    const held: Root[] = [];
    const hold = (set: number) => held[held.push(store.hold(set)) - 1]!;
    try {
      const goal = hold(target);
      const direct = this.#inFewNodes(from, goal.node, area, level);
      if (direct !== undefined) return direct;
      // The first levels may have no part in it.
      let at = level;
      let leading = reached.leadingBelow(goal.node, area, at + 1);
      while (store.contains(leading, from)) leading = reached.leadingBelow(goal.node, area, ++at + 1);
      // From a layer moves below this level lead to its exits, and a move that begins at it from them to the next layer.
      const layers = [{ exits: goal, all: hold(leading) }];
      if (at > level) {
        const path = this.#inFewNodes(from, goal.node, area, at);
        if (path !== undefined) return path;
      }
      const moves = reached.movesAt(area.along, at);
      const seen = hold(layers[0]!.all.node);
      while (!store.contains(layers.at(-1)!.all.node, from)) {
        store.checkTime();
        reached.collectIfFull();
        const exits = hold(store.minus(reached.before(area.within, layers.at(-1)!.all.node, moves), seen.node));
        if (exits.node === EMPTY) throw new Error("a state is not reachable from where it was judged to be");
        const all = hold(reached.leadingBelow(exits.node, area, at + 1));
        all.node = store.minus(all.node, seen.node);
        seen.node = store.union(seen.node, all.node);
        layers.push({ exits, all });
      }
      seen.node = EMPTY;
      const path: State[] = [];
      for (let state = from; ; ) {
        const { exits, all } = layers.pop()!;
        all.node = EMPTY;
        for (const passed of this.#byLevels(state, exits.node, area, at + 1)) path.push(passed);
        const next = layers.at(-1);
        if (next === undefined) return path;
        state = this.#next(path.at(-1)!, next.all.node, moves);
      }
    } finally {
      for (const root of held) store.release(root);
    }
  }

  /** A shortest path by moves that begin at `level` or below, if small rings suffice to find it. */
  #inFewNodes(from: State, target: number, { within, along }: Area, level: number): State[] | undefined {
    const reached = this.#reached;
    const rings = new Rings(reached, reached.store.vector(from), { within, along: reached.movesFrom(along, level) });
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

/**
 * What `search` finds by rings, in a part of the time left; undefined if the budget does not suffice.
 *
 * @param give Lets go of the rings.
 */
export function withRings<T>(reached: ReachableStates, search: () => T, give: () => void): T | undefined {
  try {
    return reached.store.inTime(TIME_FOR_RINGS, search);
  } catch (e) {
    if (!(e instanceof BudgetExhausted)) throw e;
    give();
    reached.recover();
    reached.store.checkTime();
    reached.store.collect();
    return undefined;
  }
}
