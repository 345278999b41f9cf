// One attempt at a file: asks for it, or for the rest of it, and hands what comes to what reads it.

import type { Bulk } from "../glue.js";
import { chunksOf, open, Patience, small, statusOf, Trouble, type Got } from "./http.js";
import { Incoming } from "./incoming.js";
import type { FetchStep, Receipt, Surroundings } from "./receipt.js";

/** How an attempt ended. `held`: what came of the file, where the rest of it may be asked for; `progress`: some of that came by now. */
export type Ended =
  | { readonly receipt: Receipt }
  | { readonly got: Got; readonly held: Incoming | undefined }
  | { readonly trouble: string; readonly held: Incoming | undefined; readonly progress: boolean };

/** What a file of a bulk export is never. */
const OTHER_MEDIA = /^(text\/html|application\/xhtml|image\/|multipart\/)/i;
/** So often another origin may not answer when it is asked for the rest: a browser does not say whether it would not even ask. */
const MOST_UNANSWERED = 2;

/** Makes an attempt. `held`: what an earlier one left. */
export async function attempt(bulk: Bulk, step: FetchStep, held: Incoming | undefined, around: Surroundings): Promise<Ended> {
  const patience = new Patience(around.signal, around.stall);
  const token = step.withToken ? around.token : undefined;
  let incoming: Incoming | undefined = held;
  let before = held?.received ?? 0;
  let isAnswered = false;
  try {
    const headers = [["Accept", "application/fhir+ndjson"] as const, ...(held?.rest() ?? [])];
    const response = await open(around.fetch, { method: "GET", url: step.url, headers, token }, patience);
    patience.again();
    isAnswered = true;
    const status = statusOf(response);
    if (status !== 206 && status !== 200 && !(status === 416 && held !== undefined)) {
      return { got: await small(response, Number.MAX_SAFE_INTEGER, token, patience), held };
    }
    if (held !== undefined && !(status === 206 && held.goesOnWith(response))) {
      await held.abandon();
      incoming = undefined;
      before = 0;
    }
    if (incoming === undefined) {
      // The rest of something else, or of nothing: the next attempt asks for the whole.
      if (status !== 200) throw new Trouble("broken");
      if (OTHER_MEDIA.test(response.headers.get("content-type") ?? "")) throw new Trouble("media");
      incoming = new Incoming(bulk, step, response, around);
    }
    for await (const bytes of chunksOf(response, patience)) {
      patience.again();
      await incoming.push(bytes, patience);
    }
    return { receipt: await incoming.end(patience) };
  } catch (error) {
    if (incoming !== undefined && !isAnswered && incoming.isForeign) incoming.unanswered++;
    const isHeld = error instanceof Trouble && incoming?.canGoOn === true && incoming.unanswered < MOST_UNANSWERED;
    const rest = isHeld ? incoming : undefined;
    if (rest === undefined) await incoming?.abandon();
    if (!(error instanceof Trouble)) throw error;
    return { trouble: error.word, held: rest, progress: rest !== undefined && rest.received > before };
  } finally {
    patience.end();
  }
}
