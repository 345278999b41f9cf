// One run of a plan: bytes in, chunks of files out. The streams and the worker stand on it.

import type { Run } from "./glue.js";
import { FhirehoseError, fromModule, wrongArgument } from "./errors.js";
import { loaded } from "./module.js";
import { compiledOf, dispose, type Plan } from "./plan.js";

/** Bytes with a buffer of their own. */
export type Bytes = ReturnType<Uint8Array["slice"]>;

/** What a file holds: kept resources, deletions, or OperationOutcomes about bad lines. */
export type FileKind = "output" | "deleted" | "error";

/** The next bytes of a file: whole lines, each ending in a newline. All chunks of a file, joined, are its content. */
export interface Chunk {
  /** Its name, `Observation.000.ndjson`, `error/OperationOutcome.000.ndjson`. */
  readonly file: string;
  readonly kind: FileKind;
  /** Type of its resources. */
  readonly type: string;
  /** A copy of its own: it may be transferred. */
  readonly bytes: Bytes;
}

/** Counts of a type. */
export interface TypeCount {
  readonly type: string;
  /** Resources read, and of them kept. */
  readonly read: number;
  readonly kept: number;
  /** Bytes kept, newlines included. */
  readonly keptBytes: number;
}

/** Members of a group, and of the groups in it. */
export interface GroupReport {
  /** Patients who count. */
  readonly patients: number;
  /** Members that do not: marked inactive, at another time, no patients, on other servers or without a reference. */
  readonly inactive: number;
  readonly outsidePeriod: number;
  readonly otherTypes: number;
  readonly elsewhere: number;
  /** Groups in it that the files do not hold. */
  readonly missingGroups: readonly string[];
}

/** What happened. The names are those of `fhirehose export --report json`. */
export interface Report {
  readonly inputs: number;
  /** Bytes of lines read, decompressed. */
  readonly bytes: number;
  readonly lines: number;
  readonly read: number;
  readonly kept: number;
  readonly keptBytes: number;
  readonly types: readonly TypeCount[];
  readonly files: readonly {
    readonly kind: FileKind; readonly type: string; readonly path: string; readonly count: number; readonly bytes: number;
  }[];
  readonly bad: {
    readonly total: number;
    readonly kinds: readonly { readonly code: string; readonly count: number }[];
    /** Where the first bad lines are. */
    readonly places: readonly { readonly input: string; readonly line: number; readonly column: number; readonly code: string }[];
  };
  /** How many of the patients that were asked for had no line. */
  readonly unknownPatients: number;
  readonly deletions: { readonly listed: number; readonly withheld: number };
  /** Of a request with a `group`: who its members are. */
  readonly group?: GroupReport;
}

/** Most input that goes over in one call: what comes of it is fetched before the next. */
const PIECE = 1 << 20;

/** The push engine: for those who have no stream. */
export class Export {
  #run: Run | undefined;
  #over: FhirehoseError | undefined;
  #files: Omit<Chunk, "bytes">[] = [];

  /** Begins an export. Its memory is given back by `finish`, by an error, or by `free`. */
  constructor(plan: Plan);
  /** In all passes. @internal */
  constructor(plan: Plan, isWhole: boolean);
  constructor(plan: Plan, isWhole = false) {
    const { Run } = loaded();
    if (!isWhole && plan.passes[0] !== "main") {
      throw new FhirehoseError("passes", "the members of a group are found in a pass before the others; filterFiles can do that");
    }
    this.#run = new Run(compiledOf(plan));
  }

  /** Names the next input, for reports. Ends the one before; gives what came of its last line. */
  beginInput(name: string): Chunk[] {
    if (typeof name !== "string") throw wrongArgument("the name of an input is a string");
    return this.#collected((run) => run.beginInput(name));
  }

  /** Takes the next bytes of the input, decompressed, cut anywhere; gives what came of them. */
  push(bytes: Uint8Array): Chunk[] {
    if (!(bytes instanceof Uint8Array)) throw wrongArgument("push takes a Uint8Array");
    if (bytes.length <= PIECE) return this.#collected((run) => run.push(bytes));
    const chunks: Chunk[] = [];
    for (let from = 0; from < bytes.length; from += PIECE) {
      const piece = bytes.subarray(from, from + PIECE);
      chunks.push(...this.#collected((run) => run.push(piece)));
    }
    return chunks;
  }

  /** Ends the export: the last lines, and the report. */
  finish(): { chunks: Chunk[]; report: Report } {
    const chunks = this.#collected((run) => run.finish());
    const report = JSON.parse(this.#guarded((run) => run.report())) as Report;
    this.#end(new FhirehoseError("ended", "the export has ended"));
    return { chunks, report };
  }

  /** Ends a pass over all inputs: what comes next. @internal */
  settle(): { chunks: Chunk[]; next: string } {
    const chunks = this.#collected((run) => run.endInput());
    const next = this.#guarded((run) => run.settle());
    if (next === "again") this.#files = [];
    return { chunks, next };
  }

  /** Whether the present pass may find something in an input. @internal */
  wants(input: number): boolean {
    return this.#guarded((run) => run.wants(input));
  }

  /** Counts of the types so far. @internal */
  counts(): TypeCount[] {
    return JSON.parse(this.#guarded((run) => run.counts())) as TypeCount[];
  }

  /** Gives back the memory; what has not come out yet is lost. */
  free(): void {
    this.#end(new FhirehoseError("freed", "the export has been freed"));
  }

  [dispose](): void {
    this.free();
  }

  #end(why: FhirehoseError): void {
    const run = this.#run;
    this.#run = undefined;
    this.#over ??= why;
    try {
      run?.free();
    } catch {
      // A module that has stopped gives nothing back.
    }
  }

  /** After an error the export is over. */
  #guarded<T>(call: (run: Run) => T): T {
    if (this.#run === undefined) throw this.#over as FhirehoseError;
    try {
      return call(this.#run);
    } catch (thrown) {
      const error = fromModule(thrown);
      this.#end(error instanceof FhirehoseError ? error : new FhirehoseError("internal", "the export has failed"));
      throw error;
    }
  }

  #collected(call: (run: Run) => number): Chunk[] {
    return this.#guarded((run) => {
      const count = call(run);
      const chunks: Chunk[] = [];
      for (let index = 0; index < count; index++) {
        const number = run.segmentFile(index);
        const file = (this.#files[number] ??= JSON.parse(run.file(number)) as Omit<Chunk, "bytes">);
        chunks.push({ ...file, bytes: run.segmentBytes(index) as Bytes });
      }
      return chunks;
    });
  }
}
