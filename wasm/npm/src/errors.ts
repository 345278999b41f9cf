// What goes wrong, as an Error with a code and, for requests, every problem with its place.

/** One thing that is wrong with a request. */
export interface Problem {
  /** The option of the request, `typeFilter`. */
  readonly option: string;
  /** The text that the problem is in. */
  readonly text: string;
  /** First character of `text` that is wrong: `text.slice(start, end)` is the wrong part. */
  readonly start: number;
  /** One past the last. */
  readonly end: number;
  /** What is wrong, and what was expected. */
  readonly message: string;
  /** A suggestion, `did you mean …?`. */
  readonly help: string | null;
}

/**
 * - `request`: the request is wrong; `problems` says where.
 * - `tables`: search tables that have not been loaded, or are of another release.
 * - `not-initialised`: `init()` has not ended yet. `load`: the WebAssembly file cannot be had or does not fit.
 * - `argument`: an argument of a type that is not taken. `freed`: the object was used after `free()`.
 * - `ended`: the export has ended. `passes`: the plan needs the input more than once, which a stream cannot give.
 * - `bad-line`: a bad line, and the request says to stop at the first. `late-deletions`: the input tells of deletions that
 *   have to be known beforehand; `filterFiles` can do that. `memory`: too much to remember.
 * - `group`: no such Group in the files, two different ones, or patients who are no members of it.
 * - `format`: a file that is neither NDJSON nor gzip. `gzip`: a gzip file that is damaged, or goes on with something else.
 * - `manifest`: what was given is no manifest at all.
 * - `exists`: there is a file of that name. `quota`: no space left. `save`: a file cannot be written.
 * - `bulk`: a server does not give what a `BulkClient` asked it for; `reason` says why. `begun`: a store or a client is in use, or
 *   holds another export. `token`: there is no token.
 * - `worker`: a worker could not be started, or broke. `internal`: a mistake of this package.
 */
export type Code =
  | "request" | "tables" | "not-initialised" | "load" | "argument" | "freed" | "ended" | "passes" | "bad-line"
  | "late-deletions" | "memory" | "group" | "format" | "gzip" | "manifest" | "exists" | "quota" | "save" | "bulk" | "begun" | "token"
  | "worker" | "internal";

/** Every error of this package. It holds no contents of records. */
export class FhirehoseError extends Error {
  /** What happened, for programs. */
  readonly code: Code;
  /** All that is wrong with a request; empty for other codes. */
  readonly problems: readonly Problem[];

  constructor(code: Code, message: string, problems: readonly Problem[] = [], options?: { cause?: unknown }) {
    super(message, options);
    this.name = "FhirehoseError";
    this.code = code;
    this.problems = problems;
  }
}

/** A server does not give what it was asked for. */
export class BulkError extends FhirehoseError {
  /** One word for programs: those in docs/client.md, `refused`, `unauthorized`, `busy`, `job-failed`. */
  readonly reason: string;
  /** Whether it may help to run again with the same store. */
  readonly resumable: boolean;

  constructor(reason: string, message: string, resumable: boolean) {
    super("bulk", message);
    this.name = "BulkError";
    this.reason = reason;
    this.resumable = resumable;
  }
}

/** What the module throws, as an error of ours: it throws JSON texts. */
export function fromModule(thrown: unknown): unknown {
  if (typeof thrown === "string") {
    const fault = JSON.parse(thrown) as { code: Code; message: string; problems: Problem[]; reason?: string; resumable?: boolean };
    if (fault.reason !== undefined) return new BulkError(fault.reason, fault.message, fault.resumable === true);
    return new FhirehoseError(fault.code, fault.message, fault.problems);
  }
  if (thrown instanceof WebAssembly.RuntimeError) {
    return new FhirehoseError("internal", "the module has stopped; this is a mistake of the package", [], { cause: thrown });
  }
  return thrown;
}

/** An error that has been cloned on its way from a worker, made whole again. */
export function revived(plain: { code: Code; message: string; problems: readonly Problem[] }): FhirehoseError {
  return new FhirehoseError(plain.code, plain.message, plain.problems);
}

export function wrongArgument(message: string): FhirehoseError {
  return new FhirehoseError("argument", message);
}
