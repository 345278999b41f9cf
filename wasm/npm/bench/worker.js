// The bench's own worker.

import * as api from "/package/dist/index.js";
import * as glue from "/package/dist/glue.js";
import { rounds } from "./rounds.js";

async function large(data, total) {
  const plan = api.compile({ typeFilter: "Observation?category=laboratory&date=ge2015-01-01" });
  let given = 0;
  let at = 0;
  const source = new ReadableStream({
    pull(controller) {
      if (given >= total) return controller.close();
      // Each chunk has a buffer of its own, as chunks of a network have.
      const chunk = data.slice(at, at + 65536);
      at = at + 65536 < data.length ? at + 65536 : 0;
      given += chunk.length;
      controller.enqueue(chunk);
    },
  });
  const stream = api.exportStream(plan);
  const reader = source.pipeThrough(stream).getReader();
  const start = performance.now();
  let first;
  for (;;) {
    const { done } = await reader.read();
    first ??= performance.now() - start;
    if (done) break;
  }
  const wasm = glue.initSync({ module: new Uint8Array() }).memory.buffer.byteLength;
  const { kept, bytes } = await stream.report;
  return { bytes, kept, milliseconds: performance.now() - start, wasm, first };
}

self.onmessage = async ({ data: message }) => {
  try {
    const data = new Uint8Array(await (await fetch("/data/observations.ndjson")).arrayBuffer());
    const start = performance.now();
    await api.init("/package/dist/fhirehose.wasm");
    const init = performance.now() - start;
    self.postMessage(message.kind === "rounds" ? await rounds(api, data, message.count) : { init, ...(await large(data, message.bytes)) });
  } catch (error) {
    self.postMessage({ error: error.stack });
  }
};
