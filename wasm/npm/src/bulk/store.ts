// Where a bulk client keeps what it has fetched and how far it is, so that it can go on after a reload.

import { FhirehoseError } from "../errors.js";
import type { Bytes } from "../export.js";

/** A file of a store while it is written. */
export interface PartWriter {
  write(bytes: Bytes): Promise<void>;
  /** When this has ended, the file is there, and stays. */
  close(): Promise<void>;
  /** Nothing of it stays. */
  abort(): Promise<void>;
}

/**
 * What a client needs of a place that outlives it. `memoryStore`, `opfsStore` and `indexedDbStore` make some; you may bring
 * your own. Records lie in it as they are: it has to be a place where they may lie.
 */
export interface BulkStore {
  /** The lines that have been appended, the first one first. */
  read(): Promise<string[]>;
  /** Adds a line; `sync`: when this has ended, the line survives a loss of power. Lines hold URLs that may be signed; no token, no record. */
  append(line: string, sync: boolean): Promise<void>;
  /** Begins a file. */
  create(name: string): Promise<PartWriter>;
  /** A complete file. */
  open(name: string): Promise<Blob | undefined>;
  /** The names of all files. */
  names(): Promise<string[]>;
  remove(name: string): Promise<void>;
  /** Forgets everything. */
  clear(): Promise<void>;
  /** Held while a client runs; `undefined`: another one holds it. */
  lock?(): Promise<(() => void) | undefined>;
}

/** Whether an export was begun with a store that has not been cleared since. */
export async function hasBegun(store: BulkStore): Promise<boolean> {
  return (await store.read()).length > 1;
}

/** A store that ends with the page; browsers put large Blobs on disk. */
export function memoryStore(): BulkStore {
  let lines: string[] = [];
  const parts = new Map<string, Blob>();
  let isHeld = false;
  return {
    read: async () => [...lines],
    append: async (line) => void lines.push(line),
    create: async (name) => gathering(async (blob) => void parts.set(name, blob)),
    open: async (name) => parts.get(name),
    names: async () => [...parts.keys()],
    remove: async (name) => void parts.delete(name),
    clear: async () => {
      lines = [];
      parts.clear();
    },
    lock: async () => {
      if (isHeld) return undefined;
      isHeld = true;
      return () => void (isHeld = false);
    },
  };
}

/** A store of that name in the files of this origin (Origin Private File System); what it holds survives reloads and restarts. */
export async function opfsStore(name: string): Promise<BulkStore> {
  const root = globalThis.navigator?.storage?.getDirectory;
  if (typeof root !== "function") throw new FhirehoseError("save", "there are no files of this origin here; indexedDbStore or memoryStore may do");
  const top = await navigator.storage.getDirectory();
  const folder = await (await top.getDirectoryHandle("fhirehose", { create: true })).getDirectoryHandle(fileName(name), { create: true });
  const journal = await Journal.open(name);
  const isMissing = (error: unknown): undefined => {
    if (error instanceof DOMException && error.name === "NotFoundError") return undefined;
    throw error;
  };
  const names = async (): Promise<string[]> => {
    const found: string[] = [];
    // Not every TypeScript library knows that folders are iterable.
    for await (const key of (folder as unknown as { keys(): AsyncIterable<string> }).keys()) found.push(key);
    return found;
  };
  const remove = async (part: string): Promise<void> => folder.removeEntry(part).catch(isMissing);
  return {
    ...journal.door(),
    create: async (part) => {
      const handle = await folder.getFileHandle(part, { create: true });
      const writable = await handle.createWritable();
      return {
        write: (bytes) => writable.write(bytes),
        close: () => writable.close(),
        abort: async () => {
          await writable.abort().catch(() => {});
          await remove(part);
        },
      };
    },
    open: async (part) => (await folder.getFileHandle(part).catch(isMissing))?.getFile(),
    names,
    remove,
    clear: async () => {
      await journal.clear();
      for (const part of await names()) await remove(part);
    },
  };
}

