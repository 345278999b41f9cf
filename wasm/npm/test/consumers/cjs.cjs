const { compile, exportStream, filterFiles, init, loadTables, resources } = require("fhirehose");
const inline = require("fhirehose/inline");

(async () => {
  await init();
  await loadTables("5.0");
  await inline.init();
  const plan = compile({ typeFilter: "Patient?gender=male", fhirVersion: "5.0" });
  const lines = ['{"resourceType":"Patient","id":"1","gender":"male"}\n', '{"resourceType":"Patient","id":"2"}\n'];
  const ids = [];
  for await (const { id } of resources(new Blob(lines).stream().pipeThrough(exportStream(plan)))) ids.push(id);
  const { report } = await filterFiles(lines.map((line) => new Blob([line])), plan, { workers: 2 });
  console.log(`ids ${ids}, files ${report.inputs}, kept ${report.kept}, inline ${inline.compile({}).passes}`);
})();
