// An export of a server, by the package's own client.

import { backendServices, BulkClient, memoryStore, opfsStore } from "./fhirehose/index.js";
import { byId } from "./dom.js";

const NAME = "fhirehose-demo";

const storage = async () => (navigator.storage?.getDirectory ? opfsStore(NAME) : undefined);

/** Runs an export to its end. A token is asked for as often as the client wants one, and kept by nobody else. */
export async function fetchExport(options, request, signal, told) {
  const { base, level, filter, access, clientId, key, token, keeps } = options;
  const store = (keeps && (await storage())) || memoryStore();
  const tokens = { none: undefined, bearer: async () => token, smart: () => backendServices({ base, clientId, key }) }[access];
  const client = new BulkClient({
    base, level, filter, request, store, signal,
    token: access === "smart" ? tokens() : tokens,
    onProgress: ({ text, bytes }) => told({ text, done: bytes }),
  });
  try {
    return await client.run();
  } catch (error) {
    // Nobody else would delete the job; what the server says to that changes nothing.
    if (signal.aborted) await client.cancel().catch(() => {});
    throw error;
  } finally {
    await showKept();
  }
}

/** Says whether an export was begun here and is kept. */
export async function showKept() {
  const store = await storage().catch(() => undefined);
  byId("kept").hidden = !(await store?.hasBegun().catch(() => false));
}

export function setUpFetching() {
  byId("forget").addEventListener("click", async () => {
    await (await storage())?.clear();
    await showKept();
    byId("keep").focus();
  });
  showKept();
}
