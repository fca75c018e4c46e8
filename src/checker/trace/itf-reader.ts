/** Reads trace files strictly: a file that is damaged, foreign or of another version is refused, and the message says how. */
import { readFileSync } from "node:fs";
import type { Site } from "../../spec/program.ts";
import { TRACE_FORMAT } from "./itf.ts";
import {
  repeats,
  type Trace,
  type TraceStanding,
  type TraceState,
  type TraceStep,
  type TraceThread,
  type TraceValues,
  type TraceVariable,
  valueName,
} from "./trace.ts";
import { TraceError } from "./trace-error.ts";

const STATUSES = ["ready", "blocked", "resting", "idle", "preempted", "ended"] as const;

export function readTraceFile(file: string): Trace {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const what = code === "ENOENT" ? "there is no such file" : code === "EISDIR" ? "it is a directory" : String(code);
    throw new TraceError(`${file}: ${what}; a trace is a .itf.json file that \`lockstep check\` wrote`);
  }
  return parseItf(text, file);
}

export function parseItf(text: string, file: string): Trace {
  let root: unknown;
  try {
    root = JSON.parse(text);
  } catch (error) {
    throw new TraceError(
      `${file}: it is no JSON (${(error as Error).message}); the file is damaged or no trace. ` +
        "Write it anew with `lockstep check`, or restore it from version control",
    );
  }
  const top = new Cursor(file, "the file", root);
  if (!top.isObject || !top.has("states") || !top.has("vars")) {
    throw new TraceError(
      `${file}: it is JSON but no ITF trace ("vars" and "states" are missing); is it the right file?`,
    );
  }
  if (!top.has("#meta") || !top.at("#meta").isObject || !top.at("#meta").has("lockstep")) {
    throw new TraceError(
      `${file}: it is an ITF trace, but not one that Lockstep wrote ("#meta".lockstep is missing), ` +
        "so it does not say which model and which steps it belongs to",
    );
  }
  const meta = top.at("#meta");
  const version = meta.at("lockstep").string();
  if (version !== TRACE_FORMAT) {
    throw new TraceError(
      `${file}: it has trace format ${version}, and this version of Lockstep reads ${TRACE_FORMAT}; ` +
        "write it anew with `lockstep check`",
    );
  }
  const threads = meta.at("threads").list().map(thread);
  if (new Set(threads.map((t) => t.name)).size !== threads.length) meta.at("threads").fail("names are not unique");
  const threadName = (cursor: Cursor): string => {
    const name = cursor.string();
    return threads.some((t) => t.name === name) ? name : cursor.fail(`no thread is called ${JSON.stringify(name)}`);
  };
  const variables = meta.at("variables").list().map(variable);
  const steps = meta
    .at("transitions")
    .list()
    .map((c, index) => step(c, index, threadName));
  const loop = top.has("loop") ? top.at("loop").integer(0, steps.length) : null;
  const states = top
    .at("states")
    .list()
    .map((c, index) => state(c, index, variables, threads, threadName));
  const looping = repeats({ loop, steps });
  const wanted = looping ? steps.length : steps.length + 1;
  if (states.length !== wanted) {
    top.at("states").fail(`${states.length} states do not fit ${steps.length} transitions (${wanted} are needed)`);
  }
  const first = looping ? states[loop ?? 0] : undefined;
  if (first !== undefined) states.push(first);
  const finding = meta.at("finding");
  return {
    model: meta.at("model").string(),
    protocol: meta.at("protocol").string(),
    variant: meta.at("variant").string(),
    scenario: meta.at("scenario").string(),
    sizes: meta.at("sizes").record((c) => c.integer()),
    switches: meta.at("switches").record((c) => c.string()),
    property: meta.at("property").string(),
    verdict: meta.at("verdict").oneOf(["violated", "inconclusive"]),
    finding: {
      kind: finding.at("kind").string(),
      message: finding.at("message").string(),
      thread: finding.at("thread").nullable(threadName),
      at: finding.at("at").nullable((c) => c.string()),
    },
    label: meta.at("label").nullable((c) => c.oneOf(["structural", "timing"])),
    depthExact: meta.at("depthExact").boolean(),
    assumptions: {
      memory: meta.at("assumptions").at("memory").oneOf(["SC"]),
      fairness: meta.at("assumptions").at("fairness").string(),
    },
    threads,
    variables,
    states,
    steps,
    loop,
  };
}

function thread(c: Cursor): TraceThread {
  return { name: c.at("name").string(), kind: c.at("kind").string(), cpu: c.at("cpu").nullable((n) => n.integer()) };
}

function variable(c: Cursor): TraceVariable {
  return {
    name: c.at("name").string(),
    title: c.at("title").string(),
    values: valuesOf(c.at("values")),
    length: c.at("length").nullable((n) => n.integer(0)),
    index: c.at("index").isObject
      ? { pool: c.at("index").at("pool").string() }
      : c.at("index").oneOf(["thread", "number"]),
    lock: c.at("lock").nullable((l) => l.string()),
    observer: c.at("observer").boolean(),
  };
}

function valuesOf(c: Cursor): TraceValues {
  const of = c.at("of").oneOf(["int", "bool", "thread", "enum", "pointer"]);
  if (of === "enum") {
    const labels = c.at("labels").list();
    return { of, labels: labels.map((l) => l.string()) };
  }
  if (of === "pointer") return { of, pool: c.at("pool").string(), slots: c.at("slots").integer(0) };
  return { of };
}

