// What a file leaves in the store while it comes, and calls of the module whose troubles are those of the client.

import type { Download, Sum } from "../glue.js";
import { FhirehoseError, fromModule } from "../errors.js";
import type { Bytes } from "../export.js";
import { Trouble } from "./http.js";
import type { BulkStore, PartWriter } from "./store.js";

/** Most that goes into the module at once, and that is gathered before the store gets it. */
export const PIECE = 256 << 10;

interface OpenPart {
  readonly name: string;
  readonly writer: PartWriter;
  waiting: Bytes[];
  size: number;
}

/** What a file leaves in the store. */
export class Parts {
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
export function guarded<T>(call: () => T): T {
  try {
    return call();
  } catch (thrown) {
    const fault = typeof thrown === "string" ? (JSON.parse(thrown) as { code: string; message: string }) : undefined;
    throw fault?.code === "trouble" ? new Trouble(fault.message) : fromModule(thrown);
  }
}

export function freed(object: Download | Sum | undefined): void {
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
