/**
 * Checkpoints: a search on disk, as far as it has come.
 *
 * The tables of a search are typed arrays indexed by state, so a checkpoint is their bytes behind a small header; the
 * hash table is not kept, because putting the states into a new one is faster than reading it. A file is written beside
 * the one it replaces and renamed when it is safely on disk, so that at any moment the last complete checkpoint is there.
 *
 * Format: `MAGIC`, the length of the header (4 bytes, little endian), the header as JSON, the bytes of each table in
 * the byte order of the machine, SHA-256 of all that.
 */
import { createHash, type Hash } from "node:crypto";
import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { endianness } from "node:os";
import { dirname } from "node:path";
import type { TransitionSystem } from "../../spec/transition-system.ts";
import type { CheckpointOptions } from "../verdict.ts";
import { CheckpointError } from "./checkpoint-error.ts";
import type { ParallelPosition } from "./parallel-search.ts";

const MAGIC = "lockstep checkpoint 1\n";
const DIGEST_BYTES = 32;
/** One system call moves less than 2 GiB, and views of bytes end at 4 GiB. */
const PIECE = 1 << 26;
/** Searching takes at least so many times as long as writing checkpoints. */
const PATIENCE = 10;

/** What a checkpoint must have in common with the search that goes on from it. */
export interface SearchIdentity {
  /** Of Lockstep. */
  readonly version: string;
  /** Protocol, variant, scenario, sizes, switches. */
  readonly model: string;
  readonly modelHash: string;
  /** Properties asked, and reductions. */
  readonly options: string;
  /** Hash of the search's program: what the bytes mean depends on every detail of it. */
  readonly programHash: string;
  readonly byteOrder: string;
}

/** Everything of a search by one thread but its tables. */
export interface SequentialPosition {
  /** States found and states expanded. */
  readonly count: number;
  readonly next: number;
  readonly levelEnd: number;
  readonly transitions: number;
  readonly levels: readonly number[];
  readonly marks: readonly number[];
  readonly errors: readonly number[];
  /** First state at which each finding was seen, and each invariant and condition at rest was found broken. */
  readonly findings: readonly (readonly [number, number])[];
  readonly broken: readonly (readonly [number, number])[];
  readonly restBroken: readonly (readonly [number, number])[];
  readonly stuck: number;
}

export type SearchPosition = SequentialPosition | ParallelPosition;

interface Header {
  readonly identity: SearchIdentity;
  readonly position: SearchPosition;
  /** Bytes of each table. */
  readonly tables: readonly number[];
}

type Table = Uint8Array | Uint16Array | Int32Array;

