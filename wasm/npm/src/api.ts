// All that there is, but for how the module is loaded: that is what the entries differ in.

export { BulkError, FhirehoseError, type Code, type Problem } from "./errors.js";
export { initSync, type FhirVersion, type Source } from "./module.js";
export { compile, Plan, type Definitions, type ExportRequest } from "./plan.js";
export { Export, type Bytes, type Chunk, type FileKind, type GroupReport, type Report, type TypeCount } from "./export.js";
export { exportStream, type Ending, type ExportStream, type StreamOptions } from "./stream.js";
export { PREFIXES, resourceTypes, searchParameters, type SearchParameter } from "./parameters.js";
export { resources } from "./resources.js";
export { toBlobs, toFiles, toZip, type Exportable, type Exported, type ExportedFile } from "./save.js";
export { filterFiles, type FilterOptions, type FilterProgress } from "./files.js";
export { checkManifest, parseManifest, type Checked, type Finding, type Manifest, type ManifestFile } from "./listing.js";
export { BulkClient, type BulkOptions, type BulkProgress, type BulkResult } from "./bulk/client.js";
export { hasBegun, indexedDbStore, memoryStore, opfsStore, type BulkStore, type PartWriter } from "./bulk/store.js";
export { backendServices, type BackendServices, type Token, type TokenSource } from "./bulk/token.js";
