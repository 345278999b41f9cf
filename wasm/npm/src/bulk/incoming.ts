// A file that has begun to come: read once, from its first byte to its last, however many answers these come in.

import type { Bulk, Download, Sum } from "../glue.js";
import { FhirehoseError } from "../errors.js";
import type { TypeCount } from "../export.js";
import { gunzipped } from "../gunzip.js";
import { loaded } from "../module.js";
import { isDue } from "../tally.js";
import { base64 } from "./base64.js";
import { Feed } from "./feed.js";
import { Trouble, type Pair, type Patience } from "./http.js";
import { freed, guarded, Parts, PIECE } from "./parts.js";
import type { FetchStep, Receipt, Surroundings } from "./receipt.js";

/**
 * Whether the body of an answer is what was sent, byte for byte: no coding was undone on the way. Answers of another origin may
 * hide that there was one; they count where they show that they do not.
 */
export function isAsSent({ headers, type }: Response): boolean {
  if ((headers.get("content-encoding") ?? "identity").toLowerCase() !== "identity") return false;
  if (type !== "cors") return true;
  const shown = (headers.get("access-control-expose-headers") ?? "").toLowerCase().split(",").map((name) => name.trim());
  return shown.includes("*") || shown.includes("content-encoding");
}

/** What an answer says of the file. */
interface Said {
  /** A strong tag, where the rest may be asked for. */
  readonly tag: string | undefined;
  readonly digest: string | undefined;
  readonly announced: number | undefined;
  readonly isAsSent: boolean;
  readonly isForeign: boolean;
}

function saidBy(response: Response): Said {
  const { headers, type } = response;
  const length = headers.get("content-length");
  const asSent = isAsSent(response);
  const tag = headers.get("etag") ?? undefined;
  const hasRanges = asSent && headers.get("accept-ranges")?.toLowerCase() !== "none";
  // RFC 9530.
  const fields = [headers.get("repr-digest"), headers.get("content-digest")].join(",");
  const digest = /(?:^|,)\s*sha-256=:([A-Za-z0-9+/=]+):/i.exec(fields)?.[1];
  return {
    tag: hasRanges && tag?.startsWith('"') === true ? tag : undefined,
    digest: asSent ? digest : undefined,
    announced: length === null ? undefined : Number(length),
    isAsSent: asSent,
    isForeign: type === "cors",
  };
}

/** A reader, and what it has been given. */
export class Incoming {
  /** Attempts to go on that nobody answered. */
  unanswered = 0;
  #step: FetchStep;
  #around: Surroundings;
  #said: Said;
  #received = 0;
  /** Bytes that there are in all, as soon as this is known. */
  #total: number | undefined;
  #sum: Sum | undefined;
  #parts: Parts;
  #feed = new Feed();
  #receipt: Promise<Receipt>;
  #isOver = false;

  /** Begins to read what an answer brings. */
  constructor(bulk: Bulk, step: FetchStep, response: Response, around: Surroundings) {
    const download = guarded(() => bulk.download(step.file, step.count ?? undefined));
    this.#step = step;
    this.#around = around;
    this.#said = saidBy(response);
    this.#total = this.#said.isAsSent ? this.#said.announced : undefined;
    this.#sum = this.#said.digest === undefined ? undefined : new (loaded().Sum)();
    this.#parts = new Parts(around.store, `${String(step.file).padStart(6, "0")}.${around.serial}.${step.attempt}`);
    this.#receipt = this.#read(download);
    // It may fail while nobody waits for it.
    this.#receipt.catch(() => {});
  }

  get received(): number {
    return this.#received;
  }

  /** Whether the rest may be asked for: the bytes are known to be those of the server, and what they belong to has a name. */
  get canGoOn(): boolean {
    return !this.#isOver && this.#said.tag !== undefined;
  }

  get isForeign(): boolean {
    return this.#said.isForeign;
  }

