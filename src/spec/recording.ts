/**
 * The recording: what happens between the call of a model's functions and the finished syntax tree.
 *
 * A model's function bodies run once for each (variant, scenario, sizes, switches). Every call they make appends a
 * statement to the block on top of the recording's stack. There is one recording at a time.
 */
import { fileURLToPath } from "node:url";
import { ModelError } from "./model-error.ts";
import type { Domain, Expr, FunctionDecl, LocalDecl, PoolDecl, Site, Stmt, VarDecl } from "./program.ts";

const OWN_DIRECTORY = new URL(".", import.meta.url).href;
const OWN_PATH = fileURLToPath(OWN_DIRECTORY);

/** Maps a position of running code to the position in the model's source; set by whoever loaded the model. */
export type SiteMapper = (raw: Site) => Site;
let mapper: SiteMapper = (raw) => raw;
const mapped = new Map<string, Site>();

export function setSiteMapper(next: SiteMapper): void {
  mapper = next;
  mapped.clear();
}

/** The innermost call site outside the specification language: the model's line. Costs a few microseconds. */
export function callSite(): Site {
  const saved = Error.prepareStackTrace;
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 20;
  Error.prepareStackTrace = (_, frames) => frames;
  const frames = new Error().stack as unknown as NodeJS.CallSite[];
  Error.prepareStackTrace = saved;
  Error.stackTraceLimit = limit;
  for (const frame of frames) {
    const file = frame.getFileName();
    if (file === null || file === undefined || !isModels(file)) continue;
    return siteAt({ file, line: frame.getLineNumber() ?? 1, column: frame.getColumnNumber() ?? 1 });
  }
  return { file: "<unknown>", line: 1, column: 1 };
}

function isModels(file: string): boolean {
  return !(file.startsWith("node:") || file.startsWith(OWN_DIRECTORY) || file.startsWith(OWN_PATH));
}

function siteAt(raw: Site): Site {
  const key = `${raw.file}:${raw.line}:${raw.column}`;
  const known = mapped.get(key);
  if (known !== undefined) return known;
  const site = mapper(raw);
  mapped.set(key, site);
  return site;
}

/** What was thrown while a model's own code ran, as a ModelError with the model's line that it came from. */
function asModelError(error: unknown): unknown {
  if (error instanceof ModelError || !(error instanceof Error)) return error;
  if (error instanceof RangeError && error.message.includes("call stack")) return error;
  const frames = [...(error.stack ?? "").matchAll(/\(?(file:\/\/[^\s)]+|\/[^\s:)]+):(\d+):(\d+)\)?/g)];
  const frame = frames.find(([, file = ""]) => isModels(file));
  if (frame === undefined) return error;
  const [, file = "", line, column] = frame;
  return new ModelError(thrown(error), siteAt({ file, line: Number(line), column: Number(column) }));
}

/** What JavaScript says of an error in a model's code, and what may say more. */
export function thrown(error: Error): string {
  const untyped = error instanceof TypeError || error instanceof ReferenceError;
  return `${error.name}: ${error.message}${untyped ? "; `lockstep check --typecheck` may say more" : ""}`;
}

/** Statements of one recording: many times what a large protocol has. Beyond, a JavaScript loop has no end. */
const MOST_STATEMENTS = 200_000;

/** A value that was made and must be used by some statement: a condition, the result of a trylock. */
export interface Obligation {
  used: boolean;
  readonly site: Site;
  readonly advice: string;
}

/** A function while it is being recorded. */
export interface Frame {
  readonly name: string;
  readonly locals: LocalDecl[];
  readonly names: Map<string, number>;
  readonly returns: Domain | undefined;
  readonly obligations: Obligation[];
  /** Blocks being filled, innermost last. */
  readonly blocks: Stmt[][];
  /** Inside `atomically`: everything recorded is part of one step. */
  atomic: boolean;
  loops: number;
}

export interface FunctionSource {
  readonly name: string;
  readonly at: string;
  readonly params: readonly { readonly name: string; readonly domain: () => Domain }[];
  readonly returns: (() => Domain) | undefined;
  readonly site: Site;
  run(params: readonly Expr[]): void;
}

export class Recording {
  readonly threadCount: number;
  readonly sizes: Readonly<Record<string, number>>;
  readonly switches: Readonly<Record<string, string>>;
  readonly variant: string;
  readonly vars = new Map<string, { -readonly [K in keyof VarDecl]: VarDecl[K] }>();
  readonly pools = new Map<string, { -readonly [K in keyof PoolDecl]: PoolDecl[K] }>();
  readonly functions = new Map<string, FunctionDecl>();
  /** Called functions that are still to be recorded. */
  private readonly pending = new Map<string, FunctionSource>();
  /** Conditions that can only be written down when all locks are known; each object is completed in place. */
  private readonly deferred: { readonly expr: { e: string }; readonly complete: () => Expr }[] = [];
  private readonly deferredBlocks: { readonly block: Stmt[]; readonly complete: () => readonly Stmt[] }[] = [];
  private readonly frames: Frame[] = [];
  #statements = 0;
  private readonly originals = new Map<string, FunctionSource>();
  private readonly replacements: ReadonlyMap<string, FunctionSource>;
  /** The declared initial value of each variable, which a scenario's start may have changed for an object. */
  readonly fresh = new Map<string, number>();
  /** Marks of what the scenario's start says has happened already. */
  readonly reached = new Set<string>();
  readonly facts = new Map<unknown, unknown>();

  constructor(options: {
    threadCount: number;
    sizes: Readonly<Record<string, number>>;
    switches: Readonly<Record<string, string>>;
    variant: string;
    /** What the variant has in the place of functions, by name. */
    replacements: ReadonlyMap<string, FunctionSource>;
  }) {
    this.threadCount = options.threadCount;
    this.sizes = options.sizes;
    this.switches = options.switches;
    this.variant = options.variant;
    this.replacements = options.replacements;
  }

