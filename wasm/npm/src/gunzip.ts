// Gzip files, inflated: members one behind the other, although the streams of browsers take one and refuse what is behind it.
//
// Where a member ends only its decoder knows, and that does not tell. So the bytes are watched for what may be the head of the
// next one. A member ends with its length: where what stands before the head is the number of bytes that have come out, the
// decoder is told that this is the end. It checks the sum; a mistake here is an error, never other bytes.

import { FhirehoseError } from "./errors.js";
import { each } from "./stream.js";

/** Decodes one member. Bytes behind its end are an error. */
export interface Member {
  /** Takes the next bytes, and gives all that comes of them. */
  take(bytes: Uint8Array): Promise<Uint8Array[]>;
  /** Fails if the member is not whole. */
  end(): Promise<void>;
  /** It is not wanted any more. */
  stop(): void;
}

let begin = (): Member => new Streamed();

/** Said by the entry, where the platform has something that is better. */
export function membersBy(how: () => Member): void {
  begin = how;
}

/** A gzip file, inflated. */
export async function* gunzipped(source: AsyncIterable<Uint8Array> | ReadableStream<Uint8Array>, name: string): AsyncGenerator<Uint8Array> {
  const file = new Members();
  try {
    for await (const piece of each(source)) yield* await told(name, file.take(piece));
    yield* await told(name, file.end());
  } finally {
    file.stop();
  }
}

/** What decoders complain of, with the name of the file. */
async function told<T>(name: string, inflated: Promise<T>): Promise<T> {
  try {
    return await inflated;
  } catch (cause) {
    const message = `${name}: the gzip file is damaged, ends too early, or has something else behind its end`;
    throw new FhirehoseError("gzip", message, [], { cause });
  }
}

/** Identification, method, and flags of which three must not be set. */
const HEAD = 4;
/** No member is shorter. */
const SHORTEST = 18;
/** The sum, and the length without what does not fit into four bytes. */
const TRAILER = 8;
const NOTHING = new Uint8Array(0);
const ZEROS = new Uint8Array(1 << 16);

class Members {
  #member = begin();
  /** Bytes of the member, taken and given. */
  #taken = 0;
  #given = 0;
  /** The last bytes that the member has taken. */
  #last: Uint8Array = new Uint8Array(TRAILER);
  /** What may be the beginning of a head. */
  #held: Uint8Array = NOTHING;
  /** Zeros that were held back: behind the last member they are padding. */
  #zeros = 0;
  /** What has come out and nobody has yet. */
  #out: Uint8Array[] = [];

