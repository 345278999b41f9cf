// Does what the module's client says, one step after the other, and tells it what came of it.

import type { Bulk } from "../glue.js";
import { BulkError, FhirehoseError, fromModule } from "../errors.js";
import { loaded } from "../module.js";
import type { TypeCount } from "../export.js";
import { spelled } from "../plan.js";
import { Tally } from "../tally.js";
import type { BulkOptions, BulkProgress, BulkResult } from "./client.js";
import { attempt } from "./download.js";
import { call, Trouble, type Pair } from "./http.js";
import type { Incoming } from "./incoming.js";
import { stored } from "./parts.js";
import type { FetchStep, Receipt } from "./receipt.js";
import { countsOf, resultOf } from "./result.js";
import type { Token } from "./token.js";

interface SendStep {
  readonly id: number;
  readonly what: "kick-off" | "status" | "page" | "delete";
  readonly method: string;
  readonly url: string;
  readonly headers: readonly Pair[];
  readonly body: string | null;
  readonly withToken: boolean;
  readonly most: number;
}

type Step =
  | { readonly do: "remember"; readonly line: string; readonly sync: boolean }
  | { readonly do: "authorize" | "detached" | "done" }
  | ({ readonly do: "send" } & SendStep)
  | ({ readonly do: "fetch" } & FetchStep)
  | { readonly do: "wait"; readonly until: number | null }
  | { readonly do: "failed"; readonly code: string; readonly message: string; readonly resumable: boolean };

/** Longest time that a small answer may take, in milliseconds. */
const CALL = 300_000;
/** Time between two reports of progress, in milliseconds. */
const TOLD_EVERY = 100;
/** Most downloads at once. */
const PARALLEL = 6;
/** What begins the first line of a store: what was asked for. */
const SAVED = "fhirehose-bulk";

/** Milliseconds since 1970 that do not run backwards. */
const now = (): number => Math.floor(performance.timeOrigin + performance.now());

export class Driver {
  #options: BulkOptions;
  #bulk!: Bulk;
  #end = new AbortController();
  #token: string | undefined;
  #events: (() => void)[] = [];
  #wake = (): void => {};
  #broken: { error: unknown } | undefined;
  #tasks = new Set<Promise<void>>();
  #serial = now().toString(36);
  #came = { bytes: 0, lines: 0 };
  /** Files that have begun to come, while nobody fetches the rest. */
  #held = new Map<number, Incoming>();
  #tally = new Tally();
  #toldAt = 0;
  /** When it has ended, with the error that it has ended with. */
  #ended!: Promise<unknown>;

  constructor(options: BulkOptions) {
    this.#options = options;
  }

