// For those who can ship one script and no other file.

import { compile, exportStream, init, resources } from "fhirehose/inline";

try {
  await init();
  const ids = [];
  const lines = new Blob(['{"resourceType":"Patient","id":"1"}\n{"resourceType":"Device","id":"2"}\n']);
  for await (const { id } of resources(lines.stream().pipeThrough(exportStream(compile({ type: "Device" }))))) ids.push(id);
  window.done = { page: `ids ${ids}` };
} catch (error) {
  window.done = { error: `${error.code} ${error.stack}` };
}
