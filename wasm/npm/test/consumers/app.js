// What every consumer does with the package: a stream, and files in workers.

import { compile, exportStream, filterFiles, init, resources } from "fhirehose";

const LINES = [
  '{"resourceType":"Patient","id":"1","gender":"male"}\n',
  '{"resourceType":"Patient","id":"2","gender":"female"}\n',
  '{"resourceType":"Patient","id":"3","gender":"male"}\n',
];

/** What was found; the same wherever it runs. `source`: where the module is, if not beside the script. */
export async function use(source, options) {
  await init(source);
  const plan = compile({ typeFilter: "Patient?gender=male" });
  const ids = [];
  for await (const { id } of resources(new Blob(LINES).stream().pipeThrough(exportStream(plan)))) ids.push(id);
  const files = LINES.map((line, index) => new File([line], `${index}.ndjson`));
  const { report } = await filterFiles(files, plan, options);
  plan.free();
  return `ids ${ids}, files ${report.inputs}, kept ${report.kept}`;
}
