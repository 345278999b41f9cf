// The types, as strict as the compiler can be.

import { compile, exportStream, FhirehoseError, filterFiles, init, toBlobs, toFiles, toZip, type Chunk, type Exported, type ExportRequest, type Problem } from "fhirehose";
import * as inline from "fhirehose/inline";

export async function use(files: FileList | Blob[], directory: FileSystemDirectoryHandle, response: Response): Promise<number> {
  await init();
  await inline.init();
  const request: ExportRequest = { typeFilter: ["Observation?code=8867-4"], since: new Date(0), patients: new Set(["a"]) };
  // @ts-expect-error an option that there is not
  compile({ typeFilters: "x" });
  try {
    using plan = compile(request);
    const stream = exportStream(plan, { name: "x" });
    const chunks: ReadableStream<Chunk> | undefined = response.body?.pipeThrough(stream);
    if (chunks) await toFiles(chunks, directory);
    const { kept }: { kept: number } = await stream.report;
    const exported: Exported = await filterFiles(files, plan, { workers: 2, signal: AbortSignal.timeout(1000) });
    const zip: Blob = await toZip(await toBlobs(exported), { compress: true });
    return kept + zip.size;
  } catch (error) {
    const problems: readonly Problem[] = error instanceof FhirehoseError ? error.problems : [];
    return problems.length;
  }
}

export function bytes(chunk: Chunk): Blob {
  return new Blob([chunk.bytes]);
}
