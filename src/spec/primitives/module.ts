/** struct module (kernel/module.c): references that keep code loaded, and code that runs after it has been unloaded. */
import { step } from "../access.ts";
import { type Cell, cell, type FieldType, type Location, load, store } from "../cell.ts";
import { ERRNO_LABELS, errnoIndex } from "../errno.ts";
import { ModelError } from "../model-error.ts";
import type { Expr, Site, Stmt } from "../program.ts";
import { callSite, recording } from "../recording.ts";
import { type Bound, int, type Type } from "../types.ts";
import { Bool, binary, constant, Errno, Int } from "../value.ts";

const STATES = ["LIVE", "GOING", "UNLOADED"] as const;
const LIVE = 0;
const GOING = 1;
const UNLOADED = 2;

export class Module {
  declare readonly access: "module";
  readonly location: Location;
  readonly #max: Bound;

  constructor(location: Location, max: Bound) {
    if (location.object) throw new ModelError("a module is a global", location.site);
    this.location = location;
    this.#max = max;
  }
  get text(): string {
    return this.location.text;
  }
  /** For `initially`: the references. */
  get type(): Type<Int, Int | number> {
    return int(0, this.#max);
  }
  cell(): Cell {
    return cell(this.location, ".refcnt", this.type.domain());
  }
  state(): Cell {
    return cell(this.location, ".state", { d: "enum", name: "module_state", labels: STATES });
  }
  /** References held, as of now: for properties and guards. */
  get references(): Int {
    return new Int(load(this.cell()));
  }
  /** Its code is there, as of now. */
  get loaded(): Bool {
    return new Bool(binary("!=", load(this.state()), constant(UNLOADED)));
  }
}

/** A module that is loaded, with no references and at most `max` of them. */
export function module(max: Bound): FieldType<Module> {
  return { place: (location) => new Module(location, max) };
}

function add(m: Module, by: number, site: Site): Stmt {
  return store(m.cell(), binary("+", load(m.cell()), constant(by)), site);
}

function stateIs(m: Module, state: number): Expr {
  return binary("==", load(m.state()), constant(state));
}

/** A reference, unless the module is on its way out. True when it was taken. */
export function try_module_get(m: Module): Bool {
  const site = callSite();
  const name = recording().local("got", { d: "bool" });
  const set = (v: number): Stmt => ({ s: "set", to: { p: "local", name }, value: constant(v), site });
  step({
    call: `try_module_get(${m.text})`,
    site,
    checks: [],
    body: [{ s: "if", c: stateIs(m, LIVE), then: [add(m, 1, site), set(1)], else: [set(0)], site }],
  });
  return new Bool(
    { e: "local", name },
    [],
    "the result of try_module_get is ignored: the reference may or may not be held now",
  );
}

/** A reference where the caller knows that there is one already; `bug-on` if there is none. */
export function __module_get(m: Module): void {
  const site = callSite();
  const call = `__module_get(${m.text})`;
  const none = binary("==", load(m.cell()), constant(0));
  const message = `${call} with no reference held`;
  step({
    call,
    site,
    checks: [],
    body: [{ s: "if", c: none, then: [{ s: "error", kind: "bug-on", message, site }], else: [add(m, 1, site)], site }],
  });
}

/** Gives a reference back; `refcount-underflow` if there is none. */
export function module_put(m: Module): void {
  const site = callSite();
  const call = `module_put(${m.text})`;
  const none = binary("==", load(m.cell()), constant(0));
  const error: Stmt = { s: "error", kind: "refcount-underflow", message: `${call} of a count that is 0`, site };
  step({ call, site, checks: [], body: [{ s: "if", c: none, then: [error], else: [add(m, -1, site)], site }] });
}

/**
 * The start of rmmod: with no reference held the module is on its way out and 0 is returned; else -EAGAIN. Its exit
 * function comes next, then `free_module`.
 */
export function try_stop_module(m: Module): Errno {
  const site = callSite();
  const name = recording().local("rc", { d: "enum", name: "errno", labels: ERRNO_LABELS });
  const set = (code: number): Stmt => ({
    s: "set",
    to: { p: "local", name },
    value: constant(errnoIndex(code)!),
    site,
  });
  const free = binary("&&", stateIs(m, LIVE), binary("==", load(m.cell()), constant(0)));
  step({
    call: `try_stop_module(${m.text})`,
    site,
    checks: [],
    body: [{ s: "if", c: free, then: [store(m.state(), constant(GOING), site), set(0)], else: [set(-11)], site }],
  });
  return new Errno(
    { e: "local", name },
    [],
    "the result of try_stop_module is ignored: a module in use must not be unloaded",
  );
}

/** The end of rmmod: the code is gone. `bug-on` without a successful `try_stop_module`. */
export function free_module(m: Module): void {
  const site = callSite();
  const call = `free_module(${m.text})`;
  const error: Stmt = { s: "error", kind: "bug-on", message: `${call} of a module that was not stopped`, site };
  step({
    call,
    site,
    checks: [],
    body: [
      {
        s: "if",
        c: stateIs(m, GOING),
        then: [store(m.state(), constant(UNLOADED), site), { s: "mark", name: "free", site }],
        else: [error],
        site,
      },
    ],
  });
}

/** A step that runs code of the module: `code-after-unload` if it is gone. Put it first in the module's functions. */
export function module_code(m: Module): void {
  const site = callSite();
  const message = `code of ${m.text} runs after it has been unloaded`;
  step({
    call: `code of ${m.text}`,
    site,
    checks: [
      {
        s: "if",
        c: stateIs(m, UNLOADED),
        then: [{ s: "error", kind: "code-after-unload", message, site }],
        else: [],
        site,
      },
    ],
    body: [],
  });
}
