// The worker of browsers.

import { worker, type ToWorker } from "./worker-body.js";

const take = worker((message) => self.postMessage(message));
self.addEventListener("message", ({ data }: MessageEvent<ToWorker>) => void take(data));
