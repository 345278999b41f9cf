// The members of a group: the same people as for the binary, and nobody where it has none.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { gunzipSync, gzipSync } from "node:zlib";
import { folder, place, run } from "./place.mjs";
import { same } from "./same.mjs";

const api = await import(join(place.package, "dist/node.js"));
const { BulkClient, compile, Export, exportStream, filterFiles, memoryStore } = api;
before(() => api.init());

const code = (name, message = "") => (error) => {
  assert.equal(error.code, name, error.stack);
  assert.ok(error.message.includes(message), error.message);
  return true;
};
const lines = (resources) => resources.map((resource) => `${JSON.stringify(resource)}\n`).join("");
const member = (reference, more = {}) => ({ entity: { reference }, ...more });
const group = (id, ...members) => ({ resourceType: "Group", id, ...(members.length > 0 && { member: members }) });

const GROUPS = [
  group("some", member("Patient/a"), member("Patient/b", { inactive: true }), member("Patient/c", { period: { end: "2025-06-01" } }),
    member("Patient/d", { period: { start: "2025-06-01" } }), member("Patient/e", { period: { start: "2026-06-01" } })),
  group("nested", member("Group/some"), member("Group/circle"), member("Patient/f")),
  group("circle", member("Group/nested"), member("Patient/e")),
  group("absent", member("Group/nowhere"), member("Patient/b"), member("Patient/nobody")),
  group("others", member("Practitioner/a"), member("http://elsewhere/Patient/a"), member("http://own/fhir/Patient/c"), { entity: { display: "a" } }),
  group("none"),
  group("same", member("Patient/a")),
  group("same", member("Patient/a")),
  group("twice", member("Patient/a")),
  group("twice", member("Patient/b")),
  group("holds-twice", member("Group/twice")),
];
/** How the binary ends where it has left out a line. */
const BAD_LINES = 1;
const IDS = ["some", "nested", "circle", "absent", "others", "none", "same"];

/** Records of patients; the Groups stand at the end of the last file, behind what is no Group, and a bad line. */
function records() {
  const made = folder();
  const people = ["a", "b", "c", "d", "e", "f"];
  const write = (name, bytes) => writeFileSync(join(made, name), bytes);
  write("1.ndjson", lines(people.map((id) => ({ resourceType: "Patient", id }))));
  const observations = people.flatMap((id, at) => [
    { resourceType: "Observation", id: `o${id}`, subject: { reference: `Patient/${id}` }, performer: [{ reference: `Practitioner/${id}` }] },
    { resourceType: "Observation", id: `p${id}`, subject: { reference: `Patient/${id}` }, performer: [{ reference: `Patient/${people[(at + 1) % 6]}` }] },
  ]);
  write("2.ndjson.gz", Buffer.concat([observations.slice(0, 5), observations.slice(5)].map((some) => gzipSync(lines(some)))));
  write("3.ndjson", `${lines(people.map((id) => ({ resourceType: "Practitioner", id })))}{\n${lines(GROUPS)}`);
  return made;
}

const made = records();

test("members of a group, as the binary finds them", async () => {
  const seen = {};
  for (const id of IDS) {
    const { types } = await same(api, made, [{ group: id, fhirBase: "http://own/fhir" }, ["--group", id, "--fhir-base", "http://own/fhir"]], 0, BAD_LINES);
    seen[id] = Object.fromEntries(types.filter(({ kept }) => kept > 0).map(({ type, kept }) => [type, kept]));
  }
  const of = (patients, observations) => ({ Group: 1, Observation: observations, Patient: patients, Practitioner: patients });
  assert.deepEqual(seen, {
    // Of others the Group is exported, and the Practitioner that it refers to.
    some: of(2, 6), nested: of(4, 9), circle: of(4, 9), absent: of(1, 3), others: { ...of(1, 3), Practitioner: 2 }, none: {}, same: { ...of(1, 3), Group: 2 },
  });
});

test("who does not count is told", async () => {
  const blobs = readdirSync(made).sort().map((name) => new Blob([readFileSync(join(made, name))]));
  const told = async (id) => Object.values((await filterFiles(blobs, { group: id, fhirBase: "http://own/fhir", transactionTime: "2026-01-01T00:00:00Z" }, { workers: 1 })).report.group);
  assert.deepEqual(await told("nested"), [4, 1, 2, 0, 0, []]);
  assert.deepEqual(await told("others"), [1, 0, 0, 1, 2, []]);
  assert.deepEqual(await told("absent"), [2, 0, 0, 0, 0, ["nowhere"]]);
});

