// The engine in a browser: the cases, files in workers, saving in the browser's own storage.

import * as api from "/package/dist/index.js";
import { differing } from "/test/judge.mjs";

const equal = (got, expected, what) => {
  const [one, other] = [got, expected].map((value) => JSON.stringify(value));
  if (one !== other) throw new Error(`${what}: ${one} instead of ${other}`);
};
const patient = (id) => `{"resourceType":"Patient","id":"${id}"}\n`;

async function namesIn(directory, prefix = "") {
  const names = [];
  for await (const [name, handle] of directory.entries()) {
    if (handle.kind === "file") names.push(prefix + name);
    else names.push(...(await namesIn(handle, `${prefix}${name}/`)));
  }
  return names.sort();
}

async function checkCases() {
  await Promise.all(["4.3", "5.0"].map((version) => api.loadTables(version)));
  const text = await (await fetch("/cases/cases.ndjson")).text();
  const cases = text.trim().split("\n").map((line) => JSON.parse(line)).filter(({ name }) => name !== "versions: R4 alone has no race");
  equal(differing(api, cases, [7, 65536]), [], "cases");
  return cases.length;
}

async function checkSaving() {
  const root = await navigator.storage.getDirectory();
  const directory = await root.getDirectoryHandle("out", { create: true });
  const plan = api.compile();
  const chunks = (source) => source.pipeThrough(api.exportStream(plan));
  const { report } = await api.toFiles(chunks(new Blob([patient(1), "x\n"]).stream()), directory);
  equal(await namesIn(directory), ["Patient.000.ndjson", "error/OperationOutcome.000.ndjson", "manifest.json"], "saved");
  const file = await (await directory.getFileHandle("Patient.000.ndjson")).getFile();
  equal(await file.text(), patient(1), "a saved file");
  equal(report.kept, 1, "kept");
  equal(await api.toFiles(chunks(new Blob([patient(1)]).stream()), directory).catch(({ code }) => code), "exists", "saved twice");
  // A source that breaks off: what had been written is gone.
  const other = await root.getDirectoryHandle("other", { create: true });
  let left = 3;
  const breaking = new ReadableStream({
    pull(controller) {
      if (left-- > 0) controller.enqueue(new TextEncoder().encode(patient(left)));
      else controller.error(new Error("the network is gone"));
    },
  });
  equal(await api.toFiles(chunks(breaking), other).catch(({ message }) => message), "the network is gone", "a broken source");
  equal(await namesIn(other), [], "left behind");
}

async function checkFiles() {
  const line = patient(1).repeat(20_000);
  const packed = new Response(new Blob([line]).stream().pipeThrough(new CompressionStream("gzip"))).blob();
  const files = [await packed, new Blob([line]), new Blob([patient(2)])];
  const seen = [];
  const { report, files: out } = await api.filterFiles(files, { type: "Patient" }, { workers: 3, onProgress: ({ bytes }) => seen.push(bytes) });
  equal(report.kept, 40_001, "kept");
  equal(out[0].blob.size, line.length * 2 + patient(2).length, "size");
  equal(Math.max(...seen), files.reduce((sum, { size }) => sum + size, 0), "progress");
  const twice = await api.filterFiles([new Blob([files[0], files[0]])], {}, { workers: 1 });
  equal(twice.report.kept, 40_000, "two members");
  const group = new Blob(['{"resourceType":"Group","id":"g","member":[{"entity":{"reference":"Patient/2"}}]}\n']);
  const members = await api.filterFiles([files[2], files[0], group], { group: "g", type: "Patient" }, { workers: 2 });
  equal(members.report.kept, 1, "members of a group");
  const cut = files[0].slice(0, 100);
  equal(await api.filterFiles([cut], {}).catch(({ code }) => code), "gzip", "a damaged file");
}

try {
  await Promise.all([api.init(), api.init()]);
  const cases = await checkCases();
  await checkFiles();
  await checkSaving();
  window.done = { cases };
} catch (error) {
  window.done = { error: `${error.code} ${error.stack}` };
}
