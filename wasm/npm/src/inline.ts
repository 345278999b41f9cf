// The entry for those who cannot ship a file beside their script: the module is in the script itself, compressed. Without
// workers, which would have to be files; R4B and R5 tables have to be handed in.

import { fetchTables, load, type FhirVersion, type Source } from "./module.js";
import { bytes } from "./inline-bytes.js";

export * from "./api.js";

/** Makes the module ready. Call it once, before anything else, and wait for it. */
export function init(source?: Source | PromiseLike<Source>): Promise<void> {
  return load(() => source ?? unpacked());
}

/** Takes in the search tables of R4B (`"4.3"`) or R5 (`"5.0"`); R4 is in the module. */
export function loadTables(version: FhirVersion, source: Source | PromiseLike<Source>): Promise<void> {
  return fetchTables(version, () => source);
}

async function unpacked(): Promise<ArrayBuffer> {
  const packed = Uint8Array.from(atob(bytes), (character) => character.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}