/** A store of that name in a database of this origin, for browsers whose files of the origin cannot be written from a page. */
export async function indexedDbStore(name: string): Promise<BulkStore> {
  const journal = await Journal.open(name);
  return {
    ...journal.door(),
    create: async (part) => gathering((blob) => journal.put(part, blob)),
    open: (part) => journal.get(part),
    names: () => journal.names(),
    remove: (part) => journal.remove(part),
    clear: () => journal.clear(),
  };
}

/** Names as files may have them everywhere. */
function fileName(name: string): string {
  if (!/^[\w-]{1,80}$/.test(name)) throw new FhirehoseError("argument", "the name of a store has 1 to 80 letters, digits, - and _");
  return name;
}

/** Bytes that are gathered before a Blob takes them. */
const GATHERED = 8 << 20;

function gathering(done: (blob: Blob) => Promise<void>): PartWriter {
  let parts: BlobPart[] = [];
  let waiting: BlobPart[] = [];
  let size = 0;
  return {
    write: async (bytes) => {
      waiting.push(bytes);
      size += bytes.length;
      if (size < GATHERED) return;
      parts.push(new Blob(waiting));
      waiting = [];
      size = 0;
    },
    close: () => done(new Blob([...parts, ...waiting], { type: "application/fhir+ndjson" })),
    abort: async () => {
      parts = waiting = [];
    },
  };
}

const LINES = "lines";
const PARTS = "parts";

/** Lines, and files where they lie here too, in a database. */
class Journal {
  #name: string;
  #database: IDBDatabase;

  private constructor(name: string, database: IDBDatabase) {
    this.#name = name;
    this.#database = database;
    // Another page that wants the database gone shall not wait for this one.
    database.onversionchange = () => database.close();
  }

  static async open(name: string): Promise<Journal> {
    if (typeof indexedDB === "undefined") throw new FhirehoseError("save", "there is no database of this origin here; memoryStore may do");
    const request = indexedDB.open(`fhirehose-${fileName(name)}`, 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore(LINES, { autoIncrement: true });
      request.result.createObjectStore(PARTS);
    };
    return new Journal(name, await answered(request));
  }

  door(): Pick<BulkStore, "read" | "append" | "lock"> {
    return {
      read: () => answered(this.#of(LINES).getAll() as IDBRequest<string[]>),
      append: (line, sync) => this.#change(LINES, (lines) => lines.add(line), sync),
      lock: () => lock(`fhirehose-${this.#name}`),
    };
  }

  put(name: string, blob: Blob): Promise<void> {
    return this.#change(PARTS, (parts) => parts.put(blob, name), true);
  }

  get(name: string): Promise<Blob | undefined> {
    return answered(this.#of(PARTS).get(name) as IDBRequest<Blob | undefined>);
  }

  names(): Promise<string[]> {
    return answered(this.#of(PARTS).getAllKeys() as IDBRequest<string[]>);
  }

  remove(name: string): Promise<void> {
    return this.#change(PARTS, (parts) => parts.delete(name), false);
  }

  async clear(): Promise<void> {
    await this.#change(LINES, (lines) => lines.clear(), true);
    await this.#change(PARTS, (parts) => parts.clear(), true);
  }

  #of(store: string): IDBObjectStore {
    return this.#database.transaction(store).objectStore(store);
  }

  async #change(store: string, make: (store: IDBObjectStore) => unknown, sync: boolean): Promise<void> {
    const transaction = this.#database.transaction(store, "readwrite", { durability: sync ? "strict" : "relaxed" });
    make(transaction.objectStore(store));
    await new Promise<void>((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error ?? new DOMException("the transaction was aborted", "AbortError"));
    });
  }
}

function answered<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error as DOMException);
  });
}

/** A lock of this origin, over all its pages; where there are no locks nobody is kept out. */
async function lock(name: string): Promise<(() => void) | undefined> {
  const locks = globalThis.navigator?.locks;
  if (locks === undefined) return () => {};
  return new Promise((resolve, reject) => {
    const held = locks.request(name, { ifAvailable: true }, (granted) => {
      if (granted === null) return resolve(undefined);
      return new Promise<void>((release) => resolve(release));
    });
    held.catch(reject);
  });
}
