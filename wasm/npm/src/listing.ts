// Manifests of servers: of all generations of the guide, and as servers really write them.

import { fromModule, wrongArgument } from "./errors.js";
import type { FileKind } from "./export.js";
import { loaded } from "./module.js";

/** A file that a manifest lists. */
export interface ManifestFile {
  readonly kind: FileKind;
  readonly type: string | null;
  /** As written: it may be relative to the manifest's own address. */
  readonly url: string;
  readonly count: number | null;
  readonly size: number | null;
  readonly continuesIn: string | null;
}

/** A manifest, or one page of it, the same for all generations. */
export interface Manifest {
  readonly transactionTime: string | null;
  readonly request: string | null;
  readonly requiresAccessToken: boolean | null;
  readonly organizedBy: string | null;
  /** Output, deletions, then errors, each in the order of the text. */
  readonly files: readonly ManifestFile[];
  /** The address of the next page. */
  readonly next: string | null;
  /** What is listed and cannot be fetched: if this is not 0, whoever has fetched all files does not have everything. */
  readonly unusable: number;
}

/** One thing that is not as the guide has it. */
export interface Finding {
  readonly severity: "error" | "warning" | "note";
  /** A word for programs, `url-missing`. */
  readonly rule: string;
  /** The section of the guide. */
  readonly section: string;
  /** `output[3].url` */
  readonly path: string;
  readonly message: string;
  /** `text.slice(start, end)` is what it is about. */
  readonly start: number;
  readonly end: number;
  readonly line: number;
  readonly column: number;
}

/** The generation by whose rules a manifest was read, and what came of it. */
export interface Checked<M> {
  readonly generation: "STU1" | "STU2" | "STU3" | "STU4";
  readonly findings: readonly Finding[];
  readonly manifest: M;
}

/** Reads a manifest: its text, or what a JSON reader made of it. What cannot be a manifest is an error (`manifest`). */
export function parseManifest(manifest: string | object): Checked<Manifest> {
  const { parseManifest: parse } = loaded();
  try {
    return JSON.parse(parse(textOf(manifest))) as Checked<Manifest>;
  } catch (thrown) {
    throw fromModule(thrown);
  }
}

/** Holds a manifest against the rules of a generation, by default of the one that fits best. `stored`: it lies beside its files. */
export function checkManifest(manifest: string | object, options: { generation?: 1 | 2 | 3 | 4; stored?: boolean } = {}): Checked<Manifest | null> {
  const { checkManifest: check } = loaded();
  return JSON.parse(check(textOf(manifest), options.generation ?? 0, options.stored === true)) as Checked<Manifest | null>;
}

function textOf(manifest: unknown): string {
  if (typeof manifest === "string") return manifest;
  if (typeof manifest === "object" && manifest !== null) return JSON.stringify(manifest);
  throw wrongArgument("a manifest is a text or an object");
}
