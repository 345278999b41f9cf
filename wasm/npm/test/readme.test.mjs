// The examples of the README, as they stand there.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { browser, serve } from "./chromium.mjs";
import { folder, place, run } from "./place.mjs";
import { serve as bulkServer } from "./serving.mjs";

const examples = [...readFileSync(new URL("../README.md", import.meta.url), "utf8").matchAll(/```js (\w+)\n([\s\S]*?)```/g)].map(([, where, code]) => ({ where, code }));
const project = folder();
const observation = (id, year, category) => `{"resourceType":"Observation","id":"${id}","category":[{"coding":[{"code":"${category}"}]}],"effectiveDateTime":"${year}-05-01"}\n`;
const patient = (id, rest) => `{"resourceType":"Patient","id":"${id}",${rest}}\n`;
const PATIENTS = [
  patient("a", '"gender":"female","birthDate":"1960-01-01"'),
  patient("b", '"gender":"female","birthDate":"1980-01-01"'),
  patient("c", '"name":[{"use":"nickname","given":["Bobby"]}]'),
];

before(() => {
  mkdirSync(join(project, "node_modules"));
  symlinkSync(place.package, join(project, "node_modules/fhirehose"));
  writeFileSync(join(project, "package.json"), '{ "type": "module" }');
  const observations = observation(1, 2021, "laboratory") + observation(2, 2019, "laboratory") + observation(3, 2022, "vital-signs");
  writeFileSync(join(project, "Observation.ndjson.gz"), gzipSync(observations));
  writeFileSync(join(project, "patients.ndjson"), PATIENTS.join(""));
  mkdirSync(join(project, "data"));
  writeFileSync(join(project, "data/Patient.ndjson"), PATIENTS.join(""));
});

test("there are six examples", () => {
  assert.deepEqual(examples.map(({ where }) => where), ["node", "browser", "browser", "browser", "node", "node"]);
});

test("the examples in Node", () => {
  const [filter, problems, own] = examples.filter(({ where }) => where === "node").map(({ code }, index) => {
    const script = join(project, `${index}.mjs`);
    writeFileSync(script, code);
    return run(process.execPath, [script], { cwd: project });
  });
  assert.equal(filter, "1 of 3 resources\n");
  assert.equal(readFileSync(join(project, "Observation.000.ndjson"), "utf8"), observation(1, 2021, "laboratory"));
  for (const part of ["Observation?coed=8867-4\n              ^^^^", "since:", "code"]) assert.ok(problems.includes(part), problems);
  assert.equal(own, PATIENTS[2]);
});

/** An example as a page, with what its text asks for. */
function page(code) {
  return `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">
    <script type="importmap">{ "imports": { "fhirehose": "/package/dist/index.js" } }</script>
    <input id="files" type="file" multiple><button id="save">save</button><progress id="bar"></progress><p id="list"></p>
    <script>showDirectoryPicker = () => navigator.storage.getDirectory();</script>
    <script type="module">${code}; window.ready = true;</script>`;
}

test("the examples in Chromium", { skip: process.env.CHROMIUM ? false : "no Chromium" }, async () => {
  const [download, chosen] = examples.filter(({ where }) => where === "browser");
  writeFileSync(join(project, "download.html"), page(download.code));
  writeFileSync(join(project, "chosen.html"), page(chosen.code));
  const url = await serve({ package: place.package, site: project, data: join(project, "data") });
  const started = await browser();
  const opened = await started.newPage();
  const complaints = [];
  opened.on("pageerror", (error) => complaints.push(error.message));
  await opened.goto(`${url}/site/download.html`);
  await opened.waitForFunction(() => window.ready);
  assert.equal(await opened.textContent("#list"), "a ");
  await opened.goto(`${url}/site/chosen.html`);
  await opened.waitForFunction(() => window.ready);
  await opened.setInputFiles("#files", [join(project, "patients.ndjson"), join(project, "Observation.ndjson.gz")]);
  await opened.click("#save");
  await opened.waitForFunction(() => document.querySelector("#list").textContent !== "");
  assert.equal(await opened.textContent("#list"), "6 resources saved");
  const names = await opened.evaluate(async () => {
    const directory = await navigator.storage.getDirectory();
    return Array.fromAsync(directory.keys());
  });
  assert.deepEqual(names.sort(), ["Observation.000.ndjson", "Patient.000.ndjson", "manifest.json"]);
  assert.deepEqual(complaints, []);
});

test("the example of a server, in Chromium", { skip: process.env.CHROMIUM ? false : "no Chromium" }, async () => {
  const member = PATIENTS.slice(0, 2).map((line) => ({ entity: { reference: `Patient/${JSON.parse(line).id}` } }));
  const group = { resourceType: "Group", id: "ten", type: "person", actual: true, member };
  mkdirSync(join(project, "served"));
  writeFileSync(join(project, "served/Group.ndjson"), `${JSON.stringify(group)}\n`);
  // `since` asks for resources that say when they were changed.
  const changed = PATIENTS.map((line) => line.replace('"id"', '"meta":{"lastUpdated":"2023-01-01T00:00:00Z"},"id"'));
  writeFileSync(join(project, "served/Patient.ndjson"), changed.join(""));
  const [, , fromServer] = examples.filter(({ where }) => where === "browser");
  const url = await serve({ package: place.package, site: project, my: project });
  writeFileSync(join(project, "token"), "a-token-of-tests");
  const { base } = await bulkServer("served", ["--open", "--browser-origin", url], project);
  writeFileSync(join(project, "server.html"), page(fromServer.code.replace("https://bulk.example.org/fhir", base)));
  const started = await browser();
  const opened = await started.newPage();
  const complaints = [];
  opened.on("pageerror", (error) => complaints.push(error.message));
  await opened.goto(`${url}/site/server.html`);
  await opened.waitForFunction(() => window.ready).catch((error) => assert.fail(`${error.message} ${complaints}`));
  assert.match(await opened.textContent("#list"), /^2 resources as of \d{4}-\d\d-\d\dT/);
  await opened.click("#save");
  await opened.waitForFunction(() => document.querySelector("#list").textContent.endsWith("saved"));
  const names = await opened.evaluate(async () => Array.fromAsync((await navigator.storage.getDirectory()).keys()));
  assert.deepEqual(names.sort(), ["Patient.000.ndjson", "fhirehose", "manifest.json"]);
  assert.deepEqual(complaints, []);
});
