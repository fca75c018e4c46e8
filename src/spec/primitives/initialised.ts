/** Objects that must be initialised before their first use: a semaphore whose slab constructor has not run. */
import { type Cell, cell, type Location, load, store } from "../cell.ts";
import type { Site, Stmt } from "../program.ts";
import { constant } from "../value.ts";

export interface InitOptions {
  /**
   * False: not usable until the code initialises it; using it before that ends the path with `bug-on`. Default: true,
   * as with DEFINE_… or an initialiser that nobody can overtake.
   */
  readonly initialised?: boolean;
}

/** Whether it has been initialised; tracked only where it may not be. */
export class Initialised {
  readonly #location: Location;
  readonly #always: boolean;

  constructor(location: Location, options: InitOptions) {
    this.#location = location;
    this.#always = options.initialised ?? true;
  }
  #cell(): Cell {
    return cell(this.#location, ".initialised", { d: "bool" });
  }
  /** The check before a use. */
  check(call: string, site: Site): Stmt[] {
    if (this.#always) return [];
    const message = `${call} of something that has not been initialised`;
    return [{ s: "if", c: load(this.#cell()), then: [], else: [{ s: "error", kind: "bug-on", message, site }], site }];
  }
  set(site: Site): Stmt[] {
    return this.#always ? [] : [store(this.#cell(), constant(1), site)];
  }
}
