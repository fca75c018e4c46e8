/**
 * Which locals of a program may share a level: those never live at the same location, as registers are allotted by
 * colouring (Chaitin 1982). A thread has dozens of locals and few of them at a time, and every level costs.
 *
 * That a local is 0 where it is not live is not taken on trust but checked on every edge: a local for which it cannot be
 * seen keeps a level of its own.
 */
import type { Unfolding } from "./edge.ts";

/** Per program, the stored locals in groups that share a level. `unfolding` has a level for each local. */
export function sharedLocals(unfolding: Unfolding): number[][][] {
  const { vector, terms } = unfolding;
  const { programs, threads } = vector.system;
  const trusted = programs.map((p) => new Set(p.locals.flatMap((local, l) => (local.stored ? [l] : []))));
  const live = (program: number, location: number, local: number) =>
    programs[program]!.locations[location]!.live.includes(local);

  threads.forEach(({ program, initialLocation, initialLocals }) => {
    for (const l of trusted[program]!) {
      if (!live(program, initialLocation, l) && (initialLocals[l] ?? 0) !== 0) trusted[program]!.delete(l);
    }
  });
  for (const edge of unfolding.edges) {
    if (edge.error) continue;
    const { program } = threads[edge.thread]!;
    const written = new Map(edge.writes);
    const target = written.get(vector.pc(edge.thread));
    const location = target === undefined ? edge.location : terms.constantValue(target)!;
    for (const l of trusted[program]!) {
      if (live(program, location, l)) continue;
      const value = written.get(vector.local(edge.thread, l)!);
      const zero = value === undefined ? !live(program, edge.location, l) : value === terms.zero;
      if (!zero) trusted[program]!.delete(l);
    }
  }

  return programs.map((p, index) => {
    const groups: number[][] = [];
    const locationsOf = (l: number) => p.locations.flatMap((location, at) => (location.live.includes(l) ? [at] : []));
    /** Per group, the locations where one of its locals is live; undefined for one that is not to be shared. */
    const taken: (Set<number> | undefined)[] = [];
    p.locals.forEach((local, l) => {
      if (!local.stored) return;
      const needed = trusted[index]!.has(l) ? locationsOf(l) : undefined;
      const fit = needed && taken.findIndex((t) => t !== undefined && needed.every((at) => !t.has(at)));
      if (needed === undefined || fit === undefined || fit < 0) {
        groups.push([l]);
        taken.push(needed && new Set(needed));
        return;
      }
      groups[fit]!.push(l);
      for (const at of needed) taken[fit]!.add(at);
    });
    return groups;
  });
}
