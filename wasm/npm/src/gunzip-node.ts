// A member of a gzip file by Node's own decoder: its web streams do not tell when all has come out of what went in.

import { createGunzip } from "node:zlib";
import type { Member } from "./gunzip.js";

/** What `membersBy` is told in Node. */
export class Decoded implements Member {
  #decoder = createGunzip({ chunkSize: 1 << 16 });
  #given: Uint8Array[] = [];
  #taken = 0;
  #broken: Promise<never>;

  constructor() {
    this.#decoder.on("data", (bytes) => this.#given.push(bytes));
    this.#broken = new Promise((_, reject) => this.#decoder.on("error", reject));
    this.#broken.catch(() => {});
  }

  async take(bytes: Uint8Array): Promise<Uint8Array[]> {
    const written = new Promise<void>((resolve, reject) => this.#decoder.write(bytes, (error) => (error ? reject(error) : resolve())));
    await Promise.race([written, this.#broken]);
    this.#drain();
    this.#taken += bytes.length;
    // It passes over what is behind the end, if it begins with zero.
    if (this.#decoder.bytesWritten !== this.#taken) throw new TypeError("bytes behind the end");
    return this.#given.splice(0);
  }

  async end(): Promise<void> {
    await Promise.race([new Promise<void>((resolve) => this.#decoder.on("end", resolve).end()), this.#broken]);
    if (this.#given.length > 0) throw new TypeError("more comes out than has been counted");
  }

  stop(): void {
    this.#decoder.destroy();
  }

  /** What waits to be told. */
  #drain(): void {
    while (this.#decoder.read() !== null);
  }
}
