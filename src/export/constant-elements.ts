import type { SysCode, SysExpr, TransitionSystem } from "../spec/transition-system.ts";

/**
 * Elements of variables that no thread can ever change, such as whether somebody who never waits on a queue is to be
 * woken: their stores write what is there already, or are by threads that have another number.
 * @returns by variable, by element: the value it has for ever, or undefined
 */
export function constantElements(system: TransitionSystem): readonly (readonly (number | undefined)[])[] {
  const values = system.vars.map((v) => [...v.init] as (number | undefined)[]);
  system.threads.forEach((thread, t) => {
    const store = (v: number, i: SysExpr | undefined, value: SysExpr): void => {
      const elements = values[v]!;
      const index = i === undefined ? 0 : indexOf(i, t);
      const stored = value.e === "const" ? value.v : value.e === "self" ? t + 1 : undefined;
      elements.forEach((known, k) => {
        if ((index === undefined || index === k) && known !== stored) elements[k] = undefined;
      });
    };
    const walk = ({ ops, end }: SysCode): void => {
      for (const op of ops) if (op.o === "var") store(op.v, op.i, op.value);
      if (end.k === "if") for (const branch of [end.then, end.else]) walk(branch);
      else if (end.k === "choose") for (const way of end.ways) walk(way.code);
    };
    for (const location of system.programs[thread.program]!.locations) {
      for (const action of location.actions) walk(action.code);
    }
  });
  return values;
}

/** The value of an index that thread t computes, where it is known. */
function indexOf(i: SysExpr, t: number): number | undefined {
  if (i.e === "const") return i.v;
  if (i.e === "self") return t + 1;
  if (i.e !== "bin" || (i.op !== "-" && i.op !== "+")) return undefined;
  const [a, b] = [indexOf(i.a, t), indexOf(i.b, t)];
  return a === undefined || b === undefined ? undefined : i.op === "-" ? a - b : a + b;
}
