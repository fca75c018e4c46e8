/** Protocols: variants, scenarios, threads, properties and expectations, and the recording of one of their instances. */

import { type Cell, startWith } from "./cell.ts";
import type { Replacement } from "./function.ts";
import { askedOfMembers } from "./members.ts";
import { ModelError } from "./model-error.ts";
import { nearest } from "./nearest.ts";
import { type Big, bklFact } from "./primitives/blocking.ts";
import { emitExitChecks } from "./primitives/held.ts";
import type { Expectation, FindingKind, Program, PropertyDecl, Site, ThreadDecl } from "./program.ts";
import { dataRace, type Property } from "./properties.ts";
import { callSite, type FunctionSource, Recording, recording, recordWith } from "./recording.ts";
import type { Type } from "./types.ts";
import type { Value } from "./value.ts";

export interface ThreadSpec {
  readonly name: string;
  readonly body: () => void;
  readonly count: number;
  readonly kind: ThreadDecl["kind"];
  readonly cpu: number;
  readonly site: Site;
}

export interface ThreadOptions {
  /** How many identical threads; they are named `udev#1`, `udev#2` … when there are several. */
  readonly count?: number;
  readonly kind?: ThreadDecl["kind"];
  /** The CPU it runs on, from 0. Matters only where there are handlers. Default: a CPU of its own. */
  readonly cpu?: number;
}

/** A thread of a scenario. */
export function thread(name: string, body: () => void, options: ThreadOptions = {}): ThreadSpec {
  return {
    name,
    body,
    count: options.count ?? 1,
    kind: options.kind ?? "task",
    cpu: options.cpu ?? -1,
    site: callSite(),
  };
}

export interface Size {
  readonly default: number;
  readonly min: number;
  readonly max: number;
  readonly what: string;
}

export interface Switch {
  readonly values: readonly string[];
  readonly default: string;
  readonly what: string;
}

export interface Variant {
  readonly id: string;
  readonly title: string;
  /** The variant this one inherits from. */
  readonly base?: string;
  readonly replaces?: readonly Replacement[];
}

export interface Scenario {
  readonly id: string;
  readonly title: string;
  readonly sizes?: Readonly<Record<string, Size>>;
  readonly threads: () => readonly ThreadSpec[];
  /** Sets what differs from the declared initial values. */
  readonly start?: () => void;
  /** Recorded once the kernel code is known: observers and the like. */
  readonly properties: readonly Property[];
  /** The variants it makes sense for; absent: all. */
  readonly variants?: readonly string[];
  /** Properties that make sense for some variants only. */
  readonly only?: Readonly<Record<string, readonly string[]>>;
  /** `large` scenarios are checked on request. */
  readonly size?: "large";
}

export interface Expected {
  readonly variants: readonly string[];
  readonly scenarios: readonly string[];
  readonly property: string;
  readonly verdict: "violated" | "vacuous" | "inconclusive";
  readonly kinds: readonly FindingKind[];
  readonly reason: string;
  readonly site: Site;
}

export interface ProtocolOptions {
  readonly title: string;
  /** Where the patch or the code was published. */
  readonly source: string;
  readonly variants: readonly Variant[];
  readonly scenarios: readonly Scenario[];
  readonly switches?: Readonly<Record<string, Switch>>;
  readonly expected?: readonly Expected[];
  /** The big kernel lock, where the code of the time has one. */
  readonly bkl?: Big;
}

export interface RecordRequest {
  readonly variant: string;
  readonly scenario: string;
  readonly sizes?: Readonly<Record<string, number>>;
  readonly switches?: Readonly<Record<string, string>>;
  /** How many threads a class has, other than its scenario says: for questions about any number of them. */
  readonly members?: Readonly<Record<string, number>>;
}

/** A protocol; a model file exports one as its default. */
export class Protocol {
  readonly id: string;
  readonly title: string;
  readonly source: string;
  readonly variants: readonly Variant[];
  readonly scenarios: readonly Scenario[];
  readonly switches: Readonly<Record<string, Switch>>;
  readonly expected: readonly Expected[];
  readonly properties: readonly { readonly id: string; readonly title: string }[];
  readonly site: Site;
  readonly #bkl: Big | undefined;

