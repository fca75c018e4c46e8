/** The names closest to a misspelt one, for error messages that say what was probably meant. */

/** Number of insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b` (Damerau, restricted). */
export function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(previous[j]! + 1, row[j - 1]! + 1, previous[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) cost = Math.min(cost, before[j - 2]! + 1);
      row.push(cost);
    }
    before = previous;
    previous = row;
  }
  return previous[b.length]!;
}

/** Up to `limit` of the candidates, closest first; case counts for half. Equal distances keep the given order. */
export function nearest(name: string, candidates: Iterable<string>, limit = 3): string[] {
  const distance = (candidate: string) =>
    (editDistance(name, candidate) + editDistance(name.toLowerCase(), candidate.toLowerCase())) / 2;
  return [...new Set(candidates)]
    .map((candidate) => ({ candidate, d: distance(candidate) }))
    .sort((a, b) => a.d - b.d)
    .slice(0, limit)
    .map(({ candidate }) => candidate);
}

/** A sentence to end an "unknown name" message with: ` Nearest: a, b.`, or that there are none. */
export function nearestNames(name: string, candidates: Iterable<string>): string {
  const names = nearest(name, candidates);
  return names.length === 0 ? " There are none." : ` Nearest: ${names.join(", ")}.`;
}
