/** Which variables an action reads and writes, whatever the path and the element. */
import type { SysCode, SysExpr } from "../transition-system.ts";

export interface Accesses {
  readonly reads: Set<number>;
  readonly writes: Set<number>;
}

export function collectReads(expr: SysExpr | undefined, reads: Set<number>): void {
  switch (expr?.e) {
    case "load":
      reads.add(expr.v);
      collectReads(expr.i, reads);
      return;
    case "not":
    case "neg":
      collectReads(expr.a, reads);
      return;
    case "bin":
      collectReads(expr.a, reads);
      collectReads(expr.b, reads);
      return;
    case "ite":
      collectReads(expr.c, reads);
      collectReads(expr.a, reads);
      collectReads(expr.b, reads);
      return;
    default:
      return;
  }
}

export function collectAccesses(code: SysCode, { reads, writes }: Accesses): void {
  for (const op of code.ops) {
    if (op.o === "var") {
      writes.add(op.v);
      collectReads(op.i, reads);
    }
    if (op.o === "var" || op.o === "local") collectReads(op.value, reads);
  }
  if (code.end.k === "if") {
    collectReads(code.end.c, reads);
    collectAccesses(code.end.then, { reads, writes });
    collectAccesses(code.end.else, { reads, writes });
  } else if (code.end.k === "choose") for (const way of code.end.ways) collectAccesses(way.code, { reads, writes });
}