  constructor(id: string, options: ProtocolOptions, site: Site) {
    this.id = id;
    this.title = options.title;
    this.source = options.source;
    this.variants = options.variants;
    this.scenarios = options.scenarios;
    this.switches = options.switches ?? {};
    this.expected = options.expected ?? [];
    this.site = site;
    this.#bkl = options.bkl;
    const properties = new Map<string, Property>();
    for (const p of this.scenarios.flatMap((s) => s.properties)) properties.set(p.id, p);
    this.properties = [...properties.values()].map((p) => ({ id: p.id, title: p.title }));
    this.#validate();
  }

  #validate(): void {
    usable("protocol", this.id, this.site);
    for (const { id } of this.variants) usable("variant", id, this.site);
    for (const { id } of this.scenarios) usable("scenario", id, this.site);
    for (const { id } of this.properties) usable("property", id, this.site);
    unique(
      "variant",
      this.variants.map((v) => v.id),
      this.site,
    );
    unique(
      "scenario",
      this.scenarios.map((s) => s.id),
      this.site,
    );
    for (const v of this.variants) {
      if (v.base !== undefined)
        known(
          "variant",
          v.base,
          this.variants.map((x) => x.id),
          this.site,
        );
    }
    for (const s of this.scenarios) {
      unique(
        `property of ${s.id}`,
        s.properties.map((p) => p.id),
        this.site,
      );
      for (const v of s.variants ?? [])
        known(
          "variant",
          v,
          this.variants.map((x) => x.id),
          this.site,
        );
    }
    for (const e of this.expected) {
      for (const v of e.variants)
        known(
          "variant",
          v,
          this.variants.map((x) => x.id),
          e.site,
        );
      for (const s of e.scenarios)
        known(
          "scenario",
          s,
          this.scenarios.map((x) => x.id),
          e.site,
        );
      known(
        "property",
        e.property,
        this.properties.map((x) => x.id),
        e.site,
      );
    }
  }

  applies(variant: string, scenario: string): boolean {
    const s = this.#scenario(scenario);
    this.#variant(variant);
    return s.variants === undefined || s.variants.includes(variant);
  }

  /** The switch settings this cell is checked under at default: one graph each, the default one first. */
  settings(variant: string, scenario: string): readonly Readonly<Record<string, string>>[] {
    const seen = new Map<string, Readonly<Record<string, string>>>();
    for (const p of this.#propertiesOf(variant, scenario)) {
      const switches = { ...this.defaults(), ...p.under };
      seen.set(JSON.stringify(Object.entries(switches).sort()), switches);
    }
    return [...seen.values()].sort((a, b) => this.#distance(a) - this.#distance(b));
  }

  defaults(): Readonly<Record<string, string>> {
    return Object.fromEntries(Object.entries(this.switches).map(([name, s]) => [name, s.default]));
  }

  #distance(switches: Readonly<Record<string, string>>): number {
    return Object.entries(this.switches).filter(([name, s]) => switches[name] !== s.default).length;
  }

  #scenario(id: string): Scenario {
    known(
      "scenario",
      id,
      this.scenarios.map((s) => s.id),
      this.site,
    );
    return this.scenarios.find((s) => s.id === id)!;
  }

  #variant(id: string): Variant {
    known(
      "variant",
      id,
      this.variants.map((v) => v.id),
      this.site,
    );
    return this.variants.find((v) => v.id === id)!;
  }

  #propertiesOf(variant: string, scenario: string): readonly Property[] {
    const s = this.#scenario(scenario);
    return s.properties.filter((p) => s.only?.[p.id]?.includes(variant) ?? true);
  }

  /** The function table of a variant: its own replacements, then those of the variants it inherits from. */
  #replacements(variant: string): Map<string, FunctionSource> {
    const table = new Map<string, FunctionSource>();
    for (
      let v: Variant | undefined = this.#variant(variant);
      v;
      v = v.base === undefined ? undefined : this.#variant(v.base)
    ) {
      for (const r of v.replaces ?? []) if (!table.has(r.name)) table.set(r.name, r.source);
    }
    return table;
  }

  /**
   * Records one instance; null where the scenario does not exist for the variant. Properties asked under other switch
   * settings than the request's are left out, so that every property is asked in exactly one of `settings`, unless
   * the request names a setting that none of them has: then those without a condition are asked.
   */
  record(request: RecordRequest): Program | null {
    if (!this.applies(request.variant, request.scenario)) return null;
    const scenario = this.#scenario(request.scenario);
    const sizes: Record<string, number> = {};
    for (const name of Object.keys(request.sizes ?? {})) {
      known(`size of ${scenario.id}`, name, Object.keys(scenario.sizes ?? {}), this.site);
    }
    for (const [name, size] of Object.entries(scenario.sizes ?? {})) {
      const value = request.sizes?.[name] ?? size.default;
      if (!Number.isInteger(value) || value < size.min || value > size.max) {
        throw new ModelError(`${name}=${value} is outside of ${size.min}..${size.max} (${size.what})`, this.site);
      }
      sizes[name] = value;
    }
    const switches: Record<string, string> = { ...this.defaults() };
    for (const [name, value] of Object.entries(request.switches ?? {})) {
      known("switch", name, Object.keys(this.switches), this.site);
      known(`value of ${name}`, value, this.switches[name]!.values, this.site);
      switches[name] = value;
    }
    const replacements = this.#replacements(request.variant);
    const specs = scopedSizes(sizes, switches, request.variant, () => scenario.threads());
    const countOf = (spec: ThreadSpec): number => request.members?.[spec.name] ?? spec.count;
    const threads = specs.flatMap((spec): ThreadDecl[] =>
      Array.from({ length: countOf(spec) }, (_, member) => ({
        name: countOf(spec) === 1 ? spec.name : `${spec.name}#${member + 1}`,
        cls: spec.name,
        fn: mainOf(spec.name),
        args: [],
        kind: spec.kind,
        ...(spec.cpu >= 0 ? { cpu: spec.cpu } : {}),
      })),
    );
    const r = new Recording({
      threadCount: threads.length,
      sizes,
      switches,
      variant: request.variant,
      replacements,
    });
    return recordWith(r, () => {
      r.facts.set(bklFact, this.#bkl);
      r.facts.set("threads", threads);
      for (const spec of specs) {
        const body = threadSource(spec.name, spec.site, () => {
          const result: unknown = spec.body();
          if (result !== undefined) throw new ModelError(`the body of ${spec.name} returned something`, spec.site);
        });
        r.require(
          threadSource(mainOf(spec.name), spec.site, () => {
            r.require(body);
            r.emit({ s: "call", fn: spec.name, args: [], site: spec.site });
            emitExitChecks(spec.site);
          }),
        );
      }
      scenario.start?.();
      r.drain();
      const asked = this.#propertiesOf(request.variant, request.scenario);
      const inSettings = this.settings(request.variant, request.scenario).some((s) => same(s, switches));
      const properties = asked
        .filter((p) =>
          inSettings
            ? same({ ...this.defaults(), ...p.under }, switches)
            : Object.entries(p.under).every(([k, v]) => switches[k] === v),
        )
        .map(
          (p): PropertyDecl => ({
            id: p.id,
            check: askedOfMembers(p.check(), p.id, threads, p.site),
            kind: p.kind,
            message: p.message,
            trigger: p.trigger,
            site: p.site,
          }),
        );
      // Claims of protection are checked whether or not a scenario asks for races.
      if (!properties.some((p) => p.id === dataRace.id)) {
        const { id, kind, message, trigger, site } = dataRace;
        properties.push({ id, check: dataRace.check(), kind, message, trigger, implied: true, site });
      }
      r.finish();
      const expectations = this.expected
        .filter(
          (e) =>
            (e.variants.length === 0 || e.variants.includes(request.variant)) &&
            (e.scenarios.length === 0 || e.scenarios.includes(request.scenario)) &&
            properties.some((p) => p.id === e.property),
        )
        .map(
          (e): Expectation => ({
            property: e.property,
            verdict: e.verdict,
            ...(e.kinds.length > 0 ? { kinds: e.kinds } : {}),
            reason: e.reason,
            site: e.site,
          }),
        );
      for (const p of properties) {
        const several = expectations.filter((e) => e.property === p.id);
        if (several.length > 1) {
          throw new ModelError(
            `${request.variant} / ${request.scenario} / ${p.id} has ${several.length} expectations; leave one`,
            several[1]!.site,
          );
        }
      }
      return {
        protocol: this.id,
        variant: request.variant,
        scenario: request.scenario,
        sizes,
        switches,
        ...(switches.scheduler === "one-cpu" ? { scheduler: "one-cpu" as const } : {}),
        vars: [...r.vars.values()],
        pools: [...r.pools.values()],
        functions: Object.fromEntries(r.functions),
        threads,
        properties,
        ...(r.reached.size > 0 ? { reached: [...r.reached] } : {}),
        expectations,
      };
    });
  }
}

