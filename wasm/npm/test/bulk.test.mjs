// The bulk client in Node: against `fhirehose serve`, alone and behind a proxy that breaks everything, with stops in between.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { filesIn, folder, place, run } from "./place.mjs";
import { faultProxy, serve } from "./serving.mjs";

const api = await import(join(place.package, "dist/node.js"));
const { BulkClient, BulkError, backendServices, compile, FhirehoseError, hasBegun, memoryStore } = api;
const keys = JSON.parse(readFileSync(new URL("../../../cli/tests/keys/test-only.jwks.json", import.meta.url), "utf8")).keys;
const jwk = keys.find(({ kty }) => kty === "EC");
const home = folder();
/** Waits are for people: here they end soon. */
const QUICK = { pollFirst: 5, pollMost: 50, retryAfterMost: 50, attempts: 12 };

before(async () => {
  await api.init();
  run(place.binary, ["synth", "--patients", "8", "--seed", "7", "-o", "data"], { cwd: home });
});

/** What the command line exports, by name; without the manifest. */
function direct(...args) {
  const out = `direct-${args.join("-").replaceAll(/[^\w-]/g, "_")}`;
  run(place.binary, ["export", "data", "-o", out, "--compress", "none", ...args], { cwd: home });
  const { "manifest.json": _manifest, ...files } = filesIn(join(home, out));
  return files;
}

async function contents(result) {
  const texts = result.files.map(async ({ file, blob }) => [file, Buffer.from(await blob.arrayBuffer()).toString("latin1")]);
  return Object.fromEntries(await Promise.all(texts));
}

async function same(result, expected) {
  const got = await contents(result);
  assert.deepEqual(Object.keys(got).sort(), Object.keys(expected).sort());
  for (const name of Object.keys(expected)) assert.ok(got[name] === expected[name], `${name} differs`);
}

function registered(name, scope = "system/*.read") {
  writeFileSync(join(home, "jwks.json"), readFileSync(new URL("../../../cli/tests/keys/jwks.json", import.meta.url)));
  run(place.binary, ["client", "add", name, "--id", name, "--jwks", "jwks.json", "--scope", scope, "--state", `state-${name}`], { cwd: home });
  return `state-${name}`;
}

const patience = { patience: QUICK, stall: 5 };

test("everything of an open server, and what the manifest says", async () => {
  const { base } = await serve("data", ["--open", "--max-resources", "40", "--state", "state-open"], home);
  const store = memoryStore();
  const told = [];
  const client = new BulkClient({ base, level: "system", store, stall: 5, patience: { ...QUICK, retryAfterMost: 1000 }, onProgress: (progress) => told.push(progress) });
  const result = await client.run();
  await same(result, direct("--max-resources", "40"));
  const manifest = JSON.parse(result.manifest);
  assert.equal(manifest.transactionTime, result.transactionTime);
  assert.deepEqual(manifest.output.map(({ url }) => url), result.files.filter(({ kind }) => kind === "output").map(({ file }) => file));
  assert.equal(result.report.kept, manifest.output.reduce((sum, { count }) => sum + count, 0));
  // A machine that is busy makes the server ask for more patience than there is here.
  assert.deepEqual(result.warnings.filter((text) => !text.startsWith("a Retry-After")), []);
  const last = told.at(-1);
  assert.equal(last.phase, "done");
  assert.equal(last.done, last.files);
  assert.ok(last.files > 30 && last.bytes === result.report.bytes && last.lines === result.report.lines, JSON.stringify(last));
  assert.deepEqual(last.types, result.report.types);
  const kept = told.map(({ types }) => types.reduce((sum, count) => sum + count.kept, 0));
  assert.ok(kept.some((sum, index) => sum > 0 && told[index].phase === "fetching" && sum < result.report.kept), `${kept}`);
  // Once more with the same store: what is there is given, and nobody is asked.
  const again = await new BulkClient({ base, level: "system", store, ...patience, fetch: () => assert.fail("asked") }).run();
  await same(again, await contents(result));
});

