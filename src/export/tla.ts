/**
 * A transition system as a TLA+ module, for TLC. Every transition is one way through one action, `pc` says in the
 * model's own words what each thread does next, and an error ends the run in the variable `error`: TLC generates the
 * states and transitions that Lockstep counts.
 *
 * What TLC cannot be asked is refused or said beside it: whether something stays possible (AG EF), and partial deadlock.
 */
import { applyBinary } from "../spec/evaluate.ts";
import type { BinaryOperator } from "../spec/program.ts";
import type {
  SysAction,
  SysCode,
  SysExpr,
  SysProgram,
  SysProperty,
  SysTemporal,
  TransitionSystem,
} from "../spec/transition-system.ts";
import { constantElements } from "./constant-elements.ts";
import { NotExpressible } from "./not-expressible.ts";

export interface TlaOptions {
  /** Name of the module, which TLC wants to be that of the file; default: made of variant and scenario. */
  readonly module?: string;
  /** The only property to ask; default: all that are about single states and steps. */
  readonly property?: SysProperty;
}

export interface TlaModule {
  readonly name: string;
  readonly text: string;
  /** What TLC reads beside the module, from NAME.cfg. */
  readonly configuration: string;
}

/** @throws NotExpressible, also for a module name that TLA+ does not know as one */
export function tla(system: TransitionSystem, options: TlaOptions = {}): TlaModule {
  return new Writer(system, options).module();
}

/** Letters, digits and underscores, at least one letter, and nothing that means something else in the module. */
function isModuleName(name: string): boolean {
  return /^(?!WF_|SF_)\w*[A-Za-z]\w*$/.test(name) && ![...KEYWORDS, ...OWN].includes(name);
}

const KEYWORDS =
  `ASSUME ASSUMPTION AXIOM BOOLEAN BY CASE CHOOSE CONSTANT CONSTANTS COROLLARY DEF DEFINE DEFS DOMAIN ELSE
  ENABLED EXCEPT EXTENDS FALSE HAVE HIDE IF IN INSTANCE LAMBDA LEMMA LET LOCAL MODULE NEW OBVIOUS OMITTED ONLY OTHER PICK
  PROOF PROPOSITION PROVE QED RECURSIVE SF_ STATE STRING SUBSET SUFFICES TAKE TEMPORAL THEN THEOREM TRUE UNCHANGED UNION
  USE VARIABLE VARIABLES WF_ WITH WITNESS Int Nat`.split(/\s+/);

const OWN = `error pc vars found tick At BitAnd BitOr BitXor Init Next Fairness Spec View Busy CanMove Waiting AtRest
  GlobalDeadlock Property`.split(/\s+/);

/** Of negative numbers too: two's complement has as many leading ones as one likes. */
const BITS = [
  "RECURSIVE BitAnd(_, _), BitXor(_, _)",
  "BitAnd(a, b) == IF a = 0 \\/ b = 0 THEN 0 ELSE IF a = -1 THEN b ELSE IF b = -1 THEN a",
  "  ELSE (a % 2) * (b % 2) + 2 * BitAnd(a \\div 2, b \\div 2)",
  "BitOr(a, b) == -1 - BitAnd(-1 - a, -1 - b)",
  "BitXor(a, b) == IF a = 0 THEN b ELSE IF b = 0 THEN a ELSE IF a = -1 THEN -1 - b ELSE IF b = -1 THEN -1 - a",
  "  ELSE ((a + b) % 2) + 2 * BitXor(a \\div 2, b \\div 2)",
];

/** What variables and locals are called at a point of a firing: after an assignment, by the name of a LET. */
interface Names {
  readonly vars: ReadonlyMap<number, string>;
  readonly locals: ReadonlyMap<number, string>;
  readonly found: boolean;
  /** Location where the firing began. */
  readonly from: number;
}

const UNTOUCHED: Names = { vars: new Map(), locals: new Map(), found: false, from: -1 };

type Owed = "always" | "never" | "by path";

