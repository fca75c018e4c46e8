/** What SMT solvers print: symbols and lists. Quoted symbols lose their bars, strings their quotes. */
export type SExpression = string | readonly SExpression[];

export function parseSExpressions(text: string): SExpression[] {
  const top: SExpression[] = [];
  const open: SExpression[][] = [];
  const token = /;[^\n]*|\|([^|]*)\||"((?:[^"]|"")*)"|[()]|[^\s()|";]+/g;
  for (const match of text.matchAll(token)) {
    const t = match[0];
    if (t.startsWith(";")) continue;
    if (t === "(") {
      open.push([]);
      continue;
    }
    let item: SExpression = match[1] ?? match[2] ?? t;
    if (t === ")") {
      const list = open.pop();
      if (list === undefined) break;
      item = list;
    }
    (open.at(-1) ?? top).push(item);
  }
  return top;
}

/** A value a solver printed, as a number (a formula is 0 or 1); bit-vectors are unsigned. */
export function parseValue(e: SExpression): bigint {
  if (typeof e === "string") {
    if (e === "true") return 1n;
    if (e === "false") return 0n;
    if (e.startsWith("#b")) return BigInt(`0b${e.slice(2)}`);
    if (e.startsWith("#x")) return BigInt(`0x${e.slice(2)}`);
    return BigInt(e);
  }
  if (e[0] === "-" && e[1] !== undefined) return -parseValue(e[1]);
  if (e[0] === "_" && typeof e[1] === "string" && e[1].startsWith("bv")) return BigInt(e[1].slice(2));
  throw new Error(`a solver printed a value that is no number: ${JSON.stringify(e)}`);
}
