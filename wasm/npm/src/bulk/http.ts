// HTTP as the client speaks it: nothing without an end, no more bytes than wanted, redirects by hand where that can be done.

/** A header's name and its value. */
export type Pair = readonly [string, string];

/** Why there is no answer, or no whole one: one of the client's words. */
export class Trouble extends Error {
  constructor(readonly word: string, options?: { cause?: unknown }) {
    super(word, options);
    this.name = "Trouble";
  }
}

/** An answer with its body. */
export interface Got {
  readonly status: number;
  readonly headers: readonly Pair[];
  readonly body: Uint8Array;
}

export interface Request {
  readonly method: string;
  readonly url: string;
  readonly headers: readonly Pair[];
  readonly body?: string | null;
  readonly token?: string | undefined;
}

/** Most bytes of the text of a refusal. */
const MOST_OF_REFUSAL = 256 << 10;

/** Ends a request from outside, or when nothing has come for too long. */
export class Patience {
  #controller = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #milliseconds: number;
  #signal: AbortSignal;
  #stop = (): void => this.#controller.abort(this.#signal.reason);
  #waiting = new Set<(reason: unknown) => void>();
  hasRunOut = false;

  constructor(signal: AbortSignal, milliseconds: number) {
    this.#signal = signal;
    this.#milliseconds = milliseconds;
    this.signal.addEventListener("abort", () => this.#waiting.forEach((reject) => reject(this.signal.reason)));
    if (signal.aborted) this.#stop();
    signal.addEventListener("abort", this.#stop);
    this.again();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Something has come. */
  again(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.hasRunOut = true;
      this.#controller.abort();
    }, this.#milliseconds);
  }

  /** Waits for something, but no longer than there is patience: not every engine ends what is aborted. */
  async wait<T>(what: Promise<T>): Promise<T> {
    let giveUp!: (reason: unknown) => void;
    try {
      return await new Promise<T>((resolve, reject) => {
        giveUp = reject;
        this.#waiting.add(reject);
        if (this.signal.aborted) reject(this.signal.reason);
        what.then(resolve, reject);
      });
    } finally {
      this.#waiting.delete(giveUp);
    }
  }

  /** It has ended; a body that is still coming is no longer wanted. */
  end(): void {
    clearTimeout(this.#timer);
    this.#signal.removeEventListener("abort", this.#stop);
    this.#controller.abort();
  }

  /** What is thrown for an error of `fetch`: a trouble, or the reason that the caller gave. */
  told(error: unknown, word: string): unknown {
    if (this.#signal.aborted) return this.#signal.reason;
    if (error instanceof Trouble) return error;
    return new Trouble(this.hasRunOut ? "timeout" : word, { cause: error });
  }
}

/**
 * Sends a request; the head of the answer comes back. Browsers do not say where a redirect leads to: there a GET is sent once
 * more and follows it. They take the token away where that leaves the origin.
 */
export async function open(fetch: typeof globalThis.fetch, request: Request, patience: Patience): Promise<Response> {
  const headers = new Headers(request.headers.map(([name, value]) => [name, value] as [string, string]));
  if (request.token !== undefined) headers.set("Authorization", `Bearer ${request.token}`);
  const init: RequestInit = {
    method: request.method,
    headers,
    body: request.body ?? null,
    credentials: "omit",
    // Records do not belong into the cache of a browser.
    cache: "no-store",
    referrerPolicy: "no-referrer",
    signal: patience.signal,
  };
  try {
    const response = await patience.wait(fetch(request.url, { ...init, redirect: "manual" }));
    if (response.type !== "opaqueredirect" || request.method !== "GET") return response;
    const followed = await patience.wait(fetch(request.url, { ...init, redirect: "follow" }));
    if (request.url.startsWith("https:") && !followed.url.startsWith("https:")) throw new Trouble("tls");
    return followed;
  } catch (error) {
    throw patience.told(error, "connect");
  }
}

/** Sends a request and reads a small answer. */
export async function call(fetch: typeof globalThis.fetch, request: Request, most: number, signal: AbortSignal, milliseconds: number): Promise<Got> {
  const patience = new Patience(signal, milliseconds);
  try {
    const response = await open(fetch, request, patience);
    return await small(response, most, request.token, patience);
  } finally {
    patience.end();
  }
}

/** The status of an answer. Of a redirect that browsers do not show it is not known. */
export function statusOf(response: Response): number {
  return response.type === "opaqueredirect" ? 307 : response.status;
}

/** A body as it comes. Throws a trouble where it breaks off, or nothing comes for too long. */
export async function* chunksOf(response: Response, patience: Patience): AsyncGenerator<Uint8Array> {
  const reader = (response.body ?? new Blob().stream()).getReader();
  try {
    for (;;) {
      const { done, value } = await patience.wait(reader.read());
      if (done) return;
      yield value;
    }
  } catch (error) {
    throw patience.told(error, "broken");
  } finally {
    // Nobody waits: a body that hangs may hang here too.
    reader.cancel().catch(() => {});
  }
}

/** Reads a small body. A refusal is one however long its text is, and wherever that breaks off. */
export async function small(response: Response, most: number, token: string | undefined, patience: Patience): Promise<Got> {
  const status = statusOf(response);
  const isRefusal = status >= 300;
  const limit = isRefusal ? Math.min(most, MOST_OF_REFUSAL) : most;
  const parts: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const part of chunksOf(response, patience)) {
      if (size + part.length > limit) {
        if (isRefusal) break;
        throw new Trouble("too-large");
      }
      parts.push(part);
      size += part.length;
    }
  } catch (error) {
    if (!isRefusal || !(error instanceof Trouble)) throw error;
  }
  const body = joined(parts, size);
  return { status, headers: [...response.headers], body: status === 200 || token === undefined ? body : masked(body, token) };
}

function joined(parts: readonly Uint8Array[], size: number): Uint8Array {
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** A server that repeats the token in what it says of an error shall not have it shown. */
function masked(body: Uint8Array, token: string): Uint8Array {
  const text = new TextDecoder().decode(body);
  return text.includes(token) ? new TextEncoder().encode(text.replaceAll(token, "***")) : body;
}
