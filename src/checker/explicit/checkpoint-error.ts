/** A checkpoint that cannot be written or resumed. The message names the file and says what to do; exit status 2. */
export class CheckpointError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "CheckpointError";
  }
}
