// Gzip files of any number of members, right and wrong, and what has to come of them; for Node and for browsers.

const encoder = new TextEncoder();
const EMPTY = new Uint8Array(0);
const zeros = (count) => new Uint8Array(count);
const joined = (...parts) => {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  parts.reduce((at, part) => (all.set(part, at), at + part.length), 0);
  return all;
};
const lines = (from, count) => encoder.encode(Array.from({ length: count }, (_, at) => `{"resourceType":"Patient","id":"${from + at}"}\n`).join(""));

async function gzip(plain) {
  const stream = new Blob([plain]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

const four = (number) => new Uint8Array([number, number >>> 8, number >>> 16, number >>> 24]);

function sumOf(bytes) {
  let sum = ~0;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0);
  }
  return ~sum;
}

/** A member whose data stand in it as they are; what its header holds besides, by its flags. */
function stored(plain, flags = 0, more = EMPTY) {
  const blocks = [];
  for (let from = 0; from < plain.length; from += 0xffff) {
    const block = plain.subarray(from, from + 0xffff);
    blocks.push(new Uint8Array([0, block.length, block.length >> 8, ~block.length, ~block.length >> 8]), block);
  }
  const last = new Uint8Array([1, 0, 0, 0xff, 0xff]);
  const head = new Uint8Array([0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 255]);
  return joined(head, more, ...blocks, last, four(sumOf(plain)), four(plain.length));
}

const HEAD = new Uint8Array([0x1f, 0x8b, 8, 0]);

/** Files with what they hold, `undefined`: they are damaged. */
export async function files() {
  const [a, b] = [lines(1, 2), lines(3, 40)];
  const [packedA, packedB, packedNothing] = await Promise.all([a, b, EMPTY].map(gzip));
  const many = Array.from({ length: 300 }, (_, at) => lines(at, 1));
  const large = [lines(1e6, 9_000), lines(2e6, 9_000), lines(3e6, 1)];
  // Whose lengths end in zeros.
  const round = [256, 65_536].map((length) => joined(lines(1, 1), zeros(length).fill(10)).subarray(0, length));
  const changed = (bytes, at) => bytes.map((byte, index) => (index === bytes.length - at ? byte ^ 1 : byte));
  const right = [
    ["one", packedA, a],
    ["two", joined(packedA, packedB), joined(a, b)],
    ["many", joined(...(await Promise.all(many.map(gzip)))), joined(...many)],
    ["large", joined(...(await Promise.all(large.map(gzip)))), joined(...large)],
    ["nothing", packedNothing, EMPTY],
    ["nothing everywhere", joined(packedNothing, packedA, packedNothing, stored(EMPTY), packedB, packedNothing), joined(a, b)],
    ["names and other fields", joined(stored(a, 8, encoder.encode("a.ndjson\0")), stored(b, 4, new Uint8Array([4, 0, ...HEAD]))), joined(a, b)],
    ["a head that is none", stored(joined(a, HEAD, b)), joined(a, HEAD, b)],
    ["a head behind a length that is another", stored(joined(a, four(a.length + 5), HEAD, b)), joined(a, four(a.length + 5), HEAD, b)],
    ["a head behind zeros", joined(packedB, stored(joined(a, zeros(8), HEAD, b))), joined(b, a, zeros(8), HEAD, b)],
    ["a head with flags that there are not", joined(stored(joined(a, [0x1f, 0x8b, 8, 0x20])), packedB), joined(a, [0x1f, 0x8b, 8, 0x20], b)],
    ["a file in a file", joined(stored(joined(packedA, packedB)), packedA), joined(packedA, packedB, a)],
    ["many zeros", joined(stored(joined(a, zeros(150_000), b, zeros(9))), packedB), joined(a, zeros(150_000), b, zeros(9), b)],
  ];
  for (const [name, bytes, plain] of [["a", packedA, a], ["nothing", packedNothing, EMPTY], ["nothing stored", stored(EMPTY), EMPTY], ...round.map((plain) => [`${plain.length} bytes`, stored(plain), plain])]) {
    for (const count of [0, 1, 9, 100_000]) right.push([`${name}, and ${count} zeros`, joined(packedB, bytes, zeros(count)), joined(b, plain)]);
  }
  const wrong = [
    ["a wrong sum", joined(packedA, changed(packedB, 6), packedA)],
    ["a wrong sum at the end", joined(packedA, changed(packedB, 6))],
    ["a wrong length", joined(packedA, changed(packedB, 4), packedA)],
    ["wrong data", joined(packedA, changed(packedB, 30))],
    ["a member that is cut, and another", joined(packedA.subarray(0, 30), packedB)],
    ["bytes behind", joined(packedA, encoder.encode("x"))],
    ["lines behind", joined(packedA, a)],
    ["a byte of a head behind", joined(packedA, [0x1f])],
    ["a head behind", joined(packedA, HEAD)],
    ["zeros and bytes behind", joined(packedA, zeros(10), encoder.encode("x"))],
    ["zeros and a member behind", joined(packedA, zeros(10), packedB)],
    ["zeros and the same once more behind", joined(packedA, zeros(10), packedA)],
    ["nothing, zeros and a member", joined(packedNothing, zeros(10), packedA)],
  ];
  for (const length of [1, 2, 3, 4, 8, 9, 20, 40, packedB.length - 12]) wrong.push([`cut by ${length}`, joined(packedA, packedB.subarray(0, -length))]);
  return [...right, ...wrong].map(([name, bytes, plain]) => ({ name, bytes, plain }));
}

/** What is no boundary and looks exactly like one: it is refused, and nothing else comes out. */
export function lie() {
  const a = lines(1, 2);
  return { name: "a lie", bytes: stored(joined(a, four(a.length + 4), HEAD, a)), plain: undefined };
}

async function* pieces(bytes, size) {
  for (let from = 0; from < bytes.length; from += size) yield bytes.subarray(from, from + size);
}

async function inflated(gunzipped, bytes, size) {
  const parts = [];
  for await (const part of gunzipped(pieces(bytes, size), "x.gz")) parts.push(part);
  return joined(...parts);
}

/** Inflates all of them, cut in every way, and names what is not as it has to be. */
export async function unlike(gunzipped, all) {
  const found = [];
  for (const { name, bytes, plain } of all) {
    const every = Array.from({ length: bytes.length }, (_, at) => at + 1);
    const sizes = name === "two" ? every : bytes.length < 2_000 ? [1, 65_536] : bytes.length < 20_000 ? [7, 1000] : [1021, 65_536];
    for (const size of sizes) {
      const got = await inflated(gunzipped, bytes, size).catch((error) => (error.code === "gzip" && error.message.startsWith("x.gz: ") ? undefined : error));
      const isRight = plain === undefined ? got === undefined : got instanceof Uint8Array && got.length === plain.length && got.every((byte, at) => byte === plain[at]);
      if (!isRight) found.push(`${name}, by ${size}: ${got instanceof Error ? got.stack : got?.length} instead of ${plain?.length}`);
    }
  }
  return found;
}