  /** The function being recorded; a ModelError outside of one. */
  frame(what: string): Frame {
    const frame = this.frames.at(-1);
    if (!frame) throw new ModelError(`${what} belongs inside a function body or a thread`, callSite());
    return frame;
  }

  get inFunction(): boolean {
    return this.frames.length > 0;
  }

  emit(stmt: Stmt): void {
    const frame = this.frame("a statement");
    if (frame.atomic && STEP_LEVEL.has(stmt.s)) {
      throw new ModelError(
        `${stmt.s === "step" ? `${stmt.call} is a step of its own and` : `${stmt.s}`} cannot stand inside atomically(…)`,
        "site" in stmt ? stmt.site : undefined,
      );
    }
    frame.blocks.at(-1)!.push(stmt);
    if (++this.#statements > MOST_STATEMENTS) {
      const what = `more than ${MOST_STATEMENTS} statements were recorded, and no end`;
      const advice = "a JavaScript loop runs while the model is recorded; a loop of the kernel's is While(…)";
      throw new ModelError(`${what}: ${advice}`, "site" in stmt ? stmt.site : callSite());
    }
  }

  /** Records what `body` records into a list of its own. */
  block(body: () => unknown, site: Site): Stmt[] {
    const frame = this.frame("a block");
    const block: Stmt[] = [];
    frame.blocks.push(block);
    try {
      const result = body();
      if (result !== null && typeof result === "object" && "then" in result) {
        throw new ModelError("a body must not be async: it records statements, it does not run them", site);
      }
    } finally {
      frame.blocks.pop();
    }
    return block;
  }

  /** A new local of the function being recorded; the name is made unique. */
  local(name: string, domain: Domain, kept = false): string {
    const frame = this.frame("a local");
    const count = (frame.names.get(name) ?? 0) + 1;
    frame.names.set(name, count);
    const unique = count === 1 ? name : `${name}_${count}`;
    frame.locals.push(kept ? { name: unique, domain, kept } : { name: unique, domain });
    return unique;
  }

  obligation(advice: string): Obligation {
    const obligation: Obligation = { used: false, site: callSite(), advice };
    this.frames.at(-1)?.obligations.push(obligation);
    return obligation;
  }

  /** An expression completed when everything has been recorded. */
  defer(complete: () => Expr): Expr {
    const expr = { e: "const", v: 0 } as const;
    this.deferred.push({ expr, complete });
    return expr;
  }

  /** Makes sure this function, or what the variant has in its place, will be in the tree. */
  require(original: FunctionSource): FunctionSource {
    const name = original.name;
    const known = this.originals.get(name);
    if (known && known !== original) {
      throw new ModelError(
        `two different functions are called ${name}; use replace(…) in a variant, or another name`,
        original.site,
      );
    }
    this.originals.set(name, original);
    const source = this.replacements.get(name) ?? original;
    if (!this.functions.has(name) && !this.frames.some((f) => f.name === name)) this.pending.set(name, source);
    return source;
  }

  /** Statements written down when everything has been recorded, into the block this returns. */
  deferStatements(complete: () => readonly Stmt[]): Stmt[] {
    const block: Stmt[] = [];
    this.deferredBlocks.push({ block, complete });
    return block;
  }

  recordFunction(source: FunctionSource): void {
    const frame: Frame = {
      name: source.name,
      locals: [],
      names: new Map(),
      returns: source.returns?.(),
      obligations: [],
      blocks: [[]],
      atomic: false,
      loops: 0,
    };
    this.frames.push(frame);
    try {
      const params = source.params.map((p): Expr => ({ e: "local", name: this.local(p.name, p.domain()) }));
      source.run(params);
    } finally {
      this.frames.pop();
    }
    const forgotten = frame.obligations.find((o) => !o.used);
    if (forgotten) throw new ModelError(forgotten.advice, forgotten.site);
    this.functions.set(source.name, {
      name: source.name,
      at: source.at,
      params: source.params.length,
      locals: frame.locals,
      ...(frame.returns ? { returns: frame.returns } : {}),
      body: frame.blocks[0]!,
      site: source.site,
    });
  }

  /** Records every function required so far, and those they require. */
  drain(): void {
    for (;;) {
      const next = this.pending.entries().next();
      if (next.done) return;
      const [name, source] = next.value;
      this.pending.delete(name);
      if (!this.functions.has(name)) this.recordFunction(source);
    }
  }

  /** Completes deferred expressions. Nothing may be recorded afterwards. */
  finish(): void {
    for (const { block, complete } of this.deferredBlocks) block.push(...complete());
    for (const { expr, complete } of this.deferred) {
      const value = complete();
      for (const key of Object.keys(expr)) delete (expr as Record<string, unknown>)[key];
      Object.assign(expr, value);
    }
  }
}

const STEP_LEVEL: ReadonlySet<string> = new Set([
  "step",
  "while",
  "label",
  "goto",
  "return",
  "call",
  "break",
  "continue",
]);

let current: Recording | null = null;

/** The recording in progress; a ModelError when a model touches the language outside of one. */
export function recording(): Recording {
  if (!current) {
    throw new ModelError(
      "this belongs inside a function body, a thread or the start of a scenario; it ran while the model was being loaded",
      callSite(),
    );
  }
  return current;
}

export function isRecording(): boolean {
  return current !== null;
}

export function recordWith<T>(next: Recording, body: () => T): T {
  if (current) throw new ModelError("a recording cannot start inside another one", callSite());
  current = next;
  try {
    return body();
  } catch (error) {
    throw asModelError(error);
  } finally {
    current = null;
  }
}