class Writer {
  readonly #system: TransitionSystem;
  readonly #name: string;
  readonly #property: SysProperty | undefined;
  readonly #constant: readonly (readonly (number | undefined)[])[];
  readonly #vars: readonly string[];
  /** By thread, by local; of those no state holds, undefined. */
  readonly #locals: readonly (readonly (string | undefined)[])[];
  readonly #threads: readonly string[];
  /** By thread: the locals of it that states hold, together, and those of its moves that are owed. */
  readonly #localsOf: readonly string[];
  readonly #owedOf: readonly string[];
  /** By thread, location and action. */
  readonly #actionsOf: readonly (readonly (readonly { readonly all: string; readonly owed: string }[])[])[];
  /** Variables by the struct they are fields of, under one name for all. */
  readonly #fieldsOf: readonly (readonly [string, readonly string[]])[];
  readonly #taken: Set<string>;
  /** A step that changes nothing is none in TLA: of runs it is told by a variable that it does change. */
  readonly #ticks: boolean;
  /** By program: what `pc` is at each location. */
  readonly #places: readonly (readonly string[])[];
  /** By finding: what `error` is. */
  readonly #errors: readonly string[];
  /** Findings of the property that do not end the run: the variable `found` remembers that one was made. */
  readonly #noted: ReadonlySet<number>;
  #fresh = 0;

