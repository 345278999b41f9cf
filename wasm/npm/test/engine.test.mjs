// The engine through the package in Node: the cases, and the same bytes as the binary.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { differing } from "./judge.mjs";
import { cases, folder, place, run } from "./place.mjs";
import { same } from "./same.mjs";

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

const made = folder();
before(() => {
  run(place.binary, ["synth", "--patients", "40", "--seed", "8", "-o", made]);
});

test("the same files as the binary, with workers and without", async () => {
  for (const request of REQUESTS) {
    for (const workers of [0, 2]) assert.ok((await same(api, made, request, workers)).kept > 0);
  }
});

test("the same files as the binary in several passes", async () => {
  const patients = readFileSync(join(made, readdirSync(made).find((name) => name.startsWith("Patient"))), "utf8").trim().split("\n");
  const ids = patients.slice(0, 5).map((line) => JSON.parse(line).id);
  const request = { patients: ids, transactionTime: "2026-01-01T00:00:00Z" };
  assert.ok(api.compile(request).passes.length > 1);
  const report = await same(api, made, [request, ids.flatMap((id) => ["--patient", id])], 1);
  assert.ok(report.types.find(({ type }) => type === "Practitioner")?.kept > 0, "nothing that patients refer to");
  assert.equal(report.unknownPatients, 0);
});

test("the same files as the binary over real data", { skip: place.data ? false : "FHIREHOSE_DATA is not set" }, async () => {
  assert.ok((await same(api, place.data, REQUESTS[1], 2)).kept > 0);
});
