/** What counting has found, for people. */
import type { Counted, LinearInvariant, LocalState } from "./counting.ts";
import type { Term } from "./term.ts";
import type { Clause } from "./traps.ts";

type Places = ReadonlySet<unknown>;

function list(words: readonly string[], or = "or"): string {
  const all = [...new Set(words)];
  return all.length < 2 ? (all[0] ?? "") : `${all.slice(0, -1).join(", ")} ${or} ${all.at(-1)}`;
}

function times(n: number, what: string): string {
  return n === 1 ? what : `${n} × ${what}`;
}

/** What a symbol stands for. */
function nameOf({ of: { variables, system } }: Counted, s: Term): string {
  const n = variables.findIndex((elements) => elements.includes(s));
  const v = system.vars[n];
  return v !== undefined && v.length === 1 ? v.title : s.name;
}

/** Where a thread is in some of its places: after which calls, and before which. */
function stretch(counted: Counted, inside: Places, thread: number | undefined): string {
  const {
    of: { system },
    stand,
  } = counted;
  const calls = { in: [] as string[], out: [] as string[] };
  const program = system.programs[system.threads[thread ?? stand]?.program ?? -1];
  for (const m of counted.moves) {
    if (
      m.leaf.error ||
      (thread === undefined ? m.from === undefined : m.from !== undefined || m.leaf.thread !== thread)
    )
      continue;
    const from = m.from ?? m.leaf.location;
    const to = m.from === undefined ? m.leaf.target : m.to;
    const location = program?.locations[m.from?.location ?? m.leaf.location];
    if (inside.has(from) === inside.has(to)) continue;
    calls[inside.has(to) ? "in" : "out"].push(location?.call ?? "");
  }
  const start = thread === undefined ? counted.localStates[0] : 0;
  const until = calls.out.length === 0 ? "" : list(calls.out);
  if (inside.has(start)) return until === "" ? "anywhere" : `before ${until}`;
  const since = list(calls.in);
  return until === "" ? `past ${since}` : `between ${since} and ${until}`;
}

/** A weighted sum that no step changes, solved for the first thing in it; "" where it only counts all threads. */
export function sumInWords(counted: Counted, sum: LinearInvariant, cls: string): string {
  const {
    of: { pcs, system },
    stand,
  } = counted;
  const [first] = sum.integers;
  const head =
    first ??
    (() => {
      const value = sum.values.find((v) => !pcs.includes(v.symbol)) ?? sum.values[0];
      return value === undefined ? undefined : ([undefined, value.weight] as const);
    })();
  const lead = head?.[1] ?? 1;
  const sign = lead < 0 ? -1 : 1;
  const named = new Set(counted.localStates.flatMap((q) => [...q.named]));
  const valueName = (symbol: Term, value: number): string => {
    if (named.has(symbol))
      return value === stand + 1
        ? `${nameOf(counted, symbol)} being held by one of them`
        : value === 0
          ? `${nameOf(counted, symbol)} being free`
          : `${nameOf(counted, symbol)} being held by ${system.threads[value - 1]?.name}`;
    return `${nameOf(counted, symbol)} being ${value}`;
  };
  const left: string[] = [...sum.integers].map(([s, w]) => times(sign * w, nameOf(counted, s)));
  const right: string[] = [];
  let constant = sign * sum.start.base;
  // Their number is the sum of all counts, so that a constant may be said of it or of them.
  const groups = new Map<number, Set<LocalState>>();
  for (const q of counted.localStates) {
    const w = sign * (sum.start.perMember - (sum.counts.get(q) ?? 0));
    groups.set(w, (groups.get(w) ?? new Set()).add(q));
  }
  for (const [w, places] of groups)
    if (w !== 0) right.push(times(w, `the number of ${cls} ${stretch(counted, places, undefined)}`));
  for (const t of counted.others) {
    const here = sum.values.filter((v) => v.symbol === pcs[t]);
    if (here.length === 0) continue;
    const all = system.programs[system.threads[t]?.program ?? -1]?.locations ?? [];
    const weights = all.map((_, l) => -sign * (here.find((v) => v.value === l)?.weight ?? 0));
    const least = Math.min(...weights);
    constant += least;
    const byWeight = new Map<number, Set<number>>();
    for (const [l, w] of weights.entries()) byWeight.set(w - least, (byWeight.get(w - least) ?? new Set()).add(l));
    for (const [w, places] of byWeight) {
      if (w !== 0) right.push(`${w} if ${system.threads[t]?.name} is ${stretch(counted, places, t)}`);
    }
  }
  for (const { symbol, value, weight } of sum.values) {
    if (pcs.includes(symbol)) continue;
    const w = sign * weight;
    if (w > 0) left.push(times(w, `[${valueName(symbol, value)}]`));
    else right.push(times(-w, `[${valueName(symbol, value)}]`));
  }
  if (left.length === 0 && right.length === 0) return "";
  const terms = [...(constant !== 0 || right.length === 0 ? [String(constant)] : []), ...right];
  return `${left.length === 0 ? "0" : left.join(" + ")} = ${terms.join(" + ")}`;
}

/** One of several things holds, always. */
export function clauseInWords(counted: Counted, clause: Clause, cls: string): string {
  const {
    of: { pcs, system },
    terms,
  } = counted;
  const literals = new Set(clause.literals);
  const parts: string[] = [];
  const occupied = counted.localStates.filter((q) => literals.has(terms.le(terms.number(1), q.count)));
  if (occupied.length > 0) parts.push(`some ${cls} is ${stretch(counted, new Set(occupied), undefined)}`);
  for (const q of occupied) literals.delete(terms.le(terms.number(1), q.count));
  for (const s of counted.state) {
    for (let v = Number.isFinite(s.lo) ? s.lo : 0; v <= (Number.isFinite(s.hi) ? s.hi : 0); v++) {
      const literal = terms.not(terms.eq(s, terms.number(v)));
      if (!literals.delete(literal)) continue;
      const t = pcs.indexOf(s);
      const call = system.programs[system.threads[t]?.program ?? -1]?.locations[v];
      parts.push(
        t < 0
          ? `${nameOf(counted, s)} is not ${v}`
          : `${system.threads[t]?.name} is not at ${call?.ended ? "its end" : call?.call}`,
      );
    }
  }
  if (literals.size > 0) parts.push("a count is another");
  return `always ${parts.join(", or ")}`;
}
