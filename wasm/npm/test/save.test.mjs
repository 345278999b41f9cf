// Saving in a folder: nothing is half listed, whatever the storage says. The storage is a stand-in with faults on demand;
// browser.test.mjs saves in a real one.

import assert from "node:assert/strict";
import { join } from "node:path";
import { before, test } from "node:test";
import { place } from "./place.mjs";

const api = await import(join(place.package, "dist/node.js"));
before(() => api.init());

const refused = (name) => new DOMException("no", name);

class Writable {
  constructor(disk, file) {
    Object.assign(this, { disk, file, parts: [] });
  }
  async write(data) {
    const bytes = Buffer.from(data instanceof Blob ? await data.arrayBuffer() : data);
    this.disk.left -= bytes.length;
    if (this.disk.left < 0) throw refused("QuotaExceededError");
    this.parts.push(bytes);
  }
  async close() {
    this.file.bytes = Buffer.concat(this.parts);
  }
  async abort() {
    this.parts = [];
  }
}

/** A folder in memory, in which files can be renamed or not. */
class Directory {
  constructor(disk, entries = new Map()) {
    Object.assign(this, { disk, entries });
  }
  async getDirectoryHandle(name) {
    if (!this.entries.has(name)) this.entries.set(name, new Directory(this.disk));
    return this.entries.get(name);
  }
  async getFileHandle(name, { create = false } = {}) {
    if (!this.entries.has(name)) {
      if (!create) throw refused("NotFoundError");
      if (this.disk.isReadOnly) throw refused("NoModificationAllowedError");
      this.entries.set(name, { bytes: Buffer.alloc(0) });
    }
    const file = this.entries.get(name);
    const move = async (to) => {
      if (this.disk.failsAtRename === to) throw refused("NoModificationAllowedError");
      this.entries.delete(name);
      this.entries.set(to, file);
    };
    return {
      createWritable: async () => {
        const writable = new Writable(this.disk, file);
        return Object.assign(new WritableStream({ write: (data) => writable.write(data), close: () => writable.close() }), {
          write: (data) => writable.write(data), close: () => writable.close(), abort: () => writable.abort(),
        });
      },
      getFile: async () => new Blob([file.bytes]),
      ...(this.disk.cannotRename ? {} : { move }),
    };
  }
  async removeEntry(name) {
    if (!this.entries.delete(name)) throw refused("NotFoundError");
  }
  names() {
    return [...this.entries].flatMap(([name, entry]) => (entry instanceof Directory ? entry.names().map((below) => `${name}/${below}`) : [name])).sort();
  }
}

const FILES = ["Device.000.ndjson", "Patient.000.ndjson", "error/OperationOutcome.000.ndjson", "manifest.json"];
const LINES = ['{"resourceType":"Patient","id":"1"}\n', '{"resourceType":"Device","id":"2"}\n', "{\n"];
const chunks = (plan, ...more) => new Blob([...LINES, ...more]).stream().pipeThrough(api.exportStream(plan));

test("files, folders, and the manifest last", async () => {
  for (const cannotRename of [false, true]) {
    const plan = api.compile();
    const directory = new Directory({ left: Infinity, cannotRename });
    const { report, manifest } = await api.toFiles(chunks(plan), directory);
    assert.deepEqual(directory.names(), FILES);
    assert.equal([...directory.entries.keys()].at(-1), "manifest.json");
    assert.equal(String(directory.entries.get("Device.000.ndjson").bytes), LINES[1]);
    assert.equal(String(directory.entries.get("manifest.json").bytes), manifest);
    assert.equal(report.kept, 2);
    // The same from an export that is complete; and it is not written over unless asked for.
    const exported = await api.toBlobs(chunks(plan));
    await assert.rejects(api.toFiles(exported, directory), ({ code }) => code === "exists");
    await api.toFiles(exported, directory, { overwrite: true });
    assert.deepEqual(directory.names(), FILES);
  }
});

test("after an error nothing is left", async () => {
  const plan = api.compile();
  const strict = api.compile({ onBad: "stop" });
  const faults = [
    ["quota", { left: 40 }, plan],
    ["quota", { left: 300 }, plan],
    ["save", { left: Infinity, isReadOnly: true }, plan],
    ["save", { left: Infinity, failsAtRename: "Patient.000.ndjson" }, plan],
    ["save", { left: Infinity, failsAtRename: "Device.000.ndjson" }, plan],
    ["bad-line", { left: Infinity }, strict],
  ];
  for (const [code, disk, wanted] of faults) {
    const directory = new Directory(disk);
    await assert.rejects(api.toFiles(chunks(wanted), directory), (error) => error.code === code, `${code} ${JSON.stringify(disk)}`);
    assert.deepEqual(directory.names(), [], `${code} ${JSON.stringify(disk)}`);
  }
});

test("a file that is there already is not touched", async () => {
  const directory = new Directory({ left: Infinity });
  directory.entries.set("Device.000.ndjson", { bytes: Buffer.from("mine") });
  await assert.rejects(api.toFiles(chunks(api.compile()), directory), ({ code }) => code === "exists");
  assert.deepEqual(directory.names(), ["Device.000.ndjson"]);
  assert.equal(String(directory.entries.get("Device.000.ndjson").bytes), "mine");
});
