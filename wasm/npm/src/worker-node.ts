// The worker of Node.

import { parentPort } from "node:worker_threads";
import { worker, type ToWorker } from "./worker-body.js";

const take = worker((message) => parentPort?.postMessage(message));
parentPort?.on("message", (data) => void take(data as ToWorker));