  /** Headers that ask for the rest. Browsers would ask another origin beforehand whether it takes an `If-Range`: there the tag is compared here. */
  rest(): Pair[] {
    const range: Pair = ["Range", `bytes=${this.#received}-`];
    return this.isForeign ? [range] : [range, ["If-Range", this.#said.tag as string]];
  }

  /** Whether an answer is the rest, or a piece of it: from the same place, of the same whole. */
  goesOnWith(response: Response): boolean {
    const { headers } = response;
    const [, first, whole] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers.get("content-range") ?? "") ?? [];
    const tag = headers.get("etag");
    const isSame = tag === this.#said.tag || (tag === null && !this.isForeign);
    const total = whole === undefined || whole === "*" ? undefined : Number(whole);
    const known = this.#total ?? total;
    if (!this.canGoOn || Number(first) !== this.#received || !isSame || known === undefined || (total ?? known) !== known || !isAsSent(response)) return false;
    this.#total = known;
    return true;
  }

  /** Takes the next bytes; waits until the reader has them. Where that has ended early, says why. */
  async push(bytes: Uint8Array, patience: Patience): Promise<void> {
    this.#received += bytes.length;
    this.#sum?.add(bytes);
    await this.#give(bytes, patience);
  }

  /** The body of an answer has ended: gives the receipt, if that was all. */
  async end(patience: Patience): Promise<Receipt> {
    // A part may be shorter than what was asked for: its end is not that of the file.
    if (this.#total !== undefined && this.#received < this.#total) throw new Trouble("broken");
    this.#isOver = true;
    if (this.#total !== undefined && this.#received > this.#total) throw new Trouble("length");
    await this.#give(undefined, patience);
    const receipt = await patience.wait(this.#receipt);
    this.#refuseOther(receipt);
    this.#forget();
    const names = await this.#parts.close();
    return { ...receipt, parts: receipt.parts.map((part, index) => ({ ...part, name: names[index] as string })) };
  }

  /** It is not wanted any more: nothing of it stays. */
  async abandon(): Promise<void> {
    this.#isOver = true;
    this.#feed.break(new Trouble("broken"));
    await this.#receipt.catch(() => {});
    await this.#parts.abort();
    this.#forget();
  }

  #forget(): void {
    freed(this.#sum);
    this.#sum = undefined;
  }

  async #give(bytes: Uint8Array | undefined, patience: Patience): Promise<void> {
    try {
      await patience.wait(this.#feed.give(bytes));
    } catch (error) {
      throw patience.signal.aborted ? patience.told(error, "broken") : error;
    }
  }

  async #read(download: Download): Promise<Receipt> {
    try {
      let lines = 0;
      const due = isDue();
      for await (const bytes of content(this.#feed)) {
        for (let from = 0; from < bytes.length; from += PIECE) {
          const piece = bytes.subarray(from, from + PIECE);
          await this.#parts.take(download, guarded(() => download.push(piece)));
        }
        this.#around.came(bytes.length, download.lines() - lines);
        lines = download.lines();
        if (due()) this.#around.counted(JSON.parse(download.counts()) as TypeCount[]);
      }
      await this.#parts.take(download, guarded(() => download.finish()));
      return JSON.parse(download.receipt()) as Receipt;
    } catch (error) {
      this.#feed.break(error);
      throw error;
    } finally {
      this.#isOver = true;
      freed(download);
    }
  }

  /** The size by the manifest is of the file as it is stored, or of its lines; what browsers have inflated may not tell. */
  #refuseOther({ bytes: plain }: Receipt): void {
    const { size } = this.#step;
    const { digest, announced, isAsSent: asSent } = this.#said;
    const wire = asSent ? this.#received : announced;
    const sizes = [plain, this.#received, wire];
    if (size !== null && !this.#around.ignoreCounts && wire !== undefined && !sizes.includes(size)) throw new Trouble("length");
    if (digest !== undefined && this.#sum !== undefined && digest !== base64(this.#sum.value())) throw new Trouble("checksum");
  }
}

/** The bytes of a file, inflated: what the server calls gzip the browser has inflated; what is stored so begins like it. */
async function* content(feed: Feed): AsyncGenerator<Uint8Array> {
  const first: Uint8Array[] = [];
  let head: number[] = [];
  while (head.length < 2) {
    const piece = await feed.take();
    if (piece === undefined) break;
    first.push(piece);
    head = [...head, ...piece.subarray(0, 2)];
  }
  const next = async (): Promise<Uint8Array | undefined> => first.shift() ?? feed.take();
  if (head[0] !== 0x1f || head[1] !== 0x8b) {
    for (let piece = await next(); piece !== undefined; piece = await next()) yield piece;
    return;
  }
  const packed = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const piece = await next();
      if (piece === undefined) controller.close();
      else controller.enqueue(piece);
    },
  }, { highWaterMark: 0 });
  try {
    yield* gunzipped(packed, "a file");
  } catch (error) {
    if (error instanceof FhirehoseError && error.code === "gzip") throw new Trouble("coding", { cause: error });
    throw error;
  }
}
