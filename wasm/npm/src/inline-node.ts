// The entry for one file, in Node.

import { Decoded } from "./gunzip-node.js";
import { membersBy } from "./gunzip.js";

export * from "./inline.js";

membersBy(() => new Decoded());
