// The entry of Node: the module and the tables are read from disk.

import { readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { Decoded } from "./gunzip-node.js";
import { membersBy } from "./gunzip.js";
import { fetchTables, load, type FhirVersion, type Source } from "./module.js";
import { workersAre } from "./pool.js";
import type { FromWorker } from "./worker-body.js";

export * from "./api.js";

/** Loads the module: the file beside this one, unless you say otherwise. Call it once, before anything else, and wait for it. */
export function init(source?: Source | PromiseLike<Source>): Promise<void> {
  return load(() => read(source ?? new URL("./fhirehose.wasm", import.meta.url)));
}

/** Loads the search tables of R4B (`"4.3"`) or R5 (`"5.0"`); R4 is in the module. */
export function loadTables(version: FhirVersion, source?: Source | PromiseLike<Source>): Promise<void> {
  return fetchTables(version, () => read(source ?? new URL(version === "5.0" ? "./r5.table" : "./r4b.table", import.meta.url)));
}

/** Addresses of files are read here: `fetch` does not know them. */
async function read(given: Source | PromiseLike<Source>): Promise<Source> {
  const source = await given;
  const isFile = (source instanceof URL && source.protocol === "file:") || (typeof source === "string" && source.startsWith("file:"));
  return isFile ? readFile(new URL(source)) : source;
}

membersBy(() => new Decoded());
workersAre(() => {
  const worker = new Worker(new URL("./worker-node.js", import.meta.url));
  // A pool that is waiting does not keep the process alive; whoever waits for its outcome does, by that.
  return {
    post: (message) => worker.postMessage(message),
    listen: (message, broken) => {
      worker.removeAllListeners();
      worker.on("message", (data) => message(data as FromWorker));
      worker.on("messageerror", () => broken("a message cannot be read"));
      worker.on("error", (error) => broken(error.message));
    },
    end: () => void worker.terminate(),
  };
}, availableParallelism());
