import { firings } from "../../../src/checker/evaluate.ts";
import { stateKey, stateVector } from "../../../src/checker/smt/concrete.ts";
import type { Encoding } from "../../../src/checker/smt/encode.ts";
import { cone, slice } from "../../../src/checker/smt/slice.ts";
import { evaluateTerm } from "../../../src/checker/smt/value-sets.ts";
import { initialState, type StateValues } from "../../../src/checker/state-values.ts";
import type { TransitionSystem } from "../../../src/spec/transition-system.ts";
import {
  act,
  bin,
  end,
  error,
  goto,
  load,
  loc,
  num,
  program,
  randomSystem,
  self,
  set,
  systemOf,
  thread,
  variable,
} from "./systems.ts";

/** Every reachable state; undefined beyond the bound. */
function reachable(system: TransitionSystem, bound: number): StateValues[] | undefined {
  const queue = [initialState(system)];
  const seen = new Set(queue.map(stateKey));
  for (let next = 0; next < queue.length; next++) {
    for (const e of firings(system, queue[next] as StateValues)) {
      if (e.target === undefined || seen.has(stateKey(e.target))) continue;
      if (queue.length >= bound) return undefined;
      seen.add(stateKey(e.target));
      queue.push(e.target);
    }
  }
  return queue;
}

const valuesOf = (encoding: Encoding, system: TransitionSystem, s: StateValues) => {
  const vector = stateVector(system, s);
  return new Map(encoding.state.map((symbol, i) => [symbol, vector[encoding.kept[i] ?? -1] ?? 0]));
};

/** The successors that an encoding gives, as texts of what it keeps of them. */
function successors(encoding: Encoding, system: TransitionSystem, s: StateValues): string[] {
  const values = valuesOf(encoding, system, s);
  return encoding.leaves
    .filter((leaf) => evaluateTerm(leaf.enabled, values) !== 0)
    .map((leaf) => {
      const after = encoding.state.map((x) => evaluateTerm(leaf.updates.get(x) ?? x, values));
      const way = `${leaf.thread}/${leaf.action}/${leaf.ways.join()}/${leaf.optional}/${leaf.findings.join()}/${leaf.marks.join()}`;
      return `${way}: ${leaf.error ? "error" : after.join()}`;
    })
    .sort();
}

test("what is left out of random systems changes no reachable state and no step from one", () => {
  let systems = 0;
  let smaller = 0;
  for (let seed = 0; seed < 120; seed++) {
    const system = randomSystem(seed);
    const states = reachable(system, 400);
    if (states === undefined) continue;
    systems++;
    const { whole, encoding, facts } = slice(system);
    if (facts === undefined) throw new Error("the analysis was given up");
    if (encoding.leaves.length < whole.leaves.length) smaller++;
    const invariant = facts.invariant(whole);
    const inSlice = facts.invariant(encoding);
    const small = cone(encoding, []);
    for (const s of states) {
      const values = valuesOf(whole, system, s);
      expect([seed, evaluateTerm(invariant, values)]).toEqual([seed, 1]);
      expect([seed, evaluateTerm(inSlice, valuesOf(encoding, system, s))]).toEqual([seed, 1]);
      for (const e of [encoding, small]) {
        const real = firings(system, s).map((x) => {
          const vector = x.target === undefined ? undefined : stateVector(system, x.target);
          const way = `${x.thread}/${x.action}/${x.ways.join()}/${x.optional}/${x.findings.join()}/${x.marks.join()}`;
          return `${way}: ${vector === undefined ? "error" : e.kept.map((i) => vector[i]).join()}`;
        });
        expect([seed, successors(e, system, s)]).toEqual([seed, real.sort()]);
      }
      for (const [i, symbol] of whole.state.entries()) {
        const only = facts.constant(symbol.name);
        if (only !== undefined)
          expect([seed, symbol.name, stateVector(system, s)[i]]).toEqual([seed, symbol.name, only]);
      }
    }
  }
  expect(systems).toBeGreaterThan(40);
  expect(smaller).toBeGreaterThan(15);
});

test("a lock keeps others from disturbing what it protects", () => {
  const section = () => [
    loc([act(bin("==", load(0), num(0)), goto(1, set(0, self)))]),
    loc([act(undefined, goto(2, set(1, num(1))))]),
    loc([act(bin("==", load(1), num(1)), goto(3, set(1, num(0)))), act(bin("!=", load(1), num(1)), error(0))]),
    loc([act(bin("==", load(0), self), goto(4, set(0, num(0)))), act(bin("!=", load(0), self), error(0))]),
    end,
  ];
  const locked = systemOf({
    vars: [variable("owner", 0, 2), variable("data", 0, 1), variable("unread", 0, 1)],
    programs: [program("p", section()), program("q", section())],
    threads: [thread("p", 0), thread("q", 1)],
    findings: [{ kind: "bug-on", message: "BUG", error: true, site: { file: "m.ts", line: 1, column: 1 }, fn: "f" }],
  });
  const { whole, encoding } = slice(locked);
  expect(whole.leaves.some((leaf) => leaf.error)).toBe(true);
  expect(encoding.leaves.some((leaf) => leaf.error)).toBe(false);
  expect(encoding.state.map((s) => s.name)).toEqual(["owner", "data", "pc p", "pc q"]);
  // Nobody has to know the data any more: in the section it has one value.
  expect(cone(encoding, []).state.map((s) => s.name)).toEqual(["owner", "pc p", "pc q"]);
});

test("a variable without bounds is left as it is", () => {
  const wide = systemOf({
    vars: [variable("n", 0, Number.POSITIVE_INFINITY)],
    programs: [program("p", [loc([act(undefined, goto(0, set(0, bin("+", load(0), num(1)))))])])],
    threads: [thread("p", 0)],
  });
  const { encoding, facts } = slice(wide);
  expect(encoding.state.map((s) => s.name)).toEqual(["n", "pc p"]);
  expect([facts?.constant("n"), encoding.leaves.length]).toEqual([undefined, 1]);
});
