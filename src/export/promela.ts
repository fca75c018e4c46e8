/**
 * A transition system as Promela, for SPIN: every transition is one d_step (one atomic sequence where it chooses), so
 * SPIN sees the same states and transitions. Names of the model appear in comments only, never as identifiers.
 *
 * What cannot be said in Promela is refused: optional moves under SPIN's fairness would be owed.
 */
import type {
  SysAction,
  SysCode,
  SysExpr,
  SysProgram,
  SysProperty,
  SysTemporal,
  TransitionSystem,
} from "../spec/transition-system.ts";
import { NotExpressible } from "./not-expressible.ts";

export interface PromelaOptions {
  /** A temporal property to add as an `ltl` block. SPIN's -f is weak fairness of every process. */
  readonly property?: SysProperty;
}

/** @throws NotExpressible */
export function promela(system: TransitionSystem, options: PromelaOptions = {}): string {
  return new Writer(system).text(options.property);
}

class Writer {
  readonly #system: TransitionSystem;

  constructor(system: TransitionSystem) {
    this.#system = system;
  }

  text(property: SysProperty | undefined): string {
    const { vars, threads, protocol, variant, scenario } = this.#system;
    const out = [`/* ${comment(`${protocol} / ${variant} / ${scenario}`)}, exported by Lockstep */`];
    vars.forEach((v, i) => {
      const type = typeOf(v.lo, v.hi);
      const size = v.length === 1 ? "" : `[${v.length}]`;
      const init = v.length === 1 ? ` = ${v.init[0]}` : "";
      out.push(`${type} v${i}${size}${init}; /* ${comment(v.title)} */`);
    });
    threads.forEach((thread, t) => {
      const { locals, locations } = this.#system.programs[thread.program]!;
      out.push(`${typeOf(0, locations.length - 1)} pc${t} = ${thread.initialLocation}; /* ${comment(thread.name)} */`);
      locals.forEach((local, l) => {
        const init = local.stored ? ` = ${thread.initialLocals[l]}` : "";
        const hidden = local.stored ? "" : "hidden ";
        const type = local.stored ? typeOf(local.lo, local.hi) : "short";
        out.push(`${hidden}${type} l${t}_${l}${init}; /* ${comment(local.name)} */`);
      });
    });
    if (property) out.push(...this.#ltl(property));
    for (const t of threads.keys()) out.push(...this.#process(t));
    out.push(...this.#init());
    // SPIN's -f does not see that a run in which nobody can move stays where it is, unless somebody says so.
    if (property) out.push("active proctype stutter() { end: do :: timeout od }");
    return `${out.join("\n")}\n`;
  }

  /**
   * Arrays that do not start with zeros need a process that fills them before anybody runs: SPIN then counts one
   * state more, the one before.
   */
  get #fills(): readonly string[] {
    return this.#system.vars.flatMap((v, i) =>
      v.length === 1 ? [] : v.init.flatMap((value, k) => (value === 0 ? [] : [`v${i}[${k}] = ${value}`])),
    );
  }

  #init(): string[] {
    if (this.#fills.length === 0) return [];
    const runs = this.#system.threads.map((_, t) => `run T${t}()`);
    return [`init { atomic { ${[...this.#fills, ...runs].join("; ")} } end: false }`];
  }

  #process(t: number): string[] {
    const thread = this.#system.threads[t]!;
    const { locations } = this.#system.programs[thread.program]!;
    const active = this.#fills.length === 0 ? "active " : "";
    const out = [`${active}proctype T${t}() { /* ${comment(thread.name)} */`, "end: do"];
    locations.forEach((location, l) => {
      location.actions.forEach((action) => {
        if (action.guard?.e === "const" && action.guard.v === 0) return;
        const at = `pc${t} == ${l}`;
        const guard = action.guard ? `${at} && ${this.#expr(action.guard, t)}` : at;
        const enabled = action.idle ? `${guard} && !(${this.#busy()})` : guard;
        const step = chooses(action.code) ? "atomic" : "d_step";
        // Temporaries start at 0 in each firing.
        const fresh = [...temporaries(action.code, this.#system.programs[thread.program]!)].map(
          (k) => `l${t}_${k} = 0; `,
        );
        const body = `${fresh.join("")}${this.#code(action.code, t)}`;
        out.push(`  :: ${step} { (${enabled}) -> ${body} } /* ${comment(location.call)} */`);
      });
    });
    out.push("  od", "}");
    return out;
  }

  /** Some thread has a transition that is neither idle nor optional. */
  #busy(): string {
    const terms = this.#system.threads.flatMap((thread, t) =>
      this.#system.programs[thread.program]!.locations.flatMap((location, l) =>
        location.actions
          .filter((a: SysAction) => !a.idle && !a.optional)
          .map((a) => (a.guard ? `(pc${t} == ${l} && ${this.#expr(a.guard, t)})` : `pc${t} == ${l}`)),
      ),
    );
    return terms.length === 0 ? "false" : terms.join(" || ");
  }

  #code(code: SysCode, t: number): string {
    const parts = code.ops.flatMap((op): string[] => {
      if (op.o === "local") return [`l${t}_${op.l} = ${this.#expr(op.value, t)}`];
      if (op.o !== "var") return [];
      // An array of one element is a scalar here, and stores are within range.
      const indexed = op.i !== undefined && this.#system.vars[op.v]!.length > 1;
      return [`v${op.v}${indexed ? `[${this.#expr(op.i!, t)}]` : this.#element(op.v)} = ${this.#expr(op.value, t)}`];
    });
    const { end } = code;
    switch (end.k) {
      case "goto":
        parts.push(`pc${t} = ${end.location}`);
        break;
      case "error":
        parts.push(`assert(false) /* ${comment(this.#system.findings[end.f]!.kind)} */`);
        break;
      case "if": {
        const c = this.#expr(end.c, t);
        parts.push(`if :: (${c}) -> ${this.#code(end.then, t)} :: else -> ${this.#code(end.else, t)} fi`);
        break;
      }
      case "choose":
        parts.push(`if ${end.ways.map((w) => `:: true -> ${this.#code(w.code, t)}`).join(" ")} fi`);
        break;
    }
    return parts.join("; ");
  }

  #element(v: number): string {
    return this.#system.vars[v]!.length === 1 ? "" : "[0]";
  }

  #expr(e: SysExpr, t: number | undefined): string {
    const of = (x: SysExpr) => this.#expr(x, t);
    switch (e.e) {
      case "const":
        return e.v < 0 ? `(${e.v})` : String(e.v);
      case "local":
        return `l${e.t ?? t}_${e.l}`;
      case "self":
        return String(t! + 1);
      case "load": {
        const { length } = this.#system.vars[e.v]!;
        if (e.i === undefined) return `v${e.v}${this.#element(e.v)}`;
        if (e.i.e === "const") {
          if (e.i.v < 0 || e.i.v >= length) return "0";
          return length === 1 ? `v${e.v}` : `v${e.v}[${e.i.v}]`;
        }
        const i = of(e.i);
        // An index out of the array yields 0.
        return `(${i} >= 0 && ${i} < ${length} -> v${e.v}${length === 1 ? "" : `[${i}]`} : 0)`;
      }
      case "not":
        return `(!${of(e.a)})`;
      case "neg":
        return `(-${of(e.a)})`;
      case "bin":
        return `(${of(e.a)} ${e.op} ${of(e.b)})`;
      case "ite":
        return `(${of(e.c)} -> ${of(e.a)} : ${of(e.b)})`;
      case "pc":
        return e.locations.length === 0 ? "false" : `(${e.locations.map((l) => `pc${e.t} == ${l}`).join(" || ")})`;
    }
  }

  #ltl(property: SysProperty): string[] {
    const { check } = property;
    if (check.c !== "temporal") throw new NotExpressible(`${property.id} is not a property of runs`);
    if (check.moving || check.also?.some((c) => c.moving))
      throw new NotExpressible(`${property.id} asks who steps for ever, which LTL over states cannot say`);
    if (check.fairness.strong.length > 0)
      throw new NotExpressible(`${property.id} assumes strong fairness, SPIN has weak`);
    const optional = this.#system.programs.some((p) => p.locations.some((l) => l.actions.some((a) => a.optional)));
    if (optional && check.fairness.weak.length > 0) {
      throw new NotExpressible("the scenario has optional moves, which SPIN's fairness would owe");
    }
    const all = [check, ...(check.also ?? [])].map((c) => this.#formula(c.formula)).join(" && ");
    return [`ltl p { ${all} } /* ${comment(property.id)} */`];
  }

  #formula(f: SysTemporal): string {
    switch (f.t) {
      case "state":
        return `(${this.#expr(f.expr, undefined)})`;
      case "not":
        return `(! ${this.#formula(f.a)})`;
      case "always":
        return `([] ${this.#formula(f.a)})`;
      case "eventually":
        return `(<> ${this.#formula(f.a)})`;
      case "and":
        return `(${this.#formula(f.a)} && ${this.#formula(f.b)})`;
      case "or":
        return `(${this.#formula(f.a)} || ${this.#formula(f.b)})`;
      case "implies":
        return `(${this.#formula(f.a)} -> ${this.#formula(f.b)})`;
      case "leads-to":
        return `([] (${this.#formula(f.a)} -> (<> ${this.#formula(f.b)})))`;
    }
  }
}

/** Locals that the code touches and no state holds. */
function temporaries(code: SysCode, program: SysProgram, found = new Set<number>()): Set<number> {
  for (const op of code.ops) if (op.o === "local" && !program.locals[op.l]!.stored) found.add(op.l);
  if (code.end.k === "if") {
    temporaries(code.end.then, program, found);
    temporaries(code.end.else, program, found);
  } else if (code.end.k === "choose") {
    for (const way of code.end.ways) temporaries(way.code, program, found);
  }
  return found;
}

function chooses(code: SysCode): boolean {
  const { end } = code;
  return end.k === "choose" || (end.k === "if" && (chooses(end.then) || chooses(end.else)));
}

function typeOf(lo: number, hi: number): string {
  if (lo >= 0 && hi <= 1) return "bit";
  if (lo >= 0 && hi <= 255) return "byte";
  if (lo >= -32768 && hi <= 32767) return "short";
  return "int";
}

/** Text of the model inside a comment. */
function comment(text: string): string {
  return text.replaceAll("*/", "* /").replaceAll("\n", " ");
}
