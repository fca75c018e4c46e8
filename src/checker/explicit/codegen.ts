/**
 * The search of one transition system as generated JavaScript, specialised to its code and its number of words.
 *
 * The generated module owns nothing: states, links and the hash table are typed arrays given to it by `bind`, which
 * the host calls again when it has made them larger. One function per thread (or several, when a thread has many
 * locations: V8 does not optimise functions of more than 60 KB of bytecode) holds a switch over the thread's
 * locations and writes the successors into a small buffer. The buffer is looked up in the table in passes, so that
 * the cache misses of many successors overlap, and inserted in order, so that the order stays breadth-first.
 */
import type { SysExpr, TransitionSystem } from "../../spec/transition-system.ts";
import { GROUP } from "../liveness/fair-graph.ts";
import type { Orbit } from "../symmetry.ts";
import { isHandler } from "../waiting.ts";
import { canonicalCode } from "./canonical-code.ts";
import { CodeWriter, Outlined, type Scope } from "./expression-code.ts";
import { type Layout, maskOf } from "./layout.ts";
import { BURST, hashCode, RECENT, tableCode } from "./table-code.ts";

/** Threads and goals per mask word. */
export { GROUP };

/**
 * Characters of the generated text of one function, for states passed as arguments and for wider ones, whose code
 * has up to 1.6 bytes of bytecode a character; below V8's limit, which a test measures.
 */
const CHUNK_TEXT = 40_000;
const WIDE_CHUNK_TEXT = 30_000;
/** Characters of a branch within a function. */
const BRANCH_TEXT = 12_000;
const CHUNK_LOCATIONS = 96;
/** States of up to this many words are passed to the thread functions as arguments. */
const ARGUMENT_WORDS = 4;

export interface Question {
  /** Property number -> expression. */
  readonly invariants: readonly SysExpr[];
  readonly atRest: readonly SysExpr[];
  readonly goals: readonly SysExpr[];
  /** Keep, for each state, who can move in it and which goals it satisfies. */
  readonly masks: boolean;
  /** Threads whose permutations are factored out. */
  readonly orbits: readonly Orbit[];
  /** Per thread and location: its step runs at once after the one before it. */
  readonly internal?: readonly (readonly boolean[])[];
  /** Keep the graph: every edge, who can move in each state, and which of these hold in it. Absent: it is not kept. */
  readonly kept?: readonly SysExpr[] | undefined;
  /** Characters a branch of generated code may have within a function; absent: what suits V8. */
  readonly branchText?: number | undefined;
  /** Store of each state only a hash of 64 bits, in `states`, and in full only those of the frontier. Without `kept`, `parts`, `masks`. */
  readonly fingerprints?: boolean | undefined;
  /** For a search of one part of the states (`PartSearch`); `parents`: each keeps the number of its parent. */
  readonly parts?: { readonly parents: boolean } | undefined;
}

/** The tables. A table slot is 0 or the number of a state plus 1. */
export interface Tables {
  /** States there is room for. */
  readonly room: number;
  readonly states: Int32Array;
  /**
   * In a part of a divided search, the parent's number, or its complement for an optional transition; or nothing.
   * Elsewhere, per state, twice the number of states first found from it, plus 1 if it was itself found by an optional
   * transition. Since states are numbered in order of discovery, the states found from one state are a range, and this
   * is enough to find every state's parent.
   */
  readonly links: CountArray;
  readonly table: Int32Array;
  /** Per group of threads and goals, per state. */
  readonly masks: readonly MaskArray[];
  /** Present where the graph is kept. */
  readonly graph?: GraphTables | undefined;
}

/** The graph as it is kept: the edges out of a state are those from `first` of it to `first` of the next one. */
export interface GraphTables {
  readonly first: Int32Array;
  /** Per state, bit k: expression k of those kept holds. */
  readonly truths: MaskArray;
  /** Per group of threads, per state: who has a live move. */
  readonly live: readonly MaskArray[];
  readonly target: Int32Array;
  readonly thread: Uint8Array;
}

