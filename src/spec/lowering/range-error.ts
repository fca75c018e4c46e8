/** The model error of a store that does not fit, as text: the finding says no more. */

export function rangeError(name: string, lo: number, hi: number): string {
  return `${name} would get a value outside its range ${lo}..${hi}: widen the range, or bound the code that writes it.`;
}

/** The variable, or `function.local`, that such a message is about; undefined for other messages. */
export function outOfRange(message: string): string | undefined {
  return /^(\S+) would get a value outside its range /.exec(message)?.[1];
}