/** The switch a protocol declares to ask questions on one CPU too: the soft lock-up of a loop that never sleeps. */
export const SCHEDULER_SWITCH = {
  values: ["smp", "one-cpu"],
  default: "smp",
  what: "smp: every thread has a CPU; one-cpu: one CPU without preemption, a thread runs until it blocks or sleeps",
} as const;

/** Declares a protocol. */
export function protocol(id: string, options: ProtocolOptions): Protocol {
  return new Protocol(id, options, callSite());
}

let scope: {
  sizes: Readonly<Record<string, number>>;
  switches: Readonly<Record<string, string>>;
  variant: string;
} | null = null;

function scopedSizes<T>(
  sizes: Readonly<Record<string, number>>,
  switches: Readonly<Record<string, string>>,
  variant: string,
  body: () => T,
): T {
  scope = { sizes, switches, variant };
  try {
    return body();
  } finally {
    scope = null;
  }
}

/**
 * The value of a size of the scenario.
 * @param otherwise where the scenario declares no such size: absent, that is an error
 */
export function size(name: string, otherwise?: number): number {
  const value = (scope ?? recording()).sizes[name] ?? otherwise;
  if (value === undefined) throw new ModelError(`the scenario declares no size ${name}`, callSite());
  return value;
}

/** Whether a switch has this value. */
export function switched(name: string, value: string): boolean {
  const actual = (scope ?? recording()).switches[name];
  if (actual === undefined) throw new ModelError(`the protocol declares no switch ${name}`, callSite());
  return actual === value;
}

