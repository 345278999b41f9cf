// A kick-off composed: what the form wishes, as a request of HTTP and as a command for the shell. No document here.

/** Longer URLs go into a body where that is offered. */
const LONGEST_URL = 6000;
const SHOWN_PATIENTS = 12;
const JSON_TYPE = "application/fhir+json";

/** Ids as they are written in a text: with blanks, commas or new lines between, with or without `Patient/`. */
export function patientIds(text) {
  const ids = text.split(/[\s,;]+/).filter(Boolean);
  return [...new Set(ids.map((id) => id.replace(/^Patient\//, "")))];
}

// As readable as a URL may be.
const encode = (text) => encodeURIComponent(text).replace(/%(3A|2F|2C|24)/g, (code) => decodeURIComponent(code));

/** Every parameter of a wish, in the order of the guide, each as [name, kind of value, value]. */
function parameters(wish) {
  const each = (name, kind, values) => values.filter(Boolean).map((value) => [name, kind, value]);
  return [
    ...each("_type", "valueString", wish.types),
    ...each("_since", "valueInstant", [wish.since]),
    ...each("_until", "valueInstant", [wish.until]),
    ...each("_typeFilter", "valueString", wish.filters),
    ...each("_elements", "valueString", [wish.elements]),
    ...each("includeAssociatedData", "valueCode", [wish.associated]),
    ...each("organizeOutputBy", "valueString", [wish.organize]),
  ];
}

function query(all) {
  const types = all.filter(([name]) => name === "_type").map(([, , value]) => encode(value));
  const others = all.filter(([name]) => name !== "_type").map(([name, , value]) => `${name}=${encode(value)}`);
  return [...(types.length ? [`_type=${types.join(",")}`] : []), ...others].join("&");
}

function body(all, patients, indent) {
  const listed = patients.map((id) => ({ name: "patient", valueReference: { reference: `Patient/${id}` } }));
  const parameter = [...all.map(([name, kind, value]) => ({ name, [kind]: value })), ...listed];
  if (!indent) return JSON.stringify({ resourceType: "Parameters", parameter });
  const lines = parameter.slice(0, all.length + SHOWN_PATIENTS).map((item) => `  ${JSON.stringify(item)}`);
  const hidden = parameter.length - lines.length;
  if (hidden > 0) lines.push(`  … ${hidden} more patients`);
  return `{"resourceType":"Parameters","parameter":[\n${lines.join(",\n")}\n]}`;
}

/** The request: method, path under the base, query, headers and body. */
export function compose(wish, door) {
  const all = parameters(wish);
  const path = wish.level === "group" ? `Group/${encode(wish.group)}/$export` : door.path;
  const asQuery = query(all);
  const canPost = door.methods.includes("POST");
  const isPost = canPost && (wish.patients.length > 0 || asQuery.length > LONGEST_URL || !door.methods.includes("GET"));
  const headers = {
    Accept: JSON_TYPE,
    Prefer: wish.lenient ? "respond-async, handling=lenient" : "respond-async",
    ...(isPost && { "Content-Type": JSON_TYPE }),
  };
  return {
    method: isPost ? "POST" : "GET",
    target: isPost || !asQuery ? path : `${path}?${asQuery}`,
    query: isPost ? "" : asQuery,
    headers,
    body: isPost ? body(all, wish.patients, false) : undefined,
    shown: isPost ? body(all, wish.patients, true) : undefined,
    /** The parameter that an expression of an OperationOutcome is about. */
    nameAt: (index) => all[index]?.[0] ?? "patient",
  };
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** The same as a command. A token is never written out: it comes from the shell's own variable. */
export function curl(request, base, needsToken, isWhole) {
  const lines = [`curl -i ${quoted(`${base}/${request.target}`)}`];
  for (const [name, value] of Object.entries(request.headers)) lines.push(`-H ${quoted(`${name}: ${value}`)}`);
  if (needsToken) lines.push('-H "Authorization: Bearer $TOKEN"');
  if (request.body !== undefined) lines.push(`-d ${quoted(isWhole ? request.body : request.shown)}`);
  return lines.join(" \\\n  ");
}
