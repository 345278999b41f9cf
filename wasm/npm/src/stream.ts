// The export as a stream.

import { FhirehoseError } from "./errors.js";
import { Export, type Chunk, type Report } from "./export.js";
import { manifestOf } from "./manifest.js";
import type { Plan } from "./plan.js";

/** Bytes of NDJSON in, chunks of files out: a transform stream, as `pipeThrough` takes it. */
export interface ExportStream {
  readonly writable: WritableStream<Uint8Array>;
  readonly readable: ReadableStream<Chunk>;
  /** What happened, once the stream has ended. */
  readonly report: Promise<Report>;
}

export interface StreamOptions {
  /** What the input is called in reports. */
  name?: string;
  /** Give what the first pass keeps although the plan has more of them (`plan.passes`). */
  firstPassOnly?: boolean;
}

/** How a stream of chunks ends, for those who write them down. */
export interface Ending {
  readonly report: Report;
  /** The text of the manifest. */
  readonly manifest: string;
}

const endings = new WeakMap<object, Promise<Ending>>();

/** The ending of the stream whose readable side this is. @internal */
export function endingOf(chunks: object): Promise<Ending> | undefined {
  return endings.get(chunks);
}

/**
 * A plan as a transform stream. Nothing is read ahead while chunks wait, so a slow consumer slows the source down. What the
 * stream gave out before an error, or before it was aborted, is not all that was asked for.
 */
export function exportStream(plan: Plan, options: StreamOptions = {}): ExportStream {
  if (plan.passes.length > 1 && options.firstPassOnly !== true) {
    const passes = plan.passes.join(", ");
    const message = `the plan takes several passes over the input (${passes}); filterFiles can do that, a stream cannot`;
    throw new FhirehoseError("passes", message);
  }
  const run = new Export(plan);
  if (options.name !== undefined) run.beginInput(options.name);
  const describe = manifestOf(plan);
  let settle!: { resolve(ending: Ending): void; reject(error: unknown): void };
  const ending = new Promise<Ending>((resolve, reject) => (settle = { resolve, reject }));
  // Nobody has to wait for the report; the stream itself tells of errors too.
  ending.catch(() => {});
  const fail = (error: unknown): void => {
    settle.reject(error);
    describe.free();
    run.free();
  };
  const finish = (): Chunk[] => {
    const { chunks, report } = run.finish();
    settle.resolve({ report, manifest: describe.text(report) });
    describe.free();
    return chunks;
  };
  const { readable, writable } = pair((bytes: Uint8Array) => run.push(bytes), finish, fail);
  endings.set(readable, ending);
  const report = ending.then((ended) => ended.report);
  report.catch(() => {});
  return { readable, writable, report };
}

/**
 * Two ends of a transform. No `TransformStream`, as not every engine tells one that its reader has gone, and memory would
 * come back late.
 */
function pair<In, Out>(push: (item: In) => Out[], finish: () => Out[], fail: (error: unknown) => void): { readable: ReadableStream<Out>; writable: WritableStream<In> } {
  let out!: ReadableStreamDefaultController<Out>;
  let input!: WritableStreamDefaultController;
  let resume = (): void => {};
  const give = (make: () => Out[]): void => {
    try {
      for (const item of make()) out.enqueue(item);
    } catch (error) {
      fail(error);
      out.error(error);
      throw error;
    }
  };
  const readable = new ReadableStream<Out>({
    start: (controller) => void (out = controller),
    pull: () => resume(),
    cancel(reason) {
      fail(reason);
      input.error(reason);
      resume();
    },
  });
  const writable = new WritableStream<In>({
    start: (controller) => void (input = controller),
    write(item) {
      give(() => push(item));
      // Nothing more is taken in while chunks wait to be read.
      if ((out.desiredSize ?? 1) <= 0) return new Promise<void>((resolve) => (resume = resolve));
      return undefined;
    },
    close() {
      give(finish);
      out.close();
    },
    abort(reason) {
      fail(reason);
      out.error(reason);
    },
  });
  return { readable, writable };
}

/** The items of a stream, also where streams are no iterables yet. */
export async function* each<T>(items: AsyncIterable<T> | ReadableStream<T>): AsyncGenerator<T> {
  if (Symbol.asyncIterator in items) {
    yield* items as AsyncIterable<T>;
    return;
  }
  const reader = (items as ReadableStream<T>).getReader();
  let isDone = false;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      isDone = done;
      if (done) return;
      yield value;
    }
  } finally {
    if (!isDone) await reader.cancel().catch(() => {});
    reader.releaseLock();
  }
}
