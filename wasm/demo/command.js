// The request as others would make it: a command line, and a kick-off. No document here.

/** More are better kept in a file. */
const SHOWN_PATIENTS = 6;
const SHOWN_FILES = 3;

const quoted = (text) => (/^[\w./:=@,+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
// As readable as a URL may be.
const encode = (text) => encodeURIComponent(text).replace(/%(3A|2F|2C|24)/g, (code) => decodeURIComponent(code));

/** `fhirehose export …` or `fhirehose pull …`, which give the same files. */
export function commandLine(request, source) {
  const options = [...begun(source), ...narrowed(request)].map((words) => words.map(quoted).join(" "));
  return options.join(" \\\n  ");
}

/** What the source is called by, and with what access. */
function begun(source) {
  if (source.from === "files") {
    const names = source.names.length > 0 && source.names.length <= SHOWN_FILES ? source.names : ["data"];
    return [["fhirehose", "export", ...names, "-o", "out"]];
  }
  const level = { system: ["--system"], group: ["--group", source.group || "ID"] }[source.level];
  const access = {
    bearer: [["--bearer-file", "token.txt"]],
    smart: [["--client-id", source.client || "ID"], ["--key", "key.jwk.json"], ...(source.scope ? [["--scope", source.scope]] : [])],
  }[source.access];
  return [["fhirehose", "pull", source.base || "https://ehr.example.org/fhir", "-o", "out"], ...(level ? [level] : []), ...(access ?? [])];
}

function narrowed(request) {
  const { type, typeFilter = [], since, until, elements, patients = [], includeAssociatedData, fhirVersion } = request;
  const one = (name, value) => (value ? [[name, value]] : []);
  const cohort = patients.length > SHOWN_PATIENTS ? [["--patients", "patients.txt"]] : patients.map((id) => ["--patient", id]);
  return [
    ...one("--type", type), ...typeFilter.map((filter) => ["--type-filter", filter]), ...one("--since", since), ...one("--until", until),
    ...one("--elements", elements), ...cohort, ...one("--include-associated-data", includeAssociatedData), ...one("--fhir-version", fhirVersion),
  ];
}

/** The kick-off that asks a server for the same. */
export function kickOff(request, source) {
  const { type, typeFilter = [], since, until, elements, patients = [], includeAssociatedData } = request;
  const given = [
    ["_type", type], ["_since", since], ["_until", until], ...typeFilter.map((filter) => ["_typeFilter", filter]),
    ["_elements", elements], ["includeAssociatedData", includeAssociatedData],
  ].filter(([, value]) => value);
  const level = source.from === "server" ? source.level : patients.length > 0 ? "patient" : "system";
  const path = { system: "$export", patient: "Patient/$export", group: `Group/${encode(source.group || "ID")}/$export` }[level];
  const url = `${(source.from === "server" && source.base) || "https://ehr.example.org/fhir"}/${path}`;
  if (patients.length > 0) return posted(url, given, patients);
  const query = given.map(([name, value]) => `${name}=${encode(value)}`).join("&");
  return query ? `GET ${url}?${query}` : `GET ${url}`;
}

const KINDS = { _since: "valueInstant", _until: "valueInstant", includeAssociatedData: "valueCode" };

function posted(url, given, patients) {
  const parameters = [
    ...given.map(([name, value]) => ({ name, [KINDS[name] ?? "valueString"]: value })),
    ...patients.map((id) => ({ name: "patient", valueReference: { reference: `Patient/${id}` } })),
  ];
  const lines = parameters.slice(0, given.length + SHOWN_PATIENTS).map((item) => `  ${JSON.stringify(item)}`);
  const hidden = parameters.length - lines.length;
  if (hidden > 0) lines.push(`  … ${hidden} more patients`);
  return `POST ${url}\n{"resourceType":"Parameters","parameter":[\n${lines.join(",\n")}\n]}`;
}
