/**
 * struct file (fs/file_table.c) as what it does to a driver: as long as somebody has it open, its opener is pinned, and the
 * last fput() calls ->release. dup() and fork() share it; a system call on it holds it while it runs.
 */
import { step } from "../access.ts";
import { aliveCheck, type Cell, cell, type FieldType, type Location, load, store } from "../cell.ts";
import { If } from "../control.ts";
import type { Stmt } from "../program.ts";
import { callSite, recording } from "../recording.ts";
import { type Bound, int, type Type } from "../types.ts";
import { Bool, binary, constant, Int } from "../value.ts";

export class File {
  declare readonly file: "f_count";
  readonly location: Location;
  readonly users: Bound;

  constructor(location: Location, users: Bound) {
    this.location = location;
    this.users = users;
  }
  /** For `initially`: how many have it open at the start. */
  get type(): Type<Int, Int | number> {
    return int(0, this.users);
  }
  cell(): Cell {
    return cell(this.location, ".f_count", this.type.domain());
  }
  /** How many have it open, as of now. */
  get now(): Int {
    return new Int(load(this.cell()));
  }
}

/** A file that at most `users` have open at once; closed in the initial state. */
export function file(users: Bound): FieldType<File> {
  return { place: (location) => new File(location, users) };
}

/** open(2) has succeeded: one user. `bug-on` if it is open already (that is `get_file`). */
export function fd_install(f: File): void {
  const site = callSite();
  const call = `fd_install(${f.location.text})`;
  step({
    call,
    site,
    checks: aliveCheck(f.location, site),
    body: [
      {
        s: "if",
        c: binary("!=", load(f.cell()), constant(0)),
        then: [{ s: "error", kind: "bug-on", message: `${call} of a file that is open`, site }],
        else: [store(f.cell(), constant(1), site)],
        site,
      },
    ],
  });
}

/** One more user (dup, fork, a system call under way); `use-after-free` if it is closed. */
export function get_file(f: File): void {
  const site = callSite();
  const call = `get_file(${f.location.text})`;
  step({
    call,
    site,
    checks: aliveCheck(f.location, site),
    body: [
      {
        s: "if",
        c: binary("==", load(f.cell()), constant(0)),
        then: [{ s: "error", kind: "use-after-free", message: `${call} of a closed file`, site }],
        else: [store(f.cell(), binary("+", load(f.cell()), constant(1)), site)],
        site,
      },
    ],
  });
}

/** One user less; the last one runs `release`. `refcount-underflow` if it is closed. */
export function fput(f: File, release: () => void): void {
  const site = callSite();
  const call = `fput(${f.location.text})`;
  const last = recording().local("last", { d: "bool" });
  const closed: Stmt = { s: "error", kind: "refcount-underflow", message: `${call} of a closed file`, site };
  step({
    call,
    site,
    checks: aliveCheck(f.location, site),
    body: [
      {
        s: "if",
        c: binary("==", load(f.cell()), constant(0)),
        then: [closed],
        else: [store(f.cell(), binary("-", load(f.cell()), constant(1)), site)],
        site,
      },
      { s: "set", to: { p: "local", name: last }, value: binary("==", load(f.cell()), constant(0)), site },
    ],
  });
  If(new Bool({ e: "local", name: last }), release);
}
