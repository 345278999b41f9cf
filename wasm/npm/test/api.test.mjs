// What the package does with wrong arguments, at wrong times, with streams that break off; and that memory comes back.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { place, run } from "./place.mjs";

const dist = join(place.package, "dist");
const api = await import(join(dist, "node.js"));
const glue = await import(join(dist, "glue.js"));
const { compile, exportStream, Export, FhirehoseError, filterFiles, resources, toBlobs, toZip } = api;

const code = (expected, part = "") => (error) => {
  assert.ok(error instanceof FhirehoseError, `${error}`);
  assert.equal(error.code, expected, error.message);
  assert.ok(error.message.includes(part), error.message);
  return true;
};
const patient = (id, gender = "male") => `{"resourceType":"Patient","id":"${id}","gender":"${gender}"}\n`;
const bytes = (text) => new TextEncoder().encode(text);
const stream = (...parts) => new Blob(parts).stream();
const memory = () => glue.initSync({ module: new Uint8Array() }).memory.buffer.byteLength;
const unhandled = [];
process.on("unhandledRejection", (error) => unhandled.push(error));

test("before init, and when the module cannot be had", async () => {
  assert.throws(() => compile({}), code("not-initialised"));
  await assert.rejects(api.init(new Uint8Array([1, 2, 3])), code("load"));
  await assert.rejects(api.init(new Response("", { status: 404 })), code("load", "404"));
  await assert.rejects(api.init(new URL("file:///there/is/no/such.wasm")), code("load"));
  await assert.rejects(api.init({}), code("argument"));
  await assert.rejects(api.loadTables("5.0"), code("not-initialised"));
});

test("init twice, at the same time, with a wrong media type", async () => {
  const file = readFileSync(join(dist, "fhirehose.wasm"));
  const response = new Response(file, { headers: { "content-type": "text/plain" } });
  await Promise.all([api.init(Promise.resolve(response)), api.init()]);
  await api.init();
  api.initSync(file);
  compile({}).free();
});

test("every problem of a request has its place", () => {
  const wrong = { type: "Patent", typeFilter: ["Observation?status=final", "Pätient?x=1"], since: "yesterday", maxBytes: -1, onbad: "stop" };
  try {
    compile(wrong);
    assert.fail("accepted");
  } catch (error) {
    code("request")(error);
    const told = error.problems.map(({ option, text, start, end }) => [option, text.slice(start, end)]);
    for (const expected of [["type", "Patent"], ["since", "yesterday"], ["maxBytes", "-1"], ["request", "onbad"]]) {
      assert.ok(told.some((one) => String(one) === String(expected)), `${expected} is not among ${JSON.stringify(told)}`);
    }
  }
});

test("types and search parameters are told as the compiler takes them", async () => {
  const types = api.resourceTypes();
  assert.ok(types.includes("Patient") && types.length > 140, `${types.length}`);
  // Each type's parameters would take long; those of some types are of every kind.
  for (const type of ["Patient", "Observation", "Encounter", "MedicationRequest", "Location", "ValueSet", "RiskAssessment"]) {
    for (const { code, type: kind, modifiers, refused } of api.searchParameters(type)) {
      const filters = [`${type}?${code}:missing=true`];
      const isTaken = modifiers.includes("missing");
      if (kind === "composite" || kind === "special") continue;
      assert.equal(refused === null, isTaken, filters[0]);
      if (isTaken) compile({ typeFilter: filters }).free();
      else assert.throws(() => compile({ typeFilter: filters }), FhirehoseError);
    }
  }
  const of = (name) => api.searchParameters("Observation").find(({ code }) => code === name);
  assert.deepEqual([of("date").type, of("date").prefixes, of("status").prefixes], ["date", true, false]);
  assert.ok(of("code").modifiers.includes("not") && of("subject").modifiers.includes("[Type]"));
  for (const prefix of api.PREFIXES) compile({ typeFilter: `Observation?date=${prefix}2026` }).free();
  assert.deepEqual(api.searchParameters("Nonsense"), []);
  assert.throws(() => api.searchParameters("Patient", "5.0"), code("tables", "loadTables"));
  assert.throws(() => api.resourceTypes("1.0"), code("tables"));
});

