// One attempt at a file: from the network through the module into the store.

import type { Bulk, Download, Sum } from "../glue.js";
import { FhirehoseError, fromModule } from "../errors.js";
import { base64 } from "./base64.js";
import type { Bytes, FileKind, TypeCount } from "../export.js";
import { gunzipped } from "../job.js";
import { loaded } from "../module.js";
import { each } from "../stream.js";
import { isDue } from "../tally.js";
import { chunksOf, open, Patience, small, statusOf, Trouble, type Got } from "./http.js";
import type { BulkStore, PartWriter } from "./store.js";

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

export type Ended = { readonly receipt: Receipt } | { readonly got: Got };

/** Most that goes into the module at once, and that is gathered before the store gets it. */
const PIECE = 256 << 10;
/** What a file of a bulk export is never. */
const OTHER_MEDIA = /^(text\/html|application\/xhtml|image\/|multipart\/)/i;

/** Makes an attempt. Throws a `Trouble` where another one may help. */
export async function attempt(bulk: Bulk, step: FetchStep, around: Surroundings): Promise<Ended> {
  const patience = new Patience(around.signal, around.stall);
  const token = step.withToken ? around.token : undefined;
  try {
    const request = { method: "GET", url: step.url, headers: [["Accept", "application/fhir+ndjson"]] as const, token };
    const response = await open(around.fetch, request, patience);
    patience.again();
    const status = statusOf(response);
    // The rest of something that was not asked for.
    if (status === 206) throw new Trouble("broken");
    if (status !== 200) return { got: await small(response, Number.MAX_SAFE_INTEGER, token, patience) };
    if (OTHER_MEDIA.test(response.headers.get("content-type") ?? "")) throw new Trouble("media");
    return { receipt: await receive(bulk, step, response, around, patience) };
  } finally {
    patience.end();
  }
}

async function receive(bulk: Bulk, step: FetchStep, response: Response, around: Surroundings, patience: Patience): Promise<Receipt> {
  const download = guarded(() => bulk.download(step.file, step.count ?? undefined));
  const parts = new Parts(around.store, `${String(step.file).padStart(6, "0")}.${around.serial}.${step.attempt}`);
  const digest = digestOf(response);
  const came: Came = { bytes: 0, sum: digest === undefined ? undefined : new (loaded().Sum)() };
  try {
    let lines = 0;
    const due = isDue();
    for await (const bytes of content(response, patience, came)) {
      for (let from = 0; from < bytes.length; from += PIECE) {
        const piece = bytes.subarray(from, from + PIECE);
        await parts.take(download, guarded(() => download.push(piece)));
      }
      around.came(bytes.length, download.lines() - lines);
      lines = download.lines();
      if (due()) around.counted(JSON.parse(download.counts()) as TypeCount[]);
    }
    await parts.take(download, guarded(() => download.finish()));
    const receipt = JSON.parse(download.receipt()) as Receipt;
    refuseOtherSize(step, response, came.bytes, receipt.bytes, around.ignoreCounts);
    if (digest !== undefined && came.sum !== undefined && digest !== base64(came.sum.value())) throw new Trouble("checksum");
    const names = await parts.close();
    return { ...receipt, parts: receipt.parts.map((part, index) => ({ ...part, name: names[index] as string })) };
  } catch (error) {
    await parts.abort();
    throw error;
  } finally {
    freed(download);
    freed(came.sum);
  }
}

/** What has come over the network, as far as this can be seen. */
interface Came {
  bytes: number;
  readonly sum: Sum | undefined;
}

/** The SHA-256 of the bytes that come, where the server says it (RFC 9530), and nothing stands between them and us. */
function digestOf({ headers, type }: Response): string | undefined {
  // From another origin a coding may have been undone without a word.
  if (headers.has("content-encoding") || type === "cors") return undefined;
  const fields = [headers.get("repr-digest"), headers.get("content-digest")].join(",");
  return /(?:^|,)\s*sha-256=:([A-Za-z0-9+/=]+):/i.exec(fields)?.[1];
}

/** The bytes of a file, inflated: what the server calls gzip the browser has inflated; what is stored so begins like it. */
async function* content(response: Response, patience: Patience, came: Came): AsyncGenerator<Uint8Array> {
  const source = new ReadableStream<Uint8Array>({
    start: () => {},
    pull: pullFrom(chunksOf(response, patience), patience, came),
  }, { highWaterMark: 0 });
  const [head, whole] = await begun(source);
  const plain = head[0] === 0x1f && head[1] === 0x8b ? gunzipped(whole, "a file") : each(whole);
  try {
    for (;;) {
      const { done, value } = await patience.wait(plain.next());
      if (done === true) return;
      yield value;
    }
  } catch (error) {
    if (error instanceof FhirehoseError && error.code === "gzip") throw patience.told(error, "coding");
    throw patience.told(error, "broken");
  }
}

