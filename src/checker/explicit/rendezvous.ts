/**
 * Where the threads of a divided search meet: a barrier in shared memory, and what each of them says there.
 *
 * What a thread publishes before a barrier all others read behind it. There are two sets of slots used by turns: none
 * is written again before all have read it, because the next barrier lies between.
 */

/** What one thread says at a barrier. */
export interface Notice {
  readonly flags: number;
  /** States found. */
  readonly count: number;
  /** Work left over, whatever it is. */
  readonly left: number;
  /** Elements put into the outbox for each part. */
  readonly filled: Int32Array;
}

const ARRIVED = 0;
const GENERATION = 1;
const COMMAND = 2;
const ABANDONED = 3;
const HEADER = 4;
/** Of a notice, before the outboxes. */
const FIELDS = 3;

/** Looks at the barrier before a thread goes to sleep: some microseconds. */
const SPINS = 2000;

/** The host wants the threads to stop at the next opportunity. */
const STOP = 1;

export class Rendezvous {
  readonly #control: Int32Array;
  readonly #parts: number;
  readonly #own: number;
  #turn = 0;

  static memory(parts: number): SharedArrayBuffer {
    return new SharedArrayBuffer(4 * (HEADER + 2 * parts * (FIELDS + parts)));
  }

  /** `own`: the part whose thread this is; -1: that of the host, which meets nobody. */
  constructor(memory: SharedArrayBuffer, parts: number, own: number) {
    this.#control = new Int32Array(memory);
    this.#parts = parts;
    this.#own = own;
  }

  #slot(part: number): number {
    return HEADER + (this.#turn * this.#parts + part) * (FIELDS + this.#parts);
  }

  /**
   * Publishes a notice and waits for all others; what they said, by part. Undefined: the search has been abandoned.
   */
  meet(notice: Notice): readonly Notice[] | undefined {
    const control = this.#control;
    this.#turn ^= 1;
    const slot = this.#slot(this.#own);
    control[slot] = notice.flags;
    control[slot + 1] = notice.count;
    control[slot + 2] = notice.left;
    for (let part = 0; part < this.#parts; part++) control[slot + FIELDS + part] = notice.filled[part] ?? 0;
    const generation = Atomics.load(control, GENERATION);
    if (Atomics.add(control, ARRIVED, 1) === this.#parts - 1) {
      Atomics.store(control, ARRIVED, 0);
      Atomics.add(control, GENERATION, 1);
      Atomics.notify(control, GENERATION);
    } else {
      for (let k = 0; k < SPINS && Atomics.load(control, GENERATION) === generation; k++);
      while (Atomics.load(control, GENERATION) === generation && Atomics.load(control, ABANDONED) === 0) {
        Atomics.wait(control, GENERATION, generation);
      }
    }
    if (Atomics.load(control, ABANDONED) !== 0) return undefined;
    return Array.from({ length: this.#parts }, (_, part) => {
      const at = this.#slot(part);
      const filled = control.subarray(at + FIELDS, at + FIELDS + this.#parts);
      return { flags: control[at]!, count: control[at + 1]!, left: control[at + 2]!, filled };
    });
  }

  /** The host's: whether the threads are to stop where they next can. */
  ask(stop: boolean): void {
    Atomics.store(this.#control, COMMAND, stop ? STOP : 0);
  }

  /** Only one thread may ask, and tell the others at a barrier, so that all agree. */
  get asked(): boolean {
    return Atomics.load(this.#control, COMMAND) === STOP;
  }

  /** The host's, when a thread has failed: nobody waits for it. */
  abandon(): void {
    Atomics.store(this.#control, ABANDONED, 1);
    Atomics.add(this.#control, GENERATION, 1);
    Atomics.notify(this.#control, GENERATION);
  }
}
