// The demo page asks servers: its own and one of another origin, open and with SMART, and goes on after a reload.

import assert from "node:assert/strict";
import { copyFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { browser } from "./chromium.mjs";
import { chartWatched, opened, page, shot } from "./demo-page.mjs";
import { filesIn, folder, place, run } from "./place.mjs";
import { serve } from "./serving.mjs";
import { unzipped } from "./unzipped.mjs";

const skip = process.env.CHROMIUM ? false : "no Chromium";
const keys = (name) => fileURLToPath(new URL(`../../../cli/tests/keys/${name}`, import.meta.url));
const here = folder();
let server, chromium, expected;

// Not in a hook, at whose end all of it would be gone.
if (!skip) {
  run(place.binary, ["synth", "-o", "data", "--patients", "20"], { cwd: here });
  server = await serve("data", ["--open", "--browser-page", page, "--state", "open"], here);
  chromium = await browser();
  run(place.binary, ["export", "data", "-o", "out", "--type", "Patient,Condition"], { cwd: here });
  expected = filesIn(join(here, "out"));
  delete expected["manifest.json"];
}

/** Fetches what there is of two types, and holds it against the command line's. */
async function fetched(tab) {
  await tab.getByLabel("Types", { exact: true }).fill("Patient,Condition");
  await tab.getByRole("button", { name: "Fetch the export" }).click();
  const facts = tab.locator("#results .facts, #said.bad");
  await facts.waitFor();
  assert.equal(await tab.locator("#said.bad").count(), 0, await tab.locator("#said").textContent());
  const [download] = await Promise.all([tab.waitForEvent("download"), tab.getByRole("button", { name: "Save as ZIP" }).click()]);
  const zip = unzipped(readFileSync(await download.path()));
  delete zip["manifest.json"];
  assert.deepEqual(Object.keys(zip).sort(), Object.keys(expected).sort());
  for (const name of Object.keys(expected)) assert.ok(zip[name] === expected[name], name);
}

const choose = (tab, text) => tab.locator("#source .segments span", { hasText: text }).click();

test("a server is described, and what is missing is said", { skip }, async () => {
  const { tab, context, complaints } = await opened(chromium, server, { viewport: { width: 360, height: 800 } });
  await tab.getByText("A server", { exact: true }).click();
  assert.equal(await tab.getByLabel("FHIR base").inputValue(), server.base);
  await tab.locator("#from-server .segments span", { hasText: "Group" }).click();
  await tab.getByText("Client and key", { exact: true }).click();
  await tab.getByLabel("Scope").fill('system/*.rs "quoted"');
  await tab.getByLabel("Private key").fill('{"kty":"EC","crv":"P-384","x":"x","y":"y"}');
  await tab.getByRole("button", { name: "Fetch the export" }).click();
  for (const text of ["The id of a Group.", "The id of the client is needed.", "This is the public key.", "Scopes with blanks between them"]) await tab.getByText(text).waitFor();
  assert.equal(await tab.evaluate(() => document.activeElement.id), "group");
  assert.match(await tab.locator("#command").textContent(), /^fhirehose pull \S+ -o out \\\n {2}--group ID \\\n {2}--client-id ID/);
  assert.ok(await tab.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
  await shot(tab, "server-phone");
  await tab.setViewportSize({ width: 1280, height: 900 });
  await shot(tab, "server");
  assert.deepEqual(complaints, []);
  await context.close();
});

test("an open server, the page's own", { skip }, async () => {
  const { tab, context, complaints } = await opened(chromium, server);
  await choose(tab, "A server");
  await choose(tab, "System");
  const growing = await chartWatched(tab);
  await fetched(tab);
  assert.ok((await growing()) > 0, "the chart is there before the end");
  await shot(tab, "server-result");
  assert.deepEqual(complaints, []);
  await context.close();
});

test("a server of another origin, with a client and its key", { skip }, async () => {
  copyFileSync(keys("jwks.json"), join(here, "jwks.json"));
  const state = ["--state", "smart"];
  run(place.binary, ["client", "add", "page", "--id", "page", "--jwks", "jwks.json", "--scope", "system/*.rs", ...state], { cwd: here });
  const other = await serve("data", [...state, "--browser-origin", server.root], here);
  const stranger = await serve("data", ["--open", "--state", "stranger"], here);
  const { tab, context, complaints } = await opened(chromium, server, { others: [other.root, stranger.root] });
  await choose(tab, "A server");
  await tab.getByLabel("FHIR base").fill(other.base);
  await choose(tab, "System");
  // Without a token the server's answer can be read, since it allows this page.
  await tab.getByRole("button", { name: "Fetch the export" }).click();
  await tab.locator("#said.bad").waitFor();
  assert.match(await tab.locator("#said").textContent(), /401|token/i);
  await choose(tab, "Client and key");
  await tab.getByLabel("Client id").fill("page");
  await tab.setInputFiles("#key-file", keys("test-only.jwks.json"));
  // A token of another scope lets nothing of this be read.
  await tab.getByLabel("Scope").fill(" system/Patient.rs  system/Group.rs ");
  await tab.locator("#command", { hasText: "--scope 'system/Patient.rs system/Group.rs'" }).waitFor();
  await tab.getByLabel("Types", { exact: true }).fill("Patient,Condition");
  await tab.getByRole("button", { name: "Fetch the export" }).click();
  await tab.locator("#said.bad").waitFor();
  assert.match(await tab.locator("#said").textContent(), /scope/i);
  await tab.getByLabel("Scope").fill("");
  await fetched(tab);
  // The key is nowhere but in its field.
  const kept = await tab.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]));
  assert.equal(kept, '[{},{},""]');
  // What a browser refuses is told as far as a page can know.
  await tab.getByLabel("FHIR base").fill(stranger.base);
  await choose(tab, "None");
  await tab.getByRole("button", { name: "Fetch the export" }).click();
  await tab.locator("#rate", { hasText: "not allow this page (CORS)" }).waitFor();
  await tab.locator("#cancel").click();
  await tab.getByText("Cancelled; nothing is kept.").waitFor();
  const own = complaints.filter((text) => !/CORS|401|403|net::ERR_FAILED/.test(text));
  assert.deepEqual(own, []);
  await context.close();
});

test("a reload goes on with what is kept, until it is forgotten", { skip }, async () => {
  const { tab, context } = await opened(chromium, server);
  const describe = async () => {
    await choose(tab, "A server");
    await choose(tab, "System");
    await tab.getByLabel("Keep what has come").check();
  };
  await describe();
  await fetched(tab);
  await tab.reload();
  await tab.waitForSelector("body[data-ready]");
  await describe();
  await tab.getByText("An export is kept in this browser.").waitFor();
  const asked = [];
  tab.on("request", (request) => request.url().includes("/bulk-export/files/") && asked.push(request.url()));
  await fetched(tab);
  assert.deepEqual(asked, [], "nothing is fetched twice");
  await tab.getByRole("button", { name: "Forget it" }).click();
  await tab.locator("#kept").waitFor({ state: "hidden" });
  assert.equal(await tab.locator("#results .facts").count(), 0);
  await context.close();
});
