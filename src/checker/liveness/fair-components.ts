/**
 * The strongly connected components of graph and automaton that hold a fair accepted run.
 *
 * A run settles in one strongly connected part of the automaton, so components are looked for in one part at a time, and
 * only in parts that hold all acceptance sets: for most formulas that is a single node, read at few of the states. They
 * are found by Tarjan's algorithm (1972) and judged against all acceptance sets and fairness conditions at once, on the
 * union of what lies inside: fairness costs no copies of the graph. Weak conditions only ask that something lies inside. A
 * strong condition that a component enables and never serves is mended by taking out what enables it, and looking again
 * (Streett emptiness; Emerson and Lei, "Modalities for model checking", 1987).
 *
 * In a graph of orbits a thread may come back to a state in another's place. What matters is what happens to each
 * thread, wherever it is: pairs of a state and a place in it are put into one class if a thread can come from one to the
 * other (Emerson and Sistla, "Utilizing symmetry when model checking under fairness assumptions", 1995). In a component
 * classes are again strongly connected, since going round often enough undoes every renaming. A thread is never in more
 * than one class, so each class must hold what fairness asks of a thread.
 */
import { IntList } from "../int-list.ts";
import type { Automaton } from "./buchi.ts";
import { type FairGraph, type FairnessConditions, GROUP, isEnabled, isStill } from "./fair-graph.ts";

/** A strongly connected part of an automaton, in which all acceptance sets can be visited. */
interface Part {
  /** Numbers of its nodes in the automaton. */
  readonly nodes: readonly number[];
  /** Per node of the part, its successors in the part, as numbers within the part. */
  readonly successors: readonly Int32Array[];
}

/** A component: states with the automaton nodes they are read at. */
export interface FairComponent {
  readonly states: Int32Array;
  readonly nodes: Int32Array;
}

// Under a test runner every look at a global is slow.
const { floor } = Math;

/** States between two looks at the clock, less 1. */
const PATIENCE = (1 << 16) - 1;

/** Not to be visited (again). Components being judged have smaller marks. */
const DONE = -1;

/** The components in which a fair accepted run can go on for ever, whether or not one leads there. */
export function* fairComponents(
  graph: FairGraph,
  automaton: Automaton,
  fairness: FairnessConditions,
): Generator<FairComponent> {
  for (const part of acceptingParts(automaton)) yield* new Components(graph, automaton, part, fairness).all();
}

/** The parts in one of which every accepted run settles. */
export function acceptingParts(automaton: Automaton): Part[] {
  const { nodes, sets } = automaton;
  // Warshall's closure: automata are small.
  const reaches = nodes.map((n) => nodes.map((_, q) => n.successors.includes(q)));
  for (const k of nodes.keys()) {
    for (const row of reaches) if (row[k]) for (const q of nodes.keys()) row[q] ||= reaches[k]![q]!;
  }
  const parts: Part[] = [];
  nodes.forEach((_, q) => {
    if (!reaches[q]![q] || parts.some((p) => p.nodes.includes(q))) return;
    const members = [...nodes.keys()].filter((r) => r === q || (reaches[q]![r] && reaches[r]![q]));
    const accepting = members.reduce((mask, r) => mask | nodes[r]!.accepting, 0);
    if (accepting !== (1 << sets) - 1) return;
    const successors = members.map((r) =>
      Int32Array.from(nodes[r]!.successors.map((x) => members.indexOf(x)).filter((x) => x >= 0)),
    );
    parts.push({ nodes: members, successors });
  });
  return parts;
}

/** What judging a component says: a fair run lies in it, none does, or none unless something is taken out. */
type Judgement = "fair" | "empty" | { readonly kept: Int32Array };

class Components {
  readonly #graph: FairGraph;
  readonly #automaton: Automaton;
  readonly #part: Part;
  readonly #fairness: FairnessConditions;
  readonly #size: number;
  /** Per state and node of the part (state * size + node): 0 to be visited, positive on the stack, negative done. */
  readonly #index: Int32Array;
  /** What refinement takes out besides nodes: edges, at the node of the part they leave (edge * size + node). */
  #removed: Uint8Array | undefined;
  #mark = DONE;
  /** Position of a node in the component being judged. */
  #position: Int32Array | undefined;
  readonly #weak: Uint8Array;
  readonly #moving: Uint8Array;

