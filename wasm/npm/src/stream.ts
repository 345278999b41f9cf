// The export as a stream.

import { FhirehoseError } from "./errors.js";
import { Export, type Chunk, type Report } from "./export.js";
import { manifestOf } from "./manifest.js";
import type { Plan } from "./plan.js";

/** Bytes of NDJSON in, chunks of files out. */
export interface ExportStream extends TransformStream<Uint8Array, Chunk> {
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
  const fail = (error: unknown): void => {
    settle.reject(error);
    describe.free();
    run.free();
  };
  // Nobody has to wait for the report; the stream itself tells of errors too.
  ending.catch(() => {});
  const give = (chunks: Chunk[], controller: TransformStreamDefaultController<Chunk>): void => {
    for (const chunk of chunks) controller.enqueue(chunk);
  };
  const transformer: Transformer<Uint8Array, Chunk> & { cancel(reason: unknown): void } = {
    transform(bytes, controller) {
      try {
        give(run.push(bytes), controller);
      } catch (error) {
        fail(error);
        throw error;
      }
    },
    flush(controller) {
      try {
        const { chunks, report } = run.finish();
        give(chunks, controller);
        settle.resolve({ report, manifest: describe.text(report) });
        describe.free();
      } catch (error) {
        fail(error);
        throw error;
      }
    },
    // Both ends: the reader has enough, or the source broke off. Older engines know no `cancel`, there the collector frees.
    cancel: fail,
  };
  const stream = new TransformStream<Uint8Array, Chunk>(transformer, undefined, { highWaterMark: 1 });
  endings.set(stream.readable, ending);
  const report = ending.then((ended) => ended.report);
  report.catch(() => {});
  return Object.assign(stream, { report });
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
