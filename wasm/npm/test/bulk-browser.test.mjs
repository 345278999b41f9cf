// The bulk client in Chromium: the export of a group from `fhirehose serve` with SMART authorization, from a page of another origin,
// reloaded in the middle; it ends as what the command line exports.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { browser, POLICY, serve as serveSite } from "./chromium.mjs";
import { filesIn, folder, place, run } from "./place.mjs";
import { serve } from "./serving.mjs";

const skip = process.env.CHROMIUM ? false : "no Chromium";
const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const keys = new URL("../../../cli/tests/keys/", import.meta.url);
const jwk = JSON.parse(readFileSync(new URL("test-only.jwks.json", keys), "utf8")).keys.find(({ kty }) => kty === "EC");

function direct(home, group) {
  run(place.binary, ["export", "data", "--group", group, "--include-associated-data", "RelevantProvenanceResources", "--max-resources", "10", "--compress", "none", "-o", "direct"], { cwd: home });
  const { "manifest.json": _manifest, ...files } = filesIn(join(home, "direct"));
  const sum = (text) => createHash("sha256").update(Buffer.from(text, "latin1")).digest("hex");
  return Object.fromEntries(Object.entries(files).map(([name, text]) => [name, sum(text)]));
}

/** Makes a group of most of the patients. */
function makeGroup(home) {
  const patients = readFileSync(join(home, "data/Patient.ndjson"), "utf8").trim().split("\n").slice(0, 10);
  const member = patients.map((line) => ({ entity: { reference: `Patient/${JSON.parse(line).id}` } }));
  writeFileSync(join(home, "data/Group.ndjson"), `${JSON.stringify({ resourceType: "Group", id: "ten", type: "person", actual: true, member })}\n`);
  return "ten";
}

test("a group's export with SMART authorization survives a reload and equals the command line's", { skip, timeout: 60_000 }, async () => {
  const home = folder();
  run(place.binary, ["synth", "--patients", "12", "--seed", "7", "-o", "data"], { cwd: home });
  const group = makeGroup(home);
  copyFileSync(new URL("jwks.json", keys), join(home, "jwks.json"));
  run(place.binary, ["client", "add", "page", "--id", "page", "--jwks", "jwks.json", "--scope", "system/*.read", "--state", "state"], { cwd: home });
  const policy = POLICY.replace("connect-src 'self'", "connect-src 'self' http://127.0.0.1:*");
  const site = await serveSite({ package: place.package, site: here("site") }, { "content-security-policy": policy });
  const { base } = await serve("data", ["--state", "state", "--max-resources", "10", "--browser-origin", site], home);
  const expected = direct(home, group);
  assert.ok(Object.keys(expected).length > 20, `${Object.keys(expected)}`);
  const chromium = await browser();
  for (const stores of ["opfs", "database"]) {
    const page = await (await chromium.newContext()).newPage();
    const complaints = [];
    page.on("console", (message) => void (message.type() === "error" && complaints.push(message.text())));
    page.on("pageerror", (error) => complaints.push(error.message));
    const asked = { "kick-offs": 0, files: 0 };
    page.on("request", (request) => {
      if (request.method() === "OPTIONS") return;
      if (request.url().includes("$export")) asked["kick-offs"]++;
      if (request.url().includes("/files/")) asked.files++;
    });
    await page.addInitScript((key) => (window.key = key), jwk);
    await page.goto(`${site}/site/bulk.html#${encodeURIComponent(JSON.stringify({ base, clientId: "page", group, stores }))}`);
    await page.waitForFunction(() => window.done || window.progress?.done >= 3, undefined, { polling: 5 });
    assert.equal(await page.evaluate(() => window.done), undefined, "it had come too far for a reload");
    await page.reload();
    const found = await (await page.waitForFunction(() => window.done, undefined, { timeout: 30_000 })).jsonValue();
    assert.equal(found.error, undefined, stores);
    assert.equal(found.hadBegun, true, stores);
    assert.deepEqual(found.files, expected, stores);
    assert.deepEqual(found.warnings, [], stores);
    assert.equal(found.left, 0, stores);
    assert.equal(asked["kick-offs"], 1, stores);
    // What was complete before the reload was not fetched again.
    assert.ok(asked.files <= Object.keys(expected).length + 3, `${stores}: ${asked.files} downloads of ${Object.keys(expected).length} files`);
    assert.deepEqual(complaints, [], stores);
    await page.context().close();
  }
});
