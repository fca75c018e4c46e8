import { firings } from "../../src/checker/evaluate.ts";
import { initialState } from "../../src/checker/state-values.ts";
import { constantElements } from "../../src/export/constant-elements.ts";
import { lower } from "../../src/spec/lowering/lower.ts";
import { randomProgram } from "../random-program.ts";

test("an element said to be constant has its value in every state of random protocols, and some are", () => {
  let constant = 0;
  for (let seed = 1; seed <= 40; seed++) {
    const system = lower(randomProgram(seed));
    const elements = constantElements(system);
    const queue = [initialState(system)];
    const seen = new Set([JSON.stringify(queue[0])]);
    for (const state of queue) {
      elements.forEach((values, v) => {
        values.forEach((value, i) => {
          if (value !== undefined) expect({ seed, v, i, value: state.vars[v]![i] }).toEqual({ seed, v, i, value });
        });
      });
      for (const { target } of firings(system, state)) {
        const key = JSON.stringify(target);
        if (target === undefined || seen.has(key) || queue.length >= 300) continue;
        seen.add(key);
        queue.push(target);
      }
    }
    constant += elements.flat().filter((value) => value !== undefined).length;
  }
  expect(constant).toBeGreaterThan(0);
});
