// Gzip files of any number of members: the same in Node, in Chromium, and by the binary.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { browser, done, POLICY, serve } from "./chromium.mjs";
import { files, lie, unlike } from "./members.mjs";
import { folder, place } from "./place.mjs";

const { init, filterFiles } = await import(join(place.package, "dist/node.js"));
const inline = await import(join(place.package, "dist/inline-node.js"));
const { gunzipped } = await import(join(place.package, "dist/gunzip.js"));
const skip = process.env.CHROMIUM ? false : "no Chromium";
const here = (name) => fileURLToPath(new URL(name, import.meta.url));

test("members in Node, cut anywhere", async () => {
  assert.deepEqual(await unlike(gunzipped, [...(await files()), lie()]), []);
});

test("members in Chromium, cut anywhere", { skip }, async () => {
  const url = await serve({ package: place.package, test: here("."), site: here("site") }, { "content-security-policy": POLICY });
  const { count } = await done(await browser(), `${url}/site/members.html`);
  assert.equal(count, (await files()).length + 1);
});

test("the binary takes and refuses the same files", async () => {
  const home = folder();
  const exported = (...names) => spawnSync(place.binary, ["export", ...names, "--type", "Basic", "-o", `out-${names[0]}`, "--report", "json"], { cwd: home, encoding: "utf8" });
  const all = (await files()).map((file, at) => ({ ...file, path: `${at}.ndjson.gz` }));
  for (const { path, bytes } of all) writeFileSync(join(home, path), bytes);
  const right = all.filter(({ plain }) => plain !== undefined);
  const told = JSON.parse(exported(...right.map(({ path }) => path)).stdout);
  assert.equal(told.inputs, right.length);
  assert.equal(told.bytes, right.reduce((sum, { plain }) => sum + plain.length, 0));
  for (const { name, path } of all.filter(({ plain }) => plain === undefined)) {
    const { status, stderr } = exported(path);
    assert.equal(status, 3, name);
    assert.match(stderr, /gzip data/, name);
  }
});

test("files of several members are filtered, here, in workers, and by the inline entry", async () => {
  await Promise.all([init(), inline.init()]);
  const all = await files();
  const { bytes, plain } = all.find(({ name }) => name === "many");
  const damaged = all.find(({ name }) => name === "a wrong sum");
  for (const [filter, workers] of [[filterFiles, 0], [filterFiles, 2], [inline.filterFiles, 0]]) {
    const { files: out, report } = await filter([new Blob([bytes]), new Blob([bytes])], { type: "Patient" }, { workers });
    assert.equal(report.kept, 600);
    assert.deepEqual(new Uint8Array(await out[0].blob.slice(0, plain.length).arrayBuffer()), plain);
    await assert.rejects(filter([new Blob([bytes]), new File([damaged.bytes], "b.gz")], {}, { workers }), { code: "gzip", message: /^b\.gz: / });
  }
});