/** A variable a scenario may give another initial value: plain data, an observer, an atomic, a bit, a counter. */
export interface Initial<V extends Value, In> {
  readonly type: Type<V, In>;
  cell(): Cell;
}

/** Sets the initial value of a variable in a scenario's `start`. */
export function initially<V extends Value, In>(data: Initial<V, In>, value: In): void {
  const site = callSite();
  const r = recording();
  if (r.inFunction)
    throw new ModelError("initially belongs in the start of a scenario; use write inside functions", site);
  const c = data.cell();
  const expr = data.type.coerce(value);
  startWith(c, expr, site);
}

/** Expectations: what the model's author found out and understood. `[]` for variants or scenarios means all. */
export function violated(
  variants: readonly string[],
  scenarios: readonly string[],
  property: Property,
  kinds: readonly FindingKind[],
  reason: string,
): Expected {
  return { variants, scenarios, property: property.id, verdict: "violated", kinds, reason, site: callSite() };
}

export function vacuous(
  variants: readonly string[],
  scenarios: readonly string[],
  property: Property,
  reason: string,
): Expected {
  return { variants, scenarios, property: property.id, verdict: "vacuous", kinds: [], reason, site: callSite() };
}

export function inconclusive(
  variants: readonly string[],
  scenarios: readonly string[],
  property: Property,
  reason: string,
): Expected {
  return { variants, scenarios, property: property.id, verdict: "inconclusive", kinds: [], reason, site: callSite() };
}

/** The function a thread runs: its body, then the checks at its end. */
function mainOf(thread: string): string {
  return `thread ${thread}`;
}

function threadSource(name: string, site: Site, run: () => void): FunctionSource {
  return { name, at: "", params: [], returns: undefined, site, run };
}

function same(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((k) => a[k] === b[k]);
}

function known(what: string, name: string, names: readonly string[], site: Site): void {
  if (names.includes(name)) return;
  const near = nearest(name, names);
  throw new ModelError(
    `no ${what} is called ${name}; ${near.length > 0 ? `did you mean ${near.join(" or ")}?` : "there is none"}`,
    site,
  );
}

/** Ids are parts of file names, on every system, and are typed on the command line. */
function usable(what: string, id: unknown, site: Site): void {
  if (typeof id === "string" && /^[^\s.-]/.test(id) && !/[/\\:*?"<>|\p{Cc}]|\s$/u.test(id)) return;
  throw new ModelError(
    `${JSON.stringify(id)} cannot be the id of a ${what}, which becomes part of file names: begin with a letter or a digit, ` +
      "and use letters, digits, dots, dashes and underscores",
    site,
  );
}

function unique(what: string, names: readonly string[], site: Site): void {
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new ModelError(`two ${what}s are called ${twice}`, site);
}
