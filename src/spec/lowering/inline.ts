/**
 * The control-flow graph of a thread with every call inlined: a call path has its own nodes and its own locals.
 * Values are not considered: both branches of every test are in the graph.
 */
import { ModelError } from "../model-error.ts";
import {
  type Expr,
  type FunctionDecl,
  isRemark,
  type LocalDecl,
  type Place,
  type Site,
  type Step,
  type Stmt,
  type Way,
} from "../program.ts";
import { functionNamed, type Symbols } from "./symbols.ts";

/** One call of a function on one call path. */
export interface Frame {
  readonly fn: FunctionDecl;
  /** Names of the functions on the call path, this one last. */
  readonly path: readonly string[];
  readonly caller: Frame | undefined;
  /** Indices, in the thread, of the function's locals. */
  readonly locals: ReadonlyMap<string, number>;
}

export interface InlinedLocal {
  readonly name: string;
  readonly decl: LocalDecl;
  readonly frame: Frame;
}

interface NodeBase {
  readonly id: number;
  readonly frame: Frame;
}

/** Expressions of a node are read in its `frame`. */
export type Node = NodeBase &
  (
    | { readonly k: "end" }
    /** Control passes through; every cycle has one with `head`. */
    | { readonly k: "pass"; next: Node; readonly head: boolean; readonly site: Site | undefined }
    | {
        readonly k: "step";
        readonly step: Step;
        readonly alternatives: readonly Node[];
        readonly labels: readonly string[];
      }
    | { readonly k: "branch"; readonly c: Expr; readonly then: Node; readonly else: Node; readonly site: Site }
    | { readonly k: "choose"; readonly ways: readonly Way[]; readonly entries: readonly Node[]; readonly site: Site }
    /** `to` as an index of the thread's locals, which may be one of the caller's, or a variable. */
    | { readonly k: "assign"; readonly to: Target; readonly value: Expr; readonly next: Node; readonly site: Site }
    /** A value nobody stores. */
    | { readonly k: "discard"; readonly value: Expr; readonly next: Node; readonly site: Site }
    /** Entry of a call: the callee's locals get the arguments (read in the caller's frame, which is `frame`) and 0. */
    | { readonly k: "enter"; readonly callee: Frame; readonly args: readonly Expr[]; next: Node; readonly site: Site }
    | { readonly k: "alloc"; readonly stmt: Stmt & { s: "alloc" }; readonly to: Target; readonly next: Node }
    | {
        readonly k: "do";
        readonly stmt: Stmt & { s: "deref" | "error" | "finding" | "mark" | "free" };
        readonly next: Node;
      }
  );

export type Target =
  | { readonly p: "local"; readonly l: number }
  | { readonly p: "var"; readonly v: string; readonly i?: Expr };

export interface InlinedGraph {
  readonly entry: Node;
  readonly end: Node;
  /** All nodes; `nodes[n].id` is n. */
  readonly nodes: readonly Node[];
  readonly locals: readonly InlinedLocal[];
  /** The frame of the thread's own function. */
  readonly root: Frame;
  /** Every label on some call path, and whether a step directly follows it somewhere. */
  readonly labels: ReadonlyMap<string, boolean>;
}

/** More nodes than any sensible model: the product of calls within calls has exploded. */
const NODE_LIMIT = 500_000;

type PassNode = Node & { k: "pass" };

interface Loop {
  readonly again: Node;
  readonly after: Node;
}

/** What a return does in a frame. */
interface Exit {
  readonly into: number | undefined;
  readonly next: Node;
}

type Unnumbered<T> = T extends Node ? Omit<T, "id"> : never;

class Inliner {
  private readonly symbols: Symbols;
  readonly nodes: Node[] = [];
  readonly locals: InlinedLocal[] = [];
  readonly labels = new Map<string, boolean>();
  private readonly framesOf = new Map<string, number>();

  constructor(symbols: Symbols) {
    this.symbols = symbols;
  }

  private add<T extends Node>(node: Unnumbered<T>): T {
    const numbered = { ...node, id: this.nodes.length } as unknown as T;
    if (numbered.id >= NODE_LIMIT)
      throw new ModelError(
        `Inlining the calls of ${numbered.frame.path[0]} gives more than ${NODE_LIMIT} statements. ` +
          "Repeat with a loop in the model rather than a loop that writes calls.",
        numbered.frame.fn.site,
      );
    this.nodes.push(numbered);
    return numbered;
  }

