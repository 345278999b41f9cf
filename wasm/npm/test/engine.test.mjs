// The engine through the package in Node: the cases, and the same bytes as the binary.

import assert from "node:assert/strict";
import { openAsBlob, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { differing } from "./judge.mjs";
import { cases, filesIn, folder, place, run } from "./place.mjs";

const api = await import(join(place.package, "dist/node.js"));
before(async () => {
  await api.init();
  await api.loadTables("4.3");
  await api.loadTables("5.0");
});

test("every case of the engine, in chunks of any size", () => {
  // 4.0 is R4 with US Core, as it is for the binary.
  const all = cases().filter(({ name }) => name !== "versions: R4 alone has no race");
  assert.ok(all.length > 400, `${all.length} cases`);
  const wrong = differing(api, all, [1, 7, 65536]);
  assert.equal(wrong.length, 0, wrong.slice(0, 5).join("\n"));
});

/** Requests, each as the package takes it and as the binary does. */
const REQUESTS = [
  [{ type: "Observation,Condition" }, ["--type", "Observation,Condition"]],
  [{ typeFilter: "Observation?category=laboratory&date=ge2015-01-01" }, ["--type-filter", "Observation?category=laboratory&date=ge2015-01-01"]],
  [{ typeFilter: ["Patient?gender=female", "Encounter?status=finished"], type: "Patient,Encounter", elements: "id,Patient.gender,Encounter.class" },
    ["--type-filter", "Patient?gender=female", "--type-filter", "Encounter?status=finished", "--type", "Patient,Encounter", "--elements", "id,Patient.gender,Encounter.class"]],
  [{ since: "2015-06-01T00:00:00Z", maxResources: 50 }, ["--since", "2015-06-01T00:00:00Z", "--max-resources", "50"]],
];

/** Files and report of the package against those of the binary, over a folder of NDJSON. */
async function same(data, [request, flags], workers) {
  const out = join(folder(), "out");
  const inputs = readdirSync(data).filter((name) => /\.ndjson(\.gz)?$/.test(name)).sort().map((name) => join(data, name));
  const time = "2026-01-01T00:00:00Z";
  const args = ["export", ...inputs, "-o", out, "--transaction-time", time, "--report", "json", "--compress", "none", ...flags];
  const told = JSON.parse(run(place.binary, args));
  // Half of them from memory: only those can be handed to a worker of Node.
  const blobOf = (path, index) => (index % 2 ? new Blob([readFileSync(path)]) : openAsBlob(path));
  const blobs = await Promise.all(inputs.map(async (path, index) => Object.assign(await blobOf(path, index), { name: path })));
  const progress = [];
  const exported = await api.filterFiles(blobs, { ...request, transactionTime: time }, { workers, onProgress: (step) => progress.push(step) });
  assert.deepEqual(progress.at(-1).types, exported.report.types);
  assert.equal(progress.at(-1).bytes, progress.at(-1).total);
  const files = { "manifest.json": exported.manifest };
  for (const { file, blob } of exported.files) files[file] = Buffer.from(await blob.arrayBuffer()).toString("latin1");
  const expected = filesIn(out);
  assert.deepEqual(Object.keys(files).sort(), Object.keys(expected).sort());
  for (const name of Object.keys(files)) assert.ok(files[name] === expected[name], `${name} differs for ${flags.join(" ")}`);
  for (const key of ["inputs", "bytes", "lines", "read", "kept", "keptBytes", "types", "bad"]) assert.deepEqual(exported.report[key], told[key], key);
  return exported.report;
}

const made = folder();
before(() => {
  run(place.binary, ["synth", "--patients", "40", "--seed", "8", "-o", made]);
});

test("the same files as the binary, with workers and without", async () => {
  for (const request of REQUESTS) {
    for (const workers of [0, 2]) assert.ok((await same(made, request, workers)).kept > 0);
  }
});

test("the same files as the binary in several passes", async () => {
  const patients = readFileSync(join(made, readdirSync(made).find((name) => name.startsWith("Patient"))), "utf8").trim().split("\n");
  const ids = patients.slice(0, 5).map((line) => JSON.parse(line).id);
  const request = { patients: ids, transactionTime: "2026-01-01T00:00:00Z" };
  assert.ok(api.compile(request).passes.length > 1);
  const report = await same(made, [request, ids.flatMap((id) => ["--patient", id])], 1);
  assert.ok(report.types.find(({ type }) => type === "Practitioner")?.kept > 0, "nothing that patients refer to");
  assert.equal(report.unknownPatients, 0);
});

test("the same files as the binary over real data", { skip: place.data ? false : "FHIREHOSE_DATA is not set" }, async () => {
  assert.ok((await same(place.data, REQUESTS[1], 2)).kept > 0);
});
