/**
 * Active references of a sysfs node (fs/sysfs/dir.c, fs/kernfs): show and store run with one; removal lets nobody in any
 * more and waits, uninterruptibly, until nobody is inside. It acts like a lock that every show and store holds.
 */
import { step } from "../access.ts";
import { aliveCheck, type Cell, cell, type FieldType, type Location, load, store } from "../cell.ts";
import { ERRNO_LABELS, errnoIndex } from "../errno.ts";
import type { Expr, Site, Stmt } from "../program.ts";
import { callSite, recording } from "../recording.ts";
import { type Bound, bound } from "../types.ts";
import { Bool, binary, constant, Errno, Int } from "../value.ts";
import { sleepingStep } from "./blocking.ts";

export interface SysfsOptions {
  /** How many may be inside at once; more are a model error. Default: the number of threads. */
  readonly users?: Bound;
  /** False: it does not exist until `sysfs_create`. Default: true. */
  readonly exists?: boolean;
}

export class SysfsNode {
  declare readonly lock: "sysfs";
  readonly location: Location;
  readonly #options: SysfsOptions;

  constructor(location: Location, options: SysfsOptions) {
    this.location = location;
    this.#options = options;
  }
  get text(): string {
    return this.location.text;
  }
  active(): Cell {
    const users = this.#options.users;
    const hi = users === undefined ? recording().threadCount : bound(users);
    return cell(this.location, ".s_active", { d: "int", lo: 0, hi });
  }
  existence(): Cell {
    return cell(this.location, ".exists", { d: "bool" }, { init: (this.#options.exists ?? true) ? 1 : 0 });
  }
  /** Who is inside, as of now: for properties and guards. */
  get users(): Int {
    return new Int(load(this.active()));
  }
  /** It exists and has not been deactivated, as of now. */
  get exists(): Bool {
    return new Bool(load(this.existence()));
  }
}

/** An attribute, or a directory with its attributes. */
export function sysfs_node(options: SysfsOptions = {}): FieldType<SysfsNode> {
  return { place: (location) => new SysfsNode(location, options) };
}

function failWhen(c: Expr, kind: "bug-on" | "refcount-underflow", message: string, site: Site): Stmt {
  return { s: "if", c, then: [{ s: "error", kind, message, site }], else: [], site };
}

/** Makes it exist. Twice is `bug-on`. */
export function sysfs_create(node: SysfsNode): void {
  const site = callSite();
  const call = `sysfs_create(${node.text})`;
  step({
    call,
    site,
    checks: aliveCheck(node.location, site),
    body: [
      failWhen(load(node.existence()), "bug-on", `${call} of what exists already`, site),
      store(node.existence(), constant(1), site),
    ],
  });
}

/** The way in of a show or store: 0, or -ENODEV when it does not exist or is being removed. */
export function sysfs_get_active(node: SysfsNode): Errno {
  const site = callSite();
  const rc = recording().local("rc", { d: "enum", name: "errno", labels: ERRNO_LABELS });
  const set = (code: number): Stmt => ({
    s: "set",
    to: { p: "local", name: rc },
    value: constant(errnoIndex(code)!),
    site,
  });
  step({
    call: `sysfs_get_active(${node.text})`,
    site,
    checks: aliveCheck(node.location, site),
    body: [
      {
        s: "if",
        c: load(node.existence()),
        then: [store(node.active(), binary("+", load(node.active()), constant(1)), site), set(0)],
        else: [set(-19)],
        site,
      },
    ],
  });
  return new Errno(
    { e: "local", name: rc },
    [],
    "the result of sysfs_get_active is ignored: the reference may or may not be held now",
  );
}

/** The way out. Nobody inside is `refcount-underflow`. */
export function sysfs_put_active(node: SysfsNode): void {
  const site = callSite();
  const call = `sysfs_put_active(${node.text})`;
  step({
    call,
    site,
    checks: aliveCheck(node.location, site),
    body: [
      failWhen(
        binary("==", load(node.active()), constant(0)),
        "refcount-underflow",
        `${call} with nobody inside`,
        site,
      ),
      store(node.active(), binary("-", load(node.active()), constant(1)), site),
    ],
  });
}

/**
 * Two steps: deactivates it, so that nobody gets in, and sleeps until nobody is inside. Out of its own show or store it
 * waits for itself. What does not exist is left alone.
 */
export function sysfs_remove(node: SysfsNode): void {
  const site = callSite();
  const call = `sysfs_remove(${node.text})`;
  const checks = aliveCheck(node.location, site);
  step({ call: `${call}: deactivate`, site, checks, body: [store(node.existence(), constant(0), site)] });
  sleepingStep({
    call,
    site,
    checks,
    alternatives: [{ when: binary("==", load(node.active()), constant(0)), body: [{ s: "mark", name: "wait", site }] }],
    wait: { on: `the users of ${node.text}`, kind: "sysfs" },
  });
}
