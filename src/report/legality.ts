/** Why a run that never ends is legal under the fairness assumed, and what assumption would forbid it. */
import type { Trace } from "../checker/trace/trace.ts";

/** One sentence for each kind of thing there is to say; none for a trace without a loop. */
export function legality(trace: Trace): string[] {
  const { loop, steps, states, threads } = trace;
  if (loop === null) return [];
  if (loop === steps.length) {
    return ["The run ends here, because nobody can move: no assumption of fairness forbids that."];
  }
  const round = states.slice(loop, steps.length);
  const movers = new Set(steps.slice(loop).map((step) => step.thread));
  const sentences = [`In each round ${listed([...movers])} ${movers.size === 1 ? "steps" : "step"}.`];
  const breakers: string[] = [];
  threads.forEach(({ name }, t) => {
    if (movers.has(name)) return;
    const standing = round.map((state) => state.threads[t]!);
    if (standing.every(({ status }) => status === "ended" || status === "idle")) return;
    const ready = standing.filter(({ status }) => status === "ready");
    const at = standing[0]!;
    if (ready.length === 0) {
      const held = at.holder === null ? "" : `, held by ${at.holder}`;
      const waits = at.on === null ? "" : `, which waits for ${at.on}${held},`;
      sentences.push(`${name}${waits} cannot move in any state of it, so no fairness asks it to.`);
      return;
    }
    if (ready.length === round.length) {
      sentences.push(`${name} could move all the time and never does, which only a run without fairness may do.`);
      breakers.push(`weak fairness of ${name}`);
      return;
    }
    sentences.push(
      `${name} could move in ${ready.length} of its ${round.length} states, never for good, and does not: weak fairness allows that.`,
    );
    breakers.push(`strong fairness of ${name}, or of whatever lets it take ${ready[0]!.call},`);
  });
  sentences.push(
    breakers.length === 0
      ? "No assumption of fairness, of threads or of locks, forbids it."
      : `What would forbid it: ${breakers.join("; ").replace(/,$/, "")}.`,
  );
  return sentences;
}

function listed(names: readonly string[]): string {
  if (names.length < 2) return names.join("");
  return `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}
