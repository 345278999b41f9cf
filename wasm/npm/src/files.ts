// Files that are at hand as Blobs: several at once, in workers, gzip or plain, in as many passes as the plan needs.

import { wrongArgument } from "./errors.js";
import type { TypeCount } from "./export.js";
import { TOGETHER, type Input, type Outcome } from "./job.js";
import { manifestOf } from "./manifest.js";
import { merged } from "./merged.js";
import { compile, Plan, type ExportRequest } from "./plan.js";
import { performAll, sized, type Wishes } from "./pool.js";
import { inOrder, type Exported, type ExportedFile } from "./save.js";
import { Tally } from "./tally.js";

export interface FilterOptions {
  /** How many workers; 0: none, the work is done here. Default: as the machine has cores, at most one a file. */
  workers?: number;
  signal?: AbortSignal;
  /** Told of progress, now and then. */
  onProgress?: (progress: FilterProgress) => void;
}

/** How far `filterFiles` is. */
export interface FilterProgress {
  /** Bytes as they are stored. */
  readonly bytes: number;
  readonly total: number;
  /** Counts per type as they stand, renewed some times a second; the last ones are those of the report. */
  readonly types: readonly TypeCount[];
}

/**
 * Filters files: what a file input or a drop gives, or Blobs. What comes out is what `fhirehose export` makes of the same
 * files in the same order.
 */
export async function filterFiles(
  files: Iterable<Blob> | ArrayLike<Blob>, wanted: Plan | ExportRequest, options: FilterOptions = {},
): Promise<Exported> {
  const inputs = Array.from(files as ArrayLike<Blob>, named);
  if (wanted instanceof Plan) return run(inputs, wanted, options);
  const plan = compile(wanted);
  try {
    return await run(inputs, plan, options);
  } finally {
    plan.free();
  }
}

function named(blob: Blob, index: number): Input {
  if (!(blob instanceof Blob)) throw wrongArgument("filterFiles takes Files or Blobs");
  const { webkitRelativePath, name } = blob as Partial<File>;
  return { name: webkitRelativePath || name || `input ${index + 1}`, blob };
}

async function run(inputs: readonly Input[], plan: Plan, options: FilterOptions): Promise<Exported> {
  const writer = manifestOf(plan);
  try {
    const outcome = await outcomeOf(inputs, plan, options);
    return { files: inOrder(outcome.files, outcome.report), report: outcome.report, manifest: writer.text(outcome.report) };
  } finally {
    writer.free();
  }
}

async function outcomeOf(inputs: readonly Input[], plan: Plan, { workers, signal, onProgress }: FilterOptions): Promise<Outcome> {
  const total = inputs.reduce((sum, { blob }) => sum + blob.size, 0);
  const telling = (): Wishes["progress"] => teller(total, onProgress);
  // Passes know of each other, and files that roll over know of all inputs: there one after the other.
  const isApart = plan.passes.length === 1 && !plan.rollsOver && inputs.length > 1;
  if (isApart) {
    const jobs = inputs.map((input) => [input]);
    const outcomes = await performAll(plan, jobs, { workers: sized(workers, jobs.length), isWhole: false, signal, progress: telling() });
    if (outcomes !== TOGETHER) {
      return { files: joined(outcomes.flatMap(({ files }) => files)), report: merged(outcomes.map(({ report }) => report)) };
    }
  }
  const outcomes = await performAll(plan, [inputs], { workers: sized(workers, 1), isWhole: true, signal, progress: telling() });
  return (outcomes as Outcome[])[0] as Outcome;
}

/** Adds up what jobs tell, from nothing on. */
function teller(total: number, onProgress: FilterOptions["onProgress"]): Wishes["progress"] {
  const tally = new Tally();
  let bytes = 0;
  let types: readonly TypeCount[] = [];
  return (job, more, counted) => {
    bytes = Math.min(bytes + more, total);
    if (counted !== undefined) {
      tally.set(job, counted);
      types = tally.types();
    }
    onProgress?.({ bytes, total, types });
  };
}

/** Files of one name, in the order of the inputs, as one: the Blobs are not copied. */
function joined(files: readonly ExportedFile[]): ExportedFile[] {
  const found = new Map<string, ExportedFile[]>();
  for (const file of files) found.set(file.file, [...(found.get(file.file) ?? []), file]);
  return [...found.values()].map((same) => {
    const first = same[0] as ExportedFile;
    return same.length === 1 ? first : { ...first, blob: new Blob(same.map(({ blob }) => blob), { type: first.blob.type }) };
  });
}
