/**
 * Where a fair run is one only because of what is enabled in the middle of a transaction: small programs for each
 * condition that reductions.ts puts on transactions. Each has a run that breaks the property, and none in an order in which
 * transactions are not interrupted, if the condition is left out.
 */
import { check } from "../../../src/checker/explicit/check.ts";
import { explore } from "../../../src/checker/reference/index.ts";
import { lower } from "../../../src/spec/lowering/lower.ts";
import type { Alternative, Expr, Fairness, Program, Step, Stmt } from "../../../src/spec/program.ts";

const site = { file: "t.ts", line: 1, column: 1 };
const load = (v: string): Expr => ({ e: "load", v });
const num = (v: number): Expr => ({ e: "const", v });
const is = (v: string, value: number): Expr => ({ e: "bin", op: "==", a: load(v), b: num(value) });
const and = (a: Expr, b: Expr): Expr => ({ e: "bin", op: "&&", a, b });
const set = (v: string, value: Expr): Stmt => ({ s: "set", to: { p: "var", v }, value, site });
const step = (alternatives: Alternative[], wait?: Step["wait"]): Step => ({
  s: "step",
  call: "step",
  site,
  checks: [],
  alternatives,
  ...(wait === undefined ? {} : { wait }),
});
const self: Expr = { e: "self" };
const lock = (m: string, when = is(m, 0)) => step([{ when, body: [set(m, self)] }], { on: m, kind: "mutex" });
const mine = (m: string): Expr => ({ e: "bin", op: "==", a: load(m), b: self });
const unlock = (m: string) => step([{ body: [{ s: "if", c: mine(m), then: [set(m, num(0))], else: [], site }] }]);
const label = (name: string): Stmt => ({ s: "label", name, site });
const forever = (...body: Stmt[]): Stmt => ({ s: "while", head: [], c: num(1), body, site });

/** `T` waits at `wait` for the step after `in`. */
function program(threads: Readonly<Record<string, readonly Stmt[]>>, fairness: Partial<Fairness>): Program {
  const at = (name: string): Expr => ({ e: "at", thread: "T", label: name });
  const owner = (name: string) => ({ name, domain: { d: "thread" } as const, init: [0], site });
  return {
    protocol: "p",
    variant: "v",
    scenario: "s",
    sizes: {},
    switches: {},
    vars: [owner("A"), owner("B"), { name: "sig", domain: { d: "bool" }, init: [0], site }],
    pools: [],
    functions: Object.fromEntries(
      Object.entries(threads).map(([name, body]) => [name, { name, at: "t.c", params: 0, locals: [], body, site }]),
    ),
    threads: Object.keys(threads).map((name) => ({ name, cls: name, fn: name, args: [], kind: "task" })),
    properties: [
      {
        id: "served",
        check: {
          c: "temporal",
          formula: { t: "leads-to", a: { t: "state", expr: at("wait") }, b: { t: "state", expr: at("in") } },
          fairness: { threads: "weak", strongThreads: [], strongWaits: [], ...fairness },
        },
        kind: "starvation",
        message: "m",
        trigger: { marks: [], what: "-" },
        site,
      },
    ],
    expectations: [],
  };
}

const section = (m: string) => forever(lock(m), step([{ body: [] }]), unlock(m));
const T = (taking: Step, ...locks: string[]) => [label("wait"), taking, label("in"), ...locks.map(unlock)];
const both = step([{ when: and(is("A", 0), is("B", 0)), body: [set("A", self), set("B", self)] }], { on: "both" });
const either = step([
  { when: is("A", 0), body: [set("A", self)] },
  { when: is("sig", 1), body: [] },
]);

test.each([
  // The lock is free whenever nobody is in the middle of something.
  ["a lock that is free at every boundary", { T: T(lock("A"), "A"), U: [section("A")] }, {}, true],
  // U takes the lock and is never heard of again.
  [
    "a thread that need not go on",
    { T: T(lock("A"), "A"), U: [section("A")], V: [forever(step([{ body: [] }]))] },
    { threads: "none", strongThreads: ["T"] },
    false,
  ],
  // One of the two is held at any time, and neither between two sections that are not interrupted.
  [
    "two locks at once, strongly fair",
    { T: T(both, "A", "B"), U: [section("A")], V: [section("B")] },
    { threads: "strong" },
    true,
  ],
  // The lock is taken while there is a signal, and there is none any more while it is held.
  [
    "a lock or a signal",
    {
      T: T(either, "A"),
      U: [forever(lock("A", and(is("A", 0), is("sig", 1))), step([{ body: [] }]), unlock("A"))],
      S: [forever(step([{ body: [set("sig", num(1))] }]), step([{ body: [set("sig", num(0))] }]))],
    },
    {},
    true,
  ],
] as const)("%s", async (_, threads, fairness, transactions) => {
  const p = program(threads, fairness as Partial<Fairness>);
  const e = await check(lower(p), {
    properties: ["served"],
    reduction: true,
    timeout: 60,
    memory: 2 ** 28,
    workers: 1,
  });
  expect(explore(p, { properties: ["served"] }).outcomes).toMatchObject([{ verdict: "violated" }]);
  expect(e.outcomes).toMatchObject([{ verdict: "violated" }]);
  // Some transactions are left, or there would be nothing to be wrong about.
  expect(e.reductions.includes("transactions")).toBe(transactions);
});