function step(c: Cursor, index: number, threadName: (c: Cursor) => string): TraceStep {
  if (c.at("step").integer() !== index + 1)
    c.at("step").fail(`expected ${index + 1}: steps are missing or in disorder`);
  return {
    thread: threadName(c.at("thread")),
    action: c.at("action").integer(0),
    ways: c
      .at("ways")
      .list()
      .map((w) => w.integer(0)),
    call: c.at("call").string(),
    outcome: c.at("outcome").string(),
    fn: c.at("function").string(),
    at: c.at("file").string(),
    path: c
      .at("path")
      .list()
      .map((p) => p.string()),
    site: site(c.at("model")),
    findings: c
      .at("findings")
      .list()
      .map((f) => ({ kind: f.at("kind").string(), message: f.at("message").string() })),
    error: c.at("error").boolean(),
  };
}

function site(c: Cursor): Site {
  const match = /^(.+):(\d+):(\d+)$/.exec(c.string());
  if (match === null) return c.fail("expected file:line:column");
  return { file: match[1] ?? "", line: Number(match[2]), column: Number(match[3]) };
}

function state(
  c: Cursor,
  index: number,
  variables: readonly TraceVariable[],
  threads: readonly TraceThread[],
  threadName: (c: Cursor) => string,
): TraceState {
  if (c.at("#meta").at("index").integer() !== index) c.at("#meta").at("index").fail(`expected ${index}`);
  const standings = c.at("#meta").at("threads").list();
  if (standings.length !== threads.length) c.at("#meta").at("threads").fail(`expected ${threads.length} threads`);
  return {
    values: variables.map((v) => {
      const cell = c.at(v.name);
      const cells = v.length === null ? [cell] : cell.list();
      if (v.length !== null && cells.length !== v.length) cell.fail(`expected ${v.length} elements`);
      return cells.map((element) => decode(element, v.values, threads));
    }),
    threads: standings.map((s): TraceStanding => {
      return {
        status: s.at("status").oneOf(STATUSES),
        call: s.at("call").string(),
        fn: s.at("fn").string(),
        on: s.at("on").nullable((o) => o.string()),
        holder: s.at("holder").nullable(threadName),
      };
    }),
  };
}

function decode(c: Cursor, values: TraceValues, threads: readonly TraceThread[]): number {
  switch (values.of) {
    case "int": {
      const digits = c.at("#bigint").string();
      return /^-?\d+$/.test(digits) ? Number(digits) : c.fail("expected an integer");
    }
    case "bool":
      return c.boolean() ? 1 : 0;
    default: {
      const name = c.string();
      let count = threads.length + 1;
      if (values.of === "enum") count = values.labels.length;
      if (values.of === "pointer") count = values.slots + 2; // NULL and the wild pointer
      for (let value = 0; value < count; value++) {
        if (valueName(values, value, threads) === name) return value;
      }
      return c.fail(`${JSON.stringify(name)} is none of its values`);
    }
  }
}

/** A place inside the parsed file, for messages that say where. */
class Cursor {
  private readonly file: string;
  private readonly where: string;
  private readonly value: unknown;

  constructor(file: string, where: string, value: unknown) {
    this.file = file;
    this.where = where;
    this.value = value;
  }

  fail(what: string): never {
    throw new TraceError(
      `${this.file}: ${this.where}: ${what}; the file is damaged. ` +
        "Write it anew with `lockstep check`, or restore it from version control",
    );
  }

  private expected(what: string): never {
    const found = this.value === undefined ? "nothing" : (JSON.stringify(this.value) ?? "nothing");
    return this.fail(`expected ${what}, found ${found.length > 40 ? `${found.slice(0, 37)}…` : found}`);
  }

  get isObject(): boolean {
    return this.value !== null && typeof this.value === "object" && !Array.isArray(this.value);
  }

  has(key: string): boolean {
    return this.isObject && Object.hasOwn(this.value as object, key);
  }

  at(key: string): Cursor {
    if (!this.isObject) this.expected("an object");
    const inner = Object.hasOwn(this.value as object, key) ? (this.value as Record<string, unknown>)[key] : undefined;
    return new Cursor(this.file, this.where === "the file" ? `"${key}"` : `${this.where}.${key}`, inner);
  }

  list(): Cursor[] {
    if (!Array.isArray(this.value)) this.expected("a list");
    return (this.value as unknown[]).map((item, i) => new Cursor(this.file, `${this.where}[${i}]`, item));
  }

  record<T>(read: (c: Cursor) => T): Record<string, T> {
    if (!this.isObject) this.expected("an object");
    return Object.fromEntries(Object.keys(this.value as object).map((key) => [key, read(this.at(key))]));
  }

  string(): string {
    return typeof this.value === "string" ? this.value : this.expected("a text");
  }

  boolean(): boolean {
    return typeof this.value === "boolean" ? this.value : this.expected("true or false");
  }

  integer(lo = Number.MIN_SAFE_INTEGER, hi = Number.MAX_SAFE_INTEGER): number {
    const value = this.value;
    if (typeof value !== "number" || !Number.isInteger(value)) return this.expected("an integer");
    return value >= lo && value <= hi ? value : this.expected(`an integer from ${lo} to ${hi}`);
  }

  oneOf<const T extends string>(names: readonly T[]): T {
    return names.find((name) => name === this.value) ?? this.expected(`one of ${names.join(", ")}`);
  }

  nullable<T>(read: (c: Cursor) => T): T | null {
    return this.value === null ? null : read(this);
  }
}
