// T3 over real Observations: this package against plain JavaScript and against the binary on one thread, in Node and in
// Chromium, in one run. Prints rates, and by how much.
//
//   scripts/wasm-bench [rounds [gigabytes]]      with FHIREHOSE_DATA

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { after, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { browser, done, serve } from "../test/chromium.mjs";
import { rounds } from "./rounds.js";

const { PACKAGE, FHIREHOSE, FHIREHOSE_DATA, CHROMIUM } = process.env;
const count = Number(process.env.ROUNDS ?? 7);
const gigabytes = Number(process.env.GIGABYTES ?? 2);
const folder = mkdtempSync(join(tmpdir(), "fhirehose-bench-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const data = gunzipSync(readFileSync(join(FHIREHOSE_DATA, "Observation.ndjson.gz")));
const file = join(folder, "observations.ndjson");
writeFileSync(file, data);

/** The binary on one thread, to a folder: the best of some runs, as it says itself. */
function native() {
  const args = ["export", file, "-o", join(folder, "out"), "--force", "--threads", "1", "--report", "json", "--type-filter", "Observation?category=laboratory&date=ge2015-01-01"];
  const runs = Array.from({ length: count }, () => JSON.parse(spawnSync(FHIREHOSE, args, { encoding: "utf8" }).stdout));
  return { kept: runs[0].kept, milliseconds: Math.min(...runs.map(({ milliseconds }) => milliseconds)) };
}

function show(where, best, binary) {
  const rate = (milliseconds) => data.length / milliseconds / 1000;
  const plain = Math.max(...Object.entries(best).filter(([name]) => name.startsWith("plain")).map(([, { milliseconds }]) => rate(milliseconds)));
  for (const [name, { kept, milliseconds }] of Object.entries(best)) {
    if (kept !== binary.kept) throw new Error(`${name} keeps ${kept}, the binary ${binary.kept}`);
    const own = rate(milliseconds);
    console.log(`${where.padEnd(9)} ${name.padEnd(26)} ${own.toFixed(0).padStart(6)} MB/s  ${(own / plain).toFixed(1).padStart(5)} x plain  ${(own / rate(binary.milliseconds)).toFixed(2)} x native`);
  }
}

/** The heap and the buffers of the page's workers, at their largest. */
const peak = { heap: 0, buffers: 0 };
async function watchWorkers(page) {
  const session = await page.context().newCDPSession(page);
  let id = 0;
  const watched = new Set();
  session.on("Target.attachedToTarget", ({ sessionId }) => watched.add(sessionId));
  session.on("Target.detachedFromTarget", ({ sessionId }) => watched.delete(sessionId));
  session.on("Target.receivedMessageFromTarget", ({ message }) => {
    const { result } = JSON.parse(message);
    peak.heap = Math.max(peak.heap, result?.usedSize ?? 0);
    peak.buffers = Math.max(peak.buffers, result?.backingStorageSize ?? 0);
  });
  await session.send("Target.setAutoAttach", { autoAttach: true, waitForDebuggerOnStart: false, flatten: false });
  const timer = setInterval(() => {
    const message = JSON.stringify({ id: ++id, method: "Runtime.getHeapUsage" });
    for (const sessionId of watched) session.send("Target.sendMessageToTarget", { sessionId, message }).catch(() => watched.delete(sessionId));
  }, 100);
  page.on("close", () => clearInterval(timer));
}

test("bench", async () => {
  const api = await import(join(PACKAGE, "dist/node.js"));
  await api.init();
  const binary = native();
  console.log(`${data.length} bytes, ${binary.kept} kept; native, one thread: ${(data.length / binary.milliseconds / 1000).toFixed(0)} MB/s`);
  show("Node", await rounds(api, data, count), binary);
  if (!CHROMIUM) return;
  const url = await serve({ package: PACKAGE, bench: fileURLToPath(new URL(".", import.meta.url)), data: folder });
  const started = await browser();
  const { best } = await done(started, `${url}/bench/page.html?rounds=${count}&gigabytes=0`, 600_000);
  show("Chromium", best, binary);
  const { large } = await done(started, `${url}/bench/page.html?rounds=0&gigabytes=${gigabytes}`, 600_000, watchWorkers);
  const mega = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;
  console.log(`Chromium  ${(large.bytes / 1e9).toFixed(1)} GB through a stream: ${(large.bytes / large.milliseconds / 1000).toFixed(0)} MB/s, JS heap at most ${mega(peak.heap)}, buffers ${mega(peak.buffers)} (${mega(data.length)} of them the data), WebAssembly ${mega(large.wasm)}, ` +
    `longest task of the page ${large.longestTask} ms, longest frame ${large.longestFrame.toFixed(0)} ms; init ${large.init.toFixed(0)} ms, first chunk after ${large.first.toFixed(1)} ms`);
});
