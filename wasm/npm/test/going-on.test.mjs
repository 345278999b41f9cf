// Downloads that break off: they go on where the bytes are known to be the server's, and begin anew everywhere else.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { browser } from "./chromium.mjs";
import { place } from "./place.mjs";

const api = await import(join(place.package, "dist/node.js"));
const { BulkClient, BulkError, memoryStore } = api;
const patience = { pollFirst: 5, pollMost: 50, retryAfterMost: 50, attempts: 3 };
const TAG = '"one"';

before(() => api.init());

/** Lines of patients that do not compress well. */
function patients(seed, count) {
  const sum = (index) => createHash("sha512").update(`${seed} ${index}`).digest("base64url");
  return Buffer.from(Array.from({ length: count }, (_, index) => `{"resourceType":"Patient","id":"${index}","language":"${sum(index)}${sum(-index)}"}\n`).join(""));
}
const LINES = 12_000;
const body = patients("a", LINES);
const digest = (bytes) => `sha-256=:${createHash("sha256").update(bytes).digest("base64")}:`;

/**
 * A server of one file that breaks off after `cut` bytes of a body, `times` times. `change` may say something else for the answer to
 * the request of that number. `asked` are the requests for the file, `sent` the bytes of their bodies, `preflights` what browsers ask about first.
 */
async function breaking({ bytes = body, headers = {}, cut = 900_000, times = 2, change = () => {}, entry = {} } = {}) {
  const seen = { asked: [], preflights: [], sent: 0, base: "", root: "" };
  const cors = { "access-control-allow-origin": "*" };
  const server = createServer((request, response) => {
    const path = new URL(request.url, "http://x").pathname;
    const say = (status, more, text = "") => response.writeHead(status, { ...cors, ...more }).end(text);
    if (path.startsWith("/package/")) return served(path, response);
    if (path === "/page") return say(200, { "content-type": "text/html" }, '<!doctype html><link rel="icon" href="data:,">');
    if (request.method === "OPTIONS") {
      seen.preflights.push(path);
      return say(204, { "access-control-allow-headers": "Prefer, Accept", "access-control-allow-methods": "GET, DELETE" });
    }
    if (request.method === "DELETE") return say(202, {});
    if (path.endsWith("$export")) return say(202, { "content-location": `${seen.root}/job`, "access-control-expose-headers": "Content-Location" });
    if (path === "/job") {
      const output = [{ type: "Patient", url: `${seen.root}/file`, ...entry }];
      return say(200, {}, JSON.stringify({ transactionTime: "2024-01-01T00:00:00Z", request: seen.root, requiresAccessToken: false, output, error: [] }));
    }
    seen.asked.push({ range: request.headers.range, ifRange: request.headers["if-range"] });
    const other = change(seen.asked.length, request) ?? {};
    if (other.drops) return response.socket.destroy();
    answer(request, response, { bytes, headers: { etag: TAG, ...headers }, ...other });
  });
  const answer = (request, response, { bytes: all, headers: said, status, from: odd, whole, ignores, most = Infinity }) => {
    const { range, "if-range": ifRange } = request.headers;
    const isRest = range !== undefined && !ignores && [undefined, said.etag].includes(ifRange);
    const from = isRest ? Number(/^bytes=(\d+)-$/.exec(range)[1]) + (odd ?? 0) : 0;
    const rest = all.subarray(from, from + Math.min(most, all.length));
    const place = isRest ? { "content-range": `bytes ${from}-${from + rest.length - 1}/${whole ?? all.length}` } : {};
    response.writeHead(status ?? (isRest ? 206 : 200), { ...cors, "content-type": "application/fhir+ndjson", "content-length": rest.length, ...said, ...place });
    const isCut = seen.asked.length <= times && rest.length > cut;
    const piece = isCut ? rest.subarray(0, cut) : rest;
    seen.sent += piece.length;
    if (isCut) response.write(piece, () => response.socket.destroy());
    else response.end(piece);
  };
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  after(() => server.close().closeAllConnections());
  seen.root = `http://127.0.0.1:${server.address().port}`;
  seen.base = `${seen.root}/fhir`;
  return seen;
}

