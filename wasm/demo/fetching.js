// An export of a server, by the package's own client.

import { backendServices, BulkClient, hasBegun, memoryStore, opfsStore } from "./fhirehose/index.js";
import { byId } from "./dom.js";
import { things } from "./format.js";
import { clearResult } from "./result.js";

const NAME = "demo";
/** A page is not told why nothing comes; after this long it says what it may be. */
const SILENCE = 4000;
const PHASES = { "kick-off": "Asking for the export", waiting: "The server works", fetching: "Fetching", deleting: "Deleting the job", done: "Putting it together" };

const storage = async () => (navigator.storage?.getDirectory ? opfsStore(NAME) : undefined);

/** Runs an export to its end. A token is asked for as often as the client wants one, and kept by nobody else. */
export async function fetchExport(options, request, signal, told) {
  const { base, level, filter } = options;
  const store = (options.keeps && (await storage())) || memoryStore();
  let hint = "";
  const silent = setTimeout(() => {
    hint = "; nothing comes yet. The server may be away, or not allow this page (CORS)";
    told({ text: PHASES["kick-off"] + hint });
  }, SILENCE);
  const onProgress = (progress) => {
    if (progress.phase !== "kick-off") {
      clearTimeout(silent);
      hint = "";
    }
    told({ text: words(progress) + hint, done: progress.bytes, types: progress.types });
  };
  const client = new BulkClient({ base, level, request, store, onProgress, enforce: filter ? "auto" : "never", token: tokens(options) });
  let ending;
  const end = () => {
    // What the server says to that changes nothing: nobody else would delete the job.
    ending = client.cancel().catch(() => {});
  };
  signal.addEventListener("abort", end);
  try {
    return await client.run();
  } finally {
    clearTimeout(silent);
    signal.removeEventListener("abort", end);
    await ending;
    await showKept();
  }
}

function tokens({ access, base, clientId, key, scope, token }) {
  if (access === "bearer") return async () => token;
  return access === "smart" ? backendServices({ base, clientId, key, scope }) : undefined;
}

function words({ phase, said, files, done, isComplete, lines }) {
  if (phase === "waiting" && said) return `${PHASES.waiting}: ${said}`;
  if (phase !== "fetching") return PHASES[phase];
  return `${PHASES.fetching}: ${done} of ${isComplete ? things(files, "file") : `${files} files or more`}, ${things(lines, "line")}`;
}

/** Says whether an export is kept here. */
async function showKept() {
  const isKept = async () => {
    const store = await storage();
    return store !== undefined && hasBegun(store);
  };
  // Private windows have no such place, and then nothing is kept.
  byId("kept").hidden = !(await isKept().catch(() => false));
}

export function setUpFetching() {
  byId("forget").addEventListener("click", async () => {
    clearResult();
    await (await storage())?.clear();
    await showKept();
    byId("keep").focus();
  });
  return showKept();
}
