/**
 * What can never happen again from some state on: a blocked thread that never moves (deadlock), a goal that is never
 * reached ("stays possible").
 */
import type { SysProperty } from "../../spec/transition-system.ts";
import { classifyDeadlock } from "../deadlock.ts";
import type { Outcome } from "../verdict.ts";
import type { Asked } from "./asked.ts";
import type { Lost } from "./backward-reachability.ts";
import { GROUP } from "./codegen.ts";
import type { Discovery, Path } from "./discovery.ts";
import type { Witnesses } from "./witness.ts";

/** Per group of threads and goals, the states from which some of them are out of reach. */
export type LostStates = readonly (readonly Lost[])[];

/** Looks back over all that was explored; undefined: time ran out. */
export async function lostStates(asked: Asked, found: Discovery): Promise<LostStates | undefined> {
  if (asked.maskBits.length === 0) return [];
  const threads = asked.system.threads.length;
  const result: (readonly Lost[])[] = [];
  for (let g = 0; g < asked.generated.groups; g++) {
    let goals = 0;
    for (let k = 0; k < asked.goals.length; k++) {
      if (Math.floor((threads + k) / GROUP) === g) goals |= 1 << ((threads + k) % GROUP);
    }
    const bits = asked.deadlock ? asked.generated.groupMasks[g]! : goals;
    const lost = bits === 0 ? [] : await found.lost(g, bits, goals);
    if (lost === undefined) return undefined;
    result.push(lost);
  }
  return result;
}

/** Without `lost`, which needs all to have been explored, a state in which nothing moves is a deadlock all the same. */
export async function deadlockOf(
  { system }: Asked,
  found: Discovery,
  witnesses: Witnesses,
  p: SysProperty,
  lost: LostStates | undefined,
): Promise<Outcome | undefined> {
  const violated = (path: Path, doomed: readonly number[], depthExact: boolean): Outcome => {
    const way = witnesses.wayTo(path);
    const names = doomed.map((t) => way.names[t]!).sort((a, b) => a - b);
    const { finding } = classifyDeadlock(system, way.state, names);
    return { property: p.id, verdict: "violated", finding, schedule: { steps: way.steps }, depthExact };
  };
  if (lost === undefined) {
    const path = await found.firstStuck();
    if (path === undefined) return undefined;
    const stuck = path.at(-1)!;
    const isBlocked = (t: number) => ((found.blocked(Math.floor(t / GROUP), stuck) >>> (t % GROUP)) & 1) === 1;
    const doomed = system.threads.flatMap((_, t) => (isBlocked(t) ? [t] : []));
    return violated(path, doomed, false);
  }
  const doomedAt = new Map<number, { doomed: number[]; cut: boolean }>();
  lost.forEach((list, g) => {
    for (const { state, bits, cutReachable } of list) {
      const entry = doomedAt.get(state) ?? { doomed: [], cut: cutReachable };
      for (let b = 0; b < GROUP && g * GROUP + b < system.threads.length; b++) {
        if ((bits >>> b) & 1) entry.doomed.push(g * GROUP + b);
      }
      if (entry.doomed.length > 0) doomedAt.set(state, entry);
    }
  });
  const candidates = [...doomedAt.keys()];
  const classified = (state: number) => classifyDeadlock(system, found.values(state), doomedAt.get(state)!.doomed);
  const sure = candidates.filter((state) => !doomedAt.get(state)!.cut);
  const settled = nearest(found, sure, (state) => classified(state).settled);
  const near = settled.length > 0 ? settled : sure;
  if (near.length > 0) {
    const path = await found.firstOf(near);
    return violated(path, doomedAt.get(path.at(-1)!)!.doomed, true);
  }
  if (candidates.length === 0) return undefined;
  const path = await found.firstOf(candidates);
  return witnesses.ofOnlyCut(p, path, classified(path.at(-1)!).finding.message);
}

/** Those of the states that pass a test and are nearest to the initial state; the test is spared the others. */
function nearest(found: Discovery, states: readonly number[], test: (state: number) => boolean): readonly number[] {
  const levels = new Map<number, number[]>();
  for (const state of states) {
    const level = found.levelOf(state);
    const list = levels.get(level);
    if (list === undefined) levels.set(level, [state]);
    else list.push(state);
  }
  for (const [, list] of [...levels].sort((a, b) => a[0] - b[0])) {
    const passed = list.filter(test);
    if (passed.length > 0) return passed;
  }
  return [];
}

/** Whether a state was found from which the goal of a property is out of reach. */
export async function goalLost(
  { system, goals }: Asked,
  found: Discovery,
  witnesses: Witnesses,
  p: SysProperty,
  lost: LostStates,
): Promise<Outcome | undefined> {
  const bit = system.threads.length + goals.indexOf(p);
  const states = lost[Math.floor(bit / GROUP)]!.filter((l) => (l.bits >>> (bit % GROUP)) & 1);
  const sure = states.filter((l) => !l.cutReachable);
  const path = async (list: readonly Lost[]): Promise<Path> => await found.firstOf(list.map((l) => l.state));
  if (sure.length > 0) return witnesses.ofViolation(p, await path(sure));
  return states.length === 0 ? undefined : witnesses.ofOnlyCut(p, await path(states), p.message);
}