export type CountArray = Uint8Array | Uint16Array | Int32Array;
export type MaskArray = CountArray;

export interface Hooks {
  /** Called once per finding: the first state that has a transition with it. */
  found(finding: number, state: number): void;
  /** Called once per invariant. */
  broken(invariant: number, state: number): void;
  /** Called once per property: a state at rest that violates it. */
  restBroken(property: number, state: number): void;
  /** Called once: a state without live moves in which a thread is blocked. */
  stuck(state: number): void;
  /** Makes room for so many states, and for so many edges where they are kept; false: no memory. */
  grow(states: number, edges: number): boolean;
}

export interface Search {
  bind(tables: Tables): void;
  /** Inserts a packed state; its number, or the number it has. */
  root(words: Int32Array): number;
  /** The number of a packed state, or of one that renamings make of it; -1 if it was not found. */
  find(words: Int32Array): number;
  /** Expands up to `states` states of the current level; true unless out of memory. */
  run(states: number): boolean;
  next(): number;
  count(): number;
  transitions(): number;
  setLevelEnd(end: number): void;
  /** Takes up a search whose states are in the tables already; `rehash` must follow. */
  restore(count: number, next: number, transitions: number): void;
  /** Adds the successors of a state to the buffer; true when it must be resolved. */
  gather(state: number): boolean;
  /** Looks the buffered successors up; how many there are. Their numbers are then in `numbers`. */
  resolve(): number;
  readonly numbers: Int32Array;
  /** Fires one state alone: how many successors it has. Their numbers are in `numbers`, who moved in `movers`. */
  edges(state: number): number;
  readonly movers: Uint8Array;
  /** Threads of a group that had a live transition in the state fired last. */
  live(group: number): number;
  /** Edges kept. */
  kept(): number;
  /**
   * The packed states inside the transitions of the state fired last by `edges`, in order, and per state the number of
   * its transition; they are noted from when `noteInside` is first called.
   */
  readonly inside: { readonly words: number[]; readonly edge: number[] };
  noteInside(): void;
  /** Threads of each group that have a live transition in a packed state. */
  liveIn(words: ArrayLike<number>, at: number): number[];
  /** The state whose successor the i-th of them is; its complement for an optional transition. */
  sourceOf(i: number): number;
  /** With symmetry: the number of the permutation that made the i-th successor canonical, or -1. */
  readonly permutations: Float64Array;
  /** Makes a packed state canonical in place; the number of the permutation, or -1. */
  canonical(words: Int32Array): number;
  /** Thread -> thread, as a permutation of this number renamed; undefined for -1. Numbers are this search's own. */
  renaming(permutation: number): readonly number[] | undefined;
  /** Whether a live transition into the error state was met since this was last asked. */
  errorMet(): boolean;
  /** Threads of a group that are blocked in a state unless they can move. */
  blocked(group: number, state: number): number;
  /** Puts all states into a new table. */
  rehash(): void;
  readonly marks: Uint8Array;
  readonly errors: Float64Array;
}

/** Where a part of a divided search stands among the others. */
export interface Division {
  readonly parts: number;
  /** Bits of a state's number that name its part; above them is its index within the part. */
  readonly bits: number;
  /** The part whose states this search expands. */
  readonly own: number;
  /** Per part, where successors that belong to it are put; the own one is emptied at once. */
  readonly outboxes: readonly Int32Array[];
}

/**
 * The search of one part of the states: those whose hash says so. Successors that belong to other parts are put into
 * outboxes. What it tells the hooks, and `next`, `count` and `setLevelEnd`, are indices within the part; all other
 * numbers of states name the part too, as `Division` says.
 */
