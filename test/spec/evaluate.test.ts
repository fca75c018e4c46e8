import { applyBinary, evaluate, type Valuation } from "../../src/spec/evaluate.ts";
import type { SysExpr } from "../../src/spec/transition-system.ts";

const at: Valuation = { vars: [[7], [1, 2, 3]], locals: [[10], [20, 21]], self: 2, pcs: [0, 4] };
const c = (v: number): SysExpr => ({ e: "const", v });

test("leaves", () => {
  const value = (expr: SysExpr) => evaluate(expr, at);
  expect(value({ e: "load", v: 0 })).toBe(7);
  expect([-1, 0, 2, 3].map((i) => value({ e: "load", v: 1, i: c(i) }))).toEqual([0, 1, 3, 0]);
  expect(value({ e: "self" })).toBe(2);
  expect([value({ e: "local", l: 1 }), value({ e: "local", l: 0, t: 0 })]).toEqual([21, 10]);
  expect(value({ e: "pc", t: 1, locations: [1, 4] })).toBe(1);
  expect(value({ e: "pc", t: 0, locations: [1, 4] })).toBe(0);
});

test("arithmetic is on 32-bit signed integers, logic yields 0 or 1", () => {
  expect(applyBinary("+", 2 ** 31 - 1, 1)).toBe(-(2 ** 31));
  expect(applyBinary("*", 65537, 65537)).toBe(131073);
  expect(applyBinary("<<", 1, 33)).toBe(2);
  expect(applyBinary(">>", -8, 1)).toBe(-4);
  expect(evaluate({ e: "bin", op: "&&", a: c(5), b: c(3) }, at)).toBe(1);
  expect(evaluate({ e: "bin", op: "||", a: c(0), b: c(3) }, at)).toBe(1);
  expect(evaluate({ e: "not", a: c(3) }, at)).toBe(0);
  expect(evaluate({ e: "neg", a: c(-(2 ** 31)) }, at)).toBe(-(2 ** 31));
  expect(evaluate({ e: "ite", c: c(2), a: c(8), b: c(9) }, at)).toBe(8);
});
