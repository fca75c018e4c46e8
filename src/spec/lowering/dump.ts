/** A transition system as text, one action a line: for debugging and for snapshots in tests. */
import type { SysCode, SysExpr, SysOp, SysProgram, SysTemporal, TransitionSystem } from "../transition-system.ts";

/** How tightly operators bind, as in C. */
const PRECEDENCE: Readonly<Record<string, number>> = {
  "||": 1,
  "&&": 2,
  "|": 3,
  "^": 4,
  "&": 5,
  "==": 6,
  "!=": 6,
  "<": 7,
  "<=": 7,
  ">": 7,
  ">=": 7,
  "<<": 8,
  ">>": 8,
  "+": 9,
  "-": 9,
  "*": 10,
};

/** An expression as C; `program` gives the names of the executing thread's locals. */
export function expressionText(
  expr: SysExpr,
  system: Pick<TransitionSystem, "vars" | "threads" | "programs">,
  program: SysProgram | undefined,
): string {
  const text = (e: SysExpr, outer: number): string => {
    switch (e.e) {
      case "const":
        return String(e.v);
      case "self":
        return "self";
      case "local": {
        const owner = e.t === undefined ? program : system.programs[system.threads[e.t]!.program];
        const name = owner?.locals[e.l]?.name ?? `local ${e.l}`;
        return e.t === undefined ? name : `${system.threads[e.t]!.name}:${name}`;
      }
      case "load": {
        const { name } = system.vars[e.v]!;
        return e.i === undefined ? name : `${name}[${text(e.i, 0)}]`;
      }
      case "not":
        return `!${text(e.a, 11)}`;
      case "neg":
        return `-${text(e.a, 11)}`;
      case "bin": {
        const own = PRECEDENCE[e.op]!;
        const inner = `${text(e.a, own)} ${e.op} ${text(e.b, own + 1)}`;
        return own < outer ? `(${inner})` : inner;
      }
      case "ite":
        return `(${text(e.c, 1)} ? ${text(e.a, 1)} : ${text(e.b, 1)})`;
      case "pc":
        return `${system.threads[e.t]!.name}@{${e.locations.join(",")}}`;
    }
  };
  return text(expr, 0);
}

/** The code of an action in one line. */
export function codeText(code: SysCode, system: TransitionSystem, program: SysProgram | undefined): string {
  const expr = (e: SysExpr) => expressionText(e, system, program);
  const op = (o: SysOp): string => {
    switch (o.o) {
      case "var":
        return `${system.vars[o.v]!.name}${o.i === undefined ? "" : `[${expr(o.i)}]`} := ${expr(o.value)}`;
      case "local":
        return `${program?.locals[o.l]?.name ?? `local ${o.l}`} := ${expr(o.value)}`;
      case "mark":
        return `mark ${system.marks[o.m]}`;
      case "finding":
        return `finding ${system.findings[o.f]!.kind}`;
    }
  };
  const parts = code.ops.map((o) => `${op(o)}; `).join("");
  const { end } = code;
  switch (end.k) {
    case "goto":
      return `${parts}-> ${end.location}`;
    case "error":
      return `${parts}error ${system.findings[end.f]!.kind}`;
    case "if":
      return `${parts}if (${expr(end.c)}) { ${codeText(end.then, system, program)} } else { ${codeText(end.else, system, program)} }`;
    case "choose": {
      const ways = end.ways.map(
        ({ code: way, optional, name }) =>
          `${optional ? "optional " : ""}${name === "" ? "" : `'${name}' `}{ ${codeText(way, system, program)} }`,
      );
      return `${parts}choose ${ways.join(" or ")}`;
    }
  }
}

function programLines(program: SysProgram, p: number, system: TransitionSystem): string[] {
  const locals = program.locals.map(
    ({ name, lo, hi, stored }) => `${name} ${lo}..${hi}${stored ? "" : " (temporary)"}`,
  );
  const lines = [`program ${p} ${program.cls}${locals.length === 0 ? "" : `: ${locals.join(", ")}`}`];
  program.locations.forEach((location, l) => {
    const live = location.live.map((local) => program.locals[local]!.name);
    const notes = [
      ...(location.labels.length === 0 ? [] : [`labels ${location.labels.join(", ")}`]),
      ...(live.length === 0 ? [] : [`live ${live.join(", ")}`]),
      ...(location.wait === undefined
        ? []
        : [
            `waits on ${location.wait.on}` +
              (location.wait.holder === undefined
                ? ""
                : ` held by ${expressionText(location.wait.holder, system, program)}`) +
              (location.wait.resting === undefined
                ? ""
                : ` resting if ${expressionText(location.wait.resting, system, program)}`),
          ]),
    ];
    const call = location.ended ? "ended" : `${location.path.join("/")}: ${location.call}`;
    lines.push(`  ${l} ${call}${notes.length === 0 ? "" : ` [${notes.join("; ")}]`}`);
    location.actions.forEach((action, a) => {
      const flags = `${action.optional ? " optional" : ""}${action.idle ? " idle" : ""}`;
      const name = action.name === "" ? "" : ` '${action.name}'`;
      const guard = action.guard === undefined ? "" : ` when ${expressionText(action.guard, system, program)}`;
      lines.push(`    ${a}${name}${flags}${guard}: ${codeText(action.code, system, program)}`);
    });
  });
  return lines;
}

function temporalText(formula: SysTemporal, system: TransitionSystem): string {
  switch (formula.t) {
    case "state":
      return expressionText(formula.expr, system, undefined);
    case "not":
    case "always":
    case "eventually":
      return `${formula.t} (${temporalText(formula.a, system)})`;
    default:
      return `(${temporalText(formula.a, system)}) ${formula.t} (${temporalText(formula.b, system)})`;
  }
}

/** The whole system. Lines are stable: they change only where the system does. */
export function dump(system: TransitionSystem): string {
  const lines = [
    `${system.protocol}/${system.variant}/${system.scenario}`,
    ...system.vars.map(({ name, lo, hi, length, init }) =>
      length === 1
        ? `var ${name} ${lo}..${hi} = ${init[0]}`
        : `var ${name}[${length}] ${lo}..${hi} = ${init.join(" ")}`,
    ),
    ...system.threads.map(({ name, program, kind, cpu, initialLocation, initialLocals }) => {
      const locals = initialLocals.flatMap((value, l) =>
        value === 0 ? [] : [` ${system.programs[program]!.locals[l]!.name}=${value}`],
      );
      const where = `${kind}${cpu < 0 ? "" : ` on CPU ${cpu}`}`;
      return `thread ${name}: ${where}, program ${program} at ${initialLocation}${locals.join("")}`;
    }),
    ...system.programs.flatMap((program, p) => programLines(program, p, system)),
    ...system.findings.map(
      ({ kind, message, error, site, fn }, f) =>
        `finding ${f}${error ? " (error)" : ""} ${kind}: ${message} (${fn}, ${site.file}:${site.line})`,
    ),
    ...system.properties.map(({ id, check }) => {
      switch (check.c) {
        case "findings":
          return `property ${id}: none of findings ${check.findings.join(", ")}`;
        case "deadlock":
          return `property ${id}: deadlock`;
        case "temporal":
          return `property ${id}: ${[check, ...(check.also ?? [])].map((c) => temporalText(c.formula, system)).join("; ")}`;
        default:
          return `property ${id}: ${check.c} ${expressionText(check.expr, system, undefined)}`;
      }
    }),
  ];
  return `${lines.join("\n")}\n`;
}