test("arguments of a wrong type", async () => {
  for (const wrong of [null, 7, "Patient", []]) assert.throws(() => compile(wrong), code("argument"));
  assert.throws(() => compile({ type: 7 }), code("request"));
  assert.throws(() => compile({ patients: [] }), code("request"));
  assert.throws(() => compile({ fhirVersion: "6.0" }), code("request"));
  assert.throws(() => compile({ fhirVersion: "5.0" }), code("tables", "loadTables"));
  await assert.rejects(api.loadTables("5.0", bytes("[types]")), code("tables"));
  const plan = compile({});
  const run = new Export(plan);
  for (const wrong of ["text", new ArrayBuffer(4), new DataView(new ArrayBuffer(4)), [1], undefined]) {
    assert.throws(() => run.push(wrong), code("argument"));
  }
  assert.throws(() => run.beginInput(7), code("argument"));
  // It is not over: nothing has gone in.
  assert.equal(run.finish().report.lines, 0);
  await assert.rejects(filterFiles(["text"], plan), code("argument"));
  await assert.rejects(toBlobs(stream("x")), code("argument"));
  plan.free();
});

test("after free, after finish", async () => {
  const plan = compile({ type: "Patient" });
  const running = new Export(plan);
  plan.free();
  plan.free();
  for (const use of [() => plan.explain(), () => exportStream(plan), () => new Export(plan)]) assert.throws(use, code("freed"));
  await assert.rejects(filterFiles([], plan), code("freed"));
  // What runs already is not disturbed.
  assert.equal(running.push(bytes(patient(1))).length, 1);
  assert.equal(running.finish().report.kept, 1);
  assert.throws(() => running.finish(), code("ended"));
  assert.throws(() => running.push(bytes(patient(1))), code("ended"));
  running.free();
  const freed = new Export(compile({}));
  freed[Symbol.dispose ?? Symbol.for("Symbol.dispose")]();
  assert.throws(() => freed.push(bytes("")), code("freed"));
});

test("a bad line that ends the export", async () => {
  const plan = compile({ onBad: "stop" });
  const run = new Export(plan);
  assert.throws(() => run.push(bytes(`${patient(1)}{"secret":\n`)), (error) => code("bad-line", "input:2")(error) && !error.message.includes("secret"));
  assert.throws(() => run.push(bytes(patient(2))), code("bad-line"));
  const ended = exportStream(plan, { name: "x.ndjson" });
  await assert.rejects(toBlobs(stream(patient(1), "[]\n").pipeThrough(ended)), code("bad-line", "x.ndjson:2"));
  await assert.rejects(ended.report, code("bad-line"));
  await assert.rejects(filterFiles([new Blob(["[]\n"])], { onBad: "stop" }, { workers: 1 }), code("bad-line", "input 1:1"));
});

test("what needs several passes is no stream", async () => {
  const plan = compile({ patients: new Set(["a"]) });
  assert.throws(() => exportStream(plan), code("passes"));
  const told = await toBlobs(stream(patient("a"), patient("b")).pipeThrough(exportStream(plan, { firstPassOnly: true })));
  assert.equal(told.report.kept, 1);
});

const DELETION = '{"resourceType":"Bundle","type":"transaction","entry":[{"request":{"method":"DELETE","url":"Patient/1"}}]}\n';

test("deletions are known before the first line is judged", async () => {
  const plan = compile({});
  await assert.rejects(toBlobs(stream(patient(1), DELETION).pipeThrough(exportStream(plan))), code("late-deletions"));
  for (const workers of [0, 2]) {
    const { files, report } = await filterFiles([new Blob([patient(1), patient(2)]), new Blob([DELETION])], plan, { workers });
    assert.deepEqual(files.map(({ file }) => file), ["Patient.000.ndjson", "deleted/Bundle.000.ndjson"]);
    assert.equal(await files[0].blob.text(), patient(2));
    assert.deepEqual(report.deletions, { listed: 1, withheld: 1 });
  }
});

