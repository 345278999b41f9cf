// The demo page as people use it, served by the real server: files chosen, a request written, filtered, saved; then offline.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { browser } from "./chromium.mjs";
import { chartWatched, opened, page, shot } from "./demo-page.mjs";
import { filesIn, folder, place, run } from "./place.mjs";
import { serve } from "./serving.mjs";
import { unzipped } from "./unzipped.mjs";

const skip = process.env.CHROMIUM ? false : "no Chromium";
const FILTER = "Observation?category=laboratory&date=ge2015";
const here = folder();
const data = join(here, "data");
let server, chromium;

// Not in a hook, at whose end all of it would be gone.
if (!skip) {
  run(place.binary, ["synth", "-o", data, "--patients", "60"]);
  // One of them gzip, and one with lines that are none.
  const path = join(data, "Observation.ndjson");
  writeFileSync(join(data, "Zobservation.ndjson.gz"), gzipSync(readFileSync(path)));
  writeFileSync(join(data, "broken.ndjson"), '{"resourceType":"Patient","id":"x"\n{"resourceType":"Patient","id":"fine"}\nnot json\n');
  server = await serve(data, ["--open", "--state", join(here, "state"), "--browser-page", page]);
  chromium = await browser();
}

const inputs = () => Object.keys(filesIn(data)).sort().map((name) => join(data, name));
test("a wrong filter is underlined, and completions are taken by keyboard", { skip }, async () => {
  const { tab, context, complaints } = await opened(chromium, server);
  const filter = tab.getByLabel("Filter 1", { exact: true });
  await filter.fill("Observation?categry=laboratory");
  await filter.blur();
  const mark = tab.locator("#filters .mirror mark");
  await mark.waitFor();
  assert.equal(await mark.textContent(), "categry");
  assert.match(await tab.locator("#filters .slot").textContent(), /did you mean.*category/);
  assert.equal(await filter.getAttribute("aria-invalid"), "true");
  await shot(tab, "problem");
  // Types, parameters, modifiers and prefixes, each taken by arrow and Enter or Tab.
  await filter.fill("");
  await filter.pressSequentially("Observ");
  await tab.locator("#filters .options li").first().waitFor();
  await tab.keyboard.press("ArrowDown");
  const active = await filter.getAttribute("aria-activedescendant");
  assert.equal(await tab.locator(`#${active}`).getAttribute("aria-selected"), "true");
  await tab.keyboard.press("Enter");
  await filter.pressSequentially("cat");
  await tab.keyboard.press("ArrowDown");
  await tab.keyboard.press("Tab");
  assert.equal(await filter.inputValue(), "Observation?category=");
  await filter.pressSequentially("laboratory&da");
  await tab.locator("#filters .options").waitFor();
  await shot(tab, "completion");
  await tab.keyboard.press("ArrowDown");
  await tab.keyboard.press("ArrowDown");
  await tab.keyboard.press("Enter");
  await filter.pressSequentially("g");
  await tab.keyboard.press("ArrowDown");
  await tab.keyboard.press("ArrowDown");
  await tab.keyboard.press("ArrowUp");
  await tab.keyboard.press("Escape");
  assert.equal(await tab.locator("#filters .options").isVisible(), false);
  assert.equal(await filter.inputValue(), "Observation?category=laboratory&date=g");
  await filter.pressSequentially("e2015");
  await tab.getByLabel("Types", { exact: true }).fill("Patient,Observation");
  await tab.locator("#explain summary").click();
  await tab.waitForFunction(() => document.getElementById("plan").textContent.includes("laboratory"));
  assert.match(await tab.locator("#command").textContent(), /fhirehose export data -o out \\\n {2}--type Patient,Observation \\\n {2}--type-filter '/);
  assert.match(await tab.locator("#kickoff").textContent(), /\$export\?_type=Patient,Observation&_typeFilter=Observation%3Fcategory%3Dlaboratory/);
  assert.equal(await tab.locator("[aria-invalid=true]").count(), 0);
  await tab.getByLabel("Changed since").fill("yesterday");
  await tab.locator(".field", { hasText: "Changed since" }).locator("mark").waitFor();
  await tab.getByRole("button", { name: "Filter the files" }).click();
  assert.equal(await tab.evaluate(() => document.activeElement.getAttribute("aria-invalid")), "true");
  assert.deepEqual(complaints, []);
  await context.close();
});

test("files are filtered as the command line does it, and saved", { skip }, async () => {
  const { tab, context, complaints } = await opened(chromium, server, { acceptDownloads: true });
  // A folder of the browser's own stands for the one that a person would choose.
  await tab.evaluate(() => (window.showDirectoryPicker = () => navigator.storage.getDirectory()));
  await shot(tab, "empty");
  await tab.setInputFiles("#files", inputs());
  const growing = await chartWatched(tab);
  await tab.getByLabel("Types", { exact: true }).fill("Patient,Observation,Condition");
  await tab.getByLabel("Filter 1", { exact: true }).fill(FILTER);
  await tab.getByLabel("Filter 1", { exact: true }).blur();
  await tab.getByRole("button", { name: "Filter the files" }).click();
  await tab.locator("#results .facts").waitFor();
  assert.ok((await growing()) > 0, "the chart is there before the end");
  const out = join(here, "out");
  const asked = ["--type", "Patient,Observation,Condition", "--type-filter", FILTER];
  run(place.binary, ["export", ...Object.keys(filesIn(data)).sort(), "-o", out, ...asked], { status: 1, cwd: data });
  const expected = filesIn(out);
  const listed = JSON.parse(expected["manifest.json"]);
  delete expected["manifest.json"];
  const [download] = await Promise.all([tab.waitForEvent("download"), tab.getByRole("button", { name: "Save as ZIP" }).click()]);
  const zip = unzipped(readFileSync(await download.path()));
  const manifest = JSON.parse(zip["manifest.json"]);
  delete zip["manifest.json"];
  assert.deepEqual(Object.keys(zip).sort(), Object.keys(expected).sort());
  for (const name of Object.keys(expected)) assert.ok(zip[name] === expected[name], name);
  assert.deepEqual([manifest.output, manifest.error], [listed.output, listed.error]);
  const [single] = await Promise.all([tab.waitForEvent("download"), tab.getByRole("link", { name: "Patient.000.ndjson" }).click()]);
  assert.equal(readFileSync(await single.path(), "latin1"), expected["Patient.000.ndjson"]);
  await tab.getByRole("button", { name: "Save in a folder" }).click();
  await tab.getByText("files saved.").waitFor();
  const stored = await tab.evaluate(async () => {
    const root = await navigator.storage.getDirectory();
    return (await (await root.getFileHandle("Condition.000.ndjson")).getFile()).text();
  });
  assert.equal(Buffer.from(stored).toString("latin1"), expected["Condition.000.ndjson"]);
  // Bad lines by their places; counts as a table.
  const bad = await tab.locator(".bad-lines tbody tr").allTextContents();
  assert.deepEqual(bad.map((row) => row.slice(0, 14)), ["broken.ndjson1", "broken.ndjson3"]);
  const rows = await tab.locator(".chart tbody tr").allTextContents();
  const kept = expected["Patient.000.ndjson"].split("\n").length - 1;
  assert.ok(rows.some((row) => row.startsWith(`Patient${kept}`)), `${rows}`);
  const text = await tab.locator("body").innerText();
  assert.ok(!text.includes("resourceType\":"), "nothing of a record is in the page");
  await shot(tab, "result");
  for (const [name, options] of [["dark", { colorScheme: "dark" }], ["phone", { width: 360 }], ["phone-dark", { width: 360, colorScheme: "dark" }]]) {
    await tab.emulateMedia({ colorScheme: options.colorScheme ?? "light", reducedMotion: "reduce" });
    await tab.setViewportSize({ width: options.width ?? 1280, height: 800 });
    const wide = await tab.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(wide <= 0, `${name}: ${wide} pixels too wide`);
    await shot(tab, name);
  }
  assert.deepEqual(complaints, []);
  await context.close();
});

test("a run can be cancelled, and the page goes on", { skip }, async () => {
  const { tab, context, complaints } = await opened(chromium, server);
  const big = join(here, "Observation.ndjson");
  writeFileSync(big, Buffer.concat(Array(12).fill(readFileSync(join(data, "Observation.ndjson")))));
  await tab.setInputFiles("#files", [big]);
  // Where it is cancelled is up to the machine; that it ends is not.
  await tab.evaluate(() => {
    document.getElementById("start").click();
    document.getElementById("cancel").click();
  });
  await tab.getByText("Cancelled; nothing is kept.").waitFor();
  assert.equal(await tab.locator("#cancel").isVisible(), false);
  // What others do on the machine may hold one run up; what the page does itself would hold up each.
  const slow = [];
  for (let turn = 0; turn < 3 && slow.length === turn; turn++) {
    await tab.evaluate(() => (window.longTasks.length = 0));
    await tab.getByRole("button", { name: "Filter the files" }).click();
    await tab.locator("#results .facts").waitFor();
    const longest = await tab.evaluate(() => Math.max(0, ...window.longTasks));
    if (longest > 0) slow.push(longest);
  }
  assert.ok(slow.length < 3, `tasks of more than 50 ms on the main thread: ${slow}`);
  await tab.getByRole("button", { name: "Clear" }).click();
  await tab.getByRole("button", { name: "Filter the files" }).click();
  await tab.getByText("Choose files first.").waitFor();
  assert.deepEqual(complaints, []);
  await context.close();
});

test("without a network the page is there, and works", { skip }, async () => {
  const { tab, context, complaints } = await opened(chromium, server);
  await tab.waitForSelector("body[data-offline]");
  await context.setOffline(true);
  await tab.reload();
  await tab.waitForSelector("body[data-ready]");
  await tab.setInputFiles("#files", [join(data, "Patient.ndjson")]);
  await tab.getByLabel("FHIR", { exact: true }).selectOption("5.0");
  await tab.getByRole("button", { name: "Filter the files" }).click();
  await tab.locator("#results .facts").waitFor();
  assert.deepEqual(complaints, []);
  await context.close();
});