export function identityOf(
  system: TransitionSystem,
  options: { readonly version: string; readonly searchOptions: string; readonly program: string },
): SearchIdentity {
  const settings = Object.entries({ ...system.sizes, ...system.switches }).map(([name, value]) => ` ${name}=${value}`);
  // Lines of the model's file decide nothing: a comment added above must not cost a day's search.
  const withoutSites = (key: string, value: unknown): unknown =>
    key === "site" && typeof value === "object" ? undefined : value;
  return {
    version: options.version,
    model: `${system.protocol} ${system.variant} ${system.scenario}${settings.join("")}`,
    modelHash: sha256(JSON.stringify(system, withoutSites)),
    options: options.searchOptions,
    programHash: sha256(options.program),
    byteOrder: endianness(),
  };
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/**
 * Throws a CheckpointError if a checkpoint cannot be written there: no such directory, or something else is there that
 * would be lost. To be asked before a search of many hours, not after.
 */
export function assertWritable(file: string): void {
  const directory = dirname(file);
  if (!existsSync(directory)) throw new CheckpointError(`${file}: there is no directory ${directory}`);
  if (existsSync(file)) {
    if (!statSync(file).isFile() || !hasMagic(file)) {
      throw new CheckpointError(`${file} exists and is no checkpoint; it is left alone: choose another name`);
    }
  }
  const temporary = temporaryOf(file);
  try {
    closeSync(openSync(temporary, "w"));
    rmSync(temporary);
  } catch (error) {
    throw new CheckpointError(`${file}: a checkpoint cannot be written there: ${(error as Error).message}`);
  }
}

function hasMagic(file: string): boolean {
  const bytes = Buffer.alloc(MAGIC.length);
  const descriptor = openSync(file, "r");
  try {
    return readSync(descriptor, bytes, 0, bytes.length, 0) === bytes.length && bytes.toString("latin1") === MAGIC;
  } finally {
    closeSync(descriptor);
  }
}

function temporaryOf(file: string): string {
  return `${file}.partial`;
}

/** Replaces `file` in one step. Throws what the file system throws; then the old file is still there. */
export function writeCheckpoint(
  file: string,
  identity: SearchIdentity,
  position: SearchPosition,
  tables: readonly Table[],
): void {
  const temporary = temporaryOf(file);
  const descriptor = openSync(temporary, "w");
  try {
    const header: Header = { identity, position, tables: tables.map((t) => t.byteLength) };
    const hash = createHash("sha256");
    const put = (bytes: Uint8Array): void => {
      hash.update(bytes);
      putAll(descriptor, bytes);
    };
    const text = Buffer.from(JSON.stringify(header));
    const length = Buffer.alloc(4);
    length.writeUInt32LE(text.length);
    put(Buffer.concat([Buffer.from(MAGIC, "latin1"), length, text]));
    for (const table of tables) for (const piece of pieces(table)) put(piece);
    putAll(descriptor, hash.digest());
    fsyncSync(descriptor);
  } catch (error) {
    closeSync(descriptor);
    rmSync(temporary, { force: true });
    throw error;
  }
  closeSync(descriptor);
  renameSync(temporary, file);
}

function putAll(descriptor: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at, bytes.length - at);
}

function* pieces(table: Table): Generator<Uint8Array> {
  for (let at = 0; at < table.byteLength; at += PIECE) {
    yield new Uint8Array(table.buffer, table.byteOffset + at, Math.min(PIECE, table.byteLength - at));
  }
}

/** A checkpoint opened for reading, its header read and found to belong to the search. */
export class CheckpointFile {
  readonly position: SearchPosition;
  readonly #file: string;
  readonly #descriptor: number;
  readonly #hash: Hash = createHash("sha256");
  readonly #tables: readonly number[];

