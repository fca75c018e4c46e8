/**
 * A counterexample as one page of HTML that needs nothing but a browser: a column per thread, shaded while the thread is
 * blocked and with a bar while it holds a lock, and the whole state at any step beside it.
 */
import {
  changesOf,
  elementName,
  type HeldLock,
  heldLocks,
  type Trace,
  type TraceStep,
  valueName,
} from "../checker/trace/trace.ts";
import { assumptions, endOf, functionText, headline, laneTitle, threadsShown, waiting } from "./counterexample.ts";
import { standingChanges } from "./standing-changes.ts";

/** `file`: the trace's file, as the reader would type it. */
export function traceAsHtml(trace: Trace, file: string): string {
  const lanes = threadsShown(trace);
  // A browser breaks lines itself.
  const whole = Number.POSITIVE_INFINITY;
  const [what = "", ...where] = headline(trace, whole);
  const title = `${trace.finding.kind}: ${trace.protocol} ${trace.variant}, ${trace.scenario}`;
  const head = lanes.map((thread) => `<th scope="col">${escaped(laneTitle(thread))}</th>`).join("");
  const rows = trace.steps.flatMap((step, i) => [
    ...(i === trace.loop ? [banner("from here on for ever", lanes.length)] : []),
    stepRow(trace, step, i, lanes),
  ]);
  const back = trace.loop === null ? [] : [banner(endOf(trace), lanes.length)];
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<header>
<h1>${escaped(what)}</h1>
${where.map((line) => `<p>${escaped(line)}</p>`).join("\n")}
${section(waiting(trace, whole))}
</header>
<main>
<table>
<thead><tr><th scope="col">step</th>${head}</tr></thead>
<tbody>
${rows.join("\n")}
${back.join("\n")}
<tr class="banner finding"><td colspan="${lanes.length + 1}">${escaped(trace.finding.kind)}</td></tr>
</tbody>
</table>
<aside aria-live="polite"><h2>State <span id="when"></span></h2><dl id="state"></dl>
<p class="hint">Choose a step, or move with the arrow keys. Bold: changed by this step.</p></aside>
</main>
<footer>
${assumptions(trace, whole)
  .map((line) => `<p>${escaped(line)}</p>`)
  .join("\n")}
<p><code>npx lockstep replay ${escaped(file)}</code></p>
</footer>
<script type="application/json" id="values">${JSON.stringify(history(trace)).replaceAll("<", "\\u003c")}</script>
<script>${SCRIPT}</script>
</body>
</html>
`;
}

function section(lines: readonly string[]): string {
  return lines.length === 0 ? "" : `<pre>${escaped(lines.join("\n"))}</pre>`;
}

function banner(text: string, lanes: number): string {
  return `<tr class="banner"><td colspan="${lanes + 1}">${escaped(text)}</td></tr>`;
}

function stepRow(trace: Trace, step: TraceStep, index: number, lanes: Trace["threads"]): string {
  const held = heldLocks(trace, index + 1);
  const changes = standingChanges(trace, index + 1);
  const cells = lanes.map((thread) => {
    const t = trace.threads.indexOf(thread);
    const mine = step.thread === thread.name ? stepCell(trace, step, index) : "";
    const badges = changes
      .filter((change) => change.thread === t)
      .map((change) => `<span class="badge ${change.what.replaceAll(" ", "-")}">${escaped(change.text)}</span>`);
    const blocked = trace.states[index + 1]?.threads[t]?.status === "blocked";
    return `<td class="lane${blocked ? " blocked" : ""}"${heldTitle(held, thread.name)}>${mine}${badges.join("")}</td>`;
  });
  const loop = trace.loop !== null && index >= trace.loop ? ' class="loop"' : "";
  return `<tr data-step="${index + 1}"${loop} tabindex="0"><th scope="row">${index + 1}</th>${cells.join("")}</tr>`;
}

function heldTitle(held: readonly HeldLock[], thread: string): string {
  const locks = held.filter((h) => h.thread === thread).map((h) => h.lock);
  return locks.length === 0 ? "" : ` data-holds="${locks.length}" title="${escaped(`holds ${locks.join(", ")}`)}"`;
}

function stepCell(trace: Trace, step: TraceStep, index: number): string {
  const previous = trace.steps[index - 1];
  const entered = previous?.thread !== step.thread || previous.fn !== step.fn || index === trace.loop;
  const site = `${step.site.file}:${step.site.line}`;
  return [
    ...(entered ? [`<span class="fn">${escaped(functionText(step))}</span>`] : []),
    `<code title="${escaped(site)}">${escaped(step.call)}</code>`,
    ...(step.outcome === "" ? [] : [`<span class="outcome">${escaped(step.outcome)}</span>`]),
    ...changesOf(trace, index).map(
      (change) =>
        `<span class="change${change.observer ? " observer" : ""}">${escaped(`${change.what} ${change.from} → ${change.to}`)}</span>`,
    ),
    ...step.findings.map((f) => `<span class="badge finding">${escaped(`${f.kind}: ${f.message}`)}</span>`),
  ].join("");
}

/** Per element of a variable its name and the states (from 0) from which on it has another value, with that value. */
function history(trace: Trace): { name: string; observer: boolean; values: [number, string][] }[] {
  return trace.variables.flatMap((variable, v) =>
    (trace.states[0]?.values[v] ?? []).map((_, element) => {
      const values: [number, string][] = [];
      for (const [s, state] of trace.states.entries()) {
        const value = valueName(variable.values, state.values[v]?.[element] ?? 0, trace.threads);
        if (values.at(-1)?.[1] !== value) values.push([s, value]);
      }
      return { name: elementName(variable, element, trace.threads), observer: variable.observer, values };
    }),
  );
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

const STYLE = `
:root{color-scheme:light dark;--line:#8884;--mute:#777;--bad:#c22;--wait:#e8a02026;--hold:#3878c8}
body{font:14px/1.45 system-ui,sans-serif;margin:1.5rem;max-width:110rem}
h1{font-size:1.2rem;color:var(--bad)}header p,footer p{margin:.2rem 0;color:var(--mute)}
pre,code{font:13px/1.4 ui-monospace,monospace}pre{white-space:pre-wrap}
main{display:flex;gap:1.5rem;align-items:flex-start}
table{border-collapse:collapse;flex:1}th,td{text-align:left;vertical-align:top;padding:.15rem .6rem}
thead th{position:sticky;top:0;background:Canvas;border-bottom:2px solid var(--line)}
tbody th{font-weight:normal;color:var(--mute);text-align:right}
tr[data-step]{cursor:pointer}tr[data-step]:hover,tr.chosen{background:#8882}tr:focus{outline:none}
td.lane{border-left:4px solid var(--line)}td.lane[data-holds]{border-left-color:var(--hold)}td.blocked{background:var(--wait)}
td span{display:block}.fn{color:var(--mute);margin-top:.3rem}.change{padding-left:1rem;font-size:12px}.observer{font-style:italic;color:var(--mute)}
.outcome::before{content:"=> "}.badge{font-size:12px;font-weight:600}.badge.blocked{color:#b46a00}.badge.finding,.banner.finding{color:var(--bad)}
.badge.ends,.badge.may-go-on,.badge.resting{color:var(--mute)}
.banner td{text-align:center;font-weight:600;border-block:1px solid var(--line)}tr.loop th{border-left:3px double var(--mute)}
aside{position:sticky;top:1rem;width:24rem;max-height:95vh;overflow:auto}aside h2{font-size:1rem;margin:0}
dl{display:grid;grid-template-columns:auto 1fr;gap:0 .8rem;font:12px/1.5 ui-monospace,monospace}dd{margin:0}.changed{font-weight:700}
.hint{color:var(--mute);font-size:12px}@media(max-width:60rem){main{display:block}aside{position:static;width:auto}}
`;

const SCRIPT = `
const variables = JSON.parse(document.getElementById("values").textContent);
const rows = [...document.querySelectorAll("tr[data-step]")];
let chosen = rows.length;
function choose(step, scroll) {
  chosen = Math.max(0, Math.min(rows.length, step));
  rows.forEach((row, i) => row.classList.toggle("chosen", i + 1 === chosen));
  if (scroll && chosen > 0) rows[chosen - 1].scrollIntoView({ block: "nearest" });
  document.getElementById("when").textContent = chosen === 0 ? "at the start" : "after step " + chosen;
  const list = document.getElementById("state");
  list.replaceChildren();
  for (const { name, observer, values } of variables) {
    const [since, value] = values.findLast(([state]) => state <= chosen);
    const term = document.createElement("dt");
    const now = document.createElement("dd");
    term.textContent = name;
    now.textContent = value;
    for (const part of [term, now]) {
      part.classList.toggle("changed", since === chosen && chosen > 0);
      part.classList.toggle("observer", observer);
    }
    list.append(term, now);
  }
}
rows.forEach((row, i) => row.addEventListener("click", () => choose(i + 1)));
document.addEventListener("keydown", (event) => {
  if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
  event.preventDefault();
  choose(chosen + (event.key === "ArrowDown" ? 1 : -1), true);
});
choose(rows.length);
`;
