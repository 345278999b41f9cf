// What an attempt at a file is told, and what is remembered of a complete one.

import type { FileKind, TypeCount } from "../export.js";
import type { BulkStore } from "./store.js";

/** What the client says of a file. */
export interface FetchStep {
  readonly file: number;
  readonly url: string;
  readonly withToken: boolean;
  readonly count: number | null;
  readonly size: number | null;
  readonly attempt: number;
}

/** A file of the output, before it has its name. */
export interface Part {
  readonly kind: FileKind;
  readonly type: string;
  readonly count: number;
  readonly bytes: number;
  /** Its name in the store. */
  readonly name: string;
}

/** What is remembered of a complete file. */
export interface Receipt {
  readonly lines: number;
  readonly bytes: number;
  readonly kept: number;
  readonly foreign: number;
  readonly filtered: boolean;
  readonly types: readonly TypeCount[];
  readonly bad: readonly { readonly code: string; readonly count: number }[];
  readonly places: readonly { readonly input: string; readonly line: number; readonly column: number; readonly code: string }[];
  readonly parts: readonly Part[];
}

/** What an attempt works with. */
export interface Surroundings {
  readonly fetch: typeof globalThis.fetch;
  readonly store: BulkStore;
  readonly signal: AbortSignal;
  readonly token: string | undefined;
  /** Longest time in which nothing comes, in milliseconds. */
  readonly stall: number;
  readonly ignoreCounts: boolean;
  /** Tells this attempt's files from those of another, also of one before a reload. */
  readonly serial: string;
  came(bytes: number, lines: number): void;
  /** Told now and then of the counts of the file as they stand. */
  counted(types: readonly TypeCount[]): void;
}
