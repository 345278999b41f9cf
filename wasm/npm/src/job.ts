// One job over whole inputs, which may be read as often as the plan has passes; runs in a worker, or where there is none.

import { FhirehoseError } from "./errors.js";
import { Export, type Chunk, type Report, type TypeCount } from "./export.js";
import { gunzipped } from "./gunzip.js";
import type { Plan } from "./plan.js";
import { Gatherer, type ExportedFile } from "./save.js";
import { each } from "./stream.js";
import { isDue } from "./tally.js";

/** An input with the name that reports call it by. */
export interface Input {
  readonly name: string;
  readonly blob: Blob;
}

export interface Outcome {
  readonly files: ExportedFile[];
  readonly report: Report;
}

/** What a job cannot do on its own: it is one of several, and has seen deletions that concern all of them. */
export const TOGETHER = "together";

export interface Circumstances {
  /** The job has all inputs of the export. */
  readonly isWhole: boolean;
  /** Told now and then of further bytes as they are stored, and of counts as they stand, where these were looked at. */
  progress(bytes: number, types?: readonly TypeCount[]): void;
  /** Throws when the job is no longer wanted. */
  check(): void;
}

const TOLD_EVERY = 4 << 20;

/** Runs a plan over inputs, in all its passes. */
export async function perform(plan: Plan, inputs: readonly Input[], circumstances: Circumstances): Promise<Outcome | typeof TOGETHER> {
  const run = new Export(plan, true);
  const gatherer = new Gatherer();
  const take = (chunks: Chunk[]): void => chunks.forEach((chunk) => gatherer.add(chunk));
  try {
    let pass = plan.passes[0];
    const due = isDue();
    const progress = (bytes: number): void => {
      // Other passes read the same bytes.
      const fresh = pass === "main" ? bytes : 0;
      if (due()) circumstances.progress(fresh, run.counts());
      else if (fresh > 0) circumstances.progress(fresh);
    };
    for (;;) {
      for (const [index, { name, blob }] of inputs.entries()) {
        if (!run.wants(index)) continue;
        take(run.beginInput(name));
        await feed(run, take, name, blob, { ...circumstances, progress });
      }
      const { chunks, next } = run.settle();
      take(chunks);
      if (next === "again") {
        if (!circumstances.isWhole) return TOGETHER;
        gatherer.clear();
      }
      if (next === "done") break;
      pass = next;
    }
    const { chunks, report } = run.finish();
    take(chunks);
    circumstances.progress(0, report.types);
    return { files: gatherer.files(), report };
  } finally {
    run.free();
  }
}

async function feed(run: Export, take: (chunks: Chunk[]) => void, name: string, blob: Blob, { progress, check }: Circumstances): Promise<void> {
  let untold = 0;
  const counted = new TransformStream<Uint8Array, Uint8Array>({
    transform(bytes, controller) {
      untold += bytes.length;
      controller.enqueue(bytes);
    },
  });
  const source = (blob.stream() as ReadableStream<Uint8Array>).pipeThrough(counted);
  for await (const bytes of each(await plain(source, name, blob))) {
    check();
    take(run.push(bytes));
    if (untold >= TOLD_EVERY) {
      progress(untold);
      untold = 0;
    }
  }
  progress(untold);
}

/** First bytes of formats that browsers cannot decode. */
const OTHERS: readonly [string, readonly number[]][] = [
  ["zstd", [0x28, 0xb5, 0x2f, 0xfd]],
  ["bzip2", [0x42, 0x5a, 0x68]],
  ["xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a]],
  ["ZIP", [0x50, 0x4b, 0x03, 0x04]],
];

/** The bytes of an input, decompressed; its first bytes say whether they are gzip, not its name. */
async function plain(source: ReadableStream<Uint8Array>, name: string, blob: Blob): Promise<ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>> {
  const head = new Uint8Array(await blob.slice(0, 6).arrayBuffer());
  const other = OTHERS.find(([, magic]) => magic.every((byte, at) => head[at] === byte));
  if (other !== undefined) throw new FhirehoseError("format", `${name}: this is ${other[0]}; expected NDJSON, plain or gzip`);
  if (head[0] !== 0x1f || head[1] !== 0x8b) return source;
  return gunzipped(source, name);
}