  constructor(graph: FairGraph, automaton: Automaton, part: Part, fairness: FairnessConditions) {
    this.#graph = graph;
    this.#automaton = automaton;
    this.#part = part;
    this.#fairness = fairness;
    this.#size = part.nodes.length;
    this.#weak = flags(graph.threads, fairness.weak);
    this.#moving = flags(graph.threads, fairness.moving);
    const { truths, states } = graph;
    const size = this.#size;
    const index = new Int32Array(states * size);
    part.nodes.forEach((q, j) => {
      const { holds, fails } = automaton.nodes[q]!;
      if (holds === 0 && fails === 0) return;
      const mask = holds | fails;
      for (let s = 0, u = j; s < states; s++, u += size) if ((truths[s]! & mask) !== holds) index[u] = DONE;
    });
    this.#index = index;
  }

  *all(): Generator<FairComponent> {
    const work: (Int32Array | undefined)[] = [undefined];
    const refined: Int32Array[] = [];
    for (let round = work.pop(), first = true; first || round !== undefined; round = work.pop(), first = false) {
      for (const members of this.#components(round)) {
        const judgement = this.#judge(members);
        if (judgement === "fair") yield this.#component(members);
        else if (judgement !== "empty" && judgement.kept.length > 0) refined.push(judgement.kept);
      }
      // Not before the round is over: a node that is visited again must not be on the stack of another search.
      for (const kept of refined.splice(0)) {
        for (const u of kept) this.#index[u] = 0;
        work.push(kept);
      }
    }
  }

  #component(members: Int32Array): FairComponent {
    const size = this.#size;
    return {
      states: members.map((u) => floor(u / size)),
      nodes: members.map((u) => this.#part.nodes[u % size]!),
    };
  }

