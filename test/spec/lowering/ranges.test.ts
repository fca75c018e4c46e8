import { evaluate } from "../../../src/spec/evaluate.ts";
import { intervalOf, type LeafRanges } from "../../../src/spec/lowering/ranges.ts";
import type { BinaryOperator } from "../../../src/spec/program.ts";
import type { SysExpr } from "../../../src/spec/transition-system.ts";

const leaves: LeafRanges = {
  variable: (v) =>
    [
      { lo: -2, hi: 3, length: 1 },
      { lo: 2, hi: 3, length: 2 },
    ][v]!,
  local: (l) =>
    [
      { lo: 0, hi: 5 },
      { lo: -(2 ** 31), hi: 2 ** 31 - 1 },
    ][l]!,
  self: { lo: 1, hi: 2 },
};
const x: SysExpr = { e: "load", v: 0 };
const l: SysExpr = { e: "local", l: 0 };
const wide: SysExpr = { e: "local", l: 1 };
const c = (v: number): SysExpr => ({ e: "const", v });
const bin = (a: SysExpr, op: BinaryOperator, b: SysExpr): SysExpr => ({ e: "bin", op, a, b });

test.each<[string, SysExpr, number, number]>([
  ["x + l", bin(x, "+", l), -2, 8],
  ["x - l", bin(x, "-", l), -7, 3],
  ["x * l", bin(x, "*", l), -10, 15],
  ["l & 3", bin(l, "&", c(3)), 0, 3],
  ["l | 1", bin(l, "|", c(1)), 0, 7],
  ["l << 1", bin(l, "<<", c(1)), 0, 10],
  ["x < l", bin(x, "<", l), 0, 1],
  ["wide + 1 wraps", bin(wide, "+", c(1)), -(2 ** 31), 2 ** 31 - 1],
  ["an index inside", { e: "load", v: 1, i: bin({ e: "self" }, "-", c(1)) }, 2, 3],
  ["an index outside reads 0", { e: "load", v: 1, i: { e: "self" } }, 0, 3],
  ["ite", { e: "ite", c: x, a: c(9), b: l }, 0, 9],
])("%s", (_, expr, lo, hi) => {
  expect(intervalOf(expr, leaves)).toEqual({ lo, hi });
});

test("no value is ever outside of the interval", () => {
  const operators: BinaryOperator[] = ["+", "-", "*", "&", "|", "^", "<<", ">>", "==", "<", "&&", "||"];
  const edges = [-(2 ** 31), 2 ** 31 - 1, -1, 0, 1, 31, 32];
  const terms: SysExpr[] = [x, l, { e: "neg", a: x }, { e: "not", a: x }, { e: "self" }, ...edges.map(c)];
  const pairs = terms.flatMap((a) => terms.flatMap((b) => operators.map((op) => bin(a, op, b))));
  const nested = pairs.filter((_, i) => i % 7 === 0).flatMap((a) => operators.map((op) => bin(a, op, bin(l, "-", x))));
  let checked = 0;
  for (const expr of [...pairs, ...nested]) {
    const { lo, hi } = intervalOf(expr, leaves);
    for (let vx = -2; vx <= 3; vx++)
      for (let vl = 0; vl <= 5; vl++)
        for (const self of [1, 2]) {
          const value = evaluate(expr, { vars: [[vx]], locals: [[vl], [vl]], self, pcs: [] });
          if (value < lo || value > hi) throw new Error(`${JSON.stringify(expr)} = ${value}, not in ${lo}..${hi}`);
          checked++;
        }
  }
  expect(checked).toBeGreaterThan(100_000);
});
