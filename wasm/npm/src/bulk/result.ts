// What has been fetched as a complete export: names, manifest, report.

import type { Bulk } from "../glue.js";
import { FhirehoseError, fromModule } from "../errors.js";
import type { Report, TypeCount } from "../export.js";
import { merged } from "../merged.js";
import type { ExportedFile } from "../save.js";
import type { BulkResult } from "./client.js";
import type { Receipt } from "./receipt.js";
import { stored } from "./parts.js";
import type { BulkStore } from "./store.js";

export async function resultOf(bulk: Bulk, receipts: readonly { file: number; receipt: Receipt }[], store: BulkStore): Promise<BulkResult> {
  const facts = JSON.parse(bulk.facts()) as { transactionTime: string | null };
  const output = outputOf(bulk, receipts);
  const parts = receipts.flatMap(({ receipt }) => receipt.parts);
  const files: ExportedFile[] = [];
  const listed: Report["files"][number][] = [];
  for (const { part: number, path } of output.files) {
    const part = parts[number] as Receipt["parts"][number];
    const blob = await stored(() => store.open(part.name));
    if (blob === undefined || blob.size !== part.bytes) throw new FhirehoseError("save", "a file of the store is gone; run again");
    const { kind, type, count, bytes } = part;
    files.push({ file: path, kind, type, blob });
    listed.push({ kind, type, path, count, bytes });
  }
  const report = merged(receipts.map(({ receipt }) => reportOf(receipt)));
  return {
    files,
    report: { ...report, files: listed },
    manifest: output.manifest,
    warnings: output.warnings,
    transactionTime: facts.transactionTime ?? "",
  };
}

interface Output {
  readonly files: readonly { readonly part: number; readonly path: string }[];
  readonly manifest: string;
  readonly warnings: readonly string[];
}

function outputOf(bulk: Bulk, receipts: readonly { file: number; receipt: Receipt }[]): Output {
  try {
    return JSON.parse(bulk.output(JSON.stringify(receipts))) as Output;
  } catch (thrown) {
    throw fromModule(thrown);
  }
}

/** Counts of a file. One that was taken as it came has as many resources as lines. */
export function countsOf({ types, filtered, parts }: Receipt): readonly TypeCount[] {
  if (filtered) return types;
  return parts.filter(({ kind }) => kind === "output").map(({ type, count, bytes }) => ({ type, read: count, kept: count, keptBytes: bytes }));
}

function reportOf(receipt: Receipt): Report {
  const { lines, bytes, bad, places } = receipt;
  const ofTypes = countsOf(receipt);
  return {
    inputs: 1,
    bytes,
    lines,
    read: ofTypes.reduce((sum, { read }) => sum + read, 0),
    kept: ofTypes.reduce((sum, { kept }) => sum + kept, 0),
    keptBytes: ofTypes.reduce((sum, { keptBytes }) => sum + keptBytes, 0),
    types: ofTypes,
    files: [],
    bad: { total: bad.reduce((sum, { count }) => sum + count, 0), kinds: bad, places },
    unknownPatients: 0,
    deletions: { listed: 0, withheld: 0 },
  };
}
