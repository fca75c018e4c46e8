/**
 * Bios as objects whose completion is accounted for: each that is submitted completes exactly once. A bio is any struct
 * with a field `io: bio_account()`.
 */
import { step, type WaitOptions } from "../access.ts";
import { aliveCheck, type Cell, cell, type FieldType, type Location, load, startWith, store } from "../cell.ts";
import { computed, reached } from "../control.ts";
import { ERRNO_LABELS } from "../errno.ts";
import { ModelError } from "../model-error.ts";
import type { Expr, Site, Stmt } from "../program.ts";
import { callSite, recording } from "../recording.ts";
import { type Bound, bound, type PointerTarget } from "../types.ts";
import { Bool, binary, constant, Errno, Int, type Pointer, toErrno } from "../value.ts";
import { sleepingStep } from "./blocking.ts";
import { kfree } from "./memory.ts";

const ERRNO = { d: "enum", name: "errno", labels: ERRNO_LABELS } as const;

/** The accounts of one bio; `now` in guards, properties and `atomically`. */
export class BioAccount {
  declare readonly access: "bio";
  readonly location: Location;
  readonly #clones: Bound;

  constructor(location: Location, clones: Bound) {
    this.location = location;
    this.#clones = clones;
  }
  submission(): Cell {
    return cell(this.location, ".submitted", { d: "bool" });
  }
  /** How often it completed: 0, 1, or 2 for more than once. */
  completions(): Cell {
    return cell(this.location, ".completed", { d: "int", lo: 0, hi: 2 });
  }
  result(): Cell {
    return cell(this.location, ".status", ERRNO);
  }
  /** Clones that have not completed. */
  clones(): Cell {
    return cell(this.location, ".io_count", { d: "int", lo: 0, hi: bound(this.#clones) });
  }
  cloneResult(): Cell {
    return cell(this.location, ".error", ERRNO);
  }
  get submitted(): Bool {
    return new Bool(load(this.submission()));
  }
  get completed(): Int {
    return new Int(load(this.completions()));
  }
  /** Submitted and not yet completed. */
  get inFlight(): Bool {
    return new Bool(inFlight(this));
  }
  get status(): Errno {
    return new Errno(load(this.result()));
  }
}

/** The field `io` of a struct of bios. `clones`: into how many clones one is split at most. */
export function bio_account(options: { clones?: Bound } = {}): FieldType<BioAccount> {
  return { place: (location) => new BioAccount(location, options.clones ?? 2) };
}

/** A pointer to a struct with the field `io: bio_account()`. */
// biome-ignore lint/suspicious/noExplicitAny: a bio of any struct
export type Bio = Pointer<any> & { readonly io: BioAccount };

function inFlight(io: BioAccount): Expr {
  return binary("&&", load(io.submission()), binary("==", load(io.completions()), constant(0)));
}

function bug(c: Expr, message: string, site: Site): Stmt {
  return { s: "if", c, then: [{ s: "error", kind: "bug-on", message, site }], else: [], site };
}

/** In a scenario's `start`: the bio is in flight already. */
export function initially_submitted(bio: Bio): void {
  const site = callSite();
  if (recording().inFunction) throw new ModelError("initially_submitted belongs in the start of a scenario", site);
  startWith(bio.io.submission(), constant(1), site);
  reached("bio-submitted");
}

/** Its owner hands it in. A bio that has completed may be handed in anew; one in flight is `bug-on`. */
export function submit_bio(bio: Bio): void {
  const site = callSite();
  const { io } = bio;
  step({
    call: "submit_bio(bio)",
    site,
    checks: aliveCheck(io.location, site),
    body: [
      bug(inFlight(io), "submit_bio(bio) of a bio that is in flight", site),
      store(io.submission(), constant(1), site),
      store(io.completions(), constant(0), site),
      store(io.result(), constant(0), site),
      { s: "mark", name: "bio-submitted", site },
    ],
  });
}

/**
 * It completes with this status: 0 or a negated error number. A second time is the finding `bio-completed-twice`; one
 * that was never submitted is `bug-on`.
 */
export function bio_endio(bio: Bio, status: Errno | number): void {
  const site = callSite();
  const { io } = bio;
  const value = computed(toErrno(status), site);
  const again = binary("!=", load(io.completions()), constant(0));
  step({
    call: "bio_endio(bio)",
    site,
    checks: aliveCheck(io.location, site),
    body: [
      bug({ e: "not", a: load(io.submission()) }, "bio_endio(bio) of a bio that was not submitted", site),
      { s: "mark", name: "bio-completed", site },
      {
        s: "if",
        c: again,
        then: [
          { s: "finding", kind: "bio-completed-twice", message: "bio_endio(bio) a second time", site },
          store(io.completions(), constant(2), site),
        ],
        else: [store(io.completions(), constant(1), site)],
        site,
      },
      store(io.result(), value, site),
    ],
  });
}

/** Sleeps, uninterruptibly, until it has completed; the result is its status. */
export function wait_on_bio(bio: Bio, options: Pick<WaitOptions, "resting"> = {}): Errno {
  const site = callSite();
  const { io } = bio;
  const name = recording().local("status", ERRNO);
  sleepingStep({
    call: "wait_on_bio(bio)",
    site,
    checks: aliveCheck(io.location, site),
    alternatives: [
      {
        when: binary("!=", load(io.completions()), constant(0)),
        body: [
          { s: "set", to: { p: "local", name }, value: load(io.result()), site },
          { s: "mark", name: "wait", site },
        ],
      },
    ],
    wait: { on: "the bio", kind: "bio", ...(options.resting ? { resting: options.resting().use() } : {}) },
  });
  return new Errno({ e: "local", name });
}

/** Frees it; the finding `bio-lost` if it is in flight. */
export function free_bio(bio: Bio): void {
  const site = callSite();
  const { io } = bio;
  // Its accounts are closed here and not left to kfree, which leaves fields as they are where slabs are reused.
  step({
    call: "bio_put(bio)",
    site,
    checks: aliveCheck(io.location, site),
    body: [
      {
        s: "if",
        c: inFlight(io),
        then: [{ s: "finding", kind: "bio-lost", message: "a bio is freed before it has completed", site }],
        else: [],
        site,
      },
      store(io.submission(), constant(0), site),
      store(io.completions(), constant(0), site),
      store(io.result(), constant(0), site),
    ],
  });
  kfree(bio);
}

/** `io_count = count`: it is split into so many clones, each of which must `clone_endio`. */
export function split_bio(bio: Bio, count: number): void {
  const site = callSite();
  const { io } = bio;
  step({
    call: `split into ${count} clones`,
    site,
    checks: aliveCheck(io.location, site),
    body: [
      bug(binary("!=", load(io.clones()), constant(0)), "a bio is split while clones of it are in flight", site),
      store(io.clones(), constant(count), site),
      store(io.cloneResult(), constant(0), site),
    ],
  });
}

/**
 * One clone is done, in one atomic step; `last` says whether it was the last, and then `status` is the first error or
 * 0. The caller completes the bio. One clone too many is the finding `bio-completed-twice`.
 */
export function clone_endio(bio: Bio, status: Errno | number): { readonly last: Bool; readonly status: Errno } {
  const site = callSite();
  const { io } = bio;
  const r = recording();
  const last = r.local("last", { d: "bool" });
  const error = r.local("error", ERRNO);
  const value = computed(toErrno(status), site);
  const none = binary("==", load(io.clones()), constant(0));
  const set = (name: string, to: Expr): Stmt => ({ s: "set", to: { p: "local", name }, value: to, site });
  step({
    call: "clone_endio(clone)",
    site,
    checks: aliveCheck(io.location, site),
    body: [
      set(last, constant(0)),
      {
        s: "if",
        c: none,
        then: [{ s: "finding", kind: "bio-completed-twice", message: "more clones complete than there were", site }],
        else: [
          store(io.clones(), binary("-", load(io.clones()), constant(1)), site),
          {
            s: "if",
            c: binary("==", load(io.cloneResult()), constant(0)),
            then: [store(io.cloneResult(), value, site)],
            else: [],
            site,
          },
          set(last, none),
        ],
        site,
      },
      set(error, load(io.cloneResult())),
    ],
  });
  const isLast = new Bool(
    { e: "local", name: last },
    [],
    "whether this was the last clone is ignored: who completes the bio?",
  );
  return { last: isLast, status: new Errno({ e: "local", name: error }) };
}

/** For each bio of the struct: it was submitted, has not completed, and does not wait legitimately. */
export function lostBios<P extends Bio>(bios: PointerTarget<P>, waiting: (bio: P) => Bool): Expr[] {
  bios.declare();
  const { slots } = recording().pools.get(bios.name)!;
  return Array.from({ length: slots }, (_, i): Expr => {
    const bio = bios.pointer(constant(i + 1));
    return binary("&&", inFlight(bio.io), { e: "not", a: waiting(bio).use() });
  });
}
