// A page that fetches an export, goes on with it after a reload, and says what came.

import { backendServices, BulkClient, hasBegun, indexedDbStore, init, opfsStore } from "/package/dist/index.js";

const { base, clientId, group, stores } = JSON.parse(decodeURIComponent(location.hash.slice(1)));
window.states = [];

async function sums(result) {
  const of = async ({ file, blob }) => {
    const sum = await crypto.subtle.digest("SHA-256", await blob.arrayBuffer());
    return [file, Array.from(new Uint8Array(sum), (byte) => byte.toString(16).padStart(2, "0")).join("")];
  };
  return Object.fromEntries(await Promise.all(result.files.map(of)));
}

try {
  await init();
  const store = await { opfs: opfsStore, database: indexedDbStore }[stores]("test");
  const hadBegun = await hasBegun(store);
  const client = new BulkClient({
    base,
    level: { group },
    request: { includeAssociatedData: "RelevantProvenanceResources" },
    store,
    token: backendServices({ base, clientId, key: window.key, scope: "system/*.read" }),
    parallel: 2,
    patience: { pollFirst: 5, pollMost: 50 },
    onProgress: (progress) => (window.progress = progress),
  });
  const result = await client.run();
  const files = await sums(result);
  await store.clear();
  window.done = { files, hadBegun, warnings: result.warnings, left: (await store.names()).length, kept: result.report.kept };
} catch (error) {
  window.done = { error: `${error.stack}` };
}