test("a filter is held against what comes, and a group has its members' records only", async () => {
  const { base } = await serve("data", ["--open", "--state", "state-filter"], home);
  const request = { type: "Observation,Condition", typeFilter: "Observation?date=ge2015", since: "2000-01-01T00:00:00Z" };
  const result = await new BulkClient({ base, level: "system", request, enforce: "always", store: memoryStore(), ...patience }).run();
  await same(result, direct("--type", request.type, "--type-filter", request.typeFilter, "--since", request.since));
  assert.ok(result.report.kept > 0 && result.report.types.length > 0);
});

test("SMART Backend Services by a JWK and by a key that cannot be taken out, and refusals", async () => {
  const state = registered("it");
  const { base } = await serve("data", ["--state", state], home);
  const { key_ops: _operations, ...plain } = jwk;
  const key = await crypto.subtle.importKey("jwk", plain, { name: "ECDSA", namedCurve: "P-384" }, false, ["sign"]);
  const sources = { jwk: { key: jwk }, key: { key, keyId: jwk.kid } };
  for (const [name, source] of Object.entries(sources)) {
    const token = backendServices({ base, clientId: "it", scope: "system/*.read", ...source });
    const result = await new BulkClient({ base, level: "system", request: { type: "Patient" }, store: memoryStore(), token, ...patience }).run();
    assert.equal(result.report.kept, 8, name);
  }
  const refused = (options, reason, part) =>
    assert.rejects(new BulkClient({ base, level: "system", store: memoryStore(), ...patience, ...options }).run(), (error) => {
      assert.ok(error instanceof BulkError, `${error}`);
      assert.equal(error.reason, reason);
      assert.ok(error.message.includes(part), error.message);
      return true;
    });
  await refused({}, "unauthorized", "wants credentials");
  await refused({ token: async () => "wrong-token-abc" }, "unauthorized", "refuses a fresh token");
  await refused({ token: async () => "two\nlines" }, "unauthorized", "no token");
  await refused({ token: backendServices({ base, clientId: "nobody", key: jwk }) }, "unauthorized", "invalid_client");
});

test("behind a proxy that breaks everything, and with stops in between, it becomes the direct export", { timeout: 120_000 }, async () => {
  const expected = direct("--max-resources", "25");
  // What is sent as gzip begins anew where it breaks off; what is sent as it is goes on.
  const lanes = [];
  for (const compress of ["gzip", "none"]) {
    const proxy = await faultProxy();
    const state = registered(`lane-${compress}`);
    const options = ["--max-resources", "25", "--compress", compress, "--public-url", `${proxy.origin}/fhir`, "--state", state];
    const { root } = await serve("data", options, home);
    await proxy.ask(`forward ${root}`);
    lanes.push({ clientId: `lane-${compress}`, proxy });
  }
  let [faults, stops, rests] = [0, 0, 0];
  for (let seed = 1; seed <= 16; seed++) {
    const { clientId, proxy } = lanes[seed % 2];
    const base = `${proxy.origin}/fhir`;
    await proxy.ask(`seed ${seed}`);
    const store = memoryStore();
    const token = backendServices({ base, clientId, key: jwk, scope: "system/*.read" });
    let stopAfter = 3 + ((seed * 37) % 60);
    let [result, isCalm] = [undefined, false];
    while (result === undefined) {
      const stop = new AbortController();
      let left = stopAfter;
      const counting = (...args) => {
        if (--left === 0) stop.abort(new Error("stopped"));
        if (args[1].headers?.get?.("range")) rests++;
        return fetch(...args);
      };
      const client = new BulkClient({ base, level: "system", store, token, patience: QUICK, stall: 1, fetch: counting, signal: stop.signal });
      result = await client.run().catch((error) => {
        if (error.message === "stopped") {
          stops++;
          stopAfter *= 2;
          return undefined;
        }
        assert.ok(error instanceof BulkError, `seed ${seed}: ${error.stack}`);
        assert.ok(!isCalm, `seed ${seed}: it does not go on when all is calm: ${error.message}`);
        isCalm = true;
        return undefined;
      });
      if (isCalm && result === undefined) await proxy.ask("calm");
    }
    await same(result, expected);
    const seen = await proxy.ask("seen");
    assert.equal(seen.leaks, 0, `seed ${seed}: a token went elsewhere`);
    faults += seen.faults;
  }
  assert.ok(faults > 100 && stops > 6 && rests > 0, `${faults} faults, ${stops} stops, ${rests} times the rest of a file`);
});

