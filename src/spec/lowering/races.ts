/**
 * Data races as findings: a thread takes a plain access while another thread is about to take a conflicting one. Two
 * accesses conflict if they touch the same element and at least one writes. Put in only where a property asks, because
 * the test is made at every plain access.
 *
 * Where both threads can go on, the two accesses can happen in either order, one right after the other: nothing orders
 * them. Plain accesses never block, so being at one and not being kept off the CPU is being able to take it.
 */
import type { Program } from "../program.ts";
import type { SysCode, SysExpr, SysLocation, SysProgram, TransitionSystem } from "../transition-system.ts";
import { and, binary, constant, FALSE, not, or, TRUE } from "./fold.ts";
import { asSeenFromOutside } from "./outside.ts";
import type { FindingTable } from "./tables.ts";

const KIND = "data-race";

/** Whether some property asks for data races. */
export function asksForRaces(properties: Program["properties"]): boolean {
  return properties.some(({ check, implied }) => !implied && check.c === "findings" && check.kinds.includes(KIND));
}

/** The programs with race findings added to their code, and to the table. */
export function withRaces(
  system: Pick<TransitionSystem, "vars" | "programs" | "threads">,
  findings: FindingTable,
): readonly SysProgram[] {
  return system.programs.map((program, p) => ({
    ...program,
    locations: program.locations.map((location): SysLocation => {
      const conflict = or(FALSE, ...location.plain.map((access) => conflictsWith(access, system, p)));
      if (conflict.e === "const" && conflict.v === 0) return location;
      const names = [...new Set(location.plain.map(({ v }) => system.vars[v]!.title))].join(", ");
      const f = findings.intern({
        kind: KIND,
        message: `${location.call}: ${names} is accessed by another thread at the same time, and nothing orders the two`,
        error: false,
        race: true,
        site: location.site,
        fn: location.fn,
      });
      return {
        ...location,
        actions: location.actions.map((action) => ({ ...action, code: noting(action.code, conflict, f) })),
      };
    }),
  }));
}

function noting(code: SysCode, conflict: SysExpr, f: number): SysCode {
  return {
    ops: [],
    end: { k: "if", c: conflict, then: { ...code, ops: [{ o: "finding", f }, ...code.ops] }, else: code },
  };
}

type Access = SysLocation["plain"][number];

/** Another thread than the executing one, which runs program p, is about to take a conflicting access. */
function conflictsWith(access: Access, system: Pick<TransitionSystem, "programs" | "threads">, p: number): SysExpr {
  const members = system.threads.filter((t) => t.program === p).length;
  return or(
    FALSE,
    ...system.threads.flatMap((thread, t): SysExpr[] => {
      const own = thread.program === p;
      if (own && members === 1) return [];
      const { locations } = system.programs[thread.program]!;
      const conflicts = locations.flatMap((location, l) => {
        const same = location.plain
          .filter((other) => other.v === access.v && (other.write || access.write))
          .map((other) => sameElement(access, other, t));
        return same.length === 0 ? [] : [and({ e: "pc", t, locations: [l] }, or(FALSE, ...same))];
      });
      if (conflicts.length === 0) return [];
      const other = own ? not(binary("==", { e: "self" }, constant(t + 1))) : TRUE;
      const runs = thread.keptOff ? not(thread.keptOff) : TRUE;
      return [and(other, runs, or(FALSE, ...conflicts))];
    }),
  );
}

function sameElement(mine: Access, theirs: Access, t: number): SysExpr {
  if (mine.i === undefined || theirs.i === undefined) return TRUE;
  return binary("==", mine.i, asSeenFromOutside(theirs.i, t));
}