function pullFrom(chunks: AsyncGenerator<Uint8Array>, patience: Patience, came: Came) {
  return async (controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> => {
    try {
      const { done, value } = await chunks.next();
      if (done === true) return controller.close();
      patience.again();
      came.bytes += value.length;
      came.sum?.add(value);
      controller.enqueue(value);
    } catch (error) {
      controller.error(error);
    }
  };
}

/** The first two bytes of a stream, and the stream from its beginning. */
async function begun(source: ReadableStream<Uint8Array>): Promise<[Uint8Array, ReadableStream<Uint8Array>]> {
  const reader = source.getReader();
  const first: Uint8Array[] = [];
  let head = new Uint8Array();
  while (head.length < 2) {
    const { done, value } = await reader.read();
    if (done) break;
    first.push(value);
    head = new Uint8Array([...head, ...value.subarray(0, 2)]);
  }
  const whole = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const waiting = first.shift();
      if (waiting !== undefined) return controller.enqueue(waiting);
      const { done, value } = await reader.read();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel: (reason) => reader.cancel(reason),
  }, { highWaterMark: 0 });
  return [head, whole];
}

/** The size by the manifest: of the file as it is stored, or of its lines. What browsers have inflated may not tell. */
function refuseOtherSize({ size }: FetchStep, response: Response, body: number, plain: number, ignore: boolean): void {
  if (size === null || ignore) return;
  const { headers, type } = response;
  const announced = headers.has("content-length") ? Number(headers.get("content-length")) : undefined;
  const wire = headers.has("content-encoding") || type === "cors" ? announced : body;
  if (wire !== undefined && ![plain, body, wire].includes(size)) throw new Trouble("length");
}

interface OpenPart {
  readonly name: string;
  readonly writer: PartWriter;
  waiting: Bytes[];
  size: number;
}

/** What a file leaves in the store. */
class Parts {
  #store: BulkStore;
  #prefix: string;
  #parts: OpenPart[] = [];

  constructor(store: BulkStore, prefix: string) {
    this.#store = store;
    this.#prefix = prefix;
  }

  async take(download: Download, segments: number): Promise<void> {
    // All of them first: they are gone at the next call.
    const taken = Array.from({ length: segments }, (_, index) => [download.segmentFile(index), download.segmentBytes(index) as Bytes] as const);
    for (const [number, bytes] of taken) {
      const part = (this.#parts[number] ??= await this.#begin(number));
      part.waiting.push(bytes);
      part.size += bytes.length;
      if (part.size >= PIECE) await this.#write(part);
    }
  }

  async #begin(number: number): Promise<OpenPart> {
    const name = `${this.#prefix}.${number}`;
    return { name, writer: await stored(() => this.#store.create(name)), waiting: [], size: 0 };
  }

  async #write(part: OpenPart): Promise<void> {
    const { waiting, size } = part;
    part.waiting = [];
    part.size = 0;
    let bytes = waiting[0] as Bytes;
    if (waiting.length > 1) {
      bytes = new Uint8Array(size);
      let at = 0;
      for (const piece of waiting) {
        bytes.set(piece, at);
        at += piece.length;
      }
    }
    await stored(() => part.writer.write(bytes));
  }

  /** Gives the names of the parts. */
  async close(): Promise<string[]> {
    for (const part of this.#parts) {
      if (part.size > 0) await this.#write(part);
      await stored(() => part.writer.close());
    }
    return this.#parts.map(({ name }) => name);
  }

  async abort(): Promise<void> {
    for (const { name, writer } of this.#parts.filter(Boolean)) {
      await writer.abort().catch(() => {});
      await this.#store.remove(name).catch(() => {});
    }
  }
}

/** A call of the module, its troubles as such. */
function guarded<T>(call: () => T): T {
  try {
    return call();
  } catch (thrown) {
    const fault = typeof thrown === "string" ? (JSON.parse(thrown) as { code: string; message: string }) : undefined;
    throw fault?.code === "trouble" ? new Trouble(fault.message) : fromModule(thrown);
  }
}

function freed(object: Download | Sum | undefined): void {
  try {
    object?.free();
  } catch {
    // A module that has stopped gives nothing back.
  }
}

/** What a store says, as an error of ours. */
export async function stored<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (cause) {
    if (cause instanceof FhirehoseError) throw cause;
    const name = cause instanceof DOMException ? cause.name : "Error";
    if (name === "QuotaExceededError") throw new FhirehoseError("quota", "there is no space left; what is complete stays", [], { cause });
    throw new FhirehoseError("save", `the store fails (${name}); what is complete stays`, [], { cause });
  }
}