/** A server that answers as the function says. */
async function odd(answer) {
  const server = createServer(async (request, response) => {
    const [status, headers, body] = await answer(request, `http://127.0.0.1:${server.address().port}`);
    response.writeHead(status, headers).end(body);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  after(() => server.close().closeAllConnections());
  return `http://127.0.0.1:${server.address().port}`;
}

const patient = (id) => `{"resourceType":"Patient","id":"${id}"}\n`;

/** A server with a manifest of these files: bodies by name, and how they come. */
function withFiles(files, entries, seen = []) {
  return odd((request, origin) => {
    const [path] = request.url.split("?");
    seen.push(`${request.method} ${path}`);
    if (request.method === "DELETE") return [202, {}, ""];
    if (path.endsWith("$export")) return [202, { "content-location": `${origin}/job` }, ""];
    if (path === "/job") {
      const output = entries.map(({ name, ...entry }) => ({ type: "Patient", url: `${origin}/${name}`, ...entry }));
      return [200, { "content-type": "application/json" }, JSON.stringify({ transactionTime: "2024-01-01T00:00:00Z", request: `${origin}/$export`, requiresAccessToken: false, output, error: [] })];
    }
    const [headers, body] = files[path.slice(1)];
    return [200, headers, body];
  });
}

test("files that are stored as gzip, wrong counts and sizes, wrong sums, and what is no file", async () => {
  const lines = patient("a") + patient("b");
  const sum = (text) => crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)).then((value) => `sha-256=:${Buffer.from(value).toString("base64")}:`);
  const plain = { "content-type": "application/fhir+ndjson" };
  const files = {
    good: [{ ...plain, "repr-digest": await sum(lines) }, lines],
    stored: [{ "content-type": "application/gzip" }, Buffer.concat([gzipSync(lines.slice(0, 40)), gzipSync(lines.slice(40))])],
    open: [plain, lines.trimEnd()],
    flipped: [{ ...plain, "repr-digest": await sum("x") }, lines],
    html: [{ "content-type": "text/html" }, "<html>secret</html>"],
    outcome: [plain, '{"resourceType":"OperationOutcome","issue":[]}\n'],
    stuck: [{ "content-type": "application/gzip", "content-length": 10_000 }, gzipSync(lines)],
    damaged: [{ "content-type": "application/gzip" }, gzipSync(lines).subarray(0, 30)],
  };
  const result = await new BulkClient({
    base: await withFiles(files, [{ name: "good", count: 2, fileSize: lines.length }, { name: "stored", count: 2 }, { name: "open", count: 2 }]),
    store: memoryStore(),
    ...patience,
  }).run();
  assert.deepEqual(await contents(result), { "Patient.000.ndjson": lines, "Patient.001.ndjson": lines, "Patient.002.ndjson": lines });
  for (const [entry, part] of [
    [{ name: "good", count: 3 }, "count"], [{ name: "good", fileSize: 5 }, "other bytes"], [{ name: "flipped" }, "checksum"],
    [{ name: "html" }, "NDJSON"], [{ name: "outcome" }, "no JSON objects"], [{ name: "damaged" }, "cannot be decoded"],
    [{ name: "stuck" }, "nothing came"],
  ]) {
    const store = memoryStore();
    const base = await withFiles(files, [{ name: "stored" }, entry]);
    await assert.rejects(new BulkClient({ base, store, stall: 0.3, patience: { ...QUICK, attempts: 2 } }).run(), (error) => {
      assert.ok(error instanceof BulkError, `${entry.name}: ${error.stack}`);
      assert.ok(error.message.includes(part) && !error.message.includes("secret"), `${entry.name}: ${error.message}`);
      return true;
    });
    // Of what is not complete nothing is left; what is complete stays.
    assert.equal((await store.names()).length, 1, entry.name);
  }
});

