// A client of a bulk export: kick-off, status, manifest, downloads, deletion; the decisions are the module's.

import { FhirehoseError, wrongArgument } from "../errors.js";
import type { TypeCount } from "../export.js";
import type { ExportRequest } from "../plan.js";
import type { Exported } from "../save.js";
import { Driver } from "./driver.js";
import type { BulkStore } from "./store.js";
import type { TokenSource } from "./token.js";

/** What a client is to do, and how. */
export interface BulkOptions {
  /** The FHIR base of the server. */
  base: string;
  /** Whose data: all of the system, all patients (default), or the members of a group. */
  level?: "system" | "patient" | { readonly group: string };
  /** What the server is asked for. */
  request?: ExportRequest;
  /**
   * Whether what comes is held against the request here: `auto` (default) where it leaves anything out, but for `since`, as the
   * guide lets older records come along; `always`; `never`.
   */
  enforce?: "auto" | "always" | "never";
  /** Where what comes is kept: `memoryStore()`, `await opfsStore("name")`. A store holds one export at a time. */
  store: BulkStore;
  /** Gives a token for the server; it is kept in memory, and goes to the origin of `base` and to `tokenOrigins` only. */
  token?: TokenSource;
  /** Further origins that may have the token, `https://files.example.org`. */
  tokenOrigins?: readonly string[];
  /** Told of progress, at most ten times a second and whenever something ends. */
  onProgress?: (progress: BulkProgress) => void;
  /** Stops; the store keeps what is complete, and a new client with the same options goes on. */
  signal?: AbortSignal;
  /** Most downloads at once. Default: 6, as many as browsers have connections to a host. */
  parallel?: number;
  /** Leave the job at the server when everything is here. */
  keepJob?: boolean;
  /** The server may leave out what it cannot apply (`Prefer: handling=lenient`). */
  lenient?: boolean;
  /** Fetch files while the job runs (`allowPartialManifests`). */
  partial?: boolean;
  /** How the kick-off is sent. Default: `GET`, and `POST` where there are patients. */
  method?: "GET" | "POST";
  /** Further parameters that only this server knows. */
  parameters?: Readonly<Record<string, string>>;
  /** Do not hold counts and sizes against the manifest. */
  ignoreCounts?: boolean;
  /** When the whole has to be over, in seconds from the call of `run`. */
  timeout?: number;
  /** Longest time in which nothing of a file comes, in seconds. Default: 60. */
  stall?: number;
  /** How patient the client is: milliseconds between polls where the server names none, and tries. */
  patience?: { readonly pollFirst?: number; readonly pollMost?: number; readonly retryAfterMost?: number; readonly attempts?: number };
  fetch?: typeof globalThis.fetch;
}

/** How far a client is. */
export interface BulkProgress {
  readonly phase: "kick-off" | "waiting" | "fetching" | "deleting" | "done";
  /** What the server says of its job. */
  readonly said?: string;
  /** When the server is asked again. */
  readonly next?: Date;
  /** Files that are known, and complete ones; `isComplete`: there will be no more. */
  readonly files: number;
  readonly done: number;
  readonly isComplete: boolean;
  /** Bytes and lines of NDJSON that have come, those of complete files from before a reload included. */
  readonly bytes: number;
  readonly lines: number;
  /** Counts per type as they stand, of what has come; the last ones are those of the report. */
  readonly types: readonly TypeCount[];
}

/** A complete export. */
export interface BulkResult extends Exported {
  /** The instant of the server's snapshot: `since` of the next export. */
  readonly transactionTime: string;
  /** What people should know: of the server, its manifest, what it did not do of what it was asked. */
  readonly warnings: readonly string[];
}

/**
 * A client for one export. The same decisions as `fhirehose pull`: waits as servers ask for, tries again, renews tokens, checks
 * counts, and deletes the job when everything is in the store.
 */
export class BulkClient {
  #options: BulkOptions;
  #running: Driver | undefined;

  constructor(options: BulkOptions) {
    check(options);
    this.#options = options;
  }

  /**
   * Runs the export to its end; where the store holds one that was begun with the same options, goes on with it. The files are
   * in the store until it is cleared, which is the caller's to do when they are saved elsewhere.
   */
  run(): Promise<BulkResult> {
    return this.#drive(async (driver) => driver.run());
  }

  /** Ends the export: deletes the job at the server, then what the store holds. A `run()` that is under way fails. */
  async cancel(): Promise<void> {
    if (this.#running !== undefined) return this.#running.cancel();
    return this.#drive(async (driver) => driver.endExport());
  }

  async #drive<T>(work: (driver: Driver) => Promise<T>): Promise<T> {
    if (this.#running !== undefined) throw new FhirehoseError("begun", "this client is running already");
    const driver = (this.#running = new Driver(this.#options));
    try {
      return await driver.held(() => work(driver));
    } finally {
      this.#running = undefined;
    }
  }
}

function check(options: BulkOptions): void {
  if (typeof options !== "object" || options === null) throw wrongArgument("BulkClient takes an object");
  const { base, store, token, level, timeout, stall } = options;
  if (typeof base !== "string") throw wrongArgument("base is the URL of a FHIR server");
  if (typeof store?.append !== "function") throw wrongArgument("store is a BulkStore, such as memoryStore()");
  if (token !== undefined && typeof token !== "function") throw wrongArgument("token is a function that gives a token");
  const isGroup = typeof level === "object" && typeof level?.group === "string";
  if (!isGroup && level !== undefined && level !== "system" && level !== "patient") {
    throw wrongArgument('level is "system", "patient" or { group: "id" }');
  }
  for (const seconds of [timeout, stall]) {
    if (seconds !== undefined && !(seconds > 0)) throw wrongArgument("times are seconds above 0");
  }
}
