/** Kernel functions: one TypeScript function each, run once per recording, whose calls record statements. */
import { computed } from "./control.ts";
import { ModelError } from "./model-error.ts";
import type { Expr, Site } from "./program.ts";
import { callSite, type FunctionSource, recording } from "./recording.ts";
import type { Type } from "./types.ts";
import type { Value } from "./value.ts";

// biome-ignore lint/suspicious/noExplicitAny: a type of any values; the mapped types below keep them apart
type AnyType = Type<any, any>;
type ValueOf<T> = T extends Type<infer V, infer _In> ? V : never;
type InputOf<T> = T extends Type<infer _V, infer In> ? In : never;
type Params = Readonly<Record<string, AnyType>>;
type Inputs<P extends Params> = { readonly [K in keyof P]: InputOf<P[K]> };
type Values<P extends Params> = { readonly [K in keyof P]: ValueOf<P[K]> };

export interface FunctionOptions<P extends Params, R extends AnyType | undefined> {
  /** The C file. */
  readonly at: string;
  readonly params?: P;
  readonly returns?: R;
}

/** A kernel function that models call. Calls are resolved in the variant's own table when the variant is recorded. */
export interface KernelFunction<P extends Params, R extends AnyType | undefined> {
  (...args: keyof P extends never ? [] : [args: Inputs<P>]): R extends AnyType ? ValueOf<R> : void;
  readonly source: FunctionSource;
  readonly options: FunctionOptions<P, R>;
}

/** What a variant puts in the place of a function. */
export interface Replacement {
  readonly name: string;
  readonly source: FunctionSource;
}

// biome-ignore lint/complexity/noBannedTypes: an empty record of parameters
export function fn<P extends Params = {}, R extends AnyType | undefined = undefined>(
  name: string,
  options: FunctionOptions<P, R>,
  body: (params: Values<P>) => void,
): KernelFunction<P, R> {
  const site = callSite();
  const source = functionSource(name, options, body, site);
  const call = (args?: Inputs<P>) => {
    const at = callSite();
    const r = recording();
    const target = r.require(source);
    const exprs = Object.entries(options.params ?? {}).map(([param, type]): Expr => {
      const value = (args as Record<string, unknown> | undefined)?.[param];
      if (value === undefined) throw new ModelError(`${name} needs the argument ${param}`, at);
      return computed(type.coerce(value), at);
    });
    if (target.params.length !== exprs.length) {
      throw new ModelError(
        `${name} is called with ${exprs.length} arguments, but the variant ${r.variant} declares ${target.params.length}`,
        at,
      );
    }
    if (!options.returns) {
      r.emit({ s: "call", fn: name, args: exprs, site: at });
      return undefined;
    }
    const into = r.local(name, options.returns.domain());
    r.emit({ s: "call", fn: name, args: exprs, into, site: at });
    return options.returns.wrap({ e: "local", name: into });
  };
  return Object.assign(call as unknown as KernelFunction<P, R>, { source, options });
}

/** The same function as another version of the kernel, or a patch, has it. */
export function replace<P extends Params, R extends AnyType | undefined>(
  original: KernelFunction<P, R>,
  body: (params: Values<P>) => void,
  options: { at?: string } = {},
): Replacement {
  const name = original.source.name;
  return {
    name,
    source: functionSource(name, { ...original.options, ...(options.at ? { at: options.at } : {}) }, body, callSite()),
  };
}

function functionSource<P extends Params, R extends AnyType | undefined>(
  name: string,
  options: FunctionOptions<P, R>,
  body: (params: Values<P>) => void,
  site: Site,
): FunctionSource {
  const params = Object.entries(options.params ?? {});
  return {
    name,
    at: options.at,
    site,
    params: params.map(([param, type]) => ({ name: param, domain: () => type.domain() })),
    returns: options.returns ? () => options.returns!.domain() : undefined,
    run: (exprs) => {
      const r = recording();
      if (options.returns) r.facts.set(`returns ${name}`, (v: unknown) => options.returns!.coerce(v));
      const values: Record<string, Value> = {};
      params.forEach(([param, type], i) => {
        values[param] = type.wrap(exprs[i]!);
      });
      const result: unknown = body(values as Values<P>);
      if (result !== undefined) {
        throw new ModelError(
          `the body of ${name} returned something; it records statements: use Return(…), and no async or arrow shorthand`,
          site,
        );
      }
    },
  };
}