  async take(piece: Uint8Array): Promise<Uint8Array[]> {
    const bytes = this.#held.length === 0 ? piece : joined(this.#held, piece);
    let from = 0;
    let head = headIn(bytes, 0);
    for (; head + HEAD <= bytes.length; head = headIn(bytes, head + 1)) {
      if (this.#taken + this.#zeros + head - from < SHORTEST) continue;
      await this.#pass(bytes.subarray(from, head));
      from = head;
      if (this.#isAtEnd()) await this.#next();
    }
    this.#held = new Uint8Array(bytes.subarray(head));
    let end = head;
    while (end > from && bytes[end - 1] === 0) end--;
    if (end > from) await this.#pass(bytes.subarray(from, end));
    this.#zeros += head - end;
    return this.#out.splice(0);
  }

  /** The last member has ended, perhaps before the zeros that were held back. */
  async end(): Promise<Uint8Array[]> {
    if (this.#held.length > 0) await this.#pass(this.#held);
    const zeros = Math.min(this.#zeros, this.#zerosOfTrailer());
    this.#zeros = 0;
    await this.#give(ZEROS.subarray(0, zeros));
    await this.#member.end();
    return this.#out.splice(0);
  }

  stop(): void {
    this.#member.stop();
  }

  /** Hands bytes on, and the zeros before them. */
  async #pass(bytes: Uint8Array): Promise<void> {
    while (this.#zeros > 0) {
      const some = ZEROS.subarray(0, this.#zeros);
      this.#zeros -= some.length;
      await this.#give(some);
    }
    await this.#give(bytes);
  }

  async #give(bytes: Uint8Array): Promise<void> {
    if (bytes.length === 0) return;
    for (const inflated of await this.#member.take(bytes)) {
      this.#given += inflated.length;
      this.#out.push(inflated);
    }
    this.#taken += bytes.length;
    this.#last = joined(this.#last, bytes.subarray(-TRAILER)).slice(-TRAILER);
  }

  #isAtEnd(): boolean {
    const { buffer, byteOffset } = this.#last;
    const [sum, length] = [0, 4].map((at) => new DataView(buffer, byteOffset).getUint32(at, true));
    // Zeros stand in many places; the sum of nothing is zero as well.
    return length === this.#given % 2 ** 32 && (this.#given > 0 || sum === 0);
  }

  async #next(): Promise<void> {
    await this.#member.end();
    this.#member = begin();
    this.#taken = 0;
    this.#given = 0;
  }

  /** With how many zeros the trailer ends, given that the length has come to an end before them. */
  #zerosOfTrailer(): number {
    const length = this.#given % 2 ** 32;
    if (length > 0) return Math.clz32(length) >> 3;
    if (this.#given > 0) return 4;
    // All of it is zero, and a byte of the data before it in the shortest form of nothing, 3 and 0.
    return this.#last[TRAILER - 1] === 3 ? TRAILER + 1 : TRAILER;
  }
}

/** Where there may be a head, from a place on: the whole of it, or as much as there is at the end of the bytes. Else their length. */
function headIn(bytes: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(0x1f, from); at >= 0; at = bytes.indexOf(0x1f, at + 1)) {
    const left = bytes.length - at;
    if (left > 1 && bytes[at + 1] !== 0x8b) continue;
    if (left > 2 && bytes[at + 2] !== 8) continue;
    if (left > 3 && (bytes[at + 3] as number) >= 0x20) continue;
    return at;
  }
  return bytes.length;
}

function joined(one: Uint8Array, other: Uint8Array): Uint8Array {
  const both = new Uint8Array(one.length + other.length);
  both.set(one);
  both.set(other, one.length);
  return both;
}

/** A member by the stream of browsers. */
class Streamed implements Member {
  #writer: WritableStreamDefaultWriter<Uint8Array>;
  #reader: ReadableStreamDefaultReader<Uint8Array>;
  #read: Promise<ReadableStreamReadResult<Uint8Array>> | undefined;

  constructor() {
    const { readable, writable } = new DecompressionStream("gzip") as unknown as TransformStream<Uint8Array, Uint8Array>;
    this.#writer = writable.getWriter();
    this.#reader = readable.getReader();
    for (const { closed } of [this.#writer, this.#reader]) closed.catch(() => {});
  }

  async take(bytes: Uint8Array): Promise<Uint8Array[]> {
    const given: Uint8Array[] = [];
    // The second one is not looked at before somebody waits for more than the first one has given.
    const written = Promise.all([this.#writer.write(bytes), this.#writer.write(NOTHING)]).then(() => undefined);
    written.catch(() => {});
    for (;;) {
      const item = await Promise.race([this.#next(), written]);
      if (item?.value === undefined) return given;
      this.#read = undefined;
      given.push(item.value);
    }
  }

  async end(): Promise<void> {
    const closed = this.#writer.close();
    closed.catch(() => {});
    const { done } = await this.#next();
    if (!done) throw new TypeError("more comes out than has been counted");
    await closed;
  }

  stop(): void {
    this.#writer.abort().catch(() => {});
    this.#reader.cancel().catch(() => {});
  }

  #next(): Promise<ReadableStreamReadResult<Uint8Array>> {
    this.#read ??= this.#reader.read();
    this.#read.catch(() => {});
    return this.#read;
  }
}
