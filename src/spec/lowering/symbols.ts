/** The declarations of a Program as the transition system's tables, with what each name stands for. */
import { ModelError } from "../model-error.ts";
import { nearestNames } from "../nearest.ts";
import type { Domain, FunctionDecl, LocalDecl, PoolDecl, Program, Site, VarDecl } from "../program.ts";
import type { SysPool, SysVar, ValueSort } from "../transition-system.ts";

export interface Symbols {
  readonly program: Program;
  /** The declared variables in order, then one `POOL.alive` per pool. */
  readonly vars: readonly SysVar[];
  readonly pools: readonly SysPool[];
  readonly varIndex: ReadonlyMap<string, number>;
  readonly poolIndex: ReadonlyMap<string, number>;
  /** Thread names to indices. */
  readonly threadIndex: ReadonlyMap<string, number>;
}

export interface ValueRange {
  readonly lo: number;
  readonly hi: number;
  readonly values: ValueSort;
}

const INT_MIN = -(2 ** 31);
const INT_MAX = 2 ** 31 - 1;

/** The values of a domain: inclusive bounds and what they name. */
export function rangeOf(domain: Domain, pools: ReadonlyMap<string, number>, program: Program, site?: Site): ValueRange {
  switch (domain.d) {
    case "int":
      // Without bounds: no model declares it so, but a proof for any number of threads may.
      if (domain.lo === Number.NEGATIVE_INFINITY && domain.hi === Number.POSITIVE_INFINITY)
        return { lo: domain.lo, hi: domain.hi, values: { of: "int" } };
      if (!(Number.isInteger(domain.lo) && Number.isInteger(domain.hi) && domain.lo <= domain.hi))
        throw new ModelError(`The range ${domain.lo}..${domain.hi} is empty or not of integers: write lo <= hi.`, site);
      if (domain.lo < INT_MIN || domain.hi > INT_MAX)
        throw new ModelError(`The range ${domain.lo}..${domain.hi} does not fit in 32 bits.`, site);
      return { lo: domain.lo, hi: domain.hi, values: { of: "int" } };
    case "bool":
      return { lo: 0, hi: 1, values: { of: "bool" } };
    case "enum":
      if (domain.labels.length === 0) throw new ModelError(`The enum ${domain.name} has no labels.`, site);
      return { lo: 0, hi: domain.labels.length - 1, values: { of: "enum", labels: domain.labels } };
    case "thread":
      return { lo: 0, hi: program.threads.length, values: { of: "thread" } };
    case "ptr": {
      const pool = poolNamed(domain.pool, pools, site);
      const { slots } = program.pools[pool]!;
      return { lo: 0, hi: slots + (domain.wild ? 1 : 0), values: { of: "pool", pool, wild: domain.wild } };
    }
  }
}

export function poolNamed(name: string, pools: ReadonlyMap<string, number>, site?: Site): number {
  const pool = pools.get(name);
  if (pool === undefined)
    throw new ModelError(`There is no pool named "${name}".${nearestNames(name, pools.keys())}`, site);
  return pool;
}

export function variableNamed(name: string, symbols: Symbols, site?: Site): number {
  const v = symbols.varIndex.get(name);
  if (v === undefined)
    throw new ModelError(
      `There is no shared variable named "${name}".${nearestNames(name, symbols.varIndex.keys())}`,
      site,
    );
  return v;
}

export function functionNamed(name: string, program: Program, site?: Site): FunctionDecl {
  const fn = Object.hasOwn(program.functions, name) ? program.functions[name] : undefined;
  if (fn === undefined)
    throw new ModelError(
      `There is no function named "${name}" in variant "${program.variant}".` +
        nearestNames(name, Object.keys(program.functions)),
      site,
    );
  return fn;
}

export function localNamed(name: string, fn: FunctionDecl, site?: Site): LocalDecl {
  const local = fn.locals.find((l) => l.name === name);
  if (local === undefined)
    throw new ModelError(
      `The function ${fn.name} has no local named "${name}".` +
        nearestNames(
          name,
          fn.locals.map((l) => l.name),
        ),
      site,
    );
  return local;
}