  constructor(system: TransitionSystem, { module, property }: TlaOptions) {
    if (module !== undefined && !isModuleName(module)) {
      throw new NotExpressible(
        `"${module}" is no name of a module: letters, digits and _, such as Loop_v4_2, and no word of TLA+`,
      );
    }
    this.#system = system;
    this.#property = property;
    this.#constant = constantElements(system);
    const taken = new Set([...KEYWORDS, ...OWN]);
    const name = (text: string): string => unique(identifier(text), taken, (n) => `_${n}`);
    this.#name = module ?? name(`${system.protocol}_${system.variant}_${system.scenario}`);
    taken.add(this.#name);
    this.#vars = system.vars.map((v) => name(v.name));
    const structs = new Map<string, string[]>();
    system.vars.forEach(({ name }, v) => {
      const of = /^(.*)\./.exec(name)?.[1] ?? "global";
      structs.set(of, [...(structs.get(of) ?? []), this.#vars[v]!]);
    });
    this.#fieldsOf = [...structs].map(([of, fields]) => [name(`${of}_fields`), fields] as const);
    this.#threads = system.threads.map((t) => name(t.name));
    this.#localsOf = this.#threads.map((t) => name(`${t}_locals`));
    this.#owedOf = this.#threads.map((t) => name(`${t}_owed`));
    this.#actionsOf = system.threads.map((t, k) =>
      system.programs[t.program]!.locations.map(({ actions }, l) =>
        actions.map(() => {
          const all = name(`${this.#threads[k]}_at_${l}`);
          return { all, owed: name(`${all}_owed`) };
        }),
      ),
    );
    this.#taken = taken;
    this.#locals = system.threads.map((t, k) =>
      system.programs[t.program]!.locals.map((l) => (l.stored ? name(`${this.#threads[k]}_${l.name}`) : undefined)),
    );
    this.#places = system.programs.map(({ locations }) => {
      const seen = new Set<string>();
      return locations.map((l) => unique(words(l.ended ? "ended" : `${l.fn}: ${l.call}`), seen, (n) => ` (${n})`));
    });
    const seen = new Set<string>();
    this.#errors = system.findings.map((f) => unique(words(`${f.kind}: ${f.message}`), seen, (n) => ` (${n})`));
    const asked = property?.check.c === "findings" ? property.check.findings : [];
    this.#ticks = property?.check.c === "temporal";
    this.#noted = new Set(asked.filter((f) => !system.findings[f]!.error));
  }

  module(): TlaModule {
    const { protocol, variant, scenario, threads } = this.#system;
    const asked = this.#asked();
    const actions = (idle: boolean): string[] => threads.flatMap((_, t) => this.#actions(t, idle));
    const body = [
      ...this.#declarations(),
      ...actions(false),
      "",
      "\\* Somebody has a move that is neither idle nor optional.",
      ...disjunction("Busy", this.#owedMoves(false)),
      ...actions(true),
      "",
      ...threads.flatMap((_, t) => this.#together(t)),
      ...this.#whole(),
      "",
      ...asked.definitions,
    ];
    const bits = body.some((line) => /\bBit(And|Or|Xor)\(/.test(line)) ? ["", ...BITS] : [];
    const configuration = [...asked.configuration, "CHECK_DEADLOCK FALSE", ""].join("\n");
    const title = `---------------------------- MODULE ${this.#name} ----------------------------`;
    const text = [
      title,
      `\\* ${line(`${protocol} / ${variant} / ${scenario}`)}, exported by Lockstep. Booleans are 0 and 1, 0 is also nobody and NULL.`,
      ...asked.comments.map((c) => `\\* ${line(c)}`),
      `\\* ${this.#name}.cfg, for TLC:`,
      ...configuration
        .trimEnd()
        .split("\n")
        .map((l) => `\\*   ${l}`),
      "EXTENDS Integers",
      "",
      "\\* An index out of the array reads 0.",
      "At(array, i) == IF i + 1 \\in DOMAIN array THEN array[i + 1] ELSE 0",
      ...bits,
      "",
      ...body,
      "=".repeat(title.length),
      "",
    ].join("\n");
    return { name: this.#name, text, configuration };
  }

  /* ---- variables ---- */

  #declarations(): string[] {
    const { vars, threads, programs } = this.#system;
    const declared: [name: string, init: string, about: string][] = [
      ["error", '""', "what ended the run"],
      [
        "pc",
        `<<${threads.map((t) => this.#place(t.program, t.initialLocation)).join(", ")}>>`,
        "what each thread does next",
      ],
    ];
    if (this.#noted.size > 0) declared.push(["found", "FALSE", "what the property forbids has happened"]);
    if (this.#ticks) declared.push(["tick", "0", "changes with steps that may change nothing else"]);
    vars.forEach((v, i) => {
      const labels = v.values.of === "enum" ? `: ${v.values.labels.map((l, k) => `${k} ${l}`).join(", ")}` : "";
      const init = v.length === 1 ? String(v.init[0]) : `<<${v.init.join(", ")}>>`;
      declared.push([this.#vars[i]!, init, `${v.title}${labels}`]);
    });
    threads.forEach((thread, t) => {
      programs[thread.program]!.locals.forEach((local, l) => {
        const name = this.#locals[t]![l];
        if (name !== undefined) {
          declared.push([
            name,
            String(thread.initialLocals[l] ?? 0),
            `${local.name} of ${local.fn}(), of ${thread.name}`,
          ]);
        }
      });
    });
    return [
      "VARIABLES",
      ...declared.map(([name, , about], i) => `  ${name}${i < declared.length - 1 ? "," : ""} \\* ${line(about)}`),
      "",
      ...this.#groups().map(([name, members]) => `${name} == <<${members.join(", ")}>>`),
      "",
      "Init ==",
      ...declared.map(([name, init]) => `  /\\ ${name} = ${init}`),
    ];
  }

  #place(program: number, location: number): string {
    return `"${this.#places[program]![location]}"`;
  }

  /* ---- actions ---- */

  #program(t: number): SysProgram {
    return this.#system.programs[this.#system.threads[t]!.program]!;
  }

  /** Definitions of the actions of a thread that are idle, or that are not. */
  #actions(t: number, idle: boolean): string[] {
    return this.#program(t).locations.flatMap((location, l) =>
      location.actions.flatMap((action, a) => {
        if (never(action) || action.idle !== idle) return [];
        const { all, owed } = this.#actionsOf[t]![l]![a]!;
        const about = action.name === "" ? location.call : `${location.call}: ${action.name}`;
        const definition = ["", `\\* ${line(about)}`, `${all} ==`, ...this.#action(t, l, action, false)];
        if (owedOf(action) === "by path") definition.push("", `${owed} ==`, ...this.#action(t, l, action, true));
        return definition;
      }),
    );
  }

  /** The actions of a thread together, and those of its moves that are owed. */
  #together(t: number): string[] {
    const all: string[] = [];
    const owed: string[] = [];
    this.#program(t).locations.forEach(({ actions }, l) => {
      actions.forEach((action, a) => {
        if (never(action)) return;
        const names = this.#actionsOf[t]![l]![a]!;
        all.push(names.all);
        const owes = owedOf(action);
        if (owes !== "never") owed.push(owes === "always" ? names.all : names.owed);
      });
    });
    return [...disjunction(this.#threads[t]!, all), "", ...disjunction(this.#owedOf[t]!, owed), ""];
  }

  #action(t: number, l: number, action: SysAction, owed: boolean): string[] {
    const out = ['  /\\ error = ""', `  /\\ pc[${t + 1}] = ${this.#place(this.#system.threads[t]!.program, l)}`];
    if (action.idle) out.push("  /\\ ~Busy");
    if (action.guard !== undefined) out.push(`  /\\ ${this.#truth(action.guard, t, UNTOUCHED)}`);
    return [...out, "  /\\", ...this.#code(action.code, t, { ...UNTOUCHED, from: l }, "     ", owed)];
  }

  #code(code: SysCode, t: number, before: Names, indent: string, owed: boolean): string[] {
    const vars = new Map(before.vars);
    const locals = new Map(before.locals);
    let { found } = before;
    const { from } = before;
    const lets: string[] = [];
    const named = (value: string): string => {
      if (/^\w+$/.test(value)) return value;
      const name = `x${this.#fresh++}`;
      lets.push(`${name} == ${value}`);
      return name;
    };
    for (const op of code.ops) {
      const now: Names = { vars, locals, found, from };
      if (op.o === "local") locals.set(op.l, named(this.#number(op.value, t, now)));
      else if (op.o === "finding") found ||= this.#noted.has(op.f);
      else if (op.o === "var") {
        const value = this.#number(op.value, t, now);
        const old = vars.get(op.v) ?? this.#vars[op.v]!;
        const scalar = this.#system.vars[op.v]!.length === 1;
        const i = op.i === undefined ? "1" : plus1(this.#number(op.i, t, now));
        vars.set(op.v, named(scalar ? value : `[${old} EXCEPT ![${i}] = ${value}]`));
      }
    }
    const after: Names = { vars, locals, found, from };
    const head = lets.map((l, i) => `${indent}${i === 0 ? "LET " : "    "}${l}`);
    if (lets.length > 0) head.push(`${indent}IN`);
    return [...head, ...this.#end(code.end, t, after, indent, owed)];
  }

  #end(end: SysCode["end"], t: number, names: Names, indent: string, owed: boolean): string[] {
    const inner = `${indent}  `;
    switch (end.k) {
      case "goto":
        return this.#step(t, names, end.location, indent);
      case "error": {
        const changed = new Map([["error", `"${this.#errors[end.f]}"`]]);
        if (names.found) changed.set("found", "TRUE");
        return this.#assignments(changed, indent);
      }
      case "if": {
        const condition = this.#truth(end.c, t, names);
        if (condition === "TRUE") return this.#code(end.then, t, names, indent, owed);
        if (condition === "FALSE") return this.#code(end.else, t, names, indent, owed);
        return [
          `${indent}IF ${condition}`,
          `${indent}THEN`,
          ...this.#code(end.then, t, names, inner, owed),
          `${indent}ELSE`,
          ...this.#code(end.else, t, names, inner, owed),
        ];
      }
      case "choose": {
        const ways = end.ways.filter((w) => !(owed && w.optional));
        if (ways.length === 0) return [`${indent}FALSE`];
        return ways.flatMap((w) => [
          `${indent}\\/ \\* ${line(w.name)}`,
          ...this.#code(w.code, t, names, `${indent}   `, owed),
        ]);
      }
    }
  }

  /** Variables, as what is mostly left unchanged together; last, all of them. */
  #groups(): (readonly [name: string, members: readonly string[]])[] {
    const locals = this.#locals.map((of) => of.filter((name) => name !== undefined));
    const control = ["error", "pc", ...(this.#noted.size > 0 ? ["found"] : []), ...(this.#ticks ? ["tick"] : [])];
    const parts: (readonly [string, readonly string[]])[] = [
      ...this.#fieldsOf,
      ...locals.map((names, t): [string, readonly string[]] => [this.#localsOf[t]!, names]),
    ];
    const filled = parts.filter(([, members]) => members.length > 0);
    return [...filled, ["vars", [...control, ...filled.map(([name]) => name)]]];
  }

  #step(t: number, { vars, locals, found, from }: Names, location: number, indent: string): string[] {
    const program = this.#system.threads[t]!.program;
    const changed = new Map([["pc", `[pc EXCEPT ![${t + 1}] = ${this.#place(program, location)}]`]]);
    if (found) changed.set("found", "TRUE");
    if (this.#ticks && location === from) changed.set("tick", "1 - tick");
    for (const [v, name] of vars) changed.set(this.#vars[v]!, name);
    for (const [l, name] of locals) {
      const stored = this.#locals[t]![l];
      if (stored !== undefined) changed.set(stored, name);
    }
    return this.#assignments(changed, indent);
  }

  #assignments(changed: ReadonlyMap<string, string>, indent: string): string[] {
    const groups = new Map(this.#groups());
    const left = (name: string): string[] => {
      const members = groups.get(name);
      if (members === undefined) return changed.has(name) ? [] : [name];
      const rest = members.flatMap(left);
      return rest.length === members.length && rest.every((m, i) => m === members[i]) ? [name] : rest;
    };
    const rest = left("vars");
    return [
      ...[...changed].map(([name, value]) => `${indent}/\\ ${name}' = ${value}`),
      ...(rest.length > 0 ? [`${indent}/\\ UNCHANGED <<${rest.join(", ")}>>`] : []),
    ];
  }

  /* ---- the system ---- */

  /** By action that is idle, or is not: that it is enabled and owed. */
  #owedMoves(idle: boolean): string[] {
    return this.#system.threads.flatMap((thread, t) =>
      this.#program(t).locations.flatMap((location, l) =>
        location.actions.flatMap((action, a) => {
          const owes = owedOf(action);
          if (never(action) || owes === "never" || action.idle !== idle) return [];
          if (owes === "by path") return [`ENABLED ${this.#actionsOf[t]![l]![a]!.owed}`];
          const at = `pc[${t + 1}] = ${this.#place(thread.program, l)}`;
          return [action.guard === undefined ? at : `(${at} /\\ ${this.#truth(action.guard, t, UNTOUCHED)})`];
        }),
      ),
    );
  }

  #whole(): string[] {
    return [
      "CanMove ==",
      ...["Busy", ...this.#owedMoves(true)].map((m) => `  \\/ ${m}`),
      "",
      `Next == ${this.#threads.join(" \\/ ")}`,
      "",
      "\\* While error is not empty its kind is all that counts: the states TLC counts are Lockstep's.",
      `View == IF error = "" THEN vars ELSE <<error>>`,
      "",
      "\\* Somebody has not ended and is where nobody may rest.",
      ...disjunction(
        "Waiting",
        this.#system.threads.flatMap((_, t) => this.#waiting(t)),
      ),
      "",
      'GlobalDeadlock == error = "" /\\ ~CanMove /\\ Waiting',
      'AtRest == error = "" /\\ ~CanMove /\\ ~Waiting',
    ];
  }

  /** Where thread t is blocked, given that nobody can move. */
  #waiting(t: number): string[] {
    const { kind, program, initialLocation } = this.#system.threads[t]!;
    if (kind === "environment" || kind === "device") return [];
    const handler = kind === "hardirq" || kind === "softirq";
    const places: string[] = [];
    const conditional: string[] = [];
    this.#program(t).locations.forEach((location, l) => {
      if (location.ended || (handler && l === initialLocation)) return;
      const place = this.#place(program, l);
      if (location.wait?.resting === undefined) places.push(place);
      else {
        const resting = this.#truth(location.wait.resting, t, UNTOUCHED);
        conditional.push(`(pc[${t + 1}] = ${place} /\\ ~${resting})`);
      }
    });
    return [...(places.length > 0 ? [`pc[${t + 1}] \\in {${places.join(", ")}}`] : []), ...conditional];
  }

  /* ---- properties ---- */

  #asked(): { definitions: string[]; configuration: string[]; comments: string[] } {
    const property = this.#property;
    if (property === undefined) return this.#allOfStates();
    const { check, id } = property;
    if (check.c === "temporal") {
      const formula = [check, ...(check.also ?? [])]
        .map(({ formula, moving }) => {
          const steps = moving?.map((t) => this.#threads[t]!).join(" \\/ ");
          return steps === undefined
            ? `(${this.#formula(formula)})`
            : `([]<><<${steps}>>_vars => ${this.#formula(formula)})`;
        })
        .join(" /\\ ");
      return {
        definitions: [...this.#spec(check.fairness), "", `Property == [](error = "") => (${formula})`],
        configuration: ["SPECIFICATION Spec", "PROPERTY Property"],
        comments: [`${id}: a run into an error is none.`],
      };
    }
    const term = this.#invariant(property);
    if (term === undefined)
      throw new NotExpressible(`${id} asks what stays possible, which is no invariant and not LTL`);
    return {
      definitions: [`Property == ${term}`],
      configuration: ["INIT Init", "NEXT Next", "VIEW View", "INVARIANT Property"],
      comments: check.c === "deadlock" ? [`${id}: of all threads together. A deadlock of some is no invariant.`] : [],
    };
  }

  #allOfStates(): { definitions: string[]; configuration: string[]; comments: string[] } {
    const definitions: string[] = [];
    const names: string[] = [];
    const left: string[] = [];
    for (const property of this.#system.properties) {
      const { check, id } = property;
      const needsMemory = check.c === "findings" && check.findings.some((f) => !this.#system.findings[f]!.error);
      const term = needsMemory ? undefined : this.#invariant(property);
      if (term === undefined) {
        left.push(id);
        continue;
      }
      const name = unique(identifier(`Property_${id}`), this.#taken, (n) => `_${n}`);
      names.push(name);
      const comment = check.c === "deadlock" ? `${id}, of all threads together` : `${id}: ${property.message}`;
      definitions.push(`\\* ${line(comment)}`, `${name} == ${term}`, "");
    }
    return {
      definitions,
      configuration: ["INIT Init", "NEXT Next", "VIEW View", ...names.map((n) => `INVARIANT ${n}`)],
      comments: left.length > 0 ? [`Not asked here: ${left.join(", ")}. --property asks for one alone.`] : [],
    };
  }

  /** Of a state; undefined where the property is none of states and steps. */
  #invariant({ check }: SysProperty): string | undefined {
    switch (check.c) {
      case "findings": {
        const errors = check.findings.filter((f) => this.#system.findings[f]!.error).map((f) => `"${this.#errors[f]}"`);
        const none = `error \\notin {${errors.join(", ")}}`;
        return this.#noted.size > 0 ? `~found /\\ ${none}` : none;
      }
      case "deadlock":
        return "~GlobalDeadlock";
      case "invariant":
        return `error = "" => ${this.#truth(check.expr, undefined, UNTOUCHED)}`;
      case "at-rest":
        return `AtRest => ${this.#truth(check.expr, undefined, UNTOUCHED)}`;
      default:
        return undefined;
    }
  }

  #spec({
    weak,
    strong,
  }: {
    weak: readonly number[];
    strong: readonly { thread: number; locations?: readonly number[] }[];
  }) {
    // Who is owed a move and takes an optional one has moved.
    const moved = (t: number): string => `[]<><<${this.#threads[t]}>>_vars`;
    const owes = (t: number): string => this.#owedOf[t]!;
    const some = this.#owedOf.join(" \\/ ");
    const fair = [
      `WF_vars(${some})`,
      ...weak.map((t) => `([]<>~ENABLED <<${owes(t)}>>_vars \\/ ${moved(t)})`),
      ...strong.map(({ thread: t, locations }) => {
        if (locations === undefined) return `(<>[]~ENABLED <<${owes(t)}>>_vars \\/ ${moved(t)})`;
        const places = locations.map((l) => this.#place(this.#system.threads[t]!.program, l)).join(", ");
        return `SF_vars(pc[${t + 1}] \\in {${places}} /\\ ${owes(t)})`;
      }),
    ];
    return ["Fairness ==", ...fair.map((f) => `  /\\ ${f}`), "", "Spec == Init /\\ [][Next]_vars /\\ Fairness"];
  }

  #formula(f: SysTemporal): string {
    switch (f.t) {
      case "state":
        return `(${this.#truth(f.expr, undefined, UNTOUCHED)})`;
      case "not":
        return `~${this.#formula(f.a)}`;
      case "always":
        return `[]${this.#formula(f.a)}`;
      case "eventually":
        return `<>${this.#formula(f.a)}`;
      default: {
        const sign = { and: "/\\", or: "\\/", implies: "=>", "leads-to": "~>" }[f.t];
        return `(${this.#formula(f.a)} ${sign} ${this.#formula(f.b)})`;
      }
    }
  }

  /* ---- expressions ---- */

  #truth(e: SysExpr, t: number | undefined, names: Names): string {
    const truth = (x: SysExpr): string => this.#truth(x, t, names);
    const number = (x: SysExpr): string => this.#number(x, t, names);
    switch (e.e) {
      case "const":
        return e.v === 0 ? "FALSE" : "TRUE";
      case "not": {
        const a = truth(e.a);
        return a === "TRUE" ? "FALSE" : a === "FALSE" ? "TRUE" : `~${a}`;
      }
      case "ite":
        return `(IF ${truth(e.c)} THEN ${truth(e.a)} ELSE ${truth(e.b)})`;
      case "pc": {
        const places = e.locations.map((l) => this.#place(this.#system.threads[e.t]!.program, l));
        return `(pc[${e.t + 1}] \\in {${places.join(", ")}})`;
      }
      case "bin": {
        if (e.op === "&&" || e.op === "||") {
          const [decides, leaves] = e.op === "&&" ? ["FALSE", "TRUE"] : ["TRUE", "FALSE"];
          const [a, b] = [truth(e.a), truth(e.b)];
          if (a === decides || b === decides) return decides;
          return a === leaves ? b : b === leaves ? a : `(${a} ${e.op === "&&" ? "/\\" : "\\/"} ${b})`;
        }
        const sign = COMPARISONS[e.op];
        if (sign === undefined) break;
        const [a, b] = [number(e.a), number(e.b)];
        if (isNumeral(a) && isNumeral(b)) return applyBinary(e.op, Number(a), Number(b)) === 0 ? "FALSE" : "TRUE";
        return `(${a} ${sign} ${b})`;
      }
    }
    const value = number(e);
    return isNumeral(value) ? (value === "0" ? "FALSE" : "TRUE") : `(${value} # 0)`;
  }

  #number(e: SysExpr, t: number | undefined, names: Names): string {
    const of = (x: SysExpr): string => this.#number(x, t, names);
    switch (e.e) {
      case "const":
        return e.v < 0 ? `(${e.v})` : String(e.v);
      case "local": {
        const touched = e.t === undefined || e.t === t ? names.locals.get(e.l) : undefined;
        return touched ?? this.#locals[e.t ?? t!]![e.l] ?? "0";
      }
      case "self":
        return String(t! + 1);
      case "load": {
        const name = names.vars.get(e.v) ?? this.#vars[e.v]!;
        const { length } = this.#system.vars[e.v]!;
        const i = e.i === undefined ? "0" : of(e.i);
        if (!isNumeral(i)) return length === 1 ? `(IF ${i} = 0 THEN ${name} ELSE 0)` : `At(${name}, ${i})`;
        if (Number(i) >= length) return "0";
        const constant = this.#constant[e.v]![Number(i)];
        if (constant !== undefined && constant >= 0) return String(constant);
        return length === 1 ? name : `${name}[${Number(i) + 1}]`;
      }
      case "neg":
        return `(-${of(e.a)})`;
      case "ite":
        return `(IF ${this.#truth(e.c, t, names)} THEN ${of(e.a)} ELSE ${of(e.b)})`;
      case "bin": {
        const write = ARITHMETIC[e.op];
        if (write === undefined) break;
        const [a, b] = [of(e.a), of(e.b)];
        const value = isNumeral(a) && isNumeral(b) ? applyBinary(e.op, Number(a), Number(b)) : -1;
        return value >= 0 ? String(value) : write(a, b);
      }
    }
    return `(IF ${this.#truth(e, t, names)} THEN 1 ELSE 0)`;
  }
}

const COMPARISONS: Readonly<Partial<Record<BinaryOperator, string>>> = {
  "==": "=",
  "!=": "#",
  "<": "<",
  "<=": "<=",
  ">": ">",
  ">=": ">=",
};

const ARITHMETIC: Readonly<Partial<Record<BinaryOperator, (a: string, b: string) => string>>> = {
  "+": (a, b) => `(${a} + ${b})`,
  "-": (a, b) => `(${a} - ${b})`,
  "*": (a, b) => `(${a} * ${b})`,
  "&": (a, b) => `BitAnd(${a}, ${b})`,
  "|": (a, b) => `BitOr(${a}, ${b})`,
  "^": (a, b) => `BitXor(${a}, ${b})`,
  "<<": (a, b) => `(${a} * 2^(${b} % 32))`,
  ">>": (a, b) => `(${a} \\div 2^(${b} % 32))`,
};

function never(action: SysAction): boolean {
  return action.guard?.e === "const" && action.guard.v === 0;
}

/** Whether what the action does is owed: a move that is not optional. */
function owedOf(action: SysAction): Owed {
  return action.optional ? "never" : owedBy(action.code);
}

function owedBy({ end }: SysCode): Owed {
  if (end.k === "if") {
    const both = [owedBy(end.then), owedBy(end.else)];
    return both.every((o) => o === both[0]) ? both[0]! : "by path";
  }
  if (end.k !== "choose") return "always";
  const ways = end.ways.map((w) => (w.optional ? "never" : owedBy(w.code)));
  if (ways.every((o) => o === "always")) return "always";
  return ways.every((o) => o === "never") ? "never" : "by path";
}

function disjunction(name: string, terms: readonly string[]): string[] {
  return terms.length === 0 ? [`${name} == FALSE`] : [`${name} ==`, ...terms.map((t) => `  \\/ ${t}`)];
}

/** An index of an array as TLA counts, from 1. */
function plus1(index: string): string {
  return isNumeral(index) ? String(Number(index) + 1) : `${index} + 1`;
}

function isNumeral(text: string): boolean {
  return /^\d+$/.test(text);
}

function unique(text: string, taken: Set<string>, number: (n: number) => string): string {
  let name = text;
  for (let n = 2; taken.has(name); n++) name = `${text}${number(n)}`;
  taken.add(name);
  return name;
}

/** x1, x2 … are what LETs are called; WF_ and SF_ begin fairness. */
function identifier(text: string): string {
  const name = text.replaceAll(/[^A-Za-z0-9]+/g, "_").replaceAll(/^_+|_+$/g, "");
  return /^(x?\d|WF_|SF_)/.test(name) || name === "" ? `the_${name}` : name;
}

/** Text of the model as a TLA+ string. */
function words(text: string): string {
  return line(text).replaceAll('"', "'").replaceAll("\\", "/");
}

/** Text of the model in one line of ASCII, which is all that older parsers read. */
function line(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]+/g, " ").trim();
}
