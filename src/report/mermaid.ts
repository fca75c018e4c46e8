import { changesOf, repeats, type Trace } from "../checker/trace/trace.ts";

/** A Mermaid sequence diagram (GitHub renders it in Markdown): threads and the locks they take as participants. */
export function traceAsMermaid(trace: Trace): string {
  const actors = new Map(trace.threads.map((thread, t) => [thread.name, `T${t + 1}`]));
  const locks = trace.variables.flatMap((v) => (v.lock === null ? [] : [v]));
  const lines = ["sequenceDiagram", `  title ${text(`${trace.finding.kind}: ${trace.finding.message}`)}`];
  for (const thread of trace.threads) lines.push(`  participant ${actors.get(thread.name)} as ${text(thread.name)}`);
  const lockIds = new Map<string, string>();
  for (const index of trace.steps.keys()) {
    for (const change of changesOf(trace, index)) {
      const lock = locks.find((v) => change.what.startsWith(v.title));
      if (lock === undefined || lockIds.has(change.what)) continue;
      lockIds.set(change.what, `L${lockIds.size + 1}`);
    }
  }
  for (const [what, id] of lockIds) lines.push(`  participant ${id} as ${text(what)}`);

  for (const [index, step] of trace.steps.entries()) {
    if (index === trace.loop) lines.push("  loop for ever");
    const actor = actors.get(step.thread) ?? "T1";
    const changes = changesOf(trace, index);
    const lock = changes.find((change) => lockIds.has(change.what));
    const label = text(`${index + 1} ${step.call}${step.outcome === "" ? "" : ` => ${step.outcome}`}`);
    const target = lock === undefined ? actor : (lockIds.get(lock.what) ?? actor);
    const arrow = lock !== undefined && lock.to === "nobody" ? "-->>" : "->>";
    lines.push(`  ${actor}${arrow}${target}: ${label}`);
    const rest = changes.filter((change) => change !== lock);
    if (rest.length > 0) {
      lines.push(`  Note over ${actor}: ${rest.map((c) => text(`${c.what} ${c.from} → ${c.to}`)).join("<br/>")}`);
    }
    for (const finding of step.findings)
      lines.push(`  Note over ${actor}: ${text(`${finding.kind}: ${finding.message}`)}`);
    for (const [t, thread] of trace.threads.entries()) {
      const now = trace.states[index + 1]?.threads[t];
      const before = trace.states[index]?.threads[t];
      if (now?.status !== "blocked" || (before?.status === "blocked" && step.thread !== thread.name)) continue;
      const holder = now.holder === null ? "" : `, held by ${now.holder}`;
      lines.push(`  Note over ${actors.get(thread.name)}: BLOCKED on ${text(`${now.on ?? now.call}${holder}`)}`);
    }
  }
  if (repeats(trace)) lines.push("  end");
  return `${lines.join("\n")}\n`;
}

/** Mermaid ends a statement at a semicolon and reads `#` as the beginning of an entity. */
function text(raw: string): string {
  return raw.replaceAll(/[#;]/g, (mark) => (mark === "#" ? "#35;" : "#59;")).replaceAll("\n", " ");
}
