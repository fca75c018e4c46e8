import { Interpreter, type State, stateKey } from "../checker/reference/index.ts";
import { ModelError } from "../spec/model-error.ts";
import type { Program } from "../spec/program.ts";

/** The graph of reachable states in Graphviz's language. A node shows where threads are, an edge who does what. */
export function graphAsDot(program: Program, options: { readonly maxStates: number }): string {
  const interpreter = new Interpreter(program);
  const initial = interpreter.initial();
  const ids = new Map([[stateKey(initial), 0]]);
  const queue: State[] = [initial];
  const lines = [
    `digraph ${quote(`${program.protocol} ${program.variant} ${program.scenario}`)} {`,
    '  node [shape=box, fontname="monospace", fontsize=9];',
    '  edge [fontname="monospace", fontsize=9];',
  ];
  let errors = false;
  for (let from = 0; from < queue.length; from++) {
    const state = queue[from];
    if (state === undefined) break;
    const status = interpreter.status(state);
    const where = status.map((s) => {
      const mark = s.status === "ready" ? "" : ` (${s.status})`;
      return `${s.name}: ${s.call === "" ? "ended" : s.call}${s.call === "" ? "" : mark}`;
    });
    const blocked = status.some((s) => s.status === "blocked") && !status.some((s) => s.status === "ready");
    const look = `${from === 0 ? ", penwidth=2" : ""}${blocked ? ", color=red" : ""}`;
    lines.push(`  s${from} [label=${quote(where.join("\n"))}${look}];`);
    for (const transition of interpreter.transitions(state, { patches: false })) {
      const who = program.threads[transition.step.thread]?.name ?? "";
      const label = quote(`${who}: ${transition.call}${transition.name === "" ? "" : ` => ${transition.name}`}`);
      const style = transition.optional ? ", style=dashed" : "";
      if (transition.result.k === "error") {
        errors = true;
        const kind = transition.result.error.kind;
        lines.push(`  s${from} -> error [label=${quote(`${who}: ${transition.call}\n${kind}`)}, color=red${style}];`);
        continue;
      }
      const key = stateKey(transition.result.state);
      let to = ids.get(key);
      if (to === undefined) {
        to = queue.length;
        if (to >= options.maxStates) {
          throw new ModelError(
            `the graph has more than ${options.maxStates} states, too many to draw; choose a smaller scenario or raise --max-states`,
          );
        }
        ids.set(key, to);
        queue.push(transition.result.state);
      }
      lines.push(`  s${from} -> s${to} [label=${label}${style}];`);
    }
  }
  if (errors) lines.push('  error [label="error", shape=octagon, color=red];');
  lines.push("}");
  return `${lines.join("\n")}\n`;
}

function quote(text: string): string {
  return `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`;
}
