// Where chunks go: Blobs, a folder on disk, a ZIP file.

import { FhirehoseError } from "./errors.js";
import type { Chunk, FileKind, Report } from "./export.js";
import { each, endingOf, type Ending } from "./stream.js";
import { zipped } from "./zip.js";

/** A complete file. */
export interface ExportedFile {
  /** Its name, `Observation.000.ndjson`. */
  readonly file: string;
  readonly kind: FileKind;
  readonly type: string;
  readonly blob: Blob;
}

/** A complete export: its files in the order of the manifest, and what happened. */
export interface Exported {
  readonly files: readonly ExportedFile[];
  readonly report: Report;
  /** The text of `manifest.json`. */
  readonly manifest: string;
}

/** The readable side of an `exportStream`, or an export that is complete. */
export type Exportable = ReadableStream<Chunk> | Exported;

/** Bytes that are gathered before a Blob takes them: browsers put large Blobs on disk. */
const GATHERED = 8 << 20;
const MEDIA_TYPE = "application/fhir+ndjson";
const MANIFEST = "manifest.json";

/** Gathers chunks into one Blob a file. */
export class Gatherer {
  #files = new Map<string, { kind: FileKind; type: string; parts: BlobPart[]; waiting: BlobPart[]; size: number }>();

  add({ file, kind, type, bytes }: Chunk): void {
    let known = this.#files.get(file);
    if (known === undefined) {
      known = { kind, type, parts: [], waiting: [], size: 0 };
      this.#files.set(file, known);
    }
    known.waiting.push(bytes);
    known.size += bytes.length;
    if (known.size >= GATHERED) {
      known.parts.push(new Blob(known.waiting));
      known.waiting = [];
      known.size = 0;
    }
  }

  /** What has been gathered is void. */
  clear(): void {
    this.#files.clear();
  }

  files(): ExportedFile[] {
    return [...this.#files].map(([file, { kind, type, parts, waiting }]) => ({
      file, kind, type, blob: new Blob([...parts, ...waiting], { type: MEDIA_TYPE }),
    }));
  }
}

/** Files in the order in which the report has them. */
export function inOrder(files: readonly ExportedFile[], report: Report): ExportedFile[] {
  const byName = new Map(files.map((file) => [file.file, file]));
  return report.files.flatMap(({ path }) => byName.get(path) ?? []);
}

/** An export as one Blob a file. */
export async function toBlobs(chunks: Exportable): Promise<Exported> {
  if (isExported(chunks)) return chunks;
  const ending = ended(chunks);
  const gatherer = new Gatherer();
  for await (const chunk of each(chunks)) gatherer.add(chunk);
  const { report, manifest } = await ending;
  return { files: inOrder(gatherer.files(), report), report, manifest };
}

/** An export as a ZIP file with its manifest; without compression unless asked for. */
export async function toZip(chunks: Exportable, options: { compress?: boolean } = {}): Promise<Blob> {
  const { files, manifest } = await toBlobs(chunks);
  const entries = files.map(({ file, blob }) => ({ name: file, blob }));
  return zipped([...entries, { name: MANIFEST, blob: new Blob([manifest]) }], options.compress === true);
}

/** Saves an export in a folder. Files get their names when all of them are complete, the manifest last; after an error nothing is left. */
export async function toFiles(chunks: Exportable, directory: FileSystemDirectoryHandle, options: { overwrite?: boolean } = {}): Promise<Ending> {
  const folder = new Folder(directory, options.overwrite === true);
  try {
    await folder.refuseWhatIsThere([MANIFEST]);
    if (isExported(chunks)) {
      for (const { file, blob } of chunks.files) await folder.write(file, blob);
      await folder.publish(chunks.manifest);
      return { report: chunks.report, manifest: chunks.manifest };
    }
    const ending = ended(chunks);
    for await (const { file, bytes } of each(chunks)) await folder.write(file, bytes);
    const { report, manifest } = await ending;
    await folder.publish(manifest);
    return { report, manifest };
  } catch (error) {
    await folder.undo();
    throw told(error);
  }
}

function isExported(chunks: Exportable): chunks is Exported {
  return "files" in chunks;
}

