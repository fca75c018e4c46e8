/** A trace file that cannot be read or does not fit its model. The message names the file and says what to do. */
export class TraceError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "TraceError";
  }
}
