// A ZIP file around Blobs, which are not copied. Sizes over 4 GiB are told in ZIP64 fields.

const CRC_TABLES = tables();
const MOST_32 = 0xffff_ffff;
const MOST_16 = 0xffff;
/** Names are UTF-8. */
const FLAGS = 0x0800;
/** The first of January 1980: the same input makes the same file. */
const DATE = 0x0021;

interface Entry {
  name: Uint8Array;
  crc: number;
  size: number;
  packed: number;
  method: number;
  offset: number;
}

/** The entries one behind the other, and their directory. */
export async function zipped(files: readonly { name: string; blob: Blob }[], compress: boolean): Promise<Blob> {
  const parts: BlobPart[] = [];
  const entries: Entry[] = [];
  let offset = 0;
  for (const { name, blob } of files) {
    const packed = compress ? await deflated(blob) : blob;
    const entry = {
      name: new TextEncoder().encode(name),
      crc: await checksum(blob),
      size: blob.size,
      packed: packed.size,
      method: compress ? 8 : 0,
      offset,
    };
    const head = local(entry);
    parts.push(head, packed);
    entries.push(entry);
    offset += head.byteLength + packed.size;
  }
  const directory = entries.map(central);
  const length = directory.reduce((sum, record) => sum + record.byteLength, 0);
  return new Blob([...parts, ...directory, end(entries.length, length, offset)], { type: "application/zip" });
}

async function deflated(blob: Blob): Promise<Blob> {
  return new Response(blob.stream().pipeThrough(new CompressionStream("deflate-raw"))).blob();
}

async function checksum(blob: Blob): Promise<number> {
  let crc = -1;
  const reader = (blob.stream() as ReadableStream<Uint8Array>).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return ~crc >>> 0;
    crc = added(crc, value);
  }
}

/** CRC-32, four bytes at a time. */
function added(start: number, bytes: Uint8Array): number {
  const [one, two, three, four] = CRC_TABLES as [Uint32Array, Uint32Array, Uint32Array, Uint32Array];
  let crc = start;
  let at = 0;
  for (; at + 4 <= bytes.length; at += 4) {
    crc ^= (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24);
    crc = (four[crc & 255] as number) ^ (three[(crc >>> 8) & 255] as number) ^ (two[(crc >>> 16) & 255] as number) ^ (one[crc >>> 24] as number);
  }
  for (; at < bytes.length; at++) crc = (one[(crc ^ (bytes[at] as number)) & 255] as number) ^ (crc >>> 8);
  return crc;
}

function tables(): Uint32Array[] {
  const first = new Uint32Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb8_8320 : 0);
    first[byte] = crc;
  }
  const next = (table: Uint32Array): Uint32Array => table.map((crc) => (first[crc & 255] as number) ^ (crc >>> 8));
  const second = next(first);
  const third = next(second);
  return [first, second, third, next(third)];
}

/** Little-endian fields: pairs of width and value. */
function fields(...pairs: (readonly [width: 2 | 4 | 8, value: number])[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(pairs.reduce((sum, [width]) => sum + width, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const [width, value] of pairs) {
    if (width === 2) view.setUint16(at, value, true);
    else if (width === 4) view.setUint32(at, value, true);
    else view.setBigUint64(at, BigInt(value), true);
    at += width;
  }
  return bytes;
}

function joined(...pieces: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

/** A field of 32 bits; what does not fit stands in the ZIP64 field. */
function capped(value: number): readonly [4, number] {
  return [4, Math.min(value, MOST_32)];
}

function local({ name, crc, size, packed, method }: Entry): Uint8Array<ArrayBuffer> {
  const isLarge = size >= MOST_32 || packed >= MOST_32;
  const extra = isLarge ? fields([2, 1], [2, 16], [8, size], [8, packed]) : new Uint8Array();
  const cap = (value: number): readonly [4, number] => [4, isLarge ? MOST_32 : value];
  const head = fields([4, 0x0403_4b50], [2, isLarge ? 45 : 20], [2, FLAGS], [2, method], [2, 0], [2, DATE], [4, crc], cap(packed), cap(size), [2, name.length], [2, extra.length]);
  return joined(head, name, extra);
}

function central({ name, crc, size, packed, method, offset }: Entry): Uint8Array<ArrayBuffer> {
  const large = [size, packed, offset].filter((value) => value >= MOST_32);
  const extra = large.length > 0 ? fields([2, 1], [2, large.length * 8], ...large.map((value) => [8, value] as const)) : new Uint8Array();
  const version = large.length > 0 ? 45 : 20;
  const head = fields(
    [4, 0x0201_4b50], [2, version], [2, version], [2, FLAGS], [2, method], [2, 0], [2, DATE], [4, crc], capped(packed), capped(size),
    [2, name.length], [2, extra.length], [2, 0], [2, 0], [2, 0], [4, 0], capped(offset),
  );
  return joined(head, name, extra);
}

function end(count: number, length: number, offset: number): Uint8Array<ArrayBuffer> {
  const counts = [2, Math.min(count, MOST_16)] as const;
  const plain = fields([4, 0x0605_4b50], [2, 0], [2, 0], counts, counts, capped(length), capped(offset), [2, 0]);
  if (count < MOST_16 && length < MOST_32 && offset < MOST_32) return plain;
  const large = fields([4, 0x0606_4b50], [8, 44], [2, 45], [2, 45], [4, 0], [4, 0], [8, count], [8, count], [8, length], [8, offset]);
  const locator = fields([4, 0x0706_4b50], [4, 0], [8, offset + length], [4, 1]);
  return joined(large, locator, plain);
}
