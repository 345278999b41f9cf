// The worker of Node.

import { parentPort } from "node:worker_threads";
import { Decoded } from "./gunzip-node.js";
import { membersBy } from "./gunzip.js";
import { worker, type ToWorker } from "./worker-body.js";

membersBy(() => new Decoded());
const take = worker((message) => parentPort?.postMessage(message));
parentPort?.on("message", (data) => void take(data as ToWorker));
