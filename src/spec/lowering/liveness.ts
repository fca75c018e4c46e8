/**
 * Which locals may still be read: backward data flow over the inlined graph (Aho, Lam, Sethi, Ullman, Compilers,
 * 9.2.5). Control flow alone counts, never values: both branches of a test are possible, and an expression reads every
 * local in it.
 */
import type { Expr, Stmt } from "../program.ts";
import type { Frame, InlinedGraph, Node } from "./inline.ts";

function readsOfExpr(expr: Expr | undefined, read: (name: string) => void): void {
  if (expr === undefined) return;
  switch (expr.e) {
    case "local":
      read(expr.name);
      return;
    case "load":
      readsOfExpr(expr.i, read);
      return;
    case "not":
    case "neg":
      readsOfExpr(expr.a, read);
      return;
    case "bin":
      readsOfExpr(expr.a, read);
      readsOfExpr(expr.b, read);
      return;
    case "ite":
      readsOfExpr(expr.c, read);
      readsOfExpr(expr.a, read);
      readsOfExpr(expr.b, read);
      return;
    case "referenced":
    case "alive":
      readsOfExpr(expr.ptr, read);
      return;
    case "const":
    case "self":
    case "ended":
    case "at":
    case "inside":
      return;
  }
}

/** False where all paths through the checks end in an error, so that nothing after them is read. */
function readsOfChecks(checks: readonly Stmt[], read: (name: string) => void): boolean {
  for (const stmt of checks) {
    if (stmt.s === "error") return false;
    if (stmt.s === "deref") readsOfExpr(stmt.ptr, read);
    else if (stmt.s === "if") {
      readsOfExpr(stmt.c, read);
      const then = readsOfChecks(stmt.then, read);
      if (!readsOfChecks(stmt.else, read) && !then) return false;
    }
  }
  return true;
}

/** Locals that the node itself reads; a step reads what its checks, guards, wait and plain accesses do. */
function readsOf(node: Node, local: (l: number) => void): void {
  const read = (name: string) => local(node.frame.locals.get(name)!);
  switch (node.k) {
    case "end":
    case "pass":
      return;
    case "step":
      if (readsOfChecks(node.step.checks, read))
        for (const alternative of node.step.alternatives) readsOfExpr(alternative.when, read);
      readsOfExpr(node.step.wait?.holder, read);
      readsOfExpr(node.step.wait?.resting, read);
      for (const access of node.step.plain ?? []) readsOfExpr(access.i, read);
      return;
    case "branch":
      readsOfExpr(node.c, read);
      return;
    case "choose":
      return;
    case "assign":
      readsOfExpr(node.value, read);
      if (node.to.p === "var") readsOfExpr(node.to.i, read);
      return;
    case "discard":
      readsOfExpr(node.value, read);
      return;
    case "enter":
      for (const arg of node.args) readsOfExpr(arg, read);
      return;
    case "alloc":
      if (node.to.p === "var") readsOfExpr(node.to.i, read);
      return;
    case "do":
      if (node.stmt.s === "deref" || node.stmt.s === "free") readsOfExpr(node.stmt.ptr, read);
      return;
  }
}

function writesOf(node: Node, local: (l: number) => void): void {
  if ((node.k === "assign" || node.k === "alloc") && node.to.p === "local") local(node.to.l);
  else if (node.k === "enter") for (const l of node.callee.locals.values()) local(l);
}

function successors(node: Node): readonly Node[] {
  switch (node.k) {
    case "end":
      return [];
    case "step":
      return readsOfChecks(node.step.checks, () => {}) ? node.alternatives : [];
    case "branch":
      return [node.then, node.else];
    case "choose":
      return node.entries;
    case "do":
      return node.stmt.s === "error" ? [] : [node.next];
    default:
      return [node.next];
  }
}

/**
 * Per node the locals live before it, as a sorted list. A `kept` local is live wherever it exists: from the call of its
 * function to the return.
 */
export function liveLocals(graph: InlinedGraph): (node: Node) => readonly number[] {
  const words = Math.max(1, Math.ceil(graph.locals.length / 32));
  const count = graph.nodes.length;
  const reads = new Uint32Array(count * words);
  const keeps = new Uint32Array(count * words).fill(0xffffffff);
  const live = new Uint32Array(count * words);
  for (const node of graph.nodes) {
    const at = node.id * words;
    readsOf(node, (l) => {
      reads[at + (l >>> 5)]! |= 1 << (l & 31);
    });
    writesOf(node, (l) => {
      keeps[at + (l >>> 5)]! &= ~(1 << (l & 31));
    });
  }
  const next = graph.nodes.map((node) => successors(node).map((successor) => successor.id * words));
  for (let changed = true; changed; ) {
    changed = false;
    for (let n = count - 1; n >= 0; n--)
      for (let w = 0; w < words; w++) {
        const at = n * words + w;
        let after = 0;
        for (const successor of next[n]!) after |= live[successor + w]!;
        const before = (reads[at]! | (after & keeps[at]!)) >>> 0;
        if (before !== live[at]) {
          live[at] = before;
          changed = true;
        }
      }
  }
  return (node) =>
    graph.locals.flatMap(({ decl, frame }, l) =>
      (decl.kept === true && node.k !== "end" && inScope(frame, node.frame)) ||
      ((live[node.id * words + (l >>> 5)]! >>> (l & 31)) & 1) !== 0
        ? [l]
        : [],
    );
}

/** True where the frame's locals exist: in it and in whatever it has called. */
export function inScope(frame: Frame, at: Frame): boolean {
  for (let f: Frame | undefined = at; f !== undefined; f = f.caller) if (f === frame) return true;
  return false;
}