test("files: gzip by its bytes, other formats and damage by name", async () => {
  const packed = gzipSync(patient(1).repeat(5000));
  const told = await filterFiles([new File([packed], "a"), new File([patient(2)], "b.gz"), new Blob([])], { type: "Patient" });
  assert.equal(told.report.kept, 5001);
  assert.equal(told.report.inputs, 3);
  await assert.rejects(filterFiles([new File([packed.subarray(0, 100)], "cut.gz")], {}), code("gzip", "cut.gz"));
  await assert.rejects(filterFiles([new File([new Uint8Array([0x28, 0xb5, 0x2f, 0xfd, 0])], "x.zst")], {}, { workers: 0 }), code("format", "x.zst: this is zstd"));
  const none = await filterFiles([], {});
  assert.deepEqual([none.files, none.report.lines], [[], 0]);
});

test("an aborted job ends with the reason, and says how far it was", async () => {
  const reason = new Error("enough");
  await assert.rejects(filterFiles([new Blob([patient(1)])], {}, { signal: AbortSignal.abort(reason) }), reason);
  for (const workers of [0, 2]) {
    const controller = new AbortController();
    const large = new Blob([patient(1).repeat(400_000)]);
    const seen = [];
    const onProgress = (progress) => (seen.push(progress), controller.abort(reason));
    await assert.rejects(filterFiles([large, large], {}, { workers, signal: controller.signal, onProgress }), reason);
    assert.equal(seen[0].total, 2 * large.size);
  }
});

test("counts per type are told as they stand", async () => {
  const large = new Blob([patient(1).repeat(100_000), patient(2, "female").repeat(100_000)]);
  const small = new Blob(['{"resourceType":"Group","id":"a"}\n']);
  const request = { typeFilter: "Patient?gender=male", type: "Patient" };
  // One file, several, and several passes, of which the last ones find more.
  for (const [files, more] of [[[large], {}], [[small, large, small], {}], [[large, small], { patients: new Set(["1"]) }]]) {
    for (const workers of [0, 2]) {
      const seen = [];
      const { report } = await filterFiles(files, { ...request, ...more }, { workers, onProgress: ({ types }) => seen.push(types) });
      const ofPatients = seen.map((types) => types.find(({ type }) => type === "Patient")).filter(Boolean);
      assert.ok(ofPatients.some(({ read, kept }) => kept > 0 && read < 200_000), JSON.stringify(ofPatients));
      assert.ok(ofPatients.every(({ read }, index) => index === 0 || read >= ofPatients[index - 1].read));
      assert.deepEqual(seen.at(-1), report.types);
      assert.equal(report.kept, 100_000);
    }
  }
  // What was counted before everything began anew is not counted twice.
  const seen = [];
  const { report } = await filterFiles([new Blob([patient(1)]), new Blob([DELETION])], {}, { workers: 2, onProgress: ({ types }) => seen.push(types) });
  assert.deepEqual(seen.at(-1), report.types);
});

test("resources, blobs and a ZIP file", async () => {
  const plan = compile({ typeFilter: "Patient?gender=male" });
  const lines = [patient("é"), patient(2, "female"), patient(3), "{\n"];
  const found = [];
  for await (const { id } of resources(stream(...lines).pipeThrough(exportStream(plan)))) found.push(id);
  assert.deepEqual(found, ["é", "3"]);
  const exported = await toBlobs(stream(...lines).pipeThrough(exportStream(plan)));
  found.length = 0;
  for await (const { id } of resources(exported)) found.push(id);
  assert.deepEqual(found, ["é", "3"]);
  const unzip = 'import sys,io,zipfile,json\nz=zipfile.ZipFile(io.BytesIO(sys.stdin.buffer.read()))\nassert z.testzip() is None\nprint(json.dumps({n:z.read(n).decode() for n in z.namelist()}))';
  for (const compress of [false, true]) {
    const zip = Buffer.from(await (await toZip(exported, { compress })).arrayBuffer());
    const inside = JSON.parse(run("python3", ["-c", unzip], { input: zip }));
    assert.deepEqual(Object.keys(inside), ["Patient.000.ndjson", "error/OperationOutcome.000.ndjson", "manifest.json"]);
    assert.equal(inside["Patient.000.ndjson"], patient("é") + patient(3));
    assert.equal(inside["manifest.json"], exported.manifest);
  }
});