function served(path, response) {
  const file = join(place.package, path.slice("/package/".length));
  if (!existsSync(file)) return response.writeHead(404).end();
  response.writeHead(200, { "content-type": file.endsWith(".wasm") ? "application/wasm" : "text/javascript" }).end(readFileSync(file));
}

async function fetched({ base }, options = {}) {
  const store = options.store ?? memoryStore();
  const result = await new BulkClient({ base, store, stall: 5, patience, ...options }).run();
  const [file] = result.files;
  return { result, bytes: Buffer.from(await file.blob.arrayBuffer()) };
}

test("a body that breaks off goes on, in the same pass", async () => {
  const packed = gzipSync(body);
  for (const [name, bytes, options] of [
    ["as it is", body, {}], ["stored as gzip", packed, {}], ["filtered", body, { enforce: "always", request: { typeFilter: "Patient?_id:not=7" } }],
  ]) {
    const server = await breaking({ bytes, cut: Math.floor(bytes.length / 2.5), headers: { "repr-digest": digest(bytes), "accept-ranges": "bytes" }, entry: { count: LINES, fileSize: bytes.length } });
    const told = [];
    const { result, bytes: got } = await fetched(server, { ...options, onProgress: ({ types }) => told.push(types) });
    const expected = name === "filtered" ? body.toString().replace(/^.*"id":"7".*\n/m, "") : body.toString();
    assert.ok(got.toString() === expected, name);
    const [first, ...rest] = server.asked;
    assert.deepEqual(first, { range: undefined, ifRange: undefined });
    assert.equal(rest.length, 2, name);
    const starts = rest.map(({ range, ifRange }) => (assert.equal(ifRange, TAG), Number(/^bytes=(\d+)-$/.exec(range)[1])));
    assert.ok(starts[0] > 0 && starts[1] > starts[0], `${name}: ${starts}`);
    assert.ok(server.sent < 1.4 * bytes.length, `${name}: ${server.sent} of ${bytes.length} bytes`);
    assert.deepEqual(told.at(-1), result.report.types);
  }
});

test("attempts do not run out while something comes, and do when nothing does", async () => {
  const server = await breaking({ cut: 200_000, times: 9 });
  assert.ok((await fetched(server)).bytes.equals(body));
  assert.ok(server.asked.length > 5 && server.sent < 1.5 * body.length, `${server.asked.length} requests, ${server.sent} bytes`);
  const store = memoryStore();
  // What has come is kept while a server is busy.
  const busy = await breaking({ times: 1, change: (number) => (number === 2 ? { status: 503 } : {}) });
  assert.ok((await fetched(busy)).bytes.equals(body));
  assert.deepEqual(busy.asked.map(({ range }) => range !== undefined), [false, true, true]);
  assert.equal(busy.asked[1].range, busy.asked[2].range);
  // Servers may give less than what is asked for.
  const sparing = await breaking({ times: 1, change: (number) => (number > 1 ? { most: 400_000 } : {}) });
  assert.ok((await fetched(sparing)).bytes.equals(body));
  assert.ok(sparing.asked.length > 4 && sparing.sent < 1.3 * body.length, `${sparing.asked.length} requests, ${sparing.sent} bytes`);
  const none = await breaking({ times: 1, change: (number) => (number > 1 ? { status: 404, ignores: true } : {}) });
  await assert.rejects(fetched(none, { store, patience: { ...patience, attempts: 2 } }), (error) => error instanceof BulkError);
  assert.deepEqual(await store.names(), [], "nothing is left of what began to come");
});

test("another file, or the rest of another one, begins anew and stays right", async () => {
  const other = patients("b", LINES + 7);
  const now = { bytes: other, headers: { etag: '"two"', "repr-digest": digest(other) } };
  const changed = await breaking({ times: 1, headers: { "repr-digest": digest(body) }, change: (number) => (number > 1 ? now : {}) });
  assert.ok((await fetched(changed)).bytes.equals(other));
  assert.deepEqual(changed.asked.map(({ ifRange }) => ifRange), [undefined, TAG]);
  const odd = {
    start: { from: 1 }, total: { whole: body.length + 1 }, tag: { headers: { etag: '"two"' }, status: 206 }, refused: { status: 416 }, ignored: { ignores: true },
    coded: { headers: { etag: TAG, "content-encoding": "gzip" } },
  };
  for (const [name, second] of Object.entries(odd)) {
    const server = await breaking({ times: 1, change: (number) => (number === 2 ? second : {}) });
    assert.ok((await fetched(server)).bytes.equals(body), name);
    const asked = server.asked.map(({ range }) => range !== undefined);
    assert.deepEqual(asked, name === "ignored" ? [false, true] : [false, true, false], name);
  }
});