/** Names to indices; a name that occurs twice is a ModelError at its second site. */
function indexed(what: string, names: readonly { readonly name: string; readonly site?: Site }[]): Map<string, number> {
  const index = new Map<string, number>();
  names.forEach(({ name, site }, i) => {
    if (index.has(name)) throw new ModelError(`Two ${what} are named "${name}": rename one.`, site);
    index.set(name, i);
  });
  return index;
}

function poolLengths(pool: PoolDecl): void {
  if (!Number.isInteger(pool.slots) || pool.slots < 1)
    throw new ModelError(`The pool ${pool.name} has ${pool.slots} slots: it needs at least one.`, pool.site);
  if (pool.alive.length !== pool.slots || pool.alive.some((bit) => bit !== 0 && bit !== 1))
    throw new ModelError(
      `The pool ${pool.name} has ${pool.slots} slots, so \`alive\` needs ${pool.slots} values, each 0 or 1; ` +
        `it is [${pool.alive.join(", ")}].`,
      pool.site,
    );
}

function lengthOf(decl: VarDecl, pools: ReadonlyMap<string, number>, program: Program): number {
  const implied =
    decl.index === undefined
      ? undefined
      : decl.index === "thread"
        ? program.threads.length
        : program.pools[poolNamed(decl.index.pool, pools, decl.site)]!.slots;
  const length = decl.length ?? implied ?? 1;
  if (implied !== undefined && length !== implied)
    throw new ModelError(
      `The array ${decl.name} has ${length} elements but its index has ${implied} values.`,
      decl.site,
    );
  if (!Number.isInteger(length) || length < 1)
    throw new ModelError(`The array ${decl.name} has ${length} elements: it needs at least one.`, decl.site);
  return length;
}

function variable(decl: VarDecl, pools: ReadonlyMap<string, number>, program: Program): SysVar {
  const { lo, hi, values } = rangeOf(decl.domain, pools, program, decl.site);
  const length = lengthOf(decl, pools, program);
  if (decl.init.length !== length)
    throw new ModelError(
      `The variable ${decl.name} has ${length} element${length === 1 ? "" : "s"} but ${decl.init.length} initial values.`,
      decl.site,
    );
  for (const value of decl.init)
    if (!Number.isInteger(value) || value < lo || value > hi)
      throw new ModelError(`The initial value ${value} of ${decl.name} is outside its range ${lo}..${hi}.`, decl.site);
  return {
    name: decl.name,
    title: decl.title ?? decl.name,
    lo,
    hi,
    length,
    init: [...decl.init],
    observer: decl.observer ?? false,
    values,
    index:
      decl.index === undefined
        ? "none"
        : decl.index === "thread"
          ? "thread"
          : { pool: poolNamed(decl.index.pool, pools, decl.site) },
    ...(decl.lock === undefined ? {} : { lock: decl.lock }),
  };
}

/** True for an array, which needs an index to be read or written. */
export function isArray(program: Program, v: number): boolean {
  const decl = program.vars[v];
  return decl === undefined || decl.length !== undefined || decl.index !== undefined;
}

/**
 * Tables of the variables, pools and threads.
 *
 * @throws ModelError on duplicate names, unknown pools, empty ranges, and initial values that are missing or out of range.
 */
export function declare(program: Program): Symbols {
  const poolIndex = indexed("pools", program.pools);
  program.pools.forEach(poolLengths);
  const threadIndex = indexed("threads", program.threads);
  const aliveArrays = program.pools.map((pool) => ({ name: `${pool.name}.alive`, site: pool.site }));
  const varIndex = indexed("shared variables", [...program.vars, ...aliveArrays]);
  const vars = [
    ...program.vars.map((decl) => variable(decl, poolIndex, program)),
    ...program.pools.map(
      (pool, p): SysVar => ({
        name: `${pool.name}.alive`,
        title: `${pool.name}.alive`,
        lo: 0,
        hi: 1,
        length: pool.slots,
        init: [...pool.alive],
        observer: false,
        values: { of: "bool" },
        index: { pool: p },
      }),
    ),
  ];
  const pools = program.pools.map(
    (pool, p): SysPool => ({
      name: pool.name,
      slots: pool.slots,
      reuse: pool.reuse,
      alive: program.vars.length + p,
    }),
  );
  return { program, vars, pools, varIndex, poolIndex, threadIndex };
}
