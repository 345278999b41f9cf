// In a worker of the consumer's own, which starts no further ones.

import { use } from "./app.js";

use(undefined, { workers: 0 }).then((found) => self.postMessage(found));