test("chunks of nothing, of one byte, of 256 MiB", async () => {
  const plan = compile({ typeFilter: "Patient?gender=female" });
  const run = new Export(plan);
  assert.deepEqual(run.push(new Uint8Array()), []);
  for (const byte of bytes(patient(1, "female"))) run.push(new Uint8Array([byte]));
  const line = bytes(patient(2));
  const large = new Uint8Array(256 << 20).fill(32);
  large.set(line);
  let filled = line.length;
  for (; filled * 2 < large.length; filled *= 2) large.copyWithin(filled, 0, filled);
  large.copyWithin(filled, 0, large.length - filled);
  // The last line is cut off: blanks instead.
  large.fill(32, large.length - (large.length % line.length), large.length);
  assert.deepEqual(run.push(large), []);
  assert.equal(run.finish().report.kept, 1);
  assert.ok(memory() < 16 << 20, `${memory()} bytes`);
  plan.free();
});

test("memory comes back, whatever becomes of a run", async () => {
  const plan = compile({ typeFilter: "Patient?gender=male" });
  const strict = compile({ onBad: "stop" });
  const block = bytes(patient(1).repeat(2000));
  const endings = [
    (run) => run.free(),
    (run) => run.finish(),
  ];
  const rounds = async (count) => {
    for (let round = 0; round < count; round++) {
      const run = new Export(plan);
      run.push(block);
      endings[round % 2](run);
      const stopped = new Export(strict);
      assert.throws(() => stopped.push(bytes("{\n")));
      const transform = exportStream(plan);
      const reader = new Blob([block, block]).stream().pipeThrough(transform).getReader();
      await reader.read();
      await reader.cancel("enough");
      await assert.rejects(transform.report);
    }
  };
  await rounds(40);
  const before = memory();
  await rounds(160);
  assert.ok(memory() <= before + (1 << 20), `${before} bytes have become ${memory()}`);
  plan.free();
});

test("the memory of a run does not grow with its input", async () => {
  const plan = compile({ typeFilter: "Patient?gender=male&_id=1" });
  const block = bytes(Array.from({ length: 8000 }, (_, id) => patient(id)).join(""));
  let left = 400;
  const source = new ReadableStream({
    pull(controller) {
      if (left-- > 0) controller.enqueue(block);
      else controller.close();
    },
  });
  const before = memory();
  let kept = 0;
  for await (const chunk of source.pipeThrough(exportStream(plan))) kept += chunk.bytes.length;
  assert.equal(kept, patient(1).length * 400);
  assert.ok(memory() <= before + (4 << 20), `${before} bytes have become ${memory()}`);
});

test("manifests of servers", () => {
  const text = '{ "transactionTime": "2024-05-01T00:00:00Z", "request": "https://x/$export", "requiresAccessToken": "true",\n "output": [{ "type": "Patiönt", "url": "1.ndjson", "count": 2 }, { "url": 7 }], "error": [] }';
  for (const given of [text, JSON.parse(text)]) {
    const { generation, manifest, findings } = api.parseManifest(given);
    assert.ok(["STU2", "STU3"].includes(generation), generation);
    assert.equal(manifest.requiresAccessToken, true);
    assert.deepEqual(manifest.files, [{ kind: "output", type: "Patiönt", url: "1.ndjson", count: 2, size: null, continuesIn: null }]);
    assert.equal(manifest.unusable, 1);
    assert.ok(findings.some(({ rule }) => rule === "boolean-as-string"));
  }
  const { findings } = api.checkManifest(text);
  assert.deepEqual(findings.filter(({ severity }) => severity === "error").map(({ path, start, end }) => [path, text.slice(start, end)]).at(-1), ["output[1].url", "7"]);
  assert.equal(api.checkManifest(text, { generation: 4 }).generation, "STU4");
  assert.equal(api.checkManifest("[]").manifest, null);
  assert.throws(() => api.parseManifest("{}"), code("manifest"));
  assert.throws(() => api.parseManifest(7), code("argument"));
});

test("nothing was rejected that nobody waited for", () => {
  assert.deepEqual(unhandled, []);
});
