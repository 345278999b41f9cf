// The entry of browsers, workers and bundlers: the module and the tables are files beside this one.

import { fetchTables, load, type FhirVersion, type Source } from "./module.js";
import { workersAre } from "./pool.js";
import type { FromWorker } from "./worker-body.js";

export * from "./api.js";

/** Loads the module: the file beside this one, unless you say otherwise. Call it once, before anything else, and wait for it. */
export function init(source?: Source | PromiseLike<Source>): Promise<void> {
  return load(() => source ?? new URL("./fhirehose.wasm", import.meta.url));
}

/** Loads the search tables of R4B (`"4.3"`) or R5 (`"5.0"`); R4 is in the module. */
export function loadTables(version: FhirVersion, source?: Source | PromiseLike<Source>): Promise<void> {
  return fetchTables(version, () => source ?? (version === "5.0" ? new URL("./r5.table", import.meta.url) : new URL("./r4b.table", import.meta.url)));
}

if (typeof Worker === "function") {
  workersAre(() => {
    const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
    return {
      post: (message) => worker.postMessage(message),
      listen: (message, broken) => {
        worker.onmessage = ({ data }: MessageEvent<FromWorker>) => message(data);
        worker.onmessageerror = () => broken("a message cannot be read");
        worker.onerror = (event) => {
          event.preventDefault();
          broken(event.message || "its script cannot be loaded");
        };
      },
      end: () => worker.terminate(),
    };
  }, globalThis.navigator?.hardwareConcurrency ?? 2);
}
