// The same on the main thread and in a module worker of the consumer's own.

import { use } from "./app.js";

const worker = new Worker(new URL("./own-worker.js", import.meta.url), { type: "module" });
const inWorker = new Promise((resolve, reject) => {
  worker.onmessage = ({ data }) => resolve(data);
  worker.onerror = (event) => reject(new Error(event.message || "the worker does not load"));
});
try {
  window.done = { page: await use(), worker: await inWorker };
} catch (error) {
  window.done = { error: `${error.code} ${error.stack}` };
}
