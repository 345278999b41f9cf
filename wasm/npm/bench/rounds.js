// The rounds of the bench: every way once a round, so that a busy machine is busy for all of them; the best time counts.

import { plain } from "./plain.js";

const CHUNK = 64 << 10;
const REQUEST = { typeFilter: "Observation?category=laboratory&date=ge2015-01-01" };

/** Kept lines, kept bytes and milliseconds of each way. */
export async function rounds(api, data, count) {
  const plan = api.compile(REQUEST);
  const chunks = [];
  for (let at = 0; at < data.length; at += CHUNK) chunks.push(data.subarray(at, at + CHUNK));
  const ways = {
    "plain, every line parsed": () => byHand(plain(false), chunks),
    "plain, looked at first": () => byHand(plain(true), chunks),
    "fhirehose, Export": () => pushed(new api.Export(plan), chunks),
    "fhirehose, exportStream": () => streamed(api, plan, chunks),
  };
  const best = {};
  for (let round = 0; round < count; round++) {
    for (const [name, way] of Object.entries(ways)) {
      const start = performance.now();
      const { kept, bytes } = await way();
      const took = performance.now() - start;
      const known = (best[name] ??= { kept, bytes, milliseconds: took });
      if (known.kept !== kept || known.bytes !== bytes) throw new Error(`${name}: other counts than before`);
      known.milliseconds = Math.min(known.milliseconds, took);
    }
  }
  const counts = new Set(Object.values(best).map(({ kept, bytes }) => `${kept} ${bytes}`));
  if (counts.size > 1) throw new Error(`the counts differ: ${JSON.stringify(best)}`);
  plan.free();
  return best;
}

function byHand(filter, chunks) {
  let bytes = 0;
  for (const chunk of chunks) for (const line of filter.push(chunk)) bytes += line.length;
  const { kept, out } = filter.finish();
  for (const line of out) bytes += line.length;
  return { kept, bytes };
}

function pushed(run, chunks) {
  let bytes = 0;
  for (const chunk of chunks) for (const given of run.push(chunk)) bytes += given.bytes.length;
  const last = run.finish();
  for (const given of last.chunks) bytes += given.bytes.length;
  return { kept: last.report.kept, bytes };
}

async function streamed(api, plan, chunks) {
  let next = 0;
  const source = new ReadableStream({
    pull(controller) {
      if (next < chunks.length) controller.enqueue(chunks[next++]);
      else controller.close();
    },
  });
  const stream = api.exportStream(plan);
  const reader = source.pipeThrough(stream).getReader();
  let bytes = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    bytes += value.bytes.length;
  }
  return { kept: (await stream.report).kept, bytes };
}