  /** Does the work while nobody else uses the store, and gives everything back. */
  async held<T>(work: () => Promise<T>): Promise<T> {
    const { store, signal } = this.#options;
    signal?.throwIfAborted();
    const release = await stored(async () => (store.lock === undefined ? () => {} : store.lock()));
    if (release === undefined) throw new FhirehoseError("begun", "another client uses this store");
    const stop = (): void => this.#breakOff(signal?.reason);
    signal?.addEventListener("abort", stop);
    let settle = (_error?: unknown): void => {};
    this.#ended = new Promise((resolve) => (settle = resolve));
    let failed: unknown;
    try {
      return await work();
    } catch (error) {
      failed = error;
      throw error;
    } finally {
      this.#end.abort(new DOMException("the client has ended", "AbortError"));
      await Promise.allSettled(this.#tasks);
      await Promise.allSettled([...this.#held.values()].map((incoming) => incoming.abandon()));
      signal?.removeEventListener("abort", stop);
      free(this.#bulk);
      release();
      settle(failed);
    }
  }

  async run(): Promise<BulkResult> {
    await this.#open();
    await this.#drive();
    const result = await resultOf(this.#bulk, this.#receipts(), this.#options.store);
    this.#tell(true, result.report.types);
    return result;
  }

  /** Cancels a run that is under way, and waits for its end. */
  async cancel(): Promise<void> {
    this.#happen(() => this.#bulk.cancel(now()));
    const error = await this.#ended;
    if (error instanceof BulkError && error.reason === "not-deleted") throw error;
    await stored(() => this.#options.store.clear());
  }

  /** Goes on with what was begun, only to end it. */
  async endExport(): Promise<void> {
    const { store } = this.#options;
    if ((await stored(() => store.read())).length > 1) {
      await this.#open();
      this.#bulk.cancel(now());
      await this.#drive().catch((error: unknown) => {
        if (!(error instanceof BulkError && error.reason === "cancelled")) throw error;
      });
    }
    await stored(() => store.clear());
  }

  /** Begins, or goes on with what the store holds. */
  async #open(): Promise<void> {
    const { Bulk } = loaded();
    const { store } = this.#options;
    const lines = await stored(() => store.read());
    const asked = askedOf(this.#options);
    const saved = lines[0] === undefined ? undefined : savedOf(lines[0]);
    if (saved !== undefined && lines.length > 1 && saved.asked !== asked) {
      throw new FhirehoseError("begun", "the store holds an export that was asked for otherwise: go on with its options, or clear the store");
    }
    const journal = lines.length > 1 ? `${lines.slice(1).join("\n")}\n` : undefined;
    // `ap` on dates measures from the instant at which the export was begun, also after a reload.
    const begunAt = journal === undefined ? new Date().toISOString() : (saved?.now ?? new Date().toISOString());
    try {
      this.#bulk = Bulk.open(optionsOf(this.#options, begunAt), journal, Math.random());
    } catch (thrown) {
      throw fromModule(thrown);
    }
    if (journal === undefined) {
      // What was begun before and asked nobody for anything leaves nothing behind.
      await stored(() => store.clear());
      await stored(() => store.append(JSON.stringify({ [SAVED]: 1, asked, now: begunAt }), true));
    }
    await this.#compare();
  }

  /** Holds the store against the receipts: what is gone is fetched again, what no receipt names goes. */
  async #compare(): Promise<void> {
    const { store } = this.#options;
    const names = new Set(await stored(() => store.names()));
    for (const { file, receipt } of this.#receipts()) {
      const isThere = await Promise.all(receipt.parts.map(async ({ name, bytes }) => (await stored(() => store.open(name)))?.size === bytes));
      if (!isThere.every(Boolean)) {
        this.#bulk.gone(file, now());
        continue;
      }
      receipt.parts.forEach(({ name }) => names.delete(name));
      this.#came.bytes += receipt.bytes;
      this.#came.lines += receipt.lines;
      this.#tally.set(file, countsOf(receipt));
    }
    for (const name of names) await stored(() => store.remove(name));
  }

  #receipts(): { file: number; receipt: Receipt }[] {
    const all = JSON.parse(this.#bulk.receipts()) as { file: number; receipt: string }[];
    return all.map(({ file, receipt }) => ({ file, receipt: JSON.parse(receipt) as Receipt }));
  }

  async #drive(): Promise<void> {
    for (;;) {
      if (this.#broken !== undefined) throw this.#broken.error;
      const step = this.#next();
      this.#tell(false);
      switch (step.do) {
        case "remember":
          await stored(() => this.#options.store.append(step.line, step.sync));
          break;
        case "authorize":
          this.#begin(() => this.#authorize());
          break;
        case "send":
          this.#begin(() => this.#send(step));
          break;
        case "fetch":
          this.#begin(() => this.#fetch(step));
          break;
        case "wait":
          await this.#wait(step.until);
          break;
        case "failed":
          throw this.#failure(step);
        default:
          return;
      }
    }
  }

  #failure({ code, message, resumable }: Extract<Step, { do: "failed" }>): BulkError {
    const facts = JSON.parse(this.#bulk.facts()) as { statusUrl: string | null; isDeleted: boolean };
    const isLeft = code === "cancelled" && facts.statusUrl !== null && !facts.isDeleted;
    return isLeft ? new BulkError("not-deleted", message, true) : new BulkError(code, this.#withHint(code, message), resumable);
  }

  #next(): Step {
    try {
      return JSON.parse(this.#bulk.next(now())) as Step;
    } catch (thrown) {
      throw fromModule(thrown);
    }
  }

  /** A task beside the loop. What it throws ends the client. */
  #begin(task: () => Promise<void>): void {
    const running = task().catch((error: unknown) => this.#breakOff(error));
    this.#tasks.add(running);
    void running.finally(() => this.#tasks.delete(running));
  }

  #breakOff(error: unknown): void {
    this.#broken ??= { error };
    this.#end.abort(error);
    this.#wake();
  }

  #happen(event: () => void): void {
    this.#events.push(event);
    this.#wake();
  }

  async #wait(until: number | null): Promise<void> {
    if (this.#events.length === 0 && this.#broken === undefined) {
      await new Promise<void>((resolve) => {
        // Timers hold no more than some 24 days.
        const wait = until === null ? undefined : Math.min(Math.max(until - now(), 0), 2 ** 31 - 1);
        const timer = wait === undefined ? undefined : setTimeout(resolve, wait);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#wake = () => {};
    }
    for (const event of this.#events.splice(0)) event();
  }

  async #authorize(): Promise<void> {
    try {
      const given = await (this.#options.token as NonNullable<BulkOptions["token"]>)(this.#end.signal);
      const { token, expiresIn }: Token = typeof given === "string" ? { token: given } : given;
      if (typeof token !== "string" || !/^[\x21-\x7e]+$/.test(token)) throw new FhirehoseError("token", "what the function gave is no token");
      const expires = expiresIn === undefined ? undefined : now() + expiresIn * 1000;
      this.#happen(() => {
        this.#token = token;
        this.#bulk.gotToken(expires, now());
      });
    } catch (error) {
      if (this.#end.signal.aborted) return;
      const why = error instanceof Error ? error.message : "the function failed";
      const again = (error as { again?: unknown } | null)?.again === true;
      this.#happen(() => this.#bulk.noToken(again, why, now()));
    }
  }

  async #send({ id, method, url, headers, body, withToken, most }: SendStep): Promise<void> {
    const { fetch = globalThis.fetch } = this.#options;
    try {
      const token = withToken ? this.#token : undefined;
      const got = await call(fetch, { method, url, headers, body, token }, most, this.#end.signal, CALL);
      this.#happen(() => this.#bulk.answered(id, got.status, JSON.stringify(got.headers), got.body, now()));
    } catch (error) {
      if (!(error instanceof Trouble)) throw error;
      this.#happen(() => this.#bulk.troubled(id, error.word, now()));
    }
  }

  async #fetch(step: FetchStep): Promise<void> {
    const { store, fetch = globalThis.fetch, stall = 60, ignoreCounts = false } = this.#options;
    const came = (bytes: number, lines: number): void => {
      this.#came.bytes += bytes;
      this.#came.lines += lines;
      this.#tell(false);
    };
    const counted = (types: readonly TypeCount[]): void => this.#tally.set(step.file, types);
    const around = { fetch, store, signal: this.#end.signal, token: this.#token, stall: stall * 1000, ignoreCounts, serial: this.#serial, came, counted };
    const before = this.#held.get(step.file);
    this.#held.delete(step.file);
    const ended = await attempt(this.#bulk, step, before, around);
    if ("receipt" in ended) {
      counted(countsOf(ended.receipt));
      // Of what has ended is told at once.
      this.#toldAt = 0;
      this.#happen(() => this.#bulk.fetched(step.file, JSON.stringify(ended.receipt), now()));
      return;
    }
    const isHeld = await this.#hold(step.file, ended.held);
    this.#happen(() => {
      if ("trouble" in ended) this.#bulk.missed(step.file, ended.trouble, isHeld && ended.progress, now());
      else this.#bulk.refused(step.file, ended.got.status, JSON.stringify(ended.got.headers), ended.got.body, now());
    });
  }

  /** Keeps what has come of a file. Each takes memory: where very many connections break, files begin anew instead. */
  async #hold(file: number, incoming: Incoming | undefined): Promise<boolean> {
    if (incoming !== undefined && this.#held.size < 2 * (this.#options.parallel ?? PARALLEL)) {
      this.#held.set(file, incoming);
      return true;
    }
    this.#tally.remove(file);
    await incoming?.abandon();
    return false;
  }

  #tell(isOver: boolean, types?: readonly TypeCount[]): void {
    const { onProgress } = this.#options;
    if (onProgress === undefined || (!isOver && now() - this.#toldAt < TOLD_EVERY)) return;
    this.#toldAt = now();
    const phase = JSON.parse(this.#bulk.phase()) as { phase: string; said?: string | null; next?: number | null; done?: number; isComplete?: boolean };
    onProgress({
      phase: isOver ? "done" : phase.phase === "over" ? "deleting" : (phase.phase as BulkProgress["phase"]),
      ...(typeof phase.said === "string" ? { said: phase.said } : {}),
      ...(typeof phase.next === "number" ? { next: new Date(phase.next) } : {}),
      files: this.#bulk.fileCount(),
      done: isOver ? this.#bulk.fileCount() : (phase.done ?? 0),
      isComplete: isOver || phase.isComplete === true,
      ...this.#came,
      types: types ?? this.#tally.types(),
    });
  }

  /** Browsers do not say why nothing came; often it is that the server does not know this page. */
  #withHint(code: string, message: string): string {
    const origin = (globalThis as { location?: { origin?: string } }).location?.origin;
    const isForeign = origin !== undefined && !`${this.#options.base}/`.startsWith(`${origin}/`);
    if (!isForeign || !["unreachable", "no-status-url"].includes(code)) return message;
    return `${message}; in a browser the server has to allow pages of ${origin} (CORS), and let them read its headers`;
  }
}

function free(bulk: Bulk | undefined): void {
  try {
    bulk?.free();
  } catch {
    // A module that has stopped gives nothing back.
  }
}

/** What is asked for, without what may change from one page to the next: credentials and patience. */
function askedOf(options: BulkOptions): string {
  const { base, level, request, enforce, lenient, partial, method, parameters } = options;
  return JSON.stringify([base, level ?? "patient", { ...request, ...spelled(request ?? {}) }, enforce ?? "auto", lenient === true, partial === true, method ?? null, parameters ?? {}]);
}

function savedOf(line: string): { asked: string; now: string } | undefined {
  try {
    const saved = JSON.parse(line) as Record<string, unknown>;
    return saved[SAVED] === 1 ? (saved as { asked: string; now: string }) : undefined;
  } catch {
    return undefined;
  }
}

/** The options as the module reads them. */
function optionsOf(options: BulkOptions, begunAt: string): string {
  const { base, level, request = {}, enforce, token, tokenOrigins, parallel, keepJob, lenient, partial, method, parameters, ignoreCounts, timeout, patience } = options;
  return JSON.stringify({
    base: base.replace(/\/+$/, ""),
    level: typeof level === "string" ? level : undefined,
    group: typeof level === "object" ? level.group : undefined,
    request: { now: begunAt, ...request, ...spelled(request) },
    enforce,
    hasToken: token !== undefined,
    tokenOrigins,
    parallel: parallel ?? PARALLEL,
    keepJob,
    lenient,
    partial,
    method,
    parameters,
    ignoreCounts,
    deadline: timeout === undefined ? undefined : Math.floor(now() + timeout * 1000),
    ...patience,
  });
}
