// The package and the binary over the same files.

import assert from "node:assert/strict";
import { openAsBlob, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { filesIn, folder, place, run } from "./place.mjs";

/** Files and report of the package against those of the binary, over a folder of NDJSON. */
export async function same(api, data, [request, flags], workers, status = 0) {
  const out = join(folder(), "out");
  const inputs = readdirSync(data).filter((name) => /\.ndjson(\.gz)?$/.test(name)).sort().map((name) => join(data, name));
  const time = "2026-01-01T00:00:00Z";
  const args = ["export", ...inputs, "-o", out, "--transaction-time", time, "--report", "json", "--compress", "none", ...flags];
  const told = JSON.parse(run(place.binary, args, { status }));
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