function ended(chunks: ReadableStream<Chunk>): Promise<Ending> {
  const ending = endingOf(chunks);
  if (ending === undefined) {
    throw new FhirehoseError("argument", "expected the readable side of an exportStream, or what toBlobs or filterFiles gives");
  }
  return ending;
}

/** What a storage says, as an error of ours. */
function told(cause: unknown): unknown {
  if (cause instanceof FhirehoseError) return cause;
  const name = cause instanceof DOMException ? cause.name : "";
  if (name === "QuotaExceededError") return new FhirehoseError("quota", "there is no space left; nothing was saved", [], { cause });
  const isOfFiles = ["NotAllowedError", "NoModificationAllowedError", "NotFoundError", "TypeMismatchError", "InvalidStateError", "SecurityError"].includes(name);
  return isOfFiles ? new FhirehoseError("save", `the files cannot be written (${name}); nothing was saved`, [], { cause }) : cause;
}

interface Open {
  folder: FileSystemDirectoryHandle;
  name: string;
  part: string;
  handle: FileSystemFileHandle;
  writable: FileSystemWritableFileStream | undefined;
  published: boolean;
}

/** Files under temporary names, until all of them are complete. */
class Folder {
  #open = new Map<string, Open>();
  #root: FileSystemDirectoryHandle;
  #overwrite: boolean;

  constructor(root: FileSystemDirectoryHandle, overwrite: boolean) {
    this.#root = root;
    this.#overwrite = overwrite;
  }

  async refuseWhatIsThere(names: string[], folder = this.#root): Promise<void> {
    if (this.#overwrite) return;
    for (const name of names) {
      const there = await folder.getFileHandle(name).catch((error: unknown) => {
        if (error instanceof DOMException && error.name === "NotFoundError") return undefined;
        throw error;
      });
      if (there !== undefined) throw new FhirehoseError("exists", `the folder holds a file ${name} already`);
    }
  }

  async write(file: string, bytes: Uint8Array | Blob): Promise<void> {
    const open = this.#open.get(file) ?? (await this.#create(file));
    await open.writable?.write(bytes as FileSystemWriteChunkType);
  }

  async #create(file: string): Promise<Open> {
    const steps = file.split("/");
    const name = steps.pop() as string;
    let folder = this.#root;
    for (const step of steps) folder = await folder.getDirectoryHandle(step, { create: true });
    await this.refuseWhatIsThere([name], folder);
    const part = `${name}.part`;
    const handle = await folder.getFileHandle(part, { create: true });
    const open: Open = { folder, name, part, handle, writable: undefined, published: false };
    this.#open.set(file, open);
    open.writable = await handle.createWritable();
    return open;
  }

  async publish(manifest: string): Promise<void> {
    for (const open of this.#open.values()) {
      await open.writable?.close();
      open.writable = undefined;
    }
    for (const open of this.#open.values()) await this.#rename(open);
    const handle = await this.#root.getFileHandle(MANIFEST, { create: true });
    try {
      const writable = await handle.createWritable();
      await writable.write(manifest);
      await writable.close();
    } catch (error) {
      await this.#root.removeEntry(MANIFEST).catch(() => {});
      throw error;
    }
  }

  async #rename(open: Open): Promise<void> {
    const movable = open.handle as FileSystemFileHandle & { move?(name: string): Promise<void> };
    if (typeof movable.move === "function") {
      if (this.#overwrite) await open.folder.removeEntry(open.name).catch(() => {});
      await movable.move(open.name);
      open.published = true;
      return;
    }
    const target = await open.folder.getFileHandle(open.name, { create: true });
    open.published = true;
    const source = await open.handle.getFile();
    await source.stream().pipeTo(await target.createWritable());
    await open.folder.removeEntry(open.part);
  }

  /** Takes back whatever there is of the export. */
  async undo(): Promise<void> {
    for (const open of this.#open.values()) {
      await open.writable?.abort().catch(() => {});
      await open.folder.removeEntry(open.part).catch(() => {});
      if (open.published) await open.folder.removeEntry(open.name).catch(() => {});
    }
  }
}