test("the job is deleted when all is in the store, and by cancel; and not where it is to be kept", async () => {
  const seen = [];
  const base = await withFiles({ a: [{}, patient("a")] }, [{ name: "a" }], seen);
  await new BulkClient({ base, store: memoryStore(), ...patience }).run();
  assert.equal(seen.at(-1), "DELETE /job");
  await new BulkClient({ base, store: memoryStore(), keepJob: true, ...patience }).run();
  assert.notEqual(seen.at(-1), "DELETE /job");
  const store = memoryStore();
  const stop = new AbortController();
  const stopping = (url, init) => {
    if (String(url).endsWith("/a")) stop.abort();
    return fetch(url, init);
  };
  await assert.rejects(new BulkClient({ base, store, signal: stop.signal, fetch: stopping, ...patience }).run(), { name: "AbortError" });
  assert.equal(await hasBegun(store), true);
  await new BulkClient({ base, store, ...patience }).cancel();
  assert.equal(seen.at(-1), "DELETE /job");
  assert.equal(await hasBegun(store), false);
  assert.deepEqual(await store.names(), []);
  await new BulkClient({ base, store, ...patience }).cancel();
  const client = new BulkClient({ base, store, ...patience });
  const running = assert.rejects(client.run(), { reason: "cancelled" });
  await client.cancel();
  await running;
});

test("a store holds one export, for one client", async () => {
  const base = await withFiles({ a: [{}, patient("a")] }, [{ name: "a" }]);
  const store = memoryStore();
  const first = new BulkClient({ base, store, ...patience }).run();
  await assert.rejects(new BulkClient({ base, store, ...patience }).run(), { code: "begun" });
  await first;
  await assert.rejects(new BulkClient({ base, store, request: { type: "Patient" }, ...patience }).run(), { code: "begun" });
  await store.clear();
  await new BulkClient({ base, store, request: { type: "Patient" }, ...patience }).run();
});

test("a store that is full, and one that has lost a file", async () => {
  const base = await withFiles({ a: [{}, patient("a")], b: [{}, patient("b")] }, [{ name: "a" }, { name: "b" }]);
  const full = memoryStore();
  const writes = { ...full, create: async () => ({ write: async () => { throw new DOMException("full", "QuotaExceededError"); }, close: async () => {}, abort: async () => {} }) };
  await assert.rejects(new BulkClient({ base, store: writes, ...patience }).run(), { code: "quota" });
  const store = memoryStore();
  await new BulkClient({ base, store, keepJob: true, ...patience }).run();
  await store.remove((await store.names())[0]);
  const result = await new BulkClient({ base, store, keepJob: true, ...patience }).run();
  assert.deepEqual(await contents(result), { "Patient.000.ndjson": patient("a"), "Patient.001.ndjson": patient("b") });
});

test("wrong options", async () => {
  const store = memoryStore();
  for (const wrong of [undefined, {}, { base: "http://x" }, { base: "http://x", store, token: "abc" }, { base: "http://x", store, level: "all" }, { base: "http://x", store, timeout: 0 }]) {
    assert.throws(() => new BulkClient(wrong), { code: "argument" });
  }
  const fails = (options, code) => assert.rejects(new BulkClient({ base: "http://127.0.0.1:9/fhir", store, ...patience, ...options }).run(), (error) => {
    assert.ok(error instanceof FhirehoseError && error.code === code, `${error.code}: ${error.message}`);
    return true;
  });
  await fails({ base: "ftp://x" }, "bulk");
  await fails({ request: { typ: "Patient" } }, "request");
  await fails({ request: { typeFilter: "Patient?nonsense=1" } }, "request");
  await fails({ request: { maxBytes: 10 } }, "request");
  await fails({ level: { group: ".." } }, "bulk");
  await fails({ patience: { ...QUICK, attempts: 2 } }, "bulk");
  compile({}).free();
});