  /** Nontrivial components among these nodes (all, if undefined) that are to be visited; each marked while it is judged. */
  *#components(starts: Int32Array | undefined): Generator<Int32Array> {
    const { first, target, enabled } = this.#graph;
    const index = this.#index;
    const size = this.#size;
    const { successors } = this.#part;
    const only = Int32Array.from(successors, (list) => (list.length === 1 ? list[0]! : -1));
    const removed = this.#removed;
    const simple = size === 1 && removed === undefined;
    const mask = enabled.length === 1 ? enabled[0]! : undefined;
    let counter = 0;
    const stack = new IntList();
    // The path of the depth-first search: nodes, the edges they have come to, low links, and whether they have a self-loop.
    const path = new IntList();
    let position = new Int32Array(1024);
    let low = new Int32Array(1024);
    let loops = new Uint8Array(1024);
    const enter = (u: number): void => {
      if (path.length === position.length) {
        position = grown(position, new Int32Array(2 * path.length));
        low = grown(low, new Int32Array(2 * path.length));
        loops = grown(loops, new Uint8Array(2 * path.length));
      }
      const top = path.length;
      path.push(u);
      index[u] = ++counter;
      if ((counter & PATIENCE) === 0) this.#graph.checkTime?.();
      low[top] = counter;
      position[top] = 0;
      const s = size === 1 ? u : floor(u / size);
      const still = mask === undefined ? isStill(this.#graph, s) : mask[s] === 0;
      loops[top] = still && successors[u % size]!.includes(u % size) ? 1 : 0;
      if (simple) position[top] = first[s]!;
      stack.push(u);
    };
    const total = starts === undefined ? index.length : starts.length;
    for (let i = 0; i < total; i++) {
      const start = starts === undefined ? i : starts[i]!;
      if (index[start] !== 0) continue;
      enter(start);
      while (path.length > 0) {
        const top = path.length - 1;
        const u = path.data[top]!;
        let next = -1;
        if (simple) {
          const end = first[u + 1]!;
          let e = position[top]!;
          let least = low[top]!;
          for (; e < end; e++) {
            const v = target[e]!;
            const there = index[v]!;
            if (there < 0) continue;
            if (there === 0) {
              next = v;
              e++;
              break;
            }
            if (v === u) loops[top] = 1;
            else if (there < least) least = there;
          }
          low[top] = least;
          position[top] = e;
        } else {
          const s = floor(u / size);
          const j = u - s * size;
          const list = successors[j]!;
          const fan = list.length;
          const end = first[s + 1]!;
          const begin = first[s]!;
          const degree = (end - begin + (isStill(this.#graph, s) ? 1 : 0)) * fan;
          for (let p = position[top]!; p < degree; p++) {
            const e = begin + (fan === 1 ? p : floor(p / fan));
            if (removed !== undefined && e < end && removed[e * size + j] === 1) continue;
            const v = (e < end ? target[e]! : s) * size + (fan === 1 ? only[j]! : list[p % fan]!);
            const there = index[v]!;
            if (there < 0) continue;
            if (there === 0) {
              next = v;
              position[top] = p + 1;
              break;
            }
            if (v === u) loops[top] = 1;
            else if (there < low[top]!) low[top] = there;
          }
        }
        if (next >= 0) {
          enter(next);
          continue;
        }
        path.length--;
        const least = low[top]!;
        if (path.length > 0 && least < low[path.length - 1]!) low[path.length - 1] = least;
        if (least !== index[u]) continue;
        let from = stack.length;
        if (stack.data[from - 1] === u && loops[top] === 0) {
          index[u] = DONE;
          stack.length = from - 1;
          continue;
        }
        // Never the mark of an earlier component, some of whose nodes may have been taken out.
        const mark = --this.#mark;
        do index[stack.data[--from]!] = mark;
        while (stack.data[from] !== u);
        const members = stack.data.slice(from, stack.length).sort();
        stack.length = from;
        yield members;
      }
    }
  }

  #judge(members: Int32Array): Judgement {
    const size = this.#size;
    const { nodes } = this.#automaton;
    const sets = (1 << this.#automaton.sets) - 1;
    let accepting = 0;
    for (let i = 0; i < members.length && accepting !== sets; i++) {
      accepting |= nodes[this.#part.nodes[members[i]! % size]!]!.accepting;
    }
    if (accepting !== sets) return "empty";
    return this.#graph.reduced === undefined ? this.#judgePlain(members) : this.#judgeClasses(members);
  }

  /** Every edge that stays inside, as its source's place among the members, its number and its target; -1: nobody moves. */
  #inside(members: Int32Array, visit: (m: number, edge: number, target: number) => void): void {
    const { first, target } = this.#graph;
    const index = this.#index;
    const size = this.#size;
    const removed = this.#removed;
    const mark = index[members[0]!]!;
    for (let m = 0; m < members.length; m++) {
      if ((m & PATIENCE) === PATIENCE) this.#graph.checkTime?.();
      const u = members[m]!;
      const s = floor(u / size);
      const j = u % size;
      const list = this.#part.successors[j]!;
      for (let e = first[s]!; e < first[s + 1]!; e++) {
        if (removed !== undefined && removed[e * size + j] === 1) continue;
        const t = target[e]! * size;
        for (let k = 0; k < list.length; k++) if (index[t + list[k]!] === mark) visit(m, e, t + list[k]!);
      }
    }
  }

  /** Where every thread has its own place for good. */
  #judgePlain(members: Int32Array): Judgement {
    const graph = this.#graph;
    const { thread, enabled } = graph;
    const { weak, strong, moving } = this.#fairness;
    const size = this.#size;
    const moves = new Uint8Array(graph.threads);
    const served = new Uint8Array(graph.threads);
    const isStrong = flags(graph.threads, strong);
    this.#inside(members, (m, e) => {
      const t = thread[e]!;
      moves[t] = 1;
      if (isStrong[t] === 1 && served[t] === 0 && this.#wants(floor(members[m]! / size), t)) served[t] = 1;
    });
    if (moving.length > 0 && !moving.some((t) => moves[t] === 1)) return "empty";
    const always = enabled.map((masks) => {
      let all = -1;
      for (let i = 0; i < members.length; i++) all &= masks[size === 1 ? members[i]! : floor(members[i]! / size)]!;
      return all;
    });
    if (weak.some((t) => moves[t] === 0 && ((always[floor(t / GROUP)]! >>> (t % GROUP)) & 1) === 1)) return "empty";
    const starved = strong.filter((t) => served[t] === 0 && members.some((u) => this.#wants(floor(u / size), t)));
    if (starved.length === 0) return "fair";
    return { kept: members.filter((u) => !starved.some((t) => this.#wants(floor(u / size), t))) };
  }

  #wants(state: number, thread: number): boolean {
    return isEnabled(this.#graph, state, thread) && this.#graph.asksStrong(state, thread);
  }

  /** Where edges rename threads, or have states inside. */
  #judgeClasses(members: Int32Array): Judgement {
    const graph = this.#graph;
    const reduced = graph.reduced!;
    const { threads, thread } = graph;
    const size = this.#size;
    const { strong, moving } = this.#fairness;
    this.#position ??= new Int32Array(this.#index.length);
    const place = this.#position;
    members.forEach((u, m) => {
      place[u] = m;
    });
    const class_ = new Int32Array(members.length * threads);
    for (let i = 0; i < class_.length; i++) class_[i] = i;
    const root = (i: number): number => {
      let r = i;
      while (class_[r] !== r) r = class_[r] = class_[class_[r]!]!;
      return r;
    };
    const [FREE, WANTED, SERVED, MOVED] = [1, 2, 4, 8];
    const notes = new Uint8Array(class_.length);
    const isStrong = flags(threads, strong);
    for (let m = 0; m < members.length; m++) {
      const s = floor(members[m]! / size);
      for (let t = 0; t < threads; t++) {
        if (!isEnabled(graph, s, t)) notes[m * threads + t]! |= FREE;
        else if (isStrong[t] === 1 && graph.asksStrong(s, t)) notes[m * threads + t]! |= WANTED;
      }
    }
    /** Edges with a state inside in which a strongly fair thread could move. */
    const wantedInside: { edge: number; m: number; t: number }[] = [];
    let looked = -1;
    this.#inside(members, (m, e, v) => {
      const s = floor(members[m]! / size);
      if (looked !== s) {
        reduced.look(s);
        looked = s;
      }
      const k = e - graph.first[s]!;
      const mover = m * threads + thread[e]!;
      notes[mover]! |= FREE | MOVED | ((notes[mover]! & WANTED) !== 0 ? SERVED : 0);
      for (const masks of reduced.inside(k)) {
        for (let t = 0; t < threads; t++) {
          const able = ((masks[floor(t / GROUP)]! >>> (t % GROUP)) & 1) === 1;
          if (!able) notes[m * threads + t]! |= FREE;
          else if (isStrong[t] === 1 && t !== thread[e] && graph.asksStrong(s, t)) wantedInside.push({ edge: e, m, t });
        }
      }
      const map = reduced.renaming(k);
      const n = place[v]!;
      for (let t = 0; t < threads; t++) {
        const [a, b] = [root(m * threads + t), root(n * threads + (map === undefined ? t : map[t]!))];
        if (a !== b) class_[a] = b;
      }
    });
    for (const { m, t } of wantedInside) notes[m * threads + t]! |= WANTED;
    const ofClass = new Uint8Array(class_.length);
    for (let i = 0; i < notes.length; i++) ofClass[root(i)]! |= notes[i]!;
    let moved = moving.length === 0;
    const starved: number[] = [];
    for (let i = 0; i < class_.length; i++) {
      const t = i % threads;
      if ((notes[i]! & MOVED) !== 0 && this.#moving[t] === 1) moved = true;
      if (class_[i] !== i) continue;
      if (this.#weak[t] === 1 && (ofClass[i]! & FREE) === 0) return "empty";
      if ((ofClass[i]! & (WANTED | SERVED)) === WANTED) starved.push(i);
    }
    if (!moved) return "empty";
    if (starved.length === 0) return "fair";
    const isStarved = new Uint8Array(class_.length);
    for (const i of starved) isStarved[i] = 1;
    const kept = members.filter((u, m) => {
      const s = floor(u / size);
      for (const t of strong) if (isStarved[root(m * threads + t)] === 1 && this.#wants(s, t)) return false;
      return true;
    });
    for (const { edge, m, t } of wantedInside) {
      if (isStarved[root(m * threads + t)] !== 1) continue;
      this.#removed ??= new Uint8Array(graph.target.length * size);
      this.#removed[edge * size + (members[m]! % size)] = 1;
    }
    return { kept };
  }
}

function flags(length: number, list: readonly number[]): Uint8Array {
  const set = new Uint8Array(length);
  for (const t of list) set[t] = 1;
  return set;
}

function grown<T extends Int32Array | Uint8Array>(from: T, into: T): T {
  into.set(from);
  return into;
}