export interface PartSearch
  extends Omit<Search, "run" | "root" | "edges" | "movers" | "live" | "liveIn" | "inside" | "noteInside" | "kept"> {
  divide(division: Division): void;
  /** The tables of all parts, to look in. */
  see(parts: readonly Pick<Tables, "states" | "table">[]): void;
  /** The part of a packed state. A call of `adopt` may follow, to insert it here; it must not be here yet. */
  partOf(words: Int32Array, at: number): number;
  /** `parent`: its number, or the complement of that for an optional transition. Room must be there. */
  adopt(parent: number): void;
  /** Expands states of the current level until about so many successors have been found. Room must be there. */
  expand(successors: number): void;
  /** Elements filled of each outbox; to be set back by who empties it. */
  readonly filled: Int32Array;
  /** Inserts what is in the first `length` elements of another part's outbox. Room must be there. */
  absorb(outbox: Int32Array, length: number): void;
  /** Calls the hooks for everything that is found in one state, whatever they were called for before. */
  examine(state: number): void;
}

export interface Generated {
  /** Most successors a state can have. */
  readonly most: number;
  /** Most successors that the buffer holds. */
  readonly capacity: number;
  readonly text: string;
  readonly groups: number;
  /** Bits of a group that stand for something. */
  readonly groupMasks: readonly number[];
  create(hooks: Hooks): Search;
}

/** A search that stores fingerprints: of a state that has been expanded, the words are forgotten. */
export interface FingerprintSearch extends Search {
  /** The frontier's states in full, from number `base` on: a larger array, with what the last one had. */
  widen(frontier: Int32Array): void;
  base(): number;
  /** Forgets what has been expanded. To be called at the end of a level. */
  advance(): void;
  /** Whether packed words have the fingerprint of a state. */
  isState(words: Int32Array, state: number): boolean;
  /** Threads of a group that are blocked in a packed state unless they can move. */
  blockedIn(group: number, words: Int32Array): number;
}

/** Makes a search of generated text, in whatever thread it has come to. */
export function compile<S extends Search | PartSearch>(text: string, hooks: Hooks): S {
  return new Function("hooks", text)(hooks) as S;
}

function range(n: number): number[] {
  return Array.from({ length: n }, (_, k) => k);
}

/** Most successors a state can have. */
function mostSuccessors(system: TransitionSystem): number {
  const leaves = (
    code: TransitionSystem["programs"][number]["locations"][number]["actions"][number]["code"],
  ): number => {
    const end = code.end;
    if (end.k === "if") return Math.max(leaves(end.then), leaves(end.else));
    if (end.k === "choose") return end.ways.reduce((sum, way) => sum + leaves(way.code), 0);
    return 1;
  };
  return system.threads.reduce((sum, thread) => {
    const perLocation = system.programs[thread.program]!.locations.map((l) =>
      l.actions.reduce((n, a) => n + leaves(a.code), 0),
    );
    return sum + Math.max(0, ...perLocation);
  }, 0);
}

