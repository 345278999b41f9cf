// The WebAssembly module: loaded once, by explicit call, from wherever the entry or the user says.

import * as glue from "./glue.js";
import { FhirehoseError, fromModule } from "./errors.js";

/** Where the WebAssembly file comes from. */
export type Source = string | URL | Request | Response | PromiseLike<Response> | ArrayBuffer | ArrayBufferView | WebAssembly.Module;

/** Versions of FHIR: R4 with US Core, R4B, R5. */
export type FhirVersion = "4.0" | "4.3" | "5.0";

let loading: Promise<void> | undefined;
let compiled: WebAssembly.Module | undefined;
const tables = new Map<FhirVersion, Uint8Array>();

/** The glue, once the module is there. @internal */
export function loaded(): typeof glue {
  if (compiled === undefined) {
    throw new FhirehoseError("not-initialised", "call init() first, and wait for it");
  }
  return glue;
}

/** What a worker needs to have the same. @internal */
export function shared(): { module: WebAssembly.Module; tables: [FhirVersion, Uint8Array][] } {
  loaded();
  return { module: compiled as WebAssembly.Module, tables: [...tables] };
}

/** Loads the module; a second call waits for the first, and after a failure it may be called again. */
export function load(source: () => Source | PromiseLike<Source>): Promise<void> {
  loading ??= (async () => {
    try {
      start(await moduleOf(await source()));
    } catch (error) {
      loading = undefined;
      throw error instanceof FhirehoseError ? error : unloadable(error);
    }
  })();
  return loading;
}

/** Makes the module ready from its bytes, at once. Browsers do that on the main thread for small modules only. */
export function initSync(source: ArrayBuffer | ArrayBufferView | WebAssembly.Module): void {
  if (compiled !== undefined) return;
  try {
    start(source instanceof WebAssembly.Module ? source : new WebAssembly.Module(source as BufferSource));
  } catch (error) {
    throw error instanceof FhirehoseError ? error : unloadable(error);
  }
  loading = Promise.resolve();
}

function start(module: WebAssembly.Module): void {
  if (compiled !== undefined) return;
  glue.initSync({ module });
  compiled = module;
}

function unloadable(cause: unknown): FhirehoseError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new FhirehoseError("load", `the WebAssembly module cannot be loaded: ${why}`, [], { cause });
}

async function moduleOf(source: Source): Promise<WebAssembly.Module> {
  if (source instanceof WebAssembly.Module) return source;
  if (source instanceof ArrayBuffer || ArrayBuffer.isView(source)) return WebAssembly.compile(source as BufferSource);
  const isAddress = typeof source === "string" || source instanceof URL || source instanceof Request;
  const response = isAddress ? await fetch(source) : await source;
  return compileResponse(response);
}

/** Compiled while it comes in where the media type allows it; servers that know no `application/wasm` do no harm. */
async function compileResponse(response: Response): Promise<WebAssembly.Module> {
  if (!(response instanceof Response)) throw new FhirehoseError("argument", "init takes an address, a response, bytes or a module");
  if (!response.ok) throw new FhirehoseError("load", `the server answers ${response.status} for the WebAssembly file`);
  const type = response.headers.get("content-type") ?? "";
  if (typeof WebAssembly.compileStreaming === "function" && /^application\/wasm\b/i.test(type)) {
    return WebAssembly.compileStreaming(response);
  }
  return WebAssembly.compile(await response.arrayBuffer());
}

/** Takes in the tables of a version of FHIR. */
export function takeTables(version: FhirVersion, bytes: Uint8Array): void {
  try {
    loaded().loadTables(version, bytes);
  } catch (thrown) {
    throw fromModule(thrown);
  }
  tables.set(version, bytes);
}

/** Fetches tables, unless they are there. */
export async function fetchTables(version: FhirVersion, source: () => Source | PromiseLike<Source>): Promise<void> {
  if (loaded().hasTables(version)) return;
  takeTables(version, await bytesOf(await source()));
}

async function bytesOf(source: Source): Promise<Uint8Array> {
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  if (ArrayBuffer.isView(source)) return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
  if (source instanceof WebAssembly.Module) throw new FhirehoseError("argument", "tables are text, no module");
  const isAddress = typeof source === "string" || source instanceof URL || source instanceof Request;
  const response = isAddress ? await fetch(source) : await source;
  if (!response.ok) throw new FhirehoseError("tables", `the server answers ${response.status} for the tables`);
  return new Uint8Array(await response.arrayBuffer());
}