test("the rest is not asked for where it cannot be known to be one", async () => {
  const packed = gzipSync(body);
  for (const [name, headers, bytes] of [
    ["weak", { etag: 'W/"one"' }], ["none", { etag: "" }], ["no ranges", { "accept-ranges": "none" }], ["coded", { "content-encoding": "gzip" }, packed],
  ]) {
    const server = await breaking({ headers, ...(bytes ? { bytes } : {}) });
    assert.ok((await fetched(server)).bytes.equals(body), name);
    assert.deepEqual(server.asked.map(({ range }) => range), [undefined, undefined, undefined], name);
  }
});

test("the checksum is of the whole file, however it came", async () => {
  // The same tag for other bytes: no server may do that, and some do.
  const flipped = Buffer.from(body);
  flipped[flipped.length - 100] ^= 1;
  const server = await breaking({ times: 1, headers: { "repr-digest": digest(body) }, change: (number) => (number === 2 ? { bytes: flipped } : {}) });
  assert.ok((await fetched(server)).bytes.equals(body));
  assert.deepEqual(server.asked.map(({ range }) => range !== undefined), [false, true, false]);
});

test("in Chromium, from the page's origin and from another one", { skip: process.env.CHROMIUM ? false : "no Chromium", timeout: 60_000 }, async () => {
  const shown = { "access-control-expose-headers": "ETag, Content-Range, Content-Encoding, Access-Control-Expose-Headers" };
  const chromium = await browser();
  const page = await chromium.newPage();
  const sumOf = ({ base }) => page.evaluate(async ({ base, patience }) => {
    const { BulkClient, init, memoryStore } = await import("/package/dist/index.js");
    await init();
    const { files } = await new BulkClient({ base, store: memoryStore(), stall: 5, patience }).run();
    const sum = await crypto.subtle.digest("SHA-256", await files[0].blob.arrayBuffer());
    return btoa(String.fromCharCode(...new Uint8Array(sum)));
  }, { base, patience: { ...patience, attempts: 6 } });
  for (const [name, isOwn, headers, goesOn] of [
    ["own", true, {}, true], ["shown", false, shown, true], ["all shown", false, { "access-control-expose-headers": "*" }, true],
    ["not said that codings are shown", false, { "access-control-expose-headers": "ETag, Content-Range, Content-Encoding" }, false], ["hidden", false, {}, false],
  ]) {
    // Of what came last, when it breaks off, Chromium keeps half a megabyte to itself.
    const server = await breaking({ headers, cut: 2_400_000, times: 1 });
    const site = isOwn ? server : await breaking();
    await page.goto(`${site.root}/page`);
    assert.equal(`sha-256=:${await sumOf(server)}:`, digest(body), name);
    const [, ...rest] = server.asked;
    assert.ok(rest.length === 1 && rest.every(({ range }) => (range !== undefined) === goesOn), `${name}: ${JSON.stringify(server.asked)}`);
    assert.equal(rest[0].ifRange, isOwn ? TAG : undefined, name);
    assert.ok(!server.preflights.includes("/file"), name);
    assert.ok(goesOn === server.sent < 1.5 * body.length, `${name}: ${server.sent} of ${body.length} bytes`);
  }
  // Where nobody answers the request for the rest, the whole is asked for.
  const deaf = await breaking({ headers: shown, cut: 2_400_000, times: 1, change: (_, { headers: { range } }) => ({ drops: range !== undefined }) });
  await page.goto(`${(await breaking()).root}/page`);
  assert.equal(`sha-256=:${await sumOf(deaf)}:`, digest(body));
  assert.deepEqual([deaf.asked[1].range !== undefined, deaf.asked.at(-1).range], [true, undefined]);
  await page.close();
});