export function generate(system: TransitionSystem, layout: Layout, question: Question): Generated {
  const W = layout.words;
  const stride = W + 1;
  const asArguments = W <= ARGUMENT_WORDS;
  const wordNames = range(W).map((k) => `w${k}`);
  const head = asArguments ? wordNames.join(",") : "p";
  const threads = system.threads.length;
  const bitsTotal = threads + question.goals.length;
  const groups = Math.max(1, Math.ceil(bitsTotal / GROUP));
  const groupMasks = range(groups).map((g) => maskOf(Math.min(GROUP, bitsTotal - g * GROUP)));
  const internal = question.internal ?? [];
  const { parts, fingerprints = false } = question;
  const out: string[] = [];
  const outlined = new Outlined(question.branchText ?? BRANCH_TEXT);
  const chunkText = asArguments ? CHUNK_TEXT : WIDE_CHUNK_TEXT;

  /** The text of a function over one state; `body` may use the words it asks of the writer. */
  const overState = (name: string, params: string, body: (writer: CodeWriter) => void): string => {
    const writer = new CodeWriter(layout);
    body(writer);
    const words = asArguments ? "" : declare(writer);
    return `function ${name}(${params}){${words}${writer.out.join("")}}`;
  };
  const declare = (writer: CodeWriter, from = "S"): string =>
    writer.used.size === 0 ? "" : `const ${[...writer.used].map((k) => `w${k}=${from}[p+${k}]`).join(",")};`;

  const emit =
    (writer: CodeWriter, thread: number, inner: boolean) => (scope: Scope, optional: boolean, error: number) => {
      const group = Math.floor(thread / GROUP);
      if (inner && error >= 0) {
        writer.out.push("failed=1;");
        return;
      }
      const live = inner || optional ? "" : `L${group}|=${1 << (thread % GROUP)};`;
      if (error >= 0) {
        // Who examines one state again wants to be told again.
        const first = parts === undefined ? `if(X[${error}]++===0)` : `X[${error}]++;`;
        writer.out.push(`${first}found(${error},c);${optional ? "" : "Z=1;"}${live}`);
        return;
      }
      const text: string[] = [];
      if (asArguments || W <= 8) {
        for (const k of range(W)) text.push(`B[n${k ? `+${k}` : ""}]=${writer.word(scope, k)};`);
      } else {
        text.push(`for(let k=0;k<${W};k++)B[n+k]=${inner ? "B" : "S"}[p+k];`);
        for (const k of range(W)) if (writer.changed(scope, k)) text.push(`B[n+${k}]=${writer.word(scope, k)};`);
      }
      text.push(`B[n+${W}]=${optional && !inner ? "~c" : "c"};n+=${stride};${live}`);
      writer.out.push(text.join(""));
    };

  // Thread functions.
  const calls: { busy: string[]; idle: string[] } = { busy: [], idle: [] };
  /** The same calls, each followed by a note of whose successors have been added. */
  const noted: { busy: string[]; idle: string[] } = { busy: [], idle: [] };
  system.threads.forEach((thread, t) => {
    const program = system.programs[thread.program]!;
    const inside = internal[t]?.some((x) => x) ?? false;
    // The inner function runs internal steps on the successors in the buffer.
    for (const kind of ["busy", "idle", ...(inside ? ["inner"] : [])] as const) {
      const inner = kind === "inner";
      const idle = kind === "idle";
      const cases: { location: number; text: string }[] = [];
      program.locations.forEach((location, l) => {
        if (inner && !internal[t]![l]) return;
        const writer = new CodeWriter(layout, outlined);
        if (question.masks && kind === "busy" && location.ended) {
          writer.out.push(`E${Math.floor(t / GROUP)}|=${1 << (t % GROUP)};`);
        }
        for (const action of location.actions) {
          if (action.idle !== idle) continue;
          const scope = writer.scope(t, l);
          const guard = action.guard === undefined ? "true" : writer.bool(scope, action.guard);
          if (guard === "false") continue;
          writer.out.push(guard === "true" ? "{" : `if(${guard}){`);
          writer.branch(scope, action.code, action.optional, emit(writer, t, inner), location.actions.length);
          writer.out.push("}");
        }
        if (writer.out.length === 0) return;
        const words = asArguments ? "" : declare(writer, inner ? "B" : "S");
        cases.push({ location: l, text: `case ${l}:{${words}${writer.out.join("")}break;}` });
      });
      if (cases.length === 0) {
        if (inner) out.push(`function settle${t}(y,n){return n;}`);
        continue;
      }
      const chunks: { first: number; text: string[] }[] = [];
      let size = Number.POSITIVE_INFINITY;
      for (const { location, text } of cases) {
        const current = chunks.at(-1);
        if (current === undefined || size + text.length > chunkText || current.text.length >= CHUNK_LOCATIONS) {
          chunks.push({ first: location, text: [text] });
          size = text.length;
        } else {
          current.text.push(text);
          size += text.length;
        }
      }
      const name = `${inner ? "s" : idle ? "i" : "t"}${t}`;
      chunks.forEach((chunk, k) => {
        out.push(`function ${name}_${k}(n,c,pc,${head}){switch(pc){${chunk.text.join("\n")}}return n;}`);
      });
      const pc = pcText(layout, t, asArguments);
      let dispatch = `${name}_0(n,c,q,${head})`;
      chunks.forEach((chunk, k) => {
        if (k > 0) dispatch = `q>=${chunk.first}?${name}_${k}(n,c,q,${head}):${dispatch}`;
      });
      if (inner) {
        const at = layout.pcs[t]!;
        const pcOf = at.bits === 0 ? "0" : `(B[y+${at.word}]>>>${at.shift})&${maskOf(at.bits)}`;
        const args = asArguments ? wordNames.map((_, k) => `B[y+${k}]`).join(",") : "y";
        const dispatched = dispatch.replaceAll(`(n,c,q,${head})`, `(n,B[y+${W}],q,${args})`);
        const flags = internal[t]!.map((x) => (x ? 1 : 0)).join();
        // One successor and no error, or the thread is left in front of the step.
        out.push(
          `const N${t}=new Uint8Array([${flags}]);function settle${t}(y,n){while(y<n){const q=${pcOf};` +
            `if(N${t}[q]===0){y+=${stride};continue;}const e=n;failed=0;n=${dispatched};` +
            `if(failed===1||n!==e+${stride}){n=e;y+=${stride};continue;}n=e;` +
            `if(noting){inside.edge.push(y/${stride});for(let k=0;k<${W};k++)inside.words.push(B[y+k]);}` +
            `for(let k=0;k<${W};k++)B[y+k]=B[n+k];}return n;}`,
        );
        return;
      }
      const settle = inside ? `n=settle${t}(m,n);` : "";
      const call = `{const q=${pc}${inside ? ",m=n" : ""};n=${dispatch};${settle}}`;
      (idle ? calls.idle : calls.busy).push(call);
      (idle ? noted.idle : noted.busy).push(`${call}for(;v<n;v+=${stride})movers[w++]=${t};`);
    }
  });

  // Who is blocked, if he cannot move.
  system.threads.forEach((thread, t) => {
    out.push(
      overState(`b${t}`, head, (writer) => {
        if (thread.kind === "environment" || thread.kind === "device") {
          writer.out.push("return 0;");
          return;
        }
        const scope = writer.scope(-1, -1);
        if (thread.keptOff) {
          const test = writer.bool(scope, thread.keptOff);
          if (test !== "false") writer.out.push(`if(${test})return 0;`);
        }
        const pc = writer.read(scope, layout.pcs[t]!);
        writer.out.push(`switch(${pc}){`);
        system.programs[thread.program]!.locations.forEach((location, l) => {
          if (location.ended || (isHandler(thread) && l === thread.initialLocation)) {
            writer.out.push(`case ${l}:return 0;`);
          } else if (location.wait?.resting !== undefined) {
            writer.out.push(`case ${l}:{`);
            const test = writer.bool(writer.scope(t, l), location.wait.resting);
            writer.out.push(`return ${test}?0:1;}`);
          }
        });
        writer.out.push("}return 1;");
      }),
    );
  });
  range(groups).forEach((g) => {
    const terms = range(threads)
      .filter((t) => Math.floor(t / GROUP) === g)
      .map((t) => `b${t}(${head})<<${t % GROUP}`);
    out.push(`function blocked${g}(${head}){return ${terms.join("|") || "0"};}`);
  });

  // Who rests, if he cannot move: that rescues a blocked thread as a move does.
  const canRest = system.threads.map((thread) => {
    const { locations } = system.programs[thread.program]!;
    return locations.some(
      (l, k) => l.wait?.resting !== undefined && !(isHandler(thread) && k === thread.initialLocation),
    );
  });
  system.threads.forEach((thread, t) => {
    if (!canRest[t]) return;
    out.push(
      overState(`r${t}`, head, (writer) => {
        if (thread.keptOff) {
          const test = writer.bool(writer.scope(-1, -1), thread.keptOff);
          if (test !== "false") writer.out.push(`if(${test})return 0;`);
        }
        writer.out.push(`switch(${writer.read(writer.scope(-1, -1), layout.pcs[t]!)}){`);
        system.programs[thread.program]!.locations.forEach((location, l) => {
          if (location.wait?.resting === undefined || (isHandler(thread) && l === thread.initialLocation)) return;
          writer.out.push(`case ${l}:{`);
          const test = writer.bool(writer.scope(t, l), location.wait.resting);
          writer.out.push(`return ${test}?1:0;}`);
        });
        writer.out.push("}return 0;");
      }),
    );
  });
  const resting = (g: number): string =>
    range(threads)
      .filter((t) => canRest[t] && Math.floor(t / GROUP) === g)
      .map((t) => `|r${t}(${head})<<${t % GROUP}`)
      .join("");

  const predicate = (name: string, expr: SysExpr): void => {
    out.push(
      overState(name, head, (writer) => {
        const text = writer.bool(writer.scope(-1, -1), expr);
        writer.out.push(`return ${text};`);
      }),
    );
  };
  question.invariants.forEach((expr, k) => {
    predicate(`inv${k}`, expr);
  });
  question.atRest.forEach((expr, k) => {
    predicate(`rest${k}`, expr);
  });
  question.goals.forEach((expr, k) => {
    predicate(`goal${k}`, expr);
  });

  const groupList = range(groups);

  // One state.
  const row = fingerprints ? `(c-base)*${W}` : `c*${W}`;
  const fetch = asArguments
    ? `const o=${row};const ${wordNames.map((w, k) => `${w}=S[o+${k}]`).join(",")};`
    : `const p=${row};`;
  const noneLive = range(groups)
    .map((g) => `L${g}===0`)
    .join("&&");
  const anyBlocked = range(groups)
    .map((g) => `blocked${g}(${head})!==0`)
    .join("||");
  const zero = range(groups)
    .map((g) => `L${g}=0;${question.masks ? `E${g}=${environmentBits(system, g)};` : ""}`)
    .join("");
  const idle = calls.idle.length > 0 ? `if(${noneLive}){${calls.idle.join("")}}` : "";
  out.push(`function fire(n,c){${fetch}${zero}${calls.busy.join("")}${idle}return n;}`);
  const masks = question.masks
    ? range(groups)
        .map((g) => {
          const goals = question.goals
            .map((_, k) => ({ k, bit: threads + k }))
            .filter(({ bit }) => Math.floor(bit / GROUP) === g)
            .map(({ k, bit }) => `|(goal${k}(${head})?${1 << (bit % GROUP)}:0)`);
          return `A${g}[c]=L${g}|E${g}${resting(g)}${goals.join("")};`;
        })
        .join("")
    : "";
  const kept = question.kept !== undefined;
  (question.kept ?? []).forEach((expr, k) => {
    predicate(`kept${k}`, expr);
  });
  const truths = (question.kept ?? []).map((_, k) => `(kept${k}(${head})?${1 << k}:0)`).join("|") || "0";
  const live = range(groups)
    .map((g) => `U${g}[c]=L${g};`)
    .join("");
  const invariants = question.invariants.map((_, k) => `if(!inv${k}(${head}))broken(${k},c);`).join("");
  const rest = question.atRest.map((_, k) => `if(!rest${k}(${head}))restBroken(${k},c);`).join("");
  const notedIdle = noted.idle.length > 0 ? `if(${noneLive}){${noted.idle.join("")}}` : "";
  const all = kept
    ? `let v=n,w=n/${stride}|0;${noted.busy.join("")}${notedIdle}${live}Q[c]=${truths};`
    : `${calls.busy.join("")}${idle}`;
  out.push(
    `function expand(n,c){${fetch}${zero}${all}${masks}${invariants}` +
      `if(${noneLive}){if(${anyBlocked})stuck(c);${rest ? `else{${rest}}` : ""}}return n;}`,
  );

  const most = mostSuccessors(system);
  // Twice: the successors themselves, and those of one of them.
  const capacity = BURST + 2 * most + 1;
  const symmetric = question.orbits.length > 0;
  out.push("const renamings=[];");
  if (symmetric) out.push(canonicalCode(system, layout, question.orbits));
  out.push(...tableCode({ words: W, symmetric, kept, fingerprints }, parts));
  const blockedOf = groupList.map((g) => `case ${g}:return blocked${g}(${asArguments ? head : "p"});`).join("");
  out.push(
    `function blockedHere(g,c){${fetch}switch(g){${blockedOf}}return 0;}`,
    `function resolve(){const k=lookup(gathered);gathered=0;return k;}`,
    `function sourceOf(i){return B[i*${stride}+${W}];}`,
    "function errorMet(){const z=Z;Z=0;return z===1;}",
    `function canonical(w){for(let k=0;k<${W};k++)B[k]=w[k];const moved=${symmetric ? "canon(0)" : "false"};` +
      `for(let k=0;k<${W};k++)w[k]=B[k];return moved?${symmetric ? "numbered()" : "-1"}:-1;}`,
  );
  const common =
    "bind,rehash,gather,resolve,sourceOf,numbers:R,permutations:G,canonical,renaming:(k)=>renamings[k],errorMet,blocked,next:()=>next," +
    "count:()=>count,transitions:()=>sum,setLevelEnd(e){levelEnd=e;},restore(c,n,t){count=c;next=n;sum=t;},marks:K,errors:X";
  let own: string;
  if (parts === undefined) {
    const burst = BURST * stride;
    out.push(
      "function run(states){let left=states;while(left>0&&next<levelEnd){" +
        `if((count+${capacity}>room${kept ? `||kept+${capacity}>J.length` : ""}${
          fingerprints ? `||(count+${capacity}-base)*${W}>S.length` : ""
        })&&!grow(count+${capacity},kept+${capacity}))return false;` +
        `let n=0,c=next;const end=min(levelEnd,c+left);left+=c;` +
        (kept
          ? `while(c<end&&n<${burst}){n=expand(n,c++);I[c]=kept+(n/${stride}|0);}left-=c;next=c;insert(n);` +
            `for(let k=0,z=n/${stride}|0;k<z;k++){J[kept]=R[k];Y[kept++]=movers[k];}}return true;}`
          : `while(c<end&&n<${burst})n=expand(n,c++);left-=c;next=c;insert(n);}return true;}`),
      `function edges(c){${fetch}${zero}inside.edge.length=inside.words.length=0;let n=0,v=0,w=0;${noted.busy.join("")}${notedIdle}return lookup(n);}`,
      // The place after the last state is always free.
      `function liveIn(x,y){for(let k=0;k<${W};k++)S[count*${W}+k]=x[y+k];const was=noting;noting=false;fire(0,count);noting=was;return [${groupList
        .map((g) => `L${g}`)
        .join()}];}`,
      `function live(g){switch(g){${groupList.map((g) => `case ${g}:return L${g};`).join("")}}return 0;}`,
      `function gather(c){gathered=fire(gathered,c);return gathered>=${burst};}`,
      `function find(w){for(let k=0;k<${W};k++)B[k]=w[k];lookup(${stride});return R[0];}`,
      `function root(w){for(let k=0;k<${W};k++)B[k]=w[k];B[${W}]=0;insert(${stride});sum=0;P[0]=0;return lookup(${stride}),R[0];}`,
      "const blocked=blockedHere;",
    );
    if (fingerprints) {
      const first = `const b=B,q=0;for(let k=0;k<${W};k++)b[k]=w[k];`;
      out.push(
        "function widen(x){S=x;}",
        `function advance(){S.copyWithin(0,(next-base)*${W},(count-base)*${W});base=next;}`,
        `function isState(w,c){${first}${hashCode(W)}return FP[2*c]===h&&FP[2*c+1]===g;}`,
        "function blockedIn(k,w){const mine=S,from=base;S=w;base=0;const found=blockedHere(k,0);S=mine;base=from;return found;}",
      );
    }
    own = "root,find,run,edges,live,liveIn,inside,noteInside(){noting=true;},kept:()=>kept,movers";
    if (fingerprints) own += ",widen,advance,isState,blockedIn,base:()=>base";
  } else {
    out.push(
      "function expandPart(successors){let left=successors;while(left>0&&next<levelEnd){" +
        `let n=0,c=next;const end=min(levelEnd,c+left);left+=c;while(c<end&&n<${BURST * stride})n=expand(n,c++);` +
        `left-=c+n/${stride};next=c;sum+=n/${stride};route(n);absorb(outs[own],filled[own]);filled[own]=0;}}`,
      `function gather(g){const mine=S;S=SS[g&low];let q=gathered+${W};gathered=fire(gathered,g>>>bits);S=mine;` +
        `for(const b=B;q<gathered;q+=${stride})b[q]=b[q]<0?~g:g;return gathered>=${BURST * stride};}`,
      "function examine(g){F.fill(0);const mine=S;S=SS[g&low];expand(0,g>>>bits);S=mine;}",
      "function blocked(k,g){const mine=S;S=SS[g&low];const found=blockedHere(k,g>>>bits);S=mine;return found;}",
    );
    own = "divide,see,partOf,adopt,expand:expandPart,filled,absorb,examine";
  }
  const module = [
    // Under a test runner every look at a global is slow.
    '"use strict";const {imul,min,floor}=Math;',
    "let S,FP,P,T,I,Q,J,Y,base=0,count=0,next=0,levelEnd=0,room=0,sum=0,kept=0,Z=0,new_=0,touched=0,gathered=0,failed=0,noting=false;",
    "const inside={words:[],edge:[]};",
    `let ${groupList.map((g) => `A${g},U${g},L${g}=0,E${g}=0`).join(",")};`,
    `const movers=new Uint8Array(${capacity}),B=new Int32Array(${capacity * stride}),H=new Int32Array(${capacity}),R=new Int32Array(${capacity}),G=new Float64Array(${symmetric ? capacity : 1}).fill(-1),O=new Int32Array(${capacity}),H2=new Int32Array(${fingerprints ? capacity : 0}),D=new Int32Array(${RECENT});`,
    `const K=new Uint8Array(${Math.max(1, system.marks.length)}),F=new Uint8Array(${Math.max(1, system.findings.length)}),` +
      `X=new Float64Array(${Math.max(1, system.findings.length)});`,
    "const {found:foundHook,broken,restBroken,stuck,grow}=hooks;",
    "function found(f,c){if(F[f]===0){F[f]=1;foundHook(f,c<0?~c:c);}}",
    ...out,
    ...outlined.functions,
    `function bind(x){${fingerprints ? "FP" : "S"}=x.states;P=x.links;T=x.table;${groupList.map((g) => `A${g}=x.masks[${g}];`).join("")}` +
      (kept
        ? `I=x.graph.first;Q=x.graph.truths;J=x.graph.target;Y=x.graph.thread;${groupList.map((g) => `U${g}=x.graph.live[${g}];`).join("")}`
        : "") +
      `room=x.room;}`,
    `return {${own},${common}};`,
  ].join("\n");
  return { text: module, most, capacity, groups, groupMasks, create: (hooks) => compile(module, hooks) };
}

/** Share of the table that may be filled. */
export const LOAD = 0.72;

/** Threads never asked about: environments and devices are never blocked. */
function environmentBits(system: TransitionSystem, group: number): number {
  let bits = 0;
  system.threads.forEach((thread, t) => {
    const never = thread.kind === "environment" || thread.kind === "device";
    if (never && Math.floor(t / GROUP) === group) bits |= 1 << (t % GROUP);
  });
  return bits;
}

function pcText(layout: Layout, thread: number, asArguments: boolean): string {
  const field = layout.pcs[thread]!;
  if (field.bits === 0) return "0";
  const word = asArguments ? `w${field.word}` : `S[p+${field.word}]`;
  return `(${word}>>>${field.shift})&${maskOf(field.bits)}`;
}