  private pass(frame: Frame, next: Node | undefined, site?: Site): PassNode {
    const node = this.add<PassNode>({
      k: "pass",
      frame,
      head: site !== undefined,
      site,
      next: next as Node,
    });
    return node;
  }

  frame(fn: FunctionDecl, caller: Frame | undefined): Frame {
    const nth = (this.framesOf.get(fn.name) ?? 0) + 1;
    this.framesOf.set(fn.name, nth);
    const locals = new Map<string, number>();
    const frame: Frame = { fn, path: [...(caller?.path ?? []), fn.name], caller, locals };
    for (const decl of fn.locals) {
      locals.set(decl.name, this.locals.length);
      this.locals.push({ name: `${fn.name}.${decl.name}${nth === 1 ? "" : `#${nth}`}`, decl, frame });
    }
    return frame;
  }

  graph(fn: FunctionDecl): InlinedGraph {
    const root = this.frame(fn, undefined);
    const end = this.add<Node & { k: "end" }>({ k: "end", frame: root });
    const entry = this.body(root, { into: undefined, next: end }, []);
    return { entry, end, nodes: this.nodes, locals: this.locals, root, labels: this.labels };
  }

  /** `preceding`: the labels right before the call. */
  private body(frame: Frame, exit: Exit, preceding: readonly string[]): Node {
    const labels = new Map<string, PassNode>();
    const label = (name: string, site: Site): PassNode => {
      const known = labels.get(name);
      if (known !== undefined) return known;
      const node = this.pass(frame, undefined, site);
      labels.set(name, node);
      return node;
    };
    // Falling off the end of a function returns 0.
    const fallOff: Node =
      exit.into === undefined
        ? exit.next
        : this.add<Node & { k: "assign" }>({
            k: "assign",
            frame,
            to: { p: "local", l: exit.into },
            value: { e: "const", v: 0 },
            next: exit.next,
            site: frame.fn.site,
          });
    return this.block(frame.fn.body, fallOff, undefined, { frame, exit, fallOff, label }, preceding);
  }

  /** `preceding`: the labels right before the block. */
  private block(
    body: readonly Stmt[],
    next: Node,
    loop: Loop | undefined,
    within: Body,
    preceding: readonly string[] = [],
  ): Node {
    const first = this.pass(within.frame, undefined);
    let at = first;
    let labels = preceding;
    for (const stmt of body) {
      const after = this.pass(within.frame, undefined);
      at.next = this.statement(stmt, after, loop, within, labels);
      at = after;
      if (stmt.s === "label") labels = [...labels, stmt.name];
      else if (!isRemark(stmt)) labels = [];
    }
    at.next = next;
    return first;
  }

  private statement(stmt: Stmt, next: Node, loop: Loop | undefined, within: Body, labels: readonly string[]): Node {
    const { frame } = within;
    switch (stmt.s) {
      case "step":
        for (const name of labels) this.labels.set(name, true);
        return this.add<Node & { k: "step" }>({
          k: "step",
          frame,
          step: stmt,
          alternatives: stmt.alternatives.map((alternative) => this.block(alternative.body, next, undefined, within)),
          labels,
        });
      case "set":
        return this.add<Node & { k: "assign" }>({
          k: "assign",
          frame,
          to: this.target(stmt.to, frame),
          value: stmt.value,
          next,
          site: stmt.site,
        });
      case "if":
        return this.add<Node & { k: "branch" }>({
          k: "branch",
          frame,
          c: stmt.c,
          then: this.block(stmt.then, next, loop, within),
          else: this.block(stmt.else, next, loop, within),
          site: stmt.site,
        });
      case "while": {
        const again = this.pass(frame, undefined, stmt.site);
        const inside: Loop = { again, after: next };
        const test = this.pass(frame, undefined);
        again.next = this.block(stmt.head, test, inside, within, labels);
        test.next = this.add<Node & { k: "branch" }>({
          k: "branch",
          frame,
          c: stmt.c,
          then: this.block(stmt.body, again, inside, within),
          else: next,
          site: stmt.site,
        });
        return again;
      }
      case "break":
      case "continue":
        if (loop === undefined) throw new ModelError(`A ${stmt.s} outside of a loop.`, stmt.site);
        return stmt.s === "break" ? loop.after : loop.again;
      case "label": {
        const node = within.label(stmt.name, stmt.site);
        if (!this.labels.has(stmt.name)) this.labels.set(stmt.name, false);
        node.next = next;
        return node;
      }
      case "goto":
        return within.label(stmt.name, stmt.site);
      case "return":
        return this.return(stmt, within);
      case "call":
        return this.call(stmt, next, frame, labels);
      case "choose":
        return this.add<Node & { k: "choose" }>({
          k: "choose",
          frame,
          ways: stmt.ways,
          entries: stmt.ways.map((way) => this.block(way.body, next, undefined, within)),
          site: stmt.site,
        });
      case "alloc":
        return this.add<Node & { k: "alloc" }>({ k: "alloc", frame, stmt, to: this.target(stmt.into, frame), next });
      case "deref":
      case "error":
      case "finding":
      case "mark":
      case "free":
        return this.add<Node & { k: "do" }>({ k: "do", frame, stmt, next });
    }
  }

  private return(stmt: Stmt & { s: "return" }, { frame, exit, fallOff }: Body): Node {
    const { value, site } = stmt;
    if (value === undefined) return fallOff;
    if (exit.into === undefined)
      return this.add<Node & { k: "discard" }>({ k: "discard", frame, value, next: exit.next, site });
    const to: Target = { p: "local", l: exit.into };
    return this.add<Node & { k: "assign" }>({ k: "assign", frame, to, value, next: exit.next, site });
  }

  private call(stmt: Stmt & { s: "call" }, next: Node, caller: Frame, labels: readonly string[]): Node {
    const fn = functionNamed(stmt.fn, this.symbols.program, stmt.site);
    if (caller.path.includes(stmt.fn))
      throw new ModelError(
        `Recursion: ${[...caller.path, stmt.fn].join(" -> ")}. Calls are inlined; write it as a loop.`,
        stmt.site,
      );
    const callee = this.frame(fn, caller);
    const into = stmt.into === undefined ? undefined : caller.locals.get(stmt.into);
    return this.add<Node & { k: "enter" }>({
      k: "enter",
      frame: caller,
      callee,
      args: stmt.args,
      next: this.body(callee, { into, next }, labels),
      site: stmt.site,
    });
  }

  private target(place: Place, frame: Frame): Target {
    return place.p === "local" ? { p: "local", l: frame.locals.get(place.name)! } : place;
  }
}

/** A function body being inlined. */
interface Body {
  readonly frame: Frame;
  readonly exit: Exit;
  readonly fallOff: Node;
  label(name: string, site: Site): PassNode;
}

/**
 * The site of a call of the function that can follow another one of it without a step between; undefined if there is
 * none. Values are not considered.
 */
export function calledAgain(graph: InlinedGraph, fn: string): Site | undefined {
  const isIn = (frame: Frame) => frame.path.includes(fn);
  const seen = new Set<string>();
  const work: { node: Node; call: Site | undefined }[] = graph.nodes.flatMap((node) =>
    node.k === "step" && isIn(node.frame) ? node.alternatives.map((next) => ({ node: next, call: undefined })) : [],
  );
  for (let at = work.pop(); at !== undefined; at = work.pop()) {
    const { node, call } = at;
    const key = `${node.id} ${call !== undefined}`;
    if (seen.has(key)) continue;
    seen.add(key);
    const go = (next: Node, site = call) => work.push({ node: next, call: site });
    if (node.k === "step") {
      if (call !== undefined && isIn(node.frame)) return call;
    } else if (node.k === "branch") {
      go(node.then);
      go(node.else);
    } else if (node.k === "choose") for (const entry of node.entries) go(entry);
    else if (node.k === "enter") go(node.next, node.callee.fn.name === fn ? node.site : call);
    else if (node.k !== "end") go(node.next);
  }
  return undefined;
}

/**
 * Inlines the function and all it calls. The Program must have been validated.
 *
 * @throws ModelError on recursion, at the call.
 */
export function inline(fn: FunctionDecl, symbols: Symbols): InlinedGraph {
  return new Inliner(symbols).graph(fn);
}