  /** Throws a CheckpointError if the file cannot be read, is no checkpoint, is damaged, or is one of another search. */
  constructor(file: string, identity: SearchIdentity) {
    this.#file = file;
    try {
      this.#descriptor = openSync(file, "r");
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      const why = code === "ENOENT" ? "there is no such file" : message;
      throw new CheckpointError(`${file} cannot be resumed: ${why}`);
    }
    try {
      if (!fstatSync(this.#descriptor).isFile()) throw new CheckpointError(`${file} is no file`);
      const header = this.#header();
      refuseForeign(file, header.identity, identity);
      this.position = header.position;
      this.#tables = header.tables;
    } catch (error) {
      this.close();
      throw error;
    }
  }

  #header(): Header {
    const size = fstatSync(this.#descriptor).size;
    const start = Buffer.alloc(MAGIC.length + 4);
    const found = readSync(this.#descriptor, start, 0, start.length, null);
    const magic = start.toString("latin1", 0, MAGIC.length);
    if (found < start.length || magic !== MAGIC) {
      const ours = magic.startsWith(MAGIC.slice(0, -2));
      throw new CheckpointError(
        ours
          ? `${this.#file} is a checkpoint in a format that this version of Lockstep does not read`
          : `${this.#file} is no checkpoint of Lockstep`,
      );
    }
    const length = start.readUInt32LE(MAGIC.length);
    if (start.length + length + DIGEST_BYTES > size) throw this.#damaged("it is too short");
    const text = Buffer.alloc(length);
    this.#fill(text);
    this.#hash.update(start).update(text);
    let header: Header;
    try {
      header = JSON.parse(text.toString("utf8"));
    } catch {
      throw this.#damaged("its header cannot be read");
    }
    if (!Array.isArray(header?.tables) || header.identity === undefined || header.position === undefined) {
      throw this.#damaged("its header is incomplete");
    }
    const expected = header.tables.reduce((sum, bytes) => sum + bytes, start.length + length + DIGEST_BYTES);
    if (expected !== size) throw this.#damaged(`it has ${size} bytes and should have ${expected}`);
    return header;
  }

  /** Fills the tables, which must be as long as those written. Throws a CheckpointError if the file is damaged. */
  read(tables: readonly Table[]): void {
    if (tables.length !== this.#tables.length || tables.some((t, k) => t.byteLength !== this.#tables[k])) {
      throw this.#damaged("its tables have other sizes than its states need");
    }
    for (const table of tables) {
      for (const piece of pieces(table)) {
        this.#fill(piece);
        this.#hash.update(piece);
      }
    }
    const digest = Buffer.alloc(DIGEST_BYTES);
    this.#fill(digest);
    if (!digest.equals(this.#hash.digest())) throw this.#damaged("its checksum is wrong");
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  #fill(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const read = readSync(this.#descriptor, bytes, at, bytes.length - at, null);
      if (read === 0) throw this.#damaged("it is too short");
      at += read;
    }
  }

  #damaged(how: string): CheckpointError {
    return new CheckpointError(`${this.#file} is damaged: ${how}; start again without --resume`);
  }
}

function refuseForeign(file: string, theirs: SearchIdentity, ours: SearchIdentity): void {
  const refuse = (what: string): never => {
    throw new CheckpointError(`${file} cannot be resumed: ${what}`);
  };
  if (theirs.version !== ours.version) {
    refuse(`it was written by Lockstep ${theirs.version}, and this is ${ours.version}`);
  }
  if (theirs.model !== ours.model) {
    refuse(`it is a search of \`${theirs.model}\`, and what is to be checked is \`${ours.model}\``);
  }
  if (theirs.modelHash !== ours.modelHash) {
    const hashes = `${String(theirs.modelHash).slice(0, 12)}, now ${ours.modelHash.slice(0, 12)}`;
    refuse(`the model has changed since it was written (hash then ${hashes}); start again without --resume`);
  }
  if (theirs.options !== ours.options) {
    refuse(`it was written by a search with other options (${theirs.options}; now ${ours.options}); repeat those`);
  }
  if (theirs.byteOrder !== ours.byteOrder) {
    refuse(`it was written on a machine of another byte order (${theirs.byteOrder}, here ${ours.byteOrder})`);
  }
  if (theirs.programHash !== ours.programHash) {
    refuse("it was written by another build of Lockstep, which searches differently; start again without --resume");
  }
}

/** When the next checkpoint is due, and what came of the last one. */
export class CheckpointSchedule {
  readonly file: string;
  /** Checkpoints written. */
  written = 0;
  /** Why the last attempt failed. */
  failure: string | undefined;
  readonly #every: number;
  #last = performance.now();
  #took = 0;

  constructor(file: string, options: CheckpointOptions) {
    this.file = file;
    this.#every = options.every * 1000;
  }

  get due(): boolean {
    return performance.now() - this.#last >= Math.max(this.#every, PATIENCE * this.#took);
  }

  /** A disk that is full ends no search: what failed is told, and the last complete checkpoint stays. */
  write(identity: SearchIdentity, position: SearchPosition, tables: readonly Table[]): void {
    const started = performance.now();
    try {
      writeCheckpoint(this.file, identity, position, tables);
      this.written++;
      this.failure = undefined;
    } catch (error) {
      this.failure = (error as Error).message;
    }
    this.#last = performance.now();
    this.#took = this.#last - started;
  }
}
