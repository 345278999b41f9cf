// esbuild follows no `new URL(…, import.meta.url)`: the file is imported, and the package told where it is.

import wasm from "fhirehose/fhirehose.wasm";
import { use } from "./app.js";

try {
  window.done = { page: await use(new URL(wasm, import.meta.url), { workers: 0 }) };
} catch (error) {
  window.done = { error: `${error.code} ${error.stack}` };
}