test("with patients, types, filters, exclusively, in workers", async () => {
  for (const [request, flags] of [
    [{ group: "nested", patients: ["a", "f"] }, ["--group", "nested", "--patient", "a,f"]],
    [{ group: "some", exclusive: true }, ["--group", "some", "--exclusive"]],
    [{ group: "some", type: "Observation" }, ["--group", "some", "--type", "Observation"]],
    [{ group: "some", type: "Patient,Observation", typeFilter: "Observation?_id=oa,ob,od", maxResources: 1 },
      ["--group", "some", "--type", "Patient,Observation", "--type-filter", "Observation?_id=oa,ob,od", "--max-resources", "1"]],
  ]) {
    for (const workers of [0, 2]) assert.ok((await same(api, made, [request, flags], workers, BAD_LINES)).kept > 0);
  }
});

test("deletions are known with the members", async () => {
  const data = records();
  const entry = [{ request: { method: "DELETE", url: "Observation/oa" } }];
  writeFileSync(join(data, "4.ndjson"), lines([{ resourceType: "Bundle", id: "x", type: "transaction", entry }]));
  const report = await same(api, data, [{ group: "same" }, ["--group", "same"]], 2, BAD_LINES);
  assert.equal(report.deletions.withheld, 1);
});

test("groups that there are not, or twice, and people who are no members", async () => {
  const files = readdirSync(made).sort().map((name) => join(made, name));
  const blobs = files.map((path) => new File([readFileSync(path)], path));
  for (const [request, flags, message] of [
    [{ group: "nowhere" }, ["--group", "nowhere"], "there is no Group `nowhere` in the input"],
    [{ group: "twice" }, ["--group", "twice"], "Group `twice` occurs twice in the input with different content"],
    [{ group: "holds-twice" }, ["--group", "holds-twice"], "Group `twice` occurs twice"],
    [{ group: "some", patients: "b,a,x" }, ["--group", "some", "--patient", "b,a,x"], "no members of the group: b"],
  ]) {
    const asked = request.patients ? { ...request, patients: request.patients.split(",") } : request;
    for (const workers of [0, 2]) await assert.rejects(filterFiles(blobs, asked, { workers }), code("group", message));
    const { status, stderr } = spawnSync(place.binary, ["export", ...files, "-o", "x", ...flags], { cwd: folder(), encoding: "utf8" });
    assert.notEqual(status, 0);
    assert.ok(stderr.includes(message), stderr);
  }
  for (const id of ["", "a b", "Group/a", "x".repeat(65)]) {
    assert.throws(() => compile({ group: id }), ({ problems }) => problems[0].option === "group" && problems[0].text === id);
  }
});

test("what reads its input once is told to take filterFiles", async () => {
  const plan = compile({ group: "some" });
  assert.deepEqual(plan.passes.slice(0, 2), ["cohort", "main"]);
  assert.ok(plan.explain().includes("the members of Group `some`"));
  assert.throws(() => exportStream(plan), code("passes", "filterFiles"));
  assert.throws(() => exportStream(plan, { firstPassOnly: true }), code("passes", "filterFiles"));
  assert.throws(() => new Export(plan), code("passes", "filterFiles"));
  const client = () => new BulkClient({ base: "http://127.0.0.1:9", request: { group: "some" }, store: memoryStore() }).run();
  await assert.rejects(async () => client(), code("request", "level"));
});

test("groups of made and of real patients", async () => {
  const synthetic = folder();
  run(place.binary, ["synth", "--patients", "12", "--seed", "3", "-o", synthetic]);
  for (const data of [synthetic, ...(place.data ? [place.data] : [])]) {
    const name = readdirSync(data).find((name) => name.startsWith("Group"));
    const bytes = readFileSync(join(data, name));
    const [first] = (name.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString().split("\n");
    const { id } = JSON.parse(first);
    assert.ok((await same(api, data, [{ group: id, type: "Group,Patient,Condition,Provenance" }, ["--group", id, "--type", "Group,Patient,Condition,Provenance"]], 1)).kept > 0);
  }
  if (!place.data) console.log("FHIREHOSE_DATA is not set: only made patients");
});
